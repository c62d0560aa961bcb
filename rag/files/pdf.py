"""Reads PDF files: takes the words of each page and joins its lines into paragraphs again."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.formats import Content, titled
from rag.files.markup import lay_out, parse_xml
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_TITLE = re.compile(r"untitled.*|microsoft \w+.*|.*\.(?:docx?|pdf|indd|qxp|rtf|txt|html?|tex)", re.IGNORECASE)
PDF_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")
XMP = re.compile(rb"<x:xmpmeta\b.{1,100000}?</x:xmpmeta>", re.DOTALL)
ITEM = re.compile(r"(?:[-*•·▪–]|\(?\d{1,3}[.)])\s")
HYPHEN = "\ufffe"  # PDFium puts it where it joined a word that a line's end had cut
FULL_LINE = 0.75  # a line shorter than this share of the width ends its paragraph
FURNITURE_PAGES = 3  # a first or last line that at least so many pages share, and most of them, belongs to the paper


def read_pdf(data: bytes, name: str) -> Content:
    """Read a PDF. Without a date in its text, it is dated by its making."""
    from pypdfium2 import PdfDocument, PdfiumError  # 3 MB, and PDFium is what Chromium reads PDF with

    try:
        with PdfDocument(data) as document:
            information = document.get_metadata_dict()
            pages = [_lines(page.get_textpage().get_text_range()) for page in document]
    except PdfiumError as error:
        if "password" in str(error).lower():
            raise CorpusError("encrypted; save a copy without a password") from None
        raise CorpusError(
            f"not readable as PDF ({str(error).rstrip('.')}); print it to PDF again, or save it as text"
        ) from None
    if not any(pages):
        raise CorpusError("no text in it, only pictures of pages; have the text recognised (OCR) first")
    text = lay_out(_paragraphs([line for page in _without_furniture(pages) for line in page]))
    title, made = _described(data)
    title = information.get("Title") or title
    if found := PDF_DATE.match(information.get("CreationDate", "")):
        made = "-".join(found.groups())
    return titled(text, "" if NO_TITLE.fullmatch(title) else title, newspage.find_date(text) or newspage.parse_date(made), name)


def _described(data: bytes) -> tuple[str, str]:
    """Return title and date of the XMP metadata, which lies uncompressed in the file so that any program can find it."""
    if not (found := XMP.search(data)):
        return "", ""
    try:
        root = parse_xml(found[0])
    except CorpusError:
        return "", ""
    titles = (words for element in root.iter("{http://purl.org/dc/elements/1.1/}title") for words in element.itertext())
    dates = (element.text or "" for element in root.iter("{http://ns.adobe.com/xap/1.0/}CreateDate"))
    return next((title for title in titles if title.strip()), ""), next(dates, "")[:10]


def _lines(page: str) -> list[str]:
    return [line for raw in page.splitlines() if (line := " ".join(raw.split()))]


def _without_furniture(pages: Sequence[list[str]]) -> Iterator[list[str]]:
    """Yield the pages without running titles and page numbers: first and last lines that most pages share, numbers aside."""
    edges = Counter(line for page in pages for line in {_alike(line) for line in page[:1] + page[-1:]})
    common = {line for line, count in edges.items() if count >= FURNITURE_PAGES and 2 * count > len(pages)}
    for page in pages:
        start = bool(page) and _alike(page[0]) in common
        end = len(page) > start and _alike(page[-1]) in common
        yield page[start : len(page) - end]


def _alike(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    widths = sorted(map(len, lines))
    full = FULL_LINE * widths[len(widths) * 9 // 10] if widths else 0
    joined = list(lines[:1])
    for previous, line in pairwise(lines):
        if not ITEM.match(line) and (len(previous) >= full or line[0].islower()):
            joined[-1] += ("" if joined[-1].endswith(HYPHEN) else " ") + line
        else:
            joined.append(line)
    compounds = {word for line in lines for word in re.findall(r"\w+-\w+", line)}
    return [re.sub(rf"(\w*){HYPHEN}(\w*)", lambda cut: _uncut(cut[1], cut[2], compounds), paragraph) for paragraph in joined]


def _uncut(start: str, end: str, compounds: set[str]) -> str:
    """Return the word without the hyphen, unless the article spells it with one elsewhere."""
    compound = f"{start}-{end}"
    return compound if compound in compounds else start + end
