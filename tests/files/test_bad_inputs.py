"""Whatever lies in a folder, the good articles are indexed, the rest is told in one line each, and nothing outside is read."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
import zlib

import pytest
import samples
from fakes import read_articles
from indexing import CARS, SHIPS, content, run, set_age, write
from samples import circular_pdf, encrypted_pdf, entity_bomb

from rag.cli.app import run as command
from rag.errors import CorpusError
from rag.files import formats
from rag.files.folder import Note, find_files

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
ELF = b"\x7fELF\x02\x01\x01" + bytes(400)
URDU = "قال وزير الخارجية يوم الأربعاء إن المحادثات ستستمر الأسبوع المقبل في العاصمة."
CHINESE = "外交部发言人周三表示，双方将于下周继续举行会谈。中国汽车出口量今年增长了百分之二十。"
JAPANESE = "外務省の報道官は水曜日、両国の協議が来週も続けられると述べた。自動車の輸出は今年二十パーセント増加した。"
FRENCH = "L’été dernier à Orléans, la société a gagné."

# Sixty files that something is wrong with; True: its words are to be found all the same.
BAD = {
    **{f"empty{suffix}": (b"", False) for suffix in formats.MAX_BYTES},
    "spaces.txt": (b" \n\t\r\n\xc2\xa0", False),
    "mark.txt": (b"\xef\xbb\xbf", False),
    "mark16.txt": (b"\xff\xfe", False),
    "nuls.txt": (bytes(5000), False),
    "nul.txt": (b"A word\0 of it. " + b"More words. " * 40, True),
    "utf16.txt": (CARS.encode("utf-16"), True),
    "utf16be.txt": (b"\xfe\xff" + CARS.encode("utf-16-be"), True),
    "utf16-unmarked.txt": (CARS.encode("utf-16-le"), False),
    "utf32.txt": (CARS.encode("utf-32"), True),
    "utf32-unmarked.txt": (CARS.encode("utf-32-le"), False),
    "cut16.txt": (b"\xff\xfea\0b", False),
    "latin1.txt": (FRENCH.replace("’", "'").encode("latin-1"), True),
    "cp1252.txt": (FRENCH.encode("cp1252"), True),
    "gb18030.txt": (CHINESE.encode("gb18030"), True),
    "shiftjis.txt": (JAPANESE.encode("shift_jis"), True),
    "cp1256.txt": (URDU.encode("cp1256"), True),
    "broken.txt": (("“é”" * 20).encode() + b"\xe2\x80", True),
    "random.txt": (random.Random(0).randbytes(5000), False),
    "picture.txt": (PNG, False),
    "program.txt": (ELF, False),
    "archive.txt": (samples.zipped({"a": "x"}), False),
    "page.txt": (samples.pdf(["x"]), False),
    "line.txt": (b"word " * 10_000_000, False),
    "lines.txt": ((b"words" + b"\n" * 10_000) * 100, True),
    "surrogates.txt": (b"Half \xed\xa0\x80 characters \xed\xb0\x80 in a text of words.", True),
    "surrogates.jsonl": (b'{"title": "\\ud800", "text": "Half \\udc00 characters"}', True),
    "surrogates.csv": (b"title,text\n\xed\xa0\x80,words \xff of it", True),
    "picture.pdf": (PNG, False),
    "program.docx": (ELF, False),
    "text.epub": (CARS.encode(), False),
    "text.rtf": (CARS.encode(), False),
    "text.eml": (CARS.encode(), False),
    "picture.mbox": (PNG, False),
    "picture.zip": (PNG, False),
    "picture.csv": (PNG, False),
    "picture.html": (PNG, False),
    "picture.md": (PNG, False),
    "picture.png": (PNG, False),
    "script.exe": (ELF, False),
    "noname": (CARS.encode(), False),
    "unclosed.md": (b"[" * 4000, True),
    "deep.xhtml": (b"<b>" * 50_000, False),
    "cut.zip": (samples.zipped({"a.txt": CARS})[:60], False),
}
GOOD = {f"good/{i}.txt": f"{i} {CARS}" for i in range(10)}


def test_of_sixty_bad_files_each_is_indexed_or_told_in_one_line_and_every_good_one_is_indexed(tmp_path):
    assert len(BAD) == 60
    folder = write(tmp_path / "articles", GOOD)
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
        set_age(folder / name, 60)
    summary = run(folder, passage_tokens=5000)
    skipped = dict(summary.skipped)
    held = content(folder)
    assert GOOD.items() <= held.items()
    for name, (_, readable) in BAD.items():
        inside = [source for source in held if source == name or source.startswith(f"{name}/")]
        assert bool(inside) is readable, name
        assert readable or ("\n" not in skipped[name] and "; " in skipped[name]), name
    assert (held["gb18030.txt"], held["cp1256.txt"]) == (CHINESE, URDU)
    again = run(folder, passage_tokens=5000)
    assert (again.embedded, again.unchanged, sorted(again.skipped)) == (0, len(held), sorted(summary.skipped))


BOMBS = {
    "docx.docx": lambda: samples.bomb(1000 * 2**20, "word/document.xml", beside=["_rels/.rels"]),
    "text.zip": lambda: samples.bomb(300 * 2**20),
    "sheet.zip": lambda: samples.zipped({"a.docx": samples.bomb(100 * 2**20, "word/document.xml", beside=["_rels/.rels"])}),
    "nested.zip": lambda: samples.zipped({"a.zip": samples.zipped({"b.zip": samples.zipped({"c.txt": CARS})})}),
    "many.zip": lambda: samples.crowded(100_000),
    "entities.docx": lambda: samples.zipped({"_rels/.rels": "<R/>", "word/document.xml": entity_bomb()}),
    "entities.epub": lambda: samples.zipped({"META-INF/container.xml": entity_bomb()}),
    "flate.pdf": samples.flate_bomb,
    "circle.pdf": circular_pdf,
    "encrypted.pdf": encrypted_pdf,
    "scan.pdf": lambda: samples.pdf([]),
    "words.pdf": lambda: samples.pdf(
        streams=[zlib.compress(b"BT /F1 9 Tf " + b"(some words of it) Tj " * 3_000_000 + b"ET", 9)]
    ),
}


def computed():
    """Give the seconds that ended children have computed, whatever else the machine was busy with."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_ten_seconds_and_half_a_gigabyte(name, tmp_path):
    (tmp_path / name).write_bytes(BOMBS[name]())
    before = computed()
    articles = read_articles(tmp_path / name, tmp_path)
    assert computed() - before <= 10 + 2  # its imports included
    assert all(isinstance(article, Note) for article in articles)
    assert any("; " in article.reason for article in articles)


