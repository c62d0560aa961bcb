"""The verbs ``verify``, ``doctor`` and ``models``: do kept answers still hold, is anything wrong, what is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import Index
from rag.cli.terminal import console_on, emit, one_line, say, show_verified, table, write
from rag.errors import UsageError

Fetch = Annotated[bool, typer.Option("--fetch", help="Fetch NAME, or the two models that are configured.")]
Kept = Annotated[Path, typer.Argument(metavar="FILE.json", help="What `rag ask --json` printed, of one question or of many.")]
ModelName = Annotated[str | None, typer.Argument(help="A name of the list, or a hub id (org/name).", show_default=False)]


def verify(file: Kept, index: Index = None) -> None:
    """Return whether what `rag ask --json` cited still stands there."""
    from rag.config import load_config
    from rag.index.reader import Reader
    from rag.report.verify import Standing, read_citations
    from rag.report.verify import verify as verified

    try:
        citations = read_citations(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); name a file that `rag ask --json` wrote") from None
    console, counts = console_on(sys.stdout), dict.fromkeys(Standing, 0)
    with Reader.open(load_config(index=index).index) as store:
        for found in verified(citations, store):
            counts[found.standing] += 1
            show_verified(console, found)
    kinds = ", ".join(f"{count:,} {standing.value}" for standing, count in counts.items())
    emit(f"{len(citations):,} {'citation' if len(citations) == 1 else 'citations'}: {kinds}")
    if counts[Standing.VALID] < len(citations):
        raise typer.Exit(1)


def doctor(index: Index = None) -> None:
    """Say what is wrong with models, index or settings, if anything."""
    from rag.cli.doctor import examine
    from rag.cli.progress import Meter

    console, problems = console_on(sys.stdout), 0
    with Meter(live=not sys.stdout.isatty()) as meter:
        for finding in examine(index, working=meter.working):
            sign, style = ("PROBLEM", "red") if finding.problem else ("ok", "")
            write(console, f"{sign:7} {one_line(f'{finding.subject}: {finding.detail}')}", style=style)
            if finding.problem:
                problems += 1
                write(console, one_line(finding.problem), indent=8)
    if problems:
        say(f"{problems} {'problem' if problems == 1 else 'problems'} found")
        raise typer.Exit(1)


def models(name: ModelName = None, fetch: Fetch = False, index: Index = None) -> None:
    """List the models with origin, licence and hash, or fetch them."""
    from rich import filesize

    from rag.cli.progress import Meter
    from rag.config import load_config
    from rag.models.cache import fetch as fetch_model
    from rag.models.cache import installed
    from rag.models.loading import fetch_models

    config = load_config(index=index)
    if name and not fetch:
        raise UsageError(f"to fetch a model, run `rag models --fetch {name}`")
    if fetch:
        with Meter() as meter:
            if name:
                fetch_model(name, progress=meter.model)
            else:
                fetch_models(config, meter.model)
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
