"""What the lines of a news page are: headline, dateline, list item, boilerplate; and its title and date.

Words and shapes that news pages share, whole lines only; nothing here knows one outlet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import takewhile

from rag.text.sentences import Span, paragraphs, sentences

TITLE_LENGTH = 80  # of a title cut out of the first sentence
MAX_HEADLINES = 3  # above an article: kicker, headline, standfirst
MAX_HEADLINE = 200  # scientific titles reach 190 characters, news headlines 120
TITLE_REGION = 100_000  # characters in which a headline printed twice is looked for
MAX_LINE = 160  # of a date, a button or small print
DATE_REGION = 600  # characters from the top in which a date line is the article's own
LAST_LINES = 3  # in which an article may say where and when it was published

HEADING = re.compile(r"#{1,6}\s+(?P<title>\S)")
ITEM = re.compile(r"(?:[-*•·‣▪]|\d{1,2}[.)])\s+")
URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
LINKS = re.compile(r"(?:!?\[[^\]]*\]\([^)\s]*\)[\s|·]*)+")  # of Markdown

# "KARACHI: ", "LONDON (Reuters) - ", "ISLAMABAD, Sep 6 (Agency - 6th Sep, 2021 ) :"; the place in capitals.
PLACE = r"[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ.'’-]"
DATELINE = re.compile(
    rf"{PLACE}+(?:[ ,/]{{1,2}}{PLACE}*){{0,4}}(?P<detail>(?:,\s?[\w ,.]{{1,30}})?\s?(?:\([^()]{{1,80}}\)|/[^/]{{1,30}}/)?)"
    r"\s?(?::|[-–—]{1,2}(?=\s))\s?"
)

# What the lines around an article speak of: SITE tells a line of the page, a POINTER a link to other articles; the other words
# do so only beside one of them, or below the article. English, German, Spanish, French.
POINTERS = frozenset(
    "also articles auch aussi editors interesar interessieren keep latest lesen like lire mehr more most next picks popular "
    "read reading recommended related see shared thema top trending watch weitere".split()
)
SITE = frozenset(
    "© abonnieren advert advertisement affiliate agency anzeige archive breaking click comment comments compartir cookie "
    "cookies copyright developing edited email facebook follow instagram kommentare loading log menu newsletter partager "
    "podcast policy preferences print privacy promoted publicité register reserved settings share shares sign signing skip "
    "subscribe suscríbete síguenos terms".split()
)
BESIDE = frozenset(
    "accessibility address agree article artikel back below calendar continues corrections coverage download explainers "
    "explore find here könnte live manage news now our puede rights stories story support tags this topics us view we your".split()
)
AROUND = POINTERS | SITE | BESIDE
WORD = re.compile(r"[^\W\d_]+|©")
SHORT = 3  # letters of a word that every line may have
AROUND_SHARE = 1 / 5  # small print has at least this share of words of the page
QUOTE = re.compile('["“”«»]')
SITE_OBJECT = re.compile(r"\s(?:on|to|for)\s.*", re.DOTALL)  # "sign up for the daily brief"
POINTER_OBJECT = re.compile(r"\s(?:on|in|for)\s.*", re.DOTALL)  # "most read in sport"
LABEL_END = re.compile(r"\s?[:|»>›]+\s*(?=\S)")
TRAIL = re.compile(r"(?:[\w&' ]{1,30}\s[>›»]\s)+[\w&' ]{1,30}|[←→].*|.*→")  # "Home > News", "Next post →"
TOP_TRAIL = re.compile(r"(?:[\w&' ]{1,30}\s[|·/]\s)+[\w&' ]{1,30}")  # "News | Rivers"; elsewhere it is a row of a table

# English, German, Spanish, French
MONTH_NAMES = (
    "jan january januar enero janvier",
    "feb february februar febrero février",
    "mar march märz marzo mars",
    "apr april abril avril",
    "may mai mayo",
    "jun june juni junio juin",
    "jul july juli julio juillet",
    "aug august agosto août",
    "sep sept september septiembre septembre",
    "oct october oktober octubre octobre",
    "nov november noviembre novembre",
    "dec december dezember diciembre décembre",
)
MONTHS = tuple(names[:3] for names in MONTH_NAMES)
NUMBER_OF = {name: number for number, names in enumerate(MONTH_NAMES, start=1) for name in names.split()}
MONTH = rf"(?P<month>{'|'.join(NUMBER_OF)})\b"
YEAR = r"(?<!\d)(?P<year>(?:18|19|20)\d\d)(?!\d)"
DAY = r"(?<!\d)(?P<day>[0-3]?\d)"
# Numbers alone only where one order is possible: 6/9/2021 is June in one country and September in another, 20/9/2021 is not.
DATES = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<!-){YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?!\d|-\d)",
        rf"{YEAR}\s?年\s?(?P<month>\d\d?)\s?月\s?(?P<day>\d\d?)\s?日",
        rf"{DAY}(?:st|nd|rd|th|er|\.)?[\s-](?:of |de )?{MONTH}\.?,?(?: de)?[\s-]{YEAR}",
        rf"\b{MONTH}\.?\s{DAY}(?:st|nd|rd|th)?,?\s{YEAR}",
        rf"(?<![\d/.-])(?P<day>1[3-9]|[23]\d)[/.-](?P<month>\d\d?)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<![\d/.-])(?P<month>\d\d?)[/.-](?P<day>1[3-9]|[23]\d)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<=/){YEAR}/(?P<month>\d\d)/(?P<day>\d\d)(?=/)",
    )
)
YEARLESS = tuple(re.compile(form, re.IGNORECASE) for form in (rf"\b{MONTH}\.?\s{DAY}(?!\d)", rf"{DAY}\s{MONTH}"))
PUBLISHED = re.compile(r"\W*(?:this (?:article|story) was )?(?:first )?published\b", re.IGNORECASE)
WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
# "Published: ", "RECEIVED DATE: Tue, ", "Published in The Paper, "; not "The court issued its ruling on ".
LABEL = re.compile(
    r"(?:^|[|•·(,:])\s*(?:this (?:article|story) was )?(?:[a-z]{1,12} )?(?:date|dated|published|posted|issued|filed|updated|modified)"
    rf"(?:\s?:|\s(?:on|at|in [^.!?,]{{1,30}},))?\s*(?:{WEEKDAY},?\s)?$",
    re.IGNORECASE,
)
# What else stands on a line that says but a date: weekday, time, zone.
BESIDE_DATE = re.compile(
    rf"^by [^,|·•]{{1,40}}|\bmin(?:ute)?s? read|\b(?:{WEEKDAY}|[ap]\.?m\b\.?|gmt|utc|[a-z]{{2,3}}t|at|on)\b|[\W\d_]+",
    re.IGNORECASE,
)


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
    """Give a headline's words on one line, without the mark of a Markdown heading."""
    found = HEADING.match(line)
    return " ".join((line[found.start("title") :] if found else line).split())


