"""How alike a text and a gold answer are: SQuAD's normalisation and F1, ROUGE-L, containment. Pure functions of words."""

from __future__ import annotations

import math
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def words(text: str) -> list[str]:
    """Normalise as SQuAD does: lower case, no ASCII punctuation, no articles."""
    return [word for word in text.lower().translate(_PUNCTUATION).split() if word not in _ARTICLES]


def holds(text: str, answers: Iterable[str]) -> bool:
    """Say whether the words of an answer stand in a row in the text."""
    padded = f" {' '.join(words(text))} "
    return any(gold and f" {' '.join(gold)} " in padded for gold in map(words, answers))


def token_f1(text: str, gold: str) -> float:
    """Give the harmonic mean of precision and recall of the words, order aside (SQuAD)."""
    ours, theirs = words(text), words(gold)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def rouge_l(text: str, gold: str) -> float:
    """Give the F measure of the longest common subsequence of words (Lin 2004)."""
    ours, theirs = words(text), words(gold)
    common = common_subsequence(ours, theirs)
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def overlap(quote: str, evidence: Iterable[str]) -> float:
    """Give the share of the shorter text's words that both have in the same order, for the most similar evidence."""
    ours = words(quote)
    return max(
        (common_subsequence(ours, theirs) / max(1, min(len(ours), len(theirs))) for theirs in map(words, evidence)), default=0.0
    )


def common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Give the length of the longest common subsequence."""
    lengths = [0] * (len(right) + 1)
    for item in left:
        diagonal = 0
        for column, other in enumerate(right, 1):
            diagonal, lengths[column] = (
                lengths[column],
                diagonal + 1 if item == other else max(lengths[column], lengths[column - 1]),
            )
    return lengths[-1]


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least ``share`` of the values do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
