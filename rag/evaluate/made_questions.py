"""Make questions with known answers from the articles, by rule: no model writes them and none judges them.

A question is a question word and the words that a sentence has besides the answer, in the order of the sentence, as people
type into a search box: ``How many exhibits: Taizhou expo rooms?``. The same articles always give the same questions. A question
that the articles do not answer is made from one that they answer: its names are replaced with those of another article, or it
asks for what another article counts.

Limits: the rules see words and not their meaning, so a second article may answer a question in other words; only numbers, sums,
shares, years and days are asked for; a question uses the article's own words, which makes its answer easier to find than that
of a reader's question. The figures serve to compare settings; they do not forecast how well readers' questions are answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any
from zlib import crc32

from rag.errors import UsageError
from rag.evaluate.measures import holds
from rag.index.reader import Reader
from rag.report.record import json_line
from rag.text.sentences import sentences
from rag.text.terms import content_terms
from rag.text.words import STOP_WORDS, WORD, full_names, names, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rag.types import Passage

ANSWERABLE_SHARE = 2 / 3
CUES = 6  # a question takes this many words of the sentence: up to half of them names, the rest those nearest to the answer
LEAST_CUES = 3
SAME = 0.75  # a passage with this share of a question's content words must contain the answer
APART = 0.5  # a passage with more than this share of a near miss's content words may answer it, so it is not asked

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
# The question word for what a sentence contains; the first pattern that matches counts.
_ASKED = (
    ("How much money", re.compile(rf"(?P<answer>[$€£¥]\s?{_NUMBER}(?: (?:m|b|tr)illion)?)")),
    ("What percentage", re.compile(rf"(?P<answer>{_NUMBER}\s?(?:%|per ?cent\b))")),
    ("On what day", re.compile(rf"\bon (?P<answer>\d{{1,2}} {_MONTH}|{_MONTH} \d{{1,2}})\b")),
    ("In what year", re.compile(r"\b(?:in|since|by) (?P<answer>1\d{3}|20\d{2})\b")),
    (
        "How many {}",
        re.compile(
            rf"(?<![\w.,$€£¥-])(?P<answer>{_NUMBER}) (?P<things>[a-z][a-z-]{{2,}}s|people|men|women|children)\b"
            r"(?! (?:ago|later|old))"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Made:
    """A question made from a sentence of ``sources``; no article answers it if ``answers`` is empty."""

    question: str
    kind: str
    answers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def record(self, number: int) -> dict[str, Any]:
        """Return the object of a line that :func:`rag.evaluate.gold.load_gold` reads."""
        return {
            "id": f"made-{number:03}",
            "question": self.question,
            "answerable": bool(self.answers),
            "answers": list(self.answers),
            "sources": list(self.sources),
            "evidence": list(self.evidence),
            "type": self.kind,
        }


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question in its parts, and the document that it is about."""

    source: str
    asks: str
    things: str
    cues: tuple[str, ...]

    def question(self) -> str:
        return f"{self.asks.format(self.things)}: {' '.join(self.cues)}?"


def write_questions(target: Path, index: Path, *, number: int) -> list[Made]:
    """Make questions from the articles of an index, write them to a new file, one JSON object a line, and return them.

    :raises UsageError: the file exists or cannot be written, or the articles give no question.
    :raises StoreError: there is no index, or it cannot be used.
    """
    if target.exists():
        raise UsageError(f"{target} exists; measure with `rag eval {target}`, or name a new file for the questions")
    with Reader.open(index) as store:
        made = make_questions(list(store.passages([int(i) for i in store.ids()]).values()), number=number)
    if not made:
        raise UsageError("the articles give no question by rule: they tell no number, sum, share, year or day; write your own")
    try:
        target.write_bytes("".join(f"{json_line(one.record(i))}\n" for i, one in enumerate(made, 1)).encode())
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}); name another file") from None
    return made


