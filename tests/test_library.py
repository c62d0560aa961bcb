"""The articles behind an index: listed as they stand, added under names of our own, left out, updated in the background."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from browsing import SmallEncoder, indexed
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from rag import library as library_module
from rag.corpus import IGNORE
from rag.errors import CorpusError, UsageError
from rag.indexer import index_folder
from rag.library import ADDED, Library, Standing, _pattern
from rag.store import Store

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
    while library.state.running:
        pass
    return library.state


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


def test_without_the_folder_the_articles_are_listed_all_the_same(library, home):
    home.rename(home.with_name("elsewhere"))
    assert standings(library) == {"expo.txt": Standing.INDEXED, "mega.txt": Standing.INDEXED}


def test_a_search_keeps_the_articles_that_hold_every_word(library):
    assert list(standings(library, words="LAHORE plant")) == ["mega.txt"]
    assert list(standings(library, words="expo")) == ["expo.txt"]
    assert not standings(library, words="lahore exhibits")
    assert list(standings(library, month="2024-09")) == ["expo.txt"]


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
    (".txt.txt", "txt-"),
    ("CON.txt", "article-con-"),
    ("<img src=x>.txt", "img-src-x-"),
    ("...txt", "article-"),
    ("Zeitung Ärger.txt", "zeitung-ärger-"),
    ("ＦＵＬＬ.TXT", "full-"),
    ("خبریں.txt", "خبریں-"),
]


@pytest.mark.parametrize(("given_name", "begins"), NAMES)
def test_what_is_sent_is_stored_under_a_name_of_our_own(library, home, tmp_path, given_name, begins):
    sent = tmp_path / "upload"
    sent.write_bytes(b"A sent article.")
    (name,), refused = library.add([(given_name, sent)])
    assert not refused
    assert name.startswith(begins)
    assert [path.name for path in (home / ADDED).iterdir()] == [name]
    assert (home / ADDED / name).read_bytes() == b"A sent article."
    assert sorted(path.name for path in home.iterdir()) == [ADDED, "expo.txt", "mega.txt"]


def test_equal_content_is_stored_once_and_nothing_is_overwritten(library, home, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"One.")
    other.write_bytes(b"Other.")
    added = library.add([("a.txt", one), ("A.txt", one), ("a.txt", other)])
    assert len(set(added.stored)) == len(list((home / ADDED).iterdir())) == 2


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
    sent = tmp_path / "sent"
    sent.write_bytes(b"Text.")
    with pytest.raises(CorpusError, match="is a link"):
        library.add([("a.txt", sent)])
    assert not list(elsewhere.iterdir())


def test_an_added_article_is_deleted_and_any_other_stays_and_is_left_out(library, home, tmp_path):
    sent = tmp_path / "sent"
    sent.write_bytes(b"A sent article.")
    (name,), _ = library.add([("a.txt", sent)])
    assert updated(library).summary.added == 1
    library.remove(f"{ADDED}/{name}")
    library.remove("mega.txt")
    assert updated(library).summary.removed == 2
    assert list(standings(library)) == ["expo.txt"]
    assert not (home / ADDED / name).exists()
    assert (home / "mega.txt").exists()


def test_what_a_ragignore_said_before_stays(library, home):
    (home / IGNORE).write_text("*.bak", encoding="utf-8")
    library.remove("mega.txt")
    assert (home / IGNORE).read_text(encoding="utf-8") == "*.bak\n/mega.txt\n"


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
    with Store.open(index) as other:
        assert "2,500" in other.embedded("expo.txt")[0][0].text
    assert "2,500" in library.document("expo.txt").text
    encoder.may.set()
    while library.state.running:
        pass
    assert library.state.summary.changed == 1
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
    with Store.open(index, writable=True):
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
