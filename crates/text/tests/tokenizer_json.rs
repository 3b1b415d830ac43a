//! Tiny tokenizers of every common kind against Python's `tokenizers` (see `data/make.py`).
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use glassbox_text::{DecodeStream, Special, Tokenizer};

/// A text, its ids without and with special tokens, and what Python decodes from the first.
type Case = (String, Vec<u32>, Vec<u32>, String);

fn load(name: &str) -> (Tokenizer, Vec<Case>) {
    let cases: Vec<Case> = serde_json::from_slice(&common::read(&format!("{name}.cases.json"))).unwrap();
    assert!(cases.len() > 90);
    (Tokenizer::from_json(&common::read(&format!("{name}.json"))).unwrap(), cases)
}

/// Compares ids with Python's, and checks that decoding is the same whole and token by token.
fn check_ids(name: &str) -> (Tokenizer, Vec<Case>) {
    let (tokenizer, cases) = load(name);
    for (text, plain, special, _) in &cases {
        assert_eq!(&tokenizer.encode(text, Special::None).unwrap(), plain, "{name}: {text:?}");
        assert_eq!(&tokenizer.encode(text, Special::Add).unwrap(), special, "{name} with special: {text:?}");
        let whole = tokenizer.decode(plain).unwrap();
        let mut stream = DecodeStream::new(&tokenizer);
        let mut streamed: String = plain.iter().filter_map(|&id| stream.push(id)).collect();
        streamed.push_str(&stream.finish());
        assert_eq!(streamed, whole, "{name}: {text:?}");
    }
    (tokenizer, cases)
}

/// For tokenizers that lose nothing: decoding gives the text back, and so do the pieces' bytes.
fn check_lossless(name: &str) {
    let (tokenizer, cases) = check_ids(name);
    for (text, plain, ..) in &cases {
        assert_eq!(&tokenizer.decode(plain).unwrap(), text, "{name}");
        let pieces: Vec<u8> = plain.iter().flat_map(|&id| tokenizer.token(id).unwrap().bytes).collect();
        assert_eq!(pieces, text.as_bytes(), "{name}");
    }
}

/// For tokenizers that lose something when encoding: decoding gives what Python gives.
fn check_decoding(name: &str) {
    let (tokenizer, cases) = check_ids(name);
    for (text, plain, _, decoded) in &cases {
        assert_eq!(&tokenizer.decode(plain).unwrap(), decoded, "{name}: {text:?}");
    }
}

#[test]
fn gpt2_style_byte_level_bpe() {
    check_lossless("gpt2");
}

#[test]
fn smollm_style_byte_level_bpe_with_single_digits() {
    check_lossless("smollm");
}

#[test]
fn llama3_style_byte_level_bpe_with_a_split_pattern() {
    check_lossless("llama3");
}

#[test]
fn llama_style_bpe_with_byte_fallback() {
    check_decoding("llama_normalizer");
}

#[test]
fn llama_style_bpe_with_the_metaspace_pre_tokenizer() {
    check_decoding("llama_metaspace");
}

#[test]
fn unigram() {
    check_decoding("unigram");
}

#[test]
fn word_piece() {
    check_decoding("word_piece");
}

#[test]
fn bpe_with_a_suffix_at_the_end_of_words() {
    check_decoding("openai_gpt");
}

#[test]
fn word_level() {
    check_decoding("word_level");
}
