//! Norms, projections and activations: the pieces of a block.

use burn::tensor::{Tensor, activation};
use glassbox_kernels::{
    Matrix,
    device::{Kind, kind},
    ops::{self, Gate, NormSpec},
};

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
        self.in_one_pass(&x).unwrap_or_else(|| self.scale(self.normalise(x)))
    }

    /// The same by one kernel of the CPU, where there is one for it.
    fn in_one_pass<const D: usize>(&self, x: &Tensor<D>) -> Option<Tensor<D>> {
        if kind(&x.device()) != Kind::Cpu {
            return None;
        }
        let shape = x.dims();
        let (width, rows) = (shape[D - 1], shape[..D - 1].iter().product());
        let spec = NormSpec { centred: self.kind == NormKind::Layer, eps: self.eps };
        let rows = x.clone().reshape([rows, width]);
        ops::norm(&rows, self.weight.as_ref()?, self.bias.as_ref(), spec).map(|out| out.reshape(shape))
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

impl Linear {
    /// `activation(pre) * forward(x)` by one kernel of the CPU, where there is one for it.
    pub fn forward_gated(&self, x: &Tensor<3>, pre: &Tensor<3>, activation: Activation) -> Option<Tensor<3>> {
        let gate = match activation {
            Activation::Silu => Gate::Silu,
            Activation::GeluTanh => Gate::GeluTanh,
            Activation::Gelu | Activation::Relu => return None,
        };
        if kind(&x.device()) != Kind::Cpu || self.bias.is_some() || !self.low_rank.is_empty() {
            return None;
        }
        let shape = pre.dims();
        let rows = |x: &Tensor<3>| {
            let [batch, positions, width] = x.dims();
            x.clone().reshape([batch * positions, width])
        };
        ops::linear_gated(&self.weight, &rows(x), &rows(pre), gate).map(|out| out.reshape(shape))
    }
}

impl Activation {
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
