//! GGUF models in several files.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{Gguf, Random, code, open};
use futures_lite::future::block_on;
use glassbox_formats::{Checkpoint, Config, Format, FormatError, dequant};

/// Written by gguf-py: seven tensors, three to a file; `data/generate.py`.
const GOLDEN: [&[u8]; 3] = [
    include_bytes!("data/split-00001-of-00003.gguf"),
    include_bytes!("data/split-00002-of-00003.gguf"),
    include_bytes!("data/split-00003-of-00003.gguf"),
];
const NAMES: [&str; 3] = ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"];

fn golden(order: [usize; 3]) -> Result<Checkpoint, FormatError> {
    open(order.map(|i| (NAMES[i], GOLDEN[i].to_vec())))
}

/// A part with one tensor of its own name.
fn part(index: u16, count: u16, tensors: i32) -> Gguf {
    Gguf::default()
        .raw("split.no", 2, &index.to_le_bytes())
        .raw("split.count", 2, &count.to_le_bytes())
        .raw("split.tensors.count", 5, &tensors.to_le_bytes())
        .tensor(&format!("t{index}"), &[8], 0, 32)
}

fn built(parts: &[Gguf]) -> Result<Checkpoint, FormatError> {
    let names: Vec<String> = (0..parts.len()).map(|i| format!("part{i}.gguf")).collect();
    open(names.iter().zip(parts).map(|(name, part)| (name.as_str(), part.build())))
}

#[test]
fn parts_in_any_order_are_one_model() {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
        let checkpoint = golden(order).unwrap();
        assert_eq!(checkpoint.format, Format::Gguf { version: 3 });
        assert_eq!(checkpoint.tensors.len(), 7);
        assert_eq!(checkpoint.files().len(), 3);
        let Config::Gguf(metadata) = &checkpoint.config else { panic!("not GGUF") };
        assert_eq!(metadata.require::<&str>("general.name").unwrap(), "in three parts");
        for (i, (name, tensor)) in checkpoint.tensors.iter().enumerate() {
            assert_eq!(
                (name.as_str(), tensor.file),
                (format!("t{i}").as_str(), order.iter().position(|&o| o == i / 3).unwrap())
            );
            let bytes = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap();
            let mut values = [0.0; 8];
            dequant::to_f32(tensor.dtype, &bytes, &mut values).unwrap();
            assert_eq!(values, [i as f32; 8], "{name}");
        }
    }
}

#[test]
fn names_do_not_matter() {
    for names in [["a.gguf", "b.gguf", "c.gguf"], ["one", "two", "three"]] {
        let checkpoint = open([0, 2, 1].map(|i| (names[i], GOLDEN[i].to_vec()))).unwrap();
        assert_eq!(checkpoint.tensors.len(), 7);
    }
}

#[test]
fn missing_parts_are_named() {
    let missing = |names: &str, missing| {
        Err::<(), _>(FormatError::MissingShard { names: names.into(), missing, total: 3 })
    };
    let only = |keep: &[usize]| open(keep.iter().map(|&i| (NAMES[i], GOLDEN[i].to_vec()))).map(|_| ());
    assert_eq!(only(&[0, 2]), missing(NAMES[1], 1));
    assert_eq!(only(&[1]), missing("m-00001-of-00003.gguf, m-00003-of-00003.gguf", 2));
    let renamed = open([("model.gguf", GOLDEN[0].to_vec())]).map(|_| ());
    assert_eq!(renamed, missing("part 2 of 3, part 3 of 3", 2));
    let most = built(&[part(0, u16::MAX, 1)]).unwrap_err();
    assert!(most.to_string().starts_with("65534 of 65535 shards are missing"), "{most}");
}

#[test]
fn parts_must_belong_together() {
    assert_eq!(code(built(&[part(0, 2, 2), part(1, 2, 2)])), "opened");
    assert_eq!(code(built(&[part(0, 2, 2), part(0, 2, 2)])), "gguf_split");
    assert_eq!(code(built(&[part(0, 2, 2), part(1, 3, 2)])), "gguf_split");
    assert_eq!(code(built(&[part(0, 2, 2), part(1, 2, 3)])), "gguf_split");
    assert_eq!(code(built(&[part(0, 2, 3), part(1, 2, 3)])), "gguf_split");
    assert_eq!(code(built(&[part(0, 2, 3), part(1, 2, 3).tensor("t0", &[8], 0, 32)])), "duplicate_tensor");
    assert_eq!(code(built(&[part(0, 2, 2), part(1, 2, 2), part(1, 2, 2)])), "gguf_split");
    assert_eq!(code(built(&[part(2, 2, 2), part(1, 2, 2)])), "gguf_invalid");
    assert_eq!(code(built(&[part(0, 2, -1), part(1, 2, -1)])), "metadata_type");
    assert_eq!(code(built(&[Gguf::default().u32("split.count", 2)])), "metadata_missing");
    assert_eq!(code(built(&[Gguf::default().u32("split.count", 1).tensor("a", &[8], 0, 32)])), "opened");
    // A whole model and a part; two splits side by side.
    assert_eq!(code(built(&[part(0, 2, 2), Gguf::default().tensor("a", &[8], 0, 32)])), "several_models");
    let side = ["q4-00001-of-00002.gguf", "q4-00002-of-00002.gguf", "q8-00001-of-00002.gguf"];
    assert_eq!(code(open(side.map(|name| (name, part(0, 2, 2).build())))), "several_models");
    let error = open([
        (NAMES[0], GOLDEN[0].to_vec()),
        (NAMES[1], b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
    ]);
    assert_eq!(code(error), "lfs_pointer");
}

#[test]
fn any_damaged_part_is_survived() {
    let mut random = Random(6);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..4000 {
        let mut parts = GOLDEN.map(<[u8]>::to_vec);
        let damaged = &mut parts[round % 3];
        let at = random.below(damaged.len());
        match random.below(3) {
            0 => damaged[at] = random.next() as u8,
            1 => damaged.truncate(at),
            _ => damaged[at] ^= 1 << random.below(8),
        }
        match open([0, 1, 2].map(|i| (NAMES[i], parts[i].clone()))) {
            Ok(checkpoint) => {
                opened += 1;
                for tensor in checkpoint.tensors.values() {
                    let bytes = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap();
                    assert_eq!(bytes.len() as u64, tensor.dtype.bytes_for(tensor.elements()).unwrap());
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.code().is_empty() && !error.hint().is_empty());
            }
        }
    }
    assert!(opened > 100 && refused > 1000, "{opened} opened, {refused} refused: the damage is of one kind");
}