def is_boilerplate(line: str) -> bool:
    """Say whether a whole line is a bare link, a teaser of another article or page furniture."""
    return is_teaser(line) or is_furniture(line)


def is_teaser(line: str) -> bool:
    """Say whether a line points to another page: its words answer other questions."""
    label, *rest = LABEL_END.split(line, maxsplit=1)
    return bool(
        URL.fullmatch(line)
        or LINKS.fullmatch(line)
        or opens_teasers(line)
        or (rest and _is_short(label) and _speaks_of(POINTERS, POINTERS | BESIDE, label.casefold()))
    )


def opens_teasers(line: str) -> bool:
    """Say whether a line is the heading of a list of teasers (``You May Also Like``)."""
    return _is_short(line) and _speaks_of(POINTERS, POINTERS | BESIDE, POINTER_OBJECT.sub("", line.casefold()))


def is_furniture(line: str) -> bool:
    """Say whether a line is a button, an advertisement mark or the way to the page (``Home > News``)."""
    return _is_short(line) and bool(_speaks_of(SITE, AROUND, SITE_OBJECT.sub("", line.casefold())) or TRAIL.fullmatch(line))


def _is_short(line: str) -> bool:
    return len(line) <= MAX_LINE and (not line.endswith((".", '"', "”", "»")) or line.endswith(".."))


def _speaks_of(sure: frozenset[str], allowed: frozenset[str], line: str) -> bool:
    words = [word for word in WORD.findall(line) if len(word) > SHORT or word in allowed]
    return not sure.isdisjoint(words) and allowed.issuperset(words)


def _is_small_print(line: str) -> bool:
    if len(line) > MAX_LINE or QUOTE.search(line) or ITEM.match(line):
        return False
    words = WORD.findall(URL.sub("", line.casefold()))
    around = sum(word in AROUND for word in words)
    return around >= max(1, AROUND_SHARE * len(words)) and (_is_short(line) or not SITE.isdisjoint(words))


