r"""The JSON that other programs write and read: questions in, answers out, one object a line.

No reader splits a line: all characters that some readers take for a line break are written as ``\uXXXX``, and so are control
characters and lone surrogates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.search.followup import is_turn
from rag.text.visible import in_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag.types import Answer, Hit, Message

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a file: ``id`` is any JSON value, ``fields`` the whole object of its line."""

    id: Any
    question: str
    history: tuple[Message, ...]
    fields: dict[str, Any]


class BadQuestion(UsageError):
    """A line is no question; ``id`` is the id on that line, or None."""

    def __init__(self, message: str, asked_id: object = None) -> None:
        super().__init__(message)
        self.id = asked_id


def parse_question(line: bytes) -> Asked:
    """Read one line of a file of questions: ``{"id", "question", "history"?}`` and any other fields.

    :raises BadQuestion: it is not such a line.
    """
    try:
        fields = json.loads(line.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadQuestion(f"not a line of JSON in UTF-8 ({error})") from None
    if not isinstance(fields, dict):
        raise BadQuestion('a line must be an object such as {"id": 1, "question": "..."}')
    asked_id, question, history = fields.get("id"), fields.get("question"), fields.get("history")
    if not isinstance(question, str):
        raise BadQuestion('"question" must be text', asked_id)
    if history is None:
        history = []
    if not isinstance(history, list) or not all(is_turn(turn) for turn in history):
        raise BadQuestion('"history" must be a list of {"role": "user" or "assistant", "content": text}', asked_id)
    turns: list[Message] = [{"role": turn["role"], "content": turn["content"]} for turn in history]
    return Asked(asked_id, question, tuple(turns), fields)


def answer_record(answer: Answer, *, asked_id: object = None) -> dict[str, Any]:
    """Return the object that ``rag ask --json`` prints."""
    return {
        "schema": SCHEMA,
        "id": asked_id,
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "text": answer.text,
        "status": answer.status.value,
        "answerability": answer.answerability,
        "claims": [
            {"text": c.text, "verdict": c.verdict.value, "support": c.support, "markers": list(c.markers)}
            for c in answer.claims
        ],
        "citations": [
            {
                "marker": c.marker,
                "source": c.source,
                "title": c.title,
                "published": c.published,
                "start": c.start,
                "end": c.end,
                "quote": c.quote,
                "support": c.support,
                "sha256": c.sha256,
                "state": c.state.value,
                "copies": [
                    {
                        "source": copy.source,
                        "title": copy.title,
                        "published": copy.published,
                        "start": copy.start,
                        "end": copy.end,
                        "quote": copy.quote,
                        "sha256": copy.sha256,
                    }
                    for copy in c.copies
                ],
            }
            for c in answer.citations
        ],
        "closest": [
            {
                "source": hit.passage.document.source,
                "start": hit.passage.start,
                "end": hit.passage.end,
                "quote": hit.passage.text,
            }
            for hit in answer.closest
        ],
        "hits": hit_records(answer.hits),
        "notes": list(answer.notes),
        "timings_ms": dict(answer.timings_ms),
    }


def error_record(message: str, *, asked_id: object = None) -> dict[str, Any]:
    """Return the object that a batch prints in place of an answer where there is none."""
    return {"schema": SCHEMA, "id": asked_id, "error": message}


def hit_records(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Return the hits as ``rag ask --json`` and ``rag search --json`` print them."""
    return [
        {
            "source": hit.passage.document.source,
            "start": hit.passage.start,
            "end": hit.passage.end,
            "score": hit.score,
            "text": hit.passage.text,
        }
        for hit in hits
    ]


def json_line(value: object) -> str:
    """Return JSON on one line that is safe on a terminal and in any encoding of standard output."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return in_json(text)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
