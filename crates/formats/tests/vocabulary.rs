//! Vocabularies inside GGUF files.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{Gguf, code, open_gguf};
use glassbox_formats::gguf::{TokenType, Vocabulary, byte_token};
use glassbox_formats::{Config, FormatError};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const I32: u32 = 5;

/// A vocabulary of four tokens.
fn four() -> Gguf {
    Gguf::default().text("tokenizer.ggml.model", "llama").strings(TOKENS, &["<unk>", "<s>", "<0x0A>", "▁a"])
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn vocabulary(gguf: &Gguf) -> Result<Vocabulary, FormatError> {
    open_gguf(gguf.build()).map(|checkpoint| checkpoint.tokenizer.vocabulary.expect("there is a vocabulary"))
}

fn fault(gguf: &Gguf) -> String {
    code(open_gguf(gguf.build()))
}

#[test]
fn reads_all_of_it() {
    let scores: Vec<u8> = [0.0f32, 0.0, -1.5, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let gguf = four()
        .array(TYPES, I32, 4, &i32s(&[2, 3, 6, 1]))
        .array(SCORES, 6, 4, &scores)
        .strings("tokenizer.ggml.merges", &["a b"])
        .text("tokenizer.ggml.pre", "default")
        .text("general.name", "A model")
        .text("tokenizer.chat_template", "{{ messages }}")
        .text("tokenizer.chat_template.tool_use", "{{ tools }}")
        .array("tokenizer.ggml.precompiled_charsmap", 1, 3, &[0xff, 1, 2])
        .u32("tokenizer.ggml.seperator_token_id", 2)
        .raw("tokenizer.ggml.remove_extra_whitespaces", 7, &[1])
        .raw("tokenizer.ggml.normalizer.lowercase", 7, &[0])
        .raw("tokenizer.ggml.normalizer.strip_accents", 7, &[1])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.unknown_token_id", 0)
        .raw("tokenizer.ggml.add_bos_token", 7, &[1])
        .raw("tokenizer.ggml.add_space_prefix", 7, &[0]);
    let checkpoint = open_gguf(gguf.build()).unwrap();
    let expected = Vocabulary {
        model: "llama".into(),
        pre: Some("default".into()),
        tokens: ["<unk>", "<s>", "<0x0A>", "▁a"].map(String::from).to_vec(),
        scores: vec![0.0, 0.0, -1.5, -2.0],
        types: vec![TokenType::Unknown, TokenType::Control, TokenType::Byte, TokenType::Normal],
        merges: vec!["a b".into()],
        bos: Some(1),
        eos: None,
        unknown: Some(0),
        separator: Some(2),
        add_bos: Some(true),
        add_eos: None,
        add_space_prefix: Some(false),
        remove_extra_whitespaces: Some(true),
        precompiled_charsmap: vec![0xff, 1, 2],
        lowercase: Some(false),
        strip_accents: Some(true),
        model_name: Some("A model".into()),
        chat_template: Some("{{ messages }}".into()),
        named_chat_templates: vec![("tool_use".into(), "{{ tools }}".into())],
    };
    assert_eq!(checkpoint.tokenizer.vocabulary, Some(expected));
    // The lists were moved, the small keys were not.
    let Config::Gguf(metadata) = &checkpoint.config else { panic!("not GGUF") };
    assert!([TOKENS, TYPES, SCORES].iter().all(|key| metadata.value(key).is_none()));
    assert_eq!(metadata.get::<u32>("tokenizer.ggml.bos_token_id").unwrap(), Some(1));
}

#[test]
fn a_file_without_tensors_opens() {
    let checkpoint = open_gguf(four().build()).unwrap();
    assert!(checkpoint.tensors.is_empty());
    assert_eq!(checkpoint.parameters(), 0);
    assert_eq!(checkpoint.tokenizer.vocabulary.unwrap().tokens.len(), 4);
}

#[test]
fn a_file_without_vocabulary_opens() {
    assert_eq!(open_gguf(Gguf::default().build()).unwrap().tokenizer.vocabulary, None);
}

#[test]
fn lists_have_the_vocabulary_s_length() {
    assert_eq!(fault(&four().array(TYPES, I32, 3, &i32s(&[1, 1, 1]))), "vocabulary_invalid");
    assert_eq!(fault(&four().array(SCORES, 6, 1, &[0; 4])), "vocabulary_invalid");
    let empty = Gguf::default().text("tokenizer.ggml.model", "llama").strings(TOKENS, &[]);
    assert_eq!(fault(&empty), "vocabulary_invalid");
}

#[test]
fn lists_have_their_type() {
    assert_eq!(fault(&four().strings(SCORES, &["a", "b", "c", "d"])), "metadata_type");
    assert_eq!(fault(&four().array(TYPES, 6, 4, &[0; 16])), "metadata_type");
    assert_eq!(fault(&four().array("tokenizer.ggml.merges", I32, 4, &[0; 16])), "metadata_type");
    let numbers = Gguf::default().text("tokenizer.ggml.model", "llama").array(TOKENS, I32, 4, &[0; 16]);
    assert_eq!(fault(&numbers), "metadata_type");
    assert_eq!(fault(&Gguf::default().strings(TOKENS, &["a"])), "metadata_missing");
    assert_eq!(fault(&four().text("tokenizer.ggml.bos_token_id", "1")), "metadata_type");
    assert_eq!(fault(&four().u32("tokenizer.ggml.add_bos_token", 1)), "metadata_type");
}

#[test]
fn token_types_exist() {
    for kind in [7, 100] {
        assert_eq!(fault(&four().array(TYPES, I32, 4, &i32s(&[1, 1, 1, kind]))), "vocabulary_invalid");
    }
    assert_eq!(fault(&four().array(TYPES, I32, 4, &i32s(&[1, 1, 1, -1]))), "metadata_type");
    let vocabulary = vocabulary(&four().array(TYPES, I32, 4, &i32s(&[0, 1, 4, 5]))).unwrap();
    let expected = [TokenType::Normal, TokenType::Normal, TokenType::UserDefined, TokenType::Unused];
    assert_eq!(vocabulary.types, expected);
}

#[test]
fn special_ids_are_in_the_vocabulary() {
    for key in ["bos", "eos", "unknown"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        assert_eq!(fault(&four().u32(&key, 3)), "opened");
        assert_eq!(fault(&four().u32(&key, 4)), "vocabulary_invalid");
        assert_eq!(fault(&four().u32(&key, u32::MAX - 1)), "vocabulary_invalid");
    }
    // -1 stands for none.
    let none = vocabulary(&four().u32("tokenizer.ggml.bos_token_id", u32::MAX)).unwrap();
    assert_eq!(none.bos, None);
}

#[test]
fn byte_tokens_are_spelled_strictly() {
    assert_eq!(byte_token("<0x0A>"), Some(10));
    assert_eq!(byte_token("<0xff>"), Some(255));
    for wrong in ["<0x-1>", "<0x+1>", "<0x0>", "<0x000>", "<0x100>", "0x0A", "<0x0A", "<0xZZ>", "<0xé>", ""]
    {
        assert_eq!(byte_token(wrong), None, "{wrong}");
    }
    let wrong = Gguf::default()
        .text("tokenizer.ggml.model", "llama")
        .strings(TOKENS, &["a", "<0x-1>"])
        .array(TYPES, I32, 2, &i32s(&[1, 6]));
    assert_eq!(fault(&wrong), "vocabulary_invalid");
}
