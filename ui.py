"""The web page: a chat about the articles, where every number leads to the sentence it stands for.

Gradio carries it, :mod:`rag.render` makes what is seen, and the answers come from anything with the ``stream`` of
:class:`rag.Assistant`. ``python ui.py`` takes the options of ``rag ui``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence  # at run time: Gradio reads the annotations of what it calls
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

for _name in [name for name in os.environ if name.startswith("GRADIO_")]:
    del os.environ[_name]  # each would undo a setting below
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it when it is imported

import gradio as gr  # noqa: E402

from rag import render  # noqa: E402
from rag.assistant import Assistant  # noqa: E402
from rag.errors import UsageError  # noqa: E402
from rag.examples import example_questions  # noqa: E402
from rag.opening import Opening, problem  # noqa: E402
from rag.question import check_question  # noqa: E402
from rag.render import Turn  # noqa: E402
from rag.store import Store  # noqa: E402
from rag.webguard import guards, login  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from rag.types import Message

STOPPED = "Stopped."
READING = "Reading the articles…"
IN_LINE = "Waiting for an earlier question…"
QUEUED = 16  # events of all readers together; who comes after is told that the page is busy
STYLE, SCRIPT = (files("rag").joinpath(name).read_text(encoding="utf-8") for name in ("ui.css", "ui.js"))

Shown = Any  # the value of a component, or gr.skip()


class Chat:
    """What happens on the page: takes what Gradio holds of a reader's session, gives what it shows."""

    def __init__(self, opening: Opening) -> None:
        """Answer with the assistant that is being opened."""
        self._opening = opening
        self._running: dict[str | None, Event] = {}  # what stops the answer of a session

    def watch(self) -> Iterator[str]:
        """Say how far the models are, until they are there."""
        while not self._opening.wait():
            yield render.notice(self._opening.state)
        yield render.notice(self._opening.state or "Ready.", alert=bool(self._opening.state))

    def pick(self, event: gr.EventData) -> str:
        """Give the example that was chosen, for the box."""
        return str(event.question)

    def pose(self, question: str, turns: tuple[Turn, ...]) -> tuple[Shown, ...]:
        """Take a question; give box, turns, conversation and notice. While one is being answered the next stays in the box."""
        if turns and turns[-1].waiting:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        try:
            turns = (*turns, Turn(check_question(question), waiting=IN_LINE))
        except UsageError as error:
            return gr.skip(), gr.skip(), gr.skip(), render.notice(str(error), alert=True)
        return "", turns, render.conversation(turns), render.notice("")

    def answer(self, turns: tuple[Turn, ...], request: gr.Request) -> Iterator[tuple[Shown, ...]]:
        """Answer the question that waits; yield turns, conversation and reader until it is whole, failed or stopped."""
        if not (turns and turns[-1].waiting):
            yield gr.skip(), gr.skip(), gr.skip()
            return
        *before, turn = turns
        stopped = self._running[request.session_hash] = Event()
        try:
            with closing(self._steps(turn, before, stopped)) as steps:
                for turn in steps:
                    if stopped.is_set():
                        break
                    yield (*before, turn), render.conversation((*before, turn)), gr.skip()
        except Exception as error:
            turn = replace(turn, problem=problem(error))
        finally:
            del self._running[request.session_hash]
        if stopped.is_set():
            turn = replace(turn, problem=STOPPED)
        turns = (*before, replace(turn, waiting=""))
        yield turns, render.conversation(turns), render.first_source(turns)

    def stop(self, turns: tuple[Turn, ...], request: gr.Request) -> tuple[Shown, ...]:
        """Stop the answer under way, which then ends its turn, or the wait for one; give turns and conversation."""
        if running := self._running.get(request.session_hash):
            running.set()
        elif turns and turns[-1].waiting:
            turns = (*turns[:-1], replace(turns[-1], waiting="", problem=STOPPED))
            return turns, render.conversation(turns)
        return gr.skip(), gr.skip()

    def open_source(self, turns: tuple[Turn, ...], event: gr.EventData) -> Shown:
        """Show the article behind a marker or a card."""
        try:
            return render.source(turns, str(event.key), chosen=True)
        except LookupError:
            return gr.skip()

    def _steps(self, turn: Turn, before: Sequence[Turn], stopped: Event) -> Generator[Turn]:
        while not self._opening.wait():
            yield replace(turn, waiting=self._opening.state)
        turn = replace(turn, waiting=READING)
        yield turn
        assistant = self._opening.assistant()
        with closing(assistant.stream(turn.question, history=_messages(before), stopped=stopped.is_set)) as answers:
            for answer in answers:
                yield replace(turn, answer=answer)


