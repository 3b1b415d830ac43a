//! Blocks of every integer type of GGUF as plain signed bytes with their scales and minima.
//!
//! A weight is `scale * q - minimum`; scales and minima are the very numbers that
//! [`dequant`](glassbox_formats::dequant) multiplies with, where each layout is described.

use glassbox_formats::{DType, dequant::IQ4_VALUES};

use crate::simd::{BLOCK, f16_to_f32};

/// Groups of a block of 32 that have a scale each.
pub(super) fn groups(dtype: DType) -> usize {
    match dtype {
        DType::Q2_K | DType::Q3_K | DType::Q6_K => 2,
        _ => 1,
    }
}

/// Rows in their plain form.
pub(super) struct Unpacked {
    /// Blocks of 32 signed bytes.
    pub quants: Vec<[u8; BLOCK]>,
    /// A scale for each group.
    pub scales: Vec<f32>,
    /// A minimum for each group, where the type has them.
    pub minima: Vec<f32>,
}

impl Unpacked {
    /// Room for as many blocks of 32.
    pub(super) fn new(dtype: DType, blocks: usize) -> Self {
        let minima = matches!(dtype, DType::Q4_1 | DType::Q5_1 | DType::Q2_K | DType::Q4_K | DType::Q5_K);
        let scales = blocks * groups(dtype);
        Self {
            quants: vec![[0; BLOCK]; blocks],
            scales: vec![0.0; scales],
            minima: vec![0.0; if minima { scales } else { 0 }],
        }
    }

    /// Unpacks whole blocks of the file, from the start of the room there is.
    pub(super) fn read(&mut self, dtype: DType, bytes: &[u8]) {
        match dtype {
            DType::Q4_0 => self.each(bytes, |block: &[u8; 18], [out], [scale], []| {
                *scale = half(block, 0);
                nibbles(&block[2..], out, |_, q| q.wrapping_sub(8));
            }),
            DType::Q4_1 => self.each(bytes, |block: &[u8; 20], [out], [scale], [minimum]| {
                (*scale, *minimum) = (half(block, 0), -half(block, 2));
                nibbles(&block[4..], out, |_, q| q);
            }),
            DType::Q5_0 => self.each(bytes, |block: &[u8; 22], [out], [scale], []| {
                *scale = half(block, 0);
                let fifth = fifth_bits(block, 2);
                nibbles(&block[6..], out, |i, q| (q | fifth(i)).wrapping_sub(16));
            }),
            DType::Q5_1 => self.each(bytes, |block: &[u8; 24], [out], [scale], [minimum]| {
                (*scale, *minimum) = (half(block, 0), -half(block, 2));
                let fifth = fifth_bits(block, 4);
                nibbles(&block[8..], out, |i, q| q | fifth(i));
            }),
            DType::IQ4_NL => self.each(bytes, |block: &[u8; 18], [out], [scale], []| {
                *scale = half(block, 0);
                nibbles(&block[2..], out, |_, q| iq4(q));
            }),
            DType::IQ4_XS => self.each(bytes, iq4_xs),
            DType::Q2_K => self.each(bytes, q2_k),
            DType::Q3_K => self.each(bytes, q3_k),
            DType::Q4_K => self.each(bytes, q4_k),
            DType::Q5_K => self.each(bytes, q5_k),
            DType::Q6_K => self.each(bytes, q6_k),
            _ => self.each(bytes, |block: &[u8; 34], [out], [scale], []| {
                *scale = half(block, 0);
                out.copy_from_slice(&block[2..]);
            }),
        }
    }

    /// Runs `unpack` with each block of the file and its blocks of 32, scales and minima.
    fn each<const BYTES: usize, const BLOCKS: usize, const SCALES: usize, const MINIMA: usize>(
        &mut self,
        bytes: &[u8],
        unpack: impl Fn(&[u8; BYTES], &mut [[u8; BLOCK]; BLOCKS], &mut [f32; SCALES], &mut [f32; MINIMA]),
    ) {
        let mut minima = self.minima.chunks_exact_mut(MINIMA.max(1));
        let places = self.quants.as_chunks_mut().0.iter_mut().zip(self.scales.as_chunks_mut().0);
        for (block, (quants, scales)) in bytes.as_chunks().0.iter().zip(places) {
            let minima = minima.next().and_then(|minima| minima.first_chunk_mut());
            unpack(block, quants, scales, minima.unwrap_or(&mut [0.0; MINIMA]));
        }
    }
}

/// The half at byte `at` of a block.
fn half(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// Low nibbles are elements 0 to 15, high ones 16 to 31. `value` gets the element's place and nibble.
#[inline(always)]
fn nibbles(bytes: &[u8], out: &mut [u8; BLOCK], value: impl Fn(usize, u8) -> u8) {
    let (low, high) = out.split_at_mut(BLOCK / 2);
    for (i, ((l, h), q)) in low.iter_mut().zip(high).zip(bytes).enumerate() {
        *l = value(i, q & 15);
        *h = value(i + BLOCK / 2, q >> 4);
    }
}

/// The fifth bit of element `i`, in its place above the nibble.
fn fifth_bits(block: &[u8], at: usize) -> impl Fn(usize) -> u8 {
    let bits = [block[at], block[at + 1], block[at + 2], block[at + 3]];
    move |i| (bits[i / 8] >> (i % 8) & 1) << 4
}

/// The value of a nibble of the `IQ4` types.
fn iq4(nibble: u8) -> u8 {
    IQ4_VALUES[usize::from(nibble & 15)].cast_unsigned()
}

fn iq4_xs(block: &[u8; 136], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 8], _: &mut [f32; 0]) {
    let scale = half(block, 0);
    let upper = u16::from_le_bytes([block[2], block[3]]);
    for (group, (out, step)) in out.iter_mut().zip(scales).enumerate() {
        let low = block[4 + group / 2] >> (group % 2 * 4) & 15;
        let high = (upper >> (2 * group) & 3) as u8;
        *step = scale * (f32::from(low | high << 4) - 32.0);
        nibbles(&block[8 + group * 16..][..16], out, |_, q| iq4(q));
    }
}

