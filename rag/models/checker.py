"""Judges whether a passage answers a question and whether a claim follows from its evidence, with a small cross-encoder.

It knows nothing of hits or answers. ``training/README.md`` tells how it was trained and what it reaches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.errors import ModelDamaged
from rag.models.runtime import offline_libraries, working_dtype
from rag.types import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rag.models.crossencoder import Logits

BATCH = 16
LEAST = 0.001  # places with a smaller probability are not kept


class Checker:
    """A :class:`rag.protocols.Finder` and a :class:`rag.protocols.Verifier` that share one network."""

    def __init__(self, weights: Path, folder: Path) -> None:
        """Load the encoder in ``folder`` with the trained ``weights`` over it, in bf16 where the CPU computes in it.

        :raises ModelDamaged: encoder or weights do not load, or they do not fit each other.
        """
        offline_libraries()
        import torch
        from safetensors.torch import load_file
        from transformers import AutoTokenizer

        from rag.models.crossencoder import CrossEncoder

        try:
            network = CrossEncoder(folder)
            trained = load_file(weights)
            if trained.keys() != network.trained().keys():
                raise ValueError("its tensors are not those of the network")
            network.load_state_dict(trained, strict=False)  # the embeddings stay the encoder's
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the libraries raise what they like over damaged bytes
            reason = " ".join(str(error).split())
            raise ModelDamaged(
                f"the checker in {weights} does not load ({reason}); set checker = false to go without"
            ) from error
        self._network = network.to(working_dtype()).eval()
        self._inference = torch.inference_mode

    def find(self, question: str, texts: Sequence[str]) -> list[Found]:
        """Return for each text how likely it answers the question, and at which characters."""
        found: dict[int, Found] = {}
        for places, offsets, logits in self._read(question, texts):
            starts = logits.start[:, 1:].softmax(-1)
            for row, i in enumerate(places):
                likely = [(offsets[row][token], p) for token, p in enumerate(starts[row].tolist(), start=1) if p >= LEAST]
                found[i] = Found(float(logits.answers[row].sigmoid()), tuple((a, p) for (a, b), p in likely if a < b))
        return [found[i] for i in range(len(texts))]

    def verify(self, claim: str, evidence: str) -> float:
        """Return the probability (0..1) that a claim follows from the evidence."""
        ((_, _, logits),) = self._read(claim, [evidence])
        return float(logits.verdict.softmax(-1)[0, 0])

    def _read(self, first: str, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[tuple[int, int]]], Logits]]:
        """Yield places in ``texts``, character offsets and logits, one batch of texts of like length after the other."""
        from rag.models.crossencoder import MAX_TOKENS

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for at in range(0, len(order), BATCH):
            places = order[at : at + BATCH]
            got = self._tokenizer(
                [first] * len(places),
                [texts[i] for i in places],
                truncation="longest_first",
                max_length=MAX_TOKENS,
                padding=True,
                return_offsets_mapping=True,
                split_special_tokens=True,  # "[SEP]" in an article is five characters
                return_tensors="pt",
            )
            with self._inference():
                logits = self._network(got["input_ids"], got["token_type_ids"], got["attention_mask"])
            yield places, got["offset_mapping"].tolist(), logits
