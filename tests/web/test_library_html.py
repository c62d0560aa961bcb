"""The library as HTML, and what a reader may set."""

from __future__ import annotations

import pytest
from payloads import PAYLOADS, Seen

from rag.answer.refusal import THRESHOLD
from rag.index.indexer import Summary
from rag.types import Options, Scope
from rag.web import library_html
from rag.web.library import Added, Article, Standing, Update
from rag.web.options import options


def article(text="a.txt", standing=Standing.INDEXED, passages=3):
    return Article(text, text, text, 2400, passages, standing, text)


def summary(*skipped):
    return Summary(1, 2, 0, 0, 7, skipped, 10, 20, 5, 1.26)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_markup(payload):
    def page(text):
        return "".join(
            [
                library_html.articles([article(text), article(text, Standing.REFUSED, 0)]),
                library_html.progress(Update(problem=text)),
                library_html.progress(Update(summary=summary((text, text)))),
                library_html.added(Added([text], [(text, text)])),
            ]
        )

    assert Seen(page(payload)).shape == Seen(page("harmless")).shape


def test_an_article_leads_to_its_text_and_what_is_not_indexed_does_not():
    html = library_html.articles([article("a.txt"), article("b.txt", Standing.NEW, 0)])
    assert 'data-source="a.txt"' in html
    assert 'data-source="b.txt"' not in html
    assert "about 400 words in 3 passages" in html
    assert "Not indexed yet" in html


def test_a_long_list_is_cut_and_says_so():
    html = library_html.articles([article(f"{n}.txt") for n in range(library_html.LISTED + 5)])
    assert html.count("data-source") == library_html.LISTED
    assert "And 5 more" in html


def test_an_update_says_how_far_it_is_then_what_it_did_and_left_out():
    running = library_html.progress(Update(True, 3, 10, 42.0, 7.4))
    assert "3 of 10 files, 42 passages/s, 7 s left" in running
    assert 'max="10" value="3"' in running
    ended = library_html.progress(Update(summary=summary(("b.png", "not read"))))
    assert "1 added, 2 changed, 7 unchanged, in 1.3 s" in ended
    assert "<bdi>b.png</bdi>: not read" in ended
    assert library_html.progress(Update()) == ""


def test_settings_become_options_and_empty_ones_leave_nothing_out():
    assert options(8.0, "Balanced", "Usual", "", " ", " , ") == Options(8, THRESHOLD, 96, Scope())
    scope = Scope("2024-01-01", "2024-12-31", ("expo", "2024/"))
    assert options(3, "Strict", "Short", "2024-01-01", " 2024-12-31 ", "expo, 2024/").scope == scope
