"""Two articles that give different answers to one question: found in the evidence, the newer preferred, and told.

A false alarm is worse than silence. Each sentence gives one answer at most: the figure, the person or the outcome asked for. Two
answers disagree only where the sentences surely speak of one thing: they are worded alike, or the newer says that it revises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING

from rag.search.question_time import MONTH
from rag.text import newspage
from rag.text.quantities import PER_CENT, YEAR, Quantity, in_digits, quantities
from rag.text.terms import content_terms
from rag.text.words import NEGATIONS, POLES, STOP_WORDS, names, same_name, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag.answer.evidence import Evidence, Sentence

HELD = 0.5  # both sentences must hold this share of the question's content words
CLOSE = Decimal("0.1")  # a hedged figure ("about 1,200") is another one where it differs by more than this share of the larger
EXACT = 100  # a smaller whole number is not taken for a rounded one

FIGURE = re.compile(r"\b(how (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide|heavy|effective)\b)|^(?:\w+ )?(?:what|which)\b", re.IGNORECASE)
KIND = re.compile(r"\b(?:how(?: many| much)?|what|which) \w+", re.IGNORECASE)  # of answer, which the answer need not name
COUNT = re.compile(r"\b(?:how many|number|toll|total|population|count|attendance)\b", re.IGNORECASE)
OUTCOME = re.compile(r"(?:is|are|was|were|do|does|did|has|have|had|will)\b", re.IGNORECASE)
# What the newer article says where it takes back what the older one said.
REVISED = re.compile(
    r"\b(?:re(?:vis|stat|tract|-?count|calculat|assess|-?examin|-?check|scind|vok|vers|view|duc)\w*|correct(?:ed|s|ing|ion)|amend\w*|updat\w*"
    r"|clarif\w*|admit\w*|acknowledg\w*|conced\w*|apologi\w*|den(?:y|ied|ies)|dismiss\w*|overturn\w*|overrul\w*|quash\w*|annul\w*|void\w*"
    r"|(?:set|sets|setting) aside|str[iu]ck\w* down|thrown out|called off|cancel\w*|scrap\w*|shelv\w*|abandon\w*|withdr[ae]w\w*|disqualif\w*|stripped"
    r"|acquit\w*|exonerat\w*|cleared|appeals?|inquiry|inquest|coroner\w*|investigat\w*|audit\w*|certified|final|definitive|latest"
    r"|(?:mis|over|under)(?:count|stat|report|estimat|calculat|identif)\w*|counted twice|double[- ]count\w*|errors?|mistake\w*|wrong\w*|incorrect\w*"
    r"|inflated|exaggerat\w*|false\w*|prematurely?|now|no longer|after all|in fact|actually|in reality|instead|rather than|contrary to|turned out"
    r"|since (?:risen|died|fallen|grown|been)|(?:new|fresh) (?:count|tally|figures?|estimates?|data|census|survey)"
    r"|(?:earlier|previous(?:ly)?|initial(?:ly)?|original(?:ly)?|preliminary|provisional|first) (?:\w+ ){0,2}(?:number|figure|estimate|report|count|toll|tally"
    r"|claim|statement|result|announce|state|said|give|put|thought|fear|believe)\w*"
    r"|(?:than|what|as|had been) (?:\w+ ){0,3}(?:reported|claimed|thought|feared|planned|announced|stated|said|estimated|believed|expected)"
    r"|(?:climb|ris|rose|rais|grow|grew|jump|soar|increas|lower|cut|trimm|slash|fall|fell|drop|bring|brought)\w*(?=(?: \S+){0,6}? to\b))\b",
    re.IGNORECASE,
)
SAID = r"(?:said|says|told|reported|announced|added|stated)"
ATTRIBUTION = re.compile(  # who said it, and when, is no part of what is said
    rf",?\s*\b(?:according to|as reported by)\s[^,;]{{1,80}}?(?=[,;.]|$)"
    rf"|,\s*[^,;]{{0,60}}\b{SAID}\b[^,;]{{0,60}}?(?=[,;.]|$)"
    rf"|^[^,;\d]{{1,60}}?\b{SAID}(?: on \w+)?(?: that)?\s(?=[A-Z\d]|the )"
)
DATE = re.compile(rf"\b(?:{MONTH}\.? \d{{1,2}}|\d{{1,2}}(?:st|nd|rd|th)? {MONTH}|\d{{1,2}}[-–:]\d{{1,2}})\b")  # or a score, or a time of day
TIMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday thursday friday "
    "saturday sunday first second third fourth last next half quarter month year".split()
)
MODAL = frozenset("could may might should if unless aim aims forecast forecasts hope target targets".split())
SIGN = r"(?:[$€£¥]|Rs\.? ?)"
HEDGED = re.compile(rf"\b(?:about|around|some|roughly|approximately|nearly|almost|circa|close to|an estimated) {SIGN}?$", re.IGNORECASE)
NARROWED = re.compile(  # a bound, or a part of the whole
    r"(?:\b(?:over|above|more than|at least|exceed\w*|up to|less than|under|below|fewer than|as (?:many|much|few|little) as|between"
    rf"|no more than|maximum of|minimum of|from|not|another|further|additional|extra|other|including|each|average of) |\d(?: to | ?[-–] ?)){SIGN}?$",
    re.IGNORECASE,
)
NARROWED_AFTER = re.compile(r" ?[-–] ?\d| to \d|(?: \w+){0,2} (?:more|others?|each|every|per(?! ?cent)|an?|of them)\b")
OTHER = str.maketrans("+-", "-+")
WITH_FIGURES = content_terms("percent cent thousand million billion trillion crore lakh dollars rupees euros pounds rs")  # "23 per cent", "43%"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Sentences of several articles, oldest first, each with the figure or the word in which it differs."""

    sentences: tuple[Sentence, ...]
    values: tuple[str, ...]

    @property
    def outdated(self) -> frozenset[Sentence]:
        """The sentences of articles older than the newest; none has no date."""
        newest = max(s.document.published or "" for s in self.sentences)
        return frozenset(s for s in self.sentences if s.document.published and s.document.published < newest)

    def __str__(self) -> str:
        """Tell it: ``Articles disagree: 12 (a.txt, 2024-03-01), 15 (b.txt, 2025-02-01)``."""
        places: dict[str, list[str]] = {}
        for value, s in zip(self.values, self.sentences, strict=True):
            places.setdefault(value, []).append(f"{s.document.source}, {s.document.published or 'no date'}")
        return "Articles disagree: " + ", ".join(f"{value} ({'; '.join(told)})" for value, told in places.items())


