//! Products of quantised weights with activations that are rounded to signed bytes, a scale for
//! each block of 32, as llama.cpp does: integer arithmetic is several times as fast as widening
//! every weight to `f32`.
//!
//! A weight is `scale * q - minimum` with one scale (and minimum) for each group of 16 or 32, so
//! a block's part of a product is `scale * scale_x * sum(q * q_x) - minimum * scale_x * sum(q_x)`.
//! The sums are exact; all that is lost is the rounding of the activations.

use super::rows::{I8, Nibbles};
use crate::simd::{BLOCK, Integers, Kernel, PAIRS};

/// Tokens from which a panel of rows is dealt to lanes once and used for all of them.
const PANEL_TOKENS: usize = 5;
/// Registers of rows in a panel.
const HEIGHT: usize = 2;
/// Tokens whose sums stay in registers: with [`HEIGHT`] registers of rows half of the sixteen that
/// AVX2 and `simd128` on x86 have.
const WIDTH: usize = 4;
/// The largest signed byte that activations are rounded to.
const LARGEST: f32 = 127.0;

/// Activations `[tokens, blocks * 32]` as integers.
pub(crate) struct Activations {
    /// Signed bytes, widened for the products.
    quants: Vec<[i16; BLOCK]>,
    /// A scale for each block.
    scales: Vec<f32>,
    /// The sum of each half of a block, times its scale.
    sums: Vec<[f32; 2]>,
    /// Blocks of a token.
    blocks: usize,
}

impl Activations {
    /// Rounds activations `[tokens, in_features]` to the nearest step of each block. A block that
    /// holds an infinity or a NaN makes every product with it NaN.
    ///
    /// # Panics
    /// Unless `in_features` is a multiple of 32.
    pub(crate) fn new(x: &[f32], in_features: usize) -> Self {
        let (blocks, rest) = x.as_chunks::<BLOCK>();
        assert!(rest.is_empty() && in_features.is_multiple_of(BLOCK), "rows are not whole blocks");
        let mut quants = Vec::with_capacity(blocks.len());
        let mut scales = Vec::with_capacity(blocks.len());
        let mut sums = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (q, scale) = round(block);
            let sum = |half: &[i16]| f32::from(half.iter().sum::<i16>()) * scale;
            sums.push([sum(&q[..16]), sum(&q[16..])]);
            quants.push(q);
            scales.push(scale);
        }
        Self { quants, scales, sums, blocks: in_features / BLOCK }
    }

    /// Number of tokens.
    fn tokens(&self) -> usize {
        self.quants.len() / self.blocks
    }

    /// One token's blocks with their scales and sums.
    #[inline(always)]
    fn token(&self, index: usize) -> Token<'_> {
        let range = index * self.blocks..(index + 1) * self.blocks;
        Token {
            quants: &self.quants[range.clone()],
            scales: &self.scales[range.clone()],
            sums: &self.sums[range],
        }
    }
}

/// A block rounded to signed bytes, and its scale.
#[inline(always)]
fn round(x: &[f32; BLOCK]) -> ([i16; BLOCK], f32) {
    // As bits, so that infinities and NaNs are the largest.
    let largest = x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff));
    if largest >= 0x7f80_0000 {
        return ([0; BLOCK], f32::NAN);
    }
    let scale = f32::from_bits(largest) / LARGEST;
    // Numbers so small that the quotient overflows count as zero.
    let steps = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits, without a conversion that has
    // to look at the number.
    const NEAREST: f32 = 12_582_912.0;
    (x.map(|x| (x * steps + NEAREST).to_bits() as i16), scale)
}

/// One token's activations.
#[derive(Clone, Copy)]
struct Token<'a> {
    quants: &'a [[i16; BLOCK]],
    scales: &'a [f32],
    sums: &'a [[f32; 2]],
}

/// A storage form of integer weights.
pub(crate) trait IntFormat: Copy {
    /// A block of 32.
    type Packed: Copy;
    /// The block's integers.
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints;
}

impl IntFormat for I8 {
    type Packed = [u8; BLOCK];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.ints(packed)
    }
}

impl IntFormat for Nibbles {
    type Packed = [u8; BLOCK / 2];

    #[inline(always)]
    fn ints<S: Integers>(simd: S, packed: &Self::Packed) -> S::Ints {
        simd.int_nibbles(packed)
    }
}

