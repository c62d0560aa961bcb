"""Gradio as the page may use it. The page's modules import it from here, so none of them can load it before it is closed.

:raises ImportError: :func:`rag.web.environment.prepare` was not called first.
"""

from __future__ import annotations

from rag.web.environment import is_prepared

if not is_prepared():
    raise ImportError("Gradio reads the environment when it is imported; call rag.web.environment.prepare() first")

import gradio as gr

__all__ = ["gr"]
