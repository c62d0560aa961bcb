"""Trains the probe of the generator's states on data and writes rag/models/probe.safetensors.

usage: train_probe.py DATA_FOLDER [--work FOLDER] [--seed N]

The generator reads the product's own prompt for each question, and the states over the question's words are kept in the work
folder, some hundreds in a file; a run that was cut goes on from them. A small head then learns from them whether the excerpts
hold the answer, and what it reaches on the held-out data is printed. Equal seeds give equal weights on one machine.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from describe import describe
from numpy.typing import NDArray
from pairs import NAME, exchanged, read
from rich.progress import track
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch import Tensor

from rag.answer import prompt
from rag.answer.evidence import Excerpt, excerpts, gather
from rag.config import load_config
from rag.evaluate.measures import holds
from rag.models.cache import ensure
from rag.models.checker import Checker
from rag.models.encoder import SentenceEncoder
from rag.models.generator import CausalGenerator
from rag.models.loading import checker_files
from rag.models.probe import AFTER, ASKED, Head
from rag.protocols import Encoder, Finder
from rag.types import Document, Hit, Message, Passage

TARGET = Path(__file__).parent.parent / "rag" / "models" / "probe.safetensors"
LAYER = 14
# At most so many questions are drawn from each set that can be answered, and as many that cannot, though they look answerable.
MOST = {"squad2": 1600, "nq_open": 480, "qed": 440, "xquad_en": 350, "clapnq": 180, "musique": 160, "squad2_sample": 150}
ALTERED = 900  # so many more questions get a word exchanged, so that the passages do not answer them
SHARD = 400  # the states of this many prompts go into one file
EPOCHS, BATCH, RATE, DECAY = 6, 64, 2e-3, 0.1


class Recorder:
    """Takes the place of the generator's probe and keeps the states that a probe would look at."""

    layer = LAYER

    def __init__(self) -> None:
        self.states = torch.empty(0)

    def read(self, states: Tensor, asked: int) -> float:
        """Keep the states of the question ``(tokens, width)``."""
        self.states = states[-AFTER - min(asked, ASKED) : -AFTER].half()
        return 0.5


