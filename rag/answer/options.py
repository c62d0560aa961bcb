"""The options of one question, held to what can be done."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rag.errors import UsageError

if TYPE_CHECKING:
    from rag.types import Options

LIMITS = (("passages_read", int, 1, 20), ("threshold", float, 0, 1), ("max_new_tokens", int, 1, 512))


def check_options(options: Options) -> None:
    """Refuse options that cannot be carried out.

    :raises UsageError: a value is out of range, a day no ISO date or ``names`` no tuple of texts.
    """
    for name, kind, least, most in LIMITS:
        value = getattr(options, name)
        if value is not None and not (isinstance(value, (int, kind)) and least <= value <= most):
            number = "a whole number" if kind is int else "a number"
            raise UsageError(
                f"{name} is {number} from {least} to {most}, not {value!r:.40}; leave it out to use what is configured"
            )
    for name, day in (("since", options.scope.since), ("until", options.scope.until)):
        if day is not None and not _is_day(day):
            raise UsageError(f"{name} is a date as year-month-day, for example 2021-09-06, not {day!r:.40}")
    names = options.scope.names
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"names is a tuple of parts of titles or file names, for example ('expo',), not {names!r:.40}")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except (TypeError, ValueError):
        return False
