//! Real files, where they exist: the project's fixtures, and the models shared beside the checkout.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_lite::future::block_on;
use glassbox_formats::gguf::TokenType;
use glassbox_formats::{Checkpoint, FileSet, Format, FormatError, MemorySource};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Opens a file, or all files of a folder.
fn open(path: &Path) -> Result<Checkpoint, FormatError> {
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        paths = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
    }
    let mut files = FileSet::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.push(MemorySource::new(name, fs::read(&path).unwrap()));
    }
    block_on(Checkpoint::open(files))
}

/// The subfolders of `folder`, sorted; none where it does not exist.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn case(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("case.toml")).unwrap().parse().unwrap()
}

/// What the fixtures say in plain words, as codes. `None`: not for this crate to find, the files are sound in themselves.
fn expected_code(format: &str, error: &str) -> Option<&'static [&'static str]> {
    Some(match error {
        "bad metadata" => &["gguf_invalid", "gguf_alignment"],
        "not a GGUF file" => &["gguf_invalid"],
        "big-endian GGUF file" => &["gguf_big_endian"],
        "web page, not weights" => &["html_page"],
        "Git LFS pointer, not weights" => &["lfs_pointer"],
        "pickled weights" => &["pickle"],
        "empty file" => &["empty_file"],
        "misaligned tensor" => &["gguf_offset"],
        "tensor outside the file" => &["gguf_offset", "tensor_hole", "truncated_file"],
        "overlapping tensors" => &["gguf_offset", "tensor_overlap"],
        "tensor size overflows" => &["shape_overflow"],
        "tensor size and shape disagree" => &["size_mismatch", "shape_overflow", "safetensors_header"],
        "truncated file" => &["truncated_file", "gguf_limit"],
        "unknown tensor type" => &["unsupported_dtype"],
        "unknown GGUF version" => &["gguf_version"],
        "config.json is not JSON" => &["invalid_json"],
        "missing file" => &["missing_config", "missing_shard", "no_weights"],
        "header longer than the file" => &["header_too_large", "truncated_file"],
        "header is not JSON" => &["safetensors_header"],
        "unsafe file name" => &["index_path"],
        "adapter without its model" => &["adapter_alone"],
        "archive, not weights" => &["zip_archive"],
        "ONNX model" => &["onnx_model"],
        "weights packed for other software" => &["unsupported_quantisation"],
        "8-bit weights without their scale" => &["quantisation_scale"],
        "parts of different models" => &["gguf_split"],
        // A tensor taken out of a GGUF file leaves a hole in its data.
        "missing tensor" if format == "gguf" => &["gguf_offset"],
        "missing metadata"
        | "missing tensor"
        | "unknown architecture"
        | "wrong tensor shape"
        | "impossible configuration" => return None,
        other => panic!("the fixtures have a kind of error that this test does not know: {other}"),
    })
}

#[test]
fn bad_fixtures_are_refused() {
    for folder in folders(&root().join("tests/fixtures/bad")) {
        let case = case(&folder);
        let [open_path, error] = ["open", "error"].map(|key| case[key].as_str().unwrap());
        let result = open(&folder.join(open_path));
        let Some(codes) = expected_code(open_path.rsplit('.').next().unwrap_or_default(), error) else {
            assert!(result.is_ok(), "{}: {:?}", folder.display(), result.err());
            continue;
        };
        // A type unknown to safetensors is an error when the tensor is asked for.
        let result = result.and_then(|checkpoint| match checkpoint.unsupported.keys().next() {
            Some(name) => checkpoint.tensor(name).map(|_| ()),
            None => Ok(()),
        });
        let found = result.expect_err(&folder.display().to_string());
        assert!(
            codes.contains(&found.code()),
            "{}: {error}, but found {}: {found}",
            folder.display(),
            found.code()
        );
    }
}

