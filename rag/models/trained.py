"""The weights that ``training/`` made, which lie beside this module: their recorded hashes, and whether they are there.

The records are ``checker.toml`` and ``probe.toml``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rag.errors import ModelDamaged
from rag.models.fetch import sha256_of


@dataclass(frozen=True, slots=True)
class Trained:
    """Weights that lie in the package, and the name of the model ``base`` that they work with."""

    base: str
    licence: str
    bytes: int
    sha256: str


def read_trained(name: str) -> Trained:
    """Return what ``checker.toml`` or ``probe.toml`` says of the weights beside it."""
    table = tomllib.loads(files("rag.models").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    return Trained(**{name: table[name] for name in ("base", "licence", "bytes", "sha256")})


CHECKER = read_trained("checker")
CHECKER_WEIGHTS = Path(__file__).with_name("checker.safetensors")
PROBE = read_trained("probe")
PROBE_WEIGHTS = Path(__file__).with_name("probe.safetensors")


def checker_weights() -> Path | None:
    """Return the file of the checker's weights; None where it is not installed, and everything works without.

    :raises ModelDamaged: the file has other bytes than ``checker.toml`` names.
    """
    return _weights(CHECKER_WEIGHTS, CHECKER, "install again, or set checker = false")


def probe_weights(generator: str) -> Path | None:
    """Return the file of the weights of a generator's probe; None where it has none, and everything works without.

    :raises ModelDamaged: the file has other bytes than ``probe.toml`` names.
    """
    return _weights(PROBE_WEIGHTS, PROBE, "install again") if generator == PROBE.base else None


def _weights(file: Path, trained: Trained, remedy: str) -> Path | None:
    if not file.is_file():
        return None
    if (actual := sha256_of(file)) != trained.sha256:
        raise ModelDamaged(f"{file} has SHA-256 {actual} instead of {trained.sha256}; {remedy}")
    return file
