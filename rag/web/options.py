"""What a reader may set for the next questions, as the words on the page -> :class:`rag.types.Options`."""

from __future__ import annotations

from rag.answer.assistant import MAX_NEW_TOKENS
from rag.answer.refusal import THRESHOLD
from rag.types import Options, Scope

STRICTNESS = {"Bold": 0.25, "Balanced": THRESHOLD, "Strict": 0.7}
LENGTHS = {"Short": 40, "Usual": MAX_NEW_TOKENS, "Long": 200}  # tokens of the draft, three quarters as many words


def options(passages_read: float, strictness: str, length: str, since: str, until: str, names: str) -> Options:
    """Give the options; empty texts leave nothing out, and ``names`` are parted by commas."""
    scope = Scope(
        since=since.strip() or None,
        until=until.strip() or None,
        names=tuple(filter(None, (name.strip() for name in names.split(",")))),
    )
    return Options(
        passages_read=int(passages_read), threshold=STRICTNESS[strictness], max_new_tokens=LENGTHS[length], scope=scope
    )
