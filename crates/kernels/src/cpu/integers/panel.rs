//! Rows dealt to lanes, for products with many tokens.

use super::{HEIGHT, IntFormat, IntRows, Token, WIDTH};
use crate::simd::{Integers, PAIRS};

/// Some rows, dealt to lanes: register `i` of a block holds pair `i` of as many rows as there are
/// lanes.
pub(super) struct Panel<S: Integers, const GROUPS: usize> {
    /// `[blocks][HEIGHT]`
    quants: Vec<[[S::Counts; PAIRS]; HEIGHT]>,
    /// `[blocks][HEIGHT][GROUPS]`
    scales: Vec<[[S::Lanes; GROUPS]; HEIGHT]>,
    /// As the scales, where there are any.
    minima: Vec<[[S::Lanes; GROUPS]; HEIGHT]>,
    blocks: usize,
}

impl<S: Integers, const GROUPS: usize> Panel<S, GROUPS> {
    #[inline(always)]
    pub(super) fn new(simd: S, blocks: usize) -> Self {
        Self {
            quants: vec![[[simd.no_counts(); PAIRS]; HEIGHT]; blocks],
            scales: vec![[[simd.zero(); GROUPS]; HEIGHT]; blocks],
            minima: Vec::new(),
            blocks,
        }
    }

    /// Takes `count` rows from `first` on; the last is repeated where a register has more lanes.
    #[inline(always)]
    pub(super) fn fill<F: IntFormat>(
        &mut self,
        simd: S,
        weights: IntRows<F, GROUPS>,
        first: usize,
        count: usize,
    ) {
        if !weights.minima.is_empty() {
            self.minima.resize(self.blocks, [[simd.zero(); GROUPS]; HEIGHT]);
        }
        let empty = weights.row(first, self.blocks);
        for register in 0..HEIGHT {
            let mut rows = [empty; LANES_LIMIT];
            for (lane, row) in rows[..S::LANES].iter_mut().enumerate() {
                let index = (register * S::LANES + lane).min(count - 1);
                *row = weights.row(first + index, self.blocks);
            }
            let rows = &rows[..S::LANES];
            for block in 0..self.blocks {
                let mut ints = [F::ints(simd, &rows[0].quants[block]); LANES_LIMIT];
                for (ints, row) in ints.iter_mut().zip(rows) {
                    *ints = F::ints(simd, &row.quants[block]);
                }
                simd.interleave(&ints[..S::LANES], &mut self.quants[block][register]);
                for group in 0..GROUPS {
                    let at = block * GROUPS + group;
                    let mut lanes = [0.0; LANES_LIMIT];
                    for (lane, row) in lanes.iter_mut().zip(rows) {
                        *lane = row.scales[at];
                    }
                    self.scales[block][register][group] = simd.load_lanes(&lanes);
                    if let Some(minima) = self.minima.get_mut(block) {
                        for (lane, row) in lanes.iter_mut().zip(rows) {
                            *lane = row.minima[at];
                        }
                        minima[register][group] = simd.load_lanes(&lanes);
                    }
                }
            }
        }
    }

    /// Products of all rows with some tokens.
    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "plain loops over constant ranges keep the sums in registers"
    )]
    pub(super) fn multiply(&self, simd: S, x: [Token; WIDTH]) -> [[S::Lanes; HEIGHT]; WIDTH] {
        let mut sums = [[simd.zero(); HEIGHT]; WIDTH];
        let x = x.map(|x| Token {
            quants: &x.quants[..self.blocks],
            scales: &x.scales[..self.blocks],
            sums: &x.sums[..self.blocks],
        });
        let scales = &self.scales[..self.blocks];
        for (b, quants) in self.quants.iter().enumerate() {
            let pairs = x.map(|x| x.quants[b].as_chunks::<2>().0);
            let mut scales_x = [simd.zero(); WIDTH];
            for (x, scale) in x.iter().zip(&mut scales_x) {
                *scale = simd.splat(x.scales[b]);
            }
            for group in 0..GROUPS {
                let mut counts = [[simd.no_counts(); HEIGHT]; WIDTH];
                for i in group * (PAIRS / GROUPS)..(group + 1) * (PAIRS / GROUPS) {
                    for t in 0..WIDTH {
                        let pair = simd.splat_pair(&pairs[t][i]);
                        for h in 0..HEIGHT {
                            counts[t][h] = simd.add_pair(counts[t][h], quants[h][i], pair);
                        }
                    }
                }
                for t in 0..WIDTH {
                    for h in 0..HEIGHT {
                        let scale = simd.multiply(scales[b][h][group], scales_x[t]);
                        sums[t][h] = simd.scale_counts(counts[t][h], scale, sums[t][h]);
                    }
                }
            }
            if let Some(minima) = self.minima.get(b) {
                for (x, sums) in x.iter().zip(&mut sums) {
                    let halves = x.sums[b];
                    for (minima, sum) in minima.iter().zip(sums) {
                        for (group, minimum) in minima.iter().enumerate() {
                            let of_x = if GROUPS == 1 { halves[0] + halves[1] } else { halves[group] };
                            *sum = simd.subtract(*sum, simd.multiply(*minimum, simd.splat(of_x)));
                        }
                    }
                }
            }
        }
        sums
    }
}

/// The most lanes that an instruction set has.
const LANES_LIMIT: usize = 8;
