"""The verb ``eval``: measure the answers to questions with known answers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.asking import open_assistant
from rag.cli.options import Index, Json
from rag.cli.terminal import emit, emit_json, one_line, say, table
from rag.errors import UsageError
from rag.report.record import SCHEMA, json_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from rag.evaluate.comparison import Comparison
    from rag.evaluate.figures import Outcome

Against = Annotated[
    Path | None,
    typer.Option(metavar="FILE.jsonl", help="Compare with the --details of an earlier run.", show_default=False),
]
Details = Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="Write each answer to it.", show_default=False)]
GoldFile = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Questions with their answers, one JSON object a line.")]
Make = Annotated[
    int | None,
    typer.Option(metavar="N", help="First make FILE.jsonl: at most N questions from your articles.", min=3, show_default=False),
]


def evaluate(
    questions: GoldFile,
    index: Index = None,
    as_json: Json = False,
    details: Details = None,
    make: Make = None,
    against: Against = None,
) -> None:
    """Measure the answers to questions with known answers.

    With --make, the questions are made from your articles by rule, no model involved; with --against, two runs are compared.
    """
    from rag.cli.progress import Meter
    from rag.config import load_config
    from rag.evaluate import comparison, figures
    from rag.evaluate.gold import load_gold

    config, earlier = load_config(index=index), comparison.read_details(against) if against else None
    if make:
        _make_questions(questions, config.index, make)
    gold = load_gold(questions)
    if gold.unmeasured:
        say(
            f"answers rated wrong, and so not measured: {gold.unmeasured:,}; "
            f'with "answerable" and "answers" added to its line in {questions}, each counts'
        )
    outcomes: list[Outcome] = []
    with _output(details) as out, Meter() as meter, open_assistant(config, meter) as assistant:

        def watch(outcome: Outcome) -> None:
            outcomes.append(outcome)
            meter.questions(len(outcomes), len(gold.questions))
            if out:
                out.write(f"{json_line(figures.details(outcome))}\n".encode())

        values = figures.evaluate(assistant, gold.questions, watch=watch).figures()
    compared = comparison.compare(outcomes, earlier) if earlier else None
    if as_json:
        emit_json({"schema": SCHEMA, **values, **({"against": asdict(compared)} if compared else {})})
        return
    rows = [(name, _figure(value), figures.MEANINGS[name]) for name, value in values.items()]
    emit("\n".join(table(("figure", "value", "meaning"), rows, right=frozenset({"value"}))))
    if compared:
        _show_comparison(compared, f"against {against}")


def _make_questions(target: Path, index: Path, number: int) -> None:
    from rag.evaluate.made_questions import write_questions

    made = write_questions(target, index, number=number)
    answerable = sum(bool(one.answers) for one in made)
    say(f"{target}: {len(made)} questions made by rule, {len(made) - answerable} of them not answered by the articles")


def _show_comparison(compared: Comparison, title: str) -> None:
    rows = [(name, _figure(compared.before[name]), _figure(now)) for name, now in compared.now.items()]
    emit("\n" + "\n".join(table((title, "before", "now"), rows, right=frozenset({"before", "now"}))))
    for word, ids in (("right", compared.became_right), ("wrong", compared.became_wrong)):
        emit(f"became {word}: {len(ids)} {'question' if len(ids) == 1 else 'questions'} {one_line(', '.join(ids))}".rstrip())


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO | None]:
    """Open a file for writing before the work begins, so that no result is lost because it cannot be written."""
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name another file") from None
    with file:
        yield file
