//! The loss and its gradient, over several threads.

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use glassbox_model::Decoder;

use crate::{
    corpus::Sequence,
    dropout::Dropout,
    random,
    weights::{self, Weight},
};

/// What one pass over a batch gives.
#[derive(Debug)]
pub struct Pass {
    /// Mean of `-ln p(target)` over the positions that count.
    pub loss: f64,
    /// Gradient of the loss, `[elements]` each, in the weights' order.
    pub gradients: Vec<Tensor<1>>,
}

/// A step's sequences and how they are worked through.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The sequences, of equal length.
    pub sequences: &'a [Sequence],
    /// Sequences of a micro-batch.
    pub per_micro: usize,
    /// Dropout in 256ths.
    pub dropped: u8,
    /// What the dropout's random numbers depend on.
    pub seed: u64,
    /// The same, and the number of the step.
    pub step: u64,
}

/// Loss and gradient of a batch.
///
/// Threads share the micro-batches. Their gradients are added in their order, so that the sum does not
/// depend on the number of threads.
pub fn pass(decoder: &Decoder, weights: &[Weight], batch: Batch<'_>, threads: usize) -> Pass {
    let Batch { sequences, per_micro, dropped, seed, step } = batch;
    let total = sequences.iter().flat_map(|s| &s.counted).filter(|counted| **counted).count().max(1);
    let micros: Vec<&[Sequence]> = sequences.chunks(per_micro.max(1)).collect();
    // 2^16 micro-batches a step are more than fit in memory.
    let noise =
        |micro: usize| Dropout::new(dropped, random::stream(seed, "dropout", (step << 16) + micro as u64));
    let mut parts: Vec<Option<Pass>> = micros.iter().map(|_| None).collect();
    let each = parts.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        for (first, (parts, micros)) in parts.chunks_mut(each).zip(micros.chunks(each)).enumerate() {
            scope.spawn(move || {
                for (index, (part, micro)) in parts.iter_mut().zip(micros).enumerate() {
                    *part = Some(micro_pass(decoder, weights, micro, total, noise(first * each + index)));
                }
            });
        }
    });
    let mut parts = parts.into_iter().flatten();
    let Some(first) = parts.next() else { return Pass { loss: 0.0, gradients: Vec::new() } };
    parts.fold(first, |sum, part| Pass {
        loss: sum.loss + part.loss,
        gradients: sum.gradients.into_iter().zip(part.gradients).map(|(a, b)| a + b).collect(),
    })
}

/// The part of the loss and its gradient that a few sequences of equal length contribute.
fn micro_pass(
    decoder: &Decoder,
    weights: &[Weight],
    sequences: &[Sequence],
    total: usize,
    mut dropout: Option<Dropout>,
) -> Pass {
    let leaves: Vec<Tensor<1>> =
        weights.iter().map(|weight| weight.values.clone().autodiff().require_grad()).collect();
    let decoder = weights::with(decoder, &leaves);
    let inputs: Vec<u32> = sequences.iter().flat_map(|s| s.inputs.iter().copied()).collect();
    let logits = decoder.forward_batch(&inputs, sequences.len(), dropout.as_mut().map(|noise| noise as _));
    let [batch, length, vocab] = logits.dims();
    let logits = logits.reshape([batch * length, vocab]);
    let (loss, slope) = cross_entropy(logits.clone().without_autodiff(), sequences, total);
    // The gradient of this product's sum with respect to the logits is `slope`: what autodiff would find
    // for the cross-entropy, without its intermediate tensors of `[tokens, vocab]`.
    let mut gradients = (logits * slope).sum().backward();
    let missing = |leaf: &Tensor<1>| Tensor::zeros(leaf.dims(), &Device::flex());
    let gradients =
        leaves.iter().map(|leaf| leaf.grad_remove(&mut gradients).unwrap_or_else(|| missing(leaf))).collect();
    Pass { loss, gradients }
}

/// `-ln softmax(logits)[target] / total`, summed over counted positions, and its gradient with respect to
/// the logits, `(softmax(logits) - onehot(target)) / total`, `[tokens, vocab]`.
fn cross_entropy(logits: Tensor<2>, sequences: &[Sequence], total: usize) -> (f64, Tensor<2>) {
    let [tokens, vocab] = logits.dims();
    let mut slope = values(softmax(logits, 1));
    let weight = 1.0 / total as f32;
    let mut loss = 0.0;
    let positions = sequences.iter().flat_map(|s| s.targets.iter().zip(&s.counted));
    for (row, (target, counted)) in slope.chunks_exact_mut(vocab).zip(positions) {
        if *counted {
            let target = &mut row[*target as usize];
            loss -= f64::from(target.max(f32::MIN_POSITIVE)).ln();
            *target -= 1.0;
            row.iter_mut().for_each(|value| *value *= weight);
        } else {
            row.fill(0.0);
        }
    }
    let slope = Tensor::from_data(TensorData::new(slope, [tokens, vocab]), &Device::flex().autodiff());
    (loss / total as f64, slope)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("probabilities are f32")
}
