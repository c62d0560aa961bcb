"""Switch off one rule of the answering logic at a time: what a rule is worth is seen in the answers without it -> a table.

usage: rules.py BENCH_FOLDER WORK_FOLDER SETS

SETS are names parted by commas. Drafts are kept in WORK_FOLDER and are the same for every rule that leaves the prompt alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from parts import asked, loaded, sets_of, short
from tables import table

from rag.answer import assistant, claims, grounding, publish, quoting, refusal
from rag.evaluate.gold import load_questions
from rag.search import hybrid, question_time

NEVER = re.compile(r"(?!)")

Off = Callable[[], AbstractContextManager[object]]


def _with(module: object, name: str, value: object) -> Off:
    return lambda: mock.patch.object(module, name, value)


RULES: Mapping[str, Off] = {
    # What is found
    "copies collapsed": _with(hybrid, "collapse", lambda hits: [replace(h, rank=i) for i, h in enumerate(hits, 1)]),
    "times of questions heeded": _with(question_time, "dates_asked", lambda *_: None),
    "outdated sentences left out": _with(assistant, "disagreements", lambda *_: []),
    # What a draft claims
    "openings such as “According to” dropped": _with(claims, "LEAD_IN", NEVER),
    "claims of absence not published": _with(grounding, "ABSENCE", NEVER),
    "echoes of the question not published": _with(grounding, "added_terms", lambda text, _: {text}),
    "pronouns after an unpublished sentence not published": _with(grounding, "DANGLES", NEVER),
    # What backs a claim
    "names and numbers checked": _with(grounding, "_not_held", lambda *_: []),
    "numbers with their units and things": _with(grounding, "_misread_numbers", lambda *_: []),
    "names told in full": _with(grounding, "_told_in_full", lambda *_: frozenset()),
    "denials checked": _with(grounding, "_denied", lambda *_: ""),
    "a second sentence cited": _with(grounding, "SECOND_GAIN", 9.0),
    "sentences that pronouns point to cited": _with(grounding, "POINTS_BACK", NEVER),
    "comparing questions cite beside": _with(grounding, "_beside", lambda _lost, _question, cited, *_: cited),
    "unrelated sentences back nothing": _with(grounding, "UNRELATED", -2.0),
    "support weighed": _with(grounding, "PARTLY", 0.0),
    # What is printed
    "cited sentences printed": _with(assistant, "in_own_words", lambda statements, *_: statements),
    "meaning checked": _with(quoting, "VERIFIED", 0.0),
    "nearest sentence quoted": _with(assistant, "with_nearest", lambda statements, *_: statements),
    # Whether to answer
    "money asked for is money": _with(refusal, "ASKS_MONEY", NEVER),
    "numbers asked for are numbers": _with(refusal, "ASKS_NUMBER", NEVER),
    "dates asked for are dates": _with(refusal, "ASKS_DATE", NEVER),
    "names asked for are names": _with(refusal, "ASKS_NAME", NEVER),
    "nothing near refused unread": _with(refusal, "NEAR_ENOUGH", -2.0),
    "refusal by probability": _with(refusal, "THRESHOLD", 0.0),
    "what articles disagree on told": _with(publish, "_remarks", lambda *_: iter(())),
}


def main(bench: Path, work: Path, names: list[str]) -> None:
    """Print a row for each rule: right / answered / refused rightly without it, and how many answers change."""
    sets, parts = sets_of(bench), loaded(work).kept()
    questions = {name: load_questions(sets[name][1]) for name in names}
    indexes = {name: parts.indexed(sets[name][0], work / name) for name in names}
    before = {name: asked(parts, indexes[name], questions[name]) for name in names}
    rows = [["all rules", *(short(before[name]) for name in names)]]
    for rule, switched_off in RULES.items():
        print(rule, file=sys.stderr, flush=True)
        with switched_off():
            without = {name: asked(parts, indexes[name], questions[name]) for name in names}
        changed = {n: sum(a.text != b.text for a, b in zip(without[n], before[n], strict=True)) for n in names}
        rows.append([f"without: {rule}", *(f"{short(without[name])} ({changed[name]})" for name in names)])
    print("# What each rule of answering is worth\n")
    print("Right / answered / refused rightly, and in brackets how many answers change.\n")
    table(["", *(f"{name} ({len(questions[name])})" for name in names)], rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","))
