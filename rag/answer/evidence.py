"""Hits -> the sentences that may answer, and the excerpts of them that the generator reads.

Whole passages distract a small model: given the three likeliest sentences of eight passages, each with its neighbours, it
reads 180 words in place of 840 and is right more often (``benchmarks/``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.text.quantities import numbers
from rag.text.sentences import sentences
from rag.text.terms import content_terms
from rag.text.words import initials, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rag.types import Document, Encoder, Hit, Passage

SENTENCES_READ = 3  # with one neighbour on either side
WORDS_WEIGHT = 0.3  # of the share of the question's words that a sentence holds, beside the cosine of the two
FOUND_WEIGHT = 0.5  # of the probability that the answer was found in it
ADJACENT_CHARS = 8  # at most between two sentences that follow each other


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a hit's passage, as a span of its document, with the terms of itself and of its surroundings.

    ``passage_words`` and ``passage_terms`` are those of the passage and its heading. Words include the numbers in plain form
    and what neighbouring words abbreviate to.
    """

    passage: Passage
    start: int
    end: int
    terms: frozenset[str]
    words: frozenset[str]
    passage_terms: frozenset[str]
    passage_words: frozenset[str]

    @property
    def document(self) -> Document:
        """The document that the span belongs to."""
        return self.passage.document

    @property
    def text(self) -> str:
        """The exact words: ``document.text[start:end]``."""
        return self.document.text[self.start : self.end]

    def precedes(self, other: Sentence) -> bool:
        """Say whether ``other`` is the next sentence of the same document."""
        return self.document.source == other.document.source and 0 <= other.start - self.end <= ADJACENT_CHARS


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A half-open span of a document that the generator reads; ``heading`` is that of its passage."""

    document: Document
    start: int
    end: int
    heading: str

    @property
    def text(self) -> str:
        """The exact words: ``document.text[start:end]``."""
        return self.document.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentences of all hits, in the order of the hits, with their unit vectors ``(n, dim)``.

    ``likeness`` ``(n,)`` is each sentence's cosine to the question; ``found`` ``(n,)`` the probability that it holds the
    answer, nought where nothing looked for one.
    """

    sentences: tuple[Sentence, ...]
    vectors: NDArray[np.float32]
    likeness: NDArray[np.float32]
    found: NDArray[np.float32]


NO_EVIDENCE = Evidence((), np.empty((0, 0), dtype=np.float32), *np.empty((2, 0), dtype=np.float32))


def gather(question: str, hits: Iterable[Hit], encoder: Encoder) -> Evidence:
    """Cut the hits' passages into sentences, each span once, and compare each with the question."""
    cut: dict[tuple[str, int, int], tuple[Sentence, float]] = {}
    for hit in hits:
        passage = hit.passage
        around = f"{passage.heading}\n{passage.text}"
        surroundings = content_terms(around), _all_words(around)
        begins = passage.start + len(passage.text) - len(passage.headed)  # its heading, were it there in the document
        for start, end in sentences(passage.document.text, passage.start, passage.end):
            text = passage.document.text[start:end]
            if text.casefold() == passage.heading.casefold():
                continue  # the generator reads it as the heading, and takes it for an answer when it is there twice
            said = content_terms(text), _all_words(text)
            holds = hit.found.within(start - begins, end - begins) if hit.found else 0.0
            key = passage.document.source, start, end
            sentence, otherwise = cut.get(key, (Sentence(passage, start, end, *said, *surroundings), 0.0))
            cut[key] = sentence, max(holds, otherwise)  # passages overlap: of both readings the surer
    spans = tuple(sentence for sentence, _ in cut.values())
    vectors = encoder.encode([question, *(span.text for span in spans)])
    return Evidence(
        spans, vectors[1:], vectors[1:] @ vectors[0], np.array([holds for _, holds in cut.values()], dtype=np.float32)
    )


def _all_words(text: str) -> frozenset[str]:
    return frozenset(w for w in words(text) if not w[0].isdigit()) | numbers(text) | initials(text)


def excerpts(question: str, evidence: Evidence) -> list[Excerpt]:
    """Choose what the generator reads: the likeliest sentences with their neighbours, best first, adjoining ones joined."""
    order = _likeliest(question, evidence)[:SENTENCES_READ]
    rank = {chosen: place for place, chosen in enumerate(order)}
    runs = _runs(evidence.sentences, order)
    runs.sort(key=lambda run: min(rank.get(i, len(rank)) for i in run))
    return [_excerpt(evidence.sentences, run) for run in runs]


def nearest(question: str, evidence: Evidence) -> Sentence:
    """Give the sentence likeliest to hold the answer; there must be one."""
    return evidence.sentences[_likeliest(question, evidence)[0]]


def _likeliest(question: str, evidence: Evidence) -> list[int]:
    asked = content_terms(question)
    held = np.array([len(asked & s.terms) / max(1, len(asked)) for s in evidence.sentences], dtype=np.float32)
    likely = evidence.likeness + WORDS_WEIGHT * held + FOUND_WEIGHT * evidence.found
    return [int(i) for i in np.argsort(-likely, kind="stable")]


def _runs(spans: Sequence[Sentence], order: Iterable[int]) -> list[list[int]]:
    """Widen the chosen sentences by their neighbours and group those that follow each other."""
    wide = set(order)
    for i in order:
        wide |= {j for j in (i - 1,) if j >= 0 and spans[j].precedes(spans[i])}
        wide |= {j for j in (i + 1,) if j < len(spans) and spans[i].precedes(spans[j])}
    runs: list[list[int]] = []
    for i in sorted(wide):
        if runs and runs[-1][-1] == i - 1 and spans[i - 1].precedes(spans[i]):
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _excerpt(spans: Sequence[Sentence], run: Sequence[int]) -> Excerpt:
    first, last = spans[run[0]], spans[run[-1]]
    return Excerpt(first.document, first.start, last.end, first.passage.heading)
