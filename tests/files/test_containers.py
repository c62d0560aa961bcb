"""Many articles in one file: each is a document, read when its container has changed and embedded when it has itself."""

from __future__ import annotations

import io
import json
import mailbox
import zipfile
from email.message import EmailMessage

import pytest
import samples
from fakes import FakeEncoder, read_articles
from indexing import CARS, SHIPS, TRAINS, Interrupted, content, figures, run, set_age

from rag.errors import CorpusError
from rag.files.folder import Note
from rag.index import indexer
from rag.index.reader import Reader


def put(folder, name, data, *, age=60):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    set_age(path, age)
    return path


def letter(subject, body, *, date="Mon, 06 Sep 2021 15:48:00 +0500", html=""):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Date"] = (
        "Ann <ann@example.com>",
        "bob@example.com",
        subject,
        date,
    )
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="a.bin")
    return message


def told(articles):
    return {a.source: a.reason if isinstance(a, Note) else (a.title, a.published) for a in articles}


# --- what is read -------------------------------------------------------------------------------------------------------------


def test_an_archive_holds_articles_of_every_format_and_containers_but_no_archive(tmp_path):
    files = {
        "b.txt": CARS,
        "sub/a.html": f"<html><body><article><h1>Ships</h1><p>{SHIPS}</p><p>{TRAINS}</p></article></body></html>",
        "rows.csv": f"title,text\nTrains,{TRAINS.strip()}",
        "mail.eml": letter("Cars", CARS).as_bytes(),
        "inner.zip": samples.zipped({"a.txt": CARS}),
        "picture.png": b"\x89PNG",
        ".hidden.txt": CARS,
        "__MACOSX/b.txt": CARS,
        "../../up.txt": SHIPS,
        "/etc/passwd.txt": SHIPS,
        "win\\dows.txt": SHIPS,
    }
    articles = read_articles(put(tmp_path, "news.zip", samples.zipped(files)), tmp_path)
    found = told(articles)
    assert found.pop("news.zip") == ""
    assert "an archive inside an archive" in found.pop("news.zip/inner.zip")
    assert "not a supported format" in found.pop("news.zip/picture.png")
    named = ["b.txt", "etc/passwd.txt", "mail.eml", "rows.csv/1", "sub/a.html", "up.txt", "win/dows.txt"]
    assert list(found) == [f"news.zip/{name}" for name in named]
    assert {type(value) for value in found.values()} == {tuple}


def test_an_encrypted_or_broken_part_of_an_archive_is_refused_and_the_rest_is_read(tmp_path):
    data = bytearray(samples.zipped({"a.txt": CARS, "b.txt": SHIPS, "c.txt": TRAINS}, compression=zipfile.ZIP_STORED))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the first is encrypted, by its flag
    data[data.index(SHIPS.encode())] ^= 1  # the second has another checksum
    found = told(read_articles(put(tmp_path, "a.zip", bytes(data)), tmp_path))
    assert "encrypted" in found["a.zip/a.txt"]
    assert "broken in the archive" in found["a.zip/b.txt"]
    assert found["a.zip/c.txt"][1] is None


def test_of_two_parts_of_one_name_the_later_counts(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a.txt", CARS)
        archive.writestr("a.txt", SHIPS)
    document, _ = read_articles(put(tmp_path, "a.zip", buffer.getvalue()), tmp_path)
    assert document.text == SHIPS


def test_a_mail_is_read_with_who_when_and_what(tmp_path):
    (mail,) = read_articles(put(tmp_path, "a.eml", letter("Ships", SHIPS).as_bytes()), tmp_path)
    assert (mail.title, mail.published) == ("Ships", "2021-09-06")
    head = "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Mon, 06 Sep 2021 15:48:00 +0500"
    assert mail.text == f"# Ships\n\n{head}\n\n{SHIPS.strip()}"


def test_a_mail_of_html_alone_is_read_as_its_words(tmp_path):
    message = EmailMessage()
    message["Subject"] = "=?utf-8?q?Caf=C3=A9?="
    message.set_content("<p>One <b>two</b></p><ul><li>three</li></ul><script>x</script>", subtype="html")
    (mail,) = read_articles(put(tmp_path, "a.eml", message.as_bytes()), tmp_path)
    assert (mail.title, mail.text) == ("Café", "# Café\n\nOne two\n- three")


def test_a_box_of_mails_is_read_message_by_message_as_python_writes_it(tmp_path):
    box = mailbox.mbox(tmp_path / "inbox.mbox")
    for subject, body in (("Cars", f"From here on\n\nFrom Lahore.\n{CARS}"), ("Empty", ""), ("Ships", SHIPS)):
        box.add(letter(subject, body))
    box.close()
    articles = read_articles(tmp_path / "inbox.mbox", tmp_path)
    found = told(articles)
    assert found == {
        "inbox.mbox/1": ("Cars", "2021-09-06"),
        "inbox.mbox/2": "no text in it; fill it or delete it",
        "inbox.mbox/3": ("Ships", "2021-09-06"),
        "inbox.mbox": "",
    }
    assert "\nFrom here on\n\nFrom Lahore.\n" in articles[0].text


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.csv", "Headline,Body,Published At,URL"),
        ("a.csv", "body;headline;date;link"),
        ("a.tsv", "content\ttitle\tpubDate\turl"),
    ],
)
def test_a_table_is_read_row_by_row_by_the_names_of_its_columns(name, head, tmp_path):
    separator = next(sign for sign in "\t;," if sign in head)
    columns = {"h": "Cars; or so", "t": "Cars; or so", "b": CARS.strip(), "c": CARS.strip(), "p": "2021-09-06T10:00:00Z"}
    columns |= {"d": "6 September 2021", "u": "https://example.com/1", "l": "https://example.com/1"}
    row = separator.join(f'"{columns[column.strip().lower()[0]]}"' for column in head.split(separator))
    broken = separator.join('""' if column.strip().lower()[0] in "bc" else "x" for column in head.split(separator))
    articles = read_articles(put(tmp_path, name, f"\ufeff{head}\r\n{row}\r\n\r\n{broken}\r\n"), tmp_path)
    found = told(articles)
    assert found[f"{name}/1"] == ("Cars; or so", "2021-09-06")
    assert articles[0].text == f"# Cars; or so\n\n{CARS.strip()}\n\nhttps://example.com/1"
    assert found[f"{name}/3"].startswith("no text in it, in none of the columns")


