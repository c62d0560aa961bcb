"""Answers the questions of many readers, one after the other: they share one model and two cores."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from rag.search.followup import check_question
from rag.web.conversation import Conversation, Turn, messages
from rag.web.loading import POLL_SECONDS, problem
from rag.web.waiting_line import Full, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rag.models.fetch import Progress
    from rag.types import Options
    from rag.web.loading import Asks, Opening

LONGEST = 20  # questions that wait; at three seconds each the last waits a minute
IN_LINE = "Waiting for its turn…"
READING = "Reading the articles…"
STOPPED = "Stopped."
FULL = f"Busy: {LONGEST} questions are waiting already. Ask again in a minute."


class Service:
    """One assistant, and the line of those who ask it; each reader is known by a session."""

    def __init__(self, opening: Opening) -> None:
        """Answer with the assistant that is being opened."""
        self._opening = opening
        self._line = Line(LONGEST)
        self._running: dict[str, Event] = {}  # what stops the answer of a session

    def states(self) -> Iterator[str]:
        """Say how far the models are until they are there; the last is empty, or what went wrong."""
        while not self._opening.wait():
            yield self._opening.state
        yield self._opening.state

    def answer(self, session: str, conversation: Conversation, options: Options) -> Generator[Conversation]:
        """Answer the question that waits; yield the conversation now and then until it is whole, failed or stopped.

        Closing the iterator stops the computation. While a session has one question answered, another gets nothing.
        """
        if session in self._running:  # one question sent twice, by Enter and by the button
            return
        turn = conversation.turns[-1]
        stopped = self._running[session] = Event()
        try:
            with closing(self._steps(conversation, options, stopped)) as steps:
                for turn in steps:
                    if stopped.is_set():
                        break
                    yield conversation.with_last(turn)
        except Full:
            turn = replace(turn, problem=FULL)
        except Exception as error:
            turn = replace(turn, problem=problem(error))
        finally:
            del self._running[session]
        if stopped.is_set():
            turn = replace(turn, problem=STOPPED)
        yield conversation.with_last(replace(turn, waiting=""))

    def stop(self, session: str) -> bool:
        """Stop the answer of a session, waiting or under way, which then ends its turn; say whether there is one."""
        if running := self._running.get(session):
            running.set()
        return running is not None

    def change(self, open_assistant: Callable[[Progress], Asks]) -> Iterator[str]:
        """Open another assistant when those who asked before have their answers; yield what it waits for, then what went wrong.

        The last is empty when all went well.
        """
        try:
            ticket = self._line.join()
        except Full:
            yield FULL
            return
        try:
            while self._line.ahead(ticket, seconds=POLL_SECONDS):
                yield IN_LINE
            yield from self.states()
            self._opening.change(open_assistant)
            yield ""
        except Exception as error:
            yield problem(error)
        finally:
            self._line.leave(ticket)

    def _steps(self, conversation: Conversation, options: Options, stopped: Event) -> Generator[Turn]:
        turn = conversation.turns[-1]
        while not self._opening.wait():
            yield replace(turn, waiting=self._opening.state)
        ticket = self._line.join()
        try:
            while ahead := self._line.ahead(ticket, seconds=POLL_SECONDS):
                yield replace(turn, waiting=f"Busy: number {ahead} in line…")
            turn = replace(turn, waiting=READING)
            yield turn
            assistant, history = self._opening.assistant(), messages(conversation.turns[:-1])
            answers = assistant.stream(turn.question, history=history, stopped=stopped.is_set, options=options)
            with closing(answers):
                for answer in answers:
                    yield replace(turn, answer=answer)
        finally:
            self._line.leave(ticket)


def posed(conversation: Conversation, question: str) -> Conversation:
    """Add a question that waits for its answer; the first one makes the conversation another than every other reader's.

    :raises UsageError: it cannot be asked.
    """
    conversation = conversation if conversation.turns else Conversation()
    return replace(conversation, turns=(*conversation.turns, Turn(check_question(question), waiting=IN_LINE)))


def retried(conversation: Conversation) -> Conversation:
    """Let the last question wait for another answer."""
    return conversation.with_last(Turn(conversation.turns[-1].question, waiting=IN_LINE))


def given_up(conversation: Conversation) -> Conversation:
    """End a last turn that waits for nobody."""
    return conversation.with_last(replace(conversation.turns[-1], waiting="", problem=STOPPED))
