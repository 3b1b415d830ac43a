//! The weights as the training holds them: plain tensors beside the decoder that runs them.

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_kernels::Matrix;
use glassbox_model::{Decoder, WeightMap};

use crate::{Recipe, random};

/// One weight.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Its name as the decoder gives it (`blocks.3.q.weight`).
    pub name: String,
    /// `[size]` of a vector, `[out_features, in_features]` of a matrix.
    pub shape: Vec<usize>,
    /// Its values, row by row, `[elements]`, on the CPU and outside autodiff.
    pub values: Tensor<1>,
}

impl Weight {
    /// Whether the optimiser lets it decay: matrices do, norms do not.
    pub fn decays(&self) -> bool {
        self.shape.len() == 2
    }
}

/// Reads a decoder's weights, in its own order.
pub fn of(decoder: &Decoder) -> Vec<Weight> {
    struct Read(Vec<Weight>);
    impl WeightMap for Read {
        fn vector(&mut self, name: &str, vector: &Tensor<1>) -> Tensor<1> {
            let shape = vector.dims().to_vec();
            self.0.push(Weight { name: name.to_owned(), shape, values: vector.clone() });
            vector.clone()
        }

        fn matrix(&mut self, name: &str, matrix: &Matrix) -> Matrix {
            let shape = vec![matrix.out_features(), matrix.in_features()];
            let values = matrix.dequantise().flatten(0, 1);
            self.0.push(Weight { name: name.to_owned(), shape, values });
            matrix.clone()
        }
    }
    let mut read = Read(Vec::new());
    decoder.map_weights(&mut read);
    read.0
}

/// The decoder with other weights: `tensors` in the decoder's own order, each `[elements]`.
///
/// # Panics
/// If there are fewer tensors than weights, or one has another size than its weight.
pub fn with(decoder: &Decoder, tensors: &[Tensor<1>]) -> Decoder {
    struct Write<'a>(std::slice::Iter<'a, Tensor<1>>);
    impl Write<'_> {
        fn next(&mut self) -> Tensor<1> {
            self.0.next().expect("a tensor for every weight").clone()
        }
    }
    impl WeightMap for Write<'_> {
        fn vector(&mut self, _: &str, vector: &Tensor<1>) -> Tensor<1> {
            self.next().reshape(vector.dims())
        }

        fn matrix(&mut self, _: &str, matrix: &Matrix) -> Matrix {
            Matrix::from_tensor(self.next().reshape([matrix.out_features(), matrix.in_features()]))
        }
    }
    decoder.map_weights(&mut Write(tensors.iter()))
}

/// Initial weights: normal with the deviations of GPT-2's scheme (projections into the residual stream
/// narrower by the root of how many there are), norms at 1.
pub fn initialise(weights: &mut [Weight], recipe: &Recipe) {
    let into_stream = (2.0 * recipe.shape.num_hidden_layers as f32).sqrt();
    for (number, weight) in (0..).zip(weights) {
        let count = weight.shape.iter().product();
        let values = if weight.shape.len() == 1 {
            vec![1.0; count]
        } else {
            let deviation = match weight.name.as_str() {
                "embed.weight" => 0.02,
                name if name.ends_with(".o.weight") || name.ends_with(".down.weight") => {
                    (weight.shape[1] as f32).sqrt().recip() / into_stream
                }
                _ => (weight.shape[1] as f32).sqrt().recip(),
            };
            let mut rng = random::stream(recipe.seed, "weights", number);
            (0..count).map(|_| random::normal(&mut rng) * deviation).collect()
        };
        weight.values = tensor(values);
    }
}

/// A vector on the CPU.
pub fn tensor(values: Vec<f32>) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &Device::flex())
}

/// The values of a tensor on the CPU.
pub fn values(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("weights are f32")
}
