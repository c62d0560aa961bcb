"""A question to passages: dense and lexical search, fused by rank, near-identical passages collapsed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rag.terms import NEGATIONS, content_terms, content_words, names, numbers, words
from rag.types import Hit
from rag.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rag.store import Store
    from rag.types import Encoder

CANDIDATES = 50  # of each search; deeper lists change no fused rank that is read
RRF_K = 60  # Cormack, Clarke and Büttcher 2009
SAME_WORDS = 0.8  # of two passages' content words, with equal numbers and names: one is a copy of the other


class HybridRetriever:
    """A :class:`rag.types.Retriever` over an open store; follows what is committed while it is open."""

    def __init__(self, store: Store, folder: Path, encoder: Encoder) -> None:
        """Load the vectors of the index in ``folder``.

        :raises IndexMismatch: another encoder made the index.
        """
        store.require_encoder(encoder.identity)
        self._store = store
        self._encoder = encoder
        self._vectors = Vectors.load(store, folder)

    def retrieve(self, question: str, *, top_k: int) -> list[Hit]:
        """Give at most ``top_k`` hits, best first, from one committed state of the index."""
        vector = self._encoder.encode([question])[0]
        with self._store.snapshot():
            self._vectors = self._vectors.refreshed(self._store)
            dense = self._vectors.search(vector, CANDIDATES)
            lexical = self._store.search_text(content_words(question), top_k=CANDIDATES)
            fused = reciprocal_rank_fusion([[i for i, _ in dense], [i for i, _ in lexical]])
            best = sorted(fused, key=lambda i: (-fused[i], i))[:CANDIDATES]
            passages = self._store.passages(best)
            cosines = self._cosines(vector, best)
        bm25 = dict(lexical)
        dense_ranks, bm25_ranks = ({i: rank for rank, (i, _) in enumerate(found, start=1)} for found in (dense, lexical))
        hits = [
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
        return collapse(hits)[:top_k]

    def _cosines(self, vector: NDArray[np.float32], ids: Sequence[int]) -> Mapping[int, float]:
        return dict(zip(sorted(ids), (self._store.vectors(ids) @ vector).tolist(), strict=True)) if ids else {}


def reciprocal_rank_fusion(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """Sum ``1 / (RRF_K + rank)`` over the rankings that hold an id."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (RRF_K + rank)
    return scores


def collapse(hits: Sequence[Hit]) -> list[Hit]:
    """Keep the best of passages that say the same in nearly the same words, the others as its copies; number the ranks."""
    kept: list[Hit] = []
    seen: list[tuple[frozenset[str], frozenset[str]]] = []
    for hit in hits:
        terms, facts = content_terms(hit.passage.text), _facts(hit.passage.text)
        for i, (other_terms, other_facts) in enumerate(seen):
            if facts == other_facts and len(terms & other_terms) >= SAME_WORDS * max(1, len(terms | other_terms)):
                kept[i] = replace(kept[i], copies=(*kept[i].copies, hit.passage))
                break
        else:
            kept.append(hit)
            seen.append((terms, facts))
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]


def _facts(text: str) -> frozenset[str]:
    """Give what must be equal in a copy: numbers, names, and whether something is denied."""
    return numbers(text) | names(text) | NEGATIONS.intersection(words(text))
