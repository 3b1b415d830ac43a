//! The GGUF header: what is read, and every way in which it can be wrong.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{Gguf, code, open_gguf, string};
use futures_lite::future::block_on;
use glassbox_formats::gguf::{Array, Metadata, Value};
use glassbox_formats::{Checkpoint, Config, DType, Format, FormatError};

const F32: u32 = 0;
const Q4_0: u32 = 2;
const Q8_0: u32 = 8;
const IQ2_S: u32 = 22;
const I32: u32 = 26;

fn fault(gguf: &Gguf) -> String {
    code(open_gguf(gguf.build()))
}

fn metadata(checkpoint: &Checkpoint) -> &Metadata {
    let Config::Gguf(metadata) = &checkpoint.config else { panic!("not a GGUF configuration") };
    metadata
}

#[test]
fn reads_tensors_and_their_bytes() {
    let gguf =
        Gguf::default().tensor("a", &[64, 2], Q8_0, 136).tensor("b", &[3], F32, 12).tensor("c", &[], F32, 4);
    for version in [2, 3] {
        let mut bytes = Gguf { version, ..gguf.clone() }.build();
        let end = bytes.len();
        // c lies at the start of the last 32 bytes, b 32 before it.
        bytes[end - 64..end - 52].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let checkpoint = open_gguf(bytes).unwrap();
        assert_eq!(checkpoint.format, Format::Gguf { version });
        let a = checkpoint.tensor("a").unwrap();
        assert_eq!((a.shape.as_slice(), a.dtype, a.bytes), (&[2, 64][..], DType::Q8_0, 136));
        assert_eq!(a.offset % 32, 0);
        let b = checkpoint.tensor("b").unwrap();
        assert_eq!((b.shape.as_slice(), b.offset), (&[3][..], a.offset + 160));
        assert_eq!(block_on(checkpoint.read(b, 4, 8)).unwrap(), [5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(checkpoint.tensor("c").unwrap().elements(), 1);
        assert_eq!(checkpoint.parameters(), 128 + 3 + 1);
        assert_eq!(checkpoint.files()[0].name, "model.gguf");
    }
}

#[test]
fn reads_every_value_type() {
    let checkpoint = open_gguf(include_bytes!("data/golden.gguf").to_vec()).unwrap();
    let metadata = metadata(&checkpoint);
    for (key, value) in [
        ("all.u8", Value::U8(200)),
        ("all.i8", Value::I8(-100)),
        ("all.u16", Value::U16(60_000)),
        ("all.i16", Value::I16(-30_000)),
        ("all.u32", Value::U32(4_000_000_000)),
        ("all.i32", Value::I32(-2_000_000_000)),
        ("all.f32", Value::F32(0.1)),
        ("all.bool", Value::Bool(true)),
        ("all.string", Value::String("a ␣ b".into())),
        ("all.u64", Value::U64((1 << 63) + 1)),
        ("all.i64", Value::I64(i64::MIN)),
        ("all.f64", Value::F64(0.1)),
        ("all.integers", Value::Array(Array::I32(vec![1, -2, 3]))),
        ("all.floats", Value::Array(Array::F32(vec![0.5, -0.25]))),
        ("all.strings", Value::Array(Array::String(vec!["".into(), "ü".into(), "c".into()]))),
        ("all.bools", Value::Array(Array::Bool(vec![true, false]))),
    ] {
        assert_eq!(metadata.value(key), Some(&value), "{key}");
    }
    assert_eq!(metadata.architecture().unwrap(), "llama");
}

#[test]
fn arrays_of_every_number_type() {
    let minus_one = [0xff; 8];
    for (kind, size, expected) in [
        (0, 1, Array::U8(vec![u8::MAX])),
        (1, 1, Array::I8(vec![-1])),
        (2, 2, Array::U16(vec![u16::MAX])),
        (3, 2, Array::I16(vec![-1])),
        (4, 4, Array::U32(vec![u32::MAX])),
        (5, 4, Array::I32(vec![-1])),
        (10, 8, Array::U64(vec![u64::MAX])),
        (11, 8, Array::I64(vec![-1])),
    ] {
        let checkpoint = open_gguf(Gguf::default().array("x", kind, 1, &minus_one[..size]).build()).unwrap();
        assert_eq!(metadata(&checkpoint).value("x"), Some(&Value::Array(expected)));
    }
    let bytes = Gguf::default().array("x", 12, 1, &0.5f64.to_le_bytes()).build();
    assert_eq!(metadata(&open_gguf(bytes).unwrap()).value("x"), Some(&Value::Array(Array::F64(vec![0.5]))));
}

#[test]
fn getters_convert_what_fits() {
    let metadata: Metadata = [
        ("u8", Value::U8(7)),
        ("i64", Value::I64(-1)),
        ("big", Value::U64(1 << 40)),
        ("f64", Value::F64(0.5)),
        ("text", Value::String("t".into())),
        ("list", Value::Array(Array::U32(vec![1, 2]))),
        ("mixed", Value::Array(Array::I32(vec![1, -2]))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect();
    assert_eq!(metadata.get::<u32>("u8").unwrap(), Some(7));
    assert_eq!(metadata.get::<u64>("big").unwrap(), Some(1 << 40));
    assert_eq!(metadata.get::<i64>("i64").unwrap(), Some(-1));
    assert_eq!(metadata.get::<f32>("f64").unwrap(), Some(0.5));
    assert_eq!(metadata.get::<&str>("text").unwrap(), Some("t"));
    assert_eq!(metadata.get::<Vec<u64>>("list").unwrap(), Some(vec![1, 2]));
    assert_eq!(metadata.get::<Vec<u64>>("u8").unwrap(), Some(vec![7]));
    assert_eq!(metadata.get::<bool>("absent").unwrap(), None);
    assert_eq!(metadata.len(), 7);
    let missing = metadata.require::<u32>("llama.block_count").unwrap_err();
    assert_eq!(missing.code(), "metadata_missing");
    assert!(missing.to_string().contains("llama.block_count"));
    let wrong = |error: FormatError| assert_eq!(error.code(), "metadata_type");
    wrong(metadata.require::<u32>("big").unwrap_err());
    wrong(metadata.require::<u64>("i64").unwrap_err());
    wrong(metadata.require::<u64>("f64").unwrap_err());
    wrong(metadata.require::<f32>("u8").unwrap_err());
    wrong(metadata.require::<bool>("text").unwrap_err());
    wrong(metadata.require::<&str>("u8").unwrap_err());
    wrong(metadata.require::<&[String]>("text").unwrap_err());
    wrong(metadata.require::<&[f32]>("list").unwrap_err());
    wrong(metadata.require::<Vec<u64>>("mixed").unwrap_err());
}

#[test]
fn magic_version_and_byte_order() {
    let with = |at: usize, new: &[u8]| {
        let mut bytes = Gguf::default().build();
        bytes[at..at + new.len()].copy_from_slice(new);
        code(open_gguf(bytes))
    };
    assert_eq!(with(0, b"GGUX"), "gguf_invalid");
    assert_eq!(with(0, b"lmgg"), "legacy_ggml");
    for version in [0u32, 1, 4, 9, 1000] {
        assert_eq!(with(4, &version.to_le_bytes()), "gguf_version", "{version}");
    }
    for version in [1u32, 2, 3] {
        assert_eq!(with(4, &version.to_be_bytes()), "gguf_big_endian", "{version}");
    }
    let old = FormatError::GgufVersion { file: "x".into(), version: 1 };
    let new = FormatError::GgufVersion { file: "x".into(), version: 4 };
    assert_ne!(old.hint(), new.hint());
}

#[test]
fn counts_are_bounded() {
    let gguf = Gguf::default();
    for count in [u64::MAX, 1 << 62, 1 << 32] {
        assert_eq!(code(open_gguf(gguf.header(count, 1))), "gguf_limit");
        assert_eq!(code(open_gguf(gguf.header(0, count))), "gguf_limit");
    }
    assert_eq!(code(open_gguf(gguf.header(1000, 1))), "truncated_file");
    assert_eq!(code(open_gguf(gguf.header(0, 1000))), "truncated_file");
    assert_eq!(code(open_gguf(gguf.header(0, 2))), "truncated_file");
    assert_eq!(code(open_gguf(gguf.header(0, 0))), "opened");
}

#[test]
fn string_lengths_are_bounded() {
    let length = |n: u64| n.to_le_bytes();
    for n in [u64::MAX, 1 << 63, 1 << 32, 17 << 20] {
        assert_eq!(fault(&Gguf::default().raw("k", 8, &length(n))), "gguf_limit", "{n}");
        assert_eq!(fault(&Gguf::default().array("k", 8, 1, &length(n))), "gguf_limit", "{n}");
    }
    assert_eq!(fault(&Gguf::default().raw("k", 8, &length(1000))), "truncated_file");
    let long_key = "k".repeat(65_536);
    assert_eq!(fault(&Gguf::default().u32(&long_key, 1)), "gguf_limit");
    assert_eq!(fault(&Gguf::default().tensor(&long_key, &[1], F32, 4)), "gguf_limit");
    assert_eq!(fault(&Gguf::default().raw("k", 8, &string([0xff, 0xfe]))), "gguf_invalid");
    assert_eq!(fault(&Gguf::default().array("k", 8, 1, &string([0xc3]))), "gguf_invalid");
}

#[test]
fn array_lengths_are_bounded() {
    for kind in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12] {
        for count in [u64::MAX, 1 << 61, (1 << 32) + 1, 1000] {
            let found = fault(&Gguf::default().array("k", kind, count, &[0; 8]));
            assert_eq!(found, "truncated_file", "{count} of type {kind}");
        }
    }
}

#[test]
fn a_header_beyond_the_cap_is_refused() {
    // 80 MB of one array: real bytes, so only the cap can stop it.
    let gguf = Gguf::default().array("k", 0, 80 << 20, &vec![0; 80 << 20]);
    assert_eq!(fault(&gguf), "header_too_large");
}

#[test]
fn values_are_of_known_types() {
    for kind in [13, 14, 255, u32::MAX] {
        assert_eq!(fault(&Gguf::default().raw("k", kind, &[0; 8])), "gguf_invalid");
        assert_eq!(fault(&Gguf::default().array("k", kind, 1, &[0; 8])), "gguf_invalid");
    }
    assert_eq!(fault(&Gguf::default().array("k", 9, 1, &[0; 16])), "gguf_invalid");
    assert_eq!(fault(&Gguf::default().raw("k", 7, &[2])), "gguf_invalid");
    assert_eq!(fault(&Gguf::default().array("k", 7, 2, &[1, 7])), "gguf_invalid");
}

#[test]
fn keys_and_names_are_unique() {
    assert_eq!(fault(&Gguf::default().u32("k", 1).u32("k", 1)), "duplicate_name");
    assert_eq!(
        fault(&Gguf::default().tensor("a", &[8], F32, 32).tensor("a", &[8], F32, 32)),
        "duplicate_name"
    );
}

#[test]
fn alignment_is_a_power_of_two_in_a_u32() {
    let aligned = |n: u32| {
        let gguf = Gguf { alignment: u64::from(n.max(1)), ..Gguf::default().u32("general.alignment", n) };
        fault(&gguf.tensor("a", &[3], F32, 12).tensor("b", &[5], F32, 20))
    };
    for n in [8, 16, 32, 64, 4096] {
        assert_eq!(aligned(n), "opened", "{n}");
    }
    for n in [0, 1, 4, 13, 24, 33] {
        assert_eq!(aligned(n), "gguf_alignment", "{n}");
    }
    let wrong_type = Gguf::default().raw("general.alignment", 10, &32u64.to_le_bytes());
    assert_eq!(fault(&wrong_type), "gguf_alignment");
    assert_eq!(fault(&Gguf::default().text("general.alignment", "32")), "gguf_alignment");
    // Data laid out for another alignment than the one that counts.
    let inconsistent = Gguf { alignment: 64, ..Gguf::default() };
    assert_eq!(fault(&inconsistent.tensor("a", &[3], F32, 12).tensor("b", &[5], F32, 20)), "gguf_offset");
    let huge = Gguf::default().u32("general.alignment", 1 << 31).tensor("a", &[1], F32, 4);
    assert_eq!(fault(&huge), "truncated_file");
}

#[test]
fn tensor_types_are_named() {
    let gguf = Gguf::default().tensor("norm", &[8], F32, 32);
    let quantised = gguf.clone().tensor("blk.0.w", &[256], IQ2_S, 82).tensor("blk.1.w", &[256], IQ2_S, 82);
    let error = open_gguf(quantised.build()).unwrap_err();
    assert_eq!(error.code(), "unsupported_dtype");
    let message = error.to_string();
    assert!(message.contains("blk.0.w is stored as IQ2_S (tensors of this type in"), "{message}");
    assert!(error.hint().contains("Q4_K"), "{message}");
    for kind in [4, 5, 31, 42, 4242] {
        let error = open_gguf(gguf.clone().tensor("x", &[256], kind, 256).build()).unwrap_err();
        assert_eq!(error.code(), "unsupported_dtype");
        assert!(error.to_string().contains(&format!("ggml type {kind}")), "{error}");
    }
    // Integers hold no weights: set aside, and an error only when asked for.
    let checkpoint =
        open_gguf(gguf.tensor("ids", &[8], I32, 32).tensor("w", &[32], Q4_0, 18).build()).unwrap();
    assert_eq!(checkpoint.tensor("ids").unwrap_err().code(), "unsupported_dtype");
    assert_eq!(checkpoint.tensor("w").unwrap().bytes, 18);
}

#[test]
fn shapes_are_checked() {
    let one = |dims: &[u64], kind: u32| fault(&Gguf::default().tensor("a", dims, kind, 0));
    assert_eq!(one(&[1, 1, 1, 1, 1], F32), "gguf_limit");
    assert_eq!(one(&[1 << 32, 1 << 32], F32), "shape_overflow");
    assert_eq!(one(&[1 << 32, 1 << 32, 0], F32), "shape_overflow");
    assert_eq!(one(&[1 << 62], F32), "shape_overflow");
    assert_eq!(one(&[u64::MAX - 31], Q8_0), "shape_overflow");
    assert_eq!(one(&[1 << 61], F32), "truncated_file");
    assert_eq!(one(&[33], Q8_0), "gguf_invalid");
    assert_eq!(one(&[16, 2], Q4_0), "gguf_invalid");
    assert_eq!(one(&[], Q4_0), "gguf_invalid");
    assert_eq!(one(&[0], F32), "opened");
    assert_eq!(one(&[0, 7], Q8_0), "opened");
}

#[test]
fn tensors_follow_one_another() {
    let second_at =
        |offset: u64| fault(&Gguf::default().tensor("a", &[8], F32, 32).tensor_at("b", &[8], F32, offset));
    for offset in [0, 4, 28, 31, 33, 36, 64, 1 << 40, u64::MAX] {
        assert_eq!(second_at(offset), "gguf_offset", "{offset}");
    }
    assert_eq!(fault(&Gguf::default().tensor_at("a", &[8], F32, 32)), "gguf_offset");
}

#[test]
fn data_ends_within_the_file() {
    let bytes = Gguf::default().tensor("a", &[8], F32, 32).tensor("b", &[3], F32, 12).build();
    let opens = |len: usize| code(open_gguf(bytes[..len].to_vec()));
    assert_eq!(opens(bytes.len()), "opened");
    // The padding after the last tensor may be missing, its data may not.
    assert_eq!(opens(bytes.len() - 20), "opened");
    assert_eq!(opens(bytes.len() - 21), "truncated_file");
    let longer = [bytes.clone(), vec![0; 100]].concat();
    assert_eq!(code(open_gguf(longer)), "opened");
}

#[test]
fn the_header_is_read_in_ranges() {
    use glassbox_formats::{ByteSource, FileSet, MemorySource, ReadFuture};
    use std::{cell::RefCell, rc::Rc};

    /// Notes which ranges are read.
    struct Noted(MemorySource, Rc<RefCell<Vec<(u64, usize)>>>);
    impl ByteSource for Noted {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
            self.1.borrow_mut().push((offset, len));
            self.0.read(offset, len)
        }
    }
    // A header of 2 MB in front of 20 MB of data.
    let tokens: Vec<String> = (0..100_000).map(|i| format!("token number {i}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let gguf = Gguf::default().strings("list", &tokens).tensor("w", &[5 << 20], F32, 20 << 20);
    let bytes = gguf.build();
    let header = bytes.len() as u64 - (20 << 20);
    let reads = Rc::default();
    let mut files = FileSet::new();
    files.push(Noted(MemorySource::new("big.gguf", bytes), Rc::clone(&reads)));
    let checkpoint = block_on(Checkpoint::open(files)).unwrap();
    assert_eq!(
        metadata(&checkpoint).get::<&[String]>("list").unwrap().unwrap()[99_999],
        "token number 99999"
    );
    let reads = reads.borrow();
    let total: u64 = reads.iter().map(|&(_, len)| len as u64).sum();
    // One after the other, as a stream gives them, and hardly any of the data.
    assert!(reads.len() as u64 <= header / (64 << 10) + 4, "{} reads", reads.len());
    assert!(total < header + (256 << 10), "{total} bytes were read of a header of {header}");
    let mut end = 0;
    for &(offset, len) in reads.iter() {
        assert!(offset <= end, "from {offset} on, where {end} is the end of the last");
        end = end.max(offset + len as u64);
    }
}
