//! Norms, projections and activations: the pieces of a block.

use burn::tensor::{Tensor, activation};
use glassbox_kernels::{Matrix, ops};

use crate::{Activation, NormKind, low_rank::LowRank};

/// A norm's weights.
#[derive(Debug, Clone)]
pub struct Norm {
    /// Kind.
    pub kind: NormKind,
    /// Added to the variance.
    pub eps: f32,
    /// `[width]`
    pub weight: Option<Tensor<1>>,
    /// `[width]`
    pub bias: Option<Tensor<1>>,
}

impl Norm {
    /// Normalises the last axis, in f32, and applies weight and bias to it.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.in_one_step(&x).unwrap_or_else(|| self.scale(self.normalise(x)))
    }

    /// By a kernel, where there is one.
    fn in_one_step<const D: usize>(&self, x: &Tensor<D>) -> Option<Tensor<D>> {
        let weight = self.weight.as_ref().filter(|_| ops::available(&x.device()))?;
        let (shape, width) = (x.dims(), weight.dims()[0]);
        let rows = x.clone().reshape([shape.iter().product::<usize>() / width, width]);
        let spec = ops::NormSpec { centred: self.kind == NormKind::Layer, eps: self.eps };
        let out = ops::norm(&rows, weight, self.bias.as_ref(), spec)?;
        Some(out.reshape(shape))
    }

    /// Gives the last axis the mean square (for layer norm: the variance) 1.
    pub fn normalise<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let centred = match self.kind {
            NormKind::Rms => x,
            NormKind::Layer => {
                let mean = x.clone().mean_dim(D - 1);
                x - mean
            }
        };
        let variance = centred.clone().square().mean_dim(D - 1);
        centred / (variance + self.eps).sqrt()
    }

    /// Weight and bias along the last axis.
    pub fn scale<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let scaled = match &self.weight {
            Some(weight) => x * weight.clone().unsqueeze(),
            None => x,
        };
        match &self.bias {
            Some(bias) => scaled + bias.clone().unsqueeze(),
            None => scaled,
        }
    }
}

/// A projection `x W^T + b`, and what adapters add to it.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`
    pub weight: Matrix,
    /// `[out]`
    pub bias: Option<Tensor<1>>,
    /// Terms of the adapters that are attached.
    pub low_rank: Vec<LowRank>,
}

impl Linear {
    /// `[batch, position, in]` to `[batch, position, out]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, positions, width] = x.dims();
        let y = self.forward_rows(x.reshape([batch * positions, width]));
        y.reshape([batch, positions, self.weight.out_features()])
    }

    /// `residual + forward(x)`, `[batch, position, out]`.
    pub fn forward_onto(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let [batch, positions, width] = x.dims();
        let rows = batch * positions;
        let in_one_step = || {
            let onto = residual.clone().reshape([rows, self.weight.out_features()]);
            ops::linear_add(&self.weight, &x.clone().reshape([rows, width]), &onto)
        };
        match self.extends(&x).then(in_one_step).flatten() {
            Some(sum) => sum.reshape(residual.dims()),
            None => residual + self.forward(x),
        }
    }

    /// `gate(pre) * forward(x)` `[batch, position, out]`, where there is a kernel for it.
    pub fn gated(&self, x: &Tensor<3>, pre: &Tensor<3>, gate: ops::Gate) -> Option<Tensor<3>> {
        if !self.extends(x) {
            return None;
        }
        let ([batch, positions, width], out) = (x.dims(), self.weight.out_features());
        let rows = batch * positions;
        let (x, gate_rows) = (x.clone().reshape([rows, width]), pre.clone().reshape([rows, out]));
        let product = ops::linear_gated(&self.weight, &x, &gate_rows, gate)?;
        Some(product.reshape(pre.dims()))
    }

    /// Whether it is a product and nothing else, on a device with kernels that do more than that.
    fn extends(&self, x: &Tensor<3>) -> bool {
        let adapted = self.low_rank.iter().any(|term| !term.is_off());
        self.bias.is_none() && !adapted && ops::available(&x.device())
    }

    /// `[row, in]` to `[row, out]`.
    pub fn forward_rows(&self, x: Tensor<2>) -> Tensor<2> {
        let y = self.weight.linear(x.clone());
        let y = match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        };
        self.low_rank.iter().fold(y, |y, term| term.add(&x, y))
    }
}

impl Activation {
    /// As a kernel's gate, if one knows it.
    pub fn gate(self) -> Option<ops::Gate> {
        match self {
            Activation::Silu => Some(ops::Gate::Silu),
            Activation::GeluTanh => Some(ops::Gate::GeluTanh),
            Activation::Gelu | Activation::Relu => None,
        }
    }

    /// Applies the function to every element.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Silu => activation::silu(x),
            Activation::GeluTanh => activation::gelu_approximate(x),
            Activation::Gelu => activation::gelu(x),
            Activation::Relu => activation::relu(x),
        }
    }
}

/// `cap * tanh(x / cap)`: bounds values smoothly.
pub fn soft_cap<const D: usize>(x: Tensor<D>, cap: f32) -> Tensor<D> {
    x.div_scalar(cap).tanh().mul_scalar(cap)
}

/// Multiplies, and does nothing where the factor is 1.
pub fn scaled<const D: usize>(x: Tensor<D>, factor: f32) -> Tensor<D> {
    if factor == 1.0 { x } else { x.mul_scalar(factor) }
}
