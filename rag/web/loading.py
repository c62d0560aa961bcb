"""An assistant that opens in the background, so that the page is there before the models are loaded."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Protocol

from rag.errors import RagError
from rag.models.cache import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from rag.config import Config
    from rag.models.fetch import Progress
    from rag.types import Answer, Message, Options

LOADING = "Loading the models…"
POLL_SECONDS = 0.25


class StreamingAssistant(Protocol):
    """What a page needs of an assistant."""

    def stream(
        self, question: str, *, history: Sequence[Message] = (), stopped: Callable[[], bool] = ..., options: Options = ...
    ) -> Generator[Answer]:
        """Yield growing answers; the computation stops when the generator is closed or ``stopped`` returns true."""

    def close(self) -> None:
        """Close the index."""


def open_assistant(config: Config, progress: Progress) -> StreamingAssistant:
    """Open the configured index and load the configured models.

    :raises RagError: the index or a model cannot be had.
    """
    from rag.answer.assistant import Assistant

    return Assistant.open(config=config, progress=progress)


class BackgroundAssistant:
    """An assistant that is being opened. ``state`` says how far it is or what went wrong, and is empty once it is open."""

    def __init__(self, open_assistant: Callable[[Progress], StreamingAssistant]) -> None:
        """Take the function that opens the assistant; :meth:`start` calls it."""
        self._open_assistant = open_assistant
        self._assistant: Future[StreamingAssistant] = Future()
        self.state = LOADING

    def start(self) -> None:
        """Begin to open it, in a thread that does not keep the process alive."""
        threading.Thread(target=self._open, name="open the assistant", daemon=True).start()

    def wait(self) -> bool:
        """Wait for ``POLL_SECONDS`` at most; return whether the opening has ended, well or not."""
        return bool(wait([self._assistant], POLL_SECONDS).done)

    def assistant(self) -> StreamingAssistant:
        """Wait until the assistant is open and return it; where it could not be opened, raise the error that says why."""
        return self._assistant.result()

    def change(self, open_assistant: Callable[[Progress], StreamingAssistant]) -> None:
        """Open another assistant for the present one, which nobody may be asking now; if that fails, the present one stays.

        :raises RagError: it cannot be opened.
        """
        other: Future[StreamingAssistant] = Future()
        other.set_result(open_assistant(silent))  # what is open meanwhile is not loading
        before, self._assistant, self.state = self._assistant, other, ""
        if before.exception() is None:
            before.result().close()

    def _open(self) -> None:
        try:
            assistant = self._open_assistant(self._progress)
        except Exception as error:
            self.state = problem(error)
            self._assistant.set_exception(error)
        else:
            self.state = ""
            self._assistant.set_result(assistant)

    def _progress(self, description: str, done_bytes: int, total_bytes: int) -> None:
        share = f" {100 * done_bytes // total_bytes} %" if total_bytes else ""
        self.state = f"{LOADING} {description}{share}"


def problem(error: Exception) -> str:
    """Return what to tell a reader of an error. One that is no :class:`RagError` is a bug: its details go to the log only."""
    if isinstance(error, RagError):
        return str(error)
    logging.getLogger(__name__).error("unexpected error", exc_info=error)
    return "Something went wrong. The terminal that runs this page says what."
