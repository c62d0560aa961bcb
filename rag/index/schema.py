"""The tables of the index's one SQLite file, and the plain records that are read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rag.index.sqlite_file import Format

FILE = "articles.db"
FOLDERS = "\0"  # stands between the folders that were indexed together; no path holds it
WORDS = "fts5(heading, body, content='', tokenize='porter unicode61 remove_diacritics 2')"

_VERSION_2 = (
    "ALTER TABLE passages ADD COLUMN digest BLOB",  # of the text that was embedded; NULL in what version 1 wrote
    "CREATE INDEX passages_by_digest ON passages (digest)",
    "CREATE TABLE spare (digest BLOB PRIMARY KEY, crc INTEGER NOT NULL, vector BLOB NOT NULL) WITHOUT ROWID",
)
_VERSION_3 = (
    "CREATE TABLE notes (source TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, "
    "reason TEXT NOT NULL) WITHOUT ROWID",
)
_VERSION_4 = (
    "CREATE TABLE removed (generation INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (generation, id)) WITHOUT ROWID",
    "UPDATE meta SET identity = lower(hex(randomblob(16)))",  # earlier versions did not note what they removed
)
FORMAT = Format(
    application_id=0x466F6F74,  # "Foot"
    schema=(
        "CREATE TABLE meta (identity TEXT NOT NULL, generation INTEGER NOT NULL, encoder TEXT NOT NULL, "
        "dimension INTEGER NOT NULL, folder TEXT NOT NULL, passage_tokens INTEGER NOT NULL)",
        "INSERT INTO meta VALUES (lower(hex(randomblob(16))), 0, '', 0, '', 0)",
        "CREATE TABLE documents (id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, title TEXT NOT NULL, published TEXT, "
        "sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, crc INTEGER NOT NULL, text TEXT NOT NULL)",
        "CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        "document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, ordinal INTEGER NOT NULL, "
        'start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, crc INTEGER NOT NULL, vector BLOB NOT NULL, '
        "digest BLOB, UNIQUE (document_id, ordinal))",
        f"CREATE VIRTUAL TABLE words USING {WORDS}",
        *_VERSION_2[1:],
        *_VERSION_3,
        *_VERSION_4,
    ),
    upgrades=(_VERSION_2, _VERSION_3, _VERSION_4),
)


@dataclass(frozen=True, slots=True)
class Meta:
    """What the index was made with. ``identity`` is random per file and rebuild; ``generation`` grows with each commit.

    ``encoder`` and ``folder`` are empty and ``dimension`` is 0 until the first document is in.
    """

    identity: str
    generation: int
    encoder: str
    dimension: int
    folder: str
    passage_tokens: int

    @property
    def folders(self) -> list[str]:
        """The folders that ``folder`` joins."""
        return self.folder.split(FOLDERS)


class FileState(NamedTuple):
    """A source file as it was when it was indexed: its size in bytes, its time in nanoseconds, its hash in hexadecimal."""

    size: int
    mtime_ns: int
    sha256: str


class Noted(NamedTuple):
    """A file that is no document: the ``reason`` why it was refused, or no reason where it is a container that was read."""

    state: FileState
    reason: str


class Listing(NamedTuple):
    """One line about a document; ``characters`` is the length of its text."""

    source: str
    title: str
    published: str | None
    characters: int
    passages: int


class Counts(NamedTuple):
    """How much the index holds."""

    documents: int
    passages: int
