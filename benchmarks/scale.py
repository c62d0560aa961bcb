"""Measure searching as an index grows to a million passages: recall, seconds, memory, sizes.

usage: scale.py WORK_FOLDER [PASSAGES ...]

Articles are generated and vectors drawn, no model. All indexes are made, going on where an earlier run stopped; then each is
searched by a process of its own, one after the other. Seconds are of processor time, so that other work counts little.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from generated import Space, Writer
from numpy.typing import NDArray
from tables import table

from rag.index import faiss_index, reader
from rag.index.reader import Reader
from rag.index.schema import FILE as ARTICLES_FILE
from rag.index.vector_file import FILE as VECTORS_FILE
from rag.index.vector_file import Vectors
from rag.index.writer import Writer as IndexWriter
from rag.search.hybrid import HybridRetriever
from rag.text.words import STOP_WORDS
from rag.types import Document, Passage

SIZES = (10_000, 100_000, 1_000_000)
QUESTIONS = 200
EACH = 5  # passages an article, and sentences a passage
BATCH = 1_000  # articles a commit
TOP = 10
COMMON = 400  # words that are frequent, after the stop words
HEAD = (
    "passages",
    "vectors",
    f"recall@{TOP}",
    "hybrid, ms (median / 95th)",
    "by vectors",
    "by words",
    "by all words",
    f"same {TOP} by words",
    "seconds to open",
    "resident MB",
    "articles.db / vectors.faiss, MB",
    "seconds to write vectors.faiss",
)


class Drawn:
    """An encoder that knows the questions' vectors."""

    identity = "generated"

    def __init__(self, questions: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._vectors = dict(zip(questions, vectors, strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of questions."""
        return np.stack([self._vectors[text] for text in texts])


def build(index: Path, total: int, writer: Writer, vectors: NDArray[np.float16]) -> float:
    """Make an index of so many passages, or go on where it was left; give the seconds that vectors.faiss takes."""
    with IndexWriter.open(index) as held:
        for first in range(held.counts().passages, total, EACH * BATCH):
            writer.seed(first)
            told = writer.sentences(EACH * EACH * BATCH)
            with held.transaction() as transaction:
                transaction.configure(encoder=Drawn.identity, folder="/articles", passage_tokens=160)
                for number in range(first, min(first + EACH * BATCH, total), EACH):
                    made = article(number, told[EACH * (number - first) :][: EACH * EACH])
                    transaction.put(*made, vectors[number : number + EACH].astype(np.float32), size=1, mtime_ns=1)
        (index / VECTORS_FILE).unlink(missing_ok=True)
        started = time.process_time()
        Vectors.write(held, index)
        return time.process_time() - started


def article(number: int, told: Sequence[str]) -> tuple[Document, list[Passage]]:
    """Make an article of five passages of five of the sentences."""
    parts = [" ".join(told[EACH * i : EACH * (i + 1)]) for i in range(EACH)]
    document = Document(f"{number}.txt", "\n\n".join(parts), parts[0][:60], None, str(number))
    passages, start = [], 0
    for ordinal, part in enumerate(parts):
        passages.append(Passage(document, ordinal, start, start + len(part), document.title))
        start += len(part) + 2
    return document, passages


def questions(index: Path, total: int, vectors: NDArray[np.float16]) -> tuple[list[str], NDArray[np.float32]]:
    """Ask for passages in four of their words and one or two that are frequent."""
    rng, space = np.random.default_rng(total), Space()
    numbers = np.sort(rng.choice(total, QUESTIONS, replace=False))
    frequent = [word for word in Writer().words[len(STOP_WORDS) : len(STOP_WORDS) + COMMON]]
    asked = []
    with Reader.open(index) as held:
        for passage in held.passages(held.ids()[numbers].tolist()).values():
            words = [w for w in dict.fromkeys(passage.text.lower().replace(".", "").split()) if w not in STOP_WORDS]
            asked.append(" ".join(["what of", *rng.choice(words, 4), *rng.choice(frequent, rng.integers(1, 3))]) + "?")
    return asked, space.questions(rng, vectors[numbers].astype(np.float32))


def truth(vectors: NDArray[np.float16], asked: NDArray[np.float32]) -> list[set[int]]:
    """Return the ids of the nearest, by comparing with all."""
    best = np.zeros((len(asked), 0)), np.zeros((len(asked), 0), dtype=np.int64)
    for start in range(0, len(vectors), 50_000):
        cosines = asked @ vectors[start : start + 50_000].astype(np.float32).T
        ids = np.broadcast_to(np.arange(start, start + cosines.shape[1]) + 1, cosines.shape)
        cosines, ids = np.concatenate([best[0], cosines], axis=1), np.concatenate([best[1], ids], axis=1)
        order = np.argpartition(-cosines, TOP, axis=1)[:, :TOP]
        best = np.take_along_axis(cosines, order, axis=1), np.take_along_axis(ids, order, axis=1)
    return [set(row) for row in best[1].tolist()]


def search(index: Path) -> None:
    """Open the index, ask all questions, print what it took: the work of a process of its own."""
    kept = np.load(index / "questions.npz")
    asked, vectors = kept["asked"].tolist(), kept["vectors"]
    before = psutil.Process().memory_info().rss
    started = time.process_time()
    with Reader.open(index) as held:
        retriever = HybridRetriever(held, index, Drawn(asked, vectors))
        opened = time.process_time() - started
        loaded = Vectors.load(held, index)
        found = [[i for i, _ in loaded.search(vector, TOP)] for vector in vectors]
        del loaded
        seconds = [timed(lambda question=question: retriever.retrieve(question, top_k=20)) for question in asked]
        dense = [timed(lambda vector=vector: retriever._vectors.search(vector, 50)) for vector in vectors]
        lexical = [timed(lambda question=question: held.search_text(terms(question), top_k=50)) for question in asked]
        kept_words = [{i for i, _ in held.search_text(terms(question), top_k=TOP)} for question in asked]
        reader.POSTINGS = sys.maxsize
        whole = [timed(lambda question=question: held.search_text(terms(question), top_k=50)) for question in asked]
        all_words = [{i for i, _ in held.search_text(terms(question), top_k=TOP)} for question in asked]
    resident = psutil.Process().memory_info().rss
    print(
        json.dumps(
            {
                "opened": opened,
                "resident": resident - before,
                "found": found,
                "hybrid": seconds,
                "dense": dense,
                "lexical": lexical,
                "whole": whole,
                "same": float(np.mean([len(a & b) / max(1, len(b)) for a, b in zip(kept_words, all_words, strict=True)])),
            }
        )
    )


def terms(question: str) -> list[str]:
    """Return the words that are searched for."""
    return [word for word in question.rstrip("?").split() if word not in STOP_WORDS]


def timed(work: object) -> float:
    """Return the processor's seconds of a call."""
    started = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - started


def main(work: Path, sizes: Sequence[int]) -> None:
    """Print the page."""
    print("# Searching as an index grows\n")
    writer, space, drawn = Writer(), Space(), np.random.default_rng(11)
    blocks = (space.vectors(drawn, min(50_000, max(sizes) - n)).astype(np.float16) for n in range(0, max(sizes), 50_000))
    vectors = np.concatenate(list(blocks))
    indexes = {total: work / f"scale-{total}" for total in sizes}
    written = {total: build(index, total, writer, vectors) for total, index in indexes.items()}
    rows, p95 = [], []
    for total, index in indexes.items():
        asked, question_vectors = questions(index, total, vectors)
        np.savez(index / "questions.npz", asked=np.array(asked), vectors=question_vectors)
        child = [sys.executable, __file__, "--search", str(index)]
        got = json.loads(subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True).stdout)  # noqa: S603 - itself
        expected = truth(vectors[:total], question_vectors)
        recall = np.mean([len(set(a) & b) / TOP for a, b in zip(got["found"], expected, strict=True)])
        p95.append(np.percentile(got["hybrid"], 95))
        sizes_mb = [(index / name).stat().st_size / 1e6 for name in (ARTICLES_FILE, VECTORS_FILE)]
        rows.append(
            [
                f"{total:,}",
                "exact" if total <= faiss_index.EXACT_UP_TO else f"{faiss_index.lists(total)} lists",
                f"{recall:.3f}",
                *(two(got[name]) for name in ("hybrid", "dense", "lexical", "whole")),
                f"{got['same']:.2f}",
                f"{got['opened']:.2f}",
                f"{got['resident'] / 1e6:,.0f}",
                " / ".join(f"{size:,.0f}" for size in sizes_mb),
                f"{written[total]:.1f}",
            ]
        )
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    table(HEAD, rows)
    print(
        "95th percentile of a hybrid search, as a multiple of that at the first size:",
        ", ".join(f"{t / p95[0]:.1f}" for t in p95),
    )
    for index in indexes.values():
        shutil.rmtree(index)


def two(seconds: Sequence[float]) -> str:
    """Return the median and the 95th percentile in milliseconds."""
    return f"{1000 * np.median(seconds):.1f} / {1000 * np.percentile(seconds, 95):.1f}"


if __name__ == "__main__":
    if sys.argv[1] == "--search":
        search(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]] or SIZES)
