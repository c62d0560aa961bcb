"""Many readers, one assistant: their questions are answered one after the other, because they share one model and two cores."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from rag.search.followup import check_question
from rag.web.conversation import Conversation, Turn, chat_history
from rag.web.loading import POLL_SECONDS, problem
from rag.web.waiting_line import LineFull, WaitingLine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rag.models.fetch import Progress
    from rag.types import Options
    from rag.web.loading import BackgroundAssistant, StreamingAssistant

LONGEST = 20  # so many questions may wait; at three seconds each the last waits a minute
IN_LINE = "Waiting for its turn…"
READING = "Reading the articles…"
STOPPED = "Stopped."
FULL = f"Busy: {LONGEST} questions are waiting already. Ask again in a minute."


class SharedAssistant:
    """One assistant and the line of the readers who ask it; each reader is known by a session."""

    def __init__(self, opening: BackgroundAssistant) -> None:
        """Answer with the assistant that is being opened."""
        self._opening = opening
        self._line = WaitingLine(LONGEST)
        self._running: dict[str, Event] = {}  # session -> the event that stops its answer

    def states(self) -> Iterator[str]:
        """Yield how far the models are, until they are loaded; the last text is empty, or says what went wrong."""
        while not self._opening.wait():
            yield self._opening.state
        yield self._opening.state

    def answer(self, session: str, conversation: Conversation, options: Options) -> Generator[Conversation]:
        """Answer the last question; yield the conversation now and then, until the answer is whole, has failed or was stopped.

        Closing the generator stops the computation. While one question of a session is being answered, a second call for that
        session yields nothing.
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
        except LineFull:
            turn = replace(turn, problem=FULL)
        except Exception as error:
            turn = replace(turn, problem=problem(error))
        finally:
            del self._running[session]
        if stopped.is_set():
            turn = replace(turn, problem=STOPPED)
        yield conversation.with_last(replace(turn, waiting=""))

    def stop(self, session: str) -> bool:
        """Stop the answer of a session, whether it waits or is being written; return whether there was one.

        :meth:`answer` then ends the turn.
        """
        if running := self._running.get(session):
            running.set()
        return running is not None

    def change(self, open_assistant: Callable[[Progress], StreamingAssistant]) -> Iterator[str]:
        """Open another assistant as soon as those who asked before have their answers; yield what it waits for.

        The last text says what went wrong, and is empty when all went well.
        """
        try:
            ticket = self._line.join()
        except LineFull:
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
            assistant, history = self._opening.assistant(), chat_history(conversation.turns[:-1])
            answers = assistant.stream(turn.question, history=history, stopped=stopped.is_set, options=options)
            with closing(answers):
                for answer in answers:
                    yield replace(turn, answer=answer)
        finally:
            self._line.leave(ticket)


def with_question(conversation: Conversation, question: str) -> Conversation:
    """Return a conversation with one more question, which waits for its answer.

    An empty conversation gets a new id, because the page starts with the same empty one for every reader.

    :raises UsageError: it cannot be asked.
    """
    conversation = conversation if conversation.turns else Conversation()
    return replace(conversation, turns=(*conversation.turns, Turn(check_question(question), waiting=IN_LINE)))


def retried(conversation: Conversation) -> Conversation:
    """Return a conversation whose last question waits for another answer."""
    return conversation.with_last(Turn(conversation.turns[-1].question, waiting=IN_LINE))


def given_up(conversation: Conversation) -> Conversation:
    """Return a conversation whose last turn has ended, because nobody was answering it."""
    return conversation.with_last(replace(conversation.turns[-1], waiting="", problem=STOPPED))
