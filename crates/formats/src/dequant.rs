//! Stored elements to `f32`: the plain reference every faster kernel is checked against.
//!
//! Bit-exact with gguf-py's `quants.dequantize` (`tests/data` holds golden values from it).

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
        DType::Q8_0 => q8_0(bytes, out),
        DType::Q4_0 => q4_0(bytes, out),
    }
    Ok(())
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    for (x, b) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *x = convert(*b);
    }
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

fn q8_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let scale = f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
        for (x, q) in out.iter_mut().zip(&block[2..]) {
            *x = scale * f32::from(q.cast_signed());
        }
    }
}

fn q4_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let scale = f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
        let (low, high) = out.split_at_mut(16);
        for ((l, h), q) in low.iter_mut().zip(high).zip(&block[2..]) {
            *l = scale * f32::from((q & 0x0f).cast_signed() - 8);
            *h = scale * f32::from((q >> 4).cast_signed() - 8);
        }
    }
}
