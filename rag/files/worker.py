"""Parses files in the child process of ``rag.files.sandbox``: says which module reads which format (``READERS``).

Requests come on standard input; articles, or the reasons why they are refused, go to standard output. The address space is
bounded where the platform can do that: Linux does; macOS takes the limit and does not hold it; Windows has none, and there time
alone stops a file that swells. This module imports parsers and no model library.
"""

from __future__ import annotations

import faulthandler
import hashlib
import io
import json
import logging
import os
import signal
import sys
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rag.errors import RagError
from rag.files import archives, mail, office, pdf, plain_text, tables, webpage
from rag.files.formats import MEMORY, Member, check_expansion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rag.files.formats import Content

PATIENCE = 6  # by the clock, an article may take this many times the seconds of computing that it may take

READERS: dict[str, Callable[[bytes, str], Content]] = {
    ".txt": plain_text.read_text,
    **dict.fromkeys((".md", ".markdown"), plain_text.read_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), webpage.read_html),
    ".pdf": pdf.read_pdf,
    ".docx": office.read_docx,
    ".epub": office.read_epub,
    ".rtf": office.read_rtf,
    ".eml": mail.read_mail,
    ".row": tables.read_row,
}
MEMBERS: dict[str, Callable[[IO[bytes]], Iterator[Member]]] = {
    ".zip": archives.members,
    ".mbox": mail.messages,
    ".csv": tables.csv_rows,
    ".tsv": tables.tsv_rows,
    **dict.fromkeys((".jsonl", ".ndjson"), tables.json_lines),
}


def serve() -> None:
    """Answer requests on standard input until there are no more."""
    _bound_memory()
    logging.disable(logging.CRITICAL)  # the reply says what is wrong with a file
    warnings.simplefilter("ignore")
    with os.fdopen(os.dup(1), "wb") as out, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a parser prints is no reply
        for line in sys.stdin.buffer:
            request = json.loads(line)
            with suppress(BrokenPipeError):
                for reply in _served(request):
                    out.write(json.dumps(reply).encode() + b"\n")
                    out.flush()


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):  # not on this platform
        pass


@contextmanager
def _watched(seconds: float) -> Iterator[None]:
    """End the process if the block computes for longer than ``seconds``, or takes ``PATIENCE`` times as long by the clock."""
    if hasattr(signal, "setitimer"):  # nobody handles these signals, so they end the process, whatever it is busy with
        _set_timers(seconds)
    else:
        faulthandler.dump_traceback_later(PATIENCE * seconds, exit=True, file=sys.stderr)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            _set_timers(0)
        else:
            faulthandler.cancel_dump_traceback_later()


def _set_timers(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def _served(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    path, name, watched = Path(request["path"]), request["name"], partial(_watched, request["seconds"])
    try:
        for member in _members(path, request["skip"], watched):
            yield {"begin": member.name}
            with watched():
                reply = _read(member, f"{name}/{member.name}" if member.name else name)
            yield reply
    except Exception as error:
        yield {"member": "", "refused": _reason(error, path.suffix), "sha256": ""}
    yield {"end": True}


def _members(path: Path, skip: int, watched: Callable[[], AbstractContextManager[None]]) -> Iterator[Member]:
    """Yield the articles of a file but the first ``skip``; a file that is no container is one article without a name."""
    suffix = path.suffix.lower()
    if suffix not in MEMBERS:
        yield Member("", path.read_bytes, suffix)
        return
    with path.open("rb") as file:
        members = (inner for member in MEMBERS[suffix](file) for inner in _unpacked(member))
        for number in range(sys.maxsize):
            with watched():
                member = next(members, None)
            if member is None:
                return
            if number >= skip:
                yield member


def _unpacked(member: Member) -> Iterator[Member]:
    """Yield the articles of a container in a container; a member that is no container is yielded as it is."""
    if member.suffix not in MEMBERS:
        yield member
        return
    try:
        for inner in MEMBERS[member.suffix](io.BytesIO(member.load())):
            yield inner._replace(name=f"{member.name}/{inner.name}")
    except Exception as error:
        yield Member.refused(member.name, _reason(error, member.suffix))


def _read(member: Member, name: str) -> dict[str, Any]:
    digest = ""
    try:
        data = member.load()
        digest = hashlib.sha256(data).hexdigest()
        content = READERS[member.suffix](data, name)
        check_expansion(len(data), len(content.text))
    except Exception as error:  # whatever a parser raises over a foreign file
        return {"member": member.name, "refused": _reason(error, member.suffix), "sha256": digest}
    return {"member": member.name, "content": content, "sha256": digest}


def _reason(error: Exception, suffix: str) -> str:
    match error:
        case RagError():
            return str(error)
        case MemoryError():
            return f"takes more than {MEMORY // 2**20} MiB of memory to read; save the article as text"
        case OSError():
            return f"cannot be read ({error.strerror or error}); check the file and its rights"
    return f"not readable as {suffix[1:].upper()} ({type(error).__name__}); save the article as text"
