"""Writes golden.gguf and golden.txt (what gguf-py stores, and what it reads back) and split-*.gguf (a model in parts).

Needs Python 3.11 with `pip install gguf==0.19.0 numpy`. Run it in this folder; a second run gives the same bytes.

golden.gguf has a metadata value of every type and a tensor of every supported storage: some quantised by gguf-py from
normal numbers (where it can), some made of random blocks with edge scales (zero, negative, subnormal, largest,
infinite, NaN).
golden.txt has a line `name checksum` for each tensor: the 64-bit FNV-1a of the little-endian f32 that
`gguf.quants.dequantize` gives. Every NaN counts as 0x7fc00000: its payload depends on the processor. `all-f16` and
`all-bf16` are the expansions of all 65,536 bit patterns in order, without the NaNs.
"""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

ROW, ROWS = 256, 2

# Where the f16 scales and minima stand in a block.
HALVES = {
    Type.Q8_0: [0],
    Type.Q4_0: [0],
    Type.Q4_1: [0, 2],
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.Q2_K: [80, 82],
    Type.Q3_K: [108],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
    Type.IQ4_NL: [0],
    Type.IQ4_XS: [0],
}
# Zeros, subnormals, the smallest normal, 1, the largest, infinities, NaNs, and two like those of real weights.
EDGES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0x7C01]
EDGES += [0x2E66, 0x9234]


def fnv1a(values: np.ndarray) -> int:
    bits = np.where(np.isnan(values), np.uint32(0x7FC00000), np.ascontiguousarray(values).view(np.uint32))
    state = 0xCBF29CE484222325
    for byte in bits.astype("<u4").tobytes():
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    """Random bytes, each block with an edge scale."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    rows = ROWS if elements == 32 else len(EDGES)
    blocks = rng.integers(0, 256, (rows * ROW // elements, size), dtype=np.uint8)
    for place, at in enumerate(HALVES[kind]):
        # Every edge is a scale; minima are drawn, so that the pairs differ.
        edges = rng.choice(EDGES, len(blocks)) if place else np.resize(EDGES, len(blocks))
        blocks[:, at : at + 2] = edges.astype("<u2").view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


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
    for kind in (Type.F32, Type.F16, Type.BF16, *HALVES):
        name = kind.name.lower()
        tensors = {}
        try:
            tensors[f"{name}.normal"] = gguf.quants.quantize(normal, kind)
        except NotImplementedError:
            pass  # gguf-py reads the K types and IQ4, and does not write them
        if kind in HALVES:
            tensors[f"{name}.blocks"] = random_blocks(rng, kind)
        for tensor, data in tensors.items():
            writer.add_tensor(tensor, data, raw_dtype=kind)
            with np.errstate(all="ignore"):
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

    split = gguf.GGUFWriter("split.gguf", "llama", split_max_tensors=3)
    split.add_name("in three parts")
    for number in range(7):
        split.add_tensor(f"t{number}", np.full(8, number, dtype=np.float32))
    split.write_header_to_file()
    split.write_kv_data_to_file()
    split.write_tensors_to_file()
    split.close()


if __name__ == "__main__":
    main()
