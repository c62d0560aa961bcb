"""The reader: what is read is what was written, and reading changes nothing."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder, document, put, sentence_passages
from hypothesis import given, settings
from hypothesis import strategies as st
from indexing import all_passages, edit, fork, listing

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StoreError
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.schema import FILE
from rag.index.writer import Writer
from rag.types import EVERYTHING, Scope

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later
HOSTILE = [
    '"',
    '""',
    "'",
    "NEAR(",
    "*",
    "a OR",
    "heading:car",
    "^car",
    "-",
    "(",
    "\0",
    "car\0",
    "😀",
    "\ud800",
    "",
    " ",
    "{x}:",
]


# --- what is written is what is read ---------------------------------------------------------------------------------------


def test_identical_text_in_two_files_is_two_passages(index):
    with Reader.open(index) as store:
        found = store.passages([i for i, _ in store.search_text(["cars"], top_k=9)])
    assert {(p.document.source, p.text) for p in found.values()} == {
        ("a.txt", "Old cars were running."),
        ("b.txt", "Old cars were running."),
    }


def test_a_passage_comes_back_equal_with_one_document_object_per_document(index):
    with Reader.open(index) as store:
        read = all_passages(store)
        assert read[:2] == sentence_passages(document("a.txt", "Old cars were running. Trains wait."))
        assert read[0].document is read[1].document


def test_passages_come_in_the_order_asked_for_without_those_that_are_gone(index):
    with Reader.open(index) as store:
        assert list(store.passages([3, 99, 1])) == [3, 1]


def test_vectors_read_with_passages_stand_in_the_order_of_the_passages(index):
    with Reader.open(index) as store:
        passages, vectors = store.passages_and_vectors([3, 99, 1])
        assert vectors == pytest.approx(FakeEncoder().encode([passage.text for passage in passages.values()]), abs=1e-3)
        assert len(vectors) == 2


def test_vectors_are_those_put_in_to_float16(index):
    with Reader.open(index) as store:
        expected = FakeEncoder().encode([passage.text for passage in all_passages(store)])
        assert store.vectors(store.ids().tolist()) == pytest.approx(expected, abs=1e-3)
        assert store.vectors([]).shape == (0, 64)


def test_an_unknown_source_has_no_passages_and_no_vectors(index):
    with Reader.open(index) as store:
        passages, vectors = store.embedded("never.txt")
        assert (passages, vectors.shape) == ([], (0, 64))


def test_documents_lists_what_there_is(index):
    with Reader.open(index) as store:
        assert store.documents() == [("a.txt", "a.txt", None, 35, 2), ("b.txt", "b.txt", None, 22, 1)]


def test_another_encoder_is_refused_and_both_are_named(index):
    with Reader.open(index) as store:
        store.require_encoder("fake:1")
        with pytest.raises(IndexMismatch, match=r"fake:1, not other:2; run `rag index FOLDER --rebuild"):
            store.require_encoder("other:2")


def test_a_closed_store_says_so(index):
    store = Reader.open(index)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.counts()


# --- full text -------------------------------------------------------------------------------------------------------------


def test_words_are_found_by_their_stem_and_without_accents(tmp_path):
    with Writer.open(tmp_path) as store:
        put(store, document(text="The café exhibits indigenous motorcycles."))
        for term in ("exhibit", "EXHIBITED", "cafe", "motorcycle", "indigenous motorcycles"):
            assert store.search_text([term], top_k=1), term
        assert store.search_text(["motorcycles indigenous"], top_k=1) == []


def test_rarer_words_score_higher_and_scores_are_positive(index):
    with Reader.open(index) as store:
        hits = store.search_text(["cars", "trains"], top_k=9)
        assert hits[0][0] == 2
        assert all(score > 0 for _, score in hits)
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


@pytest.mark.parametrize("term", HOSTILE)
def test_hostile_terms_are_words_and_never_syntax(index, term):
    with Reader.open(index) as store:
        alone = [i for i, _ in store.search_text([term], top_k=9)]
        assert alone == ([1, 3] if term in ("^car", "car\0") else [])
        assert [i for i, _ in store.search_text([term, "trains"], top_k=9)][:1] == [2]


@settings(max_examples=100, deadline=None)
@given(terms=st.lists(st.text(), max_size=5))
def test_no_query_raises(shared_store, terms):
    shared_store.search_text(terms, top_k=3)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    with Writer.open(tmp_path_factory.mktemp("index")) as store:
        put(store, document())
        yield store


def test_a_question_of_twenty_thousand_words_takes_less_than_a_second_of_computing(index):
    with Reader.open(index) as store:
        started = time.process_time()
        assert store.search_text([f"word{i}" for i in range(20_000)] + ["trains"], top_k=3)
        assert time.process_time() - started < 1
        assert store.search_text([], top_k=3) == []


def test_the_most_common_words_are_left_out_only_where_reading_all_would_take_long(tmp_path, monkeypatch):
    with Writer.open(tmp_path) as store:
        put(store, *(document(f"{i}.txt", f"Cars {'wait' if i % 2 else 'run'}{' in Lahore' * (i == 7)}.") for i in range(10)))

        def found(*terms):
            return sorted(i for i, _ in store.search_text(terms, top_k=99))

        assert len(found("cars", "wait", "lahore")) == 10
        monkeypatch.setattr("rag.index.reader.POSTINGS", 16)
        assert len(found("cars", "wait", "lahore")) == 10
        monkeypatch.setattr("rag.index.reader.POSTINGS", 6)
        assert found("cars", "wait", "lahore") == found("wait")
        monkeypatch.setattr("rag.index.reader.POSTINGS", 3)
        assert found("cars", "wait", "lahore") == found("lahore")
        assert found("cars", "wait") == found("wait")
        assert found("cars") == list(range(1, 11))
        assert found("nowhere", "cars") == list(range(1, 11))


# --- a part of the articles ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    """Five articles of two passages each, one without a date."""
    listed = [
        ("2020/expo.txt", "Expo 50% larger", "2020-12-31"),
        ("2021/ports.txt", "ÉCOLE of ports", "2021-01-01"),
        ("2021/a_b.txt", "Ships", "2021-06-15"),
        ("2022/axb.txt", "Straße", "2022-01-01"),
        ("none/EXPO.txt", "Undated", None),
    ]
    with Writer.open(tmp_path_factory.mktemp("dated")) as store:
        for source, title, day in listed:
            put(store, replace(document(source, "One car. Two trains.", title=title), published=day))
        yield store


def sources_in(store, scope):
    found = [passage.document.source for passage in store.passages(store.ids_in(scope).tolist()).values()]
    assert all(found.count(source) == 2 for source in found)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (EVERYTHING, ["2020/expo.txt", "2021/ports.txt", "2021/a_b.txt", "2022/axb.txt", "none/EXPO.txt"]),
        (Scope(since="2021-01-01"), ["2021/ports.txt", "2021/a_b.txt", "2022/axb.txt"]),
        (Scope(until="2021-01-01"), ["2020/expo.txt", "2021/ports.txt"]),
        (Scope(since="2021-01-01", until="2021-12-31"), ["2021/ports.txt", "2021/a_b.txt"]),
        (Scope(since="2021-06-15", until="2021-06-15"), ["2021/a_b.txt"]),
        (Scope(since="2021-12-31", until="2021-01-01"), []),
        (Scope(names=("expo",)), ["2020/expo.txt", "none/EXPO.txt"]),
        (Scope(names=("SHIPS", "2022/")), ["2021/a_b.txt", "2022/axb.txt"]),
        (Scope(names=("école",)), ["2021/ports.txt"]),
        (Scope(names=("STRASSE",)), ["2022/axb.txt"]),
        (Scope(names=("a_b",)), ["2021/a_b.txt"]),
        (Scope(names=("%",)), ["2020/expo.txt"]),
        (Scope(since="2020-01-01", names=("expo",)), ["2020/expo.txt"]),
        (Scope(names=("nowhere", "'", "\0", "\ud800")), []),
    ],
)
def test_a_scope_holds_the_articles_of_its_days_and_names(dated, scope, expected):
    assert sources_in(dated, scope) == expected
    assert dated.ids_in(scope).tolist() == sorted(dated.ids_in(scope).tolist())


def test_words_are_looked_for_only_among_the_ids_given_and_score_as_ever(dated):
    every, some = dict(dated.search_text(["cars", "trains"], top_k=99)), np.array([2, 3, 8])
    found = dated.search_text(["cars", "trains"], top_k=99, among=some)
    assert dict(found) == {i: every[i] for i in some.tolist()}
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert dated.search_text(["cars", "trains"], top_k=2, among=some) == found[:2]
    assert dated.search_text(["cars"], top_k=99, among=np.array([], dtype=np.int64)) == []


def test_a_title_that_is_no_text_any_more_is_damage_to_a_scope_too(index):
    edit(index, "UPDATE documents SET title = CAST(title AS BLOB)")
    with Reader.open(index) as store, pytest.raises(IndexDamaged, match="--rebuild"):
        store.ids_in(Scope(names=("a",)))


# --- reading changes nothing -----------------------------------------------------------------------------------------------


def test_opening_and_reading_creates_and_changes_no_file(index):
    before = listing(index)
    with Reader.open(index) as store:
        check(store)
        store.search_text(["cars"], top_k=3)
        assert listing(index) == before
    assert listing(index) == before


def test_reading_what_is_not_there_creates_nothing(tmp_path):
    with pytest.raises(IndexMissing, match=r"no index in .*; run `rag index FOLDER --index "):
        Reader.open(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_a_document_counts_as_missing(tmp_path):
    Writer.open(tmp_path).close()
    with pytest.raises(IndexMissing, match="rag index FOLDER"):
        Reader.open(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(IndexMissing, match="rag index FOLDER"):
        Reader.open(tmp_path)


def read_as_nobody(index, results):
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        with Reader.open(index) as store:
            results.put((len(store.search_text(["cars"], top_k=9)), store.counts().documents))
    except BaseException as error:
        results.put(repr(error))


@pytest.mark.parametrize("state", ["at rest", "in WAL mode", "after a kill"])
def test_a_folder_that_takes_no_files_can_be_read(state):
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, whose parents only its owner may enter
        index = Path(folder)
        if state == "after a kill":
            assert fork(put_and_be_killed, index).exitcode == -9
            assert (index / f"{FILE}-wal").stat().st_size
        else:
            with Writer.open(index) as store:
                put(store, document("a.txt", "Old cars."))
        if state == "in WAL mode":
            edit(index, "PRAGMA journal_mode = WAL")
        for path in (*index.iterdir(), index):
            path.chmod(0o444 if path.is_file() else 0o555)
        results = multiprocessing.get_context("fork").Queue()
        fork(read_as_nobody, index, results)
        assert results.get(timeout=5) == (1, 1)
        index.chmod(0o755)


def put_and_be_killed(index):
    put(Writer.open(index), document("a.txt", "Old cars."))
    os.kill(os.getpid(), 9)


# --- beside a writer -------------------------------------------------------------------------------------------------------


def test_a_reader_sees_each_commit_but_not_inside_a_snapshot(index):
    with Reader.open(index) as reader, Writer.open(index) as writer:
        with reader.snapshot():
            assert reader.counts().documents == 2
            put(writer, document("c.txt", "Ships sail."))
            assert reader.counts().documents == 2
        assert reader.counts().documents == 3
    with Reader.open(index) as later:
        assert later.counts().documents == 3


def test_threads_share_a_reader_while_a_writer_commits(index):
    errors = []

    def read(store):
        try:
            for _ in range(40):
                hits = store.search_text(["cars"], top_k=5)
                assert all("car" in passage.text for passage in store.passages([i for i, _ in hits]).values())
        except BaseException as error:
            errors.append(error)

    with Reader.open(index) as reader, Writer.open(index) as writer:
        threads = [threading.Thread(target=read, args=(reader,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(20):
            put(writer, document("a.txt", f"Number {i} is a car."))
        for thread in threads:
            thread.join()
    assert errors == []
