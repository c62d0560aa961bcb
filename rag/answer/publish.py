"""What the reader gets: an answer with its text, notes and remarks, or the refusal in its place. Pure but for today's date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from rag.answer.claims import without_markers
from rag.answer.evidence import NO_EVIDENCE
from rag.answer.grounding import CONTRADICTED, PARTLY, SUPPORTED
from rag.answer.refusal import NEAR_ENOUGH, missing_words
from rag.answer.statements import numbered
from rag.search.copies import copies_of, counted
from rag.search.question_time import dates_asked, remark
from rag.types import EVERYTHING, Answer, Decision, Status, Thresholds, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rag.answer.disagreement import Disagreement
    from rag.answer.evidence import Evidence
    from rag.answer.statements import Statement
    from rag.search.question_time import Asked
    from rag.types import Citation, Claim, Hit, Message, Scope

THRESHOLDS = Thresholds(near=NEAR_ENOUGH, supported=SUPPORTED, partly=PARTLY, contradicted=CONTRADICTED)
CLOSEST = 3  # articles that a refusal names


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question and what was found for it, before anything is written."""

    question: str
    standalone: str
    threshold: float
    scope: Scope = EVERYTHING
    hits: tuple[Hit, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    disagreements: tuple[Disagreement, ...] = ()
    prompt: tuple[Message, ...] = ()

    @property
    def asked(self) -> Asked | None:
        """The time that the question speaks of."""
        return dates_asked(self.standalone, date.today())

    @property
    def prefers_newer(self) -> bool:
        """Whether the newer of two articles that disagree counts: not where the question names a time."""
        return not self.asked or self.asked.latest


def beginning(inquiry: Inquiry, timings_ms: Mapping[str, float]) -> Answer:
    """Return the answer before anything is written: it has no text, and tells what was found."""
    return _answer(inquiry, Status.PARTIAL, Decision(inquiry.threshold), timings_ms)


def published(
    inquiry: Inquiry,
    draft: str,
    statements: Sequence[Statement],
    decision: Decision,
    timings_ms: Mapping[str, float],
) -> Answer:
    """Return the answer with the claims that hold and their markers; or the refusal, where the decision is to refuse."""
    if not decision.answers:
        return refused(inquiry, timings_ms, draft, statements, decision)
    claims, citations = numbered(statements)
    whole = all(claim.verdict is Verdict.SUPPORTED for claim in claims)
    text = " ".join(claim.marked for claim in claims if claim.markers)
    answer = _answer(inquiry, Status.ANSWERED if whole else Status.PARTIAL, decision, timings_ms, draft, claims, citations)
    return replace(answer, text=text)


def refused(
    inquiry: Inquiry,
    timings_ms: Mapping[str, float],
    draft: str = "",
    statements: Sequence[Statement] = (),
    decision: Decision | None = None,
) -> Answer:
    """Return the refusal: what is missing, and which articles come closest. No claim of it is published."""
    claims, _ = numbered([replace(statement, published=False) for statement in statements])
    answer = _answer(inquiry, Status.REFUSED, decision or Decision(inquiry.threshold), timings_ms, draft, claims)
    reason, closest = _reason(inquiry), _nearest(inquiry.hits)
    named = [f"“{without_markers(hit.passage.heading)}” ({hit.passage.document.source})" for hit in closest]
    text = f"{reason} The closest articles are {_listed(named)}." if named else reason
    return replace(answer, text=text, reason=reason, closest=closest)


def _reason(inquiry: Inquiry) -> str:
    if not inquiry.hits and not inquiry.scope.is_everything:
        return "No article is within the chosen dates or files."
    missing = missing_words(inquiry.standalone, inquiry.evidence) if inquiry.evidence.sentences else []
    also = f" The passages nearest to it do not mention {_listed(missing)}." if missing else ""
    return f"The articles do not answer this.{also}"


def _nearest(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the best hit of each of the nearest articles."""
    nearest: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        nearest.setdefault((hit.passage.document.source, hit.passage.heading), hit)
    return tuple(nearest.values())[:CLOSEST]


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _answer(
    inquiry: Inquiry,
    status: Status,
    decision: Decision,
    timings_ms: Mapping[str, float],
    draft: str = "",
    claims: tuple[Claim, ...] = (),
    citations: tuple[Citation, ...] = (),
) -> Answer:
    """Return the record of an answer that has no text yet."""
    notes = [f"not published: {claim.text} ({claim.reason})" for claim in claims if not claim.markers and claim.reason]
    if inquiry.standalone != inquiry.question:
        notes.append(f"understood as: {inquiry.standalone}")
    citations = tuple(replace(citation, copies=copies_of(citation, inquiry.hits)) for citation in citations)
    remarks = tuple(filter(None, _remarks(inquiry, citations)))
    return Answer(
        question=inquiry.question,
        standalone_question=inquiry.standalone,
        text="",
        status=status,
        decision=decision,
        claims=claims,
        citations=citations,
        hits=inquiry.hits,
        notes=(*notes, *remarks),
        remarks=remarks,
        prompt=inquiry.prompt,
        draft=draft,
        thresholds=THRESHOLDS,
        timings_ms={step: round(ms, 1) for step, ms in timings_ms.items()},
    )


def _remarks(inquiry: Inquiry, citations: Sequence[Citation]) -> Iterator[str]:
    """Yield what a reader should know of the articles: the time asked for, what speaks against a citation, copies."""
    asked = inquiry.asked
    if asked and inquiry.hits:
        yield remark(asked, inquiry.hits)
    cited = {(citation.source, citation.start) for citation in citations}
    for each in inquiry.disagreements:
        if any((s.document.source, s.start) in cited for s in each.sentences):
            yield f"{each}; the newer is preferred" if inquiry.prefers_newer and each.outdated else str(each)
    yield counted(citations)
