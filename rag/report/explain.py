"""An answer to the story of how it came about, as sections for people and as a record for programs. Pure.

Every word that the sections quote of articles and models is data: who prints them makes it harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.report.record import answer_record
from rag.search.hybrid import CANDIDATES, RRF_K
from rag.search.reranking import READ
from rag.types import CheckName, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.types import Answer, Check, Citation, Claim, Hit, Passage, Span

SIGNALS = {
    "found": "probability of the checker that the likeliest passage answers the question",
    "found_cited": "probability of the checker that a sentence that would be cited holds the answer",
    "passage_cosine": "likeness of the question and the best passage (cosine)",
    "sentence_cosine": "likeness of the question and the best sentence that would be cited (cosine)",
    "sentence_coverage": "share of the question's words that one cited sentence holds, small words such as “the” aside",
    "names_held": "share of the question's names in one sentence that would be cited, or its heading (1 when it has none)",
    "numbers_held": "share of the question's numbers in the passages that would be cited (1 when it has none)",
    "type_fits": "1 when the answer adds the kind of thing asked for (a number, date or name, where one is), else 0",
    "sure": "how sure the model was of the most doubtful words that it wrote (their probability, as a geometric mean)",
    "known": "probability of a probe of the model's inner states that the passages it read answer the question",
    "backed": "1 when the articles back a sentence that the model wrote, else 0",
}
CHECKS = {
    CheckName.STATEMENT: "it says something that can be checked",
    CheckName.ADDITION: "it says more than the question does",
    CheckName.NEGATION: "neither it nor the articles deny what the other says",
    CheckName.FACTS: "they are in the articles as said",
    CheckName.WORDING: "enough of them is in the articles",
    CheckName.MEANING: "what it says follows from the sentences that it was held against, as far as the checker can tell",
}
STEPS = {
    "retrieve": "finding the passages",
    "gather": "comparing their sentences with the question",
    "read": "the model reads and writes",
    "check": "checking the draft",
}
MESSAGES = {"system": "Instruction (role: system)", "user": "Passages and question (role: user)"}
VERDICTS = {
    Verdict.SUPPORTED: "supported",
    Verdict.PARTLY: "supported in part",
    Verdict.UNSUPPORTED: "not supported",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph of a section, ``indent`` columns in. ``exact`` text keeps its line breaks; other text is one line."""

    text: str
    indent: int = 0
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One step, under its title."""

    title: str
    lines: tuple[Line, ...]


def sections(answer: Answer) -> list[Section]:
    """Tell each step that an answer took, in order."""
    told = {
        "How the question was understood": _question(answer),
        "Passages found": _hits(answer),
        "What the model was given": _prompt(answer),
        "What the model wrote": _draft(answer),
        "How each sentence was checked": _claims(answer),
        "Why it was refused" if answer.status is Status.REFUSED else "Why it was answered": _decision(answer),
        "What to know of the articles": map(Line, answer.remarks),
        "Time taken": _times(answer),
    }
    written = ((title, tuple(lines)) for title, lines in told.items())
    return [Section(title, lines) for title, lines in written if lines]


def explained_record(answer: Answer, *, asked_id: object = None) -> dict[str, Any]:
    """Return the object that ``rag ask --json --explain`` prints: that of ``--json``, and ``explain`` with every step."""
    record, decision = answer_record(answer, asked_id=asked_id), answer.decision
    explanation = {
        "standalone_question": answer.standalone_question,
        "hits": [_hit_record(hit) for hit in answer.hits],
        "prompt": [dict(message) for message in answer.prompt],
        "draft": answer.draft,
        "claims": [_claim_record(claim) for claim in answer.claims],
        "citations": record["citations"],
        "decision": {
            "status": answer.status.value,
            "reason": decided(answer),
            "probability": None if decision.intercept is None else decision.probability,
            "threshold": decision.threshold,
            "intercept": decision.intercept,
            "signals": [
                {"name": signal.name, "value": signal.value, "weight": signal.weight, "points": signal.points}
                for signal in decision.signals
            ],
        },
        "timings_ms": record["timings_ms"],
    }
    return {**record, "explain": explanation}


def decided(answer: Answer) -> str:
    """Return in one sentence why a question was answered or refused."""
    likely = f"the probability that the articles answer the question is {answer.answerability:.3f}"
    threshold = f"{answer.decision.threshold:g}"
    if answer.status is not Status.REFUSED:
        part = " Only in part, because not every sentence is fully supported." if answer.status is Status.PARTIAL else ""
        return f"Answered: {likely}, and from {threshold} on a question is answered.{part}"
    if not answer.hits:
        return "Refused: no passage was found, so the model was not asked."
    if not answer.prompt:
        nearest = max(hit.cosine for hit in answer.hits)
        return (
            f"Refused: the likeness of the question and the nearest passage (cosine) is {nearest:.3f}. "
            f"Below {answer.thresholds.near:g} no passage is about the question, so the model was not asked."
        )
    if answer.decision.intercept is None:
        return "Refused: no article backs a sentence of the draft, so there was nothing to publish and no probability to weigh."
    return f"Refused: {likely}, and below {threshold} a question is refused."


def _question(answer: Answer) -> Iterator[Line]:
    if answer.standalone_question != answer.question:
        yield Line("The question leans on the one before it, so that one was taken along. From here on the question is:")
        yield Line(answer.standalone_question, 2)


def _hits(answer: Answer) -> Iterator[Line]:
    if not answer.hits:
        yield Line("None.")
        return
    yield Line(
        "Two searches go through all passages of the articles. One is by meaning: it compares question and passage as a whole "
        "(cosine, at most 1, larger is nearer). One is by words: it counts the words that both hold, rare ones for more "
        f"(BM25, 0 and up). Each gives its {CANDIDATES} best. A place p in a list is worth 1 / ({RRF_K} + p), and the sum over "
        "both lists is the score that orders the passages."
    )
    if any(hit.found for hit in answer.hits):
        yield Line(
            f"The checker then read the best {READ} together with the question, and gave each the probability that it answers. "
            "By that they are ordered once more, and both orders are fused in the same way: that sum is the score told below."
        )
    for hit in answer.hits:
        meaning, words = _placed(hit.dense_rank), _placed(hit.bm25_rank)
        yield Line(f"{hit.rank}. {hit.passage.heading}")
        yield Line(f"{_passage_place(hit.passage)}, score {hit.score:.4f}", 4)
        yield Line(f"by meaning: {meaning}, cosine {hit.cosine:.3f}", 4)
        yield Line(f"by words: {words}" + (f", BM25 {hit.bm25:.2f}" if hit.bm25_rank else ""), 4)
        if hit.found:
            yield Line(f"the checker: probability {hit.found.probability:.3f} that it answers the question", 4)
        for copy in hit.copies:
            yield Line(f"left out, because it says the same in nearly the same words: {_passage_place(copy)}", 4)


def _placed(rank: int | None) -> str:
    return f"place {rank}" if rank else f"not found (not among the {CANDIDATES} best)"


def _prompt(answer: Answer) -> Iterator[Line]:
    if not answer.prompt:
        yield Line("Nothing: it was not asked.")
        return
    yield Line("Of those passages, the sentences likeliest to hold the answer, with their neighbours. Word for word:")
    for message in answer.prompt:
        yield Line(f"{MESSAGES.get(message['role'], message['role'])}:")
        yield Line(message["content"], 4, exact=True)


def _draft(answer: Answer) -> Iterator[Line]:
    if not answer.draft.strip():
        yield Line("Nothing.")
        return
    yield Line("This is a draft. What follows decides what of it is published. Word for word:")
    yield Line(answer.draft.strip(), 4, exact=True)


def _claims(answer: Answer) -> Iterator[Line]:
    if not answer.claims:
        yield Line("There was no sentence to check.")
        return
    at = answer.thresholds
    yield Line(
        "The draft is cut into sentences, without reference marks and openings such as “According to the agency,”. Each is "
        "held against the few sentences of the articles that fit it best, and only against those. "
        "Support (0 to 1) is how far the articles back a sentence: "
        f"from {at.supported:g} on it is supported, from {at.partly:g} on in part, and below that it is not published. "
        "Where the check of names, numbers or denials fails, "
        f"at most {at.contradicted:g} is left."
    )
    cited = {c.marker: c for c in answer.citations}
    for number, claim in enumerate(answer.claims, start=1):
        yield Line(f"{number}. “{claim.text}”")
        yield Line(f"{_fate(claim, answer.status)}; {VERDICTS[claim.verdict]}, support {claim.support:.3f}", 4)
        yield from (Line(_checked(check), 4) for check in claim.checks)
        if claim.unbacked:
            yield Line(f"not in the sentences it cites: {', '.join(claim.text[a:b] for a, b in claim.unbacked)}", 4)
        yield from (Line(f"cites [{marker}]: {_place(cited[marker])}", 4) for marker in claim.markers if marker in cited)
        if not claim.markers:
            yield from (
                Line(f"taken from {_place(s)}" if claim.quoted else f"held against {_place(s)}: “{s.quote}”", 4)
                for s in claim.compared
            )


def _fate(claim: Claim, status: Status) -> str:
    """Return what became of a claim."""
    why = (
        f"in place of what the draft says of it, “{claim.drafted}”" if claim.drafted else "added because the draft left it out"
    )
    quoted = f"an article's own sentence, {why}; " if claim.quoted else ""
    if claim.markers:
        return f"{quoted}published with {''.join(f'[{marker}]' for marker in claim.markers)}"
    backed = claim.verdict is not Verdict.UNSUPPORTED
    return f"{quoted}not published{', because the question was refused' if backed and status is Status.REFUSED else ''}"


def _checked(check: Check) -> str:
    found = check.detail or CHECKS.get(check.name, "")
    return f"{'passed' if check.passed else 'FAILED'}, {check.name}" + (f": {found}" if found else "")


def _decision(answer: Answer) -> Iterator[Line]:
    yield Line(decided(answer))
    if (intercept := answer.decision.intercept) is None:
        return
    yield Line(
        "The probability comes from signals between 0 and 1. Each times its weight gives points; the weights were fitted on "
        "questions whose answers are known."
    )
    yield Line(f"{intercept:+.3f} points to begin with", 2)
    for signal in answer.decision.signals:
        yield Line(f"{signal.points:+.3f} points: {signal.name} {signal.value:.3f} × weight {signal.weight:.2f}", 2)
        yield Line(SIGNALS.get(signal.name, signal.name), 6)
    sum_of_points = f"{answer.decision.points:+.3f} points in all"
    yield Line(f"{sum_of_points}: probability {answer.answerability:.3f} (0 points would be 0.5)", 2)


def _times(answer: Answer) -> Iterator[Line]:
    for step, ms in answer.timings_ms.items():
        yield Line(f"{ms / 1000:.3f} s {step}: {STEPS.get(step, step)}")
    if answer.timings_ms:
        yield Line(f"{sum(answer.timings_ms.values()) / 1000:.3f} s in all, without loading the models")


def _passage_place(passage: Passage) -> str:
    return f"{passage.document.source}, characters {passage.start}-{passage.end}"


def _place(span: Citation | Span) -> str:
    return f"{span.source}, characters {span.start}-{span.end}"


def _hit_record(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "dense_rank": hit.dense_rank,
        "cosine": hit.cosine,
        "bm25_rank": hit.bm25_rank,
        "bm25": hit.bm25,
        "found": hit.found.probability if hit.found else None,
        **_span_record(hit.passage),
        "copies": [_span_record(copy) for copy in hit.copies],
    }


def _span_record(passage: Passage) -> dict[str, Any]:
    return {"source": passage.document.source, "start": passage.start, "end": passage.end, "heading": passage.heading}


def _claim_record(claim: Claim) -> dict[str, Any]:
    return {
        "text": claim.text,
        "verdict": claim.verdict.value,
        "support": claim.support,
        "markers": list(claim.markers),
        "published": bool(claim.markers),
        "unbacked": [list(span) for span in claim.unbacked],
        "quoted": claim.quoted,
        "drafted": claim.drafted,
        "checks": [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in claim.checks],
        "compared": [{"source": s.source, "start": s.start, "end": s.end, "quote": s.quote} for s in claim.compared],
    }
