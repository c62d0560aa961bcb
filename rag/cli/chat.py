"""Chat in a terminal: read a question, stream the answer, remember both."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from rag.cli.terminal import console_on, emit, say, show_sources
from rag.errors import RagError
from rag.text.visible import on_a_terminal as plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer.assistant import Assistant
    from rag.types import Answer, Message

HELP = "/new forgets the chat so far, /quit or Ctrl-D ends it; Ctrl-C stops an answer."


def converse(assistant: Assistant) -> None:
    """Answer line after line until the input ends or the user leaves."""
    with suppress(ImportError):
        import readline  # noqa: F401 - gives input() its line editing
    history: list[Message] = []
    if sys.stdin.isatty():
        emit(f"Ask the articles. {HELP}")
    while (line := _prompted()) is not None:
        match line.strip():
            case "":
                continue
            case "/quit" | "/exit":
                break
            case "/new":
                history.clear()
            case "/help":
                emit(HELP)
            case question if question.startswith("/"):
                say(f"no command {question}; {HELP}")
            case question:
                if answer := _streamed(assistant, question, history):
                    history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer.text}]


def _streamed(assistant: Assistant, question: str, history: Sequence[Message]) -> Answer | None:
    """Show an answer while it grows, and return it; None when it failed or was stopped."""
    shown, answer = "", None
    growing = assistant.stream(question, history=history)
    try:
        for answer in growing:
            fresh = answer.text[len(shown) :] if answer.text.startswith(shown) else f"\n{answer.text}"
            emit(plain(fresh), end="")
            shown = answer.text
    except RagError as error:
        say(str(error))
        return None
    except KeyboardInterrupt:
        emit("")
        say("stopped")
        return None
    emit("")
    if answer:
        show_sources(console_on(sys.stdout), answer)
        emit("")
    return answer


def _prompted() -> str | None:
    """Read a line from the user and return it; None at the end of the input."""
    try:
        return input("> " if sys.stdin.isatty() else "")
    except EOFError:
        if sys.stdin.isatty():
            emit("")
        return None
