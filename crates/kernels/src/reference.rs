//! The plain meaning of every weight type, one element at a time: what the kernels are tested
//! against, and what runs where no kernel does.

use glassbox_formats::DType;

use crate::simd::{BLOCK, bf16_to_f32, f16_to_f32};

/// Widens whole rows in the file's layout to `f32`. `out` must hold exactly their elements.
pub(crate) fn dequantise(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    let half = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    let blocks = bytes.chunks_exact(dtype.block_bytes());
    let out = out.chunks_exact_mut(dtype.block_elements());
    for (block, out) in blocks.zip(out) {
        match dtype {
            DType::F32 => out[0] = f32::from_le_bytes([block[0], block[1], block[2], block[3]]),
            DType::F16 => out[0] = f16_to_f32(half(block)),
            DType::BF16 => out[0] = bf16_to_f32(half(block)),
            DType::Q8_0 => {
                let scale = f16_to_f32(half(block));
                for (out, quant) in out.iter_mut().zip(&block[2..]) {
                    *out = scale * f32::from(*quant as i8);
                }
            }
            DType::Q4_0 => {
                let scale = f16_to_f32(half(block));
                for (i, quants) in block[2..].iter().enumerate() {
                    out[i] = scale * (f32::from(quants & 15) - 8.0);
                    out[i + BLOCK / 2] = scale * (f32::from(quants >> 4) - 8.0);
                }
            }
            // Builders refuse types without a kernel before any row is written.
            _ => {}
        }
    }
}
