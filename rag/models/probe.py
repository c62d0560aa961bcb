"""Judges from the generator's states over the question whether the passages answer it, with a small trained head.

A model that has read passages and then a question knows more of the two than it says. A probe (Alain and Bengio,
arxiv.org/abs/1610.01644) of its middle layers tells questions that only look answerable from those that are. The prompt is read
anyway, and the head takes a tenth of a millisecond. ``training/README.md`` tells how it was trained and what it reaches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from torch import nn

from rag.errors import ModelDamaged

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

AFTER = 5  # the generator's chat template puts this many tokens after the question
ASKED = 51  # the probe looks at no more than this many of the question's last tokens
PARTS, VIEWS = 48, 4


class Head(nn.Module):
    """Turns the states of a question's tokens into the logit that the passages before it hold the answer."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.part = nn.Linear(width, PARTS)
        self.view = nn.Linear(PARTS, VIEWS)
        self.known = nn.Linear(PARTS * VIEWS, 1)
        self.blur_states, self.blur_views = nn.Dropout(0.2), nn.Dropout(0.3)

    def forward(self, states: Tensor, asked: Tensor) -> Tensor:
        """Return logits ``(batch,)`` for the states ``(batch, tokens, width)`` where ``asked`` ``(batch, tokens)`` is true."""
        parts = nn.functional.gelu(self.part(self.blur_states((states - self.mean) / self.scale)))
        weights = self.view(parts).masked_fill(~asked[..., None], -1e4).softmax(1)
        views = torch.einsum("btv,btp->bvp", weights, parts).flatten(1)
        logits: Tensor = self.known(self.blur_views(views)).squeeze(-1)
        return logits


class Probe:
    """The trained head, ready for use."""

    def __init__(self, weights: Path) -> None:
        """Load the head; it takes the states after the generator's layer number ``layer``, counted from 1.

        :raises ModelDamaged: the file does not load.
        """
        try:
            with safe_open(weights, framework="pt") as file:
                self.layer = int(file.metadata()["layer"])
                trained = {name: file.get_tensor(name).float() for name in file.keys()}
            self._head = Head(len(trained["mean"])).eval()
            self._head.load_state_dict(trained)
        except Exception as error:  # the libraries raise what they like over damaged bytes
            reason = " ".join(str(error).split())
            raise ModelDamaged(f"the probe in {weights} does not load ({reason}); install again") from error

    @torch.inference_mode()
    def read(self, states: Tensor, asked: int) -> float:
        """Return the probability (0..1) that the text before a question answers it.

        :param states: states of the prompt ``(tokens, width)`` after :attr:`layer`.
        :param asked: how many tokens the question has; they end ``AFTER`` tokens before the prompt does.
        """
        of_question = states[-AFTER - max(1, min(asked, ASKED)) : -AFTER].float()
        return float(self._head(of_question[None], torch.ones(1, len(of_question), dtype=torch.bool)).sigmoid())
