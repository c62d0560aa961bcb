"""A cited file as it is now: still what was indexed, changed, or gone.

Only the few files that an answer cites are looked at: their size, then their SHA-256. The modification time says nothing: it
moves without a change, and a change may keep it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.folder import find_files, readable, sha256_of
from rag.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.index.store import FileState, Store
    from rag.types import Citation


def with_states(citations: Sequence[Citation], store: Store) -> tuple[Citation, ...]:
    """Give the citations with the state of their files, unknown where the folder that was indexed is not there to look at."""
    folders = [Path(folder) for folder in store.meta().folders]
    known = store.state([citation.source for citation in citations])
    states = {c.source: _state(c, known.get(c.source), store, folders) for c in citations}
    return tuple(replace(citation, state=states[citation.source]) for citation in citations)


def _state(citation: Citation, known: FileState | None, store: Store, folders: Sequence[Path]) -> State:
    try:
        if not all(folder.is_dir() for folder in folders):
            return State.UNKNOWN
        source, path = _file(citation.source, folders)
        if path is None or not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
            return State.MISSING
        if known is None or known.sha256 != citation.sha256:
            return State.CHANGED  # perhaps so long ago that the index has it already
        if source != citation.source:  # it lies in a container, of which all is noted that can be compared
            noted = store.noted([source]).get(source)
            known = noted.state if noted else None
        if known is None or known.size != path.stat().st_size:
            return State.CHANGED
        return State.UNCHANGED if sha256_of(path) == known.sha256 else State.CHANGED
    except FileNotFoundError:
        return State.MISSING
    except (OSError, CorpusError):
        return State.UNKNOWN


def _file(source: str, folders: Sequence[Path]) -> tuple[str, Path | None]:
    """Find a source's file, or the container that it lies in; the container has a source of its own."""
    head, _, rest = source.partition("/")
    home = (
        folders[0] if len(folders) == 1 else next((folder for folder in folders if readable(folder.name) == head), folders[0])
    )
    inner = PurePosixPath(source if len(folders) == 1 else rest)
    for up, part in enumerate((inner, *inner.parents)):
        if (home / part).is_file():
            return source.rsplit("/", up)[0], home / part
    if "\\x" in source:  # its name holds bytes that no text can, and the source shows them
        return source, find_files(folders).get(source)
    return source, None
