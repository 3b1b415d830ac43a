//! Products of integers against their definition.

use super::activations::Round;
use super::*;
use crate::cpu::rows::{I8, Nibbles};
use crate::simd::{Portable, has_bytes};

/// Numbers that look random, in -1 .. 1.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(next).collect()
}

fn rounds_to_the_nearest_step<X: Digit>() {
    let mut x = numbers(1, 96);
    x[32..64].fill(0.0);
    x[64..].iter_mut().for_each(|x| *x *= 1e-30);
    let rounded = Activations::<X>::new(&x, 48 * 2);
    assert_eq!((rounded.tokens(), rounded.blocks), (1, 3));
    for (b, block) in x.as_chunks::<BLOCK>().0.iter().enumerate() {
        let (q, scale) = (rounded.quants[b].map(Into::<i32>::into), rounded.scales[b]);
        let largest = block.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!((scale * X::LARGEST - largest).abs() <= largest * 1e-6, "{scale} {largest}");
        for (x, q) in block.iter().zip(q) {
            assert!((x - scale * q as f32).abs() <= scale * 0.51, "{x} {q} {scale}");
        }
        for (half, sum) in q.as_chunks::<16>().0.iter().zip(rounded.sums[b]) {
            assert_eq!(sum, half.iter().sum::<i32>());
        }
    }
}

#[test]
fn every_instruction_set_rounds_alike() {
    let x = numbers(2, 64 * BLOCK);
    let best = Activations::<i8>::new(&x, 2 * BLOCK);
    let mut plain = Activations::<i8>::new(&vec![0.0; x.len()], 2 * BLOCK);
    Round { x: x.as_chunks().0, rounded: &mut plain }.run(Portable);
    assert!(best.quants == plain.quants && best.scales == plain.scales && best.sums == plain.sums);
    assert!(best.quants.iter().flatten().any(|q| *q < -100));
}

#[test]
fn activations_are_rounded_to_the_nearest_step() {
    rounds_to_the_nearest_step::<i16>();
    rounds_to_the_nearest_step::<i8>();
}

#[test]
fn what_is_no_number_and_what_is_hardly_one() {
    let round = |x: [f32; BLOCK]| {
        let rounded = Activations::<i16>::new(&x, BLOCK);
        (rounded.quants[0], rounded.scales[0])
    };
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = [1.0; BLOCK];
        x[7] = bad;
        assert!(round(x).1.is_nan());
    }
    let (q, scale) = round([f32::from_bits(1); BLOCK]);
    assert!(q == [0; BLOCK] && scale < f32::MIN_POSITIVE);
    let (q, scale) = round([f32::MAX; BLOCK]);
    assert!(q == [32767; BLOCK] && scale.is_finite());
}

/// How a test runs a product on one instruction set after the other, as far as there are several.
trait Everywhere: Digit {
    fn run<F: IntFormat, const GROUPS: usize>(
        weights: IntRows<F, GROUPS>,
        x: &Activations<Self>,
        out: [&mut [f32]; 2],
        stride: usize,
    );
}

impl Everywhere for i16 {
    fn run<F: IntFormat, const GROUPS: usize>(
        weights: IntRows<F, GROUPS>,
        x: &Activations<Self>,
        [best, plain]: [&mut [f32]; 2],
        stride: usize,
    ) {
        dispatch(IntProduct { weights, x, out: best, stride });
        Kernel::run(IntProduct { weights, x, out: plain, stride }, Portable);
    }
}

impl Everywhere for i8 {
    fn run<F: IntFormat, const GROUPS: usize>(
        IntRows { quants, scales, minima }: IntRows<F, GROUPS>,
        x: &Activations<Self>,
        [best, plain]: [&mut [f32]; 2],
        stride: usize,
    ) {
        let weights = IntRows::<F, 1> { quants, scales, minima };
        ByteKernel::run(IntProduct { weights, x, out: plain, stride }, Portable);
        match has_bytes() {
            true => dispatch_bytes(IntProduct { weights, x, out: best, stride }),
            false => best.copy_from_slice(plain),
        }
    }
}

/// Compares a product with its definition, on every instruction set.
fn check<X: Everywhere, F: IntFormat, const GROUPS: usize>(
    quants: &[F::Packed],
    value: impl Fn(&F::Packed, usize) -> f32,
    [rows, blocks, tokens]: [usize; 3],
    with_minima: bool,
) {
    let x = numbers(3, tokens * blocks * BLOCK);
    let rounded = Activations::<X>::new(&x, blocks * BLOCK);
    let scales = numbers(4, rows * blocks * GROUPS);
    let minima = if with_minima { numbers(5, rows * blocks * GROUPS) } else { Vec::new() };
    let weights = IntRows::<F, GROUPS> { quants, scales: &scales, minima: &minima };
    // Wider than there are rows: what lies between is left alone.
    let stride = rows + 3;
    let mut outs = [vec![7.0f32; tokens * stride], vec![7.0; tokens * stride]];
    let [best, plain] = &mut outs;
    X::run(weights, &rounded, [best, plain], stride);
    for out in &outs {
        for (t, out) in out.chunks(stride).enumerate() {
            assert_eq!(out[rows..], [7.0; 3]);
            for (r, got) in out[..rows].iter().enumerate() {
                let (mut sum, mut magnitude) = (0.0, 0.0);
                for b in 0..blocks {
                    for i in 0..BLOCK {
                        let place = r * blocks + b;
                        let group = place * GROUPS + i * GROUPS / BLOCK;
                        let w = f64::from(scales[group] * value(&quants[place], i));
                        let w = w - minima.get(group).copied().map_or(0.0, f64::from);
                        let block = t * blocks + b;
                        let x = f64::from(rounded.quants[block][i].into()) * f64::from(rounded.scales[block]);
                        sum += w * x;
                        magnitude += (w * x).abs();
                    }
                }
                let error = (f64::from(*got) - sum).abs();
                assert!(error <= 1e-6 * magnitude, "[{t}, {r}] of {rows} x {blocks}: {got}, not {sum}");
            }
        }
    }
}

#[test]
fn products_are_those_of_the_rounded_activations() {
    for rows in [1, 3, 8, 16, 17, 37] {
        for blocks in [1, 2, 5] {
            let bytes = numbers(6, rows * blocks * BLOCK);
            let bytes: Vec<u8> = bytes.iter().map(|x| (x * 128.0).floor() as i8 as u8).collect();
            let (wide, half) = (bytes.as_chunks::<BLOCK>().0, bytes.as_chunks::<{ BLOCK / 2 }>().0);
            let byte = |q: &[u8; BLOCK], i: usize| f32::from(q[i].cast_signed());
            let nibble = |q: &[u8; BLOCK / 2], i: usize| f32::from(q[i % 16] >> (i / 16 * 4) & 15) - 8.0;
            for tokens in [1, 2, 3, 4, 5, 7, 8, 13] {
                let shape = [rows, blocks, tokens];
                let half = &half[..rows * blocks];
                for minima in [false, true] {
                    check::<i16, I8, 1>(wide, byte, shape, minima);
                    check::<i16, I8, 2>(wide, byte, shape, minima);
                    check::<i16, Nibbles, 1>(half, nibble, shape, minima);
                    check::<i8, I8, 1>(wide, byte, shape, minima);
                    check::<i8, Nibbles, 1>(half, nibble, shape, minima);
                }
            }
        }
    }
}
