"""The network of the checker: two texts read together. Imports torch, so it is imported by who loads or trains weights only.

A cross-encoder (Nogueira and Cho 2019, arXiv:1901.04085) that begins as the encoder and shares its word embeddings, which
training leaves alone: only what lies above them is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn
from transformers import AutoModel

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOKENS = 224  # of both texts; of training pairs one in fifty is longer


class Logits(NamedTuple):
    """What the heads say: ``answers`` ``(n,)``, ``start`` and ``end`` ``(n, length)``, ``verdict`` ``(n, 3)``, all in fp32.

    ``answers`` is whether the second text answers the first, a question; ``start`` and ``end`` where, token 0 standing for
    nowhere, and tokens that are not the second text's for out of the question; ``verdict`` is whether it supports the first
    text, a claim, refutes it, or does neither.
    """

    answers: Tensor
    start: Tensor
    end: Tensor
    verdict: Tensor


class CrossEncoder(nn.Module):
    """A BERT with three heads."""

    def __init__(self, folder: Path) -> None:
        """Begin with the weights of the encoder in ``folder``, in fp32; the heads are drawn.

        Attention is computed step by step: in training that is a tenth faster than the fused kernel on two cores.
        """
        super().__init__()
        bert: Any = AutoModel.from_pretrained(  # without dropout, which takes training down a path three times as slow
            folder,
            local_files_only=True,
            use_safetensors=True,
            add_pooling_layer=False,
            attn_implementation="eager",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.bert = bert
        self.answers = nn.Linear(bert.config.hidden_size, 1)
        self.span = nn.Linear(bert.config.hidden_size, 2)
        self.verdict = nn.Linear(bert.config.hidden_size, 3)

    def forward(self, ids: Tensor, segments: Tensor, mask: Tensor) -> Logits:
        """Read ``(n, length)`` token ids; segment 1 is the second text."""
        hidden = self.bert(input_ids=ids, token_type_ids=segments, attention_mask=mask).last_hidden_state
        first = hidden[:, 0]
        start, end = self.span(hidden).float().unbind(-1)
        outside = (segments == 0).float() * -1e4
        outside[:, 0] = 0.0
        return Logits(self.answers(first).float().squeeze(-1), start + outside, end + outside, self.verdict(first).float())

    def trained(self) -> dict[str, nn.Parameter]:
        """Give the parameters that training changes, by name: all but the embeddings."""
        return {name: parameter for name, parameter in self.named_parameters() if not name.startswith("bert.embeddings.")}
