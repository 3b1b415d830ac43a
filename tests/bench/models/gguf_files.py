"""The weights as GGUF, as llama.cpp's own converter lays them out."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from string import ascii_letters, ascii_lowercase

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from transformers import LlamaForCausalLM

from .shapes import SPECIAL, Shape

# Every matrix has this type, the embedding (and with it the tied head) too.
TYPES = {"f16": Type.F16, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}
FILE_TYPES = {
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}


def write(model: LlamaForCausalLM, shape: Shape, folder: Path) -> None:
    """Writes one `TYPE.gguf` per type."""
    folder.mkdir(parents=True, exist_ok=True)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, shape.layers)
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        array = value.numpy()
        if name.endswith("q_proj.weight"):
            array = rotary_pairs_together(array, shape.heads)
        if name.endswith("k_proj.weight"):
            array = rotary_pairs_together(array, shape.kv_heads)
        tensors[names.get_name(name, try_suffixes=(".weight",))] = array
    for kind, dtype in TYPES.items():
        write_one(folder / f"{kind}.gguf", shape, kind, dtype, tensors)


def write_one(path: Path, shape: Shape, kind: str, dtype: Type, tensors: dict[str, np.ndarray]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"{shape.name} shape, random weights")
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_vocab_size(shape.vocab)
    add_vocabulary(writer, shape)
    for name, array in tensors.items():
        chosen = Type.F32 if array.ndim == 1 else dtype
        writer.add_tensor(name, gguf.quants.quantize(array, chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rotary_pairs_together(weight: np.ndarray, heads: int) -> np.ndarray:
    """From the hub's order of rows, halves of each head apart, to llama.cpp's, pairs side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def add_vocabulary(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """A byte-level BPE vocabulary of the right size that says nothing."""
    tokens, merges = vocabulary(shape)
    normal, unused, control = gguf.TokenType.NORMAL, gguf.TokenType.UNUSED, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    types = [normal] * 0x80 + [unused] * 0x80 + [normal] * (shape.vocab - 256 - SPECIAL) + [control] * SPECIAL
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(shape.vocab - SPECIAL)
    writer.add_eos_token_id(shape.vocab - SPECIAL + 1)
    writer.add_add_bos_token(False)


def vocabulary(shape: Shape) -> tuple[list[str], list[str]]:
    """Tokens in GPT-2's spelling of bytes, and the merges that make them: ASCII, words, special tokens.

    Every word starts with a space and grows by one letter a merge, so that a text of such words is split into just
    these: for engines that take a prompt as text alone.
    """
    letters = byte_letters()
    found = list(islice(words(), shape.vocab - 256 - SPECIAL))
    special = [f"<|special_{index}|>" for index in range(SPECIAL)]
    # A reply that lists tokens is JSON, which half a character cannot stand in.
    letters[0x80:] = [f"<|unused_{byte}|>" for byte in range(0x80, 0x100)]
    return letters + ["\u0120" + word for word in found] + special, [f"\u0120{word[:-1]} {word[-1]}" for word in found]


def words() -> Iterator[str]:
    """All words of one letter, then of two, and so on; the first letter is of either case."""
    shorter = [""]
    while True:
        shorter = [word + letter for word in shorter for letter in (ascii_lowercase if word else ascii_letters)]
        yield from shorter


def prompt_text(shape: Shape, ids: list[int]) -> str:
    """The text that is split into these tokens, which have to be words."""
    tokens, _ = vocabulary(shape)
    return "".join(tokens[index].replace("\u0120", " ") for index in ids)


def byte_letters() -> list[str]:
    """One printable character per byte, as in the byte-level BPE of GPT-2: itself, or the next one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte if byte in printable else 0x100 + others.index(byte)) for byte in range(256)]
