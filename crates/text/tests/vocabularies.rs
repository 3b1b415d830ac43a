//! llama.cpp's vocabularies with its own answers, where they are on this machine.
//!
//! The files are not part of the repository (see `../shared/models/README.md`); the small cases in
//! `tokenizer_json.rs` and `gguf.rs` cover the same code without them.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use futures_lite::future::block_on;
use glassbox_formats::{Checkpoint, FileSet, MemorySource};
use glassbox_text::{DecodeStream, Special, Tokenizer};

const SEPARATOR: &str = "\n__ggml_vocab_test__\n";

/// The tokenizer of one vocabulary, its inputs, and llama.cpp's ids for each.
fn vocabulary(name: &str) -> Option<(Tokenizer, Vec<String>, Vec<Vec<u32>>)> {
    let file = format!("../../../shared/models/vocabs/ggml-vocab-{name}.gguf");
    let Some(bytes) = common::try_read(&file) else {
        eprintln!("{file} is not here; nothing to compare");
        return None;
    };
    let mut files = FileSet::new();
    files.push(MemorySource::new(format!("{name}.gguf"), bytes));
    let checkpoint = block_on(Checkpoint::open(files)).unwrap();
    let tokenizer = Tokenizer::from_files(&checkpoint.tokenizer).unwrap().unwrap();

    let read =
        |extension| String::from_utf8(common::try_read(&format!("{file}.{extension}")).unwrap()).unwrap();
    let mut inputs: Vec<String> = read("inp").split(SEPARATOR).map(str::to_owned).collect();
    assert_eq!(inputs.pop().as_deref(), Some(""), "the file ends with a separator");
    let ids = |line: &str| line.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let outputs: Vec<Vec<u32>> = read("out").lines().map(ids).collect();
    assert_eq!(inputs.len(), outputs.len());
    assert!(inputs.len() > 40);
    Some((tokenizer, inputs, outputs))
}

fn check(name: &str) {
    let Some((tokenizer, inputs, outputs)) = vocabulary(name) else { return };
    for (input, ids) in inputs.iter().zip(&outputs) {
        assert_eq!(&tokenizer.encode(input, Special::None).unwrap(), ids, "{name}: {input:?}");
        assert_eq!(&tokenizer.decode(ids).unwrap(), input, "{name}: {ids:?}");
        let mut stream = DecodeStream::new(&tokenizer);
        let mut streamed: String = ids.iter().filter_map(|&id| stream.push(id)).collect();
        streamed.push_str(&stream.finish());
        assert_eq!(&streamed, input, "{name}: {ids:?}");
    }
}

#[test]
fn gpt_2_agrees_with_llama_cpp() {
    check("gpt-2");
}

#[test]
fn qwen2_agrees_with_llama_cpp() {
    check("qwen2");
}

#[test]
fn llama_spm_agrees_with_llama_cpp() {
    check("llama-spm");
}
