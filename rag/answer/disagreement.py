"""Two articles that give different answers to one question: found in the evidence, the newer preferred, and told.

A false alarm is worse than silence. Two sentences disagree only where each gives one figure of the asked kind, or one outcome,
and both surely speak of one thing: they are worded alike, or the newer one says that it revises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from rag.text import newspage
from rag.text.quantities import PER_CENT, YEAR, in_digits, quantities
from rag.text.terms import content_terms
from rag.text.words import NEGATIONS, POLES, STOP_WORDS, names, stem, words

if TYPE_CHECKING:
    from rag.answer.evidence import Evidence, Sentence

HELD = 0.5  # both sentences must hold this share of the question's content words; at 0.7 recall falls from 0.58 to 0.23
CLOSE = Decimal("0.1")  # a round figure may stand for another that differs by at most this share of the larger

FIGURE = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide|effective)\b|^(?:\w+ )?(?:what|which)\b",
    re.IGNORECASE,
)
COUNT = re.compile(r"\b(?:how many|number|toll|total|population|attendance)\b", re.IGNORECASE)
OUTCOME = re.compile(r"(?:is|are|was|were|do|does|did|has|have|had|will)\b", re.IGNORECASE)
KIND = re.compile(r"\b(?:how(?: many| much)?|what|which) \w+", re.IGNORECASE)  # an answer need not name its kind
# How the words of a newer article begin that takes back what an older one said. Of all pairs worded otherwise, with or without
# such words, one alarm in four was false (``benchmarks/language.md`` tells what is reached with them).
_REVISES = """
    revis|restat|retract|recount|recalculat|reassess|reexamin|recheck|rescind|revok|revers|review|reduc|correct|amend|updat
    clarif|admit|acknowledg|conced|apologi|deni|deny|dismiss|overturn|overrul|quash|annul|void|set aside|struck down|thrown out
    called off|cancel|scrap|shelv|abandon|withdr|disqualif|acquit|exonerat|cleared|appeal|inquiry|inquest|coroner|investigat
    audit|certified|definitive|miscount|misstat|overstat|understat|overestimat|underestimat|counted twice|error|wrong|incorrect
    inflat|exaggerat|false|premature|now\\b|no longer|after all|in fact|actually|instead|rather than|contrary to|turned out
    (?:than|what|as|had been) (?:\\w+ ){0,3}(?:reported|claimed|thought|feared|planned|announced|said|estimated|expected)
    (?:climb|ris|rose|rais|grow|grew|jump|soar|increas|lower|cut|fall|fell|drop|bring|brought)\\w*(?=(?: \\S+){0,6}? to\\b)
"""
REVISES = re.compile(rf"\b(?:{'|'.join(line.strip() for line in _REVISES.strip().splitlines())})\w*", re.IGNORECASE)
SAID = r"(?:said|says|told|reported|announced|added|stated)"
ATTRIBUTION = re.compile(  # who said it, and when, is no part of what is said
    rf",?\s*\b(?:according to|as reported by)\s[^,;]{{1,80}}?(?=[,;.]|$)"
    rf"|,\s*[^,;]{{0,60}}\b{SAID}\b[^,;]{{0,60}}?(?=[,;.]|$)"
    rf"|^[^,;\d]{{1,60}}?\b{SAID}(?: on \w+)?(?: that)?\s(?=[A-Z\d]|the )"
)
DOUBT = frozenset("could may might should if unless aim aims forecast forecasts hope target targets".split())
TOLD_WITH_FIGURES = content_terms("percent cent thousand million billion trillion crore lakh dollars rupees euros pounds rs")
SIGN = re.compile(r"(?:[$€£¥]|Rs\.? ?)$")
BOUND = re.compile(
    r"(?:\b(?:over|above|more than|at least|exceed\w*|up to|less than|under|below|fewer than|between"
    r"|maximum of|minimum of|from)|\d(?: to| ?[-–])) ?(?:[$€£¥]|Rs\.?)? ?$",
    re.IGNORECASE,
)
OTHER_SIDE = str.maketrans("+-", "-+")


class _Figure(NamedTuple):
    """A number of a sentence; ``unit`` is empty for what is merely counted, ``counts`` where nothing follows at once."""

    value: Decimal
    unit: str
    counts: str
    shown: str
    is_bound: bool

    def is_like(self, other: _Figure) -> bool:
        """Return whether both may be one figure, told more and less exactly."""
        apart, larger = abs(self.value - other.value), max(abs(self.value), abs(other.value))
        grain = max(Decimal(10) ** int(value.normalize().as_tuple().exponent) for value in (self.value, other.value))
        return apart <= CLOSE * larger and 2 * apart <= grain


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Sentences of several articles, oldest first, each with the figure or the word in which it differs."""

    sentences: tuple[Sentence, ...]
    values: tuple[str, ...]

    @property
    def outdated(self) -> frozenset[Sentence]:
        """The sentences of articles older than the newest that do not say the same; none has no date."""
        newest = max(s.document.published or "" for s in self.sentences)
        told = list(zip(self.sentences, self.values, strict=True))
        held = {value for s, value in told if s.document.published == newest}
        return frozenset(s for s, value in told if s.document.published and s.document.published < newest and value not in held)

    def __str__(self) -> str:
        """Tell it: ``Articles disagree: 12 (a.txt, 2024-03-01), 15 (b.txt, 2025-02-01)``."""
        places: dict[str, list[str]] = {}
        for value, s in zip(self.values, self.sentences, strict=True):
            places.setdefault(value, []).append(f"{s.document.source}, {s.document.published or 'no date'}")
        return "Articles disagree: " + ", ".join(f"{value} ({'; '.join(told)})" for value, told in places.items())


