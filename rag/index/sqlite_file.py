"""One SQLite file, opened so that reading changes nothing, one writer works at a time, and every error is a ``StoreError``.

Between runs the file is in rollback mode, so that reading needs no side file and creates none. While a writer is at work it is
in WAL mode, so that readers go on with the last committed state. ``synchronous=FULL`` lets a committed batch survive a power
cut; one fsync per batch costs nothing beside its embedding. This module does not know what the tables hold.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_SECONDS = 1.0  # how long a second writer waits for the first
BUSY_SECONDS = 30.0  # how long a writer waits for readers, which hold the file for milliseconds

_SIDE_FILES = ("-wal", "-shm", "-journal")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # our SQL is fixed: ERROR is a foreign schema


@dataclass(frozen=True, slots=True)
class Format:
    """What the file must be: SQLite's ``application_id``, and the statements that make an empty file of today's version.

    Each of ``upgrades`` turns a file of one version (``user_version``, the first is 1) into one of the next.
    """

    application_id: int
    schema: tuple[str, ...]
    upgrades: tuple[tuple[str, ...], ...] = ()

    @property
    def version(self) -> int:
        """The version that is read and written."""
        return len(self.upgrades) + 1


class Database:
    """The open file. Several threads may use one object: they take turns."""

    def __init__(
        self,
        path: Path,
        form: Format,
        connection: sqlite3.Connection,
        *,
        writer_lock: FileLock | None = None,
        beside: Path | None = None,
        opened: tuple[int, int] | None = None,
    ) -> None:
        """Use :meth:`for_reading`, :meth:`for_writing` or :meth:`for_replacing`."""
        self.path = path
        self._form = form
        self._connection = connection
        self._writer_lock = writer_lock
        self._beside = beside
        self._turn = threading.RLock()
        self._opened = opened

    @classmethod
    def for_reading(cls, path: Path, form: Format) -> Self:
        """Open what is there.

        :raises IndexMissing: nothing is, or an empty file.
        :raises IndexMismatch: a newer version made it.
        :raises IndexDamaged: it is not what was written.
        :raises StoreError: it cannot be read.
        """
        with _translated(path):
            opened = _identity(path)  # before, so that a file put there meanwhile is opened again and not missed
            return cls(path, form, _connect_for_reading(path, form), opened=opened)

    @classmethod
    def for_writing(cls, path: Path, form: Format) -> Self:
        """Open or create, and keep other writers out until closed or killed.

        :raises IndexMismatch: a newer version made it.
        :raises IndexDamaged: it is not what was written.
        :raises StoreError: it cannot be written, or another writer is at work.
        """
        with _writer_locked(path) as lock:
            return cls(path, form, _connect_for_writing(path, form), writer_lock=lock)

    @classmethod
    def for_replacing(cls, path: Path, form: Format) -> Self:
        """Begin an empty file beside ``path``, whatever that is, and keep other writers out; :meth:`publish` puts it there.

        :raises StoreError: it cannot be written, or another writer is at work.
        """
        with _writer_locked(path) as lock:
            beside = _beside(path)
            return cls(path, form, _connect_for_writing(beside, form), writer_lock=lock, beside=beside)

    def publish(self) -> None:
        """Put a file that was begun beside in its place. A kill leaves the old file or the new one there, whole."""
        with self._turn, _translated(self.path):
            if self._beside is None:
                return
            self._connection.execute("PRAGMA journal_mode = DELETE")  # no part of it is in a side file any more
            self._connection.close()
            for suffix in _SIDE_FILES:  # of the old one; they would be taken for the new one's
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            replace_durably(self._beside, self.path)
            self._beside = None
            self._connection = _connect_for_writing(self.path, self._form)

    def close(self) -> None:
        """Close the file. A writer leaves it in rollback mode, unless readers have it open; then the next writer will."""
        with self._turn:
            if self._writer_lock is not None:
                with suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA busy_timeout = 0")
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
            if self._beside is not None:
                with suppress(OSError):
                    _discard(self._beside)
            if self._writer_lock is not None:
                self._writer_lock.release()

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Run one statement and return all its rows."""
        with self._turn, _translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one committed state throughout the block; other threads wait."""
        with self._turn:
            if self._connection.in_transaction:
                yield
                return
            self._follow()
            self.rows("BEGIN")
            try:
                yield
            finally:
                self._roll_back()

    def _follow(self) -> None:
        """Open the new file, where a rebuild has replaced the one that is open for reading."""
        there = _identity(self.path)
        if self._writer_lock is None and there not in (None, self._opened):
            with _translated(self.path):
                connection = _connect_for_reading(self.path, self._form)
            self._connection.close()
            self._connection, self._opened = connection, there

    @contextmanager
    def transaction(self) -> Iterator[bool]:
        """Commit the block as a whole; inside another transaction (the value is False then), join that one."""
        with self._turn:
            if self._connection.in_transaction:
                yield False
                return
            self.rows("BEGIN IMMEDIATE")
            try:
                yield True
                self.rows("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite may have done so itself, as on a full disk
            self._connection.execute("ROLLBACK")

    def damaged(self, what: str) -> IndexDamaged:
        """Return the error that says that ``what`` is not as it was written."""
        return _damaged(self.path, what)

    def mismatch(self, what: str) -> IndexMismatch:
        """Return the error that says of the index what does not fit, ``what``."""
        folder = self.path.parent
        return IndexMismatch(f"the index in {folder} {what}; run `rag index FOLDER --rebuild --index {folder}`")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into a ``StoreError`` of one line."""
    try:
        yield
    except UnicodeDecodeError as error:  # from SQLite's own message about broken text
        raise _damaged(path, str(error)) from error
    except sqlite3.Error as error:
        code = _primary_code(error)
        if code in _DAMAGE or "decode" in str(error):  # broken UTF-8 has no code
            raise _damaged(path, str(error)) from error
        if code == sqlite3.SQLITE_BUSY:
            raise StoreError(f"{path} is in use by another program; try again when that is done") from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreError(f"the disk is full: {path} cannot grow; free some space and run the command again") from error
        raise StoreError(f"{path} cannot be used ({error}); check the disk and the permissions of {path.parent}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used ({error}); check the permissions of {path.parent}") from error


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _damaged(path: Path, what: str) -> IndexDamaged:
    return IndexDamaged(f"{path} is damaged ({what}); run `rag index FOLDER --rebuild --index {path.parent}`")


