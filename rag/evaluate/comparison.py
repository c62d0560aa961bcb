"""Compare a run with the details of an earlier run: which figures and which questions changed.

Only questions that are in both runs, with the same ``id`` and wording, are compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.evaluate.figures import details
from rag.types import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rag.evaluate.figures import Outcome

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of both runs over their common questions, and the ids of the questions that changed."""

    before: dict[str, float | None]
    now: dict[str, float | None]
    became_right: tuple[str, ...]
    became_wrong: tuple[str, ...]


def read_details(path: Path) -> list[Line]:
    """Read what ``rag eval --details`` wrote, and return its lines.

    :raises UsageError: the file cannot be read, or is not such a file.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        keyed = [(line["id"], line["question"], line["right"], line["seconds"], line["answerable"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such details"
        raise UsageError(f"{path} cannot be read ({reason}); write one with `rag eval QUESTIONS --details {path}`") from None
    if not keyed:
        raise UsageError(f"{path} holds no answer; write it again with `rag eval QUESTIONS --details {path}`")
    return lines


def compare(outcomes: Sequence[Outcome], earlier: Sequence[Line]) -> Comparison:
    """Compare a run with an earlier one.

    :raises UsageError: the two have no question in common.
    """
    then = {_key(line): line for line in earlier}
    pairs = [(then[_key(line)], line) for line in map(details, outcomes) if _key(line) in then]
    if not pairs:
        raise UsageError("no question of this file is in the earlier details; compare runs of the same questions")
    return Comparison(
        before=_figures([old for old, _ in pairs]),
        now=_figures([new for _, new in pairs]),
        became_right=tuple(str(new["id"]) for old, new in pairs if new["right"] and not old["right"]),
        became_wrong=tuple(str(new["id"]) for old, new in pairs if old["right"] and not new["right"]),
    )


def _key(line: Line) -> tuple[str, str]:
    return str(line["id"]), line["question"]


def _figures(lines: Iterable[Line]) -> dict[str, float | None]:
    """Return those figures of :class:`rag.evaluate.figures.Report` that can be computed from details."""
    lines = list(lines)
    answerable = [line for line in lines if line["answerable"]]
    answered = [line for line in answerable if not _refused(line)]
    return {
        "answer_acc": _share(answerable, lambda line: line["right"]),
        "answered": _share(answerable, lambda line: not _refused(line)),
        "refuse_recall": _share([line for line in lines if not line["answerable"]], _refused),
        "cite_source": _share(answered, lambda line: line["cites_source"]),
        "cite_evidence": _share(answered, lambda line: line["cites_evidence"]),
        "n": len(lines),
        "seconds_median": round(median(line["seconds"] for line in lines), 2),
    }


def _refused(line: Line) -> bool:
    return line["status"] in (None, Status.REFUSED.value)


def _share(lines: Sequence[Line], holds: Callable[[Line], bool]) -> float | None:
    return round(mean(bool(holds(line)) for line in lines), 3) if lines else None
