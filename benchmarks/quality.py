"""Measure the whole product on sets of questions: figures with intervals, what the checker adds, attacks -> a page of tables.

usage: quality.py BENCH_FOLDER WORK_FOLDER [--sets A,B] [--limit N] [--generators A,B]

BENCH_FOLDER has a folder a set, with articles/*.txt and questions.jsonl in the format of `rag eval`; the seeds are measured
too, and --generators answer some questions of the seeds, of nq_open and of squad2 beside the configured one. Indexes, drafts
and answers are kept in WORK_FOLDER: a second run indexes nothing and writes no draft again. The page goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from attacks import attacks, poison
from parts import Parts, asked, loaded, sets_of, short
from tables import table

from rag.answer import refusal
from rag.evaluate.figures import MEANINGS, Outcome, measure
from rag.evaluate.gold import Question, load_questions
from rag.evaluate.measures import holds, overlap
from rag.index.reader import Reader
from rag.models.cache import ensure
from rag.models.generator import CausalGenerator
from rag.models.trained import probe_weights
from rag.search.hybrid import HybridRetriever
from rag.search.reranking import READ, RerankingRetriever
from rag.types import Hit

ROOT = Path(__file__).parent.parent
SHOWN = ("answer_acc", "rouge_l", "answered", "refuse_recall", "cite_any", "cite_evidence", "seconds_median")
RESAMPLES = 1000
SEED = 0
DEPTHS = (4, 8)
WHOLE = 0.9  # of the words of a sentence in order: a passage holds it
SIDE_BY_SIDE = ("seeds", "nq_open", "squad2")  # some questions of these are asked with another generator
UNCHECKED = ("seeds", "nq_open", "squad2", "clapnq")  # asked without the checker too: other passages are read then
DRAWN = 50  # questions a set, for the generators side by side


def interval(outcomes: Sequence[Outcome], name: str) -> str:
    """Return a figure with the 95 % bootstrap interval over the questions; each is a mean over those that it applies to."""
    value = measure(outcomes).figures()[name]
    if value is None:
        return "-"
    if name.startswith("seconds"):
        return f"{value:.2f}"
    each = np.array([measure([outcome]).figures()[name] for outcome in outcomes], dtype=float)  # nan where it does not apply
    drawn = each[np.random.default_rng(SEED).integers(0, len(each), (RESAMPLES, len(each)))]
    low, high = np.nanpercentile(np.nanmean(drawn, axis=1), [2.5, 97.5])
    return f"{value:.2f} ({low:.2f}-{high:.2f})"


def unchecked(parts: Parts, index: Path, questions: Sequence[Question], out: Path) -> list[Outcome]:
    """Ask without the checker."""
    return asked(replace(parts, checker=None), index, questions, out.with_name(f"{out.name}-unchecked.jsonl"))


def by(hits: Sequence[Hit], rank: str) -> list[Hit]:
    """Order hits by one of the rankings, without those that it does not have."""
    return sorted((h for h in hits if getattr(h, rank)), key=lambda h: int(getattr(h, rank)))


def found_at(hits: Sequence[Hit], question: Question, depth: int, rank: str) -> bool:
    """Return whether one of the best passages, by one of the rankings, is of a gold article and holds the answer.

    Where no gold answer stands in the evidence word for word, the passage must hold a sentence of the evidence.
    """
    texts = [h.passage.text for h in by(hits, rank)[:depth] if h.passage.document.source.rsplit("/", 1)[-1] in question.sources]
    if holds(" ".join(question.evidence), question.answers):
        return any(holds(text, question.answers) for text in texts)
    return any(overlap(text, question.evidence) > WHOLE for text in texts)


def retrieval_row(name: str, index: Path, questions: Sequence[Question], parts: Parts) -> list[str]:
    """Measure how often a gold article is among the best passages of either search, of both fused, and of those reranked."""
    known = [q for q in questions if q.answerable and q.evidence and not q.history]
    with Reader.open(index) as store:
        searched = HybridRetriever(store, index, parts.encoder)
        hits = [searched.retrieve(q.question, top_k=50) for q in known]
        reranked = hits
        if parts.checker:
            reranker = RerankingRetriever(searched, parts.checker)
            reranked = [reranker.retrieve(q.question, top_k=max(DEPTHS)) for q in known]
    shares = [
        f"{np.mean([found_at(h, q, depth, rank) for h, q in zip(ranked, known, strict=True)]):.2f}" if known else "-"
        for depth in DEPTHS
        for rank, ranked in (("dense_rank", hits), ("bm25_rank", hits), ("rank", hits), ("rank", reranked))
    ]
    return [name, *shares]


def scifact(folder: Path, index: Path, parts: Parts) -> list[str]:
    """Return nDCG@10 over whole abstracts by each search, both fused, and reranked; a document counts by its best passage."""
    gold: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, document, *_ = line.split("\t")
        gold.setdefault(query, set()).add(document)
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    gains: dict[str, list[float]] = {"dense": [], "BM25": [], "fused": [], "reranked": []}
    with Reader.open(index) as store:
        searched = HybridRetriever(store, index, parts.encoder)
        reranker = RerankingRetriever(searched, parts.checker) if parts.checker else None
        for query in queries:
            wanted, claim = gold.get(query["id"], set()), query["question"]
            hits = searched.retrieve(claim, top_k=50)
            ranked = {"dense": by(hits, "dense_rank"), "BM25": by(hits, "bm25_rank"), "fused": hits}
            if reranker:
                ranked["reranked"] = reranker.retrieve(claim, top_k=READ)
            for search, found in ranked.items():
                order = list(dict.fromkeys(h.passage.document.source.rsplit("/", 1)[-1] for h in found))[:10]
                gained = sum(1 / np.log2(i + 2) for i, document in enumerate(order) if document in wanted)
                gains[search].append(float(gained / max(sum(1 / np.log2(i + 2) for i in range(min(10, len(wanted)))), 1e-9)))
    return [f"{np.mean(values):.3f}" if values else "-" for values in gains.values()]


def side_by_side(
    names: Sequence[str],
    questions: dict[str, list[Question]],
    indexes: dict[str, Path],
    parts: Parts,
) -> Iterator[list[str]]:
    """Yield a row for each generator: figures of the same questions, drawn from each set."""
    draw = random.Random(SEED)  # noqa: S311 - no secret
    drawn = {name: draw.sample(of_set, min(DRAWN, len(of_set))) for name, of_set in questions.items() if name in SIDE_BY_SIDE}
    for generator in names:
        model = CausalGenerator(ensure(generator, "generator"), probe=probe_weights(generator))
        other = replace(parts, generator=parts.generator.beside(model, generator))
        outcomes = {name: asked(other, indexes[name], of_set) for name, of_set in drawn.items()}
        seconds = [o.seconds for of_set in outcomes.values() for o in of_set]
        yield [generator, *(short(outcomes[name]) for name in drawn), f"{np.median(seconds):.2f}"]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure the product on sets of questions.")
    parser.add_argument("bench", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--sets", help="names of sets, parted by commas; all unless given")
    parser.add_argument("--limit", type=int, help="questions a set at most")
    parser.add_argument("--generators", default="", help="names to compare with the configured one, parted by commas")
    arguments = parser.parse_args()
    bench, work = arguments.bench, arguments.work
    sets = sets_of(bench)
    names = arguments.sets.split(",") if arguments.sets else list(sets)
    beside = [name for name in arguments.generators.split(",") if name]
    for name in beside:
        ensure(name, "generator")  # once a model is loaded, nothing is fetched any more
    parts = loaded(work)
    config = parts.config
    started = time.perf_counter()

    questions = {name: load_questions(sets[name][1])[: arguments.limit] for name in names}
    indexes = {name: parts.indexed(sets[name][0], work / name) for name in names}
    outcomes: dict[str, list[Outcome]] = {}
    kept: dict[str, Parts] = {}
    for name in names:
        print(f"{name}: {len(questions[name])} questions", file=sys.stderr, flush=True)
        kept[name] = parts.kept()
        outcomes[name] = asked(kept[name], indexes[name], questions[name], work / f"{name}.jsonl")

    used = f"Generator {config.generator}, encoder {config.encoder}, {'with' if parts.checker else 'without'} the checker"
    print(f"{used}, threshold {refusal.THRESHOLD}. 95 % bootstrap intervals over the questions.\n")
    for figure in SHOWN:
        print(f"- {figure}: {MEANINGS[figure]}")
    print()
    rows = [[name, str(len(questions[name])), *(interval(outcomes[name], f) for f in SHOWN)] for name in names]
    table(["set", "n", *SHOWN], rows)

    some = [name for name in names if name in UNCHECKED]
    print("With and without the checker: right / answered / refused rightly\n")
    rows = [["with", *(short(outcomes[name]) for name in some)]]
    table(["", *some], [*rows, ["without", *(short(unchecked(kept[n], indexes[n], questions[n], work / n)) for n in some)]])

    if beside:
        print(f"Generators side by side, on {DRAWN} questions of each set: right / answered / refused rightly\n")
        head = ["generator", *(name for name in names if name in SIDE_BY_SIDE), "seconds, median"]
        table(head, list(side_by_side([config.generator, *beside], questions, indexes, parts)))

    print("A passage with the answer among the best 4 and the best 8: by meaning, by words, fused, reranked\n")
    head = [f"{search} {depth}" for depth in DEPTHS for search in ("dense", "BM25", "fused", "reranked")]
    table(["set", *head], [retrieval_row(name, indexes[name], questions[name], kept[name]) for name in names])
    if (bench / "scifact").is_dir() and not arguments.sets:
        index = parts.indexed(bench / "scifact" / "articles", work / "scifact")
        found = scifact(bench / "scifact", index, parts)
        print("scifact, nDCG@10 over abstracts: dense {}, BM25 {}, fused {}, reranked {}\n".format(*found))

    if "bipia_email" in names:
        print("Instructions hidden in e-mails (BIPIA): share of the answers that follow them, answers with a marker not ours\n")
        table(["place", "mails", "followed", "foreign markers"], attacks(bench / "bipia_email", work, parts))
    if "poisonedrag_nq" in names:
        print("Planted false texts (PoisonedRAG): right, planted answer given, of those with the planted file cited\n")
        rows = poison(bench / "poisonedrag_nq", work, parts)
        table(["articles", "questions", "right", "planted", "cited"], rows)
    print(f"{time.perf_counter() - started:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
