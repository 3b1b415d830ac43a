//! Products with rounded activations, whatever the weights are stored as.

use super::View;
use super::integers::{Activations, IntProduct, IntRows, Products};
use super::rows::{I8, Nibbles};
use super::unpack::{self, Unpacked};
use crate::Precision;
use crate::simd::{BLOCK, has_bytes};
use glassbox_formats::DType;

/// Bytes of unpacked weights that a product takes at a time.
const UNPACKED_BYTES: usize = 64 * 1024;

/// How often as many features as go in must come out for activations to be rounded to bytes.
const WIDENING: usize = 2;

/// What a product with `weights` `[out_features, in_features]` rounds to where `asked` is asked for.
pub(crate) fn precision(
    weights: View,
    [out_features, in_features]: [usize; 2],
    asked: Precision,
) -> Precision {
    let widens = out_features >= WIDENING * in_features;
    match (asked, weights) {
        (_, View::F32(_) | View::F16 { .. } | View::Bf16(_)) => Precision::F32,
        (Precision::Int8, _) if !widens => Precision::Int16,
        (Precision::Int8, View::Blocks { dtype, .. }) if unpack::groups(dtype) != 1 => Precision::Int16,
        (Precision::Int8, _) if !has_bytes() => Precision::Int16,
        (asked, _) => asked,
    }
}

/// `x @ W^T` with activations rounded to integers, a scale for each block of 32, as fine as `rounded` says: what
/// [`precision`] gave for these weights, and not `f32`.
pub(crate) fn linear(
    weights: View,
    shape @ [out_features, in_features]: [usize; 2],
    x: &[f32],
    rounded: Precision,
) -> Vec<f32> {
    let mut out = vec![0.0; x.len() / in_features * out_features];
    match (rounded, weights) {
        // Said again, so that where there is no instruction for it the code is not there either.
        (Precision::Int8, _) if has_bytes() => one_group::<i8>(weights, shape, x, &mut out),
        (_, View::Blocks { dtype, bytes }) if unpack::groups(dtype) == 2 => {
            blocks::<i16, 2>(dtype, bytes, shape, x, &mut out);
        }
        _ => one_group::<i16>(weights, shape, x, &mut out),
    }
    out
}

/// Products of weights that have a scale for each block of 32.
fn one_group<X: Products<1>>(weights: View, shape: [usize; 2], x: &[f32], out: &mut [f32]) {
    let [stride, in_features] = shape;
    let x_rounded = || Activations::<X>::new(x, in_features);
    match weights {
        View::Q8 { quants, scales } => {
            let weights = IntRows::<I8, 1> { quants, scales, minima: &[] };
            X::dispatch(IntProduct { weights, x: &x_rounded(), out, stride });
        }
        View::Q4 { quants, scales } => {
            let weights = IntRows::<Nibbles, 1> { quants, scales, minima: &[] };
            X::dispatch(IntProduct { weights, x: &x_rounded(), out, stride });
        }
        View::Blocks { dtype, bytes } => blocks::<X, 1>(dtype, bytes, shape, x, out),
        View::F32(_) | View::F16 { .. } | View::Bf16(_) => unreachable!("these are not rounded"),
    }
}

/// A product with the blocks of any integer type: some rows at a time are unpacked to bytes that
/// stay in the cache.
fn blocks<X: Products<GROUPS>, const GROUPS: usize>(
    dtype: DType,
    bytes: &[u8],
    [out_features, in_features]: [usize; 2],
    x: &[f32],
    out: &mut [f32],
) {
    let x = Activations::<X>::new(x, in_features);
    let (blocks, row_bytes) = (in_features / BLOCK, bytes.len() / out_features);
    let height = (UNPACKED_BYTES / in_features).clamp(16, 256).min(out_features);
    let mut unpacked = Unpacked::new(dtype, height * blocks);
    for first in (0..out_features).step_by(height) {
        let count = height.min(out_features - first);
        unpacked.read(dtype, &bytes[first * row_bytes..][..count * row_bytes]);
        let groups = |all: &'_ [f32]| all.len().min(count * blocks * GROUPS);
        let weights = IntRows::<I8, GROUPS> {
            quants: &unpacked.quants[..count * blocks],
            scales: &unpacked.scales[..groups(&unpacked.scales)],
            minima: &unpacked.minima[..groups(&unpacked.minima)],
        };
        let out = out.get_mut(first..).unwrap_or_default();
        X::dispatch(IntProduct { weights, x: &x, out, stride: out_features });
    }
}
