"""What transformers computes in f32: every contestant is compared with it."""

import json
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from .gguf_files import prompt_text
from .shapes import Shape


@torch.no_grad()
def write(model: LlamaForCausalLM, shape: Shape, folder: Path) -> None:
    """Writes `reference.json`, and per prompt length T the logits after its last token as f32 in `logits-T.bin`."""
    prompts = {}
    for length in shape.prompts:
        ids = shape.prompt(length)
        output = model(torch.tensor([ids]), use_cache=True, logits_to_keep=1)
        logits = output.logits[0, -1]
        (folder / f"logits-{length}.bin").write_bytes(logits.numpy().astype("<f4").tobytes())
        prompts[length] = {"ids": ids, "text": prompt_text(shape, ids)}
        if length == min(shape.prompts):
            greedy, margin = continue_greedily(model, output.past_key_values, logits, shape.new_tokens)
            prompts[length] |= {"greedy": greedy, "smallestMargin": margin}
    content = {
        "name": shape.name,
        "vocab": shape.vocab,
        "layers": shape.layers,
        "heads": shape.heads,
        "kvHeads": shape.kv_heads,
        "headDim": shape.head_dim,
        "context": shape.context,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "newTokens": shape.new_tokens,
        "prompts": prompts,
    }
    (folder / "reference.json").write_text(json.dumps(content) + "\n")


def continue_greedily(
    model: LlamaForCausalLM, cache: object, logits: torch.Tensor, count: int
) -> tuple[list[int], float]:
    """The next `count` most probable ids, and by how much the closest of these choices was made."""
    ids, margin = [], float("inf")
    for _ in range(count):
        first, second = logits.topk(2).values.tolist()
        margin = min(margin, first - second)
        ids.append(int(logits.argmax()))
        output = model(torch.tensor([[ids[-1]]]), past_key_values=cache, use_cache=True)
        logits = output.logits[0, -1]
    return ids, margin
