"""Asks llama.cpp for the tokens of hard strings, for every kind of GGUF vocabulary and every pre-tokenizer name.

    python make.py        # writes NAME.json beside this file

Needs `xllamacpp` (2026.10), `gguf` and `numpy`. Vocabularies are made here and written as GGUF files for llama.cpp;
the JSON holds the same keys, so that the reader needs no GGUF. For byte-level vocabularies every two neighbouring
bytes of the strings have a merge, in shuffled order: pieces cut at another place give other tokens.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

import gguf

import llama_cpp

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

PRE_TOKENIZERS = """
default llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano deepseek-llm deepseek-coder
deepseek-v3 falcon mpt starcoder gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert
jina-v1-en jina-v2-code roberta-bpe refact command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx
smaug-bpe poro-chat glm4 chatglm-bpe viking jais jais-2 tekken smollm codeshell bloom gpt3-finnish exaone exaone4
exaone-moe chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe
trillion granite-docling bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2
ufakzeka grok-2 afmoe laguna minimax-m2 solar-open mellum2 minicpm5 spark2_5 youtu
""".split()

HARD = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", " \n ", "\r\n", "a\r\n\r\nb", "\u00a0", "\u3000x", "x  ",
    "x \n", "x\n ", "x\u2028 y", "  \u00a0 z", "a\u0085b", "\v\f\x1c\x1d y", " \r\r\n\n  \n end",
    "Hello world", " Hello world", "  Hello   world  ", "Hello, World!", "hello\nworld\n", "\n =", "' era",
    "I'm you're WE'LL he'd THEY'VE can't 'tis 's'S'ſ", "don'T I'LL'd rock'n'roll l'été 'Re 'vE'", "the theory of the thing",
    "the\ttheory\t\tof", "Ankara'daki 'tisane I'mx 's's 'Llama 'DOG we'really", "1", "12", "123", "1234", "12345", "123456", "1234567 1234567890", "3.14159", "2024-11-21",
    "a1b22c333d4444e55555", "12 345 6789", "123abc 1234567abc 12_3456", "١٢٣٤ ４５６ ½²Ⅷ ௧௨௩௪", "x=3;y[4]*=2", "!!!!!!",
    "?!?.,;:", "~~ a~b ~c ``d`` $e$ +f ^g |h| <i> j~k", "(a) [b] {c} \"d\" «e» „f“ —g–h …i", "a/b//c\n/d/\n//\r\n",
    "def f(x):\n    return x\n\n\tpass  # ok", "camelCase PascalCase HTTPServer iOS SHOUT aB Ab aBC ABc éÉ ÉCOLE Straße",
    "ǅungla ǈ ʰa ªº", "!a ?B .c -d #e @f \"g 'h _i \u00a1j", "\u200ba \u00adb", "<sentinel:12> IMGIMGABCZ IMGIMGIZ    x",
    "w048 7tuijk dsdfhu", "aaaaaaaaaaaaaaaaaaaaaaaa", "Mädchen über Straße", "cafe\u0301 café", "e\u0301\u0301 \u0301",
    " \u0301a a\u0301b A\u0301B \u0301\u0302", "İıſßẞﬁ", "Привет, мир! МИР Как", "你好，世界。我想在apple工作1314151天～",
    "こんにちは世界カタカナｶﾀｶﾅ", "안녕하세요 세계 ㄱㄴ", "مرحبا بالعالم ١٢ هؤلاء؟", "नमस्ते दुनिया ।", "কি খবর", "កាន់តែពិសេស", "สวัสดีชาวโลก ๑๒๓",
    "ພາສາລາວ မြန်မာ", "🙂", "🚀🚀 a🚀b", "👩‍👩‍👧", "😶‍🌫️ ok", "🇩🇪🇫🇷", "𝒳𝕐 𐐷𐐏", "\u200b\u200d\u202e\ufeff", "\x00\x01\x7f",
    "\ue000", "\U0010ffff", "\u0378 a\u0378b", "https://example.org/a_b?c=d&e=%20f#g", "  \n\n  \t x", " " * 70 + "x" + " " * 9,
    "㐀𠀀豈⼀ ㄅㄆ 、。〃 “a” ‘b’ ﹏", "a\ue000\ue001b \uf900\ufa00", "x² y³ H₂O ①②", "a b c d e f", "é è", "5 % 50% €5 5€ $5 ±5 5°", "ꞌa’s o’clock ‘tis",
]
ATOMS = ["the", "The", "THE", " ", "  ", "\n", "\t", "\r\n", "'s", "'LL", "1", "23", "456", ".", ",", "(", "/", "_", "-", "~",
         "é", "É", "e\u0301", "你", "の", "한", "ไ", "🚀", "\u200d", "ß", "Ж", "ا", "٣", "½", "\u00a0", "x", "Q", "$", "`", "<s>", "▁"]


def strings():
    random.seed(7)
    return HARD + ["".join(random.choices(ATOMS, k=random.randint(2, 14))) for _ in range(40)]


TEXTS = strings()


def alphabet():
    """GPT-2's character for each byte."""
    literal = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = iter(range(0x100, 0x200))
    return {byte: chr(byte) if byte in literal else chr(next(shifted)) for byte in range(256)}


