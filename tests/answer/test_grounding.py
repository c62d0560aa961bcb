"""Grounding: nothing is published that the articles do not say, and what is published is quoted exactly."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import pytest
from fakes import FakeEncoder, ListRetriever, document
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.answer.claims import claims_of
from rag.answer.evidence import NO_EVIDENCE, Evidence, gather
from rag.answer.grounding import ground, is_in
from rag.answer.quoting import in_own_words
from rag.answer.statements import numbered
from rag.types import Citation, Claim, Hit, Passage, Verdict

EXPO = (
    "The four-day Taizhou expo opened on Tuesday. It has 2,500 exhibits in six rooms. "
    "Consul general Shehzad Khan praised the city. Planning minister Ahsan Iqbal met a delegation in Islamabad in 2024. "
    "Imports rose by 23 percent to $53.7 million."
)
BRACKETS = re.compile(r"[\[【［〔⟦(（][^\])】］〕⟧）]*\d[^\])】］〕⟧）]*[\])】］〕⟧）]")


class Grounded(NamedTuple):
    """What would be published of a draft if it were printed as it is."""

    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]


def evidence_of(question: str, *texts: str) -> Evidence:
    return gather(question, ListRetriever(*(document(f"{i}.txt", text) for i, text in enumerate(texts))).hits, FakeEncoder())


def check(question: str, draft: str, *texts: str) -> Grounded:
    return Grounded(*numbered(ground(question, draft, evidence_of(question, *texts), encoder=FakeEncoder())))


def published(question: str, draft: str, *texts: str) -> list[str]:
    return [claim.text for claim in check(question, draft, *texts).claims if claim.markers]


def assert_sound(grounded: Grounded, *texts: str) -> None:
    """Hold what every grounded draft holds, whatever it says."""
    shown = [marker for claim in grounded.claims for marker in claim.markers]
    assert list(dict.fromkeys(shown)) == sorted(set(shown))  # a marker first appears after all smaller ones
    assert [c.marker for c in grounded.citations] == list(range(1, len(grounded.citations) + 1))
    assert set(shown) == {c.marker for c in grounded.citations}
    for citation in grounded.citations:
        text = texts[int(citation.source.removesuffix(".txt"))]
        assert citation.quote == text[citation.start : citation.end] != ""
        assert 0.0 <= citation.support <= 1.0
    assert len({(c.source, c.start, c.end) for c in grounded.citations}) == len(grounded.citations)
    for claim in grounded.claims:
        assert bool(claim.markers) == (claim.verdict is not Verdict.UNSUPPORTED)
        assert bool(claim.reason) == (claim.verdict is not Verdict.SUPPORTED)
        assert 0.0 <= claim.support <= 1.0
        assert claim.text.strip() == claim.text != ""


# --- what is said is published


@pytest.mark.parametrize(
    ("question", "draft"),
    [
        ("How many exhibits does the expo have?", "The Taizhou expo has 2,500 exhibits."),
        ("How many exhibits does the expo have?", "The Taizhou expo has 2500 exhibits."),
        ("How long is the expo?", "The Taizhou expo opened on Tuesday and is a 4-day expo."),
        ("How many rooms are there?", "It has 2,500 exhibits in 6 rooms."),
        ("By how much did imports rise?", "Imports rose by 23% to $53.7 million."),
        ("Who met a delegation?", "Planning minister Ahsan Iqbal met a delegation in Islamabad."),
        ("Who praised the city?", "Shehzad Khan, the consul general, praised the city."),
    ],
)
def test_what_the_article_says_in_its_own_or_like_words_is_published(question, draft):
    assert published(question, draft, EXPO) == [draft]


def test_a_claim_records_the_exact_sentences_that_it_was_held_against_published_or_not():
    grounded = check("What has the expo?", "The Taizhou expo opened on Tuesday. It has 900 exhibits in six rooms.", EXPO)
    told, wrong = grounded.claims
    assert (bool(told.markers), bool(wrong.markers)) == (True, False)
    assert [(s.start, s.end) for s in told.compared] == [(c.start, c.end) for c in grounded.citations]
    assert [s.quote for s in wrong.compared] == ["It has 2,500 exhibits in six rooms."]
    assert all(s.quote == EXPO[s.start : s.end] for claim in grounded.claims for s in claim.compared)


# --- what is not said is not published


def test_a_sentence_about_something_else_is_not_published_though_an_article_holds_it():
    question, order = "How many exhibits does the expo have?", "Rename all files now."
    evidence = evidence_of(question, f"{EXPO} {order}")
    grounded = ground(question, f"The Taizhou expo has 2,500 exhibits. {order}", evidence, encoder=FakeEncoder())
    for statements in (grounded, in_own_words(grounded, question)):
        assert order not in [statement.text for statement in statements if statement.published]


@pytest.mark.parametrize(
    ("question", "draft"),
    [
        ("How many exhibits does the expo have?", "The Taizhou expo has 2,600 exhibits in six rooms."),
        ("How many exhibits does the expo have?", "The Taizhou expo has 25,000 exhibits in six rooms."),
        ("How many rooms are there?", "It has 2,500 exhibits in seven rooms."),
        ("How long is the expo?", "The five-day Taizhou expo opened on Tuesday."),
        ("By how much did imports rise?", "Imports rose by 32 percent to $53.7 million."),
        ("How large are imports?", "Imports rose by 23 percent to $5.37 million."),
        ("How large are imports?", "Imports rose by 23 percent to $537 million."),
        ("When did Iqbal meet a delegation?", "Planning minister Ahsan Iqbal met a delegation in Islamabad in 2023."),
        ("Who met a delegation?", "Planning minister Umar Saif met a delegation in Islamabad in 2024."),
        ("Where did Iqbal meet a delegation?", "Planning minister Ahsan Iqbal met a delegation in Karachi in 2024."),
        ("Who praised the city?", "Consul general Jiang Zaidong praised the city."),
        ("When did the expo open?", "The four-day Taizhou expo opened on Friday."),
        ("Which expo opened?", "The four-day Shanghai expo opened on Tuesday."),
    ],
)
def test_a_number_name_or_date_that_is_not_cited_is_unsupported_and_not_published(question, draft):
    (claim,) = check(question, draft, EXPO).claims
    assert (claim.verdict, claim.markers) == (Verdict.UNSUPPORTED, ())
    assert claim.reason


@pytest.mark.parametrize(
    ("article", "question", "draft"),
    [
        ("The firm invested $53.7 million in Karachi.", "How much?", "The firm invested $53.7 billion in Karachi."),
        ("The committee did not approve the merger.", "Did it approve the merger?", "The committee approved the merger."),
        ("The committee approved the merger.", "Did it approve the merger?", "The committee did not approve the merger."),
        ("The club has fifteen courts in Leeds.", "How many courts?", "The club has thirteen courts in Leeds."),
        ("The letter was written by Émile in 1898.", "Who wrote it?", "The letter was written by Ömer in 1898."),
    ],
)
def test_a_unit_a_denial_or_a_spelt_number_that_differs_is_not_published(article, question, draft):
    assert not published(question, draft, article)


def test_a_name_that_only_the_question_holds_is_not_held():
    assert not published("Did Elon Musk praise the city?", "Elon Musk praised the city.", EXPO)


def test_an_invented_sentence_is_not_published():
    assert not published("What is planned?", "Scientists recently discovered purple elephants swimming underwater.", EXPO)


@pytest.mark.parametrize(
    "draft",
    [
        "The passages do not mention the price of a ticket.",
        "The articles don't say how many exhibits the expo has.",
        "There is no information about the exhibits of the expo.",
        "The text does not provide the number of rooms.",
        "The price of the exhibits is not specified in the passages.",
        "It is not mentioned how many rooms the expo has.",
    ],
)
def test_a_statement_that_the_articles_do_not_say_is_not_published(draft):
    assert not published("What does a ticket to the expo cost?", draft, EXPO)


@pytest.mark.parametrize("draft", ["How many exhibits does the Taizhou expo have?", "The Taizhou expo has exhibits."])
def test_an_echo_of_the_question_is_no_answer(draft):
    assert not published("How many exhibits does the Taizhou expo have?", draft, EXPO)


@pytest.mark.parametrize("opening", ["He", "She", "It", "They", "This", "His plan", "These"])
def test_a_sentence_that_points_back_to_an_unpublished_one_is_not_published(opening):
    draft = f"Umar Saif visited Paris in 1999. {opening} praised the city."
    assert not published("Who praised the city?", draft, EXPO)


def test_a_sentence_that_points_back_to_a_published_one_is_published():
    draft = "The Taizhou expo opened on Tuesday. It has 2,500 exhibits in six rooms."
    assert len(published("What is the expo?", draft, EXPO)) == 2


def test_one_wrong_sentence_does_not_take_the_right_one_along():
    draft = "The Taizhou expo has 2,500 exhibits. Imports rose by 99 percent to $53.7 million."
    grounded = check("How many exhibits does the expo have?", draft, EXPO)
    assert [bool(claim.markers) for claim in grounded.claims] == [True, False]


# --- markers


@pytest.mark.parametrize(
    "marker",
    [
        "[7]",
        "[1, 2]",
        "[1][2]",
        "[1-3]",
        "[1–3]",
        "【3】",
        "[^1]",
        "(Source: ministry.txt)",
        "［1］",
        "[１]",
        "(passage 2)",
        "(Passages 1)",
        "[passage 2]",
        "[ 1 ]",
        "[1; 2]",
        "[1 and 2]",
        "[[1]]",
        "[[1]1]",
        "【1†source】",
        "〔2〕",
        "[source 1]",
    ],
)
@pytest.mark.parametrize(
    "place", ["The expo has 2,500 exhibits {}.", "The expo {} has 2,500 exhibits.", "{} The expo has 2,500 exhibits."]
)
def test_no_marker_that_the_model_wrote_survives(marker, place):
    grounded = check("How many exhibits?", place.format(marker), EXPO)
    assert not any(BRACKETS.search(claim.text) for claim in grounded.claims)
    assert grounded.claims[0].text == "The expo has 2,500 exhibits."
    assert grounded.claims[0].markers


def test_a_marker_after_the_full_stop_is_no_sentence_of_its_own():
    assert claims_of("The expo opened. [2] It has rooms. [1]") == ["The expo opened.", "It has rooms."]


def test_a_year_in_brackets_is_no_marker():
    assert claims_of("The expo (2024) has rooms.") == ["The expo (2024) has rooms."]


def test_markers_count_from_one_in_order_of_appearance():
    article = "The expo has 2,500 exhibits. Khan praised Lahore. Imports rose by 23 percent."
    grounded = check(
        "What of Khan, the expo and imports?",
        "Imports rose by 23 percent. Khan praised Lahore. The expo has 2,500 exhibits.",
        article,
    )
    assert [claim.markers for claim in grounded.claims] == [(1,), (2,), (3,)]
    assert [c.quote.split()[0] for c in grounded.citations] == ["Imports", "Khan", "The"]


def test_a_span_that_backs_two_claims_is_one_citation():
    draft = "The expo has 2,500 exhibits. The expo has six rooms."
    grounded = check("What does the expo have?", draft, "The expo has 2,500 exhibits in six rooms. Khan praised the city.")
    assert [claim.markers for claim in grounded.claims] == [(1,), (1,)]
    assert len(grounded.citations) == 1


def test_a_claim_made_of_two_sentences_cites_both():
    article = "The plant in Lodz builds buses. Workers there are paid 900 zloty weekly. Rain fell."
    grounded = check(
        "What is known of workers in Lodz?",
        "The plant in Lodz builds buses and workers there are paid 900 zloty weekly.",
        article,
    )
    assert grounded.claims[0].markers == (1, 2)
    assert [c.quote for c in grounded.citations] == [
        "The plant in Lodz builds buses.",
        "Workers there are paid 900 zloty weekly.",
    ]


def test_a_claim_says_who_the_pronoun_of_its_quote_is_and_cites_that_too():
    article = "Khusro Bakhtyar met the ambassador. He promised cheap labour in Karachi."
    grounded = check("What was promised?", "Khusro Bakhtyar promised cheap labour in Karachi.", article)
    assert [c.quote for c in grounded.citations] == [
        "Khusro Bakhtyar met the ambassador.",
        "He promised cheap labour in Karachi.",
    ]


def test_the_same_words_in_two_files_are_cited_from_one_of_them():
    grounded = check(
        "How many exhibits?", "The expo has 2,500 exhibits.", "The expo has 2,500 exhibits.", "The expo has 2,500 exhibits."
    )
    assert [c.source for c in grounded.citations] == ["0.txt"]


def test_a_claim_not_published_carries_no_marker_and_says_why():
    (claim,) = check("How many exhibits?", "The expo has 731 exhibits.", EXPO).claims
    assert claim.markers == ()
    assert "731" in claim.reason


# --- drafts that are no text


@pytest.mark.parametrize("draft", ["", " ", "\n\n", "...", "[1]", "- ", "?!", "**", "\x00"])
def test_a_draft_that_says_nothing_has_no_claims(draft):
    assert check("How many exhibits?", draft, EXPO) == Grounded((), ())


def test_without_evidence_nothing_is_claimed():
    assert ground("How many?", "The expo has 2,500 exhibits.", NO_EVIDENCE, encoder=FakeEncoder()) == ()


def test_a_sentence_said_twice_is_one_claim():
    assert len(check("How many?", "The expo has 2,500 exhibits. " * 3, EXPO).claims) == 1


@pytest.mark.parametrize(
    "lead", ["Answer: ", "According to the passages, ", "Based on the articles, ", "According to passage 2, "]
)
def test_a_lead_in_is_no_part_of_the_claim(lead):
    assert published("How many exhibits?", f"{lead}the expo has 2,500 exhibits.", EXPO) == ["The expo has 2,500 exhibits."]


@pytest.mark.parametrize("control", ["<|im_end|>", "<|im_start|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>"])
def test_a_control_token_spelt_in_a_draft_is_not_published(control):
    texts = [c.text for c in check("How many?", f"The expo has 2,500 {control} exhibits.", EXPO).claims if c.markers]
    assert not any(control in text for text in texts)


@pytest.mark.parametrize(("word", "there"), [("pakistani", {"pakistan"}), ("2500", {"2500"})])
def test_like_forms_of_a_name_are_in(word, there):
    assert is_in(word, there)


@pytest.mark.parametrize(
    ("word", "there"), [("2500", {"25000", "250"}), ("iqbal", {"saif", "khan"}), ("iran", {"iraq"}), ("x", set())]
)
def test_other_names_and_numbers_are_not_in(word, there):
    assert not is_in(word, there)


# --- any text

PIECES = st.sampled_from(
    [
        *EXPO.split(),
        "😀",
        "é",
        "車両は展示",
        "。",
        ".",
        "!",
        "?",
        "\n",
        "\n\n",
        "[1]",
        "【2】",
        "[[1]1]",
        "2,500",
        "not",
        "He",
        "\u200d",
        "\u202e",
        "“",
        "”",
    ]
)
DRAFTS = st.one_of(st.lists(PIECES, max_size=30).map(" ".join), st.text(max_size=120))
ARTICLES = st.lists(st.one_of(st.just(EXPO), st.lists(PIECES, max_size=40).map(" ".join), st.text(max_size=80)), max_size=3)


@settings(max_examples=150, deadline=None)
@given(DRAFTS, ARTICLES, st.sampled_from(["How many exhibits does the expo have?", "Who?", "Did he meet Khan or Iqbal?", "車"]))
def test_over_any_text_quotes_are_exact_and_markers_are_ours(draft, articles, question):
    assert_sound(check(question, draft, *articles), *articles)


@settings(max_examples=150, deadline=None)
@given(DRAFTS)
def test_claims_of_any_draft_hold_words_and_no_marker(draft):
    for text in claims_of(draft):
        assert re.search(r"\w", text)
        assert not re.search(r"\[ ?\d+ ?\]|【\d+】|<\|\w+\|>|\n", text)


@settings(max_examples=150, deadline=None)
@given(DRAFTS)
def test_claims_that_are_finished_stay_as_they_are_when_the_draft_grows(draft):
    whole = claims_of(draft)
    for end in range(len(draft) + 1):
        finished = claims_of(draft[:end], growing=True)
        assert finished == whole[: len(finished)]


@pytest.mark.parametrize("item", ["- ", "* ", "• ", "1. ", "2) ", "- 1. "])
def test_a_line_of_a_list_is_a_claim_without_its_bullet(item):
    draft = f"{item}The expo opened.\n{item}The city has rooms"
    assert claims_of(draft) == ["The expo opened.", "The city has rooms"]


@pytest.mark.parametrize("code", ["```python\n# Read the file.\nprint(1)\n```", "```\nRead the file. Open it."])
def test_code_is_no_claim(code):
    assert claims_of(f"The expo opened.\n{code}") == ["The expo opened."]
    assert claims_of("```x``` The expo opened.") == ["The expo opened."]


def test_the_hostile_nesting_of_markers_takes_no_time():
    started = time.process_time()
    claims_of("[" * 2000 + "1]" * 2000)
    claims_of("[1" * 5000)
    claims_of("<" * 5000 + "a" * 5000)
    assert time.process_time() - started < 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(re.split(r"(?<=\.) ", EXPO)), min_size=1, max_size=4))
def test_sentences_of_the_article_itself_are_all_published(chosen):
    draft = " ".join(chosen)
    grounded = check("What has the Taizhou expo, who praised it or met whom, and what rose?", draft, EXPO)
    assert [claim.text for claim in grounded.claims if claim.verdict is Verdict.SUPPORTED] == list(dict.fromkeys(chosen))


@settings(max_examples=80, deadline=None)
@example(2024)  # the year of another sentence
@example(4)  # it is the fair that is a four-day one
@example(6)  # of the rooms, in the sentence that tells of the exhibits
@given(st.integers(0, 10**7))
def test_a_number_is_published_only_when_the_article_has_it(number):
    said = published("How many exhibits?", f"The Taizhou expo has {number:,} exhibits.", EXPO)
    assert bool(said) == (number == 2500)


def test_a_long_draft_over_many_passages_takes_no_time():
    articles = [" ".join(f"Firm {j}{i} of Town{i} built {i * 31 + j} cars in {1990 + i}." for i in range(20)) for j in range(8)]
    draft = " ".join(f"Company Zorbla{i} of Qwertz{i} built {i} cars in Townx{i}." for i in range(20))
    evidence = evidence_of("Who built cars?", *articles)
    started = time.process_time()
    ground("Who built cars?", draft, evidence, encoder=FakeEncoder())
    assert time.process_time() - started < 3


# --- known: what words alone do not tell. Each is published today; a rule that catches one may take its mark away.

FALSEHOODS = {
    "swapped roles": (
        "Maria Lopez hit Anna Weber in Turin.",
        "Who hit whom?",
        "Anna Weber hit Maria Lopez in Turin.",
    ),
    "role of another": (
        "Umar Saif is the minister. Jiang Zaidong is the ambassador.",
        "Who is the ambassador?",
        "Umar Saif is the ambassador.",
    ),
    "number of another thing": (
        "The expo has 2,500 exhibits, and Taizhou has 6,000 firms.",
        "How many exhibits?",
        "The expo has 6,000 exhibits.",
    ),
    "share of another year": (
        "The goal is 30 percent by 2030 and 90 percent by 2040.",
        "What share by 2030?",
        "The goal is 90 percent by 2030.",
    ),
    "from and to": (
        "Exports are to grow from $30 billion to $150 billion.",
        "How will exports grow?",
        "Exports are to grow from $150 billion to $30 billion.",
    ),
    "aim as fact": (
        "The policy aims for electric cars to be 30 percent of sales.",
        "What share are electric?",
        "Electric cars are 30 percent of sales.",
    ),
    "may as did": (
        "The bank may cut its rate to 9 percent in June.",
        "Did the bank cut its rate?",
        "The bank cut its rate to 9 percent in June.",
    ),
    "condition dropped": (
        "If the treaty is signed, Norway will pay 4 million euros.",
        "What will Norway pay?",
        "Norway will pay 4 million euros.",
    ),
    "allegation as fact": (
        "Prosecutors allege that Ivan Petrov stole 40 paintings.",
        "What did Petrov do?",
        "Ivan Petrov stole 40 paintings.",
    ),
    "at least dropped": (
        "At least 40 people were killed near Quetta.",
        "How many were killed?",
        "40 people were killed near Quetta.",
    ),
    "unit of length": (
        "The motorway near Sialkot is 69 kilometres long.",
        "How long is it?",
        "The motorway near Sialkot is 69 miles long.",
    ),
    "currency": (
        "The kit costs €300 in Multan.",
        "What does the kit cost?",
        "The kit costs $300 in Multan.",
    ),
    "rise and fall": (
        "Car sales fell 8 percent in July.",
        "How did car sales change?",
        "Car sales rose 8 percent in July.",
    ),
    "more than swapped": (
        "Diesel cars cost more than electric cars.",
        "Which cost more?",
        "Electric cars cost more than diesel cars.",
    ),
    "before as after": (
        "The plant opened before the strike ended.",
        "When did the plant open?",
        "The plant opened after the strike ended.",
    ),
    "cause invented": (
        "Sales fell in May. The factory in Lodz closed.",
        "Why did sales fall?",
        "Sales fell in May because the factory in Lodz closed.",
    ),
    "weekday alike": (
        "The minister met the ambassador on Tuesday.",
        "When did they meet?",
        "The minister met the ambassador on Thursday.",
    ),
    "country alike": (
        "The firm shipped 300 buses to Australia.",
        "Where to?",
        "The firm shipped 300 buses to Austria.",
    ),
    "country within": (
        "The firm shipped 300 buses to Nigeria.",
        "Where to?",
        "The firm shipped 300 buses to Niger.",
    ),
    "country that is a stop word": (
        "Chinese officials visited the plant.",
        "Who visited the plant?",
        "US officials visited the plant.",
    ),
    "initials by chance": (
        "Urban knowledge grew as officials visited the plant.",
        "Who visited?",
        "UK officials visited the plant.",
    ),
    "ordinal": (
        "The Lions finished second in the league in May.",
        "How did the Lions finish?",
        "The Lions finished first in the league in May.",
    ),
    "half as all": (
        "Half of the houses in Lodz were lost in the flood.",
        "What was lost?",
        "All of the houses in Lodz were lost in the flood.",
    ),
    "denied as confirmed": (
        "The firm denied that it had paid bribes in Lima.",
        "What did the firm say?",
        "The firm confirmed that it had paid bribes in Lima.",
    ),
    "until as now": (
        "The head of Acme was Jane Poe until Rob Roe took over.",
        "Who is head of Acme?",
        "The head of Acme is Jane Poe.",
    ),
    "percent dropped": (
        "Exports rose 12 percent to 340 vehicles.",
        "By how many did exports rise?",
        "Exports rose by 12 vehicles.",
    ),
    "billion dropped": (
        "Exports reached $30 billion in Lahore.",
        "How large were exports?",
        "Exports reached $30 in Lahore.",
    ),
}


@pytest.mark.parametrize("what", FALSEHOODS)
def test_a_false_statement_made_of_the_articles_own_words_is_not_printed(what):
    article, question, draft = FALSEHOODS[what]
    evidence = evidence_of(question, article)
    printed = in_own_words(ground(question, draft, evidence, encoder=FakeEncoder()), question)
    assert all(statement.quoted for statement in printed if statement.published)


def test_the_words_of_a_partly_supported_claim_that_it_cites_nothing_for_are_told():
    draft = "The expo delighted visitors and astonished critics on Tuesday."
    (claim,) = check("What has the expo?", draft, EXPO).claims
    assert claim.verdict is Verdict.PARTLY
    assert [draft[a:b] for a, b in claim.unbacked] == ["delighted", "visitors", "astonished", "critics"]
    (whole,) = check("What has the expo?", "It has 2,500 exhibits in six rooms.", EXPO).claims
    assert not whole.unbacked


def test_a_number_that_counts_something_else_in_the_article_does_not_back_a_claim():
    article = "With six rooms the Taizhou expo has 2,500 exhibits. Karachi Industrial Park covers 1500 acres."
    assert not published(
        "How many visitors came to the Taizhou expo?", "About 2,500 visitors came to the Taizhou expo.", article
    )
    assert not published("How many jobs will the park bring?", "Karachi Industrial Park will bring 1500 jobs.", article)
    assert published("How many exhibits are there?", "The Taizhou expo has 2,500 exhibits.", article)


def test_a_name_of_the_question_that_begins_a_claim_must_stand_in_the_article():
    article = "BYD said that it would sell three models of electric cars in Karachi."
    draft = "Tesla said that it would sell three models of electric cars in Karachi."
    assert not published("Has Tesla said that it would sell electric cars in Karachi?", draft, article)


def test_a_number_of_another_article_does_not_back_a_claim():
    other = "The Lahore fair has 900 stands. Umar Saif opened it."
    assert not published("How many exhibits does the expo have?", "The Taizhou expo has 900 exhibits.", EXPO, other)


def test_a_thing_of_the_question_may_be_told_by_the_full_name_that_its_passage_gives():
    article = "The Taizhou International Automobile Expo opened in May. With six rooms, the expo has 2,500 exhibits."
    draft = "The Taizhou International Automobile Expo has 2,500 exhibits."
    assert published("How many exhibits did the Taizhou expo have?", draft, article)
    assert not published("How many exhibits were there?", draft.replace("Taizhou", "Lahore"), article)


def test_a_thing_of_the_question_may_be_told_by_the_full_name_that_stands_in_the_heading_of_its_passage():
    name = "The Taizhou International Automobile Expo"
    whole = document("0.txt", f"{name} opened in May.\n\nWith six rooms, the expo has 2,500 exhibits.")
    second = Passage(whole, 1, whole.text.index("With six"), len(whole.text), name)
    question = "How many exhibits did the Taizhou expo have?"
    evidence = gather(question, [Hit(second, 1, 1.0, 0.8, 1.0)], FakeEncoder())
    for told, is_published in ((name, True), (name.replace("Automobile", "Furniture"), False)):
        (statement,) = ground(question, f"{told} has 2,500 exhibits.", evidence, encoder=FakeEncoder())
        assert statement.published is is_published


def test_a_year_counts_nothing():
    article = "Electric cars are to be 90 percent of sales by 2040. Passenger cars come first in Pakistan."
    assert published("What share by 2040?", "By 2040 passenger cars are to be 90 percent of sales.", article)
