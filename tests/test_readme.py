"""What the README and the pages in docs/ show is what the product does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import pytest

import rag
from rag.config import Config

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PLACES = [*PAGES, *(ROOT / name / "README.md" for name in ("benchmarks", "index", "training")), ROOT / "CHANGELOG.md"]
WORDS = 1200  # of the README: more is not read
TEXTS = {path: path.read_text(encoding="utf-8") for path in PLACES}

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"(?:\w+=\S+ )?(?:\.venv/bin/)?rag (?=[a-z])(.+)")
MAKE = re.compile(r"make ([a-z-]+)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PUBLIC = (rag.Answer, rag.Citation, rag.Claim, rag.Hit, rag.Options, rag.Scope)


def name_of(value: object) -> str | None:
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else None


def blocks(page: Path, kind: str) -> list[str]:
    return [block for found, block in BLOCK.findall(TEXTS[page]) if found == kind]


def commands(page: Path) -> list[str]:
    """Return the lines of the shell blocks, and what stands in backticks in the prose, without comments."""
    lines = [line.split(" #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [*lines, *INLINE.findall(BLOCK.sub("", TEXTS[page]))]


@lru_cache
def shown_help(*verb: str) -> str:
    command = [sys.executable, "-m", "rag", *verb, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PLACES, ids=name_of)
def test_every_rag_command_that_is_shown_has_a_verb_and_options_that_exist(page):
    for command in commands(page):
        if call := CALL.fullmatch(command):
            verb, *arguments = shlex.split(call[1])
            shown = shown_help(verb)
            assert [option for option in arguments if option.startswith("--") and option not in shown] == [], command


@pytest.mark.parametrize("page", PLACES, ids=name_of)
def test_every_make_target_that_is_shown_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    asked = [match[1] for command in commands(page) if (match := MAKE.match(command))]
    assert [target for target in asked if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PLACES, ids=name_of)
def test_every_link_and_picture_leads_to_a_file_and_a_heading_that_are_there(page):
    for link in LINK.findall(TEXTS[page]):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PLACES, ids=name_of)
def test_every_file_of_the_repository_that_is_named_exists(page):
    """A name with a slash that begins with one of our folders, `rag/answer/refusal.toml` for example."""
    named = re.findall(r"`((?:rag|tests|training|benchmarks|docs)/[\w./-]*)`", TEXTS[page])
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_short():
    assert len(TEXTS[README].split()) <= WORDS


def test_the_readme_leads_to_every_page():
    assert [page for page in PAGES[1:] if f"({name_of(page)})" not in TEXTS[README]] == []


def test_every_folder_of_the_package_stands_in_the_annotated_tree():
    tree = next(block for block in blocks(README, "text") if block.startswith("rag/"))
    folders = [path.parent.name for path in (ROOT / "rag").glob("*/__init__.py")]
    assert [folder for folder in folders if f"{folder}/" not in tree] == []
    assert [folder for folder in folders if f"`rag/{folder}/`" not in TEXTS[ROOT / "docs/how-it-works.md"]] == []
    assert len(tree.splitlines()) <= 15


def test_the_guide_names_every_verb_and_every_setting_with_its_default():
    guide = TEXTS[ROOT / "docs/guide.md"]
    verbs = re.findall(r"^  ([a-z]+) ", shown_help().partition("Commands:")[2], re.MULTILINE)
    assert len(verbs) > 5
    assert [verb for verb in verbs if f"rag {verb}" not in guide] == []
    for name, setting in Config.model_fields.items():
        default = str(setting.default).lower() if isinstance(setting.default, bool) else str(setting.default)
        assert re.search(rf"^\| `{name}` \| `?{re.escape(default)}`? \|", guide, re.MULTILINE), name


def test_the_python_page_names_every_field_and_every_error():
    page = TEXTS[ROOT / "docs/python.md"]
    named = [*(field.name for kind in PUBLIC for field in fields(kind)), *rag.__all__]
    told = set(re.findall(r"\w+", " ".join([*INLINE.findall(page), *blocks(ROOT / "docs/python.md", "python")])))
    assert sorted(set(named) - told) == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_the_python_that_is_shown_uses_only_public_names(page):
    for code in blocks(page, "python"):
        compile(code, page.name, "exec")
        assert set(re.findall(r"^(?:from|import) (\w[\w.]*)", code, re.MULTILINE)) <= {"rag"}
        imported = re.findall(r"^from rag import (.+)$", code, re.MULTILINE)
        assert {name for line in imported for name in line.split(", ")} <= set(rag.__all__)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_the_python_that_is_shown_prints_what_is_shown_below_it(page, seeds_index, monkeypatch, capsys):
    monkeypatch.chdir(seeds_index.parent)
    names: dict[str, object] = {}  # the blocks of a page follow each other
    for code, printed in re.findall(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", TEXTS[page], re.DOTALL):
        exec(compile(code, page.name, "exec"), names)
        assert capsys.readouterr().out.strip() == printed.strip()


@pytest.mark.slow
def test_what_the_readme_asks_is_answered_and_refused_as_it_shows(seeds_index):
    """The quotes and the verdict are compared: the draft's words may differ between CPUs of another arithmetic."""
    from rag import Assistant, Status

    answered, refused, *_ = blocks(README, "text")
    asked = re.search(r'make ask Q="([^"]+)"', TEXTS[README])
    beyond = re.search(r'ask Q="([^"]+)"', refused)
    assert asked
    assert beyond
    with Assistant.open(seeds_index) as assistant:
        answer = assistant.ask(asked[1])
        assert answer.citations[0].quote in " ".join(answered.split())
        assert assistant.ask(beyond[1]).status is Status.REFUSED
