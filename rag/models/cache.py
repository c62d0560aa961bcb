"""Keeps models on disk: turns a name, a folder or a hub id into a local folder that loads without a network.

Folders are cached under ``RAG_HOME`` and appear there by one rename, complete: a kill at any moment leaves either nothing or
the finished folder. Each holds a ``manifest.json`` that says where its bytes came from and what their hashes are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from rag.errors import ConfigError, ModelDamaged, ModelError, ModelMissing
from rag.models import convert, trained
from rag.models.fetch import fetch_files, find_on_hub, sha256_of
from rag.models.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.models.fetch import Progress
    from rag.models.manifest import Model, Role
    from rag.models.trained import Trained

MANIFEST = read_manifest()
RECORD = "manifest.json"
State = Literal["ready", "absent", "damaged"]
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Installed:
    """A row of ``rag models``. ``origin`` is empty while the model is absent; ``sha256`` is the hash of upstream's weights."""

    name: str
    role: str
    state: State
    origin: str
    licence: str
    sha256: str
    bytes: int
    path: Path


def silent(description: str, done_bytes: int, total_bytes: int) -> None:
    """Show no progress."""


def cache_folder() -> Path:
    """Return the folder that models are kept in: it lies in ``RAG_HOME``, else in the platform's cache folder."""
    if home := os.environ.get("RAG_HOME"):
        return Path(home).expanduser().absolute() / "models"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "footnote" / "models"


def ensure(spec: str, role: Role, *, progress: Progress = silent) -> Path:
    """Return the local folder of a model, which is fetched the first time.

    The sizes of its files are compared with its record. Their hashes are not, which would take seconds: see :func:`verify`.

    :param spec: a folder with a ``config.json``, a name that ``rag models`` lists, or a hub id such as ``org/name``.
    :param role: what the model is wanted for; a known model of another role is refused.
    :raises ConfigError: there can be no such model.
    :raises ModelMissing: the model is not in the cache and could not be fetched, or ``HF_HUB_OFFLINE`` forbids it.
    :raises ModelDamaged: the cached folder is not what was written, or the bytes fetched are not those that were pinned.
    """
    if local := _local(spec):
        return local
    folder = _cached(spec, role)
    if not folder.is_dir():
        return fetch(spec, role, progress=progress)
    _require_intact(spec, folder, hashes=False)
    return folder


