"""What the lines of a news page are: headline, dateline, list item, boilerplate; and its title and date.

Words and shapes that news pages share, and whole lines only; nothing here knows one outlet.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from rag.text.dates import days, full_dates
from rag.text.sentences import Span, paragraphs, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE_LENGTH = 80  # characters of a title that is cut out of the first sentence
MAX_HEADLINE = 200  # scientific titles reach 190 characters, news headlines 120
TITLE_REGION = 100_000  # a headline printed twice is looked for in so many characters
MAX_LINE = 160  # characters of a date line, a button or small print
DATE_REGION = 600  # a date line is the article's own in so many characters from the top

HEADING = re.compile(r"#{1,6}\s+(?P<title>\S)")
ITEM = re.compile(r"(?:[-*•·‣▪]|\d{1,2}[.)])\s+")
URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
LINKS = re.compile(r"(?:!?\[\w+(?: \w+)?\]\([^)\s]*\)[\s|·]*)+")  # of Markdown

# "KARACHI: ", "LONDON (Reuters) - ", "ISLAMABAD, Sep 6 (Agency - 6th Sep, 2021 ) :"; the place in capitals.
PLACE = r"[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ.'’-]"
DATELINE = re.compile(
    rf"{PLACE}+(?:[ ,/]{{1,2}}{PLACE}*){{0,4}}(?P<detail>(?:,\s?[\w ,.]{{1,30}})?\s?(?:\([^()]{{1,80}}\)|/[^/]{{1,30}}/)?)"
    r"\s?(?::|[-–—]{1,2}(?=\s))\s?"
)

# The words of the lines around an article. A line speaks of the page if it has a word of SITE, and points to other articles if
# it has one of POINTERS; each other word must be in one of the sets or very short. Words are kept that no page of the measured
# set has: cut down to what one half of the set needs, they find 0.41 of the other half's lines in place of 0.76.
POINTERS = frozenset(
    "also articles auch aussi editor editors interesa interesar interessieren interested keep latest leer lesen "
    "leídas leído like lire mehr meistgelesen more most must más next picks plus popular read reading recommended "
    "relacionadas relacionado relacionados related see shared suivant también thema top trending up viewed watch "
    "weitere".split()
)
SITE = frozenset(
    "abonnez abonnieren accept ad ads advert advertisement advertisment affiliate agency anzeige app apps archive "
    "breaking check click comentarios comment commentaires comments compartir cookie cookies copy copyright "
    "datenschutz developing donate drucken edited email facebook folgen follow impressum imprimer imprimir "
    "instagram kommentare link linkedin loading log login mail menu newsletter newsletters partager podcast "
    "policy preferences print privacy promoted publicidad publicité register reply reserved settings share shares "
    "sign signing skip sponsored subscribe suivez suscribirse suscríbete síguenos tap teilen telegram terms tweet "
    "twitter werbung whatsapp youtube ©".split()
)
BESIDE = frozenset(
    "accessibility address agree article artikel back below calendar continues corrections coverage download "
    "explainers explore find here live manage may news now our puede stories story support tags this topics us use "
    "view we you your".split()
)
AROUND = POINTERS | SITE | BESIDE
AROUND_SHARE = 1 / 5  # small print has at least this share of such words; with 1 / 3 recall falls by 0.09
WORD = re.compile(r"[^\W\d_]+|©")
VERY_SHORT = 2  # letters
TARGET = re.compile(r"\sto\s.*", re.DOTALL)  # "Sign up to the Daily Brief"
TOPIC = re.compile(r"\sin\s.*", re.DOTALL)  # "Most read in Sport"
LABEL_END = re.compile(r"\s?:\s*(?=\S)")
TRAIL = re.compile(r"(?:[\w ]{1,30}\s[>›»]\s)+[\w ]{1,30}|←.*|.*→")  # "Home > News", "Next post →"
TOP_TRAIL = re.compile(r"\w+(?: \w+)?(?: / \w+(?: \w+)?)+")  # "Sport / Rugby / Northern League"
CONTACT = re.compile(r"\d(?:[ ().-]?\d){4,}")  # a telephone number, a postal code
QUOTE = re.compile('["“”«»]')

WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
# "Published: ", "RECEIVED DATE: Tue, ", "Published in The Paper, "; not "The court issued its ruling on ".
DATE_LABEL = re.compile(
    r"(?:this article was )?(?:[a-z]{1,12} )?(?:date|published|updated)"
    rf"(?:\s?:|\s(?:on|in [^.!?,]{{1,30}},))?\s*(?:{WEEKDAY},?\s)?",
    re.IGNORECASE,
)
# What else stands on a date line: the writer, the weekday, the time and its zone, how long the article takes to read.
BESIDE_DATE = re.compile(
    rf"^by [^,|·•]{{1,40}}|\bmin(?:ute)?s? read|\b(?:{WEEKDAY}|[ap]\.?m|[a-z]{{2,3}}t)\b|[\W\d_]+", re.IGNORECASE
)


def is_headline(line: str) -> bool:
    """Return whether a line reads like a headline: short, capital or digit first, no full stop at its end, no date, no link."""
    if not (2 < len(line) <= MAX_HEADLINE) or line[-1] in ".,:。۔।" or line[0].islower() or not any(map(str.isalpha, line)):
        return False
    return not (ITEM.match(line) or URL.search(line) or is_boilerplate(line) or is_date_line(line) or dateline(line))


def dateline(line: str) -> re.Match[str] | None:
    """Return the match of the dateline at the start of a paragraph of prose (``KARACHI: ``), or None."""
    found = DATELINE.match(line)
    return found if found and len(line) - found.end() >= 60 else None


def is_agency_dateline(line: str) -> bool:
    """Return whether a dateline names more than a place (``LONDON (Reuters) - ``); ``TRUMP: `` may be a speaker."""
    found = dateline(line)
    return bool(found and found["detail"].strip())


def heading_text(line: str) -> str:
    """Return a headline's words on one line, without the mark of a Markdown heading."""
    found = HEADING.match(line)
    return " ".join((line[found.start("title") :] if found else line).split())


