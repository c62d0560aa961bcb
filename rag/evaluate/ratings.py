"""Keep readers' ratings of answers beside the index, as lines of JSON that ``rag eval`` reads.

An answer that was rated right becomes a question with a known answer. For one that was rated wrong, the right answer is not
known until somebody adds "answerable" and "answers" to its line. Of several lines with the same id the last counts.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rag.errors import StoreError, UsageError
from rag.report.record import json_line
from rag.types import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.types import Answer, Message

FILE = "ratings.jsonl"
MAX_NOTE = 2000  # characters
MAX_BYTES = 10_000_000
LOCK_SECONDS = 10.0  # how long to wait for another writer
UP, DOWN = "up", "down"


def rate(folder: Path, answer: Answer, *, good: bool, note: str = "", history: Sequence[Message] = (), rating_id: str) -> None:
    """Add a rating to the file in the folder of the index; it replaces an earlier rating with the same id.

    :raises UsageError: the note is too long, or the file is full.
    :raises StoreError: the file cannot be written.
    """
    if len(note) > MAX_NOTE:
        raise UsageError(f"the note has {len(note):,} characters, at most {MAX_NOTE:,} are kept; shorten it")
    record = {
        "id": rating_id,
        "question": answer.question,
        "history": list(history),
        "rating": UP if good else DOWN,
        "note": note,
        "status": answer.status.value,
        "text": answer.text,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **(_known(answer) if good else {}),
    }
    path = folder / FILE
    try:
        _append(path, f"{json_line(record)}\n".encode())
    except Timeout:
        raise StoreError(f"{path} has been held by another program for {LOCK_SECONDS:.0f} s; rate again") from None
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); free space or mend its rights, and rate again"
        ) from None


def _known(answer: Answer) -> dict[str, Any]:
    """Return what a right answer tells about its question: a later answer is right if it contains a quote or a sentence of it.

    Sentences count too, because the text prints a quote with other quotation marks, and a sentence in other words contains no
    quote.
    """
    cited = [each for citation in answer.citations for each in (citation, *citation.copies)]
    quotes = list(dict.fromkeys(each.quote for each in cited))
    return {
        "answerable": answer.status is not Status.REFUSED,
        "answers": list(dict.fromkeys((*quotes, *(claim.text for claim in answer.claims if claim.markers)))),
        "sources": list(dict.fromkeys(each.source.rsplit("/", 1)[-1] for each in cited)),
        "evidence": quotes,
    }


def _append(path: Path, line: bytes) -> None:
    """Write a whole line or nothing, on a new line even if a crash has cut the last one short; one writer at a time."""
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS), path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        if size + len(line) > MAX_BYTES:
            raise UsageError(f"{path} is full ({MAX_BYTES // 1_000_000} MB); move it to another place, and rate again")
        try:
            if (written := file.write(line)) != len(line):
                raise OSError(None, f"{written} of {len(line)} bytes were written")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise
