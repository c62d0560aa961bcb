"""What several of the slow tests share: an index of seeds/, made once by the command line with the real encoder; a browser."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import time
from datetime import date
from pathlib import Path

import pytest

pytest.register_assert_rewrite("browsing")

FIGURES_HEAD = """# Durability

What `make test-long` does to an index, and what it found. The faults are real: processes are killed with SIGKILL, and the
calls by which Python and SQLite write fail or are cut short (`tests/faults.py`). A test that fails leaves no row. What is not
simulated is a power cut that loses writes which no fsync followed.
"""


@pytest.fixture(scope="session")
def figures():
    """Note what a test measured; the file that RAG_FIGURES names gets a table of it."""
    rows: list[tuple[str, str, str, str]] = []

    def note(number, done, found, started=None):
        rows.append((number, done, found, f"{time.perf_counter() - started:.0f} s" if started else ""))

    yield note
    if path := os.environ.get("RAG_FIGURES"):
        lines = ["| | what was done | found | time |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in sorted(rows))]
        Path(path).write_text(f"{FIGURES_HEAD}\nMeasured on {date.today()}.\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def seeds_index(tmp_path_factory):
    from test_whole import run

    folder = tmp_path_factory.mktemp("seeds") / "index"
    run("models", "--fetch")
    done = run("index", "seeds", "--index", folder)
    assert done.returncode == 0, done.stderr
    assert "5 added" in done.stdout
    return folder


@pytest.fixture(scope="module")
def collect_loops():
    """Collect Gradio's event loops where their warnings are ignored, and not in another file's test."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.fixture(scope="module")
def chromium():
    if shutil.which("chromium") is None:
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("chromium is not installed: apt-get install -y chromium")
    from browsing import browsing

    with browsing() as browser:
        yield browser
