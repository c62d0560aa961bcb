"""The network of the checker, which reads two texts together.

It is a cross-encoder (Nogueira and Cho 2019, arXiv:1901.04085) that begins as the encoder and shares its word embeddings.
Training leaves them alone, so only what lies above them is stored. This module imports torch when it is imported, so only code
that loads or trains weights imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn
from transformers import AutoModel

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOKENS = 224  # both texts together are cut to this many; one training pair in fifty is longer


class Logits(NamedTuple):
    """What the heads return: ``answers`` ``(n,)``, ``start`` and ``end`` ``(n, length)``, ``verdict`` ``(n, 3)``, all in fp32.

    ``answers`` tells whether the second text answers the first, a question. ``start`` and ``end`` tell where: token 0 stands
    for nowhere, and all other tokens outside of the second text are ruled out. ``verdict`` tells whether the second text
    supports the first, a claim, refutes it, or does neither.
    """

    answers: Tensor
    start: Tensor
    end: Tensor
    verdict: Tensor


class CrossEncoder(nn.Module):
    """A BERT with three heads: is there an answer, where is it, and what follows."""

    def __init__(self, folder: Path) -> None:
        """Begin with the weights of the encoder in ``folder``, in fp32, and with random heads.

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
        """Return the logits for ``(n, length)`` token ids; the second text has segment 1."""
        hidden = self.bert(input_ids=ids, token_type_ids=segments, attention_mask=mask).last_hidden_state
        first = hidden[:, 0]
        start, end = self.span(hidden).float().unbind(-1)
        outside = (segments == 0).float() * -1e4
        outside[:, 0] = 0.0
        return Logits(self.answers(first).float().squeeze(-1), start + outside, end + outside, self.verdict(first).float())

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters that training changes, by name: all but the embeddings."""
        return {name: parameter for name, parameter in self.named_parameters() if not name.startswith("bert.embeddings.")}