/// Integer weights; `GROUPS` scales, and minima where there are any, for each block.
#[derive(Clone, Copy)]
pub(crate) struct IntRows<'a, F: IntFormat, const GROUPS: usize> {
    /// `[rows, blocks]`
    pub quants: &'a [F::Packed],
    /// `[rows, blocks, GROUPS]`
    pub scales: &'a [f32],
    /// `[rows, blocks, GROUPS]`, or empty.
    pub minima: &'a [f32],
}

impl<'a, F: IntFormat, const GROUPS: usize> IntRows<'a, F, GROUPS> {
    /// One row of `blocks` blocks.
    #[inline(always)]
    fn row(&self, index: usize, blocks: usize) -> Self {
        let start = index * blocks;
        let groups = |all: &'a [f32]| &all[start * GROUPS..][..blocks * GROUPS];
        Self {
            quants: &self.quants[start..][..blocks],
            scales: groups(self.scales),
            minima: if self.minima.is_empty() { &[] } else { groups(self.minima) },
        }
    }

    /// The groups' part of a product that their minima take away.
    #[inline(always)]
    fn offset(&self, x: Token) -> f32 {
        let mut offset = 0.0;
        for (minima, sums) in self.minima.as_chunks::<GROUPS>().0.iter().zip(x.sums) {
            offset += match minima.as_slice() {
                [low, high] => low * sums[0] + high * sums[1],
                all => all.iter().sum::<f32>() * (sums[0] + sums[1]),
            };
        }
        offset
    }
}

/// `out[t * stride + r] = sum over i of x[t, i] * weights[r, i]`.
pub(crate) struct IntProduct<'a, F: IntFormat, const GROUPS: usize> {
    /// Weights.
    pub weights: IntRows<'a, F, GROUPS>,
    /// Activations.
    pub x: &'a Activations,
    /// Result, a token's rows one after the other, tokens `stride` apart.
    pub out: &'a mut [f32],
    /// At least the number of rows.
    pub stride: usize,
}

impl<F: IntFormat, const GROUPS: usize> Kernel for IntProduct<'_, F, GROUPS> {
    #[inline(always)]
    fn run<S: Integers>(mut self, simd: S) {
        let tokens = self.x.tokens();
        if tokens >= PANEL_TOKENS {
            return self.many(simd, tokens);
        }
        let mut first = 0;
        while first < tokens {
            if tokens - first == 1 {
                self.few::<S, 1>(simd, first);
                first += 1;
            } else {
                self.few::<S, 2>(simd, first);
                first += 2;
            }
        }
    }
}

impl<F: IntFormat, const GROUPS: usize> IntProduct<'_, F, GROUPS> {
    /// Number of rows.
    fn rows(&self) -> usize {
        self.weights.quants.len() / self.x.blocks
    }

    /// Every row against `T` tokens, straight from the stored form: weights stream by once.
    #[inline(always)]
    fn few<S: Integers, const T: usize>(&mut self, simd: S, first: usize) {
        let mut x = [self.x.token(first); T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = self.x.token(first + t);
        }
        for r in 0..self.rows() {
            let row = self.weights.row(r, self.x.blocks);
            let sums = direct::<S, F, GROUPS, T>(simd, row, x);
            for (t, sum) in sums.into_iter().enumerate() {
                self.out[(first + t) * self.stride + r] = sum;
            }
        }
    }

    /// Every row against many tokens: a panel of rows is dealt to lanes, so that a scale is applied
    /// to as many rows at once, and stays in the cache for all tokens.
    #[inline(always)]
    fn many<S: Integers>(&mut self, simd: S, tokens: usize) {
        let (rows, height) = (self.rows(), HEIGHT * S::LANES);
        let mut panel = Panel::<S, GROUPS>::new(simd, self.x.blocks);
        for first in (0..rows).step_by(height) {
            let count = height.min(rows - first);
            panel.fill(simd, self.weights, first, count);
            for token in (0..tokens).step_by(WIDTH) {
                // Tokens past the end repeat the last: their sums are not stored.
                let mut x = [self.x.token(token); WIDTH];
                for (t, x) in x.iter_mut().enumerate() {
                    *x = self.x.token((token + t).min(tokens - 1));
                }
                let sums = panel.multiply(simd, x);
                for (t, sums) in sums.into_iter().enumerate().take(tokens - token) {
                    let out = &mut self.out[(token + t) * self.stride + first..][..count];
                    for (sums, out) in sums.into_iter().zip(out.chunks_mut(S::LANES)) {
                        store(simd, sums, out);
                    }
                }
            }
        }
    }
}