/// Two bits an element: those of `Q2_K` and the lower ones of `Q3_K`.
#[inline(always)]
fn two_bits(quants: &[u8], block: usize, out: &mut [u8; BLOCK]) {
    for (out, byte) in out.iter_mut().zip(&quants[block / 4 * 32..][..32]) {
        *out = byte >> (block % 4 * 2) & 3;
    }
}

fn q2_k(block: &[u8; 84], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 16], minima: &mut [f32; 16]) {
    let (scale, minimum) = (half(block, 80), half(block, 82));
    for ((packed, step), offset) in block.iter().zip(scales).zip(minima) {
        *step = scale * f32::from(packed & 15);
        *offset = minimum * f32::from(packed >> 4);
    }
    for (i, out) in out.iter_mut().enumerate() {
        two_bits(&block[16..80], i, out);
    }
}

fn q3_k(block: &[u8; 110], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 16], _: &mut [f32; 0]) {
    let scale = half(block, 108);
    let packed = &block[96..108];
    for (group, step) in scales.iter_mut().enumerate() {
        let low = packed[group % 8] >> (group / 8 * 4) & 15;
        let high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
        *step = scale * (f32::from(low | high << 4) - 32.0);
    }
    for (i, out) in out.iter_mut().enumerate() {
        two_bits(&block[32..96], i, out);
        for (out, third) in out.iter_mut().zip(&block[..32]) {
            *out = (*out | (third >> i & 1) << 2).wrapping_sub(4);
        }
    }
}

/// Scales and minima of `Q4_K` and `Q5_K`.
fn scales_and_minima(block: &[u8], scales: &mut [f32; 8], minima: &mut [f32; 8]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    let packed = &block[4..16];
    for (group, (step, offset)) in scales.iter_mut().zip(minima).enumerate() {
        let (s, m) = match group {
            0..4 => (packed[group] & 63, packed[group + 4] & 63),
            _ => {
                let low = packed[group + 4];
                (low & 15 | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
            }
        };
        (*step, *offset) = (scale * f32::from(s), minimum * f32::from(m));
    }
}

fn q4_k(block: &[u8; 144], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 8], minima: &mut [f32; 8]) {
    scales_and_minima(block, scales, minima);
    for (out, bytes) in out.as_chunks_mut::<2>().0.iter_mut().zip(block[16..].chunks_exact(32)) {
        for (i, byte) in bytes.iter().enumerate() {
            (out[0][i], out[1][i]) = (byte & 15, byte >> 4);
        }
    }
}

fn q5_k(block: &[u8; 176], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 8], minima: &mut [f32; 8]) {
    scales_and_minima(block, scales, minima);
    let (fifth, quants) = (&block[16..48], &block[48..]);
    for (group, out) in out.iter_mut().enumerate() {
        let bytes = &quants[group / 2 * 32..][..32];
        for ((out, byte), fifth) in out.iter_mut().zip(bytes).zip(fifth) {
            *out = byte >> (group % 2 * 4) & 15 | (fifth >> group & 1) << 4;
        }
    }
}

fn q6_k(block: &[u8; 210], out: &mut [[u8; BLOCK]; 8], scales: &mut [f32; 16], _: &mut [f32; 0]) {
    let scale = half(block, 208);
    for (step, packed) in scales.iter_mut().zip(&block[192..208]) {
        *step = scale * f32::from(packed.cast_signed());
    }
    for (i, out) in out.iter_mut().enumerate() {
        let (part, place) = (i / 4, i % 4);
        let low = &block[part * 64 + place % 2 * 32..][..32];
        let high = &block[128 + part * 32..][..32];
        for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
            *out = (low >> (place / 2 * 4) & 15 | (high >> (place * 2) & 3) << 4).wrapping_sub(32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glassbox_formats::dequant;

    #[test]
    fn every_type_unpacks_to_the_numbers_that_formats_widens_to() {
        for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_quantised()) {
            let (elements, bytes) = (dtype.block_elements(), dtype.block_bytes());
            let mut state = 1u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // No exponent of ones wherever two bytes are read as a half.
                (state >> 24) as u8 & 0xbb
            };
            let file: Vec<u8> = (0..20 * bytes).map(|_| next()).collect();
            let mut want = vec![0.0; 20 * elements];
            dequant::to_f32(dtype, &file, &mut want).unwrap();
            let mut unpacked = Unpacked::new(dtype, 20 * elements / BLOCK);
            unpacked.read(dtype, &file);
            let group = BLOCK / groups(dtype);
            let quants = unpacked.quants.as_flattened();
            assert!(quants.iter().any(|q| *q != quants[0]), "{dtype}");
            for (i, (q, want)) in quants.iter().zip(want).enumerate() {
                let minimum = unpacked.minima.get(i / group).copied().unwrap_or(0.0);
                let got = unpacked.scales[i / group] * f32::from(q.cast_signed()) - minimum;
                assert_eq!(got, want, "{dtype} [{i}]");
            }
        }
    }
}
