"""Reading a folder: every file is read or refused with a reason, as the text it was written as, with its own title and date."""

from __future__ import annotations

import codecs
import hashlib
import json
import logging
import os
from pathlib import Path

import pytest
from fakes import read_document

from rag.errors import CorpusError
from rag.files import folder
from rag.files.folder import find_files
from rag.text.newspage import find_date, find_title, parse_date
from rag.types import Document

SEEDS = Path(__file__).parents[2] / "seeds"
PARAGRAPH = "The minister said the industry would grow further next year, and that more plants were planned across the country."


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, name: str, content: str | bytes) -> Document:
    return read_document(write(folder, name, content), folder)


# --- which files --------------------------------------------------------------------------------------------------------------


def test_files_are_found_at_any_depth_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/b/c.html", ".hidden.txt", ".git/x.txt", "a/.x/y.txt"):
        write(tmp_path, name, "x")
    assert list(find_files([tmp_path])) == ["a/b/c.html", "a/z.md", "b.txt"]


def test_a_missing_folder_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder; name the folder"):
        find_files([tmp_path / "none"])


def test_a_file_of_another_format_is_found_and_refused_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "sheet.xlsx", b"PK\x03\x04")
    with pytest.raises(CorpusError, match=r"^sheet\.xlsx: not a supported format \(\.txt, \.md"):
        read_document(*find_files([tmp_path]).values(), tmp_path)


def test_links_inside_the_folder_are_read_and_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    write(outside, "secret.txt", PARAGRAPH)
    write(inside, "real.txt", PARAGRAPH)
    (inside / "again.txt").symlink_to(inside / "real.txt")
    (inside / "file.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "up.txt").symlink_to(inside)
    (inside / "dead.txt").symlink_to(inside / "nothing")
    results = {}
    for path in find_files([inside]).values():
        try:
            results[path.name] = read_document(path, inside).text
        except CorpusError as error:
            results[path.name] = str(error)
    assert results["real.txt"] == results["again.txt"] == PARAGRAPH
    assert "leads out of the folder" in results["file.txt"]
    assert "not a supported format" in results["folder"]
    assert "not a regular file" in results["up.txt"]
    assert "cannot be read (No such file" in results["dead.txt"]
    assert PARAGRAPH not in [results[name] for name in ("file.txt", "folder", "up.txt", "dead.txt")]


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(CorpusError, match="not a regular file"):
        read_document(*find_files([tmp_path]).values(), tmp_path)


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "closed")))
        return iter(())

    monkeypatch.setattr(folder.os, "walk", walk)
    assert find_files([tmp_path]) == {"closed": tmp_path / "closed"}


def test_a_file_that_vanishes_or_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CorpusError, match=r"gone\.txt: cannot be read \(No such file or directory\)"):
        read_document(tmp_path / "gone.txt", tmp_path)
    path = write(tmp_path, "a.txt", "x")
    monkeypatch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(CorpusError, match=r"a\.txt: cannot be read \(Permission denied\)"):
        read_document(path, tmp_path)


def test_a_source_name_is_relative_with_slashes_and_survives_json_and_sqlite(tmp_path: Path) -> None:
    document = read(tmp_path, "sub/کار \u0001.txt", PARAGRAPH)
    assert document.source == "sub/کار \\x01.txt"
    raw = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(raw).write_text(PARAGRAPH)
    name = read_document(Path(raw), tmp_path).source
    assert name == "caf\\xe9.txt" == json.loads(json.dumps(name, ensure_ascii=False).encode())


# --- encodings ----------------------------------------------------------------------------------------------------------------

