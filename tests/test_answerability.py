"""Answerability: signals in 0..1, and a probability that grows with each of them."""

from __future__ import annotations

import pytest
from fakes import FakeEncoder, ListRetriever, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answerability import WEIGHTS, missing_words, probability, signals
from rag.evidence import NO_EVIDENCE, gather
from rag.grounding import Grounded, ground

EXPO = "The Taizhou expo opened on Tuesday, 3 May 2024. It has 2,500 exhibits. Minister Ahsan Iqbal met Umar Saif in Islamabad."


def measure(question: str, draft: str, *articles: str) -> dict[str, float]:
    hits = ListRetriever(*(document(f"{i}.txt", text) for i, text in enumerate(articles or (EXPO,)))).hits
    evidence = gather(question, hits, FakeEncoder())
    return signals(question, hits, evidence, ground(question, draft, evidence, encoder=FakeEncoder()))


def test_every_signal_has_a_weight_and_every_weight_a_signal():
    assert set(measure("How many exhibits?", "It has 2,500 exhibits.")) == set(WEIGHTS)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.one_of(st.text(max_size=60), st.just("It has 2,500 exhibits.")), st.text(max_size=80))
def test_signals_lie_between_nought_and_one_over_any_text(question, draft, article):
    for value in measure(question, draft, article, EXPO).values():
        assert -1e-5 <= value <= 1 + 1e-5


def test_without_evidence_no_signal_speaks_for_an_answer():
    measured = signals("How many exhibits?", [], NO_EVIDENCE, Grounded((), ()))
    assert probability(measured) < probability(measure("How many exhibits?", "It has 2,500 exhibits."))


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_probability_is_one_and_no_weight_is_without_effect(name):
    low, high = (probability(dict.fromkeys(WEIGHTS, 0.5) | {name: value}) for value in (0.0, 1.0))
    assert 0.0 < low < 1.0
    assert 0.0 < high < 1.0
    assert low != high


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("How many exhibits does the Taizhou expo have?", "It has 2,500 exhibits.", "Minister Ahsan Iqbal met Umar Saif."),
        ("When did the expo open?", "The Taizhou expo opened on Tuesday, 3 May 2024.", "Minister Ahsan Iqbal met Umar Saif."),
        ("Who met Umar Saif in Islamabad?", "Minister Ahsan Iqbal met Umar Saif.", "It has 2,500 exhibits."),
    ],
)
def test_an_answer_of_the_kind_asked_for_is_likelier_than_another_true_sentence(question, right, wrong):
    assert probability(measure(question, right)) > probability(measure(question, wrong))


def test_a_question_about_a_name_that_is_nowhere_is_less_likely_answered():
    draft = "It has 2,500 exhibits."
    assert measure("How many exhibits does the Lahore expo have?", draft)["names_held"] < 1
    assert measure("How many exhibits does the Taizhou expo have?", draft)["names_held"] == 1


def test_missing_words_are_spelt_as_the_question_spells_them_in_its_order():
    evidence = gather("q", ListRetriever(document("a.txt", EXPO)).hits, FakeEncoder())
    assert missing_words("Did Zanzibar or Taizhou buy the Tesla in 1999?", evidence) == ["Zanzibar", "Tesla", "1999"]
    assert missing_words("Did Ahsan Iqbal meet Umar Saif in 2024?", evidence) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_missing_words_of_any_question_stand_in_it(question):
    assert all(word in question for word in missing_words(question, NO_EVIDENCE))
