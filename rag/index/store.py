"""The index's only truth: one SQLite file with documents, passages, their words (FTS5) and their vectors (float16).

SQLite has no checksum of content, so each row carries a CRC-32: a flipped byte is an error and never a wrong quote. The words
are kept without a copy of the text (a contentless FTS5 table), which is why removing a passage tells FTS5 what it held.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing
from rag.index.sqlite_file import Database, Format
from rag.types import Document, Passage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.types import Scope

FILE = "articles.db"
FOLDERS = "\0"  # between folders that were indexed together
HEADING_WEIGHT, BODY_WEIGHT = 1.0, 1.0  # of BM25
POSTINGS = 150_000  # read for one search by words: BM25 takes 1.6 µs each, a quarter of a second; counting them a tenth

_CHUNK = 1024  # passages that a check reads at once
_ROUNDING = 0.01  # by which float16 may make a vector longer or shorter than 1
_WORDS = "fts5(heading, body, content='', tokenize='porter unicode61 remove_diacritics 2')"
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
    "UPDATE meta SET identity = lower(hex(randomblob(16)))",  # nobody noted what was removed before
)
_FORMAT = Format(
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
        f"CREATE VIRTUAL TABLE words USING {_WORDS}",
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
        """The folders that ``folder`` joins, by a character that no path holds."""
        return self.folder.split(FOLDERS)


class FileState(NamedTuple):
    """A source file as it was when it was indexed: bytes, nanoseconds, hex digest."""

    size: int
    mtime_ns: int
    sha256: str


class Noted(NamedTuple):
    """A file that is no document: why it was refused, or, without a ``reason``, that its articles were read."""

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


class Store:
    """The open index; a context manager. One object may be used from several threads: they take turns."""

    def __init__(self, database: Database) -> None:
        """Use :meth:`open`."""
        self._database = database
        self._rows = database.rows

    @classmethod
    def open(cls, folder: Path, *, writable: bool = False, rebuild: bool = False) -> Self:
        """Open the index in ``folder``; for reading nothing is created or changed.

        A writer creates what is missing and keeps other writers out until it is closed or killed. With ``rebuild`` everything
        is read first: a sound file keeps its content until it is cleared; in the place of a damaged one, or of one of a newer
        format, an empty one is begun beside it, which :meth:`publish` puts there.

        :raises IndexMissing: there is none, or it holds no document yet (reading only).
        :raises IndexMismatch: a newer version made it; one of an older version is read, and a writer brings it up to date.
        :raises IndexDamaged: it is not what was written.
        :raises StoreError: it cannot be read or written, or another writer is at work.
        """
        if writable:
            return cls._for_rebuild(folder / FILE) if rebuild else cls(Database.for_writing(folder / FILE, _FORMAT))
        store = cls(Database.for_reading(folder / FILE, _FORMAT))
        try:
            if not store._rows("SELECT EXISTS (SELECT 1 FROM documents)")[0][0]:
                raise IndexMissing(f"the index in {folder} holds no document yet; run `rag index FOLDER --index {folder}`")
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def _for_rebuild(cls, path: Path) -> Self:
        with suppress(IndexDamaged, IndexMismatch):
            store = cls(Database.for_writing(path, _FORMAT))
            try:
                sound = not store.check()
            except BaseException:
                store.close()
                raise
            if sound:
                return store
            store.close()
        return cls(Database.for_replacing(path, _FORMAT))

    def publish(self) -> None:
        """Show readers a store that was begun beside a damaged one; nothing is done where there is none."""
        self._database.publish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of the writer's lock."""
        self._database.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one committed state throughout the block; other threads wait."""
        with self._database.snapshot():
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the block as a whole, as a new generation; inside another transaction, join that one."""
        with self._database.transaction() as outermost:
            yield
            if outermost:
                self._rows("UPDATE meta SET generation = generation + 1")

    def meta(self) -> Meta:
        """Say what the index was made with, as of now."""
        rows = self._rows("SELECT identity, generation, encoder, dimension, folder, passage_tokens FROM meta")
        if len(rows) != 1 or [type(value) for value in rows[0]] != [str, int, str, int, str, int]:
            raise self._database.damaged("it does not say what it was made with")
        return Meta(*rows[0])

    def require_encoder(self, identity: str) -> None:
        """Refuse vectors that cannot be compared.

        :raises IndexMismatch: another encoder made the index.
        """
        stored = self.meta().encoder
        if stored != identity:
            raise self._mismatch(f"was made with encoder {stored}, not {identity}")

    def _mismatch(self, what: str) -> IndexMismatch:
        folder = self._database.path.parent
        return IndexMismatch(f"the index in {folder} {what}; run `rag index FOLDER --rebuild --index {folder}`")

    def counts(self) -> Counts:
        """Count documents and passages."""
        return Counts(*self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0])

    def state(self, sources: Iterable[str] | None = None) -> dict[str, FileState]:
        """Give for each source, or for those named that are there, its file's size, modification time and hash."""
        rows = self._named("SELECT source, size, mtime_ns, sha256 FROM documents", sources)
        return {source: FileState(*state) for source, *state in rows}

    def noted(self, sources: Iterable[str] | None = None) -> dict[str, Noted]:
        """Give what was noted of each container and refused file, or of those named.

        The state of a refused article is that of its container.
        """
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'notes'"):
            return {}  # an older format, open for reading
        rows = self._named("SELECT source, size, mtime_ns, sha256, reason FROM notes", sources)
        return {source: Noted(FileState(*state), reason) for source, *state, reason in rows}

    def _named(self, sql: str, sources: Iterable[str] | None) -> list[sqlite3.Row]:
        which = "" if sources is None else "WHERE source IN (SELECT value FROM json_each(?))"
        named = [] if sources is None else [json.dumps(list(sources))]
        return self._rows(f"{sql} {which} ORDER BY source", *named)

    def documents(self) -> list[Listing]:
        """List the documents by source."""
        counted = "(SELECT count(*) FROM passages WHERE document_id = documents.id)"
        sql = f"SELECT source, title, published, length(text), {counted} FROM documents ORDER BY source"  # noqa: S608
        return [Listing(*row) for row in self._rows(sql)]

    def ids(self, *, after: int = 0, most: int = -1) -> NDArray[np.int64]:
        """Give the passage ids above ``after`` ``(n,)``, ascending. Each is above those given before, and never given again."""
        return self._ids("SELECT id FROM passages WHERE id > ? ORDER BY id LIMIT ?", after, most)

    def removed(self, *, since: int) -> NDArray[np.int64]:
        """Give the ids ``(n,)`` of the passages that later generations than ``since`` removed, ascending."""
        return self._ids("SELECT id FROM removed WHERE generation > ? ORDER BY id", since)

    def ids_in(self, scope: Scope) -> NDArray[np.int64]:
        """Give the ids ``(n,)`` of the passages of the articles that a scope holds, ascending."""
        dated = "WHERE published BETWEEN ? AND ?" if scope.since or scope.until else ""
        days = [scope.since or date.min.isoformat(), scope.until or date.max.isoformat()] if dated else []
        rows = self._rows(f"SELECT id, source, title FROM documents {dated}", *days)  # noqa: S608
        if any(type(text) is not str for _, *called in rows for text in called):
            raise self._database.damaged("a document is not as it was")
        names = [name.casefold() for name in scope.names]  # here, because SQLite knows the case of ASCII alone
        held = [i for i, *called in rows if not names or any(name in text.casefold() for text in called for name in names)]
        sql = "SELECT id FROM passages WHERE document_id IN (SELECT value FROM json_each(?)) ORDER BY id"
        return self._ids(sql, json.dumps(held))

    def _ids(self, sql: str, *values: object) -> NDArray[np.int64]:
        return np.array([row[0] for row in self._rows(sql, *values)], dtype=np.int64)

    def vectors(self, ids: Iterable[int]) -> NDArray[np.float32]:
        """Give the vectors of existing passages ``(n, dimension)``, by ascending id."""
        return self._floats([row["vector"] for row in self._checked_rows(ids)])

    def _floats(self, blobs: Sequence[bytes]) -> NDArray[np.float32]:
        dimension = self.meta().dimension
        if any(len(blob) != 2 * dimension for blob in blobs):
            raise self._database.damaged("a vector is not as long as it was")
        return np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dimension).astype(np.float32)

    def passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Give passages by id, in the order asked for; ids that are gone are left out."""
        return self._held(ids)[0]

    def passages_and_vectors(self, ids: Sequence[int]) -> tuple[dict[int, Passage], NDArray[np.float32]]:
        """Give passages by id and their vectors ``(n, dimension)``, in the order asked for; ids that are gone are left out."""
        with self.snapshot():
            passages, blobs = self._held(ids)
            return passages, self._floats(blobs)

    def _held(self, ids: Sequence[int]) -> tuple[dict[int, Passage], list[bytes]]:
        with self.snapshot():
            rows = {row["id"]: row for row in self._checked_rows(ids)}
            documents = self._documents({row["document_id"] for row in rows.values()})
        passages = {i: Passage(documents[rows[i]["document_id"]], *_place(rows[i])) for i in ids if i in rows}
        return passages, [rows[i]["vector"] for i in passages]

    def embedded(self, source: str) -> tuple[list[Passage], NDArray[np.float32]]:
        """Give a document's passages in order and their vectors ``(n, dimension)``; both empty for an unknown source."""
        with self.snapshot():
            passages, vectors = self.passages_and_vectors(self._ids_of(source))
        return list(passages.values()), vectors

    def known_vectors(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Give the vectors ``(dimension,)`` of those texts that need no embedding.

        The index holds a passage that was embedded as this text, or held it until its document was replaced and nobody has
        called :meth:`forget_spare` since.
        """
        blobs: dict[str, bytes] = {}
        for text in texts:
            digest = _digest(text)
            if held := self._rows("SELECT id FROM passages WHERE digest = ? LIMIT 1", digest):
                blobs[text] = self._checked_rows([held[0]["id"]])[0]["vector"]
            elif spare := self._spare_vectors("SELECT digest, crc, vector FROM spare WHERE digest = ?", digest):
                blobs[text] = spare[0]
        return dict(zip(blobs, self._floats(list(blobs.values())), strict=True))

    def has_spare(self) -> bool:
        """Say whether vectors of replaced documents are kept."""
        return bool(self._rows("SELECT EXISTS (SELECT 1 FROM spare)")[0][0])

    def _spare_vectors(self, sql: str, *values: object) -> list[bytes]:
        rows = self._rows(sql, *values)
        if any(type(row["vector"]) is not bytes or row["crc"] != _spare_crc(row["digest"], row["vector"]) for row in rows):
            raise self._database.damaged("a spare vector is not as it was")
        return [row["vector"] for row in rows]

    def _ids_of(self, source: str) -> list[int]:
        sql = "SELECT passages.id FROM passages JOIN documents ON documents.id = document_id WHERE source = ? ORDER BY ordinal"
        return [row[0] for row in self._rows(sql, source)]

    def _checked_rows(self, ids: Iterable[int]) -> list[sqlite3.Row]:
        rows = self._rows(
            'SELECT id, document_id, ordinal, start, "end", heading, crc, vector FROM passages '
            "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
            json.dumps([int(i) for i in ids]),
        )
        if any(type(row["vector"]) is not bytes or row["crc"] != _passage_crc(_place(row), row["vector"]) for row in rows):
            raise self._database.damaged("a passage is not as it was")
        return rows

    def _documents(self, ids: Collection[int]) -> dict[int, Document]:
        sql = (
            "SELECT id, source, text, title, published, sha256, crc FROM documents WHERE id IN (SELECT value FROM json_each(?))"
        )
        found: dict[int, Document] = {}
        for i, *values, crc in self._rows(sql, json.dumps(sorted(ids))):
            document = Document(*values)
            if type(document.text) is str and crc == _document_crc(document):
                found[i] = document
        if len(found) < len(ids):
            raise self._database.damaged("a document is not as it was")
        return found

    def search_text(
        self, terms: Iterable[str], *, top_k: int, among: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Find passages that share a word stem with any term: ids and BM25 scores, larger is better, best first.

        A term is words and never query syntax; one of several words is a phrase. Where reading all that hold a term would be
        reading more than ``POSTINGS``, the most common terms are left out; the rarest stays. Given the ids ``among`` which to
        look, all others are passed over; how common a term is, is still counted in all.
        """
        query = " OR ".join(self._affordable(list(dict.fromkeys(map(_quoted, terms)))))
        if not query:
            return []
        # The plus keeps SQLite from searching anew for each id: 2,000 of them take 5 seconds then, and 20 ms so.
        which = "" if among is None else "AND +rowid IN (SELECT value FROM json_each(?))"
        ids = [] if among is None else [json.dumps(among.tolist())]
        order = "ORDER BY score DESC, rowid LIMIT ?"
        sql = f"SELECT rowid, -bm25(words, ?, ?) AS score FROM words WHERE words MATCH ? {which} {order}"  # noqa: S608
        return [tuple(row) for row in self._rows(sql, HEADING_WEIGHT, BODY_WEIGHT, query, *ids, top_k)]

    def sources_with(self, term: str) -> set[str]:
        """Give the sources of all documents that hold a term, as :meth:`search_text` understands it, in any passage."""
        sql = (
            "SELECT DISTINCT source FROM documents JOIN passages ON document_id = documents.id "
            "WHERE passages.id IN (SELECT rowid FROM words WHERE words MATCH ?)"
        )
        return {row[0] for row in self._rows(sql, _quoted(term))}

    def _affordable(self, terms: list[str]) -> list[str]:
        """Leave out the most common terms where reading all would take long; they say least about what is asked."""
        highest = self._rows("SELECT coalesce(max(id), 0) FROM passages")[0][0]
        if highest * len(terms) <= POSTINGS:
            return terms
        counts = {term: self._count(term, POSTINGS) for term in terms}
        if min(counts.values()) == POSTINGS:
            counts = {term: self._count(term, highest) for term in terms}
        rarest_first = sorted(terms, key=counts.__getitem__)
        sums = accumulate(counts[term] for term in rarest_first)
        kept = {term for term, upto in zip(rarest_first, sums, strict=True) if upto <= max(POSTINGS, counts[term])}
        return [term for term in terms if term in kept]

    def _count(self, term: str, most: int) -> int:
        sql = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
        return int(self._rows(sql, term, most)[0][0])

    def check(self) -> list[str]:
        """Read everything; give one line per problem, with the command that mends it, and none when the index is sound."""
        try:
            with self.snapshot():
                return [str(self._database.damaged(problem)) for problem in self._problems()]
        except IndexDamaged as error:
            return [str(error)]

    def _problems(self) -> Iterator[str]:
        yield from (row[0] for row in self._rows("PRAGMA integrity_check(1)") if row[0] != "ok")
        if self._rows("SELECT 1 FROM documents WHERE id NOT IN (SELECT document_id FROM passages) LIMIT 1"):
            yield "a document has no passage"
        if self._rows("SELECT 1 FROM sqlite_master WHERE name = 'spare'"):  # else of an older format, open for reading
            self._spare_vectors("SELECT digest, crc, vector FROM spare")
        self._rows("DROP TABLE IF EXISTS temp.anew")
        self._rows(f"CREATE VIRTUAL TABLE temp.anew USING {_WORDS}")
        ids = self.ids().tolist()
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            passages, vectors = self.passages_and_vectors(chunk)
            if any(not 0 <= p.start < p.end <= len(p.document.text) for p in passages.values()):
                yield "a passage lies outside its document"
            lengths = np.linalg.norm(vectors, axis=1)
            if not (np.abs(lengths - 1) < _ROUNDING).all():
                yield "a vector is not of length 1"
            for i, passage in passages.items():
                self._rows("INSERT INTO temp.anew (rowid, heading, body) VALUES (?, ?, ?)", i, passage.heading, passage.text)
        if self._full_text("main", "words") != self._full_text("temp", "anew"):
            yield "the full text does not match the passages"

    def _full_text(self, schema: str, table: str) -> tuple[list[Any], ...]:
        """Give what decides a search by words: each word with where it stands, the lengths, the totals of BM25, what is found.

        FTS5 has no checksums, and checks no more than that its own pages fit together.
        """
        vocabulary = f"vocabulary_of_{table}"
        self._rows(f"DROP TABLE IF EXISTS temp.{vocabulary}")
        self._rows(f"CREATE VIRTUAL TABLE temp.{vocabulary} USING fts5vocab({schema}, {table}, instance)")
        place = "sum(doc * 8191 + offset * 2 + (col = 'body'))"  # one wrong place moves it
        words = self._rows(f"SELECT term, count(*), {place} FROM temp.{vocabulary} GROUP BY term")  # noqa: S608
        return (
            words,
            self._rows(f"SELECT id, sz FROM {schema}.{table}_docsize ORDER BY id"),  # noqa: S608
            self._rows(f"SELECT rtrim(hex(block), '0') FROM {schema}.{table}_data WHERE id = 1"),  # noqa: S608
            # Looked up one by one, by way of the index of its pages, which the list above passes by.
            [self._rows(f"SELECT count(*) FROM temp.{vocabulary} WHERE term = ?", word["term"])[0][0] for word in words],  # noqa: S608
        )

    # What follows is for use inside a transaction.

    def configure(self, *, encoder: str, folder: str, passage_tokens: int) -> None:
        """Record what the documents are made with from now on."""
        self._rows("UPDATE meta SET encoder = ?, folder = ?, passage_tokens = ?", encoder, folder, passage_tokens)

    def clear(self) -> None:
        """Remove all documents and take a new identity; the ids of their passages stay used up."""
        self._rows("DELETE FROM removed")
        self._rows("DELETE FROM documents")
        self.forget_spare()
        self._rows("DELETE FROM notes")
        self._rows("INSERT INTO words (words) VALUES ('delete-all')")
        self._rows("UPDATE meta SET identity = lower(hex(randomblob(16))), dimension = 0")  # no older copy of vectors fits it

    def put(
        self, document: Document, passages: Sequence[Passage], vectors: NDArray[np.float32], *, size: int, mtime_ns: int
    ) -> None:
        """Add a document, or replace the one of the same source; ``vectors`` is ``(len(passages), dimension)``.

        What is replaced leaves its vectors until :meth:`forget_spare`: another document may have taken over the words.

        :raises IndexMismatch: the index holds vectors of another dimension.
        """
        dimension = self.meta().dimension
        if dimension not in (0, vectors.shape[1]):
            raise self._mismatch(f"holds vectors of {dimension} numbers, not {vectors.shape[1]}")
        self._rows("UPDATE meta SET dimension = ?", vectors.shape[1])
        self._spare(document.source)
        self.remove([document.source])
        values = (document.source, document.title, document.published, document.sha256, size, mtime_ns)
        sql = (
            "INSERT INTO documents (source, title, published, sha256, size, mtime_ns, crc, text) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
        )
        document_id = self._rows(sql, *values, _document_crc(document), document.text)[0][0]
        for passage, vector in zip(passages, vectors.astype("<f2"), strict=True):
            self._put_passage(document_id, passage, vector.tobytes())

    def _put_passage(self, document_id: int, passage: Passage, vector: bytes) -> None:
        place = (passage.ordinal, passage.start, passage.end, passage.heading)
        sql = (
            'INSERT INTO passages (document_id, ordinal, start, "end", heading, crc, vector, digest) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
        )
        passage_id = self._rows(sql, document_id, *place, _passage_crc(place, vector), vector, _digest(passage.headed))[0][0]
        self._rows("INSERT INTO words (rowid, heading, body) VALUES (?, ?, ?)", passage_id, passage.heading, passage.text)

    def _spare(self, source: str) -> None:
        for row in self._checked_rows(self._ids_of(source)):
            if digest := self._rows("SELECT digest FROM passages WHERE id = ?", row["id"])[0]["digest"]:
                crc = _spare_crc(digest, row["vector"])
                self._rows("INSERT OR REPLACE INTO spare VALUES (?, ?, ?)", digest, crc, row["vector"])

    def forget_spare(self) -> None:
        """Let go of the vectors that replaced documents left behind."""
        self._rows("DELETE FROM spare")

    def remove(self, sources: Iterable[str]) -> None:
        """Remove documents with their passages; unknown sources are passed over."""
        forget = "INSERT INTO words (words, rowid, heading, body) VALUES ('delete', ?, ?, ?)"
        note = "INSERT INTO removed SELECT generation + 1, ? FROM meta"
        for source in sources:
            for passage_id, passage in self.passages(self._ids_of(source)).items():
                self._rows(forget, passage_id, passage.heading, passage.text)
                self._rows(note, passage_id)
            self._rows("DELETE FROM documents WHERE source = ?", source)

    def touch(self, source: str, *, mtime_ns: int) -> None:
        """Note that a file has a new modification time and the same bytes."""
        self._rows("UPDATE documents SET mtime_ns = ? WHERE source = ?", mtime_ns, source)

    def rename(self, old: str, document: Document, *, size: int, mtime_ns: int) -> None:
        """Give the document at ``old`` the source of ``document``, which is otherwise equal; passages and vectors stay."""
        sql = "UPDATE documents SET source = ?, size = ?, mtime_ns = ?, crc = ? WHERE source = ?"
        self._rows(sql, document.source, size, mtime_ns, _document_crc(document), old)

    def note(self, source: str, noted: Noted) -> None:
        """Note what became of a file that is no document."""
        self._rows("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?)", source, *noted.state, noted.reason)

    def forget(self, sources: Iterable[str]) -> None:
        """Take back what was noted; unknown sources are passed over."""
        for source in sources:
            self._rows("DELETE FROM notes WHERE source = ?", source)


def _place(row: sqlite3.Row) -> tuple[int, int, int, str]:
    return row["ordinal"], row["start"], row["end"], row["heading"]


def _quoted(term: str) -> str:
    """Make of a term words to look for, and never query syntax."""
    cleaned = term.encode(errors="ignore").decode().replace("\0", " ").replace('"', " ")
    return f'"{cleaned}"'


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _passage_crc(place: tuple[int, int, int, str], vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(repr(place).encode()))


def _spare_crc(digest: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(digest))


def _document_crc(document: Document) -> int:
    head = repr((document.source, document.title, document.published, document.sha256))
    return zlib.crc32(document.text.encode(), zlib.crc32(head.encode()))