def test_a_row_in_another_encoding_than_the_table_is_read_as_it_was_written(tmp_path):
    data = "title,text\nA,“é”\nB,".encode() + "L’été dernier à Orléans".encode("cp1252")
    articles = read_articles(put(tmp_path, "a.csv", data), tmp_path)
    assert [a.text for a in articles[:2]] == ["# A\n\n“é”", "# B\n\nL’été dernier à Orléans"]


def test_json_lines_are_read_line_by_line(tmp_path):
    lines = [json.dumps({"title": "Cars", "text": CARS, "date": "2021-09-06"}), "", "[1]", "{", json.dumps({"text": {"a": 1}})]
    found = told(read_articles(put(tmp_path, "a.jsonl", "\n".join(lines)), tmp_path))
    assert found["a.jsonl/1"] == ("Cars", "2021-09-06")
    assert found["a.jsonl/3"] == found["a.jsonl/4"] == "not a JSON object; mend the line or delete it"
    assert found["a.jsonl/5"].startswith("no text in it")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.zip", samples.zipped({}), "no article in it"),
        ("b.zip", b"PK", "not readable as an archive"),
        ("c.zip", samples.zipped({"a.txt": "x" * 30_000_000}), "more than 100 to 1"),
        ("a.csv", "year,cars\n1,2", "no column of articles"),
        ("b.csv", "", "no column of articles"),
        ("c.csv", "title,text\n", "no article in it"),
        ("d.csv", 'text\n"' + "x" * 21_000_000, "not readable as a table after its line"),
        ("a.mbox", "Dear all", "not a box of mails"),
        ("a.eml", "just words", "not a mail"),
        ("a.jsonl", "\n\n", "no article in it"),
    ],
)
def test_a_container_without_articles_is_refused_with_a_reason(name, data, reason, tmp_path):
    (note,) = read_articles(put(tmp_path, name, data), tmp_path)
    assert note.source == name
    assert reason in note.reason
    assert "; " in note.reason


# --- what is read again -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return put(
        tmp_path / "articles", "news.zip", samples.zipped({"a.txt": CARS, "b.txt": SHIPS, "bad.txt": "", "x.png": ""})
    ).parent


@pytest.fixture
def nothing_is_read(monkeypatch):
    def forbid():
        monkeypatch.setattr(indexer, "read_file", lambda *_: pytest.fail("read"))

    return forbid


def test_a_container_that_stays_is_not_read_again_and_what_was_refused_in_it_is_still_told(folder, nothing_is_read):
    first = run(folder)
    assert figures(first) == {"added": 2, "embedded": 2}
    assert content(folder) == {"news.zip/a.txt": CARS, "news.zip/b.txt": SHIPS}
    nothing_is_read()
    for _ in range(2):
        again = run(folder)
        assert figures(again) == {"unchanged": 2}
        assert sorted(again.skipped) == sorted(first.skipped)
        assert {source for source, _ in again.skipped} == {"news.zip/bad.txt", "news.zip/x.png"}
        set_age(folder / "news.zip", 30)  # touched


