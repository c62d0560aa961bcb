"""Training: pairs say what the data says, and a run that was cut goes on as if it had not been."""

from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import model_folder

from rag.models.probe import ASKED
from rag.protocols import Written

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

import train_probe
from pairs import VERDICTS, batches, exchanged, pairs

LONG = " ".join(f"word{i}" for i in range(200))
QUESTION = {
    "id": "q",
    "set": "squad2",
    "question": "How many exhibits did the Taizhou expo have?",
    "answers": ["2,500"],
    "answerable": True,
    "passages": [
        {"title": "Expo", "text": f"{LONG} The Taizhou expo has 2,500 exhibits. {LONG}"},
        {"title": "Fair", "text": "The Lahore fair has stands."},
        {"title": "Expo", "text": "How many exhibits the expo had last year is not known."},
    ],
    "gold": [0],
    "evidence": ["The Taizhou expo has 2,500 exhibits."],
    "made": False,
    "split": "train",
}
CLAIM = {
    "id": "c",
    "set": "mnli",
    "claim": "It rained.",
    "evidence": "It was dry.",
    "label": "refuted",
    "made": False,
    "split": "train",
}


@pytest.fixture
def folder(tmp_path):
    for name, items in (
        ("qa", [QUESTION, {**QUESTION, "id": "v", "split": "val"}]),
        ("entail", [CLAIM, {**CLAIM, "claim": "It snowed.", "split": "val"}]),
    ):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(item) + "\n" for item in items)
    return tmp_path


def test_the_span_of_a_pair_is_the_answer_within_its_window(folder):
    held = [pair for seed in range(20) for pair in pairs(folder, "train", seed=seed) if pair.span]
    assert {pair.second[slice(*pair.span)] for pair in held} == {"2,500"}
    assert all(len(pair.second.split()) <= 121 for pair in held)
    assert len({pair.second for pair in held}) > 10


def test_a_passage_that_does_not_hold_the_answer_and_a_question_for_another_thing_are_not_answered(folder):
    made = [pair for seed in range(20) for pair in pairs(folder, "train", seed=seed) if pair.answers is False]
    others = {pair.first.rstrip("?") for pair in made} - {QUESTION["question"].rstrip("?")}
    assert any("last year" in pair.second for pair in made)
    assert not any("2,500" in pair.second for pair in made if pair.first.rstrip("?") not in others)


def test_a_claim_keeps_its_verdict(folder):
    verdicts = [VERDICTS[pair.verdict] for pair in pairs(folder, "train", seed=0) if pair.verdict is not None]
    assert verdicts == ["refuted"]


def test_the_same_seed_gives_the_same_pairs_and_the_held_out_part_holds_its_own_items_alone(folder):
    assert pairs(folder, "train", seed=1) == pairs(folder, "train", seed=1)
    assert pairs(folder, "train", seed=1) != pairs(folder, "train", seed=2)
    assert {pair.first for pair in pairs(folder, "val", seed=1) if pair.verdict is not None} == {"It snowed."}


def test_a_question_for_another_name_number_or_opposite_is_not_answered():
    passage = "In 2019 the Taizhou expo, the largest of its kind, had 2,500 exhibits."
    asked = "In 2019 what did the Taizhou expo, the largest, have?"
    changed = {exchanged(asked, passage, ["Lahore", "Karachi"], random.Random(seed)) for seed in range(40)}
    assert any("Lahore" in question or "Karachi" in question for question in changed)
    assert any("smallest" in question for question in changed)
    assert any("2019" not in question for question in changed)
    assert asked not in changed
    assert exchanged("what is it", passage, ["Lahore"], random.Random(0)) is None


def test_batches_hold_every_item_once_within_the_budget():
    lengths = [random.Random(i).randint(5, 200) for i in range(300)]
    grouped = list(batches(lengths, tokens=800, draw=random.Random(0)))
    assert sorted(i for batch in grouped for i in batch) == list(range(300))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 800 for batch in grouped)


