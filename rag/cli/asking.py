"""The verbs ``ask``, ``search`` and ``chat``: questions in, answers or passages out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import Index, Json
from rag.cli.terminal import console_on, emit_json, say, show_answer, show_hits, show_sections
from rag.errors import UsageError
from rag.report.record import answer_record, hit_records

if TYPE_CHECKING:
    from rag.answer.assistant import Assistant
    from rag.cli.progress import Meter
    from rag.config import Config

Asked = Annotated[str | None, typer.Argument(help="The question, in quotes.", show_default=False)]
BatchFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl",
        help='Questions, one {"id", "question", "history"?} a line; - is standard input. Prints one JSON object a line.',
        show_default=False,
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show also how the answer came about, step by step.")]
Top = Annotated[int, typer.Option(help="How many passages to show.", min=1, max=50)]
Words = Annotated[str, typer.Argument(help="A question or words, in quotes.")]


def ask(
    question: Asked = None, index: Index = None, as_json: Json = False, batch: BatchFile = None, explain: Explain = False
) -> None:
    """Answer a question from the articles, with sources, or refuse."""
    from rag.config import load_config

    if batch is not None and question is None:
        _ask_batch(batch, load_config(index=index), explain=explain)
        return
    if batch is not None or question is None:
        raise UsageError('give one question, or --batch FILE.jsonl: rag ask "How many exhibits were there?"')
    from rag.cli.progress import Meter
    from rag.report.explain import explained_record, sections
    from rag.search.followup import check_question

    check_question(question)
    with Meter() as meter, open_assistant(load_config(index=index), meter) as assistant:
        meter.working("answering")
        answer = assistant.ask(question)
    if as_json:
        emit_json(explained_record(answer) if explain else answer_record(answer))
        return
    console = console_on(sys.stdout)
    show_answer(console, answer)
    if explain:
        show_sections(console, sections(answer))


def _ask_batch(path: Path, config: Config, *, explain: bool) -> None:
    from rag.cli.progress import Meter
    from rag.report.batch import answers, read_lines
    from rag.report.explain import explained_record

    lines, total = read_lines(path)
    done = failed = 0
    with Meter(live=not sys.stdout.isatty()) as meter, open_assistant(config, meter) as assistant:
        for record in answers(assistant, lines, explained_record if explain else answer_record):
            emit_json(record)
            done, failed = done + 1, failed + ("error" in record)
            meter.questions(done, total)
    if failed:
        say(f"{failed:,} of {done:,} questions could not be answered; their lines say why")
        raise typer.Exit(1)


def search(question: Words, index: Index = None, top: Top = 5, as_json: Json = False) -> None:
    """Show the passages that fit a question best."""
    from rag.cli.progress import Meter
    from rag.config import load_config
    from rag.index.reader import Reader
    from rag.models.loading import load_search_models
    from rag.search.followup import check_question
    from rag.search.reranking import retriever_over

    config, asked = load_config(index=index), check_question(question)
    with Meter() as meter, Reader.open(config.index) as store:
        meter.working("loading the encoder")
        models = load_search_models(config, meter.model)
        hits = retriever_over(store, config.index, models.encoder, models.checker).retrieve(asked, top_k=top)
    if as_json:
        emit_json({"question": asked, "hits": hit_records(hits)})
    else:
        show_hits(console_on(sys.stdout), hits)


def chat(index: Index = None) -> None:
    """Ask one question after the other, each building on the last."""
    from rag.cli.chat import converse
    from rag.cli.progress import Meter
    from rag.config import load_config

    with Meter() as meter:
        assistant = open_assistant(load_config(index=index), meter)
    with assistant:
        converse(assistant)


def open_assistant(config: Config, meter: Meter) -> Assistant:
    """Open the index and load the models, fetching them the first time."""
    from rag.answer.assistant import Assistant

    meter.working("loading the models")
    return Assistant.open(config=config, progress=meter.model)
