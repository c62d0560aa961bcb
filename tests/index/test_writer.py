"""The writer: what is committed stays, what is not leaves no trace, and one writer works at a time."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import pytest
from fakes import FakeEncoder, document, put, put_into
from hypothesis import given, settings
from hypothesis import strategies as st
from indexing import all_passages, edit, fork, listing

from rag.errors import IndexDamaged, IndexMismatch, StoreError
from rag.index import sqlite_file
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.schema import FILE
from rag.index.writer import Transaction, Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later


# --- what is changed -------------------------------------------------------------------------------------------------------


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


def test_a_vector_of_another_dimension_is_refused(index):
    with Writer.open(index) as store, pytest.raises(IndexMismatch, match=r"64 numbers, not 16.*--rebuild"):
        put(store, document("c.txt", "Ships sail."), encoder=FakeEncoder(16))


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


def test_changes_are_made_by_a_transaction_alone(index):
    """What a reader or a writer offers beside their common reading is no change of the content."""

    def offered(kind):
        return {name for name in dir(kind) if not name.startswith("_")}

    changes = {"clear", "configure", "forget", "forget_spare", "note", "put", "remove", "rename", "touch"}
    assert offered(Transaction) == changes
    assert offered(Writer) - offered(Reader) == {"publish", "transaction"}
    assert offered(Reader).isdisjoint(changes)


def test_a_transaction_that_has_ended_changes_nothing_any_more(index):
    with Writer.open(index) as store:
        with store.transaction() as ended:
            pass
        with pytest.raises(ZeroDivisionError), store.transaction() as failed:
            1 / 0  # noqa: B018
        before = store.meta()
        for transaction in (ended, failed):
            with pytest.raises(RuntimeError, match="has ended"):
                transaction.remove(["a.txt"])
            with pytest.raises(RuntimeError, match="has ended"):
                put_into(transaction, document("c.txt", "Ships sail."))
        assert (store.meta(), store.counts()) == (before, (2, 3))


def test_an_inner_transaction_that_fails_takes_the_outer_one_with_it_unless_it_is_caught(index):
    with Writer.open(index) as store:
        generation = store.meta().generation
        with pytest.raises(ZeroDivisionError), store.transaction() as outer:
            outer.remove(["a.txt"])
            with store.transaction() as inner:
                inner.remove(["b.txt"])
                1 / 0  # noqa: B018
        assert (store.meta().generation, store.counts().documents) == (generation, 2)


# --- crashes, full disks, other writers ------------------------------------------------------------------------------------


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


def test_the_lock_is_free_when_another_thread_has_closed_the_writer(index):
    writer = Writer.open(index)
    closing = threading.Thread(target=writer.close)
    closing.start()
    closing.join()
    Writer.open(index).close()
    assert (index / "articles.lock").exists()


def write_and_leave_a_child(index):
    with Writer.open(index):
        if not os.fork():
            time.sleep(5)
            os._exit(0)
        os.kill(os.getpid(), 9)


def test_a_killed_writer_leaves_no_lock_though_a_child_of_it_lives_on(index):
    assert fork(write_and_leave_a_child, index).exitcode == -9
    Writer.open(index).close()


def test_a_writer_waits_for_a_reader_no_longer_than_it_must(index, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    with Reader.open(index) as reader, reader.snapshot():
        reader.counts()
        with pytest.raises(StoreError, match="in use by another program"):
            Writer.open(index)
    Writer.open(index).close()


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


# --- other versions --------------------------------------------------------------------------------------------------------


def columns(index):
    connection = sqlite3.connect(index / FILE)
    names = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    found = {name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for (name,) in names}
    connection.close()
    return found


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


def test_another_programs_database_is_not_an_index(tmp_path):
    edit(tmp_path, "CREATE TABLE notes (x)")
    with pytest.raises(IndexDamaged, match="not an index of this program"):
        Reader.open(tmp_path)


def test_a_rebuild_of_a_sound_store_keeps_it_until_it_is_cleared(index):
    with Writer.open(index, rebuild=True) as store:
        assert store.counts().documents == 2
