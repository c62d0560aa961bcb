"""Nearest neighbours among the store's vectors (FAISS), in a file that is only ever a copy of them.

``vectors.faiss`` is a magic line, the SHA-256 of all that follows, a line of JSON, and the serialised index. FAISS itself
neither checks what it reads nor notices a full disk when it writes, so reading and writing are done here.

The file is written again only when more than a certain share of it has changed (``STALE``), so that an update costs what
changed and not what exists. Until then a reader keeps the new vectors beside it and skips those that are gone.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import faiss
import numpy as np

from rag.errors import IndexMismatch, StoreError
from rag.index import faiss_index
from rag.index.sqlite_file import replace_durably

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.index.faiss_index import Index
    from rag.index.reader import Reader

FILE = "vectors.faiss"
STALE = 1 / 50  # of the vectors in the file; with a million, a reader fetches up to 20,000 when it opens, which takes a second

CLOSER = 4  # times ``top_k`` are found by one byte per number, which may rank one too low, and then compared exactly

_MAGIC = b"footnote-rag vectors 2\n"
_CHUNK = 4096  # vectors read from the store at once
_LONGEST_HEADER = 65536


class _Origin(NamedTuple):
    """The state of the store that vectors were made from; see :class:`rag.index.schema.Meta`."""

    identity: str
    generation: int
    encoder: str
    dimension: int

    def like(self, other: _Origin) -> bool:
        """Return whether ids and vectors have the same meaning in both states, though some may be new or gone."""
        return self._replace(generation=0) == other._replace(generation=0)


class _Header(NamedTuple):
    """What a file says of itself; ``last`` is its highest id, ``size`` is the bytes of the serialised index."""

    made_of: _Origin
    total: int
    last: int
    size: int

    def serves(self, store: _Origin) -> bool:
        """Return whether these vectors become the store's own by what it has added and removed since."""
        return self.made_of.like(store) and self.made_of.generation <= store.generation


