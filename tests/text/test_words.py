"""Words, numbers and names: forms that say the same compare equal, and others do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.text.quantities import numbers
from rag.text.terms import content_terms
from rag.text.words import STOP_WORDS, content_words, initials, names, same_name, stem, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2,500 exhibits", "2500 exhibits"),
        ("a four-day event", "an event of 4 days"),
        ("six rooms", "6 rooms"),
        ("1,234,567", "1234567"),
        ("12,34,567 rupees", "1234567 rupees"),  # the Indian way to group
        ("$53.7 million", "53.7 million dollars"),
        ("in 2024.", "in 2024, then"),
        ("fifteen courts", "15 courts"),
        ("30%", "30 percent"),
        ("Forty cars", "40 cars"),
    ],
)
def test_the_same_figure_in_another_spelling_is_the_same_number(one, other):
    assert numbers(one) == numbers(other) != frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$53.7 million", "$5.37 million"),
        ("2,500", "25,000"),
        ("2023", "2024"),
        ("2.5", "25"),
        ("1,5 and 2", "15 and 2"),
        ("thirteen", "thirty"),
        ("fourteen", "four"),
        ("6,000", "6"),
    ],
)
def test_different_figures_are_different_numbers(one, other):
    assert numbers(one) != numbers(other)


def test_a_pronoun_is_no_number():
    assert numbers("The one that nobody wanted, no one") == frozenset()


def test_four_day_is_two_words():
    assert words("The four-day event’s end") == ["the", "four", "day", "event", "s", "end"]


def test_content_words_leave_out_stop_words_and_keep_their_order():
    assert content_words("What is the price of a Taizhou car in the expo?") == ["price", "taizhou", "car", "expo"]
    assert not STOP_WORDS & set(content_words("Who said that they were there, and why would he?"))


def test_content_terms_compare_word_forms():
    assert content_terms("The factories invested") == content_terms("A factory invests, investing")


def test_words_of_other_scripts_are_content_too():
    assert content_terms("زكاة 汽车 машины")
    assert content_words("车") == ["车"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The minister met Ahsan Iqbal in Karachi.", {"ahsan", "iqbal", "karachi"}),
        ("He praised BYD and the EVs", {"byd", "evs"}),
        ("BYD builds cars.", {"byd"}),
        ("Umar Saif spoke.", {"umar", "saif"}),
        ("The letter was written by Émile and Ömer.", {"émile", "ömer"}),
        ("Письмо написал Пушкин", {"пушкин"}),
        ("No capital here", set()),
        ("In 2024 the Expo opened.", {"expo"}),
    ],
)
def test_names_are_the_capitalised_words_that_begin_no_sentence(text, expected):
    assert expected <= names(text)
    assert not names(text) & STOP_WORDS


def test_a_common_word_that_begins_a_sentence_is_no_name():
    assert not names("Cars are sold. Sales rose. “Prices fell,” they said.")


@pytest.mark.parametrize(
    ("one", "other"), [("pakistan", "pakistani"), ("china", "chinese"), ("japan", "japanese"), ("minister", "ministers")]
)
def test_a_land_and_its_people_are_the_same_name(one, other):
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("iran", "iraq"), ("khan", "kahn"), ("karachi", "lahore"), ("iqbal", "saif"), ("may", "mayor"), ("june", "july")],
)
def test_two_names_that_look_alike_are_not_the_same(one, other):
    assert not same_name(one, other)
    assert not same_name(other, one)


def test_initials_stand_for_words_in_a_row():
    assert {"ev", "gwm"} <= initials("an electric vehicle of Great Wall Motors")
    assert "gm" not in initials("Great Wall Motors")


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_has_terms_and_the_case_does_not_matter_for_words(one, other):
    for function in (words, content_words, content_terms, numbers, names, initials):
        function(one)
    assert words(one + " " + other) == words(one) + words(other)
    assert content_terms(one) | content_terms(other) == content_terms(f"{one} {other}")
    assert all(term for term in content_terms(one))


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_same_name_is_reflexive_and_symmetric(one, other):
    assert same_name(one, one)
    assert same_name(one, other) == same_name(other, one)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**15))
def test_grouping_by_thousands_changes_no_number(value):
    assert numbers(f"about {value:,} cars") == numbers(f"about {value} cars") == {str(value)}


@pytest.mark.parametrize("text", ["a" * 100_000, "1," * 50_000, "a-" * 50_000, "." * 100_000, "A " * 50_000, "\n" * 100_000])
def test_hostile_runs_take_linear_time(text):
    started = time.process_time()
    for function in (words, content_terms, numbers, names, initials):
        function(text)
    assert time.process_time() - started < 5


def test_stems_are_those_of_porter_2():
    assert stem("companies") == stem("company") == "compani"
