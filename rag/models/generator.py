"""Writes text from messages, piece by piece, with a causal language model from a local folder. Knows nothing of passages."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from heapq import nlargest
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rag.errors import ModelDamaged
from rag.models.runtime import needed, offline_libraries, working_dtype
from rag.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import TextIteratorStreamer

    from rag.types import Message

# A step that checks eight proposed tokens costs little more than a step that writes one (140 against 110 ms), and answers
# quote their passages: see prompt-lookup decoding, github.com/apoorvumang/prompt-lookup-decoding.
LOOKUP_TOKENS = 8
# A reply is as doubtful as its most doubtful tokens: most of it is copied, and two or three words are the answer. The surprisal
# of all tokens, or of the first or the most surprising one alone, tells less (``benchmarks/``).
DOUBTFUL = 3


class CausalGenerator:
    """A :class:`rag.protocols.Generator` over transformers: greedy, with prompt-lookup decoding, one reply at a time."""

    def __init__(self, folder: Path, *, probe: Path | None = None) -> None:
        """Load the weights of ``folder`` in bf16 where the CPU computes in it, else fp32, and a probe of its states.

        :raises ModelError: a package is missing, or the folder or the probe does not load.
        """
        with needed():
            offline_libraries()
            from transformers import AutoModelForCausalLM, AutoTokenizer

            from rag.models.probe import Probe

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._tokenizer.chat_control_tokens = [added.content for added in self._tokenizer.added_tokens_decoder.values()]
            model: Any = AutoModelForCausalLM.from_pretrained(  # transformers' own types do not describe what it returns
                folder, local_files_only=True, use_safetensors=True, dtype=working_dtype()
            )
            self._model = model.eval()
        except Exception as error:  # the libraries raise what they like over damaged bytes
            reason = " ".join(str(error).split())
            raise ModelDamaged(f"the generator in {folder} does not load ({reason}); run `rag models --fetch`") from error
        self._probe = Probe(probe) if probe else None
        self._one_at_a_time = threading.Lock()

    def prompt_ids(self, messages: Sequence[Message]) -> Any:  # noqa: ANN401 - a transformers BatchEncoding
        """Return the messages in the chat template as token ids; their text never becomes a control token."""
        return self._tokenizer.apply_chat_template(
            [{"role": message["role"], "content": message["content"]} for message in messages],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            sanitize_control_tokens=True,
        )

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int) -> Generator[Written]:
        """Yield the reply piece by piece; closing the iterator stops the computation after at most one step."""
        from transformers import LogitsProcessorList, StoppingCriteriaList, TextIteratorStreamer

        stop = threading.Event()
        failure: list[BaseException] = []
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        reply = _Reply(streamer)

        def compute() -> None:
            try:
                # The computing thread holds the lock and not the reader, who may pause or never come back.
                with self._one_at_a_time, self._probed(messages, reply):
                    if not stop.is_set():
                        self._model.generate(
                            **self.prompt_ids(messages),
                            streamer=reply,
                            logits_processor=LogitsProcessorList([reply]),
                            max_new_tokens=max_new_tokens,
                            do_sample=False,
                            prompt_lookup_num_tokens=LOOKUP_TOKENS,
                            stopping_criteria=StoppingCriteriaList([lambda *_, **__: stop.is_set()]),
                        )
            except BaseException as error:
                failure.append(error)
            finally:
                reply.end()

        worker = threading.Thread(target=compute, name="generate", daemon=True)
        worker.start()
        try:
            for text in streamer:
                yield Written(text, reply.surprisal(), reply.known)
        finally:
            stop.set()
            worker.join()
        if failure:
            raise failure[0]

    @contextmanager
    def _probed(self, messages: Sequence[Message], reply: _Reply) -> Iterator[None]:
        """Have the probe look at the last paragraph of the last message, the question, while the prompt is read."""
        if not (probe := self._probe):
            yield
            return
        question = messages[-1]["content"].rsplit("\n\n", 1)[-1]
        asked = len(self._tokenizer(question, add_special_tokens=False, split_special_tokens=True)["input_ids"])

        def look(_layer: object, _read: object, states: Tensor) -> None:
            if reply.known is None:
                reply.known = probe.read(states[0, : reply.prompt], asked)  # proposed tokens follow

        handle = self._model.model.layers[probe.layer - 1].register_forward_hook(look)
        try:
            yield
        finally:
            handle.remove()


class _Reply:
    """Passes tokens on to the text streamer, and notes how surprising each was to the model that chose it.

    ``generate`` takes it as its streamer and as a logits processor. As decoding is greedy, the likeliest token is chosen, so
    its surprisal is known before the choice. Proposed tokens that are turned down are noted too, and their notes are
    overwritten when their place comes again.
    """

    def __init__(self, streamer: TextIteratorStreamer) -> None:
        self._streamer = streamer
        self.prompt = self._end = 0  # where the prompt and the reply so far end, in tokens
        self._surprisals: dict[int, float] = {}
        self.known: float | None = None

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        """Note the surprisal of the token that follows ``ids`` ``(1, length)``, and return its scores ``(1, words)``."""
        self._surprisals[ids.shape[1]] = float(scores.logsumexp(-1) - scores.max())
        return scores

    def put(self, tokens: Tensor) -> None:
        """Take the prompt first, then the tokens written."""
        self.prompt = self.prompt or tokens.numel()
        self._end += tokens.numel()
        self._streamer.put(tokens)  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Pass on what is left."""
        self._streamer.end()  # type: ignore[no-untyped-call]

    def surprisal(self) -> float:
        """Return the mean surprisal of the most surprising tokens written so far, in nats."""
        most = nlargest(DOUBTFUL, (self._surprisals[place] for place in range(self.prompt, self._end)))
        return fmean(most) if most else 0.0