def is_boilerplate(line: str) -> bool:
    """Return whether a whole line is a bare link, a teaser for another article or page furniture."""
    return is_teaser(line) or is_furniture(line)


def is_teaser(line: str) -> bool:
    """Return whether a line points to another page: its words answer other questions."""
    label, *rest = LABEL_END.split(line, maxsplit=1)
    labelled = bool(rest) and _speaks_of(POINTERS, POINTERS | BESIDE, label)
    return labelled or bool(URL.fullmatch(line) or LINKS.fullmatch(line)) or opens_teasers(line)


def opens_teasers(line: str) -> bool:
    """Return whether a line is the heading of a list of teasers (``You May Also Like``)."""
    return _is_short(line) and _speaks_of(POINTERS, POINTERS | BESIDE, TOPIC.sub("", line))


def is_furniture(line: str) -> bool:
    """Return whether a line is a button, an advertisement mark or the way to the page (``Home > News``)."""
    return _is_short(line) and (bool(TRAIL.fullmatch(line)) or _speaks_of(SITE, AROUND, TARGET.sub("", line)))


def edges(lines: Sequence[str]) -> Span:
    """Return the half-open range of the lines that stand neither above nor below the article of a page.

    Below it are, from the first line of small print on, lines without an end of a sentence. A line with a telephone number or
    a postal code ends them, since someone may ask for it. A text that would lose half is no article with a page around it.
    """
    first = sum(1 for _ in takewhile(lambda line: is_boilerplate(line) or TOP_TRAIL.fullmatch(line), lines))
    last = len(lines)
    for i in range(last - 1, first, -1):
        if is_boilerplate(lines[i]) or _is_small_print(lines[i]):
            last = i
        elif CONTACT.search(lines[i]) or not (is_date_line(lines[i]) or is_headline(lines[i])):
            break
    below = sum(map(len, lines[last:]))
    return first, last if below < sum(map(len, lines[first:last])) else len(lines)


def _is_short(line: str) -> bool:
    return len(line) <= MAX_LINE and (not line.endswith(".") or line.endswith(".."))


