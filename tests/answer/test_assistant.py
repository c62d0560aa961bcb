"""The flow: what is asked, what is shown while it grows, and what is refused."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest
from contract import MARKERS, assert_sound
from fakes import FakeChecker, FakeEncoder, ListRetriever, ScriptedGenerator, document, model_folder, words_of
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer import refusal
from rag.answer.assistant import MAX_NEW_TOKENS, Assistant
from rag.errors import UsageError
from rag.index.passages import split
from rag.index.writer import Writer
from rag.models.encoder import SentenceEncoder
from rag.models.generator import CausalGenerator
from rag.protocols import Written
from rag.search.followup import MAX_QUESTION_CHARS, check_question
from rag.search.hybrid import HybridRetriever
from rag.search.reranking import RerankingRetriever
from rag.types import EVERYTHING, Answer, Message, Options, Scope, Status

EXPO = document(
    "expo.txt",
    "The Taizhou expo has 2,500 exhibits in six rooms. Consul general Shehzad Khan praised the city. "
    "Planning minister Ahsan Iqbal met a delegation in Islamabad in 2024.",
    title="Expo in Taizhou",
)
OTHER = document("tyres.txt", "Two firms make tyres in Sialkot.", title="Tyres")
QUESTION = "How many exhibits does the Taizhou expo have?"
DRAFT = "The Taizhou expo has 2,500 exhibits. Consul general Shehzad Khan praised the city. "


@pytest.fixture
def willing(monkeypatch) -> None:
    """Publish whatever can be backed: what is tested is not how the threshold is tuned."""
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)


@pytest.fixture
def unwilling(monkeypatch) -> None:
    monkeypatch.setattr(refusal, "THRESHOLD", 2.0)


def assistant(*pieces: str, documents=(EXPO, OTHER), cosine: float = 0.8, fails: Exception | None = None) -> Assistant:
    return Assistant(
        ListRetriever(*documents, cosine=cosine), FakeEncoder(), ScriptedGenerator(*pieces, fails=fails), passages_read=4
    )


def asked(*texts: str) -> list[Message]:
    """A chat in which the user asked these."""
    return [turn for text in texts for turn in ({"role": "user", "content": text}, {"role": "assistant", "content": "Yes."})]


def assert_grows(answers: list[Answer]) -> None:
    """Hold that nothing shown is taken back: each answer begins with the one before it."""
    for answer in answers:
        assert_sound(answer)
    for one, next_one in pairwise(answers):
        assert one.status is not Status.REFUSED
        assert next_one.text.startswith(one.text)
        assert next_one.claims[: len(one.claims)] == one.claims
        spans = [[(c.marker, c.source, c.start, c.end) for c in answer.citations] for answer in (one, next_one)]
        assert spans[1][: len(spans[0])] == spans[0]


# --- an answer


def test_an_answer_cites_every_sentence_it_publishes(willing):
    answer = assistant(*words_of(DRAFT)).ask(QUESTION)
    assert_sound(answer)
    assert answer.status is Status.ANSWERED
    assert [claim.text for claim in answer.claims] == [
        "The Taizhou expo has 2,500 exhibits in six rooms.",
        "Consul general Shehzad Khan praised the city.",
    ]
    assert all(MARKERS.search(sentence) for sentence in re.findall(r"[^.]+\.", answer.text))


def test_an_answer_records_its_question_hits_draft_and_times(willing):
    answer = assistant(DRAFT).ask(f"  {QUESTION}\n")
    assert (answer.question, answer.standalone_question) == (QUESTION, QUESTION)
    assert [hit.passage.document.source for hit in answer.hits] == ["expo.txt", "tyres.txt"]
    assert answer.draft == DRAFT
    assert all(ms >= 0 for ms in answer.timings_ms.values())
    assert 0.0 <= answer.answerability <= 1.0


def test_an_answer_records_what_the_generator_was_given_and_what_the_decision_was_weighed_from():
    asking = assistant(*words_of(f"{DRAFT}Umar Saif flew to Paris in 1987."))
    answer = asking.ask(QUESTION)
    assert [list(answer.prompt)] == asking._generator.prompts
    assert answer.decision.threshold == refusal.THRESHOLD
    assert answer.decision.signals


def test_an_answer_for_which_the_generator_was_not_asked_records_no_prompt():
    asking = assistant(DRAFT, cosine=0.1)
    answer = asking.ask(QUESTION)
    assert (answer.prompt, answer.draft, answer.decision.signals) == ((), "", ())
    assert not asking._generator.prompts


def test_markers_that_the_model_wrote_are_replaced_by_ours(willing):
    answer = assistant(
        "The Taizhou expo has 2,500 exhibits [7]. Consul general Shehzad Khan praised the city 【3】 [^1] ［2］."
    ).ask(QUESTION)
    assert_sound(answer)
    assert "7" not in answer.text
    assert not set("【】［］^") & set(answer.text)


def test_a_sentence_that_the_articles_do_not_hold_is_kept_in_the_record_only(willing):
    answer = assistant(f"{DRAFT}Umar Saif flew to Paris in 1987.").ask(QUESTION)
    assert_sound(answer)
    assert answer.status is Status.PARTIAL
    assert "Paris" not in answer.text
    assert answer.claims[-1].text == "Umar Saif flew to Paris in 1987."
    assert any("Paris" in note for note in answer.notes)


def test_the_generator_reads_the_passages_and_the_question():
    asking = assistant(DRAFT)
    asking.ask(QUESTION)
    (prompt,) = asking._generator.prompts
    assert "2,500 exhibits" in prompt[-1]["content"]
    assert QUESTION in prompt[-1]["content"]


# --- a refusal


def test_without_hits_the_answer_is_refused_and_the_generator_never_asked():
    asking = assistant(DRAFT, documents=())
    answer = asking.ask(QUESTION)
    assert answer.status is Status.REFUSED
    assert_sound(answer)
    assert not asking._generator.prompts


def test_with_nothing_near_the_answer_is_refused_and_the_generator_never_asked(willing):
    asking = assistant(DRAFT, cosine=0.0)
    answer = asking.ask(QUESTION)
    assert answer.status is Status.REFUSED
    assert_sound(answer)
    assert not asking._generator.prompts
    assert "Expo in Taizhou" in answer.text


def test_a_refusal_before_reading_says_of_no_word_that_it_is_missing_which_is_there():
    assert "not mention" not in assistant(DRAFT, cosine=0.0).ask("Did Ahsan Iqbal praise Taizhou?").text


def test_a_draft_that_misnames_gives_way_to_the_nearest_sentence_word_for_word(willing):
    answer = assistant("The Paris expo has 2,500 exhibits.").ask(QUESTION)
    assert_sound(answer)
    assert [claim.quoted for claim in answer.claims] == [False, True]
    assert answer.status is Status.PARTIAL
    assert answer.claims[1].text == answer.citations[0].quote
    assert "Paris" not in answer.text


def test_with_nothing_left_after_checking_the_closest_articles_and_the_missing_names_are_told(unwilling):
    answer = assistant("Elon Musk sold 900 rockets in Zanzibar.").ask("Did Elon Musk visit Zanzibar?")
    assert answer.status is Status.REFUSED
    assert_sound(answer)
    for told in ("Elon", "Musk", "Zanzibar", "Expo in Taizhou", "expo.txt"):
        assert told in answer.text
    assert answer.claims[0].text == "Elon Musk sold 900 rockets in Zanzibar."


@pytest.mark.parametrize("draft", ["", " ", "The passages do not mention it.", "[1]", "..."])
def test_a_draft_that_says_nothing_is_a_refusal(willing, draft):
    answer = assistant(draft).ask(QUESTION)
    assert answer.status is Status.REFUSED
    assert_sound(answer)


def test_an_unlikely_answer_is_refused_and_its_claims_lose_their_markers(unwilling):
    answer = assistant(*words_of(DRAFT)).ask(QUESTION)
    assert answer.status is Status.REFUSED
    assert_sound(answer)
    assert len(answer.claims) == 2


def test_a_title_that_looks_like_a_marker_puts_none_into_a_refusal():
    hostile = document("a.txt", "Two firms make tyres.", title="Tyres [7] and 【2】")
    assert_sound(assistant("", documents=(hostile,)).ask(QUESTION))


# --- streaming


def test_asking_gives_the_last_of_the_stream(willing):
    last = streamed(assistant(*words_of(DRAFT)))[-1]
    answer = assistant(*words_of(DRAFT)).ask(QUESTION)
    assert (answer.text, answer.status, answer.claims, answer.citations) == (
        last.text,
        last.status,
        last.claims,
        last.citations,
    )


def streamed(asking, question=QUESTION, **changes):
    """Give the answers after the first, which tells only what is about to be read."""
    found, *answers = asking.stream(question, **changes)
    assert (found.text, found.claims, found.citations) == ("", (), ())
    assert found.hits
    return answers


def test_what_is_about_to_be_read_is_told_before_anything_is_written():
    asking = assistant(*words_of(DRAFT))
    found = next(asking.stream(QUESTION))
    assert EXPO.source in [hit.passage.document.source for hit in found.hits]
    assert not asking._generator.prompts


def test_a_sentence_is_shown_before_the_draft_is_complete(willing):
    asking = assistant(*words_of(f"{DRAFT}Planning minister Ahsan Iqbal met a delegation in Islamabad."))
    _, first = islice(asking.stream(QUESTION), 2)
    assert "2,500 exhibits" in first.text
    assert asking._generator.written < len(asking._generator.pieces)


def test_what_is_shown_grows_and_is_never_taken_back(willing):
    answers = streamed(assistant(*words_of(f"{DRAFT}He said 7. Planning minister Ahsan Iqbal met a delegation in 2024.")))
    assert len(answers) >= 2
    assert_grows(answers)


def test_a_refusal_is_shown_only_at_the_end(unwilling):
    answers = streamed(assistant(*words_of(DRAFT)))
    assert [answer.status for answer in answers] == [Status.REFUSED]


@pytest.mark.parametrize(
    "draft",
    [
        "The Taizhou expo has 2,500 exhibits\nConsul general Shehzad Khan praised the city\nAhsan Iqbal met a delegation",
        "- The Taizhou expo has 2,500 exhibits\n- Consul general Shehzad Khan praised the city\n- Ahsan Iqbal met a delegation",
        "1. The Taizhou expo has 2,500 exhibits.\n2. Shehzad Khan praised the city.\n3. Ahsan Iqbal met a delegation.",
        "Answer: Answer: the Taizhou expo has 2,500 exhibits. Shehzad Khan praised the city. Ahsan Iqbal met a delegation.",
        "The Taizhou expo has 2,500 exhibits. [1] Shehzad Khan praised the city. [[1]2] Ahsan Iqbal met a delegation. [3]",
        "Consul general Shehzad Khan praised the U.S. Army of Taizhou. Ahsan Iqbal met a delegation in Islamabad in 2024.",
        "Shehzad Khan praised the city.Ahsan Iqbal met a delegation.The Taizhou expo has 2,500 exhibits. Yes.",
    ],
)
@pytest.mark.parametrize("cut", ["words", "characters"])
def test_what_is_shown_grows_however_the_draft_is_written_and_cut(willing, draft, cut):
    pieces = words_of(draft) if cut == "words" else list(draft)
    answers = streamed(assistant(*pieces))
    assert_grows(answers)
    assert answers[-1].text == assistant(draft).ask(QUESTION).text


PIECES = st.sampled_from(
    [
        *EXPO.text.split(),
        "The Taizhou expo has 2,500 exhibits.",
        "Consul general Shehzad Khan praised the city.",
        "He said so.",
        "Umar Saif left Paris.",
        "[1]",
        "U.S.",
        "Dr.",
        ".",
        "\n",
        "\n\n",
        "- ",
        "😀",
        "。",
        "“",
        "”",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12), st.sampled_from([" ", ""]))
def test_any_stream_grows_and_ends_as_the_whole_draft_would(pieces, between):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusal, "THRESHOLD", 0.0)
        pieces = [piece + between for piece in pieces]
        answers = streamed(assistant(*pieces))
        assert_grows(answers)
        whole = assistant("".join(pieces)).ask(QUESTION)
        assert (answers[-1].text, answers[-1].claims) == (whole.text, whole.claims)


class Doubting:
    """Writes a draft cut into pieces; with each character comes a surprisal, and a piece tells the largest one so far."""

    def __init__(self, draft, cuts, surprisals):
        edges = [0, *sorted(cut % (len(draft) + 1) for cut in cuts), len(draft)]
        self.pieces = [Written(draft[a:b], max(surprisals[: b + 1]), known=0.8) for a, b in pairwise(edges)]

    def generate(self, messages, *, max_new_tokens):
        yield from self.pieces


def checked_assistant(generator):
    """An assistant with a checker, so that every signal counts."""
    checker = FakeChecker("2,500")
    retriever = RerankingRetriever(ListRetriever(EXPO, OTHER), checker)
    return Assistant(retriever, FakeEncoder(), generator, verifier=checker, passages_read=4)


SENTENCES = st.lists(
    st.sampled_from(
        [
            "The Taizhou expo has 2,500 exhibits.",
            "The Taizhou expo has 900 exhibits.",
            "Consul general Shehzad Khan praised the city.",
            "Planning minister Ahsan Iqbal met a delegation in Islamabad in 2024.",
            "It has six rooms [1].",
            "Umar Saif left Paris.",
            "The passages do not mention it.",
        ]
    ),
    min_size=1,
    max_size=4,
).map(" ".join)
DOUBTS = st.lists(st.floats(0, 4), min_size=400, max_size=400)
CUTS = st.lists(st.integers(0, 400), max_size=30)


@settings(max_examples=150, deadline=None)
@given(SENTENCES, CUTS, DOUBTS, st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7]))
def test_however_a_draft_is_cut_it_is_decided_the_same_and_what_was_shown_is_kept(draft, cuts, doubts, threshold):
    options = Options(threshold=threshold)
    *grown, cut = streamed(checked_assistant(Doubting(draft, cuts, doubts)), options=options)
    *_, whole = streamed(checked_assistant(Doubting(draft, [], doubts)), options=options)
    assert (cut.status, cut.decision, cut.text, cut.claims) == (whole.status, whole.decision, whole.text, whole.claims)
    assert all(cut.text.startswith(shown.text) and cut.status is not Status.REFUSED for shown in grown)
    assert all(shown.answerability <= cut.answerability for shown in grown)


def test_a_sentence_is_shown_early_where_it_is_certain_and_not_where_the_rest_may_take_it_back():
    late = [
        Written("The Taizhou expo has 2,500 exhibits. ", 0.1, 0.9),
        Written("Shehzad Khan", 3.0, 0.9),
        Written(" left.", 3.0, 0.9),
    ]

    class Late:
        def generate(self, messages, *, max_new_tokens):
            yield from late

    asking = checked_assistant(Late())
    certain = streamed(asking, options=Options(threshold=0.05))
    assert len(certain) == 2
    least = certain[-1].answerability
    assert len(streamed(asking, options=Options(threshold=least))) == 1
    assert streamed(asking, options=Options(threshold=least))[-1].status is not Status.REFUSED


def test_closing_the_stream_closes_the_generator(willing):
    asking = assistant(*words_of(DRAFT * 3))
    stream = asking.stream(QUESTION)
    assert len(list(islice(stream, 2))) == 2
    stream.close()
    assert asking._generator.closed_early
    assert asking._generator.written < len(asking._generator.pieces)


def test_a_stream_that_is_told_to_stop_ends_before_its_first_sentence_does(willing):
    asking = assistant(*words_of("The Taizhou expo has 2,500 exhibits and " * 9))
    assert not streamed(asking, stopped=lambda: asking._generator.written >= 3)
    assert asking._generator.closed_early
    assert asking._generator.written == 3


def test_a_stream_never_begun_asks_nobody():
    asking = assistant(DRAFT)
    asking.stream(QUESTION).close()
    assert not asking._generator.prompts


def test_an_error_of_the_generator_reaches_the_caller():
    with pytest.raises(RuntimeError, match="no memory left"):
        assistant("The Taizhou", fails=RuntimeError("no memory left")).ask(QUESTION)


def test_one_assistant_answers_several_threads(willing):
    asking = assistant(*words_of(DRAFT))
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(asking.ask(QUESTION).text)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 6
    assert len(set(texts)) == 1


# --- questions


@pytest.mark.parametrize(
    "question",
    ["", " ", "\n\t", "???", "😀", "\0", "\ud800", "\u200d", "\U000e0041\U000e0042", "\u202e", "a" * 1_000_000, "a " * 100_000],
)
def test_a_question_that_is_none_is_refused_with_a_hint_and_nothing_is_asked(question):
    asking = assistant(DRAFT)
    with pytest.raises(UsageError) as caught:
        asking.ask(question)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not asking._generator.prompts


@pytest.mark.parametrize("question", [None, b"How many?", ["How many?"], {"role": "user"}, 3, float("nan")])
def test_a_question_that_is_no_text_is_refused(question):
    with pytest.raises(UsageError, match=type(question).__name__):
        assistant(DRAFT).ask(question)


def test_a_question_of_the_greatest_length_is_asked():
    assert check_question("a" * MAX_QUESTION_CHARS)
    with pytest.raises(UsageError, match="shorten"):
        check_question("a" * (MAX_QUESTION_CHARS + 1))


@pytest.mark.parametrize(
    "hidden", ["\0", "\ud800", "\U000e0041\U000e007f", "\u202e", "\u2066", "\u200b", "\x1b[31m", "\x07", "\ufeff", "\u2028"]
)
def test_what_cannot_be_seen_in_a_question_does_not_reach_the_prompt(hidden):
    asking = assistant(DRAFT)
    answer = asking.ask(f"How many {hidden}exhibits does{hidden} Taizhou have?")
    prompts = "".join(message["content"] for prompt in asking._generator.prompts for message in prompt)
    for text in (answer.question, prompts):
        assert not {c for c in hidden if not c.isprintable()} & set(text)
    assert "exhibits" in answer.question


@pytest.mark.parametrize("word", ["می\u200cخواهم", "क्\u200dष", "👨\u200d👩\u200d👧"])
def test_joiners_that_a_script_or_an_emoji_needs_stay_in_a_question(word):
    assert check_question(f"What is {word}?") == f"What is {word}?"


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_is_a_question_or_refused(text):
    try:
        question = check_question(text)
    except UsageError:
        return
    assert question == question.strip() != ""
    assert check_question(question) == question
    question.encode()


# --- the options of one question


def test_options_hold_for_their_question_alone(willing):
    asking, scope = assistant(*words_of(DRAFT)), Scope(since="2021-01-01", names=("expo",))
    answers = [asking.ask(QUESTION, options=options) for options in (Options(1, 0.25, 7, scope), Options())]
    assert [len(answer.hits) for answer in answers] == [1, 2]
    assert [answer.decision.threshold for answer in answers] == [0.25, 0.0]
    assert asking._generator.limits == [7, MAX_NEW_TOKENS]
    assert asking._retriever.scopes == [scope, EVERYTHING]


def test_a_question_is_refused_below_the_threshold_of_its_options(willing):
    asking = assistant(*words_of(DRAFT))
    strict = streamed(asking, options=Options(threshold=1.0))
    assert [(answer.status, answer.decision.threshold) for answer in strict] == [(Status.REFUSED, 1.0)]
    assert asking.ask(QUESTION).status is Status.ANSWERED


def test_a_threshold_of_nothing_is_one(unwilling):
    answer = assistant(*words_of(DRAFT)).ask(QUESTION, options=Options(threshold=0))
    assert (answer.status, answer.decision.threshold) == (Status.ANSWERED, 0)


def test_where_the_scope_holds_no_article_nothing_is_said_of_the_articles():
    asking = assistant(DRAFT, documents=())
    answer = asking.ask("What do articles of 2021 say?", options=Options(scope=Scope(until="2020-01-01")))
    assert answer.status is Status.REFUSED
    assert_sound(answer)
    assert answer.text == "No article is within the chosen dates or files."
    assert answer.notes == ()
    assert not asking._generator.prompts


def test_a_refusal_names_three_articles_at_most(unwilling):
    five = [document(f"{name}.txt", EXPO.text, title=name) for name in "abcde"]
    answer = assistant(DRAFT, documents=five).ask(QUESTION)
    assert [hit.passage.document.title for hit in answer.closest] == ["a", "b", "c"]
    assert answer.text.endswith("The closest articles are “a” (a.txt), “b” (b.txt) and “c” (c.txt).")


def test_a_refusal_names_an_article_once_by_its_best_hit(unwilling):
    asking = assistant(DRAFT)
    one, other = asking._retriever.hits
    asking._retriever.hits = [one, replace(one, rank=2), replace(one, rank=3), replace(other, rank=4)]
    answer = asking.ask(QUESTION)
    assert [hit.rank for hit in answer.closest] == [1, 4]
    assert answer.text == (f"{answer.reason} The closest articles are “Expo in Taizhou” (expo.txt) and “Tyres” (tyres.txt).")


def test_a_refusal_of_a_part_of_the_articles_names_the_closest_of_them(unwilling):
    answer = assistant(DRAFT).ask(QUESTION, options=Options(scope=Scope(names=("expo",))))
    assert answer.text.startswith("The articles do not answer this.")
    assert "Expo in Taizhou" in answer.text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Options(passages_read=0), "passages_read .* from 1 to 20, not 0"),
        (Options(passages_read=21), "passages_read"),
        (Options(passages_read=2.5), "passages_read is a whole number"),
        (Options(threshold=-0.1), "threshold is a number from 0 to 1"),
        (Options(threshold=1.1), "threshold"),
        (Options(threshold=float("nan")), "threshold"),
        (Options(threshold="high"), "threshold"),
        (Options(max_new_tokens=0), "max_new_tokens"),
        (Options(max_new_tokens=513), "max_new_tokens .* from 1 to 512, not 513"),
        (Options(scope=Scope(since="6 September 2021")), "since is a date .* for example 2021-09-06"),
        (Options(scope=Scope(until="2021-02-30")), "until"),
        (Options(scope=Scope(until="20210906")), "until"),
        (Options(scope=Scope(until="")), "until"),
        (Options(scope=Scope(since=2021)), "since"),
        (Options(scope=Scope(names="expo")), "names is a tuple"),
        (Options(scope=Scope(names=(b"expo",))), "names"),
    ],
)
def test_an_option_out_of_range_is_refused_with_a_hint_and_nothing_is_asked(options, named):
    asking = assistant(DRAFT)
    with pytest.raises(UsageError, match=named) as caught:
        asking.ask(QUESTION, options=options)
    assert "\n" not in str(caught.value)
    assert not asking._retriever.questions


@pytest.mark.parametrize("options", [Options(1, 0, 1), Options(20, 1, 512), Options(threshold=0.5)])
def test_options_at_the_ends_of_their_range_are_taken(options):
    assert_sound(assistant(*words_of(DRAFT)).ask(QUESTION, options=options))


# --- the chat before


@pytest.mark.parametrize("earlier", ["???", "", " ", "😀", "\0"])
def test_an_earlier_turn_that_was_no_question_does_not_spoil_the_next(earlier):
    answer = assistant(DRAFT).ask("And how many rooms does it have?", history=asked(earlier))
    assert answer.standalone_question == "And how many rooms does it have?"
    assert_sound(answer)


def test_an_answer_says_how_a_leaning_question_was_understood(willing):
    answer = assistant(DRAFT).ask("And how many exhibits does it have?", history=asked("What is the Taizhou expo?"))
    assert answer.question == "And how many exhibits does it have?"
    assert "Taizhou" in answer.standalone_question
    assert any("Taizhou" in note for note in answer.notes)


def test_a_question_is_taken_by_itself_where_follow_ups_are_off(willing):
    parts = assistant(DRAFT)
    alone = Assistant(parts._retriever, parts._encoder, parts._generator, passages_read=4, follow_ups=False)
    answer = alone.ask("And how many exhibits does it have?", history=asked("What is the Taizhou expo?"))
    assert answer.standalone_question == answer.question


def test_what_an_assistant_turn_said_is_never_read():
    asking = assistant(DRAFT)
    asking.ask(
        "And in Taizhou?", history=[{"role": "user", "content": "Which expo?"}, {"role": "assistant", "content": "Zanzibar"}]
    )
    assert "Zanzibar" not in str(asking._generator.prompts)


# --- the real models


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The seeds, indexed and opened with the real models."""
    encoder = SentenceEncoder(model_folder("all-minilm-l6-v2", "encoder"))
    folder = tmp_path_factory.mktemp("index")
    with Writer.open(folder) as store:
        with store.transaction() as transaction:
            transaction.configure(encoder=encoder.identity, folder="seeds", passage_tokens=160)
            for path in sorted((Path(__file__).parents[2] / "seeds").glob("*.txt")):
                text = path.read_text(encoding="utf-8")
                d = document(path.name, text, title=text.strip().split("\n")[0][:80])
                passages = split(d, budget=160, count_tokens=encoder.count_tokens)
                transaction.put(d, passages, encoder.encode([p.text for p in passages]), size=len(text), mtime_ns=1)
        generator = CausalGenerator(model_folder("qwen2.5-coder-0.5b-instruct", "generator"))
        yield Assistant(HybridRetriever(store, folder, encoder), encoder, generator, passages_read=4)


