"""Makes the n-th output of a process fail, or kills the process there: Python's own calls, and those that SQLite makes.

SQLite lets its system calls be replaced (``xSetSystemCall``), so nothing of the product is a stand-in: the disk is.

As a program it forks a child for each line of standard input, which indexes a folder as told, and says on standard output what
became of it. A fork has the libraries loaded already, and a child that is killed takes nobody with it.
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

ACTIONS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}


class Disk:
    """Counts the outputs of this process from 1; at number ``at`` it does ``action``.

    ``EIO`` and ``ENOSPC`` fail that call and, as on a full disk, each later one that writes; ``kill`` ends the process before
    the call, ``torn`` after half of what it writes.
    """

    def __init__(self, at=0, action=""):
        self.at, self.action, self.steps = at, action, []
        self._callbacks = []
        self._hook_python()
        self._hook_open()
        self._hook_sqlite()

    def _fails(self, step, tear=lambda: None):
        self.steps.append(step)
        reached = len(self.steps) == self.at
        if reached and self.action in ("kill", "torn"):
            if self.action == "torn":
                tear()
            os.kill(os.getpid(), signal.SIGKILL)
        full = self.action == "ENOSPC" and self.at and len(self.steps) > self.at and step.split()[0] in ("write", "open")
        return reached or bool(full)

    def _hook_python(self):
        def hook(name, step):
            original = getattr(os, name)

            def hooked(path, *arguments, **options):
                if self._fails(f"{step} {_named(path)}"):
                    raise OSError(ACTIONS[self.action], os.strerror(ACTIONS[self.action]), str(path))
                return original(path, *arguments, **options)

            setattr(os, name, hooked)

        for name in ("fsync", "replace", "unlink", "mkdir"):
            hook(name, name)

    def _hook_open(self):
        disk, original_os_open, original_open = self, os.open, io.open

        def os_opened(path, flags, *arguments, **options):  # by which filelock makes the lock's file
            if flags & os.O_CREAT and self._fails(f"open {_named(path)}"):
                raise OSError(ACTIONS[self.action], os.strerror(ACTIONS[self.action]), str(path))
            return original_os_open(path, flags, *arguments, **options)

        os.open = os_opened

        class File(io.FileIO):
            def write(self, data):
                if disk._fails(f"write {_named(self.name)}", lambda: super(File, self).write(bytes(data)[: len(data) // 2])):
                    raise OSError(ACTIONS[disk.action], os.strerror(ACTIONS[disk.action]))
                return super().write(data)

        def opened(path, mode="r", *arguments, **options):
            if mode != "wb":
                return original_open(path, mode, *arguments, **options)
            if self._fails(f"open {_named(path)}"):
                raise OSError(ACTIONS[self.action], os.strerror(ACTIONS[self.action]), str(path))
            return io.BufferedWriter(File(path, "w"))

        io.open = opened

    def _hook_sqlite(self):
        vfs = _default_vfs()
        hooks = {
            "write": (ctypes.c_ssize_t, (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)),
            "pwrite64": (ctypes.c_ssize_t, (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)),
            "ftruncate": (ctypes.c_int, (ctypes.c_int, ctypes.c_int64)),
            "unlink": (ctypes.c_int, (ctypes.c_char_p,)),
            "open": (ctypes.c_int, (ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
        }
        for name, (result, parameters) in hooks.items():
            kind = ctypes.CFUNCTYPE(result, *parameters, use_errno=True)
            original = kind(vfs.xGetSystemCall(ctypes.addressof(vfs), name.encode()))

            def hooked(*arguments, name=name, original=original):
                tear = (lambda: original(*arguments[:2], arguments[2] // 2, *arguments[3:])) if "write" in name else lambda: 0
                creates = name != "open" or arguments[1] & os.O_CREAT
                if creates and self._fails(f"{'write' if 'write' in name else name} {_named(arguments[0])} by SQLite", tear):
                    ctypes.set_errno(ACTIONS[self.action])
                    return -1
                return original(*arguments)

            self._callbacks.append(kind(hooked))  # kept: SQLite holds only the address
            assert vfs.xSetSystemCall(ctypes.addressof(vfs), name.encode(), self._callbacks[-1]) == sqlite3.SQLITE_OK


def _named(path):
    if isinstance(path, int):
        path = Path(f"/proc/self/fd/{path}").readlink()
    return Path(os.fsdecode(path)).name


class _Vfs(ctypes.Structure):
    """``sqlite3_vfs``, version 3."""


_Vfs._fields_ = [
    ("iVersion", ctypes.c_int),
    ("szOsFile", ctypes.c_int),
    ("mxPathname", ctypes.c_int),
    *((name, ctypes.c_void_p) for name in ("pNext", "zName", "pAppData", "xOpen", "xDelete", "xAccess", "xFullPathname")),
    *((name, ctypes.c_void_p) for name in ("xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep")),
    *((name, ctypes.c_void_p) for name in ("xCurrentTime", "xGetLastError", "xCurrentTimeInt64")),
    ("xSetSystemCall", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)),
    ("xGetSystemCall", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)),
]


def _default_vfs():
    library = ctypes.CDLL(sqlite_library())
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    return library.sqlite3_vfs_find(None).contents


def sqlite_library():
    """Give the path of the SQLite that Python uses, None where it is not a library of its own or not on Linux."""
    sqlite3.connect(":memory:").close()
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split()[-1] for line in lines if "libsqlite3" in line), None)


class Server:
    """The other end: this program as a child of the tests."""

    def __init__(self, process):
        self._process = process

    def begin(self, **order):
        """Start a child; give its process id."""
        self._process.stdin.write(f"{json.dumps({key: _plain(value) for key, value in order.items()})}\n")
        return json.loads(self._process.stdout.readline())

    def hear(self):
        """Wait for one word of the child."""
        return json.loads(self._process.stdout.readline())

    def said(self):
        """Wait for the child to end; give what it said, the last word being a dictionary unless it was killed."""
        return [json.loads(line) for line in iter(self._process.stdout.readline, "ended\n")]

    def ends(self, **order):
        """Carry an order out; give the last word of the child, None when it was killed."""
        self.begin(**order)
        last = (self.said() or [None])[-1]
        return last if isinstance(last, dict) else None


def _plain(value):
    return os.fspath(value) if isinstance(value, Path) else value


@contextmanager
def server():
    """Start this program."""
    command = [sys.executable, __file__]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
    ) as process:
        yield Server(process)
        process.stdin.close()


def _say(word):
    print(json.dumps(word), flush=True)


def _index(order):
    """Index a folder once, with a disk that fails as ordered; say the error, if any, and the steps that were taken."""
    from fakes import FakeEncoder
    from indexing import run

    from rag.errors import RagError

    class Encoder(FakeEncoder):
        def encode(self, texts):
            if hold := order.get("hold"):
                _say("holding")
                while Path(hold).exists():
                    time.sleep(0.01)
            return super().encode(texts)

    disk = Disk(order.get("at", 0), order.get("action", "")) if sqlite_library() else None
    error = None
    try:
        run(Path(order["folder"]), Encoder(16), store_folder=Path(order["index"]), rebuild=order.get("rebuild", False))
    except RagError as caught:
        error = str(caught)
    _say({"error": error, "steps": disk.steps if disk else []})


def _churn(order):
    """Change a folder and index it, over and over, until killed; say each generation once it is committed."""
    from fakes import FakeEncoder
    from indexing import CARS, run, write

    from rag.index.reader import Reader

    folder, index = Path(order["folder"]), Path(order["index"])
    random.seed(order["seed"])
    while True:
        texts = {f"{random.randrange(30)}.txt": f"{random.random()} {CARS}" for _ in range(8)}
        write(folder, texts, age=random.randrange(10, 10**6))
        for path in random.sample(sorted(folder.iterdir()), 3):
            path.unlink()
        run(folder, FakeEncoder(16), store_folder=index, rebuild=random.random() < 0.2)
        with Reader.open(index) as store:
            _say(store.meta().generation)


def _read(order):
    """Search from several threads until told to stop; say how often passages of two versions came together."""
    from fakes import FakeEncoder

    from rag.index.reader import Reader
    from rag.search.hybrid import HybridRetriever

    index, stop = Path(order["index"]), Path(order["stop"])
    errors, times, versions, mixed = [], [], set(), []
    with Reader.open(index) as store:
        retriever = HybridRetriever(store, index, FakeEncoder(16))

        def search():
            try:
                while not stop.exists():
                    started = time.perf_counter()
                    hits = retriever.retrieve("Which expo is of which version?", top_k=8)
                    times.append(time.perf_counter() - started)
                    seen = {hit.passage.text.rpartition("version")[2] for hit in hits}
                    versions.update(seen)
                    mixed.extend([1] * (len(seen) != 1))
            except Exception as error:
                errors.append(repr(error))

        threads = [threading.Thread(target=search) for _ in range(order["threads"])]
        for thread in threads:
            thread.start()
        while not (times or errors):
            time.sleep(0.01)
        _say("reading")
        for thread in threads:
            thread.join()
    p95 = sorted(times)[len(times) * 95 // 100] * 1000
    _say({"errors": errors, "mixed": len(mixed), "answers": len(times), "versions": len(versions), "p95": p95})


def _ask(order):
    """Answer questions as a user who may write nowhere; say what was cited."""
    from fakes import FakeEncoder, ScriptedGenerator

    from rag.answer import refusal
    from rag.answer.assistant import Assistant
    from rag.index.reader import Reader
    from rag.search.hybrid import HybridRetriever

    refusal.THRESHOLD = 0.0
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    index, encoder = Path(order["index"]), FakeEncoder(16)
    store = Reader.open(index)
    with Assistant(
        HybridRetriever(store, index, encoder), encoder, ScriptedGenerator(*order["draft"]), store=store, passages_read=4
    ) as assistant:
        answers = [assistant.ask(question) for question in order["questions"]]
    _say({"cited": [[citation.quote for citation in answer.citations] for answer in answers]})


def main():
    """Serve orders until standard input ends."""
    from rag.index import indexer

    indexer.BATCH = 3
    for line in sys.stdin:
        order = json.loads(line)
        if not (child := os.fork()):
            try:
                {"index": _index, "churn": _churn, "read": _read, "ask": _ask}[order["task"]](order)
            except BaseException:
                traceback.print_exc()
            os._exit(0)  # never back to the orders
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
