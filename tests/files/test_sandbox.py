"""Every format is read as its article, in a process of its own that no file can break, hang or swell."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
import samples
from fakes import read_document
from samples import circular_pdf, encrypted_pdf, entity_bomb

import rag
from rag.errors import CorpusError
from rag.files.sandbox import Extractor

ROOT = Path(rag.__file__).parents[1]
PARAGRAPH = "The minister said the industry would grow further next year, and that more plants were planned across the country."
SECOND = "Exports rose by 12 % in the first half of the year, which the bureau called a record for the country's car makers."


@pytest.fixture
def read(tmp_path):
    def read(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        document = read_document(path, tmp_path)
        assert read_document(path, tmp_path) == document, "the same file gives the same text"
        return document

    return read


def wrapped(text):
    return textwrap.wrap(text, samples.WIDTH)


# --- what is read -------------------------------------------------------------------------------------------------------------


def test_a_pdf_is_read_as_paragraphs_without_running_titles_under_the_title_and_date_it_names(read):
    body = [*wrapped(PARAGRAPH), "Background", *wrapped(SECOND)]
    pages = [["The Daily, page 1", *body], ["The Daily, page 2", *wrapped(SECOND)], ["The Daily, page 3", *wrapped(PARAGRAPH)]]
    document = read("a.pdf", samples.pdf(*pages, title="Car exports rise", created="D:20230504101010+05'00'"))
    assert (document.title, document.published) == ("Car exports rise", "2023-05-04")
    assert document.text == f"# Car exports rise\n\n{PARAGRAPH}\n\nBackground\n\n{SECOND}\n\n{SECOND}\n\n{PARAGRAPH}"


def test_a_word_cut_at_the_end_of_a_pdf_line_is_whole_again_and_a_compound_keeps_its_hyphen(read):
    lines = ["A long-term plan of the bureau that was made in the spring says that the manufac-", "turing of cars is a long-"]
    text = read("a.pdf", samples.pdf([*lines, "term aim."])).text
    assert "the manufacturing of cars is a long-term aim." in text


def test_a_pdf_that_bears_a_date_is_not_dated_by_its_making_nor_named_by_its_program(read):
    lines = ["Car exports rise", "6 May 2021", *wrapped(PARAGRAPH)]
    document = read("a.pdf", samples.pdf(lines, title="Microsoft Word - draft.doc", created="D:20230504"))
    assert (document.title, document.published) == ("Car exports rise", "2021-05-06")


def test_title_and_date_of_a_pdf_may_stand_in_its_xmp(read):
    xmp = (
        b'%<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><dc:title><rdf:Alt><rdf:li>Cars'
        b"</rdf:li></rdf:Alt></dc:title><xmp:CreateDate>2020-03-04T05:06:07Z</xmp:CreateDate></rdf:Description></rdf:RDF>"
        b"</x:xmpmeta>\n"
    )
    document = read("a.pdf", samples.pdf(wrapped(PARAGRAPH), extra=xmp))
    assert (document.title, document.published) == ("Cars", "2020-03-04")


def test_a_word_document_is_read_with_its_headings_lists_and_tables(read):
    paragraphs = [("Heading 1", "Car exports"), ("Normal", PARAGRAPH), ("List Bullet", "First"), ("Heading 2", "Figures")]
    content = samples.word(
        paragraphs, title="Exports: a record", created="2023-05-04", rows=[("Year", "Cars"), ("2022", "100")]
    )
    document = read("a.docx", content)
    assert (document.title, document.published) == ("Exports: a record", "2023-05-04")
    assert document.text == (
        f"# Exports: a record\n\n# Car exports\n\n{PARAGRAPH}\n- First\n\n## Figures\nYear | Cars\n2022 | 100"
    )


def test_a_word_document_is_read_without_what_was_deleted_and_with_its_footnotes_once(read):
    spaces = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    box = "<w:p><w:r><w:t>Box</w:t></w:r></w:p>"
    main = (
        f"<w:document {spaces}><w:body><w:p><w:r><w:t>Kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:t>words.</w:t></w:r><mc:AlternateContent>"
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:p></w:body></w:document>"
    )
    files = {
        "_rels/.rels": '<R><A Type="http://x/officeDocument" Target="/word/main.xml"/></R>',
        "word/main.xml": main,
        "word/footnotes.xml": f"<w:footnotes {spaces}><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnotes>",
    }
    assert read("a.docx", samples.zipped(files)).text == "Kept words.\n\nBox\n\nA note."


def test_a_book_is_read_in_its_order_under_its_title(read):
    chapters = [f"<h1>One</h1><p>{PARAGRAPH}</p><ul><li>a <b>b</b></li></ul>", f"<script>x</script><p>{SECOND}<!-- no --></p>"]
    document = read("a.epub", samples.book(chapters, title="The Book", published="2020-02-03"))
    assert (document.title, document.published) == ("The Book", "2020-02-03")
    assert document.text == f"# The Book\n\n# One\n\n{PARAGRAPH}\n- a b\n\n{SECOND}"


def test_rich_text_is_read_with_the_title_and_date_it_names(read):
    source = rb"{\rtf1\ansi{\info{\title Caf\'e9}{\creatim\yr2021\mo9\dy6}}It \b all\b0  said \u8220?yes\u8221?.\par Then\par}"
    document = read("a.rtf", source)
    assert (document.title, document.published) == ("Café", "2021-09-06")
    assert document.text == "# Café\n\nIt all said “yes”.\n\nThen"


# --- what is refused ----------------------------------------------------------------------------------------------------------


DOCX_LIKE = {"_rels/.rels": "<R/>"}
REFUSED = {
    "scan.pdf": (samples.pdf([]), "only pictures of pages"),
    "secret.pdf": (encrypted_pdf(), "encrypted"),
    "broken.pdf": (samples.pdf(["x"])[:200], "not readable as PDF"),
    "text.pdf": (b"no PDF", "not readable as PDF"),
    "empty.pdf": (b"", "not readable as PDF"),
    "circle.pdf": (circular_pdf(), "PDF|only pictures"),
    "old.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "encrypted, or of the old .doc format"),
    "broken.docx": (samples.word([("Normal", "x")])[:300], "not readable as an archive"),
    "other.docx": (samples.zipped({"a.txt": "x"}), "nothing named _rels/.rels"),
    "tags.docx": (samples.zipped(DOCX_LIKE | {"word/document.xml": "<a><b></a>"}), "broken XML"),
    "blank.docx": (samples.word([("Normal", "")]), "no text in it"),
    "many.docx": (samples.crowded(50_001), "50,001 entries"),
    "bomb.docx": (samples.bomb(200 * 2**20, "word/document.xml", beside=["_rels/.rels"]), "more than 100 to 1"),
    "entities.docx": (samples.zipped(DOCX_LIKE | {"word/document.xml": entity_bomb()}), "no text|broken XML"),
    "drm.epub": (samples.zipped({"META-INF/rights.xml": "<x/>"}), "encrypted"),
    "empty.epub": (samples.zipped({}), "nothing named META-INF/container.xml"),
    "deep.html": (b"<div>" * 100_000 + b"x", "HTML|no article text"),
    "not.rtf": (b"plain", "not rich text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_readable_article_is_refused_within_limits_and_told_why(name, tmp_path):
    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=rf"^{name}: [^\n]*({reason})[^\n]*; \w+"):
        read_document(tmp_path / name, tmp_path)


# --- what breaks the child ----------------------------------------------------------------------------------------------------


def extracted(extractor, path, content):
    path.write_bytes(content)
    return list(extractor.extract(path, path.name))


def test_a_file_that_breaks_swells_or_hangs_is_told_why_and_the_next_one_is_read_by_another_child(tmp_path):
    slow = b"<html><body>" + b"<p>Some words of an article here, which goes on.</p>" * 50_000
    large = "<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>" + "<w:p/>" * 10_000_000
    with Extractor(seconds=1) as extractor:
        (hung,) = extracted(extractor, tmp_path / "slow.html", slow)
    with Extractor() as extractor:
        (broke,) = extracted(extractor, tmp_path / "flate.pdf", samples.flate_bomb())
        archive = samples.zipped(DOCX_LIKE | {"word/document.xml": large}, compression=zipfile.ZIP_STORED)
        (swollen,) = extracted(extractor, tmp_path / "large.docx", archive)
        (good,) = extracted(extractor, tmp_path / "good.pdf", samples.pdf(wrapped(PARAGRAPH)))
    assert hung.reason == "takes more than 1 s to read; save the article as text"
    assert broke.reason.startswith("breaks its parser, or takes too much memory; ")
    assert swollen.reason.startswith("takes more than 512 MiB of memory to read; ")
    assert good.content.text == PARAGRAPH


def test_an_archive_goes_on_behind_what_breaks_the_child_and_says_where_it_gives_up(tmp_path):
    files = {"a.txt": PARAGRAPH, "b.pdf": samples.flate_bomb(), "c.txt": SECOND}
    with Extractor() as extractor:
        found = {one.member: one for one in extracted(extractor, tmp_path / "a.zip", samples.zipped(files))}
        assert (found["a.txt"].content.text, found["c.txt"].content.text) == (PARAGRAPH, SECOND)
        assert found["b.pdf"].reason.startswith("breaks its parser")
        many = samples.zipped({f"{i}.pdf": samples.flate_bomb() for i in range(5)})
        *broke, rest = extracted(extractor, tmp_path / "b.zip", many)
    assert [one.member for one in broke] == ["0.pdf", "1.pdf", "2.pdf"]
    assert (rest.member, rest.reason) == (
        "",
        "what follows its article 3 was not read, after 3 that broke the parser; unpack it",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the child in /proc")
def test_a_child_whose_parent_is_killed_ends(tmp_path):
    (tmp_path / "a.rtf").write_bytes(rb"{\rtf1 words}")
    code = (
        "import os, sys, time; from pathlib import Path; from rag.files.sandbox import Extractor\n"
        "extractor = Extractor(); list(extractor.extract(Path(sys.argv[1]), 'a')); print(extractor._child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path / "a.rtf"], stdout=subprocess.PIPE, cwd=ROOT)
    child = Path("/proc") / parent.stdout.readline().decode().strip()
    assert child.exists()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.exists() or "Z" in (child / "stat").read_text().split()[2]


# --- who imports what ---------------------------------------------------------------------------------------------------------

OF_OURS = (f"rag.files.{name}" for name in ("worker", "pdf", "office", "webpage"))
PARSERS = ("lxml", "trafilatura", "pypdfium2", "striprtf", *OF_OURS)
MODELS = ("torch", "faiss", "transformers", "sentence_transformers", "gradio", "numpy")


def loaded(code, names):
    code += f"\nimport sys; print([name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_the_child_loads_parsers_and_no_model_library(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(f"<html><body><article><p>{PARAGRAPH}</p></article></body></html>")
    code = "import rag.files.worker; from rag.files.webpage import read_html"
    assert loaded(f"{code}; read_html(open({str(path)!r}, 'rb').read(), 'a')", MODELS) == "[]"


def test_whoever_answers_or_indexes_loads_no_parser():
    assert loaded("import rag.answer.assistant, rag.cli.app, rag.index.file_state, rag.index.indexer, ui", PARSERS) == "[]"


def test_a_parser_is_never_taken_from_the_folder_that_the_command_is_run_in(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "striprtf.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    with Extractor() as extractor:
        (one,) = extracted(extractor, tmp_path / "a.rtf", rb"{\rtf1 words}")
    assert one.content.text == "words"
