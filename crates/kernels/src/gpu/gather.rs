//! Rows of a packed matrix as `f32`: the embedding lookup.

use cubecl::prelude::*;

use super::decode::{block_start, quad};
use super::pack::{Packing, TILE};

/// Each thread writes the four weights of one quad. Rows outside
/// `first_row .. first_row + rows` are left to the launch for their piece of the matrix.
///
/// `ids` are the wanted rows, `out` is `[ids, in_features]`.
#[cube(launch_unchecked)]
pub(crate) fn gather(
    ids: &[u32],
    words: &[u32],
    scales: &[f32],
    out: &mut [f32],
    count: u32,
    blocks: u32,
    rows: u32,
    first_row: u32,
    in_features: u32,
    #[comptime] packing: Packing,
) {
    let blocks = blocks as usize;
    let in_features = in_features as usize;
    let quads = blocks * 8;
    let index = ABSOLUTE_POS;
    let (i, at) = (index / quads, index % quads);
    if i >= count as usize {
        terminate!();
    }
    let id = ids[i];
    if id < first_row || id >= first_row + rows {
        terminate!();
    }
    let row = (id - first_row) as usize;
    let (tile, lane) = (row / comptime!(TILE), row % comptime!(TILE));
    let (block, q) = (at / 8, at % 8);
    let start = block_start(tile, block, lane, blocks, packing);
    let (w0, w1, w2, w3) = quad(words, start, q, packing);
    let scale = RuntimeCell::<f32>::new(1.0);
    if comptime!(packing.scaled()) {
        scale.store(scales[(tile * blocks + block) * comptime!(TILE) + lane]);
    }
    let scale = scale.read();
    let column = at * 4;
    let to = i * in_features + column;
    if column < in_features {
        out[to] = w0 * scale;
    }
    if column + 1 < in_features {
        out[to + 1] = w1 * scale;
    }
    if column + 2 < in_features {
        out[to + 2] = w2 * scale;
    }
    if column + 3 < in_features {
        out[to + 3] = w3 * scale;
    }
}
