"""A waiting line: whoever asks while another is answered waits, first come, first served, and is told the place in the line."""

from __future__ import annotations

from collections import deque
from threading import Condition


class LineFull(Exception):
    """The line is as long as it may be."""


class WaitingLine:
    """A line in which the first is served and the others wait; each is a thread."""

    def __init__(self, longest: int) -> None:
        """Let ``longest`` wait or be served at a time."""
        self._longest = longest
        self._tickets: deque[object] = deque()
        self._moved = Condition()

    def join(self) -> object:
        """Return a ticket for the last place; whoever takes one must call :meth:`leave` in the end, served or not.

        :raises LineFull: the line is as long as it may be.
        """
        with self._moved:
            if len(self._tickets) >= self._longest:
                raise LineFull
            self._tickets.append(ticket := object())
            return ticket

    def ahead(self, ticket: object, *, seconds: float = 0.0) -> int:
        """Return how many are before a ticket, 0 when it is its turn; wait for its turn, but for ``seconds`` at most."""
        with self._moved:
            self._moved.wait_for(lambda: self._tickets[0] is ticket, seconds)
            return self._tickets.index(ticket)

    def leave(self, ticket: object) -> None:
        """Return up the place of a ticket."""
        with self._moved:
            self._tickets.remove(ticket)
            self._moved.notify_all()
