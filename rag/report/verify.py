"""Check what ``rag ask --json`` printed against the index as it is now: whether each quote still stands where it was cited.

The index decides, never the file: another program has kept the citations, and they may be garbled or made up.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.report.record import SCHEMA
from rag.text.sentences import sentences
from rag.text.words import words
from rag.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rag.index.reader import Reader
    from rag.types import Document

PASSAGES = 50  # a quote that left its place is looked for in this many passages, those with the most words in common
SENTENCES = 20  # this many sentences, those with the most words in common, are compared with a quote letter by letter
NEAR = 0.6  # a sentence may be what became of a quote from this likeness on (0..1, Ratcliff and Obershelp)
LONGEST = 4000  # characters of a quote that are searched for; no longer text is compared by letters, which takes quadratic time

_BLANK = re.compile(r"\s*")
_CITED = {"source": str, "start": int, "end": int, "quote": str, "sha256": str}


class Standing(StrEnum):
    """What has become of a citation; only a valid one stands as it was cited."""

    VALID = "valid"
    MOVED = "moved"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation as it was kept; ``answer`` is the number of its object in the file, from 1."""

    answer: int
    marker: int
    span: Span
    sha256: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A citation and what has become of it; ``now`` is where the quote stands now, or the sentence nearest to it."""

    cited: Cited
    standing: Standing
    now: Span | None = None

    @property
    def valid(self) -> bool:
        """Whether the quote stands where it was cited."""
        return self.standing is Standing.VALID


def read_citations(content: bytes) -> list[Cited]:
    """Return the citations of all answers in a file: one JSON object, or several after each other.

    :raises UsageError: the file holds anything else.
    """
    citations: list[Cited] = []
    for number, record in enumerate(_objects(content), start=1):
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            raise UsageError(
                f"object {number} is no answer of `rag ask --json` (schema {SCHEMA}); give what `rag ask --json` printed"
            )
        if "error" in record:
            continue  # a batch prints it in place of an answer
        listed = record.get("citations")
        if not isinstance(listed, list):
            raise UsageError(f'object {number} has no list of "citations"; give what `rag ask --json` printed')
        citations += [_cited(number, place, citation) for place, citation in enumerate(listed, start=1)]
    return citations


def verify(citations: Iterable[Cited], store: Reader) -> Iterator[Verified]:
    """Yield what has become of each citation; all are looked up in the same committed state of the index."""
    with store.snapshot():
        held: dict[str, list[str]] = {}  # sources by hash
        for source, state in store.state().items():
            held.setdefault(state.sha256, []).append(source)
        sources = frozenset(source for same in held.values() for source in same)
        for cited in citations:
            here = _documents(store, {cited.span.source} & sources)
            if any(document.text.startswith(cited.span.quote, cited.span.start) for document in here):
                yield Verified(cited, Standing.VALID)
            else:
                yield _found_elsewhere(cited, here, [*_documents(store, held.get(cited.sha256, ())), *_alike(store, cited)])


def _found_elsewhere(cited: Cited, here: Sequence[Document], others: Sequence[Document]) -> Verified:
    """Look for a quote that left its place: first in its source, then in articles with the same bytes or with its words."""
    start, quote = cited.span.start, cited.span.quote
    for document in (*here, *others):
        at = start if document.text.startswith(quote, start) else document.text.find(quote)
        if at >= 0:
            return Verified(cited, Standing.MOVED, Span(document.source, at, at + len(quote), quote))
    near = _nearest(quote, here or others)
    return Verified(cited, Standing.CHANGED if near else Standing.GONE, near)


def _alike(store: Reader, cited: Cited) -> list[Document]:
    found = store.search_text(words(cited.span.quote[:LONGEST]), top_k=PASSAGES)
    documents = [passage.document for passage in store.passages([i for i, _ in found]).values()]
    return list({document.source: document for document in documents}.values())


def _documents(store: Reader, sources: Iterable[str]) -> list[Document]:
    return [passages[0].document for source in sources if (passages := store.embedded(source)[0])]


def _nearest(quote: str, documents: Iterable[Document]) -> Span | None:
    """Return the sentence most like a quote; None if no sentence is like it at all."""
    if len(quote) > LONGEST:
        return None
    wanted = set(words(quote))
    spans = [
        Span(document.source, start, end, document.text[start:end])
        for document in documents
        for start, end in sentences(document.text)
        if end - start <= LONGEST
    ]
    spans.sort(key=lambda span: -len(wanted.intersection(words(span.quote))))
    likeness = SequenceMatcher(autojunk=False)
    likeness.set_seq2(quote)
    best, nearest = NEAR, None
    for span in spans[:SENTENCES]:
        likeness.set_seq1(span.quote)
        if likeness.quick_ratio() >= best and (ratio := likeness.ratio()) >= best:
            best, nearest = ratio, span
    return nearest


def _objects(content: bytes) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    try:
        text = content.decode("utf-8-sig").strip()
        at = 0
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            yield value
            at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON in UTF-8 ({error}); give what `rag ask --json` printed") from None


def _cited(number: int, place: int, citation: object) -> Cited:
    where = f"object {number}, citation {place}"
    if not isinstance(citation, dict):
        raise UsageError(f"{where} is no object; give what `rag ask --json` printed")
    for name, kind in _CITED.items():
        if type(citation.get(name)) is not kind:
            raise UsageError(f'{where} has no "{name}" ({kind.__name__}); give what `rag ask --json` printed')
    source, start, end, quote, sha256 = (citation[name] for name in _CITED)
    if not quote or start < 0 or end - start != len(quote):
        raise UsageError(f"{where} has a quote of {len(quote)} characters from {start} to {end}; it is not as it was printed")
    marker = citation.get("marker")
    return Cited(number, marker if type(marker) is int else place, Span(source, start, end, quote), sha256)
