//! Norms, projections and activations: the pieces of a block.

use burn::tensor::{Tensor, activation};
use glassbox_kernels::Matrix;

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
        self.scale(self.normalise(x))
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
