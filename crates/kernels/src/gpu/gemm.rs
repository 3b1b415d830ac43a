//! `x @ W^T` for many tokens (prefill): tiles of both operands are shared by a cube.

use cubecl::prelude::*;

use super::decode::{block_start, quad};
use super::pack::{BLOCK, Packing, TILE};

/// Threads of a cube along each side.
pub(crate) const SIDE: usize = 16;
/// Rows of a thread.
const ROWS: usize = TILE / SIDE;

/// A cube of 16 x 16 threads computes 64 rows times `16 * per_thread` tokens, each thread 4 rows
/// times `per_thread` tokens; for each block of 32 columns the cube widens its weights and
/// fetches its activations into shared memory once (at most 16 KiB in all, the least a WebGPU
/// device has). Cubes lie along x by tile of rows and along y by tile of tokens.
///
/// Arguments as for [`gemv`](super::gemv::gemv).
#[cube(launch_unchecked)]
pub(crate) fn gemm(
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
    #[comptime] per_thread: usize,
) {
    let width = comptime!(per_thread * SIDE);
    let unit = UNIT_POS as usize;
    let (column, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let tile = CUBE_POS_X as usize;
    let first_token = CUBE_POS_Y as usize * width;
    let tokens = tokens as usize;
    let blocks = blocks as usize;

    let mut shared_w = Shared::<[f32]>::new_slice(comptime!(BLOCK * TILE));
    let mut shared_x = Shared::<[f32]>::new_slice(comptime!(BLOCK * per_thread * SIDE));
    let mut sums = Array::<f32>::new(comptime!(ROWS * per_thread));
    #[unroll]
    for i in 0..comptime!(ROWS * per_thread) {
        sums[i] = 0.0;
    }
    for block in 0..blocks {
        // Weights: 64 rows of 8 quads, two a thread; neighbours take neighbouring rows.
        #[unroll]
        for i in 0..comptime!(TILE * 8 / (SIDE * SIDE)) {
            let index = unit + i * comptime!(SIDE * SIDE);
            let (lane, q) = (index % comptime!(TILE), index / comptime!(TILE));
            let start = block_start(tile, block, lane, blocks, packing);
            let (w0, w1, w2, w3) = quad(words, start, q, packing);
            let at = q * comptime!(4 * TILE) + lane;
            if comptime!(packing.scaled()) {
                let scale = scales[(tile * blocks + block) * comptime!(TILE) + lane];
                shared_w[at] = w0 * scale;
                shared_w[at + comptime!(TILE)] = w1 * scale;
                shared_w[at + comptime!(2 * TILE)] = w2 * scale;
                shared_w[at + comptime!(3 * TILE)] = w3 * scale;
            } else {
                shared_w[at] = w0;
                shared_w[at + comptime!(TILE)] = w1;
                shared_w[at + comptime!(2 * TILE)] = w2;
                shared_w[at + comptime!(3 * TILE)] = w3;
            }
        }
        // Activations: `width` tokens of 8 quads; neighbours take neighbouring quads.
        for index in range_stepped(unit, width * 8, comptime!(SIDE * SIDE)) {
            let (token, q) = (index / 8, index % 8);
            // Tokens past the end repeat the last: their sums are not stored.
            let from = min(first_token + token, tokens - 1);
            let four = x[(from * blocks + block) * 8 + q];
            let at = q * 4 * width + token;
            shared_x[at] = four.extract(0usize);
            shared_x[at + width] = four.extract(1usize);
            shared_x[at + 2 * width] = four.extract(2usize);
            shared_x[at + 3 * width] = four.extract(3usize);
        }
        sync_cube();
        for k in 0..comptime!(BLOCK) {
            let mut w = Array::<f32>::new(comptime!(ROWS));
            #[unroll]
            for r in 0..comptime!(ROWS) {
                w[r] = shared_w[k * comptime!(TILE) + column + r * comptime!(SIDE)];
            }
            #[unroll]
            for t in 0..per_thread {
                let value = shared_x[k * width + line + t * comptime!(SIDE)];
                #[unroll]
                for r in 0..comptime!(ROWS) {
                    sums[t * comptime!(ROWS) + r] += w[r] * value;
                }
            }
        }
        sync_cube();
    }

    #[unroll]
    for t in 0..per_thread {
        let token = first_token + line + t * comptime!(SIDE);
        #[unroll]
        for r in 0..comptime!(ROWS) {
            let row = tile * comptime!(TILE) + column + r * comptime!(SIDE);
            if token < tokens && row < rows as usize {
                out[token * out_features as usize + first_row as usize + row] = sums[t * comptime!(ROWS) + r];
            }
        }
    }
}
