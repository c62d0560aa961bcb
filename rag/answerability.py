"""Should the question be answered at all? Signals of the evidence and the checked draft -> a probability.

A draft can be true to its quote and yet answer another question. What tells the two apart is measured here, each signal in
0..1, and weighed by a logistic regression fitted on development questions.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from rag.grounding import added_terms, is_in
from rag.terms import WORD, content_terms, names, numbers, words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rag.evidence import Evidence
    from rag.grounding import Grounded
    from rag.types import Hit

# Provisional
INTERCEPT = -6.0
WEIGHTS = {
    "passage_cosine": 2.0,
    "sentence_cosine": 2.0,
    "nearest_cited": 1.0,
    "sentence_coverage": 1.0,
    "passage_coverage": 1.0,
    "names_held": 1.5,
    "numbers_held": 1.0,
    "type_fits": 1.0,
    "support": 1.0,
}
THRESHOLD = 0.5  # of the probability below which a question is refused

ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide)\b|\bin (?:what|which) year\b"
    r"|\b(?:what|which) (?:percent\w*|share|proportion|number|amount|price|cost|population|year|date|age|portion|fraction)\b",
    re.IGNORECASE,
)
ASKS_DATE = re.compile(r"\bwhen\b|\b(?:what|which) (?:exact )?(?:day|date|month|weekday|year)\b|\bsince when\b", re.IGNORECASE)
# "Who is Ahsan Iqbal?" asks for a description; "who is the minister?" and "who met him?" ask for a name.
ASKS_NAME = re.compile(
    r"\b(?:whom|whose)\b|\bwho\b(?!(?:'s|’s| is| was| are| were) (?-i:[A-Z]))"
    r"|\b(?:what|which) (?:city|town|country|state|province|continent|company|firm|person|minister|president|team|university)\b",
    re.IGNORECASE,
)
DATE_WORDS = content_terms(
    "January February March April May June July August September October November December Monday Tuesday Wednesday Thursday "
    "Friday Saturday Sunday today yesterday tomorrow year month week day century decade spring summer autumn winter end beginning "
    "early late recently soon ago morning evening night"
)


def signals(question: str, hits: Sequence[Hit], evidence: Evidence, grounded: Grounded) -> dict[str, float]:
    """Measure how well what would be published fits the question; each in 0..1, larger is better."""
    spans = {(c.source, c.start) for c in grounded.citations}
    cited = [i for i, s in enumerate(evidence.sentences) if (s.document.source, s.start) in spans]
    asked = content_terms(question)
    near = max((float(evidence.likeness[i]) for i in cited), default=0.0)
    best = float(evidence.likeness.max()) if len(evidence.likeness) else 0.0
    sentences = [evidence.sentences[i] for i in cited]
    beside = frozenset[str]().union(*(s.passage_words for s in sentences))
    text = " ".join(claim.text for claim in grounded.claims if claim.markers)
    return {
        "passage_cosine": max((hit.cosine for hit in hits), default=0.0),
        "sentence_cosine": near,
        "nearest_cited": near / best if best > 0 else 0.0,
        "sentence_coverage": max((len(asked & s.terms) for s in sentences), default=0) / max(1, len(asked)),
        "passage_coverage": max((len(asked & s.passage_terms) for s in sentences), default=0) / max(1, len(asked)),
        "names_held": _share_in(names(question), beside),
        "numbers_held": _share_in(numbers(question), beside),
        "type_fits": float(_type_fits(question, text)),
        "support": max((claim.support for claim in grounded.claims if claim.markers), default=0.0),
    }


def missing_words(question: str, evidence: Evidence) -> list[str]:
    """Give the numbers and names of a question that no passage read holds, as the question spells them."""
    there = frozenset[str]().union(*(s.passage_words for s in evidence.sentences))
    missing = {w for w in numbers(question) | names(question) if not is_in(w, there)}
    return [w for w in dict.fromkeys(WORD.findall(question)) if missing & {*words(w), *numbers(w)}]


def _share_in(wanted: Collection[str], there: Collection[str]) -> float:
    return sum(is_in(w, there) for w in wanted) / len(wanted) if wanted else 1.0


def _type_fits(question: str, text: str) -> bool:
    """Say whether an answer adds the kind of thing asked for: a date, a number, a name."""
    added = added_terms(text, question)
    if ASKS_DATE.search(question):
        return bool(added & DATE_WORDS) or any(term[0].isdigit() for term in added)
    if ASKS_NUMBER.search(question):
        return any(term[0].isdigit() for term in added) or bool(added & DATE_WORDS)
    if ASKS_NAME.search(question):
        asked = frozenset(words(question))
        return any(not is_in(name, asked) for name in names(text))
    return True


def probability(measured: Mapping[str, float]) -> float:
    """Give the probability that the articles answer the question, from the signals."""
    z = INTERCEPT + sum(WEIGHTS[name] * value for name, value in measured.items())
    return 1 / (1 + math.exp(-z))
