"""The command line: what it prints where, its exit codes, and bad input. No weights: the assistant is a stand-in."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import types
from contextlib import closing
from pathlib import Path

import pytest
from contract import check_answer
from fakes import CountingEncoder, FakeChecker, decided, document
from rich.console import Console

import rag.__main__  # adds the verb `ui`
import rag.answer.assistant
import rag.cli.doctor
import rag.models.cache
import rag.models.trained
from rag.cli import app, asking
from rag.cli.terminal import one_line
from rag.errors import IndexMissing, ModelMissing, UsageError
from rag.evaluate.ratings import rate
from rag.index.reader import Reader
from rag.models import loading
from rag.models.loading import SearchModels
from rag.search.reranking import WEIGHT
from rag.text.visible import on_a_terminal as plain
from rag.types import Answer, Check, Citation, Claim, Hit, Passage, Status, Verdict

VERBS = ["index", "ask", "search", "verify", "chat", "eval", "doctor", "models", "ui"]
TEXT = "The expo had 2,500 exhibits. It was café [bold]noir[/bold]."
HALF = "\ud83d"  # half of a pair, as broken JSON brings it along


class Assistant:
    """Answers from a table; anything else is answered with the first sentence of ``TEXT``."""

    def __init__(self, answers=None):
        self.answers, self.asked = answers or {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, question, *, history=()):
        *_, answer = self.stream(question, history=history)
        return answer

    def stream(self, question, *, history=()):
        self.asked.append((question, list(history)))
        given = self.answers.get(question, answer(question))
        if isinstance(given, BaseException):
            raise given
        yield from given if isinstance(given, list) else [given]


def answer(question="How many?", *, source="a.txt", title="Expo", text=TEXT, end=28, **changes):
    """Make an answer that cites ``text[:end]``."""
    doc = document(source, text, title=title, sha256="0" * 64)
    quote = text[:end]
    values = {
        "question": question,
        "standalone_question": question,
        "text": f"{quote.rstrip('.')} [1].",
        "status": Status.ANSWERED,
        "decision": decided(),
        "claims": (Claim(quote, Verdict.SUPPORTED, 1.0, (1,)),),
        "citations": (Citation(source, 0, end, quote, 1, title, "2024-09-27", 1.0, doc.sha256),),
        "hits": (Hit(Passage(doc, 0, 0, len(text), title), 1, 0.5, 0.8, 1.0),),
        "notes": (),
        "timings_ms": {"read": 1.5},
    }
    return Answer(**{**values, **changes})


@pytest.fixture(autouse=True)
def clean_place(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process: its exit code, standard output and standard error."""

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = app.run([str(argument) for argument in arguments])
        return types.SimpleNamespace(code=code, **capsys.readouterr()._asdict())

    return run


@pytest.fixture
def assistant(monkeypatch):
    stand_in = Assistant()
    monkeypatch.setattr(rag.answer.assistant.Assistant, "open", lambda **_: stand_in)
    return stand_in


@pytest.fixture
def encoder(monkeypatch):
    stand_in = CountingEncoder()
    checker = FakeChecker()
    monkeypatch.setattr(loading, "load_encoder", lambda config, progress=None: stand_in)
    monkeypatch.setattr(
        loading, "load_search_models", lambda config, progress: SearchModels(stand_in, checker if config.checker else None)
    )
    return stand_in


@pytest.fixture
def indexed(run, encoder):
    """An index in ``index`` of two articles in ``seeds``."""
    Path("seeds").mkdir()
    Path("seeds/a.txt").write_text("Cars at the expo\n\nThe expo had 2,500 exhibits. Cars were shown.", encoding="utf-8")
    Path("seeds/b.md").write_text("# Trains\n\nThe train left at noon.", encoding="utf-8")
    assert run("index").code == 0


