"""The values that flow through the system.

Data flows one way through frozen values: Document -> Passage -> Hit -> Answer. No stage edits the value of an earlier one,
and every span of text stays a half-open character range of a document, so that a quote is a slice and never a paraphrase.
This module knows no model, no file and no database.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12


@dataclass(frozen=True, slots=True)
class Document:
    """The extracted text of one source file, or of one article in a file of several (``news.zip/a.txt``, ``rows.csv/3``).

    ``source`` is the path relative to the indexed folder, with ``/`` between its parts; ``published`` is an ISO date
    (``2021-09-06``) or None; ``sha256`` is that of its bytes.
    """

    source: str
    text: str = field(repr=False)
    title: str
    published: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A half-open character span of a document; its identity is (document, position), never its content.

    ``heading`` is the title of the article or section that the passage belongs to: a file may hold several.
    """

    document: Document
    ordinal: int
    start: int
    end: int
    heading: str

    @property
    def text(self) -> str:
        """The passage's words: ``document.text[start:end]``."""
        return self.document.text[self.start : self.end]

    @property
    def headed(self) -> str:
        """The words under the heading, unless they begin with it: what is read when the passage is read by itself."""
        text = self.text
        return text if text.startswith(self.heading) else f"{self.heading}\n{text}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a :class:`Finder` says of one text: the probability (0..1) that it answers the question, and where.

    ``places`` are characters of the text at which the answer may begin, each with its probability given that it is there.
    """

    probability: float
    places: tuple[tuple[int, float], ...] = ()

    def within(self, start: int, end: int) -> float:
        """Return the probability that the answer is there and begins at the characters from ``start`` to before ``end``."""
        return self.probability * sum(p for at, p in self.places if start <= at < end)


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage. ``rank`` counts from 1; ``score`` is the fused one, larger is better.

    ``cosine`` is the similarity of question and passage (-1..1); ``bm25`` is the lexical score (0 and up, 0 when no word is
    shared). ``dense_rank`` and ``bm25_rank`` are its places, from 1, in the search by vectors and in that by words; None where
    that search did not give it. ``copies`` are further passages that add nothing to those that were kept, left out of the
    ranking; the score is that of the best placed. ``found`` is what was seen of an answer in ``passage.headed``; None where
    nothing looked for one.
    """

    passage: Passage
    rank: int
    score: float
    cosine: float
    bm25: float
    copies: tuple[Passage, ...] = ()
    dense_rank: int | None = None
    bm25_rank: int | None = None
    found: Found | None = None


class Verdict(StrEnum):
    """What the articles say of a claim."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"


class Status(StrEnum):
    """What became of a question: every claim held, some did, or none."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    REFUSED = "refused"


class State(StrEnum):
    """What has become of a cited file since it was indexed; unknown where its folder is not there to look at."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    MISSING = "missing"
    UNKNOWN = "unknown"

    @property
    def note(self) -> str:
        """What a reader should know, in plain words; empty when there is nothing to tell."""
        return {
            State.CHANGED: "the file has changed since it was indexed",
            State.MISSING: "the file is no longer where it was indexed",
        }.get(self, "")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open characters of a source: ``quote == document.text[start:end]``."""

    source: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Citation(Span):
    """The exact span that a marker of an answer stands for.

    ``support`` (0..1) says how far the quote backs the claims that carry the marker; ``sha256`` is the hash of the source file
    as it was indexed, and ``state`` says what has become of that file since. ``copies`` are the same sentence in other articles
    that print the same story: they are as exact, have the same marker, and their state is unknown.
    """

    marker: int
    title: str
    published: str | None
    support: float
    sha256: str
    state: State = State.UNKNOWN
    copies: tuple[Citation, ...] = ()


class CheckName(StrEnum):
    """What is looked at in a claim, in this order."""

    STATEMENT = "a statement"
    ADDITION = "more than the question"
    NEGATION = "not denied"
    FACTS = "names and numbers"
    WORDING = "words and meaning"
    MEANING = "follows from its source"


