"""Tell what the lines of a news page are (headline, dateline, list item, boilerplate), and find its title and date.

The rules are words and shapes that news pages share, and look at whole lines; none of them is made for one outlet.
"""

from __future__ import annotations

import re
from datetime import date

from rag.text.sentences import paragraphs, sentences

TITLE_LENGTH = 80  # a title that is cut out of the first sentence has at most so many characters
MAX_HEADLINE = 200  # scientific titles reach 190 characters, news headlines 120
TITLE_REGION = 100_000  # a headline that is printed twice is looked for in so many characters
MAX_DATE_LINE = 120
DATE_REGION = 600  # a date line within so many characters of the top is the article's own
LAST_LINES = 3  # an article may say in these where and when it was published

HEADING = re.compile(r"#{1,6}\s+(?P<title>\S)")
ITEM = re.compile(r"(?:[-*•·‣▪]|\d{1,2}[.)])\s+")
URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)

# "KARACHI: ", "LONDON (Reuters) - ", "ISLAMABAD, Sep 6 (Agency - 6th Sep, 2021 ) :"; the place in capitals.
PLACE = r"[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ.'’-]"
DATELINE = re.compile(
    rf"{PLACE}+(?:[ ,/]{{1,2}}{PLACE}*){{0,4}}(?P<detail>(?:,\s?[\w ,.]{{1,30}})?\s?(?:\([^()]{{1,80}}\))?)"
    r"\s?(?::|[-–—]{1,2}(?=\s))\s?"
)

STORIES = r"(?: (?:articles?|stor(?:y|ies)|news|posts?|topics?|headlines|reads?|videos?|coverage|content|links|for you|now))"
TEASER = re.compile(
    r"(?:(?:also|must)[ -]read|read (?:also|more|next|the full (?:story|article))|see also"
    rf"|more stories|(?:related|recommended|trending|watch|up next){STORIES}?)\s?[:|»>›]+.{{0,200}}",
    re.IGNORECASE,
)
TEASER_LIST = re.compile(  # the lines after one are teasers too
    r"(?:you (?:may|might) (?:also )?(?:like|be interested in)|people also (?:read|like)|(?:also|must)[ -]read"
    r"|read (?:next|also|more)|see also|related|trending|up next|more (?:from|on) .{1,40}|most (?:read|popular|viewed)"
    rf"|editors?['’]?s? picks?|(?:related|recommended|trending|popular|latest|more|top){STORIES})\s?[:.…]{{0,3}}",
    re.IGNORECASE,
)
FURNITURE = re.compile(
    r"(?:advertise?ments?|sponsored(?: content)?|promoted|story continues below(?: this)?(?: advertisement)?"
    r"|share(?: (?:this|on|via)(?: .{1,30})?)?|tweet|follow us(?: on .{1,40})?|subscribe(?: (?:now|to .{1,40}))?"
    r"|sign up(?: for .{1,60})?|comments?(?: \(\d+\))?|leave a (?:comment|reply)|print|e-?mail|copy link"
    r"|skip to (?:main )?content|(?:click|tap) here(?: .{1,60})?|loading|back to top|accept (?:all )?cookies"
    r"|all rights reserved)\s?[:.…!]{0,3}",
    re.IGNORECASE,
)

MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
YEAR = r"(?<!\d)(?P<year>(?:18|19|20)\d\d)(?!\d)"
DAY = r"(?<!\d)(?P<day>[0-3]?\d)"
# Numbers alone only where one order is possible: 6/9/2021 is June in one country and September in another, 20/9/2021 is not.
DATES = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<!-){YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?!\d|-\d)",
        rf"{YEAR}\s?年\s?(?P<month>\d\d?)\s?月\s?(?P<day>\d\d?)\s?日",
        rf"{DAY}(?:st|nd|rd|th)?[\s-](?:of )?{MONTH}\.?,?[\s-]{YEAR}",
        rf"\b{MONTH}\.?\s{DAY}(?:st|nd|rd|th)?,?\s{YEAR}",
        rf"(?<![\d/.-])(?P<day>1[3-9]|[23]\d)[/.-](?P<month>\d\d?)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<![\d/.-])(?P<month>\d\d?)[/.-](?P<day>1[3-9]|[23]\d)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<=/){YEAR}/(?P<month>\d\d)/(?P<day>\d\d)(?=/)",
    )
)
YEARLESS = tuple(re.compile(form, re.IGNORECASE) for form in (rf"\b{MONTH}\.?\s{DAY}(?!\d)", rf"{DAY}\s{MONTH}\b"))
PUBLISHED = re.compile(r"\W*(?:first )?published\b", re.IGNORECASE)
WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
# "Published: ", "RECEIVED DATE: Tue, ", "Published in The Paper, "; not "The court issued its ruling on ".
LABEL = re.compile(
    r"(?:^|[|•·(,:])\s*(?:[a-z]{1,12} )?(?:date|dated|published|posted|issued|filed|updated|modified)"
    rf"(?:\s?:|\s(?:on|at|in [^.!?,]{{1,30}},))?\s*(?:{WEEKDAY},?\s)?$",
    re.IGNORECASE,
)
# What may stand beside the date on a date line: weekday, time, zone.
BESIDE_DATE = re.compile(rf"\b(?:{WEEKDAY}|[ap]\.?m\b\.?|gmt|utc|[a-z]{{2,3}}t|at|on)\b|[\W\d_]+", re.IGNORECASE)


def is_headline(line: str) -> bool:
    """Say whether a line reads like a headline: short, capital or digit first, no full stop at its end, no date, no link."""
    if (
        not (2 < len(line) <= MAX_HEADLINE)
        or line[-1] in ".,;:…。۔।-–—|"
        or line[0].islower()
        or not any(map(str.isalpha, line))
    ):
        return False
    return not (ITEM.match(line) or URL.search(line) or is_boilerplate(line) or is_date_line(line) or dateline(line))


def dateline(line: str) -> re.Match[str] | None:
    """Match the dateline at the start of a paragraph of prose (``KARACHI: ``), if there is one."""
    found = DATELINE.match(line)
    return found if found and len(line) - found.end() >= 60 else None


def is_agency_dateline(line: str) -> bool:
    """Say whether a dateline names more than a place (``LONDON (Reuters) - ``); ``TRUMP: `` may be a speaker."""
    found = dateline(line)
    return bool(found and found["detail"].strip())


def heading_text(line: str) -> str:
    """Return a headline's words on one line, without the mark of a Markdown heading."""
    found = HEADING.match(line)
    return " ".join((line[found.start("title") :] if found else line).split())


def is_boilerplate(line: str) -> bool:
    """Say whether a whole line is a bare link, a teaser of another article or page furniture."""
    return is_teaser(line) or is_furniture(line)


def is_teaser(line: str) -> bool:
    """Say whether a line points to another page: its words answer other questions."""
    return bool(URL.fullmatch(line) or TEASER.fullmatch(line) or opens_teasers(line))


def opens_teasers(line: str) -> bool:
    """Say whether a line is the heading of a list of teasers (``You May Also Like``)."""
    return bool(TEASER_LIST.fullmatch(line))


def is_furniture(line: str) -> bool:
    """Say whether a line is a button or an advertisement mark."""
    return len(line) <= 80 and bool(FURNITURE.fullmatch(line))


def is_date_line(line: str) -> bool:
    """Say whether a line holds little more than a date, or a date with its label."""
    return len(line) <= MAX_DATE_LINE and any(_stands_alone(line, a, b) for a, b, _ in _dates(line))


def _stands_alone(line: str, start: int, end: int) -> bool:
    beside = BESIDE_DATE.sub("", f"{line[:start]} {line[end:]}")
    return len(beside) <= 6 or bool(LABEL.search(line[:start]))


