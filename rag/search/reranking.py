"""Puts hits into a better order: those in which an answer is found come first.

What the finder says is one more ranking, fused by reciprocal rank with the order of the hits. It counts for half, because the
finder was trained on encyclopedias, and on other kinds of text it is less reliable than the searches (``benchmarks/``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rag.search.hybrid import RRF_K, HybridRetriever
from rag.search.question_time import DatedRetriever
from rag.types import EVERYTHING

if TYPE_CHECKING:
    from pathlib import Path

    from rag.index.reader import Reader
    from rag.protocols import Encoder, Finder, Retriever
    from rag.types import Hit, Scope

READ = 20  # hits that the finder looks at, about 15 ms each; from further down few could rise among the eight that are read
# The weight of the finder's ranking. At 1, multi-hop questions about news lose 2 hits in a hundred among the first four.
WEIGHT = 0.5


def retriever_over(store: Reader, folder: Path, encoder: Encoder, finder: Finder | None) -> Retriever:
    """Search an open index in every way there is; without a ``finder`` the hits stay as the searches rank them."""
    retriever = DatedRetriever(HybridRetriever(store, folder, encoder))
    return RerankingRetriever(retriever, finder) if finder else retriever


class RerankingRetriever:
    """A :class:`rag.protocols.Retriever` over another, with a finder."""

    def __init__(self, retriever: Retriever, finder: Finder) -> None:
        self._retriever = retriever
        self._finder = finder

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """Return at most ``top_k`` hits from the articles of the scope, best first, each with what was found in it."""
        hits = self._retriever.retrieve(question, top_k=max(READ, top_k), scope=scope)
        found = self._finder.find(question, [hit.passage.headed for hit in hits])
        places = sorted(range(len(hits)), key=lambda i: -found[i].probability)
        scores = {i: 1 / (RRF_K + hits[i].rank) + WEIGHT / (RRF_K + place) for place, i in enumerate(places, start=1)}
        order = sorted(scores, key=lambda i: (-scores[i], hits[i].rank))[:top_k]
        return [replace(hits[i], rank=rank, score=scores[i], found=found[i]) for rank, i in enumerate(order, start=1)]
