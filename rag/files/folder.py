"""Finds the articles of a folder and reads each of them into a Document.

Plain text and Markdown are read in this process; ``rag.files.sandbox`` parses every other format in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pathspec import GitIgnoreSpec

from rag.errors import CorpusError
from rag.files import plain_text
from rag.files.formats import TEXT, check_size, suffix_of
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rag.files.sandbox import Extractor


IGNORE = ".ragignore"


class Note(NamedTuple):
    """What to remember of a file, or of a part of a container, that is not a document.

    ``reason`` says why it cannot be indexed; it is empty for a container whose articles were read. ``sha256`` is the hash of
    its bytes or of its container's bytes. It is empty where the fault lies outside of the bytes, so that it may pass.
    """

    source: str
    reason: str
    sha256: str


def find_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the files in the folders and below them, by source and in order, without hidden and ignored ones.

    A source is the path relative to its folder; where there are several folders, the folder's name stands before it. An
    ``.ragignore`` leaves out what its patterns match in its folder and below; they are written as in a ``.gitignore``. Files
    that ``read_file`` will refuse (another format, a link that leads out, a folder that cannot be listed) are returned too, so
    that they are reported and not lost.

    :raises CorpusError: a path is not a folder, two folders have the same name, or an ``.ragignore`` cannot be read.
    """
    names = [readable(folder.resolve().name) for folder in folders]
    for number, (folder, name) in enumerate(zip(folders, names, strict=True)):
        if not folder.is_dir():
            raise CorpusError(f"{folder}: no such folder; name the folder that holds the articles")
        if name in names[:number]:
            raise CorpusError(f"two folders are named {name}, and sources begin with that; rename one, or index their parent")
    found = {}
    for root, name in zip((folder.resolve() for folder in folders), names, strict=True):
        prefix = f"{name}/" if len(folders) > 1 else ""
        found.update({prefix + source_name(path, root): path for path in _walk(root)})
    return found


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    closed: list[OSError] = []
    patterns: dict[Path, GitIgnoreSpec] = {}
    for here, folders, files in os.walk(folder, onerror=closed.append):
        parent = Path(here)
        if IGNORE in files:
            patterns[parent] = _patterns(parent / IGNORE)
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_ignored(parent / name, patterns, "/")]
        found += [
            parent / name for name in (*files, *links) if not name.startswith(".") and not _is_ignored(parent / name, patterns)
        ]
    found += [Path(error.filename) for error in closed]
    return sorted(found, key=lambda path: path.parts)


def _patterns(path: Path) -> GitIgnoreSpec:
    try:
        if path.is_symlink() or not path.is_file():
            raise CorpusError(f"{path}: not a regular file, so it is not known what to leave out; put a copy there instead")
        return GitIgnoreSpec.from_lines(path.read_text("utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{path}: cannot be read ({error}), so it is not known what to leave out; mend or delete it"
        ) from None


def _is_ignored(path: Path, patterns: Mapping[Path, GitIgnoreSpec], end: str = "") -> bool:
    """Return whether the path is left out, by the nearest ``.ragignore`` that matches it; ``end`` is ``/`` for a folder."""
    for folder in path.parents if patterns else ():
        if folder in patterns:
            said = patterns[folder].check_file(path.relative_to(folder).as_posix() + end).include
            if said is not None:
                return said
    return False


def read_file(path: Path, source: str, roots: Sequence[Path], extractor: Extractor) -> Iterator[Document | Note]:
    """Yield the articles of one file; a container, and what cannot be read, ends with a note of its own.

    ``roots`` are the resolved folders; a link may not lead out of them.
    """
    digest = ""
    try:
        suffix = _check(path, roots)
        digest = sha256_of(path)
        if suffix in TEXT:
            read = plain_text.read_text if suffix == ".txt" else plain_text.read_markdown
            yield Document(source, *read(path.read_bytes(), source), digest)
            return
        parts = 0
        for one in extractor.extract(path, source):
            named = f"{source}/{readable(one.member)}" if one.member else source
            own_digest = one.sha256 or digest
            yield Document(named, *one.content, own_digest) if one.content else Note(named, one.reason, own_digest)
            if not one.member:
                return
            parts += 1
        yield Note(source, "" if parts else "no article in it; fill it or delete it", digest)
    except CorpusError as error:
        yield Note(source, str(error), digest)
    except OSError as error:
        yield Note(source, f"cannot be read ({error.strerror or error}); check the file and its rights", "")


def source_name(path: Path, folder: Path) -> str:
    """Return the path relative to ``folder``, with ``/`` between its parts and made fit for JSON as by :func:`readable`."""
    name, inside = os.fspath(path), os.path.join(folder, "")  # noqa: PTH118 - a tenth of the time, for every file of every run
    relative = name[len(inside) :] if name.startswith(inside) else os.path.relpath(path, folder)
    return readable(relative.replace(os.sep, "/"))


def readable(name: str) -> str:
    """Return a name that is fit for JSON: bytes that are no text, and control characters, are written in hexadecimal."""
    if name.isascii() and name.isprintable():
        return name
    printable = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match.group()):02x}", printable)


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, roots: Sequence[Path]) -> str:
    """Return the suffix of a file.

    :raises CorpusError: the file may not be read.
    """
    suffix = suffix_of(path.name)
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        raise CorpusError("a link that leads out of the folder; put a copy there instead")
    if not path.is_file():
        path.stat()  # says why, if it cannot be reached
        raise CorpusError("not a regular file; put a copy of the article there instead")
    check_size(suffix, path.stat().st_size)
    return suffix
