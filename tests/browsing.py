"""What the tests of the page share: a stand-in assistant, a server, and somebody with a browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEncoder, count_words, decided, document

from rag.config import load_config
from rag.errors import UsageError
from rag.index.indexer import index_folder
from rag.types import AS_CONFIGURED, Answer, Citation, Claim, Hit, Passage, Status, Verdict
from rag.web.answering import SharedAssistant
from rag.web.environment import prepare
from rag.web.library import Library
from rag.web.loading import BackgroundAssistant
from rag.web.serve import serve

GRADIO = [
    # Gradio makes an event loop for each of its locks and closes none (gradio.utils.safe_get_lock).
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # Its statistics of the queue use what pandas has deprecated (gradio.queueing.EventAnalytics).
    pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio.queueing"),
    pytest.mark.usefixtures("collect_loops"),
]
ROOT = Path(__file__).parent.parent
CHROMIUM = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
EXPO = document(
    "news/expo.txt", "A first line.\n" * 80 + "It had 2,500 exhibits. Entry was free.\n" + "More. " * 400, title="The expo"
)
PAYLOAD = "<img src=https://evil.example/x onerror=owned=1><script>owned=1</script>![](https://evil.example/y) ${owned=1} {{x}}"
SECONDS = 10_000  # of patience, in milliseconds


def answered(question, *, document=EXPO, quotes=("It had 2,500 exhibits.", "Entry was free."), status=Status.ANSWERED):
    """Return an answer that says each quote of a document, with a marker."""
    claims = [Claim(quote, Verdict.SUPPORTED, 1.0, (n,)) for n, quote in enumerate(quotes, 1)]
    cited = [
        Citation(document.source, at, at + len(quote), quote, n, document.title, None, 1.0, document.sha256)
        for n, quote in enumerate(quotes, 1)
        for at in [document.text.index(quote)]
    ]
    hits = (Hit(Passage(document, 0, 0, 20, document.title), 1, 0.5, 0.8, 1.0),)
    text = " ".join(f"{quote} [{n}]" for n, quote in enumerate(quotes, 1))
    return Answer(question, question, text, status, decided(), tuple(claims), tuple(cited), hits)


def refused(question):
    reason = "The articles do not answer this."
    text = f"{reason} The closest articles are “The expo” (news/expo.txt)."
    answer = answered(question, quotes=(), status=Status.REFUSED)
    return replace(answer, text=text, reason=reason, closest=answer.hits)


class Scripted:
    """An assistant that says what it is told; knows what it was asked, and whether it was stopped."""

    def __init__(self):
        self.asked, self.options, self.stopped = [], [], threading.Event()

    def close(self):
        pass

    def stream(self, question, *, history=(), stopped=lambda: False, options=AS_CONFIGURED):
        self.asked.append((question, list(history)))
        self.options.append(options)
        if "lottery" in question:
            yield refused(question)
        elif "broken" in question:
            raise RuntimeError("secret detail")
        elif "hostile" in question:
            text = question.partition("hostile ")[2]
            yield answered(question, document=document(text, f"First. {text} Last.", title=text), quotes=(text,))
        elif "refuse with" in question:
            raise UsageError(question)
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


class SmallEncoder(FakeEncoder):
    """A stand-in that counts tokens too."""

    count_tokens = staticmethod(count_words)


def indexed(folder, encoder=None, **articles):
    """Write articles and index them with a stand-in; return the index."""
    home = folder / "articles"
    home.mkdir(exist_ok=True)
    for name, text in articles.items():
        (home / f"{name}.txt").write_text(text, encoding="utf-8")
    index_folder(
        home, store_folder=folder / "index", encoder=encoder or FakeEncoder(), count_tokens=count_words, passage_tokens=40
    )
    return folder / "index"


def page_of(opening, index, *, encoder=None, **built_with):
    """Lay out a page over an index that a stand-in made."""
    prepare()
    from rag.web.page import build

    library = Library(index, lambda: encoder or SmallEncoder())
    return build(SharedAssistant(opening), library, **{"config": load_config(index=index), **built_with})


@contextmanager
def served(open_assistant, *, index=None, auth=None, **built_with):
    """Serve a page over a stand-in assistant; yield its address."""
    opening = BackgroundAssistant(open_assistant)
    with tempfile.TemporaryDirectory() as folder:
        page = page_of(opening, index or indexed(Path(folder), expo=EXPO.text), **built_with)
        port = free_port()
        serve(page, host="127.0.0.1", port=port, auth=auth)
        opening.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            page.close()


@contextmanager
def served_for_real(index):
    """Start ``python ui.py`` with the real models on an index; yield its address."""
    port = free_port()
    command = [sys.executable, "ui.py", "--index", index, "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert "Footnote is at" in server.stderr.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            print(server.stderr.read())  # for whoever looks at a failure


@contextmanager
def browsing():
    """Start Debian's Chromium; it downloads nothing and calls nobody."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM.split())
        yield browser
        browser.close()


class Reader:
    """Somebody with a browser tab; keeps what the tab asked for and complained of."""

    def __init__(self, browser, address, **options):
        """Open a tab in a browser of its own, or in one that is given as a context."""
        if hasattr(browser, "contexts"):
            browser = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.tab = browser.new_page()
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
        """Ask, wait for the whole answer, and return its text."""
        self.ask(question)
        self.tab.locator(".waiting").wait_for(state="detached")
        return self.tab.locator(".turn").last.inner_text()

    def answer_whatever(self, text):
        """Ask what may be shown otherwise than it was written, and wait for the end of its turn."""
        turns = self.tab.locator(".turn").count()
        self.tab.get_by_label("Question").fill(text)
        self.tab.get_by_label("Question").press("Enter")
        self.tab.locator(".turn").nth(turns).wait_for()
        self.tab.locator(".waiting").wait_for(state="detached")

    def sees(self, selector):
        """Return whether an element lies within the window."""
        return self.tab.locator(selector).evaluate(
            "e => { const r = e.getBoundingClientRect(); return r.height > 0 && r.top >= 0 && r.bottom <= innerHeight }"
        )

    def was_safe(self):
        assert [url for url in self.requests if not url.startswith((self.address, "data:", "blob:"))] == []
        assert self.complaints == []
        assert self.tab.evaluate("window.owned") is None
        return True
