//! The CPU kernels and the builder.

mod common;

use burn::tensor::Device;
use common::*;
use glassbox_formats::DType;
use glassbox_kernels::{KernelError, Matrix, MatrixBuilder, Precision, device};

#[test]
fn products_agree_with_the_widened_weights() {
    check_products(&Device::flex());
}

#[test]
fn lookups_are_exact() {
    check_gather(&Device::flex());
}

#[test]
fn activations_may_be_views() {
    check_views(&Device::flex());
}

#[test]
fn dense_tensors_are_matrices() {
    check_dense_tensor(&Device::flex());
}

#[test]
fn tensors_of_other_float_types_are_widened() {
    // Numbers that a half holds exactly.
    let weights: Vec<f32> = (0..12).map(|i| i as f32 - 6.0).collect();
    let half = |data: Vec<f32>, shape| tensor(data, shape, &Device::flex()).cast(burn::tensor::DType::F16);
    let matrix = Matrix::from_tensor(half(weights, [3, 4]));
    let out = values(matrix.linear(half(vec![0.5, 1.0, -2.0, 0.0], [1, 4])));
    assert_eq!(out, [0.0, -2.0, -4.0]);
}

#[test]
fn no_tokens_give_no_rows() {
    for dtype in DType::ALL {
        let n = dtype.block_elements().max(32);
        let matrix = File::random(dtype, 3, n, 1).build(&Device::flex(), 1, &mut Random(1));
        let out = matrix.linear(tensor(Vec::new(), [0, n], &Device::flex()));
        assert_eq!(out.dims(), [0, 3]);
    }
}

#[test]
fn infinities_and_nans_in_the_weights_are_not_hidden() {
    for dtype in DType::ALL {
        let n = dtype.block_elements().max(32);
        let mut file = File::random(dtype, 5, n, 2);
        // The first number of row 1 and of row 3: a weight, or the scale of a block.
        let (infinity, nan): (&[u8], &[u8]) = match dtype {
            DType::F32 => (&[0, 0, 0x80, 0x7f], &[0, 0, 0xc0, 0x7f]),
            DType::BF16 => (&[0x80, 0x7f], &[0xc0, 0x7f]),
            _ => (&[0, 0x7c], &[0, 0x7e]),
        };
        let place = if dtype.is_quantised() { half_places(dtype)[0] } else { 0 };
        for (row, number) in [(1, infinity), (3, nan)] {
            let start = row * file.row_bytes() + place;
            file.bytes[start..start + number.len()].copy_from_slice(number);
        }
        let matrix = file.build(&Device::flex(), 1, &mut Random(1));
        for tokens in [1, 5] {
            let out = values(matrix.linear(tensor(vec![1.0; tokens * n], [tokens, n], &Device::flex())));
            for out in out.chunks_exact(5) {
                assert!(out[0].is_finite() && out[2].is_finite() && out[4].is_finite(), "{dtype} {out:?}");
                assert!(!out[1].is_finite() && out[3].is_nan(), "{dtype} {out:?}");
            }
        }
    }
}

#[test]
fn quantised_weights_stay_small() {
    let bytes = |dtype| File::random(dtype, 64, 256, 1).build(&Device::flex(), 1, &mut Random(1)).bytes();
    assert_eq!(bytes(DType::F32), 64 * 256 * 4);
    assert_eq!(bytes(DType::F16), 64 * 256 * 2);
    assert_eq!(bytes(DType::BF16), 64 * 256 * 2);
    assert_eq!(bytes(DType::Q8_0), 64 * 256 / 32 * 36);
    assert_eq!(bytes(DType::Q4_0), 64 * 256 / 32 * 20);
    // As in the file.
    assert_eq!(bytes(DType::Q4_K), 64 * 144);
    assert_eq!(bytes(DType::Q2_K), 64 * 84);
}

#[test]
fn only_dense_weights_are_given_out_as_tensors() {
    for dtype in DType::ALL {
        let n = dtype.block_elements().max(32);
        let matrix = File::random(dtype, 4, n, 1).build(&Device::flex(), 1, &mut Random(1));
        assert_eq!(matrix.tensor().is_some(), dtype == DType::F32);
    }
}

