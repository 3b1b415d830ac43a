//! Decoding token by token: what comes out is final, whole and without replacement characters.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use glassbox_text::{DecodeStream, Special, Tokenizer};

fn load(name: &str) -> Tokenizer {
    Tokenizer::from_json(&common::read(&format!("{name}.json"))).unwrap()
}

/// The tokens of `text`, one for each byte.
fn bytes(tokenizer: &Tokenizer, text: &[u8]) -> Vec<u32> {
    let token = |byte: u8| {
        (0..tokenizer.vocab_size() as u32).find(|&id| tokenizer.token(id).unwrap().bytes == [byte])
    };
    text.iter().map(|&byte| token(byte).unwrap()).collect()
}

fn push_all(stream: &mut DecodeStream, ids: &[u32]) -> Vec<Option<String>> {
    ids.iter().map(|&id| stream.push(id)).collect()
}

#[test]
fn a_character_comes_when_its_last_byte_does() {
    let tokenizer = load("gpt2");
    let mut stream = DecodeStream::new(&tokenizer);
    let some = |text: &str| Some(text.to_owned());
    let pushed = push_all(&mut stream, &bytes(&tokenizer, "é🚀x".as_bytes()));
    assert_eq!(pushed, [None, some("é"), None, None, None, some("🚀"), some("x")]);
    assert_eq!(stream.finish(), "");
}

#[test]
fn bytes_that_are_no_text_are_written_out() {
    let tokenizer = load("gpt2");
    for (raw, text) in [
        (&b"\xE2\x82"[..], "<0xE2><0x82>"),
        (b"\xE2\x82a", "<0xE2><0x82>a"),
        (b"\xFF\xC3\xA9", "<0xFF>é"),
        (b"\xF0\x9F\xE2\x82\xAC", "<0xF0><0x9F>€"),
        (b"\x80\x80 \xC3", "<0x80><0x80> <0xC3>"),
        (b"\xED\xA0\x80", "<0xED><0xA0><0x80>"),
    ] {
        let ids = bytes(&tokenizer, raw);
        let mut stream = DecodeStream::new(&tokenizer);
        let mut streamed: String = push_all(&mut stream, &ids).into_iter().flatten().collect();
        streamed.push_str(&stream.finish());
        assert_eq!(streamed, text);
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn any_tokens_give_text_without_replacement_characters() {
    for name in ["gpt2", "llama_normalizer", "unigram", "word_piece", "openai_gpt"] {
        let tokenizer = load(name);
        let size = tokenizer.vocab_size() as u32;
        let ids: Vec<u32> = (0..4000u32).map(|index| index.wrapping_mul(2_654_435_761) % size).collect();
        let mut stream = DecodeStream::new(&tokenizer);
        let mut streamed: String = push_all(&mut stream, &ids).into_iter().flatten().collect();
        streamed.push_str(&stream.finish());
        assert_eq!(streamed, tokenizer.decode(&ids).unwrap(), "{name}");
        assert!(!streamed.contains(char::REPLACEMENT_CHARACTER), "{name}");
    }
}

#[test]
fn a_continuation_keeps_its_space_and_its_first_character() {
    let tokenizer = load("llama_normalizer");
    let the = tokenizer.encode("the", Special::None).unwrap();
    assert_eq!(
        push_all(&mut DecodeStream::new(&tokenizer), &the).into_iter().flatten().collect::<String>(),
        "the"
    );

    let mut stream = DecodeStream::new(&tokenizer);
    stream.prime(&tokenizer.encode("see", Special::Add).unwrap());
    assert_eq!(push_all(&mut stream, &the).into_iter().flatten().collect::<String>(), " the");

    // BOS has no text, so what follows it is still the start.
    let mut stream = DecodeStream::new(&tokenizer);
    stream.prime(&tokenizer.encode("", Special::Add).unwrap());
    assert_eq!(push_all(&mut stream, &the).into_iter().flatten().collect::<String>(), "the");

    // A prompt may end within a character.
    let rocket = bytes(&tokenizer, "🚀".as_bytes());
    let mut stream = DecodeStream::new(&tokenizer);
    stream.prime(&rocket[..2]);
    assert_eq!(push_all(&mut stream, &rocket[2..]), [None, Some("🚀".to_owned())]);
}

#[test]
fn special_tokens_are_written_only_where_asked() {
    let tokenizer = load("llama_normalizer");
    let ids = tokenizer.encode("the</s>", Special::Add).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "the");
    assert_eq!(tokenizer.decode_with(&ids, Special::Add).unwrap(), "<s> the</s>");
    assert_eq!(
        tokenizer.token(ids[0]).map(|piece| (piece.bytes, piece.special)),
        Some((b"<s>".to_vec(), true))
    );
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
}

#[test]
fn names_in_the_config_come_before_guesses() {
    let config = br#"{"bos_token": {"content": "</s>"}, "eos_token": "<unk>"}"#;
    let tokenizer = Tokenizer::from_hub(&common::read("llama_normalizer.json"), Some(config)).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(2), Some(0)));
    let error = Tokenizer::from_hub(&common::read("llama_normalizer.json"), Some(b"<html>")).unwrap_err();
    assert_eq!(error.code(), "tokenizer_json");
}
