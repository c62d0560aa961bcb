"""The web page: a chat about the articles, where every number leads to the sentence it stands for.

Gradio carries it; :mod:`rag.web.answer_html`, :mod:`rag.web.source_html` and :mod:`rag.web.library_html` make what is seen,
:mod:`rag.web.answering` answers, :mod:`rag.web.library` keeps the articles. ``python ui.py`` takes the options of ``rag ui``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence  # at run time: Gradio reads the annotations of what it calls
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.request import getproxies

UPLOADS = tempfile.TemporaryDirectory(prefix="footnote-")
for _name in [name for name in os.environ if name.startswith("GRADIO_")]:
    del os.environ[_name]  # each would undo a setting below
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads both when it is imported
os.environ["GRADIO_TEMP_DIR"] = UPLOADS.name

import gradio as gr  # noqa: E402

from rag.answer.assistant import Assistant  # noqa: E402
from rag.config import Config, load_config  # noqa: E402
from rag.errors import RagError, UsageError  # noqa: E402
from rag.evaluate.ratings import rate  # noqa: E402
from rag.files.formats import MAX_BYTES  # noqa: E402
from rag.index.reader import Reader  # noqa: E402
from rag.models.cache import ensure, installed  # noqa: E402
from rag.models.encoder import SentenceEncoder  # noqa: E402
from rag.report.export import exported, file_name  # noqa: E402
from rag.report.record import json_line  # noqa: E402
from rag.web import answer_html, conversation, library_html, source_html  # noqa: E402
from rag.web.answering import Service, given_up, posed, retried  # noqa: E402
from rag.web.charts import pictures  # noqa: E402
from rag.web.conversation import Conversation  # noqa: E402
from rag.web.examples import example_questions  # noqa: E402
from rag.web.guard import MAX_UPLOAD, guards, login  # noqa: E402
from rag.web.library import Library  # noqa: E402
from rag.web.loading import Opening  # noqa: E402
from rag.web.options import LENGTHS, STRICTNESS, options  # noqa: E402

if TYPE_CHECKING:
    from rag.models.fetch import Progress
    from rag.types import Answer

SOURCE, LIBRARY = "source", "library"
THREADS = 48  # those who wait in line hold one each
QUEUED = 64  # events of all readers together; who comes after is told that the page is busy
POLL_SECONDS = 0.3
STYLE, SCRIPT = (files("rag.web").joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))

Shown = Any  # the value of a component, or gr.skip()
Kept = tuple[Conversation, ...]  # light ones: all that the reader's browser keeps
SKIP = gr.skip()
BUSY = "An answer is being written; stop it first, or wait."


async def _fetch_nothing(url: str) -> NoReturn:
    raise PermissionError(f"this page fetches nothing: {url}")


gr.processing_utils.async_ssrf_protected_get = _fetch_nothing  # what Gradio does with a URL in the place of a sent file


class Page:
    """What happens on the page: takes what Gradio holds of a reader's session, gives what it shows."""

    def __init__(self, service: Service, library: Library, *, config: Config, examples: Sequence[str]) -> None:
        """Show what a service answers from a library."""
        self._service = service
        self._library = library
        self._config = config
        self._examples = examples
        self._number = count()
        self._drawn: tuple[tuple[str, int], str] = (("", 0), "")  # of which state, and how it looks

    def models(self) -> Iterator[str]:
        """Say how far the models are, until they are there."""
        for state in self._service.states():
            yield answer_html.notice(state)
        yield answer_html.notice(state or "Ready.", alert=bool(state))

    def change(self, generator: str) -> Iterator[str]:
        """Answer with another model from now on; yield how far it is."""
        for state in self._service.change(partial(_assistant, self._config.model_copy(update={"generator": generator}))):
            yield answer_html.notice(state)
        yield answer_html.notice(state or f"{generator} answers now.", alert=bool(state))

    # The chat

    def welcome(self) -> str:
        """Show what stands where the conversation will be."""
        return answer_html.welcome(self._library.store.counts().documents, self._examples)

    def restore(self, now: Conversation, event: gr.EventData) -> tuple[Shown, ...]:
        """Take what the browser kept and the question of a link; give the box, and the same as :meth:`forget`.

        Who has asked something meanwhile is not interrupted.
        """
        found: list[Conversation] = []
        for text in event.kept:
            try:
                found.append(conversation.read(str(text)))
            except ValueError:
                continue  # written by another version, or by no version of this page
        kept = tuple(found)
        box = str(event.question) or SKIP
        current = next((one for one in kept if one.id == event.open), None)
        if now.turns or current is None:
            return box, kept, SKIP, answer_html.menu(kept, now.id), SKIP, SKIP, SKIP
        return box, kept, *self._opened(current, kept)

    def pick(self, event: gr.EventData) -> str:
        """Give the example that was chosen, for the box."""
        return str(event.question)

    def new(self, now: Conversation, kept: Kept) -> tuple[Shown, ...]:
        """Begin another conversation; give conversation, menu, what is shown of it, source, and the browser's part."""
        return (*(SKIP,) * 4, self._busy()) if now.waiting else self._opened(Conversation(), kept)

    def go(self, now: Conversation, kept: Kept, event: gr.EventData) -> tuple[Shown, ...]:
        """Go on with an earlier conversation; give the same as :meth:`new`."""
        if now.waiting:
            return (*(SKIP,) * 4, self._busy())
        chosen = next((one for one in kept if one.id == event.id), None)
        return self._opened(chosen, kept) if chosen else (SKIP,) * 5

    def forget(self, now: Conversation, kept: Kept, event: gr.EventData) -> tuple[Shown, ...]:
        """Forget a conversation; give what is kept, and the same as :meth:`new`."""
        if now.waiting:
            return (*(SKIP,) * 5, self._busy())
        kept = tuple(one for one in kept if one.id != event.id)
        *opened, _ = self._opened(now if now.id != event.id else Conversation(), kept)
        return kept, *opened, self._browser(do="forget", id=str(event.id))

    def pose(self, question: str, now: Conversation, kept: Kept) -> tuple[Shown, ...]:
        """Take a question; while one is being answered the next stays in the box.

        Gives box, conversation, what is kept, what is shown of both, notice, and what the browser is to keep.
        """
        if now.waiting:
            return (*(SKIP,) * 6, self._busy())
        try:
            now = posed(now, question)
        except UsageError as error:
            return (*(SKIP,) * 5, answer_html.notice(str(error), alert=True), SKIP)
        return "", *self._kept(now, kept, answer_html.notice(""))

    def retry(self, now: Conversation, kept: Kept) -> tuple[Shown, ...]:
        """Ask the last question again; gives the same as :meth:`pose`."""
        if now.waiting or not now.turns:
            return (*(SKIP,) * 6, self._busy() if now.waiting else SKIP)
        return SKIP, *self._kept(retried(now), kept, answer_html.notice(""))

    def answer(
        self,
        now: Conversation,
        kept: Kept,
        request: gr.Request,
        *settings: Any,  # noqa: ANN401
    ) -> Iterator[tuple[Shown, ...]]:
        """Answer the question that waits; yield conversation, what is kept, what is shown, source, and the browser's part.

        ``settings`` are those of :func:`rag.web.options.options`.
        """
        if not now.waiting:
            yield (SKIP,) * 6
            return
        shown = now
        with closing(self._service.answer(str(request.session_hash), now, options(*settings))) as growing:
            for now in growing:
                if now == shown:
                    yield (SKIP,) * 6
                    continue
                shown = now
                if now.waiting:
                    yield now, SKIP, answer_html.conversation(now.turns), SKIP, SKIP, SKIP
        if now.waiting:  # it is being answered already
            yield (SKIP,) * 6
            return
        *whole, _notice, browser = self._kept(now, kept, "")
        yield *whole, source_html.first_source(now.turns), browser

    def stop(self, now: Conversation, kept: Kept, request: gr.Request) -> tuple[Shown, ...]:
        """Stop the answer under way, or the wait for one, which then ends its turn; give the same as :meth:`rate`."""
        if self._service.stop(str(request.session_hash)) or not now.waiting:
            return (SKIP,) * 6
        return self._kept(given_up(now), kept, answer_html.notice(""))  # its answer never began: the queue was full

    def open_source(self, now: Conversation, event: gr.EventData) -> tuple[Shown, ...]:
        """Show the article behind a marker or a card; give reader and tab."""
        try:
            return source_html.source(now.turns, str(event.key), chosen=True), gr.Tabs(selected=SOURCE)
        except LookupError:
            return SKIP, SKIP

    def edit(self, now: Conversation, event: gr.EventData) -> str:
        """Give a question back to the box."""
        return now.turns[int(event.turn)].question

    def copy(self, now: Conversation, event: gr.EventData) -> str:
        """Give an answer to the browser's clipboard."""
        return self._browser(do="copy", text=exported(_answer(now, event), "markdown"))

    def save(self, now: Conversation, event: gr.EventData) -> str:
        """Give an answer to the browser as a file."""
        answer, form = _answer(now, event), str(event.form)
        return self._browser(do="save", name=file_name(answer, form), text=exported(answer, form))

    def link(self, now: Conversation, event: gr.EventData) -> str:
        """Give a link to a question to the browser's clipboard."""
        return self._browser(do="link", question=now.turns[int(event.turn)].question)

    def rate(self, now: Conversation, kept: Kept, event: gr.EventData) -> tuple[Shown, ...]:
        """Store what a reader says of an answer; give the same as :meth:`pose`, without the box."""
        if now.waiting:
            return (*(SKIP,) * 5, self._busy())
        at = int(event.turn)
        turn, before = now.turns[at], conversation.messages(now.turns[:at])
        rated = str(event.good) if event.good in ("up", "down") else turn.rated
        if not turn.answer or not rated:
            return (SKIP,) * 6
        try:
            rate(
                self._config.index,
                turn.answer,
                good=rated == "up",
                note=str(event.note),
                history=before,
                rating_id=conversation.rating_id(now, turn),
            )
        except RagError as error:
            return (*(SKIP,) * 4, answer_html.notice(str(error), alert=True), SKIP)
        turns = (*now.turns[:at], replace(turn, rated=rated), *now.turns[at + 1 :])
        said = "The note is stored." if event.note else "Stored on this machine. A note can be added."
        return self._kept(replace(now, turns=turns), kept, answer_html.notice(said))

    # The library

    def shelf(self, words: str) -> str:
        """Show the articles that hold some words."""
        return library_html.articles(self._library.articles(words))

    def pictures(self) -> str:
        """Draw the collection, once for each state of the index."""
        meta = self._library.store.meta()
        if self._drawn[0] != (meta.identity, meta.generation):
            self._drawn = (meta.identity, meta.generation), pictures(self._library.store)
        return self._drawn[1]

    def month(self, event: gr.EventData) -> tuple[str, str]:
        """Show the articles of a part of the time line; give the search's words, of which there are none, and the articles."""
        return "", library_html.articles(self._library.articles(month=str(event.month)))

    def update(self, words: str) -> Iterator[tuple[Shown, ...]]:
        """Bring the index up to date; yield how far it is, then what was done, with the articles."""
        own = self._library.start_update()
        while (state := self._library.state).running or not own:
            yield library_html.progress(state), SKIP
            time.sleep(POLL_SECONDS)
            own = own or self._library.start_update()  # the one before it may have passed what has come since
        yield library_html.progress(state), self.shelf(words)

    def add(self, uploaded: list[str] | None, words: str) -> Iterator[tuple[Shown, ...]]:
        """Store what was sent and index it; yield an empty drop area, then the same as :meth:`update`."""
        paths = [Path(name) for name in uploaded or []]
        try:
            said = library_html.added(self._library.add([(path.name, path) for path in paths]))
        except RagError as error:
            yield None, answer_html.notice(str(error), alert=True), SKIP
            return
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
        yield None, said, SKIP
        for progress, shown in self.update(words):
            yield SKIP, f"{said}{progress}", shown

    def remove(self, words: str, event: gr.EventData) -> Iterator[tuple[Shown, ...]]:
        """Leave an article out and bring the index up to date; yield the same as :meth:`update`."""
        try:
            self._library.remove(str(event.source))
        except RagError as error:
            yield answer_html.notice(str(error), alert=True), SKIP
            return
        yield from self.update(words)

    def open_article(self, event: gr.EventData) -> tuple[Shown, ...]:
        """Show an article of the library; give reader and tab."""
        try:
            start, end = (int(part or 0) for part in (event.start, event.end))
            return source_html.article(self._library.document(str(event.source)), start, end), gr.Tabs(selected=SOURCE)
        except (LookupError, ValueError):
            return SKIP, SKIP

    # What is shown

    def _opened(self, now: Conversation, kept: Kept) -> tuple[Shown, ...]:
        """Give conversation, menu, what is shown of it, source, and the browser's part."""
        now = conversation.whole(now, self._library.document)
        shown = answer_html.conversation(now.turns) if now.turns else self.welcome()
        return (
            now,
            answer_html.menu(kept, now.id),
            shown,
            source_html.first_source(now.turns),
            self._browser(do="open", id=now.id),
        )

    def _kept(self, now: Conversation, kept: Kept, notice: str) -> tuple[Shown, ...]:
        """Give conversation, what is kept, what is shown of both, notice, and what the browser is to keep."""
        held = conversation.light(now)
        kept = (*(one for one in kept if one.id != now.id), held)
        keep = self._browser(do="keep", id=now.id, started=now.started, text=conversation.written(held))
        return now, kept, answer_html.conversation(now.turns), answer_html.menu(kept, now.id), notice, keep

    def _busy(self) -> str:
        """Tell the reader why nothing happens."""
        return self._browser(do="say", text=BUSY)

    def _browser(self, **order: str) -> str:
        """Give an order to the script in the browser; the number makes each another value."""
        return json_line({"number": next(self._number), **order}).replace("<", "\\u003c")


