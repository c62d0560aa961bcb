"""Reads the index: documents, passages, their words (FTS5) and vectors. A reader never sees a half-finished update."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Self

import numpy as np

from rag.errors import IndexMissing
from rag.index.rows import digest_of, documents_by_id, has_table, passage_rows, row_place, spare_vectors
from rag.index.schema import FILE, FORMAT, Counts, FileState, Listing, Meta, Noted
from rag.index.sqlite_file import Database
from rag.types import Passage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.types import Scope

HEADING_WEIGHT, BODY_WEIGHT = 1.0, 1.0  # of BM25
POSTINGS = 150_000  # read for one search by words: BM25 takes 1.6 µs each, a quarter of a second; counting them a tenth


class Reader:
    """The open index; a context manager. Several threads may use one object: they take turns.

    ``database`` is the open file, for the other modules of the index.
    """

    def __init__(self, database: Database) -> None:
        """Use :meth:`open`."""
        self.database = database
        self._rows = database.rows

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the index in ``folder`` for reading; nothing is created or changed.

        :raises IndexMissing: there is none, or it holds no document yet.
        :raises IndexMismatch: a newer version made it; one of an older version is read.
        :raises IndexDamaged: it is not what was written.
        :raises StoreError: it cannot be read.
        """
        reader = cls(Database.for_reading(folder / FILE, FORMAT))
        try:
            if not reader._rows("SELECT EXISTS (SELECT 1 FROM documents)")[0][0]:
                raise IndexMissing(f"the index in {folder} holds no document yet; run `rag index FOLDER --index {folder}`")
        except BaseException:
            reader.close()
            raise
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a writer lets others write."""
        self.database.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one committed state throughout the block; other threads wait."""
        with self.database.snapshot():
            yield

    def meta(self) -> Meta:
        """Return what the index was made with, as of now."""
        rows = self._rows("SELECT identity, generation, encoder, dimension, folder, passage_tokens FROM meta")
        if len(rows) != 1 or [type(value) for value in rows[0]] != [str, int, str, int, str, int]:
            raise self.database.damaged("it does not say what it was made with")
        return Meta(*rows[0])

    def require_encoder(self, identity: str) -> None:
        """Refuse vectors that cannot be compared.

        :raises IndexMismatch: another encoder made the index.
        """
        stored = self.meta().encoder
        if stored != identity:
            raise self.database.mismatch(f"was made with encoder {stored}, not {identity}")

    def counts(self) -> Counts:
        """Count documents and passages."""
        return Counts(*self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0])

    def state(self, sources: Iterable[str] | None = None) -> dict[str, FileState]:
        """Return the state of each document's file, or of those named that are there."""
        rows = self._named("SELECT source, size, mtime_ns, sha256 FROM documents", sources)
        return {source: FileState(*state) for source, *state in rows}

    def noted(self, sources: Iterable[str] | None = None) -> dict[str, Noted]:
        """Return what was noted of each container and refused file, or of those named.

        The state of a refused article is that of its container.
        """
        if not has_table(self.database, "notes"):
            return {}
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
        """Return the passage ids above ``after`` ``(n,)``, ascending.

        A new passage has a higher id than any before it; no id is used twice.
        """
        return self._ids("SELECT id FROM passages WHERE id > ? ORDER BY id LIMIT ?", after, most)

    def ids_of(self, source: str) -> list[int]:
        """Return the ids of a document's passages in order; none for an unknown source."""
        sql = "SELECT passages.id FROM passages JOIN documents ON documents.id = document_id WHERE source = ? ORDER BY ordinal"
        return [row[0] for row in self._rows(sql, source)]

    def removed(self, *, since: int) -> NDArray[np.int64]:
        """Return the ids ``(n,)`` of the passages that later generations than ``since`` removed, ascending."""
        return self._ids("SELECT id FROM removed WHERE generation > ? ORDER BY id", since)

    def ids_in(self, scope: Scope) -> NDArray[np.int64]:
        """Return the ids ``(n,)`` of the passages of the articles that a scope holds, ascending."""
        dated = "WHERE published BETWEEN ? AND ?" if scope.since or scope.until else ""
        days = [scope.since or date.min.isoformat(), scope.until or date.max.isoformat()] if dated else []
        rows = self._rows(f"SELECT id, source, title FROM documents {dated}", *days)  # noqa: S608
        if any(type(text) is not str for _, *called in rows for text in called):
            raise self.database.damaged("a document is not as it was")
        names = [name.casefold() for name in scope.names]  # here, because SQLite folds the case of ASCII letters only
        held = [i for i, *called in rows if not names or any(name in text.casefold() for text in called for name in names)]
        sql = "SELECT id FROM passages WHERE document_id IN (SELECT value FROM json_each(?)) ORDER BY id"
        return self._ids(sql, json.dumps(held))

    def _ids(self, sql: str, *values: object) -> NDArray[np.int64]:
        return np.array([row[0] for row in self._rows(sql, *values)], dtype=np.int64)

    def vectors(self, ids: Iterable[int]) -> NDArray[np.float32]:
        """Return the vectors of existing passages ``(n, dimension)``, by ascending id."""
        return self._floats([row["vector"] for row in passage_rows(self.database, ids)])

    def _floats(self, blobs: Sequence[bytes]) -> NDArray[np.float32]:
        dimension = self.meta().dimension
        if any(len(blob) != 2 * dimension for blob in blobs):
            raise self.database.damaged("a vector is not as long as it was")
        return np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dimension).astype(np.float32)

    def passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Return passages by id, in the order asked for; ids that are gone are left out."""
        return self._held(ids)[0]

    def passages_and_vectors(self, ids: Sequence[int]) -> tuple[dict[int, Passage], NDArray[np.float32]]:
        """Return passages by id and their vectors ``(n, dimension)``, in the order asked for, without ids that are gone."""
        with self.snapshot():
            passages, blobs = self._held(ids)
            return passages, self._floats(blobs)

    def _held(self, ids: Sequence[int]) -> tuple[dict[int, Passage], list[bytes]]:
        with self.snapshot():
            rows = {row["id"]: row for row in passage_rows(self.database, ids)}
            documents = documents_by_id(self.database, {row["document_id"] for row in rows.values()})
        passages = {i: Passage(documents[rows[i]["document_id"]], *row_place(rows[i])) for i in ids if i in rows}
        return passages, [rows[i]["vector"] for i in passages]

    def embedded(self, source: str) -> tuple[list[Passage], NDArray[np.float32]]:
        """Return a document's passages in order and their vectors ``(n, dimension)``; both empty for an unknown source."""
        with self.snapshot():
            passages, vectors = self.passages_and_vectors(self.ids_of(source))
        return list(passages.values()), vectors

    def known_vectors(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors ``(dimension,)`` of those texts that need no embedding.

        These are the texts that the index holds as passages, and those whose documents were replaced since the last
        :meth:`rag.index.writer.Transaction.forget_spare`.
        """
        blobs: dict[str, bytes] = {}
        for text in texts:
            digest = digest_of(text)
            if held := self._rows("SELECT id FROM passages WHERE digest = ? LIMIT 1", digest):
                blobs[text] = passage_rows(self.database, [held[0]["id"]])[0]["vector"]
            elif spare := spare_vectors(self.database, digest):
                blobs[text] = spare[0]
        return dict(zip(blobs, self._floats(list(blobs.values())), strict=True))

    def has_spare(self) -> bool:
        """Return whether vectors of replaced documents are kept."""
        return bool(self._rows("SELECT EXISTS (SELECT 1 FROM spare)")[0][0])

    def search_text(
        self, terms: Iterable[str], *, top_k: int, among: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Find passages that share a word stem with any term: ids and BM25 scores, larger is better, best first.

        A term is words and never query syntax; a term of several words is a phrase. Where all terms together occur in more
        than ``POSTINGS`` passages, the most common terms are left out; the rarest stays. With ``among``, only the passages
        of these ids are found; how common a term is, is still counted in all passages.
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
        """Return the sources of all documents that hold a term, as :meth:`search_text` understands it, in any passage."""
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


def _quoted(term: str) -> str:
    """Turn a term into words to look for, and never into query syntax."""
    cleaned = term.encode(errors="ignore").decode().replace("\0", " ").replace('"', " ")
    return f'"{cleaned}"'
