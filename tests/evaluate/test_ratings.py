"""Ratings: each is kept whole, whatever was cut before it and whoever writes beside it, and `rag eval` measures by them."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes import decided
from filelock import FileLock

from rag.errors import StoreError, UsageError
from rag.evaluate import ratings
from rag.evaluate.figures import Outcome
from rag.evaluate.gold import load_gold
from rag.evaluate.ratings import FILE, MAX_NOTE, rate
from rag.types import Answer, Citation, Claim, Status, Verdict

HISTORY = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "In Taizhou [1]."}]


def citation(marker=1, quote="“It had 2,500 exhibits.”", **changes):
    return replace(Citation("news/a.txt", 0, len(quote), quote, marker, "Expo", None, 1.0, "0" * 64), **changes)


def answer(**changes):
    values = {
        "question": "How many?",
        "standalone_question": "How many?",
        "text": "There were 2,500 exhibits [1].",
        "status": Status.ANSWERED,
        "decision": decided(),
        "claims": (
            Claim("There were 2,500 exhibits.", Verdict.SUPPORTED, 1.0, (1,)),
            Claim("It flew.", Verdict.UNSUPPORTED, 0.0),
        ),
        "citations": (citation(),),
    }
    return Answer(**{**values, **changes})


REFUSED = answer(status=Status.REFUSED, text="The articles do not answer this.", claims=(), citations=())


def lines(folder):
    return [json.loads(line) for line in (folder / FILE).read_bytes().splitlines()]


def test_a_rating_is_a_line_that_says_what_was_asked_answered_and_thought(tmp_path):
    rate(tmp_path, answer(), good=False, note="Wrong\nyear", history=HISTORY, rating_id="c.0")
    (line,) = lines(tmp_path)
    assert datetime.now(UTC) - datetime.fromisoformat(line.pop("at")) < timedelta(minutes=1)
    assert line == {
        "id": "c.0",
        "question": "How many?",
        "history": HISTORY,
        "rating": "down",
        "note": "Wrong\nyear",
        "status": "answered",
        "text": "There were 2,500 exhibits [1].",
    }


def test_an_answer_rated_right_tells_what_a_later_one_should_hold_and_cite(tmp_path):
    cited = citation(copies=(citation(source="old/b.txt"),))
    rate(tmp_path, answer(citations=(cited, citation(2))), good=True, rating_id="c.0")
    (line,) = lines(tmp_path)
    assert line["rating"] == "up"
    assert line["answerable"] is True
    assert line["answers"] == ["“It had 2,500 exhibits.”", "There were 2,500 exhibits."]
    assert line["sources"] == ["a.txt", "b.txt"]
    assert line["evidence"] == ["“It had 2,500 exhibits.”"]


@pytest.mark.parametrize("given", [answer(), REFUSED])
def test_an_answer_rated_right_is_measured_as_right_when_it_is_given_again(tmp_path, given):
    rate(tmp_path, given, good=True, history=HISTORY, rating_id="c.0")
    (question,) = load_gold(tmp_path / FILE).questions
    outcome = Outcome(question, given, 1.0)
    assert outcome.is_right
    assert outcome.cites_source == outcome.cites_evidence == (given is not REFUSED)
    assert question.history == tuple(HISTORY)
    assert not Outcome(question, REFUSED if given is not REFUSED else answer(), 1.0).is_right


def test_the_last_rating_of_an_answer_counts(tmp_path):
    rate(tmp_path, answer(), good=False, rating_id="c.0")
    rate(tmp_path, answer(), good=True, rating_id="c.1")
    rate(tmp_path, answer(question="And when?"), good=True, rating_id="c.0")
    rate(tmp_path, answer(), good=False, rating_id="c.1")
    gold = load_gold(tmp_path / FILE)
    assert [question.question for question in gold.questions] == ["And when?"]
    assert gold.unmeasured == 1


@pytest.mark.parametrize("text", ["a\nb\r\u2028\x85", "half \ud83d", '"}\n{"id": 1', "\0"])
def test_whatever_was_written_stays_on_its_line(tmp_path, text):
    history = [{"role": "user", "content": text}]
    rate(tmp_path, answer(question=text, text=text), good=True, note=text, history=history, rating_id=text)
    rate(tmp_path, answer(), good=True, rating_id="c.1")
    written = (tmp_path / FILE).read_text(encoding="utf-8")
    assert len(written.splitlines()) == 2
    first = json.loads(written.splitlines()[0])
    assert [first[name] for name in ("id", "question", "text", "note")] == [text] * 4
    assert first["history"] == history


def test_a_line_that_a_crash_has_cut_costs_only_itself(tmp_path):
    rate(tmp_path, answer(), good=True, rating_id="c.0")
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes() + file.read_bytes()[:40])
    rate(tmp_path, answer(), good=True, rating_id="c.1")
    with pytest.raises(UsageError, match=r"ratings\.jsonl, line 2: not a line of JSON"):
        load_gold(file)
    whole, _, last = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(whole + last)
    assert [question.id for question in load_gold(file).questions] == ["c.0", "c.1"]


def _rate_many(folder, name):
    for number in range(40):
        rate(folder, answer(text=name * 5000), good=True, rating_id=f"{name}.{number}")


def test_lines_of_processes_that_write_at_once_do_not_mix(tmp_path):
    processes = [multiprocessing.get_context("spawn").Process(target=_rate_many, args=(tmp_path, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    written = lines(tmp_path)
    assert sorted(line["id"] for line in written) == sorted(f"{name}.{number}" for name in "ab" for number in range(40))
    assert all(set(line["text"]) == {line["id"][0]} for line in written)


def test_a_file_that_another_program_holds_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(ratings, "LOCK_SECONDS", 0.05)
    with FileLock(tmp_path / f".{FILE}.lock"), pytest.raises(StoreError, match="held by another program"):
        rate(tmp_path, answer(), good=True, rating_id="c.0")


def test_a_note_has_an_end(tmp_path):
    rate(tmp_path, answer(), good=True, note="é" * MAX_NOTE, rating_id="c.0")
    with pytest.raises(UsageError, match="2,001 characters"):
        rate(tmp_path, answer(), good=True, note="é" * (MAX_NOTE + 1), rating_id="c.1")
    assert [line["id"] for line in lines(tmp_path)] == ["c.0"]


def test_a_full_file_takes_no_more_and_says_what_to_do(tmp_path, monkeypatch):
    rate(tmp_path, answer(), good=False, rating_id="c.0")
    size = (tmp_path / FILE).stat().st_size
    monkeypatch.setattr(ratings, "MAX_BYTES", 2 * size)
    rate(tmp_path, answer(), good=False, rating_id="c.1")
    with pytest.raises(UsageError, match=r"ratings\.jsonl is full .*; move it"):
        rate(tmp_path, answer(), good=False, rating_id="c.2")
    assert [line["id"] for line in lines(tmp_path)] == ["c.0", "c.1"]


def test_a_rating_that_the_disk_does_not_take_leaves_nothing(tmp_path, monkeypatch):
    rate(tmp_path, answer(), good=True, rating_id="c.0")

    def fails(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreError, match=r"ratings\.jsonl cannot be written \(No space left on device\)"):
        rate(tmp_path, answer(), good=True, rating_id="c.1")
    assert [line["id"] for line in lines(tmp_path)] == ["c.0"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        rate(tmp_path / "file", answer(), good=True, rating_id="c.0")
