//! Every instruction set of this machine against plain arithmetic.

use super::*;

/// Checks every operation of an instruction set on one block.
struct Check {
    bytes: [u8; BLOCK],
    halves: [u16; BLOCK],
    x: [f32; BLOCK],
}

impl Check {
    fn new(seed: u32) -> Self {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        Self {
            bytes: core::array::from_fn(|_| next() as u8),
            // Instruction sets need to widen finite halves only.
            halves: core::array::from_fn(|_| next() as u16)
                .map(|h| if h & 0x7c00 == 0x7c00 { h & 0x83ff } else { h }),
            x: core::array::from_fn(|_| next() as f32 / 8_388_608.0 - 1.0),
        }
    }
}

fn assert_same(what: &str, got: [f32; BLOCK], want: [f32; BLOCK]) {
    // Compared as bits where they are numbers: widening is exact.
    for (got, want) in got.iter().zip(want) {
        assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{what}: {got} {want}");
    }
}

impl Kernel for &Check {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let store = |block| {
            let mut out = [0.0; BLOCK];
            simd.store(block, 1.0, &mut out);
            out
        };
        assert_same("f32", store(simd.load_f32(&self.x)), self.x);
        let half = |bits| half::f16::from_bits(bits).to_f32();
        assert_same("f16", store(simd.load_f16(&self.halves)), self.halves.map(half));
        let brain = |bits| half::bf16::from_bits(bits).to_f32();
        assert_same("bf16", store(simd.load_bf16(&self.halves)), self.halves.map(brain));
        let signed = self.bytes.map(|byte| f32::from(byte as i8));
        assert_same("i8", store(simd.load_i8(&self.bytes)), signed);
        let nibbles: [u8; BLOCK / 2] = core::array::from_fn(|i| self.bytes[i]);
        let widened = core::array::from_fn(|i| {
            let byte = nibbles[i % 16];
            f32::from(if i < 16 { byte & 15 } else { byte >> 4 }) - 8.0
        });
        assert_same("nibbles", store(simd.load_nibbles(&nibbles)), widened);

        let dot = simd.dot(simd.load_i8(&self.bytes), &self.x, simd.zero());
        let twice = simd.sum(simd.scale_add(dot, 0.5, dot));
        let want: f64 = signed.iter().zip(self.x).map(|(a, b)| f64::from(*a) * f64::from(b)).sum();
        assert!((f64::from(twice) - 1.5 * want).abs() < 1e-3, "dot: {twice} {}", 1.5 * want);
        let mut scaled = [0.0; BLOCK];
        simd.store(simd.load_f32(&self.x), -2.0, &mut scaled);
        assert_same("store", scaled, self.x.map(|x| x * -2.0));
    }
}

#[test]
fn the_best_and_the_portable_instruction_set_agree_with_plain_arithmetic() {
    for seed in 0..200 {
        let check = Check::new(seed);
        dispatch(&check);
        (&check).run(Portable);
    }
}

#[test]
fn halves_widen_exactly() {
    for bits in 0..=u16::MAX {
        let (f16, bf16) = (half::f16::from_bits(bits).to_f32(), half::bf16::from_bits(bits).to_f32());
        let same = |got: f32, want: f32| got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same(f16_to_f32(bits), f16), "f16 {bits:#06x}");
        assert!(same(bf16_to_f32(bits), bf16), "bf16 {bits:#06x}");
    }
}
