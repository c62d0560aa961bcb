"""A line of askers: first come, first served."""

from __future__ import annotations

import threading

import pytest

from rag.web.waiting_line import LineFull, WaitingLine


def test_tickets_are_served_in_the_order_in_which_they_were_taken():
    line = WaitingLine(3)
    one, two, three = line.join(), line.join(), line.join()
    assert [line.ahead(ticket) for ticket in (one, two, three)] == [0, 1, 2]
    line.leave(two)  # gave up
    assert [line.ahead(ticket) for ticket in (one, three)] == [0, 1]
    line.leave(one)
    assert line.ahead(three) == 0


def test_a_full_line_takes_nobody_until_somebody_leaves():
    line = WaitingLine(1)
    ticket = line.join()
    with pytest.raises(LineFull):
        line.join()
    line.leave(ticket)
    line.join()


def test_who_waits_is_told_as_soon_as_it_is_his_turn():
    line = WaitingLine(2)
    one, two = line.join(), line.join()
    threading.Timer(0.05, line.leave, [one]).start()
    assert line.ahead(two, seconds=30) == 0
