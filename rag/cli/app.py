"""The command line: reads arguments, prints results on standard output and all else on standard error, sets the exit code.

It holds no logic of its own, and imports what is slow only inside the verb that needs it, so that ``rag --help`` is quick.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.terminal import console_on, emit, one_line, say, show_answer, show_hits, show_sections, show_verified, table, write
from rag.errors import RagError, UsageError
from rag.report.record import SCHEMA, answer_record, hit_records, json_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from rag.answer.assistant import Assistant
    from rag.cli.progress import Meter
    from rag.config import Config
    from rag.index.indexer import Summary
    from rag.models.checker import Checker
    from rag.models.encoder import SentenceEncoder

DISTRIBUTION = "footnote-rag"
INTERRUPTED = 130
DEBUG = "RAG_DEBUG"

app = typer.Typer(
    name="rag",
    help="Ask your own articles, offline: every sentence of an answer is backed by an exact span of a source file.",
    epilog='Begin with: rag index seeds, then: rag ask "How many exhibits did the Taizhou expo have?"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Articles = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FOLDER...",
        help="Folders of articles, read with their subfolders; `seeds` unless given. One article a file: txt, md, html, pdf, "
        "docx, epub, rtf, eml; many: mbox, csv, tsv, jsonl, zip.",
        show_default=False,
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(metavar="FILE.jsonl", help="Compare with the --details of an earlier run.", show_default=False),
]
Asked = Annotated[str | None, typer.Argument(help="The question, in quotes.", show_default=False)]
Auth = Annotated[str | None, typer.Option(metavar="USER:PASSWORD", help="Ask readers for these.", show_default=False)]
BatchFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl",
        help='Questions, one {"id", "question", "history"?} a line; - is standard input. Prints one JSON object a line.',
        show_default=False,
    ),
]
Details = Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="Write each answer to it.", show_default=False)]
Explain = Annotated[bool, typer.Option("--explain", help="Show also how the answer came about, step by step.")]
Fetch = Annotated[bool, typer.Option("--fetch", help="Fetch NAME, or the two models that are configured.")]
GoldFile = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Questions with their answers, one JSON object a line.")]
Index = Annotated[Path | None, typer.Option(help="Folder of the index; `index` unless configured.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on one line, for programs.")]
Kept = Annotated[Path, typer.Argument(metavar="FILE.json", help="What `rag ask --json` printed, of one question or of many.")]
Make = Annotated[
    int | None,
    typer.Option(metavar="N", help="First make FILE.jsonl: at most N questions from your articles.", min=3, show_default=False),
]
ModelName = Annotated[str | None, typer.Argument(help="A name of the list, or a hub id (org/name).", show_default=False)]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Begin anew, also where the index is damaged or foreign.")]
Top = Annotated[int, typer.Option(help="How many passages to show.", min=1, max=50)]
Watch = Annotated[bool, typer.Option("--watch", help="Then stay, and index each change of the folder as it happens.")]
Words = Annotated[str, typer.Argument(help="A question or words, in quotes.")]


def main() -> None:
    """Run the command line: every error becomes one line and an exit code."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, about themselves
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and give its exit code."""
    try:
        code = _carried_out(arguments)
        sys.stdout.flush()
    except RagError as error:
        code = error.exit_code
        say(str(error))
    except BrokenPipeError:
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = 1
        if os.environ.get(DEBUG):
            traceback.print_exc()
        say(f"this is a bug: {type(error).__name__}: {error}; set {DEBUG}=1 to see where, and report it")
    if code == INTERRUPTED:
        say("interrupted")
    return code


def _carried_out(arguments: Sequence[str]) -> int:
    try:
        app(list(arguments), prog_name="rag")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Print the version, or go on to the verb."""
    if version:
        from importlib.metadata import version as installed_version

        emit(f"rag {installed_version(DISTRIBUTION)}")
        raise typer.Exit


