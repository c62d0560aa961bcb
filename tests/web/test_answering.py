"""Many readers, one assistant: the line, stopping, failures. Without Gradio and without models."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from test_conversation import answer

from rag.errors import ModelMissing, UsageError
from rag.types import Options
from rag.web.answering import FULL, LONGEST, STOPPED, SharedAssistant, retried, with_question
from rag.web.conversation import Conversation
from rag.web.loading import BackgroundAssistant


class Held:
    """An assistant that answers when it may, and knows what it was asked."""

    def __init__(self):
        self.may, self.begun, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.asked, self.ended = [], threading.Event()

    def stream(self, question, *, history=(), stopped=lambda: False, options=None):
        self.asked.append((question, history, options))
        self.begun.set()
        try:
            while not self.may.wait(0.01):
                if stopped():
                    return
            yield replace(answer(), question=question)
        finally:
            self.ended.set()

    def close(self):
        self.closed.set()


def opened(assistant):
    opening = BackgroundAssistant(lambda progress: assistant)
    opening.start()
    opening.assistant()
    return SharedAssistant(opening)


def asked(question="How many?"):
    return with_question(Conversation(), question)


def last(steps):
    *_, conversation = steps
    return conversation.turns[-1]


def in_thread(service, session, conversation, ends):
    thread = threading.Thread(target=lambda: ends.update({session: last(service.answer(session, conversation, Options()))}))
    thread.start()
    return thread


def test_an_answer_comes_with_the_turns_before_it_as_history():
    assistant = Held()
    assistant.may.set()
    service = opened(assistant)
    first = last(service.answer("a", asked(), Options()))
    assert not first.waiting
    again = with_question(Conversation((first,)), "And then?")
    last(service.answer("a", again, Options(passages_read=3)))
    question, history, options = assistant.asked[1]
    assert question == "And then?"
    assert history[0]["content"] == "How many?"
    assert options == Options(passages_read=3)


def test_the_second_reader_is_told_the_place_in_line_and_gets_an_own_answer():
    assistant, ends = Held(), {}
    service = opened(assistant)
    thread = in_thread(service, "one", asked("one?"), ends)
    assert assistant.begun.wait(5)
    with closing(service.answer("two", asked("two?"), Options())) as steps:
        while "number 1 in line" not in (told := next(steps).turns[-1]).waiting:
            assert told.waiting
        assistant.may.set()
        end = last(steps)
    thread.join()
    assert (ends["one"].answer.question, end.answer.question) == ("one?", "two?")


@pytest.mark.parametrize("session", ["one", "two"])
def test_stop_ends_an_answer_under_way_and_one_that_waits(session):
    assistant, ends = Held(), {}
    service = opened(assistant)
    threads = {name: None for name in ("one", "two")}
    threads["one"] = in_thread(service, "one", asked("one?"), ends)
    assert assistant.begun.wait(5)
    threads["two"] = in_thread(service, "two", asked("two?"), ends)
    service.stop("nobody")
    service.stop(session)
    threads[session].join(2)
    assert (ends[session].problem, ends[session].waiting) == (STOPPED, "")
    assistant.may.set()
    for thread in threads.values():
        thread.join(5)
    other = ({"one", "two"} - {session}).pop()
    assert ends[other].answer.question == f"{other}?"


def test_who_leaves_gives_the_place_up():
    assistant = Held()
    service = opened(assistant)
    steps = service.answer("gone", asked("gone?"), Options())
    next(steps)
    steps.close()
    assistant.may.set()
    assert last(service.answer("next", asked("next?"), Options())).answer.question == "next?"


def test_more_than_may_wait_are_told_at_once():
    assistant, ends = Held(), {}
    service = opened(assistant)
    threads = [in_thread(service, n, asked(), ends) for n in range(LONGEST)]
    assert assistant.begun.wait(5)
    while sum(service._line.ahead(ticket) >= 0 for ticket in list(service._line._tickets)) < LONGEST:
        pass
    assert last(service.answer("late", asked(), Options())).problem == FULL
    assistant.may.set()
    for thread in threads:
        thread.join(30)
    assert all(end.answer for end in ends.values())


def test_what_goes_wrong_ends_the_turn_and_the_next_is_answered():
    assistant = Held()
    service = opened(assistant)
    good = assistant.stream

    def fails(*_, **__):
        raise UsageError("the date is no date")
        yield

    assistant.stream = fails
    assert last(service.answer("a", asked(), Options())).problem == "the date is no date"
    assistant.stream, _ = good, assistant.may.set()
    assert last(service.answer("a", retried(asked()), Options())).answer


def test_another_assistant_takes_over_when_it_is_open_and_the_old_one_is_closed():
    old, new = Held(), Held()
    new.may.set()
    service = opened(old)
    assert [*service.change(lambda progress: new)][-1] == ""
    assert old.closed.is_set()
    assert last(service.answer("a", asked(), Options())).answer
    assert new.asked
    assert not old.asked


def test_one_that_cannot_be_opened_leaves_the_old_one_in_place():
    old = Held()
    old.may.set()
    service = opened(old)

    def missing(progress):
        raise ModelMissing("it is not there; run `rag models`")

    assert [*service.change(missing)][-1] == "it is not there; run `rag models`"
    assert not old.closed.is_set()
    assert last(service.answer("a", asked(), Options())).answer


def test_two_readers_never_begin_the_same_conversation():
    begun = Conversation()  # what a page gives to everybody
    one, two = with_question(begun, "One?"), with_question(begun, "Two?")
    assert len({begun.id, one.id, two.id}) == 3
    assert with_question(one, "And then?").id == one.id


def test_a_question_sent_twice_is_answered_once():
    assistant, ends = Held(), {}
    service = opened(assistant)
    thread = in_thread(service, "one", asked(), ends)
    assert assistant.begun.wait(5)
    assert not list(service.answer("one", asked(), Options()))
    assert service.stop("one")
    thread.join(5)
    assert ends["one"].problem == STOPPED
    assert not service.stop("one")