@pytest.mark.slow
def test_a_run_that_was_cut_ends_with_the_weights_of_one_that_was_not(tmp_path):
    import torch
    from train_checker import Encoded, Run
    from transformers import AutoTokenizer

    from rag.models.crossencoder import CrossEncoder

    encoder_folder = model_folder("all-minilm-l6-v2", "encoder")
    data = Encoded([pair for pair in pairs_of() for _ in range(2)], AutoTokenizer.from_pretrained(encoder_folder))

    def trained(work, *legs):
        for steps in legs:
            torch.manual_seed(0)
            run = Run(CrossEncoder(encoder_folder), sum(legs), work)
            run.resume()
            for _ in range(steps):
                run.learn(data.batch(range(len(data.ids))))
            run.checkpoint()
        return {name: p.detach() for name, p in run.free.items()}

    whole, cut = trained(tmp_path / "whole", 4), trained(tmp_path / "cut", 2, 2)
    assert all(torch.allclose(whole[name], cut[name], atol=1e-6) for name in whole)
    assert not any(name.startswith("bert.embeddings.") for name in whole)


def pairs_of():
    from pairs import Pair

    return [
        Pair("How many?", "It has 2,500 exhibits.", True, (7, 12)),
        Pair("Who?", "It has 2,500 exhibits.", False),
        Pair("It rained.", "It was dry.", verdict=1),
    ]


def test_questions_for_the_probe_are_drawn_alike_for_a_seed_and_those_with_a_word_exchanged_have_no_answer(folder):
    drawn = train_probe.questions(folder, seed=1)
    assert drawn == train_probe.questions(folder, seed=1)
    assert {item["answerable"] for item in drawn if item["question"] == QUESTION["question"]} == {True}
    assert {item["answerable"] for item in drawn if item["question"] != QUESTION["question"]} <= {False}


class Reading:
    """A generator that shows its probe some states, and counts its replies."""

    replies = 0

    def generate(self, messages, *, max_new_tokens):
        self.replies += 1
        yield Written("", 0.0, known=self._probe.read(torch.arange(90.0)[:, None].expand(90, 4), 6))


def test_states_are_kept_as_they_are_read_and_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(train_probe, "prompts", lambda items, *_: ((item, []) for item in items))
    monkeypatch.setattr(train_probe, "SHARD", 2)
    generator = Reading()
    train_probe.record([QUESTION] * 3, None, None, generator, tmp_path)
    kept = train_probe.recorded(tmp_path)
    assert kept["states"].shape == (3, ASKED, 4)
    assert kept["states"][0, -6:, 0].tolist() == [79, 80, 81, 82, 83, 84]
    assert kept["asked"].tolist() == [6, 6, 6]
    next(iter(tmp_path.glob("*02.npz"))).unlink()  # as if it had been cut
    train_probe.record([QUESTION] * 3, None, None, generator, tmp_path)
    assert generator.replies == 4


def test_a_head_learns_what_the_states_of_the_question_tell():
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(3_100, ASKED, 8, generator=draw)
    asked = torch.randint(4, 12, (3_100,), generator=draw)
    answerable = (torch.rand(3_100, generator=draw) < 0.5).float()
    states[:, -1, 3] += 6 * answerable  # one of the question's tokens tells
    states[:, 0] += 9 * (1 - answerable)[:, None]  # and one before it must not
    head = train_probe.trained(states[:3_000].half(), asked[:3_000], answerable[:3_000])
    told = train_probe.figures(head, states[3_000:], asked[3_000:], answerable[3_000:], np.array(["squad2"] * 100))
    assert told["all (100)"] > 0.9
    same = states[3_000:].clone()
    same[:, 0] = 0
    assert torch.equal(*(head(some, train_probe._looked_at(asked[3_000:])) for some in (states[3_000:], same)))