/// Writes the lanes that there is room for.
#[inline(always)]
fn store<S: Integers>(simd: S, lanes: S::Lanes, out: &mut [f32]) {
    if out.len() == S::LANES {
        simd.store_lanes(lanes, out);
    } else {
        let mut all = [0.0; BLOCK];
        simd.store_lanes(lanes, &mut all);
        out.copy_from_slice(&all[..out.len()]);
    }
}

/// Products of a stored row and `T` tokens; each weight is widened once.
#[inline(always)]
fn direct<S: Integers, F: IntFormat, const GROUPS: usize, const T: usize>(
    simd: S,
    row: IntRows<F, GROUPS>,
    x: [Token; T],
) -> [f32; T] {
    let blocks = row.quants.len();
    let x = x.map(|x| Token {
        quants: &x.quants[..blocks],
        scales: &x.scales[..blocks],
        sums: &x.sums[..blocks],
    });
    let scales = &row.scales.as_chunks::<GROUPS>().0[..blocks];
    let mut sums = [simd.zero(); T];
    for (b, packed) in row.quants.iter().enumerate() {
        let w = F::ints(simd, packed);
        for (x, sum) in x.iter().zip(&mut sums) {
            let halves = [0, 1].map(|half| simd.dot_half(w, &x.quants[b], half));
            if GROUPS == 1 {
                let counts = simd.add_counts(halves[0], halves[1]);
                *sum = simd.scale_counts(counts, simd.splat(scales[b][0] * x.scales[b]), *sum);
            } else {
                for (half, scale) in halves.into_iter().zip(scales[b]) {
                    *sum = simd.scale_counts(half, simd.splat(scale * x.scales[b]), *sum);
                }
            }
        }
    }
    let mut out = [0.0; T];
    for ((out, sum), x) in out.iter_mut().zip(sums).zip(x) {
        *out = simd.sum(sum) - row.offset(x);
    }
    out
}

/// Some rows, dealt to lanes: register `i` of a block holds pair `i` of as many rows as there are
/// lanes.
struct Panel<S: Integers, const GROUPS: usize> {
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
    fn new(simd: S, blocks: usize) -> Self {
        Self {
            quants: vec![[[simd.no_counts(); PAIRS]; HEIGHT]; blocks],
            scales: vec![[[simd.zero(); GROUPS]; HEIGHT]; blocks],
            minima: Vec::new(),
            blocks,
        }
    }