def _dates(line: str) -> list[tuple[int, int, str]]:
    """Return the full and possible dates of a line in order: start, end, ISO."""
    found = []
    for match in (match for form in DATES for match in form.finditer(line)):
        try:
            found.append((*match.span(), date(int(match["year"]), _month(match["month"]), int(match["day"])).isoformat()))
        except ValueError:  # 30 February
            continue
    return sorted(found)


def _month(month: str) -> int:
    return int(month) if month.isdecimal() else MONTHS.index(month[:3].lower()) + 1


def find_title(text: str, fallback: str) -> str:
    """Return the headline of ``text``: its first line, else a line printed twice, else the start of the first sentence."""
    lines = [text[a:b] for a, b in paragraphs(text, 0, TITLE_REGION)]
    own = [line for line in lines if not is_boilerplate(line) and not is_date_line(line)]
    if own and (HEADING.match(own[0]) or is_headline(own[0])):
        return heading_text(own[0])
    seen: set[str] = set()
    for line in own:
        if line.casefold() in seen and len(line.split()) >= 4 and is_headline(line):
            return heading_text(line)
        seen.add(line.casefold())
    return shorten(own[0]) if own else fallback


def shorten(paragraph: str) -> str:
    """Return the first sentence without its dateline, cut at a word's end."""
    if found := dateline(paragraph):
        paragraph = paragraph[found.end() :]
    start, end = next(iter(sentences(paragraph, 0, 1000)), (0, 0))
    sentence = " ".join(paragraph[start:end].split())
    if len(sentence) <= TITLE_LENGTH:
        return sentence
    cut = sentence[: TITLE_LENGTH + 1]
    return (cut[: cut.rfind(" ")] if " " in cut[TITLE_LENGTH // 2 :] else cut[:TITLE_LENGTH]).rstrip(" ,;:") + "…"


def find_date(text: str) -> str | None:
    """Return the date that the article bears, as ISO, and never a date that its story tells of.

    It stands on a line near its top, in its dateline, which may leave the year to another place, or where it ends.
    """
    line_end = text.find("\n", DATE_REGION)
    for number, (start, end) in enumerate(paragraphs(text, 0, line_end if line_end >= 0 else None)):
        line = text[start:end]
        top = dateline(line)
        for a, b, iso in _dates(line):
            if (b <= top.end()) if top else is_date_line(line) or (number and _is_byline(line, a, b)):
                return iso
        if top and (dated := _with_year(top[0], text)):
            return dated
    last = [text[start:end] for start, end in paragraphs(text, max(0, len(text) - DATE_REGION))][-LAST_LINES:]
    return next(
        (iso for line in last if PUBLISHED.match(line) and len(line) <= MAX_DATE_LINE for *_, iso in _dates(line)), None
    )


def _with_year(line: str, text: str) -> str | None:
    """Return the only full date of a text that falls on the day of a dateline without a year (``KARACHI, Nov 20 - ``)."""
    days = {(_month(m["month"]), int(m["day"])) for form in YEARLESS for m in form.finditer(line)}
    full = {iso for *_, iso in _dates(text)} if days else set()
    found = [iso for iso in full if (int(iso[5:7]), int(iso[8:])) in days]
    return found[0] if len(found) == 1 else None


def parse_date(value: str) -> str | None:
    """Return the first full date in ``value``, as ISO."""
    return next((iso for _, _, iso in _dates(value)), None)


def _is_byline(line: str, start: int, end: int) -> bool:
    """Say whether the date is a part of its own of a short line, as in ``The Paper, 2023-09-26, by A. Writer``."""
    before, after = line[:start].rstrip(), line[end:].lstrip()
    return (
        len(line) <= MAX_DATE_LINE
        and line[-1] not in ".!?"
        and (not before or before[-1] in ",|(·•–—-:")
        and (not after or after[0] in ",|)·•–—-")
    )
