"""Files -> Document: which files, their formats, titles and dates.

Plain text stays as it is but for newlines and control characters: quotes are slices of it. Markdown loses its markup and HTML
its boilerplate; both keep headings as ``## `` lines, by which ``rag.passages`` finds sections.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rag import newspage
from rag.decoding import clean, decode
from rag.errors import CorpusError
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markdown_it.token import Token

MAX_BYTES = 20_000_000
MAX_HTML_BYTES = 3_000_000  # trafilatura takes 2 s and 50 MB of memory a megabyte
HTML_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([\w.:-]{2,30})", re.IGNORECASE)

FRONT_MATTER = re.compile(r"\A---[ \t]*\n((?:[^\n]*\n){0,60}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
FRONT_MATTER_LINE = re.compile(r"^(title|date|published)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[a-zA-Z][^<>]*>", re.DOTALL)  # without \Z, unclosed comments take quadratic time

PUBLISHED_META = frozenset(
    "article:published_time og:published_time datepublished date pubdate publishdate publish-date dc.date dc.date.issued "
    "dcterms.created parsely-pub-date sailthru.date".split()
)
PUBLISHED_JSON = re.compile(r"\"datePublished\"\s*:\s*\"([^\"]{8,40})\"")


class _Content(NamedTuple):
    text: str
    title: str
    published: str | None


def find_files(folder: Path) -> list[Path]:
    """List what lies in ``folder`` and below, sorted by path, hidden files and folders left out.

    What ``read_document`` will refuse (another format, a link that leads out, a folder that cannot be listed) is listed too, so
    that it is reported and not lost.

    :raises CorpusError: ``folder`` is not a folder.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; name the folder that holds the articles")
    found: list[Path] = []
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in (*files, *links) if not name.startswith(".")]
    found += [Path(error.filename) for error in closed]
    return sorted(found, key=lambda path: path.parts)


def read_document(path: Path, folder: Path) -> Document:
    """Read one file.

    :raises CorpusError: it cannot be read, holds no text or is of another format; the message is one line.
    """
    source = source_name(path, folder)
    try:
        read = READERS.get(path.suffix.lower())
        if read is None:
            raise CorpusError(f"not a supported format ({', '.join(READERS)}); convert it or move it away")
        data = _read_bytes(path, folder)
        content = read(data, source)
    except CorpusError as error:
        raise CorpusError(f"{source}: {error}") from None
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({error.strerror or error}); check the file and its rights") from None
    return Document(source, content.text, content.title, content.published, hashlib.sha256(data).hexdigest())


def source_name(path: Path, folder: Path) -> str:
    """Give the path relative to ``folder``, with ``/``, fit for JSON: odd bytes and control characters in hexadecimal."""
    relative = Path(os.path.relpath(path, folder)).as_posix()
    readable = os.fsencode(relative).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match.group()):02x}", readable)


def _read_bytes(path: Path, folder: Path) -> bytes:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CorpusError("a link that leads out of the folder; put a copy there instead")
    if not path.is_file():
        path.stat()  # says why, if it cannot be reached
        raise CorpusError("not a regular file; put a copy of the article there instead")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise CorpusError(f"{size / 1e6:.0f} MB, more than {MAX_BYTES // 10**6}; split it into articles")
    return path.read_bytes()


def _read_text(data: bytes, source: str) -> _Content:
    text = decode(data)
    return _Content(text, newspage.find_title(text, fallback=source), newspage.find_date(text))


def _read_markdown(data: bytes, source: str) -> _Content:
    from markdown_it import MarkdownIt  # 60 ms, only for those who have Markdown

    text = decode(data)
    front: dict[str, str] = {}
    if matter := FRONT_MATTER.match(text):
        front = {key.lower(): value.strip().strip("\"'") for key, value in FRONT_MATTER_LINE.findall(matter[1])}
        text = text[matter.end() :]
    text = clean(_markdown_words(MarkdownIt("commonmark").enable("table").parse(text)))
    dated = newspage.parse_date(front.get("date") or front.get("published") or "")
    return _Content(text, front.get("title") or newspage.find_title(text, fallback=source), dated or newspage.find_date(text))


def _markdown_words(tokens: Sequence[Token]) -> str:
    """Give the words of the blocks: headings as ``# ``, list items as ``- `` and table rows as ``a | b`` lines."""
    parts: list[str] = []
    prefix, in_row = "", False
    for token in tokens:
        match token.type:
            case "heading_open":
                prefix = "#" * int(token.tag[1]) + " "
            case "list_item_open":
                prefix = f"{token.info}. " if token.info else "- "
            case "heading_close" | "list_item_close" | "tr_open":
                prefix, in_row = "", False
            case "td_open" | "th_open":
                prefix, in_row = " | " if in_row else "", True
            case _ if words := _words(token):
                gap = "" if prefix == " | " else "\n" if token.level > 1 else "\n\n"
                parts += [gap if parts else "", prefix, words]
                prefix = ""
    return "".join(parts)


def _words(token: Token) -> str:
    if token.type == "inline":
        breaks = {"softbreak": " ", "hardbreak": "\n", "html_inline": ""}
        return "".join(breaks.get(child.type, child.content) for child in token.children or ()).strip()
    return TAG.sub("", token.content).strip() if token.type == "html_block" else token.content.strip()


def _read_html(data: bytes, source: str) -> _Content:
    import trafilatura  # 300 ms, only for those who have HTML
    from trafilatura.xml import xmltotxt

    for name in ("trafilatura", "htmldate", "courlan", "justext"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong with a page, the caller reports
    if len(data) > MAX_HTML_BYTES:
        raise CorpusError(f"{len(data) / 1e6:.0f} MB of HTML, more than {MAX_HTML_BYTES // 10**6}; save the article as text")
    declared = HTML_CHARSET.search(data, 0, 4096)
    page = decode(data, declared[1].decode("ascii").lower() if declared else "utf-8")
    try:
        tree = trafilatura.load_html(page)
        dated = _declared_date(page, [element.attrib for element in tree.iter("meta", "time")]) if tree is not None else None
        article = trafilatura.bare_extraction(tree, include_comments=False, with_metadata=True) if tree is not None else None
    except Exception as error:  # a parser of foreign pages, fed with foreign pages
        raise CorpusError(f"not readable as HTML ({type(error).__name__}); save the article as text") from None
    if not isinstance(article, trafilatura.settings.Document) or article.body is None:
        raise CorpusError("no article text found; save the article as text")
    for head in article.body.iter("head"):
        head.text = f"{'#' * int((head.get('rend') or 'h2')[1:])} {head.text or ''}"
    text = re.sub(r"\n(?![-|])", "\n\n", xmltotxt(article.body, include_formatting=False))
    title = newspage.heading_text(article.title or "") or newspage.find_title(text, fallback=source)
    if title not in text[: len(title) + 10]:
        text = f"# {title}\n\n{text}"
    return _Content(clean(text), title, dated or newspage.find_date(text))


def _declared_date(page: str, attributes: Iterable[Mapping[str, str]]) -> str | None:
    """Give the date that the page's metadata state; htmldate would guess (2023-05-22 for a page that says 2023-05)."""
    values = PUBLISHED_JSON.findall(page)
    for element in attributes:
        names = {element.get(key, "").lower() for key in ("property", "name", "itemprop")}
        if names & PUBLISHED_META:
            values.append(element.get("content") or element.get("datetime") or "")
    return next((iso for value in values if (iso := newspage.parse_date(value))), None)


READERS = {".txt": _read_text, ".md": _read_markdown, ".markdown": _read_markdown, ".html": _read_html, ".htm": _read_html}
