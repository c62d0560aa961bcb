"""The time that a question speaks of -> which articles come first, or which alone are looked at. Pure but for one clock.

"In 2021" is mostly the year of what is told, and an article of 2023 may tell it: such words only move articles published then
up a little. Words that speak of publication or of now ("articles since September", "last week") leave out what was published
at another time, unless nothing would be left. An article without a date is never left out.

What is read is a period, or two that make a range, with a word such as "since" before it. A name without a year ("March", "on
Friday", "the 5th") means the latest such period that has begun, and with "last" the latest that is over.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rag.text.dates import MONTHS
from rag.text.quantities import SMALL
from rag.types import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.protocols import Retriever
    from rag.types import Hit, Scope

    Period = tuple[date, date]  # the first and the last day

NUDGE = 1.1  # the score of an article of the time asked for is multiplied by this: it gains some six places at the top
POOL = 50  # hits to search for when a question names a time: articles of that time may stand below the first few
DEEP_POOL = 800  # hits to search for when only articles of that time are wanted and the first POOL hold too few of them

MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth "
    "twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
).split()
WEEKDAYS = {"monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6, "weekend": 5}
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # the month in which each begins
THIRDS = {"early": 0, "start": 0, "beginning": 0, "mid": 1, "middle": 1, "late": 2, "end": 2}
COUNTS = {**SMALL, "": 1, "a": 1, "an": 1, "few": 3, "a few": 3, "couple of": 2, "a couple of": 2}
COUNTS |= {"today": 0, "this": 0, "yesterday": 1, "last": 1, "day before yesterday": 2, "before last": 2}
UNIT_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "fortnight": 14}
UNIT_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120}

YEAR = r"(?:19|20)\d\d"
ANY_YEAR = rf"(?P<year>{YEAR}|(?:last|this) year)"
NUMBER = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|(?:{'|'.join(ORDINALS)})(?= of))"
DAYS = rf"(?:(?P<begin>{NUMBER})(?: ?[-–] ?| to | and ))?(?P<day>{NUMBER})"  # "6", "3 to 9"
COUNT = rf"(?:\d{{1,3}}|{'|'.join(SMALL)}|(?:a )?(?:few|couple of))"
UNIT = rf"(?P<unit>{'|'.join((*UNIT_DAYS, *UNIT_MONTHS))})s?"
LONG_UNIT = rf"(?P<unit>week|fortnight|{'|'.join(UNIT_MONTHS)})"  # "the last day" is mostly that of an event
WEEKDAY, SEASON = "|".join(WEEKDAYS), "|".join(SEASONS)
PART_OF_YEAR = rf"(?P<name>{MONTH}|{SEASON}|Q[1-4]|(?:{'|'.join(ORDINALS[:4])}) (?:quarter|half))"


def _any_of(*forms: str) -> str:
    """Return a pattern of these forms without their named groups, which a pattern may hold but once."""
    return f"(?:{'|'.join(re.sub('[(][?]P<[a-z]+>', '(?:', form) for form in forms)})"


# The forms of a period. What a named group holds is the argument of that name of `_dated`, or what `_period` asks for.
NAMED = (
    rf"(?:the )?{PART_OF_YEAR},?(?: of)? {ANY_YEAR}",
    rf"(?P<which>last|this) (?P<name>{MONTH}|{SEASON}|{WEEKDAY})",
    r"(?:the )?(?P<decade>(?:19|20)\d0)s",
)
MAY_BE_EARLY = _any_of(*NAMED, ANY_YEAR, MONTH, "(?:last|this) month")
DATES = (
    rf"(?P<year>{YEAR})[-/](?P<name>\d\d?)[-/](?P<day>\d\d?)",
    rf"(?P<name>\d\d?)/(?P<year>{YEAR})",
    rf"(?:the )?{DAYS} (?:of )?(?P<name>{MONTH})\.?(?:,? {ANY_YEAR})?",
    rf"(?P<name>{MONTH})\.? {DAYS}(?:,? {ANY_YEAR})?",
    *NAMED,
    rf"(?:the )?(?P<third>{'|'.join(THIRDS)})(?:[ -]| of )(?:the )?(?P<whole>{MAY_BE_EARLY})",
)
OF_NOW = (
    r"(?P<back>today|yesterday|day before yesterday)",
    r"(?:the|this|(?P<which>last)) (?P<name>weekend)",
    rf"(?P<back>this|last) {LONG_UNIT}",
    rf"the {LONG_UNIT} (?P<back>before last)",
    rf"(?P<back>{COUNT}|an?) {UNIT} ago",
    rf"(?:the (?:past|last)|past) (?P<past>{COUNT}) {UNIT}",
    rf"(?:the (?:past|last)|past)(?P<past>) {LONG_UNIT}",
)
# These are dates only behind a word such as "in", or before one such as "articles".
BARE = (rf"(?P<year>{YEAR})", rf"(?P<name>{MONTH}|Q[1-4]|{WEEKDAY})", rf"the (?P<day>{NUMBER})(?=\W*$|[?.,;!])")
FORMS = tuple(re.compile(form, re.IGNORECASE) for form in (*OF_NOW, *DATES, *BARE))
NOW = re.compile(_any_of(*OF_NOW), re.IGNORECASE)
PRESENT = ("now", "today")

PRINTED = r"(?:articles?|news|stories|coverage|headlines)"
VERB = r"(?:published|printed|written|posted|reported)"
PRINTED_AFTER = re.compile(rf"(?:[’']s)? {PRINTED}\b", re.IGNORECASE)
PRINTED_BEFORE = re.compile(rf"\b(?:{PRINTED}(?: {VERB})?|(?:is|was|were|been) {VERB}) $", re.IGNORECASE)
ABOUT = re.compile(r" (?:on|about)(?: [\w-]+){1,4} $")  # "written about the virus before March"
BOUND = r"since|after|before|prior to|until|till|up to|by"
SAID = re.compile(
    rf"\b(?:(?P<how>{BOUND}|between|from|in|during|of|on) (?P<a>{_any_of(*DATES, *OF_NOW, *BARE)})"
    rf"|(?P<alone>{_any_of(*DATES, *OF_NOW)}|{_any_of(*BARE)}(?={PRINTED_AFTER.pattern})))"
    rf"(?:(?: (?:and|to|until|till|through) | ?[-–] ?)(?P<b>{_any_of(*DATES, *OF_NOW, *BARE)}|{'|'.join(PRESENT)}))?"
    r"(?![\w-]|[,.]\d| of\b)",
    re.IGNORECASE,
)
# "Her last year at school" and "than last year" are not of now; "may" and "march" without a year are mostly verbs.
COMPARED = re.compile(r"(?:\b(?:his|her|its|their|than|with)|[’']s) $", re.IGNORECASE)
VERB_LIKE = re.compile(r"\b(?:may|march)\b(?!,? \d{4})")
LATEST = re.compile(r"(?<!at the )\b(?:latest|newest|most recent)\b(?!(?: \w+){1,2} which)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """The time that the ``words`` of a question name, both days included; None is open. Both are None for "latest".

    ``strict``: articles published at another time are left out, if some of that time are there; else they come a little later.
    ``told_later``: those published after that time count as of that time, since what happened last week is told later too.
    """

    words: str
    first: date | None
    last: date | None
    strict: bool
    told_later: bool = False

    @property
    def latest(self) -> bool:
        """Whether newer articles are asked for and no time."""
        return self.first is None and self.last is None

    @property
    def _end(self) -> date | None:
        return None if self.told_later else self.last

    def holds(self, published: str | None) -> bool:
        """Return whether an article of this ISO date is of that time; one without a date is not."""
        first, last = (self.first or date.min).isoformat(), (self._end or date.max).isoformat()
        return published is not None and first <= published <= last

    def __str__(self) -> str:
        """Name the time: ``from 2021-09-01 on``."""
        if not self._end:
            return f"from {self.first} on"
        return f"from {self.first} to {self._end}" if self.first else f"up to {self._end}"


def dates_asked(question: str, today: date) -> Asked | None:
    """Return the time that a question speaks of; None where it names none, or one to come."""
    for found in SAID.finditer(question):
        head, how, period = question[: found.start()], (found["how"] or "").casefold(), found["a"] or found["alone"]
        if COMPARED.search(head) or (how not in {"in", "on", "since"} and VERB_LIKE.search(period)):
            continue
        try:
            first, last = _range(how, period, (found["b"] or "").casefold(), today)
        except (ValueError, OverflowError):  # 30 February
            continue
        if re.fullmatch(BOUND, how):
            head = ABOUT.sub(" ", head)
        printed = bool(PRINTED_BEFORE.search(head) or PRINTED_AFTER.match(question, found.end()))
        if "today" in period.lower() and not printed:  # "Where is the company based today?"
            continue
        if first > min(last, today) or (first == date.min and last >= today):
            continue
        strict, is_open = printed or bool(NOW.fullmatch(period)), first == date.min
        told_later = strict and not printed and not is_open
        return Asked(found[0], None if is_open else first, last if last < today else None, strict, told_later)
    latest = LATEST.search(question)
    return Asked(latest[0], None, None, strict=False) if latest else None


def arranged(hits: Sequence[Hit], asked: Asked) -> list[Hit]:
    """Return the hits with those of the time asked for moved up, or those alone; ranks count from 1."""
    inside = [asked.holds(hit.passage.document.published) for hit in hits]
    published = [hit.passage.document.published or "" for hit in hits]
    if asked.strict and any(inside):
        kept = [hit for hit, held, day in zip(hits, inside, published, strict=True) if held or not day]
    else:
        days = sorted({*published, ""})  # without a date is oldest
        parts = [days.index(day) / (len(days) - 1 or 1) for day in published] if asked.latest else inside
        kept = [replace(hit, score=hit.score * (1 + (NUDGE - 1) * part)) for hit, part in zip(hits, parts, strict=True)]
        kept.sort(key=lambda hit: (-hit.score, hit.rank))
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]


def remark(asked: Asked, hits: Sequence[Hit]) -> str:
    """Return what the time asked for did to the articles that were read, as a sentence; empty where it did nothing."""
    said = f"“{asked.words}”"
    if asked.latest:
        return f"{said}: newer articles come a little earlier"
    published = [hit.passage.document.published for hit in hits]
    inside = [asked.holds(day) for day in published]
    if not any(inside):
        return f"{said}: no article found is dated {asked}, so all were looked at" if asked.strict else ""
    if not asked.strict or any(day and not held for day, held in zip(published, inside, strict=True)):
        return f"{said}: articles dated {asked} come a little earlier"
    undated = len({hit.passage.document.source for hit in hits if not hit.passage.document.published})
    beside = f", and {undated} without a date" if undated else ""
    return f"{said}: only articles dated {asked} were looked at{beside}"


class DatedRetriever:
    """A :class:`rag.protocols.Retriever` over another one, which takes account of the time that a question names."""

    def __init__(self, retriever: Retriever, today: Callable[[], date] = date.today) -> None:
        self._retriever = retriever
        self._today = today

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """Return at most ``top_k`` hits, best first; exactly those of the other retriever where the question names no time."""
        asked = dates_asked(question, self._today())
        if not asked:
            return self._retriever.retrieve(question, top_k=top_k, scope=scope)
        hits = self._retriever.retrieve(question, top_k=max(POOL, top_k), scope=scope)
        if asked.strict and sum(asked.holds(hit.passage.document.published) for hit in hits) < top_k <= len(hits):
            hits = self._retriever.retrieve(question, top_k=max(DEEP_POOL, top_k), scope=scope)
        return arranged(hits, asked)[:top_k]


def _range(how: str, period: str, end: str, today: date) -> Period:
    """Return the first and last day of a period or of the range up to ``end``; date.min and date.max are open."""
    if end:
        begun, last = (today, date.max) if end in PRESENT else _period(end, today)
        return _period(period, begun)[0], last  # in "March to May 2024" March is that before May 2024
    first, last = _period(period, today)
    match how:
        case "since":
            return first, date.max
        case "after":
            return last + timedelta(1), date.max
        case "before" | "prior to":
            return date.min, first - timedelta(1)
        case "until" | "till" | "up to" | "by":
            return date.min, last
    return first, last


def _period(words: str, today: date) -> Period:
    """Return the first and last day that words name.

    :raises ValueError: there is no such day.
    """
    found = next(found for form in FORMS if (found := form.fullmatch(words)))
    said = {name: (group or "").casefold() for name, group in found.groupdict().items()}
    if "third" in said:
        return _third(said["third"], _period(said["whole"], today))
    if "decade" in said:
        return _months(date(int(said["decade"]), 1, 1), 120)
    if "past" in said:
        return _back(today, _number(said["past"]), said["unit"]), today
    if "back" in said:
        unit = said.get("unit", "day")
        return _around(_back(today, _number(said["back"]), unit), unit)
    return _dated(today, **said)


def _dated(today: date, *, year: str = "", name: str = "", day: str = "", which: str = "", begin: str = "") -> Period:
    """Return the latest such day or part of a year, looked for backwards from today or from the end of the year named."""
    end, searched = today, 8 * 366  # from one 29 February to another
    if year or which == "this":
        end = date(int(year) if year.isdecimal() else _period(year or "this year", today)[0].year, 12, 31)
        searched = 366
    number = _number(day or "1")
    month, months = (1, 12) if not name or name in WEEKDAYS else _part_of_year(name)
    date(2000, month, number)  # raises where no year has such a day
    for first in (end - timedelta(n) for n in range(searched)):
        if name in WEEKDAYS:
            begins = first.weekday() == WEEKDAYS[name]
        else:
            begins = first.day == number and (first.month == month or not (name or year))
        if begins:
            last = first + timedelta(name == "weekend") if day or name in WEEKDAYS else _months(first, months)[1]
            if which != "last" or last < today:
                return first.replace(day=_number(begin)) if begin else first, last
    raise ValueError(f"no such day: {day} {name} {year}")


def _part_of_year(name: str) -> tuple[int, int]:
    """Return the month in which a month, season, quarter or half begins, and how many months it has."""
    if name.isdecimal():
        return int(name), 1
    if name[:3] in MONTHS:
        return MONTHS.index(name[:3]) + 1, 1
    if name in SEASONS:
        return SEASONS[name], 3
    months = 6 if name.endswith("half") else 3
    return (_number(name.lstrip("q").split()[0]) - 1) * months + 1, months


def _third(which: str, period: Period) -> Period:
    """Return the first, second or last third of a period: ten days of a month, whole years of a decade, else whole months."""
    first, last = period
    place, months = THIRDS[which], (last.year - first.year) * 12 + last.month - first.month + 1
    if months == 1:
        return first.replace(day=10 * place + 1), last if place == 2 else first.replace(day=10 * place + 10)
    step = 12 if months > 12 else 1
    begin, end = (math.ceil(n * months / 3 / step) * step for n in (place, place + 1))
    return _months(_shifted(first, begin), end - begin)


def _around(day: date, unit: str) -> Period:
    """Return the first and last day of the week (from Monday), month, quarter, year or decade that a day is in, or the day."""
    if months := UNIT_MONTHS.get(unit):
        return _months(_shifted(day.replace(day=1), -((day.year * 12 + day.month - 1) % months)), months)
    if unit == "week":
        day -= timedelta(day.weekday())
        return day, day + timedelta(6)
    return day, day


def _back(day: date, count: int, unit: str) -> date:
    """Return the same day so many units before; the last of its month where there is none."""
    if unit in UNIT_DAYS:
        return day - timedelta(int(count * UNIT_DAYS[unit]))
    return _shifted(day, -count * UNIT_MONTHS[unit])


def _months(first: date, count: int) -> Period:
    return first, _shifted(first, count) - timedelta(1)


def _shifted(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _number(words: str) -> int:
    if digits := re.match(r"\d+", words):
        return int(digits[0])
    return ORDINALS.index(words) + 1 if words in ORDINALS else COUNTS[words]
