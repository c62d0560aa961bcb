"""Reads a whole index and says what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import IndexDamaged
from rag.index.rows import has_table, spare_vectors
from rag.index.schema import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.index.reader import Reader
    from rag.index.sqlite_file import Database

_CHUNK = 1024  # passages that are read at once
_ROUNDING = 0.01  # float16 may make a vector longer or shorter than 1 by this much


def check(store: Reader) -> list[str]:
    """Read everything; return one line per problem, with the command that mends it, and none when the index is sound."""
    try:
        with store.snapshot():
            return [str(store.database.damaged(problem)) for problem in _problems(store)]
    except IndexDamaged as error:
        return [str(error)]


def _problems(store: Reader) -> Iterator[str]:
    database = store.database
    yield from (row[0] for row in database.rows("PRAGMA integrity_check(1)") if row[0] != "ok")
    if database.rows("SELECT 1 FROM documents WHERE id NOT IN (SELECT document_id FROM passages) LIMIT 1"):
        yield "a document has no passage"
    if has_table(database, "spare"):
        spare_vectors(database)
    database.rows("DROP TABLE IF EXISTS temp.anew")
    database.rows(f"CREATE VIRTUAL TABLE temp.anew USING {WORDS}")
    ids = store.ids().tolist()
    for start in range(0, len(ids), _CHUNK):
        passages, vectors = store.passages_and_vectors(ids[start : start + _CHUNK])
        if any(not 0 <= p.start < p.end <= len(p.document.text) for p in passages.values()):
            yield "a passage lies outside its document"
        lengths = np.linalg.norm(vectors, axis=1)
        if not (np.abs(lengths - 1) < _ROUNDING).all():
            yield "a vector is not of length 1"
        for i, passage in passages.items():
            database.rows("INSERT INTO temp.anew (rowid, heading, body) VALUES (?, ?, ?)", i, passage.heading, passage.text)
    if _full_text(database, "main", "words") != _full_text(database, "temp", "anew"):
        yield "the full text does not match the passages"


def _full_text(database: Database, schema: str, table: str) -> tuple[list[Any], ...]:
    """Return what decides a search by words: each word and its places, the lengths, the totals of BM25, what is found.

    FTS5 has no checksums; its own check goes no further than whether its pages fit together.
    """
    vocabulary = f"vocabulary_of_{table}"
    database.rows(f"DROP TABLE IF EXISTS temp.{vocabulary}")
    database.rows(f"CREATE VIRTUAL TABLE temp.{vocabulary} USING fts5vocab({schema}, {table}, instance)")
    place = "sum(doc * 8191 + offset * 2 + (col = 'body'))"  # changes if one place is wrong
    words = database.rows(f"SELECT term, count(*), {place} FROM temp.{vocabulary} GROUP BY term")  # noqa: S608
    return (
        words,
        database.rows(f"SELECT id, sz FROM {schema}.{table}_docsize ORDER BY id"),  # noqa: S608
        database.rows(f"SELECT rtrim(hex(block), '0') FROM {schema}.{table}_data WHERE id = 1"),  # noqa: S608
        # Each word is looked up by itself, which goes through the index of FTS5's pages; the list above does not.
        [database.rows(f"SELECT count(*) FROM temp.{vocabulary} WHERE term = ?", word["term"])[0][0] for word in words],  # noqa: S608
    )