#[test]
fn rows_written_again_are_replaced() {
    let (first, second) = (File::random(DType::Q8_0, 8, 64, 1), File::random(DType::Q8_0, 8, 64, 2));
    let mut builder = MatrixBuilder::new(&Device::flex(), DType::Q8_0, 8, 64).unwrap();
    builder.write_rows(0, &first.bytes).unwrap();
    builder.write_rows(4, &second.bytes[4 * second.row_bytes()..]).unwrap();
    let expected = [&first.weights[..4 * 64], &second.weights[4 * 64..]].concat();
    assert_eq!(values(builder.finish().unwrap().dequantise()), expected);
}

#[test]
fn missing_rows_are_counted() {
    let file = File::random(DType::Q4_0, 100, 32, 1);
    let mut builder = MatrixBuilder::new(&Device::flex(), DType::Q4_0, 100, 32).unwrap();
    let row = file.row_bytes();
    builder.write_rows(0, &file.bytes[..70 * row]).unwrap();
    builder.write_rows(90, &file.bytes[90 * row..]).unwrap();
    let error = builder.finish().unwrap_err();
    assert_eq!(error, KernelError::RowsMissing { out_features: 100, missing: 20, first_missing: 70 });
    assert_eq!(error.code(), "kernel.rows_missing");
}

#[test]
fn chunks_that_do_not_fit_are_refused() {
    let new = || MatrixBuilder::new(&Device::flex(), DType::Q8_0, 4, 64).unwrap();
    let row = 68;
    assert_eq!(
        new().write_rows(0, &vec![0; row + 1]),
        Err(KernelError::ChunkLength { bytes: row + 1, row_bytes: row })
    );
    for (first_row, rows) in [(4, 1), (0, 5), (3, 2), (usize::MAX, 1), (usize::MAX - 1, 4)] {
        let error = new().write_rows(first_row, &vec![0; rows * row]).unwrap_err();
        assert_eq!(error.code(), "kernel.row_range", "{first_row} {rows}");
    }
    new().write_rows(4, &[]).unwrap();
}

#[test]
fn impossible_shapes_are_refused() {
    let code = |dtype, rows, columns| {
        let error = MatrixBuilder::new(&Device::flex(), dtype, rows, columns).err();
        let error = error.unwrap_or_else(|| panic!("{dtype} {rows} x {columns} was taken"));
        assert!(!error.to_string().is_empty() && !error.hint().is_empty());
        error.code()
    };
    for dtype in DType::ALL {
        assert_eq!(code(dtype, 0, 256), "kernel.shape");
        assert_eq!(code(dtype, 32, 0), "kernel.shape");
        assert_eq!(code(dtype, usize::MAX, 256), "kernel.shape");
        assert_eq!(code(dtype, 1, usize::MAX - 255), "kernel.shape");
        assert_eq!(code(dtype, 1 << 31, 256), "kernel.shape");
        // 2^64 bytes of F32 cannot be addressed; the other types come to less.
        let most = if dtype == DType::F32 { "kernel.too_large" } else { "kernel.out_of_memory" };
        assert_eq!(code(dtype, i32::MAX as usize, i32::MAX as usize - 255), most);
        // Addressable, but more than any machine has.
        assert_eq!(code(dtype, 1 << 28, 1 << 28), "kernel.out_of_memory");
    }
    assert_eq!(code(DType::Q8_0, 4, 33), "kernel.shape");
    assert_eq!(code(DType::Q4_0, 4, 16), "kernel.shape");
    assert_eq!(code(DType::Q6_K, 4, 128), "kernel.shape");
}

#[test]
#[should_panic(expected = "row 4 of a matrix of 4 rows")]
fn rows_past_the_end_are_a_fault_of_the_caller() {
    File::random(DType::F16, 4, 8, 1).build(&Device::flex(), 1, &mut Random(1)).gather(&[4]);
}

#[test]
fn clones_share_the_weights() {
    let matrix = File::random(DType::Q4_0, 4, 32, 1).build(&Device::flex(), 1, &mut Random(1));
    let clone: Matrix = matrix.clone();
    assert_eq!(values(clone.dequantise()), values(matrix.dequantise()));
    assert_eq!(device::kind(&Device::flex()), device::Kind::Cpu);
}

