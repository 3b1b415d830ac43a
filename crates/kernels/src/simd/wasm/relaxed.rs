//! Products of bytes by relaxed SIMD, in the module for browsers that have it.
//!
//! A second factor of 128 and more is taken as signed or unsigned, and sums of two products may be cut
//! off at 16 bits, as is quickest on the machine; but always in the same way, so [`detect`] asks once.

use core::arch::wasm32::*;
use core::hint::black_box;
use std::sync::OnceLock;

use super::super::{BLOCK, ByteKernel, Bytes, QUADS};
use super::{Simd128, deal, load};

/// What is added to signed bytes so that products with them are right.
static RAISED: OnceLock<Option<u8>> = OnceLock::new();

/// What this machine does with large second factors.
fn ask() -> Option<u8> {
    let product = |w: u8, x: i8| {
        let (w, x) = (u8x16_splat(black_box(w)), i8x16_splat(black_box(x)));
        i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(x, w, i32x4_splat(0)))
    };
    let is = |value: fn(u8) -> i32| {
        [(255, 127), (255, -128), (128, -128), (128, 127)]
            .into_iter()
            .all(|(w, x)| product(w, x) == 4 * value(w) * i32::from(x))
    };
    match () {
        () if is(i32::from) => Some(128),
        () if is(|w| i32::from(w.cast_signed())) => Some(0),
        () => None,
    }
}

/// Whether the machine has one instruction for these products: then nothing is cut off.
pub(in crate::simd) fn detect() -> bool {
    RAISED.get_or_init(ask).is_some()
}

/// Runs a kernel, where [`detect`] has found the instruction.
pub(in crate::simd) fn enter<K: ByteKernel>(kernel: K) {
    #[target_feature(enable = "relaxed-simd")]
    fn inner<K: ByteKernel>(simd: Simd128, kernel: K) {
        kernel.run(simd);
    }
    let raised = RAISED.get_or_init(ask).expect("asked before precisions are chosen");
    inner(Simd128 { raised }, kernel);
}

impl Bytes for Simd128 {
    type Bytes = [v128; 2];

    #[inline(always)]
    fn raised(self) -> i32 {
        i32::from(self.raised)
    }

    #[inline(always)]
    fn bytes(self, x: &[u8; BLOCK]) -> Self::Bytes {
        // 0 or 128: to add is to turn the highest bit.
        let raised = u8x16_splat(self.raised);
        [v128_xor(load(x, 0), raised), v128_xor(load(x, 1), raised)]
    }

    #[inline(always)]
    fn byte_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Bytes {
        let (bytes, mask) = (load(x, 0), u8x16_splat(15));
        // A shift of 16 bits and a mask are cheaper than the shift of bytes that no x86 has.
        [v128_and(bytes, mask), v128_and(u16x8_shr(bytes, 4), mask)]
    }

    #[inline(always)]
    fn dot_bytes(self, w: Self::Bytes, x: &[i8; BLOCK], start: i32) -> Self::Counts {
        let first = self.add_quad(i32x4_replace_lane::<0>(i32x4_splat(0), start), w[0], load(x, 0));
        self.add_quad(first, w[1], load(x, 1))
    }

    #[inline(always)]
    fn deal_bytes(self, rows: &[Self::Bytes], out: &mut [Self::Counts; QUADS]) {
        deal(rows, out);
    }

    #[inline(always)]
    fn add_quad(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        i32x4_relaxed_dot_i8x16_i7x16_add(x, w, sum)
    }

    #[inline(always)]
    fn splat_quad(self, x: &[i8; 4]) -> Self::Counts {
        // SAFETY: `v128.load32_splat` needs no alignment and reads the four bytes of `x`.
        unsafe { v128_load32_splat(x.as_ptr().cast()) }
    }
}
