"""What answers in a measurement: the product's parts, loaded once, none of which does the same work twice."""

from __future__ import annotations

import json
import time
from collections.abc import Generator as Stream
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.answer.assistant import Assistant
from rag.config import Config, load_config
from rag.evaluate.figures import Outcome, details, evaluate, measure
from rag.evaluate.gold import Question
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.models.checker import Checker
from rag.models.encoder import SentenceEncoder
from rag.models.loading import load_answer_models
from rag.protocols import Generator, Written
from rag.report.record import json_line
from rag.search.reranking import retriever_over
from rag.types import Found, Message

ROOT = Path(__file__).parent.parent


class Kept:
    """A generator that writes each draft once, ever: drafts are kept in a file, with the seconds that each took."""

    def __init__(self, generator: Generator, name: str, file: Path) -> None:
        self._generator, self._name, self._file = generator, name, file
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self._drafts = {(line["generator"], line["prompt"]): line for line in map(json.loads, lines)}
        self.spared = 0.0  # seconds that drafts took which were given and not written

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int) -> Stream[Written]:
        """Yield the kept draft whole, or write it and keep it."""
        key = self._name, json.dumps(messages)
        if key in self._drafts:
            self.spared += self._drafts[key]["seconds"]
        else:
            started = time.perf_counter()
            pieces = list(self._generator.generate(messages, max_new_tokens=max_new_tokens))
            line = {"generator": key[0], "prompt": key[1], "draft": "".join(piece.text for piece in pieces)}
            line |= {"surprisal": pieces[-1].surprisal, "known": pieces[-1].known}
            line["seconds"] = time.perf_counter() - started
            self._drafts[key] = line
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{json_line(line)}\n")
        yield Written(*(self._drafts[key][name] for name in ("draft", "surprisal", "known")))

    def beside(self, generator: Generator, name: str) -> Kept:
        """Return another generator that keeps its drafts in the same file."""
        return Kept(generator, name, self._file)


class KeptVectors:
    """An encoder that reads each list of texts once."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self.identity, self.count_tokens = encoder.identity, encoder.count_tokens
        self.kept: dict[tuple[str, ...], NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the kept vectors, or encode and keep them."""
        if (key := tuple(texts)) not in self.kept:
            self.kept[key] = self._encoder.encode(texts)
        return self.kept[key]


class KeptChecker:
    """A checker that judges each question and each claim once."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._found: dict[tuple[str, ...], list[Found]] = {}
        self._verified: dict[tuple[str, str], float] = {}

    def find(self, question: str, texts: Sequence[str]) -> list[Found]:
        """Return what was found in the texts."""
        if (key := (question, *texts)) not in self._found:
            self._found[key] = self._checker.find(question, texts)
        return self._found[key]

    def verify(self, claim: str, evidence: str) -> float:
        """Return the probability that the claim follows."""
        if (key := (claim, evidence)) not in self._verified:
            self._verified[key] = self._checker.verify(claim, evidence)
        return self._verified[key]


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers, but for the index: loaded once, for all sets."""

    encoder: SentenceEncoder | KeptVectors
    checker: Checker | KeptChecker | None
    generator: Kept
    config: Config

    def kept(self) -> Parts:
        """Return the same parts, none of which does the same work twice."""
        encoder = KeptVectors(self.encoder) if isinstance(self.encoder, SentenceEncoder) else self.encoder
        checker = KeptChecker(self.checker) if isinstance(self.checker, Checker) else self.checker
        return replace(self, encoder=encoder, checker=checker)

    @contextmanager
    def opened(self, index: Path) -> Iterator[Assistant]:
        """Open an assistant over an index."""
        with Reader.open(index) as store:
            retriever = retriever_over(store, index, self.encoder, self.checker)
            read = self.config.passages_read
            yield Assistant(retriever, self.encoder, self.generator, verifier=self.checker, passages_read=read)

    def indexed(self, articles: Path, index: Path) -> Path:
        """Bring the index of a folder up to date."""
        index_folder(
            articles,
            store_folder=index,
            encoder=self.encoder,
            count_tokens=self.encoder.count_tokens,
            passage_tokens=self.config.passage_tokens,
        )
        return index


def loaded(work: Path) -> Parts:
    """Load the configured models; drafts are kept in the folder."""
    config = load_config()
    work.mkdir(parents=True, exist_ok=True)
    models = load_answer_models(config)
    return Parts(models.encoder, models.checker, Kept(models.generator, config.generator, work / "drafts.jsonl"), config)


def sets_of(bench: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folder of articles and the file of questions of each set, and of the seeds."""
    sets = {f.parent.name: (f.parent / "articles", f) for f in sorted(bench.glob("*/questions.jsonl"))}
    return sets | {"seeds": (ROOT / "seeds", ROOT / "tests" / "data" / "questions.jsonl")}


def asked(parts: Parts, index: Path, questions: Sequence[Question], out: Path | None = None) -> list[Outcome]:
    """Ask every question; write each answer to a file of details. A kept draft counts the seconds that it once took."""
    outcomes: list[Outcome] = []
    spared = parts.generator.spared

    def watch(outcome: Outcome) -> None:
        nonlocal spared
        outcomes.append(replace(outcome, seconds=outcome.seconds + parts.generator.spared - spared))
        spared = parts.generator.spared

    with parts.opened(index) as asker:
        evaluate(asker, questions, watch=watch)
    if out:
        out.write_text("".join(f"{json_line(details(outcome))}\n" for outcome in outcomes), encoding="utf-8")
    return outcomes


def short(outcomes: Sequence[Outcome]) -> str:
    """Return the shares of right answers, of answerable questions answered, and of others refused."""
    report = measure(outcomes)
    return " / ".join("-" if v is None else f"{v:.2f}" for v in (report.answer_acc, report.answered, report.refuse_recall))
