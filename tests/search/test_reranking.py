"""Reranking: what the finder says is one more ranking beside that of the searches."""

from __future__ import annotations

import pytest
from fakes import FakeChecker, ListRetriever, document
from hypothesis import given
from hypothesis import strategies as st

from rag.search.reranking import READ, RerankingRetriever
from rag.types import EVERYTHING, Found, Scope

TEXTS = ["The expo opened.", "Nobody came.", "It closed.", "It has 2,500 exhibits."]


def reranked(checker: FakeChecker, *texts: str, top_k: int = 8):
    retriever = ListRetriever(*(document(f"{i}.txt", text, title="Expo") for i, text in enumerate(texts)))
    return RerankingRetriever(retriever, checker).retrieve("How many exhibits?", top_k=top_k)


def test_the_passage_in_which_the_answer_is_found_rises_and_the_ranks_count_from_one():
    hits = reranked(FakeChecker("2,500"), *TEXTS)
    assert [hit.passage.text for hit in hits] == [TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[2]]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert hits[0].score > hits[1].score > hits[2].score > hits[3].score


def test_no_answer_found_anywhere_leaves_the_order_of_the_searches():
    assert [hit.passage.text for hit in reranked(FakeChecker("9,999"), *TEXTS)] == TEXTS


def test_a_passage_far_down_is_looked_at_and_read_under_its_heading():
    texts = [f"Story {i}." for i in range(READ + 5)]
    checker = FakeChecker("Story 10.", f"Story {READ + 1}.")
    hits = reranked(checker, *texts, top_k=8)
    assert len(hits) == 8
    assert [hit.passage.text for hit in hits if hit.found.probability == 0.9] == ["Story 10."]
    assert checker.read == [f"Expo\n{text}" for text in texts[:READ]]


def test_nothing_retrieved_is_nothing_reranked():
    assert reranked(FakeChecker("x")) == []


def test_the_searches_are_asked_of_the_same_part_of_the_articles():
    retriever, scope = ListRetriever(document()), Scope(names=("expo",))
    reranking = RerankingRetriever(retriever, FakeChecker("x"))
    reranking.retrieve("How many?", top_k=3, scope=scope)
    reranking.retrieve("How many?", top_k=3)
    assert retriever.scopes == [scope, EVERYTHING]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=8), st.floats(0, 1), st.integers(0, 50))
def test_the_probability_is_shared_out_over_the_places(places, probability, cut):
    total = sum(p for _, p in places) or 1.0
    found = Found(probability, tuple((at, p / total) for at, p in places))
    assert found.within(0, cut) + found.within(cut, 51) == pytest.approx(found.within(0, 51))
    assert 0 <= found.within(0, cut) <= probability + 1e-9


def test_the_finder_looks_at_the_twenty_best_hits_and_at_more_only_where_more_are_asked_for():
    documents = [document(f"{i}.txt", f"Car number {i}.") for i in range(30)]
    for top_k, looked_at in ((8, 20), (25, 25)):
        finder = FakeChecker()
        RerankingRetriever(ListRetriever(*documents), finder).retrieve("cars", top_k=top_k)
        assert len(finder.read) == looked_at
