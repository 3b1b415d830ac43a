//! Products of bytes.

use core::arch::x86_64::*;

use super::super::{BLOCK, Bytes, Integers, QUADS};
use super::{Avx2, transpose};

// SAFETY of the blocks below: as for the implementation of `Simd`.
impl Bytes for Avx2<true> {
    type Bytes = __m256i;

    #[inline(always)]
    fn raised(self) -> i32 {
        128
    }

    #[inline(always)]
    fn bytes(self, x: &[u8; BLOCK]) -> Self::Bytes {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(_mm256_loadu_si256(x.as_ptr().cast()), _mm256_set1_epi8(-128)) }
    }

    #[inline(always)]
    fn byte_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Bytes {
        // SAFETY: see above; the one load reads all 16 bytes.
        unsafe {
            let bytes = _mm_loadu_si128(x.as_ptr().cast());
            let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        }
    }

    #[inline(always)]
    fn dot_bytes(self, w: Self::Bytes, x: &[i8; BLOCK], start: i32) -> Self::Counts {
        // SAFETY: see above.
        unsafe {
            let start = _mm256_zextsi128_si256(_mm_cvtsi32_si128(start));
            self.add_quad(start, w, _mm256_loadu_si256(x.as_ptr().cast()))
        }
    }

    #[inline(always)]
    fn deal_bytes(self, rows: &[Self::Bytes], out: &mut [Self::Counts; QUADS]) {
        // SAFETY: see above.
        *out = unsafe { transpose(*rows.first_chunk().expect("as many rows as lanes")) };
    }

    #[inline(always)]
    fn add_quad(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        // SAFETY: see above.
        unsafe { _mm256_dpbusd_avx_epi32(sum, w, x) }
    }

    #[inline(always)]
    fn splat_quad(self, x: &[i8; 4]) -> Self::Counts {
        self.splat_count(i32::from_le_bytes(x.map(i8::cast_unsigned)))
    }
}
