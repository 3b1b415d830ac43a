//! The form weights have on a GPU, and the packing of file bytes into it.
//!
//! Rows are dealt in tiles of 64, and within a tile the words of all rows are interleaved:
//! `word[tile][i][row]`, `scale[tile][block][row]`. Neighbouring threads take neighbouring rows,
//! so their loads coalesce, and a chunk of whole tiles is one contiguous piece of the buffer.
//! A word holds consecutive weights, the first in its low bits. Rows are padded with zero
//! weights to whole blocks of 32, the matrix with zero rows to whole tiles.

use glassbox_formats::{DType, dequant};

use crate::plan::Plan;

/// Rows of a tile.
pub(crate) const TILE: usize = 64;
/// Weights of a block: what one scale is for, and the step of every kernel.
pub(crate) const BLOCK: usize = 32;

/// What a word holds.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One `f32`.
    F32,
    /// Two IEEE halves.
    F16,
    /// Two bfloat16.
    Bf16,
    /// Four signed bytes.
    I8,
    /// Eight nibbles, each less 8.
    Nibbles,
}

impl Packing {
    /// The packing of a file type, if there is one.
    pub(crate) fn of(dtype: DType) -> Option<Self> {
        Some(match dtype {
            DType::F32 => Self::F32,
            DType::F16 => Self::F16,
            DType::BF16 => Self::Bf16,
            DType::Q8_0 => Self::I8,
            DType::Q4_0 => Self::Nibbles,
            // Types without a packing of their own are widened as they are uploaded: exact.
            dtype if dtype.is_quantised() => Self::F32,
            _ => return None,
        })
    }

    /// Words in which a block of 32 weights lies.
    pub(crate) const fn words_per_block(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::I8 => 8,
            Self::Nibbles => 4,
        }
    }

    /// Whether each block has a scale.
    pub(crate) const fn scaled(self) -> bool {
        matches!(self, Self::I8 | Self::Nibbles)
    }
}

/// Packed tiles, ready to be uploaded.
pub(crate) struct Packed {
    pub words: Vec<u32>,
    pub scales: Vec<f32>,
}

/// Packs whole rows in the file's layout; the first is the first of a tile.
pub(crate) fn pack(plan: &Plan, packing: Packing, bytes: &[u8]) -> Packed {
    let rows = bytes.len() / plan.row_bytes;
    let tiles = rows.div_ceil(TILE);
    let blocks = plan.in_features.div_ceil(BLOCK);
    let stride = blocks * packing.words_per_block();
    let scale_stride = if packing.scaled() { blocks } else { 0 };
    let mut packed =
        Packed { words: vec![0; tiles * stride * TILE], scales: vec![0.0; tiles * scale_stride * TILE] };
    for (row, bytes) in bytes.chunks_exact(plan.row_bytes).enumerate() {
        let (tile, lane) = (row / TILE, row % TILE);
        let words = packed.words[tile * stride * TILE..][..stride * TILE][lane..].iter_mut().step_by(TILE);
        match packing {
            Packing::F32 if plan.dtype != DType::F32 => {
                let mut values = vec![0.0; plan.in_features];
                // The plan has checked that rows are whole blocks.
                dequant::to_f32(plan.dtype, bytes, &mut values).expect("whole blocks");
                for (word, value) in words.zip(values) {
                    *word = value.to_bits();
                }
            }
            Packing::F32 => {
                for (word, value) in words.zip(bytes.as_chunks().0) {
                    *word = u32::from_le_bytes(*value);
                }
            }
            Packing::F16 | Packing::Bf16 => {
                for (word, pair) in words.zip(bytes.chunks(4)) {
                    *word = pair.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
                }
            }
            Packing::I8 | Packing::Nibbles => {
                let scales = &mut packed.scales[tile * scale_stride * TILE..][..scale_stride * TILE];
                let scales = scales[lane..].iter_mut().step_by(TILE);
                pack_blocks(plan.dtype.block_bytes(), bytes, words, scales);
            }
        }
    }
    packed
}

/// Packs the blocks of one quantised row.
fn pack_blocks<'a>(
    block_bytes: usize,
    bytes: &[u8],
    mut words: impl Iterator<Item = &'a mut u32>,
    scales: impl Iterator<Item = &'a mut f32>,
) {
    for (block, scale) in bytes.chunks_exact(block_bytes).zip(scales) {
        *scale = crate::simd::f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
        let quants = &block[2..];
        if quants.len() == BLOCK {
            for (bytes, word) in quants.as_chunks().0.iter().zip(&mut words) {
                *word = u32::from_le_bytes(*bytes);
            }
        } else {
            // The file keeps element i + 16 above element i; here they follow one another.
            for (i, word) in (0..BLOCK).step_by(8).zip(&mut words) {
                let nibble = |e: usize| (quants[e % 16] >> (e / 16 * 4)) & 15;
                *word = (i..i + 8).rev().fold(0, |word, e| word << 4 | u32::from(nibble(e)));
            }
        }
    }
}
