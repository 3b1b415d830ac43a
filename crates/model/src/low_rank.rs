//! Low-rank terms beside a projection's weights (LoRA, Hu et al., 2021).

use burn::tensor::Tensor;
use glassbox_kernels::Matrix;

/// One adapter's term of one projection: `y += scale * (x A^T) B^T`. The weights stay as they are,
/// so that the term can be scaled, switched off and taken away.
#[derive(Debug, Clone)]
pub struct LowRank {
    /// Which adapter it belongs to.
    pub adapter: usize,
    /// A, `[rank, in]`.
    pub down: Matrix,
    /// B, `[out, rank]`.
    pub up: Matrix,
    /// What the adapter itself multiplies the term by: alpha over the rank, or over its root.
    pub factor: f32,
    /// What the user multiplies it by: 1 as trained, 0 off.
    pub strength: f32,
}

impl LowRank {
    /// Adds the term of `x`, `[token, in]`, to `y`, `[token, out]`. At strength 0 `y` is untouched.
    pub fn add(&self, x: &Tensor<2>, y: Tensor<2>) -> Tensor<2> {
        if self.is_off() {
            return y;
        }
        y + self.up.linear(self.down.linear(x.clone()).mul_scalar(self.factor * self.strength))
    }

    /// Whether it changes nothing.
    pub fn is_off(&self) -> bool {
        self.factor * self.strength == 0.0
    }
}