def _settings(config: Config) -> list[gr.components.Component]:
    """Lay out what :func:`rag.web.options.options` takes."""
    return [
        gr.Slider(
            1,
            20,
            config.passages_read,
            step=1,
            label="Passages read",
            info="More of them find what lies deeper and make each answer slower.",
        ),
        gr.Radio(
            list(STRICTNESS),
            value="Balanced",
            label="Strictness",
            info="Strict refuses more of what the articles do not hold, and more of what they do.",
        ),
        gr.Radio(
            list(LENGTHS), value="Usual", label="Length", info="How much may be written; most answers are shorter anyway."
        ),
        gr.Textbox(
            "", label="Not before", placeholder="2024-01-31", info="Leaves out older articles and those without a date."
        ),
        gr.Textbox("", label="Not after", placeholder="2024-12-31", info="Leaves out newer articles and those without a date."),
        gr.Textbox(
            "",
            label="Only these articles",
            placeholder="expo, 2024/",
            info="Parts of file names or titles, with commas between; empty means all.",
        ),
    ]


def _answer(now: Conversation, event: gr.EventData) -> Answer:
    answer = now.turns[int(event.turn)].answer
    if answer is None:
        raise LookupError(event.turn)
    return answer


def build(
    service: Service, library: Library, *, config: Config, examples: Sequence[str] = (), generators: Sequence[str] = ()
) -> gr.Blocks:
    """Lay out the page and wire it."""
    page = Page(service, library, config=config, examples=examples)
    html: dict[str, Any] = {"apply_default_css": False}
    blocks = gr.Blocks(title="Footnote", analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    with blocks:
        now, kept = gr.State(Conversation()), gr.State(())
        browser = gr.HTML("", html_template="", visible="hidden", js_on_load=f"{SCRIPT}\nport(props, trigger, watch);", **html)
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="chat"):
                menu = gr.HTML(
                    answer_html.menu((), ""), elem_id="masthead", js_on_load=f"{SCRIPT}\nmenu(element, trigger);", **html
                )
                chat = gr.HTML(
                    page.welcome(),
                    elem_id="conversation",
                    js_on_load=f"{SCRIPT}\nconversation(element, trigger, watch);",
                    **html,
                )
                notice = gr.HTML(answer_html.notice(""), elem_id="notice", js_on_load=None, **html)
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        label="Question", show_label=False, placeholder="Ask about the articles", max_lines=6, autofocus=True
                    )
                    button = gr.Button("Ask", variant="primary")
            with gr.Column(elem_id="reading"), gr.Tabs(selected=SOURCE) as tabs:
                with gr.Tab("Source", id=SOURCE):
                    reader = gr.HTML(
                        source_html.no_source(), elem_id="reader", js_on_load=f"{SCRIPT}\nreader(element, watch);", **html
                    )
                with gr.Tab("Library", id=LIBRARY, elem_id="library") as opened:
                    with gr.Row():
                        words = gr.Textbox("", label="Search", show_label=False, placeholder="Search the articles", max_lines=1)
                        update = gr.Button("Update")
                    added = gr.File(
                        label="Drop articles here, or choose them",
                        file_count="multiple",
                        file_types=list(MAX_BYTES),
                        height=120,
                    )
                    folder = gr.UploadButton("Add a folder", file_count="directory")
                    progress = gr.HTML("", elem_id="progress", js_on_load=None, **html)
                    drawn = gr.HTML("", elem_id="pictures", js_on_load=f"{SCRIPT}\nshelf(element, trigger);", **html)
                    articles = gr.HTML("", elem_id="articles", js_on_load=f"{SCRIPT}\nshelf(element, trigger);", **html)
                with gr.Tab("Settings", elem_id="settings"):
                    settings = _settings(config)
                    model = gr.Dropdown(
                        list(dict.fromkeys((config.generator, *generators))),
                        value=config.generator,
                        label="Model",
                        info="The larger writes more smoothly and takes longer; it changes for everybody who uses this page.",
                    )

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        shown = [now, kept, chat, menu, notice, browser]
        blocks.load(page.models, None, notice, concurrency_limit=None, **quiet)
        browser.restore(page.restore, now, [box, kept, now, menu, chat, reader, browser], **quiet)
        menu.new(page.new, [now, kept], [now, menu, chat, reader, browser], **quiet)
        menu.go(page.go, [now, kept], [now, menu, chat, reader, browser], **quiet)
        menu.forget(page.forget, [now, kept], [kept, now, menu, chat, reader, browser], **quiet)

        picked = chat.example(page.pick, None, box, **quiet)
        posing = [by(page.pose, [box, now, kept], [box, *shown], **quiet) for by in (box.submit, button.click, picked.success)]
        posing.append(chat.retry(page.retry, [now, kept], [box, *shown], **quiet))
        for posed_by in posing:
            posed_by.then(
                page.answer, [now, kept, *settings], [now, kept, chat, menu, reader, browser], concurrency_limit=None, **quiet
            )
        model.input(page.change, model, notice, concurrency_limit=None, **quiet)
        chat.stop(page.stop, [now, kept], shown, **quiet)
        chat.open(page.open_source, now, [reader, tabs], **quiet)
        chat.edit(page.edit, now, box, **quiet)
        chat.copy(page.copy, now, browser, **quiet)
        chat.save(page.save, now, browser, **quiet)
        chat.link(page.link, now, browser, **quiet)
        chat.rate(page.rate, [now, kept], shown, **quiet)

        opened.select(page.shelf, words, articles, **quiet)
        opened.select(page.pictures, None, drawn, **quiet)
        words.input(page.shelf, words, articles, trigger_mode="always_last", **quiet)
        told = [progress, articles]
        changing = [update.click(page.update, words, told, concurrency_limit=None, **quiet)]
        for sent in (added, folder):
            changing.append(sent.upload(page.add, [sent, words], [sent, *told], concurrency_limit=None, **quiet))
        changing.append(articles.remove(page.remove, words, told, concurrency_limit=None, **quiet))
        for changed in changing:
            changed.then(page.pictures, None, drawn, **quiet)
        drawn.month(page.month, None, [words, articles], **quiet)
        for part in (articles, drawn):
            part.open(page.open_article, None, [reader, tabs], **quiet)
    blocks.queue(api_open=False, default_concurrency_limit=1, max_size=QUEUED)
    return blocks


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
            app_kwargs={"middleware": guards(host, Path(UPLOADS.name))},
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
            max_file_size=MAX_UPLOAD,  # the library refuses smaller ones by name; Gradio would refuse all that come with one
            max_threads=THREADS,
            state_session_capacity=100,
        )
    except OSError as error:
        raise UsageError(f"{host}, port {port}, cannot be listened on; take another: rag ui --port {port + 1}") from error


def launch(*, index: Path, host: str = "127.0.0.1", port: int = 7860, auth: str | None = None) -> None:
    """Serve the page of an index until it is interrupted; the models load meanwhile.

    :raises RagError: there is no index, or the address cannot be used.
    """
    config = load_config(index=index)
    with Reader.open(index) as store:
        examples = example_questions(store)
    opening = Opening(partial(_assistant, config))
    ready = [model.name for model in installed() if model.role == "generator" and model.state == "ready"]
    with closing(Library(index, lambda: SentenceEncoder(ensure(config.encoder, "encoder")))) as library:
        page = build(Service(opening), library, config=config, examples=examples, generators=ready)
        serve(page, host=host, port=port, auth=auth)
        opening.start()
        print(f"Footnote is at {page.local_url} (stop it with Ctrl-C)", file=sys.stderr)  # noqa: T201
        page.block_thread()


def _assistant(config: Config, progress: Progress) -> Assistant:
    return Assistant.open(config=config, progress=progress)


if __name__ == "__main__":
    from rag.cli.app import run

    sys.exit(run(["ui", *sys.argv[1:]]))
