"""The settings that a reader may choose for the next questions: from the words on the page to :class:`rag.types.Options`."""

from __future__ import annotations

from rag.answer.assistant import MAX_NEW_TOKENS
from rag.answer.refusal import THRESHOLD
from rag.types import Options, Scope

STRICTNESS = {"Bold": 0.25, "Balanced": THRESHOLD, "Strict": 0.7}
LENGTHS = {"Short": 40, "Usual": MAX_NEW_TOKENS, "Long": 200}  # the most tokens of a draft; words are three quarters as many


def options(passages_read: float, strictness: str, length: str, since: str, until: str, names: str) -> Options:
    """Return the options; an empty text leaves nothing out, and ``names`` has commas between its names."""
    scope = Scope(
        since=since.strip() or None,
        until=until.strip() or None,
        names=tuple(filter(None, (name.strip() for name in names.split(",")))),
    )
    return Options(
        passages_read=int(passages_read), threshold=STRICTNESS[strictness], max_new_tokens=LENGTHS[length], scope=scope
    )
