"""The one-way flow: a module imports only modules above it; and what a library must not do on import."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import rag

PACKAGE = Path(rag.__file__).parent
ROOT = PACKAGE.parent

# What the modules of each folder may import, beside their own folder and the root's types, protocols, errors and config.
FOLDERS = {
    "text": [],
    "models": [],
    "files": ["text"],
    "index": ["text", "files"],
    "search": ["text", "files", "index"],
    "answer": ["text", "files", "index", "search", "models"],
    "report": ["text", "files", "index", "search", "answer"],
    "evaluate": ["text", "files", "index", "search", "answer", "report"],
    "cli": ["text", "files", "models", "index", "search", "answer", "report", "evaluate"],
    "web": ["text", "files", "models", "index", "search", "answer", "report", "evaluate"],
}
ROOT_MODULES = {
    "types": [],
    "protocols": ["types"],
    "errors": [],
    "config": ["errors"],
    "__init__": ["types", "errors", "answer"],
    "__main__": ["errors", "config", "cli", "web"],
}
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
HEAVY = ("torch", "transformers", "sentence_transformers", "gradio", "trafilatura", "pandas", "huggingface_hub")
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}


def tree(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def imported(module):
    """Give the folders and root modules that a module imports, also inside functions and for its annotations."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            if node.module == "rag":
                yield from (name.name for name in node.names)
            elif (node.module or "").startswith("rag."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (name.name.partition(".")[2] or "__init__" for name in node.names if name.name.split(".")[0] == "rag")


def test_every_module_lies_in_a_folder_of_the_table():
    assert {module.split("/")[0] for module in MODULES} == FOLDERS.keys() | ROOT_MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_folder_may(module):
    folder, _, name = module.partition("/")
    allowed = {*FOLDERS[folder], folder, "types", "protocols", "errors", "config"} if name else set(ROOT_MODULES[folder])
    assert set(imported(module)) - allowed == set()


def test_importing_the_package_loads_no_model_library():
    code = f"import sys, rag; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_exist_and_are_sorted():
    assert rag.__all__ == sorted(rag.__all__)
    assert [name for name in rag.__all__ if not hasattr(rag, name)] == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_run_that_was_read(module):
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            assert not {"pickle", "marshal", "shelve", "dill", "joblib"} & {(name or "").split(".")[0] for name in names}
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            assert called not in FORBIDDEN_NAMES
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            assert "trust_remote_code" not in keywords
            assert not (isinstance(shell := keywords.get("shell"), ast.Constant) and shell.value)
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "torch.load":
                assert isinstance(only := keywords.get("weights_only"), ast.Constant) and only.value


SCRIPTS = sorted(path for folder in ("benchmarks", "training") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_of_the_package_is_there(script):
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rag":
            module = importlib.import_module(node.module)
            names = [name.name for name in node.names]
            assert [n for n in names if not (hasattr(module, n) or find_spec(f"{node.module}.{n}"))] == []


def test_a_module_is_taken_in_at_one_sitting():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
    functions = (
        (path, node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert [f"{path}: {node.name}" for path, node in functions if node.end_lineno - node.lineno >= 60] == []


def test_nothing_but_the_package_is_installed():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert (setuptools["py-modules"], setuptools["packages"]["find"]["include"]) == ([], ["rag", "rag.*"])
