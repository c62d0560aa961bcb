"""Questions made by rule: answerable ones are answered by their evidence and nowhere else differently; the others nowhere."""

from __future__ import annotations

import json

from fakes import document, sentence_passages
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.evaluate.gold import load_questions
from rag.evaluate.made_questions import make_questions
from rag.evaluate.measures import holds

EXPO = document(
    "cars/expo.txt",
    "The Taizhou Automobile Expo has 2,500 exhibits in six rooms. Visitors of the Taizhou Automobile Expo paid $12 a day.",
    title="Taizhou Automobile Expo",
)
PARK = document(
    "park.txt",
    "The Karachi Industrial Park covers 1500 acres of former steel land. "
    "Khusro Bakhtyar opened the Karachi Industrial Park in 2021. "
    "About 23 percent of the workers at the Karachi Industrial Park come from Thatta.",
    title="Karachi Industrial Park",
)


def made(*documents, number=30):
    return make_questions([passage for each in documents for passage in sentence_passages(each)], number=number)


def test_each_kind_of_figure_is_asked_for_in_the_words_beside_it():
    asked = {one.question: one.answers for one in made(EXPO, PARK) if one.answers}
    assert asked["How many exhibits: Taizhou Automobile Expo six rooms?"] == ("2,500", "2500")
    assert asked["How many acres: Karachi Industrial Park covers former steel?"] == ("1500",)
    openings = {question.split(":")[0] for question in asked}
    assert openings == {"How many exhibits", "How much money", "How many acres", "In what year", "What percentage"}


def test_an_answerable_question_has_its_answer_in_its_evidence_and_not_in_itself():
    texts = {"expo.txt": EXPO.text, "park.txt": PARK.text}
    for one in made(EXPO, PARK):
        if one.answers:
            (source,), (evidence,) = one.sources, one.evidence
            assert evidence in texts[source]
            assert holds(evidence, one.answers)
            assert not holds(one.question, one.answers)


def test_what_the_articles_do_not_answer_asks_with_words_of_two_articles():
    unanswered = [one for one in made(EXPO, PARK) if not one.answers]
    assert {one.kind for one in unanswered} == {"another name", "not told"}
    assert len(unanswered) <= len(made(EXPO, PARK)) // 2
    for one in unanswered:
        assert (one.sources, one.evidence) == ((), ())


def test_a_sentence_with_two_figures_of_a_kind_is_passed_over():
    assert not made(document(text="Exports of Pakistan will rise from $30 billion to $150 billion in some years."))


def test_a_question_that_another_passage_answers_differently_is_not_made():
    other = document("b.txt", EXPO.text.replace("2,500", "3,100"))
    assert not any("exhibits" in one.question for one in made(EXPO, other) if one.answers)


def test_the_same_articles_give_the_same_questions_and_no_more_than_asked_for():
    assert made(EXPO, PARK) == made(EXPO, PARK)
    assert len(made(EXPO, PARK, number=3)) == 3


def test_what_is_made_can_be_measured(tmp_path):
    questions = made(EXPO, PARK)
    file = tmp_path / "made.jsonl"
    file.write_text("".join(json.dumps(one.record(i)) + "\n" for i, one in enumerate(questions)), encoding="utf-8")
    assert [q.question for q in load_questions(file)] == [one.question for one in questions]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from([EXPO.text, PARK.text])), min_size=1, max_size=4))
def test_any_text_gives_sound_questions_or_none(texts):
    for one in made(*(document(f"{i}.txt", text) for i, text in enumerate(texts))):
        assert one.question.endswith("?")
        assert bool(one.answers) == bool(one.sources) == bool(one.evidence)
