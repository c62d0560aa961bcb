"""The time that a question speaks of -> which articles come first, or which alone are looked at. Pure but for one clock.

"In 2021" is mostly the year of what is told, and an article of 2023 may tell it: such words only move articles published then
up a little. Words that speak of publication or of now ("articles since September", "last week") leave out what was published
at another time, unless nothing would be left. An article without a date is never left out.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rag.text.dates import MONTHS
from rag.types import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.types import Hit, Retriever, Scope

NUDGE = 1.1  # of a score: some six places at the top
POOL, DEEP_POOL = 50, 800  # hits from which those of the time asked for are taken

MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
YEAR = r"(?:19|20)\d\d"
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
UNIT = r"(?:day|week|month|year)"
COUNT = r"(?:\d{1,3}|two|three|four|five|six|seven|ten|twelve|few|couple of)"
POINT = (
    rf"(?:{YEAR}-\d\d-\d\d|(?:{DAY} (?:of )?{MONTH}|{MONTH} {DAY}),? {YEAR}|{MONTH},? {YEAR}|{YEAR}"
    rf"|{DAY} {MONTH}|{MONTH} {DAY}|{MONTH})(?![\w-]|[,.]\d)"
)
# Not "her last year at school", "than last year", "the last week of the war": those are not of now.
NOW = (
    r"(?<!his )(?<!her )(?<!its )(?<!their )(?<![’']s )(?<!than )(?<!with )(?<!over )(?<!versus )(?<!against )"
    rf"(?:(?i:yesterday|(?:the )?(?:last|past) (?:{COUNT} )?{UNIT}s?|this (?:week|month|year)|(?:{COUNT}|an?) {UNIT}s? ago)"
    rf"|[Ll]ast {MONTH})\b(?! of\b)"
)
PRINTED = r"(?:articles?|news|stories|coverage|headlines|press reports|news reports)"
VERB = r"(?: (?:published|printed|written|posted|(?:that|which) appeared|reported))?"
FORMS = tuple(
    (name, re.compile(form))
    for name, form in (
        ("span", rf"\b(?i:between) (?P<a>{POINT}) and (?P<b>{POINT})"),
        ("span", rf"\b(?i:from) (?P<a>{POINT}) (?:to|until|till|through) (?P<b>{POINT})"),
        ("span", rf"\b(?i:in|during|of) (?P<a>{YEAR}) ?[-–] ?(?P<b>{YEAR})\b"),
        ("since", rf"\b(?i:since) (?:the (?:beginning|start|end) of )?(?P<a>{POINT}|{NOW})"),
        ("after", rf"\b(?i:after) (?P<a>{POINT})"),
        ("before", rf"\b(?i:before|until|till) (?P<a>{POINT})"),
        ("now", rf"(?P<a>{NOW})"),
        ("in", rf"\b(?i:in|during|of|on|from|for|throughout) (?P<a>{POINT})"),
        ("in", rf"(?P<a>\b{POINT})(?= (?i:{PRINTED}))"),
        ("now", rf"(?P<a>\b[Tt]oday)(?=[’']s {PRINTED})"),
    )
)
BEFORE_IT = re.compile(rf"\b{PRINTED}{VERB}(?: (?:from|of|in|on))?(?: the)? ?$", re.IGNORECASE)
AFTER_IT = re.compile(rf"(?:[’']s?)? {PRINTED}\b", re.IGNORECASE)
LATEST = re.compile(r"\b(?:latest|newest|most recent(?:ly)?)\b", re.IGNORECASE)
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "twelve": 12, "few": 3, "couple of": 2}


@dataclass(frozen=True, slots=True)
class Asked:
    """The time that the ``words`` of a question name, both days included; None is open. Both are None for "latest".

    ``strict``: articles published at another time are left out, if some of that time are there; else they come a little later.
    """

    words: str
    first: date | None
    last: date | None
    strict: bool

    @property
    def latest(self) -> bool:
        """Say whether newer articles are asked for and no time."""
        return self.first is None and self.last is None

    def holds(self, published: str | None) -> bool:
        """Say whether an article of this ISO date is of that time; one without a date is not."""
        first, last = (self.first or date.min).isoformat(), (self.last or date.max).isoformat()
        return published is not None and first <= published <= last

    def __str__(self) -> str:
        """Name the time: ``from 2021-09-01 on``."""
        if not self.last:
            return f"from {self.first} on"
        return f"from {self.first} to {self.last}" if self.first else f"up to {self.last}"


def dates_asked(question: str, today: date) -> Asked | None:
    """Read the time that a question speaks of; None where it names none, or one to come."""
    for name, form in FORMS:
        if match := form.search(question):
            try:
                first, last = _period(match["a"], today)
                last = _period(match["b"], today)[1] if name == "span" else last
            except (ValueError, OverflowError):  # 30 February
                continue
            if name == "since":
                last = date.max
            elif name == "after":
                first, last = last + timedelta(1), date.max
            elif name == "before":
                first, last = date.min, first - timedelta(1)
            printed = BEFORE_IT.search(question[: match.start()]) or AFTER_IT.match(question, match.end())
            strict = bool(printed or re.fullmatch(NOW, match["a"]))
            if name == "now" and not printed:
                last = date.max  # what happened then is told later too
            if first > min(last, today) or (first == date.min and last >= today):
                continue
            return Asked(match[0], first if first > date.min else None, last if last < today else None, strict)
    latest = LATEST.search(question)
    return Asked(latest[0], None, None, strict=False) if latest else None


def arranged(hits: Sequence[Hit], asked: Asked) -> list[Hit]:
    """Put hits of the time asked for first, or leave the others out; ranks count from 1."""
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
    """Say what the time asked for did to the articles that were read."""
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
    """A :class:`rag.types.Retriever` over another, which heeds the time that a question speaks of."""

    def __init__(self, retriever: Retriever, today: Callable[[], date] = date.today) -> None:
        self._retriever = retriever
        self._today = today

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """Give at most ``top_k`` hits, best first; those of the other retriever where the question speaks of no time."""
        asked = dates_asked(question, self._today())
        if not asked:
            return self._retriever.retrieve(question, top_k=top_k, scope=scope)
        hits = self._retriever.retrieve(question, top_k=max(POOL, top_k), scope=scope)
        if asked.strict and sum(asked.holds(hit.passage.document.published) for hit in hits) < top_k <= len(hits):
            hits = self._retriever.retrieve(question, top_k=max(DEEP_POOL, top_k), scope=scope)
        return arranged(hits, asked)[:top_k]


def _period(words: str, today: date) -> tuple[date, date]:
    """Give the first and last day that words name; a month or day without a year is the last one that has begun.

    :raises ValueError: there is no such day.
    """
    said = words.lower().removeprefix("the ")
    if said in {"today", "yesterday"}:
        day = today - timedelta(said == "yesterday")
        return day, day
    if ago := re.fullmatch(rf"({COUNT}|an?) ({UNIT})s? ago", said):
        return _around(_back(today, _count(ago[1]), ago[2]), ago[2])
    if recent := re.fullmatch(rf"(last|past|this) (?:({COUNT}) )?({UNIT})s?", said):
        if recent[2]:
            return _back(today, _count(recent[2]), recent[3]), today
        return _around(today if recent[1] == "this" else _back(today, 1, recent[3]), recent[3])
    if iso := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", words):
        day = date(*map(int, iso.groups()))
        return day, day
    years, named, days = (re.search(form, words) for form in (rf"{YEAR}$", MONTH, r"\b\d{1,2}(?!\d)"))
    if not named:
        return _around(date(int(words), 1, 1), "year")
    month, number = MONTHS.index(named[0][:3].lower()) + 1, int(days[0]) if days else 1
    begun = (month, number) <= (today.month, today.day) and not (said.startswith("last") and month == today.month)
    year = int(years[0]) if years else today.year - (not begun)
    return _around(date(year, month, number), "day" if days else "month")


def _around(day: date, unit: str) -> tuple[date, date]:
    """Give the first and last day of the day, week (from Monday), month or year that a day is in."""
    match unit:
        case "week":
            monday = day - timedelta(day.weekday())
            return monday, monday + timedelta(6)
        case "month":
            return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
        case "year":
            return date(day.year, 1, 1), date(day.year, 12, 31)
    return day, day


def _back(day: date, count: int, unit: str) -> date:
    """Give the same day so many days, weeks, months or years before; the last of its month where there is none."""
    if unit in {"day", "week"}:
        return day - timedelta(count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _count(words: str) -> int:
    return int(words) if words.isdecimal() else COUNTS.get(words, 1)
