//! Damaged files: cut at every byte, changed at every byte, and with lying numbers. Whatever happens, opening ends
//! in a model or in a named error, and what opens keeps its promises.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{CONFIG, Gguf, Random, open, open_gguf, open_safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{Card, Checkpoint, FormatError};

/// Numbers that overflow something, or nearly.
const EVIL: [u64; 14] = [
    0,
    1,
    13,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    (1 << 62) - 1,
    1 << 62,
    1 << 63,
    (1 << 63) - 1,
    u64::MAX - 31,
    u64::MAX - 7,
    u64::MAX,
];

/// A GGUF file that has some of everything.
fn gguf() -> Vec<u8> {
    Gguf::default()
        .text("general.name", "small")
        .u32("general.alignment", 32)
        .raw("a.bool", 7, &[1])
        .array("a.numbers", 5, 3, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])
        .text("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &["<unk>", "<0x0A>", "b"])
        .array("tokenizer.ggml.token_type", 5, 3, &[2, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0])
        .array("tokenizer.ggml.scores", 6, 3, &[0; 12])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .tensor("a", &[32, 2], 8, 68)
        .tensor("b", &[3], 0, 12)
        .tensor("c", &[64], 2, 36)
        .build()
}

fn safetensors() -> Vec<u8> {
    common::safetensors(
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"empty":{"dtype":"F32","shape":[0],"data_offsets":[24,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"ids":{"dtype":"I64","shape":[1],"data_offsets":[32,40]}}"#,
        40,
    )
}

/// What every opened checkpoint promises: sizes agree, and all data can be read.
fn keeps_its_promises(result: Result<Checkpoint, FormatError>, file_len: usize) {
    let checkpoint = match result {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.hint().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    let mut total = 0;
    for (name, tensor) in &checkpoint.tensors {
        assert_eq!(name, &tensor.name);
        let elements = tensor.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).unwrap();
        assert_eq!(tensor.elements(), elements);
        assert_eq!(tensor.dtype.bytes_for(elements).unwrap(), tensor.bytes);
        assert!(
            tensor
                .offset
                .checked_add(tensor.stored_bytes())
                .is_some_and(|end| tensor.bytes == 0 || end <= file_len as u64)
        );
        let bytes = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize));
        assert!(tensor.bytes == 0 || bytes.unwrap().len() as u64 == tensor.bytes);
        total += tensor.stored_bytes();
    }
    assert!(total <= file_len as u64, "tensors do not share bytes");
    assert_eq!(checkpoint.weight_bytes(), total);
    assert_eq!(checkpoint.stored_types().values().map(|stored| stored.bytes).sum::<u64>(), total);
    if let Some(vocabulary) = &checkpoint.tokenizer.vocabulary {
        let n = vocabulary.tokens.len();
        assert!([0, n].contains(&vocabulary.types.len()) && [0, n].contains(&vocabulary.scores.len()));
        assert!(vocabulary.bos.is_none_or(|id| (id as usize) < n));
    }
}

type Open = fn(Vec<u8>) -> Result<Checkpoint, FormatError>;

