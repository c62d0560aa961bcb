"""Opens the parts and wires the flow: question -> hits -> evidence -> draft -> checked claims -> answer.

The only file that knows all of it. Every answer that leaves it has been checked, also one that is still growing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from rag.answer import prompt, refusal
from rag.answer.claims import claims_of, without_markers
from rag.answer.disagreement import disagreements, without
from rag.answer.evidence import NO_EVIDENCE, excerpts, gather, nearest
from rag.answer.grounding import Grounded, ground
from rag.answer.quoting import in_own_words, with_nearest
from rag.config import load_config
from rag.errors import UsageError
from rag.index.file_state import with_states
from rag.index.reader import Reader
from rag.models.cache import silent
from rag.models.loading import load_answer_models
from rag.search.copies import copies_of, counted
from rag.search.followup import check_question, standalone
from rag.search.question_time import dates_asked, remark
from rag.search.reranking import retriever_over
from rag.types import AS_CONFIGURED, EVERYTHING, Answer, Status, Verdict, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Generator as Stream
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from rag.answer.disagreement import Disagreement
    from rag.answer.evidence import Evidence
    from rag.config import Config
    from rag.models.fetch import Progress
    from rag.search.question_time import Asked
    from rag.types import Citation, Claim, Encoder, Generator, Hit, Message, Options, Retriever, Scope, Verifier

MAX_NEW_TOKENS = 96
LIMITS = (("passages_read", int, 1, 20), ("threshold", float, 0, 1), ("max_new_tokens", int, 1, 512))  # of an option
CLOSEST = 3  # articles named by a refusal
NOTHING_WRITTEN = Written("", 0.0)
NEAR_ENOUGH = 0.15  # cosine of the best passage; below it none is about the question, and the generator is not asked


class Assistant:
    """An open index with its models; a context manager. One object may be asked from several threads."""

    def __init__(
        self,
        retriever: Retriever,
        encoder: Encoder,
        generator: Generator,
        *,
        verifier: Verifier | None = None,
        store: Reader | None = None,
        passages_read: int,
        follow_ups: bool = True,
    ) -> None:
        """Wire parts that are open already; :meth:`open` opens the real ones.

        Without a ``verifier`` a sentence is checked by its words, numbers and names alone; the ``store`` tells which cited
        files have changed, and is closed with the assistant; without ``follow_ups`` every question is taken by itself,
        whatever was asked before.
        """
        self._retriever = retriever
        self._encoder = encoder
        self._generator = generator
        self._verifier = verifier
        self._passages_read = passages_read
        self._follow_ups = follow_ups
        self._store = store

    @classmethod
    def open(cls, index: str | Path | None = None, *, config: Config | None = None, progress: Progress = silent) -> Self:
        """Open the index in a folder and load the models, fetching them the first time.

        :raises RagError: the index or a model cannot be had; the message says which command helps.
        """
        config = config or load_config(index=index)
        store = Reader.open(config.index)
        try:
            models = load_answer_models(config, progress)
            return cls(
                retriever_over(store, config.index, models.encoder, models.checker),
                models.encoder,
                models.generator,
                verifier=models.checker,
                store=store,
                passages_read=config.passages_read,
                follow_ups=config.follow_ups,
            )
        except BaseException:
            store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index."""
        if self._store:
            self._store.close()

    def ask(self, question: str, *, history: Sequence[Message] = (), options: Options = AS_CONFIGURED) -> Answer:
        """Answer a question from the articles, or say that they do not hold the answer.

        :raises UsageError: the question is empty, too long or no text, the history is no chat, or an option out of range.
        """
        *_, answer = self.stream(question, history=history, options=options)
        return answer

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        options: Options = AS_CONFIGURED,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Stream[Answer]:
        """Yield growing answers, each already checked; the last is the whole one. Closing the iterator stops the computation.

        The first of several has no text yet: it tells which passages are about to be read.

        ``stopped`` is asked after each piece that is written, and ends the answer where it is: for a reader in another thread,
        who cannot close what runs.

        :raises UsageError: the question is empty, too long or no text, the history is no chat, or an option out of range.
        """
        question = check_question(question)
        check_options(options)
        alone = standalone(question, history)
        threshold = refusal.THRESHOLD if options.threshold is None else options.threshold
        inquiry = _Inquiry(question, alone if self._follow_ups else question, scope=options.scope, threshold=threshold)
        with inquiry.timed("retrieve"):
            top_k = options.passages_read or self._passages_read
            inquiry.hits = tuple(self._retriever.retrieve(inquiry.standalone, top_k=top_k, scope=options.scope))
        if max((hit.cosine for hit in inquiry.hits), default=0.0) < NEAR_ENOUGH:
            yield inquiry.refusal()
            return
        yield inquiry.beginning()
        with inquiry.timed("gather"):
            inquiry.gather(self._encoder)
        inquiry.prompt = tuple(prompt.reading(inquiry.standalone, excerpts(inquiry.standalone, inquiry.evidence)))
        checked = 0
        reply = self._generator.generate(inquiry.prompt, max_new_tokens=options.max_new_tokens or MAX_NEW_TOKENS)
        try:
            while True:
                with inquiry.timed("read"):
                    piece = next(reply, None)
                if stopped():
                    return
                if piece is None:
                    break
                inquiry.draft += piece.text
                inquiry.written = piece
                finished = len(claims_of(inquiry.draft, growing=True))
                if finished > checked:
                    checked = finished
                    answer = self._checked(inquiry, growing=True)
                    if answer.status is not Status.REFUSED:
                        yield answer
        finally:
            reply.close()
        yield self._checked(inquiry)

    def _checked(self, inquiry: _Inquiry, *, growing: bool = False) -> Answer:
        """Ground the draft, or the finished part of a growing one, and decide whether it is an answer."""
        with inquiry.timed("check"):
            grounded = ground(inquiry.standalone, inquiry.draft, inquiry.evidence, encoder=self._encoder, growing=growing)
            grounded = in_own_words(grounded, inquiry.standalone, inquiry.evidence, self._verifier)
            if inquiry.evidence.sentences and not growing:
                grounded = with_nearest(grounded, nearest(inquiry.standalone, inquiry.evidence))
            inquiry.weigh(grounded)
        if not grounded.citations or inquiry.answerability < inquiry.threshold:
            return inquiry.refusal(grounded)
        if self._store and not growing:
            with inquiry.timed("check"):
                grounded = replace(grounded, citations=with_states(grounded.citations, self._store))
        return inquiry.answer(grounded)


