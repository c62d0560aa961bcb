"""Draft and hits -> claims with verdicts, citations and the decision to answer. Code decides; the model's text is only a draft.

Each sentence of the draft is matched with the sentences of the passages that were read. Its numbers and names must stand in
what is cited, its other words should; what the passages do not hold is not published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from rag.sentences import sentences
from rag.terms import content_terms, names, numbers, same_name, words
from rag.types import Citation, Claim, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rag.types import Document, Encoder, Hit

SUPPORTED = 0.6  # of a claim's weight: it is published as it stands
PARTLY = 0.4  # below: it is not published
ECHO_WEIGHT = 0.5  # of a word that the question said already, against 1 for one that the draft adds
SPECIFIC_WEIGHT = 2.0  # of a number or name that the draft adds
SAME_MEANING = 0.7  # cosine of a claim, read with its question, and a sentence that says it
SECOND_GAIN = 0.15  # of a claim's weight: what a second cited sentence must add

MARKER = re.compile(r"\s*(?:\[\d+(?:\s*[,–-]\s*\d+)*\]|【\d+】|\(passages? \d+\))")
LEAD_IN = re.compile(r"^(?:answer|response)\s*:\s*", re.IGNORECASE)
ABSENCE = re.compile(
    r"\b(?:passages?|articles?|text|context|information)\b.{0,60}\b(?:not|no|n't)\b|\b(?:not|n't|no|without)\b.{0,40}"
    r"\b(?:mention|stat|specif|provid|contain|given|includ|say|information|detail|know|answer)",
    re.IGNORECASE,
)
POINTS_BACK = re.compile(r"\b(?:he|she|it|they|his|her|its|their|him|them|this|these|that|those|the)\b", re.IGNORECASE)
YES_NO = frozenset("is are was were do does did has have had can could will would should may must".split())
ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|fast|deep|wide)\b|\b(?:what|which) (?:percent\w*|share|proportion|"
    r"number|amount|price|cost|population|year|date|age|portion|fraction)\b|\bin (?:what|which) year\b",
    re.IGNORECASE,
)
ASKS_DATE = re.compile(r"\bwhen\b|\b(?:what|which) (?:exact )?(?:day|date|month|weekday|year)\b|\bsince when\b", re.IGNORECASE)
DATE_WORDS = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday thursday friday "
    "saturday sunday today yesterday tomorrow year month week day century decade spring summer autumn winter end begin earli late "
    "recent now soon jan feb mar apr jun jul aug sep sept oct nov dec ago morn even night".split()
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a passage that was read, as a span of its document, with what it and its surroundings say."""

    document: Document
    start: int
    end: int
    terms: frozenset[str]
    numbers: frozenset[str]
    words: frozenset[str]
    passage_terms: frozenset[str]
    passage_numbers: frozenset[str]
    passage_words: frozenset[str]

    def precedes(self, other: Evidence) -> bool:
        """Say whether only a gap of a few characters lies between this sentence and ``other``."""
        return self.document.source == other.document.source and 0 <= other.start - self.end < 8

    @property
    def text(self) -> str:
        """The exact words: ``document.text[start:end]``."""
        return self.document.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Grounded:
    """The checked draft. ``signals`` are the features that the answerability is computed from, by name."""

    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    missing: tuple[str, ...]
    signals: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Match:
    """What the passages say of one claim."""

    support: float
    evidence: tuple[Evidence, ...]
    reason: str


def ground(question: str, draft: str, hits: Sequence[Hit], *, encoder: Encoder) -> Grounded:
    """Check every sentence of a draft against the passages that were read.

    The markers of the citations count from 1 in order of appearance; a span that backs several claims is one citation.
    """
    evidence = gather(hits)
    texts = claims_of(draft)
    if not texts or not evidence:
        return Grounded((), (), missing_words(question, evidence), {})
    vectors = encoder.encode([*(f"{question} {text}" for text in texts), question, *(e.text for e in evidence)])
    near = vectors[: len(texts)] @ vectors[len(texts) + 1 :].T
    asked = vectors[len(texts)] @ vectors[len(texts) + 1 :].T
    matches = [_match(text, question, evidence, near[i]) for i, text in enumerate(texts)]
    return _assemble(question, texts, matches, evidence, asked)


def claims_of(draft: str) -> list[str]:
    """Cut a draft into sentences, without the markers that the model wrote: ours are numbered by code."""
    plain = LEAD_IN.sub("", MARKER.sub("", draft)).strip()
    return [text for a, b in sentences(plain) if re.search(r"\w", text := plain[a:b].removeprefix("- "))]


