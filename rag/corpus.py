"""A folder -> Document: which of its files are articles, under which names, and what each says.

Plain text is read here; every other format is parsed by ``rag.extraction``, in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rag import plain
from rag.errors import CorpusError
from rag.formats import TEXT, check_size, suffix_of
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.extraction import Extractor


class Refused(NamedTuple):
    """A file, or a part of a container, that cannot be indexed, and why.

    ``sha256`` is that of the bytes which are at fault; empty where the fault is outside of them, and may pass.
    """

    source: str
    reason: str
    sha256: str


def find_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Give what lies in the folders and below by source, in order; what is hidden or ignored is left out.

    A source is the path relative to its folder, behind the folder's name where there are several. An ``.ragignore`` leaves out
    what its patterns, those of a ``.gitignore``, match in its folder and below. What ``read_file`` will refuse (another format,
    a link that leads out, a folder that cannot be listed) is given too, so that it is reported and not lost.

    :raises CorpusError: one is not a folder, two have the same name, or an ``.ragignore`` cannot be read.
    """
    names = [readable(folder.resolve().name) for folder in folders]
    for number, (folder, name) in enumerate(zip(folders, names, strict=True)):
        if not folder.is_dir():
            raise CorpusError(f"{folder}: no such folder; name the folder that holds the articles")
        if name in names[:number]:
            raise CorpusError(f"two folders are named {name}, and sources begin with that; rename one, or index their parent")
    found = {}
    for folder, name in zip(folders, names, strict=True):
        prefix = f"{name}/" if len(folders) > 1 else ""
        found.update({prefix + source_name(path, folder): path for path in _walk(folder)})
    return found


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in (*files, *links) if not name.startswith(".")]
    found += [Path(error.filename) for error in closed]
    return sorted(found, key=lambda path: path.parts)


def read_file(path: Path, source: str, roots: Sequence[Path], extractor: Extractor) -> Iterator[Document | Refused]:
    """Read the articles of one file; what cannot be read is refused, in one line each.

    ``roots`` are the folders, resolved, that no link may lead out of.
    """
    digest = ""
    try:
        suffix = _check(path, roots)
        digest = sha256_of(path)
        if suffix in TEXT:
            read = plain.read_text if suffix == ".txt" else plain.read_markdown
            content = read(path.read_bytes(), source)
            yield Document(source, content.text, content.title, content.published, digest)
            return
        for one in extractor.extract(path, source):
            named = f"{source}/{readable(one.member)}" if one.member else source
            own_digest = one.sha256 if one.member else digest
            if one.content is None:
                yield Refused(named, one.reason, own_digest)
            else:
                yield Document(named, one.content.text, one.content.title, one.content.published, own_digest)
    except CorpusError as error:
        yield Refused(source, str(error), digest)
    except OSError as error:
        yield Refused(source, f"cannot be read ({error.strerror or error}); check the file and its rights", "")


def source_name(path: Path, folder: Path) -> str:
    """Give the path relative to ``folder``, with ``/``, fit for JSON: odd bytes and control characters in hexadecimal."""
    return readable(Path(os.path.relpath(path, folder)).as_posix())


def readable(name: str) -> str:
    """Make a name fit for JSON: odd bytes and control characters in hexadecimal."""
    printable = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match.group()):02x}", printable)


def sha256_of(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, roots: Sequence[Path]) -> str:
    """Give the suffix of a file that may be read."""
    suffix = suffix_of(path.name)
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        raise CorpusError("a link that leads out of the folder; put a copy there instead")
    if not path.is_file():
        path.stat()  # says why, if it cannot be reached
        raise CorpusError("not a regular file; put a copy of the article there instead")
    check_size(suffix, path.stat().st_size)
    return suffix
