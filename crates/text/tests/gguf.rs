//! GGUF vocabularies made from the tiny tokenizers in `data/`, with the ids that Python gives for those,
//! and SentencePiece's merging against its definition.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use std::collections::HashMap;

use glassbox_formats::TokenizerFiles;
use glassbox_formats::gguf::{TokenType, Vocabulary};
use glassbox_text::{Special, TextError, Tokenizer, known_pre_tokenizers};
use serde_json::Value;

type Case = (String, Vec<u32>, Vec<u32>, String);

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    serde_json::from_slice(&common::read(file)).unwrap()
}

/// The vocabulary that a converter would write for `NAME.json`.
fn convert(name: &str) -> Vocabulary {
    let file: Value = read(&format!("{name}.json"));
    let vocab: HashMap<String, u32> = serde_json::from_value(file["model"]["vocab"].clone()).unwrap();
    let added = file["added_tokens"].as_array().unwrap();
    let last = added.iter().map(|token| token["id"].as_u64().unwrap() as usize).max().unwrap();
    let mut tokens = vec![String::new(); vocab.len().max(last + 1)];
    let mut types = vec![TokenType::Normal; tokens.len()];
    for (token, id) in vocab {
        if token.starts_with("<0x") {
            types[id as usize] = TokenType::Byte;
        }
        tokens[id as usize] = token;
    }
    for token in added {
        let id = token["id"].as_u64().unwrap() as usize;
        tokens[id] = token["content"].as_str().unwrap().to_owned();
        types[id] = match token["special"].as_bool().unwrap() {
            true if tokens[id] == "<unk>" => TokenType::Unknown,
            true => TokenType::Control,
            false => TokenType::UserDefined,
        };
    }
    let pairs: Vec<(String, String)> = serde_json::from_value(file["model"]["merges"].clone()).unwrap();
    let merges = pairs.iter().map(|(left, right)| format!("{left} {right}")).collect();
    // A token's score is the rank of the first merge that makes it, as in SentencePiece.
    let mut scores = vec![-1e4; tokens.len()];
    for (rank, (left, right)) in pairs.iter().enumerate().rev() {
        let joined = format!("{left}{right}");
        scores[tokens.iter().position(|token| *token == joined).unwrap()] = -(rank as f32);
    }
    Vocabulary { tokens, types, merges, scores, ..Vocabulary::default() }
}

fn check(name: &str, vocabulary: &Vocabulary) {
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let cases: Vec<Case> = read(&format!("{name}.cases.json"));
    assert!(cases.len() > 90);
    for (text, plain, special, decoded) in cases {
        assert_eq!(tokenizer.encode(&text, Special::None).unwrap(), plain, "{name}: {text:?}");
        assert_eq!(tokenizer.encode(&text, Special::Add).unwrap(), special, "{name} with special: {text:?}");
        assert_eq!(tokenizer.decode(&plain).unwrap(), decoded, "{name}");
    }
}

#[test]
fn byte_level_vocabularies_agree_with_their_tokenizer_json() {
    for (name, pre) in [("gpt2", "gpt-2"), ("smollm", "smollm"), ("llama3", "llama-bpe")] {
        let vocabulary = Vocabulary {
            model: "gpt2".into(),
            pre: Some(pre.into()),
            bos: Some(0),
            eos: Some(0),
            scores: Vec::new(),
            ..convert(name)
        };
        check(name, &vocabulary);
    }
}

#[test]
fn sentencepiece_agrees_with_the_tokenizer_json_made_from_its_scores() {
    check("llama_normalizer", &Vocabulary { model: "llama".into(), ..convert("llama_normalizer") });
}

#[test]
fn sentencepiece_joins_the_best_pair_first() {
    let mut vocabulary =
        Vocabulary { model: "llama".into(), add_space_prefix: Some(false), ..convert("llama_normalizer") };
    check_merging(&vocabulary);
    // Tokens that reach over two words: these can no longer be merged one by one.
    for token in ["e▁", "e▁t", "e▁th", "▁▁"] {
        vocabulary.tokens.push(token.into());
        vocabulary.types.push(TokenType::Normal);
        vocabulary.scores.push(1.0);
    }
    check_merging(&vocabulary);
}