WRITTEN = [
    ("Pakistan’s minister said “yes” – to all.", "cp1252"),
    ("L’été dernier à Orléans, la société a gagné.", "cp1252"),
    ("El presidente anunció el miércoles que la reunión con los ministros se celebrará mañana en la capital.", "latin-1"),
    ("Minister powiedział w środę, że rozmowy będą kontynuowane w przyszłym tygodniu, zwłaszcza w przemyśle.", "cp1250"),
    ("Президент заявил в среду, что переговоры будут продолжены на следующей неделе.", "cp1251"),
    ("قال وزير الخارجية يوم الأربعاء إن المحادثات ستستمر الأسبوع المقبل في العاصمة.", "cp1256"),
    ("外交部发言人周三表示，双方将于下周继续举行会谈。中国汽车出口量今年增长了百分之二十。", "gb18030"),
    ("外務省の報道官は水曜日、両国の協議が来週も続けられると述べた。自動車の輸出は今年二十パーセント増加した。", "shift_jis"),
    ("외교부 대변인은 수요일 양국이 다음 주에 회담을 계속할 것이라고 밝혔다.", "euc_kr"),
    ("Rs. 5 – “naïve” 中文 کار 😀", "utf-8"),
    ("Rs. 5 – “naïve” 中文 کار 😀", "utf-8-sig"),
    ("Rs. 5 – “naïve” 中文 کار 😀", "utf-16"),
    ("Rs. 5 – “naïve” 中文 کار 😀", "utf-32"),
    ("A text that itself holds the mark \ufffd of an older accident.", "utf-8"),
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN)
def test_text_is_read_as_it_was_written(text: str, encoding: str, tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", text.encode(encoding)).text == text


def test_big_endian_text_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", codecs.BOM_UTF16_BE + "“ja” 中".encode("utf-16-be")).text == "“ja” 中"


def test_a_few_broken_bytes_do_not_turn_utf8_into_mojibake(tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", ("“é”" * 20).encode() + b"\xe2\x80").text == "“é”" * 20 + "\ufffd"


def test_only_newlines_and_control_characters_are_changed(tmp_path: Path) -> None:
    text = "One\r\nTwo\rThree\u2028Four\x0cFive\tSix\u00a0Seven e\u0301 \ufeffEight "
    kept = "One\nTwo\nThree\nFour\nFive\tSix\u00a0Seven e\u0301 Eight "
    assert read(tmp_path, "a.txt", text * 20 + "Ni\x00ne\x07").text == kept * 20 + "Nine"


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.txt")), ids=lambda path: path.name[:3])
def test_the_users_articles_are_read_to_the_letter(path: Path) -> None:
    document = read_document(path, SEEDS)
    assert document.text == path.read_text("utf-8")
    assert document.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no text in it"),
        (b" \n\t\r\n\xc2\xa0", "no text in it"),
        (b"\xef\xbb\xbf", "no text in it"),
        (b"abc\x00def", "binary data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary data"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00", "binary data"),
        (b"\x7fELF\x02\x01\x01\x00", "binary data"),
        (b"%PDF-1.7\nplain enough", "binary data"),
        (b"\xff\xfea\x00b", "UTF-16 but is not"),
    ],
)
def test_what_is_not_text_is_refused_with_a_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=rf"^a\.txt: .*{reason}.*; \w+"):
        read(tmp_path, "a.txt", content)


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "a.txt", "")
    os.truncate(path, 21_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("read"))
    with pytest.raises(CorpusError, match=r"21 MB, more than 20 for \.txt; split it"):
        read_document(path, tmp_path)


# --- Markdown and HTML --------------------------------------------------------------------------------------------------------


def test_markdown_is_read_as_the_words_that_a_reader_sees(tmp_path: Path) -> None:
    source = f"""---
title: "Exports: a record"
date: 2023-05-04
---
Car exports
===========

Cars *rose* by **12 %**, the [bureau](https://example.com/x) said
on Thursday ![chart](c.png) &amp; `more`.

## Background

- First
- Second with <b>tags</b>

1. One

> {PARAGRAPH}

| Year | Cars |
|------|------|
| 2022 | 100  |

```
code * stays
```

<!-- a comment -->
"""
    document = read(tmp_path, "a.md", source)
    assert (document.title, document.published) == ("Exports: a record", "2023-05-04")
    assert document.text == (
        "# Car exports\n\nCars rose by 12 %, the bureau said on Thursday chart & more."
        "\n\n## Background\n- First\n- Second with tags"
        f"\n1. One\n{PARAGRAPH}\nYear | Cars\n2022 | 100\n\ncode * stays"
    )