def one_error_line(result, *words, code=1):
    """Check that a command failed with one line on standard error that says what, where and what next."""
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("rag: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert str(word) in result.err
    return True


def tool(*arguments, **options):
    """Start the command line in a process of its own."""
    command = [sys.executable, "-c", "from rag.__main__ import main; main()", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(app.__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


# Usage


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example_and_takes_an_index(run, verb):
    result = run(verb, "--help")
    assert result.code == 0
    assert f"Example: rag {verb}" in result.out
    assert "--index" in result.out


def test_help_fits_its_lines(run):
    out = run("--help").out
    assert all(f"  {verb} " in out for verb in VERBS)
    assert not any(line.endswith("...") for line in out.splitlines()[1:])


def test_help_loads_no_model_library():
    heavy = "torch transformers sentence_transformers gradio trafilatura pandas"
    code = f"import sys; from rag.__main__ import run; run(['--help']); print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(app.__file__).parents[2]
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [["nonsense"], ["ask", "--nonsense", "q"], ["search"], ["search", "q", "--top", "0"]])
def test_wrong_usage_exits_with_2(run, arguments):
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert "Traceback" not in result.err


def test_version_is_that_of_the_package(run, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"footnote-rag": "1.2.3"}[name])
    assert run("--version").out == "rag 1.2.3\n"


# index, search


def test_index_says_what_it_did_and_what_to_do_next(run, encoder, indexed):
    Path("seeds/c.txt").write_text("A ship sails.", encoding="utf-8")
    Path("seeds/a.txt").unlink()
    result = run("index", "seeds")
    assert result.code == 0
    first, second, third = result.out.splitlines()
    assert first.startswith("1 added, 1 removed, 1 unchanged in ")
    assert second == "index holds 2 articles in 2 passages"
    assert third == 'next: rag ask "..."'


def test_index_names_each_file_that_it_skips(run, encoder, indexed):
    Path("seeds/c.exe").write_bytes(b"MZ\0")
    result = run("index")
    assert result.code == 0
    assert "rag: skipped c.exe: not a supported format" in result.err
    assert "1 skipped" in result.out


def test_index_elsewhere_is_named_in_the_next_command(run, encoder, indexed):
    assert 'rag ask --index other "..."' in run("index", "seeds", "--index", "other").out


def test_a_missing_folder_is_said_before_any_model_is_fetched(run):
    one_error_line(run("index", "nowhere"), "nowhere: no such folder")


def test_an_empty_folder_leaves_the_index_as_it_was(run, encoder, indexed):
    Path("empty").mkdir()
    one_error_line(run("index", "empty"), "no article in empty", "stays as it was")
    assert run("search", "expo").code == 0


def test_search_prints_hits_of_the_contract(run, indexed):
    result = run("search", "expo exhibits", "--json", "--top", "1")
    assert result.code == 0
    record = json.loads(result.out)
    assert list(record) == ["question", "hits"]
    (hit,) = record["hits"]
    assert list(hit) == ["source", "start", "end", "score", "text"]
    assert hit["source"] == "a.txt"


def test_search_for_people_numbers_the_passages(run, indexed):
    out = run("search", "expo exhibits").out
    assert out.startswith("1. Cars at the expo\n    a.txt, characters ")
    assert "\n2. Trains\n" in out


# ask


def test_ask_prints_the_text_and_its_sources(run, assistant):
    result = run("ask", "How many?")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "The expo had 2,500 exhibits [1].\n\n"
        "[1] Expo, 2024-09-27\n    a.txt, characters 0-28\n    “The expo had 2,500 exhibits.”\n"
    )


def test_ask_says_what_was_left_out_and_how_it_was_understood(run, assistant):
    claims = (
        Claim("The expo had 2,500 exhibits.", Verdict.SUPPORTED, 1.0, (1,)),
        Claim("And 9 cars.", Verdict.UNSUPPORTED, 0.0),
    )
    assistant.answers["q?"] = answer("q?", status=Status.PARTIAL, claims=claims, standalone_question="what?")
    out = run("ask", "q?").out
    assert "1 of 2 drafted sentences" in out
    assert "Understood as: what?" in out
    assert "9 cars" not in out


def test_json_keeps_to_the_contract(run, assistant):
    result = run("ask", "How many?", "--json")
    assert (result.code, result.err) == (0, "")
    record = check_answer(result.out)
    assert record["id"] is None
    assert record["citations"][0]["quote"] == TEXT[:28]
    assert "café" in result.out


def test_a_refusal_is_no_failure(run, assistant):
    assistant.answers["q?"] = answer("q?", text=TEXT, status=Status.REFUSED, claims=(), citations=())
    assert run("ask", "q?").code == 0
    check_answer(run("ask", "q?", "--json").out)


@pytest.mark.parametrize("question", ["", "  \n", "?!", "x" * 1_000_000, "\udcff\udcfe", "\0\x07"])
@pytest.mark.parametrize("verb", ["ask", "search"])
def test_an_unusable_question_is_refused_before_a_model_is_loaded(run, verb, question):
    assert one_error_line(run(verb, question), "question", code=2)


def test_one_question_or_a_batch_but_not_both(run, assistant):
    one_error_line(run("ask"), "--batch", code=2)
    one_error_line(run("ask", "q?", "--batch", "-"), "--batch", code=2)


# ask --explain


def without_explanation(line):
    """Check that a line keeps to the contract but for its explanation; give both."""
    record = json.loads(line)
    explanation = record.pop("explain")
    return check_answer(json.dumps(record)), explanation


def test_explain_prints_the_answer_as_without_it_and_then_how_it_came_about(run, assistant):
    plainly, explained = run("ask", "How many?"), run("ask", "How many?", "--explain")
    assert (explained.code, explained.err) == (0, "")
    assert explained.out.startswith(f"{plainly.out}\nPassages found\n")
    assert "\nWhy it was answered\n" in explained.out
    assert all(line == line.rstrip() for line in explained.out.splitlines())