fn check_merging(vocabulary: &Vocabulary) {
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let ids: HashMap<&str, usize> =
        (0..).zip(&vocabulary.tokens).map(|(id, token)| (token.as_str(), id)).collect();
    let mut seed = 1u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for _ in 0..300 {
        let text: String =
            (0..next(40)).map(|_| "theadsofmlyr  .é"[..].chars().nth(next(16)).unwrap()).collect();
        // The definition: as long as two neighbours make a token, join the best, leftmost pair.
        let mut pieces: Vec<String> = text.replace(' ', "▁").chars().map(String::from).collect();
        loop {
            let pair = |at: usize| {
                let id = *ids.get(format!("{}{}", pieces[at], pieces[at + 1]).as_str())?;
                (vocabulary.types[id] == TokenType::Normal).then_some((vocabulary.scores[id], at))
            };
            let best = (1..pieces.len())
                .filter_map(|right| pair(right - 1))
                .reduce(|best, pair| if pair.0 > best.0 { pair } else { best });
            let Some((_, at)) = best else { break };
            let right = pieces.remove(at + 1);
            pieces[at].push_str(&right);
        }
        let expected: Vec<u32> = pieces.iter().map(|piece| ids[piece.as_str()] as u32).collect();
        assert_eq!(tokenizer.encode(&text, Special::None).unwrap(), expected, "{text:?}");
    }
}

/// A `llama` vocabulary of whole letters, with bytes for `é` and the rest unknown.
fn letters() -> Vocabulary {
    let tokens = ["<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁", "a", "▁a", "[mark]"];
    let types = [
        TokenType::Unknown,
        TokenType::Control,
        TokenType::Control,
        TokenType::Byte,
        TokenType::Byte,
        TokenType::Normal,
        TokenType::Normal,
        TokenType::Normal,
        TokenType::UserDefined,
    ];
    Vocabulary {
        model: "llama".into(),
        tokens: tokens.map(String::from).to_vec(),
        types: types.to_vec(),
        scores: vec![0.0; tokens.len()],
        ..Vocabulary::default()
    }
}

#[test]
fn sentencepiece_flags_and_special_tokens() {
    let tokenizer = Tokenizer::from_gguf(&letters()).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.vocab_size()), (Some(1), Some(2), 9));
    let plain = |text: &str| tokenizer.encode(text, Special::None).unwrap();
    assert_eq!(plain("a"), [7]);
    assert_eq!(plain(" a"), [5, 7]);
    assert_eq!(plain("aéa"), [7, 3, 4, 6]);
    assert_eq!(plain("axyza"), [7, 0, 6], "a run of unknown characters is one unknown token");
    assert_eq!(plain("a[mark]a"), [7, 8, 7], "user-defined tokens are always recognised");
    assert_eq!(plain("</s>"), [5, 0], "control tokens are not");
    assert_eq!(tokenizer.encode("a</s>a", Special::Add).unwrap(), [1, 7, 2, 7]);
    assert_eq!(tokenizer.encode("", Special::Add).unwrap(), [1]);
    assert_eq!(tokenizer.decode(&[1, 7, 2, 7]).unwrap(), "a a");
    assert_eq!(tokenizer.decode_with(&[1, 7, 2, 7], Special::Add).unwrap(), "<s> a</s> a");
    assert_eq!(tokenizer.decode(&[7, 3]).unwrap(), "a<0xC3>");
    let piece = tokenizer.token(2).unwrap();
    assert_eq!((piece.bytes.as_slice(), piece.special), (&b"</s>"[..], true));

    let flags =
        Vocabulary { add_bos: Some(false), add_eos: Some(true), add_space_prefix: Some(false), ..letters() };
    let tokenizer = Tokenizer::from_gguf(&flags).unwrap();
    assert_eq!(tokenizer.encode("a a", Special::Add).unwrap(), [6, 7, 2]);
    assert_eq!(tokenizer.decode(&[7]).unwrap(), " a");
}

fn error(change: impl FnOnce(&mut Vocabulary)) -> TextError {
    let mut vocabulary = letters();
    change(&mut vocabulary);
    Tokenizer::from_gguf(&vocabulary).unwrap_err()
}

