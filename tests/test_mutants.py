"""The measure of the tests themselves: each change of a rule is one change, and leaves the code as it was."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import mutants

RULES = r"""
SHARE = 0.4
FEW = 3
UNIT = r"day|week"
ASKS = re.compile(rf"(?P<a>how (?:many|[|)]+)|an? {UNIT}s? ago)\b")
SMALL = frozenset("one two three".split())
MANY = re.compile(r"(?:a|b|c|d|e|f|g)x")
SIGNS = ("a", "b", "c")

def look(words, found):
    for word in words:
        if word in SMALL and found:
            continue
        if word:
            print(word)
"""
CHANGED = {
    "number": {"SHARE = 0.5", "SHARE = 0.30000000000000004", "FEW = 4", "FEW = 2"},
    "alternative": {
        "UNIT = 'day'",
        "UNIT = 'week'",
        "ASKS = re.compile(f'(?P<a>how (?:many|[|)]+))\\\\b')",
        "ASKS = re.compile(f'(?P<a>an? {UNIT}s? ago)\\\\b')",
        "ASKS = re.compile(f'(?P<a>how (?:many)|an? {UNIT}s? ago)\\\\b')",
        "ASKS = re.compile(f'(?P<a>how (?:[|)]+)|an? {UNIT}s? ago)\\\\b')",
    },
    "vocabulary": {"SMALL = frozenset('two'.split())", "SIGNS = ('b',)", "MANY = re.compile('(?:a|c|e|g)x')"},
    "rule": {"        if False:"},
    "operand": {"        if True and found:", "        if word in SMALL and True:"},
}


def test_each_change_is_made_once_and_alone():
    tree = ast.parse(RULES)
    before = ast.unparse(tree).splitlines()
    made: dict[str, set[str]] = {}
    for change in mutants.changes(tree):
        (line,) = [new for new, old in zip(ast.unparse(tree).splitlines(), before, strict=True) if new != old]
        assert line not in made.setdefault(change.sort, set())
        made[change.sort].add(line)
    assert made == CHANGED
    assert ast.unparse(tree).splitlines() == before


@pytest.mark.parametrize(
    "pattern", ["a|b", "(?:a|b)c|d", r"[|(]x|\||y", r"(?<!a)(?i:b|c(?:d|e|))", "", r"[]|]|b", r"(?P<n>[^]|]|\[a|b\])"]
)
def test_a_regular_expression_less_one_alternative_is_one(pattern):
    dropped = mutants.alternatives(pattern)
    for spans in dropped:
        assert re.compile(mutants.without(pattern, spans))
    assert len(set(map(tuple, dropped))) == len(dropped)


def test_the_changes_of_the_answering_logic_can_be_read_by_python_and_are_drawn_alike_each_time():
    made, number = mutants.chosen(mutants.ROOT / "rag", 10)
    assert len(made) == 10 < number
    assert {change.sort for _, change, _ in made} == set(CHANGED)
    assert all(ast.parse(source) for _, _, source in made)
    assert mutants.chosen(mutants.ROOT / "rag", 10) == (made, number)