/// Activations rounded to steps of one in `steps` of the largest of each 32.
fn rounded(x: &[f32], steps: f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for block in x.chunks_exact(32) {
        let scale = block.iter().fold(0.0f32, |most, x| most.max(x.abs())) / steps;
        out.extend(block.iter().map(|x| if scale > 0.0 { (x / scale).round() * scale } else { 0.0 }));
    }
    out
}

#[test]
fn products_of_integers_are_those_of_rounded_activations() {
    let device = Device::flex();
    let mut random = Random(11);
    let mut in_8_bits = 0;
    for dtype in DType::ALL {
        for (rows, columns) in shapes(dtype) {
            let file = File::random(dtype, rows, columns, 4);
            let exact = file.build(&device, 1, &mut random);
            let fast = exact.with_precision(Precision::Int16);
            let fastest = exact.with_precision(Precision::Int8);
            let expected = if dtype.is_quantised() { Precision::Int16 } else { Precision::F32 };
            assert_eq!((exact.precision(), fast.precision()), (Precision::F32, expected));
            let widens = rows >= 2 * columns;
            assert!(fastest.precision() == expected || widens && fastest.precision() == Precision::Int8);
            in_8_bits += usize::from(fastest.precision() == Precision::Int8);
            for tokens in TOKENS {
                let x: Vec<f32> = (0..tokens * columns).map(|_| random.unit()).collect();
                for matrix in [&fast, &fastest] {
                    let out = values(matrix.linear(tensor(x.clone(), [tokens, columns], &device)));
                    match matrix.precision() {
                        Precision::F32 => assert_product(&file, &x, &out),
                        Precision::Int16 => assert_near(&file, &x, 32767.0, &out),
                        Precision::Int8 => assert_near(&file, &x, 127.0, &out),
                    }
                }
            }
        }
    }
    let has_bytes = cfg!(target_arch = "x86_64") && std::is_x86_feature_detected!("avxvnni");
    assert!(in_8_bits >= 8 || !has_bytes, "only {in_8_bits} products in 8 bits");
}

/// As [`assert_product`] for rounded activations, but for one step of four of them: two ways to round take
/// a number halfway between two steps differently.
fn assert_near(file: &File, x: &[f32], steps: f32, got: &[f32]) {
    let (rows, columns) = (file.out_features, file.in_features);
    let x = &rounded(x, steps);
    for (t, x) in x.chunks_exact(columns).enumerate() {
        for (r, weights) in file.weights.chunks_exact(columns).enumerate() {
            let sum: f64 = x.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            let largest = weights.iter().fold(0.0f32, |most, w| most.max(w.abs()));
            let magnitude: f64 = x.iter().zip(weights).map(|(x, w)| f64::from((x * w).abs())).sum();
            let error = (f64::from(got[t * rows + r]) - sum).abs();
            assert!(
                error <= 2e-6 * magnitude + 4.0 * f64::from(largest / steps) + 1e-12,
                "{} {rows} x {columns}: [{t}, {r}] is {}, not {sum}",
                file.dtype,
                got[t * rows + r],
            );
        }
    }
}

#[test]
fn activations_that_are_no_numbers_are_not_hidden_by_rounding() {
    let device = Device::flex();
    for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_quantised()) {
        let columns = dtype.block_elements().max(64);
        let matrix = File::random(dtype, 5, columns, 1).build(&device, 1, &mut Random(1));
        let matrix = matrix.with_precision(Precision::Int16);
        for (tokens, bad) in [(1, f32::NAN), (6, f32::INFINITY)] {
            let mut x = vec![0.5; tokens * columns];
            x[(tokens - 1) * columns + 3] = bad;
            let out = values(matrix.linear(tensor(x, [tokens, columns], &device)));
            let (finite, last) = out.split_at((tokens - 1) * 5);
            assert!(finite.iter().all(|x| x.is_finite()) && last.iter().all(|x| !x.is_finite()), "{dtype}");
        }
    }
}
