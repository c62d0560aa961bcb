"""Converts a GGUF file to a bf16 safetensors folder that transformers loads in seconds.

This is a program of its own, run once per model as ``python convert.py SOURCE.gguf FOLDER``: its memory, warnings and progress
bars end with it. It is run by path, so that it works from a source tree too, and therefore imports nothing of ``rag``.

The GGUF parser hangs on hostile files (gguf 0.19.0), so the caller compares the SHA-256 first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ROWS = 4096  # so many are unpacked at a time: the whole output matrix would take half a gigabyte in fp32, several times over


def convert(source: Path, folder: Path) -> None:
    """Write configuration, tokenizer and weights of ``source`` into ``folder``.

    transformers reads a GGUF file too, but takes half a minute at every start and refuses to save what it read.
    """
    import torch
    from gguf import MODEL_ARCH_NAMES, GGUFReader, get_tensor_name_map
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True).save_pretrained(folder)
    config = AutoConfig.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
    config.tie_word_embeddings = True
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]

    architecture = next(key for key, name in MODEL_ARCH_NAMES.items() if name == config.model_type)
    gguf_names = get_tensor_name_map(architecture, config.num_hidden_layers)
    packed = {tensor.name: tensor for tensor in GGUFReader(source).tensors}
    # One matrix serves as embeddings and as output; where the file holds both, that of the output is the finer quantised.
    if "output.weight" in packed:
        packed["token_embd.weight"] = packed["output.weight"]

    weights = {}
    for name, _ in model.named_parameters():  # a tied matrix comes once
        stem, _, suffix = name.rpartition(".")
        weight = _unpacked(packed[f"{gguf_names.get_name(stem)}.{suffix}"])
        if config.model_type == "llama" and ".q_proj." in name:
            weight = _split_halves(weight, config.num_attention_heads)
        elif config.model_type == "llama" and ".k_proj." in name:
            weight = _split_halves(weight, config.num_key_value_heads)
        weights[name] = weight
    model.load_state_dict(weights, assign=True, strict=False)  # not strict: the tied name is absent
    model.tie_weights()
    model.save_pretrained(folder)


def _unpacked(tensor: Any) -> torch.Tensor:  # noqa: ANN401 - a gguf ReaderTensor
    """Return a tensor dequantised to bf16, some rows at a time."""
    import torch
    from gguf import dequantize

    shape = tuple(int(size) for size in reversed(tensor.shape))
    weight = torch.empty(shape, dtype=torch.bfloat16)
    for start in range(0, shape[0], ROWS):
        rows = slice(start, start + ROWS)
        weight[rows] = torch.from_numpy(dequantize(tensor.data[rows], tensor.tensor_type).copy())
    return weight


def _split_halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Return a llama model's rotary rows in transformers' order: llama.cpp interleaves the two halves of each head."""
    return weight.reshape(heads, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
