"""Answer a file of questions: one JSON object for each, in order; a question that fails gives one that says why."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from rag.errors import RagError, UsageError
from rag.report.record import BadQuestion, answer_record, error_record, parse_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rag.answer.assistant import Assistant

STANDARD_INPUT = "-"


def read_lines(path: Path) -> tuple[Iterable[bytes], int]:
    """Return the lines of a file and their number; of standard input the lines as they come, and 0.

    :raises UsageError: the file cannot be read, or has only blank lines.
    """
    if str(path) == STANDARD_INPUT:
        return sys.stdin.buffer, 0
    try:
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a file with one question a line") from None
    if not lines:
        raise UsageError(f'{path} holds no question; write {{"id": 1, "question": "..."}}, one a line')
    return lines, len(lines)


def answers(
    assistant: Assistant, lines: Iterable[bytes], as_record: Callable[..., dict[str, Any]] = answer_record
) -> Iterator[dict[str, Any]]:
    """Yield a record for each line that is not blank: what ``as_record`` makes of its answer, or an object with ``error``."""
    return (_record(assistant, line, as_record) for line in lines if line.strip())


def _record(assistant: Assistant, line: bytes, as_record: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    try:
        asked = parse_question(line)
    except BadQuestion as error:
        return error_record(str(error), asked_id=error.id)
    try:
        return as_record(assistant.ask(asked.question, history=asked.history), asked_id=asked.id)
    except RagError as error:
        return error_record(str(error), asked_id=asked.id)
    except Exception as error:  # one question must not cost the others their answers
        if os.environ.get("RAG_DEBUG"):
            traceback.print_exc()
        return error_record(f"this is a bug: {type(error).__name__}: {error}", asked_id=asked.id)