def disagreements(question: str, evidence: Evidence) -> list[Disagreement]:
    """Return where articles disagree on what is asked."""
    about = [sentence for sentence in evidence.sentences if _is_about(question, sentence)]
    groups: list[dict[Sentence, str]] = []
    for pair in combinations(about, 2):
        older, newer = sorted(pair, key=lambda s: s.document.published or "")
        if older.document.source == newer.document.source:
            continue
        if (_said(older.text) == _said(newer.text) or _revises(question, older, newer)) and (answers := _differ(question, older.text, newer.text)):
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
    """Return whether a sentence holds enough of the question, all its times, and all its names in its passage."""
    asked = content_terms(KIND.sub(" ", question)) - POLES.keys()
    said, held = {*words(sentence.text)}, sentence.words | sentence.passage_words
    return (
        len(asked & sentence.terms) >= HELD * len(asked) > 0
        and all(word in said for word in words(question) if word in TIMES or YEAR.fullmatch(word))
        and all(any(same_name(name, word) for word in held) for name in names(question) - TIMES)
    )


def _said(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a sentence says but for figures and outcomes, and but for who said it: its terms, and how sure it is."""
    start = found.end() if (found := newspage.dateline(text)) else 0
    bare = ATTRIBUTION.sub("", text[start:])
    terms = frozenset(t for t in content_terms(bare) if not t[0].isdigit() and t not in WITH_FIGURES and t not in POLES)
    return terms, (MODAL | NEGATIONS) & {*words(bare)}


def _revises(question: str, older: Sentence, newer: Sentence) -> bool:
    if not older.document.published or older.document.published == newer.document.published:
        return False
    asked = content_terms(question)
    poles = {POLES[stem(word)] for word in words(question) if stem(word) in POLES}
    revised = any(not (content_terms(found[0]) & asked or POLES.get(stem(found[0].lower())) in poles) for found in REVISED.finditer(newer.text))
    return revised and MODAL & {*words(older.text)} == MODAL & {*words(newer.text)}


def _differ(question: str, one: str, other: str) -> tuple[str, str] | None:
    """Return the two answers, as the sentences have them; None where there are not two."""
    if OUTCOME.match(question):
        return _outcomes(question, one, other)
    return _figures(question, in_digits(one), in_digits(other)) if FIGURE.search(question) else None


def _outcomes(question: str, one: str, other: str) -> tuple[str, str] | None:
    """Return the opposite words of a line of poles that the question is on."""
    for line in {POLES[stem(word)][1:] for word in words(question) if stem(word) in POLES}:
        here, there = ({POLES[stem(w)]: w for w in words(text) if POLES.get(stem(w), " ")[1:] == line} for text in (one, other))
        if len(here) == len(there) == 1 and here.keys() != there.keys():
            return next(iter(here.values())), next(iter(there.values()))
    return None


def _figures(question: str, one: str, other: str) -> tuple[str, str] | None:
    poles = [_poles(text) for text in (question, one, other)]
    if any(side.translate(OTHER) in there and side not in there for side in poles[0] for there in poles[1:]):
        return None
    here, there = _quantities(question, one), _quantities(question, other)
    units = {_unit(q) for q in here} & {_unit(q) for q in there} - {""}
    if units:
        here, there = ([q for q in found if _unit(q) in units] for found in (here, there))
    elif COUNT.search(question):
        here, there = (_counted(question, one, here), _counted(question, other, there))
        kind = content_terms(question)
        if "how many" in question.lower() and not any(q.counts in kind for q in (*here, *there)):
            return None
    else:
        return None
    if len(here) != 1 or len(there) != 1:
        return None
    (a,), (b,) = here, there
    if _is_narrowed(one, a) or _is_narrowed(other, b) or _is_same(one, a, other, b):
        return None
    return _shown(one, a), _shown(other, b)


def _unit(q: Quantity) -> str:
    return q.unit or (q.counts if q.scale else "")


def _poles(text: str) -> dict[str, str]:
    return {POLES[stem(word)]: word for word in words(text) if stem(word) in POLES}


def _quantities(question: str, text: str) -> list[Quantity]:
    """Return the numbers that may answer: no dates, years, scores and ordinals, no parts of names, none of the question's own."""
    own, dates = {q.plain for q in quantities(question)}, [found.span() for found in DATE.finditer(text)]
    return [
        q
        for q in quantities(text)
        if q.value is not None
        and not q.is_ordinal
        and not (YEAR.fullmatch(q.written) and not q.unit and not q.counts)
        and q.plain not in own
        and not text[: q.start][-1:].isalpha()
        and not text[q.end :].startswith("-")
        and not any(start <= q.start < end for start, end in dates)
    ]


def _counted(question: str, text: str, found: list[Quantity]) -> list[Quantity]:
    """Return those that count what is asked; else those that count nothing (the toll rose to 12); else all without a unit."""
    asked = content_terms(question)
    bare = [q for q in found if not q.unit]
    return [q for q in bare if q.counts in asked] or [q for q in bare if not _thing(text, q)] or bare


def _thing(text: str, q: Quantity) -> bool:
    """Return whether a thing follows the number at once: not in "12 after the blast"."""
    following = words(text[q.end :])[:1]
    return bool(q.counts and not STOP_WORDS.issuperset(following))


def _is_narrowed(text: str, q: Quantity) -> bool:
    return bool(NARROWED.search(text[: q.start]) or NARROWED_AFTER.match(text, q.end))


def _is_same(one: str, a: Quantity, other: str, b: Quantity) -> bool:
    """Return whether both may be one figure, told more and less exactly."""
    assert a.value is not None
    assert b.value is not None
    apart, larger = abs(a.value - b.value), max(abs(a.value), abs(b.value))
    if HEDGED.search(one[: a.start]) or HEDGED.search(other[: b.start]):
        return apart <= CLOSE * larger
    grain = max(Decimal(10) ** int(v.normalize().as_tuple().exponent) for v in (a.value, b.value))
    return apart * 2 <= grain if larger >= EXACT or a.value % 1 or b.value % 1 else not apart


def _shown(text: str, q: Quantity) -> str:
    sign, percent = re.search(rf"{SIGN}$", text[: q.start]), PER_CENT.match(text, q.end)
    return ((sign[0] if sign else "") + text[q.start : q.end] + (percent[0] if percent else "")).rstrip(".,")
