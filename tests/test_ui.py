"""The page as Gradio serves it: closed to everybody but its readers, and driven in a real browser."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fakes import document

import ui
from rag.errors import IndexMissing, ModelMissing, UsageError
from rag.opening import Opening
from rag.types import Answer, Citation, Claim, Hit, Passage, Status, Verdict

pytestmark = [
    # Gradio makes an event loop for each of its locks and closes none (gradio.utils.safe_get_lock); see _collect_loops.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # Its statistics of the queue use what pandas has deprecated (gradio.queueing.EventAnalytics).
    pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio.queueing"),
]

ROOT = Path(ui.__file__).parent
CHROMIUM = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
EXPO = document(
    "news/expo.txt", "A first line.\n" * 80 + "It had 2,500 exhibits. Entry was free.\n" + "More. " * 400, title="The expo"
)
PAYLOAD = "<img src=https://evil.example/x onerror=owned=1><script>owned=1</script>![](https://evil.example/y) ${owned=1} {{x}}"
SECONDS = 10_000  # of patience, in milliseconds


def answered(question, *, document=EXPO, quotes=("It had 2,500 exhibits.", "Entry was free."), status=Status.ANSWERED):
    """Give an answer that says each quote of a document, with a marker."""
    claims = [Claim(quote, Verdict.SUPPORTED, 1.0, (n,)) for n, quote in enumerate(quotes, 1)]
    cited = [
        Citation(n, document.source, document.title, None, at, at + len(quote), quote, 1.0, document.sha256)
        for n, quote in enumerate(quotes, 1)
        for at in [document.text.index(quote)]
    ]
    hits = (Hit(Passage(document, 0, 0, 20, document.title), 1, 0.5, 0.8, 1.0),)
    text = " ".join(f"{quote} [{n}]" for n, quote in enumerate(quotes, 1))
    return Answer(question, question, text, status, 0.9, tuple(claims), tuple(cited), hits)


def refused(question):
    text = "The articles do not answer this. The closest articles are “The expo” (news/expo.txt)."
    return replace(answered(question, quotes=(), status=Status.REFUSED), text=text)


class Scripted:
    """An assistant that says what it is told; knows what it was asked, and whether it was stopped."""

    def __init__(self):
        self.asked, self.stopped = [], threading.Event()

    def stream(self, question, *, history=(), stopped=lambda: False):
        self.asked.append((question, list(history)))
        if "lottery" in question:
            yield refused(question)
        elif "broken" in question:
            raise RuntimeError("secret detail")
        elif "hostile" in question:
            hostile = document(PAYLOAD, f"First. {PAYLOAD} Last.", title=PAYLOAD)
            yield answered(question, document=hostile, quotes=(PAYLOAD,))
        elif "mute" in question:  # no sentence of it is ever whole
            while not stopped():
                time.sleep(0.02)
            self.stopped.set()
        elif "for ever" in question:
            try:
                while True:
                    time.sleep(0.02)
                    yield answered(question)
            except GeneratorExit:
                self.stopped.set()
                raise
        else:
            yield answered(question, quotes=("It had 2,500 exhibits.",))
            time.sleep(0.3)
            yield answered(question)


def free_port():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def served(open_assistant, *, auth=None, **build):
    """Serve a page over a stand-in assistant; gives its address."""
    opening = Opening(open_assistant)
    page = ui.build(opening, **{"articles": 1, **build})
    port = free_port()
    ui.serve(page, host="127.0.0.1", port=port, auth=auth)
    opening.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        page.close()


@contextmanager
def served_for_real(index):
    """Start ``python ui.py`` with the real models on an index; gives its address."""
    port = free_port()
    command = [sys.executable, "ui.py", "--index", index, "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert "Footnote is at" in server.stderr.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            print(server.stderr.read())  # for whoever looks at a failure


@pytest.fixture(scope="module", autouse=True)
def _collect_loops():
    """Collect Gradio's event loops here, where their warnings are ignored, and not in another file's test."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


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
        ("POST", "/gradio_api/run/pose", 404),
        ("POST", "/gradio_api/run/predict", 404),
        ("POST", "/gradio_api/api/pose", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 403),
        ("GET", "/gradio_api/file=https://example.com/", 403),
        ("GET", "/gradio_api/proxy=https://example.com/", 403),
        ("POST", "/gradio_api/upload", 403),
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


def test_settings_of_the_environment_do_not_count():
    code = "import os, ui; print({name: v for name, v in os.environ.items() if name.startswith('GRADIO_')})"
    hostile = {"GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/", "GRADIO_SERVER_NAME": "0.0.0.0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **hostile}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'GRADIO_ANALYTICS_ENABLED': 'False'}"


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


def test_a_page_for_other_machines_needs_a_login():
    page = ui.build(Opening(lambda progress: Scripted()), articles=1)
    with pytest.raises(UsageError, match="--auth USER:PASSWORD"):
        ui.serve(page, host="0.0.0.0", port=free_port())


def test_a_port_that_is_taken_is_told_in_one_line():
    page = ui.build(Opening(lambda progress: Scripted()), articles=1)
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=f"rag ui --port {port + 1}"):
            ui.serve(page, host="127.0.0.1", port=port)


def test_a_missing_index_is_told_before_anything_starts(tmp_path):
    with pytest.raises(IndexMissing, match="rag index"):
        ui.launch(index=tmp_path)


# In a browser


@contextmanager
def browsing():
    """Start Debian's Chromium; it downloads nothing and calls nobody."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chromium():
    if shutil.which("chromium") is None:
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("chromium is not installed: apt-get install -y chromium")
    with browsing() as browser:
        yield browser


class Reader:
    """Somebody with a browser tab; keeps what the tab asked for and complained of."""

    def __init__(self, browser, address, **options):
        self.tab = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.requests, self.complaints = [], []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.tab.set_default_timeout(SECONDS)
        self.tab.goto(address)
        self.address = address

    def ask(self, question):
        box = self.tab.get_by_label("Question")
        box.fill(question)
        box.press("Enter")
        self.tab.locator(".turn h2", has_text=question).last.wait_for()

    def answer(self, question):
        """Ask, and wait for the whole answer; gives its text."""
        self.ask(question)
        self.tab.locator(".waiting").wait_for(state="detached")
        return self.tab.locator(".turn").last.inner_text()

    def sees(self, selector):
        """Say whether an element lies within the window."""
        return self.tab.locator(selector).evaluate(
            "e => { const r = e.getBoundingClientRect(); return r.height > 0 && r.top >= 0 && r.bottom <= innerHeight }"
        )

    def was_safe(self):
        assert [url for url in self.requests if not url.startswith((self.address, "data:", "blob:"))] == []
        assert self.complaints == []
        assert self.tab.evaluate("window.owned") is None
        return True


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
    reader.tab.locator("#reading").evaluate("e => e.scrollTop = 0")
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
    reader.tab.locator(".closest button").click()
    reader.tab.locator("#reader mark.current").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(("question", "said"), [(" ?! ", "The question is empty"), ("x" * 2001, "at most 2,000 are read")])
def test_a_question_that_cannot_be_asked_is_told_and_kept(reader, question, said):
    reader.answer("How many exhibits?")
    box = reader.tab.get_by_label("Question")
    box.fill(question)
    reader.tab.get_by_role("button", name="Ask").click()
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
        two.tab.locator(".waiting", has_text="Waiting for an earlier question").wait_for()
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
