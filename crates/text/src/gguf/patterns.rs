//! The pre-tokenizer patterns that GGUF files name in `tokenizer.ggml.pre`.
//!
//! The names are llama.cpp's. Each pattern cuts as llama.cpp does, which is not everywhere what the
//! tokenizer.json says that the name was given for: its letters have no case beyond ASCII, marks
//! are no letters unless named. `tests/data/gguf` has its answers.

/// GPT-2's pattern: contractions, words, numbers, other signs, each with one space before it.
pub(crate) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// English contractions in either case.
macro_rules! contractions {
    () => {
        r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    };
}

/// Words with one sign before them, numbers as given, and other signs, each followed by `$after`.
macro_rules! words {
    ($numbers:literal, $after:literal) => {
        concat!(r"[^\r\n\p{L}\p{N}]?\p{L}+|", $numbers, r"| ?[^\s\p{L}\p{N}]+", $after)
    };
}

/// Lines' ends with what is before them, and other white space but for the last before a word.
macro_rules! spaces {
    () => {
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}

/// Words cut where lower case is followed by upper case, with one sign before and `$end` after them.
macro_rules! cased {
    ($letters:literal, $end:expr, $numbers:literal) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[",
            $letters,
            r"&&[^a-z]]*[",
            $letters,
            r"&&[^A-Z]]+",
            $end,
            r"|[^\r\n\p{L}\p{N}]?[",
            $letters,
            r"&&[^a-z]]+[",
            $letters,
            r"&&[^A-Z]]*",
            $end,
            "|",
            $numbers,
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
            spaces!()
        )
    };
}

const LLAMA3: &str = concat!(contractions!(), "|", words!(r"\p{N}{1,3}", r"[\r\n]*"), spaces!());
const QWEN2: &str = concat!(contractions!(), "|", words!(r"\p{N}", r"[\r\n]*"), spaces!());
const QWEN35: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
    spaces!()
);
const UFAKZEKA: &str = concat!(words!(r"\p{N}", r"[\r\n]*"), spaces!());
const MINICPM5: &str = concat!(contractions!(), "|", words!(r"\p{N}+", r"[\r\n]*"), spaces!());
const SEED_CODER: &str =
    concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+", spaces!());
