"""The article beside the chat as HTML, with the cited spans highlighted: pure functions, without a web framework."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from rag.text.visible import as_html as shown
from rag.types import Document
from rag.web.answer_html import about, stale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rag.web.conversation import Turn

_KEY = re.compile(r"([0-9]{1,9})\.(?:h([0-9]{1,9})|c([0-9]{1,9})(?:\.([0-9]{1,9}))?)")  # turn, hit or citation, copy


class Span(NamedTuple):
    """A highlighted part of a document's text: half-open character offsets."""

    start: int
    end: int


def no_source() -> str:
    """Render the pane of the source before anything is open in it."""
    return '<div class="no-source"><p>Choose a source to read its article here.</p></div>'


def first_source(turns: Sequence[Turn]) -> str:
    """Render the article behind the first marker of the newest turn, or the empty pane where there is none."""
    answer = turns[-1].answer if turns else None
    return source(turns, f"{len(turns) - 1}.c{answer.citations[0].marker}") if answer and answer.citations else no_source()


def source(turns: Sequence[Turn], key: str, *, chosen: bool = False) -> str:
    """Render the article that a ``data-open`` key names, with its spans highlighted.

    ``chosen`` says that the reader asked for it, so the browser moves the focus there.

    :raises LookupError: the key names nothing.
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise LookupError(key)
    answer = turns[int(match[1])].answer
    if answer is None:
        raise LookupError(key)
    if match[2]:
        number = int(match[2])
        passage = {hit.rank: hit.passage for hit in answer.hits}[number]
        return _article(key, passage.document, {number: Span(passage.start, passage.end)}, number, chosen=chosen)
    number = int(match[3])
    cited = {citation.marker: citation for citation in answer.citations}[number]
    documents = {p.document.source: p.document for hit in answer.hits for p in (hit.passage, *hit.copies)}
    if match[4]:
        copy = dict(enumerate(cited.copies, start=1))[int(match[4])]
        return _article(key, documents[copy.source], {number: Span(copy.start, copy.end)}, number, chosen=chosen)
    document = documents.get(cited.source)
    if document is None or document.text[cited.start : cited.end] != cited.quote:  # the article was indexed again since
        alone = Document(cited.source, cited.quote, cited.title, cited.published, cited.sha256)
        return _article(key, alone, {number: Span(0, len(cited.quote))}, number, chosen=chosen, note=cited.state.note)
    spans = {c.marker: Span(c.start, c.end) for c in answer.citations if c.source == cited.source}
    return _article(key, document, spans, number, chosen=chosen, note=cited.state.note)


def article(document: Document, start: int = 0, end: int = 0) -> str:
    """Render an article of the library, with the characters from ``start`` to before ``end`` highlighted, if there are any."""
    return _article("", document, {1: Span(start, end)} if start < end else {}, 1, chosen=True)


def _article(key: str, document: Document, spans: Mapping[int, Span], current: int, *, chosen: bool, note: str = "") -> str:
    paragraphs = "".join(
        f'<p dir="auto">{_marked(document.text, Span(*match.span()), spans, current)}</p>'
        for match in re.finditer(r"[^\n]*\S[^\n]*", document.text)
    )
    return (
        f'<article data-key="{key}"{" data-chosen" if chosen else ""} aria-label="Source">'
        '<header tabindex="-1"><button type="button" class="back">Back to the answer</button>'
        f'<h2 dir="auto">{shown(document.title)}</h2>{about(document.published, document.source)}{stale(note)}</header>'
        f"{paragraphs}</article>"
    )


def _marked(text: str, paragraph: Span, spans: Mapping[int, Span], current: int) -> str:
    """Render a paragraph with its part of each span in a ``mark``; where spans overlap, the current one wins."""
    edges = {edge for span in spans.values() for edge in span if paragraph.start < edge < paragraph.end}
    pieces = []
    for start, end in pairwise(sorted({*paragraph, *edges})):
        around = [number for number, span in spans.items() if span.start <= start and end <= span.end]
        piece = shown(text[start:end])
        if current in around:
            piece = f'<mark class="current" tabindex="-1">{piece}</mark>'
        elif around:
            piece = f"<mark>{piece}</mark>"
        pieces.append(piece)
    return "".join(pieces)
