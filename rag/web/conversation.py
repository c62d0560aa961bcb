"""A chat as values: its turns, and how a browser keeps it when the page is loaded again.

A browser keeps what was said and the spans that back it, but not the articles: their texts come from the index again. Where an
article has changed since, the quote stays and its place in the article is lost. What a browser gives back may have been written
by anybody, so it is checked like any other input.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from rag.types import Answer, Hit, Passage, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rag.types import Citation, Document, Message

MAX_KEPT_CHARS = 400_000  # one conversation may have so many, some 80 turns; a browser keeps 5 million for a page
LEFT = "The page was left before the answer came."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer or problem so far; both are empty until there is something to show.

    ``waiting`` says in words what the turn waits for, and is empty when the turn is over. ``rated`` is ``up`` or ``down`` once
    the reader has rated the answer.
    """

    question: str
    answer: Answer | None = None
    waiting: str = ""
    problem: str = ""
    rated: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns, oldest first. ``id`` is random and ``started`` an ISO time in UTC."""

    turns: tuple[Turn, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def title(self) -> str:
        """The first question; empty before it is asked."""
        return self.turns[0].question if self.turns else ""

    @property
    def waiting(self) -> bool:
        """Whether the last turn is not over."""
        return bool(self.turns and self.turns[-1].waiting)

    def with_last(self, turn: Turn) -> Conversation:
        """Return the conversation with another last turn."""
        return replace(self, turns=(*self.turns[:-1], turn))


def rating_id(conversation: Conversation, turn: Turn) -> str:
    """Return an id for an answer of a conversation; it does not depend on the number of the turn."""
    said = f"{conversation.id}\0{turn.question}\0{turn.answer.text if turn.answer else ''}"
    return hashlib.sha256(said.encode(errors="replace")).hexdigest()[:16]


def chat_history(turns: Iterable[Turn]) -> list[Message]:
    """Return the answered turns as the history of a chat."""
    said: list[Message] = []
    for turn in turns:
        if turn.answer and turn.answer.text:
            said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer.text}]
    return said


def without_texts(conversation: Conversation) -> Conversation:
    """Return a conversation without the articles' texts."""
    return replace(
        conversation, turns=tuple(replace(turn, answer=_answer_without_texts(turn.answer)) for turn in conversation.turns)
    )


def with_texts(conversation: Conversation, document: Callable[[str], Document]) -> Conversation:
    """Return a conversation with the articles' texts; ``document`` returns an article by its source, or raises LookupError."""
    turns = conversation.turns
    return replace(conversation, turns=tuple(replace(turn, answer=_answer_with_texts(turn.answer, document)) for turn in turns))


def to_json(conversation: Conversation) -> str:
    """Return a conversation without texts as JSON; of a long one, the oldest turns are left out."""
    turns = conversation.turns
    while len(text := _CONVERSATION.dump_json(replace(conversation, turns=turns)).decode()) > MAX_KEPT_CHARS:
        turns = turns[1:]
    return text


def from_json(text: str) -> Conversation:
    """Return the conversation of a JSON text by :func:`to_json`, without texts; a turn that was being answered is over.

    :raises ValueError: the text is anything else.
    """
    if len(text) > MAX_KEPT_CHARS:
        raise ValueError("longer than anything that is kept")
    try:
        conversation = _CONVERSATION.validate_json(text)
    except ValidationError as error:
        raise ValueError(f"no conversation: {error.error_count()} faults") from None
    turns = (replace(turn, waiting="", problem=LEFT) if turn.waiting else turn for turn in conversation.turns)
    return replace(conversation, turns=tuple(turns), id=uuid.UUID(conversation.id).hex)


_CONVERSATION = TypeAdapter(Conversation)


def _answer_without_texts(answer: Answer | None) -> Answer | None:
    if answer is None:
        return None
    hits, closest = (tuple(map(_hit_without_texts, hits)) for hits in (answer.hits, answer.closest))
    return replace(answer, hits=hits, closest=closest, prompt=())


def _hit_without_texts(hit: Hit) -> Hit:
    return replace(hit, passage=_passage_without_text(hit.passage), copies=tuple(map(_passage_without_text, hit.copies)))


def _passage_without_text(passage: Passage) -> Passage:
    return replace(passage, document=replace(passage.document, text=""))


def _answer_with_texts(answer: Answer | None, document: Callable[[str], Document]) -> Answer | None:
    """Return an answer with its articles' texts; a citation of an article that has changed or gone says so."""
    if answer is None:
        return None
    now: dict[str, Document | None] = {}
    for passage in (p for hit in answer.hits for p in (hit.passage, *hit.copies)):
        source = passage.document.source
        if source not in now:
            try:
                now[source] = document(source)
            except LookupError:
                now[source] = None
    return replace(
        answer,
        hits=tuple(found for hit in answer.hits if (found := _hit(hit, now))),
        closest=tuple(found for hit in answer.closest if (found := _hit(hit, now))),
        citations=tuple(_citation(citation, now) for citation in answer.citations),
    )


def _hit(hit: Hit, now: dict[str, Document | None]) -> Hit | None:
    """Return a hit with the article's text, or None where the article has changed or gone."""
    passages = [_passage(passage, now) for passage in (hit.passage, *hit.copies)]
    return replace(hit, passage=passages[0], copies=tuple(filter(None, passages[1:]))) if passages[0] else None


def _passage(passage: Passage, now: dict[str, Document | None]) -> Passage | None:
    there = now[passage.document.source]
    same = there and there.sha256 == passage.document.sha256 and 0 <= passage.start < passage.end <= len(there.text)
    return replace(passage, document=there) if there and same else None


def _citation(citation: Citation, now: dict[str, Document | None]) -> Citation:
    there = now.get(citation.source)
    copies = tuple(copy for copy in citation.copies if (of := now.get(copy.source)) and _stands(copy, of))
    if there and _stands(citation, there):
        return replace(citation, copies=copies)
    return replace(citation, copies=copies, state=State.CHANGED if there else State.MISSING)


def _stands(citation: Citation, document: Document) -> bool:
    return 0 <= citation.start < citation.end and document.text[citation.start : citation.end] == citation.quote