def questions(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Return drawn questions, some of them made unanswerable, in a shuffled order; equal seeds return equal questions."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    items = [item for part in ("train", "val") for item in read(folder / "qa.jsonl.gz", part) if item["set"] in MOST]
    draw.shuffle(items)
    names = sorted({match[0] for item in items for match in NAME.finditer(item["question"])})
    drawn, altered, seen = [], [], Counter[tuple[str, bool]]()
    for item in items:
        kind = item["set"], item["answerable"]
        seen[kind] += 1
        if seen[kind] <= MOST[item["set"]]:
            drawn.append(item)
        if item["answerable"] and item["answers"] and len(altered) < ALTERED:
            other = exchanged(item["question"], " ".join(p["text"] for p in item["passages"]), names, draw)
            altered += [{**item, "question": other, "answerable": False}] if other else []
    draw.shuffle(both := drawn + altered)
    return both


def hits_of(item: dict[str, Any], encoder: Encoder, finder: Finder) -> list[Hit]:
    """Return an item's passages as if a search had found them."""
    documents = [Document(f"{i}", p["text"], p["title"] or "", None, "") for i, p in enumerate(item["passages"])]
    passages = [Passage(document, 0, 0, len(document.text), document.title) for document in documents]
    texts = [passage.headed for passage in passages]
    found, vectors = finder.find(item["question"], texts), encoder.encode([item["question"], *texts])
    cosines = vectors[1:] @ vectors[0]
    order = sorted(range(len(passages)), key=lambda i: -(found[i].probability + 0.5 * cosines[i]))
    return [Hit(passages[i], rank, 1 / rank, float(cosines[i]), 0.0, found=found[i]) for rank, i in enumerate(order, start=1)]


def shows_the_answer(item: dict[str, Any], read: Sequence[Excerpt]) -> bool:
    """Return whether the excerpts hold the answer, or a sentence of the evidence."""
    text = "\n".join(excerpt.text for excerpt in read)
    return holds(text, item["answers"]) or any(sentence in text for sentence in item["evidence"])


def prompts(
    items: Sequence[dict[str, Any]], encoder: Encoder, finder: Finder
) -> Iterator[tuple[dict[str, Any], list[Message]]]:
    """Yield each question with the product's prompt, except questions whose answer the excerpts do not show."""
    for item in items:
        evidence = gather(item["question"], hits_of(item, encoder, finder), encoder)
        chosen = excerpts(item["question"], evidence)
        if not item["answerable"] or shows_the_answer(item, chosen):
            yield item, prompt.reading(item["question"], chosen)


def record(items: Sequence[dict[str, Any]], encoder: Encoder, finder: Finder, generator: CausalGenerator, work: Path) -> None:
    """Write the states of all prompts to files in the work folder; files that are there already stay."""
    generator._probe = recorder = Recorder()  # type: ignore[assignment]
    for first in track(range(0, len(items), SHARD), "reading"):
        if (file := work / f"{first:06}.npz").exists():
            continue
        kept: list[tuple[dict[str, Any], Tensor]] = []
        for item, messages in prompts(items[first : first + SHARD], encoder, finder):
            next(generator.generate(messages, max_new_tokens=1))
            kept.append((item, recorder.states))
        states = np.zeros((len(kept), ASKED, kept[0][1].shape[1]), dtype=np.float16)
        for row, (_, of_question) in enumerate(kept):
            states[row, -len(of_question) :] = of_question.numpy()
        columns = {name: [item[name] for item, _ in kept] for name in ("set", "split", "answerable")}
        np.savez(file.with_suffix(".part.npz"), states=states, asked=[len(of_question) for _, of_question in kept], **columns)
        file.with_suffix(".part.npz").replace(file)


def recorded(work: Path) -> dict[str, NDArray[Any]]:
    """Return everything that was recorded, by name."""
    files = [np.load(file) for file in sorted(work.glob("[0-9]*[0-9].npz"))]
    return {name: np.concatenate([file[name] for file in files]) for name in files[0].files}


def trained(states: Tensor, asked: Tensor, answerable: Tensor) -> Head:
    """Return a head fitted to states ``(n, ASKED, width)``, of which the last ``asked`` ``(n,)`` count."""
    head = Head(states.shape[-1])
    sample = states[::3][_looked_at(asked[::3])].float()
    head.mean.copy_(sample.mean(0))
    head.scale.copy_(sample.std(0))
    steps = EPOCHS * -(-len(states) // BATCH)
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for epoch in range(EPOCHS):
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(len(states)))
        for chosen in order.split(BATCH):
            logits = head(states[chosen].float(), _looked_at(asked[chosen]))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, answerable[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return head.eval()


def _looked_at(asked: Tensor) -> Tensor:
    return torch.arange(ASKED) >= ASKED - asked[:, None]


@torch.inference_mode()
def figures(head: Head, states: Tensor, asked: Tensor, answerable: Tensor, sets: NDArray[Any]) -> dict[str, float]:
    """Return the area under the curve over all sets and over each."""
    logits = torch.cat([head(states[i].float(), _looked_at(asked[i])) for i in torch.arange(len(states)).split(256)]).numpy()
    parts = {"all": sets == sets} | {name: sets == name for name in MOST}
    known = answerable.numpy()
    return {
        f"{name} ({part.sum()})": round(float(roc_auc_score(known[part], logits[part])), 3)
        for name, part in parts.items()
        if len(set(known[part])) == 2
    }


def write(head: Head) -> None:
    """Write the head in bf16 to where the product finds it."""
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in head.state_dict().items()}
    save_file(tensors, TARGET, metadata={"layer": str(LAYER)})


def main() -> None:
    """Read, train, and write the weights to where the product finds them."""
    parser = argparse.ArgumentParser(description="Train the probe of the generator's states.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".training-probe"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    base = load_config().generator
    record(
        questions(arguments.data, arguments.seed),
        SentenceEncoder(ensure(load_config().encoder, "encoder")),
        Checker(*checker_files()),  # type: ignore[misc] - without the checker the product reads other prompts
        CausalGenerator(ensure(base, "generator")),
        arguments.work,
    )
    kept = recorded(arguments.work)
    states, asked = torch.from_numpy(kept["states"]), torch.from_numpy(kept["asked"])
    answerable, held = torch.from_numpy(kept["answerable"]).float(), kept["split"] == "val"
    torch.manual_seed(arguments.seed)
    head = trained(states[~held], asked[~held], answerable[~held])
    print(json.dumps(figures(head, states[held], asked[held], answerable[held], kept["set"][held])))
    write(head)
    describe(TARGET, base, seed=arguments.seed, prompts=int((~held).sum()))
    shutil.rmtree(arguments.work)


if __name__ == "__main__":
    main()
