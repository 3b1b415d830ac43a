//! Dropout (Srivastava et al., 2014) on what the embedding and each sublayer add to the residual stream.

use burn::tensor::{Tensor, TensorData};
use glassbox_model::{Hook, Noise, Site};
use rand_chacha::{ChaCha8Rng, rand_core::RngCore};

/// Sets elements to 0 at random and scales the others up, so that the mean stays.
#[derive(Debug)]
pub struct Dropout {
    per_256: u8,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// Dropout with a probability in 256ths; none for 0.
    pub fn new(per_256: u8, rng: ChaCha8Rng) -> Option<Self> {
        (per_256 > 0).then_some(Self { per_256, rng })
    }

    /// Factors of `count` elements: 0 or `1 / (1 - p)`.
    fn factors(&mut self, count: usize) -> Vec<f32> {
        let mut bytes = vec![0; count];
        self.rng.fill_bytes(&mut bytes);
        let kept = 256.0 / (256.0 - f32::from(self.per_256));
        bytes.into_iter().map(|byte| if byte < self.per_256 { 0.0 } else { kept }).collect()
    }
}

impl Noise for Dropout {
    fn apply(&mut self, site: Site, tensor: Tensor<3>) -> Tensor<3> {
        match site.hook {
            Hook::Embed | Hook::AttnOut | Hook::MlpOut => {
                let shape = tensor.dims();
                let factors = TensorData::new(self.factors(shape.iter().product()), shape);
                let factors = Tensor::<3>::from_data(factors, &tensor.device());
                tensor * factors
            }
            _ => tensor,
        }
    }
}
