"""Measure the product's speed beside what else does the same work on the same machine -> a page of tables, ratios first.

usage: speed.py BENCH_FOLDER WORK_FOLDER PEERS_PYTHON

Each side is a process of its own (contestant.py); they take turns, in an order that turns too, so that what else the machine
does meets all alike. Models, passages, questions and prompts are the same. Seconds are of the wall: compare rows, do not quote
them. PEERS_PYTHON is the interpreter of an environment with peers.txt.
"""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from generated import Space, Writer
from scale import build
from tables import table

from rag.config import load_config
from rag.evaluate.gold import Question, load_questions
from rag.evaluate.measures import holds
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.index.vector_file import Vectors
from rag.index.writer import Writer as IndexWriter
from rag.models.cache import ensure, silent
from rag.models.encoder import SentenceEncoder
from rag.models.fetch import fetch_files
from rag.models.manifest import read_manifest

ROOT = Path(__file__).parent.parent
RAG = Path(sys.executable).with_name("rag")
INDEXED, ARTICLES = "nq_open", 600  # of which set how many articles are indexed in turn
ASKED = {"seeds": 20, "squad2": 20}  # questions that the articles answer, all of them indexed together
ROUNDS = 3
SIZES = (1_000, 10_000, 100_000)
SEARCHES = 100
RUN = 8  # words in a row that make a draft one that quotes
GROWN = 10  # questions that are answered from an index of each size
SEED = 0
PEERS = ("torch==", "transformers==", "sentence-transformers==", "txtai==", "llama-index-core==", "llama_cpp_python==")
Seconds = Sequence[float]