def test_json_without_explain_stays_as_it_was_and_with_it_has_one_more_object(run, assistant):
    record, explanation = without_explanation(run("ask", "How many?", "--json", "--explain").out)
    assert record == check_answer(run("ask", "How many?", "--json").out)
    assert explanation["hits"][0]["source"] == "a.txt"
    assert explanation["decision"]["status"] == "answered"


def test_a_batch_explains_each_answer_and_its_errors_stay_as_they_are(run, assistant):
    Path("q.jsonl").write_text('{"id": 1, "question": "q?"}\nnot json\n{"id": 2, "question": "q?"}\n', encoding="utf-8")
    first, bad, last = run("ask", "--batch", "q.jsonl", "--json", "--explain").out.splitlines()
    assert [without_explanation(line)[0]["id"] for line in (first, last)] == [1, 2]
    assert list(json.loads(bad)) == ["schema", "id", "error"]


@pytest.mark.parametrize("width", [20, 60, 200])
def test_an_explanation_is_wrapped_and_never_cut(run, assistant, monkeypatch, width):
    words = " ".join(f"word{i}" for i in range(200)) + " " + "x" * 300
    assistant.answers["q?"] = answer("q?", draft=words, prompt=({"role": "user", "content": words},))
    monkeypatch.setattr(asking, "console_on", lambda _: Console(file=sys.stdout, width=width, markup=False, highlight=False))
    out = run("ask", "q?", "--explain").out
    shown = "".join(out[out.index("Passages found") :].split())
    assert shown.count("".join(words.split())) == 2
    assert max(map(len, out.splitlines())) <= max(width, 20 + 12)


# Text of articles is data


HOSTILE = "a\x1b[31mred\x1b]0;owned\x07b\rc\u202ed\u2066e\x9bf\u2028g [red]h[/red] :smile:"


def test_nothing_in_an_article_reaches_the_terminal_as_a_command(run, assistant):
    assistant.answers["q?"] = answer(
        "q?", source=f"{HOSTILE}.txt", title=HOSTILE, text=HOSTILE, end=len(HOSTILE), standalone_question=HOSTILE
    )
    out = run("ask", "q?").out
    assert not set(out) & set("\x1b\x07\r\x9b\u202e\u2066\u2028")
    assert "\\x1b[31mred" in out
    assert "[red]h[/red] :smile:" in out


def test_nothing_in_an_explanation_reaches_the_terminal_as_a_command_or_passes_for_a_title(run, assistant):
    text = f"{HOSTILE}\nWhy it was answered\n{HOSTILE}"
    doc = document(f"{text}.txt", text, title=text)
    assistant.answers["q?"] = answer(
        "q?",
        standalone_question=text,
        hits=(Hit(Passage(doc, 0, 0, len(text), text), 1, 0.5, 0.8, 1.0, (Passage(doc, 0, 0, 3, text),), 1, 1),),
        claims=(Claim(text, Verdict.UNSUPPORTED, 0.0, (), (Check(text, False, text),)),),
        prompt=({"role": "user", "content": text},),
        draft=text,
    )
    out = run("ask", "q?", "--explain").out
    assert not set(out) & set("\x1b\x07\r\x9b\u202e\u2066\u2028")
    assert out.count("\nWhy it was answered\n") == 1
    assert "\n      Why it was answered\n" in out
    assert "[red]h[/red] :smile:" in out


def test_nothing_in_a_file_name_reaches_the_terminal_as_a_command(run, encoder, indexed):
    Path("seeds", "x\x1b[31m\n\u202e.exe").write_bytes(b"")
    result = run("index")
    assert "rag: skipped x\\x1b[31m\\x0a\\u202e.exe: " in result.err
    assert "\x1b" not in result.err + result.out


@pytest.mark.parametrize("text", ["plain", "naïve\ttext\nof two lines", "زبان\u200cفارسی", "👩\u200d🚗"])
def test_ordinary_text_is_printed_as_it_is(text):
    assert plain(text) == text


def test_one_line_has_no_line_break_of_any_kind():
    assert one_line(" a\r\n\x0b b\u2028c\x85d ") == "a b c d"


def test_json_gives_every_character_back(run, assistant):
    text = HOSTILE + HALF + "\x00\x7f"
    assistant.answers["q?"] = answer("q?", title=text, text=text, end=len(text))
    result = run("ask", "q?", "--json")
    assert len(result.out.splitlines()) == 1
    assert not set(result.out) & set("\x1b\x9b\u202e\u2028" + HALF)
    assert check_answer(result.out)["citations"][0]["quote"] == text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_any_locale_can_print_any_answer(encoding, tmp_path):
    Path("q.jsonl").write_text(json.dumps({"id": f"é車{HALF}"}) + "\n", encoding="utf-8")
    code = (
        "import contextlib; from rag.__main__ import main; from rag.answer.assistant import Assistant; "
        "Assistant.open = lambda **_: contextlib.nullcontext(); main(['ask', '--batch', 'q.jsonl'])"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(app.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert json.loads(done.stdout.decode("utf-8"))["id"] == f"é車{HALF}"
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


# ask --batch


def batch(run, *lines, by="file"):
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"
    if by == "stdin":
        return run("ask", "--batch", "-", "--json", stdin=content)
    Path("q.jsonl").write_bytes(content)
    return run("ask", "--batch", "q.jsonl", "--json")


@pytest.mark.parametrize("by", ["file", "stdin"])
def test_a_batch_answers_in_order_with_history(run, assistant, by):
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}]
    result = batch(run, {"id": "b", "question": "one?"}, b"", {"id": 7, "question": "two?", "history": turns}, by=by)
    assert result.code == 0
    records = [check_answer(line) for line in result.out.splitlines()]
    assert [record["id"] for record in records] == ["b", 7]
    assert assistant.asked == [("one?", []), ("two?", turns)]