def edges(lines: Sequence[str]) -> Span:
    """Return the half-open range of the lines between what stands above the article and what stands below it."""
    first = sum(1 for _ in takewhile(lambda line: is_boilerplate(line) or TOP_TRAIL.fullmatch(line), lines))
    last = len(lines)
    for i in range(last - 1, first, -1):
        if is_boilerplate(lines[i]) or _is_small_print(lines[i]):
            last = i
        elif not (is_date_line(lines[i]) or (_is_short(lines[i]) and (ITEM.match(lines[i]) or is_headline(lines[i])))):
            break
    below = sum(map(len, lines[last:]))
    return first, last if below < sum(map(len, lines[first:last])) else len(lines)


def is_date_line(line: str) -> bool:
    """Say whether a line says little but a date, or a date with its label."""
    return len(line) <= MAX_LINE and any(_stands_alone(line, a, b) for a, b, _ in _dates(line))


def _stands_alone(line: str, start: int, end: int) -> bool:
    beside = BESIDE_DATE.sub("", f"{line[:start]} {line[end:]}")
    return len(beside) <= 6 or bool(LABEL.search(line[:start]))


def _dates(line: str) -> list[tuple[int, int, str]]:
    """Give the full and possible dates of a line in order: start, end, ISO."""
    found = []
    for match in (match for form in DATES for match in form.finditer(line)):
        try:
            found.append((*match.span(), date(int(match["year"]), _month(match["month"]), int(match["day"])).isoformat()))
        except ValueError:  # 30 February
            continue
    return sorted(found)


def _month(month: str) -> int:
    return int(month) if month.isdecimal() else NUMBER_OF[month.lower()]


def find_title(text: str, fallback: str) -> str:
    """Give the headline of ``text``: its first line, else a line printed twice, else the start of the first sentence."""
    lines = [text[a:b] for a, b in paragraphs(text, 0, TITLE_REGION)]
    first, last = edges(lines)
    own = [line for line in lines[first:last] if not is_boilerplate(line) and not is_date_line(line)]
    if own and HEADING.match(own[0]):
        return heading_text(own[0])
    if top := list(takewhile(is_headline, own)):
        return heading_text(main_headline(top) if len(top) <= MAX_HEADLINES and len(top) < len(own) else top[0])
    seen: set[str] = set()
    for line in own:
        if line.casefold() in seen and len(line.split()) >= 4 and is_headline(line):
            return heading_text(line)
        seen.add(line.casefold())
    return shorten(own[0]) if own else fallback


def main_headline(headlines: Sequence[str]) -> str:
    """Return the first of more than three words, else the longest: what stands above it says what sort of article it is."""
    return next((line for line in headlines if len(line.split()) > 3), max(headlines, key=len, default=""))


def shorten(paragraph: str) -> str:
    """Give the first sentence without its dateline, cut at a word's end."""
    if found := dateline(paragraph):
        paragraph = paragraph[found.end() :]
    start, end = next(iter(sentences(paragraph, 0, 1000)), (0, 0))
    sentence = " ".join(paragraph[start:end].split())
    if len(sentence) <= TITLE_LENGTH:
        return sentence
    cut = sentence[: TITLE_LENGTH + 1]
    return (cut[: cut.rfind(" ")] if " " in cut[TITLE_LENGTH // 2 :] else cut[:TITLE_LENGTH]).rstrip(" ,;:") + "…"


def find_date(text: str) -> str | None:
    """Give the date that the article bears, as ISO; never one of its story.

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
    return next((iso for line in last if PUBLISHED.match(line) and len(line) <= MAX_LINE for *_, iso in _dates(line)), None)


def _with_year(line: str, text: str) -> str | None:
    """Give the only full date of a text that falls on the day of a dateline without a year (``KARACHI, Nov 20 - ``)."""
    days = {(_month(m["month"]), int(m["day"])) for form in YEARLESS for m in form.finditer(line)}
    full = {iso for *_, iso in _dates(text)} if days else set()
    found = [iso for iso in full if (int(iso[5:7]), int(iso[8:])) in days]
    return found[0] if len(found) == 1 else None


def parse_date(value: str) -> str | None:
    """Give the first full date in ``value``, as ISO."""
    return next((iso for _, _, iso in _dates(value)), None)


def _is_byline(line: str, start: int, end: int) -> bool:
    """Say whether the date is a part of its own of a short line, as in ``The Paper, 2023-09-26, by A. Writer``."""
    before, after = line[:start].rstrip(), line[end:].lstrip()
    return (
        len(line) <= MAX_LINE
        and line[-1] not in ".!?"
        and (not before or before[-1] in ",|(·•–—-:")
        and (not after or after[0] in ",|)·•–—-")
    )
