"""Hits become the sentences that may answer, and the excerpts of them that the generator reads.

Whole passages distract a small model. Given the three likeliest sentences of eight passages, each with its neighbours, it
reads 180 words in place of 840 and is right more often (``benchmarks/``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.index.passages import sentence_spans
from rag.text.quantities import numbers
from rag.text.terms import content_terms
from rag.text.words import initials, words
from rag.types import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from rag.protocols import Encoder
    from rag.types import Document, Hit, Passage

SENTENCES_READ = 3  # each with one neighbour on either side
WORDS_WEIGHT = 0.3  # weight of the share of the question's words that a sentence holds; the cosine of the two has weight 1
FOUND_WEIGHT = 0.5  # weight of the probability that the answer was found in the sentence
ADJACENT_CHARS = 8  # sentences follow each other when at most so many characters lie between them


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a hit's passage as a span of its document, with what a question and a claim are compared with.

    ``passage_words`` and ``passage_terms`` are those of the passage and its heading. Words include the numbers in plain form
    and what neighbouring words abbreviate to. ``likeness`` is the cosine to the question; ``found`` (0..1) is the probability
    that the sentence holds the answer, 0 where nothing looked for one.
    """

    passage: Passage
    start: int
    end: int
    terms: frozenset[str]
    words: frozenset[str]
    passage_terms: frozenset[str]
    passage_words: frozenset[str]
    likeness: float
    found: float

    @property
    def document(self) -> Document:
        """The document that the span belongs to."""
        return self.passage.document

    @property
    def text(self) -> str:
        """The exact words: ``document.text[start:end]``."""
        return self.document.text[self.start : self.end]

    @property
    def span(self) -> Span:
        """The sentence as a place in its source."""
        return Span(self.document.source, self.start, self.end, self.text)

    def precedes(self, other: Sentence) -> bool:
        """Return whether ``other`` is the next sentence of the same document."""
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
    """The sentences of all hits, in the order of the hits, and their unit vectors ``(n, dim)``."""

    sentences: tuple[Sentence, ...]
    vectors: NDArray[np.float32]

    def without(self, sentences: Collection[Sentence]) -> Evidence:
        """Return the evidence less some of its sentences."""
        kept = [i for i, sentence in enumerate(self.sentences) if sentence not in sentences]
        return Evidence(tuple(self.sentences[i] for i in kept), self.vectors[np.array(kept, dtype=np.intp)])


NO_EVIDENCE = Evidence((), np.empty((0, 0), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A sentence before it is compared with the question."""

    passage: Passage
    start: int
    end: int
    text: str
    around: str


def gather(question: str, hits: Iterable[Hit], encoder: Encoder) -> Evidence:
    """Cut the hits' passages into sentences, take each span once, and compare each with the question."""
    cut: dict[tuple[str, int, int], _Cut] = {}
    found: dict[tuple[str, int, int], float] = {}
    for hit in hits:
        passage = hit.passage
        around = f"{passage.heading}\n{passage.text}"
        offset = passage.start + len(passage.text) - len(passage.headed)  # where ``headed`` would begin in the document
        for start, end in sentence_spans(passage):
            text = passage.document.text[start:end]
            if text.casefold() == passage.heading.casefold():
                continue  # the generator reads it as the heading, and takes it for an answer when it is there twice
            key = passage.document.source, start, end
            cut.setdefault(key, _Cut(passage, start, end, text, around))
            holds = hit.found.within(start - offset, end - offset) if hit.found else 0.0
            found[key] = max(holds, found.get(key, 0.0))  # passages overlap: the surer of two readings counts
    vectors = encoder.encode([question, *(one.text for one in cut.values())])
    likeness = (vectors[1:] @ vectors[0]).tolist()
    terms = {text: (content_terms(text), _all_words(text)) for one in cut.values() for text in (one.text, one.around)}
    sentences = tuple(
        Sentence(one.passage, one.start, one.end, *terms[one.text], *terms[one.around], like, found[key])
        for (key, one), like in zip(cut.items(), likeness, strict=True)
    )
    return Evidence(sentences, vectors[1:])


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
    """Return the sentence that is likeliest to hold the answer; there must be one."""
    return evidence.sentences[_likeliest(question, evidence)[0]]


def _likeliest(question: str, evidence: Evidence) -> list[int]:
    asked = content_terms(question)
    held = (len(asked & s.terms) / max(1, len(asked)) for s in evidence.sentences)
    likely = [
        -(s.likeness + WORDS_WEIGHT * share + FOUND_WEIGHT * s.found) for s, share in zip(evidence.sentences, held, strict=True)
    ]
    return sorted(range(len(likely)), key=likely.__getitem__)


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