const EXAONE_MOE: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?",
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
);
/// White space in runs whose lengths are powers of two.
const JAIS2: &str = concat!(
    contractions!(),
    "|",
    words!(r"\p{N}{1,3}", r"[\r\n]*"),
    r"|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)",
    r"|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s"
);
const GPT4O: &str = cased!(r"\p{L}", concat!(contractions!(), "?"), r"\p{N}{1,3}");
const GRANITE_EMB: &str = cased!(r"\p{L}\p{M}", concat!(contractions!(), "?"), r"\p{N}{1,3}");
const TEKKEN: &str = cased!(r"\p{L}", "", r"\p{N}");
const TINY_AYA: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+",
    contractions!(),
    r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    spaces!()
);
const YOUTU: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+",
    contractions!(),
    r"?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    spaces!()
);
/// Han characters apart from other letters.
const KIMI_K2: &str = concat!(
    r"[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2EBEF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{L}&&[^\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2EBEF}",
    r"\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]]+",
    contractions!(),
    r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    spaces!()
);
const BLOOM: &str = r" ?[^(\s|.,!?\u{2026}\u{3002}\u{FF0C}\u{3001}\u{964}\u{6D4}\u{60C})]+";
const CJK: &str = r"[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+";
const DEEPSEEK3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"##,
    spaces!()
);
const SPARK2: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"##;
/// Groups of three digits counted from the right.
const THREE_DIGITS: &str = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))";
/// The same, the first with the text before it.
const AFMOE_DIGITS: &str = r"\P{N}*\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))";
const AFMOE_SCRIPTS: &str = concat!(
    r"[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{8C48}-\u{FAFF}\u{3040}-\u{30FF}\u{FF65}-\u{FF9F}\u{2F00}-\u{2FDF}",
    r"\u{E40}-\u{EFF}\u{1780}-\u{17FF}\u{1000}-\u{109F}\u{AA60}-\u{AA7F}\u{A9E0}-\u{A9FF}\u{AC00}-\u{D7AF}",
    r"\u{1100}-\u{11FF}]+"
);
const YOUTU_SCRIPTS: &str = concat!(
    r"[\u{AC00}-\u{D7A3}\u{3131}-\u{318E}]+|[\u{FF01}\u{2026}\u{201C}\u{201D}\u{2018}\u{2019}\u{2014}\u{FF1A}\u{FF1B}",
    r"\u{FF0C}\u{3001}-\u{303F}\u{FE30}-\u{FE4F}]+|[\u{3105}-\u{312F}]+|",
    r"[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"
);
/// The cased letters that DeepSeek's tokenizer lists one by one.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\u{B5}\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{1BA}\u{1BC}-\u{1BF}\u{1C4}-\u{293}",
    r"\u{295}-\u{2AF}\u{370}-\u{373}\u{376}\u{377}\u{37B}-\u{37D}\u{37F}\u{386}\u{388}-\u{38A}\u{38C}",
    r"\u{38E}-\u{3A1}\u{3A3}-\u{3F5}\u{3F7}-\u{481}\u{48A}-\u{52F}\u{531}-\u{556}\u{10A0}-\u{10C5}",
    r"\u{13A0}-\u{13F5}\u{13F8}-\u{13FD}\u{1C90}-\u{1CBA}\u{1CBD}-\u{1CBF}\u{1D00}-\u{1D2B}",
    r"\u{1D6B}-\u{1D77}\u{1D79}-\u{1D9A}\u{1E00}-\u{1F15}\u{1F18}-\u{1F1D}\u{1F20}-\u{1F45}",
    r"\u{1F48}-\u{1F4D}\u{1F50}-\u{1F57}\u{1F59}\u{1F5B}\u{1F5D}\u{1F5F}-\u{1F7D}\u{1F80}-\u{1FB4}",
    r"\u{1FB6}-\u{1FBC}\u{1FBE}\u{1FC2}-\u{1FC4}\u{1FC6}-\u{1FCC}\u{1FD0}-\u{1FD3}\u{1FD6}-\u{1FDB}",
    r"\u{1FE0}-\u{1FEC}\u{1FF2}-\u{1FF4}\u{1FF6}-\u{1FFC}\u{2102}\u{2107}\u{210A}-\u{2113}\u{2115}",
    r"\u{2119}-\u{211D}\u{2124}\u{2126}\u{2128}\u{212A}-\u{212D}\u{212F}-\u{2134}\u{2139}",
    r"\u{213C}-\u{213F}\u{2145}-\u{2149}\u{214E}\u{2183}\u{2184}\u{2C00}-\u{2C7B}\u{2C7E}-\u{2CE4}",
    r"\u{2CEB}-\u{2CEE}\u{2CF2}\u{2CF3}\u{A640}-\u{A66D}\u{A680}-\u{A69B}\u{A722}-\u{A76F}",
    r"\u{A771}-\u{A787}\u{A78B}-\u{A78E}\u{AB70}-\u{ABBF}\u{FB00}-\u{FB06}\u{FB13}-\u{FB17}",
    r"\u{FF21}-\u{FF3A}\u{FF41}-\u{FF5A}\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}",
    r"\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}",
    r"]+"
);

/// How a byte-level vocabulary cuts text before merging.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PreTokenizerSpec {
    /// The names in `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    /// Patterns, each applied to the pieces the one before left; matches and the text between
    /// them become pieces.
    pub(super) patterns: &'static [&'static str],
    /// A piece that is a token is taken whole, even where merges would not lead to it.
    pub(super) ignore_merges: bool,
    /// Whether BOS is added where the file does not say.
    pub(super) add_bos: bool,
}

const fn spec(names: &'static [&'static str], patterns: &'static [&'static str]) -> PreTokenizerSpec {
    PreTokenizerSpec { names, patterns, ignore_merges: false, add_bos: false }
}

/// A pre-tokenizer after which pieces that are tokens are taken whole.
const fn whole(names: &'static [&'static str], patterns: &'static [&'static str]) -> PreTokenizerSpec {
    PreTokenizerSpec { names, patterns, ignore_merges: true, add_bos: false }
}

/// The same, with BOS.
const fn whole_bos(names: &'static [&'static str], patterns: &'static [&'static str]) -> PreTokenizerSpec {
    PreTokenizerSpec { names, patterns, ignore_merges: true, add_bos: true }
}

