"""Read a file of questions with known answers: written by hand, made by rule, or collected as readers' ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.evaluate.ratings import DOWN, UP
from rag.report.record import BadQuestion, json_line, parse_question

if TYPE_CHECKING:
    from pathlib import Path

    from rag.report.record import Asked
    from rag.types import Message


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is known about its answer.

    Any one of ``answers`` is right; ``sources`` are names of files without their folders; ``evidence`` are sentences of them.
    """

    id: Any
    question: str
    answerable: bool
    answers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Gold:
    """What a file of questions holds.

    ``unmeasured`` counts the answers that were rated wrong where nobody has said what is right.
    """

    questions: list[Question]
    unmeasured: int


def load_questions(path: Path) -> list[Question]:
    """Return the questions of :func:`load_gold`."""
    return load_gold(path).questions


def load_gold(path: Path) -> Gold:
    """Read a file of questions, one JSON object a line; blank lines are skipped.

    Each object has ``id``, ``question`` and ``answerable``, and where they apply ``answers``, ``sources``, ``evidence``
    and ``history``. Of several ratings (:mod:`rag.evaluate.ratings`) with the same id the last counts. A rating that says
    an answer is wrong may lack ``answerable``, and is then not measured.

    :raises UsageError: the file cannot be read, holds no question to measure, or has a line that is not such a question.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a file with one question a line") from None
    found: dict[str | int, Question | None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                asked = parse_question(line)
                key = _rated_id(asked) or number
                found.pop(key, None)
                found[key] = _question(asked)
            except BadQuestion as error:
                raise UsageError(f"{path}, line {number}: {error}; mend it and run `rag eval` again") from None
    questions = [question for question in found.values() if question]
    if found and not questions:
        raise UsageError(
            f"{path} holds only answers that were rated wrong, so no answer is known; "
            'rate some that are right, or add "answerable" and "answers" to a line'
        )
    if not questions:
        raise UsageError(f"{path} holds no question; write one JSON object a line")
    return Gold(questions, len(found) - len(questions))


def _rated_id(asked: Asked) -> str:
    """Return what ratings of the same answer have in common; empty for a question that is no rating."""
    return json_line(asked.id) if asked.fields.get("rating") in (UP, DOWN) and asked.id is not None else ""


def _question(asked: Asked) -> Question | None:
    """Return the question of a line; None for an answer that was rated wrong where the right one is not known."""
    if asked.fields.get("rating") == DOWN and "answerable" not in asked.fields:
        return None
    if not isinstance(answerable := asked.fields.get("answerable"), bool):
        raise BadQuestion('"answerable" must be true or false')
    return Question(
        id=asked.id,
        question=asked.question,
        answerable=answerable,
        answers=_texts(asked.fields, "answers"),
        sources=_texts(asked.fields, "sources"),
        evidence=_texts(asked.fields, "evidence"),
        history=asked.history,
    )


def _texts(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    values = fields.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadQuestion(f'"{name}" must be a list of texts')
    return tuple(values)
