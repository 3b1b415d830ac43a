//! Plain arrays: the reference for the other instruction sets, and what runs without them.

use super::{BLOCK, Simd, bf16_to_f32, f16_to_f32};

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
