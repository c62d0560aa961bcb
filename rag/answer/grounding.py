"""Checks each sentence of a draft against the articles. Code decides; the model's text is only a draft.

Each sentence of the draft is matched with the sentences of the passages. Its numbers and names must stand in what it cites, its
other words should; what the passages do not hold is not published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.claims import claims_of
from rag.answer.statements import Statement
from rag.text.quantities import YEAR, counted, measured, numbers
from rag.text.terms import content_sequence, content_terms
from rag.text.words import NEGATIONS, WORD, full_names, names, same_name, words
from rag.types import Check, CheckName, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from rag.answer.evidence import Evidence, Sentence
    from rag.protocols import Encoder

SUPPORTED = 0.6  # a claim with at least this support is published as it stands
PARTLY = 0.4  # a claim with less support than this is not published
CONTRADICTED = 0.2  # the most that is left of the support when a number or name is not in what is cited
ECHO_WEIGHT = 0.5  # weight of a word that the question said already; a word that the draft adds has weight 1
SPECIFIC_WEIGHT = 2.0  # weight of a number or name that the draft adds
SAME_MEANING = 0.7  # a sentence with at least this cosine to a claim, read with its question, says the same
SECOND_GAIN = 0.15  # a second sentence is cited when it adds at least this share of the claim's weight
# A sentence backs nothing when its cosine to the question is below UNRELATED and the answer was found in it with a probability
# below NOT_FOUND. None of 269 sentences cited for development questions is so far off; two orders hidden in e-mails, which a
# draft repeated, are (0.00 and 0.04).
UNRELATED, NOT_FOUND = 0.06, 0.05

ABSENCE = re.compile(
    r"\b(?:passages?|articles?|text|context|information)\b.{0,60}(?:\bnot|\bno|n['’]t)\b"
    r"|(?:\bnot|n['’]t|\bno|\bwithout)\b.{0,40}\b(?:mention|stat|specif|provid|contain|given|includ|say|information|detail|know|answer)",
    re.IGNORECASE,
)
DANGLES = re.compile(r"(?:he|she|it|they|his|her|its|their|this|these|those|both)\b", re.IGNORECASE)
POINTS_BACK = re.compile(r"\b(?:he|she|it|they|his|her|its|their|him|them|this|these|that|those|the)\b", re.IGNORECASE)
# Such a question sets one thing beside another, and what it names may stand in different articles.
COMPARES = re.compile(
    r"\b(?:both|each|either|earlier|later|older|younger|newer|first|bigger|larger|smaller|higher|lower|than|compared?|common"
    r"|which of)\b",
    re.IGNORECASE,
)
COUNTED_REACH = 5  # a number counts a thing that follows within so many content words
NEGATION_REACH = 3  # a negation denies the words that follow within so many
YES_NO = frozenset("is are was were do does did has have had can could will would should may must".split())


@dataclass(frozen=True, slots=True)
class _Match:
    """What the evidence says of one claim."""

    support: float
    cited: tuple[Sentence, ...]
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        if self.support >= SUPPORTED:
            return Verdict.SUPPORTED
        return Verdict.PARTLY if self.support >= PARTLY else Verdict.UNSUPPORTED


def ground(question: str, draft: str, evidence: Evidence, *, encoder: Encoder, growing: bool = False) -> tuple[Statement, ...]:
    """Check every sentence of a draft against the evidence; of a growing draft, check those that are finished."""
    texts = list(dict.fromkeys(claims_of(draft, growing=growing)))  # a small model may say the same sentence twice
    related = np.array([s.likeness >= UNRELATED or s.found >= NOT_FOUND for s in evidence.sentences], dtype=bool)
    if not texts or not related.any():
        return ()
    statements: list[Statement] = []
    for text in texts:
        # One by one: in bf16 a vector depends a little on its batch, and a growing draft must not change a verdict.
        cosines = encoder.encode([f"{question} {text}"])[0] @ evidence.vectors.T
        match = _match(text, question, evidence.sentences, np.where(related, cosines, -np.inf))
        if statements and not statements[-1].published and DANGLES.match(text):
            match = _failed(CheckName.STATEMENT, "points back to a sentence that was not published")
        statements.append(_statement(text, match))
    return tuple(statements)


def _statement(text: str, match: _Match) -> Statement:
    published = match.verdict is not Verdict.UNSUPPORTED
    return Statement(
        text,
        match.verdict,
        match.support,
        match.cited,
        match.checks,
        published,
        backing=match.support if published else None,
        unbacked=_unbacked(text, match.cited) if match.verdict is Verdict.PARTLY else (),
    )


def _unbacked(text: str, cited: Sequence[Sentence]) -> tuple[tuple[int, int], ...]:
    held = frozenset[str]().union(*(s.terms for s in cited))
    return tuple(match.span() for match in WORD.finditer(text) if not content_terms(match[0]) <= held)


def is_in(word: str, there: Collection[str]) -> bool:
    """Return whether a lower-case name is among words in any like form, or a number as it is."""
    return word in there or (not word[0].isdigit() and any(same_name(word, other) for other in there))


def is_like(word: str, there: Collection[str]) -> bool:
    """Return the same as :func:`is_in`, but forgive spelling mistakes: those of the reader, never those of the model."""
    return is_in(word, there) or (len(word) > 4 and not word[0].isdigit() and bool(get_close_matches(word, there, 1, 0.8)))


def added_terms(text: str, question: str) -> set[str]:
    """Return the content terms of a claim that the question does not hold in any like form."""
    asked = content_terms(question)
    return {t for t in content_terms(text) if t not in asked and not any(same_name(t, other) for other in asked)}


def _match(text: str, question: str, spans: Sequence[Sentence], cosines: NDArray[np.float32]) -> _Match:
    """Find the one to three sentences that back a claim best, and how far they do."""
    weights = _weights(text, question)
    if ABSENCE.search(text):
        return _failed(CheckName.STATEMENT, "says that the articles do not say")
    if not weights:
        return _failed(CheckName.STATEMENT, "says nothing that can be checked")
    if not (added_terms(text, question) or _offers_choice(question)):
        return _failed(CheckName.ADDITION, "only repeats the question")
    cited = _best_sentences(text, question, weights, spans, cosines)
    lost = _not_held(text, question, cited)
    if lost and COMPARES.search(question):
        cited = _beside(lost, question, cited, spans, cosines)
        lost = _not_held(text, question, cited)
    denied = _denied(text, cited)
    support = _support(weights, question, cited, max(float(cosines[spans.index(s)]) for s in cited))
    checks = (
        Check(CheckName.STATEMENT, True),
        Check(CheckName.ADDITION, True),
        Check(CheckName.NEGATION, not denied, f"the articles say the opposite: {denied}" if denied else ""),
        Check(CheckName.FACTS, not lost, f"not in the articles as said: {', '.join(lost)}" if lost else ""),
        Check(CheckName.WORDING, support >= SUPPORTED, "" if support >= SUPPORTED else "the articles say it only in part"),
    )
    return _Match(min(support, CONTRADICTED) if denied or lost else support, cited, checks)


def _failed(name: CheckName, detail: str) -> _Match:
    return _Match(0.0, (), (Check(name, False, detail),))


def _weights(text: str, question: str) -> dict[str, float]:
    """Weigh the content terms of a claim: what it adds counts more than what the question said."""
    asked = content_terms(question)
    specific = content_terms(" ".join(names(text) | numbers(text)))
    return {t: ECHO_WEIGHT if t in asked else SPECIFIC_WEIGHT if t in specific else 1.0 for t in content_terms(text)}


def _best_sentences(
    text: str, question: str, weights: dict[str, float], spans: Sequence[Sentence], cosines: NDArray[np.float32]
) -> tuple[Sentence, ...]:
    """Choose the sentence that holds most of a claim, one that adds to it, and those before it that a pronoun points to.

    A sentence with a cosine of minus infinity is chosen only where a pronoun points to it.
    """
    total = sum(weights.values())
    asked = content_terms(question)
    held = [sum(w for t, w in weights.items() if t in s.terms) / total for s in spans]
    fit = [
        h + 0.5 * float(c) + 0.2 * len(asked & s.terms) / max(1, len(asked))
        for h, c, s in zip(held, cosines, spans, strict=True)
    ]
    best = max(range(len(spans)), key=fit.__getitem__)
    added = [sum(w for t, w in weights.items() if t in s.terms - spans[best].terms) / total for s in spans]
    second = max(np.flatnonzero(np.isfinite(cosines)).tolist(), key=lambda i: (added[i], fit[i]))
    same_story = spans[second].passage == spans[best].passage  # two stories stitched together say what neither does
    chosen = {best, second} if added[second] >= SECOND_GAIN and same_story else {best}
    for earlier in (best - 1, best - 2):
        if earlier < 0 or not spans[earlier].precedes(spans[earlier + 1]) or not POINTS_BACK.search(spans[best].text):
            break
        narrow, wide = (tuple(spans[i] for i in sorted(some)) for some in (chosen, {*chosen, earlier}))
        if len(_not_held(text, question, wide)) < len(_not_held(text, question, narrow)):
            chosen.add(earlier)
    return tuple(spans[i] for i in sorted(chosen))


def _beside(
    lost: Sequence[str], question: str, cited: tuple[Sentence, ...], spans: Sequence[Sentence], cosines: NDArray[np.float32]
) -> tuple[Sentence, ...]:
    """Add the likeliest sentence about each name that a comparing question sets against what is cited."""
    said = frozenset(words(question))
    for word in lost:
        about = [i for i, s in enumerate(spans) if is_in(word, said) and is_like(word, s.words)]
        if about:
            cited = (*cited, spans[max(about, key=lambda i: cosines[i])])
    return tuple(dict.fromkeys(cited))


def _support(weights: dict[str, float], question: str, cited: Sequence[Sentence], cosine: float) -> float:
    """Return the share of a claim's weight that its sentences hold and its likeness to them, weighed three to one."""
    echo = {t for t in content_terms(question) if any(t in s.passage_terms for s in cited)}
    covered = sum(w for t, w in weights.items() if t in echo or any(t in s.terms for s in cited))
    return 0.75 * covered / sum(weights.values()) + 0.25 * min(1.0, max(0.0, cosine) / SAME_MEANING)


