"""Has foreign formats parsed in a child process, which may break, hang or swell without harm to the index.

This is the parent's side; ``rag.files.worker`` is the child's side, and it alone imports the parsers. One child serves a whole
run. Both sides speak JSON, one object a line: the parent asks for a file; for each article the child says that it begins, then
what the article says or why it is refused; at the end it says that the file is done. An article has ``formats.SECONDS``. A
child that takes longer ends itself, whatever it is busy with. A child that has died is replaced, and the new one goes on behind
the article that broke it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from rag.files.formats import SECONDS, Content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_DEATHS = 3  # after so many children have died over one file, the rest of it is not read: each death costs time


class Extracted(NamedTuple):
    """One article of a file: what it says, or the ``reason`` why it is refused.

    ``member`` is its name inside a container, empty for the file itself; ``sha256`` is the hash of its bytes, empty where the
    bytes could not be read.
    """

    member: str
    content: Content | None
    reason: str
    sha256: str


class Extractor:
    """Reads files through a child process, which it starts when it is first needed; a context manager."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Start nothing yet; one article may take ``seconds`` of computing."""
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def extract(self, path: Path, name: str) -> Iterator[Extracted]:
        """Yield the articles of a file in order, refused ones among them; a file that is no container is one article.

        An article without a title is called ``name``.
        """
        seen = 0
        for _ in range(MAX_DEATHS):
            begun: str | None = None
            started = time.monotonic()
            for reply in self._replies({"path": str(path), "name": name, "skip": seen, "seconds": self._seconds}):
                started = time.monotonic()
                if "begin" in reply:
                    begun = reply["begin"]
                    continue
                if "end" in reply:
                    return
                begun, seen = None, seen + 1
                yield _extracted(reply)
            seen += 1
            took_long = time.monotonic() - started > 0.9 * self._seconds
            yield Extracted(begun or "", None, self._why_died(took_long=took_long), "")
            if not begun:
                return
        rest = f"what follows its article {seen} was not read, after {MAX_DEATHS} that broke the parser; unpack it"
        yield Extracted("", None, rest, "")

    def _why_died(self, *, took_long: bool) -> str:
        what = f"takes more than {self._seconds:g} s to read" if took_long else "breaks its parser, or takes too much memory"
        return f"{what}; save the article as text"

    def _replies(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the child's replies to a request until it is done or dies."""
        child = self._child = self._child or _start()
        assert child.stdin and child.stdout  # noqa: S101
        done = False
        try:
            with suppress(BrokenPipeError):
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.flush()
            for line in child.stdout:
                reply = json.loads(line)
                done = "end" in reply
                yield reply
                if done:
                    return
        finally:
            if not done:  # the child died, or nobody waits for the rest
                self.close()


def _start() -> subprocess.Popen[bytes]:
    """Start a child that finds its modules where this process does, and not in the folder that it is run in."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-c", "from rag.files.worker import serve; serve()"]
    return subprocess.Popen(  # noqa: S603
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _extracted(reply: dict[str, Any]) -> Extracted:
    if "refused" in reply:
        return Extracted(reply["member"], None, reply["refused"], reply["sha256"])
    return Extracted(reply["member"], Content(*reply["content"]), "", reply["sha256"])
