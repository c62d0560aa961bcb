"""Parses XML and HTML without entities, DTDs or network, so that nothing in a file reaches outside, and returns their words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.decoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml.etree import _Element as Element

DECLARED_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([\w.:-]{2,30})", re.IGNORECASE)

HEADINGS = {f"h{level}": f"{'#' * level} " for level in range(1, 7)}
BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hr li main nav ol p pre section table tbody td tfoot th thead title tr ul".split()
)
UNREAD = ("script", "style", "head", "template", "noscript", "svg", "math")


def decode_markup(data: bytes) -> str:
    """Return the text of a page, decoded as it declares.

    :raises CorpusError: the bytes are not text, or the text holds no words.
    """
    declared = DECLARED_CHARSET.search(data, 0, 4096)
    return decode(data, declared[1].decode("ascii").lower() if declared else "utf-8")


def parse_xml(data: bytes) -> Element:
    """Return the root element.

    :raises CorpusError: the bytes are not XML.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise CorpusError(f"broken XML inside ({error.msg}); save it again, or as text") from None


def html_words(page: str) -> str:
    """Return all words of a page: headings as ``# ``, list items as ``- `` and table rows as ``a | b`` lines."""
    from lxml import etree

    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    root = etree.fromstring(page.encode(), parser)
    if root is None:
        return ""
    etree.strip_elements(root, *UNREAD, with_tail=False)
    lines: list[str] = []
    words: list[str] = []
    prefix = ""

    def end_line() -> None:
        nonlocal prefix
        if line := " ".join("".join(words).split()):
            lines.append(prefix + line)
            prefix = ""
        words.clear()

    for event, element in etree.iterwalk(root, events=("start", "end")):
        cell = element.tag in ("td", "th")
        if element.tag in BLOCKS and not cell:
            end_line()
        if event == "start":
            if element.tag in BLOCKS and not cell:
                prefix = HEADINGS.get(element.tag, "- " if element.tag == "li" else prefix if element.tag == "p" else "")
            elif cell and "".join(words).strip():
                words.append(" | ")
            words.append(element.text or "")
        else:
            words.append(element.tail or "")
    end_line()
    return lay_out(lines)


def lay_out(lines: Iterable[str]) -> str:
    """Join lines to a text: a blank line stands before each paragraph, and none before list items and table rows."""
    return "".join(f"\n{line}" if line.startswith("- ") or " | " in line else f"\n\n{line}" for line in lines).strip()
