"""Exact nearest neighbours over the store's vectors (FAISS), kept in a file that is only ever a copy.

``vectors.faiss`` is a magic line, the SHA-256 of all that follows, a line of JSON, and the serialised index. FAISS itself
neither checks what it reads nor notices a full disk when it writes, so reading and writing are done here.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import faiss
import numpy as np

from rag.errors import IndexMismatch, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.store import Meta, Store

FILE = "vectors.faiss"

_MAGIC = b"footnote-rag vectors 1\n"
_CHUNK = 4096  # vectors read from the store at once


class _Origin(NamedTuple):
    """What vectors were made of; see :class:`rag.store.Meta`."""

    identity: str
    generation: int
    encoder: str
    dimension: int

    def like(self, other: _Origin) -> bool:
        """Say whether ids and vectors mean the same, though some may be new or gone."""
        return self._replace(generation=0) == other._replace(generation=0)


class Vectors:
    """The vectors of one generation of a store. It never changes, so any number of threads may search it.

    FAISS does not allow adding while searching: a reader that finds ``not vectors.is_current(store)`` takes
    ``vectors.refreshed(store)``, a new object, and drops this one.
    """

    def __init__(self, index: Any, made_of: _Origin) -> None:  # noqa: ANN401 - FAISS is untyped
        """Use :meth:`load` or :meth:`write`."""
        self._index = index
        self._made_of = made_of

    @classmethod
    def load(cls, store: Store, folder: Path) -> Self:
        """Give the vectors of ``store`` as of now, from the file in ``folder`` as far as that is of use. Writes nothing."""
        return cls._caught_up(cls._read(folder / FILE), store)

    @classmethod
    def write(cls, store: Store, folder: Path) -> Self:
        """Bring the file in ``folder`` up to ``store``; nothing is written when it is already.

        :raises StoreError: the file cannot be written; the former one is intact, and readers make up for what it lacks.
        """
        held = cls._read(folder / FILE)
        vectors = cls._caught_up(held, store)
        if vectors is not held:
            _publish(folder / FILE, vectors._pieces())
        return vectors

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def is_current(self, store: Store) -> bool:
        """Say whether the store has not changed since."""
        return self._made_of == _origin(store.meta())

    def refreshed(self, store: Store) -> Self:
        """Give the vectors of the store as of now: this object, or one with what is new and without what is gone.

        :raises IndexMismatch: the index has been rebuilt with another encoder.
        """
        with store.snapshot():
            if self.is_current(store):
                return self
            store.require_encoder(self._made_of.encoder)
            return self._caught_up(type(self)(faiss.clone_index(self._index), self._made_of), store)

    @classmethod
    def _caught_up(cls, held: Self | None, store: Store) -> Self:
        """Turn ``held``, or nothing, into the vectors of the store as of now. Nothing is embedded."""
        with store.snapshot():
            if held is not None and held.is_current(store):
                return held
            made_of = _origin(store.meta())
            index = held._index if held is not None and held._made_of.like(made_of) else _empty(made_of.dimension)
            wanted, present = store.ids(), faiss.vector_to_array(index.id_map)
            gone, new = np.setdiff1d(present, wanted), np.setdiff1d(wanted, present)
            if len(gone):
                index.remove_ids(gone)
            for start in range(0, len(new), _CHUNK):
                ids = new[start : start + _CHUNK]
                index.add_with_ids(store.vectors(ids.tolist()), ids)
        return cls(index, made_of)

    def search(self, vector: NDArray[np.float32], top_k: int) -> list[tuple[int, float]]:
        """Find the ``top_k`` passages nearest to a unit vector ``(dimension,)``: ids and cosines, best first.

        :raises IndexMismatch: the vector is of another dimension.
        """
        if vector.shape != (self._index.d,):
            raise IndexMismatch(
                f"the index holds vectors of {self._index.d} numbers, the question's has shape {vector.shape}; "
                "run `rag index FOLDER --rebuild`"
            )
        top_k = min(top_k, len(self))
        if top_k < 1 or not np.isfinite(vector).all():
            return []
        cosines, ids = self._index.search(np.ascontiguousarray(vector[np.newaxis], dtype=np.float32), top_k)
        found = [(int(i), float(c)) for i, c in zip(ids[0], cosines[0], strict=True) if i >= 0 and np.isfinite(c)]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    @classmethod
    def _read(cls, path: Path) -> Self | None:
        """Give what the file holds, or None where it is missing, damaged or not ours: it is only a copy."""
        try:
            content = path.read_bytes()
            body = len(_MAGIC) + 64
            digest = hashlib.sha256(memoryview(content)[body:]).hexdigest()
            if content[:body] != _MAGIC + digest.encode():
                return None
            payload = content.index(b"\n", body) + 1
            header = json.loads(content[body:payload])
            made_of = _Origin(**header["made_of"])
            return cls(_deserialised(np.frombuffer(content, np.uint8, offset=payload), made_of, header["count"]), made_of)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, MemoryError):
            return None

    def _pieces(self) -> list[bytes | memoryview]:
        header = json.dumps({"made_of": self._made_of._asdict(), "count": len(self)}).encode() + b"\n"
        payload = faiss.serialize_index(self._index).data
        digest = hashlib.sha256(header)
        digest.update(payload)
        return [_MAGIC, digest.hexdigest().encode(), header, payload]


def _empty(dimension: int) -> Any:  # noqa: ANN401 - FAISS is untyped
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def _origin(meta: Meta) -> _Origin:
    return _Origin(meta.identity, meta.generation, meta.encoder, meta.dimension)


def _deserialised(payload: NDArray[np.uint8], made_of: _Origin, count: int) -> Any:  # noqa: ANN401 - FAISS is untyped
    """Read an index; ValueError or RuntimeError where it is not the one that the header describes."""
    faiss.set_deserialization_vector_byte_limit(len(payload))  # a forged size must not reach the allocator
    faiss.set_deserialization_loop_limit(1_000_000)
    index = faiss.deserialize_index(payload)
    if not isinstance(index, faiss.IndexIDMap2) or not isinstance(faiss.downcast_index(index.index), faiss.IndexFlatIP):
        raise ValueError("another type of index")
    if (index.d, index.ntotal, index.id_map.size(), index.index.ntotal) != (made_of.dimension, count, count, count):
        raise ValueError("another size")
    return index


def _publish(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Replace a file so that a crash at any moment leaves the old or the new one whole."""
    temporary = path.with_suffix(".tmp")  # one name: the store's lock admits one writer, and the next run reuses a leftover
    try:
        with temporary.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written ({error}); free some space and run `rag index` again") from error
