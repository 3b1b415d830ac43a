//! Products of quantised weights with activations that are rounded to integers, a scale for each
//! block of 32: integer arithmetic is several times as fast as widening every weight to `f32`.
//!
//! A weight is `scale * q - minimum` with one scale (and minimum) for each group of 16 or 32, so
//! a block's part of a product is `scale * scale_x * sum(q * q_x) - minimum * scale_x * sum(q_x)`.
//! The sums are exact: all that is lost is the rounding of the activations. Rounded to 16 bits
//! ([`Wide`]) they are 256 times as fine as the bytes that llama.cpp rounds to, and as fast as bytes
//! on most machines; rounded to bytes ([`Narrow`]) twice as fast where four products are one
//! instruction.

mod activations;
mod arithmetic;
mod panel;

pub(super) use self::activations::Activations;
use self::activations::Digit;
use self::activations::Token;
use self::arithmetic::{Arithmetic, IntFormat, Narrow, Wide};
use self::panel::Panel;
use crate::simd::{BLOCK, ByteKernel, Bytes, Integers, Kernel, dispatch, dispatch_bytes};

/// Tokens from which a panel of rows is dealt to lanes once and used for all of them.
const PANEL_TOKENS: usize = 5;
/// Registers of rows in a panel.
const HEIGHT: usize = 2;
/// Tokens whose sums stay in registers: with [`HEIGHT`] registers of rows half of the sixteen that
/// AVX2 and `simd128` on x86 have.
const WIDTH: usize = 4;

/// Integer weights; `GROUPS` scales, and minima where there are any, for each block.
#[derive(Clone, Copy)]
pub(crate) struct IntRows<'a, F: IntFormat, const GROUPS: usize> {
    /// `[rows, blocks]`
    pub quants: &'a [F::Packed],
    /// `[rows, blocks, GROUPS]`
    pub scales: &'a [f32],
    /// `[rows, blocks, GROUPS]`, or empty.
    pub minima: &'a [f32],
}

impl<'a, F: IntFormat, const GROUPS: usize> IntRows<'a, F, GROUPS> {
    /// One row of `blocks` blocks.
    #[inline(always)]
    fn row(&self, index: usize, blocks: usize) -> Self {
        let start = index * blocks;
        let groups = |all: &'a [f32]| &all[start * GROUPS..][..blocks * GROUPS];
        Self {
            quants: &self.quants[start..][..blocks],
            scales: groups(self.scales),
            minima: if self.minima.is_empty() { &[] } else { groups(self.minima) },
        }
    }

    /// The groups' part of a product that their minima take away.
    #[inline(always)]
    fn offset<X>(&self, x: Token<X>) -> f32 {
        let mut offset = 0.0;
        for ((minima, sums), scale) in self.minima.as_chunks::<GROUPS>().0.iter().zip(x.sums).zip(x.scales) {
            let of_x = match minima.as_slice() {
                [low, high] => low * sums[0] as f32 + high * sums[1] as f32,
                all => all.iter().sum::<f32>() * (sums[0] + sums[1]) as f32,
            };
            offset += of_x * scale;
        }
        offset
    }
}

/// `out[t * stride + r] = sum over i of x[t, i] * weights[r, i]`.
pub(crate) struct IntProduct<'a, X, F: IntFormat, const GROUPS: usize> {
    /// Weights.
    pub weights: IntRows<'a, F, GROUPS>,
    /// Activations.
    pub x: &'a Activations<X>,
    /// Result, a token's rows one after the other, tokens `stride` apart.
    pub out: &'a mut [f32],
    /// At least the number of rows.
    pub stride: usize,
}

/// Integers whose products with blocks of as many groups there are.
pub(super) trait Products<const GROUPS: usize>: Digit {
    /// Multiplies under the best instruction set there is.
    fn dispatch<F: IntFormat>(product: IntProduct<Self, F, GROUPS>);
}

impl<const GROUPS: usize> Products<GROUPS> for i16 {
    fn dispatch<F: IntFormat>(product: IntProduct<Self, F, GROUPS>) {
        dispatch(product);
    }
}

impl Products<1> for i8 {
    fn dispatch<F: IntFormat>(product: IntProduct<Self, F, 1>) {
        dispatch_bytes(product);
    }
}

impl<F: IntFormat, const GROUPS: usize> Kernel for IntProduct<'_, i16, F, GROUPS> {
    #[inline(always)]
    fn run<S: Integers>(self, simd: S) {
        self.all::<S, Wide>(simd);
    }
}

impl<F: IntFormat> ByteKernel for IntProduct<'_, i8, F, 1> {
    #[inline(always)]
    fn run<S: Bytes>(self, simd: S) {
        self.all::<S, Narrow>(simd);
    }
}

