"""Trains the checker on data and writes rag/models/checker.safetensors.

usage: train_checker.py DATA_FOLDER [--work FOLDER] [--seed N]

Training starts from the encoder's weights and leaves its word embeddings as they are, so that only the layers and heads are
kept. It passes over the data once. After each part the held-out data is measured, and the best weights so far are kept. A
checkpoint is written to the work folder every few minutes, and a run that was cut goes on from it. Equal seeds give equal
weights on one machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from describe import describe
from pairs import Pair, batches, pairs
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from rag.config import load_config
from rag.models.cache import ensure
from rag.models.crossencoder import MAX_TOKENS, CrossEncoder, Logits

TARGET = Path(__file__).parent.parent / "rag" / "models" / "checker.safetensors"
BATCH_TOKENS = 7168  # a batch holds this many padded tokens: 32 pairs of 224
RATE, WARM_UP, DECAY, CLIP = 1.2e-4, 0.06, 0.01, 1.0
SPAN_WEIGHT = 0.5  # the loss over where the answer stands counts so much, that over whether it is there counts 1
PARTS = 6  # the pass has this many parts, and the held-out data is measured after each
CHECKPOINT_EVERY = 150  # a checkpoint is written after this many steps
IGNORED = -100


class Encoded:
    """Pairs as token ids, with their targets in tokens: place 0 stands for "the answer is not here"."""

    def __init__(self, some: Sequence[Pair], tokenizer: PreTrainedTokenizerBase) -> None:
        got = tokenizer(
            [pair.first for pair in some],
            [pair.second for pair in some],
            truncation="longest_first",
            max_length=MAX_TOKENS,
            return_offsets_mapping=True,
        )
        self.ids, self.segments = got["input_ids"], got["token_type_ids"]
        self.lengths = [len(ids) for ids in self.ids]
        self.answers = [float("nan") if pair.answers is None else float(pair.answers) for pair in some]
        self.verdict = [IGNORED if pair.verdict is None else pair.verdict for pair in some]
        spans = [self._span(pair, *both) for pair, *both in zip(some, got["offset_mapping"], self.segments, strict=True)]
        self.start, self.end = map(list, zip(*spans, strict=True))

    @staticmethod
    def _span(pair: Pair, offsets: Sequence[tuple[int, int]], segments: Sequence[int]) -> tuple[int, int]:
        if not pair.span:
            return (0, 0) if pair.answers is False else (IGNORED, IGNORED)
        start, end = pair.span
        inside = [i for i, (a, b) in enumerate(offsets) if segments[i] == 1 and a < end and b > start]
        return (inside[0], inside[-1]) if inside else (IGNORED, IGNORED)

    def batch(self, chosen: Sequence[int]) -> dict[str, Tensor]:
        """Return tensors of the chosen pairs, padded to the longest."""
        longest = max(self.lengths[i] for i in chosen)
        padded = {
            "ids": [self.ids[i] + [0] * (longest - self.lengths[i]) for i in chosen],
            "segments": [self.segments[i] + [0] * (longest - self.lengths[i]) for i in chosen],
            "mask": [[1] * self.lengths[i] + [0] * (longest - self.lengths[i]) for i in chosen],
        }
        targets = {name: [getattr(self, name)[i] for i in chosen] for name in ("answers", "verdict", "start", "end")}
        return {name: torch.tensor(rows) for name, rows in (padded | targets).items()}


def read(network: nn.Module, batch: dict[str, Tensor]) -> Logits:
    """Return the logits of a batch, computed in bf16 where that is as good."""
    with torch.autocast("cpu", torch.bfloat16):
        logits: Logits = network(batch["ids"], batch["segments"], batch["mask"])
    return logits


def loss_of(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Return the mean loss of a pair over the heads that it has a target for."""
    logits = read(network, batch)
    asked = ~batch["answers"].isnan()
    total = nn.functional.binary_cross_entropy_with_logits(logits.answers[asked], batch["answers"][asked], reduction="sum")
    for name, weight in (("start", SPAN_WEIGHT / 2), ("end", SPAN_WEIGHT / 2), ("verdict", 1.0)):
        total = total + weight * nn.functional.cross_entropy(getattr(logits, name), batch[name], reduction="sum")
    return total / len(asked)


@torch.inference_mode()
def held_out(network: nn.Module, data: Encoded) -> dict[str, float]:
    """Return the areas under the curve of both judgements, and the share of answers whose first token is found."""
    seen: dict[str, list[float]] = {name: [] for name in ("answers", "held", "supported", "follows", "found")}
    for chosen in batches(data.lengths, tokens=BATCH_TOKENS, draw=random.Random(0)):  # noqa: S311 - no secret
        batch = data.batch(chosen)
        logits = read(network, batch)
        asked, claims, placed = ~batch["answers"].isnan(), batch["verdict"] >= 0, batch["start"] > 0
        seen["answers"] += logits.answers[asked].tolist()
        seen["held"] += batch["answers"][asked].tolist()
        seen["supported"] += logits.verdict.softmax(1)[claims, 0].tolist()
        seen["follows"] += (batch["verdict"][claims] == 0).float().tolist()
        seen["found"] += (logits.start[:, 1:].argmax(1) + 1 == batch["start"])[placed].float().tolist()
    return {
        "answers_auc": round(float(roc_auc_score(seen["held"], seen["answers"])), 4),
        "supported_auc": round(float(roc_auc_score(seen["follows"], seen["supported"])), 4),
        "start_found": round(sum(seen["found"]) / len(seen["found"]), 4),
    }


