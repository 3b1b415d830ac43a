//! Dequantisation against gguf-py, bit by bit. `data/generate.py` made the golden values.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use futures_lite::future::block_on;
use glassbox_formats::dequant::{f16_to_f32, to_f32};
use glassbox_formats::{DType, FormatError};

const FILE: &[u8] = include_bytes!("data/golden.gguf");
const GOLDEN: &str = include_str!("data/golden.txt");

fn fnv1a(values: &[f32]) -> String {
    // As in generate.py: the payload of a NaN depends on the processor.
    let bits = values.iter().map(|x| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() });
    let bytes = bits.flat_map(u32::to_le_bytes);
    let state = bytes
        .fold(0xcbf2_9ce4_8422_2325, |state: u64, b| (state ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    format!("{state:016x}")
}

fn golden(name: &str) -> &'static str {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no golden value for {name}"))
}

#[test]
fn tensors_equal_gguf_py() {
    let checkpoint = common::open_gguf(FILE.to_vec()).unwrap();
    assert_eq!(checkpoint.tensors.len(), GOLDEN.lines().count() - 2);
    let mut types = Vec::new();
    for (name, tensor) in &checkpoint.tensors {
        assert_eq!(tensor.shape.last(), Some(&256));
        let bytes = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap();
        let mut values = vec![0.0; tensor.elements() as usize];
        to_f32(tensor.dtype, &bytes, &mut values).unwrap();
        assert_eq!(fnv1a(&values), golden(name), "{name}");
        if tensor.dtype.is_quantised() {
            assert!(name.ends_with(".normal") || values.iter().any(|x| x.is_nan()), "{name}: edge scales");
        }
        types.push(tensor.dtype);
    }
    types.sort();
    types.dedup();
    assert_eq!(types, DType::ALL, "every type has a golden tensor");
}

#[test]
fn every_half_equals_gguf_py() {
    let expand = |dtype| {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let mut values = vec![0.0; 1 << 16];
        to_f32(dtype, &bytes, &mut values).unwrap();
        values.retain(|x| !x.is_nan());
        values
    };
    assert_eq!(fnv1a(&expand(DType::F16)), golden("all-f16"));
    assert_eq!(fnv1a(&expand(DType::BF16)), golden("all-bf16"));
}

#[test]
fn every_half_equals_the_half_crate() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (f16_to_f32(bits), half::f16::from_bits(bits).to_f32());
        // The crate quiets signalling NaNs; we keep them, as gguf-py does.
        assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:#06x}");
    }
    assert_eq!(f16_to_f32(0x7c01).to_bits(), 0x7f80_2000);
}

#[test]
fn an_empty_tensor_is_fine() {
    for dtype in DType::ALL {
        to_f32(dtype, &[], &mut []).unwrap();
    }
}

#[test]
fn lengths_must_match() {
    let mut out = [0.0; 512];
    for dtype in DType::ALL {
        let right = dtype.bytes_for(512).unwrap() as usize;
        to_f32(dtype, &vec![0; right], &mut out).unwrap();
        for wrong in [0, right - 1, right + 1] {
            let error = to_f32(dtype, &vec![0; wrong], &mut out).unwrap_err();
            assert!(matches!(error, FormatError::BlockLength { .. }), "{dtype}: {error}");
        }
    }
    // 33 elements are not whole blocks.
    assert_eq!(to_f32(DType::Q8_0, &[0; 68], &mut [0.0; 33]).unwrap_err().code(), "block_length");
}

#[test]
fn sizes_do_not_overflow() {
    assert_eq!(DType::Q4_0.bytes_for(64).unwrap(), 36);
    assert_eq!(DType::Q8_0.bytes_for(1 << 40).unwrap(), (1 << 35) * 34);
    assert!(DType::F32.bytes_for(1 << 62).is_err());
    assert!(DType::Q8_0.bytes_for(u64::MAX - 31).is_err());
}
