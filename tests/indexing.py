"""What several test files need to index a folder: three articles, an indexer with a fake encoder, and what it has made."""

from __future__ import annotations

import os
import time

from fakes import FakeEncoder, count_words

from rag.index.indexer import index_folder
from rag.index.integrity import check
from rag.index.reader import Reader

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
