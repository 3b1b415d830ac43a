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
    fn run<S: Integers>(self, simd: S) {
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
        let mut out = self.x;
        simd.add_scaled(&signed, 0.25, &mut out);
        // Exact whether fused or not.
        assert_same(
            "add_scaled",
            out.map(|x| x.round()),
            core::array::from_fn(|i| (self.x[i] + signed[i] * 0.25).round()),
        );
        let powers = signed.map(|x| x * 0.7);
        let mut out = powers;
        simd.exp(&mut out);
        let near =
            |got: f32, want: f64| (f64::from(got) - want).abs() <= 4.0 * f64::from(f32::EPSILON) * want.abs();
        assert!(
            out.iter()
                .zip(powers)
                .all(|(got, x)| near(*got, f64::from(x.min(EXP_MOST)).exp()) || x < EXP_LEAST)
        );
        let mut ends = [0.0; BLOCK];
        ends[..4].copy_from_slice(&[f32::NEG_INFINITY, f32::NAN, f32::INFINITY, -87.4]);
        simd.exp(&mut ends);
        assert!(ends[0] == 0.0 && ends[1].is_nan() && ends[2] > 1e38 && ends[3] == 0.0 && ends[4] == 1.0);
        let mut out = self.x;
        simd.silu(&powers, &mut out);
        let silu = |x: f32, gate: f32| f64::from(x) * f64::from(gate) / (1.0 + f64::from(-gate).exp());
        // Further off results are too small to be held with all their digits.
        let far = |x: f32| x.abs() > 40.0;
        assert!((0..BLOCK).all(|i| near(out[i], silu(self.x[i], powers[i])) || far(powers[i])));
        self.integers(simd, nibbles);
    }
}

impl Check {
    /// The operations on integers.
    #[inline(always)]
    fn integers<S: Integers>(&self, simd: S, nibbles: [u8; BLOCK / 2]) {
        let lanes = |lanes| {
            let mut out = vec![0.0; S::LANES];
            simd.store_lanes(lanes, &mut out);
            out
        };
        let floats = |counts| simd.scale_counts(counts, simd.splat(1.0), simd.zero());
        // Bytes times activations of at most 2^12, so that an f32 holds the sum of 32 exactly.
        let x = self.halves.map(|bits| bits.cast_signed() >> 3);
        let plain = |w: &dyn Fn(usize) -> i32, range: core::ops::Range<usize>| -> i32 {
            range.map(|i| w(i) * i32::from(x[i])).sum()
        };
        let byte = |i: usize| i32::from(self.bytes[i].cast_signed());
        let nibble = |i: usize| i32::from(nibbles[i % 16] >> (i / 16 * 4) & 15) - 8;
        for half in 0..2 {
            let range = 16 * half..16 * half + 16;
            let got = simd.sum(floats(simd.dot_half(simd.ints(&self.bytes), &x, half)));
            assert_eq!(got, plain(&byte, range.clone()) as f32);
            let got = simd.sum(floats(simd.dot_half(simd.int_nibbles(&nibbles), &x, half)));
            assert_eq!(got, plain(&nibble, range) as f32);
        }
        // Each row is the bytes, turned by its lane.
        let turned = |lane: usize| core::array::from_fn(|i| self.bytes[(i + lane) % BLOCK]);
        let rows: Vec<S::Ints> = (0..S::LANES).map(|lane| simd.ints(&turned(lane))).collect();
        let mut dealt = [simd.no_counts(); PAIRS];
        simd.interleave(&rows, &mut dealt);
        let mut all = simd.no_counts();
        for (i, dealt) in dealt.into_iter().enumerate() {
            let pair = simd.splat_pair(&[x[2 * i], x[2 * i + 1]]);
            let got = lanes(floats(simd.add_pair(simd.no_counts(), dealt, pair)));
            all = simd.add_pair(all, dealt, pair);
            for (lane, got) in got.into_iter().enumerate() {
                let row = turned(lane).map(u8::cast_signed);
                assert_eq!(got, plain(&|i| i32::from(row[i]), 2 * i..2 * i + 2) as f32, "pair {i}");
            }
        }
        let twice = lanes(floats(simd.add_counts(all, all)));
        for (lane, got) in twice.into_iter().enumerate() {
            let row = turned(lane).map(u8::cast_signed);
            assert_eq!(got, 2.0 * plain(&|i| i32::from(row[i]), 0..BLOCK) as f32);
        }
        let numbers = &self.x[..S::LANES];
        let loaded = simd.load_lanes(numbers);
        let product = lanes(simd.subtract(simd.multiply(loaded, simd.splat(3.0)), loaded));
        assert_eq!(product, numbers.iter().map(|x| x * 3.0 - x).collect::<Vec<_>>());
    }
}

