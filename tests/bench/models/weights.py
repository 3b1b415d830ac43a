"""Seeded weights as a transformers model, and as safetensors."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from .shapes import SPECIAL, Shape


def make(shape: Shape) -> LlamaForCausalLM:
    """The model in f32. Norms are near one, and not exactly, so that no engine can leave them out unnoticed."""
    config = LlamaConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.rms_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        attention_bias=False,
        mlp_bias=False,
        hidden_act="silu",
        bos_token_id=shape.vocab - SPECIAL,
        eos_token_id=shape.vocab - SPECIAL + 1,
        pad_token_id=None,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    generator = torch.Generator().manual_seed(shape.seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.empty_like(parameter).normal_(0, 1, generator=generator)
            scaled = 1 + 0.05 * drawn if name.endswith("norm.weight") else shape.std * drawn
            # Values that f16 holds exactly, so that an f16 file has these very weights.
            parameter.copy_(scaled.half().float())
    return model


def save(model: LlamaForCausalLM, shape: Shape, folder: Path) -> None:
    """Writes `config.json` and `model.safetensors`, without the head, which is tied."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict() | {"architectures": ["LlamaForCausalLM"], "torch_dtype": "float32"}
    config["rope_theta"] = shape.rope_theta
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str) + "\n")
    tensors = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