def make_questions(passages: Sequence[Passage], *, number: int) -> list[Made]:
    """Return at most ``number`` questions, two answerable ones for each unanswerable one, spread over the articles.

    There are fewer, or none, where the articles do not give as many.
    """
    library = _Library(passages)
    supply = chain.from_iterable(zip_longest(*(library.answerable(source) for source in library.sources)))
    found = list(islice(filter(None, supply), round(number * ANSWERABLE_SHARE)))
    others = library.unanswerable([asking for asking, _ in found])
    return [*(made for _, made in found), *islice(others, min(number - len(found), (len(found) + 1) // 2))]


class _Library:
    """The articles as the rules see them: the sentences of each source, and the terms of each passage."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._around = [f"{passage.heading}\n{passage.text}" for passage in passages]
        self._terms = [content_terms(text) for text in self._around]
        self._headings = {passage.document.source: passage.heading for passage in reversed(passages)}
        self._articles = {passage.document.source: passage.document.text for passage in passages}
        self._sentences: dict[str, dict[str, None]] = {source: {} for source in self._articles}
        for passage in passages:
            for start, end in sentences(passage.document.text, passage.start, passage.end):
                self._sentences[passage.document.source][passage.document.text[start:end]] = None
        self.sources = _mixed(self._articles)

    def answerable(self, source: str) -> Iterator[tuple[_Asking, Made]]:
        """Yield questions of an article that have exactly one answer, at most one from each sentence."""
        for sentence in _mixed(self._sentences[source]):
            asks, matches = next(((a, found) for a, pattern in _ASKED if (found := list(pattern.finditer(sentence)))), ("", []))
            if len(matches) != 1:  # either of two may be the answer
                continue
            match = matches[0]
            things, answer = match.groupdict().get("things") or "", " ".join(match["answer"].split())
            cues = self._cues(source, sentence[: match.start("answer")], sentence[match.end() :])
            asking = _Asking(source, asks, things, cues)
            if len(cues) >= LEAST_CUES and self._has_one_answer(asking.question(), answer):
                answers = tuple(dict.fromkeys((answer, answer.replace(",", ""))))
                yield asking, Made(asking.question(), "answered", answers, (source.rsplit("/", 1)[-1],), (sentence,))

    def unanswerable(self, askings: Sequence[_Asking]) -> Iterator[Made]:
        """Yield questions with the names of another article and questions for its things, in turn."""
        for turn, asking in enumerate(askings):
            others = [other for other in (*askings[turn + 1 :], *askings[:turn]) if other.source != asking.source]
            makers = (self._renamed, self._uncounted) if turn % 2 else (self._uncounted, self._renamed)
            if made := next(chain.from_iterable(make(asking, others) for make in makers), None):
                yield made

    def _cues(self, source: str, before: str, after: str) -> tuple[str, ...]:
        """Return the words of a sentence that its question takes: the names and words nearest to the answer, in their order."""
        if not full_names(f"{before}\n{after}"):
            before = f"{' '.join(full_names(self._headings[source])[:1])} {before}"
        said = [*_telling(before), *_telling(after)]
        at = len(_telling(before))
        named = names(f"{before} {after}")
        near = sorted(range(len(said)), key=lambda i: abs(i - at + 0.5))
        of_names = [i for i in near if not named.isdisjoint(words(said[i]))][: CUES // 2]
        chosen = sorted([*of_names, *(i for i in near if i not in of_names)][:CUES])
        return tuple(dict.fromkeys(said[i] for i in chosen))

    def _has_one_answer(self, question: str, answer: str) -> bool:
        """Return whether every passage with most of the question's words contains the answer, and there is one."""
        asked = content_terms(question)
        near = [text for text, terms in zip(self._around, self._terms, strict=True) if len(asked & terms) >= SAME * len(asked)]
        return bool(near) and all(holds(text, (answer,)) for text in near)

    def _renamed(self, asking: _Asking, others: Sequence[_Asking]) -> Iterator[Made]:
        for other in others:
            foreign = [
                cue for cue in other.cues if cue[0].isupper() and cue.casefold() not in self._articles[asking.source].casefold()
            ]
            kept = [cue for cue in asking.cues if not cue[0].isupper()]
            if foreign and kept:
                near_miss = _Asking(asking.source, asking.asks, asking.things, (*foreign, *kept))
                if self._answers_nowhere(near_miss.question(), foreign):
                    yield Made(near_miss.question(), "another name")

    def _uncounted(self, asking: _Asking, others: Sequence[_Asking]) -> Iterator[Made]:
        told = content_terms(self._articles[asking.source])
        for other in others:
            if other.things and told.isdisjoint(content_terms(other.things)):
                near_miss = _Asking(asking.source, other.asks, other.things, asking.cues)
                if self._answers_nowhere(near_miss.question(), [other.things]):
                    yield Made(near_miss.question(), "not told")

    def _answers_nowhere(self, question: str, exchanged: Iterable[str]) -> bool:
        """Return whether no passage has both a word of what was exchanged and many words of the rest."""
        new = content_terms(" ".join(exchanged))
        rest = content_terms(question) - new
        return all(len(rest & terms) <= APART * len(rest) for terms in self._terms if new & terms)


def _telling(text: str) -> list[str]:
    """Return the words of three letters and more that begin with a letter and are no stop words."""
    return [w for w in WORD.findall(text) if w[0].isalpha() and len(w) > 2 and w.casefold() not in STOP_WORDS]


def _mixed(texts: Iterable[str]) -> list[str]:
    """Return the texts in an order that looks random and is the same each time."""
    return sorted(texts, key=lambda text: (crc32(text.encode(errors="replace")), text))
