//! Damaged and lying tokenizers: every one loads or gives an error, and none stops the program.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use glassbox_text::{DecodeStream, MAX_TEXT_BYTES, Special, Tokenizer};
use serde_json::{Value, json};

const NAMES: [&str; 6] = ["gpt2", "llama3", "llama_metaspace", "unigram", "word_piece", "openai_gpt"];
const TEXTS: [&str; 7] = [
    "",
    " Hello, world! 123 🚀\n\n",
    "a<|endoftext|>b </s>c [CLS]",
    "cafe\u{301} 你好 the theory",
    "\0",
    "\u{301}",
    " ",
];

fn read(name: &str) -> Vec<u8> {
    common::read(&format!("{name}.json"))
}

/// Uses the tokenizer if it loads; says whether it did.
fn exercise(json: &[u8]) -> bool {
    let Ok(tokenizer) = Tokenizer::from_json(json) else { return false };
    for text in TEXTS {
        for special in [Special::None, Special::Add] {
            if let Ok(ids) = tokenizer.encode(text, special) {
                assert!(ids.iter().all(|&id| tokenizer.token(id).is_some()), "{ids:?}");
                tokenizer.decode(&ids).unwrap();
            }
        }
    }
    let mut stream = DecodeStream::new(&tokenizer);
    for id in (0..40).chain([u32::MAX]) {
        stream.push(id);
    }
    stream.finish();
    true
}

/// Numbers in a fixed order.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Replaces one value somewhere in the tree.
fn mutate(value: &mut Value, random: &mut Random) {
    let descend = random.below(8) != 0;
    match value {
        Value::Object(map) if descend && !map.is_empty() => {
            // Vocabularies are most of a file; the rest is where the structure is.
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = &keys[random.below(keys.len())];
            match map.get_mut(key) {
                Some(_) if random.below(10) == 0 => drop(map.remove(key)),
                Some(child) => mutate(child, random),
                None => {}
            }
        }
        Value::Array(list) if descend && !list.is_empty() => {
            let at = random.below(list.len());
            match random.below(10) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => mutate(&mut list[at], random),
            }
        }
        _ => {
            let replacements = [
                json!(null),
                json!(0),
                json!(-1),
                json!(4294967295u64),
                json!(1e300),
                json!(""),
                json!("▁"),
                json!("a"),
                json!("(?:a|a)+(?=b)|c"),
                json!("(("),
                json!([]),
                json!({}),
                json!(true),
                json!(false),
                json!("Sequence"),
                json!({"Regex": "^|\\b"}),
                json!({"String": ""}),
                json!(["a", "a"]),
                json!("B"),
                json!("é"),
            ];
            *value = replacements[random.below(replacements.len())].clone();
        }
    }
}

#[test]
fn changed_values_never_stop_the_program() {
    let mut random = Random(11);
    let (mut loaded, mut refused) = (0, 0);
    for name in NAMES {
        let sound: Value = serde_json::from_slice(&read(name)).unwrap();
        for _ in 0..400 {
            let mut changed = sound.clone();
            for _ in 0..1 + random.below(3) {
                mutate(&mut changed, &mut random);
            }
            match exercise(changed.to_string().as_bytes()) {
                true => loaded += 1,
                false => refused += 1,
            }
        }
    }
    assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
}

#[test]
fn any_normalizer_goes_with_any_pre_tokenizer() {
    let regex = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
    let normalizers = [
        json!(null),
        json!({"type": "NFC"}),
        json!({"type": "NFD"}),
        json!({"type": "NFKC"}),
        json!({"type": "NFKD"}),
        json!({"type": "Lowercase"}),
        json!({"type": "StripAccents"}),
        json!({"type": "Nmt"}),
        json!({"type": "ByteLevel"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Prepend", "prepend": "▁é"}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": true, "lowercase": true}),
        regex("", "é"),
        regex(".", ""),
        regex("$|^", "🚀"),
        regex(r"\b", "x"),
        regex("(?=.)", ""),
        json!({"type": "Sequence", "normalizers": [{"type": "NFKD"}, regex("[a-z]+", ""), {"type": "Prepend", "prepend": "x"}]}),
    ];
    let split = |pattern: &str, behavior: &str, invert: bool| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert});
    let pre_tokenizers = [
        json!(null),
        json!({"type": "Whitespace"}),
        json!({"type": "WhitespaceSplit"}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "UnicodeScripts"}),
        json!({"type": "CharDelimiterSplit", "delimiter": "e"}),
        json!({"type": "Punctuation", "behavior": "MergedWithNext"}),
        json!({"type": "Digits", "individual_digits": true}),
        json!({"type": "FixedLength", "length": 1}),
        json!({"type": "FixedLength", "length": u64::MAX}),
        json!({"type": "Metaspace", "replacement": "é", "prepend_scheme": "always", "split": true}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}),
        split("", "Isolated", false),
        split("", "Removed", true),
        split(".", "Contiguous", true),
        split("(?=l)", "Isolated", false),
        split(r"\S+$", "MergedWithPrevious", true),
        split("[^a-z]", "MergedWithNext", false),
    ];
    for name in ["gpt2", "unigram", "word_piece"] {
        let mut file: Value = serde_json::from_slice(&read(name)).unwrap();
        for normalizer in &normalizers {
            for pre_tokenizer in &pre_tokenizers {
                file["normalizer"] = normalizer.clone();
                file["pre_tokenizer"] = pre_tokenizer.clone();
                exercise(file.to_string().as_bytes());
            }
        }
    }
}