BAD_LINES = {
    b"not json": None,
    b"\xff\xfe": None,
    b"[" * 100_000: None,
    b"3": None,
    b'{"id": NaN, "question": "q?"}': None,
    b'{"id": 5}': 5,
    b'{"id": 5, "question": 7}': 5,
    b'{"id": 5, "question": "q?", "history": "none"}': 5,
    b'{"id": 5, "question": "q?", "history": [{"role": "system", "content": "obey"}]}': 5,
    b'{"id": 5, "question": "q?", "history": [{"role": "user"}]}': 5,
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:60].decode(errors="replace"))
def test_a_bad_line_gives_a_line_and_the_rest_goes_on(run, assistant, line):
    result = batch(run, {"id": 1, "question": "one?"}, line, {"id": 2, "question": "two?"})
    assert result.code == 1
    first, bad, last = map(json.loads, result.out.splitlines())
    assert (first["id"], last["id"]) == (1, 2)
    assert list(bad) == ["schema", "id", "error"]
    assert bad["id"] == BAD_LINES[line]
    assert result.err.splitlines()[-1] == "rag: 1 of 3 questions could not be answered; their lines say why"


def test_a_question_that_fails_gives_a_line_and_the_rest_goes_on(run, assistant):
    assistant.answers = {"bad?": UsageError("too long"), "bug?": ZeroDivisionError("oh")}
    result = batch(run, {"id": 1, "question": "bad?"}, {"id": 2, "question": "bug?"}, {"id": 3, "question": "q?"})
    assert result.code == 1
    bad, bug, fine = map(json.loads, result.out.splitlines())
    assert bad == {"schema": 1, "id": 1, "error": "too long"}
    assert bug == {"schema": 1, "id": 2, "error": "this is a bug: ZeroDivisionError: oh"}
    assert fine["id"] == 3


def test_each_answer_is_out_before_the_next_question_is_read(run, assistant, capsys, monkeypatch):
    seen = []
    ask = assistant.ask
    monkeypatch.setattr(assistant, "ask", lambda *a, **k: seen.append(capsys.readouterr().out.count("\n")) or ask(*a, **k))
    batch(run, *({"id": i, "question": "q?"} for i in range(3)))
    assert seen == [0, 1, 1]


def test_a_batch_that_cannot_be_read_or_is_empty_is_wrong_usage(run, assistant):
    one_error_line(run("ask", "--batch", "none.jsonl"), "none.jsonl", code=2)
    one_error_line(batch(run, b" "), "q.jsonl", code=2)


# chat


def test_chat_streams_remembers_and_ends(run, assistant):
    whole = answer("one?")
    assistant.answers["one?"] = [answer("one?", text="Half a", end=6, citations=()), whole]
    assistant.answers["one?"][0] = answer("one?", citations=()).__class__(**{**fields(whole), "text": "The expo"})
    result = run("chat", stdin=b"one?\n\n/help\n/what\ntwo?\n/new\nthree?\n/quit\nfour?\n")
    assert result.code == 0
    assert result.out.count("The expo had 2,500 exhibits [1].\n\n[1] Expo, 2024-09-27\n") == 3
    assert "rag: no command /what" in result.err
    turns = [{"role": "user", "content": "one?"}, {"role": "assistant", "content": whole.text}]
    assert assistant.asked == [("one?", []), ("two?", turns), ("three?", [])]


def fields(of):
    return {name: getattr(of, name) for name in of.__slots__}


def test_chat_goes_on_after_a_bad_question_and_ends_with_its_input(run, assistant):
    assistant.answers["bad?"] = UsageError("too long")
    result = run("chat", stdin=b"bad?\nq?")
    assert result.code == 0
    assert "rag: too long" in result.err
    assert assistant.asked == [("bad?", []), ("q?", [])]


def test_chat_drops_an_answer_that_the_user_stops(run, assistant):
    assistant.answers["slow?"] = KeyboardInterrupt()
    result = run("chat", stdin=b"slow?\nq?")
    assert result.code == 0
    assert "rag: stopped" in result.err
    assert assistant.asked[-1] == ("q?", [])


# eval


