//! x86-64 with AVX2, FMA and F16C (Haswell, Zen and later).

use core::arch::x86_64::*;

use super::{BLOCK, ByteKernel, Integers, Kernel, PAIRS, Simd};

mod bytes;

/// Proof that the machine has AVX2, FMA and F16C, and AVX-VNNI where `VNNI` says so (Alder Lake, Zen 5
/// and later); made by `detect` only.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const VNNI: bool>(());

const REGISTERS: usize = BLOCK / 8;
/// Independent sums: an addition takes four cycles and two can start in each.
const CHAINS: usize = 4;

impl Avx2<false> {
    /// The proof, where the machine has what it takes (asked once, then remembered by std).
    pub(super) fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        present.then_some(Self(()))
    }

    /// Compiles and runs a kernel with the features on.
    pub(super) fn enter<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn inner<K: Kernel>(simd: Avx2<false>, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: `self` exists, so the machine has all three features.
        unsafe { inner(self, kernel) }
    }
}

impl Avx2<true> {
    /// The proof, where the machine has what it takes.
    pub(super) fn detect() -> Option<Self> {
        let present = Avx2::<false>::detect().is_some() && is_x86_feature_detected!("avxvnni");
        present.then_some(Self(()))
    }

    /// Compiles and runs a kernel of bytes with the features on.
    pub(super) fn enter_bytes<K: ByteKernel>(self, kernel: K) {
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        fn inner<K: ByteKernel>(simd: Avx2<true>, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: `self` exists, so the machine has all four features.
        unsafe { inner(self, kernel) }
    }
}

/// The lower eight signed bytes as `f32`.
#[target_feature(enable = "avx2")]
#[inline]
fn widen(bytes: __m128i) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))
}

// SAFETY of the blocks below: `self` proves the features that the intrinsics need, and every
// pointer comes from a reference to an array that is at least as long as what is accessed;
// the loads and stores are the unaligned ones.
impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type Lanes = __m256;
    type Sums = [__m256; CHAINS];
    type Block = [__m256; REGISTERS];

    #[inline(always)]
    fn zero(self) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    fn scale_add(self, a: Self::Lanes, factor: f32, sum: Self::Lanes) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_ps(a, _mm256_set1_ps(factor), sum) }
    }

    #[inline(always)]
    fn dot(self, a: Self::Block, x: &[f32; BLOCK], mut sum: Self::Lanes) -> Self::Lanes {
        for (a, x) in a.into_iter().zip(x.as_chunks::<8>().0) {
            // SAFETY: see above.
            sum = unsafe { _mm256_fmadd_ps(a, _mm256_loadu_ps(x.as_ptr()), sum) };
        }
        sum
    }

    #[inline(always)]
    fn start(self) -> Self::Sums {
        [self.zero(); CHAINS]
    }

    #[inline(always)]
    fn dot_wide(self, a: Self::Block, x: &[f32; BLOCK], mut sums: Self::Sums) -> Self::Sums {
        let x = self.load_f32(x);
        for i in 0..CHAINS {
            // SAFETY: see above.
            sums[i] = unsafe { _mm256_fmadd_ps(a[i], x[i], sums[i]) };
        }
        sums
    }

    #[inline(always)]
    fn narrow(self, [a, b, c, d]: Self::Sums) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)) }
    }

    #[inline(always)]
    fn sum(self, lanes: Self::Lanes) -> f32 {
        // SAFETY: see above.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn load_f32(self, x: &[f32; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (x, out) in x.as_chunks::<8>().0.iter().zip(&mut out) {
            // SAFETY: see above.
            *out = unsafe { _mm256_loadu_ps(x.as_ptr()) };
        }
        out
    }

    #[inline(always)]
    fn load_f16(self, x: &[u16; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (x, out) in x.as_chunks::<8>().0.iter().zip(&mut out) {
            // SAFETY: see above.
            *out = unsafe { _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().cast())) };
        }
        out
    }

    #[inline(always)]
    fn load_bf16(self, x: &[u16; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (x, out) in x.as_chunks::<8>().0.iter().zip(&mut out) {
            // SAFETY: see above.
            unsafe {
                let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(x.as_ptr().cast()));
                *out = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits));
            }
        }
        out
    }

    #[inline(always)]
    fn load_i8(self, x: &[u8; BLOCK]) -> Self::Block {
        let mut out = [self.zero(); REGISTERS];
        for (x, out) in x.as_chunks::<8>().0.iter().zip(&mut out) {
            // SAFETY: see above.
            *out = unsafe { widen(_mm_loadl_epi64(x.as_ptr().cast())) };
        }
        out
    }

    #[inline(always)]
    fn load_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Block {
        // SAFETY: see above; the one load reads all 16 bytes.
        unsafe {
            let bytes = _mm_loadu_si128(x.as_ptr().cast());
            let mask = _mm_set1_epi8(15);
            let eight = _mm_set1_epi8(8);
            let low = _mm_sub_epi8(_mm_and_si128(bytes, mask), eight);
            let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), mask);
            let high = _mm_sub_epi8(high, eight);
            [widen(low), widen(_mm_srli_si128::<8>(low)), widen(high), widen(_mm_srli_si128::<8>(high))]
        }
    }

    #[inline(always)]
    fn store(self, block: Self::Block, factor: f32, out: &mut [f32; BLOCK]) {
        for (lanes, out) in block.into_iter().zip(out.as_chunks_mut::<8>().0) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_mul_ps(lanes, _mm256_set1_ps(factor))) }
        }
    }
}

impl<const VNNI: bool> Integers for Avx2<VNNI> {
    type Ints = [__m256i; 2];
    type Counts = __m256i;
    const LANES: usize = 8;

