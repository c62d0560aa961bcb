"""Serves the web page and lets only permitted readers in. Gradio is imported only when a page is served."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from urllib.request import getproxies

from rag.config import load_config
from rag.errors import UsageError
from rag.index.reader import Reader
from rag.models.cache import installed
from rag.models.loading import load_encoder
from rag.web.answering import SharedAssistant
from rag.web.environment import prepare
from rag.web.examples import example_questions
from rag.web.guard import MAX_UPLOAD, guards, login
from rag.web.library import Library
from rag.web.loading import BackgroundAssistant, open_assistant

if TYPE_CHECKING:
    from pathlib import Path

    import gradio as gr

THREADS = 48  # each reader who waits in line holds one


def launch(*, index: Path, host: str = "127.0.0.1", port: int = 7860, auth: str | None = None) -> None:
    """Serve the page of an index until it is interrupted; the models load meanwhile.

    :raises RagError: there is no index, or the address cannot be used.
    """
    config = load_config(index=index)
    with Reader.open(index) as store:
        examples = example_questions(store)
    generators = [model.name for model in installed() if model.role == "generator" and model.state == "ready"]
    prepare()
    from rag.web.page import build

    opening = BackgroundAssistant(partial(open_assistant, config))
    with closing(Library(index, partial(load_encoder, config))) as library:
        page = build(SharedAssistant(opening), library, config=config, examples=examples, generators=generators)
        serve(page, host=host, port=port, auth=auth)
        opening.start()
        print(f"Footnote is at {page.local_url} (stop it with Ctrl-C)", file=sys.stderr)  # noqa: T201
        page.block_thread()


def serve(page: gr.Blocks, *, host: str, port: int, auth: str | None = None) -> None:
    """Serve a page from a thread, with every setting of Gradio stated that could open it to others.

    :raises UsageError: the address is open to others and there is no login, or the page cannot listen on it.
    """
    from rag.web.page import STYLE, THEME

    credentials = login(host, auth)
    os.environ["no_proxy"] = ",".join(filter(None, [getproxies().get("no"), "localhost", host]))  # Gradio calls itself
    try:
        page.launch(
            server_name=host,
            server_port=port,
            auth=credentials,
            app_kwargs={"middleware": guards(host, prepare())},
            css=STYLE,
            theme=THEME,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            show_error=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            max_file_size=MAX_UPLOAD,  # the library refuses smaller ones by name; Gradio would refuse all that come with one
            max_threads=THREADS,
            state_session_capacity=100,
        )
    except OSError as error:
        raise UsageError(f"{host}, port {port}, cannot be listened on; take another: rag ui --port {port + 1}") from error