def _not_held(text: str, question: str, cited: Sequence[Sentence]) -> list[str]:
    """Return the numbers and names of a claim that the cited spans do not hold.

    What the question said already may stand beside the span in its passage: "the expo" there is "the Taizhou expo" here.
    """
    spans = frozenset[str]().union(*(s.words for s in cited))
    around = frozenset[str]().union(*(s.passage_words for s in cited))
    said = frozenset(words(question)) | numbers(question)
    said |= _told_in_full(text, said, cited)
    named = names(text) | (names(question) & frozenset(words(text)))  # which may begin the sentence
    lost = [w for w in sorted(numbers(text) | named) if not is_in(w, spans) and not (is_in(w, said) and is_like(w, around))]
    return lost + _misread_numbers(text, cited)


def _told_in_full(text: str, said: frozenset[str], cited: Sequence[Sentence]) -> frozenset[str]:
    """Return the words of full names in a claim that the question uses in part and the cited articles in full.

    "the Taizhou expo" may be told as "the Taizhou International Automobile Industry Expo", when the article does so.
    """
    told = (name for name in full_names(text) if not said.isdisjoint(words(name)))
    held = (name for name in told if any(name.casefold() in s.document.text.casefold() for s in cited))
    return frozenset(word for name in held for word in words(name))