impl<X: Digit, F: IntFormat, const GROUPS: usize> IntProduct<'_, X, F, GROUPS> {
    /// Number of rows.
    fn rows(&self) -> usize {
        self.weights.quants.len() / self.x.blocks
    }

    #[inline(always)]
    fn all<S: Integers, A: Arithmetic<S, X = X>>(mut self, simd: S) {
        let tokens = self.x.tokens();
        if tokens >= PANEL_TOKENS {
            return self.many::<S, A>(simd, tokens);
        }
        let mut first = 0;
        while first < tokens {
            if tokens - first == 1 {
                self.few::<S, A, 1>(simd, first);
                first += 1;
            } else {
                self.few::<S, A, 2>(simd, first);
                first += 2;
            }
        }
    }

    /// Every row against `T` tokens, straight from the stored form: weights stream by once.
    #[inline(always)]
    fn few<S: Integers, A: Arithmetic<S, X = X>, const T: usize>(&mut self, simd: S, first: usize) {
        let mut x = [self.x.token(first); T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = self.x.token(first + t);
        }
        for r in 0..self.rows() {
            let row = self.weights.row(r, self.x.blocks);
            let sums = direct::<S, A, F, GROUPS, T>(simd, row, x);
            for (t, sum) in sums.into_iter().enumerate() {
                self.out[(first + t) * self.stride + r] = sum;
            }
        }
    }

    /// Every row against many tokens: a panel of rows is dealt to lanes, so that a scale is applied
    /// to as many rows at once, and stays in the cache for all tokens.
    #[inline(always)]
    fn many<S: Integers, A: Arithmetic<S, X = X>>(&mut self, simd: S, tokens: usize) {
        let (rows, height) = (self.rows(), HEIGHT * S::LANES);
        let mut panel = Panel::<S, GROUPS>::new::<A>(simd, self.x.blocks);
        for first in (0..rows).step_by(height) {
            let count = height.min(rows - first);
            panel.fill::<A, F>(simd, self.weights, first, count);
            for token in (0..tokens).step_by(WIDTH) {
                // Tokens past the end repeat the last: their sums are not stored.
                let mut x = [self.x.token(token); WIDTH];
                for (t, x) in x.iter_mut().enumerate() {
                    *x = self.x.token((token + t).min(tokens - 1));
                }
                let sums = panel.multiply::<A, F>(simd, x);
                for (t, sums) in sums.into_iter().enumerate().take(tokens - token) {
                    let out = &mut self.out[(token + t) * self.stride + first..][..count];
                    for (sums, out) in sums.into_iter().zip(out.chunks_mut(S::LANES)) {
                        store(simd, sums, out);
                    }
                }
            }
        }
    }
}

/// Writes the lanes that there is room for.
#[inline(always)]
fn store<S: Integers>(simd: S, lanes: S::Lanes, out: &mut [f32]) {
    if out.len() == S::LANES {
        simd.store_lanes(lanes, out);
    } else {
        let mut all = [0.0; BLOCK];
        simd.store_lanes(lanes, &mut all);
        out.copy_from_slice(&all[..out.len()]);
    }
}

/// Products of a stored row and `T` tokens; each weight is widened once.
#[inline(always)]
fn direct<S: Integers, A: Arithmetic<S>, F: IntFormat, const GROUPS: usize, const T: usize>(
    simd: S,
    row: IntRows<F, GROUPS>,
    mut x: [Token<A::X>; T],
) -> [f32; T] {
    let blocks = row.quants.len();
    for x in &mut x {
        *x = x.first(blocks);
    }
    let scales = &row.scales.as_chunks::<GROUPS>().0[..blocks];
    let mut sums = [simd.zero(); T];
    for (b, packed) in row.quants.iter().enumerate() {
        let w = A::load::<F>(simd, packed);
        for (x, sum) in x.iter().zip(&mut sums) {
            // No closure: where it is not inlined it does not have the instruction set.
            if GROUPS == 1 {
                let start = A::start::<F>(simd, x.sums[b][0] + x.sums[b][1]);
                let counts = A::dot(simd, w, &x.quants[b], start);
                *sum = simd.scale_counts(counts, simd.splat(scales[b][0] * x.scales[b]), *sum);
            } else {
                for (half, scale) in scales[b].iter().enumerate() {
                    let counts = A::dot_half(simd, w, &x.quants[b], half);
                    *sum = simd.scale_counts(counts, simd.splat(scale * x.scales[b]), *sum);
                }
            }
        }
    }
    let mut out = [0.0; T];
    for ((out, sum), x) in out.iter_mut().zip(sums).zip(x) {
        *out = simd.sum(sum) - row.offset(x);
    }
    out
}

#[cfg(test)]
mod tests;
