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
    /// `[hidden]`
    pub weight: Tensor<1>,
    /// `[hidden]`
    pub bias: Option<Tensor<1>>,
}

impl Norm {
    /// Normalises the last axis of `[batch, position, hidden]`, in f32.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let centred = match self.kind {
            NormKind::Rms => x,
            NormKind::Layer => {
                let mean = x.clone().mean_dim(2);
                x - mean
            }
        };
        let variance = centred.clone().square().mean_dim(2);
        let normalised = centred / (variance + self.eps).sqrt();
        let scaled = normalised * self.weight.clone().unsqueeze();
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
        let x = x.reshape([batch * positions, width]);
        let y = self.weight.linear(x.clone());
        let y = match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        };
        let y = self.low_rank.iter().fold(y, |y, term| term.add(&x, y));
        y.reshape([batch, positions, self.weight.out_features()])
    }
}

impl Activation {
    /// Applies the function to every element.
    pub fn forward(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Activation::Silu => activation::silu(x),
            Activation::GeluTanh => activation::gelu_approximate(x),
            Activation::Gelu => activation::gelu(x),
            Activation::Relu => activation::relu(x),
        }
    }
}
