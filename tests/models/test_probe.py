"""The probe: looks at the states of the question's words while the prompt is read, and at nothing else."""

from __future__ import annotations

import pytest
import torch
from fakes import model_folder
from safetensors.torch import save_file
from test_generator import QUESTION, folder  # noqa: F401 - a fixture

from rag.errors import ModelDamaged
from rag.models import trained
from rag.models.generator import CausalGenerator
from rag.models.probe import AFTER, ASKED, Head, Probe

WIDTH = 32


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    head, path = Head(WIDTH), tmp_path / "probe.safetensors"
    head.known.weight.data *= 30  # so that it tells states apart
    save_file(head.state_dict(), path, metadata={"layer": "1"})
    return path


def tokens(generator, text):
    return len(generator._tokenizer(text)["input_ids"])


def test_the_states_of_the_question_are_read_and_no_others(weights):
    probe = Probe(weights)
    states = torch.randn(90, WIDTH)
    asked = 7
    other = torch.randn(90, WIDTH)
    other[-AFTER - asked : -AFTER] = states[-AFTER - asked : -AFTER]
    assert probe.read(states, asked) == probe.read(other, asked) != probe.read(states, asked + 1)
    assert 0 < probe.read(states, asked) < 1
    assert probe.read(states, 10_000) == probe.read(states, ASKED)


def test_the_generator_tells_what_the_probe_sees_after_its_layer_while_the_prompt_is_read(folder, weights):  # noqa: F811
    generator = CausalGenerator(folder, probe=weights)
    pieces = list(generator.generate(QUESTION, max_new_tokens=20))
    with torch.no_grad():
        states = generator._model(**generator.prompt_ids(QUESTION), output_hidden_states=True).hidden_states[1][0]
    expected = Probe(weights).read(states, tokens(generator, QUESTION[-1]["content"]))
    assert all(piece.known == pytest.approx(expected, abs=1e-3) for piece in pieces)
    assert abs(expected - Probe(weights).read(states, 1)) > 0.01
    assert [p.text for p in pieces] == [p.text for p in CausalGenerator(folder).generate(QUESTION, max_new_tokens=20)]


def test_only_the_last_paragraph_of_the_prompt_is_the_question(folder, weights):  # noqa: F811
    generator = CausalGenerator(folder, probe=weights)
    seen = []
    generator._probe.read = lambda _states, asked: seen.append(asked) or 0.5
    for passages in ("", "the expo opened\n\n", "six rooms\n\nthe expo opened\n\n"):
        list(generator.generate([{"role": "user", "content": f"{passages}how many cars"}], max_new_tokens=2))
    assert seen == [tokens(generator, "how many cars")] * 3


def test_without_a_probe_nothing_is_told(folder):  # noqa: F811
    assert {piece.known for piece in CausalGenerator(folder).generate(QUESTION, max_new_tokens=5)} == {None}


def test_nothing_is_left_hanging_on_the_model_after_a_reply_that_was_stopped(folder, weights):  # noqa: F811
    generator = CausalGenerator(folder, probe=weights)
    reply = generator.generate(QUESTION, max_new_tokens=40)
    next(reply)
    reply.close()
    assert not any(layer._forward_hooks for layer in generator._model.model.layers)


def test_a_damaged_probe_is_told(tmp_path):
    bad = tmp_path / "probe.safetensors"
    bad.write_bytes(b"no tensors")
    with pytest.raises(ModelDamaged, match="does not load"):
        Probe(bad)


@pytest.mark.slow
def test_the_real_chat_template_puts_as_many_tokens_after_the_question_as_the_probe_passes_over():
    real = CausalGenerator(model_folder(trained.PROBE.base, "generator"))
    ids = real.prompt_ids([{"role": "user", "content": "how many cars"}])["input_ids"][0]
    assert real._tokenizer.decode(ids[-AFTER - 3 :]) == "how many cars<|im_end|>\n<|im_start|>assistant\n"


def test_the_weights_are_those_recorded_and_serve_one_generator(monkeypatch, tmp_path):
    assert trained.probe_weights(trained.PROBE.base) == trained.PROBE_WEIGHTS
    assert trained.PROBE_WEIGHTS.stat().st_size == trained.PROBE.bytes < 1_000_000
    assert trained.probe_weights("another") is None
    other = tmp_path / "probe.safetensors"
    monkeypatch.setattr(trained, "PROBE_WEIGHTS", other)
    assert trained.probe_weights(trained.PROBE.base) is None
    other.write_bytes(b"other")
    with pytest.raises(ModelDamaged, match="install again"):
        trained.probe_weights(trained.PROBE.base)