    #[inline(always)]
    fn ints(self, x: &[u8; BLOCK]) -> Self::Ints {
        let mut out = [self.no_counts(); 2];
        for (x, out) in x.as_chunks::<16>().0.iter().zip(&mut out) {
            // SAFETY: see above.
            *out = unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(x.as_ptr().cast())) };
        }
        out
    }

    #[inline(always)]
    fn int_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Ints {
        // SAFETY: see above; the one load reads all 16 bytes.
        unsafe {
            let bytes = _mm_loadu_si128(x.as_ptr().cast());
            let (mask, eight) = (_mm_set1_epi8(15), _mm256_set1_epi16(8));
            let low = _mm256_cvtepi8_epi16(_mm_and_si128(bytes, mask));
            let high = _mm256_cvtepi8_epi16(_mm_and_si128(_mm_srli_epi16::<4>(bytes), mask));
            [_mm256_sub_epi16(low, eight), _mm256_sub_epi16(high, eight)]
        }
    }

    #[inline(always)]
    fn dot_half(self, w: Self::Ints, x: &[i16; BLOCK], half: usize) -> Self::Counts {
        let x = &x.as_chunks::<16>().0[half];
        // SAFETY: see above.
        unsafe { _mm256_madd_epi16(w[half], _mm256_loadu_si256(x.as_ptr().cast())) }
    }

    #[inline(always)]
    fn no_counts(self) -> Self::Counts {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn add_counts(self, a: Self::Counts, b: Self::Counts) -> Self::Counts {
        // SAFETY: see above.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn scale_counts(self, a: Self::Counts, factor: Self::Lanes, sum: Self::Lanes) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_ps(_mm256_cvtepi32_ps(a), factor, sum) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn interleave(self, rows: &[Self::Ints], out: &mut [Self::Counts; PAIRS]) {
        let rows: &[Self::Ints; 8] = rows.first_chunk().expect("as many rows as lanes");
        for (half, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            // SAFETY: see above.
            *out = unsafe { transpose(rows.map(|row| row[half])) };
        }
    }

    #[inline(always)]
    fn add_pair(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts {
        // SAFETY: see above.
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(w, x)) }
    }

    #[inline(always)]
    fn splat_pair(self, &[low, high]: &[i16; 2]) -> Self::Counts {
        let pair = i32::from(high) << 16 | i32::from(low) & 0xffff;
        // SAFETY: see above.
        unsafe { _mm256_set1_epi32(pair) }
    }

    #[inline(always)]
    fn splat_count(self, value: i32) -> Self::Counts {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    fn multiply(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn subtract(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // SAFETY: see above.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn largest(self, x: &[f32; BLOCK]) -> u32 {
        let x = self.load_f32(x);
        // SAFETY: see above.
        unsafe {
            let magnitude = |x| _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fff_ffff));
            let mut most = magnitude(x[0]);
            for x in &x[1..] {
                most = _mm256_max_epu32(most, magnitude(*x));
            }
            let four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256::<1>(most));
            let two = _mm_max_epu32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            let one = _mm_max_epu32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two));
            _mm_cvtsi128_si32(one).cast_unsigned()
        }
    }

    #[inline(always)]
    fn round(self, x: &[f32; BLOCK], steps: f32) -> Self::Ints {
        let x = self.load_f32(x);
        // SAFETY: see above.
        unsafe {
            let near = |x| _mm256_cvtps_epi32(_mm256_mul_ps(x, _mm256_set1_ps(steps)));
            // Packed by halves of the registers: 0 2 1 3.
            let pack = |a, b| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(near(a), near(b)));
            [pack(x[0], x[1]), pack(x[2], x[3])]
        }
    }

    #[inline(always)]
    fn sum_half(self, x: Self::Ints, half: usize) -> i32 {
        // SAFETY: see above.
        unsafe {
            let eight = _mm256_madd_epi16(x[half], _mm256_set1_epi16(1));
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
        }
    }

    #[inline(always)]
    fn store_ints(self, x: Self::Ints, out: &mut [i16; BLOCK]) {
        for (x, out) in x.into_iter().zip(out.as_chunks_mut::<16>().0) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), x) }
        }
    }

    #[inline(always)]
    fn store_bytes(self, [a, b]: Self::Ints, out: &mut [i8; BLOCK]) {
        // SAFETY: see above. Packed by halves of the registers: 0 2 1 3.
        unsafe {
            let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(a, b));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn load_lanes(self, x: &[f32]) -> Self::Lanes {
        let x = &x[..8];
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn store_lanes(self, lanes: Self::Lanes, out: &mut [f32]) {
        let out = &mut out[..8];
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), lanes) }
    }
}

/// Words `[row][lane]` to `[lane][row]`.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(r: [__m256i; 8]) -> [__m256i; 8] {
    let mut out = r;
    // Words 0 1 4 5 and 2 3 6 7 of two rows, then of four, then of all eight.
    let two = |a, b| (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let four = |a, b| (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let ((a0, a1), (b0, b1)) = (two(r[0], r[1]), two(r[2], r[3]));
    let ((c0, c1), (d0, d1)) = (two(r[4], r[5]), two(r[6], r[7]));
    let ((p0, p1), (p2, p3)) = (four(a0, b0), four(a1, b1));
    let ((q0, q1), (q2, q3)) = (four(c0, d0), four(c1, d1));
    for (i, (p, q)) in [(p0, q0), (p1, q1), (p2, q2), (p3, q3)].into_iter().enumerate() {
        out[i] = _mm256_permute2x128_si256::<0x20>(p, q);
        out[i + 4] = _mm256_permute2x128_si256::<0x31>(p, q);
    }
    out
}
