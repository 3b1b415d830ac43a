//! Files that are not what their names say, and sources that fail.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{CONFIG, code, open, open_gguf, open_safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{
    ByteSource, Checkpoint, Content, FileSet, FormatError, MemorySource, ReadFuture, SourceError, base_name,
};

const LFS: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 268435456\n";

/// First bytes, and the code they are told by.
fn accidents() -> Vec<(Vec<u8>, &'static str)> {
    let zip = |inside: &str| [b"PK\x03\x04\x14\0\0\0\0\0".as_slice(), &[0; 20], inside.as_bytes()].concat();
    let tar = [&[b'n'; 257][..], b"ustar\0"].concat();
    vec![
        (b"".to_vec(), "empty_file"),
        (LFS.to_vec(), "lfs_pointer"),
        (b"<!DOCTYPE html><html>".to_vec(), "html_page"),
        (b"\xef\xbb\xbf\n <HTML lang=en>".to_vec(), "html_page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied".to_vec(), "html_page"),
        (b"\x80\x02}q\0".to_vec(), "pickle"),
        (b"\x80\x05\x95\0\0".to_vec(), "pickle"),
        (zip("archive/data.pkl"), "pickle"),
        (zip("readme.txt"), "zip_archive"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0".to_vec(), "compressed_file"),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "compressed_file"),
        (tar, "tar_archive"),
        (b"tjgg\x03\0\0\0".to_vec(), "legacy_ggml"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), "hdf5_file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0".to_vec(), "onnx_model"),
        (b"\x08\x07:\xd0\x01\x0a\x00".to_vec(), "onnx_model"),
        (vec![0; 4096], "zero_bytes"),
        (br#"{"error":"Repository not found"}"#.to_vec(), "json_file"),
        ("Accès refusé : cette page est réservée".into(), "text_file"),
    ]
}

#[test]
fn accidents_are_named_whatever_the_file_is_called() {
    for (bytes, expected) in accidents() {
        assert_eq!(code(open_safetensors(bytes.clone())), expected);
        assert_eq!(code(open_gguf(bytes.clone())), expected);
        let error = open_safetensors(bytes).unwrap_err();
        assert!(error.to_string().starts_with("model.safetensors is "), "{error}");
    }
}

#[test]
fn accidents_are_found_without_a_telling_name() {
    for (bytes, expected) in accidents() {
        let expected = if matches!(expected, "json_file" | "text_file") { "no_weights" } else { expected };
        assert_eq!(code(open([("config.json", CONFIG.to_vec()), ("pytorch_model.bin", bytes)])), expected);
    }
}

#[test]
fn accidents_among_the_small_files_are_named() {
    for (bytes, expected) in accidents() {
        if !matches!(expected, "empty_file" | "lfs_pointer" | "html_page" | "zero_bytes") {
            continue;
        }
        let weights = ("model.safetensors", common::safetensors("{}", 0));
        let found = code(open([weights.clone(), ("config.json", bytes.clone())]));
        assert_eq!(found, expected);
        let error = open([weights, ("config.json", CONFIG.to_vec()), ("tokenizer.json", bytes)]).unwrap_err();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }
}

#[test]
fn an_lfs_pointer_tells_the_real_size() {
    assert_eq!(Content::of(LFS), Content::LfsPointer { bytes: Some(268_435_456) });
    assert!(open_gguf(LFS.to_vec()).unwrap_err().to_string().contains("268435456 bytes"));
    let cut = &LFS[..60];
    assert_eq!(Content::of(cut), Content::LfsPointer { bytes: None });
}

#[test]
fn every_kind_of_content_has_its_own_code() {
    let mut codes: Vec<&str> = accidents().into_iter().map(|(bytes, _)| Content::of(&bytes).code()).collect();
    codes.extend([Content::Safetensors, Content::Gguf, Content::Unknown].map(Content::code));
    codes.sort_unstable();
    codes.dedup();
    // 19 samples, of which html_page has three, pickle three, compressed_file two, onnx_model two.
    assert_eq!(codes.len(), 16, "{codes:?}");
    assert!(
        codes
            .iter()
            .all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
    );
}

/// A source that says it has bytes and does not deliver.
struct Broken(&'static str, SourceError);

impl ByteSource for Broken {
    fn name(&self) -> &str {
        self.0
    }
    fn len(&self) -> u64 {
        1000
    }
    fn read(&self, _: u64, len: usize) -> ReadFuture<'_> {
        Box::pin(std::future::ready(match &self.1 {
            SourceError::Short { .. } => Ok(vec![b'{'; len - 1]),
            error => Err(error.clone()),
        }))
    }
}

#[test]
fn failing_sources_are_told() {
    let file = || "x.gguf".to_owned();
    let failed = SourceError::Failed { file: file(), message: "permission denied".into() };
    let short = SourceError::Short { file: file(), offset: 0, expected: 512, found: 511 };
    for (error, expected) in [
        (failed, "source_failed"),
        (short, "source_short"),
        (SourceError::Aborted { file: file() }, "aborted"),
    ] {
        let mut files = FileSet::new();
        files.push(Broken("x.gguf", error.clone()));
        let found = block_on(Checkpoint::open(files)).unwrap_err();
        assert_eq!(found.code(), expected);
        assert_eq!(found, FormatError::Source(error));
        assert!(!found.hint().is_empty());
    }
}

/// The card is told by nobody who needs it: its failure does not stop a model.
#[test]
fn an_unreadable_card_is_no_fault() {
    let mut files = common::files([
        ("model.safetensors", common::safetensors("{}", 0)),
        ("config.json", CONFIG.to_vec()),
    ]);
    files.push(Broken("README.md", SourceError::Aborted { file: "README.md".into() }));
    assert!(block_on(Checkpoint::open(files)).is_ok());
}

#[test]
fn memory_is_read_within_its_bounds() {
    let source = MemorySource::new("m", vec![1, 2, 3]);
    assert_eq!(block_on(source.read(1, 2)).unwrap(), [2, 3]);
    for (offset, len) in [(2, 2), (4, 0), (u64::MAX, 1), (1, usize::MAX)] {
        assert_eq!(block_on(source.read(offset, len)).unwrap_err().code(), "source_range");
    }
    assert!(!source.is_empty() && MemorySource::new("e", vec![]).is_empty());
}

#[test]
fn files_are_found_by_base_name_and_folder() {
    let set = common::files(["b/c/x.json", "b/x.json", "y.json", "b\\z.json"].map(|name| (name, vec![])));
    assert_eq!(base_name("a/b\\c"), "c");
    assert_eq!(set.find("x.json"), Some(1));
    assert_eq!(set.find("z.json"), Some(3));
    assert_eq!(set.find("w.json"), None);
    assert_eq!(set.find_beside(0, "x.json"), Some(0));
    assert_eq!(set.find_beside(0, "y.json"), Some(2));
    assert_eq!(set.find_beside(2, "x.json"), None);
    assert_eq!(set.find_beside(3, "x.json"), Some(1));
    let linked = common::files(["blobs/w", "m/c", "a/d", "b/d", "blobs/x/e"].map(|name| (name, vec![])));
    assert_eq!(linked.find_beside(0, "c"), Some(1));
    assert_eq!(linked.find_beside(0, "d"), None, "nothing says which one is meant");
    assert_eq!(linked.find_beside(0, "e"), None, "a folder below is something else's");
    assert_eq!(block_on(set.read_small(9, 10)).unwrap_err().code(), "no_files");
    assert_eq!((set.len(), set.is_empty()), (4, false));
}
