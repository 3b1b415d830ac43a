//! Plain arrays: the reference for the other instruction sets, and what runs without them.

use super::{BLOCK, Bytes, Integers, NEAREST, PAIRS, QUADS, Simd, bf16_to_f32, f16_to_f32};

/// No instruction set in particular.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// Independent sums, so that the compiler may keep them in a vector register.
const LANES: usize = 8;

impl Simd for Portable {
    type Lanes = [f32; LANES];
    type Sums = [f32; LANES];
    type Block = [f32; BLOCK];

    #[inline(always)]
    fn zero(self) -> Self::Lanes {
        [0.0; LANES]
    }

    #[inline(always)]
    fn scale_add(self, a: Self::Lanes, factor: f32, sum: Self::Lanes) -> Self::Lanes {
        core::array::from_fn(|lane| a[lane] * factor + sum[lane])
    }

    #[inline(always)]
    fn dot(self, a: Self::Block, x: &[f32; BLOCK], mut sum: Self::Lanes) -> Self::Lanes {
        for (a, x) in a.as_chunks::<LANES>().0.iter().zip(x.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                sum[lane] += a[lane] * x[lane];
            }
        }
        sum
    }

    #[inline(always)]
    fn start(self) -> Self::Sums {
        self.zero()
    }

    #[inline(always)]
    fn dot_wide(self, a: Self::Block, x: &[f32; BLOCK], sums: Self::Sums) -> Self::Sums {
        self.dot(a, x, sums)
    }

    #[inline(always)]
    fn narrow(self, sums: Self::Sums) -> Self::Lanes {
        sums
    }

    #[inline(always)]
    fn sum(self, lanes: Self::Lanes) -> f32 {
        lanes.iter().sum()
    }

    #[inline(always)]
    fn load_f32(self, x: &[f32; BLOCK]) -> Self::Block {
        *x
    }

    #[inline(always)]
    fn load_f16(self, x: &[u16; BLOCK]) -> Self::Block {
        x.map(f16_to_f32)
    }

    #[inline(always)]
    fn load_bf16(self, x: &[u16; BLOCK]) -> Self::Block {
        x.map(bf16_to_f32)
    }

    #[inline(always)]
    fn load_i8(self, x: &[u8; BLOCK]) -> Self::Block {
        x.map(|byte| f32::from(byte as i8))
    }

    #[inline(always)]
    fn load_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Block {
        let mut out = [0.0; BLOCK];
        for (i, byte) in x.iter().enumerate() {
            out[i] = f32::from(byte & 15) - 8.0;
            out[i + BLOCK / 2] = f32::from(byte >> 4) - 8.0;
        }
        out
    }

    #[inline(always)]
    fn store(self, block: Self::Block, factor: f32, out: &mut [f32; BLOCK]) {
        for (out, value) in out.iter_mut().zip(block) {
            *out = value * factor;
        }
    }
}

