//! GGUF vocabularies of every kind against llama.cpp's tokens (see `data/gguf/make.py`).
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use std::collections::{BTreeSet, HashMap};

use glassbox_formats::gguf::{TokenType, Vocabulary};
use glassbox_text::{Special, Tokenizer, known_pre_tokenizers};
use serde::Deserialize;

/// A vocabulary as `make.py` writes it.
#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<String>,
    /// llama.cpp's numbers.
    types: Vec<u8>,
    #[serde(default)]
    merges: Vec<String>,
    #[serde(default)]
    scores: Vec<f32>,
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    #[serde(rename = "seperator")]
    separator: Option<u32>,
    #[serde(default)]
    charsmap: Vec<u8>,
}

impl Tokens {
    fn vocabulary(self, model: &str) -> Vocabulary {
        let kind = |kind: &u8| match kind {
            2 => TokenType::Unknown,
            3 => TokenType::Control,
            4 => TokenType::UserDefined,
            5 => TokenType::Unused,
            6 => TokenType::Byte,
            _ => TokenType::Normal,
        };
        Vocabulary {
            model: model.into(),
            types: self.types.iter().map(kind).collect(),
            tokens: self.tokens,
            merges: self.merges,
            scores: self.scores,
            bos: self.bos,
            eos: self.eos,
            unknown: self.unknown,
            separator: self.separator,
            precompiled_charsmap: self.charsmap,
            ..Vocabulary::default()
        }
    }
}

/// Ids without special tokens, and with them.
type Answer = (Vec<u32>, Vec<u32>);

/// What differs from llama.cpp's answers, in words.
fn differences(name: &str, vocabulary: &Vocabulary, texts: &[String], answers: &[Answer]) -> Vec<String> {
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let spell = |ids: &[u32]| {
        let tokens: Vec<&str> = ids.iter().map(|&id| vocabulary.tokens[id as usize].as_str()).collect();
        tokens.join("·")
    };
    let mut wrong = Vec::new();
    assert_eq!(texts.len(), answers.len());
    for (text, (plain, special)) in texts.iter().zip(answers) {
        for (ids, how) in [(plain, Special::None), (special, Special::Add)] {
            match tokenizer.encode(text, how) {
                Ok(ours) if ours == *ids => {}
                Ok(ours) => {
                    wrong.push(format!("{name} {text:?} {how:?}\n  {}\n  {}", spell(&ours), spell(ids)))
                }
                Err(error) => wrong.push(format!("{name} {text:?} {how:?}: {error}")),
            }
        }
    }
    wrong
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    serde_json::from_slice(&common::read(&format!("gguf/{file}.json"))).unwrap()
}

#[test]
fn every_pre_tokenizer_cuts_as_llama_cpp_does() {
    #[derive(Deserialize)]
    struct File {
        vocabulary: Tokens,
        texts: Vec<String>,
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        names: Vec<String>,
        answers: Vec<Answer>,
    }

    let file: File = read("pre_tokenizers");
    let mut vocabulary = file.vocabulary.vocabulary("gpt2");
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for group in &file.groups {
        for name in &group.names {
            names.insert(name.as_str());
            vocabulary.pre = Some(name.clone());
            wrong.extend(differences(name, &vocabulary, &file.texts, &group.answers));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(names, known_pre_tokenizers().collect(), "every name is compared");
}

#[test]
fn other_kinds_flags_and_special_tokens_agree_with_llama_cpp() {
    #[derive(Deserialize)]
    struct File {
        vocabularies: HashMap<String, Tokens>,
        texts: Vec<String>,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        model: String,
        vocabulary: String,
        flags: Flags,
        answers: Vec<Answer>,
    }
    #[derive(Debug, Deserialize)]
    struct Flags {
        name: Option<String>,
        pre: Option<String>,
        add_bos_token: Option<bool>,
        add_eos_token: Option<bool>,
        add_space_prefix: Option<bool>,
        remove_extra_whitespaces: Option<bool>,
        #[serde(rename = "normalizer.lowercase")]
        lowercase: Option<bool>,
        #[serde(rename = "normalizer.strip_accents")]
        strip_accents: Option<bool>,
    }

    let file: File = read("kinds");
    let vocabularies: HashMap<String, Vocabulary> =
        file.vocabularies.into_iter().map(|(name, tokens)| (name, tokens.vocabulary(""))).collect();
    let mut wrong = Vec::new();
    for Case { model, vocabulary, flags, answers } in file.cases {
        let name = format!("{vocabulary} {flags:?}");
        let vocabulary = Vocabulary {
            model,
            model_name: flags.name,
            pre: flags.pre,
            add_bos: flags.add_bos_token,
            add_eos: flags.add_eos_token,
            add_space_prefix: flags.add_space_prefix,
            remove_extra_whitespaces: flags.remove_extra_whitespaces,
            lowercase: flags.lowercase,
            strip_accents: flags.strip_accents,
            ..vocabularies[&vocabulary].clone()
        };
        wrong.extend(differences(&name, &vocabulary, &file.texts, &answers));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
