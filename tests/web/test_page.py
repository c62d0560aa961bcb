"""The page as Gradio serves it: closed to everybody but its readers, and driven in a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from browsing import EXPO, GRADIO, PAYLOAD, ROOT, Reader, Scripted, free_port, indexed, page_of, served, served_for_real

from rag.errors import IndexMissing, ModelMissing, UsageError
from rag.web.environment import prepare
from rag.web.loading import BackgroundAssistant
from rag.web.serve import launch, serve

pytestmark = GRADIO


@pytest.fixture(scope="module")
def address():
    with served(lambda progress: Scripted()) as address:
        yield address


# Without a browser


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/config", 200),
        ("POST", "/gradio_api/run/pose", 403),
        ("POST", "/gradio_api/call/pose", 403),
        ("POST", "/gradio_api/api/pose", 403),
        ("GET", "/gradio_api/file=/etc/passwd", 403),
        ("GET", "/gradio_api/file=https://example.com/", 403),
        ("GET", "/gradio_api/proxy=https://example.com/", 403),
        ("POST", "/gradio_api/upload", 400),
        ("GET", "/monitoring", 403),
        ("GET", "/monitoring/summary", 403),
        ("GET", "/gradio_api/runs", 404),
        ("GET", "/docs", 404),
    ],
)
def test_only_the_page_is_served(address, method, path, status):
    body = {"data": [], "fn_index": 1} if method == "POST" else None
    assert httpx.request(method, address + path, json=body, trust_env=False).status_code == status


def test_foreign_names_and_pages_are_refused(address):
    assert httpx.get(address, headers={"Host": "evil.example"}, trust_env=False).status_code == 400
    join = f"{address}/gradio_api/queue/join"
    assert httpx.post(join, headers={"Origin": "https://evil.example"}, json={}, trust_env=False).status_code == 403


def test_the_settings_are_closed(address):
    config = httpx.get(f"{address}/config", trust_env=False).json()
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []
    assert {event["api_visibility"] for event in config["dependencies"]} == {"private"}
    assert httpx.get(f"{address}/gradio_api/info", trust_env=False).json()["named_endpoints"] == {}


def test_settings_of_the_environment_do_not_count(tmp_path):
    shown = "print(*(f'{n} {v}' for n, v in sorted(os.environ.items()) if n.startswith('GRADIO_')))"
    code = f"import os; from rag.web.environment import prepare; prepare(); {shown}"
    hostile = {"GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/", "GRADIO_SERVER_NAME": "0.0.0.0", "PYTHONPATH": str(ROOT)}
    hostile |= {"GRADIO_TEMP_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **hostile}, capture_output=True, text=True, check=True
    )
    analytics, off, uploads, folder = done.stdout.split()
    assert (analytics, off, uploads) == ("GRADIO_ANALYTICS_ENABLED", "False", "GRADIO_TEMP_DIR")
    assert folder != str(tmp_path)
    assert not Path(folder).exists()  # it is gone with the process


def test_only_this_user_can_look_at_what_was_sent():
    assert prepare().stat().st_mode & 0o777 == 0o700


def test_a_login_guards_everything():
    with served(lambda progress: Scripted(), auth="reader:secret") as address, httpx.Client(trust_env=False) as browser:
        assert "dependencies" not in browser.get(f"{address}/config").json()
        assert browser.post(f"{address}/gradio_api/queue/join", json={"data": []}).status_code == 401
        assert browser.post(f"{address}/login", data={"username": "reader", "password": "wrong"}).status_code == 400
        assert browser.post(f"{address}/login", data={"username": "reader", "password": "secret"}).status_code == 200
        assert "dependencies" in browser.get(f"{address}/config").json()


def test_the_page_starts_behind_a_proxy_that_is_not_there(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with served(lambda progress: Scripted()) as address:
        assert httpx.get(address, trust_env=False).status_code == 200


def test_a_page_for_other_machines_needs_a_login(tmp_path):
    page = page_of(BackgroundAssistant(lambda progress: Scripted()), indexed(tmp_path, expo=EXPO.text))
    with pytest.raises(UsageError, match="--auth USER:PASSWORD"):
        serve(page, host="0.0.0.0", port=free_port())


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    page = page_of(BackgroundAssistant(lambda progress: Scripted()), indexed(tmp_path, expo=EXPO.text))
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=f"rag ui --port {port + 1}"):
            serve(page, host="127.0.0.1", port=port)


def test_a_missing_index_is_told_before_anything_starts(tmp_path):
    with pytest.raises(IndexMissing, match="rag index"):
        launch(index=tmp_path)


# In a browser


@pytest.fixture
def reader(chromium, address):
    reader = Reader(chromium, address)
    yield reader
    assert reader.was_safe()
    reader.tab.close()


@pytest.mark.slow
def test_a_marker_leads_to_its_sentence(reader):
    reader.ask("How many exhibits?")
    reader.tab.locator(".answer", has_text="2,500").wait_for()  # before the answer is whole
    assert reader.tab.locator(".waiting").is_visible()
    reader.tab.locator(".marker").nth(1).wait_for()
    reader.tab.locator("#reader mark.current", has_text="It had 2,500 exhibits.").wait_for()  # the first source opens by itself
    reader.tab.get_by_label("Source 2").click()
    reader.tab.locator("#reader mark.current", has_text="Entry was free.").wait_for()
    assert reader.sees("#reader mark.current")
    assert reader.tab.locator("#reader h2").inner_text() == "The expo"
    reader.tab.locator(".tabitem:has(#reader)").evaluate("e => e.scrollTop = 0")
    assert not reader.sees("#reader mark.current")
    reader.tab.locator(".sources [data-open='0.c2']").click()  # is open already
    assert reader.sees("#reader mark.current")


@pytest.mark.slow
def test_everything_can_be_done_with_the_keyboard(reader):
    reader.answer("How many exhibits?")
    reader.tab.get_by_label("Source 2").focus()
    reader.tab.keyboard.press("Enter")
    reader.tab.locator("mark.current:focus", has_text="Entry was free.").wait_for()
    reader.tab.keyboard.press("Escape")
    assert reader.tab.evaluate("document.activeElement.dataset.open") == "0.c2"


@pytest.mark.slow
def test_a_refusal_offers_the_closest_articles(reader):
    said = reader.answer("Who won the lottery?")
    assert "The articles do not answer this." in said
    assert "Closest articles" in said
    reader.tab.locator(".closest button").first.click()
    reader.tab.locator("#reader mark.current").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(("question", "said"), [(" ?! ", "The question is empty"), ("x" * 2001, "at most 2,000 are read")])
def test_a_question_that_cannot_be_asked_is_told_and_kept(reader, question, said):
    reader.answer("How many exhibits?")
    box = reader.tab.get_by_label("Question")
    box.fill(question)
    reader.tab.get_by_role("button", name="Ask", exact=True).click()
    reader.tab.get_by_role("alert").filter(has_text=said).wait_for()
    assert box.input_value() == question
    assert reader.tab.locator(".turn").count() == 1


@pytest.mark.slow
def test_a_failure_is_told_without_its_details(reader):
    said = reader.answer("Is it broken?")
    assert "Something went wrong" in said
    assert "secret" not in reader.tab.content()
    assert "2,500" in reader.answer("How many exhibits?")


@pytest.mark.slow
def test_hostile_text_stays_text(reader):
    said = reader.answer(f"hostile {PAYLOAD}")
    assert said.count(PAYLOAD) == 5  # question, sentence, quote, title, file
    reader.tab.get_by_label("Source 1").click()
    reader.tab.locator("#reader mark.current").wait_for()
    assert reader.tab.locator("#reader").inner_text().count(PAYLOAD) == 3
    for place in ("#conversation", "#reader"):
        assert reader.tab.locator(place).locator("img, script, iframe, a, svg, form").count() == 0


@pytest.mark.slow
def test_a_phone_shows_the_article_and_the_way_back(chromium, address):
    reader = Reader(chromium, address, viewport={"width": 390, "height": 800}, color_scheme="dark")
    reader.answer("Who won the lottery?")
    reader.answer("How many exhibits?")
    assert reader.sees(".answer")
    assert reader.tab.evaluate("document.querySelector('#ask').offsetTop < document.querySelector('#reading').offsetTop")
    assert reader.tab.evaluate("document.documentElement.scrollWidth") <= 390
    reader.tab.get_by_label("Source 2").click()
    reader.tab.locator("mark.current", has_text="Entry was free.").wait_for()
    assert reader.sees("mark.current")
    assert reader.sees(".back")
    reader.tab.get_by_role("button", name="Back to the answer").click()
    assert reader.sees(".marker >> nth=1")
    assert reader.was_safe()
    reader.tab.close()


@pytest.mark.slow
def test_follow_ups_carry_the_chat_and_readers_do_not_meet(chromium):
    assistant = Scripted()
    with served(lambda progress: assistant) as address:
        one, two = Reader(chromium, address), Reader(chromium, address)
        one.answer("How many exhibits?")
        one.answer("And the lottery?")
        two.answer("Was it free?")
        assert two.tab.locator(".turn").count() == 1
        one.answer("And then?")
    histories = {question: [turn["content"] for turn in history] for question, history in assistant.asked}
    assert histories["Was it free?"] == []
    assert histories["And then?"][0::2] == ["How many exhibits?", "And the lottery?"]
    assert histories["And then?"][1].startswith("It had 2,500 exhibits. [1]")
    one.tab.close()
    two.tab.close()


@pytest.mark.slow
def test_stop_stops_the_computation(chromium):
    assistant = Scripted()
    with served(lambda progress: assistant) as address:
        reader = Reader(chromium, address)
        reader.ask("Will it go on for ever?")
        reader.tab.locator(".answer").wait_for()
        reader.tab.get_by_role("button", name="Stop").click()
        assert assistant.stopped.wait(2)
        reader.tab.locator(".problem", has_text="Stopped.").wait_for()
        assert "2,500" in reader.answer("How many exhibits?")
        reader.tab.close()


@pytest.mark.slow
def test_stop_does_not_wait_for_a_sentence_to_be_whole(chromium):
    assistant = Scripted()
    with served(lambda progress: assistant) as address:
        reader = Reader(chromium, address)
        reader.ask("Will it stay mute?")
        reader.tab.locator("#conversation", has_text="Reading the articles").wait_for()
        reader.tab.get_by_role("button", name="Stop").click()
        assert assistant.stopped.wait(2)
        reader.tab.locator(".problem", has_text="Stopped.").wait_for()
        reader.tab.close()


@pytest.mark.slow
def test_who_waits_behind_another_can_stop_waiting(chromium):
    assistant = Scripted()
    with served(lambda progress: assistant) as address:
        one, two = Reader(chromium, address), Reader(chromium, address)
        one.ask("Will it go on for ever?")
        one.tab.locator(".answer").wait_for()
        two.ask("How many exhibits?")
        two.tab.locator(".waiting", has_text="Busy: number 1 in line").wait_for()
        two.tab.get_by_role("button", name="Stop").click()
        two.tab.locator(".problem", has_text="Stopped.").wait_for()
        one.tab.get_by_role("button", name="Stop").click()
        assert "2,500" in two.answer("And how many exhibits?")
        assert [question for question, _ in assistant.asked] == ["Will it go on for ever?", "And how many exhibits?"]
        one.tab.close()
        two.tab.close()


@pytest.mark.slow
def test_who_leaves_stops_the_computation(chromium):
    assistant = Scripted()
    with served(lambda progress: assistant) as address:
        reader = Reader(chromium, address)
        reader.ask("Will it go on for ever?")
        reader.tab.locator(".answer").wait_for()
        reader.tab.close()
        assert assistant.stopped.wait(5)


@pytest.mark.slow
def test_the_page_is_there_before_the_models(chromium):
    go_on = threading.Event()

    def open_assistant(progress):
        progress("fetching the encoder", 1, 2)
        assert go_on.wait(30)
        return Scripted()

    with served(open_assistant, examples=["What of <b>Mega</b> Motors?"]) as address:
        reader = Reader(chromium, address)
        reader.tab.locator("#notice", has_text="Loading the models… fetching the encoder 50 %").wait_for()
        reader.tab.get_by_role("button", name="What of <b>Mega</b> Motors?").click()
        reader.tab.locator(".waiting", has_text="Loading the models…").wait_for()
        go_on.set()
        reader.tab.locator(".answer", has_text="2,500").wait_for()
        assert reader.was_safe()
        reader.tab.close()


@pytest.mark.slow
def test_models_that_cannot_be_had_are_told_on_the_page(chromium):
    def open_assistant(progress):
        raise ModelMissing("the encoder is not there; run `rag models --fetch`")

    with served(open_assistant) as address:
        reader = Reader(chromium, address)
        reader.tab.get_by_role("alert").filter(has_text="The encoder is not there; run `rag models --fetch`").wait_for()
        assert "run `rag models --fetch`" in reader.answer("How many exhibits?")
        reader.tab.close()


@pytest.mark.slow
def test_the_real_page_on_the_seeds(chromium, seeds_index):
    with served_for_real(seeds_index) as address:
        reader = Reader(chromium, address)
        reader.tab.set_default_timeout(120_000)
        assert "2,500" in reader.answer("How many exhibits did the Taizhou expo have?")
        key = reader.tab.locator(".sources button", has_text="2,500 exhibits").get_attribute("data-open")
        reader.tab.locator(f".marker[data-open='{key}']").first.click()
        reader.tab.locator("mark.current:focus", has_text="2,500 exhibits").wait_for()
        assert reader.sees("mark.current")
        assert reader.was_safe()
        reader.tab.close()
