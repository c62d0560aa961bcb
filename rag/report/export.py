"""Save an answer as a file: Markdown, HTML or JSON, with its sources as numbered footnotes.

Only what was published is saved. Questions, sentences, articles, titles and file names are data: they stay plain text and never
become markup.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.errors import UsageError
from rag.files.formats import RESERVED
from rag.report.record import answer_record, json_line
from rag.text.visible import as_html as shown
from rag.text.visible import on_a_page
from rag.types import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.types import Answer, Citation, Claim

FORMS = ("markdown", "html", "json")
MAX_NAME = 60  # characters of a file's name, with its ending

_ENDINGS = {"markdown": ".md", "html": ".html", "json": ".json"}
_BLANKS = re.compile("[ \t\r\n\u2028\u2029]+")
_MARKUP = re.compile(r"[\\`*_^\[\]<#~$]|&(?=[#a-zA-Z])")
# What starts a list, a rule or a quotation, and a final ! that would make [^1] an image.
_AT_AN_END = re.compile(r"^[-+=>]|^\d{1,9}[.)](?= |$)|!$")
_LINKED = re.compile(r"//|www\.|@", re.IGNORECASE)  # GFM turns such words into links, even with backslashes
_BEYOND_ASCII = re.compile("[^\n -~]+")

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
blockquote { margin: 0; white-space: pre-wrap }
li p { margin: 0 0 1rem; font-size: .875rem }
:target { outline: 2px solid }
</style>
"""


def exported(answer: Answer, form: str) -> str:
    """Return an answer as the text of a file, in one of ``FORMS``.

    :raises UsageError: there is no such form.
    """
    writers: dict[str, Callable[[Answer], str]] = {"markdown": _markdown, "html": _html, "json": _json}
    return writers[_checked(form)](answer)


def file_name(answer: Answer, form: str) -> str:
    """Return a file name made from the question, valid on every system.

    :raises UsageError: there is no such form.
    """
    ending = _ENDINGS[_checked(form)]
    plain = unicodedata.normalize("NFKD", answer.question).encode("ascii", "ignore").decode().lower()
    stem = "-".join(re.findall("[a-z0-9]+", plain.replace("'", "")))[: MAX_NAME - len(ending)].rstrip("-")
    return f"{f'answer-{stem}'.rstrip('-') if not stem or stem in RESERVED else stem}{ending}"


def _checked(form: str) -> str:
    if form not in FORMS:
        raise UsageError(f"an answer cannot be saved as {form}; choose one of {', '.join(FORMS)}")
    return form


def _published(answer: Answer) -> tuple[Claim, ...]:
    """Return the sentences to save; none of a refusal, whose text is saved instead."""
    return () if answer.status is Status.REFUSED else tuple(claim for claim in answer.claims if claim.markers)


def _place(citation: Citation, text: Callable[[str], str], file: Callable[[str], str]) -> str:
    """Return where a quote stands; ``text`` escapes words, and ``file`` names of files."""
    dated = [text(citation.published)] if citation.published else []
    said = ", ".join([text(citation.title), *dated, file(citation.source), f"characters {citation.start}-{citation.end}"])
    said += f" ({citation.state.note})" if citation.state.note else ""
    return said + (f"; the same in {', '.join(file(copy.source) for copy in citation.copies)}" if citation.copies else "")


# Markdown


def _markdown(answer: Answer) -> str:
    claims = _published(answer)
    body = " ".join(map(_markdown_claim, claims)) if claims else _escaped(answer.text)
    footnotes = [f"[^{c.marker}]: “{_escaped(c.quote)}” — {_place(c, _escaped, _code)}" for c in answer.citations]
    return "\n\n".join([f"# {_escaped(answer.question)}", body, *map(_escaped, answer.remarks), *footnotes]) + "\n"


def _markdown_claim(claim: Claim) -> str:
    markers = "".join(f"[^{marker}]" for marker in claim.markers)
    return f"{_escaped(claim.text)}{markers}{'' if claim.verdict is Verdict.SUPPORTED else ' (partly supported)'}"


def _escaped(text: str) -> str:
    """Return one line of Markdown that shows a text as it is; a word that would become a link is shown as code."""
    words = (_code(word) if _LINKED.search(word) else _MARKUP.sub(r"\\\g<0>", word) for word in _line(text).split(" "))
    return _AT_AN_END.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", " ".join(words))


def _code(text: str) -> str:
    line = _line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _line(text: str) -> str:
    """Return a text on one line, with invisible control characters made visible as on the page."""
    return on_a_page(_BLANKS.sub(" ", text).strip(" "))


# HTML


def _html(answer: Answer) -> str:
    claims = _published(answer)
    body = " ".join(_html_claim(number, claim) for number, claim in enumerate(claims, start=1)) or shown(answer.text)
    parts = [
        f"{_HEAD}<title>{shown(answer.question)}</title>",
        "</head>",
        "<body>",
        f'<h1 dir="auto">{shown(answer.question)}</h1>',
        f'<p dir="auto">{body}</p>',
        *(f'<p dir="auto">{shown(remark)}</p>' for remark in answer.remarks),
    ]
    if answer.citations:
        parts += ["<ol>", *(_footnote(citation, claims) for citation in answer.citations), "</ol>"]
    return "\n".join([*parts, "</body>", "</html>", ""])


def _html_claim(number: int, claim: Claim) -> str:
    markers = ", ".join(f'<a href="#fn{marker}" id="ref{marker}-{number}">{marker}</a>' for marker in claim.markers)
    partly = "" if claim.verdict is Verdict.SUPPORTED else " (partly supported)"
    return f"{shown(claim.text)}<sup>{markers}</sup>{partly}"


def _footnote(citation: Citation, claims: tuple[Claim, ...]) -> str:
    marker = citation.marker
    back = "".join(
        f' <a href="#ref{marker}-{number}" aria-label="Back to the sentence">↩</a>'
        for number, claim in enumerate(claims, start=1)
        if marker in claim.markers
    )
    return (
        f'<li id="fn{marker}" value="{marker}"><blockquote dir="auto">{shown(citation.quote)}</blockquote>'
        f"<p>{_place(citation, _isolated, _isolated)}{back}</p></li>"
    )


def _isolated(text: str) -> str:
    return f"<bdi>{shown(text)}</bdi>"


# JSON


def _json(answer: Answer) -> str:
    """Return the record on many lines; of the notes only the remarks, as the others tell what was not published."""
    record = answer_record(replace(answer, claims=_published(answer), notes=answer.remarks))
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=2)
    return _BEYOND_ASCII.sub(lambda match: json_line(match[0])[1:-1], text) + "\n"
