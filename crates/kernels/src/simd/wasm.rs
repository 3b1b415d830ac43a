//! WebAssembly with `simd128`, which the build requires (`.cargo/config.toml`).

use core::arch::wasm32::*;

use super::{BLOCK, EXP_LEAST, EXP_MOST, EXP_TERMS, Integers, LN_2, NEAREST, PAIRS, Simd};

#[cfg(feature = "relaxed-simd")]
pub(super) mod relaxed;

/// Fixed-width SIMD of WebAssembly. Present by construction: a module that has it either
/// validates as a whole or does not load.
#[derive(Clone, Copy)]
pub(crate) struct Simd128 {
    /// What is added to signed bytes before they are multiplied as bytes.
    #[cfg(feature = "relaxed-simd")]
    raised: u8,
}

impl Simd128 {
    /// For work without products of bytes.
    pub(super) fn new() -> Self {
        Self {
            #[cfg(feature = "relaxed-simd")]
            raised: 0,
        }
    }
}

const REGISTERS: usize = BLOCK / 4;
/// Independent sums.
const CHAINS: usize = 4;

/// Four finite halves, sign-extended to 32 bits, to `f32`; see [`super::f16_to_f32`].
#[inline(always)]
fn widen_f16(bits: v128) -> v128 {
    // The extension has put copies of the sign where the upper exponent bits come to lie.
    let shifted = v128_and(i32x4_shl(bits, 13), u32x4_splat(0x8fff_e000));
    f32x4_mul(shifted, f32x4_splat(f32::from_bits((127 + 112) << 23)))
}

/// Sixteen signed bytes to four registers of `f32`.
#[inline(always)]
fn widen_i8(bytes: v128) -> [v128; 4] {
    let low = i16x8_extend_low_i8x16(bytes);
    let high = i16x8_extend_high_i8x16(bytes);
    [
        f32x4_convert_i32x4(i32x4_extend_low_i16x8(low)),
        f32x4_convert_i32x4(i32x4_extend_high_i16x8(low)),
        f32x4_convert_i32x4(i32x4_extend_low_i16x8(high)),
        f32x4_convert_i32x4(i32x4_extend_high_i16x8(high)),
    ]
}

