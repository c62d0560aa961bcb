"""Ask questions with known answers, and compute the figures: how many answers are right, refused, cited.

Most figures are shares (0..1), rounded to three places; a figure is None where there was nothing to measure. A refusal counts
as an empty text.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from rag.errors import RagError
from rag.evaluate.measures import holds, overlap, percentile, rouge_l, token_f1
from rag.types import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rag.evaluate.gold import Question
    from rag.types import Answer, Citation, Message

SAME_EVIDENCE = 0.6  # quote and gold evidence are the same sentence if they share more of the shorter one's words, in order

_MARKER = re.compile(r"\[\d+\]")

MEANINGS = {
    "answer_acc": "answerable questions whose answer holds a gold answer",
    "token_f1": "words shared with the best gold answer (SQuAD F1)",
    "rouge_l": "longest common word sequence with the best gold answer",
    "answered": "answerable questions that were not refused",
    "refuse_recall": "unanswerable questions that were refused",
    "refuse_prec": "refusals that were right",
    "balanced": "mean of answer_acc and refuse_recall",
    "cite_any": "answers with at least one citation",
    "cite_source": "answers to answerable questions that cite a gold article",
    "cite_evidence": "... and there quote the gold answer or evidence",
    "every_sentence_cited": "answers of which each published sentence is cited",
    "quotes_exact": "citations that quote their article to the character",
    "n": "questions",
    "failed": "questions that ended in an error (they count as refused)",
    "seconds_median": "seconds a question, median",
    "seconds_p95": "seconds a question, 95th percentile",
    "peak_memory_mb": "peak memory of the process in MB",
}


class Asker(Protocol):
    """Anything that answers, as :class:`rag.answer.assistant.Assistant` does."""

    def ask(self, question: str, *, history: Sequence[Message] = ()) -> Answer:
        """Answer one question."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one question; ``answer`` is None when it ended in ``error``."""

    question: Question
    answer: Answer | None
    seconds: float
    error: str = ""

    @property
    def refused(self) -> bool:
        """Whether the reader got no answer."""
        return self.answer is None or self.answer.status is Status.REFUSED

    @property
    def text(self) -> str:
        """The answer without its markers, empty when refused."""
        return "" if self.answer is None or self.refused else _MARKER.sub("", self.answer.text)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations of what was published."""
        return () if self.answer is None or self.refused else self.answer.citations

    @property
    def is_right(self) -> bool:
        """Whether the answer contains a gold answer, or was refused where the articles hold none."""
        return holds(self.text, self.question.answers) if self.question.answerable else self.refused

    @property
    def cites_source(self) -> bool:
        """Whether a citation names a gold article."""
        return any(self._in_gold(citation) for citation in self.citations)

    @property
    def cites_evidence(self) -> bool:
        """Whether a citation of a gold article quotes the gold answer or the gold evidence."""
        gold = self.question
        return any(
            self._in_gold(c) and (holds(c.quote, gold.answers) or overlap(c.quote, gold.evidence) > SAME_EVIDENCE)
            for c in self.citations
        )

    def _in_gold(self, citation: Citation) -> bool:
        return citation.source.rsplit("/", 1)[-1] in self.question.sources


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a run; ``MEANINGS`` explains each."""

    answer_acc: float | None
    token_f1: float | None
    rouge_l: float | None
    answered: float | None
    refuse_recall: float | None
    refuse_prec: float | None
    balanced: float | None
    cite_any: float | None
    cite_source: float | None
    cite_evidence: float | None
    every_sentence_cited: float | None
    quotes_exact: float | None
    n: int
    failed: int
    seconds_median: float | None
    seconds_p95: float | None
    peak_memory_mb: float | None

    def figures(self) -> dict[str, float | int | None]:
        """Return the figures by name, in the order in which they are shown."""
        return asdict(self)


def evaluate(assistant: Asker, questions: Iterable[Question], *, watch: Callable[[Outcome], object] | None = None) -> Report:
    """Ask every question and return the figures; ``watch`` is called with each outcome as soon as it is there."""
    outcomes = []
    for question in questions:
        outcomes.append(_ask(assistant, question))
        if watch:
            watch(outcomes[-1])
    return measure(outcomes)


