"""The articles behind an index as a reader manages them: listed with their state, added, left out, indexed again meanwhile.

Nothing here changes the index but an update, which runs in the background; questions are answered from the last commit.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import unicodedata
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rag.corpus import IGNORE, sha256_of
from rag.errors import CorpusError, UsageError
from rag.formats import MAX_BYTES, suffix_of
from rag.indexer import Summary, files_of, index_folder
from rag.opening import problem
from rag.progress import Pace
from rag.store import FileState, Store
from rag.types import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rag.types import Document

ADDED = "added"  # the folder, in the first of those indexed, for what a reader sends
MAX_FILE_BYTES = 20_000_000
MAX_FILES = 200  # sent at once
MAX_ADDED_BYTES = 500_000_000  # in that folder
MAX_NAME = 40  # characters of a name that are kept
FOUND = 200  # passages that a search by words looks at
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))))


class Standing(Enum):
    """How an article stands to the file that it was read from; the value is what a reader is told."""

    INDEXED = ""
    CHANGED = "The file has changed since it was indexed"
    MISSING = "The file is no longer where it was indexed"
    NEW = "Not indexed yet"
    REFUSED = "Cannot be indexed"

    @property
    def note(self) -> str:
        """What a reader is told; empty when there is nothing to tell."""
        return self.value


@dataclass(frozen=True, slots=True)
class Article:
    """A line of the library. ``characters`` and ``passages`` are 0 for what is not in the index."""

    source: str
    title: str
    published: str | None
    characters: int
    passages: int
    standing: Standing
    reason: str = ""


class Added(NamedTuple):
    """What became of files that were sent: the names under which they are stored, and name and reason of the others."""

    stored: list[str]
    refused: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Update:
    """How far an update is, in files; ``pace`` is in passages a second and ``left`` in seconds, None until they are known."""

    running: bool = False
    done: int = 0
    total: int = 0
    pace: float | None = None
    left: float | None = None
    summary: Summary | None = None
    problem: str = ""


class CountingEncoder(Encoder, Protocol):
    """An encoder that says how long a text is in its own tokens."""

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text."""


