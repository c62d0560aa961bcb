"""The newcomer's commands: what `make ask` does and leaves out. A script that notes its arguments stands in for `rag`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RAG = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >> calls
printf '\\n' >> calls
if [ "$1" = index ]; then mkdir -p index; : > index/articles.db; fi
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def make(tmp_path):
    """Run make in a folder where everything is installed; gives the result and what rag was called with."""
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("seeds", ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "seeds/a b's.txt").write_text("News.", encoding="utf-8")
    (tmp_path / ".venv/bin/rag").write_text(RAG, encoding="utf-8")
    for name in ("rag", "python"):
        (tmp_path / ".venv/bin" / name).touch()
        (tmp_path / ".venv/bin" / name).chmod(0o755)
    (tmp_path / ".venv/.installed").touch()

    def make(*arguments, **environment):
        inherited = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "Q")}
        done = subprocess.run(
            ["make", *arguments], cwd=tmp_path, env={**inherited, **environment}, capture_output=True, text=True, check=False
        )
        calls = tmp_path / "calls"
        made = calls.read_text(encoding="utf-8").split("\0\n")[:-1] if calls.exists() else []
        calls.unlink(missing_ok=True)
        return done, [call.split("\0") for call in made]

    make.folder = tmp_path
    return make


HOSTILE = [
    "How many?",
    'It\'s "quoted" & 50% of $HOME ${HOME} $(HOME) $$ #1',
    "$(shell touch pwned)`touch pwned`$(touch pwned); touch pwned",
    "--help",
    "a\\b\tc  d",
    "Wie viele Autos? 车 é",
]


@pytest.mark.parametrize("question", HOSTILE)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_question_reaches_rag_as_it_was_written(make, question, way):
    done, calls = make("ask", f"Q={question}") if way == "argument" else make("ask", Q=question)
    assert done.returncode == 0, done.stderr
    assert calls[-1] == ["ask", "--", question]
    assert not (make.folder / "pwned").exists()


def test_without_a_question_it_says_how_to_ask(make):
    done, calls = make("ask")
    assert done.returncode == 2
    assert 'make ask Q="' in done.stderr
    assert calls == []


def test_the_second_question_does_none_of_the_set_up_again(make):
    assert [call[0] for call in make("ask", "Q=one?")[1]] == ["index", "ask"]
    assert [call[0] for call in make("ask", "Q=two?")[1]] == ["ask"]


def test_an_article_that_came_or_went_is_indexed(make):
    make("ask", "Q=one?")
    os.utime(make.folder / "index/articles.db", (1, 1))
    assert [call[0] for call in make("ask", "Q=two?")[1]] == ["index", "ask"]


def test_an_index_that_fails_ends_it(make):
    (make.folder / ".venv/bin/rag").write_text('#!/bin/sh\n[ "$1" != index ]\n', encoding="utf-8")
    assert make("ask", "Q=one?")[0].returncode != 0


def test_an_old_python_is_named(make):
    shutil.rmtree(make.folder / ".venv")
    old = make.folder / "old"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done, _ = make("install", "PYTHON=./old")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr


def test_help_lists_the_targets(make):
    out = make()[0].stdout
    assert {"ask", "test", "ui", "check", "index", "eval", "help"} <= {line.split()[1] for line in out.splitlines()}


def test_a_page_of_figures_gives_way_only_to_a_whole_one(make):
    (make.folder / ".venv/.installed-dev").touch()
    (make.folder / "benchmarks").mkdir()
    page, python = make.folder / "benchmarks/language.md", make.folder / ".venv/bin/python"
    page.write_text("old", encoding="utf-8")
    python.write_text("#!/bin/sh\necho half\nexit 1\n", encoding="utf-8")
    assert make("bench-language")[0].returncode != 0
    assert page.read_text(encoding="utf-8") == "old"
    python.write_text("#!/bin/sh\necho whole\n", encoding="utf-8")
    done, _ = make("bench-language")
    assert done.stdout == page.read_text(encoding="utf-8") == "whole\n"


def test_every_dependency_is_pinned_and_torch_exactly():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in pins
    assert all(line.startswith("#") or line.count("==") == 1 for line in pins)