@dataclass(frozen=True, slots=True)
class Check:
    """One look at a claim; ``detail`` says in plain words what was found."""

    name: CheckName
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the answer with its verdict; ``markers`` is empty exactly when it was not published.

    ``checks`` are those that were made, in order. ``quoted`` marks a sentence of an article, word for word: it stands in the
    place of ``drafted``, or was added because the draft left it out, and ``drafted`` is empty.
    ``compared`` are the sentences that it was held against, published or not; empty when it got no further than being no
    statement. ``unbacked`` are the characters of ``text``, half-open, whose words a partly supported claim has from no sentence
    that it cites.
    """

    text: str
    verdict: Verdict
    support: float
    markers: tuple[int, ...] = ()
    checks: tuple[Check, ...] = ()
    quoted: bool = False
    drafted: str = ""
    compared: tuple[Span, ...] = ()
    unbacked: tuple[tuple[int, int], ...] = ()

    @property
    def failed(self) -> Check | None:
        """The first check that the claim did not pass."""
        return next((check for check in self.checks if not check.passed), None)

    @property
    def reason(self) -> str:
        """Why the claim is not fully supported, in plain words; empty when it is."""
        return self.failed.detail if self.failed else ""

    @property
    def marked(self) -> str:
        """The text with its markers before the final punctuation mark."""
        body = self.text.rstrip(".!?")
        return f"{body} {''.join(f'[{marker}]' for marker in self.markers)}{self.text[len(body) :] or '.'}"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that was measured to decide whether to answer; ``value`` is in 0..1, rounded to three places."""

    name: str
    value: float
    weight: float

    @property
    def points(self) -> float:
        """What the signal adds to the points of the decision, in thousandths, as it is shown."""
        return round(self.value * self.weight, 3)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the articles answer the question: points that add up to a probability, and the threshold for it.

    ``intercept`` are the points to begin with; None where nothing was left to weigh, and the probability is 0 then.
    """

    threshold: float
    intercept: float | None = None
    signals: tuple[Signal, ...] = ()

    @property
    def points(self) -> float:
        """The sum of all points."""
        return round((self.intercept or 0.0) + sum(signal.points for signal in self.signals), 3)

    @property
    def probability(self) -> float:
        """The logistic function of the points, rounded to three places as it is shown."""
        return 0.0 if self.intercept is None else round(1 / (1 + math.exp(-self.points)), 3)

    @property
    def answers(self) -> bool:
        """Whether the question is answered: the probability reaches the threshold."""
        return self.intercept is not None and self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The lines that were drawn before the decision, each in 0..1.

    ``near`` is the cosine of the best passage below which the generator is not asked. A claim is ``supported`` or ``partly``
    supported from such a support on; at most ``contradicted`` is left where its sources do not hold a name, number or denial.
    """

    near: float
    supported: float
    partly: float
    contradicted: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader gets, and the record of how it came about.

    ``text`` carries the markers ``[1]``.. of ``citations``. For a refusal it is ``reason``, which says what is missing, and the
    names of the articles of ``closest``: the best hit of each of the nearest. ``prompt`` is what the generator was given, empty
    when it was not asked, and ``draft`` what it wrote. ``claims`` holds the unpublished ones too. ``remarks`` are those of the
    notes that a reader of the answer should know of its articles: that several are copies of one, that they disagree, what a
    time in the question did to them. ``timings_ms`` is per step, in milliseconds.
    """

    question: str
    standalone_question: str
    text: str
    status: Status
    decision: Decision
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    reason: str = ""
    closest: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    prompt: tuple[Message, ...] = ()
    draft: str = ""
    thresholds: Thresholds = Thresholds(near=0.0, supported=0.0, partly=0.0, contradicted=0.0)
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def answerability(self) -> float:
        """The probability (0..1) that the articles answer the question."""
        return self.decision.probability

    def __str__(self) -> str:
        """Return the text, then the numbered sources with their quotes."""
        lines = [self.text]
        for c in self.citations:
            dated = f", {c.published}" if c.published else ""
            lines += ["", f"[{c.marker}] {c.title}{dated} ({c.source}, characters {c.start}-{c.end})", f"    “{c.quote}”"]
            lines += [f"    ({c.state.note})"] if c.state.note else []
            lines += [f"    the same in {', '.join(copy.source for copy in c.copies)}"] if c.copies else []
        lines += ["", *self.remarks] if self.remarks else []
        return "\n".join(lines)


class Message(TypedDict):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the articles that a question is asked of.

    ``since`` and ``until`` are ISO dates (``2021-09-06``), both days included, None is open; with either, an article without a
    date is left out. An article counts when its source or its title holds one of ``names``, literally and whatever the case;
    without ``names`` every article does.
    """

    since: str | None = None
    until: str | None = None
    names: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Return whether nothing is left out."""
        return self == EVERYTHING


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for one question alone; None is as configured.

    ``passages_read`` (1..20) is how many passages evidence is looked for in, ``threshold`` (0..1) the answerability below which
    the question is refused, ``max_new_tokens`` (1..512) the longest draft.
    """

    passages_read: int | None = None
    threshold: float | None = None
    max_new_tokens: int | None = None
    scope: Scope = EVERYTHING


AS_CONFIGURED = Options()
