"""What a browser keeps of a chat, and what is taken back from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fakes import decided, document
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Answer, Citation, Claim, Found, Hit, Passage, State, Status, Verdict
from rag.web.conversation import (
    LEFT,
    MAX_KEPT_CHARS,
    Conversation,
    Turn,
    chat_history,
    from_json,
    to_json,
    with_texts,
    without_texts,
)

EXPO = document("expo.txt", "The expo opened. It had 2,500 exhibits. Entry was free.")
COPY = document("copy.txt", "Elsewhere. It had 2,500 exhibits.")
QUOTE = "It had 2,500 exhibits."


def cited(of, **changes):
    at = of.text.index(QUOTE)
    return replace(Citation(of.source, at, at + len(QUOTE), QUOTE, 1, of.title, None, 1.0, of.sha256), **changes)


def answer():
    hit = Hit(
        Passage(EXPO, 0, 0, len(EXPO.text), "Expo"), 1, 0.5, 0.8, 1.0, (Passage(COPY, 0, 0, 9, "Copy"),), found=Found(0.9)
    )
    return Answer(
        "How many?",
        "How many?",
        f"{QUOTE[:-1]} [1].",
        Status.ANSWERED,
        decided(),
        (Claim(QUOTE, Verdict.SUPPORTED, 1.0, (1,)),),
        (cited(EXPO, copies=(cited(COPY),)),),
        (hit,),
        prompt=({"role": "user", "content": "the prompt"},),
    )


SAID = Conversation((Turn("How many?", answer(), rated="up"), Turn("And?", problem="Stopped.")))


def find(*documents):
    by_source = {each.source: each for each in documents}
    return lambda source: by_source[source]


def test_a_conversation_comes_back_as_it_was():
    kept = to_json(without_texts(SAID))
    assert EXPO.text not in kept
    again = with_texts(from_json(kept), find(EXPO, COPY))
    first = replace(SAID.turns[0], answer=replace(answer(), prompt=()))
    assert again == replace(SAID, turns=(first, SAID.turns[1]))


def test_a_place_in_an_article_that_is_another_now_is_said_to_have_changed():
    other = document("expo.txt", f"Rewritten. {QUOTE}")
    back = with_texts(from_json(to_json(without_texts(SAID))), find(other)).turns[0].answer
    assert back.hits == ()
    assert [c.state for c in back.citations] == [State.CHANGED]
    assert back.citations[0].quote == QUOTE
    assert back.citations[0].copies == ()


def test_a_place_in_an_article_that_is_gone_is_said_to_be_missing():
    back = with_texts(from_json(to_json(without_texts(SAID))), find(COPY)).turns[0].answer
    assert [c.state for c in back.citations] == [State.MISSING]


def test_what_was_waiting_when_the_page_was_left_is_over():
    asked = Conversation((Turn("How many?", waiting="Reading…"),))
    assert from_json(to_json(without_texts(asked))).turns == (Turn("How many?", problem=LEFT),)


def test_a_long_conversation_loses_its_oldest_turns():
    turns = tuple(Turn(f"{n} {'x' * 1900}") for n in range(400))
    kept = to_json(Conversation(turns))
    assert len(kept) <= MAX_KEPT_CHARS
    assert from_json(kept).turns[-1] == turns[-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said | {"id": "../../x"},
        lambda said: said | {"turns": [{"question": 7}]},
        lambda said: said | {"turns": [{"question": "q", "answer": {"text": "x"}}]},
        lambda said: [],
        lambda said: "x" * MAX_KEPT_CHARS,
    ],
)
def test_what_is_no_conversation_is_refused(change):
    with pytest.raises(ValueError, match=r"."):
        from_json(json.dumps(change(json.loads(to_json(without_texts(SAID))))))


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_places_that_a_browser_made_up_lead_nowhere_else(start, end):
    turn = replace(SAID.turns[0], answer=replace(answer(), citations=(cited(EXPO, start=start, end=end),)))
    back = with_texts(from_json(to_json(without_texts(Conversation((turn,))))), find(EXPO, COPY)).turns[0].answer
    (one,) = back.citations
    assert one.state is State.CHANGED or EXPO.text[one.start : one.end] == QUOTE


def test_only_what_was_answered_is_history():
    assert [message["content"] for message in chat_history(SAID.turns)] == ["How many?", f"{QUOTE[:-1]} [1]."]
