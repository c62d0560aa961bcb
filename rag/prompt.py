"""The only place with prompt text. Pure functions from a question and hits to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.types import Hit, Message

SYSTEM = (
    "You answer questions about articles. Use only the numbered passages. Answer in one or two short, complete sentences, "
    "with the names and figures that the passages give."
)


def reading(question: str, hits: Sequence[Hit]) -> list[Message]:
    """Ask for an answer from the passages, numbered from 1 and headed by their article's title and date."""
    passages = "\n\n".join(f"[{number}] {_head(hit)}\n{hit.passage.text}" for number, hit in enumerate(hits, start=1))
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{passages}\n\nQuestion: {question}"}]


def _head(hit: Hit) -> str:
    published = hit.passage.document.published
    return f"{hit.passage.heading} ({published})" if published else hit.passage.heading
