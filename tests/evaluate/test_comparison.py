"""Two runs of the same questions side by side."""

from __future__ import annotations

import json

import pytest
from test_figures import GOLD, answered

from rag.errors import UsageError
from rag.evaluate.comparison import compare, read_details
from rag.evaluate.figures import Outcome, details, measure

RIGHT = Outcome(GOLD, answered(), 2.0)
LOST = Outcome(GOLD, None, 1.0, "no index")


def test_what_became_right_and_wrong_is_named():
    better, worse = compare([RIGHT], [details(LOST)]), compare([LOST], [details(RIGHT)])
    assert (better.became_right, better.became_wrong) == (("1",), ())
    assert (worse.became_right, worse.became_wrong) == ((), ("1",))
    assert (better.before["answer_acc"], better.now["answer_acc"]) == (0, 1)


def test_the_figures_are_those_of_the_report():
    figures = measure([RIGHT, LOST]).figures()
    lines = [details(RIGHT), {**details(LOST), "id": "2"}]
    before = compare([RIGHT, LOST], lines[:1]).before
    assert before["n"] == 2
    now = compare([RIGHT, LOST], lines[:1]).now
    assert {name: now[name] for name in ("answer_acc", "answered", "cite_source", "cite_evidence", "n")} == {
        name: figures[name] for name in ("answer_acc", "answered", "cite_source", "cite_evidence", "n")
    }


def test_runs_without_a_common_question_are_not_compared():
    with pytest.raises(UsageError, match="no question of this file"):
        compare([RIGHT], [{**details(RIGHT), "question": "Another?"}])


@pytest.mark.parametrize("content", ["", "no json", "[1]", json.dumps({"id": 1})])
def test_a_file_that_is_no_details_is_named_with_what_to_run(tmp_path, content):
    file = tmp_path / "before.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"before\.jsonl .*--details"):
        read_details(file)
