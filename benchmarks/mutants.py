"""Change or delete one rule of the answering logic at a time and run its tests -> the changes that no test notices.

usage: mutants.py NUMBER

A copy of the package is changed, never the working tree. The same NUMBER of the same code tries the same changes, as many of
each sort. Some that survive change nothing that a reader could see; the others are rules that no test holds.
"""

from __future__ import annotations

import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import chain, pairwise, zip_longest
from pathlib import Path

from tables import table

ROOT = Path(__file__).parents[1]
MODULES = ("answer/*.py", "search/[!_]*.py", "text/words.py", "text/newspage.py", "text/quantities.py")
TESTS = {  # beside the module's own, by its name or else its folder
    "newspage": ("tests/test_language.py", "tests/index/test_passages.py", "tests/files/test_folder.py", "tests/search"),
    "answer": ("tests/test_language.py", "tests/answer"),
    "search": ("tests/test_language.py", "tests/search", "tests/answer"),
    "text": ("tests/test_language.py", "tests/search", "tests/answer"),
}
LEFT_OUT = "slow or long", "megabyte or linear"  # marks, and names of tests that measure time, which fail beside other work
COPIED = ("rag", "tests", "benchmarks")  # tests may write beside these; the rest is linked
SEED = 7
LIMIT = 2  # times the seconds of all tests, unchanged, that those of one change may take: what no longer ends is noticed
PART = 0.25  # by which a number is changed, or by 1 where it is a small whole one
VOCABULARY = 6  # of more alternatives than these, every second one is dropped at once
MEMBERS = 3  # a collection has at least so many members if some of them are dropped
SIGN_OF_PATTERN = re.compile(r"[\\(\[?]|\w\|\w")
GROUP_OPENS = re.compile(r"\((?:\?(?:P<\w+>|<?[=!]|[a-z-]*:|>))?")
HELD = 0xE000  # characters from here on stand for what an f-string holds
CHARACTERS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed, and in which line of the module."""

    sort: str
    line: int
    what: str


@contextmanager
def changed(node: ast.AST, field: str, value: object) -> Iterator[None]:
    """Put a value in the place of a field of a node, for a while."""
    before = getattr(node, field)
    setattr(node, field, value)
    try:
        yield
    finally:
        setattr(node, field, before)


def changes(tree: ast.Module) -> Iterator[Change]:
    """Yield each change, while the tree is changed."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            yield from _of_numbers(statement)
            yield from _of_texts(statement)
            yield from _of_members(statement)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and all(map(_ends_here, node.body)):
            what = f"without `if {ast.unparse(node.test)}: {'; '.join(map(ast.unparse, node.body))}`"
            with changed(node, "test", ast.Constant(False)):
                yield Change("rule", node.lineno, what)
        elif isinstance(node, ast.BoolOp):
            for i, value in enumerate(node.values):
                fixed = ast.Constant(isinstance(node.op, ast.And))
                what = f"`{ast.unparse(value)}` is {fixed.value} in `{ast.unparse(node)}`"
                with changed(node, "values", [*node.values[:i], fixed, *node.values[i + 1 :]]):
                    yield Change("operand", value.lineno, what)


def _ends_here(node: ast.stmt) -> bool:
    adds = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)
    return isinstance(node, ast.Return | ast.Continue) or (
        adds and node.value.func.attr in {"append", "add", "update", "insert"}
    )


