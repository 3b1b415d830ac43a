//! `x @ W^T` on the CPU, one thread.
//!
//! Few tokens (decode) read each weight once and widen it in registers: the speed is that of
//! memory. Many tokens (prefill) widen a group of rows once into a scratch that stays in the
//! first-level cache and reuse it for every token, by a register tile of `f32` products.

use super::rows::{F32, Format, Row, Rows};
use crate::simd::{BLOCK, Kernel, Simd};

/// Rows of a register tile; `ROWS * TOKENS` sums and one operand fill 16 vector registers.
const ROWS: usize = 4;
/// Tokens of a register tile.
const TOKENS: usize = 3;
/// Blocks of a panel: `ROWS` of weights (16 KiB) stay in the first-level cache.
const PANEL: usize = 32;
/// Tokens against which a panel of weights is used before the next is widened: 192 KiB of
/// activations stay in the second-level cache.
const TOKEN_GROUP: usize = 48;

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
    fn run<S: Simd>(mut self, simd: S) {
        match self.x.len() / self.in_features {
            0 => {}
            1 => self.few::<S, 1>(simd),
            2 => self.few::<S, 2>(simd),
            3 => self.few::<S, 3>(simd),
            _ => self.many(simd),
        }
    }
}

impl<F: Format> Product<'_, F> {
    /// Every row against `T` tokens, straight from the stored form.
    #[inline(always)]
    fn few<S: Simd, const T: usize>(&mut self, simd: S) {
        let x: [Row<F32>; T] = core::array::from_fn(|t| token(self.x, self.in_features, t));
        let count = self.weights.count();
        let mut first = 0;
        while first + ROWS <= count {
            let rows: [Row<F>; ROWS] = core::array::from_fn(|r| self.weights.row(first + r));
            let sums = direct::<S, F, ROWS, T>(simd, rows, x);
            for (t, sums) in sums.iter().enumerate() {
                self.out[t * count + first..][..ROWS].copy_from_slice(sums);
            }
            first += ROWS;
        }
        for row in first..count {
            let sums = direct::<S, F, 1, T>(simd, [self.weights.row(row)], x);
            for (t, [sum]) in sums.iter().enumerate() {
                self.out[t * count + row] = *sum;
            }
        }
    }

    /// Every row against many tokens, by panels.
    #[inline(always)]
    fn many<S: Simd>(&mut self, simd: S) {
        let blocks = self.weights.blocks();
        let count = self.weights.count();
        let tokens = self.x.len() / self.in_features;
        let mut scratch = [[[0.0; BLOCK]; PANEL]; ROWS];
        self.rests();
        for group in (0..tokens).step_by(TOKEN_GROUP) {
            let group = group..(group + TOKEN_GROUP).min(tokens);
            for panel in (0..blocks).step_by(PANEL) {
                let panel = panel..(panel + PANEL).min(blocks);
                for first in (0..count).step_by(ROWS) {
                    let height = ROWS.min(count - first);
                    // Rows past the end repeat the last: their sums are not stored.
                    for (r, scratch) in scratch.iter_mut().enumerate() {
                        let row = self.weights.row(first + r.min(height - 1));
                        for (b, out) in panel.clone().zip(scratch) {
                            simd.store(F::load(simd, &row.blocks[b]), row.scale(b), out);
                        }
                    }
                    let weights = scratch.each_ref().map(|row| &row[..panel.len()]);
                    self.tile(simd, weights, first, height, panel.start, group.clone());
                }
            }
        }
    }

    /// Adds a group of widened rows times a group of tokens to the result.
    #[inline(always)]
    fn tile<S: Simd>(
        &mut self,
        simd: S,
        weights: [&[[f32; BLOCK]]; ROWS],
        first: usize,
        height: usize,
        panel: usize,
        tokens: core::ops::Range<usize>,
    ) {
        let count = self.weights.count();
        let last = tokens.end - 1;
        for start in tokens.step_by(TOKENS) {
            // Tokens past the end repeat the last, too.
            let x: [&[[f32; BLOCK]]; TOKENS] = core::array::from_fn(|t| {
                let row = token(self.x, self.in_features, (start + t).min(last));
                &row.blocks[panel..panel + weights[0].len()]
            });
            let sums = outer(simd, weights, x);
            for (t, sums) in sums.iter().enumerate().take(last + 1 - start) {
                let out = &mut self.out[(start + t) * count + first..][..height];
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out += sum;
                }
            }
        }
    }

    /// Sets the result to the products of what is left of the rows after whole blocks.
    fn rests(&mut self) {
        let count = self.weights.count();
        for (t, out) in self.out.chunks_exact_mut(count).enumerate() {
            let x = token(self.x, self.in_features, t);
            for (r, out) in out.iter_mut().enumerate() {
                *out = rest(self.weights.row(r), x);
            }
        }
    }
}

/// A token's activations as a row.
#[inline(always)]
fn token(x: &[f32], in_features: usize, index: usize) -> Row<'_, F32> {
    let (blocks, rest) = x[index * in_features..][..in_features].as_chunks();
    Row {
        blocks,
        scales: &[],
        rest,
    }
}

/// Products of `R` stored rows and `T` tokens; each weight is widened once.
#[inline(always)]
fn direct<S: Simd, F: Format, const R: usize, const T: usize>(
    simd: S,
    rows: [Row<F>; R],
    x: [Row<F32>; T],
) -> [[f32; R]; T] {
    let blocks = x[0].blocks.len();
    let weights = rows.map(|row| &row.blocks[..blocks]);
    let tokens = x.map(|x| &x.blocks[..blocks]);
    let mut sums = [[simd.zero(); R]; T];
    for b in 0..blocks {
        for r in 0..R {
            let block = F::load(simd, &weights[r][b]);
            for t in 0..T {
                sums[t][r] = if F::SCALED {
                    let product = simd.dot(block, &tokens[t][b], simd.zero());
                    simd.scale_add(product, rows[r].scale(b), sums[t][r])
                } else {
                    simd.dot(block, &tokens[t][b], sums[t][r])
                };
            }
        }
    }
    core::array::from_fn(|t| {
        core::array::from_fn(|r| simd.sum(sums[t][r]) + rest(rows[r], x[t]))
    })
}

/// Products of `R` rows and `T` tokens, both `f32`, as a register tile.
#[inline(always)]
fn outer<S: Simd, const R: usize, const T: usize>(
    simd: S,
    weights: [&[[f32; BLOCK]]; R],
    x: [&[[f32; BLOCK]]; T],
) -> [[f32; R]; T] {
    let blocks = weights[0].len();
    let weights = weights.map(|row| &row[..blocks]);
    let x = x.map(|x| &x[..blocks]);
    let mut sums = [[simd.zero(); R]; T];
    for b in 0..blocks {
        for i in 0..S::REGISTERS {
            let x: [S::Lanes; T] = core::array::from_fn(|t| simd.lanes(&x[t][b], i));
            for r in 0..R {
                let weight = simd.lanes(&weights[r][b], i);
                for t in 0..T {
                    sums[t][r] = simd.mul_add(weight, x[t], sums[t][r]);
                }
            }
        }
    }
    sums.map(|sums| sums.map(|sum| simd.sum(sum)))
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
    fn run<S: Simd>(self, simd: S) {
        for (row, out) in self.rows.iter().zip(self.out.chunks_exact_mut(self.in_features)) {
            self.weights.row(*row as usize).dequantise(simd, out);
        }
    }
}
