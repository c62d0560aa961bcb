"""Has a file changed since it was indexed? Decided here for all who ask: the indexer, the library, an answer's citations.

A file is compared by size, then by modification time, then by SHA-256. An article in a container is as fresh as its container.
"""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rag.errors import CorpusError
from rag.files.folder import find_files, readable, sha256_of
from rag.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.index.reader import Reader
    from rag.index.schema import FileState
    from rag.types import Citation

RACY_NS = 2_000_000_000  # a younger file may change again within one tick of its modification time (2 s on FAT)
UNTRUSTED = -1  # the modification time that is noted of such a file, so that its bytes are read the next time


class Look(NamedTuple):
    """A file as it is now: its size in bytes, its modification time in nanoseconds, ``UNTRUSTED`` while it is young."""

    size: int
    mtime_ns: int


def look(path: Path, folders: Sequence[Path]) -> Look | None:
    """Look at a file; None where there is no regular file, or a link that leads out of the folders (resolved).

    :raises OSError: it cannot be looked at.
    """
    now = path.lstat()
    if stat.S_ISLNK(now.st_mode):
        now = path.stat()  # before it is resolved: an error where links lead in a circle
        real = path.resolve()
        if not any(real.is_relative_to(folder) for folder in folders):
            return None
    if not stat.S_ISREG(now.st_mode):
        return None
    is_young = time.time_ns() - now.st_mtime_ns < RACY_NS
    return Look(now.st_size, UNTRUSTED if is_young else now.st_mtime_ns)


def is_unchanged(path: Path, now: Look, known: FileState, *, trust_times: bool) -> bool:
    """Return whether a file is what was indexed; its bytes are read only where size and time do not tell.

    :raises OSError: it cannot be read.
    """
    if now.size != known.size:
        return False
    return (trust_times and now.mtime_ns == known.mtime_ns != UNTRUSTED) or sha256_of(path) == known.sha256


def state_of(path: Path | None, known: FileState | None, folders: Sequence[Path], *, trust_times: bool) -> State:
    """Return what has become of a file of which ``known`` was noted; ``path`` is None where none was found."""
    try:
        now = look(path, folders) if path else None
        if path is None or now is None:
            return State.MISSING
        if known is None:
            return State.CHANGED
        return State.UNCHANGED if is_unchanged(path, now, known, trust_times=trust_times) else State.CHANGED
    except FileNotFoundError:
        return State.MISSING
    except OSError:
        return State.UNKNOWN


def file_of(source: str, is_file: Callable[[str], bool]) -> str:
    """Return the source of the file that an article is read from: its own, or its container's; empty where there is none."""
    while source and not is_file(source):
        source = source.rpartition("/")[0]
    return source


def with_states(citations: Sequence[Citation], store: Reader) -> tuple[Citation, ...]:
    """Return the citations with the state of their files, unknown where the folder that was indexed is not there to look at.

    The modification time is not trusted here: it moves without a change, and a change may keep it. An answer cites few files,
    so their bytes are read.
    """
    folders = [Path(folder) for folder in store.meta().folders]
    known = store.state([citation.source for citation in citations])
    states = {c.source: _state(c, known.get(c.source), store, folders) for c in citations}
    return tuple(replace(citation, state=states[citation.source]) for citation in citations)


def _state(citation: Citation, known: FileState | None, store: Reader, folders: Sequence[Path]) -> State:
    try:
        if not all(folder.is_dir() for folder in folders):
            return State.UNKNOWN
        source, path = _find(citation.source, folders)
    except (OSError, CorpusError):
        return State.UNKNOWN
    if known is None or known.sha256 != citation.sha256:
        known = None  # perhaps it changed so long ago that the index has it already
    elif source != citation.source:
        noted = store.noted([source]).get(source)
        known = noted.state if noted else None
    return state_of(path, known, [folder.resolve() for folder in folders], trust_times=False)


def _find(source: str, folders: Sequence[Path]) -> tuple[str, Path | None]:
    """Find the file that an article is read from: its source, and where it is."""

    def place(source: str) -> Path:
        if len(folders) == 1:
            return folders[0] / source
        name, _, rest = source.partition("/")
        return next((folder for folder in folders if readable(folder.name) == name), folders[0]) / rest

    if found := file_of(source, lambda source: place(source).is_file()):
        path = place(found)
        is_inside = any(path.parent.resolve().is_relative_to(folder.resolve()) for folder in folders)
        return found, path if is_inside else None
    if "\\x" in source:  # its name holds bytes that no text can, and the source shows them
        files = find_files(folders)
        found = file_of(source, files.__contains__)
        return found, files.get(found)
    return source, None
