"""The formats by their suffixes, the limits on reading a file, and what a reader returns (Content, Member)."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

from rag.errors import CorpusError
from rag.files.decoding import CONTROL, clean
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10  # one article may take this many seconds of computing
MEMORY = 512 * 2**20  # a parser may take this many bytes of address space
MAX_EXPANSION = 100  # a file may unpack to this many times its size on disk; text rarely packs better than 10:1
EXPANSION_FREE = 1_000_000  # what unpacks to no more bytes than this may grow at any rate
MAX_ENTRIES = 50_000  # an archive may hold this many files
MAX_TITLE = 300  # characters; a longer title is taken for text
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))))  # on Windows

TEXT = (".txt", ".md", ".markdown")  # read in this process; every other format is parsed in a process of its own
CONTAINERS = (".zip", ".mbox", ".csv", ".tsv", ".jsonl", ".ndjson")  # one file holds many articles, which are read one by one
MAX_BYTES = {
    **dict.fromkeys(TEXT, 20_000_000),
    **dict.fromkeys((".html", ".htm", ".xhtml"), 3_000_000),  # trafilatura takes 2 s and 50 MB of memory a megabyte
    **dict.fromkeys((".pdf", ".docx", ".epub"), 100_000_000),  # most of such a file is pictures
    **dict.fromkeys((".rtf", ".eml"), 50_000_000),
    **dict.fromkeys(CONTAINERS, 4_000_000_000),
}


class Content(NamedTuple):
    """What an article says; ``published`` is an ISO date."""

    text: str
    title: str
    published: str | None


class Member(NamedTuple):
    """One article of a container; ``load`` returns its bytes or raises :class:`CorpusError`, ``suffix`` names its format."""

    name: str
    load: Callable[[], bytes]
    suffix: str

    @classmethod
    def refused(cls, name: str, reason: str) -> Self:
        """Return a member that cannot be read: its ``load`` raises the reason."""
        return cls(name, partial(_refuse, reason), "")


def _refuse(reason: str) -> NoReturn:
    raise CorpusError(reason)


def suffix_of(name: str) -> str:
    """Return the suffix that names a file's format.

    :raises CorpusError: the format cannot be read.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in MAX_BYTES:
        raise CorpusError(f"not a supported format ({', '.join(MAX_BYTES)}); convert it or move it away")
    return suffix


def check_size(suffix: str, size: int) -> None:
    """Check that a file of ``size`` bytes is not too long for its format.

    :raises CorpusError: it is too long.
    """
    if size > (most := MAX_BYTES[suffix]):
        raise CorpusError(f"{size / 1e6:,.0f} MB, more than {most // 10**6:,} for {suffix}; split it, or save the text alone")


def check_expansion(packed: int, unpacked: int) -> None:
    """Check that what unpacks from ``packed`` to ``unpacked`` bytes does not grow as only a zip bomb does.

    :raises CorpusError: it does.
    """
    if unpacked > EXPANSION_FREE and unpacked > MAX_EXPANSION * packed:
        raise CorpusError(f"{packed:,} bytes that unpack to {unpacked:,}, more than {MAX_EXPANSION} to 1; move it away")


def titled(text: str, title: str | None, published: str | None, name: str) -> Content:
    """Return the article with the title and date that its file names; what the file does not name is looked for in the text.

    The title that the file names is put above the text, unless the text begins with it.

    :raises CorpusError: there is no text.
    """
    text = clean(text)
    named = newspage.heading_text(CONTROL.sub("", title or ""))
    if not 0 < len(named) <= MAX_TITLE:
        named = ""
    if named not in text[: len(named) + 10]:
        text = f"# {named}\n\n{text}"
    return Content(text, named or newspage.find_title(text, fallback=name), published or newspage.find_date(text))