def _misread_numbers(text: str, cited: Sequence[Sentence]) -> list[str]:
    """Return the numbers of a claim that stand in what is cited, but in another unit or count another thing."""
    misread = []
    for sentence in cited:
        units = measured(sentence.text)
        misread += [f"{n} {'/'.join(sorted(u))}" for n, u in measured(text).items() if n in units and not u & units[n]]
        said, counts = content_sequence(sentence.text), counted(sentence.text)
        for number, thing in counted(text):
            at, where = ([i for i, term in enumerate(said) if term == wanted] for wanted in (number, thing))
            counts_other = any(number == n and thing != other for n, other in counts) and (number, thing) not in counts
            others = counts_other and (not where or any(thing == other for _, other in counts))  # the thing has another number
            if others or (at and where and min(abs(i - j) for i in at for j in where) > COUNTED_REACH):
                misread.append(f"{number} {thing}")
    counts_there = {number for sentence in cited for number, _ in counted(sentence.text)}
    # A number that looks like a year and counts nothing in what is cited is a year there.
    misread += [f"{n} {thing}" for n, thing in counted(text) if YEAR.fullmatch(n) and n not in counts_there]
    return list(dict.fromkeys(misread))


def _denied(text: str, cited: Sequence[Sentence]) -> str:
    """Return the words that one of claim and evidence denies and the other states, or an empty string."""
    claim, spans = _negated(text), [_negated(s.text) for s in cited]
    said = content_terms(text)
    for span in spans:
        if (denied := span & said) and not claim:
            return f"not {', '.join(sorted(denied))}"
    return f"not {', '.join(sorted(claim))}" if claim and not any(spans) else ""


def _negated(text: str) -> frozenset[str]:
    """Return the content terms that follow a negation within ``NEGATION_REACH`` words."""
    said = words(text)
    return frozenset(
        term
        for i, w in enumerate(said)
        if w in NEGATIONS
        for term in content_terms(" ".join(said[i + 1 : i + 1 + NEGATION_REACH]))
    )


def _offers_choice(question: str) -> bool:
    """Return whether the words of the question may be the answer, as in "A or B?" and "Did she ...?"."""
    first = words(question)[:1]
    return " or " in question or bool(first and first[0] in YES_NO)
