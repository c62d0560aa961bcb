"""Measure how alike a text and a gold answer are: containment, SQuAD's F1, ROUGE-L. Pure functions of words."""

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
    """Return the words as SQuAD normalises them: in lower case, without ASCII punctuation and articles."""
    return [word for word in text.lower().translate(_PUNCTUATION).split() if word not in _ARTICLES]


def holds(text: str, answers: Iterable[str]) -> bool:
    """Return whether the text contains the words of one of the answers, one after the other."""
    padded = f" {' '.join(words(text))} "
    return any(gold and f" {' '.join(gold)} " in padded for gold in map(words, answers))


def token_f1(text: str, gold: str) -> float:
    """Return the F1 of SQuAD (0..1): the harmonic mean of precision and recall of the words, whatever their order."""
    ours, theirs = words(text), words(gold)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def rouge_l(text: str, gold: str) -> float:
    """Return ROUGE-L (0..1): the F measure of the longest common subsequence of words (Lin 2004)."""
    ours, theirs = words(text), words(gold)
    common = common_subsequence(ours, theirs)
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def overlap(quote: str, evidence: Iterable[str]) -> float:
    """Return which share (0..1) of the shorter text's words both texts have in the same order.

    Of several evidence texts the most similar one counts; 0 where there is none.
    """
    ours = words(quote)
    return max(
        (common_subsequence(ours, theirs) / max(1, min(len(ours), len(theirs))) for theirs in map(words, evidence)), default=0.0
    )


def common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
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
    """Return the smallest value that at least ``share`` (0..1) of the values do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