def test_of_a_container_that_changed_only_the_changed_article_is_embedded(folder):
    run(folder)
    put(folder, "news.zip", samples.zipped({"a.txt": CARS, "b.txt": TRAINS, "c.txt": ""}), age=30)
    summary = run(folder)
    assert figures(summary) == {"changed": 1, "unchanged": 1, "embedded": 1}
    assert [source for source, _ in summary.skipped] == ["news.zip/c.txt"]
    put(folder, "news.zip", samples.zipped({"b.txt": TRAINS}), age=20)
    assert figures(run(folder)) == {"removed": 1, "unchanged": 1}
    assert content(folder) == {"news.zip/b.txt": TRAINS}


def test_rows_that_move_are_not_embedded_again(folder):
    rows = [f"title{i},{i} {CARS.strip()}" for i in range(9)]
    put(folder, "rows.csv", "title,text\n" + "\n".join(rows))
    run(folder)
    put(folder, "rows.csv", "title,text\n" + "\n".join(["new,words", *rows]), age=30)
    assert figures(run(folder)) == {"added": 1, "changed": 9, "unchanged": 2, "embedded": 1}


def test_a_renamed_container_and_an_unpacked_one_embed_nothing(folder):
    run(folder)
    (folder / "news.zip").rename(folder / "old.zip")
    assert figures(run(folder)) == {"renamed": 2}
    (folder / "old.zip").unlink()
    put(folder, "x/a.txt", CARS)
    put(folder, "x/b.txt", SHIPS)
    assert figures(run(folder)) == {"renamed": 2}
    assert figures(run(folder)) == {"unchanged": 2}


def test_a_copy_beside_a_container_leaves_the_article_inside_where_it_is(folder):
    run(folder)
    put(folder, "a.txt", CARS)
    put(folder, "news.zip", samples.zipped({"a.txt": CARS, "b.txt": SHIPS}), age=30)
    assert figures(run(folder)) == {"added": 1, "unchanged": 2}
    assert sorted(content(folder)) == ["a.txt", "news.zip/a.txt", "news.zip/b.txt"]


@pytest.mark.parametrize("batch", [1, 2])
def test_an_interrupted_container_is_read_again_and_mirrors_the_file(folder, batch, monkeypatch):
    monkeypatch.setattr(indexer, "BATCH", batch)
    run(folder)
    old = (folder / "news.zip").read_bytes()
    put(folder, "news.zip", samples.zipped({f"{i}.txt": f"{i} {TRAINS}" for i in range(6)}), age=30)
    with pytest.raises(KeyboardInterrupt):
        run(folder, Interrupted(call=3))
    put(folder, "news.zip", old, age=60)  # as it was: what the interrupted run noted must not hide that
    assert "embedded" not in figures(run(folder))
    assert content(folder) == {"news.zip/a.txt": CARS, "news.zip/b.txt": SHIPS}


def test_a_container_that_breaks_or_goes_takes_its_articles_with_it(folder):
    put(folder, "cars.txt", CARS)
    run(folder)
    put(folder, "news.zip", b"PK", age=30)
    assert figures(run(folder)) == {"removed": 2, "unchanged": 1}
    put(folder, "news.zip", samples.zipped({"b.txt": SHIPS}), age=20)
    run(folder)
    (folder / "news.zip").unlink()
    assert figures(run(folder)) == {"removed": 1, "unchanged": 1}
    with Reader.open(folder.parent / "index") as store:
        assert store.noted() == {}


def test_a_refused_file_costs_nothing_until_it_changes_and_is_still_told(folder, nothing_is_read, monkeypatch):
    put(folder, "scan.pdf", samples.pdf([]))
    put(folder, "empty.txt", "")
    first = run(folder)
    assert {source for source, _ in first.skipped} == {"scan.pdf", "empty.txt", "news.zip/bad.txt", "news.zip/x.png"}
    with monkeypatch.context() as patch:
        patch.setattr(indexer, "read_file", lambda *_: pytest.fail("read"))
        assert sorted(run(folder).skipped) == sorted(first.skipped)
    put(folder, "scan.pdf", samples.pdf(["Words of an article"]), age=30)
    put(folder, "empty.txt", TRAINS, age=30)
    second = run(folder)
    assert figures(second) == {"added": 2, "unchanged": 2, "embedded": 2}
    assert {source for source, _ in second.skipped} == {"news.zip/bad.txt", "news.zip/x.png"}


def test_a_refusal_that_a_file_cannot_help_is_not_remembered(folder, monkeypatch):
    put(folder, "cars.txt", CARS)
    with monkeypatch.context() as patch:
        patch.setattr(
            "rag.files.folder.sha256_of", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
        with pytest.raises(CorpusError, match="no file can be indexed"):
            run(folder)
    assert figures(run(folder)) == {"added": 3, "embedded": 2}


def test_a_rebuild_reads_everything_again(folder):
    run(folder)
    encoder = FakeEncoder()
    assert figures(run(folder, encoder, rebuild=True)) == {"added": 2, "embedded": 2}