def gather(hits: Iterable[Hit]) -> list[Evidence]:
    """Give the sentences of the hits' passages, each span once."""
    found: dict[tuple[str, int, int], Evidence] = {}
    for hit in hits:
        passage = hit.passage
        around = f"{passage.heading}\n{passage.text}"
        surroundings = content_terms(around), numbers(around), frozenset(words(around))
        for start, end in sentences(passage.document.text, passage.start, passage.end):
            text = passage.document.text[start:end]
            said = content_terms(text), numbers(text), frozenset(words(text))
            found.setdefault(
                (passage.document.source, start, end), Evidence(passage.document, start, end, *said, *surroundings)
            )
    return list(found.values())


def missing_words(question: str, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Give the numbers and names of a question that no passage read holds in any like form, spelling mistakes forgiven."""
    there = frozenset[str]().union(*(e.passage_words | e.passage_numbers for e in evidence))
    return tuple(sorted(w for w in numbers(question) | names(question) if not _is_in(w, there)))


def _is_in(word: str, there: frozenset[str]) -> bool:
    if word in there:
        return True
    if word.replace(".", "").isdigit():
        return False
    return any(same_name(word, other) for other in there) or (len(word) > 4 and bool(get_close_matches(word, there, 1, 0.8)))


def _match(text: str, question: str, evidence: Sequence[Evidence], cosines: NDArray[np.float32]) -> _Match:
    """Find the one to three sentences that back a claim best, and say how far."""
    if ABSENCE.search(text):
        return _Match(0.0, (), "says that the articles do not say")
    weights = _weights(text, question)
    if not weights:
        return _Match(0.0, (), "says nothing that can be checked")
    if not (content_terms(text) - content_terms(question) or _offers_choice(question)):
        return _Match(0.0, (), "only repeats the question")
    cited = _best_evidence(text, question, weights, evidence, cosines)
    lost = _not_held(text, question, cited)
    support = _support(weights, question, cited, max(float(cosines[evidence.index(e)]) for e in cited))
    if lost:
        return _Match(min(support, PARTLY / 2), cited, f"not in the articles as said: {', '.join(lost)}")
    return _Match(support, cited, "" if support >= SUPPORTED else "the articles say it only in part")


def _best_evidence(
    text: str, question: str, weights: dict[str, float], evidence: Sequence[Evidence], cosines: NDArray[np.float32]
) -> tuple[Evidence, ...]:
    """Choose the sentence that holds most of a claim, a second that adds to it, and one before it that a pronoun points to."""
    total = sum(weights.values())
    asked = content_terms(question)
    held = [sum(w for t, w in weights.items() if t in e.terms) / total for e in evidence]
    fit = [
        h + 0.5 * float(c) + 0.2 * len(asked & e.terms) / max(1, len(asked))
        for h, c, e in zip(held, cosines, evidence, strict=True)
    ]
    best = max(range(len(evidence)), key=fit.__getitem__)
    added = [sum(w for t, w in weights.items() if t in e.terms - evidence[best].terms) / total for e in evidence]
    second = max(range(len(evidence)), key=lambda i: (added[i], fit[i]))
    chosen = {best, second} if added[second] >= SECOND_GAIN and held[second] >= PARTLY else {best}
    for earlier in (best - 1, best - 2):
        if earlier < 0 or not evidence[earlier].precedes(evidence[best]) or not POINTS_BACK.search(evidence[best].text):
            break
        wider = tuple(evidence[i] for i in sorted({*chosen, earlier}))
        if len(_not_held(text, question, wider)) < len(_not_held(text, question, tuple(evidence[i] for i in chosen))):
            chosen.add(earlier)
    return tuple(evidence[i] for i in sorted(chosen))


def _support(weights: dict[str, float], question: str, cited: Sequence[Evidence], cosine: float) -> float:
    """Weigh the covered words of a claim, three to one, against its likeness to the cited sentence."""
    echo = {t for t in content_terms(question) if any(t in e.passage_terms for e in cited)}
    covered = sum(w for t, w in weights.items() if t in echo or any(t in e.terms for e in cited))
    return 0.75 * covered / sum(weights.values()) + 0.25 * min(1.0, max(0.0, cosine) / SAME_MEANING)


def _weights(text: str, question: str) -> dict[str, float]:
    """Weigh the content terms of a claim: what it adds counts more than what the question said."""
    asked = content_terms(question)
    specific = content_terms(" ".join(names(text) | numbers(text)))
    return {t: ECHO_WEIGHT if t in asked else SPECIFIC_WEIGHT if t in specific else 1.0 for t in content_terms(text)}


def _not_held(text: str, question: str, cited: Sequence[Evidence]) -> list[str]:
    """Give the numbers and names of a claim that the cited spans do not hold.

    What the question said already may stand beside the span in its passage: "the expo" there is "the Taizhou expo" here.
    """
    spans = frozenset[str]().union(*(e.words | e.numbers for e in cited))
    around = frozenset[str]().union(*(e.passage_words | e.passage_numbers for e in cited))
    said = frozenset(words(question)) | numbers(question)
    return [
        w for w in sorted(numbers(text) | names(text)) if not _is_in(w, spans) and not (_is_in(w, said) and _is_in(w, around))
    ]


def _offers_choice(question: str) -> bool:
    """Say whether the words of the question may be the answer: "A or B?", "Did she ...?"."""
    first = words(question)[:1]
    return " or " in question or first[0] in YES_NO if first else False


def _assemble(
    question: str,
    texts: Sequence[str],
    matches: Sequence[_Match],
    evidence: Sequence[Evidence],
    asked: NDArray[np.float32],
) -> Grounded:
    """Number the citations of what may be published, and measure how well the question is answered."""
    markers: dict[tuple[str, int, int], int] = {}
    support: dict[int, float] = {}
    spans: dict[int, Evidence] = {}
    claims: list[Claim] = []
    for text, match in zip(texts, matches, strict=True):
        verdict = _verdict(match)
        if verdict is not Verdict.UNSUPPORTED and text in {claim.text for claim in claims}:
            continue  # a small model may say the same sentence twice
        mine: list[int] = []
        for e in match.evidence if verdict is not Verdict.UNSUPPORTED else ():
            number = markers.setdefault((e.document.source, e.start, e.end), len(markers) + 1)
            spans[number], support[number] = e, max(support.get(number, 0.0), match.support)
            mine.append(number)
        claims.append(Claim(text, verdict, round(match.support, 3), tuple(mine), match.reason))
    citations = tuple(_citation(n, e, support[n]) for n, e in spans.items())
    return Grounded(
        tuple(claims), citations, missing_words(question, evidence), _signals(question, claims, spans.values(), evidence, asked)
    )


def _verdict(match: _Match) -> Verdict:
    if match.support >= SUPPORTED:
        return Verdict.SUPPORTED
    return Verdict.PARTLY if match.support >= PARTLY else Verdict.UNSUPPORTED


def _citation(marker: int, e: Evidence, support: float) -> Citation:
    d = e.document
    return Citation(marker, d.source, d.title, d.published, e.start, e.end, e.text, round(support, 3), d.sha256)


def _signals(
    question: str, claims: Sequence[Claim], cited: Iterable[Evidence], evidence: Sequence[Evidence], asked: NDArray[np.float32]
) -> dict[str, float]:
    """Measure what tells an answered question from one that the articles are silent on; each in 0..1, larger is better."""
    cited = list(cited)
    terms = content_terms(question)
    published = " ".join(claim.text for claim in claims if claim.markers)
    special = numbers(question) | names(question)
    beside = frozenset[str]().union(*(e.passage_words | e.passage_numbers for e in cited))
    return {
        "support": max((claim.support for claim in claims if claim.markers), default=0.0),
        "likeness": max((float(asked[evidence.index(e)]) for e in cited), default=0.0),
        "best_likeness": float(asked.max()),
        "sentence_coverage": max((len(terms & e.terms) / max(1, len(terms)) for e in cited), default=0.0),
        "passage_coverage": max((len(terms & e.passage_terms) / max(1, len(terms)) for e in cited), default=0.0),
        "names_held": sum(_is_in(w, beside) for w in special) / len(special) if special else 1.0,
        "type_fits": float(_type_fits(question, published)),
        "silent": float(any(ABSENCE.search(claim.text) for claim in claims)),
    }


def _type_fits(question: str, text: str) -> bool:
    """Say whether an answer holds the kind of thing asked for: a number, a date."""
    said = content_terms(text) - content_terms(question)
    if ASKS_DATE.search(question):
        return bool(said & DATE_WORDS) or any(term.isdigit() for term in said)
    if ASKS_NUMBER.search(question):
        return bool(numbers(text) - numbers(question)) or bool(said & DATE_WORDS)
    return True
