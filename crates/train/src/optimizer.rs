//! AdamW over all weights, with the gradient clipped to a norm.

use burn::tensor::Tensor;
use burn_optim::{AdamW, AdamWConfig, AdamWState, Optimizer as _};

use crate::{recipe, weights::Weight};

/// burn's AdamW with one state per weight.
pub struct Optimizer {
    matrices: AdamW,
    vectors: AdamW,
    clip: f64,
    /// Moments of each weight; none before the first step.
    pub states: Vec<Option<AdamWState<1>>>,
}

impl Optimizer {
    /// An optimiser of `count` weights that has not stepped yet.
    pub fn new(constants: &recipe::AdamW, count: usize) -> Self {
        let config = AdamWConfig::new()
            .with_beta_1(constants.beta_1)
            .with_beta_2(constants.beta_2)
            .with_epsilon(constants.epsilon);
        Self {
            matrices: config.clone().with_weight_decay(constants.weight_decay).build(),
            vectors: config.with_weight_decay(0.0).build(),
            clip: constants.clip,
            states: vec![None; count],
        }
    }

    /// Moves the weights against their gradients; returns the gradient's norm before it was clipped.
    pub fn step(&mut self, rate: f64, weights: &mut [Weight], gradients: Vec<Tensor<1>>) -> f64 {
        let squares = |gradient: &Tensor<1>| f64::from(gradient.clone().square().sum().into_scalar::<f32>());
        let norm = gradients.iter().map(squares).sum::<f64>().sqrt();
        let scale = if norm > self.clip { self.clip / norm } else { 1.0 };
        for ((weight, gradient), state) in weights.iter_mut().zip(gradients).zip(&mut self.states) {
            let adamw = if weight.decays() { &self.matrices } else { &self.vectors };
            let gradient = gradient.mul_scalar(scale);
            let (values, next) = adamw.step(rate, weight.values.clone(), gradient, state.take());
            (weight.values, *state) = (values, next);
        }
        norm
    }
}
