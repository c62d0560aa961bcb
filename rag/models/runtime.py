"""Sets the model libraries up for this machine: offline, quiet, and in the precision that the CPU computes fastest."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

# oneDNN keeps what it prepares for one length of text for the next text of that length, 1,024 things by default. But every
# prompt has another length, so 75 questions then hold up to 2.53 GB; with this many things they hold 2.42 GB and take no longer
# (0.98 times).
PREPARED = 128


@contextmanager
def needed() -> Iterator[None]:
    """Turn a failing import in the block into an error that says what to run.

    :raises ModelError: a package is missing or does not load.
    """
    try:
        yield
    except ImportError as error:
        raise ModelError(f"the package {error.name or 'needed'} does not load ({error}); run `make install`") from error


def offline_libraries() -> None:
    """Keep the model libraries off the network and the screen, and their memory small; call it before they are imported."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PREPARED))
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def working_dtype() -> torch.dtype:
    """Return bf16 where the CPU has instructions for it, else fp32.

    Without them bf16 is emulated and several times slower than fp32; with them it reads twice (AVX-512) to four times (AMX) as
    fast and moves half the bytes for each token written.
    """
    import torch

    has = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(has.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16")) else torch.float32
