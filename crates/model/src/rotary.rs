//! Rotary position embedding.

use burn::tensor::{Device, Tensor, TensorData};

/// Cosines and sines for the positions of one pass, shared by all blocks.
///
/// Source: Su et al., 2021 (RoFormer), in the layout of HF transformers' `rotate_half`: component `i`
/// turns with component `i + dims / 2`.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[1, position, 1, dims / 2]`
    cos: Tensor<4>,
    /// `[1, position, 1, dims / 2]`
    sin: Tensor<4>,
    dims: usize,
}

impl Rotary {
    /// Angles for `count` positions from `offset` on.
    pub fn new(theta: f32, dims: usize, offset: usize, count: usize, device: &Device) -> Self {
        let half = dims / 2;
        let angles: Vec<f32> = (offset..offset + count)
            .flat_map(|position| (0..half).map(move |i| position as f32 * inverse_frequency(theta, dims, i)))
            .collect();
        let tensor = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|angle| f(*angle)).collect();
            Tensor::from_data(TensorData::new(values, [1, count, 1, half]), device)
        };
        Self { cos: tensor(f32::cos), sin: tensor(f32::sin), dims }
    }

    /// Turns queries or keys `[batch, position, head, head_dim]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, positions, heads, head_dim] = x.dims();
        let half = self.dims / 2;
        let part = |from: usize, to: usize| x.clone().slice([0..batch, 0..positions, 0..heads, from..to]);
        let (first, second) = (part(0, half), part(half, self.dims));
        let turned_first = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let turned_second = second * self.cos.clone() + first * self.sin.clone();
        let mut parts = vec![turned_first, turned_second];
        if self.dims < head_dim {
            parts.push(part(self.dims, head_dim));
        }
        Tensor::cat(parts, 3)
    }
}

/// `theta^(-2i / dims)`, rounded to f32 as the reference does.
fn inverse_frequency(theta: f32, dims: usize, i: usize) -> f32 {
    (1.0 / f64::from(theta).powf(2.0 * i as f64 / dims as f64)) as f32
}
