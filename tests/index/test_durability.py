"""Kills, failing disks, damage, two writers, readers meanwhile: the index is an old or a new one, whole, or says what to run.

The short form runs with the other tests; ``make test-long`` runs the long one and notes its figures.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from fakes import FakeEncoder
from faults import server, sqlite_library
from indexing import CARS, SHIPS, TRAINS, content, edit, files, run, set_age, write

from rag.errors import CorpusError, IndexMissing, StoreError
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.schema import FILE
from rag.index.vector_file import Vectors
from rag.index.writer import Writer

LEFT = {FILE, "articles.lock", "vectors.faiss"}  # all that a run leaves behind, whatever happened before it

needs_hooks = pytest.mark.skipif(not sqlite_library(), reason="SQLite's system calls cannot be replaced here")


def amounts(short, long):
    return [pytest.param(*short, id="short"), pytest.param(*long, id="long", marks=pytest.mark.long)]


@pytest.fixture(scope="module")
def child():
    with server() as serving:
        yield serving


def update(folder, **options):
    return run(folder, FakeEncoder(16), **options)


def assert_agrees(index, *, at_least=0):
    """Check that the index is sound: each passage is found by its vector and by its words."""
    with Reader.open(index) as store:
        assert check(store) == []
        assert store.meta().generation >= at_least
        held = Vectors.load(store, index)
        assert len(held) == store.counts().passages
        for i, passage in store.passages(store.ids().tolist()).items():
            assert held.search(FakeEncoder(16).encode([passage.headed])[0], 1)[0][1] > 0.99, i
            assert i in dict(store.search_text([passage.text], top_k=99))


# --- kills -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", amounts((8,), (200,)))
def test_a_kill_at_any_moment_loses_nothing_committed_and_leaves_nothing_behind(tmp_path, child, kills, figures):
    folder, index = write(tmp_path / "articles", {f"{i}.txt": f"{i} {CARS}" for i in range(30)}), tmp_path / "index"
    update(folder)
    commits, started = 0, time.perf_counter()
    for seed in range(kills):
        process = child.begin(task="churn", folder=folder, index=index, seed=seed)
        time.sleep(random.Random(seed).uniform(0, 0.2))
        os.kill(process, signal.SIGKILL)
        acknowledged = child.said()
        commits += len(acknowledged)
        assert_agrees(index, at_least=max(acknowledged, default=0))
    update(folder, rebuild=True)
    assert content(folder) == {source: text for source, text in files(folder).items() if text}  # a kill may empty a file
    assert {path.name for path in index.iterdir()} == LEFT
    used = sum(path.stat().st_size for path in index.iterdir())
    update(folder, store_folder=tmp_path / "fresh")
    fresh = sum(path.stat().st_size for path in (tmp_path / "fresh").iterdir())
    assert used <= 2.1 * fresh
    figures("A1", f"{kills} kills -9 at random moments, {commits} commits acknowledged", "0 lost, 0 bad opens", started)
    figures("A13", f"the folder after {kills} kills and one run", f"{used / fresh:.2f} times a fresh one, nothing left over")


# What the folder holds before and after: files changed, added, renamed, touched, deleted.
BEFORE = {f"{i}.txt": f"{i} {CARS}" for i in range(8)}
AFTER = {**BEFORE, "0.txt": f"0 {TRAINS}", "1.txt": f"1 {SHIPS}", "a.txt": f"a {SHIPS}", "b.txt": f"b {TRAINS}"}
del AFTER["7.txt"]
AFTER["new/6.txt"] = AFTER.pop("6.txt")


class Case:
    """A folder that has changed since it was indexed, and copies of that index to try on."""

    def __init__(self, place, scenario):
        self.folder, self.index, self.kept, self.scenario = place / "articles", place / "index", place / "kept", scenario
        self.order = {"task": "index", "folder": self.folder, "index": self.index, "rebuild": scenario in ("rebuild", "mend")}
        write(self.folder, BEFORE, age=60)
        if scenario != "create":
            update(self.folder)
            if scenario == "mend":
                edit(self.index, "UPDATE documents SET text = 'other' WHERE source = '3.txt'")
            shutil.copytree(self.index, self.kept)
        shutil.rmtree(self.folder)
        write(self.folder, AFTER, age=40)
        set_age(self.folder / "2.txt", 30)

    def begin(self):
        shutil.rmtree(self.index, ignore_errors=True)
        if self.kept.exists():
            shutil.copytree(self.kept, self.index)

    def assert_old_or_new(self):
        """Check that the index answers, each file as it was or as it is, and all alike where one commit was promised."""
        if self.scenario == "create":
            try:
                Reader.open(self.index).close()
            except IndexMissing:
                return
        if self.scenario == "mend":
            with Reader.open(self.index) as store:
                sound = not check(store)
                assert store.state().keys() == (AFTER if sound else BEFORE).keys()
            if not sound:
                return
        assert_agrees(self.index)
        held = content(self.folder)
        assert all(text in (BEFORE.get(source), AFTER.get(source)) for source, text in held.items())
        if self.scenario == "rebuild":
            assert held in (BEFORE, AFTER)
        if self.scenario == "update":
            assert BEFORE.keys() & AFTER.keys() <= held.keys()

    def assert_next_run_mends(self):
        update(self.folder, rebuild=self.scenario == "mend")
        assert content(self.folder) == AFTER
        assert {path.name for path in self.index.iterdir()} == LEFT


@needs_hooks
@pytest.mark.parametrize("scenario", ["update", "rebuild", "mend", "create"])
@pytest.mark.parametrize("action", ["kill", "torn", "EIO", "ENOSPC"])
@pytest.mark.parametrize("most", amounts((3,), (10_000,)))
def test_a_kill_or_a_fault_at_any_output_leaves_the_old_or_the_new_state(tmp_path, child, action, scenario, most, figures):
    case = Case(tmp_path, scenario)
    case.begin()
    steps = child.ends(**case.order)["steps"]
    started = time.perf_counter()
    points = range(1, len(steps) + 1)
    if action == "torn":
        points = [at for at in points if steps[at - 1].startswith("write")]
    if most < len(points):
        points = sorted(random.Random(f"{action}{scenario}").sample(points, most))
    failed = 0
    for at in points:
        case.begin()
        end = child.ends(**case.order, at=at, action=action)
        if action in ("kill", "torn"):
            assert end is None, steps[at - 1]
        elif end["error"]:
            failed += 1
            assert str(case.index) in end["error"], steps[at - 1]
            assert "\n" not in end["error"]
        case.assert_old_or_new()
        case.assert_next_run_mends()
    wanted = {"kill": "A2", "torn": "A2", "EIO": "A3", "ENOSPC": "A4"}[action]
    said = "" if action in ("kill", "torn") else f", {failed} of them told as an error"
    figures(wanted, f"{action} at each of {len(points)} outputs of `{scenario}`{said}", "0 corrupt", started)


@needs_hooks
def test_what_is_published_is_synced_before_and_its_folder_after(tmp_path, child):
    case = Case(tmp_path, "mend")
    case.begin()
    steps = child.ends(**case.order)["steps"]
    published = [at for at, step in enumerate(steps) if step.startswith("replace")]
    assert [steps[at] for at in published] == ["replace articles.new", "replace vectors.tmp"]
    for at in published:
        written = steps[at].removeprefix("replace ")
        assert steps[at - 1] == f"fsync {written}"
        assert steps[at + 1] == "fsync index"


# --- readers and writers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "rebuilds"), amounts((1, 3), (60, 20)))
def test_each_answer_comes_from_one_state_of_the_index_while_it_is_rebuilt(tmp_path, child, seconds, rebuilds, figures):
    folder, stop = tmp_path / "articles", tmp_path / "stop"
    order = {"task": "read", "index": tmp_path / "index", "stop": stop}

    def publish(version):
        write(folder, {f"{i}.txt": f"The expo number {i} is of version{version}.\n" for i in range(30)}, age=1000 - version)
        update(folder, rebuild=True)

    def read_while(readers, happens):
        for reader, threads in readers.items():
            reader.begin(**order, threads=threads)
            assert reader.hear() == "reading"
        happens()
        stop.touch()
        ends = [reader.said()[-1] for reader in readers]
        stop.unlink()
        return ends

    def rebuild():
        for version in range(1, rebuilds + 1):
            publish(version)
            time.sleep(seconds / rebuilds)

    publish(0)
    with server() as other:
        (idle,) = read_while({child: 4}, lambda: time.sleep(seconds / 10))
        busy = read_while({child: 4, other: 1}, rebuild)
    assert [end["errors"] for end in busy] == [[], []]
    assert [end["mixed"] for end in busy] == [0, 0]
    assert all(end["versions"] > 1 for end in busy)
    answers = sum(end["answers"] for end in busy)
    figures("A8", f"{answers:,} searches of 5 threads in 2 processes during {rebuilds} rebuilds", "0 errors, 0 mixed")
    figures(
        "A8", "95th of 100 of those searches, idle and during the rebuilds", f"{idle['p95']:.0f} ms, {busy[0]['p95']:.0f} ms"
    )


@pytest.mark.parametrize("races", amounts((3,), (50,)))
def test_of_two_writers_at_once_the_loser_is_told_so_and_nothing_is_damaged(tmp_path, child, races, figures):
    case, hold, refused, slowest = Case(tmp_path, "update"), tmp_path / "hold", 0, 0.0
    with server() as other:
        for race in range(races):
            case.begin()
            held = race % 2 == 0
            if held:
                hold.touch()
            child.begin(**case.order, hold=hold)
            if held:
                assert child.hear() == "holding"
            started = time.perf_counter()
            second = other.ends(**case.order)
            if held:
                assert "another `rag index` is writing" in second["error"]
                slowest = max(slowest, time.perf_counter() - started)
                hold.unlink()
            first = child.said()[-1]
            errors = [end["error"] for end in (first, second) if end["error"]]
            refused += len(errors)
            assert len(errors) < 2
            assert all("another `rag index` is writing" in error for error in errors)
            case.assert_old_or_new()
            case.assert_next_run_mends()
    figures("A9", f"{races} races of two writers, {refused} refused", f"0 damaged, refused within {slowest:.1f} s")


@pytest.mark.parametrize("kills", amounts((1,), (20,)))
def test_after_a_kill_the_next_writer_succeeds_at_once(tmp_path, child, kills, figures):
    case, hold, slowest = Case(tmp_path, "update"), tmp_path / "hold", 0.0
    hold.touch()
    for _ in range(kills):
        case.begin()
        process = child.begin(**case.order, hold=hold)
        assert child.hear() == "holding"
        os.kill(process, signal.SIGKILL)
        child.said()
        started = time.perf_counter()
        case.assert_next_run_mends()
        slowest = max(slowest, time.perf_counter() - started)
    figures("A9", f"{kills} writers killed while they held the lock", f"the next one done within {slowest:.1f} s")


def test_a_read_only_index_answers_and_no_file_is_made(child, figures):
    questions = 20
    with tempfile.TemporaryDirectory() as place:  # not tmp_path, whose parents only its owner may enter
        folder = write(Path(place) / "articles", {**BEFORE, "expo.txt": f"News of the expo\n\nThe expo had 10 halls. {SHIPS}"})
        update(folder)
        before = sorted(Path(place).rglob("*"))
        for path in [*before, Path(place)]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        asked = [f"How many halls did the expo have on day {i}?" for i in range(questions)]
        end = child.ends(task="ask", index=folder.parent / "index", draft=["The expo had 10 halls."], questions=asked)
        assert sorted(Path(place).rglob("*")) == before
        for path in (Path(place), *before):
            path.chmod(0o755)
    assert len(end["cited"]) == questions
    assert all("The expo had 10 halls." in quotes for quotes in end["cited"])
    figures("A10", f"{questions} questions to an index that takes no files", f"{questions} answered, 0 files made")


# --- damage ----------------------------------------------------------------------------------------------------------------


def answers(index):
    """What the index gives for some questions: passages, places and scores; all of them, so that no tie decides."""
    with Reader.open(index) as store:
        held = Vectors.load(store, index)
        near = [held.search(vector, 99) for vector in FakeEncoder(16).encode([CARS, SHIPS, "Lahore"])]
        worded = [store.search_text([word], top_k=99) for word in ("ministry", "harbour", "lahore", "ordered")]
        return near, worded, store.passages(sorted({i for found in (*near, *worded) for i, _ in found}))


def mutated(whole, older, chance):
    """Damage the bytes of a file in one of the ways in which files are damaged."""
    at = chance.randrange(len(whole) or 1)
    page = at // 4096 * 4096
    return chance.choice(
        [
            *[whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :] if whole else b"x"] * 6,
            whole[: len(whole) * chance.choice([0, 1, 10, 50, 99]) // 100],
            whole + chance.randbytes(1000),
            whole[:page] + bytes(len(whole[page : page + 4096])) + whole[page + 4096 :],
            older,
        ]
    )


@pytest.mark.parametrize("mutations", amounts((25,), (300,)))
def test_a_damaged_file_is_refused_or_made_up_for_and_never_gives_a_wrong_answer(tmp_path, mutations, figures):
    folder, index = write(tmp_path / "articles", BEFORE), tmp_path / "index"
    update(folder)
    older = {path.name: path.read_bytes() for path in index.iterdir()}
    former = answers(index)
    shutil.rmtree(folder)
    write(folder, AFTER, age=40)
    update(folder)
    whole = {path.name: path.read_bytes() for path in index.iterdir()}
    expected, chance, refused, told, slowest = answers(index), random.Random(6), 0, 0, 0.0
    for turn in range(mutations):
        name = sorted(whole)[turn % len(whole)]
        shutil.rmtree(index)
        index.mkdir()
        damaged = mutated(whole[name], older[name], chance)
        for other, sound in whole.items():
            (index / other).write_bytes(damaged if other == name else sound)
        started = time.perf_counter()
        try:
            found = answers(index)
        except StoreError as error:
            refused += 1
            assert "\n" not in str(error)
            assert "run `rag index" in str(error)
        else:
            restored = name == FILE and damaged == older[name]  # the whole file as it was earlier: a state of its own
            if found != (former if restored else expected):
                told += 1
                with Reader.open(index) as store:
                    assert check(store), (turn, name)
        slowest = max(slowest, time.perf_counter() - started)
        update(folder, rebuild=True)
        assert content_of(index) == AFTER
    assert refused
    done = f"{mutations} damaged files: {refused} refused, {told} told by the check, the others harmless"
    figures("A6", f"{done}; each mended by a rebuild", f"0 wrong, {slowest:.1f} s at most")


def content_of(index):
    with Reader.open(index) as store:
        assert check(store) == []
        assert Vectors.problem(store, index) == ""
        return {p.document.source: p.document.text for p in store.passages(store.ids().tolist()).values()}


def test_a_reader_that_is_open_follows_when_a_damaged_index_is_rebuilt(tmp_path):
    folder, index = write(tmp_path / "articles", BEFORE), tmp_path / "index"
    update(folder)
    with Reader.open(index) as reader:
        held = Vectors.load(reader, index)
        edit(index, "UPDATE documents SET text = 'other' WHERE source = '3.txt'")
        assert check(reader)
        update(folder, rebuild=True)
        assert check(reader) == []
        assert len(held.refreshed(reader)) == len(BEFORE)


def test_a_rebuild_of_a_damaged_index_that_fails_leaves_it(tmp_path):
    folder, index = write(tmp_path / "articles", BEFORE), tmp_path / "index"
    update(folder)
    edit(index, "UPDATE documents SET text = 'other' WHERE source = '3.txt'")
    for path in folder.iterdir():
        path.write_text("")
    with pytest.raises(CorpusError, match="stays as it was"):
        update(folder, rebuild=True)
    with Reader.open(index) as store:
        assert store.state().keys() == BEFORE.keys()
    assert {path.name for path in index.iterdir()} == LEFT


def test_vectors_of_another_history_are_told_by_the_check(tmp_path):
    """The store alone is put back from a copy and goes on: ids are given again, to other passages."""
    folder, index = write(tmp_path / "articles", BEFORE), tmp_path / "index"
    update(folder)
    older = (index / FILE).read_bytes()
    update(write(folder, {"new.txt": f"new {SHIPS}"}, age=40))
    (index / FILE).write_bytes(older)
    update(write(folder, {"new.txt": f"new {TRAINS}"}, age=30))
    with Reader.open(index) as store:
        assert "--rebuild" in Vectors.problem(store, index)
    update(folder, rebuild=True)
    assert content_of(index)["new.txt"] == f"new {TRAINS}"


# --- versions, order -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("PRAGMA user_version = 99", "made by a newer version"),
        ("PRAGMA user_version = -1", "not an index of this program"),
        ("PRAGMA user_version = 0", "not an index of this program"),
        ("PRAGMA application_id = 7", "not an index of this program"),
        ("ALTER TABLE meta ADD COLUMN of_a_later_version", ""),
    ],
)
def test_an_index_of_another_version_says_what_to_run(tmp_path, sql, said):
    update(write(tmp_path / "articles", BEFORE))
    edit(tmp_path / "index", sql)
    if not said:
        assert_agrees(tmp_path / "index")
        return
    for kind in (Reader, Writer):
        with pytest.raises(StoreError, match=f"{said}.*run `rag index FOLDER --rebuild"):
            kind.open(tmp_path / "index")
    update(tmp_path / "articles", rebuild=True)
    assert_agrees(tmp_path / "index")


def test_the_order_in_which_files_were_made_changes_nothing(tmp_path):
    found = []
    for name in ("one", "two"):
        texts = list(BEFORE.items())
        random.Random(name).shuffle(texts)
        update(write(tmp_path / name / "articles", dict(texts)))
        with Reader.open(tmp_path / name / "index") as store:
            ids, held = store.ids().tolist(), Vectors.load(store, tmp_path / name / "index")
            tops = [held.search(vector, 10) for vector in FakeEncoder(16).encode([CARS, "Lahore", "3"])]
            found.append((store.passages(ids), store.vectors(ids).tobytes(), tops))
    assert found[0] == found[1]
