"""Opens the parts and wires the flow: question, hits, evidence, draft, checked statements, answer.

This is the only module that knows all of it. Every answer that leaves it has been checked, also one that is still growing.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.answer import prompt, refusal
from rag.answer.claims import claims_of
from rag.answer.disagreement import disagreements
from rag.answer.evidence import excerpts, gather, nearest
from rag.answer.grounding import ground
from rag.answer.options import check_options
from rag.answer.publish import Inquiry, beginning, published, refused
from rag.answer.quoting import in_own_words, with_nearest
from rag.config import load_config
from rag.index.file_state import with_states
from rag.index.reader import Reader
from rag.models.cache import silent
from rag.models.loading import load_answer_models
from rag.protocols import Written
from rag.search.followup import check_question, standalone
from rag.search.reranking import retriever_over
from rag.types import AS_CONFIGURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Generator as Stream
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from rag.config import Config
    from rag.models.fetch import Progress
    from rag.protocols import Encoder, Generator, Retriever, Verifier
    from rag.types import Answer, Message, Options

MAX_NEW_TOKENS = 96
NOTHING_WRITTEN = Written("", 0.0)

Timings = dict[str, float]  # milliseconds by step


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

        The first of several has no text yet: it tells which passages are about to be read. Sentences are shown while the draft
        grows only when it is certain that the finished answer keeps them.

        ``stopped`` is asked after each piece that is written, and ends the answer where it is: for a reader in another thread,
        who cannot close what runs.

        :raises UsageError: the question is empty, too long or no text, the history is no chat, or an option out of range.
        """
        check_options(options)
        timings: Timings = {}
        inquiry = self._retrieved(check_question(question), history, options, timings)
        if max((hit.cosine for hit in inquiry.hits), default=0.0) < refusal.NEAR_ENOUGH:
            yield refused(inquiry, timings)
            return
        yield beginning(inquiry, timings)
        inquiry = self._gathered(inquiry, timings)
        draft, written, finished = "", NOTHING_WRITTEN, 0
        reply = self._generator.generate(inquiry.prompt, max_new_tokens=options.max_new_tokens or MAX_NEW_TOKENS)
        with closing(reply):
            while True:
                with _timed(timings, "read"):
                    piece = next(reply, None)
                if stopped():
                    return
                if piece is None:
                    break
                draft, written = draft + piece.text, piece
                if (sentences := len(claims_of(draft, growing=True))) > finished:
                    finished = sentences
                    answer = self._checked(inquiry, draft, written, timings, growing=True)
                    if answer.decision.answers:
                        yield answer
        answer = self._checked(inquiry, draft, written, timings)
        if self._store and answer.citations:
            answer = replace(answer, citations=with_states(answer.citations, self._store))
        yield answer

    def _retrieved(self, question: str, history: Sequence[Message], options: Options, timings: Timings) -> Inquiry:
        """Find the passages of a question, as it is understood after those before it."""
        alone = standalone(question, history)
        threshold = refusal.THRESHOLD if options.threshold is None else options.threshold
        inquiry = Inquiry(question, alone if self._follow_ups else question, threshold, options.scope)
        with _timed(timings, "retrieve"):
            top_k = options.passages_read or self._passages_read
            hits = self._retriever.retrieve(inquiry.standalone, top_k=top_k, scope=options.scope)
        return replace(inquiry, hits=tuple(hits))

    def _gathered(self, inquiry: Inquiry, timings: Timings) -> Inquiry:
        """Take the sentences of the hits, less those that a newer article contradicts, and write the prompt."""
        with _timed(timings, "gather"):
            evidence = gather(inquiry.standalone, inquiry.hits, self._encoder)
            found = disagreements(inquiry.standalone, evidence)
            if inquiry.prefers_newer:
                evidence = evidence.without({s for each in found for s in each.outdated})
            messages = prompt.reading(inquiry.standalone, excerpts(inquiry.standalone, evidence))
        return replace(inquiry, evidence=evidence, disagreements=tuple(found), prompt=tuple(messages))

    def _checked(self, inquiry: Inquiry, draft: str, written: Written, timings: Timings, *, growing: bool = False) -> Answer:
        """Ground the draft, or the finished part of a growing one, and decide whether it is an answer."""
        question, evidence = inquiry.standalone, inquiry.evidence
        with _timed(timings, "check"):
            statements = ground(question, draft, evidence, encoder=self._encoder, growing=growing)
            statements = in_own_words(statements, question, self._verifier)
            if evidence.sentences and not growing:
                statements = with_nearest(statements, nearest(question, evidence))
            decision = refusal.decide(question, inquiry.hits, statements, written, inquiry.threshold, growing=growing)
        return published(inquiry, draft, statements, decision, timings)


@contextmanager
def _timed(timings: Timings, step: str) -> Iterator[None]:
    """Add the time of the block to a step."""
    started = time.perf_counter()
    try:
        yield
    finally:
        timings[step] = timings.get(step, 0.0) + 1000 * (time.perf_counter() - started)
