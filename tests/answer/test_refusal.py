"""Answerability: signals in 0..1, and a probability that grows with each of them."""

from __future__ import annotations

import pytest
from fakes import FakeChecker, FakeEncoder, ListRetriever, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.evidence import NO_EVIDENCE, gather
from rag.answer.grounding import ground
from rag.answer.quoting import in_own_words
from rag.answer.refusal import FITS, decide, missing_words, signals, type_fits
from rag.answer.statements import Statement, cited_sentences
from rag.protocols import Written
from rag.search.reranking import RerankingRetriever
from rag.types import Hit

WRITTEN = Written("", 0.1, known=0.9)
EXPO = "The Taizhou expo opened on Tuesday, 3 May 2024. It has 2,500 exhibits. Minister Ahsan Iqbal met Umar Saif in Islamabad."


def checked(
    question: str, draft: str, *articles: str, checker: FakeChecker | None = None
) -> tuple[str, list[Hit], tuple[Statement, ...], Written]:
    """Give what ``signals`` are measured of, the draft written without much doubt."""
    retriever = ListRetriever(*(document(f"{i}.txt", text) for i, text in enumerate(articles or (EXPO,))))
    hits = (RerankingRetriever(retriever, checker) if checker else retriever).retrieve(question, top_k=8)
    evidence = gather(question, hits, FakeEncoder())
    return question, hits, ground(question, draft, evidence, encoder=FakeEncoder()), WRITTEN


def weighed(*given):
    return decide(*given, threshold=0.5).probability


def test_what_was_fitted_is_measured_and_no_support_makes_an_answer_less_likely():
    asked = "How many exhibits?", "It has 2,500 exhibits."
    *bare, _ = checked(*asked)
    *found, _ = checked(*asked, checker=FakeChecker("2,500"))
    for fit, seen, known in zip(FITS, (found, found, bare), (0.9, None, None), strict=True):
        decision = decide(*seen, Written("", 0.1, known=known), 0.5)
        assert decision.intercept == fit.intercept
        assert {s.name: s.weight for s in decision.signals if s.weight} == fit.weights
        assert all(weight > 0 for weight in fit.weights.values())


def test_an_answer_found_where_it_is_cited_makes_an_answer_likelier_than_one_found_nowhere():
    asked = "How many exhibits?", "It has 2,500 exhibits."
    there, nowhere = (weighed(*checked(*asked, checker=FakeChecker(answer))) for answer in ("2,500", "9,999"))
    assert there > nowhere


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.one_of(st.text(max_size=60), st.just("It has 2,500 exhibits.")), st.text(max_size=80))
def test_signals_and_probability_lie_between_nought_and_one_over_any_text(question, draft, article):
    given_all = checked(question, draft, article, EXPO)
    for value in [*signals(*given_all).values(), weighed(*given_all)]:
        assert -1e-5 <= value <= 1 + 1e-5


def test_a_draft_that_the_articles_do_not_back_makes_an_answer_less_likely_than_one_they_do():
    question, hits, refuted, _ = checked("How many exhibits?", "It has 7,000 exhibits.")
    *_, backed, _ = checked("How many exhibits?", "It has 2,500 exhibits.")
    quoted = in_own_words(refuted, question)
    assert [s.text for s in cited_sentences(quoted)] == [s.text for s in cited_sentences(backed)]
    assert weighed(question, hits, quoted, WRITTEN) < weighed(question, hits, backed, WRITTEN)


def test_a_draft_that_the_generator_was_unsure_of_makes_an_answer_less_likely():
    *given, _ = checked("How many exhibits?", "It has 2,500 exhibits.", checker=FakeChecker("2,500"))
    least, less, most = (weighed(*given, Written("", surprisal, known=0.5)) for surprisal in (2.0, 0.5, 0.0))
    assert least < less < most


def test_a_generator_that_seems_not_to_know_makes_an_answer_less_likely():
    *given, _ = checked("How many exhibits?", "It has 2,500 exhibits.", checker=FakeChecker("2,500"))
    assert weighed(*given, Written("", 0.1, known=0.1)) < weighed(*given, Written("", 0.1, known=0.9))


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("How many exhibits does the Taizhou expo have?", "It has 2,500 exhibits.", "Minister Ahsan Iqbal met Umar Saif."),
        ("When did the expo open?", "The Taizhou expo opened on Tuesday, 3 May 2024.", "Minister Ahsan Iqbal met Umar Saif."),
        ("Who met Umar Saif in Islamabad?", "Minister Ahsan Iqbal met Umar Saif.", "It has 2,500 exhibits."),
    ],
)
def test_an_answer_of_the_kind_asked_for_is_likelier_than_another_true_sentence(question, right, wrong):
    assert weighed(*checked(question, right)) > weighed(*checked(question, wrong))


@pytest.mark.parametrize(
    ("question", "answer", "fits"),
    [
        ("How many exhibits were there?", "It has 2,500 exhibits.", True),
        ("How many exhibits were there?", "It has many exhibits.", False),
        ("In 2024, how many exhibits were there?", "The expo of 2024 has exhibits.", False),
        ("When did it open?", "It opened on Tuesday.", True),
        ("When did it open?", "It opened in Taizhou.", False),
        ("Who met Umar Saif?", "Ahsan Iqbal met Umar Saif.", True),
        ("Who met Umar Saif?", "The minister met Umar Saif.", False),
        ("Who is Ahsan Iqbal?", "He is the planning minister.", True),
        ("In which city will BYD build in Pakistan?", "BYD will build in Pakistan.", False),
        ("Why did it open?", "It opened to bring makers together.", True),
        ("How much does a ticket cost?", "It costs 300 zloty.", True),
        ("How much does a ticket cost?", "It is free.", True),
        ("How much does a ticket cost?", "The ticket has 300 pages.", False),
        ("How much does a ticket cost?", "The press is free to write about it.", False),
    ],
)
def test_an_answer_fits_when_it_adds_the_kind_of_thing_asked_for(question, answer, fits):
    assert type_fits(question, answer) is fits


def test_a_number_of_the_question_that_stands_nowhere_makes_an_answer_less_likely():
    draft = "The Taizhou expo has 2,500 exhibits."
    elsewhere = weighed(*checked("How many exhibits did the Taizhou expo of 2019 have?", draft))
    assert elsewhere < weighed(*checked("How many exhibits did the Taizhou expo of 2024 have?", draft))


def test_missing_words_are_spelt_as_the_question_spells_them_in_its_order():
    evidence = gather("q", ListRetriever(document("a.txt", EXPO)).hits, FakeEncoder())
    assert missing_words("Did Zanzibar or Taizhou buy the Tesla in 1999?", evidence) == ["Zanzibar", "Tesla", "1999"]
    assert missing_words("Did Ahsan Iqbal meet Umar Saif in 2024?", evidence) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_missing_words_of_any_question_stand_in_it(question):
    assert all(word in question for word in missing_words(question, NO_EVIDENCE))
