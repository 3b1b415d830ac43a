//! A small safe abstraction over SIMD: just what the CPU kernels need, in units of one
//! quantisation block.
//!
//! A kernel is written once against [`Simd`] and run by [`dispatch`], which picks the best
//! instruction set of the machine: `simd128` in WebAssembly (decided at compile time), AVX2 with
//! FMA and F16C on x86-64 (decided at run time), and otherwise plain arrays that the compiler
//! vectorises for the baseline of the target (NEON on AArch64).

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

pub(crate) use portable::Portable;

/// Elements in a block: the quantisation block of Q8_0 and Q4_0, and the step of every kernel.
pub(crate) const BLOCK: usize = 32;

/// An instruction set. A value is proof that the machine has it.
///
/// Every method is `#[inline(always)]`, so that it ends up inside the `target_feature` function
/// that [`dispatch`] enters.
pub(crate) trait Simd: Copy {
    /// One register of `f32` partial sums.
    type Lanes: Copy;
    /// Several such registers, so that one addition need not wait for the last.
    type Sums: Copy;
    /// A block of 32 `f32` in registers.
    type Block: Copy;

    /// All lanes zero.
    fn zero(self) -> Self::Lanes;
    /// `a * factor + sum`, lane by lane; fused where the hardware fuses.
    fn scale_add(self, a: Self::Lanes, factor: f32, sum: Self::Lanes) -> Self::Lanes;
    /// Adds the products of a block and one in memory to `sum`, spread over its lanes.
    fn dot(self, a: Self::Block, x: &[f32; BLOCK], sum: Self::Lanes) -> Self::Lanes;
    /// All sums zero.
    fn start(self) -> Self::Sums;
    /// As [`Self::dot`], spread over several registers.
    fn dot_wide(self, a: Self::Block, x: &[f32; BLOCK], sums: Self::Sums) -> Self::Sums;
    /// Several registers added to one.
    fn narrow(self, sums: Self::Sums) -> Self::Lanes;
    /// The sum of all lanes.
    fn sum(self, lanes: Self::Lanes) -> f32;

    /// Loads 32 `f32`.
    fn load_f32(self, x: &[f32; BLOCK]) -> Self::Block;
    /// Loads 32 IEEE half-precision values given by their bits. Exact for finite ones only: the
    /// storage keeps others apart.
    fn load_f16(self, x: &[u16; BLOCK]) -> Self::Block;
    /// Loads 32 bfloat16 values given by their bits.
    fn load_bf16(self, x: &[u16; BLOCK]) -> Self::Block;
    /// Loads 32 signed bytes.
    fn load_i8(self, x: &[u8; BLOCK]) -> Self::Block;
    /// Loads 32 unsigned nibbles less 8: low nibbles are elements 0..16, high ones 16..32.
    fn load_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Block;
    /// Writes a block times `factor`.
    fn store(self, block: Self::Block, factor: f32, out: &mut [f32; BLOCK]);

    // What follows compilers turn into vector code natively. The site's build for size does not, so that
    // WebAssembly says how.

    /// Adds a block times `factor`.
    #[inline(always)]
    fn add_scaled(self, x: &[f32; BLOCK], factor: f32, out: &mut [f32; BLOCK]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out += x * factor;
        }
    }

    /// `e^x` of each number; see [`exp`].
    #[inline(always)]
    fn exp(self, x: &mut [f32; BLOCK]) {
        for x in x {
            *x = exp(*x);
        }
    }

    /// Multiplies each number of `out` with `x * sigmoid(x)`.
    #[inline(always)]
    fn silu(self, x: &[f32; BLOCK], out: &mut [f32; BLOCK]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out *= x / (1.0 + exp(-x));
        }
    }
}

