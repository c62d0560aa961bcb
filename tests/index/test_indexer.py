"""Indexing a folder: the index mirrors it, at the cost of what changed, and no interruption leaves it broken."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from indexing import CARS, SHIPS, TRAINS, Interrupted, content, figures, files, run, set_age, write

from rag.errors import CorpusError, IndexMismatch, ModelError, StoreError
from rag.index import file_state, indexer, sqlite_file
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.vector_file import Vectors, _read_header
from rag.index.writer import Writer
from rag.types import Document, Passage


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "articles", {"cars.txt": CARS, "sub/ships.txt": SHIPS})


# --- what the index holds --------------------------------------------------------------------------------------------------


def test_a_folder_is_indexed_once_and_a_second_run_embeds_nothing(folder):
    encoder = FakeEncoder()
    first = run(folder, encoder)
    assert figures(first) == {"added": 2, "embedded": 2}
    assert (first.documents, first.passages, first.skipped) == (2, 2, ())
    inode = (folder.parent / "index" / "vectors.faiss").stat().st_ino
    assert figures(run(folder, encoder)) == {"unchanged": 2}
    assert (encoder.calls, content(folder)) == (1, files(folder))
    assert (folder.parent / "index" / "vectors.faiss").stat().st_ino == inode


def test_the_same_folder_gives_the_same_index(folder):
    found = []
    for name in ("first", "second"):
        run(folder, store_folder=folder.parent / name)
        with Reader.open(folder.parent / name) as store:
            ids = store.ids().tolist()
            found.append((store.passages(ids), store.vectors(ids).tobytes()))
    assert found[0] == found[1]


def test_the_vector_file_is_current_after_each_run(folder):
    run(folder)
    write(folder, {"trains.txt": TRAINS})
    run(folder)
    with Reader.open(folder.parent / "index") as store:
        assert _read_header(folder.parent / "index" / "vectors.faiss").made_of.generation == store.meta().generation


def test_a_changed_file_embeds_only_its_new_passages(folder):
    write(folder, {"cars.txt": CARS + "\n" + SHIPS})
    run(folder, passage_tokens=20)
    write(folder, {"cars.txt": CARS + "\n" + TRAINS}, age=50)
    encoder = FakeEncoder()
    assert figures(run(folder, encoder, passage_tokens=20)) == {"changed": 1, "unchanged": 1, "embedded": 1}
    assert TRAINS.strip() in encoder.texts[0]
    assert content(folder) == files(folder)


def test_a_deleted_file_answers_no_more(folder):
    run(folder)
    (folder / "cars.txt").unlink()
    assert figures(run(folder)) == {"removed": 1, "unchanged": 1}
    assert content(folder) == files(folder)
    with Reader.open(folder.parent / "index") as store:
        assert store.search_text(["cars"], top_k=1) == []


def test_a_renamed_file_keeps_its_passages_and_embeds_nothing(folder):
    run(folder)
    with Reader.open(folder.parent / "index") as store:
        ids = store.ids().tolist()
    (folder / "sub/ships.txt").rename(folder / "harbour.txt")
    assert figures(run(folder)) == {"renamed": 1, "unchanged": 1}
    assert content(folder) == files(folder)
    with Reader.open(folder.parent / "index") as store:
        assert store.ids().tolist() == ids


def test_two_equal_files_that_move_together_are_two_renames(folder):
    write(folder, {"old/1.txt": TRAINS, "old/2.txt": TRAINS})
    run(folder)
    (folder / "old").rename(folder / "new")
    assert figures(run(folder)) == {"renamed": 2, "unchanged": 2}
    assert content(folder) == files(folder)


def test_a_rename_that_changes_the_meaning_is_read_anew(folder):
    write(folder, {"page.txt": "<html><body><p>" + TRAINS + "</p></body></html>"})
    run(folder)
    (folder / "page.txt").rename(folder / "page.html")
    summary = run(folder)
    assert (summary.renamed, summary.added, summary.removed) == (0, 1, 1)
    assert "<p>" not in content(folder)["page.html"]


def test_equal_files_are_two_documents_and_one_embedding(folder):
    write(folder, {"copy.txt": CARS})
    assert figures(run(folder)) == {"added": 3, "embedded": 2}
    write(folder, {"second copy.txt": CARS})
    assert figures(run(folder)) == {"added": 1, "unchanged": 3}
    assert content(folder) == files(folder)


def test_a_touched_file_is_unchanged_and_is_not_read_again_and_again(folder, monkeypatch):
    run(folder)
    set_age(folder / "cars.txt", 30)
    assert figures(run(folder)) == {"unchanged": 2}
    monkeypatch.setattr(file_state, "sha256_of", None)
    assert figures(run(folder)) == {"unchanged": 2}


def test_a_change_within_one_tick_of_the_clock_is_noticed(folder):
    """Same size, same modification time, just written: only the bytes tell."""
    write(folder, {"cars.txt": CARS}, age=0)
    stat = (folder / "cars.txt").stat()
    run(folder)
    (folder / "cars.txt").write_text(CARS.replace("Lahore", "Multan"))
    os.utime(folder / "cars.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert figures(run(folder)) == {"changed": 1, "unchanged": 1, "embedded": 1}
    assert content(folder) == files(folder)


def test_a_file_that_cannot_be_read_is_reported_and_the_rest_goes_on(folder):
    run(folder)
    write(folder, {"cars.txt": "", "trains.txt": TRAINS})
    summary = run(folder)
    assert figures(summary) == {"added": 1, "removed": 1, "unchanged": 1, "embedded": 1}
    assert [source for source, _ in summary.skipped] == ["cars.txt"]
    assert not summary.skipped[0][1].startswith("cars.txt")
    assert sorted(content(folder)) == ["sub/ships.txt", "trains.txt"]


def test_a_pipe_in_the_place_of_an_empty_file_is_reported_and_not_waited_for(folder):
    write(folder, {"empty.txt": ""})
    run(folder)
    (folder / "empty.txt").unlink()
    os.mkfifo(folder / "empty.txt")
    assert run(folder).skipped == (("empty.txt", "not a regular file; put a copy of the article there instead"),)


def test_a_link_that_leads_out_in_the_place_of_a_file_is_removed_though_its_bytes_are_the_same(folder):
    run(folder)
    (folder / "cars.txt").rename(folder.parent / "out.txt")
    (folder / "cars.txt").symlink_to(folder.parent / "out.txt")
    summary = run(folder)
    assert figures(summary) == {"removed": 1, "unchanged": 1}
    assert summary.skipped == (("cars.txt", "a link that leads out of the folder; put a copy there instead"),)


def test_a_document_that_cannot_be_stored_is_reported(folder, monkeypatch):
    read = indexer.read_file

    def broken(path, *rest):
        for document in read(path, *rest):
            yield replace(document, title="\ud800" if path.name == "cars.txt" else "t")

    monkeypatch.setattr(indexer, "read_file", broken)
    assert run(folder).skipped == (("cars.txt", "holds half characters, which cannot be stored; convert it to UTF-8"),)


def test_a_loop_of_links_is_reported_or_passed_over(folder):
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "up").symlink_to(folder.parent)
    assert run(folder).documents == 2


def test_an_index_inside_the_folder_does_not_index_itself(folder):
    index = folder / "index"
    write(folder, {"index/README.md": "# About this folder\n\n" + TRAINS})
    for _ in range(2):
        assert run(folder, store_folder=index).documents == 2


def test_another_folder_replaces_the_content_in_one_commit(folder, tmp_path):
    run(folder)
    other = write(tmp_path / "other", {"cars.txt": CARS.replace("Lahore", "Multan"), "trains.txt": TRAINS})
    shutil.copystat(folder / "cars.txt", other / "cars.txt")
    with Reader.open(tmp_path / "index") as reader:
        seen = []
        summary = run(other, progress=lambda *_: seen.append(sorted(reader.state())))
        assert seen == [["cars.txt", "sub/ships.txt"]] * 3
        assert sorted(reader.state()) == ["cars.txt", "trains.txt"]
    assert figures(summary) == {"added": 1, "changed": 1, "removed": 1, "embedded": 2}
    assert content(other) == files(other)


def test_the_same_folder_moved_elsewhere_embeds_nothing(folder, tmp_path):
    run(folder)
    folder.rename(tmp_path / "moved")
    assert figures(run(tmp_path / "moved")) == {"unchanged": 2}


NAMES = st.sampled_from(["a.txt", "b.md", "c/d.txt", "c/e.txt"])
TEXTS = st.lists(st.sampled_from([f"{i} {text}" for i in range(2) for text in (CARS, SHIPS, TRAINS)]), min_size=1, max_size=4)


def titled(parts):
    return "\n".join([parts[0], *parts[1]]).lstrip()


EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.tuples(st.sampled_from(["", "# News of the week\n"]), TEXTS).map(titled)),
    st.tuples(st.just("move"), NAMES, NAMES),
    st.tuples(st.just("copy"), NAMES, NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("touch"), NAMES),
)


def edit(folder, what, name, other=""):
    """Do to a file what a person does; nothing where it is not there."""
    path = folder / name
    if what == "write":
        write(folder, {name: other}, age=random.randrange(10, 1000))
    elif path.exists() and what == "touch":
        set_age(path, random.randrange(10, 1000))
    elif path.exists() and what == "delete":
        path.unlink()
    elif path.exists() and name != other:
        (folder / other).parent.mkdir(exist_ok=True)
        shutil.copy2(path, folder / other)
        if what == "move":
            path.unlink()


def everything(index):
    """What an index answers with, whatever the ids are."""
    with Reader.open(index) as store:
        assert check(store) == []
        assert not store.has_spare()
        ids = store.ids().tolist()
        passages = store.passages(ids)
        place = {i: (p.document, p.ordinal, p.start, p.end, p.heading) for i, p in passages.items()}
        held, words = Vectors.load(store, index), ("cars", "grain", "railway")
        near = [sorted((round(c, 5), str(place[i])) for i, c in held.search(FakeEncoder().encode([w])[0], 99)) for w in words]
        lexical = [{place[i]: round(score, 9) for i, score in store.search_text([word], top_k=99)} for word in words]
        vectors = dict(zip(map(str, place.values()), map(bytes, store.vectors(ids)), strict=True))
        return vectors, near, lexical, {source: (size, digest) for source, (size, _, digest) in store.state().items()}


@settings(max_examples=15, deadline=None)
@given(rounds=st.lists(st.lists(EDITS, min_size=1, max_size=4), min_size=1, max_size=4), batch=st.sampled_from([1, 3, 512]))
def test_after_any_edits_the_index_is_as_made_from_scratch_and_no_text_that_it_held_was_embedded(
    tmp_path_factory, rounds, batch
):
    folder = write(tmp_path_factory.mktemp("any") / "articles", {"kept.txt": CARS})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer, "BATCH", batch)
        run(folder, passage_tokens=20)
        for number, edits in enumerate(rounds):
            with Reader.open(folder.parent / "index") as store:
                held = {passage.headed for passage in store.passages(store.ids().tolist()).values()}
            for one in edits:
                edit(folder, *one)
            encoder = FakeEncoder()
            run(folder, encoder, passage_tokens=20)
            assert held.isdisjoint(encoder.texts)
            assert len(encoder.texts) == len(set(encoder.texts))
            run(folder, passage_tokens=20, store_folder=folder.parent / f"scratch-{number}")
            assert everything(folder.parent / "index") == everything(folder.parent / f"scratch-{number}")


def test_a_text_that_moves_to_a_file_indexed_later_is_not_embedded_again_even_after_an_interruption(folder, monkeypatch):
    monkeypatch.setattr(indexer, "BATCH", 1)
    titled = "# News of the week\n\n"  # the title is embedded with the text
    write(folder, {"cars.txt": titled + CARS + "\n" + TRAINS, "sub/ships.txt": titled + SHIPS})
    run(folder, passage_tokens=20)
    write(folder, {"cars.txt": titled + CARS, "sub/ships.txt": titled + "9 " + SHIPS + "\n" + TRAINS}, age=50)
    with pytest.raises(KeyboardInterrupt):
        run(folder, Interrupted(call=1), passage_tokens=20)
    encoder = FakeEncoder()
    assert figures(run(folder, encoder, passage_tokens=20)) == {"changed": 1, "unchanged": 1, "embedded": 1}
    assert "9 The harbour" in encoder.texts[0]


# --- what is refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["missing", "a file", "empty", "nothing readable"])
def test_a_folder_without_articles_is_refused_and_the_index_stays(folder, state):
    run(folder)
    before = content(folder)
    shutil.rmtree(folder)
    if state == "a file":
        folder.write_text("x")
    elif state != "missing":
        write(folder, {"cars.txt": ""} if state == "nothing readable" else {".hidden": "x"})
    for rebuild in (False, True):
        with pytest.raises(CorpusError):
            run(folder, rebuild=rebuild)
        assert content(folder) == before


def test_a_refused_folder_creates_no_index(tmp_path):
    (tmp_path / "articles").mkdir()
    with pytest.raises(CorpusError, match="no article in"):
        run(tmp_path / "articles")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("encoder", "tokens", "named"),
    [
        (FakeEncoder(identity="other:2"), 40, "fake:1, not other:2"),
        (FakeEncoder(16, identity="small:1"), 40, "fake:1, not small:1"),
        (FakeEncoder(), 60, "40 tokens, not 60"),
    ],
)
def test_another_encoder_or_budget_needs_a_rebuild(folder, encoder, tokens, named):
    run(folder)
    with pytest.raises(IndexMismatch, match=f"{named}.*--rebuild"):
        run(folder, encoder, passage_tokens=tokens)
    assert figures(run(folder, encoder, passage_tokens=tokens, rebuild=True)) == {"added": 2, "embedded": 2}
    with Reader.open(folder.parent / "index") as store:
        store.require_encoder(encoder.identity)
        assert store.vectors(store.ids().tolist()).shape == (2, encoder.dimension)
        found = Vectors.load(store, folder.parent / "index").search(encoder.encode(["cars"])[0], 9)
        assert {i for i, _ in found} == set(store.ids().tolist())


def test_vectors_that_are_not_numbers_are_refused(folder):
    class Broken(FakeEncoder):
        def encode(self, texts):
            return super().encode(texts) * np.float32(np.nan)

    with pytest.raises(ModelError, match="not numbers"):
        run(folder, Broken())


# --- interruptions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(indexer, "BATCH", 2)


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_run_keeps_its_commits_and_the_next_one_goes_on(tmp_path):
    folder = write(tmp_path / "articles", {f"{i}.txt": f"{i} {CARS}" for i in range(10)})
    with pytest.raises(KeyboardInterrupt):
        run(folder, Interrupted(call=4))
    assert len(content(folder)) == 6
    assert figures(run(folder)) == {"added": 4, "unchanged": 6, "embedded": 4}
    assert content(folder) == files(folder)


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_rebuild_leaves_the_old_index(tmp_path):
    folder = write(tmp_path / "articles", {f"{i}.txt": f"{i} {CARS}" for i in range(10)})
    run(folder)
    expected = content(folder)
    write(folder, {"3.txt": TRAINS})
    with pytest.raises(KeyboardInterrupt):
        run(folder, Interrupted(call=4), rebuild=True)
    assert content(folder) == expected


@pytest.mark.usefixtures("small_batches")
def test_readers_see_the_old_index_until_a_rebuild_is_done(tmp_path):
    folder = write(tmp_path / "articles", {f"{i}.txt": f"{i} {CARS}" for i in range(6)})
    run(folder)
    with Reader.open(tmp_path / "index") as reader:
        old = Vectors.load(reader, tmp_path / "index")
        ids = reader.ids().tolist()
        run(folder, rebuild=True, progress=lambda *_: old.is_current(reader) or 1 / 0)
        assert reader.passages(ids) == {}  # never another passage under an old id
        assert len(old.refreshed(reader)) == 6


@pytest.mark.usefixtures("small_batches")
def test_progress_counts_each_file_once_and_ends_at_the_total(tmp_path):
    folder = write(tmp_path / "articles", {**{f"{i}.txt": f"{i} {CARS}" for i in range(5)}, "empty.txt": ""})
    for _ in range(2):
        told: list[tuple[int, int, int]] = []
        summary = run(folder, progress=lambda *now, told=told: told.append(now))
        assert sorted({(done, total) for done, total, _ in told} - {(0, 6)}) == [(i, 6) for i in range(1, 7)]
        assert told == sorted(told)
        assert told[-1][2] == summary.embedded


def test_what_became_of_each_document_is_told_once(folder):
    told = []
    run(folder, told=lambda *one: told.append(one))
    (folder / "sub/ships.txt").rename(folder / "harbour.txt")
    write(folder, {"cars.txt": TRAINS, "new.txt": SHIPS + CARS}, age=50)
    run(folder, told=lambda *one: told.append(one))
    (folder / "new.txt").unlink()
    run(folder, told=lambda *one: told.append(one))
    assert told == [
        ("added", "cars.txt"),
        ("added", "sub/ships.txt"),
        ("changed", "cars.txt"),
        ("added", "new.txt"),
        ("renamed", "harbour.txt"),
        ("removed", "new.txt"),
    ]


def test_two_runs_at_once_are_one_run_and_one_clear_error(folder, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.1)
    with Writer.open(folder.parent / "index"), pytest.raises(StoreError, match="another `rag index`"):
        run(folder)


# --- the text that is embedded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "expected"), [("Cars", "Cars\nMore were sold."), ("More were", "More were sold."), ("", "More were sold.")]
)
def test_the_heading_is_embedded_unless_the_text_begins_with_it(heading, expected):
    document = Document("a.txt", "So. More were sold.", "t", None, "0")
    assert Passage(document, 0, 4, 19, heading).headed == expected
