"""Measure what an index costs as it grows: a second run, a changed article, an update of a small and of a large index.

usage: growth.py WORK_FOLDER

Articles are generated and vectors drawn, no model; only the pace of the real encoder is measured, on a few hundred passages.
Seconds are of processor time, so that other work on the machine does not count; ratios are within the run.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from generated import GeneratedEncoder, Writer
from tables import table

from rag.config import load_config
from rag.index.indexer import Summary, index_folder
from rag.models.cache import ensure
from rag.models.encoder import SentenceEncoder

ARTICLES = 10_000
SIZES = (160, 1_600, 16_000)  # articles: about 1,000, 10,000 and 100,000 passages
REPEATS = 9
SAMPLE = 300  # about as many passages are read by the real encoder
OLD = 1_000_000_000  # seconds: a file as old as this is known by its modification time


class Corpus:
    """A folder of generated articles and its index."""

    def __init__(self, home: Path) -> None:
        self.folder, self.index = home / "articles", home / "index"
        self.articles = self.edits = 0
        self.encoder, self._writer = GeneratedEncoder(), Writer()

    def grow(self, articles: int) -> None:
        """Write articles until there are so many."""
        for text in self._writer.articles(articles - self.articles):
            self._write(self.articles, text)
            self.articles += 1

    def edit(self) -> None:
        """Change one word at the end of one article."""
        self.edits += 1
        number = self.edits * 7919 % self.articles
        self._write(number, self._path(number).read_text(encoding="utf-8").rstrip(".\n") + f"{self.edits}.\n")

    def _path(self, number: int) -> Path:
        return self.folder / f"{number // 1000:03}" / f"{number:06}.txt"

    def _write(self, number: int, text: str) -> None:
        path = self._path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (OLD + self.edits, OLD + self.edits))

    def update(self) -> tuple[float, Summary]:
        """Index the folder; give the processor's seconds."""
        started = time.process_time()
        summary = index_folder(
            self.folder,
            store_folder=self.index,
            encoder=self.encoder,
            count_tokens=self.encoder.count_tokens,
            passage_tokens=load_config().passage_tokens,
        )
        return time.process_time() - started, summary


def costs(corpus: Corpus) -> tuple[float, float]:
    """Return what a run costs when nothing has changed, and when one article has: medians of runs that take turns."""
    unchanged, changed = [], []
    for _ in range(REPEATS):
        unchanged.append(corpus.update()[0])
        corpus.edit()
        seconds, summary = corpus.update()
        if summary.changed != 1 or not 0 < summary.embedded <= summary.passages / summary.documents:
            raise SystemExit(f"not what was changed: {summary}")
        changed.append(seconds)
    return median(unchanged), median(changed)


def seconds_to_embed(sentences: Sequence[str]) -> float:
    """Return what the real encoder takes for a passage as long as it may be; to it, the words are long."""
    config = load_config()
    encoder = SentenceEncoder(ensure(config.encoder, "encoder"))
    texts = [""]
    for sentence in sentences:
        longer = f"{texts[-1]} {sentence}"
        if encoder.count_tokens(longer) <= config.passage_tokens:
            texts[-1] = longer
        else:
            texts.append(sentence)
    encoder.encode(texts[:32])
    started = time.process_time()
    encoder.encode(texts)
    return (time.process_time() - started) / len(texts)


def main(work: Path) -> None:
    """Print the page."""
    corpus = Corpus(work / "first")
    corpus.grow(ARTICLES)
    first, summary = corpus.update()
    unchanged, changed = costs(corpus)
    shutil.rmtree(corpus.folder.parent)
    corpus, growing = Corpus(work / "growing"), []
    for articles in SIZES:
        corpus.grow(articles)
        passages = corpus.update()[1].passages
        growing.append((passages, *costs(corpus)))
    shutil.rmtree(corpus.folder.parent)
    passage = seconds_to_embed(Writer(5).sentences(5 * SAMPLE))  # last: it loads much that Python's collector then goes through
    real = first + passage * summary.passages
    rows = [
        (f"first run, {summary.documents:,} articles, {summary.passages:,} passages", first),
        ("the same with the real encoder, estimated from its pace", real),
        ("second run, nothing changed", unchanged),
        ("one article changed, what changed in it embedded", changed),
        ("the same, less the second run", changed - unchanged),
    ]
    print("# What an index costs as it grows\n")
    print("Generated articles of some 410 words; processor seconds (`make bench-growth`), medians of", REPEATS, "runs.\n")
    head = ["run", "seconds", "share of the first", "share of the first with the real encoder"]
    table(head, [[name, f"{seconds:.3f}", f"{seconds / first:.3%}", f"{seconds / real:.3%}"] for name, seconds in rows])
    print(f"The real encoder takes {passage * 1000:.1f} ms a passage ({1 / passage:.0f} a second of one processor).\n")
    table(
        ["passages", "ms, nothing changed", "ms, one article changed", "difference"],
        [[f"{n:,}", *(f"{1000 * seconds:.1f}" for seconds in (idle, edit, edit - idle))] for n, idle, edit in growing],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
