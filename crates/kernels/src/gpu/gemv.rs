//! `x @ W^T` for few tokens (decode): every weight is read once.

use cubecl::prelude::*;

use super::decode::{block_start, quad};
use super::pack::{Packing, TILE};

/// Each thread of a cube `(64, parts)` takes one row and every `parts`-th block of it, against
/// up to `group` tokens; the parts are summed in shared memory. Cubes lie along x by tile of
/// rows and along y by group of tokens.
///
/// `x` is `[tokens, blocks * 32]` in quads; `out` is `[tokens, out_features]`, of which the rows
/// `first_row .. first_row + rows` are written.
#[cube(launch_unchecked)]
pub(crate) fn gemv(
    x: &[Vector<f32, Const<4>>],
    words: &[u32],
    scales: &[f32],
    out: &mut [f32],
    tokens: u32,
    blocks: u32,
    rows: u32,
    first_row: u32,
    out_features: u32,
    #[comptime] packing: Packing,
    #[comptime] group: usize,
    #[comptime] parts: usize,
) {
    let lane = UNIT_POS_X as usize;
    let part = UNIT_POS_Y as usize;
    let tile = CUBE_POS_X as usize;
    let first_token = CUBE_POS_Y as usize * group;
    let tokens = tokens as usize;
    let blocks = blocks as usize;

    let mut sums = Array::<f32>::new(group);
    #[unroll]
    for t in 0..group {
        sums[t] = 0.0;
    }
    for block in range_stepped(part, blocks, parts) {
        let start = block_start(tile, block, lane, blocks, packing);
        let mut products = Array::<f32>::new(group);
        #[unroll]
        for t in 0..group {
            products[t] = 0.0;
        }
        #[unroll]
        for q in 0..8usize {
            let (w0, w1, w2, w3) = quad(words, start, q, packing);
            #[unroll]
            for t in 0..group {
                // Tokens past the end repeat the last: their sums are not stored.
                let token = min(first_token + t, tokens - 1);
                let four = x[(token * blocks + block) * 8 + q];
                products[t] += w0 * four.extract(0usize)
                    + w1 * four.extract(1usize)
                    + w2 * four.extract(2usize)
                    + w3 * four.extract(3usize);
            }
        }
        #[unroll]
        for t in 0..group {
            if comptime!(packing.scaled()) {
                sums[t] += products[t] * scales[(tile * blocks + block) * comptime!(TILE) + lane];
            } else {
                sums[t] += products[t];
            }
        }
    }

    let row = tile * comptime!(TILE) + lane;
    let in_range = row < rows as usize;
    if comptime!(parts > 1) {
        let mut shared = Shared::<[f32]>::new_slice(comptime!(group * parts * TILE));
        #[unroll]
        for t in 0..group {
            shared[(part * group + t) * comptime!(TILE) + lane] = sums[t];
        }
        sync_cube();
        if part == 0 {
            #[unroll]
            for t in 0..group {
                let mut sum = sums[t];
                #[unroll]
                for other in 1..parts {
                    sum += shared[(other * group + t) * comptime!(TILE) + lane];
                }
                if in_range && first_token + t < tokens {
                    out[(first_token + t) * out_features as usize + first_row as usize + row] = sum;
                }
            }
        }
    } else {
        #[unroll]
        for t in 0..group {
            if in_range && first_token + t < tokens {
                out[(first_token + t) * out_features as usize + first_row as usize + row] = sums[t];
            }
        }
    }
}
