//! The steps between products, each in one launch: norms, rotary embedding with the cache's write,
//! attention over the cache, gated activations.
//!
//! Every function returns `None` where its device has no kernel for it, or where the tensors are
//! recorded by autodiff: the caller then goes the way of burn's own operations, which is also the
//! reference that each kernel is tested against.

use burn::tensor::{Device, Tensor, TensorData};

#[cfg(feature = "gpu")]
use crate::gpu::ops as gpu;
use crate::{
    Matrix,
    device::{Kind, kind},
    flex,
};

/// How [`norm`] normalises a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormSpec {
    /// Whether the mean is taken away first (layer norm), or not (RMSNorm).
    pub centred: bool,
    /// Added to the variance.
    pub eps: f32,
}

/// An activation that a kernel knows.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Gate {
    /// `x * sigmoid(x)`
    Silu,
    /// GELU by its tanh approximation.
    GeluTanh,
}

/// How [`attend`] scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttendSpec {
    /// Positions the cache held before this pass: query `t` stands at `past + t`.
    pub past: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// How many positions back a query sees, itself included; none for all.
    pub window: Option<usize>,
    /// Scores `s` become `cap * tanh(s / cap)` (Gemma 2).
    pub softcap: Option<f32>,
}

/// Whether a device has any of these kernels: asked before tensors are brought into the shapes they take.
pub fn available(device: &Device) -> bool {
    kind(device) != Kind::Plain
}

/// Normalises each row of `x` `[rows, width]` and scales it by `weight` `[width]` (and shifts it by
/// `bias` `[width]`), in f32.
pub fn norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: Option<&Tensor<1>>,
    spec: NormSpec,
) -> Option<Tensor<2>> {
    #[cfg(feature = "gpu")]
    if let Some(out) = gpu::norm(x, weight, bias, spec) {
        return Some(out);
    }
    flex::norm(x, weight, bias, spec)
}

/// A block's cached keys (turned by their positions) and values, `[1, kv_head, capacity, head_dim]` each.
pub type Cached = (Tensor<4>, Tensor<4>);

/// Cosines and sines that queries and keys are turned by, and the place they are written to: together in one
/// tensor, since a WebGPU kernel binds eight buffers and no more.
#[derive(Clone, Debug)]
pub struct Turns {
    /// `[2 * position * half + 1]`: cosines `[position, half]`, sines, and the number of positions before.
    values: Tensor<1>,
    half: usize,
    past: usize,
}

impl Turns {
    /// `angles` holds cosines `[position, half]` before sines, for positions behind `past` others.
    pub fn new(angles: Vec<f32>, half: usize, past: usize, device: &Device) -> Self {
        let values = Self::values(angles, past);
        let length = values.len();
        Self { values: Tensor::from_data(TensorData::new(values, [length]), device), half, past }
    }

    /// What the tensor of these turns holds. A number of positions is exact in `f32` below 2^24.
    pub fn values(mut angles: Vec<f32>, past: usize) -> Vec<f32> {
        angles.push(past as f32);
        angles
    }

    /// Cosines `[position, half]`, sines, and the number of positions before them, in one row.
    pub fn tensor(&self) -> &Tensor<1> {
        &self.values
    }

    /// Pairs of components that turn.
    pub fn half(&self) -> usize {
        self.half
    }

    /// Positions before the first one.
    pub fn past(&self) -> usize {
        self.past
    }

    /// Cosines before sines, `[2, position, half]`.
    pub fn angles(&self) -> Tensor<3> {
        let length = self.values.dims()[0] - 1;
        let positions = length / (2 * self.half).max(1);
        self.values.clone().narrow(0, 0, length).reshape([2, positions, self.half])
    }
}

/// Turns queries and keys by their positions, writes keys and values behind those of the cache, and
/// returns the queries. Where it returns `None` the cache is as it was.
///
/// `q` is `[1, position, head, head_dim]`, `k` and `v` are `[1, position, kv_head, head_dim]`.
/// Component `i` turns with component `i + half`, as in HF transformers' `rotate_half`. The cache must
/// have no second owner, since it is written in place.
pub fn rotate_and_write(
    q: &Tensor<4>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    turns: &Turns,
    cache: &mut Option<Cached>,
) -> Option<Tensor<4>> {
    #[cfg(feature = "gpu")]
    if let Some(turned) = gpu::rotate_and_write(q, k, v, turns, cache) {
        return Some(turned);
    }
    flex::rotate_and_write(q, k, v, turns, cache)
}

/// Attention of queries `[1, position, head, head_dim]` over caches `[1, kv_head, capacity, head_dim]`,
/// causal: `[1, position, head, head_dim]`. The scores are never in memory as a whole (online softmax,
/// Milakov & Gimelshein, 2018). `place` `[1]` is `spec.past` on the device of the others: where a GPU looks.
pub fn attend(
    q: &Tensor<4>,
    keys: &Tensor<4>,
    values: &Tensor<4>,
    place: &Tensor<1>,
    spec: AttendSpec,
) -> Option<Tensor<4>> {
    #[cfg(feature = "gpu")]
    if let Some(out) = gpu::attend(q, keys, values, place, spec) {
        return Some(out);
    }
    #[cfg(not(feature = "gpu"))]
    let _ = place;
    flex::attend(q, keys, values, spec)
}

/// `residual + x W^T`: a projection that writes into the residual stream. `x` is `[tokens, in]`,
/// `residual` and the result are `[tokens, out]`.
pub fn linear_add(weight: &Matrix, x: &Tensor<2>, residual: &Tensor<2>) -> Option<Tensor<2>> {
    weight.linear_with(x, crate::matrix::Epilogue::Add(residual))
}

/// `gate(pre) * (x W^T)`: the linear branch of a gated MLP, with `pre` `[tokens, out]` from its gate.
pub fn linear_gated(weight: &Matrix, x: &Tensor<2>, pre: &Tensor<2>, gate: Gate) -> Option<Tensor<2>> {
    weight.linear_with(x, crate::matrix::Epilogue::Gate(gate, pre))
}
