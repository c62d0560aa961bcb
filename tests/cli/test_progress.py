"""Progress: a live line on a terminal, a few plain lines in a log, and nothing on standard output."""

from __future__ import annotations

import io
import sys

import pytest

from rag.cli import progress
from rag.cli.progress import Meter, amount


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_at_the_start_and_the_end_of_a_step(capsys):
    with Meter() as meter:
        meter.working("loading")
        for done in (0, 400_000, 1_000_000):
            meter.model("a: hub", done, 1_000_000)
        meter.files(3, 3, 0)
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


def test_the_pace_of_indexing_is_that_since_the_first_text_was_embedded(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Meter() as meter:
        for now[0], done, embedded in ((1, 1, 0), (2, 900, 0), (12, 901, 800), (22, 910, 1600), (32, 1000, 2000)):
            meter.files(done, 1000, embedded)
    told = [line.partition("indexing")[2] for line in capsys.readouterr().err.splitlines()]
    assert told[3:5] == [
        " (901 of 1,000 files, 80 passages/s, 0:16:30 left)",
        " (910 of 1,000 files, 80 passages/s, 0:03:00 left)",
    ]
    assert told[-1] == ": ended after 31.0 s (1,000 of 1,000 files, 67 passages/s)"


def test_after_a_failure_only_the_error_speaks(capsys):
    with pytest.raises(ValueError, match="oh"), Meter() as meter:
        meter.files(1, 3, 0)
        raise ValueError("oh")
    assert capsys.readouterr().err == "rag: indexing ...\n"


def test_a_terminal_gets_one_line_that_goes_away(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Meter() as meter:
        meter.working("loading [bold]\x1b[5m")
        meter.model("a" * 20 + " " + "b" * 200, 400_000, 1_000_000)
        meter.files(20, 300, 0)
        meter.files(30, 300, 120)
        meter._display.progress.refresh()
    drawn = terminal.getvalue()
    assert "loading [bold]\\x1b[5m" in drawn
    assert "30 of 300 files" in drawn
    assert "passages/s" in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K")  # up and wiped


def test_amounts_are_for_people():
    assert amount(491_400_064, 1_000_000_000, progress.BYTES) == "491.4 MB of 1.0 GB"
    assert amount(1000, 2000, "files") == "1,000 of 2,000 files"
