"""Messages to text, streamed, with a causal language model from a local folder. Knows nothing of passages or prompts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rag.errors import ModelDamaged
from rag.runtime import needed, offline_libraries, working_dtype

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from rag.types import Message

# A step that checks eight proposed tokens costs little more than a step that writes one (140 against 110 ms), and answers
# quote their passages: see prompt-lookup decoding, github.com/apoorvumang/prompt-lookup-decoding.
LOOKUP_TOKENS = 8


class CausalGenerator:
    """A :class:`rag.types.Generator` over transformers: greedy, with prompt-lookup decoding, one reply at a time."""

    def __init__(self, folder: Path) -> None:
        """Load the weights of ``folder`` in bf16 where the CPU computes in it, else fp32.

        :raises ModelError: a package is missing, or the folder does not load.
        """
        with needed():
            offline_libraries()
            from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._tokenizer.chat_control_tokens = [added.content for added in self._tokenizer.added_tokens_decoder.values()]
            model: Any = AutoModelForCausalLM.from_pretrained(  # transformers' own types do not describe what it returns
                folder, local_files_only=True, use_safetensors=True, dtype=working_dtype()
            )
            self._model = model.eval()
        except Exception as error:  # what the libraries raise over damaged bytes is theirs to choose
            reason = " ".join(str(error).split())
            raise ModelDamaged(f"the generator in {folder} does not load ({reason}); run `rag models --fetch`") from error
        self._one_at_a_time = threading.Lock()

    def prompt_ids(self, messages: Sequence[Message]) -> Any:  # noqa: ANN401 - a transformers BatchEncoding
        """Render the chat template; what the messages say never becomes a control token."""
        return self._tokenizer.apply_chat_template(
            [{"role": message["role"], "content": message["content"]} for message in messages],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            sanitize_control_tokens=True,
        )

    def generate(self, messages: Sequence[Message], *, max_new_tokens: int) -> Generator[str]:
        """Yield the reply piece by piece; closing the iterator stops the computation after at most one step."""
        from transformers import StoppingCriteriaList, TextIteratorStreamer

        stop = threading.Event()
        failure: list[BaseException] = []
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)

        def compute() -> None:
            try:
                with self._one_at_a_time:  # held by who computes, not by who reads: a reader may pause, or never come back
                    if not stop.is_set():
                        self._model.generate(
                            **self.prompt_ids(messages),
                            streamer=streamer,
                            max_new_tokens=max_new_tokens,
                            do_sample=False,
                            prompt_lookup_num_tokens=LOOKUP_TOKENS,
                            stopping_criteria=StoppingCriteriaList([lambda *_, **__: stop.is_set()]),
                        )
            except BaseException as error:
                failure.append(error)
            finally:
                streamer.end()  # type: ignore[no-untyped-call]

        worker = threading.Thread(target=compute, name="generate", daemon=True)
        worker.start()
        try:
            yield from streamer
        finally:
            stop.set()
            worker.join()
        if failure:
            raise failure[0]
