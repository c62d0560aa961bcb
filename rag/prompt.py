"""The only place with prompt text. Pure functions from a question and excerpts to messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.evidence import Excerpt
    from rag.types import Message

# It does not offer a way out ("if the passages do not say, ..."): a model of this size then takes it for every second question
# that the passages do answer. Whether to answer is decided by code, from the draft and the evidence.
SYSTEM = (
    "You answer questions about articles. Use only the numbered passages. Answer in one or two short, complete sentences, "
    "with the names and figures that the passages give."
)

# What a reader of an article does not see, the model does not read: soft hyphens, zero-width spaces, bidirectional controls,
# variation selectors but the one of emoji, tags. The joiners U+200C and U+200D stay, scripts and emoji need them.
INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def reading(question: str, excerpts: Sequence[Excerpt]) -> list[Message]:
    """Ask for an answer from the excerpts, numbered from 1 and headed by their article's title and date."""
    passages = "\n\n".join(f"[{number}] {_head(excerpt)}\n{excerpt.text}" for number, excerpt in enumerate(excerpts, start=1))
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": INVISIBLE.sub("", f"{passages}\n\nQuestion: {question}")},
    ]


def _head(excerpt: Excerpt) -> str:
    published = excerpt.document.published
    return f"{excerpt.heading} ({published})" if published else excerpt.heading