class Run:
    """A training run, which can be cut and go on from its checkpoint."""

    def __init__(self, network: CrossEncoder, steps: int, work: Path, plan: str = "") -> None:
        """Begin a run of ``steps``; ``plan`` names the data and their order, and a checkpoint of another plan is refused."""
        self.network, self.work, self.plan = network, work, plan
        network.requires_grad_(False)
        self.free = network.trained()
        for p in self.free.values():
            p.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.free.values(), lr=RATE, weight_decay=DECAY)
        self.steps, self.warm = steps, max(1, round(WARM_UP * steps))
        self.step, self.best = 0, 0.0
        work.mkdir(parents=True, exist_ok=True)

    def learn(self, batch: dict[str, Tensor]) -> float:
        """Take one step and return its loss; the rate rises to ``RATE`` and falls to zero, both in a straight line."""
        falling = (self.steps - self.step) / max(1, self.steps - self.warm)
        self.optimizer.param_groups[0]["lr"] = RATE * min((self.step + 1) / self.warm, falling)
        loss = loss_of(self.network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.free.values(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return loss.item()

    def keep(self, path: Path) -> None:
        """Write the weights that were trained, in bf16."""
        _write({name: p.detach().to(torch.bfloat16) for name, p in self.free.items()}, path, {})

    def checkpoint(self) -> None:
        """Write everything that the next step depends on."""
        tensors = {f"weights.{name}": p.detach() for name, p in self.free.items()}
        for name, p in self.free.items():
            tensors |= {f"{key}.{name}": value for key, value in self.optimizer.state[p].items() if key != "step"}
        _write(
            tensors, self.work / "checkpoint.safetensors", {"step": str(self.step), "best": str(self.best), "plan": self.plan}
        )

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        path = self.work / "checkpoint.safetensors"
        if not path.exists():
            return
        with safe_open(path, "pt") as file, torch.no_grad():
            if file.metadata()["plan"] != self.plan:
                raise SystemExit(
                    f"{path} is of a run with other data or another seed; remove {self.work}, or name another --work"
                )
            self.step, self.best = int(file.metadata()["step"]), float(file.metadata()["best"])
            for name, p in self.free.items():
                p.copy_(file.get_tensor(f"weights.{name}"))
                moments = {key: file.get_tensor(f"{key}.{name}") for key in ("exp_avg", "exp_avg_sq")}
                self.optimizer.state[p] = {"step": torch.tensor(float(self.step)), **moments}


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    beside = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, metadata=metadata)
    beside.replace(path)


def main() -> None:
    """Train, and leave the best weights where the product finds them."""
    parser = argparse.ArgumentParser(description="Train the checker.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".training"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    base = load_config().encoder
    folder = ensure(base, "encoder")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = CrossEncoder(folder)
    train, val = (Encoded(pairs(arguments.data, part, seed=arguments.seed), tokenizer) for part in ("train", "val"))
    plan = list(batches(train.lengths, tokens=BATCH_TOKENS, draw=random.Random(arguments.seed)))  # noqa: S311 - no secret
    read = hashlib.sha256(json.dumps([train.ids, plan]).encode()).hexdigest()
    run = Run(network, len(plan), arguments.work, f"{base} {read}")
    run.resume()
    looks = {round(len(plan) * (part + 1) / PARTS) for part in range(PARTS)}
    columns = (TextColumn("loss {task.fields[loss]:.3f}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("", total=len(plan), completed=run.step, loss=0.0)
        smooth, started, first = 0.0, time.time(), run.step
        for chosen in plan[run.step :]:
            loss = run.learn(train.batch(chosen))
            smooth = 0.98 * smooth + 0.02 * loss if smooth else loss
            progress.update(task, completed=run.step, loss=smooth)
            if run.step in looks:
                figures = held_out(network, val)
                rate = (time.time() - started) / (run.step - first)
                print(
                    json.dumps({"step": run.step, "loss": round(smooth, 4), "seconds_a_step": round(rate, 2), **figures}),
                    flush=True,
                )
                if (score := figures["answers_auc"] + figures["supported_auc"]) > run.best:
                    run.best = score
                    run.keep(arguments.work / "best.safetensors")
            if run.step % CHECKPOINT_EVERY == 0 or run.step in looks:
                run.checkpoint()
    shutil.copyfile(arguments.work / "best.safetensors", TARGET)
    describe(TARGET, base, seed=arguments.seed, pairs=len(train.ids))
    shutil.rmtree(arguments.work)


if __name__ == "__main__":
    main()
