"""Articles that disagree on what is asked: told with both sources, the newer preferred; and never where they only seem to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import FakeEncoder, ListRetriever, ScriptedGenerator, document

from rag.answer import refusal
from rag.answer.assistant import Assistant
from rag.answer.disagreement import disagreements
from rag.answer.evidence import gather
from rag.report.record import answer_record
from rag.types import Hit, Passage
from rag.web import answer_html
from rag.web.conversation import Turn

AROUND = (
    "Two articles of the week tell of the plans of the ministry for the port and the city.",
    "Analysts in the capital had waited for the news since the budget was passed.",
)
PLANT = "How many people will the battery plant at Port Qasim employ?"
BLAST = "How many people were killed in the blast at the market in Quetta?"
EXPORTS = "How much did Pakistan's car exports bring in 2023?"


def evidence_of(question, *texts, days=("2024-03-01", "2025-02-01", "2025-02-02")):
    hits = []
    for i, text in enumerate(texts):
        whole = f"{AROUND[0]}\n\n{text}\n\n{AROUND[1]}"
        of = replace(document(f"{'abc'[i]}.txt", whole, title="Port"), published=days[i])
        hits.append(Hit(Passage(of, 0, 0, len(whole), "Port"), i + 1, 1.0, 0.9, 1.0))
    return gather(question, hits, FakeEncoder())


def told(question, *texts, **more):
    return [str(found) for found in disagreements(question, evidence_of(question, *texts, **more))]


DISAGREE = [
    (
        PLANT,
        "The battery plant of Mega Motors at Port Qasim will employ 1,200 people, the company said on Thursday.",
        "The battery plant of Mega Motors at Port Qasim will employ 1,500 people, according to the minister.",
        ("1,200", "1,500"),
    ),
    (
        PLANT,
        "KARACHI: The battery plant at Port Qasim will employ twelve people when it opens and work in two shifts.",
        "KARACHI (Wire) - The battery plant at Port Qasim will employ 15 people when it opens and work in two shifts.",
        ("12", "15"),
    ),
    (
        BLAST,
        "Officials said 12 people were killed in the blast at the market in Quetta.",
        "At least two shops burned. In the blast at the market in Quetta 19 people were killed, the police said.",
        ("12", "19"),
    ),
    (
        "What share of greenhouse gases comes from vehicles in Pakistan?",
        "Around the country, vehicles cause a share of 23 percent of the greenhouse gases in Pakistan.",
        "Around the country, vehicles cause a share of 43% of the greenhouse gases in Pakistan.",
        ("23 percent", "43%"),
    ),
    (
        EXPORTS,
        "Pakistan's car exports brought $40 million in 2023.",
        "Car exports of Pakistan brought $65 million in 2023.",
        ("$40 million", "$65 million"),
    ),
    (
        "Did the court approve the merger of Alpha Bank and Beta Bank?",
        "The court approved the merger of Alpha Bank and Beta Bank on Friday, the lawyers said.",
        "The court rejected the merger of Alpha Bank and Beta Bank on Friday.",
        ("approved", "rejected"),
    ),
]
REVISED = [  # worded otherwise, but the newer says that it revises
    (
        BLAST,
        "A bomb in a parked van tore through the market in Quetta, and six people were killed.",
        "The number of dead in the blast at the market in Quetta rose overnight to 10.",
        ("6", "10"),
    ),
    (
        EXPORTS,
        "Pakistan's car makers brought home $40 million from exports in 2023.",
        "Pakistan's car exports of 2023 were worth $65 million, the customs office said after correcting an error.",
        ("$40 million", "$65 million"),
    ),
    (
        "Was the merger of Alpha Bank and Beta Bank approved?",
        "The regulator approved the merger of Alpha Bank and Beta Bank within a month.",
        "On appeal the high court rejected the merger of Alpha Bank with Beta Bank.",
        ("approved", "rejected"),
    ),
]
AGREE = {
    "the same figure": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Qasim will employ 1,200 people.",
    ),
    "the same spelt": (
        PLANT,
        "The battery plant at Port Qasim will employ twelve people.",
        "The battery plant at Port Qasim will employ 12 people.",
    ),
    "another year": (
        EXPORTS,
        "Pakistan's car exports brought $40 million in 2023.",
        "Pakistan's car exports brought $65 million in 2022.",
    ),
    "one with a year": (
        EXPORTS,
        "Pakistan's car exports brought $40 million.",
        "Pakistan's car exports brought $65 million in 2023.",
    ),
    "another place": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Said will employ 1,500 people.",
    ),
    "one with a place": (
        "How many people does Mega Motors employ?",
        "Mega Motors employs 1,200 people.",
        "Mega Motors employs 300 people in Lahore.",
    ),
    "another company": (
        "How many people does the plant at Port Qasim employ?",
        "The plant of Mega Motors at Port Qasim employs 1,200 people.",
        "The plant of Beta Steel at Port Qasim employs 700 people.",
    ),
    "another currency": (
        EXPORTS,
        "Pakistan's car exports brought $40 million in 2023.",
        "Pakistan's car exports brought Rs. 65 million in 2023.",
    ),
    "another unit": (
        "How much land does the park at Port Qasim take?",
        "The park at Port Qasim takes 1500 acres of land.",
        "The park at Port Qasim takes 607 hectares of land.",
    ),
    "another thing counted": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Qasim will employ 90 engineers.",
    ),
    "a kind of the thing": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Qasim will employ 90 young people.",
    ),
    "rounded": (
        PLANT,
        "The battery plant at Port Qasim will employ about 1,200 people.",
        "The battery plant at Port Qasim will employ 1,213 people.",
    ),
    "rounded without a word": (
        EXPORTS,
        "Pakistan's car exports brought $2.5 billion in 2023.",
        "Pakistan's car exports brought $2.47 billion in 2023.",
    ),
    "a lower bound": (
        PLANT,
        "The battery plant at Port Qasim will employ more than 1,000 people.",
        "The battery plant at Port Qasim will employ 1,213 people.",
    ),
    "an upper bound": (
        PLANT,
        "The battery plant at Port Qasim will employ up to 2,000 people.",
        "The battery plant at Port Qasim will employ 1,213 people.",
    ),
    "a range": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 to 1,500 people.",
        "The battery plant at Port Qasim will employ 1,300 people.",
    ),
    "a part, included": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed.",
        "In the blast at the market in Quetta 19 people were killed, including 12 people of one family.",
    ),
    "a part, among others": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed.",
        "In the blast at the market in Quetta another 3 people were killed.",
    ),
    "a part of the site": (
        PLANT,
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Qasim will employ 300 people in its paint shop.",
    ),
    "killed and injured": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed.",
        "In the blast at the market in Quetta 40 people were injured.",
    ),
    "another day": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed on Tuesday.",
        "In the blast at the market in Quetta 3 people were killed on Friday.",
    ),
    "a month and a year": (
        EXPORTS,
        "Pakistan's car exports brought $4 million a month in 2023.",
        "Pakistan's car exports brought $48 million in 2023.",
    ),
    "each and all": (
        PLANT,
        "The battery plant at Port Qasim will employ 400 people in each shift.",
        "The battery plant at Port Qasim will employ 1,200 people.",
    ),
    "a plan and a fact": (
        PLANT,
        "The battery plant at Port Qasim could employ 2,000 people.",
        "The battery plant at Port Qasim will employ 1,200 people.",
    ),
    "a denial": (
        PLANT,
        "The battery plant at Port Qasim will not employ 2,000 people.",
        "The battery plant at Port Qasim will employ 1,200 people.",
    ),
    "a rise and a level": (
        "How much did the price of lithium rise?",
        "The price of lithium rose 12 percent this week.",
        "The price of lithium rose to 40 percent of its peak.",
    ),
    "cash and credit": (
        "How many cars did Beta Motors sell?",
        "Beta Motors sold 1,200 cars for cash.",
        "Beta Motors sold 3,000 cars on credit.",
    ),
    "another subject": (
        "How many people were killed in the blast?",
        "A blast at a market killed 12 people in Quetta.",
        "A blast at a mosque killed 30 people in Quetta.",
    ),
    "not asked for": (
        "Who built the battery plant at Port Qasim?",
        "The battery plant at Port Qasim will employ 1,200 people.",
        "The battery plant at Port Qasim will employ 1,500 people.",
    ),
    "a revised bound": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed.",
        "The number of people killed in the blast at the market in Quetta has now climbed to more than 10.",
    ),
    "a revised figure of another thing": (
        BLAST,
        "In the blast at the market in Quetta 12 people were killed.",
        "The number of people injured in the blast at the market in Quetta has now climbed to 40.",
    ),
    "another outcome of another case": (
        "Did the court approve the merger of Alpha Bank and Beta Bank?",
        "The court approved the merger of Alpha Bank and Beta Bank.",
        "The court rejected the merger of Alpha Bank and Gamma Bank.",
    ),
    "two steps of one case": (
        "Did the court approve the merger of Alpha Bank and Beta Bank?",
        "The court approved the merger of Alpha Bank and Beta Bank.",
        "The high court in Lahore rejected the merger of Alpha Bank and Beta Bank.",
    ),
}


@pytest.mark.parametrize(("question", "one", "other", "values"), DISAGREE)
def test_articles_that_disagree_are_told_with_both_sources_and_dates(question, one, other, values):
    (found,) = told(question, one, other)
    first, second = values
    assert found == f"Articles disagree: {first} (a.txt, 2024-03-01), {second} (b.txt, 2025-02-01)"


@pytest.mark.parametrize(("question", "one", "other", "values"), REVISED)
def test_a_newer_article_that_says_that_it_revises_is_told_however_it_is_worded(question, one, other, values):
    (found,) = told(question, one, other)
    assert found == f"Articles disagree: {values[0]} (a.txt, 2024-03-01), {values[1]} (b.txt, 2025-02-01)"
    assert told(question, one, other, days=("2025-02-01", "2024-03-01")) == []  # an older article revises no newer one
    assert told(question, one, other, days=(None, "2025-02-01")) == []


@pytest.mark.parametrize("name", AGREE)
def test_articles_that_only_seem_to_disagree_raise_no_alarm(name):
    question, one, other = AGREE[name]
    assert told(question, one, other) == []
    assert told(question, other, one) == []


def test_one_article_does_not_disagree_with_itself():
    text = "The battery plant at Port Qasim will employ 12 people. The battery plant at Port Qasim will employ 15 people."
    assert told(PLANT, text) == []


def test_three_articles_are_one_disagreement_and_those_that_agree_stand_together():
    texts = [f"The battery plant at Port Qasim will employ {n} people." for n in (12, 15, 12)]
    (found,) = told(PLANT, *texts)
    assert found == "Articles disagree: 12 (a.txt, 2024-03-01; c.txt, 2025-02-02), 15 (b.txt, 2025-02-01)"


def test_an_older_article_that_says_what_the_newest_says_is_not_outdated():
    texts = [f"The battery plant at Port Qasim will employ {n} people." for n in (12, 15, 15)]
    (found,) = disagreements(PLANT, evidence_of(PLANT, *texts))
    assert {sentence.document.source for sentence in found.outdated} == {"a.txt"}


def test_without_dates_none_is_outdated_and_the_disagreement_is_told():
    texts = [f"The battery plant at Port Qasim will employ {n} people." for n in (12, 15)]
    evidence = evidence_of(PLANT, *texts, days=(None, "2025-01-01"))
    (found,) = disagreements(PLANT, evidence)
    assert found.outdated == frozenset()
    assert "(a.txt, no date)" in str(found)
    assert evidence.without(found.outdated).sentences == evidence.sentences


# --- an answer


def ask(question, draft, *texts):
    documents = [
        replace(document(f"{'abc'[i]}.txt", f"{AROUND[0]} {text} {AROUND[1]}", title="Port"), published=f"202{3 + i}-01-01")
        for i, text in enumerate(texts)
    ]
    return Assistant(ListRetriever(*documents), FakeEncoder(), ScriptedGenerator(draft), passages_read=4).ask(question)


@pytest.mark.parametrize(
    "draft", ["It will employ 12 people.", "It will employ 15 people.", "The battery plant will employ people."]
)
def test_the_newer_is_printed_and_the_disagreement_noted(monkeypatch, draft):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)
    texts = [f"The battery plant at Port Qasim will employ {n} people." for n in (12, 15)]
    answer = ask(PLANT, draft, *texts)
    note = "Articles disagree: 12 (a.txt, 2023-01-01), 15 (b.txt, 2024-01-01); the newer is preferred"
    assert "15 people" in answer.text
    assert "12 people" not in answer.text
    assert {c.source for c in answer.citations} == {"b.txt"}
    assert note in answer.notes
    assert note in answer_record(answer)["notes"]
    assert note in answer_html.conversation([Turn(PLANT, answer)])


def test_a_question_about_a_time_is_not_answered_from_the_newer_because_it_is_newer(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)
    texts = [f"The battery plant at Port Qasim employed {n} people in 2022." for n in (12, 15)]
    answer = ask(
        "How many people did the battery plant at Port Qasim employ in 2022?", "It employed 12 people in 2022.", *texts
    )
    assert {c.source for c in answer.citations} >= {"a.txt"}
    assert "Articles disagree: 12 (a.txt, 2023-01-01), 15 (b.txt, 2024-01-01)" in answer.notes


def test_a_disagreement_on_what_is_not_cited_is_not_told(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 2.0)
    texts = [f"The battery plant at Port Qasim will employ {n} people." for n in (12, 15)]
    assert ask(PLANT, "It will employ 15 people.", *texts).remarks == ()
