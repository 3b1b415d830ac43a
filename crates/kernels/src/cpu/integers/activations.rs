//! Activations rounded to integers, with a scale for each block of 32.

use crate::simd::{BLOCK, Integers, Kernel, dispatch};

/// An integer that activations are rounded to.
pub(crate) trait Digit: Copy + Default + Into<i32> {
    /// The largest magnitude that is used: as far below zero as above.
    const LARGEST: f32;
    /// Writes integers that fit.
    fn store<S: Integers>(simd: S, from: S::Ints, to: &mut [Self; BLOCK]);
}

impl Digit for i16 {
    const LARGEST: f32 = 32767.0;

    #[inline(always)]
    fn store<S: Integers>(simd: S, from: S::Ints, to: &mut [Self; BLOCK]) {
        simd.store_ints(from, to);
    }
}

impl Digit for i8 {
    const LARGEST: f32 = 127.0;

    #[inline(always)]
    fn store<S: Integers>(simd: S, from: S::Ints, to: &mut [Self; BLOCK]) {
        simd.store_bytes(from, to);
    }
}

/// Activations `[tokens, blocks * 32]` as integers.
pub(crate) struct Activations<X> {
    /// Signed integers.
    pub(super) quants: Vec<[X; BLOCK]>,
    /// A scale for each block.
    pub(super) scales: Vec<f32>,
    /// The sum of each half of a block.
    pub(super) sums: Vec<[i32; 2]>,
    /// Blocks of a token.
    pub(super) blocks: usize,
}

impl<X: Digit> Activations<X> {
    /// Rounds activations `[tokens, in_features]` to the nearest step of each block. A block that
    /// holds an infinity or a NaN makes every product with it NaN.
    ///
    /// # Panics
    /// Unless `in_features` is a multiple of 32.
    pub(crate) fn new(x: &[f32], in_features: usize) -> Self {
        let (blocks, rest) = x.as_chunks::<BLOCK>();
        assert!(rest.is_empty() && in_features.is_multiple_of(BLOCK), "rows are not whole blocks");
        let count = blocks.len();
        let mut rounded = Self {
            quants: vec![[X::default(); BLOCK]; count],
            scales: vec![0.0; count],
            sums: vec![[0; 2]; count],
            blocks: in_features / BLOCK,
        };
        dispatch(Round { x: blocks, rounded: &mut rounded });
        rounded
    }

    /// Number of tokens.
    pub(super) fn tokens(&self) -> usize {
        self.quants.len() / self.blocks
    }

    /// One token's blocks with their scales and sums.
    #[inline(always)]
    pub(super) fn token(&self, index: usize) -> Token<'_, X> {
        let range = index * self.blocks..(index + 1) * self.blocks;
        Token {
            quants: &self.quants[range.clone()],
            scales: &self.scales[range.clone()],
            sums: &self.sums[range],
        }
    }
}

/// Rounds blocks to the zeroed ones of `rounded`.
pub(super) struct Round<'a, X> {
    /// As they are.
    pub x: &'a [[f32; BLOCK]],
    /// As many.
    pub rounded: &'a mut Activations<X>,
}

impl<X: Digit> Kernel for Round<'_, X> {
    #[inline(always)]
    fn run<S: Integers>(self, simd: S) {
        let Activations { quants, scales, sums, .. } = self.rounded;
        for (((x, q), scale), sums) in self.x.iter().zip(quants).zip(scales).zip(sums) {
            let largest = simd.largest(x);
            if largest >= f32::INFINITY.to_bits() {
                *scale = f32::NAN;
                continue;
            }
            *scale = f32::from_bits(largest) / X::LARGEST;
            // Numbers so small that the quotient overflows count as zero.
            let steps = if *scale >= f32::MIN_POSITIVE { 1.0 / *scale } else { 0.0 };
            let integers = simd.round(x, steps);
            X::store(simd, integers, q);
            *sums = [simd.sum_half(integers, 0), simd.sum_half(integers, 1)];
        }
    }
}

/// One token's activations.
pub(super) struct Token<'a, X> {
    pub quants: &'a [[X; BLOCK]],
    pub scales: &'a [f32],
    pub sums: &'a [[i32; 2]],
}

impl<X> Clone for Token<'_, X> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<X> Copy for Token<'_, X> {}

impl<X> Token<'_, X> {
    /// The first blocks, whose number is then known to be the same everywhere.
    #[inline(always)]
    pub fn first(self, blocks: usize) -> Self {
        Self { quants: &self.quants[..blocks], scales: &self.scales[..blocks], sums: &self.sums[..blocks] }
    }
}
