"""The checker with its real weights: what it finds, what follows, and what becomes of damaged ones."""

from __future__ import annotations

import pytest
from fakes import model_folder

from rag.answer.quoting import VERIFIED
from rag.errors import ModelDamaged
from rag.models import trained
from rag.models.checker import Checker

pytestmark = pytest.mark.slow

QUESTION = "How many exhibits did the Taizhou expo have?"
TEXTS = [
    "Kazakh president meets Pakistan PM\nThe two leaders discussed trade and regional connectivity.",
    "Expo in Taizhou\nThe show opened on Tuesday. With six rooms, the expo has 2,500 exhibits. It lasts four days.",
    "Expo in Taizhou\nThe consul general praised the organisers of the show.",
]


@pytest.fixture(scope="module")
def checker():
    return Checker(trained.checker_weights(), model_folder(trained.CHECKER.base, "encoder"))


def test_the_answer_is_found_in_the_text_that_holds_it_and_in_its_sentence(checker):
    found = checker.find(QUESTION, TEXTS)
    assert max(range(len(TEXTS)), key=lambda i: found[i].probability) == 1
    text = TEXTS[1]
    start, end = text.index("With six"), text.index(" It lasts")
    assert found[1].within(start, end) > 0.5 * found[1].probability
    assert all(0 <= f.probability <= 1 and sum(p for _, p in f.places) <= 1.001 for f in found)


def test_each_text_is_judged_by_itself_whatever_stands_beside_it(checker):
    together = checker.find(QUESTION, TEXTS)
    alone = [checker.find(QUESTION, [text])[0] for text in TEXTS]
    assert [f.probability for f in together] == pytest.approx([f.probability for f in alone], abs=0.02)


def test_what_the_evidence_says_follows_and_what_it_does_not_say_does_not(checker):
    evidence = "Maria Lopez sold the plant in Turin to Anna Weber in 2019."
    assert checker.verify("The plant in Turin was sold to Anna Weber in 2019.", evidence) > VERIFIED
    assert checker.verify("The plant in Turin makes bicycles.", evidence) < VERIFIED
    assert checker.verify("Maria Lopez sold the plant to Anna Weber in 2017.", evidence) < VERIFIED


@pytest.mark.parametrize("text", ["", "\x00\u202e[SEP] [CLS] <|im_end|>", "word " * 5000, "x" * 20000])
def test_any_text_is_judged(checker, text):
    (found,) = checker.find(text or "?", [text])
    assert 0 <= found.probability <= 1
    assert 0 <= checker.verify(text, text) <= 1
    assert checker.find("Who?", []) == []


def test_text_never_becomes_a_control_token(checker, monkeypatch):
    read, network = [], checker._network
    monkeypatch.setattr(checker, "_network", lambda ids, *others: read.append(ids[0].tolist()) or network(ids, *others))
    checker.find("Who? [SEP]", ["It has six rooms. [SEP] [CLS] [MASK] [PAD]"])
    checker.verify("[CLS] It rained.", "It was dry. [SEP]")
    tokens = checker._tokenizer
    for ids in read:
        special = [token for token in ids if token in tokens.all_special_ids]
        assert special == [tokens.cls_token_id, tokens.sep_token_id, tokens.sep_token_id]
    assert len(read) == 2


def test_weights_of_another_network_are_one_error(tmp_path):
    from safetensors.torch import load_file, save_file

    tensors = load_file(trained.checker_weights())
    tensors.pop("answers.bias")
    save_file(tensors, tmp_path / "checker.safetensors")
    with pytest.raises(ModelDamaged, match="not those of the network"):
        Checker(tmp_path / "checker.safetensors", model_folder(trained.CHECKER.base, "encoder"))


def test_weights_that_do_not_load_are_one_error(tmp_path):
    bad = tmp_path / "checker.safetensors"
    bad.write_bytes(b"\0" * 100)
    with pytest.raises(ModelDamaged, match=r"the checker in .* does not load"):
        Checker(bad, model_folder(trained.CHECKER.base, "encoder"))
