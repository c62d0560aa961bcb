"""An assistant that opens in the background, so that a page is up before the models are."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Protocol

from rag.errors import RagError
from rag.models.cache import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from rag.models.fetch import Progress
    from rag.types import Answer, Message, Options

LOADING = "Loading the models…"
POLL_SECONDS = 0.25


class Asks(Protocol):
    """What a page needs of an assistant."""

    def stream(
        self, question: str, *, history: Sequence[Message] = (), stopped: Callable[[], bool] = ..., options: Options = ...
    ) -> Generator[Answer]:
        """Yield growing answers; closing the generator stops the computation, and so does ``stopped`` once it says so."""

    def close(self) -> None:
        """Let go of the index."""


class Opening:
    """An assistant on its way. ``state`` says how far it is or what went wrong, and is empty once it is open."""

    def __init__(self, open_assistant: Callable[[Progress], Asks]) -> None:
        """Take what opens the assistant; :meth:`start` calls it."""
        self._open_assistant = open_assistant
        self._assistant: Future[Asks] = Future()
        self.state = LOADING

    def start(self) -> None:
        """Begin to open, in a thread that the process does not wait for."""
        threading.Thread(target=self._open, name="open the assistant", daemon=True).start()

    def wait(self) -> bool:
        """Wait a moment; say whether the opening has ended, well or not."""
        return bool(wait([self._assistant], POLL_SECONDS).done)

    def assistant(self) -> Asks:
        """Give the assistant once it is open; raise what went wrong if it is not to be."""
        return self._assistant.result()

    def change(self, open_assistant: Callable[[Progress], Asks]) -> None:
        """Open another assistant in the place of one that nobody is asking now; where that fails the old one stays.

        :raises RagError: it cannot be opened.
        """
        other: Future[Asks] = Future()
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
    """Say to a reader what went wrong; what is no :class:`RagError` is a bug, and its details go to the log only."""
    if isinstance(error, RagError):
        return str(error)
    logging.getLogger(__name__).error("unexpected error", exc_info=error)
    return "Something went wrong. The terminal that runs this page says what."