#[inline(always)]
fn join(a: [v128; 4], b: [v128; 4]) -> [v128; REGISTERS] {
    [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
}

/// Reads register `i` of an array of plain numbers.
#[inline(always)]
fn load<T: Copy, const N: usize>(x: &[T; N], i: usize) -> v128 {
    // The callers' `i` are constants after inlining, so this costs nothing.
    assert!((i + 1) * 16 <= N * size_of::<T>());
    // SAFETY: `v128.load` needs no alignment, and the 16 bytes lie inside the array.
    unsafe { v128_load(x.as_ptr().cast::<v128>().add(i)) }
}

/// Writes register `i` of a block.
#[inline(always)]
fn put(out: &mut [f32; BLOCK], i: usize, lanes: v128) {
    let out = &mut out[4 * i..][..4];
    // SAFETY: `v128.store` needs no alignment, and `out` has four numbers.
    unsafe { v128_store(out.as_mut_ptr().cast(), lanes) }
}

/// As [`super::exp`], lane by lane.
#[inline(always)]
fn exp(x: v128) -> v128 {
    let (most, least, nearest) = (f32x4_splat(EXP_MOST), f32x4_splat(EXP_LEAST), f32x4_splat(NEAREST));
    let x = v128_bitselect(most, x, f32x4_gt(x, most));
    let tiny = f32x4_lt(x, least);
    let x = v128_bitselect(least, x, tiny);
    let shifted = f32x4_add(f32x4_mul(x, f32x4_splat(std::f32::consts::LOG2_E)), nearest);
    let n = f32x4_sub(shifted, nearest);
    let r = f32x4_sub(x, f32x4_mul(n, f32x4_splat(LN_2[0])));
    let r = f32x4_sub(r, f32x4_mul(n, f32x4_splat(LN_2[1])));
    let mut p = f32x4_splat(EXP_TERMS[0]);
    for term in &EXP_TERMS[1..] {
        p = f32x4_add(f32x4_mul(p, r), f32x4_splat(*term));
    }
    let p = f32x4_add(f32x4_add(f32x4_mul(f32x4_mul(p, r), r), r), f32x4_splat(1.0));
    let exponent = i32x4_add(i32x4_sub(shifted, nearest), i32x4_splat(127));
    v128_andnot(f32x4_mul(p, i32x4_shl(exponent, 23)), tiny)
}

impl Simd for Simd128 {
    type Lanes = v128;
    type Sums = [v128; CHAINS];
    type Block = [v128; REGISTERS];

    #[inline(always)]
    fn zero(self) -> Self::Lanes {
        f32x4_splat(0.0)
    }

    #[inline(always)]
    fn scale_add(self, a: Self::Lanes, factor: f32, sum: Self::Lanes) -> Self::Lanes {
        f32x4_add(f32x4_mul(a, f32x4_splat(factor)), sum)
    }

    #[inline(always)]
    fn dot(self, a: Self::Block, x: &[f32; BLOCK], mut sum: Self::Lanes) -> Self::Lanes {
        for (i, a) in a.into_iter().enumerate() {
            sum = f32x4_add(f32x4_mul(a, load(x, i)), sum);
        }
        sum
    }

    #[inline(always)]
    fn start(self) -> Self::Sums {
        [self.zero(); CHAINS]
    }

    #[inline(always)]
    fn dot_wide(self, a: Self::Block, x: &[f32; BLOCK], mut sums: Self::Sums) -> Self::Sums {
        for (i, a) in a.into_iter().enumerate() {
            sums[i % CHAINS] = f32x4_add(f32x4_mul(a, load(x, i)), sums[i % CHAINS]);
        }
        sums
    }

    #[inline(always)]
    fn narrow(self, [a, b, c, d]: Self::Sums) -> Self::Lanes {
        f32x4_add(f32x4_add(a, b), f32x4_add(c, d))
    }

    #[inline(always)]
    fn sum(self, lanes: Self::Lanes) -> f32 {
        (f32x4_extract_lane::<0>(lanes) + f32x4_extract_lane::<1>(lanes))
            + (f32x4_extract_lane::<2>(lanes) + f32x4_extract_lane::<3>(lanes))
    }

    #[inline(always)]
    fn load_f32(self, x: &[f32; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (i, out) in out.iter_mut().enumerate() {
            *out = load(x, i);
        }
        out
    }

    #[inline(always)]
    fn load_f16(self, x: &[u16; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (i, pair) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let eight = load(x, i);
            pair[0] = widen_f16(i32x4_extend_low_i16x8(eight));
            pair[1] = widen_f16(i32x4_extend_high_i16x8(eight));
        }
        out
    }

    #[inline(always)]
    fn load_bf16(self, x: &[u16; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (i, pair) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let eight = load(x, i);
            pair[0] = u32x4_shl(u32x4_extend_low_u16x8(eight), 16);
            pair[1] = u32x4_shl(u32x4_extend_high_u16x8(eight), 16);
        }
        out
    }

    #[inline(always)]
    fn load_i8(self, x: &[u8; BLOCK]) -> Self::Block {
        join(widen_i8(load(x, 0)), widen_i8(load(x, 1)))
    }

    #[inline(always)]
    fn load_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Block {
        let bytes = load(x, 0);
        let eight = i8x16_splat(8);
        let low = i8x16_sub(v128_and(bytes, u8x16_splat(15)), eight);
        let high = i8x16_sub(u8x16_shr(bytes, 4), eight);
        join(widen_i8(low), widen_i8(high))
    }

    #[inline(always)]
    fn add_scaled(self, x: &[f32; BLOCK], factor: f32, out: &mut [f32; BLOCK]) {
        let factor = f32x4_splat(factor);
        for i in 0..REGISTERS {
            put(out, i, f32x4_add(load(out, i), f32x4_mul(load(x, i), factor)));
        }
    }

    #[inline(always)]
    fn exp(self, x: &mut [f32; BLOCK]) {
        for i in 0..REGISTERS {
            put(x, i, exp(load(x, i)));
        }
    }

    #[inline(always)]
    fn silu(self, x: &[f32; BLOCK], out: &mut [f32; BLOCK]) {
        for i in 0..REGISTERS {
            let x = load(x, i);
            let gate = f32x4_div(x, f32x4_add(f32x4_splat(1.0), exp(f32x4_neg(x))));
            put(out, i, f32x4_mul(load(out, i), gate));
        }
    }

    #[inline(always)]
    fn store(self, block: Self::Block, factor: f32, out: &mut [f32; BLOCK]) {
        let factor = f32x4_splat(factor);
        for (i, lanes) in block.into_iter().enumerate() {
            put(out, i, f32x4_mul(lanes, factor));
        }
    }
}

/// Signed bytes to 16 bits.
#[inline(always)]
fn widen_bytes(low: v128, high: v128) -> [v128; 4] {
    [
        i16x8_extend_low_i8x16(low),
        i16x8_extend_high_i8x16(low),
        i16x8_extend_low_i8x16(high),
        i16x8_extend_high_i8x16(high),
    ]
}

/// Words `[row][register][lane]` of four rows to `[register * 4 + lane][row]`.
#[inline(always)]
fn deal<const N: usize>(rows: &[[v128; N]], out: &mut [v128]) {
    for (i, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let [a, b, c, d] = [rows[0][i], rows[1][i], rows[2][i], rows[3][i]];
        let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
        out[0] = i64x2_shuffle::<0, 2>(ab, cd);
        out[1] = i64x2_shuffle::<1, 3>(ab, cd);
        let (ab, cd) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        out[2] = i64x2_shuffle::<0, 2>(ab, cd);
        out[3] = i64x2_shuffle::<1, 3>(ab, cd);
    }
}

impl Integers for Simd128 {
    type Ints = [v128; 4];
    type Counts = v128;
    const LANES: usize = 4;

    #[inline(always)]
    fn ints(self, x: &[u8; BLOCK]) -> Self::Ints {
        widen_bytes(load(x, 0), load(x, 1))
    }

    #[inline(always)]
    fn int_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Ints {
        let bytes = load(x, 0);
        let (mask, eight) = (u8x16_splat(15), i8x16_splat(8));
        // A shift of 16 bits and a mask are cheaper than the shift of bytes that no x86 has.
        let high = v128_and(u16x8_shr(bytes, 4), mask);
        widen_bytes(i8x16_sub(v128_and(bytes, mask), eight), i8x16_sub(high, eight))
    }

    #[inline(always)]
    fn dot_half(self, w: Self::Ints, x: &[i16; BLOCK], half: usize) -> Self::Counts {
        i32x4_add(
            i32x4_dot_i16x8(w[2 * half], load(x, 2 * half)),
            i32x4_dot_i16x8(w[2 * half + 1], load(x, 2 * half + 1)),
        )
    }

    #[inline(always)]
    fn no_counts(self) -> Self::Counts {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn add_counts(self, a: Self::Counts, b: Self::Counts) -> Self::Counts {
        i32x4_add(a, b)
    }

    #[inline(always)]
    fn scale_counts(self, a: Self::Counts, factor: Self::Lanes, sum: Self::Lanes) -> Self::Lanes {
        f32x4_add(f32x4_mul(f32x4_convert_i32x4(a), factor), sum)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        f32x4_splat(value)
    }

    #[inline(always)]
    fn interleave(self, rows: &[Self::Ints], out: &mut [Self::Counts; PAIRS]) {
        deal(rows, out);
    }

    #[inline(always)]
    fn add_pair(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        i32x4_add(sum, i32x4_dot_i16x8(w, x))
    }

    #[inline(always)]
    fn splat_pair(self, x: &[i16; 2]) -> Self::Counts {
        // SAFETY: `v128.load32_splat` needs no alignment and reads the four bytes of `x`.
        unsafe { v128_load32_splat(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat_count(self, value: i32) -> Self::Counts {
        i32x4_splat(value)
    }

    #[inline(always)]
    fn multiply(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn subtract(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        f32x4_sub(a, b)
    }

    #[inline(always)]
    fn largest(self, x: &[f32; BLOCK]) -> u32 {
        let mut most = i32x4_splat(0);
        for i in 0..REGISTERS {
            most = u32x4_max(most, v128_and(load(x, i), u32x4_splat(0x7fff_ffff)));
        }
        let two = u32x4_max(most, i64x2_shuffle::<1, 0>(most, most));
        u32x4_extract_lane::<0>(two).max(u32x4_extract_lane::<1>(two))
    }

    #[inline(always)]
    fn round(self, x: &[f32; BLOCK], steps: f32) -> Self::Ints {
        let near = |i: usize| {
            let nearest = f32x4_splat(NEAREST);
            i32x4_sub(f32x4_add(f32x4_mul(load(x, i), f32x4_splat(steps)), nearest), nearest)
        };
        [
            i16x8_narrow_i32x4(near(0), near(1)),
            i16x8_narrow_i32x4(near(2), near(3)),
            i16x8_narrow_i32x4(near(4), near(5)),
            i16x8_narrow_i32x4(near(6), near(7)),
        ]
    }

    #[inline(always)]
    fn sum_half(self, x: Self::Ints, half: usize) -> i32 {
        let ones = i16x8_splat(1);
        let four = i32x4_add(i32x4_dot_i16x8(x[2 * half], ones), i32x4_dot_i16x8(x[2 * half + 1], ones));
        let two = i32x4_add(four, i64x2_shuffle::<1, 0>(four, four));
        i32x4_extract_lane::<0>(two) + i32x4_extract_lane::<1>(two)
    }

    #[inline(always)]
    fn store_ints(self, x: Self::Ints, out: &mut [i16; BLOCK]) {
        for (x, out) in x.into_iter().zip(out.as_chunks_mut::<8>().0) {
            // SAFETY: `v128.store` needs no alignment, and `out` has eight numbers.
            unsafe { v128_store(out.as_mut_ptr().cast(), x) }
        }
    }

    #[inline(always)]
    fn store_bytes(self, x: Self::Ints, out: &mut [i8; BLOCK]) {
        for (x, out) in x.as_chunks::<2>().0.iter().zip(out.as_chunks_mut::<16>().0) {
            // SAFETY: `v128.store` needs no alignment, and `out` has sixteen numbers.
            unsafe { v128_store(out.as_mut_ptr().cast(), i8x16_narrow_i16x8(x[0], x[1])) }
        }
    }

    #[inline(always)]
    fn load_lanes(self, x: &[f32]) -> Self::Lanes {
        f32x4(x[0], x[1], x[2], x[3])
    }

    #[inline(always)]
    fn store_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out = &mut out[..4];
        // SAFETY: `v128.store` needs no alignment, and `out` has four numbers.
        unsafe { v128_store(out.as_mut_ptr().cast(), lanes) }
    }
}
