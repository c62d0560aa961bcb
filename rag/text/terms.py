"""The content terms of a text: what it says in forms that compare."""

from __future__ import annotations

from rag.text.quantities import in_full, plain_number
from rag.text.words import content_words, stem


def content_sequence(text: str) -> list[str]:
    """Return the stems of the content words in order, numbers in plain digits."""
    return [plain_number(w) or stem(w) for w in content_words(in_full(text))]


def content_terms(text: str) -> frozenset[str]:
    """Return the stems of the content words, each once."""
    return frozenset(content_sequence(text))
