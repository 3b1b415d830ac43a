"""Writes golden.gguf and golden.txt: what gguf-py stores, and what it reads back.

Needs Python 3.11 with `pip install gguf==0.19.0 numpy`. Run it in this folder; a second run gives the same bytes.

golden.gguf has a metadata value of every type and a tensor of every supported storage, some quantised by gguf-py from
normal numbers, some made of random blocks (every bit pattern of the quants, subnormal and large scales).
golden.txt has a line `name checksum` for each tensor: the 64-bit FNV-1a of the little-endian f32 that
`gguf.quants.dequantize` gives. `all-f16` and `all-bf16` are the expansions of all 65,536 bit patterns in order,
without the NaNs, whose payload depends on the processor.
"""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

ROW, ROWS = 64, 6


def fnv1a(values: np.ndarray) -> int:
    state = 0xCBF29CE484222325
    for byte in values.astype("<f4").tobytes():
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS, ROW // elements, size), dtype=np.uint8)
    scales = np.array([0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x0000, 0x8000, 0x2E66, 0x1234])
    blocks[:, :, :2] = scales.astype("<u2").view(np.uint8).reshape(blocks.shape[:2] + (2,))
    return blocks.reshape(ROWS, -1)


def main() -> None:
    rng = np.random.default_rng(20261121)
    normal = rng.standard_normal((ROWS, ROW), dtype=np.float32)
    writer = gguf.GGUFWriter("golden.gguf", "llama")
    writer.add_uint8("all.u8", 200)
    writer.add_int8("all.i8", -100)
    writer.add_uint16("all.u16", 60_000)
    writer.add_int16("all.i16", -30_000)
    writer.add_uint32("all.u32", 4_000_000_000)
    writer.add_int32("all.i32", -2_000_000_000)
    writer.add_float32("all.f32", 0.1)
    writer.add_bool("all.bool", True)
    writer.add_string("all.string", "a ␣ b")
    writer.add_uint64("all.u64", 2**63 + 1)
    writer.add_int64("all.i64", -(2**63))
    writer.add_float64("all.f64", 0.1)
    writer.add_array("all.integers", [1, -2, 3])
    writer.add_array("all.floats", [0.5, -0.25])
    writer.add_array("all.strings", ["", "ü", "c"])
    writer.add_array("all.bools", [True, False])

    golden = []
    for kind in (Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0):
        name = kind.name.lower()
        tensors = {f"{name}.normal": gguf.quants.quantize(normal, kind)}
        if kind in (Type.Q8_0, Type.Q4_0):
            tensors[f"{name}.blocks"] = random_blocks(rng, kind)
        for tensor, data in tensors.items():
            writer.add_tensor(tensor, data, raw_dtype=kind)
            golden.append((tensor, fnv1a(gguf.quants.dequantize(data, kind))))

    every = np.arange(65_536, dtype=np.uint16)
    halves = gguf.quants.dequantize(every.view(np.float16), Type.F16)
    golden.append(("all-f16", fnv1a(halves[~np.isnan(halves)])))
    brains = gguf.quants.dequantize(every.view(np.uint8).reshape(-1, 2), Type.BF16).ravel()
    golden.append(("all-bf16", fnv1a(brains[~np.isnan(brains)])))

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open("golden.txt", "w") as file:
        file.writelines(f"{name} {checksum:016x}\n" for name, checksum in golden)


if __name__ == "__main__":
    main()