    /// Takes `count` rows from `first` on; the last is repeated where a register has more lanes.
    #[inline(always)]
    fn fill<F: IntFormat>(&mut self, simd: S, weights: IntRows<F, GROUPS>, first: usize, count: usize) {
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
    fn multiply(&self, simd: S, x: [Token; WIDTH]) -> [[S::Lanes; HEIGHT]; WIDTH] {
        let mut sums = [[simd.zero(); HEIGHT]; WIDTH];
        let x = x.map(|x| Token {
            quants: &x.quants[..self.blocks],
            scales: &x.scales[..self.blocks],
            sums: &x.sums[..self.blocks],
        });
        let scales = &self.scales[..self.blocks];
        // Plain loops over constant ranges: the sums must stay in registers.
        for (b, quants) in self.quants.iter().enumerate() {
            let pairs = x.map(|x| x.quants[b].as_chunks::<2>().0);
            let scales_x = x.map(|x| simd.splat(x.scales[b]));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Portable, dispatch};

    /// Numbers that look random, in -1 .. 1.
    fn numbers(seed: u32, count: usize) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn activations_are_rounded_to_the_nearest_step() {
        let mut x = numbers(1, 96);
        x[32..64].fill(0.0);
        x[64..].iter_mut().for_each(|x| *x *= 1e-30);
        let rounded = Activations::new(&x, 48 * 2);
        assert_eq!((rounded.tokens(), rounded.blocks), (1, 3));
        for (b, block) in x.as_chunks::<BLOCK>().0.iter().enumerate() {
            let (q, scale) = (rounded.quants[b], rounded.scales[b]);
            let largest = block.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!((scale * 127.0 - largest).abs() <= largest * 1e-6, "{scale} {largest}");
            for (x, q) in block.iter().zip(q) {
                assert!((x - scale * f32::from(q)).abs() <= scale * 0.5001, "{x} {q} {scale}");
            }
            for (half, sum) in q.as_chunks::<16>().0.iter().zip(rounded.sums[b]) {
                assert_eq!(sum, half.iter().map(|q| f32::from(*q)).sum::<f32>() * scale);
            }
        }
    }

    #[test]
    fn what_is_no_number_and_what_is_hardly_one() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; BLOCK];
            x[7] = bad;
            assert!(round(&x).1.is_nan());
        }
        let (q, scale) = round(&[f32::from_bits(1); BLOCK]);
        assert!(q == [0; BLOCK] && scale < f32::MIN_POSITIVE);
        let (q, scale) = round(&[f32::MAX; BLOCK]);
        assert!(q == [127; BLOCK] && scale.is_finite());
    }

    /// Compares a product with its definition, on every instruction set.
    fn check<F: IntFormat, const GROUPS: usize>(
        quants: &[F::Packed],
        value: impl Fn(&F::Packed, usize) -> f32,
        [rows, blocks, tokens]: [usize; 3],
        with_minima: bool,
    ) {
        let x = numbers(3, tokens * blocks * BLOCK);
        let rounded = Activations::new(&x, blocks * BLOCK);
        let scales = numbers(4, rows * blocks * GROUPS);
        let minima = if with_minima { numbers(5, rows * blocks * GROUPS) } else { Vec::new() };
        let weights = IntRows::<F, GROUPS> { quants, scales: &scales, minima: &minima };
        // Wider than there are rows: what lies between is left alone.
        let stride = rows + 3;
        let mut outs = [vec![7.0f32; tokens * stride], vec![7.0; tokens * stride]];
        dispatch(IntProduct { weights, x: &rounded, out: &mut outs[0], stride });
        IntProduct { weights, x: &rounded, out: &mut outs[1], stride }.run(Portable);
        for out in &outs {
            for (t, out) in out.chunks(stride).enumerate() {
                assert_eq!(out[rows..], [7.0; 3]);
                for (r, got) in out[..rows].iter().enumerate() {
                    let (mut sum, mut magnitude) = (0.0, 0.0);
                    for b in 0..blocks {
                        for i in 0..BLOCK {
                            let place = r * blocks + b;
                            let group = place * GROUPS + i * GROUPS / BLOCK;
                            let w = f64::from(scales[group] * value(&quants[place], i));
                            let w = w - minima.get(group).copied().map_or(0.0, f64::from);
                            let block = t * blocks + b;
                            let x = f64::from(rounded.quants[block][i]) * f64::from(rounded.scales[block]);
                            sum += w * x;
                            magnitude += (w * x).abs();
                        }
                    }
                    let error = (f64::from(*got) - sum).abs();
                    assert!(error <= 1e-6 * magnitude, "[{t}, {r}] of {rows} x {blocks}: {got}, not {sum}");
                }
            }
        }
    }

    #[test]
    fn products_are_those_of_the_rounded_activations() {
        for rows in [1, 3, 8, 16, 17, 37] {
            for blocks in [1, 2, 5] {
                let bytes = numbers(6, rows * blocks * BLOCK);
                let bytes: Vec<u8> = bytes.iter().map(|x| (x * 128.0).floor() as i8 as u8).collect();
                let (wide, half) = (bytes.as_chunks::<BLOCK>().0, bytes.as_chunks::<{ BLOCK / 2 }>().0);
                let byte = |q: &[u8; BLOCK], i: usize| f32::from(q[i].cast_signed());
                let nibble = |q: &[u8; BLOCK / 2], i: usize| f32::from(q[i % 16] >> (i / 16 * 4) & 15) - 8.0;
                for tokens in [1, 2, 3, 4, 5, 7, 8, 13] {
                    let shape = [rows, blocks, tokens];
                    check::<I8, 1>(wide, byte, shape, false);
                    check::<I8, 1>(wide, byte, shape, true);
                    check::<I8, 2>(wide, byte, shape, false);
                    check::<I8, 2>(wide, byte, shape, true);
                    check::<Nibbles, 1>(&half[..rows * blocks], nibble, shape, false);
                }
            }
        }
    }
}