@pytest.fixture
def no_network(monkeypatch) -> None:
    def refuse(self, address):
        raise AssertionError(f"connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_the_real_models_answer_from_the_seeds_without_a_network(real):
    answers = streamed(real, "How many exhibits did the Taizhou expo have?")
    assert_grows(answers)
    assert "2,500" in answers[-1].text
    assert any("2,500 exhibits" in c.quote for c in answers[-1].citations)


@pytest.mark.slow
def test_the_real_models_refuse_what_the_seeds_do_not_hold(real):
    answer = real.ask("Who won the chess world championship in Reykjavik in 1972?")
    assert answer.status is Status.REFUSED
    assert_sound(answer)


@pytest.mark.slow
def test_a_closed_stream_of_the_real_models_leaves_the_next_question_in_order(real):
    stream = real.stream("What did Khusro Bakhtyar highlight?")
    assert len(list(islice(stream, 2))) == 2
    stream.close()
    assert "2,500" in real.ask("How many exhibits did the Taizhou expo have?").text


@pytest.mark.slow
def test_two_threads_with_the_real_models_each_get_their_answer(real):
    texts: dict[int, str] = {}
    questions = ["How many exhibits did the Taizhou expo have?", "On how many acres is the Karachi Industrial Park set up?"]
    threads = [threading.Thread(target=lambda i=i, q=q: texts.update({i: real.ask(q).text})) for i, q in enumerate(questions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "2,500" in texts[0]
    assert "1500" in texts[1].replace(",", "")
