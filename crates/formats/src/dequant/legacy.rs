//! Blocks of 32 elements with one scale: the first quantisations of ggml, and `IQ4_NL`.

use super::{each_block, half};

/// Scale (f16), 32 signed bytes.
pub(super) fn q8_0(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 34], out: &mut [f32; 32]| {
        let scale = half(block, 0);
        for (x, q) in out.iter_mut().zip(&block[2..]) {
            *x = scale * f32::from(q.cast_signed());
        }
    });
}

/// Scale (f16), 16 bytes of nibbles.
pub(super) fn q4_0(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 18], out| {
        let scale = half(block, 0);
        nibbles(&block[2..], out, |_, q| scale * (f32::from(q) - 8.0));
    });
}

/// Scale and minimum (f16), 16 bytes of nibbles.
pub(super) fn q4_1(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 20], out| {
        let (scale, minimum) = (half(block, 0), half(block, 2));
        nibbles(&block[4..], out, |_, q| scale * f32::from(q) + minimum);
    });
}

/// Scale (f16), 32 fifth bits, 16 bytes of nibbles.
pub(super) fn q5_0(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 22], out| {
        let scale = half(block, 0);
        let fifth = fifth_bits(block, 2);
        nibbles(&block[6..], out, |i, q| scale * (f32::from(q | fifth(i)) - 16.0));
    });
}

/// Scale and minimum (f16), 32 fifth bits, 16 bytes of nibbles.
pub(super) fn q5_1(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 24], out| {
        let (scale, minimum) = (half(block, 0), half(block, 2));
        let fifth = fifth_bits(block, 4);
        nibbles(&block[8..], out, |i, q| scale * f32::from(q | fifth(i)) + minimum);
    });
}

/// The values that the nibbles of `IQ4_NL` and `IQ4_XS` stand for (`kvalues_iq4nl` in ggml).
pub const IQ4_VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The value of a nibble of the `IQ4` types.
pub(super) fn iq4_value(nibble: u8) -> f32 {
    f32::from(IQ4_VALUES[usize::from(nibble & 0x0f)])
}

/// Scale (f16), 16 bytes of nibbles.
pub(super) fn iq4_nl(bytes: &[u8], out: &mut [f32]) {
    each_block(bytes, out, |block: &[u8; 18], out| {
        let scale = half(block, 0);
        nibbles(&block[2..], out, |_, q| scale * iq4_value(q));
    });
}

/// Low nibbles are elements 0 to 15, high ones 16 to 31. `value` gets the element's place and nibble.
pub(super) fn nibbles(bytes: &[u8], out: &mut [f32; 32], value: impl Fn(usize, u8) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for (i, ((l, h), q)) in low.iter_mut().zip(high).zip(bytes).enumerate() {
        *l = value(i, q & 0x0f);
        *h = value(i + 16, q >> 4);
    }
}

/// The fifth bit of element `i`, in its place above the nibble.
fn fifth_bits(block: &[u8], at: usize) -> impl Fn(usize) -> u8 {
    let bits = [block[at], block[at + 1], block[at + 2], block[at + 3]];
    move |i| (bits[i / 8] >> (i % 8) & 1) << 4
}
