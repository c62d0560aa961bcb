"""The verb ``index``: make an index of folders, and keep it up to date while they change."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import Index
from rag.cli.terminal import emit, one_line, say
from rag.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rag.config import Config
    from rag.index.indexer import Summary

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FOLDER...",
        help="Folders of articles, read with their subfolders; `seeds` unless given. One article a file: txt, md, html, pdf, "
        "docx, epub, rtf, eml; many: mbox, csv, tsv, jsonl, zip.",
        show_default=False,
    ),
]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Begin anew, also where the index is damaged or foreign.")]
Watch = Annotated[bool, typer.Option("--watch", help="Then stay, and index each change of the folder as it happens.")]


def index_articles(folders: Folders = None, index: Index = None, rebuild: Rebuild = False, watch: Watch = False) -> None:
    """Make the index hold what folders of articles hold."""
    from functools import partial

    from rag.cli.progress import Meter
    from rag.config import load_config
    from rag.files.folder import find_files
    from rag.index.indexer import index_folder
    from rag.models.loading import load_encoder

    config = load_config(index=index)
    folders = folders or [Path("seeds")]
    find_files(folders)  # reports a missing folder before any model is fetched
    try:
        with Meter() as meter:
            meter.working("loading the encoder")
            encoder = load_encoder(config, meter.model)
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
    _show_summary(summary, config, is_configured=config.index == load_config().index)
    if watch:
        _watch(folders, config, update, dict(summary.skipped))


def _watch(folders: Sequence[Path], config: Config, update: Callable[..., Summary], skipped: dict[str, str]) -> None:
    """Update the index at each change until Ctrl-C; a problem is reported once and does not end it."""
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


def _show_summary(summary: Summary, config: Config, *, is_configured: bool) -> None:
    """Print what was done, and the next command; it names the index unless that is the configured one."""
    _show_skipped(summary.skipped)
    counts = {name: getattr(summary, name) for name in ("added", "changed", "renamed", "removed", "unchanged")}
    counts["skipped"] = len(summary.skipped)
    done = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    emit(f"{done} in {summary.seconds:.1f} s")
    emit(one_line(f"{config.index} holds {summary.documents:,} articles in {summary.passages:,} passages"))
    where = "" if is_configured else f"--index {config.index} "
    emit(one_line(f'next: rag ask {where}"..."'))


def _show_skipped(skipped: Iterable[tuple[str, str]]) -> None:
    for source, reason in skipped:
        say(f"skipped {source}: {reason}")
