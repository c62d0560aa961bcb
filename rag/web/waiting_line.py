"""Who asks while another is answered waits in line, first come, first served, and knows the place."""

from __future__ import annotations

from collections import deque
from threading import Condition


class Full(Exception):
    """As many wait already as may."""


class Line:
    """A line of one counter, for threads."""

    def __init__(self, longest: int) -> None:
        """Let ``longest`` wait or be served at a time."""
        self._longest = longest
        self._tickets: deque[object] = deque()
        self._moved = Condition()

    def join(self) -> object:
        """Give a ticket; whoever takes one leaves in the end, served or not.

        :raises Full: the line is as long as it may be.
        """
        with self._moved:
            if len(self._tickets) >= self._longest:
                raise Full
            self._tickets.append(ticket := object())
            return ticket

    def ahead(self, ticket: object, *, seconds: float = 0.0) -> int:
        """Say how many are before a ticket, 0 when it is its turn; waits until then for some seconds at most."""
        with self._moved:
            self._moved.wait_for(lambda: self._tickets[0] is ticket, seconds)
            return self._tickets.index(ticket)

    def leave(self, ticket: object) -> None:
        """Give the place up."""
        with self._moved:
            self._tickets.remove(ticket)
            self._moved.notify_all()
