"""Which file is what, what reading one may take, and what comes of it."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

from rag.errors import CorpusError
from rag.files.decoding import CONTROL, clean
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10  # of computing that one article may take
MEMORY = 512 * 2**20  # bytes of address space
MAX_EXPANSION = 100  # times the size it has on disk, for what grows beyond a megabyte; text rarely packs better than 10:1
EXPANSION_FREE = 1_000_000
MAX_ENTRIES = 50_000  # of an archive
MAX_TITLE = 300
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))))  # on Windows

TEXT = (".txt", ".md", ".markdown")  # read as they are; for all else there is a parser, which works in a process of its own
CONTAINERS = (".zip", ".mbox", ".csv", ".tsv", ".jsonl", ".ndjson")  # many articles in one file, read one after the other
MAX_BYTES = {
    **dict.fromkeys(TEXT, 20_000_000),
    **dict.fromkeys((".html", ".htm", ".xhtml"), 3_000_000),  # trafilatura takes 2 s and 50 MB of memory a megabyte
    **dict.fromkeys((".pdf", ".docx", ".epub"), 100_000_000),  # most of it pictures
    **dict.fromkeys((".rtf", ".eml"), 50_000_000),
    **dict.fromkeys(CONTAINERS, 4_000_000_000),
}


class Content(NamedTuple):
    """What an article says; ``published`` is an ISO date."""

    text: str
    title: str
    published: str | None


class Member(NamedTuple):
    """One article of a container; ``load`` gives its bytes or raises :class:`CorpusError`, ``suffix`` is that of its format."""

    name: str
    load: Callable[[], bytes]
    suffix: str

    @classmethod
    def refused(cls, name: str, reason: str) -> Self:
        """Make one that cannot be read, and says why when it is."""
        return cls(name, partial(_refuse, reason), "")


def _refuse(reason: str) -> NoReturn:
    raise CorpusError(reason)


def suffix_of(name: str) -> str:
    """Give the suffix that names a file's format.

    :raises CorpusError: it is none that can be read.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in MAX_BYTES:
        raise CorpusError(f"not a supported format ({', '.join(MAX_BYTES)}); convert it or move it away")
    return suffix


def check_size(suffix: str, size: int) -> None:
    """Refuse a file that is too long for its format.

    :raises CorpusError: it is.
    """
    if size > (most := MAX_BYTES[suffix]):
        raise CorpusError(f"{size / 1e6:,.0f} MB, more than {most // 10**6:,} for {suffix}; split it, or save the text alone")


def check_expansion(packed: int, unpacked: int) -> None:
    """Refuse what grows as only a bomb does; both in bytes.

    :raises CorpusError: it does.
    """
    if unpacked > EXPANSION_FREE and unpacked > MAX_EXPANSION * packed:
        raise CorpusError(f"{packed:,} bytes that unpack to {unpacked:,}, more than {MAX_EXPANSION} to 1; move it away")


def titled(text: str, title: str | None, published: str | None, name: str) -> Content:
    """Put an article under the title that its file names, if it names one; what it does not name is looked for in the text.

    :raises CorpusError: there is no text.
    """
    text = clean(text)
    named = newspage.heading_text(CONTROL.sub("", title or ""))
    if not 0 < len(named) <= MAX_TITLE:
        named = ""
    if named not in text[: len(named) + 10]:
        text = f"# {named}\n\n{text}"
    return Content(text, named or newspage.find_title(text, fallback=name), published or newspage.find_date(text))
