"""Retrieval: two searches fused by rank, copies kept aside, and always the index as it is now."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes import FakeEncoder, document, put
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import IndexMismatch
from rag.index.reader import Reader
from rag.index.writer import Writer
from rag.search.copies import collapse
from rag.search.hybrid import RRF_K, HybridRetriever, reciprocal_rank_fusion
from rag.types import Hit, Passage, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = [
    '"',
    "NEAR(a b)",
    "a AND OR NOT",
    "heading:car",
    "car*",
    "^car",
    "-car",
    "(",
    "\0",
    "car\0",
    "😀",
    "؟",
    "; DROP TABLE",
    "%s",
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with Writer.open(tmp_path) as opened:
        yield opened


def retriever(store: Reader, folder: Path, encoder: FakeEncoder | None = None) -> HybridRetriever:
    return HybridRetriever(store, folder, encoder or FakeEncoder())


def hit(text: str, source: str = "a.txt", rank: int = 1) -> Hit:
    return Hit(Passage(document(source, text), 0, 0, len(text), "t"), rank, 1.0, 0.5, 0.5)


# --- fusion


def test_the_fused_score_is_the_sum_of_reciprocal_ranks():
    fused = reciprocal_rank_fusion([[7, 8], [8, 9]])
    assert fused == {
        7: pytest.approx(1 / (RRF_K + 1)),
        8: pytest.approx(1 / (RRF_K + 2) + 1 / (RRF_K + 1)),
        9: pytest.approx(1 / (RRF_K + 2)),
    }


def test_nothing_ranked_gives_nothing():
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == {}


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 20), unique=True), min_size=1, max_size=3))
def test_who_stands_before_another_in_every_ranking_scores_higher(rankings):
    fused = reciprocal_rank_fusion(rankings)
    assert set(fused) == {i for ranking in rankings for i in ranking}
    for a in fused:
        for b in fused:
            places = [(r.index(a) if a in r else 99, r.index(b) if b in r else 99) for r in rankings]
            if all(x <= y for x, y in places) and any(x < y for x, y in places):
                assert fused[a] > fused[b]


# --- both searches


def test_the_passage_asked_for_comes_first(store, tmp_path):
    put(store, document("a.txt", "Two trains run."), document("b.txt", "Three red ships sail."), document("c.txt", "One car."))
    best = retriever(store, tmp_path).retrieve("red ships", top_k=3)[0]
    assert best.passage.text == "Three red ships sail."
    assert best.cosine > 0
    assert best.bm25 > 0


def test_a_passage_that_only_the_words_find_is_among_the_hits(store, tmp_path):
    class Blind(FakeEncoder):
        """Sees every text alike, the question elsewhere."""

        def encode(self, texts):
            vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
            vectors[:, 0] = 1
            return vectors

    texts = [document(f"{i:03}.txt", f"Filler {i} alpha{i}.") for i in range(60)]
    put(store, *texts, document("zz.txt", "Zanzibar harbour."), encoder=Blind())
    hits = retriever(store, tmp_path, Blind()).retrieve("Zanzibar", top_k=60)
    assert "Zanzibar harbour." in [h.passage.text for h in hits]


def test_a_passage_that_only_the_vectors_find_is_among_the_hits(store, tmp_path):
    put(store, document("a.txt", "One car."), document("b.txt", "Two trains."))
    hits = retriever(store, tmp_path).retrieve("qqq", top_k=5)
    assert {h.passage.text for h in hits} == {"One car.", "Two trains."}
    assert all(h.bm25 == 0 for h in hits)


def test_a_hit_has_its_place_in_both_searches_and_its_score_comes_from_them(store, tmp_path):
    put(store, *(document(f"{i}.txt", f"Car {i} of type{i} runs.") for i in range(9)), document("z.txt", "Two trains."))
    hits = retriever(store, tmp_path).retrieve("car type3", top_k=20)
    assert hits[0].dense_rank == hits[0].bm25_rank == 1
    for h in hits:
        assert h.score == pytest.approx(sum(1 / (RRF_K + rank) for rank in (h.dense_rank, h.bm25_rank) if rank))
    by_meaning, by_words = (
        sorted((h for h in hits if getattr(h, name)), key=lambda h: getattr(h, name)) for name in ("dense_rank", "bm25_rank")
    )
    assert [h.dense_rank for h in by_meaning] == list(range(1, 11))
    assert [h.cosine for h in by_meaning] == sorted((h.cosine for h in hits), reverse=True)
    assert [h.bm25 for h in by_words] == sorted((h.bm25 for h in by_words), reverse=True)


def test_a_hit_has_no_place_in_a_search_that_did_not_find_it(store, tmp_path):
    put(store, document("a.txt", "One car."), document("b.txt", "Two trains."))
    found = {h.passage.text: h for h in retriever(store, tmp_path).retrieve("trains", top_k=5)}
    assert found["Two trains."].bm25_rank == 1
    assert found["One car."].bm25_rank is None
    assert found["One car."].dense_rank == 2


def test_places_are_those_of_the_searches_also_where_copies_are_left_out(store, tmp_path):
    put(store, document("a.txt", "One red car."), document("b.txt", "One red car."), document("c.txt", "Two trains."))
    first, second = retriever(store, tmp_path).retrieve("red car", top_k=5)
    assert len(first.copies) == 1
    assert (first.dense_rank, second.rank, second.dense_rank) == (1, 2, 3)


def test_a_heading_finds_its_passages(store, tmp_path):
    put(store, document("a.txt", "One car.", title="Zanzibar"), document("b.txt", "Two trains."))
    assert retriever(store, tmp_path).retrieve("Zanzibar", top_k=1)[0].passage.heading == "Zanzibar"


def test_ranks_count_from_one_and_scores_fall(store, tmp_path):
    put(store, *(document(f"{i}.txt", f"Car {i} of type{i} runs.") for i in range(9)))
    hits = retriever(store, tmp_path).retrieve("car type3", top_k=6)
    assert [h.rank for h in hits] == [1, 2, 3, 4, 5, 6]
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


@pytest.mark.parametrize("top_k", [0, 1, 3, 1000])
def test_no_more_hits_than_asked_for(store, tmp_path, top_k):
    put(store, *(document(f"{i}.txt", f"Car {i} of type{i} runs.") for i in range(5)))
    assert len(retriever(store, tmp_path).retrieve("car", top_k=top_k)) == min(top_k, 5)


def test_ties_fall_the_same_way_every_time(store, tmp_path):
    put(store, *(document(f"{i}.txt", f"Filler {i} alpha{i}.") for i in range(20)))
    several = [[h.passage.text for h in retriever(store, tmp_path).retrieve("qqq www", top_k=20)] for _ in range(3)]
    assert several[0] == several[1] == several[2]


def test_cosines_are_those_of_question_and_passage(store, tmp_path):
    encoder = FakeEncoder()
    put(store, document("a.txt", "One car."), document("b.txt", "Two trains run here."))
    for found in retriever(store, tmp_path).retrieve("two trains", top_k=5):
        one, other = encoder.encode(["two trains", found.passage.text])
        assert found.cosine == pytest.approx(float(one @ other), abs=0.01)


@pytest.mark.parametrize("question", [*HOSTILE, " ", "the of and", "a" * 2000, " OR ".join("ab" * 600)])
def test_no_question_text_is_query_syntax(store, tmp_path, question):
    put(store, document("a.txt", "One car."), document("b.txt", "Two trains."))
    assert len(retriever(store, tmp_path).retrieve(question, top_k=5)) == 2


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=80))
def test_any_question_can_be_asked(tmp_path_factory, question):
    folder = tmp_path_factory.mktemp("any")
    with Writer.open(folder) as store:
        put(store, document("a.txt", "One car."))
        assert retriever(store, folder).retrieve(question, top_k=3)


def test_a_question_whose_vector_is_no_number_is_answered_by_words_alone(store, tmp_path):
    class Broken(FakeEncoder):
        def encode(self, texts):
            return np.full((len(texts), self.dimension), np.nan, dtype=np.float32)

    put(store, document("a.txt", "One car."), document("b.txt", "Two trains."))
    hits = HybridRetriever(store, tmp_path, Broken()).retrieve("trains", top_k=3)
    assert [h.passage.text for h in hits] == ["Two trains."]


# --- the index as it is now


def test_what_is_committed_while_open_is_found_and_what_is_removed_is_not(store, tmp_path):
    put(store, document("a.txt", "One car."))
    open_now = retriever(store, tmp_path)
    assert [h.passage.text for h in open_now.retrieve("trains", top_k=3)] == ["One car."]
    put(store, document("b.txt", "Two trains."))
    assert open_now.retrieve("trains", top_k=3)[0].passage.text == "Two trains."
    with store.transaction() as transaction:
        transaction.remove(["b.txt"])
    assert [h.passage.text for h in open_now.retrieve("trains", top_k=3)] == ["One car."]


def test_what_another_process_commits_is_found_by_a_reader(store, tmp_path):
    put(store, document("a.txt", "One car."))
    with Reader.open(tmp_path) as reader:
        open_now = HybridRetriever(reader, tmp_path, FakeEncoder())
        put(store, document("b.txt", "Two trains."))
        assert open_now.retrieve("trains", top_k=3)[0].passage.text == "Two trains."


def test_an_emptied_index_has_no_hits(store, tmp_path):
    put(store, document("a.txt", "One car."))
    open_now = retriever(store, tmp_path)
    with store.transaction() as transaction:
        transaction.remove(["a.txt"])
    assert open_now.retrieve("car", top_k=3) == []


def test_an_index_of_another_encoder_is_refused(store, tmp_path):
    put(store, document("a.txt", "One car."))
    with pytest.raises(IndexMismatch):
        retriever(store, tmp_path, FakeEncoder(identity="fake:2"))


def test_several_threads_find_what_one_finds_while_the_index_grows(store, tmp_path):
    put(store, *(document(f"{i}.txt", f"Car {i} of type{i} runs.") for i in range(30)))
    open_now = retriever(store, tmp_path)
    wrong: list[str] = []

    def ask(i: int) -> None:
        for _ in range(5):
            try:
                best = open_now.retrieve(f"type{i}", top_k=1)[0].passage.text
            except Exception as error:
                best = repr(error)
            if best != f"Car {i} of type{i} runs.":
                wrong.append(best)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for i in range(5):
        put(store, document(f"new{i}.txt", f"Boat {i}."))
    for thread in threads:
        thread.join()
    assert not wrong


# --- a part of the articles


def sources(hits):
    return {h.passage.document.source for h in hits}


def test_only_articles_of_the_scope_are_found_by_words_and_by_vectors(store, tmp_path):
    put(store, *(document(f"{'ab'[i % 2]}/{i}.txt", f"Car {i} of type{i} runs.") for i in range(8)))
    for question in ("car type3", "qqq"):
        hits = retriever(store, tmp_path).retrieve(question, top_k=8, scope=Scope(names=("a/",)))
        assert sources(hits) == {"a/0.txt", "a/2.txt", "a/4.txt", "a/6.txt"}
        assert sorted(h.dense_rank for h in hits) == [1, 2, 3, 4]
        assert all(h.bm25_rank in (None, 1, 2, 3, 4) for h in hits)


def test_an_article_of_the_scope_is_found_however_many_others_are_nearer(store, tmp_path):
    old = replace(document("old.txt", "Harbour news."), published="2019-05-01")
    put(store, old, *(document(f"{i:03}.txt", f"Red ships {i} sail{i}.") for i in range(120)))
    assert "old.txt" not in sources(retriever(store, tmp_path).retrieve("red ships sail", top_k=20))
    assert sources(retriever(store, tmp_path).retrieve("red ships sail", top_k=20, scope=Scope(until="2020-01-01"))) == {
        "old.txt"
    }


def test_a_scope_that_holds_no_article_has_no_hits(store, tmp_path):
    put(store, document("a.txt", "One car."))
    assert retriever(store, tmp_path).retrieve("car", top_k=3, scope=Scope(since="2021-01-01")) == []


@pytest.mark.parametrize(("copies", "searches"), [(3, 1), (60, 2)])
def test_lists_full_of_copies_are_not_made_longer_than_the_scope_is_large(store, tmp_path, monkeypatch, copies, searches):
    put(store, *(document(f"b/{i:03}.txt", "One red car.") for i in range(copies)))
    put(store, *(document(f"c/{i:03}.txt", f"Filler {i} alpha{i}.") for i in range(300)))
    searched, search_text = [], store.search_text
    monkeypatch.setattr(
        store, "search_text", lambda *terms, **more: (searched.append(more["top_k"]), search_text(*terms, **more))[1]
    )
    (only,) = retriever(store, tmp_path).retrieve("red car", top_k=5, scope=Scope(names=("b/",)))
    assert len(only.copies) == copies - 1
    assert len(searched) == searches


def test_a_question_of_all_articles_looks_for_no_scope(store, tmp_path, monkeypatch):
    put(store, document("a.txt", "One car."))
    monkeypatch.setattr(Reader, "ids_in", None)
    assert retriever(store, tmp_path).retrieve("car", top_k=3)


def test_a_scope_holds_what_is_committed_while_open(store, tmp_path):
    put(store, document("a/1.txt", "One car."), document("b/1.txt", "One train."))
    open_now = retriever(store, tmp_path)
    put(store, document("a/2.txt", "Two ships."))
    assert sources(open_now.retrieve("train", top_k=3, scope=Scope(names=("a/",)))) == {"a/1.txt", "a/2.txt"}
    with store.transaction() as transaction:
        transaction.remove(["a/1.txt"])
    assert sources(open_now.retrieve("train", top_k=3, scope=Scope(names=("a/",)))) == {"a/2.txt"}


# --- copies


def test_a_copy_is_kept_beside_its_first_and_stays_citable():
    first, second = (
        hit("The expo has 2,500 exhibits in six rooms.", "a.txt"),
        hit("The expo has 2,500 exhibits in six rooms.", "b.txt"),
    )
    (kept,) = collapse([first, second])
    assert kept.passage.document.source == "a.txt"
    assert [copy.document.source for copy in kept.copies] == ["b.txt"]
    assert kept.copies[0].text == second.passage.text


def test_passages_with_other_numbers_are_no_copies():
    assert (
        len(collapse([hit("The expo has 2,500 exhibits in six rooms."), hit("The expo has 2,600 exhibits in six rooms.")])) == 2
    )


def test_passages_with_other_words_are_no_copies():
    assert len(collapse([hit("The expo has exhibits."), hit("The fair has visitors.")])) == 2


def test_empty_passages_do_not_divide_by_nothing():
    assert len(collapse([hit("..."), hit("!!!")])) in (1, 2)


def test_the_ranks_of_what_is_kept_have_no_gap():
    kept = collapse([hit("One car."), hit("One car.", "b.txt"), hit("Two trains.")])
    assert [h.rank for h in kept] == [1, 2]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["One car.", "Two trains.", "A fast car drives.", "A car drives fast.", ""]), max_size=8))
def test_no_passage_is_lost_by_collapsing(texts):
    hits = [hit(text, f"{i}.txt") for i, text in enumerate(texts)]
    kept = collapse(hits)
    found = [p.document.source for h in kept for p in (h.passage, *h.copies)]
    assert sorted(found) == [h.passage.document.source for h in hits]


@pytest.mark.parametrize(
    "other",
    [
        "The committee of the northern province did not approve the large merger of both old banks on a Friday in Lahore.",
        "The committee of the northern province did approve the large merger of both old banks on a Friday in Karachi.",
    ],
)
def test_passages_that_contradict_each_other_are_no_copies(other):
    one = "The committee of the northern province did approve the large merger of both old banks on a Friday in Lahore."
    assert len(collapse([hit(one), hit(other)])) == 2