@app.command("index", epilog="Example: rag index ~/articles --index ~/articles-index")
def index_articles(folders: Articles = None, index: Index = None, rebuild: Rebuild = False, watch: Watch = False) -> None:
    """Make the index hold what folders of articles hold."""
    from functools import partial

    from rag.files.folder import find_files
    from rag.index.indexer import index_folder

    config = _config(index)
    folders = folders or [Path("seeds")]
    find_files(folders)  # a folder that is not there is said before anything is fetched
    try:
        with _meter() as meter:
            encoder = load_encoder(config, meter)
            meter.working("indexing")
            update = partial(
                index_folder,
                *folders,
                store_folder=config.index,
                encoder=encoder,
                count_tokens=encoder.count_tokens,
                passage_tokens=config.passage_tokens,
            )
            summary = update(progress=meter.files, rebuild=rebuild)
    except KeyboardInterrupt:
        _show_kept(config)
        raise
    _show_summary(summary, config)
    if watch:
        _watch(folders, config, update, dict(summary.skipped))


def _watch(folders: Sequence[Path], config: Config, update: Callable[..., Summary], skipped: dict[str, str]) -> None:
    """Keep the index in step until Ctrl-C; a problem is said once and does not end it."""
    from rag.files.watch import moments

    say(f"watching {', '.join(map(str, folders))}; Ctrl-C ends it")
    problem = ""
    with suppress(KeyboardInterrupt):
        for _ in moments(folders, apart_from=config.index):
            former, problem = problem, ""
            try:
                summary = update(told=lambda what, source: emit(one_line(f"{what} {source}")))
            except RagError as error:
                problem = str(error)
                if problem != former:
                    say(problem)
                continue
            _show_skipped(item for item in summary.skipped if item not in skipped.items())
            skipped = dict(summary.skipped)
    say("stopped watching; the index holds what was told above")


def _show_kept(config: Config) -> None:
    from rag.index.reader import Reader

    with suppress(RagError), Reader.open(config.index) as store:
        say(f"{config.index} holds {store.counts().documents:,} articles; run the same command again to go on from there")


@app.command(epilog='Example: rag ask "How many exhibits did the Taizhou expo have?"')
def ask(
    question: Asked = None, index: Index = None, as_json: Json = False, batch: BatchFile = None, explain: Explain = False
) -> None:
    """Answer a question from the articles, with sources, or refuse."""
    if batch is not None and question is None:
        _ask_batch(batch, _config(index), explain=explain)
        return
    if batch is not None or question is None:
        raise UsageError('give one question, or --batch FILE.jsonl: rag ask "How many exhibits were there?"')
    from rag.report.explain import explained_record, sections
    from rag.search.followup import check_question

    check_question(question)
    with _meter() as meter, open_assistant(_config(index), meter) as assistant:
        meter.working("answering")
        answer = assistant.ask(question)
    if as_json:
        _print_json(explained_record(answer) if explain else answer_record(answer))
        return
    console = console_on(sys.stdout)
    show_answer(console, answer)
    if explain:
        show_sections(console, sections(answer))


@app.command(epilog='Example: rag search "electric cars in Pakistan" --top 3')
def search(question: Words, index: Index = None, top: Top = 5, as_json: Json = False) -> None:
    """Show the passages that fit a question best."""
    from rag.index.reader import Reader
    from rag.search.followup import check_question
    from rag.search.reranking import retriever_over

    config, asked = _config(index), check_question(question)
    with _meter() as meter, Reader.open(config.index) as store:
        encoder = load_encoder(config, meter)
        retriever = retriever_over(store, config.index, encoder, load_checker(config, meter))
        hits = retriever.retrieve(asked, top_k=top)
    if as_json:
        _print_json({"question": asked, "hits": hit_records(hits)})
    else:
        show_hits(console_on(sys.stdout), hits)


@app.command(epilog="Example: rag chat --index ~/articles-index")
def chat(index: Index = None) -> None:
    """Ask one question after the other, each building on the last."""
    from rag.cli.chat import chat as converse

    with _meter() as meter:
        assistant = open_assistant(_config(index), meter)
    with assistant:
        converse(assistant)


@app.command(epilog="Example: rag verify answer.json")
def verify(file: Kept, index: Index = None) -> None:
    """Say whether what `rag ask --json` cited still stands there."""
    from rag.index.reader import Reader
    from rag.report.verify import Standing, read_citations
    from rag.report.verify import verify as verified

    try:
        citations = read_citations(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); name a file that `rag ask --json` wrote") from None
    console, counts = console_on(sys.stdout), dict.fromkeys(Standing, 0)
    with Reader.open(_config(index).index) as store:
        for found in verified(citations, store):
            counts[found.standing] += 1
            show_verified(console, found)
    kinds = ", ".join(f"{count:,} {standing.value}" for standing, count in counts.items())
    emit(f"{len(citations):,} {'citation' if len(citations) == 1 else 'citations'}: {kinds}")
    if counts[Standing.VALID] < len(citations):
        raise typer.Exit(1)


