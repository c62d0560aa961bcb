"""One side of a measurement in a process of its own, so that its memory is its own: reads tasks as lines of JSON, answers each.

usage: contestant.py ROLE [ARGUMENT ...]

The peers' roles run in an environment of their own (peers.txt), so that nothing is imported at the top that only one side has.
What a role gives back is a dict; ``seconds`` are of the wall, models loaded and used once before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "NLTK_DATA": tempfile.gettempdir(),
}

Task = dict[str, Any]
Role = Callable[[Task], Task]
MAX_NEW_TOKENS = 96
WORDS, STEP, TOP = 150, 120, 4  # of the plain pipeline: words a piece, from one to the next, pieces read
ORDER = (
    "You answer questions about articles. Use only the numbered passages. Answer in one or two short sentences and cite the "
    "passage you used like [2]. If the passages do not contain the answer, reply exactly: I don't know."
)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# Indexing. The product begins with files; the others are given its passages, cut already.


def index_product(articles: str) -> Role:
    """Index a folder, from files to a committed index."""
    from rag.config import load_config
    from rag.index.indexer import index_folder
    from rag.models.cache import ensure
    from rag.models.encoder import SentenceEncoder

    config = load_config()
    encoder = SentenceEncoder(ensure(config.encoder, "encoder"))
    encoder.encode(["once before"])

    def index(_task: Task) -> Task:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            index_folder(
                Path(articles),
                store_folder=Path(folder),
                encoder=encoder,
                count_tokens=encoder.count_tokens,
                passage_tokens=config.passage_tokens,
            )
            return {"seconds": time.perf_counter() - started}

    return index


def index_plain(model: str, passages: str) -> Role:
    """Embed, and nothing else."""
    from sentence_transformers import SentenceTransformer

    encoder, texts = SentenceTransformer(model, device="cpu"), _read(passages)
    encoder.encode(["once before"])
    return lambda _task: {"seconds": timed(lambda: encoder.encode(texts, show_progress_bar=False))}


def index_txtai(model: str, passages: str) -> Role:
    """Index and save with txtai, the texts kept beside the vectors as the product does."""
    from txtai import Embeddings

    texts = _read(passages)
    Embeddings(path=model, content=True).index(["once before"])

    def index(_task: Task) -> Task:
        embeddings = Embeddings(path=model, content=True)
        embeddings.index(["loads the model"])
        with tempfile.TemporaryDirectory() as folder:
            return {"seconds": timed(lambda: (embeddings.index(texts), embeddings.save(f"{folder}/index")))}

    return index


def index_llamaindex(model: str, passages: str) -> Role:
    """Index and save with LlamaIndex."""
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    encoder, texts = HuggingFaceEmbedding(model_name=model, device="cpu"), _read(passages)
    encoder.get_text_embedding("once before")

    def index(_task: Task) -> Task:
        with tempfile.TemporaryDirectory() as folder:
            nodes = [TextNode(text=text) for text in texts]
            made = timed(lambda: VectorStoreIndex(nodes, embed_model=encoder).storage_context.persist(folder))
            return {"seconds": made}

    return index


# Answering


def answer_product(index: str) -> Role:
    """Answer with the product, or write a draft for a prompt as it would."""
    from rag.answer.assistant import Assistant

    assistant = Assistant.open(index)
    assistant.ask("How many exhibits did it have?")
    tokenizer = assistant._generator._tokenizer

    def answer(task: Task) -> Task:
        if "messages" in task:
            pieces = assistant._generator.generate(task["messages"], max_new_tokens=MAX_NEW_TOKENS)
            return _written((piece.text for piece in pieces), lambda text: len(tokenizer.encode(text)))
        started, first = time.perf_counter(), None
        for each in assistant.stream(task["question"]):
            if each.text and first is None:
                first = time.perf_counter() - started
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "first": first,
            "text": each.text,
            "messages": each.prompt,
            "draft": each.draft,
            "steps": each.timings_ms,
        }

    return answer


def answer_plain(encoder: str, generator: str, *articles: str) -> Role:
    """Answer with the pipeline that one writes in an afternoon: transformers in fp32, greedy, nothing else."""
    retrieve, write = _pieces(encoder, articles), _transformers(generator)
    return lambda task: _plain(task["question"], retrieve, write)


def answer_llama(encoder: str, gguf: str, *articles: str) -> Role:
    """Answer with the same pipeline over llama.cpp, or write for a given prompt."""
    from llama_cpp import Llama

    retrieve = _pieces(encoder, articles)
    model = Llama(gguf, n_ctx=4096, n_threads=os.cpu_count(), n_threads_batch=os.cpu_count(), verbose=False)

    def write(messages: list[dict[str, str]]) -> Task:
        model.reset()  # every prompt is read from its first word, as by the others
        chunks = model.create_chat_completion(messages, max_tokens=MAX_NEW_TOKENS, temperature=0.0, stream=True)
        pieces = (chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        return _written(pieces, lambda text: len(model.tokenize(text.encode(), add_bos=False)))

    return lambda task: write(task["messages"]) if "messages" in task else _plain(task["question"], retrieve, write)


def start_plain(generator: str, messages: str, tokens: str) -> None:
    """Import, load in bf16, read the messages and write so many tokens: what a cold start cannot do without."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(generator)
    model = AutoModelForCausalLM.from_pretrained(generator, dtype=torch.bfloat16).eval()
    ids = tokenizer.apply_chat_template(json.loads(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**ids, min_new_tokens=int(tokens), max_new_tokens=int(tokens), do_sample=False)
    print(tokenizer.decode(written[0, ids["input_ids"].shape[1] :]))


# Searching


def search(index: str) -> Role:
    """Search an index by both ways, and its vectors alone with the same encoder: one query embedding, one flat FAISS search."""
    import faiss
    import numpy as np

    from rag.config import load_config
    from rag.index.reader import Reader
    from rag.models.cache import ensure
    from rag.models.encoder import SentenceEncoder
    from rag.search.hybrid import HybridRetriever

    encoder = SentenceEncoder(ensure(load_config().encoder, "encoder"))
    encoder.encode(["once before"])
    started = time.perf_counter()
    store = Reader.open(Path(index))
    retriever = HybridRetriever(store, Path(index), encoder)
    opened = time.perf_counter() - started
    vectors = np.concatenate(
        [store.vectors(ids.tolist()) for ids in np.array_split(store.ids(), 1 + len(store.ids()) // 10_000)]
    )
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)

    def once(task: Task) -> Task:
        question = task["question"]
        bare = timed(lambda: flat.search(encoder.encode([question]), 50))
        return {"seconds": timed(lambda: retriever.retrieve(question, top_k=20)), "bare": bare, "opened": opened}

    return once


# The plain pipeline


def _pieces(encoder: str, folders: Iterable[str]) -> Callable[[str], list[str]]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(encoder, device="cpu")
    pieces = [
        " ".join(words[start : start + WORDS])
        for folder in folders
        for file in sorted(Path(folder).rglob("*.txt"))
        for words in [file.read_text(encoding="utf-8").split()]
        for start in range(0, len(words), STEP)
    ]
    vectors = model.encode(pieces, normalize_embeddings=True, show_progress_bar=False)
    return lambda question: [
        pieces[i] for i in (-(vectors @ model.encode(question, normalize_embeddings=True))).argsort()[:TOP]
    ]


def _transformers(folder: str) -> Callable[[list[dict[str, str]]], Task]:
    from threading import Thread

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def write(messages: list[dict[str, str]]) -> Task:
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        options = {"max_new_tokens": MAX_NEW_TOKENS, "do_sample": False, "streamer": streamer}
        worker = Thread(target=lambda: model.generate(**ids, **options))
        worker.start()
        written = _written(streamer, lambda text: len(tokenizer.encode(text)))
        worker.join()
        return written

    return write


def _plain(question: str, retrieve: Callable[[str], list[str]], write: Callable[[list[dict[str, str]]], Task]) -> Task:
    started = time.perf_counter()
    passages = "\n\n".join(f"[{n}] {piece}" for n, piece in enumerate(retrieve(question), 1))
    asked = f"{passages}\n\nQuestion: {question}"
    before = time.perf_counter() - started
    written = write([{"role": "system", "content": ORDER}, {"role": "user", "content": asked}])
    return written | {"seconds": before + written["seconds"], "first": before + written["first"]}


def _written(pieces: Iterable[str], count: Callable[[str], int]) -> Task:
    """Follow what is written: seconds to the end of the first sentence and of all, tokens after the first piece and theirs."""
    started = time.perf_counter()
    text, begun, first, earliest = "", None, None, ""
    for piece in filter(None, pieces):
        text += piece
        begun, earliest = (begun, earliest) if begun else (time.perf_counter(), piece)
        if first is None and any(f"{mark} " in text for mark in ".!?"):
            first = time.perf_counter() - started
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "first": first or ended - started,
        "text": text,
        "tokens": count(text) - count(earliest),
        "writing": ended - (begun or ended),
    }


def _read(passages: str) -> list[str]:
    return json.loads(Path(passages).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def main(role: str, *arguments: str) -> None:
    """Say ``{}`` once all is loaded, then what became of each task."""
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    play = globals()[role](*arguments)
    if play is None:
        return
    print("{}", file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(play(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
