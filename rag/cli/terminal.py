"""Print for people: answers with their sources on standard output, everything else on standard error.

Text from articles, file names and questions is data: it never becomes a control sequence, a text direction or markup.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from rag.report.record import json_line
from rag.text.visible import on_a_terminal as plain
from rag.types import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from rag.report.explain import Section
    from rag.report.verify import Verified
    from rag.types import Answer, Hit, Span

UNWRAPPED = 1_000_000  # columns of a pipe or a file: whoever reads it wants whole lines
NARROWEST = 20  # columns; text is wrapped to no less, even where the terminal is narrower


def one_line(text: str) -> str:
    """Return text that is safe to print, with each run of whitespace as one space."""
    return plain(" ".join(text.split()))


def say(message: str) -> None:
    """Print one line for the user on standard error."""
    print(f"rag: {one_line(message)}", file=sys.stderr, flush=True)  # noqa: T201


def emit(text: str, *, end: str = "\n") -> None:
    """Print on standard output and flush; the text must be safe already."""
    print(text, end=end, flush=True)  # noqa: T201


def emit_json(value: object) -> None:
    """Print one line of JSON in UTF-8, whatever the locale is, and flush."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    emit(json_line(value))


def console_on(stream: TextIO) -> Console:
    """Return a console that wraps lines on a terminal, and leaves them whole anywhere else."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(file=stream, highlight=False, markup=False, emoji=False, width=UNWRAPPED)


def show_answer(console: Console, answer: Answer) -> None:
    """Print the text, then the numbered sources with their quotes."""
    write(console, answer.text, style="yellow" if answer.status is Status.REFUSED else "")
    show_sources(console, answer)


def show_sources(console: Console, answer: Answer) -> None:
    """Print what stands below an answer: its sources, what was left out, the remarks, and how the question was understood."""
    for citation in answer.citations:
        dated = f", {citation.published}" if citation.published else ""
        console.print()
        write(console, f"[{citation.marker}] {one_line(citation.title)}{dated}", style="bold")
        write(console, f"{one_line(citation.source)}, characters {citation.start}-{citation.end}", indent=4, style="dim")
        write(console, f"“{one_line(citation.quote)}”", indent=4)
        if citation.state.note:
            write(console, f"({citation.state.note})", indent=4, style="yellow")
        if citation.copies:
            sources = ", ".join(one_line(copy.source) for copy in citation.copies)
            write(console, f"the same in {sources}", indent=4, style="dim")
    if answer.status is Status.PARTIAL:
        left_out = sum(not claim.markers for claim in answer.claims)
        console.print()
        write(
            console,
            f"Left out, because no article backs it: {left_out} of {len(answer.claims)} drafted sentences.",
            style="dim",
        )
    if answer.remarks:
        console.print()
        for remark in answer.remarks:
            write(console, one_line(remark), style="dim")
    if answer.standalone_question != answer.question:
        console.print()
        write(console, f"Understood as: {one_line(answer.standalone_question)}", style="dim")


def show_hits(console: Console, hits: Sequence[Hit]) -> None:
    """Print passages, best first."""
    if not hits:
        write(console, "No passage matches.", style="yellow")
    for hit in hits:
        passage = hit.passage
        place = f"{one_line(passage.document.source)}, characters {passage.start}-{passage.end}, score {hit.score:.4f}"
        if hit.rank > 1:
            console.print()
        write(console, f"{hit.rank}. {one_line(passage.heading)}", style="bold")
        write(console, place, indent=4, style="dim")
        write(console, one_line(passage.text), indent=4)


def show_verified(console: Console, found: Verified) -> None:
    """Print a citation and what has become of it."""
    cited, now = found.cited, found.now
    write(console, f"{found.standing.value:8} answer {cited.answer}, [{cited.marker}]: {_place(cited.span)}")
    if not found.valid:
        write(console, f"“{one_line(cited.span.quote)}”", indent=9)
    if now:
        write(console, f"now {_place(now)}{f': “{one_line(now.quote)}”' if now.quote != cited.span.quote else ''}", indent=9)


def _place(span: Span) -> str:
    return f"{one_line(span.source)}, characters {span.start}-{span.end}"


def show_sections(console: Console, sections: Iterable[Section]) -> None:
    """Print sections, each indented below its title, so that no text in them can pass for a title."""
    for section in sections:
        console.print()
        write(console, section.title, style="bold")
        for line in section.lines:
            write(console, line.text if line.exact else one_line(line.text), indent=2 + line.indent)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the lines of a table: the headings, then the rows; the columns named in ``right`` are flush right."""
    cells = [tuple(columns), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (
            " " * (width - cell_len(cell)) + cell if name in right else set_cell_size(cell, width)
            for name, cell, width in zip(columns, row, widths, strict=True)
        )
        yield "  ".join(padded).rstrip()


def write(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Print plain text, indented and wrapped to the width of the terminal."""
    lines = Text(plain(text)).wrap(console, max(NARROWEST, console.width - indent))
    for line in lines:
        console.print(Text((" " * indent + line.plain).rstrip(), style=style), soft_wrap=True)
