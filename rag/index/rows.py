"""Rows as they were written: each carries a CRC-32, because SQLite has no checksum of content.

A row that is not as it was is an error (``IndexDamaged``) and never a wrong quote.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING

from rag.types import Document, Passage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from rag.index.sqlite_file import Database

Place = tuple[int, int, int, str]  # ordinal, start, end, heading; what a passage is, apart from its document


def place_of(passage: Passage) -> Place:
    """Return where a passage stands in its document, and under which heading."""
    return passage.ordinal, passage.start, passage.end, passage.heading


def digest_of(text: str) -> bytes:
    """Return 16 bytes by which a text that was embedded is found again."""
    return hashlib.sha256(text.encode()).digest()[:16]


def document_crc(document: Document) -> int:
    """Return the checksum of a document's row."""
    head = repr((document.source, document.title, document.published, document.sha256))
    return zlib.crc32(document.text.encode(), zlib.crc32(head.encode()))


def passage_crc(place: Place, vector: bytes) -> int:
    """Return the checksum of a passage's row."""
    return zlib.crc32(vector, zlib.crc32(repr(place).encode()))


def spare_crc(digest: bytes, vector: bytes) -> int:
    """Return the checksum of a spare vector's row."""
    return zlib.crc32(vector, zlib.crc32(digest))


def has_table(database: Database, name: str) -> bool:
    """Return whether the file has a table; one of an older format, opened for reading, lacks some."""
    return bool(database.rows("SELECT 1 FROM sqlite_master WHERE name = ?", name))


def passage_rows(database: Database, ids: Iterable[int]) -> list[sqlite3.Row]:
    """Return the rows of those passages that exist, by ascending id.

    :raises IndexDamaged: one is not as it was.
    """
    rows: list[sqlite3.Row] = database.rows(
        'SELECT id, document_id, ordinal, start, "end", heading, crc, vector FROM passages '
        "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        json.dumps([int(i) for i in ids]),
    )
    if any(type(row["vector"]) is not bytes or row["crc"] != passage_crc(row_place(row), row["vector"]) for row in rows):
        raise database.damaged("a passage is not as it was")
    return rows


def row_place(row: sqlite3.Row) -> Place:
    """Return the place that a passage's row holds."""
    return row["ordinal"], row["start"], row["end"], row["heading"]


def documents_by_id(database: Database, ids: Collection[int]) -> dict[int, Document]:
    """Return documents by their row's id.

    :raises IndexDamaged: one is missing or not as it was.
    """
    sql = "SELECT id, source, text, title, published, sha256, crc FROM documents WHERE id IN (SELECT value FROM json_each(?))"
    found: dict[int, Document] = {}
    for i, *values, crc in database.rows(sql, json.dumps(sorted(ids))):
        document = Document(*values)
        if type(document.text) is str and crc == document_crc(document):
            found[i] = document
    if len(found) < len(ids):
        raise database.damaged("a document is not as it was")
    return found


def spare_vectors(database: Database, digest: bytes | None = None) -> list[bytes]:
    """Return the vectors that replaced documents left: of the text with this digest, or all.

    :raises IndexDamaged: one is not as it was.
    """
    which, values = ("", ()) if digest is None else ("WHERE digest = ?", (digest,))
    rows = database.rows(f"SELECT digest, crc, vector FROM spare {which}", *values)  # noqa: S608
    if any(type(row["vector"]) is not bytes or row["crc"] != spare_crc(row["digest"], row["vector"]) for row in rows):
        raise database.damaged("a spare vector is not as it was")
    return [row["vector"] for row in rows]
