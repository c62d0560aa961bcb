"""Passages: exact spans within the budget that an editor would have cut, and nothing of another article."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import regex
from fakes import read_document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index.passages import split
from rag.text import newspage
from rag.types import Document, Passage

SEEDS = Path(__file__).parents[2] / "seeds"
SENTENCE = "The ministry said that exports of cars and parts rose again in the third quarter."


def count_words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def document(text: str, title: str = "The title of the article") -> Document:
    return Document("a.txt", text, title, None, "0")


def seed(prefix: str) -> Document:
    return read_document(next(SEEDS.glob(f"{prefix}*")), SEEDS)


def cut(text: str, budget: int = 60, title: str = "The title of the article") -> list[Passage]:
    return split(document(text, title), budget=budget, count_tokens=count_words)


def covered(document: Document, passages: list[Passage]) -> str:
    """The text with all that is in no passage blanked out."""
    kept = set().union(*(range(p.start, p.end) for p in passages))
    return "".join(c if i in kept or c == "\n" else " " for i, c in enumerate(document.text))


any_text = st.text(st.sampled_from("aA1 .!?,;:\n\r\t\0\u2028\u00a0“”-#中。و😀\u0301\u200d\U0001f1f5\U0001f1f0"), max_size=300)


@settings(max_examples=150, deadline=None)
@given(text=any_text | st.text(max_size=200), budget=st.integers(4, 40))
def test_any_text_is_cut_into_ordered_trimmed_spans_that_lose_nothing(text: str, budget: int) -> None:
    doc = document(text)
    passages = split(doc, budget=budget, count_tokens=len)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    assert [p.start for p in passages] == sorted(p.start for p in passages)
    for p in passages:
        assert p.text == text[p.start : p.end] == p.text.strip() != ""
        assert len(p.text) <= budget or regex.fullmatch(r"\X", p.text)
    kept = covered(doc, passages)
    for line in re.finditer(r"[^\n\r\u2028\u2029]+", text):
        left = kept[line.start() : line.end()]
        assert left.split() == line.group().split() or newspage.is_boilerplate(line.group().strip())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["👨‍👩‍👧", "e\u0301", "🇵🇰", "न्दि", "한", "a"]), min_size=1, max_size=60).map("".join),
    st.integers(2, 9),
)
def test_a_giant_word_is_cut_between_graphemes_only(word: str, budget: int) -> None:
    edges = {0, *(match.end() for match in regex.finditer(r"\X", word))}
    assert {edge for p in split(document(word), budget=budget, count_tokens=len) for edge in (p.start, p.end)} <= edges


def test_a_sentence_over_the_budget_is_cut_after_a_clause_else_between_words() -> None:
    clauses = "the first clause of this sentence has ten words, " * 6
    assert all(p.text.endswith((",", ".")) for p in cut(clauses.strip()[:-1] + ".", budget=32))
    assert all(p.text.startswith("word") and p.text.endswith("word") for p in cut("word " * 300, budget=32))


def test_what_the_tokenizer_adds_to_each_text_is_counted_once() -> None:
    text = " ".join([SENTENCE] * 4)
    assert len(split(document(text), budget=4 * count_words(SENTENCE) + 2, count_tokens=lambda t: count_words(t) + 2)) == 1


def test_whole_paragraphs_are_kept_together_and_passages_are_even() -> None:
    text = "\n\n".join(f"{SENTENCE} Item {i} was signed." for i in range(5))
    passages = cut(text, budget=70)
    assert [p.text.count("Item") for p in passages] in ([2, 3], [3, 2])
    assert all(p.text.startswith("The ministry") for p in passages)


def test_a_paragraph_that_is_cut_repeats_a_short_sentence() -> None:
    text = " ".join(f"This is sentence number {i} of the paragraph." for i in range(14))
    first, second = cut(text, budget=80)
    assert second.start < first.end
    assert count_words(text[second.start : first.end]) <= 16


def test_a_headline_is_not_left_at_the_end_of_a_passage() -> None:
    text = "\n\n".join([SENTENCE] * 4 + ["Exports to Japan"] + [SENTENCE] * 3)
    assert not any(p.text.endswith("Japan") for p in cut(text, budget=4 * count_words(SENTENCE) + 5))


def test_the_second_article_of_a_file_has_passages_and_headings_of_its_own() -> None:
    doc = seed("001")
    passages = split(doc, budget=100, count_tokens=count_words)
    border = doc.text.index("Kazakh president meets")
    first, second = (
        "Pakistan invites China to establish industrial zones for electric car manufacturing",
        doc.text[border:].split("\n")[0],
    )
    assert [p.heading for p in passages] == [first if p.start < border else second for p in passages]
    assert all(p.end < border or p.start >= border for p in passages)
    assert "- Kazakhstan seeks access" in next(p.text for p in passages if p.start == border)
    assert all(p.end <= border for p in passages if "- Earlier this year" in p.text)


@pytest.mark.parametrize("number", ["000", "001", "002", "003", "004"])
def test_the_users_articles_are_covered_but_for_links_teasers_and_repeated_headlines(number: str) -> None:
    doc = seed(number)
    kept = covered(doc, split(doc, budget=120, count_tokens=count_words)).split("\n")
    lost = [line for line, left in zip(doc.text.split("\n"), kept, strict=True) if line.strip() != left.strip()]
    expected = {
        "001": {
            "https://arab.news/c7abz",
            "Pakistan invites China to establish industrial zones for electric car manufacturing",
        },
        "003": {"Read next: Petrol, diesel prices to go up", "You May Also Like"},
    }
    assert set(lost) == expected.get(number, set())


def test_a_list_of_teasers_is_left_out_up_to_the_headline_of_the_next_article() -> None:
    teasers = "You May Also Like\nOil prices go up\nGold prices come down\nBank of Japan raises its rate\n- Yen gains\n"
    text = f"{SENTENCE}\n{teasers}TOKYO: {SENTENCE}"
    passages = cut(text)
    assert [p.text for p in passages] == [SENTENCE, f"Bank of Japan raises its rate\n- Yen gains\nTOKYO: {SENTENCE}"]
    assert passages[1].heading == "Bank of Japan raises its rate"


def test_an_agency_dateline_begins_an_article_without_a_headline_but_a_speaker_does_not() -> None:
    assert len(cut(f"{SENTENCE}\nLONDON, Sept 5 (Reuters) - {SENTENCE}", budget=80)) == 2
    assert len(cut(f"{SENTENCE}\nKHAN: {SENTENCE}\nIQBAL: {SENTENCE}", budget=80)) == 1


def test_markdown_headings_name_their_sections() -> None:
    passages = cut(f"# Cars\n\n{SENTENCE}\n\n## Exports\n\n{SENTENCE}\n\n### To Japan\n\n{SENTENCE}", title="Cars")
    assert [(p.heading, p.text.split("\n")[0]) for p in passages] == [
        ("Cars", "# Cars"),
        ("Exports", "## Exports"),
        ("To Japan", "### To Japan"),
    ]


def test_plain_heading_lines_stay_with_the_text_below_them() -> None:
    passages = cut(f"Taizhou\n\n{SENTENCE}\n\nHistory\n\n{SENTENCE}", title="Taizhou", budget=25)
    assert [p.text.split("\n")[0] for p in passages] == ["Taizhou", "History"]
    assert {p.heading for p in passages} == {"Taizhou"}


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "https://example.com/a", "Advertisement\n\nShare this"])
def test_blank_or_boilerplate_only_has_no_passages(text: str) -> None:
    assert cut(text) == []


@pytest.mark.parametrize("unit", [SENTENCE + "\n", "word ", "a", "a.\n", "# h\n", "中", "KARACHI: "])
def test_a_quarter_megabyte_of_anything_takes_seconds_at_most(unit: str) -> None:
    text = unit * (250_000 // len(unit))
    began = time.process_time()
    passages = split(document(text), budget=160, count_tokens=lambda t: t.count(" ") + 1)
    assert time.process_time() - began < 6  # 0.1 to 1 s on a quiet machine
    assert max(p.end - p.start for p in passages) <= 160 * 12
