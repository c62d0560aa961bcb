"""The only place with prompt text. Pure functions from a question and excerpts to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.text.visible import to_a_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer.evidence import Excerpt
    from rag.types import Message

# The instruction offers no way out ("if the passages do not say, ..."). A model of this size would take it for every second
# question that the passages do answer. Code decides whether to answer, from the draft and the evidence.
SYSTEM = (
    "You answer questions about articles. Use only the numbered passages. Answer in one or two short, complete sentences, "
    "with the names and figures that the passages give."
)


def reading(question: str, excerpts: Sequence[Excerpt]) -> list[Message]:
    """Ask for an answer from the excerpts, numbered from 1 and headed by their article's title and date."""
    passages = "\n\n".join(f"[{number}] {_head(excerpt)}\n{excerpt.text}" for number, excerpt in enumerate(excerpts, start=1))
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": to_a_model(f"{passages}\n\nQuestion: {question}")},
    ]


def _head(excerpt: Excerpt) -> str:
    published = excerpt.document.published
    return f"{excerpt.heading} ({published})" if published else excerpt.heading