@app.command("eval", epilog="Example: rag eval made.jsonl --make 60 --details details.jsonl")
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
    from rag.evaluate import comparison, figures

    config, earlier = _config(index), comparison.read_details(against) if against else None
    if make:
        _make_questions(questions, config, make)
    gold = figures.load_gold(questions)
    asked = gold.questions
    if gold.unmeasured:
        say(
            f"answers rated wrong, and so not measured: {gold.unmeasured:,}; "
            f'with "answerable" and "answers" added to its line in {questions}, each counts'
        )
    outcomes: list[figures.Outcome] = []
    with _output(details) as out, _meter() as meter, open_assistant(config, meter) as assistant:

        def watch(outcome: figures.Outcome) -> None:
            outcomes.append(outcome)
            meter.questions(len(outcomes), len(asked))
            if out:
                out.write(f"{json_line(figures.details(outcome))}\n".encode())

        values = figures.evaluate(assistant, asked, watch=watch).figures()
    compared = comparison.compare(outcomes, earlier) if earlier else None
    if as_json:
        _print_json({"schema": SCHEMA, **values, **({"against": asdict(compared)} if compared else {})})
        return
    rows = [(name, _figure(value), figures.MEANINGS[name]) for name, value in values.items()]
    emit("\n".join(table(("figure", "value", "meaning"), rows, right=frozenset({"value"}))))
    if compared:
        rows = [(name, _figure(compared.before[name]), _figure(now)) for name, now in compared.now.items()]
        emit("\n" + "\n".join(table((f"against {against}", "before", "now"), rows, right=frozenset({"before", "now"}))))
        for word, ids in (("right", compared.became_right), ("wrong", compared.became_wrong)):
            emit(
                f"became {word}: {len(ids)} {'question' if len(ids) == 1 else 'questions'} {one_line(', '.join(ids))}".rstrip()
            )


def _make_questions(target: Path, config: Config, number: int) -> None:
    from rag.evaluate.made_questions import make_questions
    from rag.index.reader import Reader

    if target.exists():
        raise UsageError(f"{target} exists; measure with `rag eval {target}`, or name a new file for the questions")
    with Reader.open(config.index) as store:
        made = make_questions(list(store.passages([int(i) for i in store.ids()]).values()), number=number)
    if not made:
        raise UsageError("the articles give no question by rule: they tell no number, sum, share, year or day; write your own")
    with _output(target) as out:
        if out:
            out.write("".join(f"{json_line(one.record(i))}\n" for i, one in enumerate(made, 1)).encode())
    answerable = sum(bool(one.answers) for one in made)
    say(f"{target}: {len(made)} questions made by rule, {len(made) - answerable} of them not answered by the articles")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


@app.command(epilog="Example: rag doctor --index ~/articles-index")
def doctor(index: Index = None) -> None:
    """Say what is wrong with models, index or settings, if anything."""
    from rag.cli.doctor import examine

    console, problems = console_on(sys.stdout), 0
    with _meter(live=not sys.stdout.isatty()) as meter:
        for finding in examine(index, working=meter.working):
            sign, style = ("PROBLEM", "red") if finding.problem else ("ok", "")
            write(console, f"{sign:7} {one_line(f'{finding.subject}: {finding.detail}')}", style=style)
            if finding.problem:
                problems += 1
                write(console, one_line(finding.problem), indent=8)
    if problems:
        say(f"{problems} {'problem' if problems == 1 else 'problems'} found")
        raise typer.Exit(1)


