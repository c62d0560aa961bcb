"""Example questions to begin with, made from the articles of the index."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.index.reader import Reader

PASSAGES = 300  # so many are looked at, the first of the index

# Two to five capitalised words in the middle of a sentence: most often the name of a person, a company or a place.
_NAME = re.compile(r"(?<=[a-z,] )(?:the )?[A-Z]\w*[a-z](?: [A-Z]\w*[a-z]){1,4}(?![\w-])(?! [A-Z(])")


def example_questions(store: Reader, *, count: int = 3) -> Sequence[str]:
    """Make at most ``count`` questions about the names that come up most, each from another document."""
    passages = store.passages(store.ids(most=PASSAGES).tolist()).values()
    named = Counter((name, passage.document.source) for passage in passages for name in _NAME.findall(passage.text))
    chosen: dict[str, str] = {}  # source -> name
    for (name, source), _ in sorted(named.items(), key=lambda item: (-item[1], -len(item[0][0]), item[0])):
        if name not in chosen.values():
            chosen.setdefault(source, name)
    return [f"What do the articles say about {name}?" for name in list(chosen.values())[:count]]
