"""The store: what is committed stays, what is read is what was written, and reading changes nothing."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
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

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StoreError
from rag.index import sqlite_file
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


@pytest.fixture
def index(tmp_path):
    with Writer.open(tmp_path / "index") as store:
        put(store, document("a.txt", "Old cars were running. Trains wait."), document("b.txt", "Old cars were running."))
    return tmp_path / "index"


def listing(folder):
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


def edit(index, sql, *values):
    connection = sqlite3.connect(index / FILE)
    with connection:
        connection.execute(sql, values)
    connection.close()


def columns(index):
    connection = sqlite3.connect(index / FILE)
    names = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    found = {name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for (name,) in names}
    connection.close()
    return found


def all_passages(store):
    return list(store.passages(store.ids().tolist()).values())


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


def test_replacing_a_document_leaves_nothing_of_the_old_one(index):
    with Writer.open(index) as store:
        put(store, document("a.txt", "Ships sail."))
        assert [(hit, store.passages([hit])[hit].document.source) for hit, _ in store.search_text(["cars"], top_k=9)] == [
            (3, "b.txt")
        ]
        assert store.search_text(["trains"], top_k=9) == []
        assert store.counts() == (2, 2)
        assert check(store) == []


def test_removed_documents_are_found_no_more_and_unknown_ones_are_passed_over(index):
    with Writer.open(index) as store:
        with store.transaction() as transaction:
            transaction.remove(["a.txt", "never.txt"])
        assert list(store.state()) == ["b.txt"]
        assert [i for i, _ in store.search_text(["cars", "trains"], top_k=9)] == [3]
        assert check(store) == []


def test_an_id_is_never_used_again(index):
    with Writer.open(index) as store:
        with store.transaction() as transaction:
            transaction.clear()
        put(store, document("c.txt", "Ships sail."))
        assert store.ids().tolist() == [4]
        assert check(store) == []


def test_a_renamed_document_keeps_its_passages(index):
    with Writer.open(index) as store:
        with store.transaction() as transaction:
            transaction.rename("b.txt", document("z/b.txt", "Old cars were running.", title="b.txt"), size=21, mtime_ns=7)
        assert store.passages([3])[3].document.source == "z/b.txt"
        assert store.state()["z/b.txt"].mtime_ns == 7
        assert check(store) == []


def test_an_unknown_source_has_no_passages_and_no_vectors(index):
    with Reader.open(index) as store:
        passages, vectors = store.embedded("never.txt")
        assert (passages, vectors.shape) == ([], (0, 64))


def test_documents_lists_what_there_is(index):
    with Reader.open(index) as store:
        assert store.documents() == [("a.txt", "a.txt", None, 35, 2), ("b.txt", "b.txt", None, 22, 1)]


@settings(max_examples=20, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_text_is_kept_found_and_removed(text):
    with tempfile.TemporaryDirectory() as folder, Writer.open(Path(folder)) as store:
        put(store, document("a.txt", f"{text}. zebra."))
        assert all_passages(store)[0].document.text == f"{text}. zebra."
        assert store.search_text(["zebras", text], top_k=5)
        with store.transaction() as transaction:
            transaction.remove(["a.txt"])
        assert store.search_text(["zebras", text], top_k=5) == []
        assert check(store) == []


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


# --- transactions ----------------------------------------------------------------------------------------------------------


def test_each_commit_is_a_new_generation_and_a_failed_one_leaves_no_trace(index):
    with Writer.open(index) as store:
        before = store.meta()
        with pytest.raises(KeyboardInterrupt), store.transaction() as transaction:
            transaction.remove(["a.txt"])
            raise KeyboardInterrupt
        assert store.meta() == before
        assert store.counts() == (2, 3)
        put(store, document("c.txt", "Ships sail."))
        assert store.meta().generation == before.generation + 1


def test_an_inner_transaction_is_part_of_the_outer_one(index):
    with Writer.open(index) as store:
        generation = store.meta().generation
        with pytest.raises(ZeroDivisionError), store.transaction():
            put(store, document("c.txt", "Ships sail."))
            1 / 0  # noqa: B018
        assert (store.meta().generation, store.counts().documents) == (generation, 2)


def test_a_reader_sees_each_commit_but_not_inside_a_snapshot(index):
    with Reader.open(index) as reader, Writer.open(index) as writer:
        with reader.snapshot():
            assert reader.counts().documents == 2
            put(writer, document("c.txt", "Ships sail."))
            assert reader.counts().documents == 2
        assert reader.counts().documents == 3
    with Reader.open(index) as later:
        assert later.counts().documents == 3


def test_a_vector_of_another_dimension_is_refused(index):
    with Writer.open(index) as store, pytest.raises(IndexMismatch, match=r"64 numbers, not 16.*--rebuild"):
        put(store, document("c.txt", "Ships sail."), encoder=FakeEncoder(16))


def test_another_encoder_is_refused_and_both_are_named(index):
    with Reader.open(index) as store:
        store.require_encoder("fake:1")
        with pytest.raises(IndexMismatch, match=r"fake:1, not other:2; run `rag index FOLDER --rebuild"):
            store.require_encoder("other:2")


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


def fork(target, *arguments):
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join(20)
    return process


# --- crashes, damage, other versions, other writers ------------------------------------------------------------------------


def kill_while_writing(index):
    store = Writer.open(index)
    with store.transaction() as transaction:
        transaction.clear()
        os.kill(os.getpid(), 9)


def test_a_kill_inside_a_transaction_leaves_the_last_commit_and_a_free_lock(index):
    assert fork(kill_while_writing, index).exitcode == -9
    before = listing(index)
    with Reader.open(index) as store:
        assert (store.counts(), check(store)) == ((2, 3), [])
    assert set(listing(index)) == set(before)
    with Writer.open(index) as store:
        put(store, document("c.txt", "Ships sail."))
    with Reader.open(index) as store:
        assert (store.counts().documents, check(store)) == (3, [])


def kill_with_a_hot_journal(index):
    connection = sqlite3.connect(index / FILE, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.execute("UPDATE documents SET text = text || hex(zeroblob(100000))")
    os.kill(os.getpid(), 9)


def test_a_kill_while_the_journal_mode_changes_is_undone_by_the_next_reader(index):
    assert fork(kill_with_a_hot_journal, index).exitcode == -9
    assert (index / f"{FILE}-journal").stat().st_size
    with Reader.open(index) as store:
        assert (store.counts(), check(store)) == ((2, 3), [])


def test_a_second_writer_is_told_so_within_two_seconds_and_readers_go_on(index):
    with Writer.open(index) as store:
        started = time.perf_counter()
        with pytest.raises(StoreError, match="another `rag index` is writing"):
            Writer.open(index)
        assert time.perf_counter() - started < 2
        with store.transaction(), Reader.open(index) as reader:
            assert reader.counts().documents == 2
    Writer.open(index).close()


def test_a_newer_format_is_named_and_only_a_rebuild_begins_anew(index):
    edit(index, "PRAGMA user_version = 99")
    for kind in (Reader, Writer):
        with pytest.raises(IndexMismatch, match=r"newer version.*update footnote-rag, or run `rag index FOLDER --rebuild"):
            kind.open(index)
    with Writer.open(index, rebuild=True) as store:
        assert store.counts() == (0, 0)


def test_an_older_format_is_read_and_brought_up_to_date_by_the_next_writer_and_loses_nothing(index):
    with Reader.open(index) as store:
        expected, schema = all_passages(store), columns(index)
    for sql in (
        "DROP INDEX passages_by_digest",
        "ALTER TABLE passages DROP COLUMN digest",
        "DROP TABLE spare",
        "DROP TABLE notes",
        "DROP TABLE removed",
        "PRAGMA user_version = 1",
    ):
        edit(index, sql)
    with Reader.open(index) as store:
        assert (all_passages(store), store.noted(), check(store)) == (expected, {}, [])
    Writer.open(index).close()
    with Reader.open(index) as store:
        assert (all_passages(store), columns(index), check(store)) == (expected, schema, [])


@pytest.mark.parametrize(
    "content", [b"not a database, however long this text may be. " * 100, b"SQLite format 3\0" + b"\7" * 5000]
)
def test_a_file_that_is_no_database_is_damaged_and_a_rebuild_begins_anew(index, content):
    (index / FILE).write_bytes(content)
    for kind in (Reader, Writer):
        with pytest.raises(IndexDamaged, match="rag index FOLDER --rebuild"):
            kind.open(index)
    with Writer.open(index, rebuild=True) as store:
        assert store.counts() == (0, 0)


def test_another_programs_database_is_not_an_index(tmp_path):
    edit(tmp_path, "CREATE TABLE notes (x)")
    with pytest.raises(IndexDamaged, match="not an index of this program"):
        Reader.open(tmp_path)


def test_a_rebuild_of_a_sound_store_keeps_it_until_it_is_cleared(index):
    with Writer.open(index, rebuild=True) as store:
        assert store.counts().documents == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE documents SET text = 'New' || substr(text, 4)",
        "UPDATE documents SET title = 'other'",
        "UPDATE documents SET source = source || 'x'",
        "UPDATE documents SET text = CAST(x'ff' || substr(text, 2) AS TEXT)",
        "UPDATE passages SET start = start + 1",
        "UPDATE passages SET vector = zeroblob(128)",
        "UPDATE meta SET dimension = 63",
        "UPDATE documents SET text = CAST(text AS BLOB)",
        "UPDATE passages SET vector = CAST(zeroblob(128) AS TEXT)",
        "UPDATE meta SET folder = CAST(folder AS BLOB)",
    ],
)
def test_a_changed_row_is_damage_and_never_a_wrong_quote(index, sql):
    edit(index, sql)
    with Reader.open(index) as store:
        with pytest.raises(IndexDamaged, match="--rebuild"):
            store.embedded(next(iter(store.state())))
        assert len(check(store)) == 1


def test_full_text_that_lost_a_row_is_found_by_the_check(index):
    edit(index, "DELETE FROM words_docsize WHERE id = 1")
    with Reader.open(index) as store:
        assert ["the full text does not match the passages" in problem for problem in check(store)] == [True]


def test_words_that_a_search_no_longer_finds_are_found_by_the_check(index):
    with Writer.open(index) as store:
        put(store, *(document(f"{i}.txt", f"Word{i * 7919 % 1009}x is a car{i}. Trains{i} wait {i * i}.") for i in range(300)))
        assert check(store) == []
    edit(
        index, "UPDATE words_idx SET term = term || 'zz' WHERE term = (SELECT min(term) FROM words_idx WHERE length(term) > 1)"
    )
    with Reader.open(index) as store:
        assert len(check(store)) == 1


def test_flipped_and_cut_bytes_are_refused_or_harmless(index):
    """Whatever byte is wrong: a clear error, or the same texts as ever."""
    whole = (index / FILE).read_bytes()
    with Reader.open(index) as store:
        expected = all_passages(store)
    rng = np.random.default_rng(1)
    cut = [whole[:n] for n in (1, 99, len(whole) // 2, len(whole) - 1)]
    flipped = [
        whole[:i] + bytes([whole[i] ^ 1 << int(rng.integers(8))]) + whole[i + 1 :] for i in rng.integers(len(whole), size=500)
    ]
    refused = 0
    for content in cut + flipped:
        (index / FILE).write_bytes(content)
        try:
            with Reader.open(index) as store:
                store.search_text(["cars"], top_k=3)
                found = all_passages(store)
                assert all(passage in expected for passage in found)
                assert found == expected or check(store)
        except StoreError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 10


def write_much_with_little_room(index, results):
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        with Writer.open(index) as store:
            for i in range(100):
                put(store, document(f"{i}.txt", f"{i} " * 5000))
    except BaseException as error:
        results.put((type(error).__name__, str(error)))


def test_a_full_disk_is_an_error_and_the_old_state_stays(index):
    results = multiprocessing.get_context("fork").Queue()
    assert fork(write_much_with_little_room, index, results).exitcode == 0
    kind, message = results.get(timeout=5)
    assert kind == "StoreError"
    assert str(index) in message
    assert "\n" not in message
    with Reader.open(index) as store:
        assert store.counts().documents >= 2
        assert check(store) == []


def test_a_path_that_cannot_be_used_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        Writer.open(tmp_path / "file" / "index")
    (tmp_path / "index" / FILE).mkdir(parents=True)
    with pytest.raises(StoreError, match=FILE):
        Reader.open(tmp_path / "index")


def test_strange_characters_in_the_folders_name_are_no_problem(tmp_path):
    index = tmp_path / "50% ?mode=rw#é 'q\" \udcff"
    with Writer.open(index) as store:
        put(store, document())
    with Reader.open(index) as store:
        assert store.counts().documents == 1


def test_a_closed_store_says_so(index):
    store = Reader.open(index)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.counts()


def test_a_writer_waits_for_a_reader_no_longer_than_it_must(index, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    with Reader.open(index) as reader, reader.snapshot():
        reader.counts()
        with pytest.raises(StoreError, match="in use by another program"):
            Writer.open(index)
    Writer.open(index).close()
