"""Document -> passages: spans of whole sentences that read by themselves and fit the encoder.

A passage never holds text of two articles of one file, nor a teaser for another article. Where to cut is chosen for a whole
section at once: the cheapest of all ways to cut it within the budget. So passages are few, of similar length, and begin where a
paragraph begins.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

import regex  # type: ignore[import-untyped]

from rag.index.sections import Kind, Line, sections
from rag.text.sentences import CONTEXT, Span, sentences, split_paragraph, trimmed
from rag.types import Document, Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OVERLAP = 0.2  # a sentence longer than this share of the budget is not repeated in the next passage
CHARACTERS_PER_TOKEN = 12  # WordPiece counts a word of 101 characters and more as one token; prose has about 4.5 a token
TINY = 1 / 16  # units shorter than this share of the budget are joined, which bounds the number of ways to cut

# What it costs to begin a passage in mid-paragraph, inside a list, or with a word that points back, and to end one with a
# headline. The unit is the cost of one more passage.
MID_PARAGRAPH, MID_LIST, POINTS_BACK, ORPHAN = 0.4, 0.3, 0.15, 1.0
BACKWARD = re.compile(
    r"[\"“‘]?(?:he|she|it|they|this|these|those|such|his|her|their|its|both|the (?:two|latter))\b", re.IGNORECASE
)

CLAUSE = re.compile(r"[,;:–—)]\s+|[，、；：]")
SPACE = re.compile(r"\s+")
GRAPHEME = regex.compile(r"\X")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a piece of one that is longer than the budget; ``cut_cost`` is what it costs to begin a passage here."""

    start: int
    end: int
    tokens: int
    kind: Kind
    cut_cost: float


def split(document: Document, *, budget: int, count_tokens: Callable[[str], int]) -> list[Passage]:
    """Cut a document into passages of at most ``budget`` tokens.

    Every character that is neither blank nor boilerplate lies in at least one passage. A passage exceeds the budget only
    where a single grapheme does.
    """
    ruler = _Ruler(document.text, budget, count_tokens)
    passages: list[Passage] = []
    for heading, lines in sections(document):
        for dropped, run in groupby(lines, key=lambda line: line.kind is Kind.TEASER):
            if not dropped:
                for start, end in _passages(ruler, _units(ruler, list(run))):
                    passages.append(Passage(document, len(passages), start, end, heading))
    return passages