impl Integers for Portable {
    type Ints = [i16; BLOCK];
    type Counts = [i32; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    fn ints(self, x: &[u8; BLOCK]) -> Self::Ints {
        x.map(|byte| i16::from(byte.cast_signed()))
    }

    #[inline(always)]
    fn int_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Ints {
        core::array::from_fn(|i| i16::from(x[i % 16] >> (i / 16 * 4) & 15) - 8)
    }

    #[inline(always)]
    fn dot_half(self, w: Self::Ints, x: &[i16; BLOCK], half: usize) -> Self::Counts {
        let product = |i: usize| i32::from(w[i]) * i32::from(x[i]);
        core::array::from_fn(|lane| product(16 * half + lane) + product(16 * half + LANES + lane))
    }

    #[inline(always)]
    fn no_counts(self) -> Self::Counts {
        [0; LANES]
    }

    #[inline(always)]
    fn add_counts(self, a: Self::Counts, b: Self::Counts) -> Self::Counts {
        core::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn scale_counts(self, a: Self::Counts, factor: Self::Lanes, sum: Self::Lanes) -> Self::Lanes {
        core::array::from_fn(|lane| a[lane] as f32 * factor[lane] + sum[lane])
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        [value; LANES]
    }

    #[inline(always)]
    fn interleave(self, rows: &[Self::Ints], out: &mut [Self::Counts; PAIRS]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = core::array::from_fn(|lane| pair([rows[lane][2 * i], rows[lane][2 * i + 1]]));
        }
    }

    #[inline(always)]
    fn add_pair(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        let high = |pair: i32| pair >> 16;
        let low = |pair: i32| i32::from(pair as i16);
        core::array::from_fn(|lane| sum[lane] + low(w[lane]) * low(x[lane]) + high(w[lane]) * high(x[lane]))
    }

    #[inline(always)]
    fn splat_pair(self, x: &[i16; 2]) -> Self::Counts {
        [pair(*x); LANES]
    }

    #[inline(always)]
    fn splat_count(self, value: i32) -> Self::Counts {
        [value; LANES]
    }

    #[inline(always)]
    fn multiply(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        core::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn subtract(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        core::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn largest(self, x: &[f32; BLOCK]) -> u32 {
        x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff))
    }

    #[inline(always)]
    fn round(self, x: &[f32; BLOCK], steps: f32) -> Self::Ints {
        x.map(|x| (x * steps + NEAREST).to_bits() as i16)
    }

    #[inline(always)]
    fn sum_half(self, x: Self::Ints, half: usize) -> i32 {
        x[16 * half..][..16].iter().map(|x| i32::from(*x)).sum()
    }

    #[inline(always)]
    fn store_ints(self, x: Self::Ints, out: &mut [i16; BLOCK]) {
        *out = x;
    }

    #[inline(always)]
    fn store_bytes(self, x: Self::Ints, out: &mut [i8; BLOCK]) {
        *out = x.map(|x| x as i8);
    }

    #[inline(always)]
    fn load_lanes(self, x: &[f32]) -> Self::Lanes {
        core::array::from_fn(|lane| x[lane])
    }

    #[inline(always)]
    fn store_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        out[..LANES].copy_from_slice(&lanes);
    }
}

impl Bytes for Portable {
    type Bytes = [i8; BLOCK];

    #[inline(always)]
    fn raised(self) -> i32 {
        0
    }

    #[inline(always)]
    fn bytes(self, x: &[u8; BLOCK]) -> Self::Bytes {
        x.map(u8::cast_signed)
    }

    #[inline(always)]
    fn byte_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Bytes {
        core::array::from_fn(|i| (x[i % 16] >> (i / 16 * 4) & 15).cast_signed())
    }

    #[inline(always)]
    fn dot_bytes(self, w: Self::Bytes, x: &[i8; BLOCK], start: i32) -> Self::Counts {
        let product = |i: usize| i32::from(w[i]) * i32::from(x[i]);
        let mut counts: Self::Counts =
            core::array::from_fn(|lane| (0..4).map(|i| product(4 * lane + i)).sum());
        counts[0] += start;
        counts
    }

    #[inline(always)]
    fn deal_bytes(self, rows: &[Self::Bytes], out: &mut [Self::Counts; QUADS]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = core::array::from_fn(|lane| quad(rows[lane].as_chunks::<4>().0[i]));
        }
    }

    #[inline(always)]
    fn add_quad(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        let byte = |word: i32, i: usize| i32::from(word.to_le_bytes()[i].cast_signed());
        let products = |lane: usize| (0..4).map(|i| byte(w[lane], i) * byte(x[lane], i)).sum::<i32>();
        core::array::from_fn(|lane| sum[lane] + products(lane))
    }

    #[inline(always)]
    fn splat_quad(self, x: &[i8; 4]) -> Self::Counts {
        [quad(*x); LANES]
    }
}

/// Four bytes in one word, the first in its lowest.
#[inline(always)]
fn quad(bytes: [i8; 4]) -> i32 {
    i32::from_le_bytes(bytes.map(i8::cast_unsigned))
}

/// Two numbers in one word, the first in its low half.
#[inline(always)]
fn pair([low, high]: [i16; 2]) -> i32 {
    i32::from(high) << 16 | i32::from(low) & 0xffff
}
