"""The figures: cases worked out by hand, and agreement with the benchmark's own scorer where that is at hand."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import decided, document
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelMissing, UsageError
from rag.evaluate.figures import (
    MEANINGS,
    Outcome,
    details,
    evaluate,
    is_cited_throughout,
    measure,
    quotes_are_exact,
)
from rag.evaluate.gold import Question, load_gold, load_questions
from rag.evaluate.measures import common_subsequence, holds, overlap, percentile, rouge_l, token_f1
from rag.types import Answer, Citation, Claim, Hit, Passage, Status, Verdict

TEXT = "The expo had 2,500 exhibits. It lasted four days."
GOLD = Question("1", "How many?", True, ("2,500",), ("a.txt",), ("The expo had 2,500 exhibits.",))


def answered(text="The expo had 2,500 exhibits [1].", *, source="a.txt", start=0, end=28, quote=None):
    doc = document(source, TEXT)
    citation = Citation(source, start, end, TEXT[start:end] if quote is None else quote, 1, "Expo", None, 1.0, doc.sha256)
    claim = Claim(text.replace(" [1]", ""), Verdict.SUPPORTED, 1.0, (1,))
    hit = Hit(Passage(doc, 0, 0, len(TEXT), "Expo"), 1, 1.0, 1.0, 1.0)
    return Answer("q", "q", text, Status.ANSWERED, decided(), (claim,), (citation,), (hit,))


REFUSED = Answer("q", "q", "The articles do not say 2,500.", Status.REFUSED, decided(0.1))


# Measures of words


def test_normalising_drops_case_punctuation_and_articles():
    assert holds("It cost The $2,500!", ["2 500"])
    assert not holds("It cost 25001", ["2500"])
    assert not holds("anything", ["", "the", "?"])


def test_token_f1_is_the_harmonic_mean_of_precision_and_recall():
    assert token_f1("a red red car", "red car") == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert token_f1("car", "train") == token_f1("", "car") == 0.0


def test_rouge_l_minds_the_order():
    assert rouge_l("one two three", "three two one") == pytest.approx(1 / 3)
    assert token_f1("one two three", "three two one") == 1.0


def test_overlap_is_of_the_shorter_text():
    assert overlap("two three", ["one two three four"]) == 1.0
    assert overlap("x", []) == overlap("", [""]) == 0.0


@given(st.lists(st.sampled_from("ab"), max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_a_common_subsequence_is_symmetric_and_bounded(left, right):
    length = common_subsequence(left, right)
    assert length == common_subsequence(right, left) <= min(len(left), len(right))
    assert common_subsequence(left, left) == len(left)
    assert common_subsequence(left, left + right) == len(left)


@pytest.mark.parametrize(("values", "expected"), [([3.0], 3.0), ([*range(1, 21)], 19), ([*range(1, 101)], 95), ([2, 1], 2)])
def test_a_percentile_is_the_nearest_rank(values, expected):
    assert percentile(values, 0.95) == expected


# Figures


def test_the_figures_of_a_small_run_by_hand():
    unanswerable = Question("4", "Why?", False)
    report = measure(
        [
            Outcome(GOLD, answered(), 1.0),  # right
            Outcome(GOLD, answered("It lasted four days [1].", start=29, end=49), 3.0),  # wrong, of the right article
            Outcome(GOLD, REFUSED, 2.0),
            Outcome(GOLD, None, 0.0, "no model"),  # counts as refused
            Outcome(unanswerable, REFUSED, 2.0),
            Outcome(unanswerable, answered(), 9.0),
        ]
    )
    assert report.answer_acc == 0.25
    assert report.token_f1 == round(2 * 2 / (2 + 5) / 4, 3)  # "2 500" are two words, of five
    assert report.answered == 0.5
    assert report.refuse_recall == 0.5
    assert report.refuse_prec == round(1 / 3, 3)
    assert report.balanced == 0.375
    assert (report.cite_any, report.cite_source, report.cite_evidence) == (1.0, 1.0, 0.5)
    assert (report.quotes_exact, report.every_sentence_cited) == (1.0, 1.0)
    assert (report.n, report.failed) == (6, 1)
    assert (report.seconds_median, report.seconds_p95) == (2.0, 9.0)
    assert report.peak_memory_mb > 10


def test_nothing_measured_is_none_and_every_figure_is_explained():
    figures = measure([]).figures()
    assert {name for name, value in figures.items() if value is not None} == {"n", "failed", "peak_memory_mb"}
    assert list(figures) == list(MEANINGS)


def test_markers_are_no_part_of_an_answer():
    question = replace(GOLD, answers=("1",))
    assert not Outcome(question, answered(), 0.0).is_right


def test_a_citation_of_another_article_proves_nothing():
    outcome = Outcome(GOLD, answered(source="b.txt"), 0.0)
    assert (outcome.is_right, outcome.cites_source, outcome.cites_evidence) == (True, False, False)
    assert Outcome(GOLD, answered(source="deep/a.txt"), 0.0).cites_source


def test_a_quote_is_held_against_the_stored_text():
    assert quotes_are_exact(answered()) == [True]
    assert quotes_are_exact(answered(quote="The expo had 2,501 exhibits.")) == [False]
    assert quotes_are_exact(answered(end=27, quote=TEXT[:28])) == [False]
    assert quotes_are_exact(replace(answered(), hits=())) == [False]


def test_a_quote_of_a_copy_is_found():
    answer = answered(source="b.txt")
    hit = answer.hits[0]
    original = Hit(Passage(document("a.txt", "Other."), 0, 0, 6, "t"), 1, 1.0, 1.0, 1.0, copies=(hit.passage,))
    assert quotes_are_exact(replace(answer, hits=(original,))) == [True]


def test_a_sentence_without_a_citation_is_noticed():
    answer = answered()
    assert is_cited_throughout(answer)
    assert not is_cited_throughout(replace(answer, text=f"{answer.text} Trust me."))
    assert not is_cited_throughout(replace(answer, text="The expo had 2,500 exhibits."))
    assert not is_cited_throughout(replace(answer, citations=()))


def test_questions_are_asked_in_order_with_their_history_and_errors_are_kept():
    turns = ({"role": "user", "content": "What?"},)
    seen, outcomes = [], []

    class Assistant:
        def ask(self, question, *, history=()):
            seen.append((question, history))
            if question == "bad?":
                raise ModelMissing("no model")
            return answered()

    report = evaluate(Assistant(), [GOLD, replace(GOLD, question="bad?", history=turns)], watch=outcomes.append)
    assert seen == [("How many?", ()), ("bad?", turns)]
    assert (report.n, report.failed, report.answer_acc) == (2, 1, 0.5)
    assert [outcome.error for outcome in outcomes] == ["", "no model"]
    assert [details(outcome)["right"] for outcome in outcomes] == [True, False]


# Files


def test_a_file_of_questions_is_read_with_its_history(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(
        '\ufeff{"id": 1, "question": "q?", "answerable": true, "answers": ["a"], "sources": ["s"], "evidence": ["e"], "x": 1}\n'
        '\n{"id": "2", "question": "r?", "answerable": false, "history": [{"role": "user", "content": "c"}]}',
        encoding="utf-8",
    )
    assert load_questions(path) == [
        Question(1, "q?", True, ("a",), ("s",), ("e",)),
        Question("2", "r?", False, history=({"role": "user", "content": "c"},)),
    ]


@pytest.mark.parametrize(
    "line", ["x", "[]", '{"question": 1}', '{"question": "q"}', '{"question": "q", "answerable": true, "answers": "a"}', ""]
)
def test_a_file_of_anything_else_is_refused(tmp_path, line):
    path = tmp_path / "q.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=r"q\.jsonl"):
        load_questions(path)


def gold(tmp_path, *lines):
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_gold(path)


def test_of_ratings_with_one_id_the_last_counts(tmp_path):
    loaded = gold(
        tmp_path,
        '{"id": 1, "question": "a?", "rating": "up", "answerable": true}',
        '{"id": "1", "question": "b?", "rating": "up", "answerable": true}',
        '{"id": 1, "question": "c?", "rating": "up", "answerable": false}',
        '{"id": "1", "question": "d?", "rating": "down"}',
    )
    assert [(question.question, question.answerable) for question in loaded.questions] == [("c?", False)]
    assert loaded.unmeasured == 1


def test_an_answer_rated_wrong_counts_once_its_line_says_what_is_right(tmp_path):
    right = '{"id": 1, "question": "a?", "rating": "up", "answerable": true}'
    wrong = '{"id": 2, "question": "b?", "rating": "down"}'
    mended = '{"id": 2, "question": "b?", "rating": "down", "answerable": true, "answers": ["x"]}'
    assert gold(tmp_path, right, wrong) == replace(gold(tmp_path, right), unmeasured=1)
    assert gold(tmp_path, right, mended).questions[1] == Question(2, "b?", True, ("x",))
    assert gold(tmp_path, right, wrong, mended).unmeasured == 0


def test_ratings_without_an_id_and_questions_with_one_are_all_kept(tmp_path):
    unnamed = '{"question": "a?", "rating": "up", "answerable": true}'
    plain = '{"id": 1, "question": "b?", "answerable": true}'
    other = '{"id": 1, "question": "c?", "answerable": true, "rating": 5}'
    loaded = gold(tmp_path, unnamed, unnamed, plain, plain, other)
    assert [question.question for question in loaded.questions] == ["a?", "a?", "b?", "b?", "c?"]


@pytest.mark.parametrize("rating", ['"up"', '"left"', "[]", "null", "5"])
def test_only_an_answer_rated_wrong_may_leave_open_whether_there_is_one(tmp_path, rating):
    with pytest.raises(UsageError, match=r'q\.jsonl, line 1: "answerable"'):
        gold(tmp_path, f'{{"id": 1, "question": "a?", "rating": {rating}}}')


def test_a_file_of_nothing_but_wrong_answers_says_what_would_help(tmp_path):
    with pytest.raises(UsageError, match=r'q\.jsonl holds only answers that were rated wrong.*"answerable" and "answers"'):
        gold(tmp_path, '{"id": 1, "question": "a?", "rating": "down"}')


# Agreement with the scorer of the benchmark


@pytest.fixture(scope="session")
def scorer():
    folder = os.environ.get("BENCH")
    if not folder:
        pytest.skip("BENCH does not name the folder of score.py")
    spec = importlib.util.spec_from_file_location("score", Path(folder) / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_figures_are_those_of_the_benchmark(scorer):
    for seed in range(50):
        check_against(scorer, random.Random(seed))


def check_against(scorer, chance):
    def text(longest=8):
        return " ".join(
            chance.choice(["the", "A", "car", "Cars,", "2,500", "x.", "é", "[1]", "-"])
            for _ in range(chance.randint(0, longest))
        )

    def citation(marker):
        return Citation(chance.choice(["a.txt", "d/b.txt", "c.txt"]), 0, 1, text(), marker, "t", None, 1.0, "")

    outcomes = []
    for number in range(chance.randint(1, 12)):
        answerable = chance.random() < 0.6
        gold = Question(
            str(number),
            "q",
            answerable,
            tuple(text(3) for _ in range(chance.randint(1, 3))) if answerable else (),
            tuple(chance.sample(["a.txt", "b.txt"], chance.randint(0, 2))),
            tuple(text() for _ in range(chance.randint(0, 2))),
        )
        status = chance.choice([*Status])
        cited = tuple(citation(marker) for marker in range(1, chance.randint(0, 3) + 1))
        answer = Answer("q", "q", text(), status, decided(0.5), citations=() if status is Status.REFUSED else cited)
        outcomes.append(Outcome(gold, None if chance.random() < 0.1 else answer, 0.0))
    if not any(outcome.question.answerable for outcome in outcomes):
        outcomes.append(Outcome(replace(GOLD, id="last"), REFUSED, 0.0))
    theirs = scorer.score(
        [
            {key: getattr(o.question, key) for key in ("id", "question", "answerable", "answers", "sources", "evidence")}
            for o in outcomes
        ],
        [
            {
                "id": o.question.id,
                "text": o.answer.text,
                "abstained": o.refused,
                "citations": [{"source": c.source, "quote": c.quote} for c in o.answer.citations],
            }
            for o in outcomes
            if o.answer
        ],
    )
    ours = measure(outcomes).figures()
    assert theirs.pop("missing") == ours["failed"]
    assert {name: ours[name] for name in theirs} == theirs
    unmeasured = {name for name, value in ours.items() if value is None}
    assert not unmeasured & theirs.keys()
    assert not re.search("answer_acc|token_f1", " ".join(unmeasured))


def test_the_peak_memory_is_that_of_the_process_and_not_of_the_one_that_started_it():
    ballast = bytearray(b"x") * 300_000_000
    code = "from rag.evaluate.figures import peak_memory_mb; print(peak_memory_mb())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(printed) < len(ballast) / 1e6