const SPECS: &[PreTokenizerSpec] = &[
    spec(&["default"], &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"]),
    spec(
        &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "trillion",
            "granite-docling",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
        ],
        &[GPT2],
    ),
    spec(
        &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
        &[r"\p{N}", GPT2],
    ),
    whole_bos(
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        &[LLAMA3],
    ),
    spec(&["dbrx", "smaug-bpe", "chatglm-bpe"], &[LLAMA3]),
    whole(&["glm4"], &[LLAMA3]),
    whole(&["minicpm5"], &[r"\p{N}{1,3}", MINICPM5]),
    spec(&["jais-2"], &[JAIS2]),
    spec(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "stablelm2",
            "megrez",
            "hunyuan",
            "solar-open",
            "grok-2",
            "kormo",
            "f2llmv2",
            "bailingmoe",
            "bailingmoe2",
            "llada-moe",
        ],
        &[QWEN2],
    ),
    spec(&["qwen35"], &[QWEN35]),
    spec(&["ufakzeka"], &[UFAKZEKA]),
    spec(&["laguna"], &[r"[^\n]+|[\n]+", QWEN2]),
    spec(&["seed-coder"], &[SEED_CODER]),
    spec(&["exaone-moe"], &[EXAONE_MOE]),
    spec(&["falcon"], &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"]),
    spec(
        &["deepseek-llm"],
        &[
            r"[\r\n]",
            DEEPSEEK_LETTERS,
            r"\s?[!-/:-~\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF5E}\u{2018}-\u{201F}\u{3000}-\u{3002}]+",
            r"\s+$",
            r"[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+",
            r"\p{N}+",
        ],
    ),
    spec(
        &["deepseek-coder"],
        &[
            r"[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            r"[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+",
            r"\p{N}",
        ],
    ),
    spec(&["deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm"], &[r"\p{N}{1,3}", CJK, DEEPSEEK3]),
    spec(&["spark2_5"], &[r"\p{N}{1,3}", CJK, SPARK2, r"\p{N}"]),
    spec(&["afmoe"], &[AFMOE_DIGITS, AFMOE_SCRIPTS, DEEPSEEK3]),
    whole(&["youtu"], &[YOUTU_SCRIPTS, YOUTU]),
    spec(&["bloom", "poro-chat", "gpt3-finnish"], &[BLOOM]),
    spec(&["viking"], &[BLOOM, r"\p{N}"]),
    whole_bos(&["tekken"], &[TEKKEN]),
    spec(&["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], &[GPT4O]),
    whole(&["granite-embed-multi-97m"], &[GRANITE_EMB]),
    spec(&["tiny_aya", "cohere2moe"], &[THREE_DIGITS, TINY_AYA]),
    spec(&["kimi-k2"], &[KIMI_K2]),
    spec(&["superbpe"], &[r"\p{N}+", r"(?=(?:[0-9]{3})+(?![0-9]))"]),
    PreTokenizerSpec {
        names: &["chameleon"],
        patterns: &[
            "<sentinel:[0-9]+>",
            "IMGIMG[A-I]{1,4}Z",
            r"[\t\n]|    |  ",
            r"\p{N}",
            r"[\p{P}!-/:-@\[-`{-~]",
            GPT2,
        ],
        ignore_merges: false,
        add_bos: true,
    },
];

/// The pre-tokenizer that a file names, if known.
pub(super) fn find(name: &str) -> Option<&'static PreTokenizerSpec> {
    SPECS.iter().find(|spec| spec.names.contains(&name))
}

/// All names of `tokenizer.ggml.pre` that are understood.
pub fn known_pre_tokenizers() -> impl Iterator<Item = &'static str> {
    SPECS.iter().flat_map(|spec| spec.names.iter().copied())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::collections::BTreeSet;

    use super::*;
    use crate::checked::CheckedRegex;

    #[test]
    fn every_pattern_compiles_and_every_name_is_given_once() {
        for pattern in SPECS.iter().flat_map(|spec| spec.patterns) {
            CheckedRegex::new(pattern).unwrap();
        }
        let names: Vec<_> = known_pre_tokenizers().collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
        assert!(names.iter().all(|name| find(name).is_some()));
        assert_eq!(find("no such name"), None);
    }
}
