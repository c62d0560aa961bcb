"""The models that are known by name, with their sources and the hashes of all their files, read from ``manifest.toml``.

``rag.models.trained`` knows the weights that ``training/`` makes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

Role = Literal["encoder", "generator"]


@dataclass(frozen=True, slots=True)
class File:
    """A file as upstream publishes it; ``members`` are paths in the wheels, and their bytes joined in order are the file's.

    ``sha256`` is empty where the hub names none, as for the small files of a model that is not pinned.
    """

    path: str
    bytes: int
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package of the package index that carries data; ``requirement`` is ``name==version``."""

    requirement: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its two sources: a revision of a hub repository, and wheels; a model that is not pinned has no wheels.

    ``ready_bytes`` is the size of the folder that it becomes, 0 where that is not known.
    """

    name: str
    role: Role
    repository: str
    revision: str
    licence: str
    ready_bytes: int
    files: tuple[File, ...]
    wheels: tuple[Wheel, ...]

    @property
    def weights(self) -> File:
        """The largest file, which holds the weights."""
        return max(self.files, key=lambda file: file.bytes)

    @property
    def is_gguf(self) -> bool:
        """Whether the files must be converted once before they load."""
        return self.weights.path.endswith(".gguf")

    @property
    def disk_bytes(self) -> int:
        """Bytes that fetching takes: its files, and the wheels that they are joined from or the converted folder."""
        fetched = sum(wheel.bytes for wheel in self.wheels)
        return sum(file.bytes for file in self.files) + max(fetched, self.ready_bytes if self.is_gguf else 0)


def read_manifest() -> dict[str, Model]:
    """Return the known models by name."""
    tables = tomllib.loads(files("rag.models").joinpath("manifest.toml").read_text(encoding="utf-8"))
    return {name: model_of({"name": name, **table}) for name, table in tables.items()}


def model_of(table: dict[str, Any]) -> Model:
    """Return the model that a table of JSON or TOML describes."""
    made = [File(**{**file, "members": tuple(file["members"])}) for file in table["files"]]
    return Model(**{**table, "files": tuple(made), "wheels": tuple(Wheel(**wheel) for wheel in table["wheels"])})