class _Changes(NamedTuple):
    """The ids of passages that are new or gone since some generation."""

    new: NDArray[np.int64]
    gone: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one generation of a store. It never changes, so any number of threads may search it.

    A reader that finds ``not vectors.is_current(store)`` takes ``vectors.refreshed(store)``, a new object, and drops this one.
    ``_header`` describes ``_main``. Where ``_main`` is approximate, both objects share it: ``_recent`` holds the vectors that
    came since, with higher ids, and ``_gone`` the ids of ``_main`` that were removed. An exact ``_main`` is copied and changed.
    """

    _path: Path
    _made_of: _Origin
    _header: _Header
    _main: Index
    _recent: Index
    _gone: NDArray[np.int64]

    @classmethod
    def load(cls, store: Reader, folder: Path) -> Self:
        """Return the vectors of ``store`` as of now, from the file in ``folder`` as far as that is of use.

        Nothing is written and nothing is trained: the vectors that are not in the file are searched exactly.
        """
        path = folder / FILE
        held = _read(path)  # before the snapshot, so that the file is not newer
        with store.snapshot():
            made_of = _origin(store)
            if held and held[1].serves(made_of):
                main, header = held
            else:
                ids = store.ids()
                main = _with(faiss_index.exact(made_of.dimension), store, ids)
                header = _Header(made_of, len(ids), int(ids.max(initial=0)), 0)
            recent, gone = faiss_index.exact(main.d), np.empty(0, np.int64)
            return cls(path, header.made_of, header, main, recent, gone).refreshed(store)

    @staticmethod
    def write(store: Reader, folder: Path) -> None:
        """Bring the file in ``folder`` up to date with ``store``, unless so little has changed that readers make up for it.

        :raises StoreError: the file cannot be written; the former one is intact, and readers make up for what it lacks.
        """
        path = folder / FILE
        with store.snapshot():
            made_of = _origin(store)
            header = _read_header(path)
            if header and header.serves(made_of):
                changes = _changes(store, header)
                if len(changes.new) + len(changes.gone) <= header.total * STALE:
                    return
            total, held = store.counts().passages, _read(path)
            if held and held[1].serves(made_of) and faiss_index.suits(held[0], total):
                changes = _changes(store, held[1])
                main = _with(_without(held[0], changes.gone), store, changes.new)
            else:
                main = _made(store, made_of.dimension)
            pieces = _pieces(main, made_of, last=int(store.ids().max(initial=0)))
        _publish(path, pieces)

    @classmethod
    def problem(cls, store: Reader, folder: Path) -> str:
        """Compare the file in ``folder`` with the store; return what is wrong and what mends it, empty when nothing is."""
        path, held = folder / FILE, _read(folder / FILE)
        with store.snapshot():
            if held is None or not held[1].serves(_origin(store)):
                what = "is damaged or of another state of the index; delete it and" if path.exists() else "is missing;"
                return f"{path} {what} run `rag index FOLDER --index {folder}`, until then each start makes up for it"
            vectors = cls.load(store, folder)
            if not vectors._is_of(store):
                return f"{path} does not hold the index's vectors; run `rag index FOLDER --rebuild --index {folder}`"
        return ""

    def _is_of(self, store: Reader) -> bool:
        """Return whether these are the passages of the store; where the vectors are kept exactly, compare them too."""
        ids, vectors = faiss_index.content(self._main)
        held = np.union1d(np.setdiff1d(ids, self._gone), faiss_index.content(self._recent)[0])
        if not np.array_equal(held, store.ids()):
            return False
        order = np.argsort(ids)
        return vectors is None or all(
            np.array_equal(vectors[chunk], store.vectors(ids[chunk].tolist()))
            for chunk in (order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK))
        )

    def __len__(self) -> int:
        return int(self._main.ntotal) - len(self._gone) + int(self._recent.ntotal)

    def is_current(self, store: Reader) -> bool:
        """Return whether the store has not changed since."""
        return self._made_of == _origin(store)

    def refreshed(self, store: Reader) -> Self:
        """Return the vectors of the store as of now: this object, or one with what is new and without what is gone.

        :raises IndexMismatch: the index has been rebuilt with another encoder.
        """
        with store.snapshot():
            made_of = _origin(store)
            if self._made_of == made_of:
                return self
            store.require_encoder(self._made_of.encoder)
            if not self._made_of.like(made_of) or self._is_outdone(made_of):
                return self.load(store, self._path.parent)
            before = self._header.last
            last = max(before, int(faiss.vector_to_array(self._recent.id_map).max(initial=0)))
            new, gone = _changes(store, self._header._replace(made_of=self._made_of, last=last))
            if faiss_index.is_exact(self._main):
                main = _with(_without(faiss.clone_index(self._main), gone), store, new)
                header = self._header._replace(made_of=made_of, total=main.ntotal, last=int(new.max(initial=before)))
                return replace(self, _made_of=made_of, _header=header, _main=main)
            recent = _with(_without(faiss.clone_index(self._recent), gone[gone > before]), store, new)
            return replace(self, _made_of=made_of, _recent=recent, _gone=np.union1d(self._gone, gone[gone <= before]))

    def _is_outdone(self, made_of: _Origin) -> bool:
        """Return whether the file has been written since, and is worth reading again."""
        beside = self._recent.ntotal + len(self._gone)
        if beside <= self._main.ntotal * STALE and faiss_index.suits(self._main, len(self)):
            return False
        header = _read_header(self._path)
        return bool(header and header.serves(made_of) and header.made_of.generation > self._header.made_of.generation)

    def search(self, vector: NDArray[np.float32], top_k: int) -> list[tuple[int, float]]:
        """Find the ``top_k`` passages nearest to a unit vector ``(dimension,)``: ids and cosines, best first.

        :raises IndexMismatch: the vector is of another dimension.
        """
        if not self._can_compare(vector) or top_k < 1:
            return []
        query = _query(vector)
        parts = (self._main, self._recent)
        return _best((pair for part in parts for pair in faiss_index.search(part, query, top_k, but=self._gone)), top_k)

    def search_among(
        self, store: Reader, ids: NDArray[np.int64], vector: NDArray[np.float32], top_k: int
    ) -> list[tuple[int, float]]:
        """Find what :meth:`search` would find if the store held only the passages ``ids`` ``(n,)``, and compare exactly.

        ``ids`` are ascending, and the store holds them all; it must not have changed since these vectors were made.

        :raises IndexMismatch: the vector is of another dimension.
        """
        if not self._can_compare(vector) or top_k < 1 or not len(ids):
            return []
        query, is_exact = _query(vector), faiss_index.is_exact(self._main)
        number = top_k if is_exact else CLOSER * top_k
        found = _best((pair for part in (self._main, self._recent) for pair in _among(part, ids, query, number)), number)
        if is_exact:
            return found
        closer = _with(faiss_index.exact(self._main.d), store, np.sort(np.array([i for i, _ in found], dtype=np.int64)))
        return _best(faiss_index.search(closer, query, top_k, but=self._gone), top_k)

    def _can_compare(self, vector: NDArray[np.float32]) -> bool:
        """Return whether all numbers of a vector are finite; refuse a vector of another dimension."""
        if vector.shape != (self._main.d,):
            raise IndexMismatch(
                f"the index holds vectors of {self._main.d} numbers, the question's has shape {vector.shape}; "
                "run `rag index FOLDER --rebuild`"
            )
        return bool(np.isfinite(vector).all())


def _query(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(vector[np.newaxis], dtype=np.float32)


def _best(found: Iterable[tuple[int, float]], top_k: int) -> list[tuple[int, float]]:
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:top_k]


def _among(index: Index, ids: NDArray[np.int64], query: NDArray[np.float32], top_k: int) -> Iterator[tuple[int, float]]:
    """Yield ids and cosines of the ``top_k`` among the vectors ``ids`` that are nearest to a query ``(1, dimension)``.

    Every list of an approximate index is read, because these vectors may lie in any.
    """
    bits = np.zeros(int(ids[-1]) + 1, dtype=np.bool_)
    bits[ids] = True
    packed = np.packbits(bits, bitorder="little")  # it and the selector need a name here: FAISS does not keep them alive
    wanted = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
    parameters: Any = faiss.SearchParameters() if faiss_index.is_exact(index) else faiss.IVFSearchParameters()
    parameters.sel = wanted
    if not faiss_index.is_exact(index):
        parameters.nprobe = index.nlist
    cosines, found = index.search(query, min(top_k, len(ids)), params=parameters)
    yield from ((int(i), float(c)) for i, c in zip(found[0], cosines[0], strict=True) if i >= 0 and np.isfinite(c))


def _origin(store: Reader) -> _Origin:
    meta = store.meta()
    return _Origin(meta.identity, meta.generation, meta.encoder, meta.dimension)


def _changes(store: Reader, since: _Header) -> _Changes:
    return _Changes(store.ids(after=since.last), store.removed(since=since.made_of.generation))


def _made(store: Reader, dimension: int) -> Index:
    """Return a new index of all passages."""
    ids = store.ids()
    if len(ids) <= faiss_index.EXACT_UP_TO:
        return _with(faiss_index.exact(dimension), store, ids)
    number = min(len(ids), faiss_index.lists(len(ids)) * faiss_index.TRAINED_ON)
    sample = np.random.default_rng(0).choice(ids, number, replace=False)
    return _with(faiss_index.approximate(len(ids), store.vectors(sample.tolist())), store, ids)


def _with(index: Index, store: Reader, ids: NDArray[np.int64]) -> Index:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        index.add_with_ids(store.vectors(chunk.tolist()), chunk)
    return index


def _without(index: Index, ids: NDArray[np.int64]) -> Index:
    if len(ids):
        index.remove_ids(ids)
    return index


def _read_header(path: Path) -> _Header | None:
    """Return what the file says of itself, without a look at its content; None where it is missing, cut or not ours."""
    try:
        with path.open("rb") as file:
            magic, line = file.read(len(_MAGIC) + 64), file.readline(_LONGEST_HEADER)
            header = _parsed(line)
            whole = magic.startswith(_MAGIC) and file.tell() + header.size == os.fstat(file.fileno()).st_size
            return header if whole else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _parsed(line: bytes) -> _Header:
    values = json.loads(line)
    header = _Header(**{**values, "made_of": _Origin(**values["made_of"])})
    if not all(isinstance(number, int) for number in (*header[1:], header.made_of.generation, header.made_of.dimension)):
        raise TypeError("not a number")
    return header


def _read(path: Path) -> tuple[Index, _Header] | None:
    """Return what the file holds; None where it is missing, damaged or not ours, which does no harm: it is only a copy."""
    try:
        content = path.read_bytes()
        body = len(_MAGIC) + 64
        digest = hashlib.sha256(memoryview(content)[body:]).hexdigest()
        if content[:body] != _MAGIC + digest.encode():
            return None
        payload = content.index(b"\n", body) + 1
        header = _parsed(content[body:payload])
        serialised = np.frombuffer(content, np.uint8, offset=payload)
        return faiss_index.deserialised(serialised, dimension=header.made_of.dimension, total=header.total), header
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, MemoryError):
        return None


def _pieces(index: Index, made_of: _Origin, *, last: int) -> list[bytes | memoryview]:
    payload = faiss.serialize_index(index).data
    header = {"made_of": made_of._asdict(), "total": index.ntotal, "last": last, "size": len(payload)}
    line = json.dumps(header).encode() + b"\n"
    digest = hashlib.sha256(line)
    digest.update(payload)
    return [_MAGIC, digest.hexdigest().encode(), line, payload]


def _publish(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Replace a file so that a crash at any moment leaves the old one or the new one, whole."""
    temporary = path.with_suffix(".tmp")  # always the same: there is one writer at a time, and a leftover is overwritten
    try:
        with temporary.open("wb") as file:
            file.writelines(pieces)
        replace_durably(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written ({error}); free some space and run `rag index` again") from error
