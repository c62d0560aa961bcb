"""Examine everything that an answer needs, and name the command that mends what is wrong."""

from __future__ import annotations

import platform
import sqlite3
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rag.config import load_config
from rag.errors import RagError
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.vector_file import Vectors
from rag.models import loading
from rag.models.cache import cache_folder, verify
from rag.models.trained import CHECKER, checker_weights, probe_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rag.config import Config
    from rag.models.manifest import Role

PACKAGES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "gradio")
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined; ``problem`` names the command to run next, and is empty when all is well."""

    subject: str
    detail: str
    problem: str = ""


def examine(index: Path | None, *, working: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Examine one thing after the other and yield a finding of each; nothing is fetched or changed.

    ``working`` is called before each slow step with what is about to be done.
    """
    yield _python()
    yield from _packages()
    yield _sqlite()
    try:
        config = load_config(index=index)
    except RagError as error:
        yield Finding("configuration", "", str(error))
        return
    yield Finding("configuration", ", ".join(f"{key} {value}" for key, value in config))
    working("hashing the models")
    encoder = _model(config.encoder, "encoder")
    yield encoder
    yield _model(config.generator, "generator")
    yield _checker(config)
    yield _probe(config)
    working("reading the index")
    yield from _index(config, with_encoder=not encoder.problem)


def _python() -> Finding:
    running = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding(
            "python", running, f"older than {'.'.join(map(str, OLDEST_PYTHON))}; install a newer one and `make install`"
        )
    return Finding("python", f"{running}, {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "", "not installed; run `make install`")


def _sqlite() -> Finding:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    except sqlite3.Error as error:
        return Finding("sqlite", sqlite3.sqlite_version, f"{error}; use a Python whose SQLite has FTS5")
    finally:
        connection.close()
    return Finding("sqlite", f"{sqlite3.sqlite_version} with FTS5")


def _model(spec: str, role: Role) -> Finding:
    try:
        verify(spec)
    except RagError as error:
        return Finding(role, spec, str(error))
    return Finding(role, f"{spec}, bytes as recorded, in {cache_folder()}")


def _checker(config: Config) -> Finding:
    if not config.checker:
        return Finding("checker", "switched off")
    try:
        if not checker_weights():
            return Finding("checker", "absent; answers are found and checked without it")
        if config.encoder != CHECKER.base:  # else `_model` has verified it
            verify(CHECKER.base)
        return Finding("checker", f"bytes as recorded, over {CHECKER.base}")
    except RagError as error:
        return Finding("checker", "", str(error))


def _probe(config: Config) -> Finding:
    try:
        there = probe_weights(config.generator)
        return Finding("probe", "bytes as recorded" if there else f"none for {config.generator}; answers are weighed without")
    except RagError as error:
        return Finding("probe", "", str(error))


def _index(config: Config, *, with_encoder: bool) -> Iterator[Finding]:
    try:
        with Reader.open(config.index) as store:
            counts, meta = store.counts(), store.meta()
            held = (
                f"{config.index}: {counts.documents:,} documents, {counts.passages:,} passages, from {', '.join(meta.folders)}"
            )
            yield Finding("index", held, "; ".join(check(store)))
            yield Finding("vectors", f"those of {counts.passages:,} passages", Vectors.problem(store, config.index))
            if with_encoder:
                identity = loading.load_encoder(config).identity
                store.require_encoder(identity)
                yield Finding("index and encoder", f"both {identity}")
    except RagError as error:
        yield Finding("index", str(config.index), str(error))
