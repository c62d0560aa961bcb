"""The handlers of the page: each takes what Gradio holds of a reader's session and returns what changes on the page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence  # at run time: Gradio evaluates the annotations of what it calls
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from rag.errors import RagError, UsageError
from rag.evaluate.ratings import rate
from rag.report.export import exported, file_name
from rag.report.record import json_line
from rag.web import answer_html, conversation, library_html, source_html
from rag.web.answering import given_up, retried, with_question
from rag.web.charts import pictures
from rag.web.closed_gradio import gr
from rag.web.conversation import Conversation
from rag.web.loading import open_assistant
from rag.web.options import options

if TYPE_CHECKING:
    from rag.config import Config
    from rag.types import Answer
    from rag.web.answering import SharedAssistant
    from rag.web.library import Library

SOURCE, LIBRARY = "source", "library"  # tabs
POLL_SECONDS = 0.3
BUSY = "An answer is being written; stop it first, or wait."

Kept = tuple[Conversation, ...]  # conversations without the articles' texts: all that the reader's browser keeps


class Changes(TypedDict, total=False):
    """What changes on a reader's page, by the names of its :class:`rag.web.page.Parts`; all else stays as it is.

    Texts are HTML, except ``box`` and ``words``, which a reader typed, ``tab``, which is the name of the tab to show, and
    ``browser``, which is an order to the script in the browser. ``now`` and ``kept`` are not seen: they are the session's own.
    """

    now: Conversation
    kept: Kept
    browser: str
    menu: str
    chat: str
    notice: str
    box: str
    tab: str
    source: str
    words: str
    files: None
    folder: None
    progress: str
    pictures: str
    articles: str


class Handlers:
    """The handlers of one page, for all of its readers."""

    def __init__(self, assistant: SharedAssistant, library: Library, *, config: Config, examples: Sequence[str]) -> None:
        """Show what an assistant answers from a library."""
        self._assistant = assistant
        self._library = library
        self._config = config
        self._examples = examples
        self._number = count()
        self._drawn: tuple[tuple[str, int], str] = (("", 0), "")  # the state of the index that was drawn, and its pictures

    # The models

    def models(self) -> Iterator[Changes]:
        """Say how far the models are, until they are loaded."""
        for state in self._assistant.states():
            yield {"notice": answer_html.notice(state)}
        yield {"notice": answer_html.notice(state or "Ready.", alert=bool(state))}

    def change(self, generator: str) -> Iterator[Changes]:
        """Answer with another generator from now on, and say how far it is."""
        config = self._config.model_copy(update={"generator": generator})
        for state in self._assistant.change(partial(open_assistant, config)):
            yield {"notice": answer_html.notice(state)}
        yield {"notice": answer_html.notice(state or f"{generator} answers now.", alert=bool(state))}

    # Conversations

    def welcome(self) -> str:
        """Return the HTML that stands where the conversation will be."""
        return answer_html.welcome(self._library.store.counts().documents, self._examples)

    def restore(self, now: Conversation, event: gr.EventData) -> Changes:
        """Take the conversations that the browser kept, open the last one, and put the question of a link into the box.

        A reader who has asked something meanwhile is not interrupted.
        """
        found: list[Conversation] = []
        for text in event.kept:
            try:
                found.append(conversation.from_json(str(text)))
            except ValueError:
                continue  # written by another version, or by no version of this page
        kept = tuple(found)
        changes: Changes = {"kept": kept}
        if question := str(event.question):
            changes["box"] = question
        current = next((one for one in kept if one.id == event.open), None)
        if now.turns or current is None:
            return {**changes, "menu": answer_html.menu(kept, now.id)}
        return {**changes, **self._open(current, kept)}

    def new(self, now: Conversation, kept: Kept) -> Changes:
        """Begin another conversation."""
        return self._say_busy() if now.waiting else self._open(Conversation(), kept)

    def go(self, now: Conversation, kept: Kept, event: gr.EventData) -> Changes:
        """Go on with an earlier conversation."""
        if now.waiting:
            return self._say_busy()
        chosen = next((one for one in kept if one.id == event.id), None)
        return self._open(chosen, kept) if chosen else {}

    def forget(self, now: Conversation, kept: Kept, event: gr.EventData) -> Changes:
        """Forget a conversation, here and in the browser."""
        if now.waiting:
            return self._say_busy()
        kept = tuple(one for one in kept if one.id != event.id)
        opened = self._open(now if now.id != event.id else Conversation(), kept)
        return {**opened, "kept": kept, "browser": self._order(do="forget", id=str(event.id))}

    # Questions

    def pick(self, event: gr.EventData) -> Changes:
        """Put the example that was chosen into the box."""
        return {"box": str(event.question)}

    def ask(self, question: str, now: Conversation, kept: Kept) -> Changes:
        """Add a question, for :meth:`answer` to answer; it stays in the box while another is being answered."""
        if now.waiting:
            return self._say_busy()
        try:
            now = with_question(now, question)
        except UsageError as error:
            return {"notice": answer_html.notice(str(error), alert=True)}
        return {"box": "", "notice": answer_html.notice(""), **self._keep(now, kept)}

    def retry(self, now: Conversation, kept: Kept) -> Changes:
        """Ask the last question again."""
        if now.waiting:
            return self._say_busy()
        return {"notice": answer_html.notice(""), **self._keep(retried(now), kept)} if now.turns else {}

    def answer(
        self,
        now: Conversation,
        kept: Kept,
        request: gr.Request,
        *settings: Any,  # noqa: ANN401
    ) -> Iterator[Changes]:
        """Answer the question that waits, and show the answer as it grows.

        ``settings`` are the arguments of :func:`rag.web.options.options`. Between changes it yields empty ones, so that Gradio
        can close it soon when the reader has left.
        """
        if not now.waiting:
            yield {}
            return
        shown = now
        with closing(self._assistant.answer(str(request.session_hash), now, options(*settings))) as growing:
            for now in growing:
                if now == shown:
                    yield {}
                    continue
                shown = now
                if now.waiting:
                    yield {"now": now, "chat": answer_html.conversation(now.turns)}
        if now.waiting:  # it is being answered already
            yield {}
            return
        yield {**self._keep(now, kept), "source": source_html.first_source(now.turns)}

    def stop(self, now: Conversation, kept: Kept, request: gr.Request) -> Changes:
        """Stop the answer that is being written, or the wait for one; :meth:`answer` then ends the turn."""
        if self._assistant.stop(str(request.session_hash)) or not now.waiting:
            return {}
        return {"notice": answer_html.notice(""), **self._keep(given_up(now), kept)}  # no answer began: the queue was full

    # Answers

    def open_source(self, now: Conversation, event: gr.EventData) -> Changes:
        """Show the article behind a marker or a card."""
        try:
            return {"source": source_html.source(now.turns, str(event.key), chosen=True), "tab": SOURCE}
        except LookupError:
            return {}

    def edit(self, now: Conversation, event: gr.EventData) -> Changes:
        """Put a question back into the box."""
        return {"box": now.turns[int(event.turn)].question}

    def copy(self, now: Conversation, event: gr.EventData) -> Changes:
        """Put an answer on the browser's clipboard."""
        return {"browser": self._order(do="copy", text=exported(_answer(now, event), "markdown"))}

    def save(self, now: Conversation, event: gr.EventData) -> Changes:
        """Save an answer as a file in the browser."""
        answer, form = _answer(now, event), str(event.form)
        return {"browser": self._order(do="save", name=file_name(answer, form), text=exported(answer, form))}

    def link(self, now: Conversation, event: gr.EventData) -> Changes:
        """Put a link to a question on the browser's clipboard."""
        return {"browser": self._order(do="link", question=now.turns[int(event.turn)].question)}

    def rate(self, now: Conversation, kept: Kept, event: gr.EventData) -> Changes:
        """Store what a reader says of an answer."""
        if now.waiting:
            return self._say_busy()
        at = int(event.turn)
        turn, before = now.turns[at], conversation.chat_history(now.turns[:at])
        rated = str(event.good) if event.good in ("up", "down") else turn.rated
        if not turn.answer or not rated:
            return {}
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
            return {"notice": answer_html.notice(str(error), alert=True)}
        turns = (*now.turns[:at], replace(turn, rated=rated), *now.turns[at + 1 :])
        said = "The note is stored." if event.note else "Stored on this machine. A note can be added."
        return {"notice": answer_html.notice(said), **self._keep(replace(now, turns=turns), kept)}

    # The library

    def search(self, words: str) -> Changes:
        """List the articles that hold some words."""
        return {"articles": library_html.articles(self._library.articles(words))}

    def month(self, event: gr.EventData) -> Changes:
        """List the articles of a part of the time line, and empty the search box."""
        return {"words": "", "articles": library_html.articles(self._library.articles(month=str(event.month)))}

    def draw(self) -> Changes:
        """Draw the collection, once for each state of the index."""
        meta = self._library.store.meta()
        if self._drawn[0] != (meta.identity, meta.generation):
            self._drawn = (meta.identity, meta.generation), pictures(self._library.store)
        return {"pictures": self._drawn[1]}

    def update(self, words: str) -> Iterator[Changes]:
        """Bring the index up to date; say how far it is, then what was done, and list the articles again."""
        own = self._library.start_update()
        while (state := self._library.state).running or not own:
            yield {"progress": library_html.progress(state)}
            time.sleep(POLL_SECONDS)
            own = own or self._library.start_update()  # the one before it may have passed what has come since
        yield {"progress": library_html.progress(state), **self.search(words)}

    def add(self, uploaded: list[str] | None, words: str) -> Iterator[Changes]:
        """Store the files that were sent, then update the index with them."""
        paths = [Path(name) for name in uploaded or []]
        try:
            said = library_html.added(self._library.add([(path.name, path) for path in paths]))
        except RagError as error:
            yield {"files": None, "folder": None, "progress": answer_html.notice(str(error), alert=True)}
            return
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
        yield {"files": None, "folder": None, "progress": said}
        for changes in self.update(words):
            yield {**changes, "progress": f"{said}{changes['progress']}"}

    def remove(self, words: str, event: gr.EventData) -> Iterator[Changes]:
        """Leave an article out, then update the index without it."""
        try:
            self._library.remove(str(event.source))
        except RagError as error:
            yield {"progress": answer_html.notice(str(error), alert=True)}
            return
        yield from self.update(words)

    def open_article(self, event: gr.EventData) -> Changes:
        """Show an article of the library."""
        try:
            start, end = (int(part or 0) for part in (event.start, event.end))
            return {"source": source_html.article(self._library.document(str(event.source)), start, end), "tab": SOURCE}
        except (LookupError, ValueError):
            return {}

    # What several handlers change

    def _open(self, now: Conversation, kept: Kept) -> Changes:
        """Show a conversation in the place of the present one."""
        now = conversation.with_texts(now, self._library.document)
        return {
            "now": now,
            "menu": answer_html.menu(kept, now.id),
            "chat": answer_html.conversation(now.turns) if now.turns else self.welcome(),
            "source": source_html.first_source(now.turns),
            "browser": self._order(do="open", id=now.id),
        }

    def _keep(self, now: Conversation, kept: Kept) -> Changes:
        """Show a conversation that has changed, and keep it in the browser."""
        held = conversation.without_texts(now)
        kept = (*(one for one in kept if one.id != now.id), held)
        return {
            "now": now,
            "kept": kept,
            "chat": answer_html.conversation(now.turns),
            "menu": answer_html.menu(kept, now.id),
            "browser": self._order(do="keep", id=now.id, started=now.started, text=conversation.to_json(held)),
        }

    def _say_busy(self) -> Changes:
        """Tell the reader why nothing happens."""
        return {"browser": self._order(do="say", text=BUSY)}

    def _order(self, **order: str) -> str:
        """Return an order for the script in the browser; its number makes each order a new value."""
        return json_line({"number": next(self._number), **order}).replace("<", "\\u003c")


def _answer(now: Conversation, event: gr.EventData) -> Answer:
    answer = now.turns[int(event.turn)].answer
    if answer is None:
        raise LookupError(event.turn)
    return answer
