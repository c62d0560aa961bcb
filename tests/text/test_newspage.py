"""Lines of a news page: what stands around an article is told from it, and no line of the article is taken for it."""

from __future__ import annotations

import time

import pytest

from rag.text.newspage import edges, find_date, find_title, is_boilerplate, is_date_line, is_headline, opens_teasers

SENTENCE = "The ministry said that exports of cars and parts rose again in the third quarter."
ARTICLE = ["Car exports rise", SENTENCE, SENTENCE]


@pytest.mark.parametrize(
    "line",
    [
        "Advertisement",
        "Share this",
        "Comments (14)",
        "Read more: Petrol prices to go up",
        "Most read in Sport",
        "You May Also Like",
        "Home > News > Valley",
        "← Previous post",
        "[Subscribe now](https://example.com/subscribe)",
        "https://example.com/a",
        "Compartir",
        "Weitere Artikel",
        "Publicité",
    ],
)
def test_a_line_that_speaks_of_the_page_alone_is_boilerplate(line: str) -> None:
    assert is_boilerplate(line)


@pytest.mark.parametrize(
    "line",
    [
        "Comments closed: town shuts its complaints office",
        "Share prices fall again",
        "Comments from residents will no longer be taken in person.",
        "Print is not dead",
        "Menu bar",
        "Next to the church stands a bakery",
        "Up to 40 men were hurt",
        "« Je n’ai rien vu »",
        "Headline of the day | The Daily",
        "![Diagram of a service that uses two regions](https://example.com/a.png)",
        "Exports | 100",
        SENTENCE,
    ],
)
def test_a_line_of_an_article_or_a_table_is_not_boilerplate(line: str) -> None:
    assert not is_boilerplate(line)


def test_only_the_heading_of_a_list_of_links_opens_one() -> None:
    assert [line for line in ("Related Stories", "Advertisement", "Share this", "Latest News") if opens_teasers(line)] == [
        "Related Stories",
        "Latest News",
    ]


def test_buttons_headlines_and_small_print_below_an_article_are_not_of_it() -> None:
    below = [
        "Tell us what you think",
        "The man who maps potholes",
        "Copyright The Paper. All rights reserved.",
        "6 May 2021",
        "Download the app",
    ]
    assert edges(["Sport / Rugby", "Skip to content", *ARTICLE, *below]) == (2, 2 + len(ARTICLE))


@pytest.mark.parametrize(
    "end",
    [
        ["“We win.”"],
        ['"We read your comments," he said.'],
        ["- Share the news with your neighbours", "- Print the form"],
        ["Write to us at the office", "Town Hall, Lahore 54000"],
        ["Contact us", "Officer Richard Dole", "Phone: 530-608-4727"],
        ["Exports in 2020", "Exports in 2021"],
        ["Subscribers rose to 400, and comments fell as the paper moved its print works to a town in the north."],
    ],
)
def test_a_quotation_a_list_an_address_or_a_sentence_ends_an_article(end: list[str]) -> None:
    assert edges([*ARTICLE, *end]) == (0, len(ARTICLE) + len(end))


def test_a_text_of_short_lines_loses_none_to_what_stands_below_an_article() -> None:
    lines = ["Agenda", "Welcome", "News of our members", "Budget", "Any other business", "Next meeting"]
    assert edges(lines) == (0, len(lines))


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        (["Opinion", "Why exports of cars rise", "6 May 2021", SENTENCE], "Why exports of cars rise"),
        (["Home > News", "Car exports rise", SENTENCE], "Car exports rise"),
        (["Car exports", "Three reasons for the sudden rise", SENTENCE], "Car exports"),
        (["SUBJECT: Invoice", "From the office of the mayor", "6 May 2021", SENTENCE], "SUBJECT: Invoice"),
        (["He left. He came back.", "Zoom in", "Zoom in", SENTENCE], "He left."),
    ],
)
def test_a_title_is_the_headline_above_the_byline_else_the_first_line(lines: list[str], title: str) -> None:
    assert find_title("\n\n".join(lines), fallback="") == title


@pytest.mark.parametrize(
    "line",
    [
        "Kiel, 3. August 2020",
        "8 de julio de 2022",
        "Le 1er août 2020",
        "6th of May, 2021",
        "31 October 2022 · 2 min read",
        "By Staff Reporter | July 27, 2023 8:45 am",
        "This article was first published on 21 March 2013.",
    ],
)
def test_a_line_that_says_little_but_a_date_is_a_date_line_in_four_languages(line: str) -> None:
    assert is_date_line(line)


def test_a_sentence_with_a_date_between_commas_does_not_date_the_article() -> None:
    assert find_date(f"Car exports rise\n\nHe was born, 16 December 1949, in Lahore.\n\n{SENTENCE}") is None


@pytest.mark.parametrize("line", ["他去了北京。", "یہ پہلا جملہ ہے۔", "यह पहला वाक्य है।", "The reasons:", "and went on", "1949"])
def test_a_sentence_a_label_or_a_number_is_no_headline(line: str) -> None:
    assert not is_headline(line)


@pytest.mark.parametrize("unit", ["[a](b) ", "a > ", "share ", "on to ", ": ", "→", "[", "by ", "May 1 "])
def test_a_quarter_megabyte_on_one_line_takes_a_second_at_most(unit: str) -> None:
    line = unit * (250_000 // len(unit))
    began = time.process_time()
    is_boilerplate(line)
    is_date_line(line)
    edges([line])
    assert time.process_time() - began < 2  # 0.1 s on a quiet machine
