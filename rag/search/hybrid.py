"""A question becomes passages: search by vectors and by words, fused by rank, each wording once (``rag.search.copies``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.index.vector_file import Vectors
from rag.search.copies import collapse
from rag.text.words import content_words
from rag.types import EVERYTHING, Hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rag.index.reader import Reader
    from rag.protocols import Encoder
    from rag.types import Scope

CANDIDATES = 50  # hits that each search contributes; deeper lists change no fused rank that is read
RRF_K = 60  # as in Cormack, Clarke and Büttcher 2009
DEEPEST = 3200  # hits of each search at most, where copies fill the lists: 100 copies of an article have some 800 passages


class HybridRetriever:
    """A :class:`rag.protocols.Retriever` over an open store; follows what is committed while it is open."""

    def __init__(self, store: Reader, folder: Path, encoder: Encoder) -> None:
        """Load the vectors of the index in ``folder``.

        :raises IndexMismatch: another encoder made the index.
        """
        store.require_encoder(encoder.identity)
        self._store = store
        self._encoder = encoder
        self._vectors = Vectors.load(store, folder)

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """Return at most ``top_k`` hits from the articles of the scope, best first, from one committed state of the index.

        Where copies fill the lists, they are made longer until the hits are enough.
        """
        vector = self._encoder.encode([question])[0]
        with self._store.snapshot():
            self._vectors = self._vectors.refreshed(self._store)
            among = None if scope.is_everything else self._store.ids_in(scope)
            available = len(self._vectors) if among is None else len(among)
            depth = max(CANDIDATES, top_k)
            hits = collapse(self._candidates(question, vector, depth, among))
            while len(hits) < top_k and any(hit.copies for hit in hits) and depth < min(DEEPEST, available):
                depth *= 4
                hits = collapse(self._candidates(question, vector, depth, among))
        return hits[:top_k]

    def _candidates(self, question: str, vector: NDArray[np.float32], depth: int, among: NDArray[np.int64] | None) -> list[Hit]:
        """Return the best ``depth`` hits, of lists as long; only those ``among`` the ids, if any are given."""
        if among is None:
            dense = self._vectors.search(vector, depth)
        else:
            dense = self._vectors.search_among(self._store, among, vector, depth)
        lexical = self._store.search_text(content_words(question), top_k=depth, among=among)
        fused = reciprocal_rank_fusion([[i for i, _ in dense], [i for i, _ in lexical]])
        best = sorted(fused, key=lambda i: (-fused[i], i))[:depth]
        passages, vectors = self._store.passages_and_vectors(best)
        cosines = dict(zip(passages, (vectors @ vector).tolist(), strict=True))
        bm25 = dict(lexical)
        dense_ranks, bm25_ranks = ({i: rank for rank, (i, _) in enumerate(found, start=1)} for found in (dense, lexical))
        return [
            Hit(
                passages[i],
                0,
                fused[i],
                cosines[i],
                bm25.get(i, 0.0),
                dense_rank=dense_ranks.get(i),
                bm25_rank=bm25_ranks.get(i),
            )
            for i in best
        ]


def reciprocal_rank_fusion(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """Sum ``1 / (RRF_K + rank)`` over the rankings that hold an id."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (RRF_K + rank)
    return scores
