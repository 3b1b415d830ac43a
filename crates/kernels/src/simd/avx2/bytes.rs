//! Products of bytes.

use core::arch::x86_64::*;

use super::super::{BLOCK, Bytes, Integers, QUADS};
use super::{Avx2, transpose};

// SAFETY of the blocks below: as for the implementation of `Simd`.
impl<const VNNI: bool> Bytes for Avx2<VNNI> {
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
        // SAFETY: see above; `VNNI` proves the instruction of that name.
        unsafe {
            if VNNI {
                return _mm256_dpbusd_avx_epi32(sum, w, x);
            }
            // Sums of two products of a weight below 128 fit in 16 bits.
            let pairs = _mm256_maddubs_epi16(w, x);
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    fn splat_quad(self, x: &[i8; 4]) -> Self::Counts {
        self.splat_count(i32::from_le_bytes(x.map(i8::cast_unsigned)))
    }
}
