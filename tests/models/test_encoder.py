"""The encoder: unit vectors in the order asked for, and an identity that follows the weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fakes import model_folder

from rag.errors import ModelDamaged
from rag.models.encoder import SentenceEncoder

TEXTS = ["The expo has 2,500 exhibits.", "Two trains.", "The exhibition shows 2,500 items.", "word " * 400]


@pytest.fixture(scope="module")
def real() -> SentenceEncoder:
    return SentenceEncoder(model_folder("all-minilm-l6-v2", "encoder"))


def test_a_folder_without_a_model_is_refused_in_one_line_with_the_way_out(tmp_path):
    with pytest.raises(ModelDamaged, match="rag models --fetch") as caught:
        SentenceEncoder(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_vectors_are_of_length_one_in_the_order_of_the_texts(real):
    vectors = real.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.vstack([real.encode([text]) for text in TEXTS])
    assert (np.sum(vectors * alone, axis=1) > 0.999).all()
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1]


@pytest.mark.slow
def test_any_text_has_a_finite_vector(real):
    assert np.isfinite(real.encode(["", " ", "\0", "😀", "\U000e0041", "車" * 3000])).all()


@pytest.mark.slow
def test_the_identity_names_the_folder_and_the_weights(real):
    folder = model_folder("all-minilm-l6-v2", "encoder")
    assert real.identity.startswith(f"{folder.name}:")
    assert SentenceEncoder(folder).identity == real.identity


@pytest.mark.slow
def test_a_token_count_grows_with_the_text_and_has_no_frame(real):
    assert real.count_tokens("") == 0
    assert real.count_tokens("cars") == 1
    assert real.count_tokens("word " * 1000) == 1000


@pytest.mark.slow
def test_several_threads_get_their_own_vectors(real):
    expected = real.encode(TEXTS)
    wrong: list[int] = []

    def encode(i: int) -> None:
        for _ in range(5):
            if real.encode([TEXTS[i]])[0] @ expected[i] < 0.999 or real.count_tokens(TEXTS[1]) != real.count_tokens(TEXTS[1]):
                wrong.append(i)

    threads = [threading.Thread(target=encode, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
