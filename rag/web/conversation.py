"""A chat as values: its turns, and how a browser keeps it across a reload.

A browser keeps what was said and the spans that back it, not the articles: their texts come from the index again. Where an
article is no longer what it was, the quote stays and its place is gone. What a browser gives back may have been written by
anybody, so it is checked like any input.
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

MAX_KEPT_CHARS = 400_000  # of one conversation, some 80 turns; a browser keeps 5 million for a page
LEFT = "The page was left before the answer came."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what has become of it so far: an answer, a problem, or both empty.

    ``waiting`` says in words what it waits for and is empty when the turn is over. ``rated`` is ``up`` or ``down`` once the
    reader has said so.
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
        """Give it with another last turn."""
        return replace(self, turns=(*self.turns[:-1], turn))


def rating_id(conversation: Conversation, turn: Turn) -> str:
    """Name an answer of a conversation, wherever in it the turn comes to stand."""
    said = f"{conversation.id}\0{turn.question}\0{turn.answer.text if turn.answer else ''}"
    return hashlib.sha256(said.encode(errors="replace")).hexdigest()[:16]


def messages(turns: Iterable[Turn]) -> list[Message]:
    """Give the answered turns as a chat's history."""
    said: list[Message] = []
    for turn in turns:
        if turn.answer and turn.answer.text:
            said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer.text}]
    return said


def light(conversation: Conversation) -> Conversation:
    """Give a conversation without the articles' texts."""
    return replace(conversation, turns=tuple(replace(turn, answer=_light(turn.answer)) for turn in conversation.turns))


def whole(conversation: Conversation, document: Callable[[str], Document]) -> Conversation:
    """Give a light conversation its texts; ``document`` gives an article by source, or raises LookupError."""
    turns = conversation.turns
    return replace(conversation, turns=tuple(replace(turn, answer=_whole(turn.answer, document)) for turn in turns))


def written(conversation: Conversation) -> str:
    """Give the JSON of a light conversation, the oldest turns left out where it is long."""
    turns = conversation.turns
    while len(text := _CONVERSATION.dump_json(replace(conversation, turns=turns)).decode()) > MAX_KEPT_CHARS:
        turns = turns[1:]
    return text


def read(text: str) -> Conversation:
    """Read what :func:`written` gave, light; what was being answered then is over.

    :raises ValueError: it is something else.
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


def _light(answer: Answer | None) -> Answer | None:
    if answer is None:
        return None
    hits, closest = (tuple(map(_light_hit, hits)) for hits in (answer.hits, answer.closest))
    return replace(answer, hits=hits, closest=closest, prompt=())


def _light_hit(hit: Hit) -> Hit:
    return replace(hit, passage=_without_text(hit.passage), copies=tuple(map(_without_text, hit.copies)))


def _without_text(passage: Passage) -> Passage:
    return replace(passage, document=replace(passage.document, text=""))


def _whole(answer: Answer | None, document: Callable[[str], Document]) -> Answer | None:
    """Give an answer with its articles' texts; a place in an article that is another now is marked as changed or missing."""
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
    """Give a hit on the article as it is now, None where that is another."""
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