def disagreements(question: str, evidence: Evidence) -> list[Disagreement]:
    """Return where articles disagree on what is asked."""
    groups: list[dict[Sentence, str]] = []
    for pair in combinations([s for s in evidence.sentences if _is_about(question, s)], 2):
        older, newer = sorted(pair, key=lambda s: s.document.published or "")
        if older.document.source == newer.document.source:
            continue
        if _said(older.text) != _said(newer.text) and not _revises(question, older, newer):
            continue
        if answers := _answers(question, older.text, newer.text):
            group = dict(zip((older, newer), answers, strict=True))
            for known in [known for known in groups if known.keys() & group.keys()]:
                groups.remove(known)
                group = known | group
            groups.append(group)
    return [_sorted(group) for group in groups]


def _sorted(group: dict[Sentence, str]) -> Disagreement:
    spans = sorted(group, key=lambda s: (s.document.published or "", s.document.source, s.start))
    return Disagreement(tuple(spans), tuple(group[s] for s in spans))


def _is_about(question: str, sentence: Sentence) -> bool:
    """Return whether a sentence holds enough of the question, and with its passage all of its names and years."""
    asked = content_terms(KIND.sub(" ", question)) - POLES.keys()
    pinned = names(question) | {word for word in words(question) if YEAR.fullmatch(word)}
    return len(asked & sentence.terms) >= HELD * len(asked) > 0 and pinned <= sentence.words | sentence.passage_words


def _said(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the terms of a sentence, but for figures, outcomes and who said it, and the words of doubt and denial."""
    start = found.end() if (found := newspage.dateline(text)) else 0
    bare = ATTRIBUTION.sub("", text[start:])
    terms = frozenset(t for t in content_terms(bare) if not t[0].isdigit() and t not in POLES)
    return terms - TOLD_WITH_FIGURES, (DOUBT | NEGATIONS) & {*words(bare)}


def _revises(question: str, older: Sentence, newer: Sentence) -> bool:
    """Return whether the newer sentence says that it revises, in a word that the question has not, and is as sure."""
    if not older.document.published or older.document.published == newer.document.published:
        return False
    poles = _poles(question)
    revises = any(POLES.get(stem(found[0].lower())) not in poles for found in REVISES.finditer(newer.text))
    return revises and DOUBT & {*words(older.text)} == DOUBT & {*words(newer.text)}


def _answers(question: str, one: str, other: str) -> tuple[str, str] | None:
    """Return the two answers as the sentences have them; None where there are not two."""
    if OUTCOME.match(question):
        return _outcomes(question, one, other)
    return _figures(question, one, other) if FIGURE.search(question) else None


def _outcomes(question: str, one: str, other: str) -> tuple[str, str] | None:
    """Return the opposite words of a line of poles that the question is on."""
    for line in {side[1:] for side in _poles(question)}:
        here, there = ({side: word for side, word in _poles(text).items() if side[1:] == line} for text in (one, other))
        if len(here) == len(there) == 1 and here.keys() != there.keys():
            return next(iter(here.values())), next(iter(there.values()))
    return None


def _poles(text: str) -> dict[str, str]:
    return {POLES[stem(word)]: word for word in words(text) if stem(word) in POLES}


def _figures(question: str, one: str, other: str) -> tuple[str, str] | None:
    """Return the only figure of each sentence that may answer; they must have one unit, or count what is asked."""
    for text in (one, other):
        poles = _poles(text).keys()
        if any(side not in poles and side.translate(OTHER_SIDE) in poles for side in _poles(question)):
            return None
    own = {q.plain for q in quantities(question)}
    here, there = _figures_of(one, own), _figures_of(other, own)
    if units := {f.unit for f in here} & {f.unit for f in there} - {""}:
        here, there = ([f for f in found if f.unit in units] for found in (here, there))
    elif COUNT.search(question):
        asked = content_terms(question)
        here, there = _counting(asked, here), _counting(asked, there)
        if "how many" in question.lower() and not any(f.counts in asked for f in (*here, *there)):
            return None
    else:
        return None
    if len(here) != 1 or len(there) != 1:
        return None
    (a,), (b,) = here, there
    return None if a.is_bound or b.is_bound or a.is_like(b) else (a.shown, b.shown)


def _counting(asked: frozenset[str], found: list[_Figure]) -> list[_Figure]:
    """Return the figures that count what is asked; else those that count nothing ("rose to 12"); else all without a unit."""
    bare = [f for f in found if not f.unit]
    return [f for f in bare if f.counts in asked] or [f for f in bare if not f.counts] or bare


def _figures_of(sentence: str, own: set[str]) -> list[_Figure]:
    """Return the numbers of a sentence, those in words too, but years and the question's ``own``."""
    text, found = in_digits(sentence), []
    for q in quantities(text):
        before, after = text[: q.start], text[q.end :]
        is_year = YEAR.fullmatch(q.written) and not (q.unit or q.counts or q.scale)
        if q.value is None or is_year or q.plain in own:
            continue
        sign, percent = SIGN.search(before), PER_CENT.match(after)
        shown = (sign[0] if sign else "") + (text[q.start : q.end] + (percent[0] if percent else "")).rstrip(".,")
        counts = "" if STOP_WORDS.issuperset(words(after)[:1]) else q.counts
        unit = q.unit or (counts if q.scale else "")
        found.append(_Figure(q.value, unit, counts, shown, bool(BOUND.search(before))))
    return found
