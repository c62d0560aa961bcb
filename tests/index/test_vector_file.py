"""vectors.faiss is only a copy: whatever becomes of it, searches answer as if it had just been made from the store."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import stat
import struct
import sys
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest
from fakes import FakeEncoder, document, put

from rag.errors import IndexMismatch, StoreError
from rag.index import faiss_index, vector_file
from rag.index.reader import Reader
from rag.index.vector_file import FILE, Vectors
from rag.index.writer import Writer
from rag.types import Scope

QUESTIONS = ["cars and trains", "ships", "number 7", "wings"]


@pytest.fixture
def index(tmp_path):
    with Writer.open(tmp_path) as store:
        put(store, *(document(f"{i}.txt", f"Number {i} is a car. Trains wait {i}.") for i in range(10)))
        Vectors.write(store, tmp_path)
    return tmp_path


def commit(index, *documents, remove=()):
    with Writer.open(index) as store, store.transaction() as transaction:
        transaction.remove(remove)
        put(store, *documents)


def answers(held):
    return [held.search(vector, 5) for vector in FakeEncoder().encode(QUESTIONS)]


def loaded(index):
    with Reader.open(index) as store:
        return answers(Vectors.load(store, index))


def rebuilt(index):
    """Answers made from the store alone."""
    with Reader.open(index) as store:
        return answers(Vectors.load(store, index / "nowhere"))


def rewritten(index):
    """Write the file anew, whatever it was."""
    (index / FILE).unlink(missing_ok=True)
    with Writer.open(index) as store:
        Vectors.write(store, index)


def sealed(header, payload):
    body = json.dumps(header).encode() + b"\n" + payload
    return vector_file._MAGIC + hashlib.sha256(body).hexdigest().encode() + body


def parts(content):
    line, payload = content[len(vector_file._MAGIC) + 64 :].split(b"\n", 1)
    return json.loads(line), payload


def test_a_current_file_is_used_without_reading_vectors_from_the_store(index, monkeypatch):
    expected = rebuilt(index)
    monkeypatch.setattr(Reader, "vectors", None)
    assert loaded(index) == expected


def test_loading_writes_nothing(index):
    commit(index, document("new.txt", "Ships sail."))
    before = {path.name: path.stat().st_mtime_ns for path in index.iterdir()}
    loaded(index)
    assert {path.name: path.stat().st_mtime_ns for path in index.iterdir()} == before


def test_a_file_of_an_older_generation_is_caught_up(index):
    commit(index, document("new.txt", "Ships sail."), document("3.txt", "It has wings."), remove=["7.txt"])
    found = loaded(index)
    assert found == rebuilt(index)
    assert found[1][0][1] == pytest.approx(0.7071, abs=1e-3)
    with Reader.open(index) as store:
        held = {i for answer in found for i, _ in answer}
        assert held <= set(store.ids().tolist())


def test_a_file_of_a_newer_generation_than_the_snapshot_is_cut_back(index):
    with Writer.open(index) as writer, Reader.open(index) as reader, reader.snapshot():
        expected = answers(Vectors.load(reader, index / "nowhere"))
        with writer.transaction() as transaction:
            transaction.remove(["7.txt"])
            put(writer, document("new.txt", "Ships sail."))
        Vectors.write(writer, index)
        assert answers(Vectors.load(reader, index)) == expected


@pytest.mark.parametrize("content", [None, b"", b"junk", vector_file._MAGIC, vector_file._MAGIC + b"0" * 64 + b"{}\n"])
def test_a_file_that_is_missing_or_no_such_file_is_made_up_for(index, content):
    expected = loaded(index)
    (index / FILE).unlink()
    if content is not None:
        (index / FILE).write_bytes(content)
    assert loaded(index) == expected == rebuilt(index)


def test_any_flipped_or_missing_byte_is_noticed(index):
    whole = (index / FILE).read_bytes()
    expected = loaded(index)
    rng = np.random.default_rng(2)
    broken = [whole[: len(whole) * percent // 100] for percent in (1, 10, 50, 99)] + [whole + b"x" * 1000]
    broken += [
        whole[:i] + bytes([whole[i] ^ 1 << int(rng.integers(8))]) + whole[i + 1 :] for i in rng.integers(len(whole), size=200)
    ]
    with Reader.open(index) as store:
        for content in broken:
            (index / FILE).write_bytes(content)
            assert vector_file._read(index / FILE) is None
        assert answers(Vectors.load(store, index)) == expected


@pytest.mark.parametrize("foreign", [{"identity": "0" * 32}, {"encoder": "other:2"}, {"dimension": 16}])
def test_a_file_of_another_store_or_encoder_is_not_believed(index, foreign):
    header, _ = parts((index / FILE).read_bytes())
    made_of = {**header["made_of"], **foreign}
    other = faiss.IndexIDMap2(faiss.IndexFlatIP(made_of["dimension"]))
    other.add_with_ids(np.eye(20, made_of["dimension"], dtype=np.float32), np.arange(1, 21))
    payload = faiss.serialize_index(other).tobytes()
    header = {"made_of": made_of, "total": 20, "last": 20, "size": len(payload)}
    (index / FILE).write_bytes(sealed(header, payload))
    assert vector_file._read(index / FILE) is not None
    assert loaded(index) == rebuilt(index)


@pytest.mark.parametrize("lie", [{"made_of": None}, {"made_of": {"dimension": 64}}, {"total": 19}, {"total": None}, [], None])
def test_a_header_that_lies_or_is_malformed_is_not_believed(index, lie):
    header, payload = parts((index / FILE).read_bytes())
    (index / FILE).write_bytes(sealed({**header, **lie} if isinstance(lie, dict) else lie, payload))
    assert loaded(index) == rebuilt(index)


def test_another_type_of_index_is_not_believed(index):
    header, _ = parts((index / FILE).read_bytes())
    for other in (faiss.IndexFlatIP(64), faiss.IndexIDMap2(faiss.IndexFlatL2(64)), faiss.IndexIDMap(faiss.IndexFlatIP(64))):
        (index / FILE).write_bytes(sealed({**header, "total": 0}, faiss.serialize_index(other).tobytes()))
        assert vector_file._read(index / FILE) is None


def read_forged_payloads(index):
    header, payload = parts((index / FILE).read_bytes())
    room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for at in range(min(300, len(payload) - 8)):
        for number in (-1, 0, 2**31, 2**40, 2**62):
            (index / FILE).write_bytes(sealed(header, payload[:at] + struct.pack("<q", number) + payload[at + 8 :]))
            vector_file._read(index / FILE)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later
@pytest.mark.parametrize("kind", ["exact", "approximate"])
def test_forged_sizes_neither_crash_nor_fill_the_memory(index, kind, monkeypatch):
    if kind == "approximate":
        monkeypatch.setattr(faiss_index, "EXACT_UP_TO", 9)
        rewritten(index)
        assert not faiss_index.is_exact(vector_file._read(index / FILE)[0])
    process = multiprocessing.get_context("fork").Process(target=read_forged_payloads, args=(index,))
    process.start()
    process.join(120)
    assert process.exitcode == 0


def test_writing_twice_writes_once(index):
    before = (index / FILE).stat()
    with Writer.open(index) as store:
        Vectors.write(store, index)
        assert (index / FILE).stat().st_ino == before.st_ino
        put(store, document("new.txt", "Ships sail."))
        Vectors.write(store, index)
    assert (index / FILE).stat().st_ino != before.st_ino
    assert loaded(index) == rebuilt(index)


def test_the_file_is_synced_before_it_is_published_and_the_folder_after(index, monkeypatch):
    steps = []
    monkeypatch.setattr(
        os, "fsync", lambda number: steps.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
    )
    replace = type(index).replace
    monkeypatch.setattr(type(index), "replace", lambda path, to: (steps.append("replace"), replace(path, to))[1])
    vector_file._publish(index / FILE, [b"content"])
    assert steps == ["file", "replace", "folder"]


@pytest.mark.parametrize("fault", ["open", "fsync", "replace"])
def test_a_fault_at_any_step_is_an_error_and_leaves_the_former_file(index, monkeypatch, fault):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    before = (index / FILE).read_bytes()
    with Writer.open(index) as store:
        put(store, document("new.txt", "Ships sail."))
        with monkeypatch.context() as patch:
            patch.setattr(os if fault == "fsync" else type(index), fault, fail)
            with pytest.raises(StoreError, match=r"vectors\.faiss cannot be written .*No space left"):
                Vectors.write(store, index)
    assert (index / FILE).read_bytes() == before
    assert [path.name for path in index.glob("*.tmp")] == []
    assert loaded(index) == rebuilt(index)


def test_search_gives_cosines_best_first_and_lower_ids_first_among_equals(tmp_path):
    with Writer.open(tmp_path) as store:
        put(store, *(document(f"{i}.txt", "The same words.") for i in range(9)), document("z.txt", "Others."))
        held = Vectors.load(store, tmp_path)
        assert len(held) == 10
        found = held.search(FakeEncoder().encode(["the same words"])[0], 99)
        assert [i for i, _ in found] == list(range(1, 11))
        assert found[0][1] == pytest.approx(1, abs=1e-3)
        assert found[-1][1] < 0.1


@pytest.mark.parametrize("top_k", [0, -1])
def test_nothing_asked_nothing_found(index, top_k):
    with Reader.open(index) as store:
        assert Vectors.load(store, index).search(FakeEncoder().encode(["car"])[0], top_k) == []


def test_a_question_that_is_no_vector_finds_nothing_and_one_of_another_size_is_refused(index):
    with Reader.open(index) as store:
        held = Vectors.load(store, index)
        for number in (np.nan, np.inf):
            assert held.search(np.full(64, number, dtype=np.float32), 5) == []
        for shape in (63, (1, 64)):
            with pytest.raises(IndexMismatch, match="64 numbers"):
                held.search(np.zeros(shape, dtype=np.float32), 5)


def test_refreshing_makes_a_new_object_only_when_the_store_has_changed(index):
    with Reader.open(index) as reader:
        held = Vectors.load(reader, index)
        before = answers(held)
        assert held.is_current(reader)
        assert held.refreshed(reader) is held
        commit(index, document("new.txt", "Ships sail."), remove=["7.txt"])
        assert not held.is_current(reader)
        assert answers(held.refreshed(reader)) == rebuilt(index) != before
        assert answers(held) == before


def test_an_index_rebuilt_with_another_encoder_is_not_searched_with_the_old_one(index):
    with Reader.open(index) as reader:
        held = Vectors.load(reader, index)
        with Writer.open(index) as writer, writer.transaction() as transaction:
            transaction.configure(encoder="other:2", folder="/articles", passage_tokens=100)
        with pytest.raises(IndexMismatch, match="other:2, not fake:1"):
            held.refreshed(reader)


def test_searching_in_threads_while_refreshing_never_mixes_generations(index):
    errors, stop = [], threading.Event()
    with Reader.open(index) as reader, Writer.open(index) as writer:
        box = [Vectors.load(reader, index)]

        def search():
            while not stop.is_set():
                try:
                    held = box[0]
                    assert answers(held) == answers(held)
                except BaseException as error:
                    errors.append(error)
                    return

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(15):
            put(writer, document(f"{i % 10}.txt", f"Ships {i} sail. Wings."))
            box[0] = box[0].refreshed(reader)
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert answers(box[0]) == rebuilt(index)


# Many vectors: an approximate index, and what came since beside it


@pytest.fixture
def many(index, monkeypatch):
    """An approximate index of 20 vectors, all of whose lists are read."""
    monkeypatch.setattr(faiss_index, "EXACT_UP_TO", 9)
    monkeypatch.setattr(faiss_index, "PROBED", 1)
    monkeypatch.setattr(vector_file, "STALE", 0.2)
    rewritten(index)
    return index


def test_many_vectors_are_searched_in_lists_and_what_changed_since_is_seen(many):
    with Reader.open(many) as store:
        before = Vectors.load(store, many)
        assert not faiss_index.is_exact(before._main)
        inode = (many / FILE).stat().st_ino
        commit(many, document("new.txt", "Ships sail."), remove=["7.txt"])
        with Writer.open(many) as writer:
            Vectors.write(writer, many)
        assert (many / FILE).stat().st_ino == inode
        for held in (before.refreshed(store), Vectors.load(store, many)):
            assert held.is_current(store)
            assert len(held) == store.counts().passages
            assert held._main.ntotal == 20
            wanted = set(store.ids().tolist())
            for vector in FakeEncoder().encode(QUESTIONS):
                assert {i for i, _ in held.search(vector, 99)} == wanted
            assert held.search(FakeEncoder().encode(["ships sail"])[0], 1)[0][1] == pytest.approx(1, abs=1e-3)


def test_the_file_of_many_is_written_anew_when_enough_has_changed_and_an_open_reader_takes_it(many):
    with Reader.open(many) as store:
        held = Vectors.load(store, many)
        for i in range(6):
            commit(many, document(f"new {i}.txt", f"Ships {i} sail."))
            held = held.refreshed(store)
        assert held._recent.ntotal == 6
        with Writer.open(many) as writer:
            Vectors.write(writer, many)
            put(writer, document("last.txt", "Wings."))
        held = held.refreshed(store)
        assert (held._main.ntotal, held._recent.ntotal, len(held)) == (26, 1, 27)
        assert {i for i, _ in held.search(FakeEncoder().encode(["ships"])[0], 99)} == set(store.ids().tolist())


def test_a_query_never_trains(many, monkeypatch):
    monkeypatch.setattr(faiss_index, "approximate", None)
    (many / FILE).unlink()
    with Reader.open(many) as store:
        held = Vectors.load(store, many)
        assert faiss_index.is_exact(held._main)
        commit(many, document("new.txt", "Ships sail."))
        assert len(held.refreshed(store)) == 21


@pytest.mark.parametrize("bound", [9, 99])
def test_an_index_that_grows_or_shrinks_past_the_bound_changes_its_kind(index, monkeypatch, bound):
    monkeypatch.setattr(faiss_index, "EXACT_UP_TO", 108 - bound)
    rewritten(index)
    monkeypatch.setattr(faiss_index, "EXACT_UP_TO", bound)
    commit(index, document("new.txt", "Ships sail."))
    with Writer.open(index) as store:
        Vectors.write(store, index)
        held = Vectors.load(store, index)
    assert (faiss_index.is_exact(held._main), len(held)) == (bound == 99, 21)


def test_few_vectors_are_searched_as_by_one_plain_index_to_the_last_bit(index):
    with Writer.open(index) as store:
        held = Vectors.load(store, index)
        for i in range(4):
            put(store, document(f"{i}.txt", f"Ships {i} sail. Cars and trains wait."))
            held = held.refreshed(store)
        plain, ids = faiss.IndexIDMap2(faiss.IndexFlatIP(64)), store.ids()
        plain.add_with_ids(store.vectors(ids.tolist()), ids)
        assert plain.ntotal == len(held) == 20
        for held_now in (held, Vectors.load(store, index)):
            for vector in FakeEncoder().encode(QUESTIONS):
                cosines, found = plain.search(vector[np.newaxis], 5)
                expected = sorted(zip(found[0].tolist(), cosines[0].tolist(), strict=True), key=lambda one: (-one[1], one[0]))
                assert held_now.search(vector, 5) == expected


def test_an_approximate_search_finds_nearly_all_that_an_exact_one_finds():
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((300, 24))
    inner = centres[rng.integers(300, size=10_100)] + 0.6 * rng.standard_normal((10_100, 24))
    turned = inner @ np.linalg.qr(rng.standard_normal((64, 24)))[0].T
    every = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
    held, asked = every[:10_000], every[10_000:]
    index = faiss_index.approximate(len(held), held[:8000])
    index.add_with_ids(held, np.arange(len(held)))
    found = [{i for i, _ in faiss_index.search(index, one[np.newaxis], 10, but=np.empty(0, np.int64))} for one in asked]
    expected = np.argsort(-(asked @ held.T), axis=1)[:, :10]
    assert np.mean([len(a & set(b.tolist())) / 10 for a, b in zip(found, expected, strict=True)]) >= 0.95


# A part of the articles


class Scattered(FakeEncoder):
    """Sees every text in a direction of its own."""

    def encode(self, texts):
        vectors = np.array([np.random.default_rng(list(text.encode())).standard_normal(self.dimension) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def places(store, found):
    """Give what was found by source and position, with its cosine."""
    passages = store.passages([i for i, _ in found])
    return [(passages[i].document.source, passages[i].ordinal, pytest.approx(cosine, abs=1e-6)) for i, cosine in found]


@pytest.mark.parametrize("kind", ["exact", "approximate"])
def test_a_search_among_some_finds_what_an_index_of_only_those_would(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(faiss_index, "EXACT_UP_TO", 9 if kind == "approximate" else 999)
    documents = [document(f"{i:03}.txt", f"Car {i} runs. Train {i} waits.") for i in range(60)]
    asked, rng = Scattered().encode(["cars", "trains", "Car 7 runs."]), np.random.default_rng(4)
    with Writer.open(tmp_path / "all") as store:
        put(store, *documents[:50], encoder=Scattered())
        Vectors.write(store, tmp_path / "all")
        with store.transaction() as transaction:
            transaction.remove([each.source for each in documents[:5]])
        put(store, *documents[50:], encoder=Scattered())
        held = Vectors.load(store, tmp_path / "all")
        assert faiss_index.is_exact(held._main) == (kind == "exact")
        assert kind == "exact" or (held._recent.ntotal, len(held._gone)) == (20, 10)
        for number in (1, 2, 5, 20, 55):
            some = sorted(rng.choice(np.arange(5, 60), number, replace=False).tolist())
            ids = store.ids_in(Scope(names=tuple(documents[i].source for i in some)))
            assert len(ids) == 2 * number
            with Writer.open(tmp_path / f"only {number}") as only:
                put(only, *(documents[i] for i in some), encoder=Scattered())
                alone = Vectors.load(only, tmp_path / "nowhere")
                for vector in asked:
                    for top_k in (1, 5, 200):
                        found, expected = held.search_among(store, ids, vector, top_k), alone.search(vector, top_k)
                        assert places(store, found) == places(only, expected)
                        assert len(found) == min(top_k, 2 * number)


def test_nothing_is_found_among_nothing_and_a_question_that_fits_not_is_treated_as_ever(many):
    with Reader.open(many) as store:
        held, ids = Vectors.load(store, many), store.ids()
        assert held.search_among(store, ids[:0], np.ones(64, dtype=np.float32), 5) == []
        assert held.search_among(store, ids, np.full(64, np.nan, dtype=np.float32), 5) == []
        assert held.search_among(store, ids, np.ones(64, dtype=np.float32), 0) == []
        with pytest.raises(IndexMismatch, match="64 numbers"):
            held.search_among(store, ids, np.zeros(63, dtype=np.float32), 5)
