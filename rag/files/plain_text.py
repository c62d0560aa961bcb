"""Reads plain text (.txt) and Markdown (.md).

In plain text only newlines and control characters are changed, since quotes are slices of it. Markdown loses its markup but
keeps its headings as ``## `` lines, by which ``rag.index.passages`` finds sections.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.files.decoding import clean, decode
from rag.files.formats import Content
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"\A---[ \t]*\n((?:[^\n]*\n){0,60}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
FRONT_MATTER_LINE = re.compile(r"^(title|date|published)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[a-zA-Z][^<>]*>", re.DOTALL)  # without \Z, unclosed comments take quadratic time


def read_text(data: bytes, name: str) -> Content:
    """Read plain text."""
    text = decode(data)
    return Content(text, newspage.find_title(text, fallback=name), newspage.find_date(text))


def read_markdown(data: bytes, name: str) -> Content:
    """Read the words of Markdown that a reader sees."""
    from markdown_it import MarkdownIt  # takes 60 ms, which only those who have Markdown should wait

    text = decode(data)
    front: dict[str, str] = {}
    if matter := FRONT_MATTER.match(text):
        front = {key.lower(): value.strip().strip("\"'") for key, value in FRONT_MATTER_LINE.findall(matter[1])}
        text = text[matter.end() :]
    text = clean(_markdown_words(MarkdownIt("commonmark").enable("table").parse(text)))
    dated = newspage.parse_date(front.get("date") or front.get("published") or "")
    return Content(text, front.get("title") or newspage.find_title(text, fallback=name), dated or newspage.find_date(text))


def _markdown_words(tokens: Sequence[Token]) -> str:
    """Return the words of the blocks: headings as ``# ``, list items as ``- `` and table rows as ``a | b`` lines."""
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
