//! `x @ W^T`: one kernel for one token and for many.
//!
//! A thread keeps a small tile of rows and tokens in registers. Neighbouring threads read
//! neighbouring words of the weights, and all threads of a cube the same activations, which
//! caches and scalar units serve well; so no operand goes through shared memory, and there is no
//! barrier inside the loop (a tiled product with two barriers a block took 2.5 to 4 times as long
//! on Mesa's lavapipe).

use cubecl::prelude::*;

use burn::tensor::Tensor;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::decode::{block_start, quad};
use super::pack::{Packing, TILE};
use super::primitive;
use crate::ops::Gate;

/// What becomes of a sum before it is stored; compiled into the pipeline.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Plain,
    /// Another value is added.
    Add,
    /// It is multiplied with the activation of another value.
    Gate(Gate),
}

/// The other operand of what becomes of a sum.
pub(crate) struct Finish {
    pub kind: Kind,
    /// As the result `[tokens, out_features]`; any tensor where it is not read.
    pub other: CubeTensor,
}

impl Finish {
    /// Takes the operand, if it is a plain tensor on a GPU.
    pub(crate) fn of(kind: Kind, other: &Tensor<2>) -> Option<Self> {
        Some(Self { kind, other: into_contiguous(primitive(other)?) })
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.other.meta.shape().num_elements()
    }
}

/// How a product is divided among threads; compiled into the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Rows of a thread, each in another tile of rows.
    pub height: usize,
    /// Tokens of a thread.
    pub group: usize,
    /// Threads that share a row, each with every `parts`-th block of it.
    pub parts: usize,
}

/// Rows times tokens of a thread up to which a block is unrolled: larger tiles have work enough
/// between two turns of the loop, and their shaders would take long to compile.
const SMALL: usize = 4;

impl Tiling {
    /// The tiling for a matrix of `tiles` tiles of rows and a number of tokens.
    ///
    /// Weights are read once for each group of tokens and activations once for each tile of rows,
    /// so large tiles are best, as long as they leave a GPU enough threads to hide its latencies.
    /// A software adapter has no use for those; what is best there was measured on lavapipe.
    pub(crate) fn new(tiles: usize, tokens: usize, packing: Packing, software: bool) -> Self {
        const ENOUGH: usize = 1 << 14;
        let (tallest, widest) = if software && packing.scaled() && tokens > 2 { (8, 4) } else { (4, 8) };
        // Of `height` rows, with one load of activations; rows past the end are wasted.
        let cost = |height: &usize| tiles.div_ceil(*height) * (height + 1);
        let height = (1..=tallest).rev().min_by_key(cost).unwrap_or(1);
        let mut tiling = Self { height, group: tokens.min(widest).next_power_of_two(), parts: 1 };
        if software {
            return tiling;
        }
        let threads = |tiling: Self| {
            tiles.div_ceil(tiling.height) * TILE * tiling.parts * tokens.div_ceil(tiling.group)
        };
        while threads(tiling) < ENOUGH && tiling.height > 1 {
            tiling.height /= 2;
        }
        while threads(tiling) < ENOUGH && tiling.parts < 4 {
            tiling.parts *= 2;
        }
        tiling
    }
}

