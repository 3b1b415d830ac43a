//! How integer weights and activations meet: in 16 bits, which every instruction set multiplies, or in
//! bytes, where a product of four at once is one instruction.

use super::activations::Digit;
use crate::cpu::rows::{I8, Nibbles};
use crate::simd::{BLOCK, Bytes, Integers, PAIRS, QUADS};

/// A storage form of integer weights.
pub(crate) trait IntFormat: Copy {
    /// A block of 32.
    type Packed: Copy;
    /// The block's integers.
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints;
    /// The block's bytes, as much above the integers as [`Self::raised`] says.
    fn bytes<S: Bytes>(simd: S, packed: &Self::Packed) -> S::Bytes;
    /// What is added to each integer to make a byte of it.
    fn raised<S: Bytes>(simd: S) -> i32;
}

impl IntFormat for I8 {
    type Packed = [u8; BLOCK];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.ints(packed)
    }

    #[inline(always)]
    fn bytes<S: Bytes>(simd: S, packed: &Self::Packed) -> S::Bytes {
        simd.bytes(packed)
    }

    #[inline(always)]
    fn raised<S: Bytes>(simd: S) -> i32 {
        simd.raised()
    }
}

impl IntFormat for Nibbles {
    type Packed = [u8; BLOCK / 2];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.int_nibbles(packed)
    }

    #[inline(always)]
    fn bytes<S: Bytes>(simd: S, packed: &Self::Packed) -> S::Bytes {
        simd.byte_nibbles(packed)
    }

    #[inline(always)]
    fn raised<S: Bytes>(_: S) -> i32 {
        8
    }
}

/// Multiplies blocks of weights with blocks of activations.
pub(crate) trait Arithmetic<S: Integers>: Copy {
    /// What activations are rounded to.
    type X: Digit;
    /// A block of weights in registers.
    type Block: Copy;
    /// Words of 32 bits that a block takes.
    const WORDS: usize;
    /// As many activations as fill 32 bits.
    type Word: Copy;

    /// Loads a block.
    fn load<F: IntFormat>(simd: S, packed: &F::Packed) -> Self::Block;
    /// What a block's products with activations of the sum `sum` have to start with.
    fn start<F: IntFormat>(simd: S, sum: i32) -> i32;
    /// The products of a block, spread over the lanes.
    fn dot(simd: S, w: Self::Block, x: &[Self::X; BLOCK], start: i32) -> S::Counts;
    /// The products of one half of a block (elements `16 * half ..`), spread over the lanes.
    fn dot_half(simd: S, w: Self::Block, x: &[Self::X; BLOCK], half: usize) -> S::Counts;
    /// Deals the blocks of as many rows as there are lanes: register `i` gets word `i` of each.
    fn deal(simd: S, rows: &[Self::Block], out: &mut [S::Counts]);
    /// The words of a block of activations.
    fn words(x: &[Self::X; BLOCK]) -> &[Self::Word];
    /// One word of activations in all lanes.
    fn splat(simd: S, word: &Self::Word) -> S::Counts;
    /// Adds the products of a dealt register with one word of activations.
    fn add(simd: S, sum: S::Counts, w: S::Counts, x: S::Counts) -> S::Counts;
}

/// Pairs of 16 bits.
#[derive(Clone, Copy)]
pub(crate) struct Wide;

impl<S: Integers> Arithmetic<S> for Wide {
    type X = i16;
    type Block = S::Ints;
    const WORDS: usize = PAIRS;
    type Word = [i16; 2];

    #[inline(always)]
    fn load<F: IntFormat>(simd: S, packed: &F::Packed) -> S::Ints {
        F::ints(simd, packed)
    }

    #[inline(always)]
    fn start<F: IntFormat>(_: S, _: i32) -> i32 {
        0
    }

    #[inline(always)]
    fn dot(simd: S, w: S::Ints, x: &[i16; BLOCK], _: i32) -> S::Counts {
        simd.add_counts(simd.dot_half(w, x, 0), simd.dot_half(w, x, 1))
    }

    #[inline(always)]
    fn dot_half(simd: S, w: S::Ints, x: &[i16; BLOCK], half: usize) -> S::Counts {
        simd.dot_half(w, x, half)
    }

    #[inline(always)]
    fn deal(simd: S, rows: &[S::Ints], out: &mut [S::Counts]) {
        simd.interleave(rows, out.first_chunk_mut().expect("room for a block"));
    }

    #[inline(always)]
    fn words(x: &[i16; BLOCK]) -> &[Self::Word] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn splat(simd: S, word: &Self::Word) -> S::Counts {
        simd.splat_pair(word)
    }

    #[inline(always)]
    fn add(simd: S, sum: S::Counts, w: S::Counts, x: S::Counts) -> S::Counts {
        simd.add_pair(sum, w, x)
    }
}

/// Quads of bytes. Only blocks with one scale: the products of a block come in one sum.
#[derive(Clone, Copy)]
pub(crate) struct Narrow;

impl<S: Bytes> Arithmetic<S> for Narrow {
    type X = i8;
    type Block = S::Bytes;
    const WORDS: usize = QUADS;
    type Word = [i8; 4];

    #[inline(always)]
    fn load<F: IntFormat>(simd: S, packed: &F::Packed) -> S::Bytes {
        F::bytes(simd, packed)
    }

    #[inline(always)]
    fn start<F: IntFormat>(simd: S, sum: i32) -> i32 {
        -sum * F::raised(simd)
    }

    #[inline(always)]
    fn dot(simd: S, w: S::Bytes, x: &[i8; BLOCK], start: i32) -> S::Counts {
        simd.dot_bytes(w, x, start)
    }

    fn dot_half(_: S, _: S::Bytes, _: &[i8; BLOCK], _: usize) -> S::Counts {
        unreachable!("blocks of two groups are multiplied in 16 bits")
    }

    #[inline(always)]
    fn deal(simd: S, rows: &[S::Bytes], out: &mut [S::Counts]) {
        simd.deal_bytes(rows, out.first_chunk_mut().expect("room for a block"));
    }

    #[inline(always)]
    fn words(x: &[i8; BLOCK]) -> &[Self::Word] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn splat(simd: S, word: &Self::Word) -> S::Counts {
        simd.splat_quad(word)
    }

    #[inline(always)]
    fn add(simd: S, sum: S::Counts, w: S::Counts, x: S::Counts) -> S::Counts {
        simd.add_quad(sum, w, x)
    }
}
