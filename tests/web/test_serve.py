"""What starts the page: importing it changes nothing, and Gradio is never imported before it is closed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest
from browsing import ROOT

import rag.__main__

NEED_GRADIO = ["closed_gradio", "handlers", "page"]
OTHERS = [f"rag.web.{path.stem}" for path in (ROOT / "rag" / "web").glob("[a-z]*.py") if path.stem not in NEED_GRADIO]


def python(folder, code):
    """Run code in a process of its own, whose home and temporary folder are a new one; return what it prints."""
    at_home = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    env = {**os.environ, **at_home, "GRADIO_SHARE": "True"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("modules", ["ui", "rag.web.serve", ", ".join(OTHERS)], ids=["ui", "serve", "all but those of Gradio"])
def test_importing_what_starts_the_page_sets_nothing_makes_no_file_and_leaves_gradio_alone(modules, tmp_path):
    unchanged = "print(dict(os.environ) == before, 'gradio' in sys.modules)"
    code = f"import os, sys; before = dict(os.environ); import {modules}; {unchanged}"
    assert python(tmp_path, code).split() == ["True", "False"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", NEED_GRADIO)
def test_what_needs_gradio_cannot_be_imported_before_the_environment_is_prepared(module, tmp_path):
    code = (
        f"import sys\ntry: import rag.web.{module}\nexcept ImportError as error: print(error, 'gradio' in sys.modules)\n"
        f"from rag.web.environment import prepare; prepare(); import rag.web.{module}"
    )
    said = python(tmp_path, code)
    assert "call rag.web.environment.prepare() first" in said
    assert said.split()[-1] == "False"


def test_the_page_as_a_program_takes_the_options_of_rag_ui(monkeypatch):
    asked = []
    monkeypatch.setattr(rag.__main__, "main", asked.append)
    monkeypatch.setattr(sys, "argv", ["ui.py", "--port", "8000"])
    runpy.run_path(str(ROOT / "ui.py"), run_name="__main__")
    assert asked == [["ui", "--port", "8000"]]
