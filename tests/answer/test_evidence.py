"""Evidence: exact sentence spans of the hits, and the excerpts of them that are read."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from fakes import FakeEncoder, ListRetriever, document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.evidence import NO_EVIDENCE, SENTENCES_READ, excerpts, gather, nearest
from rag.types import Found, Hit, Passage

TEXTS = st.text(alphabet=st.sampled_from("aB é😀车。.!?\n\u2028\u200d،؟0١,“”- \t"), max_size=120)


def hits_of(*texts: str) -> list[Hit]:
    return ListRetriever(*(document(f"{i}.txt", text) for i, text in enumerate(texts))).hits


def test_every_sentence_is_an_exact_span_of_its_document():
    evidence = gather("cars", hits_of("One car. Two trains!", "“Three ships,” he said."), FakeEncoder())
    assert [s.text for s in evidence.sentences] == ["One car.", "Two trains!", "“Three ships,” he said."]
    assert all(s.text == s.document.text[s.start : s.end] for s in evidence.sentences)


def test_vectors_and_likeness_go_with_the_sentences():
    encoder = FakeEncoder()
    evidence = gather("Two trains!", hits_of("One car. Two trains!"), encoder)
    assert evidence.vectors.shape == (2, encoder.dimension)
    assert evidence.sentences[0].likeness < evidence.sentences[1].likeness == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("title", ["Fleet", "One car."])
def test_what_was_found_in_a_passage_belongs_to_the_sentence_where_it_begins(title):
    passage = Passage(document("a.txt", "One car. Two trains. Three ships.", title=title), 0, 0, 33, title)
    found = Found(0.8, ((passage.headed.index("trains"), 0.75), (passage.headed.index("ships"), 0.25)))
    evidence = gather("q", [Hit(passage, 1, 1.0, 1.0, 0.0, found=found)], FakeEncoder())
    held = {s.text: s.found for s in evidence.sentences}
    assert held["Two trains."] == pytest.approx(0.6)
    assert held["Three ships."] == pytest.approx(0.2)
    assert held.get("One car.", 0.0) == 0.0


def test_where_the_answer_was_found_is_read_first():
    evidence = gather("One car?", hits_of("One car. Two trains. Three ships."), FakeEncoder())
    assert nearest("One car?", evidence).text == "One car."
    *others, last = evidence.sentences
    surer = replace(last, found=5.0)  # how much a probability counts is measured elsewhere
    assert nearest("One car?", replace(evidence, sentences=(*others, surer))).text == "Three ships."


def test_the_encoder_is_asked_once():
    encoder = FakeEncoder()
    gather("cars", hits_of("One car. Two trains!", "Three ships."), encoder)
    assert encoder.calls == 1


def test_a_span_that_two_passages_share_is_one_sentence():
    d = document("a.txt", "One car. Two trains. Three ships.")
    first, second = Passage(d, 0, 0, 20, "t"), Passage(d, 1, 9, len(d.text), "t")
    evidence = gather("q", [Hit(first, 1, 1.0, 1.0, 0.0), Hit(second, 2, 0.5, 1.0, 0.0)], FakeEncoder())
    assert [s.text for s in evidence.sentences] == ["One car.", "Two trains.", "Three ships."]


def test_the_same_words_in_two_files_are_two_sentences():
    evidence = gather("q", hits_of("One car.", "One car."), FakeEncoder())
    assert [s.document.source for s in evidence.sentences] == ["0.txt", "1.txt"]


def test_a_passages_heading_belongs_to_its_surroundings_and_not_to_its_sentences():
    d = document("a.txt", "One car.", title="Taizhou expo")
    sentence = gather("q", ListRetriever(d).hits, FakeEncoder()).sentences[0]
    assert "taizhou" in sentence.passage_words
    assert "taizhou" not in sentence.words


def test_no_hits_give_no_evidence_and_no_excerpts():
    evidence = gather("cars", [], FakeEncoder())
    assert (evidence.sentences, len(evidence.vectors)) == ((), 0)
    assert excerpts("cars", evidence) == excerpts("cars", NO_EVIDENCE) == []


def test_a_sentence_precedes_only_the_next_of_its_document():
    one, two, three = gather("q", hits_of("One car. Two trains. Three ships."), FakeEncoder()).sentences
    other = gather("q", hits_of("x", "One car. Two trains."), FakeEncoder()).sentences[-1]
    assert one.precedes(two)
    assert not one.precedes(three)
    assert not two.precedes(one)
    assert not one.precedes(other)


def test_the_likeliest_sentence_comes_first_and_brings_its_neighbours():
    filler = " ".join(f"Filler number {word} stands here." for word in "alpha bravo charlie delta echo golf hotel".split())
    evidence = gather("Which trains run?", hits_of(filler, f"{filler} All trains run daily. {filler}"), FakeEncoder())
    shown = excerpts("Which trains run?", evidence)
    assert "Filler number hotel stands here. All trains run daily. Filler number alpha stands here." in shown[0].text


def test_what_is_read_is_bounded_however_much_was_found():
    texts = ["".join(f"Sentence {i} of {j} speaks of cars. " for i in range(30)) for j in range(8)]
    shown = excerpts("cars", gather("cars", hits_of(*texts), FakeEncoder()))
    assert sum(e.text.count("speaks") for e in shown) <= 3 * SENTENCES_READ


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_spans_and_excerpts_are_exact_over_any_text(texts, question):
    evidence = gather(question, hits_of(*texts), FakeEncoder(16))
    assert len(evidence.sentences) == len(evidence.vectors)
    assert len({(s.document.source, s.start, s.end) for s in evidence.sentences}) == len(evidence.sentences)
    for s in evidence.sentences:
        assert s.passage.start <= s.start < s.end <= s.passage.end
        assert s.text == s.document.text[s.start : s.end]
    shown = excerpts(question, evidence)
    for e in shown:
        assert 0 <= e.start < e.end <= len(e.document.text)
        assert e.text == e.document.text[e.start : e.end]
    # No character is read twice.
    spans = sorted((e.document.source, e.start, e.end) for e in shown)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(spans))
    assert np.isfinite([s.likeness for s in evidence.sentences]).all()
