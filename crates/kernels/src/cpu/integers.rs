//! Products of quantised weights with activations that are rounded to 16 bits, a scale for each
//! block of 32: integer arithmetic is several times as fast as widening every weight to `f32`.
//!
//! A weight is `scale * q - minimum` with one scale (and minimum) for each group of 16 or 32, so
//! a block's part of a product is `scale * scale_x * sum(q * q_x) - minimum * scale_x * sum(q_x)`.
//! The sums are exact, since 32 products of a byte and 16 bits fit in 32: all that is lost is the
//! rounding of the activations. The multiplication of 16 bits by 16 that every instruction set has
//! makes them 256 times as fine as the bytes that llama.cpp rounds to, at no cost.

mod panel;

use self::panel::Panel;
use super::rows::{I8, Nibbles};
use crate::simd::{BLOCK, Integers, Kernel};

/// Tokens from which a panel of rows is dealt to lanes once and used for all of them.
const PANEL_TOKENS: usize = 5;
/// Registers of rows in a panel.
const HEIGHT: usize = 2;
/// Tokens whose sums stay in registers: with [`HEIGHT`] registers of rows half of the sixteen that
/// AVX2 and `simd128` on x86 have.
const WIDTH: usize = 4;
/// The largest integer that activations are rounded to.
const LARGEST: f32 = 32767.0;

/// Activations `[tokens, blocks * 32]` as integers.
pub(crate) struct Activations {
    /// Signed integers.
    quants: Vec<[i16; BLOCK]>,
    /// A scale for each block.
    scales: Vec<f32>,
    /// The sum of each half of a block, times its scale.
    sums: Vec<[f32; 2]>,
    /// Blocks of a token.
    blocks: usize,
}

impl Activations {
    /// Rounds activations `[tokens, in_features]` to the nearest step of each block. A block that
    /// holds an infinity or a NaN makes every product with it NaN.
    ///
    /// # Panics
    /// Unless `in_features` is a multiple of 32.
    pub(crate) fn new(x: &[f32], in_features: usize) -> Self {
        let (blocks, rest) = x.as_chunks::<BLOCK>();
        assert!(rest.is_empty() && in_features.is_multiple_of(BLOCK), "rows are not whole blocks");
        let mut quants = Vec::with_capacity(blocks.len());
        let mut scales = Vec::with_capacity(blocks.len());
        let mut sums = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (q, scale) = round(block);
            let sum = |half: &[i16]| half.iter().map(|q| i32::from(*q)).sum::<i32>() as f32 * scale;
            sums.push([sum(&q[..16]), sum(&q[16..])]);
            quants.push(q);
            scales.push(scale);
        }
        Self { quants, scales, sums, blocks: in_features / BLOCK }
    }

    /// Number of tokens.
    fn tokens(&self) -> usize {
        self.quants.len() / self.blocks
    }

    /// One token's blocks with their scales and sums.
    #[inline(always)]
    fn token(&self, index: usize) -> Token<'_> {
        let range = index * self.blocks..(index + 1) * self.blocks;
        Token {
            quants: &self.quants[range.clone()],
            scales: &self.scales[range.clone()],
            sums: &self.sums[range],
        }
    }
}

/// A block rounded to 16 bits, and its scale.
#[inline(always)]
fn round(x: &[f32; BLOCK]) -> ([i16; BLOCK], f32) {
    // As bits, so that infinities and NaNs are the largest.
    let largest = x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff));
    if largest >= 0x7f80_0000 {
        return ([0; BLOCK], f32::NAN);
    }
    let scale = f32::from_bits(largest) / LARGEST;
    // Numbers so small that the quotient overflows count as zero.
    let steps = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits, without a conversion that has
    // to look at the number.
    const NEAREST: f32 = 12_582_912.0;
    (x.map(|x| (x * steps + NEAREST).to_bits() as i16), scale)
}

/// One token's activations.
#[derive(Clone, Copy)]
struct Token<'a> {
    quants: &'a [[i16; BLOCK]],
    scales: &'a [f32],
    sums: &'a [[f32; 2]],
}

/// A storage form of integer weights.
pub(crate) trait IntFormat: Copy {
    /// A block of 32.
    type Packed: Copy;
    /// The block's integers.
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints;
}

impl IntFormat for I8 {
    type Packed = [u8; BLOCK];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.ints(packed)
    }
}