def build(opening: Opening, *, articles: int, examples: Sequence[str] = ()) -> gr.Blocks:
    """Lay out the page and wire it."""
    chat = Chat(opening)
    page = gr.Blocks(title="Footnote", analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    with page:
        turns = gr.State(())
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="chat"):
                gr.HTML("<h1>Footnote</h1>", elem_id="masthead", apply_default_css=False, js_on_load=None)
                conversation = gr.HTML(
                    render.welcome(articles, examples),
                    elem_id="conversation",
                    apply_default_css=False,
                    js_on_load=f"{SCRIPT}\nconversation(element, trigger, watch);",
                )
                notice = gr.HTML(render.notice(opening.state), elem_id="notice", apply_default_css=False, js_on_load=None)
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        label="Question", show_label=False, placeholder="Ask about the articles", max_lines=6, autofocus=True
                    )
                    button = gr.Button("Ask", variant="primary")
            with gr.Column(elem_id="reading"):
                reader = gr.HTML(
                    render.no_source(),
                    elem_id="reader",
                    apply_default_css=False,
                    js_on_load=f"{SCRIPT}\nreader(element, watch);",
                )

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(chat.watch, None, notice, concurrency_limit=None, **quiet)
        picked = conversation.example_select(chat.pick, None, box, **quiet)
        for asked in (box.submit, button.click, picked.success):
            posed = asked(chat.pose, [box, turns], [box, turns, conversation, notice], **quiet)
            posed.then(chat.answer, turns, [turns, conversation, reader], concurrency_id="answer", **quiet)
        conversation.stop(chat.stop, turns, [turns, conversation], **quiet)
        conversation.select(chat.open_source, turns, reader, **quiet)
    page.queue(api_open=False, default_concurrency_limit=1, max_size=QUEUED)
    return page


def serve(page: gr.Blocks, *, host: str, port: int, auth: str | None = None) -> None:
    """Serve a page from a thread, closed to everybody but its readers.

    :raises UsageError: the address is open to others and there is no login, or it cannot be listened on.
    """
    credentials = login(host, auth)
    os.environ["no_proxy"] = ",".join(filter(None, [getproxies().get("no"), "localhost", host]))  # Gradio calls itself
    try:
        page.launch(
            server_name=host,
            server_port=port,
            auth=credentials,
            app_kwargs={"middleware": guards(host)},
            css=STYLE,
            theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
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
            max_file_size="1kb",
            max_threads=16,
            state_session_capacity=100,
        )
    except OSError as error:
        raise UsageError(f"{host}, port {port}, cannot be listened on; take another: rag ui --port {port + 1}") from error


def launch(*, index: Path, host: str = "127.0.0.1", port: int = 7860, auth: str | None = None) -> None:
    """Serve the page of an index until it is interrupted; the models load meanwhile.

    :raises RagError: there is no index, or the address cannot be used.
    """
    opening = Opening(lambda progress: Assistant.open(index, progress=progress))
    with Store.open(index) as store:
        page = build(opening, articles=store.counts().documents, examples=example_questions(store))
    serve(page, host=host, port=port, auth=auth)
    opening.start()
    print(f"Footnote is at {page.local_url} (stop it with Ctrl-C)", file=sys.stderr)  # noqa: T201
    page.block_thread()


def _messages(turns: Sequence[Turn]) -> list[Message]:
    messages: list[Message] = []
    for turn in turns:
        if turn.answer:
            messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer.text}]
    return messages


if __name__ == "__main__":
    from rag.cli import run

    sys.exit(run(["ui", *sys.argv[1:]]))
