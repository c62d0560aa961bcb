"""A cited file as it is now: still what was indexed, changed, or gone.

Only the few files that an answer cites are looked at: their size, then their SHA-256. The modification time says nothing: it
moves without a change, and a change may keep it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.corpus import find_files
from rag.errors import CorpusError
from rag.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.store import FileState, Store
    from rag.types import Citation


def with_states(citations: Sequence[Citation], store: Store) -> tuple[Citation, ...]:
    """Give the citations with the state of their files, unknown where the folder that was indexed is not there to look at."""
    folder = Path(store.meta().folder)
    known = store.state([citation.source for citation in citations])
    states = {c.source: _state(c, known.get(c.source), folder) for c in citations}
    return tuple(replace(citation, state=states[citation.source]) for citation in citations)


def _state(citation: Citation, known: FileState | None, folder: Path) -> State:
    try:
        if not folder.is_dir():
            return State.UNKNOWN
        path = _path(citation.source, folder)
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            return State.MISSING
        if known is None or known.sha256 != citation.sha256 or known.size != path.stat().st_size:
            return State.CHANGED  # perhaps so long ago that the index has it already
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == citation.sha256
    except FileNotFoundError:
        return State.MISSING
    except (OSError, CorpusError):
        return State.UNKNOWN
    return State.UNCHANGED if same else State.CHANGED


def _path(source: str, folder: Path) -> Path:
    path = folder / source
    if "\\x" in source and not path.exists():  # its name holds bytes that no text can, and the source shows them
        return find_files([folder]).get(source, path)
    return path
