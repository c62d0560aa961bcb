"""Reads Word documents (.docx), books (.epub) and rich text (.rtf)."""

from __future__ import annotations

import io
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rag.errors import CorpusError
from rag.files.archives import open_archive, read_entry
from rag.files.formats import Content, titled
from rag.files.markup import decode_markup, html_words, lay_out, parse_xml
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile

    from lxml.etree import _Element as Element

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how encrypted documents of Word begin, and those of the old format
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # repeats words for old programs
NOTES = ("word/footnotes.xml", "word/endnotes.xml")
HEADING_STYLE = re.compile(r"heading ?([1-6])", re.IGNORECASE)

RTF_DATE = re.compile(r"\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
RTF_TITLE = re.compile(r"\{\\title ([^{}]{1,600})\}")


def read_docx(data: bytes, name: str) -> Content:
    """Read a Word document: paragraphs, headings and tables, then footnotes.

    Without a date in its text, it is dated by its making.
    """
    if data.startswith(OLE):
        raise CorpusError("encrypted, or of the old .doc format; save it as .docx without a password")
    archive = open_archive(io.BytesIO(data))
    names = archive.namelist()
    parts = [read_entry(archive, part) for part in (_main_part(archive), *NOTES) if part in names or part not in NOTES]
    text = lay_out(line for part in parts for line in _docx_lines(parse_xml(part)))
    core = parse_xml(read_entry(archive, "docProps/core.xml")) if "docProps/core.xml" in names else None
    created = newspage.parse_date(_first(core, "created")[:10])
    return titled(text, _first(core, "title"), newspage.find_date(text) or created, name)


def _main_part(archive: ZipFile) -> str:
    relations = parse_xml(read_entry(archive, "_rels/.rels"))
    targets = (one.get("Target", "") for one in relations if one.get("Type", "").endswith("/officeDocument"))
    return next(targets, "word/document.xml").lstrip("/")


def _docx_lines(root: Element) -> Iterator[str]:
    for tag in (FALLBACK, f"{W}del", f"{W}moveFrom"):
        for element in list(root.iter(tag)):
            if (parent := element.getparent()) is not None:
                parent.remove(element)
    row: Element | None = None
    cells: list[str] = []
    for paragraph in root.iter(f"{W}p"):
        text = _paragraph_text(paragraph)
        own_row = next(paragraph.iterancestors(f"{W}tr"), None)
        if own_row is not row and cells:
            yield " | ".join(cells)
            cells.clear()
        row = own_row
        if row is not None:
            cells += [text] if text else []
        elif text:
            yield _docx_prefix(paragraph) + text
    if cells:
        yield " | ".join(cells)


def _paragraph_text(paragraph: Element) -> str:
    words = []
    for element in paragraph.iter(f"{W}t", f"{W}tab", f"{W}br", f"{W}cr", f"{W}noBreakHyphen"):
        if next(element.iterancestors(f"{W}p")) is paragraph:  # and not a paragraph in a text box that hangs on it
            words.append({f"{W}t": element.text or "", f"{W}noBreakHyphen": "-"}.get(element.tag, " "))
    return " ".join("".join(words).split())


def _docx_prefix(paragraph: Element) -> str:
    style = paragraph.find(f"{W}pPr/{W}pStyle")
    named = style.get(f"{W}val", "") if style is not None else ""
    if found := HEADING_STYLE.fullmatch(named):
        return f"{'#' * int(found[1])} "
    if named == "Title":
        return "# "
    return "- " if paragraph.find(f"{W}pPr/{W}numPr") is not None or named.startswith("List") else ""


def read_epub(data: bytes, name: str) -> Content:
    """Read a book with its chapters in reading order."""
    archive = open_archive(io.BytesIO(data))
    if "META-INF/rights.xml" in archive.namelist():
        raise CorpusError("encrypted; put a copy without copy protection there instead")
    container = parse_xml(read_entry(archive, "META-INF/container.xml"))
    package_path = next((path for one in container.iter("{*}rootfile") if (path := one.get("full-path"))), "")
    package = parse_xml(read_entry(archive, package_path))
    files = {item.get("id"): item.get("href") or "" for item in package.iter("{*}item")}
    chapters = [files.get(item.get("idref"), "") for item in package.iter("{*}itemref")]
    paths = [posixpath.normpath(posixpath.join(posixpath.dirname(package_path), unquote(path))) for path in chapters if path]
    texts = (html_words(decode_markup(read_entry(archive, path))) for path in paths)
    dated = newspage.parse_date(_first(package, "date")[:10])
    return titled("\n\n".join(filter(None, texts)), _first(package, "title"), dated, name)


def _first(root: Element | None, tag: str) -> str:
    """Return the text of the first element of that name in any namespace, empty without one."""
    return next((element.text or "" for element in root.iter(f"{{*}}{tag}")), "") if root is not None else ""


def read_rtf(data: bytes, name: str) -> Content:
    """Read rich text."""
    from striprtf.striprtf import rtf_to_text

    source = data.decode("latin-1")
    if not source.lstrip().startswith("{\\rtf"):
        raise CorpusError("not rich text, whatever its name says; save it again, or as text")
    text = lay_out(filter(None, (line.strip() for line in rtf_to_text(source, errors="replace").splitlines())))
    title, made = RTF_TITLE.search(source), RTF_DATE.search(source)
    created = newspage.parse_date("{}-{:0>2}-{:0>2}".format(*made.groups())) if made else None
    named = rtf_to_text(f"{{\\rtf1 {title[1]}}}", errors="replace") if title else ""
    return titled(text, named, newspage.find_date(text) or created, name)
