"""What is said and what backs it: the value between the draft and the answer, and how markers are numbered, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.types import Citation, Claim, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rag.answer.evidence import Sentence
    from rag.types import Check


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the draft, or one of an article that is printed in its place or added.

    ``sentences`` are those that it was held against; when it is ``published`` it cites them. ``backing`` (0..1) says how far
    they back what the draft said of them; None where the draft said nothing of them that holds. ``drafted`` is what a quoted
    sentence of an article stands for, empty when the draft left it out.
    """

    text: str
    verdict: Verdict
    support: float
    sentences: tuple[Sentence, ...] = ()
    checks: tuple[Check, ...] = ()
    published: bool = False
    backing: float | None = None
    quoted: bool = False
    drafted: str = ""
    unbacked: tuple[tuple[int, int], ...] = ()

    @property
    def failed(self) -> Check | None:
        """The first check that the statement did not pass."""
        return next((check for check in self.checks if not check.passed), None)


def cited_sentences(statements: Iterable[Statement]) -> tuple[Sentence, ...]:
    """Return the sentences that the published statements cite, each once, in the order in which their markers are numbered."""
    return tuple(dict.fromkeys(s for statement in statements if statement.published for s in statement.sentences))


def numbered(statements: Sequence[Statement]) -> tuple[tuple[Claim, ...], tuple[Citation, ...]]:
    """Return the claims with their markers, and the citations that the markers stand for.

    Markers count from 1 in order of appearance; a sentence that backs several claims has one.
    """
    markers = {sentence: number for number, sentence in enumerate(cited_sentences(statements), start=1)}
    backings = [(s, statement.backing) for statement in statements if statement.published for s in statement.sentences]
    support: dict[Sentence, float] = {}
    for sentence, backing in backings:
        if backing is not None:
            support[sentence] = max(support.get(sentence, 0.0), backing)
    claims = tuple(_claim(statement, markers) for statement in statements)
    citations = tuple(_citation(number, sentence, support.get(sentence, 1.0)) for sentence, number in markers.items())
    return claims, citations


def _claim(statement: Statement, markers: dict[Sentence, int]) -> Claim:
    return Claim(
        statement.text,
        statement.verdict,
        round(statement.support, 3),
        tuple(sorted(markers[s] for s in statement.sentences)) if statement.published else (),
        statement.checks,
        statement.quoted,
        statement.drafted,
        tuple(s.span for s in statement.sentences),
        statement.unbacked,
    )


def _citation(marker: int, sentence: Sentence, support: float) -> Citation:
    document, span = sentence.document, sentence.span
    return Citation(
        span.source,
        span.start,
        span.end,
        span.quote,
        marker,
        document.title,
        document.published,
        round(support, 3),
        document.sha256,
    )
