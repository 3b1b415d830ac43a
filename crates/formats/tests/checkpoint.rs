//! Finding the model among the files, and everything beside the weights.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{CONFIG, Gguf, code, open, safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{Config, FileInfo, Format, FormatError};

/// A safetensors file with these tensors of one element.
fn weights(names: &[&str]) -> Vec<u8> {
    let entry = |(i, name): (usize, &&str)| {
        format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}}"#, i * 4, i * 4 + 4)
    };
    let entries: Vec<String> = names.iter().enumerate().map(entry).collect();
    safetensors(&format!("{{{}}}", entries.join(",")), names.len() * 4)
}

fn config() -> (&'static str, Vec<u8>) {
    ("config.json", CONFIG.to_vec())
}

fn gguf() -> Vec<u8> {
    Gguf::default().tensor("g", &[8], 0, 32).build()
}

fn index(map: &[(&str, &str)]) -> (&'static str, Vec<u8>) {
    let entries: Vec<String> = map.iter().map(|(tensor, shard)| format!(r#""{tensor}":"{shard}""#)).collect();
    let json = format!(r#"{{"metadata":{{"total_size":1}},"weight_map":{{{}}}}}"#, entries.join(","));
    ("model.safetensors.index.json", json.into_bytes())
}

const ONE: &str = "model-00001-of-00002.safetensors";
const TWO: &str = "model-00002-of-00002.safetensors";

#[test]
fn opens_a_folder_in_the_hub_s_layout() {
    let readme = "---\nlicense: mit\n---\n# A model";
    let checkpoint = open([
        ("m/README.md", readme.into()),
        ("m/config.json", CONFIG.to_vec()),
        ("m/generation_config.json", b"{\"eos_token_id\": 2}".to_vec()),
        ("m/model.safetensors", weights(&["a", "b"])),
        ("m/onnx/model.onnx", vec![1; 9]),
        ("m/pytorch_model.bin", b"\x80\x02}q".to_vec()),
        ("m/tokenizer.json", b"{\"model\": {}}".to_vec()),
        ("m/tokenizer_config.json", b"\xef\xbb\xbf{\"bos_token\": \"<s>\"}".to_vec()),
        ("m/chat_template.jinja", b"{{ messages }}".to_vec()),
        ("m/additional_chat_templates/tool_use.jinja", b"{{ tools }}".to_vec()),
        ("m/other/additional_chat_templates/x.jinja", b"{{ x }}".to_vec()),
    ])
    .unwrap();
    assert_eq!(checkpoint.format, Format::Safetensors);
    let Config::Hub(config) = &checkpoint.config else { panic!("not a hub configuration") };
    assert_eq!(config["model_type"], "llama");
    assert_eq!(checkpoint.generation_config.as_ref().unwrap()["eos_token_id"], 2);
    assert_eq!(checkpoint.tokenizer.json.as_deref(), Some(&b"{\"model\": {}}"[..]));
    assert_eq!(checkpoint.tokenizer.config.as_ref().unwrap()["bos_token"], "<s>");
    assert_eq!(checkpoint.tokenizer.chat_template.as_deref(), Some("{{ messages }}"));
    let additional = [("tool_use".to_owned(), "{{ tools }}".to_owned())];
    assert_eq!(checkpoint.tokenizer.additional_chat_templates, additional);
    assert_eq!(checkpoint.card.licence.as_deref(), Some("mit"));
    let files: Vec<String> = checkpoint.files().into_iter().map(|file| file.name).collect();
    assert_eq!(files.len(), 8, "{files:?}");
    assert!(!files.contains(&"pytorch_model.bin".to_owned()));
    assert_eq!(checkpoint.file_set().len(), 11);
}

#[test]
fn weights_and_configuration_are_enough() {
    let checkpoint = open([("model.safetensors", weights(&["a"])), config()]).unwrap();
    assert_eq!(checkpoint.tokenizer, Default::default());
    assert_eq!(checkpoint.generation_config, None);
    assert_eq!(checkpoint.card, Default::default());
    assert_eq!(checkpoint.files()[1], FileInfo { name: "config.json".into(), bytes: CONFIG.len() as u64 });
}

#[test]
fn safetensors_need_a_configuration() {
    let result = open([("model.safetensors", weights(&["a"]))]);
    assert_eq!(result.unwrap_err(), FormatError::MissingConfig { file: "model.safetensors".into() });
    // One in a folder below is another model's.
    let below =
        open([("m/model.safetensors", weights(&["a"])), ("m/1_Pooling/config.json", CONFIG.to_vec())]);
    assert_eq!(code(below), "missing_config");
    // One that was opened by itself belongs to the weights.
    assert_eq!(code(open([("m/model.safetensors", weights(&["a"])), config()])), "opened");
}

#[test]
fn configuration_is_a_json_object() {
    for wrong in
        [&b"{\"model_type\": "[..], b"[]", b"3", b"\"llama\"", b"{} {}", b"\xff\xfe{\0}\0", b"{\0\0\0\0"]
    {
        let result = open([("model.safetensors", weights(&["a"])), ("config.json", wrong.to_vec())]);
        assert_eq!(code(result), "invalid_json", "{wrong:?}");
    }
    for (file, json) in [("tokenizer_config.json", "{"), ("generation_config.json", "null")] {
        let result = open([("model.safetensors", weights(&["a"])), config(), (file, json.into())]);
        let error = result.unwrap_err();
        assert_eq!(error.code(), "invalid_json");
        assert!(error.to_string().contains(file), "{error}");
    }
    let template = ("chat_template.jinja", vec![b'a', 0xff]);
    assert_eq!(code(open([("model.safetensors", weights(&["a"])), config(), template])), "invalid_json");
}

#[test]
fn small_files_are_small() {
    let mut huge = b"{\"a\": \"".to_vec();
    huge.resize(9 << 20, b'x');
    huge.extend(b"\"}");
    let result = open([("model.safetensors", weights(&["a"])), ("config.json", huge.clone())]);
    assert_eq!(code(result), "file_too_large");
    // A card is not worth an error.
    let card = open([("model.safetensors", weights(&["a"])), config(), ("README.md", huge)]).unwrap();
    assert_eq!(card.card, Default::default());
}

#[test]
fn packed_weights_are_told() {
    let with = |json: &str| {
        let file = ("config.json", format!(r#"{{"quantization_config": {json}}}"#).into_bytes());
        open([("model.safetensors", weights(&["a"])), file])
    };
    assert_eq!(code(with("null")), "opened");
    for (json, method) in [
        (r#"{"quant_method": "gptq", "bits": 4}"#, "GPTQ"),
        (r#"{"quant_method": "awq", "version": "gemm"}"#, "AWQ"),
        (r#"{"quant_method": "bitsandbytes", "load_in_4bit": true}"#, "bitsandbytes"),
        (
            r#"{"quant_method": "compressed-tensors", "format": "pack-quantized"}"#,
            "compressed-tensors (pack-quantized)",
        ),
        (r#"{"quant_method": "some-new-one"}"#, "some-new-one"),
        (r#"{"group_size": 64, "bits": 4}"#, "MLX"),
        ("{}", "an unnamed method"),
        ("4", "an unnamed method"),
    ] {
        let error = with(json).unwrap_err();
        assert_eq!(error, FormatError::UnsupportedQuantisation { method: method.into() });
        assert_eq!(error.code(), "unsupported_quantisation");
        assert!(error.hint().contains("GGUF"));
    }
    let mlx = br#"{"quantization": {"group_size": 64, "bits": 4}}"#.to_vec();
    let error = open([("model.safetensors", weights(&["a"])), ("config.json", mlx)]).unwrap_err();
    assert!(error.hint().contains("mlx_lm"), "{error}");
    // 8-bit floats keep their layout; a file without any is as good as any other.
    assert_eq!(code(with(r#"{"quant_method": "fp8", "weight_block_size": [128, 128]}"#)), "opened");
}

#[test]
fn opens_shards_by_their_index() {
    let checkpoint = open([
        config(),
        index(&[("a", ONE), ("b", TWO)]),
        (TWO, weights(&["b", "unlisted"])),
        (ONE, weights(&["a"])),
    ])
    .unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["a", "b", "unlisted"]);
    assert_eq!((checkpoint.tensors["a"].file, checkpoint.tensors["b"].file), (3, 2));
    let b = checkpoint.tensor("b").unwrap();
    assert_eq!(block_on(checkpoint.read(b, 0, 4)).unwrap(), [0, 1, 2, 3]);
    assert_eq!(checkpoint.files().len(), 4);
}

#[test]
fn opens_shards_without_their_index() {
    let checkpoint = open([config(), (TWO, weights(&["b"])), (ONE, weights(&["a"]))]).unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn missing_shards_are_named() {
    let map = index(&[("a", ONE), ("b", TWO)]);
    let error = open([config(), map.clone(), (ONE, weights(&["a"]))]).unwrap_err();
    assert_eq!(error, FormatError::MissingShard { names: TWO.into(), missing: 1, total: 2 });
    assert_eq!(code(open([config(), map])), "missing_shard");
    let error = open([config(), (TWO, weights(&["a"]))]).unwrap_err();
    assert_eq!(error, FormatError::MissingShard { names: ONE.into(), missing: 1, total: 2 });
    let many = open([config(), ("x-00007-of-00099.safetensors", weights(&["a"]))]).unwrap_err();
    assert!(many.to_string().starts_with("98 of 99 shards are missing"), "{many}");
    assert!(many.to_string().ends_with("and 94 more"), "{many}");
}

#[test]
fn a_shard_may_be_the_faulty_one() {
    let map = index(&[("a", ONE), ("b", TWO)]);
    let with = |two: Vec<u8>| open([config(), map.clone(), (ONE, weights(&["a"])), (TWO, two)]);
    let whole = weights(&["b"]);
    assert_eq!(code(with(whole.clone())), "opened");
    let error = with(whole[..whole.len() - 1].to_vec()).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains(TWO)), ("truncated_file", true), "{error}");
    assert_eq!(code(with(b"version https://git-lfs.github.com/spec/v1\nsize 9\n".to_vec())), "lfs_pointer");
    assert_eq!(code(with(gguf())), "gguf");
    assert_eq!(code(with(weights(&["a", "b"]))), "duplicate_tensor");
}

#[test]
fn the_index_must_be_true() {
    let with =
        |map: (&'static str, Vec<u8>)| open([config(), map, (ONE, weights(&["a"])), (TWO, weights(&["b"]))]);
    let error = with(index(&[("a", ONE), ("b", TWO), ("c", TWO)])).unwrap_err();
    assert_eq!(error.code(), "index_tensor_missing");
    assert!(error.to_string().contains("tensor c"), "{error}");
    assert_eq!(code(with(index(&[("b", ONE), ("a", TWO)]))), "index_tensor_missing");
    assert_eq!(code(with(index(&[]))), "invalid_json");
    assert_eq!(code(with(index(&[("a", ONE), ("a", TWO)]))), "duplicate_name");
    for path in
        ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors", "..", "C:\\\\weights.safetensors"]
    {
        assert_eq!(code(with(index(&[("a", path)]))), "index_path", "{path}");
    }
    for wrong in ["{", "[]", "{}", r#"{"weight_map": []}"#, r#"{"weight_map": {"a": 1}}"#] {
        let file = ("model.safetensors.index.json", wrong.as_bytes().to_vec());
        assert_eq!(code(with(file)), "invalid_json", "{wrong}");
    }
    assert_eq!(code(with(("model.safetensors.index.json", b"<html>".to_vec()))), "html_page");
}

#[test]
fn one_model_is_chosen_by_name() {
    // The hub's name wins over an adapter, an index, and a GGUF beside it.
    let checkpoint = open([
        ("adapter_model.safetensors", weights(&["lora"])),
        index(&[("x", ONE)]),
        ("model.safetensors", weights(&["a"])),
        ("model.gguf", gguf()),
        config(),
    ])
    .unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["a"]);
    let other_name = open([("weights.SAFETENSORS", weights(&["a"])), config()]).unwrap();
    assert_eq!(other_name.format, Format::Safetensors);
    // A model in a folder below does not disturb.
    let nested = open([("m/model.gguf", gguf()), ("m/old/model.gguf", gguf())]).unwrap();
    assert_eq!(nested.format, Format::Gguf { version: 3 });
}

#[test]
fn several_models_are_refused() {
    assert_eq!(code(open([("a.gguf", gguf()), ("b.gguf", gguf())])), "several_models");
    let two = [("a.safetensors", weights(&["a"])), ("b.safetensors", weights(&["b"])), config()];
    assert_eq!(code(open(two)), "several_models");
    let folders =
        [("a/model.safetensors", weights(&["a"])), ("b/model.safetensors", weights(&["b"])), config()];
    let error = open(folders).unwrap_err();
    assert_eq!(
        error,
        FormatError::SeveralModels { names: "a/model.safetensors, b/model.safetensors".into() }
    );
    let sizes = [
        ("x-00001-of-00001.safetensors", weights(&["a"])),
        ("y-00001-of-00001.safetensors", weights(&["b"])),
    ];
    assert_eq!(code(open(sizes)), "several_models");
    let unnamed = [("one", gguf()), ("two", gguf())];
    assert_eq!(code(open(unnamed)), "several_models");
}

#[test]
fn content_decides_where_names_do_not() {
    assert_eq!(open([("download", gguf())]).unwrap().format, Format::Gguf { version: 3 });
    assert_eq!(open([("blob", weights(&["a"])), config()]).unwrap().format, Format::Safetensors);
    // Named for the other format.
    assert_eq!(open([("model.safetensors", gguf())]).unwrap().format, Format::Gguf { version: 3 });
    assert_eq!(open([("model.gguf", weights(&["a"])), config()]).unwrap().format, Format::Safetensors);
}

#[test]
fn nothing_to_open_is_told() {
    assert_eq!(code(open([])), "no_files");
    let error = open([config(), ("notes.txt", b"hello".to_vec())]).unwrap_err();
    assert_eq!(error, FormatError::NoWeights { count: 2, names: "config.json, notes.txt".into() });
    assert_eq!(code(open([config(), ("README.md", b"<!-- a comment -->".to_vec())])), "no_weights");
}

#[test]
fn a_gguf_may_bring_its_tokenizer_beside_it() {
    let json = ("tokenizer.json", b"{}".to_vec());
    let without = open([("model.gguf", gguf()), json.clone()]).unwrap();
    assert!(without.tokenizer.json.is_some());
    let own =
        Gguf::default().text("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", &["a"]).build();
    let with = open([("model.gguf", own), json]).unwrap();
    assert!(with.tokenizer.json.is_none() && with.tokenizer.vocabulary.is_some());
}
