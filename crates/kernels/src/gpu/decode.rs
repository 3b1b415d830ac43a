//! Reading packed weights inside a kernel.

use cubecl::prelude::*;

use super::pack::{Packing, TILE};

/// Index of the first word of a block in the lane `lane` of tile `tile`.
#[cube]
pub(crate) fn block_start(
    tile: usize,
    block: usize,
    lane: usize,
    blocks: usize,
    #[comptime] packing: Packing,
) -> usize {
    (tile * blocks + block) * comptime!(packing.words_per_block() * TILE) + lane
}

/// The four weights `4 * quad ..` of a block, without its scale.
#[cube]
pub(crate) fn quad(
    words: &[u32],
    start: usize,
    quad: usize,
    #[comptime] packing: Packing,
) -> (f32, f32, f32, f32) {
    let stride = comptime!(TILE);
    match comptime!(packing) {
        Packing::F32 => {
            let at = start + quad * comptime!(4 * TILE);
            (
                f32::reinterpret(words[at]),
                f32::reinterpret(words[at + stride]),
                f32::reinterpret(words[at + 2 * stride]),
                f32::reinterpret(words[at + 3 * stride]),
            )
        }
        Packing::F16 => {
            let at = start + quad * comptime!(2 * TILE);
            let first = words[at];
            let second = words[at + stride];
            (half(first & 0xffff), half(first >> 16), half(second & 0xffff), half(second >> 16))
        }
        Packing::Bf16 => {
            let at = start + quad * comptime!(2 * TILE);
            let first = words[at];
            let second = words[at + stride];
            (
                f32::reinterpret(first << 16),
                f32::reinterpret(first & 0xffff0000),
                f32::reinterpret(second << 16),
                f32::reinterpret(second & 0xffff0000),
            )
        }
        Packing::I8 => {
            let word = words[start + quad * stride];
            (signed(word << 24), signed(word << 16), signed(word << 8), signed(word))
        }
        Packing::Nibbles => {
            let word = words[start + quad / 2 * stride] >> ((quad % 2) as u32 * 16);
            (nibble(word), nibble(word >> 4), nibble(word >> 8), nibble(word >> 12))
        }
    }
}

/// The signed byte at the top of a word.
#[cube]
fn signed(word: u32) -> f32 {
    f32::cast_from(i32::reinterpret(word) >> 24)
}

/// The nibble at the bottom of a word, less 8.
#[cube]
fn nibble(word: u32) -> f32 {
    f32::cast_from(word & 15) - 8.0
}

/// A half given by its bits: integers only, since a shader may flush subnormals and need not
/// know the type.
#[cube]
fn half(bits: u32) -> f32 {
    let magnitude = bits & 0x7fff;
    // A subnormal is its mantissa times 2^-24: exact, and normal as f32.
    let small = f32::cast_from(magnitude) * 5.960_464_5e-8;
    let normal = (magnitude << 13) + 0x38000000;
    let special = normal + 0x38000000;
    let bits_large = select(magnitude >= 0x7c00, special, normal);
    let unsigned = select(magnitude < 0x400, u32::reinterpret(small), bits_large);
    f32::reinterpret(unsigned | ((bits & 0x8000) << 16))
}