#[test]
fn truncated_files_are_refused() {
    for name in NAMES {
        let sound = read(name);
        for cut in 1..60 {
            assert!(!exercise(&sound[..sound.len() * cut / 60]));
        }
    }
}

#[test]
fn files_that_are_something_else_are_json_errors() {
    for bytes in [
        &b""[..],
        b"<!DOCTYPE html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"{",
        b"{\0\0\0",
        b"[]",
    ] {
        let error = Tokenizer::from_json(bytes).unwrap_err();
        assert_eq!(error.code(), "tokenizer_json");
        assert!(!error.hint().is_empty());
    }
    assert!(Tokenizer::from_json("[".repeat(100_000).as_bytes()).is_err());
}

/// The tiny GPT-2 tokenizer with one part replaced.
fn with(part: &str, value: Value) -> Result<Tokenizer, &'static str> {
    let mut file: Value = serde_json::from_slice(&read("gpt2")).unwrap();
    *file.pointer_mut(part).unwrap() = value;
    Tokenizer::from_json(file.to_string().as_bytes()).map_err(|error| error.code())
}

#[test]
fn lying_parts_are_named() {
    for (part, value, code) in [
        ("/model/merges/0", json!(["Ġthe", "Ġthe"]), "tokenizer_invalid"),
        ("/model/merges/0", json!("a b c"), "tokenizer_invalid"),
        ("/model/vocab/a", json!(4294967295u64), "text_too_large"),
        ("/model/type", json!("Unigram"), "tokenizer_invalid"),
        ("/model/type", json!("Neural"), "tokenizer_unsupported"),
        ("/pre_tokenizer", json!({"type": "FixedLength", "length": 0}), "tokenizer_invalid"),
        ("/pre_tokenizer", json!({"type": "Sequence"}), "tokenizer_invalid"),
        ("/pre_tokenizer", json!({"type": "New"}), "tokenizer_unsupported"),
        (
            "/normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "////fw=="}),
            "tokenizer_invalid",
        ),
        (
            "/normalizer",
            json!({"type": "Replace", "pattern": {"Regex": "("}, "content": ""}),
            "tokenizer_pattern",
        ),
        ("/decoder", json!({"type": "New"}), "tokenizer_unsupported"),
        (
            "/post_processor",
            json!({"type": "BertProcessing", "sep": ["x", 9999], "cls": ["x", 1]}),
            "tokenizer_invalid",
        ),
    ] {
        assert_eq!(with(part, value).unwrap_err(), code, "{part}");
    }
}

#[test]
fn a_pattern_that_gives_up_never_changes_tokens() {
    let split = json!({"type": "Split", "pattern": {"Regex": "(?:a|a)+(?=b)|c"}, "behavior": "Isolated", "invert": false});
    let replace = json!({"type": "Replace", "pattern": {"Regex": "(?:a|a)+(?=b)|c"}, "content": "x"});
    for (part, value) in [("/pre_tokenizer", split), ("/normalizer", replace)] {
        let tokenizer = with(part, value).unwrap();
        assert!(tokenizer.encode("aab", Special::None).is_ok());
        let error = tokenizer.encode(&"a".repeat(100), Special::None).unwrap_err();
        assert_eq!(error.code(), "tokenizer_backtracking", "{part}");
    }
    // GPT-2's own pattern on a run of spaces longer than the engine can step back over.
    let tokenizer = Tokenizer::from_json(&read("gpt2")).unwrap();
    let text = format!("{}x", " ".repeat(1_200_000));
    assert_eq!(tokenizer.encode(&text, Special::None).unwrap_err().code(), "tokenizer_backtracking");
}

#[test]
fn a_normalizer_that_inserts_between_characters_is_refused() {
    for pattern in ["", "^", r"\b", "(?=o)"] {
        let insert = json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": "x"});
        // At load already where an added token is to be normalized, as here.
        assert_eq!(with("/normalizer", insert.clone()).unwrap_err(), "tokenizer_unsupported");
        let mut file: Value = serde_json::from_slice(&read("unigram")).unwrap();
        file["normalizer"] = insert;
        let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("hello", Special::None).unwrap_err().code(), "tokenizer_unsupported");
    }
}

#[test]
fn texts_and_ids_are_bounded() {
    let tokenizer = Tokenizer::from_json(&read("gpt2")).unwrap();
    let error = tokenizer.encode(&"x".repeat(MAX_TEXT_BYTES + 1), Special::None).unwrap_err();
    assert_eq!(error.code(), "text_too_large");
    let beyond = tokenizer.vocab_size() as u32;
    assert_eq!(tokenizer.decode(&[0, beyond]).unwrap_err().code(), "no_such_token");
    assert_eq!(tokenizer.token(beyond), None);
    assert_eq!(DecodeStream::new(&tokenizer).push(beyond), None);
}
