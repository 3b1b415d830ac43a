//! Stored elements to `f32`: the plain reference every faster kernel is checked against.
//!
//! Bit-exact with gguf-py's `quants.dequantize` (`tests/data` holds golden values from it): every
//! finite number and infinity has the same bits. Where a damaged scale makes a NaN, ours is a NaN
//! too; its payload depends on the processor, theirs and ours.

mod k;
mod legacy;

pub use legacy::IQ4_VALUES;

use crate::{DType, FormatError};

/// Expands `bytes` of type `dtype` into `out`.
///
/// # Errors
/// [`FormatError::BlockLength`] unless `bytes` is exactly the storage of `out.len()` elements.
pub fn to_f32(dtype: DType, bytes: &[u8], out: &mut [f32]) -> Result<(), FormatError> {
    let expected = dtype.bytes_for(out.len() as u64)?;
    if bytes.len() as u64 != expected {
        return Err(FormatError::BlockLength { dtype, what: "bytes", count: bytes.len() as u64, expected });
    }
    match dtype {
        DType::F32 => each::<4>(bytes, out, f32::from_le_bytes),
        DType::F16 => each::<2>(bytes, out, |b| f16_to_f32(u16::from_le_bytes(b))),
        DType::BF16 => each::<2>(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
        DType::Q8_0 => legacy::q8_0(bytes, out),
        DType::Q4_0 => legacy::q4_0(bytes, out),
        DType::Q4_1 => legacy::q4_1(bytes, out),
        DType::Q5_0 => legacy::q5_0(bytes, out),
        DType::Q5_1 => legacy::q5_1(bytes, out),
        DType::Q2_K => k::q2_k(bytes, out),
        DType::Q3_K => k::q3_k(bytes, out),
        DType::Q4_K => k::q4_k(bytes, out),
        DType::Q5_K => k::q5_k(bytes, out),
        DType::Q6_K => k::q6_k(bytes, out),
        DType::IQ4_NL => legacy::iq4_nl(bytes, out),
        DType::IQ4_XS => k::iq4_xs(bytes, out),
    }
    Ok(())
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    for (x, b) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *x = convert(*b);
    }
}

fn each_block<const BYTES: usize, const ELEMENTS: usize>(
    bytes: &[u8],
    out: &mut [f32],
    expand: impl Fn(&[u8; BYTES], &mut [f32; ELEMENTS]),
) {
    let blocks = bytes.as_chunks().0;
    for (block, out) in blocks.iter().zip(out.as_chunks_mut().0) {
        expand(block, out);
    }
}

/// The f16 at byte `at` of a block.
fn half(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// Half to single precision, exactly, without branches so that the loop vectorises.
///
/// The half's bits, shifted into a single's fields, are 2^112 too small, for normal and subnormal
/// numbers alike; only infinities and NaN need their exponent set. NaN payloads are kept.
pub fn f16_to_f32(half: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
    const INFINITY: u32 = 0x7c00;
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    let finite = (f32::from_bits(magnitude << 13) * SCALE).to_bits();
    let special = 0x7f80_0000 | (magnitude << 13);
    f32::from_bits(sign | if magnitude >= INFINITY { special } else { finite })
}
