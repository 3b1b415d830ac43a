//! Rows dealt to lanes, for products with many tokens.

use std::hint::black_box;

use super::{Arithmetic, HEIGHT, IntFormat, IntRows, Token, WIDTH};
use crate::simd::{Integers, PAIRS};

/// Some rows, dealt to lanes: register `i` of a block holds word `i` (a pair of 16 bits, or four bytes)
/// of as many rows as there are lanes.
pub(super) struct Panel<S: Integers, const GROUPS: usize> {
    /// `[blocks][words][HEIGHT]`
    quants: Vec<[S::Counts; HEIGHT]>,
    /// `[blocks][HEIGHT][GROUPS]`
    scales: Vec<[[S::Lanes; GROUPS]; HEIGHT]>,
    /// As the scales, where there are any.
    minima: Vec<[[S::Lanes; GROUPS]; HEIGHT]>,
    blocks: usize,
}

impl<S: Integers, const GROUPS: usize> Panel<S, GROUPS> {
    #[inline(always)]
    pub(super) fn new<A: Arithmetic<S>>(simd: S, blocks: usize) -> Self {
        Self {
            quants: vec![[simd.no_counts(); HEIGHT]; blocks * A::WORDS],
            scales: vec![[[simd.zero(); GROUPS]; HEIGHT]; blocks],
            minima: Vec::new(),
            blocks,
        }
    }

    /// Takes `count` rows from `first` on; the last is repeated where a register has more lanes.
    #[inline(always)]
    pub(super) fn fill<A: Arithmetic<S>, F: IntFormat>(
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
                let mut ints = [A::load::<F>(simd, &rows[0].quants[block]); LANES_LIMIT];
                for (ints, row) in ints.iter_mut().zip(rows) {
                    *ints = A::load::<F>(simd, &row.quants[block]);
                }
                let mut words = [simd.no_counts(); WORDS_LIMIT];
                A::deal(simd, &ints[..S::LANES], &mut words[..A::WORDS]);
                let places = &mut self.quants[block * A::WORDS..][..A::WORDS];
                for (place, word) in places.iter_mut().zip(words) {
                    place[register] = word;
                }
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
    pub(super) fn multiply<A: Arithmetic<S>, F: IntFormat>(
        &self,
        simd: S,
        mut x: [Token<A::X>; WIDTH],
    ) -> [[S::Lanes; HEIGHT]; WIDTH] {
        let mut sums = [[simd.zero(); HEIGHT]; WIDTH];
        for x in &mut x {
            *x = x.first(self.blocks);
        }
        let scales = &self.scales[..self.blocks];
        // Hidden from the compiler, which would else take the words together, and hold more in registers
        // than there are.
        let words = black_box(A::WORDS / GROUPS);
        let mut quants = &self.quants[..];
        for b in 0..self.blocks {
            for group in 0..GROUPS {
                let mut counts = [[simd.no_counts(); HEIGHT]; WIDTH];
                if GROUPS == 1 {
                    for t in 0..WIDTH {
                        let sum = x[t].sums[b];
                        counts[t] = [simd.splat_count(A::start::<F>(simd, sum[0] + sum[1])); HEIGHT];
                    }
                }
                let mut of_x = [A::words(&x[0].quants[b]); WIDTH];
                for (x, of_x) in x.iter().zip(&mut of_x) {
                    *of_x = &A::words(&x.quants[b])[group * words..][..words];
                }
                let (of_w, rest) = quants.split_at(words);
                quants = rest;
                for i in 0..words {
                    for t in 0..WIDTH {
                        let word = A::splat(simd, &of_x[t][i]);
                        for h in 0..HEIGHT {
                            counts[t][h] = A::add(simd, counts[t][h], of_w[i][h], word);
                        }
                    }
                }
                for t in 0..WIDTH {
                    let scale_x = simd.splat(x[t].scales[b]);
                    for h in 0..HEIGHT {
                        let scale = simd.multiply(scales[b][h][group], scale_x);
                        sums[t][h] = simd.scale_counts(counts[t][h], scale, sums[t][h]);
                    }
                }
            }
            if let Some(minima) = self.minima.get(b) {
                for (x, sums) in x.iter().zip(&mut sums) {
                    let halves = x.sums[b].map(|sum| sum as f32 * x.scales[b]);
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
/// The most words that a block takes.
const WORDS_LIMIT: usize = PAIRS;
