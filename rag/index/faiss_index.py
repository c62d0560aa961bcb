"""FAISS indexes of unit vectors by id: an exact one for few vectors, an approximate one for many.

The exact index compares a query with every vector. The approximate one keeps similar vectors in one list, with one byte per
number, and a search reads one list in ``PROBED``: those whose centres are nearest. An index that is read from bytes is of one
of these two kinds, or is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EXACT_UP_TO = 50_000  # vectors; an exact search of this many takes about 7 ms
PROBED = 5  # recall@10 is 0.96 with 100,000 vectors (benchmarks/README.md); one list in 16 gives 0.90, one in 3 gives 0.98
TRAINED_ON = 64  # vectors per list

Index = Any  # FAISS is untyped


def exact(dimension: int) -> Index:
    """Return an empty exact index."""
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def approximate(total: int, sample: NDArray[np.float32]) -> Index:
    """Return an empty approximate index for ``total`` vectors, trained on some of them ``(n, dimension)``."""
    dimension = sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension), dimension, lists(total), faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(sample)
    return index


def is_exact(index: Index) -> bool:
    """Return whether an index is the exact kind."""
    return isinstance(index, faiss.IndexIDMap2)


def lists(total: int) -> int:
    """Return the number of lists for ``total`` vectors: a power of two, about twice the root of ``total``."""
    return int(2 ** round(math.log2(max(1, total)) / 2 + 1))


def suits(index: Index, total: int) -> bool:
    """Return whether an index that is made for ``total`` vectors today would be of this kind, with as many lists."""
    return bool(total <= EXACT_UP_TO if is_exact(index) else total > EXACT_UP_TO and index.nlist == lists(total))


def search(index: Index, query: NDArray[np.float32], top_k: int, *, but: NDArray[np.int64]) -> Iterator[tuple[int, float]]:
    """Yield ids and cosines of at most ``top_k`` vectors that are near to a query ``(1, dimension)``.

    An approximate index leaves out the ids in ``but``; an exact one ignores ``but``, since vectors can be removed from it.
    """
    top_k = min(top_k, index.ntotal)
    if not top_k:
        return
    parameters: Any = None  # FAISS writes into them while it searches, so each search has its own
    if not is_exact(index):
        parameters = faiss.IVFSearchParameters()
        parameters.nprobe = max(1, index.nlist // PROBED)
        if len(but):
            left_out = faiss.IDSelectorBatch(but)
            others = faiss.IDSelectorNot(left_out)
            parameters.sel = others
    cosines, ids = index.search(query, top_k, params=parameters)
    yield from ((int(i), float(c)) for i, c in zip(ids[0], cosines[0], strict=True) if i >= 0 and np.isfinite(c))


def content(index: Index) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Return the ids that an index holds, in its order, and their vectors; no vectors of an approximate index."""
    if is_exact(index):
        return faiss.vector_to_array(index.id_map), index.index.reconstruct_n(0, index.ntotal)
    kept = index.invlists
    held = [faiss.rev_swig_ptr(kept.get_ids(i), kept.list_size(i)) for i in range(kept.nlist)]
    return np.concatenate(held).astype(np.int64), None


def deserialised(payload: NDArray[np.uint8], *, dimension: int, total: int) -> Index:
    """Read an index from bytes.

    :raises ValueError, RuntimeError: it is not of these kinds, this dimension and this size.
    """
    faiss.set_deserialization_vector_byte_limit(len(payload))  # a forged size must not reach the allocator
    faiss.set_deserialization_loop_limit(1_000_000)
    index: Index = faiss.deserialize_index(payload)
    if is_exact(index):
        _require(isinstance(faiss.downcast_index(index.index), faiss.IndexFlatIP))
        held = index.id_map.size(), index.index.ntotal
    else:
        _require(isinstance(index, faiss.IndexIVFScalarQuantizer))
        _require_fitting(index)
        held = index.invlists.compute_ntotal(), index.ntotal
    _require((index.d, index.ntotal, *held) == (dimension, total, total, total))
    return index


def _require_fitting(index: Index) -> None:
    """Refuse an approximate index whose parts are not of the kinds that are made here, or do not fit together."""
    _require(isinstance(faiss.downcast_index(index.quantizer), faiss.IndexFlatIP))
    _require(isinstance(faiss.downcast_InvertedLists(index.invlists), faiss.ArrayInvertedLists))
    _require((index.sq.qtype, index.metric_type) == (faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT))
    _require(index.nlist == index.quantizer.ntotal == index.invlists.nlist)
    _require(index.d == index.quantizer.d == index.sq.d == index.sq.code_size == index.code_size == index.invlists.code_size)
    _require(index.is_trained and index.sq.trained.size() == 2 * index.d)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("another index than was written")
