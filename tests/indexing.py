"""What several test files need of an index: articles, an indexer with a fake encoder, what it made, and ways to break that."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time

from fakes import FakeEncoder, count_words

from rag.index.indexer import index_folder
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.schema import FILE

CARS = "The ministry counted the electric cars that were sold in Lahore last year, and found more than in Karachi.\n"
SHIPS = "The harbour of Gwadar received ships with grain from the north, which the council had ordered in spring.\n"
TRAINS = "Trains between the two cities were late on every day of the week, as the railway office has admitted.\n"


def write(folder, texts, *, age=60):
    """Write files that were last changed ``age`` seconds ago."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        set_age(path, age)
    return folder


def set_age(path, seconds):
    at = time.time() - seconds
    os.utime(path, (at, at))


def run(folder, encoder=None, *, passage_tokens=40, **options):
    return index_folder(
        folder,
        store_folder=options.pop("store_folder", folder.parent / "index"),
        encoder=encoder or FakeEncoder(),
        count_tokens=count_words,
        passage_tokens=passage_tokens,
        **options,
    )


def figures(summary):
    """The counts of what happened, those that are not zero."""
    names = ("added", "changed", "removed", "renamed", "unchanged", "embedded")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}


def content(folder):
    """What the index of ``folder`` says, and that it is sound."""
    with Reader.open(folder.parent / "index") as store:
        assert check(store) == []
        return {p.document.source: p.document.text for p in store.passages(store.ids().tolist()).values()}


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.txt")}


class Interrupted(FakeEncoder):
    """Fails in its n-th call."""

    def __init__(self, call, error=KeyboardInterrupt):
        super().__init__()
        self.call, self.error = call, error

    def encode(self, texts):
        if self.calls + 1 == self.call:
            raise self.error
        return super().encode(texts)


def listing(folder):
    """Give the files of a folder with their sizes and times."""
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


def edit(index, sql, *values):
    """Change the index behind its back."""
    connection = sqlite3.connect(index / FILE)
    with connection:
        connection.execute(sql, values)
    connection.close()


def all_passages(store):
    return list(store.passages(store.ids().tolist()).values())


def fork(target, *arguments):
    """Run a function in a child of this process, and wait until it has ended."""
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join(20)
    return process
