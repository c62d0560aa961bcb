"""How fast an index is made, to be shown while it is made."""

from __future__ import annotations

import time


class Pace:
    """How fast texts are embedded, and how long the rest will take.

    Both count from the first text on, because the unchanged files before it take almost no time.
    """

    def __init__(self) -> None:
        self._begun = (0.0, 0)  # the time just before the first text was embedded, and how many files were done by then

    def at(self, done: int, total: int, embedded: int) -> tuple[float | None, float | None]:
        """Return texts a second and seconds left, None where not known, after ``done`` of ``total`` files."""
        now = time.monotonic()
        if not embedded:
            self._begun = now, done
        since, passed = self._begun
        speed = embedded / (now - since) if embedded and now > since else None
        return speed, (total - done) * (now - since) / (done - passed) if speed and passed < done < total else None