class Contestant:
    """A side in a process of its own."""

    def __init__(self, name: str, python: Path | str, role: str, *arguments: object) -> None:
        """Start it, and wait until it has loaded all it needs."""
        self.name, self.peak_mb = name, 0.0
        command = [str(python), str(Path(__file__).with_name("contestant.py")), role, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if not (self._process.stdin and self._process.stdout):
            raise RuntimeError("no pipes")
        self._in, self._out = self._process.stdin, self._process.stdout
        self._read()

    def does(self, **task: object) -> dict[str, Any]:
        """Have it do one task."""
        self._in.write(f"{json.dumps(task)}\n")
        self._in.flush()
        return self._read()

    def close(self) -> None:
        """End it, and note how much memory it held at most."""
        self.peak_mb = _peak_mb(self._process.pid)
        self._in.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        if line := self._out.readline():
            return json.loads(line)  # type: ignore[no-any-return]
        raise SystemExit(f"{self.name} ended with {self._process.wait()}")


@contextmanager
def contestants(*sides: Contestant) -> Iterator[None]:
    """Close them in the end."""
    with ExitStack() as ends:
        for side in sides:
            ends.callback(side.close)
        yield


class Cold(NamedTuple):
    """A question, what the model then read, and what it wrote."""

    question: str
    messages: list[dict[str, str]]
    draft: str


def turns(sides: Sequence[Contestant], rounds: int) -> Iterator[Contestant]:
    """Return each side once a round, each round beginning with another."""
    for number in range(rounds):
        first = number % len(sides)
        yield from (*sides[first:], *sides[:first])


def ratio(others: Seconds, ours: Seconds) -> str:
    """Say how many times as long the others' median is as ours."""
    return f"{np.median(others) / np.median(ours):.2f}"


def indexing(articles: Path, work: Path, encoder: Path, peers: str) -> None:
    """Print how quickly passages are indexed."""
    config = load_config()
    fewer = work / "articles"
    shutil.rmtree(fewer, ignore_errors=True)
    fewer.mkdir(parents=True)
    for file in sorted(articles.rglob("*.txt"))[:ARTICLES]:
        shutil.copy(file, fewer)
    index = work / "index"
    shutil.rmtree(index, ignore_errors=True)
    indexed([fewer], index, SentenceEncoder(encoder))
    with Reader.open(index) as store:
        passages = [p for listing in store.documents() for p in store.embedded(listing.source)[0]]
    texts = work / "passages.json"
    texts.write_text(json.dumps([f"{p.heading}\n{p.text}" for p in passages]), encoding="utf-8")
    seconds: dict[str, list[float]] = {}
    sides = (
        Contestant("the product, from files to a committed index", sys.executable, "index_product", fewer),
        Contestant("plain encode, fp32", sys.executable, "index_plain", encoder, texts),
        Contestant("txtai", peers, "index_txtai", encoder, texts),
        Contestant("LlamaIndex", peers, "index_llamaindex", encoder, texts),
    )
    with contestants(*sides):
        for side in turns(sides, ROUNDS):
            seconds.setdefault(side.name, []).append(side.does()["seconds"])
            _say(side.name, seconds[side.name][-1])
    ours = seconds[sides[0].name]
    print(f"## Indexing {len(passages):,} passages of {config.passage_tokens} tokens at most, {ARTICLES} files\n")
    rows = [
        [s.name, ratio(seconds[s.name], ours), f"{len(passages) / np.median(seconds[s.name]):.0f}", f"{s.peak_mb:,.0f}"]
        for s in sides
    ]
    table(["", "times the product's seconds", "passages a second", "peak MB"], rows)


def answering(questions: list[Question], index: Path, folders: list[Path], models: tuple[Path, Path, Path], peers: str) -> Cold:
    """Print how soon answers come, and how quickly their words; give what was written most for, to be asked cold."""
    encoder, generator, gguf = models
    sides = (
        Contestant("the product", sys.executable, "answer_product", index),
        Contestant("plain pipeline, transformers fp32", sys.executable, "answer_plain", encoder, generator, *folders),
        Contestant("the same over llama.cpp, Q4_K_M", peers, "answer_llama", encoder, gguf, *folders),
    )
    done: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    wrote: dict[str, list[dict[str, Any]]] = {"the product": [], "llama.cpp": []}
    with contestants(*sides):
        for number, question in enumerate(questions):
            for side in (*sides[number % 3 :], *sides[: number % 3]):
                done[side.name].append(side.does(question=question.question))
                _say(side.name, done[side.name][-1]["seconds"])
            messages = done["the product"][-1]["messages"]
            if number % 2 or not messages:
                continue
            for name, side in zip(wrote, (sides[0], sides[2]), strict=True):
                wrote[name].append(side.does(messages=messages) | {"messages": messages})
    print(f"## Answering {len(questions)} questions of {', '.join(ASKED)}\n")
    ours = [each["seconds"] for each in done["the product"]]
    rows = []
    for side in sides:
        each = done[side.name]
        right = [holds(a["text"], q.answers) for a, q in zip(each, questions, strict=True)]
        seconds, first = [a["seconds"] for a in each], [a["first"] or a["seconds"] for a in each]
        shown = (f"{np.median(first):.2f}", f"{np.median(seconds):.2f}", f"{np.percentile(seconds, 95):.2f}")
        rows.append([side.name, ratio(seconds, ours), *shown, f"{np.mean(right):.2f}", f"{side.peak_mb:,.0f}"])
    head = ["times the product's seconds", "first sentence, s", "median, s", "95th, s", "right", "peak MB"]
    table(["", *head], rows)
    steps: dict[str, list[float]] = {}
    for each in done["the product"]:
        for name, ms in each["steps"].items():
            steps.setdefault(name, []).append(ms / 1000)
    print("Of the product's seconds, medians:", ", ".join(f"{name} {np.median(s):.2f}" for name, s in steps.items()) + ".\n")
    writing(wrote)
    return max(
        (Cold(q.question, each["messages"], each["draft"]) for q, each in zip(questions, done["the product"], strict=True)),
        key=lambda cold: len(cold.draft),
    )


def writing(wrote: dict[str, list[dict[str, Any]]]) -> None:
    """Print how quickly the product and llama.cpp write."""
    print(
        f"The product's own prompts, tokens after the first piece; to quote is to have {RUN} words in a row of what was read:\n"
    )
    quoting = [quotes(each["text"], each["messages"]) for each in wrote["the product"]]
    rows = []
    for name, chosen in (("all drafts", [True] * len(quoting)), ("drafts that quote", quoting)):
        each = {side: [w for w, kept in zip(all_of_it, chosen, strict=True) if kept] for side, all_of_it in wrote.items()}
        ours, theirs = (sum(w["tokens"] for w in side) / sum(w["writing"] for w in side) for side in each.values())
        both = [f"{np.median([w['seconds'] for w in side]):.2f}" for side in each.values()]
        rows.append([f"{name} ({sum(chosen)})", f"{ours / theirs:.2f}", f"{ours:.1f}", f"{theirs:.1f}", *both])
    head = ["times llama.cpp's pace", "tokens a second", "llama.cpp", "seconds with reading, median", "llama.cpp"]
    table(["", *head], rows)


def quotes(text: str, messages: list[dict[str, str]]) -> bool:
    """Return whether a draft holds a run of words of what was read."""
    said, read = text.split(), " ".join(message["content"] for message in messages).split()
    runs = {tuple(read[i : i + RUN]) for i in range(len(read) - RUN + 1)}
    return any(tuple(said[i : i + RUN]) in runs for i in range(len(said) - RUN + 1))


def starting(index: Path, generator: Path, cold: Cold) -> None:
    """Print how long it takes from nothing to something."""
    from transformers import AutoTokenizer

    tokens = len(AutoTokenizer.from_pretrained(generator, local_files_only=True).encode(cold.draft))
    script = Path(__file__).with_name("contestant.py")
    commands = {
        "`rag --help`": [RAG, "--help"],
        "`rag ask`, from a cold process to the answer": [RAG, "ask", "--index", index, cold.question],
        "a bare script: import, load in bf16, read and write as much": [
            sys.executable, script, "start_plain", generator, json.dumps(cold.messages), tokens,
        ],
    }  # fmt: skip
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    for number in range(ROUNDS):
        for name in (list(commands) * 2)[number : number + len(commands)]:
            started = time.perf_counter()
            process = subprocess.Popen(list(map(str, commands[name])), stdout=subprocess.DEVNULL)  # noqa: S603
            peaks[name] = max(peaks.get(name, 0.0), _waited(process))
            seconds.setdefault(name, []).append(time.perf_counter() - started)
            _say(name, seconds[name][-1])
    seconds["`rag ui`, to the page"], peaks["`rag ui`, to the page"] = zip(*(page(index) for _ in range(ROUNDS)), strict=True)
    bare = seconds["a bare script: import, load in bf16, read and write as much"]
    print(f"## Starting, {tokens} tokens written\n")
    rows = [
        [name, ratio(each, bare), f"{np.median(each):.2f}", f"{np.max(peaks[name]):,.0f}"] for name, each in seconds.items()
    ]
    table(["", "times the bare script's seconds", "median, s", "peak MB"], rows)


def page(index: Path) -> tuple[float, float]:
    """Return the seconds until the page answers, and its peak memory until then."""
    started, port = time.perf_counter(), 7877
    process = subprocess.Popen([str(RAG), "ui", "--index", str(index), "--port", str(port)], stderr=subprocess.DEVNULL)  # noqa: S603
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            break
        except OSError:
            if time.perf_counter() - started > 120:
                raise
            time.sleep(0.05)
    seconds = time.perf_counter() - started
    process.terminate()
    return seconds, _waited(process)


def growing(work: Path, real: Path, encoder: SentenceEncoder, questions: list[str]) -> None:
    """Print what search and answers take in indexes of each size: the asked articles among generated ones."""
    writer, space, drawn = Writer(), Space(), np.random.default_rng(11)
    vectors = space.vectors(drawn, max(SIZES)).astype(np.float16)
    rows = []
    for size in SIZES:
        index = work / f"grown-{size}"
        shutil.rmtree(index, ignore_errors=True)
        build(index, size, writer, vectors)
        with Reader.open(real) as held, IndexWriter.open(index) as grown, grown.transaction() as transaction:
            for listing in held.documents():
                passages, of = held.embedded(listing.source)
                transaction.put(passages[0].document, passages, of, size=1, mtime_ns=1)
            transaction.configure(encoder=encoder.identity, folder="/articles", passage_tokens=held.meta().passage_tokens)
        with IndexWriter.open(index) as grown:
            Vectors.write(grown, index)
        searched = Contestant("search", sys.executable, "search", index)
        with contestants(searched):
            asked = (questions * (SEARCHES // len(questions) + 1))[:SEARCHES]
            done = [searched.does(question=question) for question in asked]
        ours, bare = [d["seconds"] for d in done], [d["bare"] for d in done]
        answered = Contestant("answers", sys.executable, "answer_product", index)
        with contestants(answered):
            seconds = [answered.does(question=question)["seconds"] for question in questions[:GROWN]]
        both = [f"{1000 * np.median(each):.1f} / {1000 * np.percentile(each, 95):.1f}" for each in (ours, bare)]
        opened = f"{done[0]['opened']:.2f}"
        rows.append([f"{size:,}", ratio(ours, bare), *both, opened, f"{np.median(seconds):.2f}", f"{answered.peak_mb:,.0f}"])
        _say(f"{size} passages", np.median(ours))
        shutil.rmtree(index)
    print("## As an index grows: the articles of the questions among generated ones\n")
    print("Bare is one query embedding by the same encoder and one flat FAISS search. What indexing costs beside the encoder:")
    print("[`growth.md`](growth.md).\n")
    ms = ["both searches, ms (median / 95th)", "bare, ms (median / 95th)"]
    table(["passages", "times the bare search", *ms, "seconds to open", "an answer, s", "peak MB, answering"], rows)


def indexed(folders: Sequence[Path], index: Path, encoder: SentenceEncoder) -> None:
    """Index folders as configured."""
    tokens = load_config().passage_tokens
    index_folder(*folders, store_folder=index, encoder=encoder, count_tokens=encoder.count_tokens, passage_tokens=tokens)


def _waited(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a process; give its peak memory in MB, looked at until shortly before."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mb(process.pid))
        time.sleep(0.02)
    return peak


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process has held, in MB. What its parent tells of it would count the parent's own too."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


def _say(name: str, seconds: float) -> None:
    print(f"{seconds:8.2f} s  {name}", file=sys.stderr, flush=True)


def _machine(peers: str) -> str:
    cpus = {line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line}
    has = [name for name in ("avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8") if torch.cpu.get_capabilities().get(name)]
    command = [peers, "-m", "pip", "freeze", "--disable-pip-version-check"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - an interpreter of ours
    versions = [line.replace("==", " ") for line in listed.splitlines() if line.startswith(PEERS)]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {', '.join(sorted(cpus))} ({', '.join(has)}), "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def main(bench: Path, work: Path, peers: str) -> None:
    """Print the page."""
    config = load_config()
    model, generator, encoder = (
        read_manifest()[config.generator], ensure(config.generator, "generator"), ensure(config.encoder, "encoder"),
    )  # fmt: skip
    (work / "gguf").mkdir(parents=True, exist_ok=True)
    fetch_files(model, work / "gguf", silent)
    gguf = work / "gguf" / "files" / model.weights.path
    sets = {name: (bench / name / "articles", bench / name / "questions.jsonl") for name in ASKED}
    sets["seeds"] = ROOT / "seeds", ROOT / "tests" / "data" / "questions.jsonl"
    draw, questions = random.Random(SEED), list[Question]()  # noqa: S311 - no secret
    for name, number in ASKED.items():
        questions += draw.sample([q for q in load_questions(sets[name][1]) if q.answerable and not q.history], number)
    folders, loaded = [sets[name][0] for name in ASKED], SentenceEncoder(encoder)
    index, few = work / "asked", work / "few"
    indexed(folders, index, loaded)
    indexed([ROOT / "seeds"], few, loaded)
    print("# Speed, side by side\n")
    print(f"`make bench-speed`, {_machine(peers)}. What else the machine did met all sides alike, as they took")
    print("turns: the ratios are what to read.\n")
    indexing(bench / INDEXED / "articles", work, encoder, peers)
    cold = answering(questions, index, folders, (encoder, generator, gguf), peers)
    starting(index, generator, cold)
    growing(work, few, loaded, [q.question for q in questions[: ASKED["seeds"]]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
