"""The time that a question speaks of: read as people mean it, never dropping what has no date, and always told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from fakes import FakeEncoder, ListRetriever, ScriptedGenerator, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer import refusal
from rag.answer.assistant import Assistant
from rag.report.explain import sections
from rag.report.record import answer_record
from rag.search.question_time import DatedRetriever, arranged, dates_asked, remark
from rag.types import EVERYTHING, Hit, Passage, Scope
from rag.web import answer_html
from rag.web.conversation import Turn

TODAY = date(2025, 11, 20)  # a Thursday

PREFERRED = {
    "How many cars were sold in 2021?": ("2021-01-01", "2021-12-31"),
    "In 2021, who was minister?": ("2021-01-01", "2021-12-31"),
    "What happened in March 2020?": ("2020-03-01", "2020-03-31"),
    "What happened in March?": ("2025-03-01", "2025-03-31"),
    "What happened in December?": ("2024-12-01", "2024-12-31"),
    "Who spoke on 6 September 2021?": ("2021-09-06", "2021-09-06"),
    "Who spoke on September 6th, 2021?": ("2021-09-06", "2021-09-06"),
    "What was decided before March 2020?": (None, "2020-02-29"),
    "What has changed since September?": ("2025-09-01", None),
    "What has changed since 2019?": ("2019-01-01", None),
    "What changed after 2019?": ("2020-01-01", None),
    "What was built between 2019 and 2021?": ("2019-01-01", "2021-12-31"),
    "What was built from May 2019 to June 2020?": ("2019-05-01", "2020-06-30"),
    "How did exports change in 2019-2021?": ("2019-01-01", "2021-12-31"),
    "Did it rain in February 2024?": ("2024-02-01", "2024-02-29"),
    "did it rain in february 2024": ("2024-02-01", "2024-02-29"),
    "What did he say last November?": ("2024-11-01", "2024-11-30"),
    "What happened in March, 2020?": ("2020-03-01", "2020-03-31"),
    "what happened on march 3": ("2025-03-03", "2025-03-03"),
    "what has happened since may": ("2025-05-01", None),
    "Exports 5/2024?": ("2024-05-01", "2024-05-31"),
    "Who signed on 2022/06/14?": ("2022-06-14", "2022-06-14"),
    "Sept. 6 storm?": ("2025-09-06", "2025-09-06"),
    "Who spoke on Feb 29?": ("2024-02-29", "2024-02-29"),
    "Who spoke on the second of may 2023?": ("2023-05-02", "2023-05-02"),
    "Who spoke on the 25th?": ("2025-10-25", "2025-10-25"),
    "Who spoke on 6th of September, 2021?": ("2021-09-06", "2021-09-06"),
    "Who spoke from 3 to 9 May 2023?": ("2023-05-03", "2023-05-09"),
    "Who won on Thursday?": ("2025-11-20", None),
    "Who won last Thursday?": ("2025-11-13", "2025-11-13"),
    "Who was coach until March 2023?": (None, "2023-03-31"),
    "What was built by 2019?": (None, "2019-12-31"),
    "What was built prior to 2019?": (None, "2018-12-31"),
    "What was built from November to February 2024?": ("2023-11-01", "2024-02-29"),
    "What was built between 2019 and now?": ("2019-01-01", None),
    "What was built in the 1990s?": ("1990-01-01", "1999-12-31"),
    "What was built in the mid 1990s?": ("1994-01-01", "1996-12-31"),
    "What was built in early 2022?": ("2022-01-01", "2022-04-30"),
    "What was built late last month?": ("2025-10-21", "2025-10-31"),
    "What was built in the middle of 2022?": ("2022-05-01", "2022-08-31"),
    "What was built late last year?": ("2024-09-01", "2024-12-31"),
    "What was built in mid-March?": ("2025-03-11", "2025-03-20"),
    "What was built in Q3 2023?": ("2023-07-01", "2023-09-30"),
    "What was built in the third quarter of last year?": ("2024-07-01", "2024-09-30"),
    "What was built in the second half of 2023?": ("2023-07-01", "2023-12-31"),
    "What was built in the spring of 2024?": ("2024-03-01", "2024-05-31"),
    "What was built last winter?": ("2024-12-01", "2025-02-28"),
}
STRICT = {
    "What happened yesterday?": ("2025-11-19", "2025-11-19"),
    "What happened the day before yesterday?": ("2025-11-18", "2025-11-18"),
    "What was reported yesterday?": ("2025-11-19", "2025-11-19"),
    "What is in today's headlines?": ("2025-11-20", None),
    "What did the minister say last month?": ("2025-10-01", "2025-10-31"),
    "What did the minister say last week?": ("2025-11-10", "2025-11-16"),
    "What was agreed the week before last?": ("2025-11-03", "2025-11-09"),
    "Who won over the weekend?": ("2025-11-15", "2025-11-16"),
    "What was in last week's news?": ("2025-11-10", "2025-11-16"),
    "Which articles since September mention lithium?": ("2025-09-01", None),
    "What do articles published in 2021 say of cars?": ("2021-01-01", "2021-12-31"),
    "What do the 2021 articles say of cars?": ("2021-01-01", "2021-12-31"),
    "What do articles published before March 2020 say?": (None, "2020-02-29"),
    "What has happened in the last 3 months?": ("2025-08-20", None),
    "What happened in the past 48 hours?": ("2025-11-18", None),
    "What happened in the last quarter?": ("2025-08-20", None),
    "What happened in the past decade?": ("2015-11-20", None),
    "What happened a few weeks ago?": ("2025-10-27", "2025-11-02"),
    "What happened two weeks ago?": ("2025-11-03", "2025-11-09"),
    "What happened a fortnight ago?": ("2025-11-06", "2025-11-06"),
    "What was written about the new virus before March 2020?": (None, "2020-02-29"),
    "What is new this year?": ("2025-01-01", None),
    "What happened since last month?": ("2025-10-01", None),
}
NO_TIME = [
    "How many exhibits does the expo have?",
    "Who opened the 2024 Taizhou expo?",
    "What share of cars will be electric in 2030?",
    "What is the goal by 2040?",
    "What was decided before 2040?",
    "How much did exports grow compared with the previous year?",
    "Was it more than last year?",
    "What did she do in her last year at school?",
    "What did Malik do before Malik’s last year at school?",
    "How much is it compared with last year?",
    "What happened in the last week of the war?",
    "Who was the last emperor?",
    "Who won on the last day?",
    "Did the siege last three weeks?",
    "Who scored in the third quarter?",
    "What stands on the 5th floor?",
    "How many may 3 people carry?",
    "Who was in March of the Penguins?",
    "who wrote 1984",
    "What is rule 2008(b)?",
    "What is the latest age at which a judge can retire?",
    "Must the form be in by noon at the latest?",
    "May I see the figures?",
    "Who will march in the parade?",
    "What happened on 30 February 2021?",
    "How long is route 2021-44-99?",
    "Is the address in 2021.5 or in 1999,7?",
    "Where is the company based today?",
]


def hit(source: str, published: str | None, rank: int, score: float = 0.03) -> Hit:
    of = replace(document(source, f"{source} tells."), published=published)
    return Hit(Passage(of, 0, 0, len(of.text), "t"), rank, score - rank / 1000, 0.5, 0.5)


def sources(hits) -> str:
    return "".join(h.passage.document.source for h in hits)


def bounds(question: str):
    asked = dates_asked(question, TODAY)
    return asked and tuple(day and day.isoformat() for day in (asked.first, asked.last))


@pytest.mark.parametrize(("question", "period"), [*PREFERRED.items(), *STRICT.items()])
def test_date_words_name_a_time(question, period):
    assert bounds(question) == period


@pytest.mark.parametrize("question", PREFERRED)
def test_the_time_of_what_is_told_is_a_preference(question):
    assert not dates_asked(question, TODAY).strict


@pytest.mark.parametrize("question", STRICT)
def test_words_of_publication_or_of_now_are_a_filter(question):
    assert dates_asked(question, TODAY).strict


@pytest.mark.parametrize("question", NO_TIME)
def test_other_questions_name_no_time(question):
    assert dates_asked(question, TODAY) is None


@pytest.mark.parametrize("question", ["What is the latest price of lithium?", "What is the most recent forecast?"])
def test_latest_asks_for_newer_articles(question):
    assert dates_asked(question, TODAY).latest


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=60)
    | st.from_regex(r"(in|since|last|before) [0-9A-Za-z ,-]{0,20}")
    | st.lists(
        st.sampled_from(
            "the in since last 5 31st 30 February ſeptember May fall Q3 2000 1990s early week ago end of - and".split()
        )
    ).map(" ".join),
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
)
def test_any_question_can_be_read_on_any_day(question, today):
    asked = dates_asked(question, today)
    if asked and not asked.latest:
        assert asked.words in question
        assert asked.first is None or asked.first <= today
        assert asked.first is None or asked.last is None or asked.first <= asked.last


# --- what becomes of the hits

HITS = [hit("a", "2019-05-01", 1), hit("b", None, 2), hit("c", "2021-03-01", 3), hit("d", "2022-01-01", 4)]


def test_a_filter_leaves_out_what_was_published_at_another_time_and_keeps_what_has_no_date():
    kept = arranged(HITS, dates_asked("What do articles of 2021 say?", TODAY))
    assert sources(kept) == "bc"
    assert [h.rank for h in kept] == [1, 2]


def test_what_happened_last_month_may_be_told_later_but_what_was_published_then_was_not():
    hits = [hit("a", "2025-09-30", 1), hit("b", "2025-10-31", 2), hit("c", "2025-11-10", 3)]
    assert sources(arranged(hits, dates_asked("What did the minister say last month?", TODAY))) == "bc"
    assert sources(arranged(hits, dates_asked("What was reported last month?", TODAY))) == "b"
    assert sources(arranged(hits, dates_asked("What has happened until last month?", TODAY))) == "ab"


def test_a_filter_that_would_leave_nothing_leaves_all():
    assert sources(arranged(HITS, dates_asked("What do articles of 2024 say?", TODAY))) == "abcd"


def test_a_preference_moves_a_hit_up_a_little_and_drops_none():
    hits = [hit("abcdefghij"[i], "2021-01-01" if i in (3, 9) else "2019-01-01", i + 1, 0.1) for i in range(10)]
    moved = arranged(hits, dates_asked("What happened in 2021?", TODAY))
    assert sorted(sources(moved)) == list("abcdefghij")
    assert sources(moved).index("d") < 3
    assert [h.score for h in moved] == sorted((h.score for h in moved), reverse=True)
    far = [hit("a", "2019-01-01", 1, 0.1), hit("b", "2021-01-01", 2, 0.05)]
    assert sources(arranged(far, dates_asked("What happened in 2021?", TODAY))) == "ab"


def test_latest_prefers_the_newer_and_drops_none():
    moved = arranged(
        [hit("a", None, 1), hit("b", "2019-01-01", 2), hit("c", "2025-01-01", 3)], dates_asked("the latest?", TODAY)
    )
    assert sources(moved) == "cba" or sources(moved)[0] == "c"
    assert len(moved) == 3


class Pool:
    """Finds the same hits for all, and notes how many were asked for, and of which articles."""

    def __init__(self, hits):
        self.hits, self.asked_for, self.scopes = hits, [], set()

    def retrieve(self, question, *, top_k, scope=EVERYTHING):
        self.asked_for.append(top_k)
        self.scopes.add(scope)
        return self.hits[:top_k]


def test_a_question_of_no_time_gets_the_very_hits_of_the_search():
    pool = Pool(HITS)
    assert DatedRetriever(pool, lambda: TODAY).retrieve("How many exhibits?", top_k=3) == HITS[:3]
    assert pool.asked_for == [3]


@pytest.mark.parametrize("question", ["How many exhibits?", "What do articles of 2021 say?"])
def test_the_search_is_asked_of_the_same_part_of_the_articles(question):
    pool, scope = Pool(HITS), Scope(names=("expo",))
    DatedRetriever(pool, lambda: TODAY).retrieve(question, top_k=3, scope=scope)
    assert pool.scopes == {scope}


def test_what_was_published_at_the_time_asked_for_is_found_far_down():
    hits = [hit(f"{i},", "2019-01-01", i) for i in range(1, 300)] + [hit("found", "2021-06-01", 300)]
    found = DatedRetriever(Pool(hits), lambda: TODAY).retrieve("What do articles of 2021 say?", top_k=5)
    assert sources(found) == "found"


# --- what is told


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (
            "What do articles of 2021 say?",
            "“of 2021”: only articles dated from 2021-01-01 to 2021-12-31 were looked at, and 1 without a date",
        ),
        (
            "What do articles since 2024 say?",
            "“since 2024”: no article found is dated from 2024-01-01 on, so all were looked at",
        ),
        ("What happened before 2020?", "“before 2020”: articles dated up to 2019-12-31 come a little earlier"),
        ("What happened in 2015?", ""),
        ("What is the latest?", "“latest”: newer articles come a little earlier"),
    ],
)
def test_what_the_time_did_is_told(question, told):
    asked = dates_asked(question, TODAY)
    assert remark(asked, arranged(HITS, asked)) == told


def test_an_answer_tells_it_in_its_notes_its_explanation_and_the_page(monkeypatch):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)
    listed = [
        replace(document(name, text), published=day)
        for name, text, day in (
            ("a.txt", "The expo in Lahore had 2,500 exhibits.", "2021-05-01"),
            ("b.txt", "Two firms make tyres.", "2019-05-01"),
        )
    ]
    question = "How many exhibits do articles of 2021 give the expo in Lahore?"
    retriever = DatedRetriever(ListRetriever(*listed))
    answer = Assistant(retriever, FakeEncoder(), ScriptedGenerator("It had 2,500 exhibits."), passages_read=4).ask(question)
    told = "“of 2021”: only articles dated from 2021-01-01 to 2021-12-31 were looked at"
    assert [h.passage.document.source for h in answer.hits] == ["a.txt"]
    assert told in answer.notes
    assert told in answer_record(answer)["notes"]
    assert any(line.text == told for section in sections(answer) for line in section.lines)
    assert told in answer_html.conversation([Turn(question, answer)])