def spelled(data):
    table = alphabet()
    return "".join(table[byte] for byte in data)


def byte_level():
    """A vocabulary with a merge for every pair of neighbouring bytes, and some words without merges."""
    random.seed(11)
    pairs = {data[at:at + 2] for text in TEXTS for data in [text.encode()] for at in range(len(data) - 1)}
    pairs = sorted(pairs)
    random.shuffle(pairs)
    # Three spaces have a token too, so that where a long run is cut can be seen.
    pairs = [pair for pair in pairs if pair != b"  "] + [b"  "]
    words = [" theory", "123", "你好", "Hello", "\n\n\n", "世界", " \n"]
    tokens = ["<s>", "</s>", "<mark>"] + [spelled([byte]) for byte in range(256)]
    tokens += [spelled(pair) for pair in pairs] + [spelled(b"   ")] + [spelled(word.encode()) for word in words if len(word.encode()) > 2]
    return {
        "tokens": tokens,
        "types": [CONTROL, CONTROL, USER_DEFINED] + [NORMAL] * (len(tokens) - 3),
        "merges": [f"{spelled(pair[:1])} {spelled(pair[1:])}" for pair in pairs] + [f"{spelled(b'  ')} {spelled(b' ')}"],
        "bos": 0,
        "eos": 1,
    }


