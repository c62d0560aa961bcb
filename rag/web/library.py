"""The library: a reader lists the articles with their state, adds some, leaves some out, and brings the index up to date.

Only an update changes the index. It runs in the background, and questions are answered from the last commit meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rag.errors import CorpusError, UsageError
from rag.files.folder import IGNORE, find_files, readable, sha256_of
from rag.files.formats import MAX_BYTES, RESERVED, check_size, suffix_of
from rag.index.file_state import file_of, look, state_of
from rag.index.indexer import Summary, files_of, index_folder
from rag.index.pace import Pace
from rag.index.reader import Reader
from rag.index.sqlite_file import replace_durably
from rag.protocols import Encoder
from rag.types import State
from rag.web.loading import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rag.types import Document

ADDED = "added"  # the folder for what a reader sends; it lies in the first of the indexed folders
MAX_FILE_BYTES = 20_000_000
MAX_FILES = 200  # that are sent at once
MAX_ADDED_BYTES = 500_000_000  # in the folder for added files
MAX_NAME = 40  # so many characters of a file's name are kept


class Standing(Enum):
    """What an article is now, compared with the file it was read from; the value is what a reader is told."""

    INDEXED = ""
    CHANGED = State.CHANGED.note
    MISSING = State.MISSING.note
    UNKNOWN = "the file cannot be looked at"
    NEW = "not indexed yet"
    REFUSED = "cannot be indexed"

    @property
    def note(self) -> str:
        """The text that a reader is told; empty when there is nothing to tell."""
        return self.value


_STANDINGS = {
    State.UNCHANGED: Standing.INDEXED,
    State.CHANGED: Standing.CHANGED,
    State.MISSING: Standing.MISSING,
    State.UNKNOWN: Standing.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Article:
    """A line of the library. ``characters`` and ``passages`` are 0 for a file that is not in the index."""

    source: str
    title: str
    published: str | None
    characters: int
    passages: int
    standing: Standing
    reason: str = ""


class Added(NamedTuple):
    """What became of files that were sent: the names of the stored ones, name and reason of the refused ones."""

    stored: list[str]
    refused: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Update:
    """How far an update is, in files. ``pace`` is in passages a second, ``left`` in seconds; both are None at first."""

    running: bool = False
    done: int = 0
    total: int = 0
    pace: float | None = None
    left: float | None = None
    summary: Summary | None = None
    problem: str = ""


class CountingEncoder(Encoder, Protocol):
    """An encoder that counts the tokens of a text, too."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the encoder makes of a text."""


class Library:
    """The articles of an index, as of its last commit. Several threads may use it at once."""

    def __init__(self, index: Path, load_encoder: Callable[[], CountingEncoder]) -> None:
        """Open the index for reading; the encoder is loaded for the first update.

        :raises RagError: there is no index.
        """
        self._index = index
        self._load_encoder = load_encoder
        self._encoder: CountingEncoder | None = None
        self._starting, self._storing = threading.Lock(), threading.Lock()
        self.store = Reader.open(index)
        self.state = Update()

    def close(self) -> None:
        """Close the index."""
        self.store.close()

    @property
    def folders(self) -> list[Path]:
        """The indexed folders, links resolved."""
        with self.store.snapshot():  # which follows a rebuild that put another file in place
            return [Path(folder).resolve() for folder in self.store.meta().folders]

    def document(self, source: str) -> Document:
        """Return an article of the index by its source.

        :raises LookupError: the index holds no such article.
        """
        passages, _ = self.store.embedded(source)
        if not passages:
            raise LookupError(source)
        return passages[0].document

    def articles(self, words: str = "", month: str = "") -> list[Article]:
        """Return the articles, the newest first, then the files that are not in the index.

        ``words`` keeps the articles that hold all of these words in their title, source or text; ``month`` keeps those whose
        date begins with it (``2024``, ``2024-09``, ``2024-09-06``).
        """
        listed = [article for article in self._listed() if (article.published or "").startswith(month)]
        for word in words.split():
            holding, folded = self.store.sources_with(word), word.casefold()
            listed = [
                article
                for article in listed
                if article.source in holding or folded in f"{article.title} {article.source}".casefold()
            ]
        return listed

    def _listed(self) -> Iterator[Article]:
        with self.store.snapshot():
            folders, documents = self.folders, self.store.documents()
            known, noted = self.store.state(), self.store.noted()
        found = self._files(folders)
        files = found or {}
        as_noted = {source: noted_as.state for source, noted_as in noted.items()} | known
        seen: dict[str, State] = {}
        for listing in sorted(documents, key=lambda listing: listing.published or "", reverse=True):
            home = file_of(listing.source, files.__contains__)
            if home not in seen:
                path, noted_as = files.get(home), as_noted.get(home)
                seen[home] = State.UNKNOWN if found is None else state_of(path, noted_as, folders, trust_times=True)
            yield Article(*listing, standing=_STANDINGS[seen[home]])
        for source, about in noted.items():
            if about.reason and file_of(source, files.__contains__):
                yield Article(source, "", None, 0, 0, Standing.REFUSED, about.reason)
        for source, path in files.items():
            if source not in as_noted:
                reason = _refusal(path, folders)
                yield Article(source, "", None, 0, 0, Standing.REFUSED if reason else Standing.NEW, reason)

    def _files(self, folders: Sequence[Path]) -> Mapping[str, Path] | None:
        """Return the files by source, or None where the folders cannot be looked at."""
        with suppress(CorpusError):
            return files_of(folders, self._index)
        with suppress(CorpusError):
            find_files(folders)
            return {}  # the folders are there, and hold no file
        return None

    def add(self, files: Sequence[tuple[str, Path]]) -> Added:
        """Store copies of files under names of our own; each comes with the name that its sender gave it.

        :raises CorpusError: the folder for them cannot be used.
        """
        folder = self.folders[0] / ADDED
        stored: list[str] = []
        refused: list[tuple[str, str]] = []
        with self._storing:
            held = _held(folder)
            for number, (name, path) in enumerate(files):
                try:
                    if number >= MAX_FILES:
                        raise CorpusError(f"more than {MAX_FILES} files at once; send it again")
                    stored.append(_store(name, path, folder, held))
                except CorpusError as error:
                    refused.append((name, str(error)))
        return Added(stored, refused)

    def remove(self, source: str) -> None:
        """Leave an article out from the next update on: delete it if it was added, else name it in ``.ragignore``.

        :raises UsageError: it has no file of its own, it is the last one, or its name cannot be written in ``.ragignore``.
        :raises CorpusError: its folder cannot be read or written.
        """
        folders = self.folders
        files = files_of(folders, self._index)
        path = files.get(source)
        if path is None:
            home = file_of(source, files.__contains__)
            where = f"lies in {home}; remove that" if home else "has no file any more; update"
            raise UsageError(f"{source} {where}")
        if len(files) == 1:
            raise UsageError(f"{source} is the last article, and an index holds one at least; add another first")
        name = source.partition("/")[0]
        folder = folders[0] if len(folders) == 1 else next(each for each in folders if readable(each.name) == name)
        try:
            with self._storing:
                own = path.parent == folders[0] / ADDED and not path.is_symlink()
                if own and path.stem.endswith(f"-{sha256_of(path)[:8]}"):  # a reader may keep files in such a folder too
                    path.unlink()
                else:
                    _ignore(path, folder)
        except OSError as error:
            raise CorpusError(f"{source} cannot be left out ({error.strerror}); check {folder} and its rights") from None

    def start_update(self) -> bool:
        """Start to bring the index up to date in the background; ``state`` says how far it is.

        Return False where an update is running already, and start none.
        """
        with self._starting:
            if self.state.running:
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
            self.state = Update(summary=summary)
        except Exception as error:
            self.state = Update(problem=problem(error))