#[test]
fn model_fixtures_open_in_every_form() {
    for folder in folders(&root().join("tests/fixtures")) {
        if !folder.join("case.toml").is_file() {
            continue;
        }
        let case = case(&folder);
        if case["kind"].as_str() != Some("model") {
            continue;
        }
        let names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let mut files = FileSet::new();
        for path in &names {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with("golden") && !name.ends_with(".gguf") {
                files.push(MemorySource::new(name, fs::read(path).unwrap()));
            }
        }
        let hub =
            block_on(Checkpoint::open(files)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(hub.format, Format::Safetensors);
        let parameters = case["parameters"].as_integer().unwrap() as u64;
        assert!(hub.parameters() >= parameters, "{}: {} parameters", folder.display(), hub.parameters());
        // GPT-2's causal masks, which GGUF leaves out.
        let masks: u64 =
            hub.tensors.values().filter(|tensor| tensor.shape.len() == 4).map(|mask| mask.elements()).sum();
        for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        {
            let gguf = open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let version = if path.to_string_lossy().ends_with("-v2.gguf") { 2 } else { 3 };
            assert_eq!(gguf.format, Format::Gguf { version }, "{}", path.display());
            // Rotary factors, which the hub has in config.json.
            let is_factor = |name: &str| name.starts_with("rope_f");
            let factors: u64 = gguf
                .tensors
                .values()
                .filter(|tensor| is_factor(&tensor.name))
                .map(|tensor| tensor.elements())
                .sum();
            assert_eq!(gguf.parameters() - factors, hub.parameters() - masks, "{}", path.display());
            assert!(gguf.tokenizer.vocabulary.is_some());
        }
    }
}

/// `../shared/models` beside the checkout, where it exists.
fn shared(path: &str) -> Option<PathBuf> {
    Some(root().join("../shared/models").join(path)).filter(|path| path.exists())
}

#[test]
fn the_shared_model_opens() {
    let Some(folder) = shared("stories260K") else { return };
    let checkpoint = open(&folder).unwrap();
    assert_eq!(checkpoint.tensor("model.embed_tokens.weight").unwrap().shape, [512, 64]);
    assert_eq!(checkpoint.tokenizer.json, None);
    assert!((260_000..270_000).contains(&checkpoint.parameters()), "{}", checkpoint.parameters());
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    // Cut anywhere in its header, and at a few places in its data.
    for len in (0..5000).step_by(7).chain([bytes.len() / 2, bytes.len() - 1]) {
        let mut files = FileSet::new();
        files.push(MemorySource::new("model.safetensors", bytes[..len].to_vec()));
        files.push(MemorySource::new("config.json", b"{}".to_vec()));
        let error = block_on(Checkpoint::open(files)).unwrap_err();
        assert!(["truncated_file", "empty_file"].contains(&error.code()), "cut to {len}: {error}");
    }
}

#[test]
fn the_shared_vocabularies_open() {
    for (name, model, tokens, merges) in [
        ("gpt-2", "gpt2", 50_257, 50_000),
        ("llama-spm", "llama", 32_000, 0),
        ("qwen2", "gpt2", 151_936, 151_387),
    ] {
        let Some(path) = shared(&format!("vocabs/ggml-vocab-{name}.gguf")) else { return };
        let start = Instant::now();
        let checkpoint = open(&path).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(seconds < 2.0, "{name} took {seconds} s");
        println!("{name}: {:.0} ms", seconds * 1e3);
        assert!(checkpoint.tensors.is_empty());
        let vocabulary = checkpoint.tokenizer.vocabulary.unwrap();
        assert_eq!((vocabulary.model.as_str(), vocabulary.tokens.len()), (model, tokens));
        assert_eq!((vocabulary.merges.len(), vocabulary.types.len()), (merges, tokens));
        assert_eq!(vocabulary.scores.len(), if model == "llama" { tokens } else { 0 });
        let bytes = vocabulary.types.iter().filter(|kind| **kind == TokenType::Byte).count();
        assert_eq!(bytes, if model == "llama" { 256 } else { 0 });
        assert!(vocabulary.bos.is_some() && vocabulary.eos.is_some());
    }
}
