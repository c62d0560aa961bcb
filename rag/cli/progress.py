"""Show the progress of long steps on standard error: one live line on a terminal, a few plain lines in a log."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, Self

from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.text import Text

from rag.cli.terminal import NARROWEST, one_line, say
from rag.index.pace import Pace

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Task, TaskID

BYTES = "bytes"
FIGURES = 64  # columns that the bar and the figures take at most
LOG_SECONDS = 15.0  # the least time between two log lines about the same step


class _Display(Protocol):
    """Shows one step at a time."""

    def show(self, step: str, done: int, total: int, unit: str, pace: str = "") -> None:
        """Show how far a step is; ``total`` is 0 where it is not known. A new step ends the one before.

        :param pace: pace and time left in words, from a caller that knows better than the display; else empty.
        """

    def end(self, *, failed: bool = False) -> None:
        """End the last step and leave the screen as it was; after a failure say nothing, since the error will be shown."""


class Meter:
    """A context manager to which the slow parts report their progress."""

    def __init__(self, *, live: bool = True) -> None:
        """Draw a live line if standard error is a terminal; ``live`` is off where standard output prints to the same one."""
        self._live = live and sys.stderr.isatty()
        self._pace = Pace()
        self._display: _Display = _Lines()

    def __enter__(self) -> Self:
        self._display = _Bar() if self._live else _Lines()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._display.end(failed=kind is not None)

    def working(self, step: str) -> None:
        """Show on a terminal what is being done; a log gets no line for it, as these steps are short."""
        if self._live:
            self._display.show(step, 0, 0, "")

    def model(self, description: str, done_bytes: int, total_bytes: int) -> None:
        """Show how much of a model is fetched; this method is a :class:`rag.models.fetch.Progress`."""
        self._display.show(description, done_bytes, total_bytes, BYTES)

    def files(self, done: int, total: int, embedded: int) -> None:
        """Show how many files are indexed, and at what pace."""
        speed, left = self._pace.at(done, total, embedded)
        told = [f"{speed:,.0f} passages/s"] if speed else []
        told += [f"{_left(left)} left"] if left is not None else []
        self._display.show("indexing", done, total, "files", ", ".join(told))

    def questions(self, done: int, total: int) -> None:
        """Show how many questions are answered."""
        self._display.show("answering", done, total, "questions")


@dataclass
class _Lines:
    """Prints a line when a step starts, one when it ends, and one now and then in between."""

    step: str = ""
    last: str = ""
    started: float = 0.0
    said: float = 0.0

    def show(self, step: str, done: int, total: int, unit: str, pace: str = "") -> None:
        now = time.monotonic()
        if step != self.step:
            self.end()
            self.step, self.last, self.started, self.said = step, "", now, now
            say(f"{step} ...")
        self.last = f" ({', '.join(filter(None, (amount(done, total, unit), pace)))})" if total else ""
        if now - self.said >= LOG_SECONDS:
            self.said = now
            say(f"{step}{self.last}")

    def end(self, *, failed: bool = False) -> None:
        if self.step and not failed:
            say(f"{self.step}: ended after {time.monotonic() - self.started:.1f} s{self.last}")
        self.step = ""


@dataclass
class _Bar:
    """Draws one bar with rich."""

    step: str = ""
    task: TaskID | None = None
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            _Track(),
            _Told(),
            console=Console(file=sys.stderr),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.progress.start()

    def show(self, step: str, done: int, total: int, unit: str, pace: str = "") -> None:
        if step != self.step or self.task is None:
            if self.task is not None:
                self.progress.remove_task(self.task)
            room = max(NARROWEST, self.progress.console.width - (FIGURES if total else 0))
            name = one_line(step)
            self.task = self.progress.add_task(name if len(name) <= room else f"{name[: room - 1]}…", total=None, unit=unit)
            self.step = step
        self.progress.update(self.task, completed=done, total=total or None, unit=unit, pace=pace)

    def end(self, *, failed: bool = False) -> None:
        self.progress.stop()


class _Track(ProgressColumn):
    """The bar itself; empty where the total is not known."""

    bar = BarColumn(bar_width=12)

    def render(self, task: Task) -> RenderableType:
        return self.bar.render(task) if task.total else ""


class _Told(ProgressColumn):
    """The figures beside the bar, ``3 of 5 files``, pace and time left; empty where the total is not known."""

    def render(self, task: Task) -> Text:
        if not task.total:
            return Text("")
        unit = task.fields["unit"]
        told = [amount(int(task.completed), int(task.total), unit)]
        if task.fields["pace"]:
            return Text(", ".join((*told, task.fields["pace"])), no_wrap=True)
        # Questions are reported in bursts, so their pace is the mean since the step began.
        pace = task.speed if unit == BYTES else task.completed / (task.elapsed or 1)
        if pace:
            left = _left((task.total - task.completed) / pace)
            told += [f"{filesize.decimal(int(pace))}/s" if unit == BYTES else f"{pace:.1f}/s", f"{left} left"]
        return Text(", ".join(told), no_wrap=True)


def _left(seconds: float) -> timedelta:
    return timedelta(seconds=math.ceil(seconds))


def amount(done: int, total: int, unit: str) -> str:
    """Return how much is done, in words for people."""
    if unit == BYTES:
        return f"{filesize.decimal(done)} of {filesize.decimal(total)}"
    return f"{done:,} of {total:,} {unit}"
