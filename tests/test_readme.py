"""What the README shows is what the product does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0] for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


def blocks(kind: str) -> list[str]:
    return [block for found, block in BLOCKS if found == kind]


@pytest.mark.parametrize("command", [c.removeprefix(".venv/bin/rag ") for c in COMMANDS if c.startswith(".venv/bin/rag ")])
def test_every_rag_command_of_the_readme_has_a_verb_and_options_that_exist(command):
    verb, *arguments = shlex.split(command)
    shown = subprocess.run(
        [sys.executable, "-c", "from rag.__main__ import main; main()", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(option in shown for option in arguments if option.startswith("--"))


@pytest.mark.parametrize("target", sorted({m for c in COMMANDS for m in re.findall(r"^make (\w+)", c)} | {"ui", "help"}))
def test_every_make_target_of_the_readme_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_folder_of_the_package_stands_in_the_annotated_tree():
    tree = next(block for block in blocks("text") if block.startswith("rag/"))
    folders = [path.parent.name for path in (ROOT / "rag").glob("*/__init__.py")]
    assert [folder for folder in folders if f"{folder}/" not in tree] == []
    assert len(tree.splitlines()) <= 15


def test_pictures_of_the_readme_are_there():
    assert all((ROOT / picture).is_file() for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README))


@pytest.mark.slow
def test_the_python_of_the_readme_prints_what_the_readme_says(seeds_index, monkeypatch, capsys):
    monkeypatch.chdir(seeds_index.parent)
    code, printed = blocks("python")[0], blocks("text")[2]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == printed.strip()


@pytest.mark.slow
def test_what_the_readme_asks_is_answered_and_refused_as_it_shows(seeds_index):
    """The quotes and the verdict are compared: the draft's words may differ between CPUs of another arithmetic."""
    from rag import Assistant, Status

    asked = re.search(r'make ask Q="([^"]+)"', README)
    refused = re.search(r'ask Q="([^"]+)"', blocks("text")[1])
    assert asked
    assert refused
    with Assistant.open(seeds_index) as assistant:
        answer = assistant.ask(asked[1])
        assert answer.citations[0].quote in " ".join(blocks("text")[0].split())
        assert assistant.ask(refused[1]).status is Status.REFUSED
