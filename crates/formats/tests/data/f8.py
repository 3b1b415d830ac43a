"""Writes f8.safetensors: weights in 8-bit floats as the hub holds them, and what torch and transformers make of them.

Needs Python 3.11 with `pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0`. Run it in this folder; a
second run gives the same bytes.

`<name>.expected` holds the f32 values of `<name>.weight`: a cast by torch, or transformers' dequantisation with the
scales beside the weight. Where transformers has no such case (scales for rows in a list, a last block that is cut), the
scale is repeated over its block by hand, as compressed-tensors and DeepSeek's code do.
"""

import torch
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

EVERY = torch.arange(256, dtype=torch.uint8)


def main() -> None:
    torch.manual_seed(20261121)
    tensors: dict[str, torch.Tensor] = {}
    for name, dtype in (("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)):
        every = EVERY.clone().view(dtype).reshape(16, 16)
        tensors[f"{name}.weight"] = every
        tensors[f"{name}.expected"] = every.float()

    def scaled(name: str, shape: tuple[int, int], scale: torch.Tensor, key: str, dtype=torch.float8_e4m3fn) -> None:
        weight = (torch.randn(shape) * 30).to(dtype)
        tensors[f"{name}.weight"] = weight
        tensors[f"{name}.{key}"] = scale
        divides = scale.dim() == 2 and all(n % m == 0 for n, m in zip(shape, scale.shape, strict=True))
        if divides or scale.numel() == 1:
            dequantise = Fp8Dequantize(None)._dequantize_one
            expected = dequantise(weight, scale, output_dtype=torch.float32)
        else:
            grid = scale.float().reshape(scale.shape[0], -1)
            grid = grid.repeat_interleave(4 if scale.dim() == 2 else 1, 0)[: shape[0]]
            grid = grid.repeat_interleave(4 if scale.dim() == 2 else shape[1], 1)[:, : shape[1]]
            expected = weight.float() * grid
        tensors[f"{name}.expected"] = expected.reshape(shape)

    scaled("grid", (8, 12), torch.rand(2, 3), "weight_scale_inv")
    scaled("cut", (10, 7), torch.rand(3, 2), "weight_scale_inv")
    scaled("rows", (6, 5), torch.rand(6, 1).bfloat16(), "weight_scale")
    scaled("list", (6, 5), torch.rand(6), "weight_scale", torch.float8_e5m2)
    scaled("one", (3, 5), torch.rand(1), "weight_scale")
    scaled("scalar", (3, 5), torch.rand(()), "weight_scale")
    tensors["one.input_scale"] = torch.rand(1)
    save_file(tensors, "f8.safetensors")


if __name__ == "__main__":
    main()
