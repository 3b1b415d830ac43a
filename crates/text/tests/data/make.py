"""Trains tiny tokenizers of every common kind and records what Python's `tokenizers` makes of hard strings.

    python make.py        # writes NAME.json and NAME.cases.json beside this file

Training breaks ties in no fixed order, so another run may give other, equally good vocabularies.

Needs `tokenizers` 0.23. Each case is [text, ids, ids with special tokens, decoded text]: the first ids
with no special token added or recognised, the second with both; the text is decoded from the first.
"""

import json
import random
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

HERE = Path(__file__).parent

LESSON = """
Attention lets every position of a text look back at the positions before it. A head weighs them, and the weights
of one row add up to one. Once upon a time there was a little model that had 260,000 weights and 5 layers; it wasn't
large, but it'd learned to tell stories. "What's next?" it asked, and the answer was a list of probabilities:
0.4 for `the`, 0.25 for `a`, 0.1 for `an`... We'll see that they're not all the same! I've said so, haven't I?
def step(x, n=3):
    return [x[i] * 2 for i in range(n)]  # a comment
Das Mädchen über die Straße führen; L'été où j'étais à Noël. Привет, мир! Как дела? 你好，世界。今天天气很好。
こんにちは世界。 안녕하세요 세계. مرحبا بالعالم नमस्ते दुनिया สวัสดีชาวโลก 🙂 🚀 👩‍👩‍👧 e = mc²; naïve café, ½ × π ≈ 1.57
The heads of the layers, the layers of the model, and the model of the text: the theory of the thing.
"""

HARD = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", " \n ", "\r\n", "a\r\n\r\nb", "\u00a0", "\u3000x",
    "Hello world", " Hello world", "  Hello   world  ", "Hello, World!", "hello\nworld\n", "\n =", "' era",
    "I'm you're WE'LL he'd THEY'VE can't 'tis 's'S'ſ", "the theory of the thing", "the\ttheory\t\tof",
    "1", "12", "123", "1234", "12345", "3.14159", "2024-11-21", "١٢٣ ４５６ ½²Ⅷ", "x=3;y[4]*=2", "!!!!!!", "?!?.,;:",
    "def f(x):\n    return x\n\n\tpass  # ok", "<s>", "</s>", "<unk>", "<|endoftext|>", "[CLS] [SEP] [UNK]",
    "a<|endoftext|>b </s>c<s> d", "added_word and added_words", "<0x41>", "##ing", "▁", "▁▁a ▁b", "Ġ Ċ", "</w>",
    "Mädchen über Straße", "cafe\u0301 café", "e\u0301\u0301 \u0301", "İıſßẞǅﬁ", "Привет, мир!", "你好，世界。", "こんにちは世界",
    "안녕하세요", "مرحبا بالعالم", "नमस्ते", "កាន់តែពិសេស", "สวัสดีชาวโลก", "🙂", "🚀🚀", "👩‍👩‍👧", "😶‍🌫️ ok", "🇩🇪🇫🇷", "𝒳𝕐", "𐐷",
    "\u200b\u200d\u202e\ufeff", "\x00\x01\x7f", "\u0085\u2028\u2029", "\ufffd", "\ue000", "\U0010ffff", "a\u0000b",
    "w048 7tuijk dsdfhu", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "supercalifragilistic" * 6,
    "https://example.org/a_b?c=d&e=%20f#g", "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～", "  \n\n  \t x",
]


def strings():
    random.seed(7)
    atoms = ["the", "The", " ", "  ", "\n", "\t", "'s", "'LL", "1", "23", ".", ",", "(", "é", "e\u0301", "你", "の", "🚀",
             "\u200d", "ß", "Ж", "ا", "</s>", "<s>", "_", "-", "head", "layer", "\u00a0", "\r\n", "½", "x", "Q"]
    return HARD + ["".join(random.choices(atoms, k=random.randint(2, 12))) for _ in range(24)]


def trainer(kind, size, **options):
    return kind(vocab_size=size, show_progress=False, **options)


def byte_level(pre_tokenizer, size=460, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [LESSON], trainer(trainers.BpeTrainer, size, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"]))
    tokenizer.add_tokens(["added_word"])
    return tokenizer


def gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))


def smollm():
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level(pre_tokenizers.Sequence(steps), 420)


def llama3():
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated"),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer = byte_level(pre_tokenizers.Sequence(steps), 420, ignore_merges=True)
    bos = processors.TemplateProcessing("<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), bos])
    return tokenizer


def with_bytes(tokens):
    return tokens + [f"<0x{byte:02X}>" for byte in range(256)]


def all_merges(vocab, order):
    """Every way to make a token of two others, best token first: what scores mean in SentencePiece."""
    pairs = []
    for token in order:
        splits = [(token[:i], token[i:]) for i in range(1, len(token))]
        pairs += [pair for pair in splits if pair[0] in vocab and pair[1] in vocab]
    return pairs


def llama_bpe(normalizer, pre_tokenizer, decoder, size=520):
    """A SentencePiece-like BPE: trained on marked text, then given byte tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    marked = [word for line in LESSON.split("\n") for word in ("▁" + line.replace(" ", "▁")).replace("▁", " ▁").split()]
    special = with_bytes(["<unk>", "<s>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator([" ".join(marked)], trainer(trainers.BpeTrainer, size, special_tokens=special))
    model = json.loads(tokenizer.to_str())["model"]
    merged = ["".join(merge) for merge in model["merges"]]
    merges = all_merges(model["vocab"], merged)
    tokenizer = Tokenizer(models.BPE(model["vocab"], merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoder
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special[:3]])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


SENTENCE_PIECE = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]


def llama_normalizer():
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return llama_bpe(normalizer, None, decoders.Sequence(SENTENCE_PIECE))


def llama_metaspace():
    pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return llama_bpe(None, pre_tokenizer, decoders.Sequence(SENTENCE_PIECE), 400)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator([LESSON] * 4, trainer(
        trainers.UnigramTrainer, 300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator([LESSON], trainer(
        trainers.WordPieceTrainer, 360, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def openai_gpt():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    tokenizer.train_from_iterator([LESSON], trainer(
        trainers.BpeTrainer, 360, special_tokens=["<unk>"], end_of_word_suffix="</w>"))
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([LESSON], trainer(trainers.WordLevelTrainer, 120, special_tokens=["<unk>"]))
    return tokenizer


def cases(tokenizer, texts):
    rows = []
    for text in texts:
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        special = tokenizer.encode(text).ids
        rows.append([text, plain, special, tokenizer.decode(plain)])
    return rows


def main():
    for make in (gpt2, smollm, llama3, llama_normalizer, llama_metaspace, unigram, word_piece, openai_gpt, word_level):
        tokenizer = make()
        name = make.__name__
        text = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(text + "\n")
        rows = [json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in cases(tokenizer, strings())]
        (HERE / f"{name}.cases.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