/// Multiplies. Each thread of a cube `(64, parts)` takes one row of each of `height` tiles and every
/// `parts`-th block of them, against up to `group` tokens; the parts are summed in shared memory.
/// Cubes lie along x by tiles of rows and along y by groups of tokens.
///
/// `x` is `[tokens, blocks * 32]` in quads; `out` is `[tokens, out_features]`, of which the rows
/// `first_row .. first_row + rows` are written.
#[cube(launch_unchecked)]
pub(crate) fn product(
    x: &[Vector<f32, Const<4>>],
    words: &[u32],
    scales: &[f32],
    other: &[f32],
    out: &mut [f32],
    tokens: u32,
    blocks: u32,
    rows: u32,
    first_row: u32,
    out_features: u32,
    #[comptime] packing: Packing,
    #[comptime] finish: Kind,
    #[comptime] height: usize,
    #[comptime] group: usize,
    #[comptime] parts: usize,
) {
    let lane = UNIT_POS_X as usize;
    let part = if comptime!(parts > 1) { UNIT_POS_Y as usize } else { 0usize.runtime() };
    let first_tile = CUBE_POS_X as usize * height;
    let last_tile = (rows as usize - 1) / comptime!(TILE);
    let first_token = CUBE_POS_Y as usize * group;
    let tokens = tokens as usize;
    let blocks = blocks as usize;

    let mut sums = Array::<f32>::new(comptime!(height * group));
    #[unroll]
    for i in 0..comptime!(height * group) {
        sums[i] = 0.0;
    }
    for block in range_stepped(part, blocks, parts) {
        let mut products = Array::<f32>::new(comptime!(height * group));
        #[unroll]
        for i in 0..comptime!(height * group) {
            products[i] = 0.0;
        }
        #[unroll(height * group <= SMALL)]
        for q in 0..8usize {
            let mut fours = Array::<Vector<f32, Const<4>>>::new(group);
            #[unroll]
            for t in 0..group {
                // Tokens and tiles past the end repeat the last: their sums are not stored.
                let token = min(first_token + t, tokens - 1);
                fours[t] = x[(token * blocks + block) * 8 + q];
            }
            #[unroll]
            for r in 0..height {
                let tile = min(first_tile + r, last_tile);
                let start = block_start(tile, block, lane, blocks, packing);
                let (w0, w1, w2, w3) = quad(words, start, q, packing);
                #[unroll]
                for t in 0..group {
                    let four = fours[t];
                    products[r * group + t] += w0 * four.extract(0usize)
                        + w1 * four.extract(1usize)
                        + w2 * four.extract(2usize)
                        + w3 * four.extract(3usize);
                }
            }
        }
        #[unroll]
        for r in 0..height {
            if comptime!(packing.scaled()) {
                let tile = min(first_tile + r, last_tile);
                let scale = scales[(tile * blocks + block) * comptime!(TILE) + lane];
                #[unroll]
                for t in 0..group {
                    sums[r * group + t] += products[r * group + t] * scale;
                }
            } else {
                #[unroll]
                for t in 0..group {
                    sums[r * group + t] += products[r * group + t];
                }
            }
        }
    }

    if comptime!(parts > 1) {
        let width = comptime!(height * group);
        let mut shared = Shared::<[f32]>::new_slice(comptime!(height * group * parts * TILE));
        #[unroll]
        for i in 0..width {
            shared[(part * width + i) * comptime!(TILE) + lane] = sums[i];
        }
        sync_cube();
        if part == 0 {
            #[unroll]
            for i in 0..width {
                #[unroll]
                for other in 1..parts {
                    sums[i] += shared[(other * width + i) * comptime!(TILE) + lane];
                }
            }
        }
    }
    if part == 0 {
        #[unroll]
        for r in 0..height {
            let row = (first_tile + r) * comptime!(TILE) + lane;
            #[unroll]
            for t in 0..group {
                if row < rows as usize && first_token + t < tokens {
                    let at = (first_token + t) * out_features as usize + first_row as usize + row;
                    out[at] = finished(sums[r * group + t], other, at, finish);
                }
            }
        }
    }
}

/// A sum as it is stored.
#[cube]
fn finished(sum: f32, other: &[f32], at: usize, #[comptime] finish: Kind) -> f32 {
    match comptime!(finish) {
        Kind::Plain => sum,
        Kind::Add => other[at] + sum,
        Kind::Gate(gate) => activated(other[at], gate) * sum,
    }
}

#[cube]
fn activated(x: f32, #[comptime] gate: Gate) -> f32 {
    match comptime!(gate) {
        // The exponent stays finite: shaders may assume that infinities do not occur.
        Gate::Silu => x / (1.0 + min(-x, 80.0).exp()),
        Gate::GeluTanh => {
            let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
            // tanh overflows in some drivers; beyond 10 it is 1 in f32.
            0.5 * x * (1.0 + max(min(inner, 10.0), -10.0).tanh())
        }
    }
}