@pytest.mark.skipif(sys.platform != "linux", reason="makes files that other systems do not have")
def test_a_strange_file_system_hangs_nothing_leads_nowhere_and_every_name_survives_json(tmp_path):
    folder, outside = (
        write(tmp_path / "articles", {"real.txt": CARS}),
        write(tmp_path / "out", {"secret.txt": "SECRET " + SHIPS}),
    )
    for name, target in {
        "loop.txt": "loop.txt",
        "self": ".",
        "up": "..",
        "out.txt": outside / "secret.txt",
        "out.zip": outside / "secret.zip",
        "outside": outside,
        "again.txt": "real.txt",
        "device.txt": "/dev/zero",
        "dead.txt": "nothing",
    }.items():
        (folder / name).symlink_to(target)
    (outside / "secret.zip").write_bytes(samples.zipped({"a.txt": "SECRET"}))
    os.mkfifo(folder / "pipe.txt")
    os.mkfifo(folder / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(folder)  # the path of a socket may have 108 characters
        server.bind("socket.txt")
    os.link(folder / "real.txt", folder / "hard.txt")
    write(folder, {"Case.txt": CARS, "case.txt": SHIPS})
    deep = folder / "/".join(["d" * 60] * 6)
    write(deep, {"deep.txt": CARS})
    for raw in (b"new\nline.txt", "emoji 😀.txt".encode(), b"caf\xe9.txt", b"-rf.txt", b"<b>&amp;.txt"):
        with open(os.path.join(os.fsencode(folder), raw), "w") as file:  # noqa: PTH118, PTH123
            file.write(CARS)
    started = time.process_time()
    summary = run(folder)  # without an end, if one of them is waited for
    assert time.process_time() - started < 2
    held = content(folder)
    assert not [source for source, text in held.items() if "SECRET" in text]
    told = dict(summary.skipped)
    assert {"loop.txt", "self", "up", "out.txt", "out.zip", "outside", "device.txt", "dead.txt"} < told.keys()
    assert {"pipe.txt", "pipe.pdf", "socket.txt"} < told.keys()
    assert {"real.txt", "again.txt", "hard.txt", "Case.txt", "case.txt", "-rf.txt", "caf\\xe9.txt"} < held.keys()
    assert held.keys() | told.keys() == set(json.loads(json.dumps(sorted(held.keys() | told.keys()))))
    assert len(held) + len(told) == len(find_files([folder]))


def test_a_file_that_may_not_be_read_is_told_and_tried_again(tmp_path, monkeypatch):
    folder = write(tmp_path / "articles", {"a.txt": CARS, "b.txt": SHIPS})
    real = os.open if os.geteuid() else None
    if real is None:
        monkeypatch.setattr(
            "rag.files.folder.sha256_of",
            lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")) if path.name == "b.txt" else "0",
        )
    else:
        (folder / "b.txt").chmod(0)
    assert run(folder).skipped == (("b.txt", "cannot be read (Permission denied); check the file and its rights"),)
    monkeypatch.undo()
    (folder / "b.txt").chmod(0o644)
    assert run(folder).added == 1


def test_a_folder_that_vanishes_while_it_is_read_takes_nothing_else_with_it(tmp_path, monkeypatch):
    folder = write(tmp_path / "articles", {"a.txt": CARS, "sub/b.txt": SHIPS})
    found = find_files([folder])
    (folder / "sub/b.txt").unlink()
    (folder / "sub").rmdir()
    monkeypatch.setattr("rag.index.indexer.find_files", lambda _: found)
    summary = run(folder)
    assert summary.added == 1
    assert summary.skipped == (("sub/b.txt", "cannot be read (No such file or directory); check the file and its rights"),)


# --- what is left out ---------------------------------------------------------------------------------------------------------


def test_what_a_ragignore_names_is_left_out_as_git_would_and_the_nearest_one_decides(tmp_path):
    names = "a.txt b.md draft/c.txt x/draft/d.txt x/keep.txt x/y/e.txt x/y/keep.txt notes.txt/f.txt".split()
    folder = write(tmp_path, dict.fromkeys(names, CARS))
    assert sorted(find_files([folder])) == sorted(names)
    (folder / ".ragignore").write_text("# what is not ready\n/draft/\n*.md\ne.txt\nkeep.txt\n")
    (folder / "x/.ragignore").write_text("!keep.txt\n")
    (folder / "x/y/.ragignore").write_text("keep.txt\n")
    assert sorted(find_files([folder])) == sorted(["a.txt", "x/draft/d.txt", "x/keep.txt", "notes.txt/f.txt"])


@pytest.mark.parametrize("kind", ["link", "bytes", "pipe"])
def test_a_ragignore_that_cannot_be_read_stops_everything(kind, tmp_path):
    write(tmp_path, {"a.txt": CARS})
    if kind == "link":
        (tmp_path / ".ragignore").symlink_to("a.txt")
    elif kind == "bytes":
        (tmp_path / ".ragignore").write_bytes(b"\xff\xfe\xff")
    else:
        os.mkfifo(tmp_path / ".ragignore")
    with pytest.raises(CorpusError, match="not known what to leave out; "):
        find_files([tmp_path])


# --- several folders ----------------------------------------------------------------------------------------------------------


def test_sources_of_several_folders_begin_with_the_folders_name_and_links_between_them_are_read(tmp_path):
    one, two = write(tmp_path / "one", {"a.txt": CARS}), write(tmp_path / "two", {"a.txt": SHIPS, "sub/b.txt": "b " + SHIPS})
    (one / "link.txt").symlink_to(two / "a.txt")
    summary = run_folders(one, two)
    assert sorted(content(one)) == ["one/a.txt", "one/link.txt", "two/a.txt", "two/sub/b.txt"]
    assert summary.skipped == ()
    assert run_folders(one, two).unchanged == 4
    alone = run_folders(two)
    assert (alone.renamed, alone.removed, alone.embedded) == (2, 2, 0)
    assert sorted(content(one)) == ["a.txt", "sub/b.txt"]


def run_folders(*folders):
    from functools import partial

    from fakes import FakeEncoder, count_words

    from rag.index.indexer import index_folder

    made = partial(index_folder, encoder=FakeEncoder(), count_tokens=count_words, passage_tokens=40)
    return made(*folders, store_folder=folders[0].parent / "index")


def test_two_folders_of_one_name_are_refused_before_anything_else(tmp_path, capsys, monkeypatch):
    for name in ("x/news", "y/news"):
        write(tmp_path / name, {"a.txt": CARS})
    monkeypatch.chdir(tmp_path)
    assert command(["index", "x/news", "y/news"]) == 1
    assert "two folders are named news, and sources begin with that; rename one, or" in capsys.readouterr().err