def test_markdown_without_front_matter_is_named_by_its_heading(tmp_path: Path) -> None:
    assert read(tmp_path, "a.markdown", f"# Car *exports* rise #\n\n{PARAGRAPH}").title == "Car exports rise"


PAGE = f"""<!DOCTYPE html><html><head><meta charset="%s"><title>Car exports rise | The Daily</title>
<meta property="og:title" content="Car exports rise">%s</head><body><nav><a href="/">Home</a><a href="/s">Sports</a></nav>
<article><h1>Car exports rise</h1><p>KARACHI: {PARAGRAPH} “It is a <a href="x">record</a>,” he said.</p><h2>Background</h2>
<p>{PARAGRAPH}</p><ul><li>First point</li><li>Second point</li></ul></article>
<aside><h3>You may also like</h3><ul><li><a href="z">Oil prices go up</a></li></ul></aside><footer>Copyright</footer>
<script>alert(1)</script></body></html>"""
META = '<meta property="article:published_time" content="%s">'


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_html_is_read_as_the_article_without_the_page_around_it(encoding: str, tmp_path: Path) -> None:
    document = read(tmp_path, "a.html", (PAGE % (encoding, META % "2023-05-04T10:00:00Z")).encode(encoding))
    assert (document.title, document.published) == ("Car exports rise", "2023-05-04")
    assert document.text == (
        f"# Car exports rise\n\nKARACHI: {PARAGRAPH} “It is a record,” he said.\n\n## Background\n\n{PARAGRAPH}"
        "\n- First point\n- Second point"
    )


def test_a_html_date_is_taken_from_metadata_and_not_guessed(tmp_path: Path) -> None:
    ld = '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2022-01-31T00:00"}</script>'
    dates = [read(tmp_path, "a.htm", PAGE % ("utf-8", head)).published for head in (META % "2023-05", "", ld)]
    assert dates == [None, None, "2022-01-31"]


@pytest.mark.parametrize("page", ["<p></p>", "<html><body><script>x</script></body></html>", "<", "<!-- only -->"])
def test_html_without_an_article_is_refused_and_nothing_is_logged(
    page: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CorpusError, match=r"^a\.html: (no article text found|not readable)"):
        read(tmp_path, "a.html", page)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_html_of_more_than_three_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"4 MB, more than 3 for \.html; split it, or save the text alone"):
        read(tmp_path, "a.html", "<p>" + "word " * 800_000)


@pytest.mark.parametrize("unit", ["[", "<!--", "> ", "*a **b "])
def test_hostile_markdown_takes_no_quadratic_time(unit: str, tmp_path: Path) -> None:
    text = "words\n\n<div>\n" + unit * (40_000 // len(unit))
    assert read(tmp_path, "a.md", text).text.startswith("words")


# --- titles and dates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "title", "published"),
    [
        ("000", "At the Taizhou International Automobile Industry Expo in 2024, Pakistan’s consul…", None),
        ("001", "Pakistan invites China to establish industrial zones for electric car manufacturing", None),
        ("002", "Authorities in Pakistan have sought assistance from neighbouring China in the…", None),
        ("003", "Chinese experts to visit Pakistan for enhanced collaboration in innovation, technology", None),
        ("004", "Khusro Bakhtyar Invites Japanese Companies To Gain Foothold In Pakistani Market", "2021-09-06"),
    ],
)
def test_the_users_articles_have_the_title_and_date_that_a_reader_would_give(
    number: str, title: str, published: str | None
) -> None:
    document = read_document(next(SEEDS.glob(f"{number}*")), SEEDS)
    assert (document.title, document.published) == (title, published)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (f"Car exports rise\n\n{PARAGRAPH}", "Car exports rise"),
        (f"Why did exports rise?\n{PARAGRAPH}", "Why did exports rise?"),
        (f"Published: 6 May 2021\nhttps://example.com\nCar exports rise\n{PARAGRAPH}", "Car exports rise"),
        (f"LONDON (Reuters) - {PARAGRAPH}", "The minister said the industry would grow further next year, and that more…"),
        ("It rained in Lahore. Then the sun came out.", "It rained in Lahore."),
        ("中" * 200, "中" * 200),
        ("中" * 300, "中" * 80 + "…"),
        ("https://example.com/a", "a.txt"),
    ],
)
def test_a_title_is_the_headline_else_the_start_of_the_story_else_the_file(text: str, title: str) -> None:
    assert find_title(text, fallback="a.txt") == title