def fetch(spec: str, role: Role | None = None, *, progress: Progress = silent) -> Path:
    """Return the local folder of a model, which is fetched unless the cached one has every recorded hash.

    :raises ConfigError, ModelMissing, ModelDamaged: as :func:`ensure`.
    :raises ModelError: the one-time conversion failed.
    """
    if local := _local(spec):
        return local
    folder = _cached(spec, role)
    staging = folder.with_name(f".{folder.name}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir() or _damage(folder, MANIFEST.get(spec), hashes=True):
                _refuse_offline(spec, folder)
                staging.mkdir(exist_ok=True)
                _build(spec, role, folder, staging, progress)
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise ModelMissing(f"{spec} cannot be stored in {folder} ({error}); free space, or set RAG_HOME") from error
    return folder


def verify(spec: str) -> None:
    """Check the hash of every file of a cached model (about a second per gigabyte); a local folder has no record to check.

    :raises ModelMissing: the model is not in the cache.
    :raises ModelDamaged: a file is missing or has other bytes.
    """
    if _local(spec):
        return
    folder = _cached(spec, None)
    if not folder.is_dir():
        raise ModelMissing(f"{spec} is not in {folder}; run `rag models --fetch {spec}` with a network")
    _require_intact(spec, folder, hashes=True)


def installed() -> list[Installed]:
    """Return the known models, then what else is in the cache."""
    root = cache_folder()
    others = sorted(path for path in root.glob("[!.]*") if path.is_dir() and path.name not in MANIFEST)
    known = [_row(root / name, model) for name, model in MANIFEST.items()]
    checker = _trained_row("checker", trained.CHECKER_WEIGHTS, trained.CHECKER, trained.checker_weights)
    probe = _trained_row("probe", trained.PROBE_WEIGHTS, trained.PROBE, lambda: trained.probe_weights(trained.PROBE.base))
    return [*known, checker, probe, *(_row(folder, None) for folder in others)]


def _local(spec: str) -> Path | None:
    folder = Path(spec).expanduser().absolute()
    return folder if (folder / "config.json").is_file() else None


def _cached(spec: str, role: Role | None) -> Path:
    """Return the folder that the model is kept in, or would be."""
    if model := MANIFEST.get(spec):
        if role not in (None, model.role):
            fitting = ", ".join(name for name, other in MANIFEST.items() if other.role == role)
            raise ConfigError(f"{spec} is an {model.role} and no {role}; choose one of {fitting}")
        return cache_folder() / spec
    if spec and Path(spec).expanduser().is_dir():
        raise ConfigError(f"the folder {spec} is no model: it holds no config.json")
    if HUB_ID.fullmatch(spec):
        return cache_folder() / spec.replace("/", "--")
    raise ConfigError(f"no model {spec!r}: give a folder, a hub id (org/name), or one of {', '.join(MANIFEST)}")


def _refuse_offline(spec: str, folder: Path) -> None:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise ModelMissing(
            f"{spec} is not in {folder} and HF_HUB_OFFLINE forbids fetching; run `rag models --fetch {spec}` with a network"
        )


def _build(spec: str, role: Role | None, folder: Path, staging: Path, progress: Progress) -> None:
    """Fetch a model, convert it where needed, and put it in ``folder``."""
    model = MANIFEST.get(spec) or find_on_hub(spec, role)
    _require_space(model, folder, staging)
    origin = fetch_files(model, staging, progress)
    ready = _converted(model, staging, progress) if model.is_gguf else staging / "files"
    about = {"role": model.role, "repository": model.repository, "revision": model.revision, "licence": model.licence}
    upstream = {file.path: file.sha256 for file in model.files if file.sha256}
    progress(f"{spec}: storing", 0, 0)
    _publish(ready, folder, {"name": spec, **about, "origin": origin, "upstream": upstream})


def _require_space(model: Model, folder: Path, staging: Path) -> None:
    held = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
    needed, free = model.disk_bytes - held, shutil.disk_usage(folder.parent).free
    if free < needed:
        raise ModelMissing(
            f"{model.name} needs {needed:,} free bytes in {folder.parent}, where {free:,} are; free some, or set RAG_HOME"
        )


def _converted(model: Model, staging: Path, progress: Progress) -> Path:
    """Convert the GGUF in a process of its own and return its folder, a new one: a killed run's child may still be writing."""
    for leftover in staging.glob("ready-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    ready = staging / f"ready-{os.getpid()}"
    ready.mkdir()
    progress(f"{model.name}: converting, once", 0, 0)
    command = [sys.executable, "-P", convert.__file__, str(staging / "files" / model.weights.path), str(ready)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        reason = f"killed by signal {-done.returncode}, memory?" if done.returncode < 0 else done.stderr.strip().split("\n")[-1]
        raise ModelError(f"{model.name} could not be converted ({reason}); try again with `rag models --fetch {model.name}`")
    return ready


def _publish(ready: Path, folder: Path, record: dict[str, Any]) -> None:
    """Write the record as the last file and rename the folder into place."""
    (ready / RECORD).unlink(missing_ok=True)  # left by a run that was killed before the rename
    files = {}
    for path in sorted(path for path in ready.rglob("*") if path.is_file()):
        path.chmod(0o644)  # safetensors writes 0600, and another user may run what this one fetched
        files[path.relative_to(ready).as_posix()] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        _sync(path)
    record |= {"fetched": datetime.now(UTC).isoformat(timespec="seconds"), "files": files}
    (ready / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    _sync(ready / RECORD)
    if folder.exists():
        shutil.rmtree(folder)
    ready.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, would survive a power cut."""
    if path.is_dir() and sys.platform == "win32":
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a cached folder; empty when it cannot be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("files"), dict) else {}


def _damage(folder: Path, model: Model | None, *, hashes: bool) -> str:
    """Return what is wrong with a cached folder in words; empty when all is well."""
    record = _record(folder)
    if not record:
        return f"{RECORD} is missing or unreadable"
    if model and record.get("upstream") != {file.path: file.sha256 for file in model.files}:
        return f"{RECORD} names other upstream files than are pinned now"
    for name, written in record["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (size := path.stat().st_size) != written["bytes"]:
            return f"{name} has {size:,} bytes instead of {written['bytes']:,}"
        if hashes and (actual := sha256_of(path)) != written["sha256"]:
            return f"{name} has SHA-256 {actual} instead of {written['sha256']}"
    return ""


def _require_intact(spec: str, folder: Path, *, hashes: bool) -> None:
    if damage := _damage(folder, MANIFEST.get(spec), hashes=hashes):
        raise ModelDamaged(f"{spec} in {folder} is damaged: {damage}; run `rag models --fetch {spec}`")


def _trained_row(name: str, file: Path, made: Trained, weights: Callable[[], Path | None]) -> Installed:
    try:
        state: State = "ready" if weights() else "absent"
    except ModelDamaged:
        state = "damaged"
    origin = "this repository" if state == "ready" else ""
    return Installed(name, name, state, origin, made.licence, made.sha256, made.bytes, file)


def _row(folder: Path, model: Model | None) -> Installed:
    record = _record(folder)
    written = record.get("files", {}).values()
    about = {"name": folder.name, "role": "", "licence": "", **record, **(asdict(model) if model else {})}
    largest = max(written, key=lambda file: file["bytes"], default={"sha256": ""})
    state: State = "absent" if not folder.is_dir() else "damaged" if _damage(folder, model, hashes=False) else "ready"
    return Installed(
        name=about["name"],
        role=about["role"],
        state=state,
        origin=record.get("origin", ""),
        licence=about["licence"],
        sha256=model.weights.sha256 if model else largest["sha256"],
        bytes=sum(file["bytes"] for file in written) or (model.ready_bytes if model else 0),
        path=folder,
    )
