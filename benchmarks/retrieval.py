"""Measure retrieval by itself: how passages are cut, headed and fused -> tables of how often one with the answer is found.

usage: retrieval.py BENCH_FOLDER WORK_FOLDER

No generator and no checker. Each way of cutting has an index of its own in WORK_FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from quality import ROOT, found_at
from tables import table

from rag.config import load_config
from rag.evaluate.gold import Question, load_questions
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.models.cache import ensure
from rag.models.encoder import SentenceEncoder
from rag.search.hybrid import HybridRetriever
from rag.types import Hit, Passage

SETS = ("seeds", "nq_open", "squad2", "clapnq", "multihoprag_abridged")
TOKENS = (96, 160, 224)
DEPTHS = (1, 4, 8)
RRF_KS = (5, 20, 60)
PLAIN = property(lambda passage: passage.text)


def hits_of(
    name: str, bench: Path, index: Path, encoder: SentenceEncoder, tokens: int, *, headed: bool
) -> list[tuple[Question, list[Hit]]]:
    """Index a set in one way and give its answerable questions with fifty hits each."""
    own = name == "seeds"
    articles = ROOT / "seeds" if own else bench / name / "articles"
    questions = load_questions(ROOT / "tests/data/questions.jsonl" if own else bench / name / "questions.jsonl")
    with nullcontext() if headed else mock.patch.object(Passage, "headed", PLAIN):
        index_folder(articles, store_folder=index, encoder=encoder, count_tokens=encoder.count_tokens, passage_tokens=tokens)
    with Reader.open(index) as store:
        retriever = HybridRetriever(store, index, encoder)
        return [(q, retriever.retrieve(q.question, top_k=50)) for q in questions if q.answerable and q.evidence]


def shares(asked: Sequence[tuple[Question, list[Hit]]], rank: str = "rank") -> str:
    """Return how often a passage with the answer is among the best, at each depth."""
    return " / ".join(f"{np.mean([found_at(hits, q, depth, rank) for q, hits in asked]):.2f}" for depth in DEPTHS)


def fused_with(hits: Sequence[Hit], k: int) -> list[Hit]:
    """Fuse the two rankings anew with another constant."""

    def score(hit: Hit) -> float:
        return sum(1 / (k + rank) for rank in (hit.dense_rank, hit.bm25_rank) if rank)

    return [replace(hit, rank=rank) for rank, hit in enumerate(sorted(hits, key=score, reverse=True), start=1)]


def main(bench: Path, work: Path) -> None:
    """Print the tables."""
    encoder = SentenceEncoder(ensure(load_config().encoder, "encoder"))
    rows = []
    for tokens, headed in ((160, False), *((tokens, True) for tokens in TOKENS)):
        kept = {
            name: hits_of(name, bench, work / f"{name}-{tokens}{'' if headed else '-plain'}", encoder, tokens, headed=headed)
            for name in SETS
        }
        way = f"{tokens} tokens{'' if headed else ', without the title in the vector'}"
        if headed and tokens == load_config().passage_tokens:
            for rank, search in (("dense_rank", "by meaning alone"), ("bm25_rank", "by words alone")):
                rows.append([f"{way}, {search}", *(shares(asked, rank) for asked in kept.values())])
            for k in RRF_KS:
                anew = ([(q, fused_with(hits, k)) for q, hits in asked] for asked in kept.values())
                rows.append([f"{way}, fused with k = {k}", *map(shares, anew)])
        else:
            rows.append([f"{way}, fused", *map(shares, kept.values())])
    print(f"A passage with the answer among the best {', '.join(map(str, DEPTHS))}\n")
    table(["passages", *SETS], rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
