"""An answer as HTML: pure functions from values to fragments, without a web framework.

Whatever was not written in this file is data and shown as text: articles, titles, file names, questions, messages of errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from rag.types import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rag.types import Answer, Citation, Claim, Document, Hit

CLOSEST = 3  # articles shown below a refusal
CLOSEST_LEAD = " The closest article"  # begins the list that ends a refusal's text, which is shown as buttons here

# C0 and C1 controls but tab and line feed, embeddings, overrides and isolates of direction, tags, half characters.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
_KEY = re.compile(r"([0-9]{1,9})\.(?:h([0-9]{1,9})|c([0-9]{1,9})(?:\.([0-9]{1,9}))?)")  # turn, hit or citation, its copy


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what has become of it so far: an answer, a problem, or both empty.

    ``waiting`` says in words what it waits for and is empty when the turn is over.
    """

    question: str
    answer: Answer | None = None
    waiting: str = ""
    problem: str = ""


class Span(NamedTuple):
    """A highlighted part of a document's text: half-open character offsets."""

    start: int
    end: int


def shown(text: str) -> str:
    """Escape text for HTML; characters that steer and are not seen become visible: U+202E as a backslash and ``u202e``."""
    return escape(_UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def conversation(turns: Sequence[Turn]) -> str:
    """Render the turns, oldest first. A button opens the source named by its ``data-open``, or stops the turn."""
    return f'<div role="log" aria-label="Conversation">{"".join(_turn(i, turn) for i, turn in enumerate(turns))}</div>'


def welcome(articles: int, examples: Sequence[str]) -> str:
    """Render what stands where the conversation will be, with questions to begin with."""
    count = "one article" if articles == 1 else f"{articles:,} articles"
    buttons = "".join(f'<li><button type="button" data-ask dir="auto">{shown(text)}</button></li>' for text in examples)
    return (
        f'<div class="welcome"><h2>Ask {count}</h2><p>Each sentence of an answer carries a number. '
        "It leads to the very sentence that it rests on, in its article.</p>"
        f"{f'<ul>{buttons}</ul>' if buttons else ''}</div>"
    )


def no_source() -> str:
    """Render the reading pane before anything is open in it."""
    return '<div class="no-source"><p>Choose a source to read its article here.</p></div>'


def notice(text: str, *, alert: bool = False) -> str:
    """Render one line about the state of the page; empty text leaves nothing to see."""
    return f'<p role="{"alert" if alert else "status"}">{shown(_sentence(text))}</p>'


def first_source(turns: Sequence[Turn]) -> str:
    """Render the article behind the first marker of the newest turn, or the empty pane if it has none."""
    answer = turns[-1].answer
    return source(turns, f"{len(turns) - 1}.c{answer.citations[0].marker}") if answer and answer.citations else no_source()


def source(turns: Sequence[Turn], key: str, *, chosen: bool = False) -> str:
    """Render the article that a ``data-open`` key names, its spans highlighted; ``chosen`` moves the reader's focus there.

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
    document = documents[cited.source]
    spans = {c.marker: Span(c.start, c.end) for c in answer.citations if c.source == cited.source}
    return _article(key, document, spans, number, chosen=chosen)


def _turn(index: int, turn: Turn) -> str:
    parts = [f'<h2 dir="auto">{shown(turn.question)}</h2>']
    if turn.answer:
        parts += _refusal(index, turn.answer) if turn.answer.status is Status.REFUSED else _answer(index, turn.answer)
        parts += [f'<p class="note">{shown(note)}</p>' for note in _notes(turn.answer) if not turn.waiting]
    if turn.waiting:
        parts.append(f'<p class="waiting">{shown(turn.waiting)} <button type="button" data-stop>Stop</button></p>')
    if turn.problem:
        parts.append(f'<p class="problem" role="alert">{shown(_sentence(turn.problem))}</p>')
    return f'<section class="turn">{"".join(parts)}</section>'


def _answer(index: int, answer: Answer) -> list[str]:
    sentences = " ".join(_claim(index, claim) for claim in answer.claims if claim.markers)
    cited = "".join(
        f'<li><button type="button" data-open="{index}.c{c.marker}"><span class="number">{c.marker}</span>'
        f'<q dir="auto">{shown(c.quote)}</q>{_about(c.published, c.title, c.source)}{_state(c)}</button>'
        f"{_copies(index, c)}</li>"
        for c in answer.citations
    )
    return [f'<p class="answer" dir="auto">{sentences}</p>', f'<ol class="sources" aria-label="Sources">{cited}</ol>']


def _copies(index: int, citation: Citation) -> str:
    """Render what opens the same sentence in other articles."""
    return "".join(
        f'<button type="button" class="copy" data-open="{index}.c{citation.marker}.{number}">'
        f"{_about(copy.published, 'the same', copy.source)}</button>"
        for number, copy in enumerate(citation.copies, start=1)
    )


def _claim(index: int, claim: Claim) -> str:
    markers = "".join(
        f'<button type="button" class="marker" data-open="{index}.c{m}" aria-label="Source {m}">{m}</button>'
        for m in claim.markers
    )
    if claim.verdict is Verdict.SUPPORTED:
        return f"<span>{shown(claim.text)}{markers}</span>"
    return (
        f'<span class="partly" title="{shown(claim.reason)}">{_with_unbacked(claim)}{markers}'
        "<small>partly supported</small></span>"
    )


def _with_unbacked(claim: Claim) -> str:
    """Escape a claim, the words that its sources do not hold underlined."""
    text, at = "", 0
    for start, end in claim.unbacked:
        text += f"{shown(claim.text[at:start])}<u>{shown(claim.text[start:end])}</u>"
        at = end
    return text + shown(claim.text[at:])


def _refusal(index: int, answer: Answer) -> list[str]:
    nearest: dict[tuple[str, str], Hit] = {}
    for hit in answer.hits:
        nearest.setdefault((hit.passage.document.source, hit.passage.heading), hit)
    cards = "".join(
        f'<li><button type="button" data-open="{index}.h{hit.rank}"><strong dir="auto">{shown(hit.passage.heading)}</strong>'
        f"{_about(hit.passage.document.published, hit.passage.document.source)}</button></li>"
        for hit in list(nearest.values())[:CLOSEST]
    )
    said = f'<p class="refusal" dir="auto">{shown(answer.text.partition(CLOSEST_LEAD)[0])}</p>'
    return [said, f'<p class="label">Closest articles</p><ul class="sources closest">{cards}</ul>'] if cards else [said]


def _notes(answer: Answer) -> list[str]:
    notes = []
    left_out = sum(not claim.markers for claim in answer.claims)
    if answer.status is Status.PARTIAL and left_out:
        notes.append(f"Left out, because no article backs it: {left_out} of {len(answer.claims)} drafted sentences.")
    notes += [_sentence(remark) for remark in answer.remarks]
    if answer.standalone_question != answer.question:
        notes.append(f"Understood as: {answer.standalone_question}")
    return notes


def _about(published: str | None, *rest: str) -> str:
    """Say where a text comes from, on one line."""
    parts = [f"<bdi>{shown(text)}</bdi>" for text in rest]
    if published:
        parts.insert(-1, f'<time datetime="{shown(published)}">{shown(_long_date(published))}</time>')
    return f'<span class="about">{" · ".join(parts)}</span>'


def _state(citation: Citation) -> str:
    return f'<span class="stale">{_sentence(citation.state.note)}</span>' if citation.state.note else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _long_date(published: str) -> str:
    try:
        day = date.fromisoformat(published)
    except ValueError:
        return published
    return f"{day.day} {day:%B %Y}"


def _article(key: str, document: Document, spans: Mapping[int, Span], current: int, *, chosen: bool) -> str:
    paragraphs = "".join(
        f'<p dir="auto">{_marked(document.text, Span(*match.span()), spans, current)}</p>'
        for match in re.finditer(r"[^\n]*\S[^\n]*", document.text)
    )
    return (
        f'<article data-key="{key}"{" data-chosen" if chosen else ""} aria-label="Source">'
        '<header><button type="button" class="back">Back to the answer</button>'
        f'<h2 dir="auto">{shown(document.title)}</h2>{_about(document.published, document.source)}</header>'
        f"{paragraphs}</article>"
    )


def _marked(text: str, paragraph: Span, spans: Mapping[int, Span], current: int) -> str:
    """Escape a paragraph, with its share of each span in a ``mark``; where spans overlap, the current one wins."""
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
