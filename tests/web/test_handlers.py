"""The handlers return what changes on the page, by name, and nothing else. Without a browser."""

from __future__ import annotations

import json
from dataclasses import fields
from types import SimpleNamespace

import pytest
from browsing import EXPO, GRADIO, Scripted, SmallEncoder, indexed

from rag.config import load_config
from rag.web.answering import SharedAssistant, with_question
from rag.web.conversation import Conversation
from rag.web.environment import prepare
from rag.web.library import Library
from rag.web.loading import BackgroundAssistant

pytestmark = GRADIO
SETTINGS = (8, "Balanced", "Usual", "", "", "")
REQUEST = SimpleNamespace(session_hash="somebody")


@pytest.fixture
def handlers(tmp_path):
    prepare()
    from rag.web.handlers import Handlers

    index = indexed(tmp_path, expo=EXPO.text)
    opening = BackgroundAssistant(lambda progress: Scripted())
    opening.start()
    library = Library(index, SmallEncoder)
    yield Handlers(SharedAssistant(opening), library, config=load_config(index=index), examples=[])
    library.close()


def order(changes):
    return json.loads(changes["browser"])


def test_everything_that_may_change_is_a_part_of_the_page():
    prepare()
    from rag.web.handlers import Changes
    from rag.web.page import Parts

    assert Changes.__annotations__.keys() <= {field.name for field in fields(Parts)}


def test_a_question_empties_the_box_and_is_kept_and_its_answer_opens_the_first_source(handlers):
    asked = handlers.ask("How many exhibits?", Conversation(), ())
    assert asked.keys() == {"box", "now", "kept", "chat", "menu", "notice", "browser"}
    assert (asked["box"], order(asked)["do"]) == ("", "keep")
    *growing, ended = handlers.answer(asked["now"], asked["kept"], REQUEST, *SETTINGS)
    assert all(changes.keys() in ({"now", "chat"}, set()) for changes in growing)
    assert ended.keys() == {"now", "kept", "chat", "menu", "source", "browser"}
    assert "2,500" in ended["chat"]
    assert "It had 2,500 exhibits." in ended["source"]
    assert len(ended["kept"]) == 1


def test_a_question_that_cannot_be_asked_changes_only_the_notice(handlers):
    assert handlers.ask("?!", Conversation(), ()).keys() == {"notice"}


def test_while_an_answer_is_written_nothing_changes_and_the_browser_says_why(handlers):
    now, event = with_question(Conversation(), "How many?"), SimpleNamespace(id="x", turn="0", good="up", note="")
    busy = [
        handlers.ask("And then?", now, ()),
        handlers.retry(now, ()),
        handlers.new(now, ()),
        handlers.go(now, (), event),
        handlers.forget(now, (), event),
        handlers.rate(now, (), event),
    ]
    assert {tuple(changes) for changes in busy} == {("browser",)}
    assert {order(changes)["do"] for changes in busy} == {"say"}
    assert len({order(changes)["number"] for changes in busy}) == len(busy)


def test_what_leads_nowhere_changes_nothing(handlers):
    now = Conversation()
    assert handlers.open_source(now, SimpleNamespace(key="0.c9x")) == {}
    assert handlers.open_article(SimpleNamespace(source="none.txt", start="", end="")) == {}
    assert handlers.go(now, (), SimpleNamespace(id="x")) == {}
    assert handlers.retry(now, ()) == {}
    assert handlers.stop(now, (), REQUEST) == {}
    assert list(handlers.answer(now, (), REQUEST, *SETTINGS)) == [{}]