def _name(statement: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(statement.targets[0] if isinstance(statement, ast.Assign) else statement.target)


def _of_numbers(statement: ast.Assign | ast.AnnAssign) -> Iterator[Change]:
    plain = (ast.Tuple, ast.Dict, ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop, ast.Load)
    decimal = isinstance(statement.value, ast.Call) and ast.unparse(statement.value.func) == "Decimal"
    if not decimal and not all(isinstance(node, plain) for node in ast.walk(statement.value)):
        return
    for node in ast.walk(statement.value):
        if isinstance(node, ast.Constant) and (type(node.value) in (int, float) or decimal):
            value = float(node.value) if decimal else node.value
            step = max(1, round(PART * abs(value))) if isinstance(value, int) else PART * value
            for other in (value + step, value - step):
                with changed(node, "value", str(other) if decimal else other):
                    yield Change("number", node.lineno, f"{_name(statement)}: {value} is {other}")


def _of_texts(statement: ast.Assign | ast.AnnAssign) -> Iterator[Change]:
    """Drop one alternative of each regular expression, every second word of each text of words."""
    nodes = list(ast.walk(statement.value))
    inner = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    for node in nodes:
        if node in inner or not (isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)):
            continue
        parts = getattr(node, "values", [node])
        held = {chr(HELD + i): part for i, part in enumerate(parts) if not isinstance(part, ast.Constant)}
        text = "".join(part.value if isinstance(part, ast.Constant) else chr(HELD + i) for i, part in enumerate(parts))
        is_pattern = bool(SIGN_OF_PATTERN.search(text))
        if not is_pattern and isinstance(node, ast.Constant) and len(words := text.split()) >= MEMBERS:
            with changed(node, "value", " ".join(words[1::2])):
                yield Change("vocabulary", node.lineno, f"{_name(statement)} without every second word, {words[0]}, …")
        for spans in alternatives(text) if is_pattern else ():
            shown = "".join(f"{{{ast.unparse(held[c].value)}}}" if c in held else c for a, b in spans for c in text[a:b])
            less = without(text, spans)
            rest = re.split(f"([{''.join(held)}])", less) if held else [less]
            values = [held.get(piece) or ast.Constant(piece) for piece in rest]
            sort = "alternative" if len(spans) == 1 else "vocabulary"
            with changed(node, "values", values) if isinstance(node, ast.JoinedStr) else changed(node, "value", rest[0]):
                yield Change(sort, node.lineno, f"{_name(statement)} without `{shown.strip('| ')}`")


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text less some of its characters."""
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


def alternatives(pattern: str) -> list[list[tuple[int, int]]]:
    """Return what can be dropped of a regular expression: one alternative, or every second one of many that are a vocabulary.

    Each is a list of spans, with the bars that go too.
    """
    dropped: list[list[tuple[int, int]]] = []
    open_groups: list[list[int]] = [[0]]  # where the alternatives of each begin
    at = 0
    while at <= len(pattern):
        sign = pattern[at : at + 1]
        step = 1
        if sign == "\\":
            step = 2
        elif found := CHARACTERS.match(pattern, at):
            step = len(found[0])
        elif found := GROUP_OPENS.match(pattern, at):
            step = len(found[0])
            open_groups.append([at + step])
        elif sign == "|":
            open_groups[-1].append(at + 1)
        elif sign in {")", ""}:
            begins = open_groups.pop()
            spans = [(a - 1, b - 1) for a, b in pairwise([*begins[1:], at + 1])]
            if len(begins) > VOCABULARY:
                dropped.append(spans[::2])
            elif spans:
                dropped += [[(begins[0], begins[1])], *([span] for span in spans)]
        at += step
    return dropped


def _of_members(statement: ast.Assign | ast.AnnAssign) -> Iterator[Change]:
    """Drop every second member of each table and collection of texts."""
    for node in ast.walk(statement.value):
        if isinstance(node, ast.Dict) and len(node.keys) >= MEMBERS:
            with changed(node, "keys", node.keys[1::2]), changed(node, "values", node.values[1::2]):
                yield Change("vocabulary", node.lineno, f"{_name(statement)} without every second entry")
        elif isinstance(node, ast.Tuple | ast.List | ast.Set) and len(node.elts) >= MEMBERS:
            if all(
                isinstance(member, ast.JoinedStr) or isinstance(getattr(member, "value", None), str) for member in node.elts
            ):
                with changed(node, "elts", node.elts[1::2]):
                    yield Change("vocabulary", node.lineno, f"{_name(statement)} without every second member")


def chosen(package: Path, number: int) -> tuple[list[tuple[Path, Change, str]], int]:
    """Return so many changes with their module and its changed source, as many of each sort, and how many there are."""
    modules = sorted(path for form in MODULES for path in package.glob(form) if path.name != "__init__.py")
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules}
    sorts: dict[str, list[tuple[Path, int]]] = {}
    for path, tree in trees.items():
        for i, change in enumerate(changes(tree)):
            sorts.setdefault(change.sort, []).append((path, i))
    draw = random.Random(SEED)  # noqa: S311
    by_turns = chain.from_iterable(zip_longest(*(draw.sample(sorts[sort], len(sorts[sort])) for sort in sorted(sorts))))
    taken = {place for place in [place for place in by_turns if place][:number]}
    made = [
        (path, change, ast.unparse(ast.fix_missing_locations(tree)))
        for path, tree in trees.items()
        for i, change in enumerate(changes(tree))
        if (path, i) in taken
    ]
    return made, sum(map(len, sorts.values()))


def tests_of(path: Path) -> list[str]:
    """Return the tests that concern a module, its own first."""
    own = f"tests/{path.parent.name}/test_{path.stem}.py"
    return [*([own] if (ROOT / own).exists() else []), *TESTS.get(path.stem, TESTS[path.parent.name])]


def verdict(folder: Path, tests: Sequence[str], limit: float | None = None) -> str:
    """Run tests in a copy of the repository, for so many seconds at most.

    A change ``survives`` where all pass and is ``noticed`` where one fails; where they take too long there is ``no end``.
    """
    marks, names = LEFT_OUT
    options = ["-x", "-q", "-m", f"not ({marks})", "-k", f"not ({names})", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode > 2:  # pytest itself failed
        raise SystemExit(done.stdout + done.stderr)
    return "noticed" if done.returncode else "survives"


def tried(folder: Path, made: Sequence[tuple[Path, Change, str]], limit: float) -> Iterator[tuple[str, Change, str]]:
    """Yield each change with its place and its verdict."""
    for number, (path, change, source) in enumerate(made, start=1):
        original = path.read_bytes()
        path.write_text(source, encoding="utf-8")
        said = verdict(folder, tests_of(path), limit)
        path.write_bytes(original)
        place = f"{path.relative_to(folder)}:{change.line}"
        print(f"{number}/{len(made)} {said}: {place} {change.what}", file=sys.stderr, flush=True)
        yield place, change, said


def main(number: int) -> None:
    """Print the changes that survive, and how many of each sort do."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path in ROOT.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif not path.name.startswith(".") and path.name != "index":
                (folder / path.name).symlink_to(path)
        started = time.perf_counter()
        if verdict(folder, sorted({test for tests in TESTS.values() for test in tests})) != "survives":
            raise SystemExit("the tests fail before anything is changed")
        limit = LIMIT * (time.perf_counter() - started)
        made, there_are = chosen(folder / "rag", number)
        results = list(tried(folder, made, limit))
    survivors = [(place, change) for place, change, said in results if said == "survives"]
    counts = Counter((change.sort, said) for _, change, said in results)
    print("# Rules that no test holds\n")
    share = len(survivors) / len(results)
    print(f"`make mutants MUTANTS={number}`, {date.today()}. Of {there_are:,} possible changes to the answering logic,")
    print(f"{len(results)} were drawn and tried, as many of each sort; {len(survivors)} survive ({share:.0%}).\n")
    verdicts = ("survives", "noticed", "no end")
    table(
        ["what was changed", *verdicts], [[s, *(str(counts[s, v]) for v in verdicts)] for s in sorted({s for s, _ in counts})]
    )
    rows = [[place, change.what.replace("|", "\\|").replace("\n", " ")] for place, change in survivors]
    table(["survives at", "changed"], rows)


if __name__ == "__main__":
    main(int(sys.argv[1]))
