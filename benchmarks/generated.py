"""Generated articles and vectors of any number: no model, no data, the same each time.

Words are as unequal as in a language (Zipf), stop words first. Vectors are as near and far as a sentence encoder's: topics of
unequal size in a space of few dimensions, turned into the full one, with a little noise in all of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rag.text.words import STOP_WORDS

DIMENSION = 384
LATENT = 48  # dimensions in which texts really differ
TOPICS = 3000
SPREAD, NOISE = 0.75, 0.02  # within a topic, and outside of the latent space, for each dimension
VOCABULARY = 200_000
SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "s", "l")]


def vocabulary(rng: np.random.Generator) -> list[str]:
    """Return words, most frequent first."""
    made: dict[str, None] = dict.fromkeys(sorted(STOP_WORDS))
    while len(made) < VOCABULARY:
        syllables = np.array(SYLLABLES)[rng.integers(len(SYLLABLES), size=(VOCABULARY, 4))].tolist()
        made.update(dict.fromkeys("".join(row[:n]) for row, n in zip(syllables, rng.integers(2, 5, VOCABULARY), strict=True)))
    return list(made)[:VOCABULARY]


class Writer:
    """Writes sentences, for as long as asked."""

    def __init__(self, seed: int = 0) -> None:
        self.words = vocabulary(np.random.default_rng(1))
        self.seed(seed)
        shares = 1 / (np.arange(VOCABULARY) + 2.7) ** 1.07
        self._upto = np.cumsum(shares / shares.sum())

    def seed(self, seed: int) -> None:
        """Go on as a writer with this seed begins."""
        self._rng = np.random.default_rng(seed)

    def sentences(self, number: int) -> list[str]:
        """Return sentences of 8 to 25 words."""
        lengths = self._rng.integers(8, 26, number)
        drawn = np.minimum(np.searchsorted(self._upto, self._rng.random(lengths.sum())), VOCABULARY - 1)
        words = [self.words[i] for i in drawn.tolist()]
        ends = np.cumsum(lengths).tolist()
        return [" ".join(words[end - n : end]).capitalize() + "." for end, n in zip(ends, lengths.tolist(), strict=True)]

    def articles(self, number: int) -> Iterator[str]:
        """Return articles of a title and five paragraphs of five sentences: some 410 words."""
        for _ in range(number):
            title, *told = self.sentences(26)
            yield "\n\n".join([title[:70].rstrip("."), *(" ".join(told[i : i + 5]) for i in range(0, 25, 5))]) + "\n"


class Space:
    """Where vectors lie."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self._topics = rng.standard_normal((TOPICS, LATENT)).astype(np.float32)
        shares = 1 / (np.arange(TOPICS) + 20.0)
        self._upto = np.cumsum(shares / shares.sum())
        turned = np.linalg.qr(rng.standard_normal((DIMENSION, LATENT)))[0]
        self._turn = np.ascontiguousarray(turned.T, dtype=np.float32)

    def vectors(self, rng: np.random.Generator, number: int) -> NDArray[np.float32]:
        """Return unit vectors ``(number, DIMENSION)``."""
        topics = np.minimum(np.searchsorted(self._upto, rng.random(number)), TOPICS - 1)
        inner = self._topics[topics] + SPREAD * rng.standard_normal((number, LATENT), dtype=np.float32)
        return unit(inner @ self._turn + NOISE * rng.standard_normal((number, DIMENSION), dtype=np.float32))

    def questions(self, rng: np.random.Generator, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return for each vector one that is as near to it as a question to its passage: a cosine of about 0.7."""
        return unit(vectors + unit(rng.standard_normal((len(vectors), LATENT), dtype=np.float32) @ self._turn))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class GeneratedEncoder:
    """A :class:`rag.protocols.Encoder` that draws a text's vector by its checksum; counts what it is given."""

    identity = "generated"

    def __init__(self) -> None:
        self.embedded = 0
        self._space = Space()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors ``(n, DIMENSION)``."""
        self.embedded += len(texts)
        return np.concatenate([self._space.vectors(np.random.default_rng(zlib.crc32(text.encode())), 1) for text in texts])

    @staticmethod
    def count_tokens(text: str) -> int:
        """Count about as a WordPiece tokenizer does."""
        return len(text) // 4
