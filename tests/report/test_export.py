"""Answers to take away: what others wrote stays text in every form, and each marker leads to its quote."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from fakes import decided
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from payloads import Seen

from rag.errors import UsageError
from rag.report.export import FORMS, exported, file_name
from rag.report.record import answer_record
from rag.report.verify import read_citations
from rag.text.visible import as_html as shown
from rag.types import Answer, Citation, Claim, State, Status, Verdict

PAYLOADS = [
    "<script>alert(1)</script>",
    "</p></blockquote><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x]: https://evil.example",
    "[^1]: owned",
    "[^1][^2]",
    "ends as an image begins!",
    "ends as an inline footnote begins^",
    "ends with a backslash\\",
    "ends with a ` tick",
    "<https://evil.example>",
    "http\\://evil.example ftp://evil.example //evil.example",
    "(www.evil.example) WWW.EVIL.EXAMPLE",
    "me@evil.example mailto:me@evil.example `a``@b`",
    "# a ##",
    "- a",
    "12. a",
    "3) a",
    "> a",
    "+ a",
    "---",
    "===",
    "```",
    "    code",
    "a\n\n\n# b\n\n    c\n- d\n[^2]: e",
    "**b** __i__ *x* _y_ ~~z~~ ~q~ $x$ `c`",
    "&lt;script&gt; &amp; &#60;",
    "| a | b |\n|---|---|\n| c | d |",
    "invoice\u202etxt.exe\u202c \x1b[31mred",
    "half \ud83d of a pair\r\nand more",
]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def citation(marker=1, quote="It had 2,500 exhibits.", **changes):
    values = ("news/a.txt", 120, 120 + len(quote), quote, marker, "The expo", "2024-09-06", 1.0, "0" * 64)
    return replace(Citation(*values), **changes)


def answer(**changes):
    values = {
        "question": "How many exhibits?",
        "standalone_question": "How many exhibits?",
        "text": "The expo had 2,500 exhibits [1]. It was free [1][2].",
        "status": Status.PARTIAL,
        "decision": decided(),
        "claims": (
            Claim("The expo had 2,500 exhibits.", Verdict.SUPPORTED, 1.0, (1,)),
            Claim("It flew.", Verdict.UNSUPPORTED, 0.0),
            Claim("It was free.", Verdict.PARTLY, 0.5, (1, 2)),
        ),
        "citations": (citation(), citation(2, "Entry was free.")),
    }
    return Answer(**{**values, **changes})


def refusal(**changes):
    return answer(**{"status": Status.REFUSED, "text": "The articles do not answer this.", "citations": (), **changes})


def hostile(payload):
    """Give an answer that says a payload wherever data is shown."""
    cited = citation(quote=payload, source=payload, title=payload, published=payload)
    claims = (Claim(payload, Verdict.PARTLY, 0.5, (1,)), Claim(payload, Verdict.SUPPORTED, 1.0, (1, 2)))
    citations = (replace(cited, copies=(cited,)), replace(cited, marker=2))
    return answer(question=payload, claims=claims, citations=citations, remarks=(payload,))


def on_one_line(text):
    """Give a text as Markdown shows it."""
    return unescape(shown(" ".join(re.split("[ \t\r\n\u2028\u2029]+", text)).strip(" ")))


def footnotes(markdown):
    """Take Markdown apart as a renderer of footnotes does: what is above them, and the first line of each."""
    found = dict(re.findall(r"^\[\^(\d+)\]: (.*)$", markdown, re.MULTILINE))
    return re.sub(r"^\[\^\d+\]: .*\n?", "", markdown, flags=re.MULTILINE), found


def markdown_seen(markdown):
    return Seen(MARKDOWN.render(markdown))


# Markdown


def test_markdown_is_a_heading_sentences_with_references_and_a_footnote_each():
    assert exported(answer(remarks=("Articles disagree: 1 (a.txt)",)), "markdown") == (
        "# How many exhibits?\n\n"
        "The expo had 2,500 exhibits.[^1] It was free.[^1][^2] (partly supported)\n\n"
        "Articles disagree: 1 (a.txt)\n\n"
        "[^1]: “It had 2,500 exhibits.” — The expo, 2024-09-06, `news/a.txt`, characters 120-142\n\n"
        "[^2]: “Entry was free.” — The expo, 2024-09-06, `news/a.txt`, characters 120-135\n"
    )


def test_markdown_names_copies_and_says_what_became_of_the_file():
    cited = citation(state=State.CHANGED, published=None, copies=(citation(source="b.txt"), citation(source="c`.txt")))
    assert exported(answer(citations=(cited,)), "markdown").endswith(
        "— The expo, `news/a.txt`, characters 120-142 (the file has changed since it was indexed); "
        "the same in `b.txt`, `` c`.txt ``\n"
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_in_markdown_what_others_wrote_is_text(payload):
    body, found = footnotes(exported(hostile(payload), "markdown"))
    assert body.count("\n\n") == 3  # a heading, a paragraph of sentences, a remark
    assert list(found) == ["1", "2"]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\[\^1\]", body)) == 2
    for text, elements in ((body, ["h1", "p", "p"]), *((note, ["p"]) for note in found.values())):
        seen = markdown_seen(text)
        assert [tag for tag, _ in seen.elements if tag != "code"] == elements
        assert on_one_line(payload) in seen.text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_in_markdown_no_word_becomes_a_link_by_itself(payload):
    html = MARKDOWN.render(exported(hostile(payload), "markdown"))
    assert not re.search(r"//|www\.|@", re.sub("<code>.*?</code>", "", html), re.IGNORECASE)


@pytest.mark.parametrize("last", "!^\\[]`")
def test_a_sentence_does_not_change_what_its_references_are(last):
    claims = (Claim(f"So it was{last}", Verdict.SUPPORTED, 1.0, (1,)),)
    assert rf"So it was\{last}[^1]" in exported(answer(claims=claims), "markdown")


@given(st.text(st.characters(), min_size=1).filter(str.strip))
def test_every_quote_is_found_again_in_the_markdown(quote):
    _, found = footnotes(exported(answer(citations=(citation(quote=quote),)), "markdown"))
    assert f"“{on_one_line(quote)}”" in markdown_seen(found["1"]).text


def test_a_long_word_is_escaped_in_linear_time():
    word = "a" * 2_000_000
    assert word in exported(answer(citations=(citation(quote=word),)), "markdown")


# HTML


def test_html_stands_alone_and_runs_nothing():
    html = exported(answer(), "html")
    assert html.startswith("<!doctype html>")
    elements = Seen(html).elements
    assert ("meta", {"charset": "utf-8"}) in elements
    policy = {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    assert ("meta", policy) in elements
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in elements}
    assert not re.search(r"url\(|@import|//", html)


def test_every_marker_of_html_leads_to_its_quote_and_back():
    elements = Seen(exported(answer(), "html")).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    links = [attributes["href"].removeprefix("#") for tag, attributes in elements if tag == "a"]
    assert len(ids) == len(set(ids))
    assert sorted({*links}) == sorted(ids)
    assert links == ["fn1", "fn1", "fn2", "ref1-1", "ref1-2", "ref2-2"]


def test_html_says_what_markdown_says():
    cited = citation(state=State.MISSING, quote="Two\nlines.", copies=(citation(source="b.txt"),))
    html = exported(answer(citations=(cited,), remarks=("Articles disagree.",)), "html")
    assert '<blockquote dir="auto">Two\nlines.</blockquote>' in html
    text = Seen(html).text
    assert "(partly supported)" in text
    assert "Articles disagree." in text
    assert "characters 120-130 (the file is no longer where it was indexed); the same in b.txt" in text
    assert text.count("partly supported") == 1


@pytest.mark.parametrize("payload", PAYLOADS)
def test_in_html_what_others_wrote_is_text(payload):
    seen, plain = Seen(exported(hostile(payload), "html")), Seen(exported(hostile("plain"), "html"))
    assert seen.elements == plain.elements
    assert seen.text.count(unescape(shown(payload))) == plain.text.count("plain")


@given(st.text(st.characters(), min_size=1))
def test_every_quote_is_found_again_in_the_html(quote):
    html = exported(answer(citations=(citation(quote=quote),)), "html")
    assert f'<blockquote dir="auto">{shown(quote)}</blockquote>' in html


# JSON


def test_json_is_the_record_of_what_was_published():
    given_answer = answer(
        notes=("not published: It flew. (nothing says so)", "Articles disagree."), remarks=("Articles disagree.",)
    )
    record = json.loads(exported(given_answer, "json"))
    whole = answer_record(given_answer)
    assert [claim["text"] for claim in record.pop("claims")] == ["The expo had 2,500 exhibits.", "It was free."]
    assert record.pop("notes") == ["Articles disagree."]
    assert record.items() <= whole.items()
    assert whole.keys() - record.keys() == {"claims", "notes"}


def test_json_is_what_rag_verify_reads():
    assert len(read_citations(exported(answer(), "json").encode())) == 2


@pytest.mark.parametrize("payload", [*PAYLOADS, "\u2028\u061c\x7f", "é中"])
def test_json_is_safe_to_show_and_keeps_every_character(payload):
    text = exported(hostile(payload), "json")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert json.loads(text)["citations"][0]["quote"] == payload


def test_json_is_for_people_to_read():
    text = exported(answer(question="Où ça ?"), "json")
    assert '\n  "question": "Où ça ?",\n' in text


# All forms


@pytest.mark.parametrize("form", FORMS)
def test_what_was_not_published_is_not_exported(form):
    noted = answer(notes=("not published: It flew. (nothing says so)",))
    assert "It flew" not in exported(noted, form)
    assert "It flew" not in exported(refusal(claims=noted.claims, notes=noted.notes), form)


@pytest.mark.parametrize("form", FORMS)
def test_a_refusal_is_what_it_says(form):
    text = exported(refusal(), form)
    assert "The articles do not answer this." in text
    assert "[^" not in text
    assert "<ol>" not in text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_form_can_be_written_to_a_file(form, payload):
    assert exported(hostile(payload), form).encode().endswith(b"\n")


@pytest.mark.parametrize("form", ["", "pdf", "Markdown", "../html"])
def test_another_form_is_refused(form):
    for call in (exported, file_name):
        with pytest.raises(UsageError, match="markdown, html, json"):
            call(answer(), form)


# File names


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("How many exhibits?", "how-many-exhibits.md"),
        ("What's the café's name?", "whats-the-cafes-name.md"),
        ("../../etc/passwd\0", "etc-passwd.md"),
        ("有多少？", "answer.md"),
        ("CON", "answer-con.md"),
        ("lpt1?", "answer-lpt1.md"),
        ("com¹", "answer-com1.md"),
        ("---", "answer.md"),
        (f"{'a' * 56} b", f"{'a' * 56}.md"),
        ("a" * 500, f"{'a' * 57}.md"),
    ],
)
def test_a_file_is_named_after_the_question(question, name):
    assert file_name(answer(question=question), "markdown") == name


@given(st.text(), st.sampled_from(FORMS))
def test_a_file_name_is_one_on_every_system(question, form):
    name = file_name(answer(question=question), form)
    stem, _, ending = name.partition(".")
    assert ending == {"markdown": "md", "html": "html", "json": "json"}[form]
    assert re.fullmatch("[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", stem)
    assert len(name) <= 60
    assert stem not in {"con", "prn", "aux", "nul"} and not re.fullmatch(r"(?:com|lpt)\d", stem)
