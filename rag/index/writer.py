"""The index as it is written: by one writer at a time, and only inside a transaction."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from rag.errors import IndexDamaged, IndexMismatch
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.rows import digest_of, document_crc, passage_crc, passage_rows, place_of, spare_crc
from rag.index.schema import FILE, FORMAT
from rag.index.sqlite_file import Database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rag.index.schema import Noted
    from rag.types import Document, Passage


class Writer(Reader):
    """The index open for writing: a reader that sees its own changes, and makes them in a :class:`Transaction`."""

    @classmethod
    def open(cls, folder: Path, *, rebuild: bool = False) -> Self:
        """Open the index in ``folder``, create what is missing, and keep other writers out until closed or killed.

        With ``rebuild`` everything is read first. A sound file keeps its content until it is cleared. A damaged one, or one
        of a newer format, stays where it is: an empty file is begun beside it, and :meth:`publish` puts that in its place.

        :raises IndexMismatch: a newer version made it; one of an older version is brought up to date.
        :raises IndexDamaged: it is not what was written.
        :raises StoreError: it cannot be written, or another writer is at work.
        """
        path = folder / FILE
        return cls._for_rebuild(path) if rebuild else cls(Database.for_writing(path, FORMAT))

    @classmethod
    def _for_rebuild(cls, path: Path) -> Self:
        with suppress(IndexDamaged, IndexMismatch):
            writer = cls(Database.for_writing(path, FORMAT))
            try:
                sound = not check(writer)
            except BaseException:
                writer.close()
                raise
            if sound:
                return writer
            writer.close()
        return cls(Database.for_replacing(path, FORMAT))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit the block as a whole, as a new generation; inside another transaction, join that one."""
        with self.database.transaction() as outermost:
            transaction = Transaction(self)
            try:
                yield transaction
                if outermost:
                    transaction._write("UPDATE meta SET generation = generation + 1")
            finally:
                transaction._ended = True

    def publish(self) -> None:
        """Show readers a file that was begun beside a damaged one; do nothing where there is none."""
        self.database.publish()


class Transaction:
    """Changes that are committed together; :meth:`Writer.transaction` makes it, and it is of no use behind its block."""

    def __init__(self, writer: Writer) -> None:
        """Use :meth:`Writer.transaction`."""
        self._writer = writer
        self._ended = False

    def _write(self, sql: str, *values: object) -> list[Any]:
        if self._ended:
            raise RuntimeError("this transaction has ended; what is to be written needs one of its own")
        return self._writer.database.rows(sql, *values)

    def configure(self, *, encoder: str, folder: str, passage_tokens: int) -> None:
        """Record what the documents are made with from now on."""
        self._write("UPDATE meta SET encoder = ?, folder = ?, passage_tokens = ?", encoder, folder, passage_tokens)

    def clear(self) -> None:
        """Remove all documents and take a new identity; the ids of their passages are not used again."""
        self._write("DELETE FROM removed")
        self._write("DELETE FROM documents")
        self.forget_spare()
        self._write("DELETE FROM notes")
        # The words have no copy of the text (a contentless FTS5 table), so FTS5 has to be told.
        self._write("INSERT INTO words (words) VALUES ('delete-all')")
        # With a new identity, no vector file of before is taken for one of this index.
        self._write("UPDATE meta SET identity = lower(hex(randomblob(16))), dimension = 0")

    def put(
        self, document: Document, passages: Sequence[Passage], vectors: NDArray[np.float32], *, size: int, mtime_ns: int
    ) -> None:
        """Add a document, or replace the one of the same source; ``vectors`` is ``(len(passages), dimension)``.

        The vectors of a replaced document are kept until :meth:`forget_spare`: another document may now hold its words.

        :raises IndexMismatch: the index holds vectors of another dimension.
        """
        dimension = self._writer.meta().dimension
        if dimension not in (0, vectors.shape[1]):
            raise self._writer.database.mismatch(f"holds vectors of {dimension} numbers, not {vectors.shape[1]}")
        self._write("UPDATE meta SET dimension = ?", vectors.shape[1])
        self._keep_spare(document.source)
        self.remove([document.source])
        values = (document.source, document.title, document.published, document.sha256, size, mtime_ns)
        sql = (
            "INSERT INTO documents (source, title, published, sha256, size, mtime_ns, crc, text) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
        )
        document_id = self._write(sql, *values, document_crc(document), document.text)[0][0]
        for passage, vector in zip(passages, vectors.astype("<f2"), strict=True):
            self._put_passage(document_id, passage, vector.tobytes())

    def _put_passage(self, document_id: int, passage: Passage, vector: bytes) -> None:
        place = place_of(passage)
        sql = (
            'INSERT INTO passages (document_id, ordinal, start, "end", heading, crc, vector, digest) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
        )
        passage_id = self._write(sql, document_id, *place, passage_crc(place, vector), vector, digest_of(passage.headed))[0][0]
        self._write("INSERT INTO words (rowid, heading, body) VALUES (?, ?, ?)", passage_id, passage.heading, passage.text)

    def _keep_spare(self, source: str) -> None:
        for row in passage_rows(self._writer.database, self._writer.ids_of(source)):
            if digest := self._write("SELECT digest FROM passages WHERE id = ?", row["id"])[0]["digest"]:
                crc = spare_crc(digest, row["vector"])
                self._write("INSERT OR REPLACE INTO spare VALUES (?, ?, ?)", digest, crc, row["vector"])

    def forget_spare(self) -> None:
        """Delete the vectors that replaced documents left behind."""
        self._write("DELETE FROM spare")

    def remove(self, sources: Iterable[str]) -> None:
        """Remove documents with their passages; unknown sources are passed over."""
        forget = "INSERT INTO words (words, rowid, heading, body) VALUES ('delete', ?, ?, ?)"  # says what the passage held
        note = "INSERT INTO removed SELECT generation + 1, ? FROM meta"
        for source in sources:
            for passage_id, passage in self._writer.passages(self._writer.ids_of(source)).items():
                self._write(forget, passage_id, passage.heading, passage.text)
                self._write(note, passage_id)
            self._write("DELETE FROM documents WHERE source = ?", source)

    def touch(self, source: str, *, mtime_ns: int) -> None:
        """Note that a file has a new modification time and the same bytes."""
        self._write("UPDATE documents SET mtime_ns = ? WHERE source = ?", mtime_ns, source)

    def rename(self, old: str, document: Document, *, size: int, mtime_ns: int) -> None:
        """Return the document at ``old`` the source of ``document``, which is otherwise equal; passages and vectors stay."""
        sql = "UPDATE documents SET source = ?, size = ?, mtime_ns = ?, crc = ? WHERE source = ?"
        self._write(sql, document.source, size, mtime_ns, document_crc(document), old)

    def note(self, source: str, noted: Noted) -> None:
        """Note what became of a file that is no document."""
        self._write("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?)", source, *noted.state, noted.reason)

    def forget(self, sources: Iterable[str]) -> None:
        """Delete what was noted of files; unknown sources are passed over."""
        for source in sources:
            self._write("DELETE FROM notes WHERE source = ?", source)
