"""Progress: a live line on a terminal, a few plain lines in a log, and nothing on standard output."""

from __future__ import annotations

import io
import sys

import pytest

from rag import progress
from rag.progress import Meter, amount


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_at_the_start_and_the_end_of_a_step(capsys):
    with Meter() as meter:
        meter.working("loading")
        for done in (0, 400_000, 1_000_000):
            meter.model("a: hub", done, 1_000_000)
        meter.files(3, 3, "x.txt")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [lines[0], lines[2]] == ["rag: a: hub ...", "rag: indexing ..."]
    assert lines[1].startswith("rag: a: hub: ended after 0.")
    assert lines[1].endswith(" s (1.0 MB of 1.0 MB)")
    assert lines[3].endswith(" s (3 of 3 files)")
    assert len(lines) == 4


def test_a_long_step_gives_a_sign_of_life_now_and_then(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Meter() as meter:
        for done in range(5):
            meter.questions(done, 5)
    assert sum("rag: answering (" in line for line in capsys.readouterr().err.splitlines()) == 2


def test_after_a_failure_only_the_error_speaks(capsys):
    with pytest.raises(ValueError, match="oh"), Meter() as meter:
        meter.files(1, 3, "x.txt")
        raise ValueError("oh")
    assert capsys.readouterr().err == "rag: indexing ...\n"


def test_a_terminal_gets_one_line_that_goes_away(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Meter() as meter:
        meter.working("loading [bold]\x1b[5m")
        meter.model("a" * 20 + " " + "b" * 200, 400_000, 1_000_000)
        meter.files(30, 300, "x.txt")
        meter._display.progress.refresh()
    drawn = terminal.getvalue()
    assert "loading [bold]\\x1b[5m" in drawn
    assert "30 of 300 files" in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K")  # up and wiped


def test_amounts_are_for_people():
    assert amount(491_400_064, 1_000_000_000, progress.BYTES) == "491.4 MB of 1.0 GB"
    assert amount(1000, 2000, "files") == "1,000 of 2,000 files"