impl IntFormat for Nibbles {
    type Packed = [u8; BLOCK / 2];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.int_nibbles(packed)
    }
}

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
    fn offset(&self, x: Token) -> f32 {
        let mut offset = 0.0;
        for (minima, sums) in self.minima.as_chunks::<GROUPS>().0.iter().zip(x.sums) {
            offset += match minima.as_slice() {
                [low, high] => low * sums[0] + high * sums[1],
                all => all.iter().sum::<f32>() * (sums[0] + sums[1]),
            };
        }
        offset
    }
}

/// `out[t * stride + r] = sum over i of x[t, i] * weights[r, i]`.
pub(crate) struct IntProduct<'a, F: IntFormat, const GROUPS: usize> {
    /// Weights.
    pub weights: IntRows<'a, F, GROUPS>,
    /// Activations.
    pub x: &'a Activations,
    /// Result, a token's rows one after the other, tokens `stride` apart.
    pub out: &'a mut [f32],
    /// At least the number of rows.
    pub stride: usize,
}

impl<F: IntFormat, const GROUPS: usize> Kernel for IntProduct<'_, F, GROUPS> {
    #[inline(always)]
    fn run<S: Integers>(mut self, simd: S) {
        let tokens = self.x.tokens();
        if tokens >= PANEL_TOKENS {
            return self.many(simd, tokens);
        }
        let mut first = 0;
        while first < tokens {
            if tokens - first == 1 {
                self.few::<S, 1>(simd, first);
                first += 1;
            } else {
                self.few::<S, 2>(simd, first);
                first += 2;
            }
        }
    }
}

impl<F: IntFormat, const GROUPS: usize> IntProduct<'_, F, GROUPS> {
    /// Number of rows.
    fn rows(&self) -> usize {
        self.weights.quants.len() / self.x.blocks
    }

    /// Every row against `T` tokens, straight from the stored form: weights stream by once.
    #[inline(always)]
    fn few<S: Integers, const T: usize>(&mut self, simd: S, first: usize) {
        let mut x = [self.x.token(first); T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = self.x.token(first + t);
        }
        for r in 0..self.rows() {
            let row = self.weights.row(r, self.x.blocks);
            let sums = direct::<S, F, GROUPS, T>(simd, row, x);
            for (t, sum) in sums.into_iter().enumerate() {
                self.out[(first + t) * self.stride + r] = sum;
            }
        }
    }

    /// Every row against many tokens: a panel of rows is dealt to lanes, so that a scale is applied
    /// to as many rows at once, and stays in the cache for all tokens.
    #[inline(always)]
    fn many<S: Integers>(&mut self, simd: S, tokens: usize) {
        let (rows, height) = (self.rows(), HEIGHT * S::LANES);
        let mut panel = Panel::<S, GROUPS>::new(simd, self.x.blocks);
        for first in (0..rows).step_by(height) {
            let count = height.min(rows - first);
            panel.fill(simd, self.weights, first, count);
            for token in (0..tokens).step_by(WIDTH) {
                // Tokens past the end repeat the last: their sums are not stored.
                let mut x = [self.x.token(token); WIDTH];
                for (t, x) in x.iter_mut().enumerate() {
                    *x = self.x.token((token + t).min(tokens - 1));
                }
                let sums = panel.multiply(simd, x);
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
fn direct<S: Integers, F: IntFormat, const GROUPS: usize, const T: usize>(
    simd: S,
    row: IntRows<F, GROUPS>,
    x: [Token; T],
) -> [f32; T] {
    let blocks = row.quants.len();
    let x = x.map(|x| Token {
        quants: &x.quants[..blocks],
        scales: &x.scales[..blocks],
        sums: &x.sums[..blocks],
    });
    let scales = &row.scales.as_chunks::<GROUPS>().0[..blocks];
    let mut sums = [simd.zero(); T];
    for (b, packed) in row.quants.iter().enumerate() {
        let w = F::ints(simd, packed);
        for (x, sum) in x.iter().zip(&mut sums) {
            // No closure: where it is not inlined it does not have the instruction set.
            let halves = [simd.dot_half(w, &x.quants[b], 0), simd.dot_half(w, &x.quants[b], 1)];
            if GROUPS == 1 {
                let counts = simd.add_counts(halves[0], halves[1]);
                *sum = simd.scale_counts(counts, simd.splat(scales[b][0] * x.scales[b]), *sum);
            } else {
                for (half, scale) in halves.into_iter().zip(scales[b]) {
                    *sum = simd.scale_counts(half, simd.splat(scale * x.scales[b]), *sum);
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