class Library:
    """The articles of an index; may be used from several threads. What it lists follows every commit."""

    def __init__(self, index: Path, load_encoder: Callable[[], CountingEncoder]) -> None:
        """Open the index for reading; the encoder is loaded for the first update.

        :raises RagError: there is no index.
        """
        self._index = index
        self._load_encoder = load_encoder
        self._encoder: CountingEncoder | None = None
        self._updating = threading.Lock()
        self.store = Store.open(index)
        self.state = Update()

    def close(self) -> None:
        """Let go of the index."""
        self.store.close()

    @property
    def folders(self) -> list[Path]:
        """The folders that are indexed."""
        return [Path(folder) for folder in self.store.meta().folders]

    def document(self, source: str) -> Document:
        """Give an article of the index.

        :raises LookupError: it holds none of that source.
        """
        passages, _ = self.store.embedded(source)
        if not passages:
            raise LookupError(source)
        return passages[0].document

    def articles(self, words: str = "", month: str = "") -> list[Article]:
        """List the articles, the newest first, then the files that are not in the index.

        ``words`` keeps those that hold all of them in their title, source or text; ``month`` those of a date that begins with
        it (``2024``, ``2024-09``, ``2024-09-06``).
        """
        listed = sorted(self._listed(), key=lambda article: (article.published or "", article.source), reverse=True)
        if month:
            listed = [article for article in listed if (article.published or "").startswith(month)]
        if wanted := words.casefold().split():
            holding = self._holding(wanted)
            listed = [
                article
                for article in listed
                if article.source in holding or all(word in f"{article.title} {article.source}".casefold() for word in wanted)
            ]
        return listed

    def _listed(self) -> Iterator[Article]:
        try:
            files: Mapping[str, Path] = files_of(self.folders, self._index)
        except CorpusError:
            files = {}
        here = any(folder.is_dir() for folder in self.folders)
        known, noted = self.store.state(), self.store.noted()
        as_noted = {source: noted_as.state for source, noted_as in noted.items()} | known
        seen: dict[str, Standing] = {}
        for listing in self.store.documents():
            home = _home(listing.source, files)
            if home not in seen:
                seen[home] = _standing(files.get(home), as_noted.get(home)) if here else Standing.INDEXED
            yield Article(*listing, standing=seen[home])
        for source, about in noted.items():
            if about.reason and _home(source, files) in files:
                yield Article(source, "", None, 0, 0, Standing.REFUSED, about.reason)
        for source in files:
            if source not in as_noted:
                reason = _unfit(source, 0)
                yield Article(source, "", None, 0, 0, Standing.REFUSED if reason else Standing.NEW, reason)

    def _holding(self, wanted: Sequence[str]) -> set[str]:
        """Give the sources of articles whose text holds all words."""
        ids = [passage_id for passage_id, _ in self.store.search_text(wanted, top_k=FOUND)]
        documents = {p.document.source: p.document.text.casefold() for p in self.store.passages(ids).values()}
        return {source for source, text in documents.items() if all(word in text for word in wanted)}

    def add(self, files: Sequence[tuple[str, Path]]) -> Added:
        """Store copies of files, each with the name that its sender gives it, under names of our own.

        :raises CorpusError: there is no place for them.
        """
        folder = self.folders[0] / ADDED
        try:
            if folder.is_symlink():
                raise CorpusError(f"{folder} is a link, so nothing is stored there; put a folder in its place")
            folder.mkdir(exist_ok=True)
            room = MAX_ADDED_BYTES - sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
            stored: list[str] = []
            refused: list[tuple[str, str]] = []
            for number, (name, path) in enumerate(files):
                size = path.stat().st_size
                full = "no room left; delete what is not needed" if size > room else ""
                many = f"more than {MAX_FILES} files at once; send it again" if number >= MAX_FILES else ""
                if reason := _unfit(name, size) or many or full:
                    refused.append((name, reason))
                else:
                    stored.append(_store(name, path, folder))
                    room -= size
        except OSError as error:
            raise CorpusError(f"{folder} cannot be written ({error.strerror}); check the folder and its rights") from None
        return Added(stored, refused)

    def remove(self, source: str) -> None:
        """Leave an article out from the next update on: one that was added is deleted, any other named in ``.ragignore``.

        :raises UsageError: it has no file of its own.
        :raises CorpusError: its folder cannot be written.
        """
        files = files_of(self.folders, self._index)
        path = files.get(source)
        if path is None:
            home = _home(source, files)
            where = f"lies in {home}; remove that" if home else "has no file any more; update"
            raise UsageError(f"{source} {where}")
        folder = next(folder for folder in self.folders if path.is_relative_to(folder))
        try:
            if path.parent == self.folders[0] / ADDED and not path.is_symlink():
                path.unlink()
                return
            ignore = folder / IGNORE
            before = ignore.read_text("utf-8") if ignore.exists() else ""
            line = _pattern(path.relative_to(folder).as_posix())
            _write(ignore, f"{before}{'' if not before or before.endswith(chr(10)) else chr(10)}{line}{chr(10)}".encode())
        except (OSError, UnicodeError) as error:
            raise CorpusError(f"{source} cannot be left out ({error}); check {folder} and its rights") from None

    def start_update(self) -> bool:
        """Bring the index up to date in the background, unless that goes on already; ``state`` tells how far it is."""
        if not self._updating.acquire(blocking=False):
            return False
        self.state = Update(running=True)
        threading.Thread(target=self._update, name="update the index", daemon=True).start()
        return True

    def _update(self) -> None:
        pace = Pace()

        def progress(done: int, total: int, embedded: int) -> None:
            self.state = Update(True, done, total, *pace.at(done, total, embedded))

        try:
            self._encoder = self._encoder or self._load_encoder()
            summary = index_folder(
                *self.folders,
                store_folder=self._index,
                encoder=self._encoder,
                count_tokens=self._encoder.count_tokens,
                passage_tokens=self.store.meta().passage_tokens,
                progress=progress,
            )
            ended = Update(summary=summary)
        except Exception as error:
            ended = Update(problem=problem(error))
        self.state = ended
        self._updating.release()


def _home(source: str, files: Mapping[str, Path]) -> str:
    """Give the source of the file that an article is read from: its own, or that of its container; empty without a file."""
    while source and source not in files:
        source = source.rpartition("/")[0]
    return source


def _standing(path: Path | None, noted: FileState | None) -> Standing:
    try:
        if path is None:
            return Standing.MISSING
        now = path.stat()
        if noted and now.st_size == noted.size and (now.st_mtime_ns == noted.mtime_ns or sha256_of(path) == noted.sha256):
            return Standing.INDEXED
    except OSError:
        pass  # it has just gone, or cannot be read
    return Standing.CHANGED


def _unfit(name: str, size: int) -> str:
    """Say why a file cannot be stored; empty when it can."""
    try:
        most = min(MAX_FILE_BYTES, MAX_BYTES[suffix_of(name)])
    except CorpusError as error:
        return str(error)
    return "" if size <= most else f"larger than {most // 1_000_000} MB; put it into the folder by hand"


def _store(name: str, path: Path, folder: Path) -> str:
    """Store a copy; give its name, made of letters and digits of the given one and a hash: equal content, equal file."""
    content = path.read_bytes()
    stem = unicodedata.normalize("NFKC", PurePosixPath(name).name.removesuffix(PurePosixPath(name).suffix)).casefold()
    plain = "-".join(re.findall(r"[^\W_]+", stem))[:MAX_NAME].strip("-")
    kept = plain if plain and plain not in RESERVED else f"article-{plain}".strip("-")
    stored = folder / f"{kept}-{hashlib.sha256(content).hexdigest()[:8]}{suffix_of(name)}"
    if not stored.exists():
        _write(stored, content)
    return stored.name


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _pattern(path: str) -> str:
    """Give the ``.gitignore`` pattern that matches one path, and nothing else."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)
