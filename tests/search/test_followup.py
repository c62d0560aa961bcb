"""A question that leans on the chat is made to stand alone; no old topic is dragged into one that does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.search.followup import MAX_QUESTION_CHARS, TURNS_READ, standalone


def asked(*questions):
    return [{"role": "user", "content": question} for question in questions]


@pytest.mark.parametrize(
    "question",
    [
        "And in Lahore?",
        "What about the price?",
        "Why?",
        "Who praised them?",
        "Who was blamed for that?",
        "Is that true?",
        "What did that company earn?",
        "Who owns this ship?",
        "How often does it rain there?",
        "Who was the minister then?",
        "Which books came out in the same year?",
        "On what conditions?",
        "By how much?",
        "when exactly",
        "Who paid?",
        "Who is paying?",
        "Which is older?",
        "Is there a taller one?",
        "Any others?",
        "more details please",
        "In Lahore?",
        "ok, and in Lahore?",
        "Sorry, I meant the one in Lahore",
    ],
)
def test_a_question_that_leans_takes_the_one_before_along(question):
    whole = standalone(question, asked("Who opened the Zanzibar fair?"))
    assert question in whole
    assert "Zanzibar" in whole


@pytest.mark.parametrize(
    "question",
    [
        "How many exhibits does the Taizhou expo have?",
        "Who is Ahsan Iqbal?",
        "What did Shehzad Khan praise in Taizhou?",
        "Which firms make tyres in Sialkot?",
        "What is photosynthesis?",
        "inflation",
        "taizhou expo exhibits",
        "Which is longer, the Danube or the Rhine?",
        "Which films won prizes in Cannes this year?",
        "So far, how many cars has Suzuki sold?",
        "ok, another topic: who founded IKEA?",
        "Why are there two popes?",
        "Isn't there a bridge to Sweden?",
        "Which drugs are there against malaria?",
        "How do prices in France compare with those in Spain?",
    ],
)
def test_an_old_topic_is_not_dragged_into_a_question_that_stands_alone(question):
    assert standalone(question, asked("Who opened the Zanzibar fair?", "And in Lahore?")) == question


@pytest.mark.parametrize(
    "question",
    [
        "How many exhibits were there at the Taizhou expo?",
        "Is there a car factory in Karachi?",
        "What did Ahsan Iqbal say that China should build?",
        "Which minister said that Pakistan needs electric cars?",
        "What did Taizhou gain from its car industry?",
        "Is it true that Taizhou has 6,000 firms?",
        "Will it rain tomorrow in Lahore?",
        "What time is it in Tokyo?",
        "How long does it take to build a ship?",
        "Is it safe to drink tap water in mexico city?",
        "Was it Einstein who said so?",
        "Which country lost its king in 1790?",
        "How did the horse latitudes get their name?",
        "Why do birds sing when they breed?",
        "Did Pfizer say that a vaccine is ready?",
        "Which trains are the ones that run between Madrid and Seville?",
    ],
)
def test_a_pronoun_that_the_question_explains_itself_drags_nothing_in(question):
    assert standalone(question, asked("Who opened the Zanzibar fair?")) == question


@pytest.mark.parametrize("history", [(), asked(), [{"role": "assistant", "content": "Hello."}]])
def test_without_an_earlier_question_nothing_is_added(history):
    assert standalone("And in Lahore?", history) == "And in Lahore?"


def test_the_one_before_is_cut_where_it_is_huge():
    assert len(standalone("And in Lahore?", asked("word " * 100_000))) < 2 * MAX_QUESTION_CHARS + 100


@pytest.mark.parametrize(
    ("before", "question", "understood"),
    [
        ("Who opened the Zanzibar fair?", "When was it opened?", "When was the Zanzibar fair opened?"),
        (
            "How many exhibits did the Taizhou expo have?",
            "How many rooms did it have?",
            "How many rooms did the Taizhou expo have?",
        ),
        ("Who is Ahsan Iqbal?", "What did he say?", "What did Ahsan Iqbal say?"),
        ("What did Ahsan Iqbal say?", "What is his office?", "What is Ahsan Iqbal's office?"),
        ("Who opened the Zanzibar fair?", "Is it safe for children?", "Is the Zanzibar fair safe for children?"),
        ("Who opened the Zanzibar fair?", "How long did it take to build?", "How long did the Zanzibar fair take to build?"),
        ("Who was Mozart?", "Where did he live?", "Where did Mozart live?"),
        ("When was Jens Stoltenberg appointed?", "Who succeeded him?", "Who succeeded Jens Stoltenberg?"),
        ("When was the Tollan bridge closed?", "How long is it?", "How long is the Tollan bridge?"),
        ("What does the United States sell?", "And what are its imports?", "And what are the United States's imports?"),
    ],
)
def test_the_one_thing_that_the_question_before_names_takes_the_place_of_the_pronoun(before, question, understood):
    assert standalone(question, asked(before)) == understood


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("Who is the mayor of Paris?", "When did she resign?"),
        ("Who runs the hospital of Port Calder?", "What did he say?"),
        ("What did Toyota say?", "When did he resign?"),
        ("What did General Motors say?", "When was she hired?"),
        ("Where is Saudi Arabia?", "Who praised him?"),
        ("Who succeeded Angela Merkel?", "When was he born?"),
        ("Which company got a permit for turbines off Skarn?", "How many turbines will it build?"),
        ("Which ship will run to Aldersund at night?", "in which year was it built?"),
        ("Who is Ahsan Iqbal?", "When was it opened?"),
        ("When was the earthquake in Marrakesh?", "How strong was it?"),
    ],
)
def test_a_pronoun_is_not_replaced_by_a_place_company_or_person_that_it_does_not_fit(before, question):
    assert standalone(question, asked(before)) == f"{question} (asked after: {before})"


def test_where_two_are_named_none_is_chosen_and_the_whole_question_goes_along():
    assert standalone("What did he say?", asked("Did Ahsan Iqbal meet Umar Saif?")) == (
        "What did he say? (asked after: Did Ahsan Iqbal meet Umar Saif?)"
    )


def test_a_question_that_leans_on_one_that_leans_is_understood_with_both():
    chat = asked("Who opened the Zanzibar fair?", "When was it opened?")
    assert standalone("And how long did it last?", chat) == "And how long did the Zanzibar fair last?"


@pytest.mark.parametrize(
    "words", ["the cat it ", "it takes a b to c ", "is that so ", "there ", "did the dog its ", "for a b c "]
)
def test_a_hostile_question_is_read_in_little_time(words):
    question = (words * MAX_QUESTION_CHARS)[:MAX_QUESTION_CHARS]
    started = time.process_time()
    standalone(question, asked(question, question))
    assert time.process_time() - started < 1


@given(
    st.lists(st.one_of(st.text(max_size=40), st.sampled_from(["And it?", "Who is he?", "In Rome?"])), max_size=9),
    st.text(max_size=40),
)
def test_any_chat_gives_a_question_of_bounded_length_that_begins_or_reads_alike(chat, question):
    whole = standalone(question, asked(*chat))
    assert len(whole) <= (TURNS_READ + 1) * (MAX_QUESTION_CHARS + 100)
    assert whole == question or len(whole) >= len(question) - 1
