"""An answer as HTML: pure functions from values to fragments, without a web framework.

Everything that was not written in this file is data, and is shown as text: articles, titles, file names, questions, errors.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rag.evaluate.ratings import MAX_NOTE
from rag.text.visible import as_html as shown
from rag.types import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rag.types import Answer, Citation, Claim, Hit
    from rag.web.conversation import Conversation, Turn


def conversation(turns: Sequence[Turn]) -> str:
    """Render the turns, oldest first.

    A button opens the source that its ``data-open`` names, or does to the turn ``data-turn`` what its ``data-act`` says.
    """
    rendered = "".join(_turn(i, turn, last=i == len(turns) - 1) for i, turn in enumerate(turns))
    return f'<div role="log" aria-label="Conversation">{rendered}</div>'


def menu(conversations: Iterable[Conversation], current: str) -> str:
    """Render the conversations, the newest first: each can be opened or forgotten."""
    listed = "".join(
        f'<li><button type="button" data-go="{shown(c.id)}"{" aria-current" if c.id == current else ""} dir="auto">'
        f"{shown(c.title)}</button>"
        f'<button type="button" data-forget="{shown(c.id)}" aria-label="Forget {shown(c.title)}">×</button></li>'
        for c in sorted(conversations, key=lambda c: c.started, reverse=True)
        if c.turns
    )
    earlier = f"<details><summary>Conversations</summary><ul>{listed}</ul></details>" if listed else ""
    return f'<h1>Footnote</h1><nav aria-label="Conversations">{earlier}<button type="button" data-fresh>New</button></nav>'


def welcome(articles: int, examples: Sequence[str]) -> str:
    """Render what stands where the conversation will be: a few words, and example questions."""
    count = "one article" if articles == 1 else f"{articles:,} articles"
    buttons = "".join(f'<li><button type="button" data-ask dir="auto">{shown(text)}</button></li>' for text in examples)
    return (
        f'<div class="welcome"><h2>Ask {count}</h2><p>Each sentence of an answer carries a number. '
        "It leads to the very sentence that it rests on, in its article.</p>"
        f"{f'<ul>{buttons}</ul>' if buttons else ''}</div>"
    )


def notice(text: str, *, alert: bool = False) -> str:
    """Render one line about the state of the page; empty text leaves nothing to see."""
    return f'<p role="{"alert" if alert else "status"}">{shown(_sentence(text))}</p>'


def _turn(index: int, turn: Turn, *, last: bool) -> str:
    parts = [f'<h2 dir="auto">{shown(turn.question)}</h2>']
    if turn.answer and not turn.answer.text:
        parts += _looked_at(turn.answer)
    elif turn.answer:
        parts += _refusal(index, turn.answer) if turn.answer.status is Status.REFUSED else _answer(index, turn.answer)
        parts += [f'<p class="note">{shown(note)}</p>' for note in _notes(turn.answer) if not turn.waiting]
        parts += [] if turn.waiting else _not_cited(index, turn.answer)
    if turn.waiting:
        parts.append(f'<p class="waiting">{shown(turn.waiting)} <button type="button" data-act="stop">Stop</button></p>')
    else:
        parts += _actions(index, turn, last=last)
    if turn.problem:
        parts.append(f'<p class="problem" role="alert">{shown(_sentence(turn.problem))}</p>')
    return f'<section class="turn">{"".join(parts)}</section>'


def _actions(index: int, turn: Turn, *, last: bool) -> list[str]:
    """Render the buttons of a turn that is over."""

    def button(do: str, text: str, more: str = "") -> str:
        return f'<button type="button" data-act="{do}" data-turn="{index}"{more}>{text}</button>'

    again = [button("retry", "Ask again"), button("edit", "Edit")] if last else []
    if not turn.answer or not turn.answer.text:
        return [f'<div class="actions">{"".join(again)}</div>'] if again else []
    saved = "".join(button("save", name, f' data-form="{name.lower()}"') for name in ("Markdown", "HTML", "JSON"))
    thumbs = "".join(
        button("rate", word, f' data-good="{good}" aria-pressed="{str(turn.rated == good).lower()}"')
        for word, good in (("✓ Right", "up"), ("✗ Wrong", "down"))
    )
    note = (
        f'<div class="rating"><input type="text" maxlength="{MAX_NOTE}" aria-label="Note" '
        f'placeholder="What should be known of it?">'
        f"{button('rate', 'Add the note')}</div>"
        if turn.rated
        else ""
    )
    return [
        f'<div class="actions">{button("copy", "Copy")}<details><summary>Save</summary><div>{saved}</div></details>'
        f"{button('link', 'Link')}{''.join(again)}{thumbs}</div>{note}"
    ]


def _looked_at(answer: Answer) -> list[str]:
    """Render the titles of the articles that are being read."""
    titles = dict.fromkeys(hit.passage.heading for hit in answer.hits)
    items = "".join(f'<li dir="auto">{shown(title)}</li>' for title in titles)
    return [f'<ul class="looked-at" aria-label="Articles being read">{items}</ul>'] if items else []


def _not_cited(index: int, answer: Answer) -> list[str]:
    """Render the passages that were read and not cited, each with its scores."""
    spans = [(c.source, c.start, c.end) for c in answer.citations]
    rest = [
        hit
        for hit in answer.hits
        if not any(
            source == hit.passage.document.source and start < hit.passage.end and hit.passage.start < end
            for source, start, end in spans
        )
    ]
    if not rest:
        return []
    items = "".join(
        f'<li><button type="button" data-open="{index}.h{hit.rank}"><strong dir="auto">{shown(hit.passage.heading)}</strong>'
        f"{about(hit.passage.document.published, hit.passage.document.source)}"
        f'<span class="about">{_scores(hit)}</span></button></li>'
        for hit in rest
    )
    listed = f'<ul class="sources closest">{items}</ul>'
    return [f'<details class="rest"><summary>Read, not cited: {len(rest)}</summary>{listed}</details>']


def _scores(hit: Hit) -> str:
    found = f", holds an answer {hit.found.probability:.0%}" if hit.found else ""
    return f"Rank {hit.rank}, score {hit.score:.4f}, likeness {hit.cosine:.2f}{found}"


def _answer(index: int, answer: Answer) -> list[str]:
    sentences = " ".join(_claim(index, claim) for claim in answer.claims if claim.markers)
    cited = "".join(
        f'<li><button type="button" data-open="{index}.c{c.marker}"><span class="number">{c.marker}</span>'
        f'<q dir="auto">{shown(c.quote)}</q>{about(c.published, c.title, c.source)}{stale(c.state.note)}</button>'
        f"{_copies(index, c)}</li>"
        for c in answer.citations
    )
    return [f'<p class="answer" dir="auto">{sentences}</p>', f'<ol class="sources" aria-label="Sources">{cited}</ol>']


def _copies(index: int, citation: Citation) -> str:
    """Render the buttons that open the same sentence in other articles."""
    return "".join(
        f'<button type="button" class="copy" data-open="{index}.c{citation.marker}.{number}">'
        f"{about(copy.published, 'the same', copy.source)}</button>"
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
    """Render a claim, with the words underlined that its sources do not hold."""
    text, at = "", 0
    for start, end in claim.unbacked:
        text += f"{shown(claim.text[at:start])}<u>{shown(claim.text[start:end])}</u>"
        at = end
    return text + shown(claim.text[at:])


def _refusal(index: int, answer: Answer) -> list[str]:
    cards = "".join(
        f'<li><button type="button" data-open="{index}.h{hit.rank}"><strong dir="auto">{shown(hit.passage.heading)}</strong>'
        f"{about(hit.passage.document.published, hit.passage.document.source)}</button></li>"
        for hit in answer.closest
    )
    said = f'<p class="refusal" dir="auto">{shown(answer.reason)}</p>'
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


def about(published: str | None, *rest: str) -> str:
    """Render where a text comes from, on one line."""
    parts = [f"<bdi>{shown(text)}</bdi>" for text in rest]
    if published:
        parts.insert(-1, f'<time datetime="{shown(published)}">{shown(_long_date(published))}</time>')
    return f'<span class="about">{" · ".join(parts)}</span>'


def stale(note: str) -> str:
    """Render what has become of a file since it was indexed; nothing where the note is empty."""
    return f'<span class="stale">{shown(_sentence(note))}</span>' if note else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _long_date(published: str) -> str:
    try:
        day = date.fromisoformat(published)
    except ValueError:
        return published
    return f"{day.day} {day:%B %Y}"