@app.command(epilog="Example: rag models --fetch")
def models(name: ModelName = None, fetch: Fetch = False, index: Index = None) -> None:
    """List the models with origin, licence and hash, or fetch them."""
    from rich import filesize

    from rag.models.cache import CHECKER, installed
    from rag.models.cache import fetch as fetch_model

    config = _config(index)
    if name and not fetch:
        raise UsageError(f"to fetch a model, run `rag models --fetch {name}`")
    if fetch:
        with _meter() as meter:
            if name:
                fetch_model(name, progress=meter.model)
            else:
                fetch_model(config.encoder, "encoder", progress=meter.model)
                fetch_model(config.generator, "generator", progress=meter.model)
                if config.checker and config.encoder != CHECKER.base:
                    fetch_model(CHECKER.base, "encoder", progress=meter.model)
    columns = ("name", "role", "state", "origin", "licence", "size", "sha256", "path")
    rows = [
        (m.name, m.role, m.state, m.origin or "-", m.licence, filesize.decimal(m.bytes), m.sha256[:12], str(m.path))
        for m in installed()
    ]
    emit("\n".join(table(columns, rows, right=frozenset({"size"}))))
    console = console_on(sys.stdout)
    write(console, f"\nIn use: {config.encoder} (encoder), {config.generator} (generator).")
    write(
        console,
        "Weights come from the upstream hub, else from wheels on the package index. Who publishes those wheels is not known: "
        "they are data, never installed or run, and refused unless their content has the pinned SHA-256 of the upstream file.",
    )


@app.command(epilog="Example: rag ui --port 8000")
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 7860,
    auth: Auth = None,
    index: Index = None,
) -> None:
    """Open the chat as a web page."""
    if auth is not None and not all(auth.partition(":")[::2]):
        raise UsageError("--auth must be USER:PASSWORD, for example --auth reader:secret")
    config = _config(index)
    import ui as page

    page.launch(index=config.index, host=host, port=port, auth=auth)


def load_encoder(config: Config, meter: Meter) -> SentenceEncoder:
    """Load the encoder alone, fetching it the first time."""
    from rag.models.cache import ensure
    from rag.models.encoder import SentenceEncoder

    folder = ensure(config.encoder, "encoder", progress=meter.model)
    meter.working("loading the encoder")
    return SentenceEncoder(folder)


def load_checker(config: Config, meter: Meter) -> Checker | None:
    """Load the checker alone; None where it is switched off or left out."""
    from rag.models.cache import checker_files
    from rag.models.checker import Checker

    files = checker_files(progress=meter.model) if config.checker else None
    return Checker(*files) if files else None


def open_assistant(config: Config, meter: Meter) -> Assistant:
    """Open the index and load the models, fetching them the first time."""
    from rag.answer.assistant import Assistant

    meter.working("loading the models")
    return Assistant.open(config=config, progress=meter.model)


def _config(index: Path | None = None) -> Config:
    from rag.config import load_config

    return load_config(index=index)


def _ask_batch(path: Path, config: Config, *, explain: bool) -> None:
    from rag.evaluate import batch
    from rag.report.explain import explained_record

    lines, total = batch.read_lines(path)
    done = failed = 0
    with _meter(live=not sys.stdout.isatty()) as meter, open_assistant(config, meter) as assistant:
        for record in batch.answers(assistant, lines, explained_record if explain else answer_record):
            _print_json(record)
            done, failed = done + 1, failed + ("error" in record)
            meter.questions(done, total)
    if failed:
        say(f"{failed:,} of {done:,} questions could not be answered; their lines say why")
        raise typer.Exit(1)


def _show_summary(summary: Summary, config: Config) -> None:
    _show_skipped(summary.skipped)
    counts = {name: getattr(summary, name) for name in ("added", "changed", "renamed", "removed", "unchanged")}
    counts["skipped"] = len(summary.skipped)
    done = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    emit(f"{done} in {summary.seconds:.1f} s")
    emit(one_line(f"{config.index} holds {summary.documents:,} articles in {summary.passages:,} passages"))
    where = "" if config.index == _config().index else f"--index {config.index} "
    emit(one_line(f'next: rag ask {where}"..."'))


def _show_skipped(skipped: Iterable[tuple[str, str]]) -> None:
    for source, reason in skipped:
        say(f"skipped {source}: {reason}")


def _meter(*, live: bool = True) -> Meter:
    from rag.cli.progress import Meter

    return Meter(live=live)


def _print_json(value: object) -> None:
    """Print one line in UTF-8, whatever the locale is, at once."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    emit(json_line(value))


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO | None]:
    """Open a file to write before the work begins, so that nothing is lost at its end."""
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name another file") from None
    with file:
        yield file
