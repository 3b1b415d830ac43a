//! How rows of weights lie in memory, and how one block of them is read.

use crate::simd::{BLOCK, Simd, bf16_to_f32, f16_to_f32};

/// A storage form of weights. Rows are contiguous, one after the other.
pub(crate) trait Format: Copy {
    /// What the storage is a slice of.
    type Element: Copy;
    /// The elements of one block of 32 weights.
    type Packed: Copy;
    /// Whether each block has a scale beside it.
    const SCALED: bool;

    /// Whole blocks and what is left of a row. Quantised rows leave nothing.
    fn split(row: &[Self::Element]) -> (&[Self::Packed], &[Self::Element]);
    /// A block, without its scale.
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block;
    /// The storage itself, where it is plain `f32`.
    fn as_f32(_: &[Self::Element]) -> Option<&[f32]> {
        None
    }
    /// A weight of the part of a row that is not a whole block.
    fn element(element: Self::Element) -> f32;
}

/// IEEE single precision.
#[derive(Clone, Copy)]
pub(crate) struct F32;
/// IEEE half precision, as bits.
#[derive(Clone, Copy)]
pub(crate) struct F16;
/// The upper half of single precision, as bits.
#[derive(Clone, Copy)]
pub(crate) struct Bf16;
/// Signed bytes with a scale for each block: Q8_0.
#[derive(Clone, Copy)]
pub(crate) struct I8;
/// Nibbles that stand for themselves less 8, with a scale for each block: Q4_0.
#[derive(Clone, Copy)]
pub(crate) struct Nibbles;

impl Format for F32 {
    type Element = f32;
    type Packed = [f32; BLOCK];
    const SCALED: bool = false;

    #[inline(always)]
    fn split(row: &[f32]) -> (&[Self::Packed], &[f32]) {
        row.as_chunks()
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block {
        simd.load_f32(packed)
    }

    fn as_f32(data: &[f32]) -> Option<&[f32]> {
        Some(data)
    }

    #[inline(always)]
    fn element(element: f32) -> f32 {
        element
    }
}

impl Format for F16 {
    type Element = u16;
    type Packed = [u16; BLOCK];
    const SCALED: bool = false;

    #[inline(always)]
    fn split(row: &[u16]) -> (&[Self::Packed], &[u16]) {
        row.as_chunks()
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block {
        simd.load_f16(packed)
    }

    #[inline(always)]
    fn element(element: u16) -> f32 {
        f16_to_f32(element)
    }
}

impl Format for Bf16 {
    type Element = u16;
    type Packed = [u16; BLOCK];
    const SCALED: bool = false;

    #[inline(always)]
    fn split(row: &[u16]) -> (&[Self::Packed], &[u16]) {
        row.as_chunks()
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block {
        simd.load_bf16(packed)
    }

    #[inline(always)]
    fn element(element: u16) -> f32 {
        bf16_to_f32(element)
    }
}

impl Format for I8 {
    type Element = [u8; BLOCK];
    type Packed = [u8; BLOCK];
    const SCALED: bool = true;

    #[inline(always)]
    fn split(row: &[Self::Element]) -> (&[Self::Packed], &[Self::Element]) {
        (row, &[])
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block {
        simd.load_i8(packed)
    }

    fn element(_: Self::Element) -> f32 {
        unreachable!("rows of whole blocks have no rest")
    }
}

impl Format for Nibbles {
    type Element = [u8; BLOCK / 2];
    type Packed = [u8; BLOCK / 2];
    const SCALED: bool = true;

    #[inline(always)]
    fn split(row: &[Self::Element]) -> (&[Self::Packed], &[Self::Element]) {
        (row, &[])
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, packed: &Self::Packed) -> S::Block {
        simd.load_nibbles(packed)
    }

    fn element(_: Self::Element) -> f32 {
        unreachable!("rows of whole blocks have no rest")
    }
}

/// A matrix as the kernels see it: rows of `stride` elements, and a scale for each block of a
/// scaled format.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, F: Format> {
    data: &'a [F::Element],
    scales: &'a [f32],
    stride: usize,
    blocks: usize,
    count: usize,
}

/// One row, split into blocks.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a, F: Format> {
    /// Whole blocks.
    pub blocks: &'a [F::Packed],
    /// A scale for each of them where the format has scales, else empty.
    pub scales: &'a [f32],
    /// Fewer than 32 weights that are left.
    pub rest: &'a [F::Element],
}

impl<'a, F: Format> Rows<'a, F> {
    /// `count` rows of `in_features` weights.
    pub(crate) fn new(data: &'a [F::Element], scales: &'a [f32], count: usize, in_features: usize) -> Self {
        let blocks = in_features / BLOCK;
        let stride = if F::SCALED { blocks } else { in_features };
        assert_eq!(data.len(), count * stride, "storage does not fit the shape");
        assert!(!F::SCALED || scales.len() == count * blocks);
        Self { data, scales, stride, blocks, count }
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// All weights, where they are stored as plain `f32`.
    pub(crate) fn as_f32(&self) -> Option<&'a [f32]> {
        F::as_f32(self.data)
    }

    /// One row.
    #[inline(always)]
    pub(crate) fn row(&self, index: usize) -> Row<'a, F> {
        let (blocks, rest) = F::split(&self.data[index * self.stride..][..self.stride]);
        let scales: &[f32] = if F::SCALED { &self.scales[index * self.blocks..][..self.blocks] } else { &[] };
        Row { blocks, scales, rest }
    }
}

impl<F: Format> Row<'_, F> {
    /// The scale of a block, 1 where the format has none.
    #[inline(always)]
    pub(crate) fn scale(&self, block: usize) -> f32 {
        if F::SCALED { self.scales[block] } else { 1.0 }
    }

    /// Writes the row as `f32`.
    #[inline(always)]
    pub(crate) fn dequantise<S: Simd>(&self, simd: S, out: &mut [f32]) {
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        for (b, (packed, out)) in self.blocks.iter().zip(blocks).enumerate() {
            simd.store(F::load(simd, packed), self.scale(b), out);
        }
        for (element, out) in self.rest.iter().zip(rest) {
            *out = F::element(*element);
        }
    }
}
