"""The weights as ONNX, by onnxruntime's own tools, with the operators that it is fastest with.

The graphs come from onnxruntime-genai's model builder: grouped-query attention, rotary embedding and normalisation are
single operators, the KV cache goes in and out, and the head computes the last position alone.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from .gguf_files import vocabulary
from .shapes import Shape

COMMON = ["prune_lm_head=true"]
# Activations in int8, as everyone's q4 on a CPU has them.
INT4 = ["int4_block_size=32", "int4_accuracy_level=4", "int4_is_symmetric=true"]
# Software adapters, and many real ones, have no f16.
WEBGPU = ["use_webgpu_fp32=true"]
BUILDS = {
    "f32": ("fp32", "cpu", COMMON),
    "q4": ("int4", "cpu", COMMON + INT4),
    "webgpu-f32": ("fp32", "webgpu", COMMON + WEBGPU),
    "webgpu-q4": ("int4", "webgpu", COMMON + INT4 + WEBGPU),
}


def write(shape: Shape, folder: Path) -> None:
    """Writes `onnx/KIND/model.onnx` with `model.onnx.data` beside it, for every kind of `BUILDS` and for `q8`."""
    source = folder / "builder-input"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for file in (folder / "safetensors").iterdir():
        os.link(file, source / file.name)
    tokenizer(shape).save_pretrained(source)
    target = folder / "onnx"
    for kind, (precision, provider, options) in BUILDS.items():
        build(source, target / kind, precision, provider, options)
    quantise_dynamically(target / "f32" / "model.onnx", target / "q8" / "model.onnx")
    shutil.rmtree(source)


def build(source: Path, target: Path, precision: str, provider: str, options: list[str]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    command += ["-i", source, "-o", target, "-p", precision, "-e", provider, "-c", target / "cache"]
    result = subprocess.run([*command, "--extra_options", *options], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"the model builder failed for {target.name}:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}")
    for file in target.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name not in ("model.onnx", "model.onnx.data"):
            file.unlink()


def quantise_dynamically(source: Path, target: Path) -> None:
    """Matrices in int8, and activations too, whose scales are found while it runs."""
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, use_external_data_format=True)


def tokenizer(shape: Shape) -> PreTrainedTokenizerFast:
    """The builder copies a tokenizer along; it is thrown away again."""
    tokens, merges = vocabulary(shape)
    pairs = [tuple(merge.split(" ")) for merge in merges]
    bpe = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, pairs))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bpe)


def compare(shape: Shape, folder: Path) -> dict[str, str]:
    """Runs every graph that onnxruntime can run on this CPU; says how far its logits are from transformers'.

    Ends the program where a graph computes something else: f32 has to agree, the others have to stay near.
    """
    reference = json.loads((folder / "reference.json").read_text())
    length = min(shape.prompts)
    expected = np.frombuffer((folder / f"logits-{length}.bin").read_bytes(), "<f4")
    greedy = reference["prompts"][str(length)]["greedy"]
    found = {}
    for kind in ("f32", "webgpu-f32", "q8", "q4", "webgpu-q4"):
        logits, ids = run(folder / "onnx" / kind / "model.onnx", shape, reference["prompts"][str(length)]["ids"])
        worst = float(np.abs(logits - expected).max())
        kl = divergence(expected, logits)
        found[kind] = f"largest difference {worst:.2e}, KL {kl:.2e}, greedy ids {agreement(greedy, ids)}"
        wrong = worst > 2e-3 or ids != greedy if kind.endswith("f32") else kl > 1
        if wrong:
            sys.exit(f"onnx {kind} computes something else: {found[kind]}")
    return found


def run(path: Path, shape: Shape, prompt: list[int]) -> tuple[np.ndarray, list[int]]:
    """The logits after the prompt, and the greedy continuation through the KV cache."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {value.name for value in session.get_inputs()}
    outputs = [value.name for value in session.get_outputs()]
    empty = np.zeros((1, shape.kv_heads, 0, shape.head_dim), np.float32)
    cache = {name: empty for name in inputs if name.startswith("past_key_values")}
    step, total, first, ids = prompt, 0, None, []
    for _ in range(shape.new_tokens):
        total += len(step)
        feeds = {"input_ids": np.array([step], np.int64), "attention_mask": np.ones((1, total), np.int64)}
        if "position_ids" in inputs:
            feeds["position_ids"] = np.arange(total - len(step), total, dtype=np.int64)[None]
        values = dict(zip(outputs, session.run(outputs, feeds | cache), strict=True))
        logits = values["logits"][0, -1].astype(np.float32)
        first = logits if first is None else first
        ids.append(int(logits.argmax()))
        cache = {name: values[name.replace("past_key_values", "present")] for name in cache}
        step = [ids[-1]]
    return first, ids


def agreement(expected: list[int], ids: list[int]) -> str:
    """How many ids agree before the first that does not."""
    equal = next((at for at, pair in enumerate(zip(expected, ids, strict=True)) if pair[0] != pair[1]), len(ids))
    return f"{equal} of {len(expected)}"


def divergence(expected: np.ndarray, logits: np.ndarray) -> float:
    """KL(reference || found) in nats."""
    log_p, log_q = log_softmax(expected), log_softmax(logits)
    return float((np.exp(log_p) * (log_p - log_q)).sum())


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max()
    return shifted - np.log(np.exp(shifted).sum())