@dataclass
class _Inquiry:
    """One question on its way to an answer."""

    question: str
    standalone: str
    scope: Scope = EVERYTHING
    threshold: float = 0.0
    hits: tuple[Hit, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    disagreements: Sequence[Disagreement] = ()
    prompt: tuple[Message, ...] = ()
    draft: str = ""
    written: Written = NOTHING_WRITTEN
    signals: dict[str, float] = field(default_factory=dict)
    answerability: float = 0.0
    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of the block to a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[step] = self.timings_ms.get(step, 0.0) + 1000 * (time.perf_counter() - started)

    @property
    def asked(self) -> Asked | None:
        """The time that the question speaks of."""
        return dates_asked(self.standalone, date.today())

    @property
    def prefers_newer(self) -> bool:
        """Say whether of two articles that disagree the newer counts: not where the question names a time."""
        return not self.asked or self.asked.latest

    def gather(self, encoder: Encoder) -> None:
        """Take the sentences of the hits, less those that a newer article contradicts."""
        self.evidence = gather(self.standalone, self.hits, encoder)
        self.disagreements = disagreements(self.standalone, self.evidence)
        if self.prefers_newer:
            self.evidence = without(self.evidence, {s for each in self.disagreements for s in each.outdated})

    def weigh(self, grounded: Grounded) -> None:
        """Compute the answerability. It only grows with the draft: what a reader has seen is not taken back."""
        if grounded.citations:
            self.signals = refusal.signals(self.standalone, self.hits, self.evidence, grounded, self.written)
            self.answerability = max(self.answerability, refusal.probability(self.signals))

    def beginning(self) -> Answer:
        """Tell what was found, before anything is written."""
        return self._record("", Status.PARTIAL, Grounded((), ()))

    def answer(self, grounded: Grounded) -> Answer:
        """Publish the claims that hold, with their markers."""
        whole = all(claim.verdict is Verdict.SUPPORTED for claim in grounded.claims)
        text = " ".join(marked(claim) for claim in grounded.claims if claim.markers)
        return self._record(text, Status.ANSWERED if whole else Status.PARTIAL, grounded)

    def refusal(self, grounded: Grounded | None = None) -> Answer:
        """Say what is missing and which articles come closest."""
        missing = refusal.missing_words(self.standalone, self.evidence) if self.evidence.sentences else []
        closest = dict.fromkeys(
            f"“{without_markers(hit.passage.heading)}” ({hit.passage.document.source})" for hit in self.hits
        )
        text = "The articles do not answer this."
        if not self.hits and not self.scope.is_everything:
            text = "No article is within the chosen dates or files."
        if missing:
            text += f" The passages nearest to it do not mention {_listed(missing)}."
        if closest:
            text += f" The closest articles are {_listed(list(closest)[:CLOSEST])}."
        unpublished = tuple(replace(claim, markers=()) for claim in grounded.claims) if grounded else ()
        return self._record(text, Status.REFUSED, Grounded(unpublished, ()))

    def _record(self, text: str, status: Status, grounded: Grounded) -> Answer:
        notes = [
            f"not published: {claim.text} ({claim.reason})" for claim in grounded.claims if not claim.markers and claim.reason
        ]
        if self.standalone != self.question:
            notes.append(f"understood as: {self.standalone}")
        citations = tuple(replace(citation, copies=copies_of(citation, self.hits)) for citation in grounded.citations)
        asked = self.asked
        remarks = [remark(asked, self.hits)] if asked and self.hits else []
        remarks += [*self._disagreements_on(citations), counted(citations)]
        return Answer(
            question=self.question,
            standalone_question=self.standalone,
            text=text,
            status=status,
            answerability=round(self.answerability, 3),
            signals={name: round(value, 3) for name, value in self.signals.items()},
            claims=grounded.claims,
            citations=citations,
            hits=self.hits,
            notes=(*notes, *filter(None, remarks)),
            remarks=tuple(filter(None, remarks)),
            prompt=self.prompt,
            draft=self.draft,
            threshold=self.threshold,
            timings_ms={step: round(ms, 1) for step, ms in self.timings_ms.items()},
        )

    def _disagreements_on(self, citations: Sequence[Citation]) -> Iterator[str]:
        """Tell what articles say against a cited sentence."""
        cited = {(citation.source, citation.start) for citation in citations}
        for each in self.disagreements:
            if any((s.document.source, s.start) in cited for s in each.sentences):
                yield f"{each}; the newer is preferred" if self.prefers_newer and each.outdated else str(each)


def check_options(options: Options) -> None:
    """Hold the options of a question to what can be done.

    :raises UsageError: a value is out of range, a day no ISO date or ``names`` no tuple of texts.
    """
    for name, kind, least, most in LIMITS:
        value = getattr(options, name)
        if value is not None and not (isinstance(value, (int, kind)) and least <= value <= most):
            number = "a whole number" if kind is int else "a number"
            raise UsageError(
                f"{name} is {number} from {least} to {most}, not {value!r:.40}; leave it out to use what is configured"
            )
    for name, day in (("since", options.scope.since), ("until", options.scope.until)):
        if day is not None and not _is_day(day):
            raise UsageError(f"{name} is a date as year-month-day, for example 2021-09-06, not {day!r:.40}")
    names = options.scope.names
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"names is a tuple of parts of titles or file names, for example ('expo',), not {names!r:.40}")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except (TypeError, ValueError):
        return False


def marked(claim: Claim) -> str:
    """Give a claim with its markers before the final punctuation mark."""
    body = claim.text.rstrip(".!?")
    return f"{body} {''.join(f'[{m}]' for m in claim.markers)}{claim.text[len(body) :] or '.'}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
