"""Sentence spans: exact, complete, right on news, and linear."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import sentences

# "|" marks where one sentence ends and the next begins.
RIGHT = [
    "Dr. Umar Saif met Mr. Khan.| He left.",
    "The bill was Rs. 5.2 million.| It was paid at 5 p.m. on Monday.",
    "The U.S. Army bought No. 5.| The U.K. did not.",
    "He moved to the U.S.| He liked it.",
    "“Together, we can,” he said.| “We will win.”| The crowd cheered.",
    "He asked “why?” and left.| “Really?” he asked.",
    "The minister (who was late.) sat down.| Then he spoke.",
    "It grew by 3.5 percent in Q2.| It fell later…| Then it rose.",
    "Gen. Bajwa met Lt. Gen. Faiz at 10 a.m. on Sept. 6.| The talks went well.",
    "Apple Inc. said it would pay.| So did Toyota Motor Corp.| The deal is off.",
    "George W. Bush met J. K. Rowling.| She smiled.",
    "P. David Soares is the attorney.| He won.",
    "See http://example.com/a.b?c=d for more.| It is free.",
    "The economy grew.[12]| He noted it.",
    "1. First item here.| Second sentence.",
    "- A bullet about Mr. X",
    "Wait!!| What?!| Yes.",
    'Sales rose 5%.| "We are happy," he said.',
    "He said no.| Then he left.",
    "他去了北京。|然后他回来了！|为什么？",
    "「行こう。」|彼は言った。",
    "यह पहला वाक्य है।| यह दूसरा है।",
    "یہ پہلا جملہ ہے۔| کیا یہ دوسرا ہے؟| ہاں۔",
    "A headline without a full stop\n|The first sentence of the article.",
    "Three things matter:\n|- price\n|- range\n|- looks",
    "The minister said on Tuesday that the government would\nnot be able to support the industry without help from\n"
    "Japan and China, which have long invested in Pakistan.| He\nleft.",
    "The talks went on until late in the evening, officials\nsaid.",
    "Headline of about this length on a page\n|Another headline of that length, too\n|Third headlines are long as others",
    "A headline of more than forty characters, then a link\n|https://example.com/a",
]


@pytest.mark.parametrize("marked", RIGHT)
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    text = marked.replace("|", "")
    assert [text[a:b] for a, b in sentences(text)] == [part.strip() for part in marked.split("|")]


def test_a_range_gives_spans_of_the_whole_text() -> None:
    text = "One is here. Two is here. Three is here."
    assert [text[a:b] for a, b in sentences(text, 13, 25)] == ["Two is here."]


def test_a_range_of_a_hard_wrapped_paragraph_is_joined_like_the_whole() -> None:
    text = (
        "The minister said on Tuesday that the government would\nnot be able to support the industry without help from\n"
        "Japan and China, which have long invested in Pakistan.\nHe left."
    )
    start = text.index("help")
    assert next(text[a:b] for a, b in sentences(text, start)).endswith("Japan and China, which have long invested in Pakistan.")


@given(st.text(st.sampled_from("aA1 .!?…\n\r\t\0\u2028\u00a0“”'()[]。۔؟•-😀\u0301\u200d\U0001f1f5中و")) | st.text())
def test_spans_are_in_order_trimmed_and_leave_out_only_blanks(text: str) -> None:
    spans = sentences(text)
    assert all(text[a:b].strip() == text[a:b] != "" for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    gaps = [0, *(edge for span in spans for edge in span), len(text)]
    assert all(not text[a:b].strip() for a, b in zip(gaps[::2], gaps[1::2], strict=True))


@pytest.mark.parametrize("unit", ["word ", "a", ".", ". ", ".”", "a. ", "A.", "\n", "a\n", "。", "“", " ", ".[1]"])
def test_half_a_megabyte_of_anything_takes_about_a_second(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    began = time.process_time()
    sentences(text)
    assert time.process_time() - began < 3  # 0.1 to 0.4 s on a quiet machine
