"""The web page: a chat about the articles, where every number leads to the sentence it stands for.

Gradio carries it; :mod:`rag.web.handlers` says what happens on it, and the modules ``*_html`` make what is seen.
"""

from __future__ import annotations

import inspect
from contextlib import closing
from dataclasses import dataclass
from functools import partial, wraps
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from rag.files.formats import MAX_BYTES
from rag.web import answer_html, source_html
from rag.web.closed_gradio import gr
from rag.web.conversation import Conversation
from rag.web.handlers import LIBRARY, SOURCE, Handlers
from rag.web.options import LENGTHS, STRICTNESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gradio.blocks import Block
    from gradio.components import Component

    from rag.config import Config
    from rag.web.answering import SharedAssistant
    from rag.web.handlers import Changes
    from rag.web.library import Library

QUEUED = 64  # events of all readers together; whoever comes after them is told that the page is busy
STYLE, SCRIPT = (files("rag.web").joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
THEME = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of the page that a handler reads, changes or answers to."""

    now: gr.State
    kept: gr.State
    browser: gr.HTML
    menu: gr.HTML
    chat: gr.HTML
    notice: gr.HTML
    box: gr.Textbox
    ask: gr.Button
    tab: gr.Tabs
    source: gr.HTML
    library: gr.Tab
    words: gr.Textbox
    update: gr.Button
    files: gr.File
    folder: gr.UploadButton
    progress: gr.HTML
    pictures: gr.HTML
    articles: gr.HTML
    settings: Sequence[Component]
    model: gr.Dropdown


def build(
    assistant: SharedAssistant,
    library: Library,
    *,
    config: Config,
    examples: Sequence[str] = (),
    generators: Sequence[str] = (),
) -> gr.Blocks:
    """Lay out the page and wire it. ``generators`` are those that a reader may choose beside the configured one."""
    handlers = Handlers(assistant, library, config=config, examples=examples)
    blocks = gr.Blocks(title="Footnote", analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    with blocks:
        parts = _lay_out(handlers.welcome(), config, list(dict.fromkeys((config.generator, *generators))))
        _on(parts, blocks.load, handlers.models, [], [parts.notice], concurrency_limit=None)
        _wire_chat(handlers, parts)
        _wire_library(handlers, parts)
    blocks.queue(api_open=False, default_concurrency_limit=1, max_size=QUEUED)
    return blocks


# The layout


def _lay_out(welcome: str, config: Config, generators: Sequence[str]) -> Parts:
    """Lay out the page: the chat, and beside it the source, the library and the settings."""
    now, kept = gr.State(Conversation()), gr.State(())
    browser = _html("", "browser(props, trigger, watch)", html_template="", visible="hidden")
    with gr.Row(elem_id="desk"):
        with gr.Column(elem_id="chat"):
            chat = _lay_out_chat(welcome)
        with gr.Column(elem_id="reading"), gr.Tabs(selected=SOURCE) as tab:
            with gr.Tab("Source", id=SOURCE):
                source = _html(source_html.no_source(), "source(element, watch)", elem_id="reader")
            with gr.Tab("Library", id=LIBRARY, elem_id="library") as library:
                shelf = _lay_out_library()
            with gr.Tab("Settings", elem_id="settings"):
                settings = _lay_out_settings(config)
                model = gr.Dropdown(
                    list(generators),
                    value=config.generator,
                    label="Model",
                    info="The larger writes more smoothly and takes longer; it changes for everybody who uses this page.",
                )
    own = {"now": now, "kept": kept, "browser": browser, "tab": tab, "source": source, "library": library}
    return Parts(**own, **chat, **shelf, settings=settings, model=model)


def _lay_out_chat(welcome: str) -> dict[str, Any]:
    menu = _html(answer_html.menu((), ""), "menu(element, trigger)", elem_id="masthead")
    chat = _html(welcome, "conversation(element, trigger, watch)", elem_id="conversation")
    notice = _html(answer_html.notice(""), elem_id="notice")
    with gr.Row(elem_id="ask"):
        box = gr.Textbox(label="Question", show_label=False, placeholder="Ask about the articles", max_lines=6, autofocus=True)
        ask = gr.Button("Ask", variant="primary")
    return {"menu": menu, "chat": chat, "notice": notice, "box": box, "ask": ask}


def _lay_out_library() -> dict[str, Any]:
    with gr.Row():
        words = gr.Textbox("", label="Search", show_label=False, placeholder="Search the articles", max_lines=1)
        update = gr.Button("Update")
    return {
        "words": words,
        "update": update,
        "files": gr.File(
            label="Drop articles here, or choose them", file_count="multiple", file_types=list(MAX_BYTES), height=120
        ),
        "folder": gr.UploadButton("Add a folder", file_count="directory"),
        "progress": _html("", elem_id="progress"),
        "pictures": _html("", "library(element, trigger)", elem_id="pictures"),
        "articles": _html("", "library(element, trigger)", elem_id="articles"),
    }


def _lay_out_settings(config: Config) -> list[Component]:
    """Lay out the arguments of :func:`rag.web.options.options`, in their order."""
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


def _html(html: str, call: str = "", **how: Any) -> gr.HTML:  # noqa: ANN401
    """Lay out some HTML; in the browser, ``call`` makes it act."""
    return gr.HTML(html, js_on_load=f"{SCRIPT}\n{call};" if call else None, apply_default_css=False, **how)


# The wiring


def _wire_chat(handlers: Handlers, parts: Parts) -> None:
    """Say which handler answers to what happens in the chat; :func:`_on` takes what the handler reads and may change."""
    on, p = partial(_on, parts), parts
    shown = [p.now, p.kept, p.chat, p.menu, p.notice, p.browser]
    opened = [p.now, p.menu, p.chat, p.source, p.browser]

    on(p.model.input, handlers.change, [p.model], [p.notice], concurrency_limit=None)

    on(p.browser.restore, handlers.restore, [p.now], [p.box, p.kept, *opened])
    on(p.menu.new, handlers.new, [p.now, p.kept], opened)
    on(p.menu.go, handlers.go, [p.now, p.kept], opened)
    on(p.menu.forget, handlers.forget, [p.now, p.kept], [p.kept, *opened])

    picked = on(p.chat.example, handlers.pick, [], [p.box])
    asked = [
        on(event, handlers.ask, [p.box, p.now, p.kept], [p.box, *shown])
        for event in (p.box.submit, p.ask.click, picked.success)
    ]
    asked.append(on(p.chat.retry, handlers.retry, [p.now, p.kept], [p.box, *shown]))
    for each in asked:
        growing = [p.now, p.kept, p.chat, p.menu, p.source, p.browser]
        on(each.then, handlers.answer, [p.now, p.kept, *p.settings], growing, concurrency_limit=None)
    on(p.chat.stop, handlers.stop, [p.now, p.kept], shown)

    on(p.chat.open, handlers.open_source, [p.now], [p.source, p.tab])
    on(p.chat.edit, handlers.edit, [p.now], [p.box])
    on(p.chat.copy, handlers.copy, [p.now], [p.browser])
    on(p.chat.save, handlers.save, [p.now], [p.browser])
    on(p.chat.link, handlers.link, [p.now], [p.browser])
    on(p.chat.rate, handlers.rate, [p.now, p.kept], shown)


def _wire_library(handlers: Handlers, parts: Parts) -> None:
    """Say which handler answers to what happens in the library."""
    on, p = partial(_on, parts), parts
    told = [p.progress, p.articles]

    on(p.library.select, handlers.search, [p.words], [p.articles])
    on(p.library.select, handlers.draw, [], [p.pictures])
    on(p.words.input, handlers.search, [p.words], [p.articles], trigger_mode="always_last")
    on(p.pictures.month, handlers.month, [], [p.words, p.articles])

    changing = [on(p.update.click, handlers.update, [p.words], told, concurrency_limit=None)]
    for sent in (p.files, p.folder):
        changing.append(on(sent.upload, handlers.add, [sent, p.words], [p.files, p.folder, *told], concurrency_limit=None))
    changing.append(on(p.articles.remove, handlers.remove, [p.words], told, concurrency_limit=None))
    for each in changing:
        on(each.then, handlers.draw, [], [p.pictures])

    for each in (p.articles, p.pictures):
        on(each.open, handlers.open_article, [], [p.source, p.tab])


def _on(
    parts: Parts,
    event: Callable[..., Any],
    handler: Callable[..., Changes | Iterator[Changes]],
    reads: Sequence[Block],
    changes: Sequence[Block],
    **how: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Let a handler answer to an event, and return what Gradio gives to wait for its end."""
    return event(_adapted(handler, parts), reads, changes, show_progress="hidden", api_visibility="private", **how)


def _adapted(handler: Callable[..., Any], parts: Parts) -> Callable[..., Any]:
    """Return a handler as Gradio calls it: with the same parameters, and with components in the place of their names."""

    def named(changes: Changes) -> dict[Any, Any]:
        shown = {getattr(parts, name): value for name, value in changes.items()}
        if "tab" in changes:
            shown[parts.tab] = gr.Tabs(selected=changes["tab"])
        return shown or gr.skip()

    @wraps(handler)
    def once(*given: Any) -> dict[Any, Any]:  # noqa: ANN401
        return named(handler(*given))

    @wraps(handler)
    def step_by_step(*given: Any) -> Iterator[dict[Any, Any]]:  # noqa: ANN401
        with closing(handler(*given)) as steps:
            yield from map(named, steps)

    return step_by_step if inspect.isgeneratorfunction(handler) else once