def _speaks_of(needed: frozenset[str], allowed: frozenset[str], line: str) -> bool:
    words = [word for word in WORD.findall(line.casefold()) if len(word) > VERY_SHORT or word in allowed]
    return not needed.isdisjoint(words) and allowed.issuperset(words)


def _is_small_print(line: str) -> bool:
    """Return whether a line below an article speaks of the page; a sentence must do so more plainly."""
    if len(line) > MAX_LINE or QUOTE.search(line) or ITEM.match(line):
        return False
    words = WORD.findall(URL.sub("", line).casefold())
    around = sum(word in AROUND for word in words)
    return around >= max(1, AROUND_SHARE * len(words)) and (_is_short(line) or not SITE.isdisjoint(words))


def is_date_line(line: str) -> bool:
    """Return whether a line says little but a date, or a date with its label."""
    return len(line) <= MAX_LINE and any(_stands_alone(line, a, b) for a, b, _ in full_dates(line))


def _stands_alone(line: str, start: int, end: int) -> bool:
    beside = BESIDE_DATE.sub("", f"{line[:start]} {line[end:]}")
    return len(beside) <= 6 or bool(DATE_LABEL.fullmatch(line, 0, start))


def find_title(text: str, fallback: str) -> str:
    """Return the headline of ``text``: its first line, or a longer one right above a byline, or a line printed twice.

    Where there is none, the start of the first sentence stands in for it, or the ``fallback``.
    """
    lines = [text[a:b] for a, b in paragraphs(text, 0, TITLE_REGION)]
    first, last = edges(lines)
    lines = [line for line in lines[first:last] if not is_boilerplate(line)]
    own = [line for line in lines if not is_date_line(line)]
    if not own:
        return fallback
    if HEADING.match(own[0]) or is_headline(own[0]):
        top = list(takewhile(is_headline, lines))
        signed = any(map(_is_signed, lines[len(top) : len(top) + 1]))
        return heading_text((signed and next((line for line in top if len(line.split()) > 3 or ":" in line), "")) or own[0])
    seen: set[str] = set()
    for line in own:
        if line.casefold() in seen and len(line.split()) >= 4 and is_headline(line):
            return heading_text(line)
        seen.add(line.casefold())
    return shorten(own[0])


def _is_signed(line: str) -> bool:
    """Return whether a line says who wrote the article, or where or when."""
    return bool(dateline(line)) or is_date_line(line) or any(_is_byline(line, a, b) for a, b, _ in full_dates(line))


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
    """Return the date that the article bears, as ISO; never one of its story.

    It stands on a line near the top, in the dateline, which may leave the year to another place, or where the article ends.
    """
    line_end = text.find("\n", DATE_REGION)
    for number, (start, end) in enumerate(paragraphs(text, 0, line_end if line_end >= 0 else None)):
        line = text[start:end]
        top = dateline(line)
        for a, b, iso in full_dates(line):
            if (b <= top.end()) if top else is_date_line(line) or (number and _is_byline(line, a, b)):
                return iso
        if top and (dated := _with_year(top[0], text)):
            return dated
    last = [text[start:end] for start, end in paragraphs(text, max(0, len(text) - DATE_REGION))]
    published = [line for line in last if "published" in line.casefold() and is_date_line(line)]
    return next((iso for line in published for *_, iso in full_dates(line)), None)


def _with_year(line: str, text: str) -> str | None:
    """Return the only full date of a text that falls on the day of a dateline without a year (``KARACHI, Nov 20 - ``)."""
    named = days(line)
    found = {iso for *_, iso in full_dates(text) if iso[5:] in named} if named else set()
    return found.pop() if len(found) == 1 else None


def parse_date(value: str) -> str | None:
    """Return the first full date in ``value``, as ISO."""
    return next((iso for _, _, iso in full_dates(value)), None)


def _is_byline(line: str, start: int, end: int) -> bool:
    """Return whether the date is a part of its own of a short line, as in ``The Paper, 2023-09-26, by A. Writer``."""
    before, after = line[:start].rstrip(), line[end:].lstrip()
    return (
        len(line) <= MAX_LINE
        and line[-1] not in ".!?"
        and (not before or before[-1] in ",|-")
        and (not after or after[0] in ",|-")
    )