def measure(outcomes: Sequence[Outcome]) -> Report:
    """Return the figures of the outcomes."""
    answerable = [o for o in outcomes if o.question.answerable]
    unanswerable = [o for o in outcomes if not o.question.answerable]
    published = [o for o in outcomes if not o.refused]
    answered = [o for o in answerable if not o.refused]
    accuracy = _mean(o.is_right for o in answerable)
    recall = _mean(o.refused for o in unanswerable)
    return Report(
        answer_acc=accuracy,
        token_f1=_mean(_best(token_f1, o) for o in answerable),
        rouge_l=_mean(_best(rouge_l, o) for o in answerable),
        answered=_mean(not o.refused for o in answerable),
        refuse_recall=recall,
        refuse_prec=_mean(not o.question.answerable for o in outcomes if o.refused),
        balanced=None if accuracy is None or recall is None else round((accuracy + recall) / 2, 3),
        cite_any=_mean(bool(o.citations) for o in published),
        cite_source=_mean(o.cites_source for o in answered),
        cite_evidence=_mean(o.cites_evidence for o in answered),
        every_sentence_cited=_mean(is_cited_throughout(o.answer) for o in published if o.answer),
        quotes_exact=_mean(exact for o in published if o.answer for exact in quotes_are_exact(o.answer)),
        n=len(outcomes),
        failed=sum(o.answer is None for o in outcomes),
        seconds_median=round(median(o.seconds for o in outcomes), 2) if outcomes else None,
        seconds_p95=round(percentile([o.seconds for o in outcomes], 0.95), 2) if outcomes else None,
        peak_memory_mb=peak_memory_mb(),
    )


def details(outcome: Outcome) -> dict[str, Any]:
    """Return one question with its answer and whether that was right: a line of ``rag eval --details``."""
    gold, answer = outcome.question, outcome.answer
    return {
        "id": gold.id,
        "question": gold.question,
        "answerable": gold.answerable,
        "answers": list(gold.answers),
        "right": outcome.is_right,
        "cites_source": outcome.cites_source,
        "cites_evidence": outcome.cites_evidence,
        "seconds": round(outcome.seconds, 3),
        "status": answer.status.value if answer else None,
        "answerability": answer.answerability if answer else None,
        "signals": {s.name: s.value for s in answer.decision.signals} if answer else {},
        "text": answer.text if answer else None,
        "draft": answer.draft if answer else None,
        "citations": [{"source": c.source, "quote": c.quote} for c in answer.citations] if answer else [],
        "notes": list(answer.notes) if answer else [],
        "error": outcome.error or None,
    }


def quotes_are_exact(answer: Answer) -> list[bool]:
    """Return for each citation whether its quote is exactly the cited span of its article, whose text the hits hold."""
    passages = [passage for hit in answer.hits for passage in (hit.passage, *hit.copies)]
    texts = {passage.document.source: passage.document.text for passage in passages}
    return [bool(c.quote) and texts.get(c.source, "")[c.start : c.end] == c.quote for c in answer.citations]


def is_cited_throughout(answer: Answer) -> bool:
    """Return whether the text consists only of claims with markers, and each marker has a citation."""
    rest, known = answer.text, {citation.marker for citation in answer.citations}
    for claim in answer.claims:
        if claim.markers:
            rest = rest.replace(claim.marked, "", 1)
    used = {marker for claim in answer.claims for marker in claim.markers}
    return used <= known and not any(c.isalnum() for c in rest)


def peak_memory_mb() -> float | None:
    """Return the largest resident size of this process so far, in MB; None on Windows, which does not tell."""
    if sys.platform == "win32":
        return None
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss starts with the size of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3 / 1.024), 1)


def _ask(assistant: Asker, question: Question) -> Outcome:
    started = time.perf_counter()
    try:
        answer = assistant.ask(question.question, history=question.history)
    except RagError as error:
        return Outcome(question, None, time.perf_counter() - started, str(error))
    return Outcome(question, answer, time.perf_counter() - started)


def _best(score: Callable[[str, str], float], outcome: Outcome) -> float:
    return max((score(outcome.text, gold) for gold in outcome.question.answers), default=0.0)


def _mean(values: Iterable[float]) -> float | None:
    measured = list(values)
    return round(sum(measured) / len(measured), 3) if measured else None