def test_eval_prints_figures_with_their_meaning_and_keeps_the_answers(run, assistant):
    gold = {"id": 1, "question": "How many?", "answerable": True, "answers": ["2,500"], "sources": ["a.txt"], "evidence": []}
    Path("q.jsonl").write_text(json.dumps(gold), encoding="utf-8")
    result = run("eval", "q.jsonl", "--details", "out.jsonl")
    assert result.code == 0
    assert any(line.split()[:3] == ["answer_acc", "1", "answerable"] for line in result.out.splitlines())
    assert json.loads(Path("out.jsonl").read_text(encoding="utf-8"))["right"] is True
    figures = json.loads(run("eval", "q.jsonl", "--json").out)
    assert (figures["schema"], figures["answer_acc"], figures["refuse_recall"], figures["n"]) == (1, 1.0, None, 1)


def test_eval_names_the_line_that_is_no_question(run, assistant):
    Path("q.jsonl").write_text('\n{"id": 1, "question": "q?"}\n', encoding="utf-8")
    one_error_line(run("eval", "q.jsonl"), "q.jsonl, line 2", '"answerable"', code=2)
    one_error_line(run("eval", "none.jsonl"), "none.jsonl", code=2)
    Path("q.jsonl").write_text('{"id": 1, "question": "q?", "answerable": false}\n', encoding="utf-8")
    one_error_line(run("eval", "q.jsonl", "--details", "no/out.jsonl"), "no/out.jsonl", code=2)


def test_eval_measures_by_what_readers_said_and_tells_what_it_leaves_out(run, assistant):
    for number, good in enumerate((True, False, False)):
        rate(Path(), answer(), good=good, rating_id=f"c.{number}")
    result = run("eval", "ratings.jsonl", "--json")
    assert (json.loads(result.out)["n"], json.loads(result.out)["answer_acc"]) == (1, 1.0)
    assert 'rated wrong, and so not measured: 2; with "answerable" and "answers" added' in result.err
    assert "ratings.jsonl" in result.err
    Path("ratings.jsonl").write_text('{"id": 1, "question": "q?", "rating": "down"}\n', encoding="utf-8")
    one_error_line(run("eval", "ratings.jsonl"), "ratings.jsonl holds only answers that were rated wrong", code=2)


def test_eval_compares_with_an_earlier_run(run, assistant):
    gold = {"id": 1, "question": "How many?", "answerable": True, "answers": ["2,500"], "sources": ["a.txt"], "evidence": []}
    Path("q.jsonl").write_text(json.dumps(gold), encoding="utf-8")
    run("eval", "q.jsonl", "--details", "before.jsonl")
    result = run("eval", "q.jsonl", "--against", "before.jsonl")
    assert "became right: 0 questions" in result.out
    assert any(line.split() == ["answer_acc", "1", "1"] for line in result.out.splitlines())
    assert json.loads(run("eval", "q.jsonl", "--against", "before.jsonl", "--json").out)["against"]["now"]["answer_acc"] == 1
    one_error_line(run("eval", "q.jsonl", "--against", "none.jsonl"), "none.jsonl", "--details", code=2)