/// `e^x`, to within two units in the last place; 0 below the smallest normal number, and at most 2.2e38. By the way of
/// Cody and Waite (1980): `2^n` times a polynomial (that of Cephes' `expf`) in what is left.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Comparisons, not `clamp` of a maximum: a NaN stays one.
    let x = if x > EXP_MOST { EXP_MOST } else { x };
    let tiny = x < EXP_LEAST;
    let x = if tiny { EXP_LEAST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + NEAREST;
    let n = shifted - NEAREST;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mut p = EXP_TERMS[0];
    for term in &EXP_TERMS[1..] {
        p = p * r + term;
    }
    let p = p * r * r + r + 1.0;
    let exponent = (shifted.to_bits().wrapping_sub(NEAREST.to_bits())).wrapping_add(127);
    let result = p * f32::from_bits(exponent << 23);
    if tiny { 0.0 } else { result }
}

/// Above this [`exp`] grows no more.
const EXP_MOST: f32 = 88.3;
/// Below this it is 0.
const EXP_LEAST: f32 = -87.3;
/// ln 2 in two parts, the first of which times a whole number is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// The polynomial's coefficients, highest first, above that of `r`.
const EXP_TERMS: [f32; 6] =
    [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// Added to a small number it leaves the nearest integer in the low bits, without a conversion that has
/// to look at the number: 1.5 * 2^23.
const NEAREST: f32 = 12_582_912.0;

/// Pairs of a block: what one 16-bit product adds up.
pub(crate) const PAIRS: usize = BLOCK / 2;

/// What products of integers need: 16-bit factors whose pairs of products are added to 32-bit sums,
/// which every instruction set has. No sum overflows: a block adds up 32 products of a byte and 16 bits.
pub(crate) trait Integers: Simd {
    /// A block of 32 integers of 16 bits in registers.
    type Ints: Copy;
    /// One register of `i32`, or of pairs of `i16`: as many as there are lanes.
    type Counts: Copy;
    /// Lanes of a register.
    const LANES: usize;

    /// Loads 32 signed bytes.
    fn ints(self, x: &[u8; BLOCK]) -> Self::Ints;
    /// Loads 32 unsigned nibbles less 8, in the order of [`Simd::load_nibbles`].
    fn int_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Ints;
    /// Products of one half (elements `16 * half ..`) of a block, spread over the lanes.
    fn dot_half(self, w: Self::Ints, x: &[i16; BLOCK], half: usize) -> Self::Counts;
    /// All lanes zero.
    fn no_counts(self) -> Self::Counts;
    /// The sum, lane by lane.
    fn add_counts(self, a: Self::Counts, b: Self::Counts) -> Self::Counts;
    /// `a * factor + sum`, lane by lane.
    fn scale_counts(self, a: Self::Counts, factor: Self::Lanes, sum: Self::Lanes) -> Self::Lanes;
    /// The same number in all lanes.
    fn splat(self, value: f32) -> Self::Lanes;

    /// Deals the blocks of [`Self::LANES`] rows: register `i` gets pair `i` of every row.
    fn interleave(self, rows: &[Self::Ints], out: &mut [Self::Counts; PAIRS]);
    /// Adds the products of a dealt register with one pair of activations.
    fn add_pair(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts;
    /// One pair of activations in all lanes.
    fn splat_pair(self, x: &[i16; 2]) -> Self::Counts;
    /// The same integer in all lanes.
    fn splat_count(self, value: i32) -> Self::Counts;
    /// The product, lane by lane.
    fn multiply(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The difference, lane by lane.
    fn subtract(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The bits of the largest magnitude of a block; infinities and NaNs are the largest.
    fn largest(self, x: &[f32; BLOCK]) -> u32;
    /// `x * steps` rounded to the nearest integers, of which each fits in 16 bits.
    fn round(self, x: &[f32; BLOCK], steps: f32) -> Self::Ints;
    /// The sum of one half (elements `16 * half ..`) of a block.
    fn sum_half(self, x: Self::Ints, half: usize) -> i32;
    /// Writes a block.
    fn store_ints(self, x: Self::Ints, out: &mut [i16; BLOCK]);
    /// Writes a block of integers that fit in 8 bits.
    fn store_bytes(self, x: Self::Ints, out: &mut [i8; BLOCK]);
    /// Loads [`Self::LANES`] numbers.
    fn load_lanes(self, x: &[f32]) -> Self::Lanes;
    /// Writes [`Self::LANES`] numbers.
    fn store_lanes(self, lanes: Self::Lanes, out: &mut [f32]);
}

/// Words of four bytes in a block.
pub(crate) const QUADS: usize = BLOCK / 4;

/// What products of bytes need: instructions that multiply four bytes with four signed ones and add up
/// all four products. The weights' bytes may have to be unsigned, or below 128.
pub(crate) trait Bytes: Integers {
    /// A block of 32 bytes in registers.
    type Bytes: Copy;

    /// What [`Self::bytes`] adds to signed bytes.
    fn raised(self) -> i32;
    /// Loads 32 signed bytes, each [`Self::raised`].
    fn bytes(self, x: &[u8; BLOCK]) -> Self::Bytes;
    /// Loads 32 unsigned nibbles, in the order of [`Simd::load_nibbles`].
    fn byte_nibbles(self, x: &[u8; BLOCK / 2]) -> Self::Bytes;
    /// Products of a block, spread over the lanes, which add up to `start` more.
    fn dot_bytes(self, w: Self::Bytes, x: &[i8; BLOCK], start: i32) -> Self::Counts;
    /// Deals the blocks of [`Integers::LANES`] rows: register `i` gets quad `i` of every row.
    fn deal_bytes(self, rows: &[Self::Bytes], out: &mut [Self::Counts; QUADS]);
    /// Adds the products of a dealt register with four activations.
    fn add_quad(self, sum: Self::Counts, w: Self::Counts, x: Self::Counts) -> Self::Counts;
    /// Four activations in all lanes.
    fn splat_quad(self, x: &[i8; 4]) -> Self::Counts;
}

/// Whether this machine adds up the products of four bytes in one instruction: in three, as older x86 has
/// them, they are no faster than those of 16 bits.
pub(crate) fn has_bytes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx2::Avx2::<true>::detect().is_some();
    #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
    return wasm::relaxed::detect();
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd"))))]
    false
}

/// As [`Kernel`] for products of bytes.
pub(crate) trait ByteKernel {
    /// Does the work. Implementations are `#[inline(always)]`.
    fn run<S: Bytes>(self, simd: S);
}

/// Runs a kernel of bytes under the best instruction set there is, where [`has_bytes`].
pub(crate) fn dispatch_bytes<K: ByteKernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = avx2::Avx2::<true>::detect() {
        return simd.enter_bytes(kernel);
    }
    #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
    return wasm::relaxed::enter(kernel);
    #[cfg(not(all(target_arch = "wasm32", feature = "relaxed-simd")))]
    kernel.run(Portable)
}

/// Work that can run under any instruction set.
pub(crate) trait Kernel {
    /// Does the work. Implementations are `#[inline(always)]`.
    fn run<S: Integers>(self, simd: S);
}

/// Runs a kernel under the best instruction set there is.
pub(crate) fn dispatch<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = avx2::Avx2::<false>::detect() {
        return simd.enter(kernel);
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return kernel.run(wasm::Simd128::new());
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    kernel.run(Portable)
}

/// The value of a half-precision number given by its bits, exactly.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    // Shifting exponent and mantissa into place leaves the exponent 112 too small; the product
    // corrects that and normalises subnormals. Infinities and NaNs need their exponent filled.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = u32::from(bits & 0x7fff);
    let finite = (f32::from_bits(magnitude << 13) * REBIAS).to_bits();
    let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(finite | special | u32::from(bits & 0x8000) << 16)
}

/// The value of a bfloat16 number given by its bits, exactly.
#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests;