/// The operations on bytes.
struct CheckBytes<'a>(&'a Check);

impl ByteKernel for CheckBytes<'_> {
    #[inline(always)]
    fn run<S: Bytes>(self, simd: S) {
        let x = self.0.halves.map(|bits| bits as i8);
        let nibbles: [u8; BLOCK / 2] = core::array::from_fn(|i| self.0.bytes[i]);
        let nibble = |i: usize| i32::from(nibbles[i % 16] >> (i / 16 * 4) & 15);
        let sum = |x: &[i8]| x.iter().map(|x| i32::from(*x)).sum::<i32>();
        let plain = |w: &dyn Fn(usize) -> i32, range: core::ops::Range<usize>| -> i32 {
            range.map(|i| w(i) * i32::from(x[i])).sum()
        };
        let floats = |counts| simd.scale_counts(counts, simd.splat(1.0), simd.zero());
        let got = simd.sum(floats(simd.dot_bytes(simd.byte_nibbles(&nibbles), &x, 1000)));
        assert_eq!(got, (plain(&nibble, 0..BLOCK) + 1000) as f32);
        // Each row is the bytes, turned by its lane.
        let turned = |lane: usize| core::array::from_fn(|i| self.0.bytes[(i + lane) % BLOCK]);
        let rows: Vec<S::Bytes> = (0..S::LANES).map(|lane| simd.bytes(&turned(lane))).collect();
        let mut dealt = [simd.no_counts(); QUADS];
        simd.deal_bytes(&rows, &mut dealt);
        for (i, dealt) in dealt.into_iter().enumerate() {
            let quad = x.as_chunks::<4>().0[i];
            let start = simd.splat_count(-sum(&quad) * simd.raised());
            let mut got = vec![0.0; S::LANES];
            simd.store_lanes(floats(simd.add_quad(start, dealt, simd.splat_quad(&quad))), &mut got);
            for (lane, got) in got.into_iter().enumerate() {
                let row = turned(lane).map(u8::cast_signed);
                assert_eq!(got, plain(&|i| i32::from(row[i]), 4 * i..4 * i + 4) as f32, "quad {i}");
            }
        }
        let start = -sum(&x) * simd.raised();
        let got = simd.sum(floats(simd.dot_bytes(simd.bytes(&self.0.bytes), &x, start)));
        assert_eq!(got, plain(&|i| i32::from(self.0.bytes[i].cast_signed()), 0..BLOCK) as f32);
    }
}

#[test]
fn products_of_bytes_agree_with_plain_arithmetic() {
    for seed in 0..200 {
        let check = &Check::new(seed);
        CheckBytes(check).run(Portable);
        if has_bytes() {
            dispatch_bytes(CheckBytes(check));
        }
    }
    // The extremes, whose sums of two are the largest.
    let mut check = Check::new(0);
    (check.bytes, check.halves) = ([0x80; BLOCK], [0x80; BLOCK]);
    if has_bytes() {
        dispatch_bytes(CheckBytes(&check));
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