def _refusal(path: Path, folders: Sequence[Path]) -> str:
    """Return why an update will pass over a file; empty where only reading the file can tell."""
    try:
        suffix, now = suffix_of(path.name), look(path, folders)
        if now is None:
            return "no regular file, or a link that leads out of the folder; put a copy there instead"
        check_size(suffix, now.size)
    except CorpusError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror}); check the file and its rights"
    return ""


def _held(folder: Path) -> dict[str, int]:
    """Make the folder for added files if there is none; return the size in bytes of each file in it, by name.

    :raises CorpusError: the folder cannot be made or read, or is a link.
    """
    try:
        if folder.is_symlink():
            raise CorpusError(f"{folder} is a link, so nothing is stored there; put a folder in its place")
        folder.mkdir(exist_ok=True)
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}
    except OSError as error:
        raise CorpusError(f"{folder} cannot be used ({error.strerror}); check the folder and its rights") from None


def _store(name: str, path: Path, folder: Path, held: dict[str, int]) -> str:
    """Store a copy of a file, unless one of equal content is held; return its name, and enter it in ``held``.

    :raises CorpusError: it cannot be stored.
    """
    if PurePosixPath(name).name.startswith("."):
        raise CorpusError("hidden; rename it")  # as in a folder that is indexed
    suffix = suffix_of(name)
    most = min(MAX_FILE_BYTES, MAX_BYTES[suffix])
    try:
        if path.stat().st_size > most:
            raise CorpusError(f"larger than {most // 1_000_000} MB; put it into the folder by hand")
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot be read ({error.strerror}); send it again") from None
    ending = f"-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
    try:
        if same := next((each for each in held if each.endswith(ending)), None):
            if (folder / same).read_bytes() != content:  # 32 bits of a hash can be met on purpose
                raise CorpusError(f"its hash begins like that of {same}; put it into the folder by hand")
            return same
        if len(content) > MAX_ADDED_BYTES - sum(held.values()):
            raise CorpusError("no room left; delete what is not needed")
        stored = f"{_plain(name)}{ending}"
        _write(folder / stored, content)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be written ({error.strerror}); check the folder and its rights") from None
    held[stored] = len(content)
    return stored


def _plain(name: str) -> str:
    """Return a name that any system can store: the letters and digits of any script, with hyphens for all else."""
    stem = unicodedata.normalize("NFKC", PurePosixPath(name).stem).casefold()
    plain = "-".join(re.findall(r"[^\W_]+", stem))[:MAX_NAME].strip("-")
    return plain if plain and plain not in RESERVED else f"article-{plain}".strip("-")


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
        replace_durably(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _ignore(path: Path, folder: Path) -> None:
    """Append a file to the ``.ragignore`` of its folder.

    :raises UsageError: no line of it can name the file.
    """
    ignore = folder / IGNORE
    line = _pattern(path.relative_to(folder).as_posix())
    before = ignore.read_bytes() if ignore.exists() else b""
    between = b"\n" if before and not before.endswith(b"\n") else b""
    _write(ignore, before + between + line.encode() + b"\n")


def _pattern(path: str) -> str:
    """Return the ``.gitignore`` pattern that matches this path and no other; a blank at its end needs brackets to stay.

    :raises UsageError: there is no such pattern, because the name breaks the line or is no Unicode.
    """
    if path.splitlines() != [path] or path.encode(errors="ignore").decode() != path:
        raise UsageError(f"{readable(path)} has a name that no line of {IGNORE} can hold; rename it or move it away")
    escaped = re.sub(r"[\\*?\[\]!#]", r"\\\g<0>", path)
    return "/" + re.sub(r"\s\Z", r"[\g<0>]", escaped)
