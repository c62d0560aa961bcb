"""An explanation holds every step of an answer, in words that need none, and its figures are those of the record."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from fakes import FakeChecker, FakeEncoder, ListRetriever, ScriptedGenerator, document

from rag.answer import refusal
from rag.answer.assistant import Assistant
from rag.report.explain import CHECKS, SIGNALS, STEPS, decided, explained_record, sections
from rag.report.record import answer_record
from rag.search.reranking import RerankingRetriever
from rag.types import Passage, Status

EXPO = document(
    "expo.txt",
    "The Taizhou expo has 2,500 exhibits in six rooms. Consul general Shehzad Khan praised the city. "
    "Planning minister Ahsan Iqbal met a delegation in Islamabad in 2024.",
    title="Expo in Taizhou",
)
QUESTION = "How many exhibits does the Taizhou expo have?"
DRAFT = "The Taizhou expo has 2,500 exhibits.\nUmar Saif flew to Paris in 1987."
TITLES = [
    "Passages found",
    "What the model was given",
    "What the model wrote",
    "How each sentence was checked",
    "Why it was answered",
    "Time taken",
]


def ask(draft=DRAFT, *, question=QUESTION, documents=(EXPO,), cosine=0.8, history=(), checker=None, known=None):
    retriever = ListRetriever(*documents, cosine=cosine)
    if checker:
        retriever = RerankingRetriever(retriever, checker)
    asking = Assistant(retriever, FakeEncoder(), ScriptedGenerator(draft, known=known), verifier=checker, passages_read=4)
    return asking.ask(question, history=history)


@pytest.fixture
def willing(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)


@pytest.fixture
def unwilling(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.9999)


def told(answer, title=""):
    """Give the text of the section whose title begins so, or of all."""
    return "\n".join(line.text for section in sections(answer) if section.title.startswith(title) for line in section.lines)


def measured(answer):
    return {signal.name: signal.value for signal in answer.decision.signals}


# --- an answer


@pytest.mark.usefixtures("willing")
def test_every_step_has_its_section_in_the_order_in_which_it_was_taken():
    assert [section.title for section in sections(ask())] == TITLES
    assert all(section.lines for section in sections(ask()))


@pytest.mark.usefixtures("willing")
def test_prompt_and_draft_are_told_word_for_word():
    answer = ask()
    exact = [line.text for section in sections(answer) for line in section.lines if line.exact]
    assert exact == [*(message["content"] for message in answer.prompt), DRAFT]


@pytest.mark.usefixtures("willing")
def test_every_claim_is_told_with_its_fate_its_checks_and_its_spans():
    answer = ask()
    text = told(answer, "How each sentence")
    assert "published with [1]; supported" in text
    assert "cites [1]: expo.txt, characters 0-49" in text
    assert "FAILED, names and numbers: not in the articles as said: 1987, paris, saif, umar" in text
    assert "held against expo.txt, characters " in text
    assert text.count("passed, ") + text.count("FAILED, ") == sum(len(claim.checks) for claim in answer.claims) > 4


@pytest.mark.usefixtures("willing")
def test_a_sentence_that_code_added_is_told_as_an_article_s_own():
    answer = ask("Consul general Shehzad Khan praised the city.")
    assert answer.claims[-1].quoted
    assert "an article's own sentence, added because the draft left it out; published with [2]" in told(answer, "How each")


def test_the_points_told_add_up_to_the_probability_told():
    answer = ask()
    text = told(answer, "Why")
    *parts, whole = [float(points) for points in re.findall(r"([+-]\d+\.\d+) points", text)]
    assert len(parts) == 1 + len(answer.decision.signals)
    assert round(sum(parts), 3) == whole
    assert f"probability {1 / (1 + math.exp(-whole)):.3f} " in text
    assert f"{answer.answerability:.3f}" == f"{1 / (1 + math.exp(-whole)):.3f}"


def test_the_checkers_part_in_an_answer_is_told():
    answer = ask("It has 2,500.", checker=FakeChecker("2,500"))
    assert "the checker: probability 0.900 that it answers the question" in told(answer, "Passages")
    assert "passed, follows from its source" in told(answer, "How each")
    assert explained_record(answer)["explain"]["hits"][0]["found"] == 0.9
    weighed = {name for name in measured(answer) if name.startswith("found")}
    assert all(name in told(answer, "Why") for name in weighed)
    assert weighed


def test_the_times_told_add_up():
    answer = replace(ask(), timings_ms={"read": 1500.0, "check": 250.0})
    text = told(answer, "Time")
    assert "1.500 s read" in text
    assert "1.750 s in all" in text


# --- hits


def test_a_hit_tells_its_place_in_each_search_and_which_one_did_not_find_it():
    answer = ask()
    (hit,) = answer.hits
    copy = Passage(document("copy.txt", "One car."), 0, 0, 8, "t")
    both, words = replace(hit, dense_rank=3, bm25_rank=7, bm25=4.5), replace(hit, rank=2, bm25_rank=1, copies=(copy,))
    text = told(replace(answer, hits=(both, words)), "Passages")
    assert "by meaning: place 3, cosine 0.800\nby words: place 7, BM25 4.50" in text
    assert "by meaning: not found (not among the 50 best), cosine 0.800\nby words: place 1" in text
    assert "nearly the same words: copy.txt, characters 0-8" in text


# --- how the question was understood


def test_the_standalone_question_is_told_only_when_it_differs():
    leaning = ask(question="And how many exhibits does it have?", history=[{"role": "user", "content": "What is the expo?"}])
    assert sections(leaning)[0].title == "How the question was understood"
    assert leaning.standalone_question in told(leaning, "How the question")
    assert "How the question was understood" not in [section.title for section in sections(ask())]


# --- refusals


@pytest.mark.usefixtures("unwilling")
def test_a_refusal_for_its_probability_tells_it_the_threshold_and_what_was_held_back():
    answer = ask()
    assert answer.status is Status.REFUSED
    assert f"is {answer.answerability:.3f}, and below 0.9999 a question is refused" in told(answer, "Why it was refused")
    assert "not published, because the question was refused; supported" in told(answer, "How each")
    assert "held against expo.txt, characters 0-49: “The Taizhou expo has 2,500 exhibits in six rooms.”" in told(answer, "How")


def test_a_refusal_without_asking_the_model_tells_how_far_the_nearest_passage_is():
    answer = ask(cosine=0.1)
    assert "(cosine) is 0.100. Below 0.15 no passage is about the question" in decided(answer)
    assert told(answer, "What the model was given") == "Nothing: it was not asked."
    assert explained_record(answer)["explain"]["decision"]["probability"] is None


def test_a_refusal_without_any_passage_says_so():
    answer = ask(documents=())
    assert "no passage was found" in decided(answer)
    assert told(answer, "Passages") == "None."


@pytest.mark.usefixtures("unwilling")
def test_a_refusal_tells_where_the_sentence_stands_that_would_have_been_quoted():
    text = told(ask("Umar Saif flew to Paris in 1987."), "How each")
    assert "added because the draft left it out; not published, because the question was refused" in text
    assert "taken from expo.txt, characters 0-49" in text


@pytest.mark.parametrize("draft", ["", "The passages do not mention it."])
def test_a_refusal_with_nothing_to_publish_says_so_and_invents_no_probability(draft):
    answer = ask(draft)
    assert "nothing to publish and no probability" in decided(answer)
    assert "points" not in told(answer, "Why")
    assert explained_record(answer)["explain"]["decision"]["probability"] is None


# --- nothing is left without a word


def test_every_signal_check_and_step_is_explained():
    answer = ask("It has 2,500.", checker=FakeChecker("2,500"), known=0.9)
    assert set(SIGNALS) == set(measured(answer)) > set(measured(ask()))
    assert set(CHECKS) == {check.name for claim in answer.claims for check in claim.checks}
    assert set(STEPS) == set(answer.timings_ms)


# --- the record


@pytest.mark.parametrize("draft", [DRAFT, "", "It has 900 exhibits."])
def test_the_record_is_the_plain_one_and_an_object_that_says_what_the_sections_say(draft):
    answer = ask(draft)
    record = explained_record(answer, asked_id=7)
    explanation = record.pop("explain")
    assert record == answer_record(answer, asked_id=7)
    assert json.loads(json.dumps(explanation, allow_nan=False)) == explanation
    assert list(explanation) == [
        "standalone_question",
        "hits",
        "prompt",
        "draft",
        "claims",
        "citations",
        "decision",
        "timings_ms",
    ]
    assert explanation["prompt"] == list(answer.prompt)
    assert explanation["draft"] == answer.draft
    assert explanation["decision"]["reason"] == decided(answer)
    assert {s["name"]: s["value"] for s in explanation["decision"]["signals"]} == measured(answer)
    for told_of, claim in zip(explanation["claims"], answer.claims, strict=True):
        assert told_of["published"] == bool(claim.markers)
        assert [check["detail"] for check in told_of["checks"]] == [check.detail for check in claim.checks]
        assert [span["quote"] for span in told_of["compared"]] == [span.quote for span in claim.compared]
