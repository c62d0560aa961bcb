"""Bad questions, histories, files, missing parts: a documented error or a polite refusal, at once, and never a crash."""

from __future__ import annotations

import json
import sys
import time

import pytest
from fakes import FakeEncoder, ScriptedGenerator
from hypothesis import given, settings
from hypothesis import strategies as st
from indexing import run, write

from rag.answer.assistant import Assistant
from rag.errors import ModelError, RagError, UsageError
from rag.files.folder import Note, find_files, read_file
from rag.files.sandbox import Extractor
from rag.index.reader import Reader
from rag.models.encoder import SentenceEncoder
from rag.models.generator import CausalGenerator
from rag.report import batch
from rag.report.record import answer_record, json_line
from rag.search.followup import check_question
from rag.search.hybrid import HybridRetriever
from rag.types import Document, Status

EXPO = "News of the expo\n\nThe expo in Multan had 2,500 exhibits. Visitors came by train from the whole province.\n"
REFUSED = [
    "",
    "   ",
    "???",
    "🚗",
    "\0",
    "\u202e\u200b",
    "\ud800",
    "x" * 1_000_000,
    "word " * 100_000,
    None,
    7,
    b"How many?",
    ["a"],
]
ASKED = [
    "the of and",
    "NULL \0 byte?",
    '{"question": "How many?"}',
    "' OR 1=1 --",
    "\ud800 many exhibits?",
    "How many" * 200,
    "٣ 车?",
]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("bad") / "articles", {"expo.txt": EXPO})
    run(folder)
    index, encoder = folder.parent / "index", FakeEncoder()
    store = Reader.open(index)
    generator = ScriptedGenerator("The expo in Multan had 2,500 exhibits.")
    with Assistant(HybridRetriever(store, index, encoder), encoder, generator, store=store, passages_read=4) as opened:
        yield opened


def quickly(happens):
    started = time.process_time()
    result = happens()
    assert time.process_time() - started < 1
    return result


@pytest.mark.parametrize("question", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_question_is_refused_at_once(assistant, question):
    for happens in (check_question, assistant.ask):
        with pytest.raises(UsageError, match="question") as caught:
            quickly(lambda happens=happens: happens(question))
        assert "\n" not in str(caught.value)
    if isinstance(question, str):
        (record,) = batch.answers(assistant, [json.dumps({"id": 1, "question": question}).encode()])
        assert record.keys() == {"schema", "id", "error"}


@pytest.mark.parametrize("question", ASKED, ids=range(len(ASKED)))
def test_an_odd_question_is_answered_or_refused_at_once(assistant, question):
    answer = quickly(lambda: assistant.ask(question))
    assert answer.status in Status
    json_line(answer_record(answer)).encode()


@pytest.mark.parametrize("history", [None, 7, "chat", {}, [None], [{}], [{"role": "user"}], [{"role": "user", "content": 1}]])
def test_a_history_that_is_none_is_refused(assistant, history):
    with pytest.raises(UsageError, match="history"):
        assistant.ask("And how many exhibits did it have?", history=history)


def test_an_index_of_one_passage_is_searched_however_many_are_asked_for(tmp_path):
    run(write(tmp_path / "articles", {"expo.txt": EXPO}))
    with Reader.open(tmp_path / "index") as store:
        retriever = HybridRetriever(store, tmp_path / "index", FakeEncoder())
        assert [hit.rank for hit in retriever.retrieve("How many exhibits?", top_k=50)] == [1]


@pytest.mark.parametrize(
    ("package", "opens"),
    [("sentence_transformers", SentenceEncoder), ("transformers", CausalGenerator), ("transformers.utils", SentenceEncoder)],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, package, opens):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=f"{package}.*make install"):
        opens(tmp_path)


# --- fuzz ------------------------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)
turns = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text(st.characters())})
questions = (
    st.text(st.characters(), max_size=300) | st.text("how many did it the 车٣\0\u202e?!\"'()*:^-", max_size=60) | anything
)
contents = (
    st.binary(max_size=400)
    | st.text(max_size=200).map(str.encode)
    | st.text(max_size=99).map(lambda text: text.encode("utf-16"))
)


def ask_anything(assistant, question, history):
    try:
        answer = assistant.ask(question, history=history)
    except RagError as error:
        assert "\n" not in str(error)
    else:
        json_line(answer_record(answer)).encode()


def load_anything(folder, suffix, content):
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    with Extractor() as extractor:
        for source, found in find_files([folder]).items():
            for one in read_file(found, source, [folder.resolve()], extractor):
                assert isinstance(one, (Document, Note))
    path.unlink()


@settings(max_examples=120, deadline=None)
@given(question=questions, history=st.lists(turns, max_size=3) | anything)
def test_any_question_is_answered_or_refused(assistant, question, history):
    ask_anything(assistant, question, history)


@settings(max_examples=80, deadline=None)
@given(suffix=st.sampled_from([".txt", ".md"]), content=contents)
def test_any_file_is_read_or_refused(tmp_path_factory, suffix, content):
    load_anything(tmp_path_factory.mktemp("fuzz"), suffix, content)


@pytest.mark.long
def test_two_thousand_inputs_raise_only_what_is_documented(assistant, tmp_path_factory, figures):
    folder, started = tmp_path_factory.mktemp("fuzz"), time.perf_counter()

    @settings(max_examples=1400, deadline=None, database=None)
    @given(question=questions, history=st.lists(turns, max_size=3) | anything)
    def ask(question, history):
        ask_anything(assistant, question, history)

    @settings(max_examples=600, deadline=None, database=None)
    @given(suffix=st.sampled_from([".txt", ".md"]), content=contents)
    def load(suffix, content):
        load_anything(folder, suffix, content)

    ask()
    load()
    figures("D8", "2,000 inputs made up by Hypothesis: 1,400 questions, 600 files", "0 undocumented errors", started)
