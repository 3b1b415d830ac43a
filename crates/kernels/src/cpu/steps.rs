//! The steps between products on the CPU: norms, rotary embedding, attention over the cache, gated
//! activations.
//!
//! Sums run in as many chains as a vector register or two have lanes, so that the compiler may keep
//! them there; the exponential has no branches, so that loops over it become vector code.

use crate::ops::{AttendSpec, Gate, NormSpec};
use crate::simd::{BLOCK, Integers, Kernel, dispatch, exp};

/// Chains of a sum.
const CHAINS: usize = 16;

/// The sum of `term(i)` over two slices' elements.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let (a, a_rest) = a.as_chunks::<CHAINS>();
    let (b, b_rest) = b.as_chunks::<CHAINS>();
    let mut sums = [0.0; CHAINS];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..CHAINS {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
    let mut width = CHAINS / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0] + rest
}

/// `tanh(x)`, by the exponential.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// Normalises each row of `x` `[rows, width]` into `out`; see [`crate::ops::norm`].
pub(crate) fn norm(x: &[f32], weight: &[f32], bias: Option<&[f32]>, spec: NormSpec, out: &mut [f32]) {
    let width = weight.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = if spec.centred { sum(x, x, |x, _| x) / width as f32 } else { 0.0 };
        let squares = sum(x, x, |x, _| (x - mean) * (x - mean));
        let scale = 1.0 / (squares / width as f32 + spec.eps).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (x - mean) * scale * weight;
        }
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }
}

/// Multiplies `out` by the activation of `pre`.
pub(crate) fn gate(kind: Gate, pre: &[f32], out: &mut [f32]) {
    match kind {
        Gate::Silu => dispatch(Silu { pre, out }),
        Gate::GeluTanh => {
            // sqrt(2 / pi)
            const SCALE: f32 = 0.797_884_6;
            for (out, x) in out.iter_mut().zip(pre) {
                *out *= 0.5 * x * (1.0 + tanh(SCALE * (x + 0.044_715 * x * x * x)));
            }
        }
    }
}

/// Multiplies `out` by `pre * sigmoid(pre)`.
struct Silu<'a> {
    pre: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Silu<'_> {
    #[inline(always)]
    fn run<S: Integers>(self, simd: S) {
        let (pre, pre_rest) = self.pre.as_chunks();
        let (out, out_rest) = self.out.as_chunks_mut();
        for (x, out) in pre.iter().zip(out) {
            simd.silu(x, out);
        }
        for (x, out) in pre_rest.iter().zip(out_rest) {
            *out *= x / (1.0 + exp(-x));
        }
    }
}

/// Turns the heads `[head, head_dim]` of one position in place: component `i` with component
/// `i + dims / 2`, where `cos` and `sin` are `[dims / 2]`.
pub(crate) fn rotate(heads: &mut [f32], head_dim: usize, cos: &[f32], sin: &[f32]) {
    let half = cos.len();
    for head in heads.chunks_exact_mut(head_dim) {
        let (first, second) = head[..2 * half].split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

/// Shape of queries and cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Components of a head.
    pub head_dim: usize,
    /// Positions the cache has room for.
    pub capacity: usize,
}

/// Attention of queries `[position, head, head_dim]` over keys and values
/// `[kv_head, capacity, head_dim]` into `out`, of the queries' shape; see [`crate::ops::attend`].
pub(crate) struct Attend<'a> {
    pub q: &'a [f32],
    pub keys: &'a [f32],
    pub values: &'a [f32],
    pub shape: Heads,
    pub spec: AttendSpec,
    pub out: &'a mut [f32],
}

impl Kernel for Attend<'_> {
    #[inline(always)]
    fn run<S: Integers>(self, simd: S) {
        let Self { q, keys, values, shape, spec, out } = self;
        let Heads { heads, kv_heads, head_dim, capacity } = shape;
        let mut weights = Vec::with_capacity(capacity.next_multiple_of(BLOCK));
        let rows = q.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim));
        for (index, (q, out)) in rows.enumerate() {
            let (position, head) = (spec.past + index / heads, index % heads);
            let end = (position + 1).min(capacity);
            let start = spec.window.map_or(0, |window| end.saturating_sub(window));
            let group = head * kv_heads / heads;
            let seen = (group * capacity + start) * head_dim..(group * capacity + end) * head_dim;

            weights.clear();
            let mut most = f32::NEG_INFINITY;
            for key in keys[seen.clone()].chunks_exact(head_dim) {
                let score = dot(simd, q, key) * spec.scale;
                let score = spec.softcap.map_or(score, |cap| cap * tanh(score / cap));
                most = most.max(score);
                weights.push(score);
            }
            weights.iter_mut().for_each(|weight| *weight -= most);
            weights.resize(weights.len().next_multiple_of(BLOCK), f32::NEG_INFINITY);
            for block in weights.as_chunks_mut().0 {
                simd.exp(block);
            }
            let total = weights.iter().sum::<f32>();
            out.fill(0.0);
            for (weight, value) in weights.iter().zip(values[seen].chunks_exact(head_dim)) {
                add_scaled(simd, value, weight / total, out);
            }
        }
    }
}

/// The product of two vectors.
#[inline(always)]
fn dot<S: Integers>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks(), b.as_chunks());
    let mut sums = simd.start();
    for (a, b) in a.iter().zip(b) {
        sums = simd.dot_wide(simd.load_f32(a), b, sums);
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += a * b;
    }
    simd.sum(simd.narrow(sums)) + rest
}

/// Adds a vector times `factor`.
#[inline(always)]
fn add_scaled<S: Integers>(simd: S, x: &[f32], factor: f32, out: &mut [f32]) {
    let ((x, x_rest), (out, out_rest)) = (x.as_chunks(), out.as_chunks_mut());
    for (x, out) in x.iter().zip(out) {
        simd.add_scaled(x, factor, out);
    }
    for (x, out) in x_rest.iter().zip(out_rest) {
        *out += x * factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_libm() {
        let mut worst = 0.0f64;
        for i in -870_000..883_000 {
            let x = i as f32 / 1e4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - want).abs() / want);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!((exp(0.0), exp(-1e30), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && exp(1e30) > 1e38);
    }

    #[test]
    fn the_hyperbolic_tangent_is_that_of_libm() {
        for i in -100_000..100_000 {
            let x = i as f32 / 1e4;
            let error = (f64::from(tanh(x)) - f64::from(x).tanh()).abs();
            assert!(error < 2e-7, "{x}: {error}");
        }
        assert!(tanh(1e30) == 1.0 && tanh(-1e30) == -1.0 && tanh(f32::NAN).is_nan());
    }

    #[test]
    fn sums_take_every_element() {
        for n in 0..70 {
            let numbers: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            assert_eq!(sum(&numbers, &numbers, |a, _| a), (n * (n + 1) / 2) as f32);
        }
    }
}
