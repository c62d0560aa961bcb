"""The articles behind an index: listed as they stand, added under names of our own, left out, updated in the background."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from pathlib import Path

import pytest
from browsing import SmallEncoder, indexed
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from rag.errors import CorpusError, UsageError
from rag.files.folder import IGNORE, find_files
from rag.index import file_state
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.index.schema import FILE
from rag.index.writer import Writer
from rag.web import library as library_module
from rag.web.library import ADDED, Library, Standing, _pattern

OLD = 1_700_000_000_000_000_000  # nanoseconds: a modification time that an index trusts


class Held(SmallEncoder):
    """Embeds only when it may, and fails when told to."""

    def __init__(self, error=None):
        super().__init__()
        self.may, self.begun, self.error = threading.Event(), threading.Event(), error

    def encode(self, texts):
        self.begun.set()
        assert self.may.wait(10)
        if self.error:
            raise self.error
        return super().encode(texts)


@pytest.fixture
def index(tmp_path):
    index = indexed(tmp_path, expo="2024-09-06\nThe expo had 2,500 exhibits.", mega="Mega Motors opened a plant in Lahore.")
    return index


@pytest.fixture
def home(index):
    return index.parent / "articles"


@pytest.fixture
def library(index):
    library = Library(index, SmallEncoder)
    yield library
    library.close()


def updated(library):
    assert library.start_update()
    return ended(library)


def ended(library):
    """Wait for the update to end; the loop sleeps, or else it takes the time that the update needs."""
    deadline = time.monotonic() + 20
    while library.state.running:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return library.state


def sent(tmp_path, content, name="sent"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def standings(library, **asked):
    return {article.source: article.standing for article in library.articles(**asked)}


def test_each_article_is_listed_with_what_has_become_of_its_file(library, home):
    assert standings(library) == {"expo.txt": Standing.INDEXED, "mega.txt": Standing.INDEXED}
    (home / "expo.txt").write_text("Something else.", encoding="utf-8")
    (home / "mega.txt").unlink()
    (home / "new.txt").write_text("New.", encoding="utf-8")
    assert standings(library) == {
        "expo.txt": Standing.CHANGED,
        "mega.txt": Standing.MISSING,
        "new.txt": Standing.NEW,
    }


def test_a_file_that_was_only_touched_has_not_changed(library, home):
    os.utime(home / "expo.txt", ns=(OLD, OLD))
    assert standings(library)["expo.txt"] is Standing.INDEXED


def test_a_file_of_many_articles_stands_for_each_of_them(library, home):
    (home / "rows.csv").write_text("title,text\nOne,First text.\nTwo,Second text.\n", encoding="utf-8")
    updated(library)
    (home / "rows.csv").write_text("title,text\nOne,First text.\nTwo,Other text.\n", encoding="utf-8")
    rows = {source: standing for source, standing in standings(library).items() if source.startswith("rows.csv")}
    assert rows == {"rows.csv/1": Standing.CHANGED, "rows.csv/2": Standing.CHANGED}
    with pytest.raises(UsageError, match=r"lies in rows\.csv; remove that"):
        library.remove("rows.csv/1")


def test_a_file_that_cannot_be_indexed_is_listed_with_the_reason(library, home):
    (home / "picture.png").write_bytes(b"\x89PNG")
    updated(library)
    (refused,) = [article for article in library.articles() if article.source == "picture.png"]
    assert refused.standing is Standing.REFUSED
    assert refused.reason


def test_without_the_folder_the_articles_are_listed_and_none_is_said_to_be_gone(library, home):
    home.rename(home.with_name("elsewhere"))
    assert standings(library) == {"expo.txt": Standing.UNKNOWN, "mega.txt": Standing.UNKNOWN}


def test_in_an_emptied_folder_every_article_is_gone(library, home):
    for path in home.iterdir():
        path.unlink()
    assert standings(library) == {"expo.txt": Standing.MISSING, "mega.txt": Standing.MISSING}


def test_where_it_is_not_known_what_to_leave_out_no_article_is_said_to_be_gone(library, home):
    (home / IGNORE).write_bytes(b"\xff")
    assert set(standings(library).values()) == {Standing.UNKNOWN}


@pytest.fixture
def both(library, home, tmp_path):
    """A library of two folders."""
    two = tmp_path / "two"
    two.mkdir()
    (two / "mega.txt").write_text("Another plant opened in Multan.", encoding="utf-8")
    options = {"encoder": SmallEncoder(), "count_tokens": SmallEncoder.count_tokens, "passage_tokens": 40}
    index_folder(home, two, store_folder=tmp_path / "both", **options)
    both = Library(tmp_path / "both", SmallEncoder)
    yield both
    both.close()


def test_with_one_of_two_folders_away_no_article_is_said_to_be_gone(both, tmp_path):
    (tmp_path / "two").rename(tmp_path / "away")
    assert set(standings(both).values()) == {Standing.UNKNOWN}


def test_of_two_folders_the_one_that_holds_the_article_leaves_it_out(both, home, tmp_path):
    both.remove("two/mega.txt")
    assert not (home / IGNORE).exists()
    assert (tmp_path / "two" / IGNORE).read_text() == "/mega.txt\n"
    assert updated(both).problem == ""
    assert sorted(standings(both)) == ["articles/expo.txt", "articles/mega.txt"]


def link_out(path):
    path.rename(path.parents[1] / "out.txt")
    path.symlink_to(path.parents[1] / "out.txt")


def link_within(path):
    path.rename(path.with_name(".kept"))
    path.symlink_to(".kept")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "standing"), [(link_out, Standing.MISSING), (link_within, Standing.INDEXED), (pipe, Standing.MISSING)]
)
def test_what_took_the_place_of_a_file_is_seen_as_an_update_will_see_it(library, home, change, standing):
    change(home / "mega.txt")
    assert standings(library)["mega.txt"] is standing


def large(path):
    with path.open("wb") as file:
        file.truncate(3_000_001)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("big.html", large, "more than 3 for .html"),
        ("out.txt", lambda path: path.symlink_to("/etc/passwd"), "leads out"),
        ("loop.txt", lambda path: path.symlink_to(path), "loop|link"),
        ("pipe.txt", os.mkfifo, "no regular file"),
    ],
)
def test_what_no_update_can_index_is_not_said_to_be_waiting_for_one(library, home, name, make, reason):
    make(home / name)
    for _ in range(2):
        (article,) = [article for article in library.articles() if article.source == name]
        assert article.standing is Standing.REFUSED
        assert re.search(reason, article.reason)
        updated(library)


def test_what_is_not_in_the_index_comes_last(library, home):
    (home / "aaa.txt").write_text("New.", encoding="utf-8")
    (home / "zzz.txt").write_text("New.", encoding="utf-8")
    assert [article.source for article in library.articles()] == ["expo.txt", "mega.txt", "aaa.txt", "zzz.txt"]


def test_files_whose_time_is_as_noted_are_not_read(library, home, monkeypatch):
    for path in home.iterdir():
        os.utime(path, ns=(OLD, OLD))
    updated(library)
    monkeypatch.setattr(file_state, "sha256_of", lambda path: pytest.fail(f"read {path}"))
    assert set(standings(library).values()) == {Standing.INDEXED}


def test_a_search_keeps_the_articles_that_hold_every_word(library):
    assert list(standings(library, words="LAHORE plant")) == ["mega.txt"]
    assert list(standings(library, words="expo")) == ["expo.txt"]
    assert not standings(library, words="lahore exhibits")
    assert list(standings(library, month="2024-09")) == ["expo.txt"]
    assert not standings(library, month="2024-10")


def test_a_search_finds_every_article_that_holds_a_common_word(library, home):
    for number in range(250):
        (home / f"{number}.txt").write_text(f"Report {number}\n\nNews of the harbour.", encoding="utf-8")
    updated(library)
    assert len(library.articles("harbour")) == 250
    assert [article.source for article in library.articles("harbour 177")] == ["177.txt"]


@pytest.mark.parametrize("words", ['"', '" OR "', "NEAR(expo", "*", "expo*", "\0", "\ud800", "-expo", "title:expo", "^expo"])
def test_words_to_search_for_are_never_query_syntax(library, words):
    assert len(library.articles(words)) < 2


def test_an_article_is_given_by_its_source(library):
    assert "Lahore" in library.document("mega.txt").text
    with pytest.raises(LookupError):
        library.document("../mega.txt")


NAMES = [
    ("../../x.txt", "x-"),
    ("/etc/passwd.txt", "passwd-"),
    ("a" * 300 + ".txt", "a" * 40 + "-"),
    ("a\u202etxt.exe.txt", "a-txt-exe-"),
    ("line\nbreak\0.txt", "line-break-"),
    ("CON.txt", "article-con-"),
    ("<img src=x>.txt", "img-src-x-"),
    ("Zeitung Ärger.txt", "zeitung-ärger-"),
    ("ＦＵＬＬ.TXT", "full-"),
    ("خبریں.txt", "خبریں-"),
]


@pytest.mark.parametrize(("given_name", "begins"), NAMES)
def test_what_is_sent_is_stored_under_a_name_of_our_own(library, home, tmp_path, given_name, begins):
    (name,), refused = library.add([(given_name, sent(tmp_path, b"A sent article."))])
    assert not refused
    assert name.startswith(begins)
    assert [path.name for path in (home / ADDED).iterdir()] == [name]
    assert (home / ADDED / name).read_bytes() == b"A sent article."
    assert sorted(path.name for path in home.iterdir()) == [ADDED, "expo.txt", "mega.txt"]


def test_equal_content_is_stored_once_and_nothing_is_overwritten(library, home, tmp_path):
    one, other = sent(tmp_path, b"One.", "one"), sent(tmp_path, b"Other.", "other")
    added = library.add([("a.txt", one), ("A.txt", one), ("a.txt", other)])
    assert len(set(added.stored)) == len(list((home / ADDED).iterdir())) == 2
    assert library.add([("another name.txt", one)]) == ([added.stored[0]], [])
    assert len(list((home / ADDED).iterdir())) == 2


def test_a_file_whose_hash_begins_like_that_of_another_is_refused_and_the_other_stays(library, home, tmp_path):
    content = b"Sent."
    (home / ADDED).mkdir()
    other = home / ADDED / f"a-{hashlib.sha256(content).hexdigest()[:8]}.txt"
    other.write_bytes(b"Other.")
    ((name, reason),) = library.add([("a.txt", sent(tmp_path, content))]).refused
    assert (name, other.read_bytes()) == ("a.txt", b"Other.")
    assert other.name in reason


def test_a_file_that_cannot_be_read_keeps_none_of_the_others_from_being_stored(library, home, tmp_path):
    files = [("a.txt", sent(tmp_path, b"A.", "a")), ("b.txt", tmp_path / "gone"), ("c.txt", sent(tmp_path, b"C.", "c"))]
    stored, refused = library.add(files)
    assert sorted(path.name for path in (home / ADDED).iterdir()) == sorted(stored)
    assert len(stored) == 2
    assert [name for name, _ in refused] == ["b.txt"]


def test_a_write_that_fails_leaves_nothing_and_says_where(library, home, tmp_path, monkeypatch):
    def full(written, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library_module, "replace_durably", full)
    ((_, reason),) = library.add([("a.txt", sent(tmp_path, b"Sent."))]).refused
    assert re.search(r"added cannot be written \(No space left on device\)", reason)
    assert list((home / ADDED).iterdir()) == []
    with pytest.raises(CorpusError, match="No space left"):
        library.remove("mega.txt")
    assert sorted(path.name for path in home.iterdir()) == [ADDED, "expo.txt", "mega.txt"]


def test_without_the_folder_nothing_can_be_stored(library, home, tmp_path):
    home.rename(home.with_name("elsewhere"))
    with pytest.raises(CorpusError, match=r"cannot be used \(No such file"):
        library.add([("a.txt", sent(tmp_path, b"Sent."))])


@pytest.fixture
def slow_disk(monkeypatch):
    """Let a moment pass between what is looked at before a file is stored and the storing."""

    def listed_slowly(folder):
        found = held(folder)
        time.sleep(0.05)
        return found

    held, replace = library_module._held, library_module.replace_durably
    monkeypatch.setattr(library_module, "_held", listed_slowly)
    monkeypatch.setattr(library_module, "replace_durably", lambda *paths: (time.sleep(0.05), replace(*paths)))


def at_once(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("slow_disk")
def test_files_sent_at_once_are_stored_once_and_no_more_than_there_is_room_for(library, home, tmp_path, monkeypatch):
    monkeypatch.setattr(library_module, "MAX_ADDED_BYTES", 20)
    same, other = sent(tmp_path, b"0123456789ab", "same"), sent(tmp_path, b"ba9876543210", "other")
    results = []
    at_once(*(lambda path=path: results.append(library.add([("a.txt", path)])) for path in (same, same, other, other)))
    assert sorted(len(result.refused) for result in results) == [0, 0, 1, 1]
    assert [path.stat().st_size for path in (home / ADDED).iterdir()] == [12]


@pytest.mark.usefixtures("slow_disk")
def test_of_two_articles_removed_at_once_both_are_left_out(library, home):
    at_once(lambda: library.remove("expo.txt"), lambda: library.remove("mega.txt"))
    assert sorted((home / IGNORE).read_text().split()) == ["/expo.txt", "/mega.txt"]


def test_what_is_too_much_or_of_no_known_format_is_refused_with_the_reason_and_the_rest_is_stored(
    library, home, tmp_path, monkeypatch
):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"Small.")
    with large.open("wb") as file:
        file.truncate(library_module.MAX_FILE_BYTES + 1)
    stored, refused = library.add([("a.exe", small), ("b.txt", large), ("c.txt", small), ("d", small)])
    assert len(stored) == 1
    assert [name for name, _ in refused] == ["a.exe", "b.txt", "d"]
    assert "larger than 20 MB" in refused[1][1]
    monkeypatch.setattr(library_module, "MAX_ADDED_BYTES", 10)
    small.write_bytes(b"Other.")
    assert "no room left" in library.add([("e.txt", small)]).refused[0][1]
    monkeypatch.setattr(library_module, "MAX_FILES", 0)
    assert "at once" in library.add([("f.txt", small)]).refused[0][1]


def test_nothing_is_stored_through_a_link(library, home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / ADDED).symlink_to(elsewhere)
    with pytest.raises(CorpusError, match="is a link"):
        library.add([("a.txt", sent(tmp_path, b"Text."))])
    assert not list(elsewhere.iterdir())


def test_an_added_article_is_deleted_and_any_other_stays_and_is_left_out(library, home, tmp_path):
    (name,), _ = library.add([("a.txt", sent(tmp_path, b"A sent article."))])
    assert updated(library).summary.added == 1
    library.remove(f"{ADDED}/{name}")
    library.remove("mega.txt")
    assert updated(library).summary.removed == 2
    assert list(standings(library)) == ["expo.txt"]
    assert not (home / ADDED / name).exists()
    assert (home / "mega.txt").exists()


def test_what_a_ragignore_said_before_stays(library, home):
    (home / IGNORE).write_bytes(b"*.tmp\r\n*.bak")
    library.remove("mega.txt")
    assert (home / IGNORE).read_bytes() == b"*.tmp\r\n*.bak\n/mega.txt\n"


def test_an_article_is_left_out_of_a_folder_that_a_link_leads_to_by_now(library, home, tmp_path):
    home.rename(tmp_path / "moved")
    home.symlink_to(tmp_path / "moved")
    library.remove("mega.txt")
    assert (tmp_path / "moved" / IGNORE).read_text() == "/mega.txt\n"


def test_a_link_among_the_added_files_is_left_out_and_what_it_leads_to_stays(library, home):
    (home / ADDED).mkdir()
    (home / ADDED / "link.txt").symlink_to(home / "mega.txt")
    library.remove(f"{ADDED}/link.txt")
    assert (home / IGNORE).read_text() == f"/{ADDED}/link.txt\n"
    assert (home / "mega.txt").exists()


HOSTILE = [
    "*.txt", "[a-z]*.txt", "!mega.txt", "#mega.txt", "q\\", "b\\ ", "tail ", "tail\t", "tail\x1f", "tail \u3000", " lead.txt",
    "a**b", "?ega.txt", "]", "{a,b}", "ünïcode 🚗.txt", "$(x)`.txt", "-rf", "**",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_with_a_hostile_name_is_left_out_and_no_other(library, home, name):
    (home / "sub").mkdir()
    for folder in (home, home / "sub"):
        (folder / name).write_text("Some text.", encoding="utf-8")
    before = find_files([home])
    (source,) = [source for source, path in before.items() if path == home / name]
    library.remove(source)
    assert find_files([home]).keys() == before.keys() - {source}


@pytest.mark.parametrize(
    "name", ["a\nmega.txt", "a\rmega.txt", "a\u2028mega.txt", "a\x85mega.txt", "mega.txt\n", "odd\udcff.txt"]
)
def test_a_name_that_breaks_the_line_is_refused_and_hides_no_other_file(library, home, name):
    (home / name).write_text("Some text.", encoding="utf-8")
    before = find_files([home])
    (source,) = [source for source, path in before.items() if path == home / name]
    with pytest.raises(UsageError, match="rename it"):
        library.remove(source)
    assert find_files([home]) == before


@pytest.mark.parametrize("source", ["nowhere.txt", "../index/articles.db", "/etc/passwd", ""])
def test_what_is_no_article_cannot_be_removed(library, source):
    with pytest.raises(UsageError):
        library.remove(source)


@given(st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1, max_size=12))
def test_a_pattern_matches_its_path_and_no_other(name):
    spec = GitIgnoreSpec.from_lines([_pattern(f"sub/{name}.txt")])
    assert spec.match_file(f"sub/{name}.txt")
    assert not spec.match_file(f"sub/{name}x.txt")
    assert not spec.match_file(f"other/{name}.txt")
    assert not spec.match_file(f"deep/sub/{name}.txt")


def test_others_read_the_last_commit_while_an_update_goes_on_and_a_second_one_waits(index, home):
    encoder = Held()
    library = Library(index, lambda: encoder)
    (home / "expo.txt").write_text("Another text now.", encoding="utf-8")
    assert library.start_update()
    assert encoder.begun.wait(5)
    assert library.state.running
    assert not library.start_update()
    with Reader.open(index) as other:
        assert "2,500" in other.embedded("expo.txt")[0][0].text
    assert "2,500" in library.document("expo.txt").text
    encoder.may.set()
    assert ended(library).summary.changed == 1
    assert "Another" in library.document("expo.txt").text
    assert updated(library).summary.unchanged == 2
    library.close()


def test_an_update_that_fails_says_why_and_the_next_one_goes_on(index, home):
    encoder = Held(error=RuntimeError("secret detail"))
    encoder.may.set()
    library = Library(index, lambda: encoder)
    (home / "new.txt").write_text("New.", encoding="utf-8")
    failed = updated(library)
    assert failed.problem.startswith("Something went wrong")
    assert "secret" not in failed.problem
    encoder.error = None
    assert updated(library).summary.added == 1
    library.close()


def test_another_writer_at_work_is_told(library, index):
    with Writer.open(index):
        assert "another" in updated(library).problem.lower()


def test_a_rebuild_by_another_process_is_followed(library, index, home):
    (home / "new.txt").write_text("New.", encoding="utf-8")
    index_folder(
        home,
        store_folder=index,
        encoder=SmallEncoder(),
        count_tokens=SmallEncoder.count_tokens,
        passage_tokens=40,
        rebuild=True,
    )
    assert standings(library)["new.txt"] is Standing.INDEXED
    assert Path(library.folders[0]) == home


def test_another_file_put_in_the_place_of_the_index_is_followed(library, index, home, tmp_path):
    (tmp_path / "other").mkdir()
    other = indexed(tmp_path / "other", ships="The harbour received ships.")
    (other / FILE).replace(index / FILE)
    assert standings(library) == {"ships.txt": Standing.INDEXED}
    assert library.folders == [tmp_path / "other" / "articles"]


def test_a_file_of_the_readers_own_in_a_folder_of_that_name_stays(library, home):
    (home / ADDED).mkdir()
    (home / ADDED / "my-notes.txt").write_text("Written before.", encoding="utf-8")
    library.remove(f"{ADDED}/my-notes.txt")
    assert (home / ADDED / "my-notes.txt").exists()
    assert f"/{ADDED}/my-notes.txt" in (home / IGNORE).read_text(encoding="utf-8")


def test_the_last_article_is_not_removed(library, home):
    (home / "mega.txt").unlink()
    with pytest.raises(UsageError, match="last article"):
        library.remove("expo.txt")
    assert (home / "expo.txt").exists()
    assert not (home / IGNORE).exists()


def test_hidden_files_of_a_folder_that_is_sent_are_refused(library, tmp_path):
    sent = tmp_path / "sent"
    sent.write_bytes(b"Text.")
    stored, refused = library.add([(".txt.txt", sent), ("...txt", sent), ("x/.hidden.txt", sent)])
    assert not stored
    assert [reason for _, reason in refused] == ["hidden; rename it"] * 3
