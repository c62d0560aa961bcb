"""Stand-ins for the models, small enough to check by eye."""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rag.errors import CorpusError
from rag.files.folder import Note, read_file, source_name
from rag.files.sandbox import Extractor
from rag.models import cache
from rag.protocols import Written
from rag.types import EVERYTHING, Decision, Document, Found, Hit, Passage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.index.writer import Transaction, Writer
    from rag.models.manifest import Role
    from rag.types import Message, Scope


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


class CountingEncoder(FakeEncoder):
    """A fake encoder that counts a token a word."""

    def count_tokens(self, text: str) -> int:
        return count_words(text)


def document(source: str = "a.txt", text: str = "One car. Two trains.", *, title: str = "", sha256: str = "") -> Document:
    """Make a document; equal text has an equal hash."""
    return Document(source, text, title or source, None, sha256 or hashlib.sha256(text.encode()).hexdigest())


def sentence_passages(of: Document) -> list[Passage]:
    """Make one passage of each sentence that ends with a full stop."""
    spans = [match.span() for match in re.finditer(r"[^.\s][^.]*\.?", of.text)]
    return [Passage(of, ordinal, start, end, of.title) for ordinal, (start, end) in enumerate(spans)]


def put(store: Writer, *documents: Document, encoder: FakeEncoder | None = None) -> None:
    """Commit documents, one passage a sentence."""
    with store.transaction() as transaction:
        transaction.configure(encoder="fake:1", folder="/articles", passage_tokens=100)
        for each in documents:
            put_into(transaction, each, encoder=encoder)


def put_into(transaction: Transaction, each: Document, *, encoder: FakeEncoder | None = None) -> None:
    """Put a document, one passage a sentence."""
    passages = sentence_passages(each)
    vectors = (encoder or FakeEncoder()).encode([passage.text for passage in passages])
    transaction.put(each, passages, vectors, size=len(each.text), mtime_ns=1)


class ScriptedGenerator:
    """Writes given pieces, whatever it is asked; keeps the prompts, the limits and how each reply ended."""

    def __init__(
        self, *pieces: str, fails: Exception | None = None, surprisal: float = 0.1, known: float | None = None
    ) -> None:
        self.pieces = pieces
        self.surprisal, self.known = surprisal, known
        self.fails = fails
        self.prompts: list[list[Message]] = []
        self.limits: list[int] = []
        self.written = 0
        self.closed_early = False
        self.ended = False

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int) -> Iterator[Written]:
        self.prompts.append(list(messages))
        self.limits.append(max_new_tokens)
        try:
            for piece in self.pieces:
                self.written += 1
                yield Written(piece, self.surprisal, self.known)
            if self.fails:
                raise self.fails
        except GeneratorExit:
            self.closed_early = True
            raise
        finally:
            self.ended = True


class FakeChecker:
    """Finds an answer where a text holds the given words, at their place; lets a claim follow unless it holds a given word."""

    def __init__(self, *answers: str, denies: str = "\0") -> None:
        self.answers = answers
        self.denies = denies
        self.read: list[str] = []

    def find(self, question: str, texts: Sequence[str]) -> list[Found]:
        self.read += texts
        places = [next((text.index(a) for a in self.answers if a in text), None) for text in texts]
        return [Found(0.1) if at is None else Found(0.9, ((at, 1.0),)) for at in places]

    def verify(self, claim: str, evidence: str) -> float:
        return 0.0 if self.denies in claim else 1.0


def decided(probability: float = 0.9) -> Decision:
    """Make a decision of a given probability, at the threshold of one half."""
    return Decision(0.5, math.log(probability / (1 - probability)))


class ListRetriever:
    """Finds the same documents for every question, each as one passage, as near as told; notes what was asked."""

    def __init__(self, *documents: Document, cosine: float = 0.8) -> None:
        self.hits = [
            Hit(Passage(each, 0, 0, len(each.text), each.title), rank, 1 / rank, cosine, 1.0)
            for rank, each in enumerate(documents, start=1)
        ]
        self.questions: list[str] = []
        self.scopes: list[Scope] = []

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        self.questions.append(question)
        self.scopes.append(scope)
        return self.hits[:top_k]


def words_of(text: str) -> list[str]:
    """Cut a text into pieces as a model streams it: each word with the blanks after it."""
    return re.findall(r"\S+\s*", text)


def read_articles(path: Path, folder: Path) -> list[Document | Note]:
    """Read what a file holds."""
    with Extractor() as extractor:
        return list(read_file(path, source_name(path, folder), [folder.resolve()], extractor))


def read_document(path: Path, folder: Path) -> Document:
    """Read a file that is one article; raise what it is refused for."""
    (article,) = read_articles(path, folder)
    if isinstance(article, Note):
        raise CorpusError(f"{article.source}: {article.reason}")
    return article


def model_folder(name: str, role: Role) -> Path:
    """Give the folder of a real model, fetched the first time, also after a test has told the libraries to stay offline."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        return cache.ensure(name, role)
