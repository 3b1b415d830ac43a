//! The GPU kernels on the machine's adapter (Mesa's lavapipe where there is no other). Without an
//! adapter these tests fail: they are never skipped.
#![cfg(feature = "gpu")]

mod common;

use std::sync::OnceLock;

use burn::tensor::Device;
use common::*;
use glassbox_formats::DType;
use glassbox_kernels::{MatrixBuilder, device};

/// The adapter, initialised once for all tests.
fn gpu() -> Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    GPU.get_or_init(|| Device::wgpu_options().init().expect("a Vulkan adapter (mesa-vulkan-drivers)")).clone()
}

#[test]
fn products_agree_with_the_widened_weights() {
    assert_eq!(device::kind(&gpu()), device::Kind::Gpu);
    check_products(&gpu());
}

#[test]
fn lookups_are_exact() {
    check_gather(&gpu());
}

#[test]
fn activations_may_be_views() {
    check_views(&gpu());
}

#[test]
fn dense_tensors_are_matrices() {
    check_dense_tensor(&gpu());
}

#[test]
fn every_half_is_widened_exactly() {
    // All 65,536 bit patterns of each type; NaNs only have to stay NaNs.
    for dtype in [DType::F16, DType::BF16] {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let mut builder = MatrixBuilder::new(&gpu(), dtype, 256, 256).unwrap();
        builder.write_rows(0, &bytes).unwrap();
        let got = values(builder.finish().unwrap().dequantise());
        for (bits, got) in (0..=u16::MAX).zip(got) {
            let want = match dtype {
                DType::F16 => half::f16::from_bits(bits).to_f32(),
                _ => half::bf16::from_bits(bits).to_f32(),
            };
            // An adapter may flush numbers too small for a normal f32 to zero.
            let flushed = want.is_subnormal() && got == 0.0;
            assert!(
                got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan() || flushed,
                "{bits:#06x} {got} {want}"
            );
        }
    }
}

#[test]
fn chunks_start_and_end_on_tiles() {
    let mut builder = MatrixBuilder::new(&gpu(), DType::Q8_0, 130, 32).unwrap();
    assert_eq!(builder.rows_per_write(), 64);
    for (first, rows) in [(1, 64), (0, 63), (64, 65), (128, 3), (64, 67)] {
        let error = builder.write_rows(first, &vec![0; rows * 34]).unwrap_err();
        assert_eq!(error.code(), "kernel.row_range", "{first} {rows}");
    }
    builder.write_rows(128, &[0; 2 * 34]).unwrap();
    builder.write_rows(0, &[0; 64 * 34]).unwrap();
    let error = builder.finish().unwrap_err();
    assert_eq!(error.to_string(), "64 of 130 rows were never written, row 64 first");
}

#[test]
fn matrices_beyond_the_devices_memory_are_refused_with_numbers() {
    for (rows, columns) in [(1 << 30, 1 << 20), (64, 1 << 30)] {
        let error =
            MatrixBuilder::new(&gpu(), DType::F32, rows, columns).err().expect("more than any memory");
        assert_eq!(error.code(), "kernel.too_large");
        assert!(error.to_string().contains(&format!("{rows} x {columns} needs")), "{error}");
    }
}
