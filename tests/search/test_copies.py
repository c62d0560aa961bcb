"""Wire copies: one story in many files counts once, each file stays citable, and another number is another story."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import FakeEncoder, ListRetriever, ScriptedGenerator, count_words, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer import refusal
from rag.answer.assistant import Assistant
from rag.index.passages import split
from rag.index.writer import Writer
from rag.report.record import answer_record
from rag.search.copies import collapse, copies_of, counted
from rag.search.hybrid import HybridRetriever
from rag.types import Citation, Hit, Passage
from rag.web import answer_html, source_html
from rag.web.conversation import Turn

if TYPE_CHECKING:
    from pathlib import Path

    from rag.types import Document

STORY = [
    "KARACHI: The battery plant of Mega Motors at Port Qasim will employ 1,200 people, the company said on Thursday.",
    "It is to make 40,000 batteries a year for electric rickshaws and small cars.",
    "Construction began in March and is expected to take two years, according to the chief engineer, Sana Malik.",
    "The provincial government has promised to build a road and a grid station for the site.",
    "Residents of the nearby fishing village had asked the court to stop the work until the shore is protected.",
    "The court heard them in May and let the work go on under the eye of an inspector.",
    "Most of the machines will come from a supplier in Taizhou, which trains the first group of workers.",
    "The company expects to export a third of what it makes to Kenya and Egypt from the second year on.",
    "Analysts welcomed the plan but warned that the price of lithium has doubled since last winter.",
    "Mega Motors did not say how much of the cost it would borrow from banks at home.",
]
OTHERS = [
    "Mega Motors of Lahore hired a new head of marketing for its tractor business this week.",
    "The port of Qasim handled more coal than grain in the first half of the year.",
    "Workers of a textile mill in Faisalabad ended their strike after the owners offered better pay.",
    "A battery recycler near Hub was fined because lead had leaked into a canal.",
    "Electric rickshaws are now allowed on the ring road of Peshawar, the traffic police said.",
    "The employment office of Sindh counts fewer people without work than a year ago.",
]
QUESTION = "How many people will the battery plant of Mega Motors employ?"


def wire_copy(chance: random.Random) -> str:
    """Print the story as another outlet would: headline, dateline, furniture, a trimmed end, a changed word."""
    lines = STORY[: chance.randint(6, len(STORY))]
    lines[0] = chance.choice(["KARACHI: ", "KARACHI (Wire) - ", "PORT QASIM, Nov 20 (Wire) – ", ""]) + lines[0].removeprefix(
        "KARACHI: "
    )
    changes = [("let the work go on", "allowed the work to go on"), ("nearby", "neighbouring"), ("welcomed", "praised")]
    old, new = chance.choice(changes)
    lines = [line.replace(old, new) if chance.random() < 0.5 else line for line in lines]
    for furniture in ("Advertisement", "Share this on", "Published November 20, 2025", "You May Also Like"):
        if chance.random() < 0.4:
            lines.insert(chance.randint(1, len(lines)) if furniture != "You May Also Like" else len(lines), furniture)
    headline = chance.choice(["Battery plant to rise at Port Qasim", "Mega Motors plans battery plant", "Jobs at the port", ""])
    return chance.choice(["\n", "\n\n"]).join(filter(None, [headline, *lines]))


def hits_of(*documents: Document, budget: int = 60) -> list[Hit]:
    passages = [passage for each in documents for passage in split(each, budget=budget, count_tokens=count_words)]
    return [Hit(passage, rank, 1 / rank, 0.5, 0.5) for rank, passage in enumerate(passages, start=1)]


def kept_texts(hits: list[Hit]) -> list[str]:
    return [hit.passage.text for hit in collapse(hits)]


def put_split(store: Writer, *documents: Document) -> None:
    with store.transaction() as transaction:
        transaction.configure(encoder="fake:1", folder="/articles", passage_tokens=60)
        for each in documents:
            passages = split(each, budget=60, count_tokens=count_words)
            vectors = FakeEncoder().encode([passage.headed for passage in passages])
            transaction.put(each, passages, vectors, size=1, mtime_ns=1)


# --- what is a copy


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_a_wire_copy_adds_no_passage(seed):
    whole = hits_of(document("a.txt", "\n\n".join(STORY)))
    copy = hits_of(document("b.txt", wire_copy(random.Random(seed))))
    kept = collapse([*whole, *copy])
    assert [hit.passage.document.source for hit in kept if hit.passage.document.source == "b.txt"] == []
    assert sum(len(hit.copies) for hit in kept) == len(copy)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_no_passage_is_lost_whatever_is_a_copy_of_what(seed):
    chance = random.Random(seed)
    hits = hits_of(*(document(f"{i}.txt", wire_copy(chance)) for i in range(6)))
    chance.shuffle(hits)
    spans = sorted((p.document.source, p.start) for hit in collapse(hits) for p in (hit.passage, *hit.copies))
    assert spans == sorted((hit.passage.document.source, hit.passage.start) for hit in hits)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from([("1,200", "1,500"), ("40,000", "14,000"), ("two years", "three years"), ("a third", "a fifth")]),
)
def test_a_copy_with_one_number_changed_keeps_the_passage_that_differs(seed, change):
    chance = random.Random(seed)
    changed = wire_copy(chance).replace(*change)
    kept = kept_texts(hits_of(document("a.txt", "\n\n".join(STORY)), document("b.txt", changed)))
    if change[1] in changed:
        assert any(change[1] in text for text in kept)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The court approved the merger of the two banks.", "The court rejected the merger of the two banks."),
        (
            "Exports of the mill rose in the second half of the year.",
            "Exports of the mill fell in the second half of the year.",
        ),
        ("India beat Pakistan in the final at Lahore on Sunday.", "Pakistan beat India in the final at Lahore on Sunday."),
        ("The blast killed 12 and wounded 15 people.", "The blast killed 15 and wounded 12 people."),
        ("The loan is worth $5 million a year.", "The loan is worth €5 million a year."),
        ("The minister did not sign the treaty in Ankara.", "The minister did sign the treaty in Ankara."),
        (
            "Mega Motors will build a battery plant at Port Qasim with 1,200 jobs, the company announced.",
            "A battery factory that gives work to 1,200 people is to be built at Port Qasim by Mega Motors.",
        ),
    ],
)
def test_what_is_told_otherwise_is_no_copy(one, other):
    assert len(kept_texts(hits_of(document("a.txt", one), document("b.txt", other)))) == 2


def test_a_table_with_one_other_row_is_no_copy():
    before = "The jury of the film festival in Karachi named the winners of this year on Friday evening.\n\nFilm | Hina Bilal\n"
    one, other = (document(f"{name}.txt", f"{before}Music | {name}\n") for name in ("Sana", "Omar"))
    assert len(kept_texts(hits_of(one, other))) == 2


def test_a_copy_has_another_headline_and_a_number_in_it_is_never_lost():
    headed = [document(f"{i}.txt", f"{head}\n\n{STORY[0]}\n\n{STORY[1]}") for i, head in enumerate(("To open", "1,500 jobs"))]
    (kept,) = kept_texts(hits_of(*headed, budget=100))
    assert "1,500" in kept
    assert [kept] == kept_texts(hits_of(*headed[::-1], budget=100))


def test_lines_that_are_no_sentences_are_compared_where_they_are_more_than_a_headline():
    zones = ("Northern zone\n\nOpen from June", "Southern zone\n\nOpen from May")
    told = [document(f"{i}.txt", f"{zone}\n\n{STORY[0]}\n\n{STORY[1]}") for i, zone in enumerate(zones)]
    assert len(kept_texts(hits_of(*told, budget=100))) == 2


def test_who_does_it_to_whom_is_no_mere_order_of_words():
    one, other = (
        f"{a} beat {b} in the reading test of the schools in the north." for a, b in (("Girls", "boys"), ("Boys", "girls"))
    )
    assert len(kept_texts(hits_of(document("a.txt", one), document("b.txt", other)))) == 2


def test_lists_of_other_items_are_no_copies():
    before = "The jury of the film festival in Karachi named the winners of this year on Friday evening.\n"
    one, other = (before + "".join(f"- {name}\n" for name in names.split()) for names in ("Sana Omar", "Hina Bilal"))
    assert len(kept_texts(hits_of(document("a.txt", one), document("b.txt", other)))) == 2


def test_the_fuller_of_two_takes_the_place_of_the_trimmed_one():
    trimmed, whole = (document(f"{n}.txt", "\n".join(STORY[:n])) for n in (2, 4))
    (kept,) = collapse(hits_of(trimmed, whole, budget=100))
    assert kept.passage.document.source == "4.txt"
    assert [copy.document.source for copy in kept.copies] == ["2.txt"]
    assert (kept.rank, kept.score) == (1, 1.0)


# --- retrieval


@pytest.mark.parametrize("print_", [lambda _: "\n\n".join(STORY), wire_copy], ids=["the same bytes", "wire copies"])
def test_an_article_that_lies_there_fifty_times_leaves_room_for_others(tmp_path: Path, print_):
    chance = random.Random(1)
    with Writer.open(tmp_path) as store:
        put_split(store, *(document(f"c{i:02}.txt", print_(chance)) for i in range(50)))
        put_split(store, *(document(f"o{i}.txt", text) for i, text in enumerate(OTHERS)))
        hits = HybridRetriever(store, tmp_path, FakeEncoder()).retrieve(QUESTION, top_k=5)
    texts = [hit.passage.text for hit in hits]
    assert "1,200 people" in texts[0]
    assert len(set(texts)) == 5
    firsts = {line.removeprefix("KARACHI: ")[:40] for line in STORY}
    assert max(sum(first in text for text in texts) for first in firsts) <= 2  # a passage cut elsewhere may share a sentence
    named = {p.document.source for hit in hits for p in (hit.passage, *hit.copies)}
    assert sum(source.startswith("c") for source in named) == 50


def test_without_copies_the_hits_are_those_of_the_searches_alone(tmp_path: Path, monkeypatch):
    with Writer.open(tmp_path) as store:
        put_split(store, document("s.txt", "\n\n".join(STORY)), *(document(f"o{i}.txt", t) for i, t in enumerate(OTHERS)))
        retriever = HybridRetriever(store, tmp_path, FakeEncoder())
        hits = [retriever.retrieve(question, top_k=8) for question in (QUESTION, "What did the court do?")]
        monkeypatch.setattr(
            "rag.search.hybrid.collapse", lambda found: [replace(h, rank=i) for i, h in enumerate(found, start=1)]
        )
        assert hits == [retriever.retrieve(question, top_k=8) for question in (QUESTION, "What did the court do?")]


# --- an answer


@pytest.fixture
def willing(monkeypatch) -> None:
    monkeypatch.setattr(refusal, "THRESHOLD", 0.0)


def asked(*documents: Document, draft: str = "The plant will employ 1,200 people."):
    listed = ListRetriever()
    listed.hits = collapse(hits_of(*documents))
    return Assistant(listed, FakeEncoder(), ScriptedGenerator(draft), passages_read=8).ask(QUESTION)


COPIES = [
    replace(document(name, text), published=day)
    for name, text, day in (
        ("a.txt", "\n\n".join(STORY), "2025-11-20"),
        ("b.txt", "Jobs at the port\n" + "\n".join(STORY[:7]), None),
        ("c.txt", "\n".join(STORY).replace("KARACHI: ", "PORT QASIM (Wire) - "), "2025-11-21"),
    )
]


@pytest.mark.usefixtures("willing")
def test_a_citation_lists_its_copies_exactly_and_the_answer_counts_them():
    answer = asked(*COPIES, document("o.txt", OTHERS[0]))
    first = answer.citations[0]
    assert [copy.source for copy in first.copies] == sorted({"a.txt", "b.txt", "c.txt"} - {first.source})
    texts = {each.source: each.text for each in COPIES}
    for copy in first.copies:
        assert copy.quote == texts[copy.source][copy.start : copy.end]
        assert "1,200 people" in copy.quote
        assert copy.source in str(answer)
    (remark,) = answer.remarks
    assert remark == "3 articles, 1 independent source"
    record = answer_record(answer)
    assert remark in record["notes"]
    assert [copy["source"] for copy in record["citations"][0]["copies"]] == [copy.source for copy in first.copies]


@pytest.mark.usefixtures("willing")
def test_a_copy_opens_in_the_page_at_its_sentence():
    answer = asked(*COPIES)
    turns = [Turn(QUESTION, answer)]
    html = answer_html.conversation(turns)
    assert "3 articles, 1 independent source" in html
    for number, copy in enumerate(answer.citations[0].copies, start=1):
        assert f'data-open="0.c1.{number}"' in html
        opened = source_html.source(turns, f"0.c1.{number}")
        assert '<mark class="current"' in opened
        assert copy.source in opened
    for key in ("0.c1.9", "0.c1.0", "0.h1.1", "0.c1."):
        with pytest.raises(LookupError):
            source_html.source(turns, key)


@pytest.mark.usefixtures("willing")
def test_without_copies_nothing_is_remarked():
    answer = asked(COPIES[0], document("o.txt", OTHERS[0]))
    assert answer.remarks == ()
    assert all(citation.copies == () for citation in answer.citations)


def test_a_file_with_another_number_is_no_copy_of_the_sentence_cited():
    changed = document("d.txt", "\n\n".join(STORY).replace("1,200", "1,500"))
    hits = collapse(hits_of(COPIES[0], changed, budget=40))
    cited = STORY[0]
    start = COPIES[0].text.index(cited)
    citation = Citation("a.txt", start, start + len(cited), cited, 1, "t", None, 1.0, "0")
    assert copies_of(citation, hits) == ()


def test_a_sentence_has_copies_where_an_article_adds_sentences_of_its_own_between_those_copied():
    theirs = document("d.txt", " ".join(line for pair in zip(STORY, OTHERS, strict=False) for line in pair))
    hits = collapse(hits_of(COPIES[0], theirs, budget=100))
    assert {hit.passage.document.source for hit in hits} == {"a.txt", "d.txt"}
    start = COPIES[0].text.index(STORY[1])
    citation = Citation("a.txt", start, start + len(STORY[1]), STORY[1], 1, "t", None, 1.0, "0")
    (copy,) = copies_of(citation, hits)
    assert (copy.source, copy.quote) == ("d.txt", STORY[1])


def test_a_quote_that_two_stories_share_makes_neither_a_copy():
    theirs = document("d.txt", " ".join([OTHERS[0], STORY[1], OTHERS[1]]))
    start = COPIES[0].text.index(STORY[1])
    citation = Citation("a.txt", start, start + len(STORY[1]), STORY[1], 1, "t", None, 1.0, "0")
    assert copies_of(citation, collapse(hits_of(COPIES[0], theirs, budget=100))) == ()


def cite(source: str, *copies: str) -> Citation:
    one = Citation(source, 0, 1, "x", 1, "t", None, 1.0, "0")
    return replace(one, copies=tuple(replace(one, source=copy) for copy in copies))


@pytest.mark.parametrize(
    ("citations", "said"),
    [
        ([], ""),
        ([cite("a"), cite("b")], ""),
        ([cite("a", "b")], "2 articles, 1 independent source"),
        ([cite("a", "b"), cite("b", "c"), cite("d")], "4 articles, 2 independent sources"),
        ([cite("a", "b"), cite("c"), cite("c", "b")], "3 articles, 1 independent source"),
    ],
)
def test_articles_that_share_a_text_are_one_source(citations, said):
    assert counted(citations) == said


def test_a_passage_is_itself_whatever_stands_before_it():
    text = "\n\n".join(STORY)
    passage = Passage(document("a.txt", text), 0, 0, len(text), "t")
    assert len(collapse([Hit(passage, 1, 1.0, 0.5, 0.5)])) == 1
