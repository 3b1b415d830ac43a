//! The "K" quantisations and `IQ4_XS`: blocks of 256 elements in groups of 16 or 32, whose scales
//! are quantised themselves.

use super::legacy::{iq4_value, nibbles};
use super::{each_block, half};

/// Elements of a block.
const BLOCK: usize = 256;

/// 16 bytes of 4-bit scales (low) and minima (high), 64 bytes of quants, scale and minimum (f16).
///
/// Byte `32 h + i` of the quants holds elements `128 h + i + 32 s` in bits `2 s`.
pub(super) fn q2_k(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 84], out: &mut [f32; BLOCK]| {
        let (scales, quants) = (&block[..16], &block[16..80]);
        let (scale, minimum) = (half(block, 80), half(block, 82));
        for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let step = scale * f32::from(scales[group] & 0x0f);
            let offset = minimum * f32::from(scales[group] >> 4);
            for (x, q) in out.iter_mut().zip(two_bits(quants, group)) {
                *x = step * f32::from(q) - offset;
            }
        }
    });
}

/// 32 bytes of third bits, 64 bytes of quants as in `Q2_K`, 12 bytes of 6-bit scales, scale (f16).
///
/// The third bit of element `32 b + i` is bit `b` of byte `i`; where it is 0, 4 is taken away.
pub(super) fn q3_k(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 110], out: &mut [f32; BLOCK]| {
        let (third, quants, scales) = (&block[..32], &block[32..96], &block[96..108]);
        let scale = half(block, 108);
        for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let low = scales[group % 8] >> (group / 8 * 4) & 0x0f;
            let high = scales[8 + group % 4] >> (group / 4 * 2) & 3;
            let step = scale * (f32::from(low | high << 4) - 32.0);
            let third = &third[group % 2 * 16..][..16];
            for ((x, q), bits) in out.iter_mut().zip(two_bits(quants, group)).zip(third) {
                *x = step * (f32::from(q | (bits >> (group / 2) & 1) << 2) - 4.0);
            }
        }
    });
}

/// The quants of a group of 16 in `Q2_K` and `Q3_K`.
fn two_bits(quants: &[u8], group: usize) -> impl Iterator<Item = u8> {
    let bytes = &quants[group / 8 * 32 + group % 2 * 16..][..16];
    bytes.iter().map(move |byte| byte >> (group % 8 / 2 * 2) & 3)
}

/// Scale and minimum (f16), 12 bytes of 6-bit scales and minima, 128 bytes of nibbles.
///
/// Byte `32 p + i` holds elements `64 p + i` (low) and `64 p + i + 32` (high).
pub(super) fn q4_k(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 144], out: &mut [f32; BLOCK]| {
        let (scale, minimum) = (half(block, 0), half(block, 2));
        let quants = &block[16..];
        for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (step, offset) = scale_and_minimum(&block[4..16], group);
            let (step, offset) = (scale * step, minimum * offset);
            let quants = &quants[group / 2 * 32..][..32];
            for (x, byte) in out.iter_mut().zip(quants) {
                *x = step * f32::from(byte >> (group % 2 * 4) & 0x0f) - offset;
            }
        }
    });
}

/// As `Q4_K`, with 32 bytes of fifth bits before the nibbles: bit `g` of byte `i` is that of
/// element `32 g + i`.
pub(super) fn q5_k(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 176], out: &mut [f32; BLOCK]| {
        let (scale, minimum) = (half(block, 0), half(block, 2));
        let (fifth, quants) = (&block[16..48], &block[48..]);
        for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (step, offset) = scale_and_minimum(&block[4..16], group);
            let (step, offset) = (scale * step, minimum * offset);
            let quants = &quants[group / 2 * 32..][..32];
            for ((x, byte), fifth) in out.iter_mut().zip(quants).zip(fifth) {
                let q = byte >> (group % 2 * 4) & 0x0f | (fifth >> group & 1) << 4;
                *x = step * f32::from(q) - offset;
            }
        }
    });
}

/// Scale and minimum of one of the 8 groups of `Q4_K` and `Q5_K`: 0 to 63 each.
///
/// Bytes 0 to 3 hold the scales of groups 0 to 3 in their low 6 bits, bytes 4 to 7 their minima;
/// bytes 8 to 11 the low nibbles of the scales (low) and minima (high) of groups 4 to 7, whose upper
/// two bits are those of the bytes before.
fn scale_and_minimum(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = match group {
        0..4 => (packed[group] & 0x3f, packed[group + 4] & 0x3f),
        _ => {
            let low = packed[group + 4];
            (low & 0x0f | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
        }
    };
    (f32::from(scale), f32::from(minimum))
}

/// 128 bytes of nibbles, 64 bytes of upper bits, 16 signed 8-bit scales, scale (f16).
///
/// Per half of 128 elements: byte `i` of 64 holds the low bits of elements `i` and `i + 64`, byte
/// `i` of 32 the upper bits of elements `i`, `i + 32`, `i + 64` and `i + 96`.
pub(super) fn q6_k(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 210], out: &mut [f32; BLOCK]| {
        let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
        let scale = half(block, 208);
        for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let step = scale * f32::from(scales[group].cast_signed());
            let (part, place) = (group / 8, group % 8 * 16);
            let low = &low[part * 64 + place % 64..][..16];
            let high = &high[part * 32 + place % 32..][..16];
            for ((x, low), high) in out.iter_mut().zip(low).zip(high) {
                let q = low >> (place / 64 * 4) & 0x0f | (high >> (place / 32 * 2) & 3) << 4;
                *x = step * (f32::from(q) - 32.0);
            }
        }
    });
}

/// Scale (f16), 16 bits and 4 bytes of 6-bit scales, 128 bytes of nibbles: 8 groups as in `IQ4_NL`.
pub(super) fn iq4_xs(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 136], out: &mut [f32; BLOCK]| {
        let scale = half(block, 0);
        let upper = u16::from_le_bytes([block[2], block[3]]);
        for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let low = block[4 + group / 2] >> (group % 2 * 4) & 0x0f;
            let high = (upper >> (2 * group) & 3) as u8;
            let step = scale * (f32::from(low | high << 4) - 32.0);
            nibbles(&block[8 + group * 16..][..16], out, |_, q| step * iq4_value(q));
        }
    });
}