fn formats() -> [(&'static str, Vec<u8>, Open); 2] {
    [("gguf", gguf(), open_gguf), ("safetensors", safetensors(), open_safetensors)]
}

#[test]
fn the_whole_files_open() {
    for (name, bytes, open) in formats() {
        let checkpoint = open(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(checkpoint.tensors.len() >= 3);
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for (name, bytes, open) in formats() {
        // GGUF pads its end: c has 36 bytes, and 28 of padding that may be missing.
        let needed = if name == "gguf" { bytes.len() - 28 } else { bytes.len() };
        for len in 0..bytes.len() {
            let result = open(bytes[..len].to_vec());
            assert_eq!(result.is_ok(), len >= needed, "{name} cut to {len} of {}", bytes.len());
            keeps_its_promises(result, len);
        }
    }
}

#[test]
fn any_changed_byte_is_survived() {
    for (_, bytes, open) in formats() {
        for at in 0..bytes.len() {
            for change in [1u8, 0x80, 0xff, 0x20, 0x10] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                keeps_its_promises(open(damaged), bytes.len());
            }
        }
    }
}

#[test]
fn any_lying_number_is_survived() {
    let bytes = gguf();
    for at in 0..bytes.len() - 8 {
        for number in EVIL {
            let mut damaged = bytes.clone();
            damaged[at..at + 8].copy_from_slice(&number.to_le_bytes());
            keeps_its_promises(open_gguf(damaged), bytes.len());
        }
    }
    // In JSON every run of digits is a number.
    let text = safetensors();
    let numbers: Vec<usize> =
        (9..text.len() - 40).filter(|&i| text[i].is_ascii_digit() && !text[i - 1].is_ascii_digit()).collect();
    for start in numbers {
        let end = (start..).find(|&i| !text[i].is_ascii_digit()).unwrap_or(text.len());
        for number in EVIL {
            let json = [&text[8..start], number.to_string().as_bytes(), &text[end..text.len() - 40]].concat();
            let file = common::safetensors(std::str::from_utf8(&json).unwrap(), 40);
            let len = file.len();
            keeps_its_promises(open_safetensors(file), len);
        }
    }
}

#[test]
fn random_damage_is_survived() {
    let mut random = Random(2);
    for (_, bytes, open) in formats() {
        for _ in 0..4000 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(damaged.len());
                match random.below(5) {
                    0 => damaged[at] = random.next() as u8,
                    1 => damaged.truncate(at.max(1)),
                    2 => drop(damaged.drain(at..(at + 1 + random.below(16)).min(damaged.len()))),
                    3 => damaged.splice(at..at, EVIL[random.below(EVIL.len())].to_le_bytes()).for_each(drop),
                    _ => {
                        let from = random.below(damaged.len());
                        let piece = damaged[from..(from + random.below(40)).min(damaged.len())].to_vec();
                        damaged.splice(at..at, piece).for_each(drop);
                    }
                }
                if damaged.is_empty() {
                    damaged.push(0);
                }
            }
            let len = damaged.len();
            keeps_its_promises(open(damaged), len);
        }
    }
}

/// Whatever we accept, the format's own crate accepts; whatever it accepts and we do not is one of the faults that
/// only we look for.
#[test]
fn agrees_with_the_safetensors_crate_on_damaged_files() {
    let original = safetensors();
    let mut random = Random(3);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = original.clone();
        let end = bytes.len() - 40;
        for _ in 0..=random.below(2) {
            // Mostly digits for digits, so that many headers still parse.
            let at = 8 + random.below(end - 8);
            bytes[at] = if bytes[at].is_ascii_digit() {
                b'0' + random.below(10) as u8
            } else {
                random.next() as u8 & 0x7f
            };
        }
        let theirs = ::safetensors::SafeTensors::deserialize(&bytes);
        match (open_safetensors(bytes.clone()), theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours.tensors.len() + ours.unsupported.len(), theirs.len());
                accepted += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            // Types that they do not know are set aside by us.
            (Ok(ours), Err(error)) => assert!(!ours.unsupported.is_empty(), "{error}"),
            (Err(error), Ok(_)) => assert_eq!(error.code(), "duplicate_name"),
        }
    }
    assert!(
        accepted > 300 && refused > 300,
        "{accepted} accepted, {refused} refused: the damage is of one kind"
    );
}

#[test]
fn damaged_small_files_are_survived() {
    let weights = || ("model.safetensors", safetensors());
    let index = br#"{"metadata":{},"weight_map":{"a":"x.safetensors","b":"x.safetensors"}}"#;
    let readme = b"---\nlicense: mit\ntags: [a, 'b']\nlanguage:\n- en\n---\n";
    let mut random = Random(4);
    for _ in 0..3000 {
        let mut damage = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
            bytes
        };
        let files = [weights(), ("config.json", damage(CONFIG)), ("README.md", damage(readme))];
        keeps_its_promises(open(files), safetensors().len());
        let shards = [
            ("x.safetensors", safetensors()),
            ("x.safetensors.index.json", damage(index)),
            ("config.json", CONFIG.to_vec()),
        ];
        keeps_its_promises(open(shards), safetensors().len());
        Card::from_readme(&String::from_utf8_lossy(&damage(readme)));
    }
}

#[test]
fn noise_is_survived() {
    let mut random = Random(5);
    for len in 0..600 {
        let noise: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        keeps_its_promises(open_safetensors(noise.clone()), len);
        keeps_its_promises(open_gguf(noise.clone()), len);
        keeps_its_promises(open([("noise", noise.clone())]), len);
        let header = [b"GGUF\x03\0\0\0", noise.as_slice()].concat();
        keeps_its_promises(open_gguf(header), len + 8);
    }
}
