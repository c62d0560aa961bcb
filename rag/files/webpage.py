"""Reads web pages (.html): the article without the page around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.formats import Content, titled
from rag.files.markup import decode_markup
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PUBLISHED_META = frozenset(
    "article:published_time og:published_time datepublished date pubdate publishdate publish-date dc.date dc.date.issued "
    "dcterms.created parsely-pub-date sailthru.date".split()
)
PUBLISHED_JSON = re.compile(r"\"datePublished\"\s*:\s*\"([^\"]{8,40})\"")


def read_html(data: bytes, name: str) -> Content:
    """Read a web page."""
    import trafilatura  # takes 300 ms, which only those who have HTML should wait
    from trafilatura.xml import xmltotxt

    page = decode_markup(data)
    tree = trafilatura.load_html(page)
    article = trafilatura.bare_extraction(tree, include_comments=False, with_metadata=True) if tree is not None else None
    if tree is None or not isinstance(article, trafilatura.settings.Document) or article.body is None:
        raise CorpusError("no article text found; save the article as text")
    dated = _declared_date(page, [element.attrib for element in tree.iter("meta", "time")])
    for head in article.body.iter("head"):
        head.text = f"{'#' * int((head.get('rend') or 'h2')[1:])} {head.text or ''}"
    text = re.sub(r"\n(?![-|])", "\n\n", xmltotxt(article.body, include_formatting=False))
    return titled(text, article.title, dated, name)


def _declared_date(page: str, attributes: Iterable[Mapping[str, str]]) -> str | None:
    """Return the date that the page's metadata state; htmldate would guess (2023-05-22 for a page that says 2023-05)."""
    values = PUBLISHED_JSON.findall(page)
    for element in attributes:
        names = {element.get(key, "").lower() for key in ("property", "name", "itemprop")}
        if names & PUBLISHED_META:
            values.append(element.get("content") or element.get("datetime") or "")
    return next((iso for value in values if (iso := newspage.parse_date(value))), None)