BEARS = [
    ("Car exports rise\nThe Daily, 2023-09-26, by A. Writer\n", "2023-09-26"),
    ("Mon 06th September 2021 | 03:48 PM\n", "2021-09-06"),
    ("Car exports rise\nSeptember 6, 2021\n", "2021-09-06"),
    ("Car exports rise\nUpdated: Tue, 8 June 2022 10:30:05 -0500\n", "2022-06-08"),
    ("Published in The Daily, Sept 6th, 2021\n", "2021-09-06"),
    ("ISLAMABAD, Sep 6 (Agency - 6th Sep, 2021 ) :", "2021-09-06"),
    ("WASHINGTON, May 5, 2022 (Agency) - ", "2022-05-05"),
    ("2021年9月6日\n", "2021-09-06"),
    ("Published November 20, 2025\n", "2025-11-20"),
    ("Car exports rise\nPublished 20/11/2025\n", "2025-11-20"),
    ("Car exports rise\n11/20/2025\n", "2025-11-20"),
    ("Car exports rise\n20.11.2025\n", "2025-11-20"),
]
BEARS_NONE = [
    "The attack of September 11, 2001\n",
    "September 11, 2001 attacks\n",
    "The court issued its ruling on May 3, 2021\n",
    "He was born on 16 December 1949, in Lahore, and ",
    "September 2021\n",
    "Published: 30 February 2021\n",
    "Published: 6/9/2021\n",
    "Car exports rise\nSep 6\n",
    "KARACHI, Nov 20 (Agency) - ",
    "Car exports rise\n1.20.11.2025\n",
]


@pytest.mark.parametrize(("top", "date"), BEARS)
def test_a_date_that_the_article_bears_is_found(top: str, date: str) -> None:
    assert find_date(top + PARAGRAPH) == date


@pytest.mark.parametrize("top", BEARS_NONE)
def test_a_date_of_the_story_an_incomplete_or_an_impossible_one_is_not_taken(top: str) -> None:
    assert find_date(top + PARAGRAPH) is None


def test_a_date_line_far_below_the_top_belongs_to_something_else() -> None:
    assert find_date(f"{PARAGRAPH}\n" * 8 + "6 May 2021") is None


@pytest.mark.parametrize(
    ("top", "end", "date"),
    [
        ("KARACHI: ", "Published in The Paper, November 20th, 2025", "2025-11-20"),
        ("", "Copyright The Paper\nFirst published on 20 November 2025.", "2025-11-20"),
        ("KARACHI, Nov 20 (Agency) - ", "https://paper.example/2025/11/20/exports", "2025-11-20"),
        ("KARACHI, 20 Nov (Agency) - ", "It rained in Lahore on November 20, 2025, too.", "2025-11-20"),
        ("KARACHI, Nov 20 (Agency) - ", "It rained on November 19, 2025.", None),
        ("KARACHI, Nov 20 (Agency) - ", "It rained on November 20, 2024, and on November 20, 2025.", None),
        ("", "The report was published on 20 November 2025.", None),
        ("", "Published in The Paper, last November", None),
    ],
)
def test_a_date_at_the_end_or_a_day_without_its_year_is_the_articles(top: str, end: str, date: str | None) -> None:
    assert find_date(f"{top}{PARAGRAPH}\n\n{PARAGRAPH * 6}\n{end}") == date


def test_a_full_date_is_parsed_from_a_timestamp() -> None:
    assert parse_date("2023-05-04T10:00:00+05:00") == "2023-05-04"
    assert parse_date("2023-05") is None
