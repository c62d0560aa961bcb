"""What is printed: the articles' own words in place of a claim that follows them closely, and the sentence that it left out."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from fakes import FakeChecker, FakeEncoder, ListRetriever, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.evidence import gather
from rag.answer.grounding import ground
from rag.answer.quoting import in_own_words, with_nearest
from rag.answer.statements import numbered
from rag.types import CheckName, Citation, Claim, Verdict

SIX_ROOMS = "With six rooms spanning 50,000 square meters, the Taizhou expo has 2,500 exhibits of the newest kind."
MET = "Minister Ahsan Iqbal met Umar Saif in Islamabad."
ARTICLE = f"{SIX_ROOMS} {MET}"


class Printed(NamedTuple):
    """What is printed of a draft."""

    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]


def evidence_of(question, *texts):
    documents = [document(f"{i}.txt", text) for i, text in enumerate(texts)]
    return gather(question, ListRetriever(*documents).hits, FakeEncoder())


def printed(question, draft, *texts, verifier=None):
    evidence = evidence_of(question, *texts)
    return Printed(*numbered(in_own_words(ground(question, draft, evidence, encoder=FakeEncoder()), question, verifier)))


def test_a_claim_that_follows_its_sentence_is_printed_as_the_sentence():
    draft = "The Taizhou expo has 2,500 exhibits of the newest kind in six rooms."
    (claim,) = printed("How many exhibits are there?", draft, ARTICLE).claims
    assert (claim.text, claim.drafted, claim.quoted) == (SIX_ROOMS, draft, True)
    assert (claim.verdict, claim.support, claim.reason) == (Verdict.SUPPORTED, 1.0, "")


def test_a_claim_that_takes_little_from_its_sentence_keeps_its_words():
    (claim,) = printed("How many exhibits are there?", "It has 2,500.", ARTICLE).claims
    assert (claim.text, claim.drafted, claim.quoted) == ("It has 2,500.", "", False)


def test_a_claim_keeps_its_words_only_where_it_follows_from_its_sentence():
    asked = "How many exhibits are there?", "It has 2,500.", ARTICLE
    (kept,) = printed(*asked, verifier=FakeChecker()).claims
    assert (kept.text, kept.checks[-1].name, kept.checks[-1].passed) == ("It has 2,500.", CheckName.MEANING, True)
    (given_way,) = printed(*asked, verifier=FakeChecker(denies="2,500")).claims
    assert (given_way.text, given_way.drafted, given_way.markers) == (SIX_ROOMS, "It has 2,500.", (1,))


def test_a_claim_that_gives_way_to_its_sentence_is_not_put_to_the_verifier():
    class Unasked:
        def verify(self, claim, evidence):
            raise AssertionError(claim)

    draft = "The Taizhou expo has 2,500 exhibits of the newest kind in six rooms."
    assert printed("How many exhibits are there?", draft, ARTICLE, verifier=Unasked()).citations


@pytest.mark.parametrize("question", ["Did Ahsan Iqbal meet Umar Saif?", "Who met first?"])
def test_an_answer_that_no_one_sentence_gives_keeps_the_words_of_the_draft(question):
    (claim,) = printed(question, "Yes, Minister Ahsan Iqbal met Umar Saif in Islamabad.", ARTICLE).claims
    assert claim.text.startswith("Yes")


def test_a_sentence_that_two_claims_follow_is_printed_once():
    draft = "The Taizhou expo has 2,500 exhibits of the newest kind. The expo spans 50,000 square meters with six rooms."
    grounded = printed("What is there?", draft, ARTICLE)
    assert [claim.text for claim in grounded.claims] == [SIX_ROOMS]


def test_a_claim_with_a_word_that_its_sentence_does_not_hold_gives_way_to_the_sentence():
    article = "Umar Saif, a caretaker minister of the federal government in office since August, met the ambassador on Monday."
    (claim,) = printed("Was Umar Saif a permanent minister?", "Yes, Umar Saif was a permanent minister.", article).claims
    assert (claim.text, claim.quoted) == (article, True)


def test_a_miscount_stays_unpublished_and_the_sentence_that_it_was_held_against_is_printed():
    grounded = printed("How many exhibits are there?", "The Taizhou expo has 9,000 exhibits of the newest kind.", ARTICLE)
    assert [(c.text, c.markers, c.drafted) for c in grounded.claims] == [
        ("The Taizhou expo has 9,000 exhibits of the newest kind.", (), ""),
        (SIX_ROOMS, (1,), ""),
    ]


def test_a_claim_that_says_nothing_brings_no_sentence():
    grounded = printed("How many exhibits are there?", "The passages do not mention the number of exhibits.", ARTICLE)
    assert [(c.markers, c.quoted) for c in grounded.claims] == [((), False)]


def test_a_role_swapped_within_a_sentence_is_set_right_by_the_sentence():
    grounded = printed("Who met whom?", "Umar Saif met Minister Ahsan Iqbal in Islamabad.", ARTICLE)
    assert [claim.text for claim in grounded.claims] == [MET]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*ARTICLE.split(), SIX_ROOMS, MET, "[1]", "\n"]), max_size=14), st.sampled_from(["Who?", "How?"])
)
def test_every_printed_quote_is_its_span_and_every_marker_is_cited(words, question):
    evidence = evidence_of(question, ARTICLE, MET)
    statements = in_own_words(ground(question, " ".join(words), evidence, encoder=FakeEncoder()), question)
    grounded = Printed(*numbered(with_nearest(statements, evidence.sentences[0])))
    quotes = {citation.marker: citation.quote for citation in grounded.citations}
    assert {marker for claim in grounded.claims for marker in claim.markers} == set(quotes)
    for claim in grounded.claims:
        if claim.quoted:
            assert claim.text == quotes[claim.markers[0]]


def test_a_quote_is_printed_without_its_list_sign_and_with_straight_marks():
    article = "- Sazgar unveiled the “ORA 3,” with China’s Great Wall Motors in May.\n"
    grounded = printed("What did Sazgar unveil?", 'Sazgar unveiled the "ORA 3" with Great Wall Motors.', article)
    assert [claim.text for claim in grounded.claims] == ['Sazgar unveiled the "ORA 3," with China\'s Great Wall Motors in May.']
    assert [c.quote for c in grounded.citations] == [article.strip()]


def test_what_looks_like_a_marker_in_an_article_is_not_printed_as_one():
    article = "The Taizhou expo [7] has 2,500 exhibits 【2】 of the newest kind."
    grounded = printed("How many exhibits are there?", "The Taizhou expo has 2,500 exhibits of the newest kind.", article)
    assert [claim.text for claim in grounded.claims] == ["The Taizhou expo has 2,500 exhibits of the newest kind."]
