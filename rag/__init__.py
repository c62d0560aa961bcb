"""Footnote: ask your own articles, offline; every sentence of an answer is backed by an exact span of a source file.

>>> from rag import ask
>>> print(ask("How many exhibits did the Taizhou expo have?"))  # doctest: +SKIP
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rag.errors import (
    ConfigError,
    CorpusError,
    IndexDamaged,
    IndexMismatch,
    IndexMissing,
    ModelDamaged,
    ModelError,
    ModelMissing,
    RagError,
    StoreError,
    UsageError,
)
from rag.types import AS_CONFIGURED, Answer, Citation, Claim, Hit, Message, Options, Scope, State, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.answer.assistant import Assistant

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "Claim",
    "ConfigError",
    "CorpusError",
    "Hit",
    "IndexDamaged",
    "IndexMismatch",
    "IndexMissing",
    "Message",
    "ModelDamaged",
    "ModelError",
    "ModelMissing",
    "Options",
    "RagError",
    "Scope",
    "State",
    "Status",
    "StoreError",
    "UsageError",
    "Verdict",
    "ask",
]


def ask(
    question: str,
    *,
    history: Sequence[Message] = (),
    options: Options = AS_CONFIGURED,
    index: str | Path | None = None,
) -> Answer:
    """Answer one question from the index in a folder (``index`` unless set); the models stay loaded for the next one.

    :raises RagError: the question or an option is not usable, or the index or a model cannot be had.
    """
    return _assistant(str(index) if index is not None else None).ask(question, history=history, options=options)


@lru_cache(maxsize=1)
def _assistant(index: str | None) -> Assistant:
    from rag.answer.assistant import Assistant

    return Assistant.open(index)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of a module it gives anything
    """Load the assistant when it is first asked for: the command line's help needs none of what it imports."""
    if name == "Assistant":
        from rag.answer.assistant import Assistant

        return Assistant
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