def write_gguf(path, vocabulary, model, pre=None, **flags):
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {"context_length": 8, "embedding_length": 8, "block_count": 1, "feed_forward_length": 8,
                       "attention.head_count": 1}.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name(flags.pop("name", "a vocabulary"))
    writer.add_tokenizer_model(model)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary["tokens"])
    writer.add_token_types(vocabulary["types"])
    if "scores" in vocabulary:
        writer.add_token_scores(vocabulary["scores"])
    if "merges" in vocabulary:
        writer.add_token_merges(vocabulary["merges"])
    for key in ("bos", "eos", "unknown", "seperator"):
        if key in vocabulary:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", vocabulary[key])
    if "charsmap" in vocabulary:
        writer.add_precompiled_charsmap(bytes(vocabulary["charsmap"]))
    for key, value in flags.items():
        writer.add_bool(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ask(vocabulary, model, texts, pre=None, **flags):
    """llama.cpp's ids for each text: plain, and with special tokens added and recognised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.gguf"
        write_gguf(path, vocabulary, model, pre, **flags)
        loaded = llama_cpp.Vocabulary(path)
        answers = [[loaded.encode(text, False, False), loaded.encode(text, True, True)] for text in texts]
        loaded.close()
    return answers


def write(name, value):
    (HERE / f"{name}.json").write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def pre_tokenizers():
    """One vocabulary, all names: names with the same answers are listed together."""
    vocabulary = byte_level()
    groups = {}
    for name in PRE_TOKENIZERS:
        try:
            answers = ask(vocabulary, "gpt2", TEXTS, name)
        except llama_cpp.Refused as refused:
            print(name, "is refused:", str(refused)[-200:])
            continue
        groups.setdefault(json.dumps(answers), []).append(name)
    plain = [{"names": names, "answers": json.loads(answers)} for answers, names in groups.items()]
    write("pre_tokenizers", {"vocabulary": vocabulary, "texts": TEXTS, "groups": plain})
    print(len(groups), "groups")
    for group in plain:
        print("  ", *group["names"])


def character_map(replacements):
    """SentencePiece's format: the size of a double array (darts-clone), the array, texts ended by zeros."""
    text, offsets = b"", {}
    for replacement in replacements.values():
        if replacement not in offsets:
            offsets[replacement] = len(text)
            text += replacement.encode() + b"\0"
    trie = {}
    for key, replacement in replacements.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = offsets[replacement]
    units, used = [0] * 65536, {0}

    def place(node, position):
        base = next(base for base in range(256, 65536, 1)
                    if base ^ position < 1 << 21 and not any(base ^ label in used for label in node))
        used.update(base ^ label for label in node)
        units[position] |= (position ^ base) << 10 | (1 << 8 if 0 in node and position else 0)
        for label, child in node.items():
            if label == 0:
                units[base] = 1 << 31 | child
            else:
                units[base ^ label] = label
        for label, child in node.items():
            if label:
                place(child, base ^ label)

    place(trie, 0)
    size = (max(used) // 256 + 1) * 256
    array = b"".join(unit.to_bytes(4, "little") for unit in units[:size])
    return list(len(array).to_bytes(4, "little") + array + text)


MAP = {"ａ": "a", "Ｈ": "H", "①": "1", "ﬁ": "fi", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": "", "½": "1⁄2",
       "e\u0301": "é", "e\u0301\u0301": "ë", "\u200b": "", "…": "...", "<": "‹", "<x": "y", "ß": "ss", "世": "world"}


def unigram():
    rows = json.loads((HERE.parent / "unigram.json").read_text())["model"]["vocab"]
    rows = rows + [["<mark>", 0.0], ["[m", 0.0], ["é~", 0.0], ["unused", -3.0], ["<0x41>", 0.0]]
    types = {"<pad>": CONTROL, "</s>": CONTROL, "<unk>": UNKNOWN, "<mark>": USER_DEFINED, "[m": USER_DEFINED,
             "é~": USER_DEFINED, "unused": UNUSED, "<0x41>": BYTE}
    return {"tokens": [token for token, _ in rows], "scores": [score for _, score in rows],
            "types": [types.get(token, NORMAL) for token, _ in rows], "eos": 1, "unknown": 2}


def word_pieces():
    vocab = json.loads((HERE.parent / "word_piece.json").read_text())["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    special = {"[PAD]": CONTROL, "[UNK]": UNKNOWN, "[CLS]": CONTROL, "[SEP]": CONTROL}
    written = [token if token in special else token[2:] if token.startswith("##") else "▁" + token for token in tokens]
    # A mask as in BERT, a word the user has added, and letters that only case and accents lead to.
    written += ["[MASK]", "<mark>", "▁É", "É", "▁é", "ë", "▁世", "ᄒ", "▁ß", "▁İ"]
    written = list(dict.fromkeys(written))
    special.update({"[MASK]": CONTROL, "<mark>": USER_DEFINED})
    return {"tokens": written, "types": [special.get(token, NORMAL) for token in written],
            "unknown": 1, "bos": 2, "seperator": 3}


def sentence_piece():
    file = json.loads((HERE.parent / "llama_normalizer.json").read_text())
    vocab, merges = file["model"]["vocab"], file["model"]["merges"]
    tokens = sorted(vocab, key=vocab.get)
    scores = dict.fromkeys(tokens, -1e4)
    for rank, (left, right) in reversed(list(enumerate(merges))):
        scores[left + right] = -float(rank)
    types = {"<unk>": UNKNOWN, "<s>": CONTROL, "</s>": CONTROL}
    types.update({token: BYTE for token in tokens if token.startswith("<0x")})
    added = ["<|endoftext|>", "<mark>", "<|end|>", "<|im_end|>", "<fim_prefix>", "<|channel|>", "[m", "[mm]", "mm]x"]
    types.update({"<mark>": USER_DEFINED, "<|end|>": CONTROL, "[m": USER_DEFINED, "[mm]": USER_DEFINED})
    return {"tokens": tokens + added, "scores": [scores.get(token, 0.0) for token in tokens + added],
            "types": [types.get(token, NORMAL) for token in tokens + added]}


SPECIAL_TEXTS = ["<s>a</s> b", "a<mark>b <mark> c", "<mark>", " <mark> <mark>", "<|end|> \n a <|end|>\tb", "x<|im_end|> y",
                 "<fim_prefix>a <|channel|> b", "[mm]x [m [mm] [[m", "<unk> x", "</s>", "[CLS] a [SEP]", "[MASK]s of the",
                 "é~e\u0301~ é", "<x <ma <mark", "unused", "<0x41>A", "Ａ①ﬁ ½ … ß世", "Él éL İi ẞß", "한국 ñÑ Ǆǆ", "a\ufffdb\u0378c"]

CASES = [
    ("t5", "t5", {}),
    ("t5", "t5", {"add_space_prefix": True, "remove_extra_whitespaces": True}),
    ("t5", "t5", {"add_space_prefix": True, "add_eos_token": False}),
    ("t5", "t5_map", {"add_space_prefix": True, "remove_extra_whitespaces": True}),
    ("t5", "t5_map", {"remove_extra_whitespaces": False}),
    ("bert", "bert", {}),
    ("bert", "bert", {"normalizer.lowercase": False}),
    ("bert", "bert", {"normalizer.lowercase": True, "normalizer.strip_accents": False}),
    ("bert", "bert", {"normalizer.lowercase": False, "normalizer.strip_accents": True}),
    ("llama", "llama", {}),
    ("llama", "llama", {"add_space_prefix": False, "add_bos_token": False, "add_eos_token": True}),
    ("llama", "llama", {"name": "Phi-3-mini"}),
    ("gpt2", "gpt2", {"pre": "gpt-2", "add_bos_token": True, "add_eos_token": True}),
    ("gpt2", "gpt2", {"pre": "llama-bpe", "add_bos_token": False}),
]


def kinds():
    """Vocabularies of the other kinds, and what flags and special tokens do to all."""
    gpt2 = byte_level()
    gpt2["tokens"] += ["<|im_end|>", "<|end|>", "<|channel|>", "[mm]"]
    gpt2["types"] += [NORMAL, USER_DEFINED, CONTROL, USER_DEFINED]
    vocabularies = {"t5": unigram(), "t5_map": {**unigram(), "charsmap": character_map(MAP)}, "bert": word_pieces(),
                    "llama": sentence_piece(), "gpt2": gpt2}
    texts = [text for text in TEXTS + SPECIAL_TEXTS if "\0" not in text]
    cases = [{"model": model, "vocabulary": key, "flags": flags, "answers": ask(vocabularies[key], model, texts, **flags)}
             for model, key, flags in CASES]
    write("kinds", {"vocabularies": vocabularies, "texts": texts, "cases": cases})


if __name__ == "__main__":
    pre_tokenizers()
    kinds()