class _Ruler:
    """Measures spans of one text in tokens; the tokens that the tokenizer adds to every text are subtracted from the budget."""

    def __init__(self, text: str, budget: int, count_tokens: Callable[[str], int]) -> None:
        self.text = text
        self._count = count_tokens
        self._added = count_tokens("")
        self.budget = max(1, budget - self._added)

    def tokens(self, start: int, end: int) -> int:
        return max(self._count(self.text[start:end]) - self._added, -(-(end - start) // CHARACTERS_PER_TOKEN))


def _units(ruler: _Ruler, lines: list[Line]) -> list[_Unit]:
    units: list[_Unit] = []
    for line in lines:
        for number, (start, end) in enumerate(_pieces(ruler, line)):
            tokens = ruler.tokens(start, end)
            last = units[-1] if units else None
            if last and _is_tiny(ruler, last, start, tokens, line.kind):
                units[-1] = replace(last, end=end, tokens=last.tokens + tokens)
            else:
                cost = MID_PARAGRAPH if number else _cost_of_beginning(ruler.text, start, line, last)
                units.append(_Unit(start, end, tokens, line.kind, cost))
    return units


def _is_tiny(ruler: _Ruler, last: _Unit, start: int, tokens: int, kind: Kind) -> bool:
    return last.tokens + tokens <= ruler.budget * TINY and start - last.end <= 2 and kind is last.kind


def _cost_of_beginning(text: str, start: int, line: Line, last: _Unit | None) -> float:
    if line.kind is Kind.ITEM and last and (last.kind is Kind.ITEM or text[last.end - 1] == ":"):
        return MID_LIST
    return POINTS_BACK if BACKWARD.match(text, start) else 0.0


def _pieces(ruler: _Ruler, line: Line) -> Iterator[Span]:
    """Yield the sentences of a line; one longer than the budget comes in pieces."""
    for start, end in split_paragraph(ruler.text, line.start, line.end):
        tokens = ruler.tokens(start, end)
        if tokens <= ruler.budget:
            yield start, end
            continue
        typical = max(1, (end - start) * ruler.budget // tokens)
        first = start
        while first < end:
            width = typical
            last = _cut(ruler.text, first, end, width)
            while width > 1 and ruler.tokens(first, last) > ruler.budget:
                width //= 2
                last = _cut(ruler.text, first, end, width)
            piece = trimmed(ruler.text, first, last)
            if piece[0] < piece[1]:
                yield piece
            first = last


def _cut(text: str, start: int, end: int, width: int) -> int:
    """Return the best place to end a piece of at most ``width`` characters: after a clause, a word, or at least a grapheme."""
    if end - start <= width:
        return end
    for pattern in (CLAUSE, SPACE):
        ends = [match.end() for match in pattern.finditer(text, start + width // 2, start + width)]
        if ends:
            return ends[-1]
    last = start
    for match in GRAPHEME.finditer(text, start, end):
        if match.end() > start + width:
            return last if last > start else match.end()
        last = match.end()
    return end


def _passages(ruler: _Ruler, units: list[_Unit]) -> Iterator[Span]:
    """Yield the spans of the passages that are made of units; the units follow each other without a gap."""
    leads = [_tokens_repeated(units, i, ruler.budget) for i in range(len(units))]
    before = -1
    for first, end in _cheapest_cuts(units, leads, ruler.budget):
        a = first
        if leads[first] and before < first - 1 and ruler.tokens(units[first - 1].start, units[end - 1].end) <= ruler.budget:
            a = first - 1
        before = first
        for start, stop in _within_budget(ruler, units, a, end):
            kept = [unit for unit in units[start:stop] if unit.kind is not Kind.FURNITURE]
            if kept:
                yield kept[0].start, kept[-1].end


def _tokens_repeated(units: list[_Unit], i: int, budget: int) -> int:
    """Count the tokens of the unit before ``i`` that a passage beginning at ``i`` repeats to be understood."""
    needed = i > 0 and units[i].cut_cost in {MID_PARAGRAPH, POINTS_BACK} and units[i - 1].kind is not Kind.FURNITURE
    return units[i - 1].tokens if needed and units[i - 1].tokens <= OVERLAP * budget else 0


def _cheapest_cuts(units: list[_Unit], leads: list[int], budget: int) -> list[Span]:
    """Cut units into runs within the budget at the least cost: 1 each, more for room left empty and a bad place to begin."""
    upto = list(accumulate((unit.tokens for unit in units), initial=0))
    best, begins = [0.0], [0]
    for end in range(1, len(units) + 1):
        orphan = ORPHAN if end < len(units) and units[end - 1].kind in {Kind.HEADING, Kind.HEADLINE} else 0.0
        cheapest, begin = math.inf, end - 1
        for first in range(end - 1, -1, -1):
            tokens = upto[end] - upto[first] + leads[first]
            if upto[end] - upto[first] > budget and first < end - 1:
                break
            if tokens > budget and first < end - 1:
                continue
            cost = best[first] + 1 + max(0.0, 1 - tokens / budget) ** 2 + orphan + (units[first].cut_cost if first else 0.0)
            if cost < cheapest:
                cheapest, begin = cost, first
        best.append(cheapest)
        begins.append(begin)
    cuts = []
    end = len(units)
    while end:
        cuts.append((begins[end], end))
        end = begins[end]
    return cuts[::-1]


def _within_budget(ruler: _Ruler, units: list[_Unit], first: int, end: int) -> Iterator[Span]:
    """Halve a run that has more tokens as one text than its units have in sum, until it fits the budget."""
    if end - first == 1 or ruler.tokens(units[first].start, units[end - 1].end) <= ruler.budget:
        yield first, end
        return
    middle = (first + end) // 2
    yield from _within_budget(ruler, units, first, middle)
    yield from _within_budget(ruler, units, middle, end)


def sentence_spans(passage: Passage) -> list[Span]:
    """Return the sentences of a passage as half-open spans of its document, in order.

    A search looks at the same passages several times, so each is cut once. What is remembered is the passage and the characters
    around it that decide where its paragraphs end, not the whole document.
    """
    start = max(0, passage.start - CONTEXT - 1)
    around = passage.document.text[start : passage.end + CONTEXT + 1]
    return [(start + a, start + b) for a, b in _sentences(around, passage.start - start, passage.end - start)]


@lru_cache(maxsize=4096)
def _sentences(text: str, start: int, end: int) -> tuple[Span, ...]:
    return tuple(sentences(text, start, end))
