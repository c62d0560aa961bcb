"""How fast an index is made, for those who show it."""

from __future__ import annotations

import time


class Pace:
    """How fast texts are embedded, and how long the rest will take, since the first of them: to pass over a file is quick."""

    def __init__(self) -> None:
        self._begun = (0.0, 0)  # when the first text was about to be embedded, and how many files were done by then

    def at(self, done: int, total: int, embedded: int) -> tuple[float | None, float | None]:
        """Take files done, of how many, and texts embedded; give texts a second and seconds left, None where not known."""
        now = time.monotonic()
        if not embedded:
            self._begun = now, done
        since, passed = self._begun
        speed = embedded / (now - since) if embedded and now > since else None
        return speed, (total - done) * (now - since) / (done - passed) if speed and passed < done < total else None
