"""Hours of use in minutes: 500 questions, 50 updates and 200 files sent leave nothing behind. Stand-ins for the models."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from browsing import SmallEncoder, indexed
from fakes import ScriptedGenerator

from rag.answer import refusal
from rag.answer.assistant import Assistant
from rag.index.reader import Reader
from rag.search.hybrid import HybridRetriever
from rag.types import Options
from rag.web.answering import SharedAssistant, with_question
from rag.web.conversation import Conversation
from rag.web.library import ADDED, Library
from rag.web.loading import BackgroundAssistant

pytestmark = pytest.mark.long

QUESTIONS, UPDATES, FILES = 500, 50, 200
WARM = 10  # updates, with a fifth of all questions, after which nothing may grow any more


def held():
    """Return the process's resident bytes, open files and threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_nothing_grows_over_many_questions_updates_and_files(tmp_path, monkeypatch, figures):
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)
    started = time.perf_counter()
    index = indexed(tmp_path, **{f"a{n}": f"Story {n}. The expo had {n} exhibits in {n % 12 + 1} halls." for n in range(200)})
    encoder = SmallEncoder()
    store = Reader.open(index)
    generator = ScriptedGenerator("The expo had 7 exhibits in 8 halls.")
    assistant = Assistant(HybridRetriever(store, index, encoder), encoder, generator, store=store, passages_read=8)
    opening = BackgroundAssistant(lambda progress: assistant)
    opening.start()
    opening.assistant()
    service, library = SharedAssistant(opening), Library(index, lambda: encoder)
    sent, answered = tmp_path / "sent", 0
    for number in range(UPDATES):
        for each in range(FILES // UPDATES):
            sent.write_text(f"Sent {number} {each}. A new hall opened.", encoding="utf-8")
            assert len(library.add([("sent.txt", sent)]).stored) == 1
        for path in list((index.parent / "articles" / ADDED).iterdir())[: FILES // UPDATES // 2]:
            library.remove(f"{ADDED}/{path.name}")
        assert library.start_update()
        while library.state.running:
            time.sleep(0.001)
        assert not library.state.problem
        for each in range(QUESTIONS // UPDATES):
            conversation = with_question(Conversation(), f"How many exhibits did the expo have in story {each}?")
            *_, ended = service.answer(f"reader {each}", conversation, Options())
            answered += bool(ended.turns[-1].answer)
        generator.prompts.clear()
        encoder.texts.clear()
        if number == WARM:
            warm = held()
    bytes_held, files, threads = held()
    assert answered == QUESTIONS
    assert files <= warm[1]
    assert threads <= warm[2]
    assert bytes_held <= 1.05 * warm[0]
    assistant.close()
    library.close()
    growth = f"{100 * (bytes_held / warm[0] - 1):+.1f} % memory, {files - warm[1]:+d} files, {threads - warm[2]:+d} threads"
    figures("E5", f"{QUESTIONS} questions, {UPDATES} updates and {FILES} files sent, after a fifth of them", growth, started)
