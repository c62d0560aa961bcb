"""Should the question be answered at all? Signals of the evidence and the checked draft -> a probability.

A draft can be true to its quote and yet answer another question. What tells the two apart is measured here, each signal in
0..1, and weighed by a logistic regression fitted on development questions.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from rag.answer.grounding import is_in, is_like
from rag.text.quantities import numbers, quantities
from rag.text.terms import content_terms
from rag.text.words import WORD, names, words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rag.answer.evidence import Evidence
    from rag.answer.grounding import Grounded
    from rag.types import Hit, Written


@dataclass(frozen=True, slots=True)
class Fit:
    """A logistic regression of the signals, fitted by ``benchmarks/fit_refusal.py``."""

    intercept: float
    weights: Mapping[str, float]


def _read_fits() -> tuple[float, tuple[Fit, ...]]:
    table = tomllib.loads(files("rag.answer").joinpath("refusal.toml").read_text(encoding="utf-8"))
    fits = (table[name] for name in ("with_probe", "with_checker", "without_checker"))
    return table["threshold"], tuple(Fit(fit["intercept"], fit["weights"]) for fit in fits)


# Below the threshold a question is refused; the fits are in the order of how much must have been measured for them.
THRESHOLD, FITS = _read_fits()

ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide)\b|\bin (?:what|which) year\b"
    r"|\b(?:what|which) (?:percent\w*|share|proportion|number|amount|price|cost|population|year|date|age|portion|fraction)\b",
    re.IGNORECASE,
)
ASKS_MONEY = re.compile(
    r"\bhow much\b.*\b(?:costs?|pa(?:y|ys|id)|earn\w*|spen[dt]\w*|worth|s[eo]l[ld]\w*|invest\w*|rais\w*|money|fund\w*|owe\w*)\b"
    r"|\b(?:what|which)\b.*\b(?:price|cost|fee|salary)\b",
    re.IGNORECASE,
)
FREE = re.compile(
    r"\b(?:(?:is|are|was|were|be|been|for|entirely|completely) free\b(?! (?:from|to|trade|market|speech)\b)"
    r"|free (?:of charge|admission|entry)\b|costs? nothing\b|no (?:charge|fees?|cost)\b)",
    re.IGNORECASE,
)
ASKS_DATE = re.compile(r"\bwhen\b|\b(?:what|which) (?:exact )?(?:day|date|month|weekday|year)\b|\bsince when\b", re.IGNORECASE)
# "Who is Ahsan Iqbal?" asks for a description; "who is the minister?" and "who met him?" ask for a name.
ASKS_NAME = re.compile(
    r"\b(?:whom|whose)\b|\bwho\b(?!(?:'s|’s| is| was| are| were) (?-i:[A-Z]))"
    r"|\b(?:what|which) (?:city|town|country|state|province|continent|company|firm|person|minister|team|university)\b",
    re.IGNORECASE,
)
DATE_WORDS = content_terms(
    "January February March April May June July August September October November December "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday today yesterday tomorrow year month week day century decade "
    "spring summer autumn winter end beginning early late recently soon ago morning evening night"
)


def signals(question: str, hits: Sequence[Hit], evidence: Evidence, grounded: Grounded, written: Written) -> dict[str, float]:
    """Measure how near what would be published comes to the question; each in 0..1, larger is better.

    ``passage_cosine`` and ``sentence_cosine`` compare the question with the best passage and the best cited sentence;
    ``sentence_coverage`` and ``names_held`` are the shares of the question's content words in one cited sentence, and of its
    names in one or its heading; ``numbers_held`` that of its numbers in the passages of the cited ones; ``type_fits`` says
    whether the kind of thing asked for is there, ``backed`` whether the articles back any of the draft. Where the
    checker looked, ``found`` is its surest passage and ``found_cited`` its surest of the sentences that would be cited.
    ``sure`` is how sure the generator was of the most doubtful words of its draft, the last of which was ``written``;
    ``known``, where its states were looked at, how likely it knows from what it read.
    """
    spans = {(c.source, c.start) for c in grounded.citations}
    cited = [i for i, s in enumerate(evidence.sentences) if (s.document.source, s.start) in spans]
    sentences = [evidence.sentences[i] for i in cited]
    asked, named = content_terms(question), names(question)
    beside = frozenset[str]().union(*(s.passage_words for s in sentences))
    seen = [hit.found.probability for hit in hits if hit.found]
    found = {"found": max(seen), "found_cited": max((float(evidence.found[i]) for i in cited), default=0.0)} if seen else {}
    known = {} if written.known is None else {"known": written.known}
    return found | {
        "passage_cosine": max((hit.cosine for hit in hits), default=0.0),
        "sentence_cosine": max((float(evidence.likeness[i]) for i in cited), default=0.0),
        "sentence_coverage": max((len(asked & s.terms) for s in sentences), default=0) / max(1, len(asked)),
        "names_held": max((_share_in(named, s.words | {*words(s.passage.heading)}) for s in sentences), default=0.0),
        "numbers_held": _share_in({n for n in numbers(question) if len(n) > 1}, beside),  # "give two reasons" asks for no 2
        "type_fits": float(type_fits(question, " ".join(claim.text for claim in grounded.claims if claim.markers))),
        "sure": math.exp(-written.surprisal),
        **known,
        "backed": float(any(claim.markers and (claim.drafted or not claim.quoted) for claim in grounded.claims)),
    }


def probability(measured: Mapping[str, float]) -> float:
    """Weigh signals: the probability that the articles answer the question."""
    fit = fit_of(measured)
    return 1 / (1 + math.exp(-fit.intercept - sum(weight * measured[name] for name, weight in fit.weights.items())))


def fit_of(measured: Mapping[str, float]) -> Fit:
    """Give what weighs these signals: whether the checker and the probe had a say is seen in them."""
    return next((fit for fit in FITS if fit.weights.keys() <= measured.keys()), FITS[-1])


def missing_words(question: str, evidence: Evidence) -> list[str]:
    """Give the numbers and names of a question that no passage read holds, as the question spells them."""
    there = frozenset[str]().union(*(s.passage_words for s in evidence.sentences))
    missing = {w for w in numbers(question) | names(question) if not is_like(w, there)}
    return [w for w in dict.fromkeys(WORD.findall(question)) if missing & {*words(w), *numbers(w)}]


def _share_in(wanted: Collection[str], there: Collection[str]) -> float:
    return sum(is_like(w, there) for w in wanted) / len(wanted) if wanted else 1.0


def type_fits(question: str, text: str) -> bool:
    """Say whether an answer adds the kind of thing asked for: money, a date, a number, a name."""
    added = numbers(text) - numbers(question)
    if ASKS_MONEY.search(question):
        return any(quantity.is_money for quantity in quantities(text)) or bool(FREE.search(text))
    if ASKS_NUMBER.search(question):
        return bool(added)
    if ASKS_DATE.search(question):
        return bool(added or (content_terms(text) - content_terms(question)) & DATE_WORDS)
    if ASKS_NAME.search(question):
        asked = frozenset(words(question))
        return any(not is_in(name, asked) for name in names(text))
    return True
