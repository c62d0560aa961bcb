"""Document -> sections: the articles of one file, or the parts under its headings, line by line.

A file that was saved from a news page may hold a second article and the headlines of a dozen more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.text import newspage
from rag.text.sentences import paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.types import Document


class Kind(Enum):
    """What a line is."""

    HEADING = auto()  # "## Background"
    HEADLINE = auto()
    ITEM = auto()
    DATELINE = auto()  # a paragraph of prose that begins with one
    DATE = auto()
    PROSE = auto()
    FURNITURE = auto()  # buttons, and the headline printed again: not worth a passage, harmless inside one
    TEASER = auto()  # announces another article; it goes into no passage


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph on one line (or hard-wrapped): ``text`` is ``document.text[start:end]``."""

    start: int
    end: int
    kind: Kind
    text: str


def sections(document: Document) -> Iterator[tuple[str, list[Line]]]:
    """Yield the headline and the lines of each article or section; the first headline is the document's title."""
    lines = _lines(document.text)
    starts = {0: document.title}
    prose = False
    first = 0
    for i, line in enumerate(lines):
        if line.kind is Kind.HEADING:
            first = first if i and lines[i - 1].kind is Kind.HEADING else i
            starts[first] = newspage.heading_text(line.text)
            prose = False
        elif line.kind is Kind.DATELINE and prose:
            first, headline = _headline_before(lines, i)
            if headline or newspage.is_agency_dateline(line.text):
                starts[first] = newspage.heading_text(headline) or document.title
        prose = prose or line.kind in {Kind.PROSE, Kind.DATELINE}
    for first, end in pairwise([*sorted(starts), len(lines)]):
        heading = starts[first]
        yield heading, _without_repeats(lines[first:end], heading)


def _lines(text: str) -> list[Line]:
    lines: list[Line] = []
    list_gap = 0.0  # newlines between the lines of the current list of teasers, 0 outside of one
    for start, end in paragraphs(text):
        words = text[start:end]
        kind = _kind(words)
        gap = text.count("\n", lines[-1].end, start) if lines else 0
        if kind is Kind.DATELINE and list_gap:
            _give_back_headline(lines)
        if newspage.opens_teasers(words):
            list_gap = math.inf
        elif list_gap and kind in {Kind.HEADLINE, Kind.ITEM} and gap <= list_gap:
            list_gap, kind = gap, Kind.TEASER
        else:
            list_gap = 0.0
        lines.append(Line(start, end, kind, words))
    first, last = newspage.edges([line.text for line in lines])
    stays = {Kind.DATE, Kind.FURNITURE}  # else a date at the end would be a passage by itself
    return [
        line if first <= i < last or line.kind in stays else replace(line, kind=Kind.TEASER) for i, line in enumerate(lines)
    ]


def _kind(line: str) -> Kind:
    for is_kind, kind in (
        (newspage.is_teaser, Kind.TEASER),
        (newspage.is_furniture, Kind.FURNITURE),
        (newspage.HEADING.match, Kind.HEADING),
        (newspage.ITEM.match, Kind.ITEM),
        (newspage.dateline, Kind.DATELINE),
        (newspage.is_date_line, Kind.DATE),
        (newspage.is_headline, Kind.HEADLINE),
    ):
        if is_kind(line):
            return kind
    return Kind.PROSE


def _give_back_headline(lines: list[Line]) -> None:
    """Take the headline right before a dateline, with its bullets, out of the list of teasers that it stands under."""
    for i in range(len(lines) - 1, -1, -1):
        kind = _kind(lines[i].text)
        if kind not in {Kind.HEADLINE, Kind.ITEM}:
            return
        lines[i] = replace(lines[i], kind=kind)
        if kind is Kind.HEADLINE:
            return


def _headline_before(lines: list[Line], i: int) -> tuple[int, str]:
    """Find where the article whose dateline is at ``i`` begins, and its headline.

    Go back over its bullets, its date and up to three headlines (kicker, headline, standfirst), but not over bullets above
    those: they belong to the article before.
    """
    first, headlines = i, list[str]()
    for j in range(i - 1, max(-1, i - 9), -1):
        kind = lines[j].kind
        if kind is Kind.HEADLINE and len(headlines) < 3:
            headlines.insert(0, lines[j].text)
            first = j
        elif not (kind in {Kind.DATE, Kind.FURNITURE} or (kind is Kind.ITEM and not headlines)):
            break
    return first, next((line for line in headlines if len(line.split()) > 3), max(headlines, key=len, default=""))


def _without_repeats(lines: list[Line], heading: str) -> list[Line]:
    """Turn a headline that is printed again into furniture; the first one stays, to be read and quoted."""
    same = [i for i, line in enumerate(lines) if newspage.heading_text(line.text).casefold() == heading.casefold()]
    again = set(same[1:])
    return [replace(line, kind=Kind.FURNITURE) if i in again else line for i, line in enumerate(lines)]