#[test]
fn bad_vocabularies_are_named_errors() {
    assert_eq!(error(|v| v.model = "rwkv".into()).code(), "vocabulary_kind");
    assert_eq!(error(|v| v.scores.clear()).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.scores[3] = f32::NAN).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.scores.truncate(3)).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.types.truncate(3)).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.tokens.clear()).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.bos = Some(99)).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.unknown = Some(u32::MAX)).code(), "tokenizer_invalid");
    assert_eq!(error(|v| v.tokens[3] = "<0x-1>".into()).code(), "tokenizer_invalid");

    let gpt2 = |change: fn(&mut Vocabulary)| {
        error(|v| {
            *v = Vocabulary { model: "gpt2".into(), pre: Some("gpt-2".into()), ..convert("gpt2") };
            change(v);
        })
    };
    let unknown = gpt2(|v| v.pre = Some("never-heard-of".into()));
    assert_eq!(unknown.code(), "pre_tokenizer");
    assert!(known_pre_tokenizers().all(|name| unknown.to_string().contains(name)));
    assert_eq!(gpt2(|v| v.merges[0] = "x".into()).code(), "tokenizer_invalid");
    assert_eq!(gpt2(|v| v.merges[0] = "th e and more".into()).code(), "tokenizer_invalid");
    assert_eq!(gpt2(|v| v.merges[0] = String::new()).code(), "tokenizer_invalid");
}

#[test]
fn bad_character_maps_and_scores_are_named_errors() {
    let unigram = |change: fn(&mut Vocabulary)| {
        error(|v| {
            v.model = "t5".into();
            v.unknown = Some(0);
            change(v);
        })
    };
    for map in [&[1][..], &[4, 0, 0, 0], &[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0], &[0, 0, 0, 0, 0xff]] {
        let mut vocabulary = Vocabulary { model: "t5".into(), unknown: Some(0), ..letters() };
        vocabulary.precompiled_charsmap = map.to_vec();
        assert_eq!(Tokenizer::from_gguf(&vocabulary).unwrap_err().code(), "tokenizer_invalid", "{map:?}");
    }
    assert_eq!(unigram(|v| v.scores.clear()).code(), "tokenizer_invalid");
    assert_eq!(unigram(|v| v.scores[1] = f32::NAN).code(), "tokenizer_invalid");
    assert_eq!(unigram(|v| v.unknown = Some(99)).code(), "tokenizer_invalid");
}

#[test]
fn a_file_without_a_vocabulary_has_no_tokenizer() {
    for model in ["none", "no_vocab"] {
        let vocabulary = Some(Vocabulary { model: model.into(), ..Vocabulary::default() });
        let files = TokenizerFiles { vocabulary, ..TokenizerFiles::default() };
        assert!(Tokenizer::from_files(&files).unwrap().is_none());
    }
}

#[test]
fn tokens_that_end_an_answer_are_known_by_name() {
    let mut vocabulary = letters();
    vocabulary.tokens.extend(["<|im_end|>", "<|end|>", "other"].map(String::from));
    vocabulary.types.extend([TokenType::Normal; 3]);
    vocabulary.scores.extend([0.0; 3]);
    let end = |vocabulary: &Vocabulary| Tokenizer::from_gguf(vocabulary).unwrap().end_tokens().to_vec();
    assert_eq!(end(&vocabulary), [2, 9, 10]);
    // As in gpt-oss, where `<|end|>` ends one message of an answer.
    vocabulary.tokens.extend(["<|return|>", "<|call|>"].map(String::from));
    vocabulary.types.extend([TokenType::Control; 2]);
    vocabulary.scores.extend([0.0; 2]);
    assert_eq!(end(&vocabulary), [2, 9, 12, 13]);
}

#[test]
fn text_that_cannot_be_expressed_is_an_error() {
    let mut vocabulary = Vocabulary { model: "gpt2".into(), pre: Some("gpt-2".into()), ..convert("gpt2") };
    let z = vocabulary.tokens.iter().position(|token| token == "z").unwrap();
    vocabulary.tokens[z] = "[gone]".into();
    let tokenizer = Tokenizer::from_gguf(&vocabulary).unwrap();
    assert_eq!(tokenizer.encode("a z", Special::None).unwrap_err().code(), "text_unencodable");
    let without_unknown = Vocabulary { types: vec![TokenType::Normal; 9], ..letters() };
    let tokenizer = Tokenizer::from_gguf(&without_unknown).unwrap();
    assert_eq!(tokenizer.encode("x", Special::None).unwrap_err().code(), "text_unencodable");
}