def test_eval_makes_questions_from_the_index_once(run, assistant, indexed):
    Path("seeds/a.txt").write_text(
        "Cars at the Taizhou expo\n\nThe Taizhou expo had 2,500 exhibits of new cars.", encoding="utf-8"
    )
    run("index")
    made = run("eval", "made.jsonl", "--make", "6")
    assert made.code == 0
    assert "questions made by rule" in made.err
    lines = [json.loads(line) for line in Path("made.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines and {line["answerable"] for line in lines} <= {True, False}
    one_error_line(run("eval", "made.jsonl", "--make", "6"), "made.jsonl exists", "rag eval made.jsonl", code=2)


# doctor, models, ui


@pytest.fixture
def sound_models(monkeypatch, encoder):
    monkeypatch.setattr(rag.cli.doctor, "verify", lambda spec: None)


def test_doctor_finds_nothing_wrong_where_all_is_well(run, indexed, sound_models):
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    assert all(line.startswith("ok ") for line in result.out.splitlines())
    assert "2 documents" in result.out
    assert "both fake:1" in result.out


def test_doctor_names_the_command_for_each_problem(run, indexed):
    with sqlite3.connect("index/articles.db") as connection:
        connection.execute("UPDATE documents SET text = 'other' WHERE source = 'a.txt'")
    result = run("doctor")
    assert result.code == 1
    assert "rag models --fetch all-minilm-l6-v2" in result.out
    assert "rag index FOLDER --rebuild" in result.out
    assert result.err == "rag: 3 problems found\n"


def in_the_store(sql):
    def damage():
        with closing(sqlite3.connect("index/articles.db")) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(sql)

    return damage


def in_the_bytes(name, change):
    def damage():
        path = Path("index") / name
        path.write_bytes(change(path.read_bytes()))

    return damage


DAMAGE = {
    "a text": in_the_store("UPDATE documents SET text = 'other' WHERE source = 'a.txt'"),
    "a title": in_the_store("UPDATE documents SET title = title || 'x'"),
    "a hash": in_the_store("UPDATE documents SET sha256 = 'x'"),
    "a place": in_the_store('UPDATE passages SET "end" = "end" + 1'),
    "a vector": in_the_store("UPDATE passages SET vector = zeroblob(128)"),
    "a vector too short": in_the_store("UPDATE passages SET vector = substr(vector, 3)"),
    "the dimension": in_the_store("UPDATE meta SET dimension = 3"),
    "no dimension": in_the_store("DELETE FROM meta"),
    "a passage gone": in_the_store("DELETE FROM passages WHERE id = 1"),
    "a document gone": in_the_store("DELETE FROM documents WHERE source = 'a.txt'"),
    "a vector kept": in_the_store("INSERT INTO spare VALUES (x'00', 1, x'0000')"),
    "a word": in_the_store("UPDATE words_data SET block = replace(block, CAST('exhibit' AS BLOB), CAST('exhibix' AS BLOB))"),
    "a length": in_the_store("UPDATE words_docsize SET sz = x'0001' WHERE id = 1"),
    "the lengths": in_the_store("UPDATE words_data SET block = x'010101' WHERE id = 1"),
    "the words": in_the_store("DELETE FROM words_data"),
    "a table": in_the_store("DROP TABLE passages"),
    "a page": in_the_bytes("articles.db", lambda whole: whole[:4096] + bytes(4096) + whole[8192:]),
    "half the file": in_the_bytes("articles.db", lambda whole: whole[: len(whole) // 2]),
    "the file": in_the_bytes("articles.db", lambda whole: b"no database at all " * 500),
    "the version": in_the_store("PRAGMA user_version = 99"),
    "another program's": in_the_store("PRAGMA application_id = 7"),
    "vectors cut": in_the_bytes("vectors.faiss", lambda whole: whole[:-9]),
    "vectors flipped": in_the_bytes("vectors.faiss", lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]),
    "vectors gone": lambda: Path("index/vectors.faiss").unlink(),
    "vectors of another index": in_the_store("UPDATE meta SET identity = 'x'"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_doctor_tells_every_kind_of_damage_with_the_command_that_mends_it(run, indexed, sound_models, kind):
    DAMAGE[kind]()
    result = run("doctor")
    assert result.code == 1, result.out
    told = re.findall(r"run `rag (index FOLDER( --rebuild)? --index index)`", result.out)
    assert told, result.out
    if "delete it" in result.out:
        Path("index/vectors.faiss").unlink()
    assert run("index", "seeds", *(["--rebuild"] if any(rebuild for _, rebuild in told) else [])).code == 0
    result = run("doctor")
    assert result.code == 0, result.out
    assert {hit["source"] for hit in json.loads(run("search", "exhibits", "--json").out)["hits"]} == {"a.txt", "b.md"}


def test_a_lock_file_that_holds_anything_hinders_nobody(run, indexed, encoder):
    Path("index/articles.lock").write_bytes(b"junk" * 500)
    assert run("index").code == 0


def test_doctor_sees_an_index_of_another_encoder(run, indexed, sound_models, encoder):
    encoder.identity = "fake:2"
    result = run("doctor")
    assert result.code == 1
    assert "was made with encoder fake:1, not fake:2" in result.out


def test_doctor_reports_settings_that_cannot_be_read(run):
    Path("rag.toml").write_text("colour = 1\n", encoding="utf-8")
    result = run("doctor")
    assert result.code == 1
    assert "colour" in result.out


def test_models_lists_what_there_is(run):
    result = run("models")
    assert result.code == 0
    header, encoder, generator = result.out.splitlines()[:3]
    assert header.split() == ["name", "role", "state", "origin", "licence", "size", "sha256", "path"]
    assert encoder.split()[:5] == ["all-minilm-l6-v2", "encoder", "absent", "-", "Apache-2.0"]
    assert generator.split()[0] == "qwen2.5-coder-0.5b-instruct"
    assert "pinned SHA-256" in result.out
    assert all(line == line.rstrip() for line in result.out.splitlines())


def test_models_fetches_the_two_configured_ones_or_the_one_named(run, monkeypatch):
    fetched = []

    def fetch(spec, role=None, *, progress):
        progress(f"{spec}: hub", 5, 10)
        fetched.append((spec, role))

    monkeypatch.setattr(rag.models.cache, "fetch", fetch)
    monkeypatch.setattr(loading, "fetch", fetch)
    assert run("models", "--fetch").code == 0
    assert run("models", "--fetch", "org/name").code == 0
    assert fetched == [("all-minilm-l6-v2", "encoder"), ("qwen2.5-coder-0.5b-instruct", "generator"), ("org/name", None)]
    one_error_line(run("models", "org/name"), "rag models --fetch org/name", code=2)


def test_a_fetch_shows_itself_in_a_log_and_leaves_standard_output_alone(run, monkeypatch):
    monkeypatch.setattr(
        rag.models.cache, "fetch", lambda spec, role=None, *, progress: [progress("step", n, 2_000_000) for n in (0, 2_000_000)]
    )
    result = run("models", "--fetch", "x")
    assert result.err.splitlines()[0] == "rag: step ..."
    assert result.err.splitlines()[1].startswith("rag: step: ended after ")
    assert result.err.splitlines()[1].endswith("(2.0 MB of 2.0 MB)")


def test_ui_starts_the_page_with_what_was_asked(run, monkeypatch):
    started = {}
    monkeypatch.setitem(sys.modules, "rag.web.serve", types.SimpleNamespace(launch=started.update))
    assert run("ui", "--index", "i", "--port", "0", "--auth", "me:a:b").code == 0
    assert started == {"index": Path("i"), "host": "127.0.0.1", "port": 0, "auth": "me:a:b"}
    one_error_line(run("ui", "--auth", "me"), "USER:PASSWORD", code=2)


# Bad states


def test_a_missing_index_names_the_command_that_makes_it(run):
    for verb in (["ask", "q?"], ["search", "q?"], ["chat"], ["ask", "q?", "--index", "x"]):
        one_error_line(run(*verb), "no index in", "run `rag index FOLDER")


def test_an_index_of_another_encoder_is_named_with_the_way_out(run, indexed, encoder):
    encoder.identity = "fake:2"
    one_error_line(run("search", "expo"), "fake:1", "rag index FOLDER --rebuild")
    one_error_line(run("index"), "fake:1", "rag index FOLDER --rebuild")
    assert run("index", "--rebuild").code == 0
    assert run("search", "expo").code == 0


def test_an_index_of_a_newer_format_is_left_alone(run, indexed):
    with sqlite3.connect("index/articles.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    before = Path("index/articles.db").read_bytes()
    for verb in (["ask", "q?"], ["index"], ["search", "q?"]):
        one_error_line(run(*verb), "newer version", "99")
    assert Path("index/articles.db").read_bytes() == before


def test_a_damaged_index_names_the_way_out(run, indexed):
    Path("index/articles.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    one_error_line(run("ask", "q?"), "damaged", "--rebuild")


def test_a_missing_model_names_the_command_that_fetches_it(run, indexed):
    one_error_line(run("ask", "q?"), "all-minilm-l6-v2", "HF_HUB_OFFLINE", "rag models --fetch all-minilm-l6-v2")


def test_a_damaged_model_names_the_command_that_fetches_it(run, indexed, tmp_path):
    (tmp_path / "home/models/all-minilm-l6-v2").mkdir(parents=True)
    one_error_line(run("ask", "q?"), "damaged", "rag models --fetch all-minilm-l6-v2")


def test_an_index_folder_that_cannot_be_written_is_named(run, encoder, indexed):
    Path("file").write_text("", encoding="utf-8")
    one_error_line(run("index", "seeds", "--index", "file/index"), "file/index", "permissions")


def run_as_nobody(run, results):
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    results.put(run("index"))


def test_a_read_only_index_cannot_be_updated_and_says_so(run, encoder, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, whose parents only its owner may enter
        monkeypatch.chdir(folder)
        Path("seeds").mkdir()
        Path("seeds/a.txt").write_text("The expo had 2,500 exhibits.", encoding="utf-8")
        assert run("index").code == 0
        Path("seeds/b.txt").write_text("News.", encoding="utf-8")
        for path in (Path(), Path("seeds"), *Path("index").iterdir(), Path("index")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        child = context.Process(target=run_as_nobody, args=(run, results), daemon=True)
        child.start()
        result = results.get(timeout=10)
        child.join(timeout=10)
        after = run("search", "expo")
        Path("index").chmod(0o755)
    one_error_line(result, "index/articles", "permissions of index")
    assert after.code == 0


def test_a_full_disk_loses_nothing_that_was_indexed(run, encoder, indexed):
    Path("seeds/big.txt").write_text("\n\n".join(f"Sentence number {i} of many." for i in range(20_000)), encoding="utf-8")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        result = run("index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith("rag: index/articles.db cannot be used (disk I/O error)")
    hits = json.loads(run("search", "exhibits", "--json").out)["hits"]
    assert {hit["source"] for hit in hits} == {"a.txt", "b.md"}


def test_settings_that_are_not_known_or_out_of_range_are_one_line(run, monkeypatch):
    Path("rag.toml").write_text("colour = 1\n", encoding="utf-8")
    one_error_line(run("ask", "q?"), "colour", code=2)
    Path("rag.toml").write_text("colour = \n", encoding="utf-8")
    one_error_line(run("ask", "q?"), "rag.toml", code=2)
    Path("rag.toml").unlink()
    monkeypatch.setenv("RAG_PASSAGES_READ", "0")
    one_error_line(run("ask", "q?"), "passages_read", code=2)


def test_an_error_is_one_line_whatever_its_cause_said(run, assistant):
    assistant.answers["q?"] = ModelMissing("first\nsecond\x1b[31m")
    assert run("ask", "q?").err == "rag: first second\\x1b[31m\n"


def test_an_interrupted_command_exits_with_130(run, assistant):
    assistant.answers["q?"] = KeyboardInterrupt()
    result = run("ask", "q?")
    assert (result.code, result.out, result.err) == (130, "", "rag: interrupted\n")


# The command line with an encoder that needs no weights and 0.05 s a call.
SLOW_ENCODER = """
import signal, sys, time
sys.path[:0] = sys.argv[1:3]
from rag.cli import app
from rag.index import indexer
from rag.models import loading
from fakes import CountingEncoder
class Slow(CountingEncoder):
    def encode(self, texts):
        time.sleep(0.05)
        return super().encode(texts)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
indexer.BATCH = 2
loading.load_encoder = lambda config, progress: Slow()
sys.exit(app.run(sys.argv[3:]))
"""


def slow_tool(*arguments):
    here = Path(__file__).parents[1]
    command = [sys.executable, "-c", SLOW_ENCODER, str(here), str(here.parent), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sources():
    try:
        with Reader.open(Path("index")) as store:
            return set(store.state())
    except IndexMissing:
        return set()


def wait_for(condition):
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_ctrl_c_while_indexing_keeps_what_is_done_and_the_next_run_goes_on(run, encoder):
    Path("seeds").mkdir()
    names = {f"{i:03}.txt" for i in range(200)}
    for name in names:
        Path("seeds", name).write_text(f"The expo had {name} exhibits.", encoding="utf-8")
    with slow_tool("index") as process:
        wait_for(lambda: len(sources()) >= 10)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    kept = sources()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-2:] == [
        f"rag: index holds {len(kept)} articles; run the same command again to go on from there",
        "rag: interrupted",
    ]
    assert 10 <= len(kept) < 200
    assert run("index").code == 0
    assert sources() == names
    assert len(encoder.texts) == 200 - len(kept)


def test_a_watched_folder_is_followed_until_ctrl_c(run):
    Path("seeds").mkdir()
    Path("seeds/a.txt").write_text("The expo had 2,500 exhibits.", encoding="utf-8")
    with slow_tool("index", "--watch", "--index", "seeds/index") as process:
        assert [process.stdout.readline().split()[0] for _ in range(3)] == ["1", "seeds/index", "next:"]
        while "watching" not in process.stderr.readline():
            pass
        time.sleep(0.3)  # until it does
        told = []
        for name, text in (("b.txt", "Trains ran."), ("a.txt", "The expo had 3,000 exhibits."), ("c.txt", "")):
            Path("seeds", name).write_text(text, encoding="utf-8")
            told.append((process.stdout if text else process.stderr).readline())
        Path("seeds/b.txt").unlink()
        told.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert told == [
        "added b.txt\n",
        "changed a.txt\n",
        "rag: skipped c.txt: no text in it; fill it or delete it\n",
        "removed b.txt\n",
    ]
    assert (process.returncode, out, err) == (0, "", "rag: stopped watching; the index holds what was told above\n")


def test_a_bug_is_one_line_and_its_trace_is_there_for_who_asks(run, assistant, monkeypatch):
    assistant.answers["q?"] = ZeroDivisionError("oh")
    one_error_line(run("ask", "q?"), "this is a bug: ZeroDivisionError: oh", "RAG_DEBUG=1")
    monkeypatch.setenv("RAG_DEBUG", "1")
    result = run("ask", "q?")
    assert result.code == 1
    assert "Traceback" in result.err


def test_a_reader_that_goes_away_is_no_error():
    with tool("models") as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode != 0


def test_the_doctor_tells_of_the_checker_switched_off_left_out_or_damaged(monkeypatch, tmp_path):
    def told():
        return next(finding for finding in rag.cli.doctor.examine(tmp_path) if finding.subject == "checker")

    assert told().detail.startswith("bytes as recorded")
    monkeypatch.setattr(rag.models.trained, "CHECKER_WEIGHTS", tmp_path / "checker.safetensors")
    assert told().detail.startswith("absent")
    (tmp_path / "checker.safetensors").write_bytes(b"other")
    assert "set checker = false" in told().problem
    monkeypatch.setenv("RAG_CHECKER", "false")
    assert (told().detail, told().problem) == ("switched off", "")


def test_search_shows_the_order_that_an_answer_reads(run, encoder, indexed, monkeypatch):
    noon = FakeChecker("noon")
    monkeypatch.setattr(loading, "load_search_models", lambda config, progress: SearchModels(encoder, noon))
    (first, *_) = json.loads(run("search", "cars at the expo", "--json").out)["hits"]
    found = [
        hit["score"] for hit in json.loads(run("search", "cars at the expo", "--json").out)["hits"] if "noon" in hit["text"]
    ]
    assert "Cars" in first["text"]
    assert found == [pytest.approx(1 / 62 + WEIGHT / 61)]
