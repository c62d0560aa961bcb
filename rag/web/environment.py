"""What Gradio reads of the environment and where it keeps uploads: both are set before Gradio is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NoReturn


@cache
def prepare() -> Path:
    """Close what the environment could open, import Gradio, and return the folder for uploads.

    The first call does all of it; the others return the same folder. It can be read by this user only, and it is deleted when
    the process ends.
    """
    uploads = tempfile.mkdtemp(prefix="footnote-")
    atexit.register(shutil.rmtree, uploads, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]  # each would undo a setting of the page
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads both when it is imported
    os.environ["GRADIO_TEMP_DIR"] = uploads
    import gradio

    gradio.processing_utils.async_ssrf_protected_get = _fetch_nothing  # called for a URL where a sent file should be
    return Path(uploads)


def is_prepared() -> bool:
    """Return whether :func:`prepare` has been called in this process."""
    return bool(prepare.cache_info().currsize)


async def _fetch_nothing(url: str) -> NoReturn:
    raise PermissionError(f"this page fetches nothing: {url}")
