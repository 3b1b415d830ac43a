//! `x @ W^T` on the CPU, one thread.
//!
//! Few tokens (decode) read each weight once and widen it in registers: the speed is that of
//! memory. Many tokens (prefill) widen a panel of rows once into a scratch that stays in the
//! cache and reuse it for every token in a blocked product.

use super::rows::{F32, Format, Row, Rows};
use crate::simd::{Integers, Kernel, Simd};

/// Tokens up to which weights are widened in registers, again for each group of tokens; a
/// blocked product pays its set-up beyond that (measured, see `examples/products.rs`).
const FEW_TOKENS: usize = 12;
/// Bytes of widened weights that a blocked product takes at a time: they stay in the
/// second-level cache.
pub(super) const PANEL_BYTES: usize = 256 * 1024;

/// `out[t, r] = sum over i of x[t, i] * weights[r, i]`.
pub(crate) struct Product<'a, F: Format> {
    /// Weights, `[rows, in_features]`.
    pub weights: Rows<'a, F>,
    /// Activations, `[tokens, in_features]`, contiguous.
    pub x: &'a [f32],
    /// Columns of the weights.
    pub in_features: usize,
    /// Result, `[tokens, rows]`, contiguous.
    pub out: &'a mut [f32],
}

impl<F: Format> Kernel for Product<'_, F> {
    #[inline(always)]
    fn run<S: Integers>(mut self, simd: S) {
        let tokens = self.x.len() / self.in_features;
        if tokens > FEW_TOKENS {
            return self.many(simd, tokens);
        }
        let mut first = 0;
        while first < tokens {
            // Groups of three; two twos instead of three and one.
            let group = match tokens - first {
                1 => 1,
                2 | 4 => 2,
                _ => 3,
            };
            match group {
                1 => self.few::<S, 1>(simd, first),
                2 => self.few::<S, 2>(simd, first),
                _ => self.few::<S, 3>(simd, first),
            }
            first += group;
        }
    }
}

impl<F: Format> Product<'_, F> {
    /// Every row against `T` tokens, straight from the stored form.
    ///
    /// One row after the other: several at a time save loads of activations, but as many streams
    /// from memory halve its speed.
    #[inline(always)]
    fn few<S: Simd, const T: usize>(&mut self, simd: S, first: usize) {
        let mut x = [token(self.x, self.in_features, first); T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = token(self.x, self.in_features, first + t);
        }
        let count = self.weights.count();
        let out = &mut self.out[first * count..][..T * count];
        for row in 0..count {
            let sums = direct::<S, F, T>(simd, self.weights.row(row), x);
            for (t, sum) in sums.into_iter().enumerate() {
                out[t * count + row] = sum;
            }
        }
    }

    /// Every row against many tokens: a panel of rows is widened once, then multiplied.
    #[inline(always)]
    fn many<S: Simd>(&mut self, simd: S, tokens: usize) {
        let count = self.weights.count();
        if let Some(weights) = self.weights.as_f32() {
            return multiply(self.x, weights, self.out, [tokens, count, self.in_features], count);
        }
        let height = (PANEL_BYTES / size_of::<f32>() / self.in_features).max(16).min(count);
        let mut panel = vec![0.0; height * self.in_features];
        for first in (0..count).step_by(height) {
            let rows = height.min(count - first);
            for (r, out) in panel.chunks_exact_mut(self.in_features).enumerate().take(rows) {
                self.weights.row(first + r).dequantise(simd, out);
            }
            let out = &mut self.out[first..];
            multiply(self.x, &panel, out, [tokens, rows, self.in_features], count);
        }
    }
}

/// `out = x @ weights^T` for plain `f32`, by the blocked product that burn's CPU backend uses.
///
/// `x` is `[tokens, columns]`, `weights` `[rows, columns]` and `out` `[tokens, rows]`, whose rows
/// lie `stride` apart.
fn multiply(x: &[f32], weights: &[f32], out: &mut [f32], [tokens, rows, columns]: [usize; 3], stride: usize) {
    assert!(x.len() >= tokens * columns && weights.len() >= rows * columns);
    assert!(tokens > 0 && rows <= stride && out.len() >= (tokens - 1) * stride + rows);
    // SAFETY: the assertions hold every index within its slice, and `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            tokens,
            rows,
            columns,
            out.as_mut_ptr(),
            1,
            stride as isize,
            false,
            x.as_ptr(),
            1,
            columns as isize,
            weights.as_ptr(),
            columns as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A token's activations as a row.
#[inline(always)]
fn token(x: &[f32], in_features: usize, index: usize) -> Row<'_, F32> {
    let (blocks, rest) = x[index * in_features..][..in_features].as_chunks();
    Row { blocks, scales: &[], rest }
}

/// Products of a stored row and `T` tokens; each weight is widened once.
// Loops, not closures: a closure that is not inlined would not have the instruction set.
#[inline(always)]
fn direct<S: Simd, F: Format, const T: usize>(simd: S, row: Row<F>, x: [Row<F32>; T]) -> [f32; T] {
    let mut out = [0.0; T];
    if T == 1 && !F::SCALED {
        // A single chain of additions would wait for itself.
        let mut sums = simd.start();
        for (packed, x) in row.blocks.iter().zip(x[0].blocks) {
            sums = simd.dot_wide(F::load(simd, packed), x, sums);
        }
        out[0] = simd.sum(simd.narrow(sums));
    } else {
        let blocks = row.blocks.len();
        let mut sums = [simd.zero(); T];
        for (b, packed) in row.blocks.iter().enumerate() {
            let block = F::load(simd, packed);
            for (x, sum) in x.iter().zip(&mut sums) {
                let x = &x.blocks[..blocks][b];
                *sum = if F::SCALED {
                    simd.scale_add(simd.dot(block, x, simd.zero()), row.scale(b), *sum)
                } else {
                    simd.dot(block, x, *sum)
                };
            }
        }
        for (sum, out) in sums.into_iter().zip(&mut out) {
            *out = simd.sum(sum);
        }
    }
    for (x, out) in x.into_iter().zip(&mut out) {
        *out += rest(row, x);
    }
    out
}

/// The product of what is left of two rows after whole blocks.
#[inline(always)]
fn rest<F: Format>(row: Row<F>, x: Row<F32>) -> f32 {
    let products = row.rest.iter().zip(x.rest);
    products.map(|(w, x)| F::element(*w) * x).sum()
}

/// Writes chosen rows as `f32`, one after the other.
pub(crate) struct Gather<'a, F: Format> {
    /// Weights, `[rows, in_features]`.
    pub weights: Rows<'a, F>,
    /// Which rows; each below the number of rows.
    pub rows: &'a [u32],
    /// Columns of the weights.
    pub in_features: usize,
    /// Result, `[rows.len(), in_features]`.
    pub out: &'a mut [f32],
}

impl<F: Format> Kernel for Gather<'_, F> {
    #[inline(always)]
    fn run<S: Integers>(self, simd: S) {
        for (row, out) in self.rows.iter().zip(self.out.chunks_exact_mut(self.in_features)) {
            self.weights.row(*row as usize).dequantise(simd, out);
        }
    }
}