@contextmanager
def _closing_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    with _closing_on_error(connection):
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # a check works where nothing can be written
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # SQLite opens a file when it is first read
    return connection


def _connect_for_reading(path: Path, form: Format) -> sqlite3.Connection:
    if not path.exists():
        raise IndexMissing(f"no index in {path.parent}; run `rag index FOLDER --index {path.parent}`")
    connection = _connect_read_only(path)
    with _closing_on_error(connection):
        if not _version(connection, path, form):
            raise IndexMissing(f"the index in {path.parent} is empty; run `rag index FOLDER --index {path.parent}`")
    return connection


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    try:
        return _connect(f"{uri}?mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:  # a writer was killed while it changed the mode
            _connect(f"{uri}?mode=rw").close()
            return _connect(f"{uri}?mode=ro")
        takes_no_files = error.sqlite_errorcode in (sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_CANTOPEN)
        if takes_no_files and not _size(Path(f"{path}-wal")):
            # in WAL mode in a read-only folder, as in a copy of a folder in use: nothing to replay, and nobody can write
            return _connect(f"{uri}?immutable=1")
        raise


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _connect_for_writing(path: Path, form: Format) -> sqlite3.Connection:
    with _translated(path):
        connection = _connect(path.resolve().as_uri())
        with _closing_on_error(connection):
            version = _version(connection, path, form)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if version < form.version:
                connection.execute("BEGIN IMMEDIATE")
                for statement in chain.from_iterable(form.upgrades[version - 1 :]) if version else form.schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {form.application_id}")
                connection.execute(f"PRAGMA user_version = {form.version}")
                connection.execute("COMMIT")
    return connection


def _version(connection: sqlite3.Connection, path: Path, form: Format) -> int:
    """Return the version of the file's tables, 0 where there are none at all."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application_id != form.application_id or version < 1:
        raise _damaged(path, "not an index of this program")
    if version > form.version:
        raise IndexMismatch(
            f"the index in {path.parent} was made by a newer version (format {version}, this one reads {form.version}); "
            f"update footnote-rag, or run `rag index FOLDER --rebuild --index {path.parent}`"
        )
    return version


@contextmanager
def _writer_locked(path: Path) -> Iterator[FileLock]:
    """Take the writer's lock, kept unless the block fails, and remove what a killed rebuild left behind.

    The operating system frees the lock of a process that is killed.
    """
    with _translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS, thread_local=False)  # any thread may close the file
        try:
            lock.acquire()
        except Timeout:
            raise StoreError(f"another `rag index` is writing {path.parent}; wait for it to end and try again") from None
        try:
            _discard(_beside(path))
            yield lock
        except BaseException:
            lock.release()
            raise


def _beside(path: Path) -> Path:
    return path.with_suffix(".new")


def _discard(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def replace_durably(written: Path, path: Path) -> None:
    """Put a file in the place of another; a crash or a power cut at any moment leaves the old one or the new one, whole."""
    with written.open("r+b") as file:
        os.fsync(file.fileno())
    written.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
