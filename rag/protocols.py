"""The seams of the system: one small Protocol for each model and for what searches, so that any of them can be another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag.types import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Generator as Stream
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.types import Found, Hit, Message, Scope


class Encoder(Protocol):
    """Text to vectors. ``identity`` names the weights and the way they are used: equal identities give equal vectors."""

    @property
    def identity(self) -> str:
        """Name the weights (with their hash) and the pooling."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return ``(n, dim)`` vectors of length 1, in the order of ``texts``."""


class Retriever(Protocol):
    """A question to passages."""

    def retrieve(self, question: str, *, top_k: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """Return at most ``top_k`` hits from the articles of the scope, best first; empty when nothing matches at all."""


class Finder(Protocol):
    """Question and texts to whether each answers it."""

    def find(self, question: str, texts: Sequence[str]) -> list[Found]:
        """Judge each text, in the order of ``texts``."""


class Verifier(Protocol):
    """Claim and evidence to a verdict."""

    def verify(self, claim: str, evidence: str) -> float:
        """Return the probability (0..1) that the claim follows from the evidence."""


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of a reply.

    ``surprisal`` is how surprising to the model that chose them the most surprising tokens written so far are, in nats: 0 where
    no other was possible. ``known`` is the probability (0..1), seen in the states in which the model read the prompt, that the
    passages answer the question; None where nothing looked.
    """

    text: str
    surprisal: float
    known: float | None = None


class Generator(Protocol):
    """A prompt to text (the field also says reader)."""

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int) -> Stream[Written]:
        """Yield the reply piece by piece; closing the iterator stops the computation."""
