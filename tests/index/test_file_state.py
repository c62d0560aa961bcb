"""An answer whose source has changed since it was indexed says so, and one whose source has not says nothing."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from dataclasses import replace

import pytest
import samples
from fakes import FakeEncoder, ScriptedGenerator, count_words
from indexing import run, write
from rich.console import Console

from rag.answer import assistant, refusal
from rag.answer.assistant import Assistant
from rag.cli.terminal import show_answer
from rag.index.file_state import with_states
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.report.record import answer_record
from rag.search.hybrid import HybridRetriever
from rag.types import Citation, State, Status
from rag.web import answer_html
from rag.web.conversation import Turn
from rag.web.library import Library

QUESTION = "How many exhibits did the expo in Multan have?"
SENTENCE = "The expo in Multan had 2,500 exhibits and 40 halls."
EXPO = f"News of the expo\n\n{SENTENCE} Visitors came by train from the whole province.\n"
MISSING = "the file is no longer where it was indexed"


@pytest.fixture
def folder(tmp_path):
    folder = write(tmp_path / "articles", {"news/expo.txt": EXPO, "ships.txt": "The harbour received ships with grain.\n"})
    run(folder)
    return folder


@pytest.fixture(autouse=True)
def willing(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)


def asked(folder, *, meanwhile=lambda: None):
    """Answer from the index; ``meanwhile`` happens while the generator writes."""

    class Slow(ScriptedGenerator):
        def generate(self, messages, *, max_new_tokens):
            meanwhile()
            yield from super().generate(messages, max_new_tokens=max_new_tokens)

    index, encoder = folder.parent / "index", FakeEncoder()
    store = Reader.open(index)
    generator = Slow("The expo in Multan had 2,500 exhibits.")
    with Assistant(HybridRetriever(store, index, encoder), encoder, generator, store=store, passages_read=3) as assistant:
        answer = assistant.ask(QUESTION)
    assert answer.citations
    return answer


def test_no_file_is_read_for_an_answer_that_is_refused(folder, monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 1.1)
    monkeypatch.setattr(assistant, "with_states", lambda *_: pytest.fail("looked at a file"))
    index, encoder = folder.parent / "index", FakeEncoder()
    store, generator = Reader.open(index), ScriptedGenerator("The expo in Multan had 2,500 exhibits.")
    with Assistant(HybridRetriever(store, index, encoder), encoder, generator, store=store, passages_read=3) as refusing:
        assert refusing.ask(QUESTION).status is Status.REFUSED


def states(answer):
    assert {citation.quote for citation in answer.citations} == {SENTENCE}  # the stored words, whatever became of the file
    return {citation.state for citation in answer.citations}


def edit(path):
    path.write_text(EXPO.replace("40 halls", "41 halls of glass"))


def edit_in_place(path):
    """Change one digit and keep size and modification time, as ``cp -p`` and some editors do."""
    stat = path.stat()
    path.write_text(EXPO.replace("40 halls", "41 halls"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_link_out(path):
    (path.parents[2] / "elsewhere.txt").write_text(EXPO)
    path.unlink()
    path.symlink_to(path.parents[2] / "elsewhere.txt")


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


LOSSES = {
    "deleted": lambda path: path.unlink(),
    "renamed": lambda path: path.rename(path.with_name("other.txt")),
    "its folder deleted": lambda path: shutil.rmtree(path.parent),
    "replaced by a folder": replace_by_folder,
    "replaced by a link out": replace_by_link_out,
    "replaced by a pipe": replace_by_pipe,
}
CHANGES = {
    "edited": (edit, State.CHANGED),
    "edited in place": (edit_in_place, State.CHANGED),
    **{name: (change, State.MISSING) for name, change in LOSSES.items()},
}
HARMLESS = {
    "nothing": lambda path: None,
    "touch": lambda path: os.utime(path),
    "touch into the past": lambda path: os.utime(path, (1, 1)),
    "written again": lambda path: path.write_text(EXPO),
    "copied back": lambda path: (path.unlink(), path.write_text(EXPO)),
    "another file changed": lambda path: (path.parents[1] / "ships.txt").write_text("Other."),
}


@pytest.mark.parametrize("when", ["before the question", "during the answer"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_on_a_file_that_changed_or_went_says_so(folder, change, when):
    happen, expected = CHANGES[change]
    path = folder / "news/expo.txt"
    if when == "before the question":
        happen(path)
        assert states(asked(folder)) == {expected}
    else:
        assert states(asked(folder, meanwhile=lambda: happen(path))) == {expected}


@pytest.mark.parametrize("change", HARMLESS)
def test_what_leaves_the_bytes_as_they_were_raises_no_flag(folder, change):
    HARMLESS[change](folder / "news/expo.txt")
    assert states(asked(folder)) == {State.UNCHANGED}


def test_a_file_indexed_anew_during_the_answer_is_a_changed_one(folder):
    def index_anew():
        write(folder, {"news/expo.txt": EXPO.replace("Multan", "Lahore")}, age=30)
        run(folder)

    assert states(asked(folder, meanwhile=index_anew)) == {State.CHANGED}
    assert {citation.state for citation in asked(folder).citations} == {State.UNCHANGED}


def test_an_index_without_its_folder_says_nothing_of_it(folder):
    shutil.rmtree(folder)
    answer = asked(folder)
    assert states(answer) == {State.UNKNOWN}
    assert "indexed" not in str(answer)


def test_a_folder_reached_through_a_link_is_the_folder(folder):
    folder.rename(folder.parent / "moved")
    folder.symlink_to(folder.parent / "moved")
    assert states(asked(folder)) == {State.UNCHANGED}


@pytest.mark.parametrize(
    "name", ["odd\udcff.txt", "line\nbreak.txt", "c1\x85.txt", r"back\x41slash.txt", "ünïcode 🚗.txt", "a'b\".txt"]
)
def test_a_file_with_an_odd_name_is_found_again(tmp_path, name):
    path = tmp_path / "articles" / name
    write(path.parent, {name: EXPO})
    run(path.parent)
    assert states(asked(path.parent)) == {State.UNCHANGED}
    edit(path)
    assert states(asked(path.parent)) == {State.CHANGED}
    path.unlink()
    assert states(asked(path.parent)) == {State.MISSING}


def test_the_state_stands_beside_the_source_wherever_an_answer_is_shown(folder):
    (folder / "news/expo.txt").unlink()
    answer = asked(folder)
    console = Console(width=200, record=True, file=io.StringIO())
    show_answer(console, answer)
    for shown in (str(answer), console.export_text()):
        assert f"    ({MISSING})" in shown
    assert "The file is no longer where it was indexed" in answer_html.conversation([Turn(QUESTION, answer)])
    record = json.loads(json.dumps(answer_record(answer)))
    assert {citation["state"] for citation in record["citations"]} == {"missing"}
    sound = replace(answer, citations=tuple(replace(c, state=State.UNCHANGED) for c in answer.citations))
    assert "indexed" not in str(sound) + answer_html.conversation([Turn(QUESTION, sound)])


def test_of_a_hundred_files_each_changed_one_is_flagged_and_no_other(tmp_path):
    """Every file is asked about; a third is edited, deleted, or touched only."""
    texts = {f"{i}.txt": f"The expo in Multan had {1000 + i} exhibits of kind{i}.\n" for i in range(100)}
    folder = write(tmp_path / "articles", texts)
    run(folder)
    expected, chance = {}, random.Random(5)
    for source in texts:
        expected[source] = chance.choice(list(State)[:3])
        match expected[source]:
            case State.CHANGED:
                edit(folder / source)
            case State.MISSING:
                (folder / source).unlink()
            case _:
                os.utime(folder / source)
    with Reader.open(tmp_path / "index") as store:
        known = store.state()
        cited = [Citation(source, 0, 1, "T", 1, "", None, 1.0, known[source].sha256) for source in texts]
        assert {c.source: c.state for c in with_states(cited, store)} == expected


def same_time(path, change):
    """Change a file and keep its modification time."""
    stat = path.stat()
    change(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replace_by_link_within(path):
    path.rename(path.with_name(".kept"))
    path.symlink_to(".kept")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda path: None, State.UNCHANGED),
        (os.utime, State.UNCHANGED),
        (lambda path: path.write_text(EXPO.replace("40 halls", "41 halls")), State.CHANGED),
        (lambda path: same_time(path, edit), State.CHANGED),
        (replace_by_link_within, State.UNCHANGED),
        *((change, State.MISSING) for change in LOSSES.values()),
    ],
)
def test_an_answer_the_library_and_the_next_update_see_the_same(folder, change, state):
    change(folder / "news/expo.txt")
    answer = asked(folder)
    library = Library(folder.parent / "index", FakeEncoder)
    standing = {article.source: article.standing for article in library.articles()}["news/expo.txt"]
    library.close()
    summary = run(folder)
    expected = {State.UNCHANGED: (2, 0, 0), State.CHANGED: (1, 1, 0), State.MISSING: (1, 0, 1)}[state]
    renamed = (folder / "news/other.txt").exists()
    assert states(answer) == {state}
    assert standing.note == state.note
    assert (summary.unchanged, summary.changed, summary.removed + renamed) == expected


@pytest.mark.parametrize("several", [False, True])
def test_an_article_in_a_container_is_as_fresh_as_its_container(several, tmp_path):
    one, two = write(tmp_path / "one", {"ships.txt": "Ships sail."}), tmp_path / "two"
    (two / "sub").mkdir(parents=True)
    (two / "sub/news.zip").write_bytes(samples.zipped({"a/expo.txt": EXPO}))
    folders = [two, one] if several else [two]
    options = {"store_folder": tmp_path / "index", "encoder": FakeEncoder(), "count_tokens": count_words, "passage_tokens": 40}
    index_folder(*folders, **options)
    assert states(asked(two)) == {State.UNCHANGED}
    (two / "sub/news.zip").write_bytes(samples.zipped({"a/expo.txt": EXPO, "b.txt": "more"}))
    assert states(asked(two)) == {State.CHANGED}
    index_folder(*folders, **options)
    assert states(asked(two)) == {State.UNCHANGED}
    (two / "sub/news.zip").unlink()
    assert states(asked(two)) == {State.MISSING}
