"""Two articles that disagree on the figure or the outcome asked for: found in the evidence, the newer preferred, and told.

A false alarm is worse than silence. Two sentences speak of one thing only when they hold the same of the question's words, the
same names and times, differ in one figure of one unit (or in which of two ways it went), and neither narrows down the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from rag.search.question_time import MONTH
from rag.text import newspage
from rag.text.quantities import PER_CENT, YEAR, in_digits, quantities
from rag.text.terms import content_terms
from rag.text.words import NEGATIONS, POLES, names, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag.answer.evidence import Evidence, Sentence

ASKED_HELD = 0.6  # of the question's content words, that both sentences hold
ALIKE = 0.7  # of the two sentences' other content words
CLOSE = Decimal("0.1")  # of the larger: "about 1,200" and 1,213 are one figure
ROUND = 100  # a figure that ends in two noughts may be rounded

ASKS_FIGURE = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide)\b"
    r"|\b(?:what|which)\b.{0,40}\b(?:percent\w*|share|proportion|number|amount|price|cost|population|toll|size|length|value|rate"
    r"|total|capacity|budget|salary|fee|speed|height|weight|age)\b",
    re.IGNORECASE,
)
HOW_MANY = re.compile(r"\bhow many ((?:[\w-]+ ?){1,3})", re.IGNORECASE)
ASKS_OUTCOME = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|will)\b"
    r"|\b(?:decided?|rul(?:e|ed|ing)|happen(?:ed)?|outcome|result|verdict|vote)\b",
    re.IGNORECASE,
)
OUTCOMES = frozenset(POLES[stem(word)][1:] for word in "approve win convicted allow confirm succeed rise".split())
# Who said it, and when, is no part of what is said.
SAID = r"(?:said|says|told|reported|announced|added|stated)"
ATTRIBUTION = re.compile(
    rf",?\s*\b(?:according to|as reported by)\s[^,;]{{1,80}}?(?=[,;.]|$)"
    rf"|,\s*[^,;]{{0,60}}\b{SAID}\b[^,;]{{0,60}}?(?=[,;.]|$)"
    rf"|^[^,;\d]{{1,60}}?\b{SAID}(?: on \w+)?(?: that)?\s(?=[A-Z\d]|the )"
)
DAY = re.compile(
    rf"\b(?:{MONTH}\.? \d{{1,2}}|\d{{1,2}}(?:st|nd|rd|th)? {MONTH})\b|\b\d{{1,2}}(?::\d\d)? ?[ap]\.?m\b|\b\d{{1,2}}:\d\d\b"
)
ORDINAL = re.compile(r"(?:st|nd|rd|th)\b")
TIMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday thursday "
    "friday saturday sunday day daily week weekly month monthly quarter quarterly year yearly annual annually season fiscal "
    "decade century morning night first second third fourth half last next past previous current currently now today yesterday "
    "tomorrow earlier later previously initially recently early late then ago since until by before after".split()
)
NARROWS = frozenset(
    "including include includes included among another other others additional extra further more total altogether together "
    "each every per average only remaining rest so far already new both combined overall alone them whom initial excluding "
    "except estimate estimated forecast target planned maximum minimum record if could may might would should".split()
)
SIGN = r"(?:[$€£¥]|Rs\.? ?)"
CURRENCY = re.compile(rf"{SIGN}$")
BOUNDS = re.compile(
    r"(?:\b(?:over|above|more than|at least|exceed\w*|up to|less than|under|below|fewer than|as (?:many|much|few|little) as"
    rf"|between|no more than|maximum of|minimum of|from) |\d(?: to | ?[-–] ?)){SIGN}?$",
    re.IGNORECASE,
)
HEDGES = re.compile(
    rf"\b(?:about|around|some|roughly|approximately|nearly|almost|circa|close to|an estimated) {SIGN}?$", re.IGNORECASE
)
PREPOSITIONS = frozenset("in at on of for from by with among to as near under between through during without per".split())
REACH = 3  # words after a preposition that belong to it
UNSAID = content_terms(
    "report official spokesman spokesperson news agency statement announce tell add state company "
    "percent cent thousand million billion trillion dollars rupees euros pounds"  # told with the figure
)


class _Figure(NamedTuple):
    value: Decimal
    unit: str
    shown: str
    hedged: bool
    bound: bool

    def is_like(self, other: _Figure) -> bool:
        """Say whether both may be one figure, told more and less exactly."""
        apart, larger = abs(self.value - other.value), max(abs(self.value), abs(other.value))
        if (self.hedged or other.hedged) and apart <= CLOSE * larger:
            return True
        grains = [Decimal(10) ** _ending(figure.value) for figure in (self, other)]
        return any(apart * 2 <= grain for grain in grains if grain >= ROUND or grain < 1) or (
            min(grains) < 1 <= max(grains) and apart * 2 <= max(grains)
        )


class _Frame(NamedTuple):
    """What a sentence says beside who said it: its other content words, names, times, figures and poles."""

    terms: frozenset[str]
    names: frozenset[str]
    times: tuple[str, ...]
    narrows: tuple[str, ...]
    behind: frozenset[str]  # stems of the words behind a preposition, and of the first word
    figures: tuple[_Figure, ...]
    poles: frozenset[str]
    denies: bool


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
    """Find where articles disagree on what is asked."""
    figure, outcome = bool(ASKS_FIGURE.search(question)), bool(ASKS_OUTCOME.search(question))
    if not (figure or outcome):
        return []
    asked = content_terms(question) - POLES.keys()
    about = [s for s in evidence.sentences if len(asked & s.terms) >= ASKED_HELD * len(asked) > 0 and _holds_names(question, s)]
    groups: list[dict[Sentence, str]] = []
    for one, other in combinations(about, 2):
        if one.document.source == other.document.source or asked & one.terms != asked & other.terms:
            continue
        values = _differ(_frame(one.text), _frame(other.text), question, figure=figure, outcome=outcome)
        if values:
            group = dict(zip((one, other), values, strict=True))
            for known in [known for known in groups if known.keys() & group.keys()]:
                groups.remove(known)
                group = known | group
            groups.append(group)
    return [_sorted(group) for group in groups]


def _sorted(group: dict[Sentence, str]) -> Disagreement:
    spans = sorted(group, key=lambda s: (s.document.published or "", s.document.source, s.start))
    return Disagreement(tuple(spans), tuple(group[s] for s in spans))


def _holds_names(question: str, sentence: Sentence) -> bool:
    return names(question) <= sentence.words | sentence.passage_words


def _differ(one: _Frame, other: _Frame, question: str, *, figure: bool, outcome: bool) -> tuple[str, str] | None:
    """Give the figures or words in which two sentences about one thing differ; None where they do not, or may be of two."""
    same = (one.times, one.narrows, one.denies) == (other.times, other.narrows, other.denies)
    same = same and one.names <= other.terms and other.names <= one.terms
    shared, apart = len(one.terms & other.terms), one.terms ^ other.terms
    if not same or shared < ALIKE * (shared + len(apart)) or apart & (one.behind | other.behind):
        return None
    if figure and one.poles == other.poles:
        return _other_figure(one.figures, other.figures, question)
    if outcome and [f[:2] for f in one.figures] == [f[:2] for f in other.figures]:
        return _other_outcome(one.poles, other.poles)
    return None


def _other_figure(one: tuple[_Figure, ...], other: tuple[_Figure, ...], question: str) -> tuple[str, str] | None:
    units = [figure.unit for figure in one]
    if units != [figure.unit for figure in other]:
        return None
    differ = [(a, b) for a, b in zip(one, other, strict=True) if a.value != b.value]
    if len(differ) != 1:
        return None
    ((a, b),) = differ
    counts = HOW_MANY.search(question)
    if units.count(a.unit) > 1 or a.bound or b.bound or a.is_like(b) or (counts and a.unit not in content_terms(counts[1])):
        return None
    return a.shown, b.shown


def _other_outcome(one: frozenset[str], other: frozenset[str]) -> tuple[str, str] | None:
    mine, others = {POLES[stem(w)]: w for w in one}, {POLES[stem(w)]: w for w in other}
    here, there = mine.keys() - others.keys(), others.keys() - mine.keys()
    if len(here) != 1 or len(there) != 1:
        return None
    (a,), (b,) = here, there
    return (mine[a], others[b]) if a[1:] == b[1:] and a[1:] in OUTCOMES else None


@lru_cache(maxsize=1024)
def _frame(sentence: str) -> _Frame:
    start = found.end() if (found := newspage.dateline(sentence)) else 0
    text = in_digits(ATTRIBUTION.sub("", sentence[start:]))
    days = DAY.findall(text)
    bare = DAY.sub(" ", text)
    said = words(bare)
    times = [*days, *(w for w in said if w in TIMES or YEAR.fullmatch(w))]
    poles = frozenset(w for w in said if stem(w) in POLES)
    known = frozenset(map(stem, (*times, *poles))) | UNSAID
    return _Frame(
        terms=frozenset(t for t in content_terms(bare) if t not in known and not t[0].isdigit()),
        names=frozenset(map(stem, names(bare) - TIMES)) - known,
        times=tuple(sorted(times)),
        narrows=tuple(sorted(w for w in said if w in NARROWS)),
        behind=frozenset(stem(w) for i, w in enumerate(said) if not i or PREPOSITIONS & {*said[max(0, i - REACH) : i]}),
        figures=tuple(_figures(bare)),
        poles=poles,
        denies=not NEGATIONS.isdisjoint(said),
    )


def _figures(text: str) -> Iterable[_Figure]:
    """Give the figures of a text with spelt numbers in digits; years and ordinals are none."""
    for q in quantities(text):
        unit = q.unit or q.counts
        is_year, is_name = YEAR.fullmatch(text[q.start : q.end]) and not unit, text[: q.start][-1:].isalpha()
        if q.is_ordinal or is_year or is_name or q.value is None:
            continue
        before = text[: q.start]
        sign = CURRENCY.search(before)
        percent = PER_CENT.match(text, q.end)
        shown = (sign[0] if sign else "") + (text[q.start : q.end] + (percent[0] if percent else "")).rstrip(".,")
        yield _Figure(q.value, unit, shown, bool(HEDGES.search(before)), bool(BOUNDS.search(before)))


def _ending(value: Decimal) -> int:
    """Give the power of ten that a figure is exact to: 2 for 1200, -1 for 2.5."""
    exponent = value.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
