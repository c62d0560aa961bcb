"""Turns texts into unit vectors with a sentence-transformers model from a local folder; knows nothing of passages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import ModelDamaged
from rag.models.runtime import needed, offline_libraries, working_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BATCH = 32


class SentenceEncoder:
    """An :class:`rag.protocols.Encoder` over sentence-transformers (Reimers and Gurevych 2019, arXiv:1908.10084)."""

    def __init__(self, folder: Path) -> None:
        """Load the weights of ``folder`` in bf16 where the CPU computes in it, else fp32.

        bf16 doubles the passages per second, and the cosine of its vectors to those of fp32 is at least 0.996. So one index
        serves both, and the precision is no part of the identity.

        :raises ModelError: a package is missing, or the folder does not load.
        """
        with needed():
            offline_libraries()
            from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": working_dtype()}
            )
        except Exception as error:  # the libraries raise what they like over damaged bytes
            reason = " ".join(str(error).split())
            raise ModelDamaged(f"the encoder in {folder} does not load ({reason}); run `rag models --fetch`") from error
        self._identity = f"{folder.name}:{_fingerprint(folder)}"

    @property
    def identity(self) -> str:
        """The folder's name and the first 12 hex digits of the SHA-256 of its weights and pooling."""
        return self._identity

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return ``(n, dim)`` vectors of length 1 in the order of ``texts``; the library batches by length."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        vectors = np.asarray(vectors, dtype=np.float32)
        # In bf16 the model's own normalisation leaves lengths of 0.999 to 1.001.
        lengths: NDArray[np.float32] = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.asarray(vectors / lengths, dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the encoder makes of ``text``, without its two frame tokens."""
        return len(self._model.tokenizer.encode(text, add_special_tokens=False, truncation=False))


def _fingerprint(folder: Path) -> str:
    """Return the first 12 hex digits of the hash of weights and pooling, which decide the vectors (0.1 s for 90 MB)."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), folder / "modules.json", *folder.glob("*_Pooling/config.json")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
