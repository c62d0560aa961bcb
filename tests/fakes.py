"""Stand-ins for the models, small enough to check by eye."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from rag.types import Document, Passage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.store import Store


class FakeEncoder:
    """A hashed bag of words: texts that share words are near, equal bags are equal. Counts what it is asked."""

    def __init__(self, dimension: int = 64, identity: str = "fake:1") -> None:
        self.dimension = dimension
        self.identity = identity
        self.calls = 0
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        self.texts += texts
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 0.01  # a text without words has a direction too
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def count_words(text: str) -> int:
    """A token counter: one token a word."""
    return len(text.split())


def document(source: str = "a.txt", text: str = "One car. Two trains.", *, title: str = "", sha256: str = "") -> Document:
    """Make a document; equal text has an equal hash."""
    return Document(source, text, title or source, None, sha256 or hashlib.sha256(text.encode()).hexdigest())


def sentence_passages(of: Document) -> list[Passage]:
    """Make one passage of each sentence that ends with a full stop."""
    spans = [match.span() for match in re.finditer(r"[^.\s][^.]*\.?", of.text)]
    return [Passage(of, ordinal, start, end, of.title) for ordinal, (start, end) in enumerate(spans)]


def put(store: Store, *documents: Document, encoder: FakeEncoder | None = None) -> None:
    """Commit documents, one passage a sentence."""
    with store.transaction():
        store.configure(encoder="fake:1", folder="/articles", passage_tokens=100)
        for each in documents:
            passages = sentence_passages(each)
            vectors = (encoder or FakeEncoder()).encode([passage.text for passage in passages])
            store.put(each, passages, vectors, size=len(each.text), mtime_ns=1)
