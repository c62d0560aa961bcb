"""Whether the question is answered or refused: signals of the evidence and the checked draft add up to a probability.

A draft can be true to its quote and yet answer another question. What tells the two apart is measured here, each signal in
0..1, and weighed by a logistic regression fitted on development questions. The weights lie in ``refusal.toml``.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from rag.answer.grounding import is_in, is_like
from rag.answer.statements import cited_sentences
from rag.text.quantities import numbers, quantities
from rag.text.terms import content_terms
from rag.text.words import WORD, names, words
from rag.types import Decision, Signal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rag.answer.evidence import Evidence
    from rag.answer.statements import Statement
    from rag.protocols import Written
    from rag.types import Hit


@dataclass(frozen=True, slots=True)
class Fit:
    """A logistic regression of the signals, fitted by ``benchmarks/fit_refusal.py``."""

    intercept: float
    weights: Mapping[str, float]


def _read_fits() -> tuple[float, tuple[Fit, ...]]:
    table = tomllib.loads(files("rag.answer").joinpath("refusal.toml").read_text(encoding="utf-8"))
    fits = (table[name] for name in ("with_probe", "with_checker", "without_checker"))
    return table["threshold"], tuple(Fit(fit["intercept"], fit["weights"]) for fit in fits)


NEAR_ENOUGH = 0.15  # below this cosine of the best passage none is about the question, and the generator is not asked
# Below the threshold a question is refused. The fits are ordered: the first needs the most signals.
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


def decide(
    question: str,
    hits: Sequence[Hit],
    statements: Sequence[Statement],
    written: Written,
    threshold: float,
    *,
    growing: bool = False,
) -> Decision:
    """Weigh whether the articles answer the question.

    Of a draft that is still growing the decision is a lower bound of the later ones: every signal but ``sure`` only grows with
    the draft, and no weight is below zero. So ``sure`` counts as 0 there, and what answers now answers in the end.
    """
    if not cited_sentences(statements):
        return Decision(threshold)
    measured = signals(question, hits, statements, written)
    if growing:
        measured["sure"] = 0.0
    fit = next((fit for fit in FITS if fit.weights.keys() <= measured.keys()), FITS[-1])
    weighed = (Signal(name, round(value, 3), fit.weights.get(name, 0.0)) for name, value in measured.items())
    return Decision(threshold, fit.intercept, tuple(weighed))


def signals(question: str, hits: Sequence[Hit], statements: Sequence[Statement], written: Written) -> dict[str, float]:
    """Measure how near what would be published comes to the question; each in 0..1, larger is better.

    ``passage_cosine`` and ``sentence_cosine`` compare the question with the best passage and the best cited sentence;
    ``sentence_coverage`` and ``names_held`` are the shares of the question's content words in one cited sentence, and of its
    names in one or its heading; ``numbers_held`` that of its numbers in the passages of the cited ones; ``type_fits`` says
    whether the kind of thing asked for is there, ``backed`` whether the articles back any of the draft. Where the
    checker looked, ``found`` is its surest passage and ``found_cited`` its surest of the sentences that would be cited.
    ``sure`` is how sure the generator was of the most doubtful words of its draft, the last of which was ``written``;
    ``known``, where its states were looked at, how likely it knows from what it read.
    """
    published, cited = [each for each in statements if each.published], cited_sentences(statements)
    asked, named = content_terms(question), names(question)
    beside = frozenset[str]().union(*(s.passage_words for s in cited))
    seen = [hit.found.probability for hit in hits if hit.found]
    found = {"found": max(seen), "found_cited": max((s.found for s in cited), default=0.0)} if seen else {}
    known = {} if written.known is None else {"known": written.known}
    return found | {
        "passage_cosine": max((hit.cosine for hit in hits), default=0.0),
        "sentence_cosine": max((s.likeness for s in cited), default=0.0),
        "sentence_coverage": max((len(asked & s.terms) for s in cited), default=0) / max(1, len(asked)),
        "names_held": max((_share_in(named, s.words | {*words(s.passage.heading)}) for s in cited), default=0.0),
        "numbers_held": _share_in({n for n in numbers(question) if len(n) > 1}, beside),  # "give two reasons" asks for no 2
        "type_fits": float(type_fits(question, " ".join(statement.text for statement in published))),
        "sure": math.exp(-written.surprisal),
        **known,
        "backed": float(any(statement.drafted or not statement.quoted for statement in published)),
    }


def missing_words(question: str, evidence: Evidence) -> list[str]:
    """Return the numbers and names of a question that no passage read holds, as the question spells them."""
    there = frozenset[str]().union(*(s.passage_words for s in evidence.sentences))
    missing = {w for w in numbers(question) | names(question) if not is_like(w, there)}
    return [w for w in dict.fromkeys(WORD.findall(question)) if missing & {*words(w), *numbers(w)}]


def _share_in(wanted: Collection[str], there: Collection[str]) -> float:
    return sum(is_like(w, there) for w in wanted) / len(wanted) if wanted else 1.0


def type_fits(question: str, text: str) -> bool:
    """Return whether an answer adds the kind of thing asked for: money, a date, a number, a name."""
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
