//! The forward pass step by step, and its parts: what analyses are made of.
//!
//! The steps are those of [`Decoder::forward`], in the same code: whoever keeps the residual stream
//! between them can start again at any block.

use burn::tensor::{Tensor, TensorData};
use glassbox_kernels::Matrix;

use crate::{Decoder, KvCache, ModelError, NormKind, Observation, Pass, mlp::Mlp};

impl Decoder {
    /// Embeds `tokens` that stand behind `past` others: `[1, position, hidden]`, the input of block 0.
    ///
    /// # Errors
    /// For tokens that the model does not have, none at all, or more than its context.
    pub fn start(
        &self,
        tokens: &[u32],
        past: usize,
        observation: &mut Observation<'_>,
    ) -> Result<Tensor<3>, ModelError> {
        self.check_tokens(tokens, past)?;
        Ok(self.embed(tokens, 1, past, observation))
    }

    /// What all blocks share over `count` positions behind what `cache` holds; makes room for them.
    pub fn pass_behind(&self, cache: &mut KvCache, count: usize) -> Pass {
        cache.reserve(count, self.spec.context);
        let length = cache.expected().max(cache.len() + count);
        Pass::new(&self.spec, cache.len(), count, length, cache.capacity(), &self.device)
    }

    /// What all blocks share over `count` positions from the first, without a cache.
    pub fn pass_alone(&self, count: usize) -> Pass {
        Pass::new(&self.spec, 0, count, count, count, &self.device)
    }

    /// Runs one block over its input `[batch, position, hidden]`; gives the next block's input.
    ///
    /// With a cache, keys and values are written behind what it holds; call [`KvCache::advance`] when
    /// all blocks have run.
    pub fn run_block(
        &self,
        index: usize,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        self.blocks[index].forward(&self.spec, index, x, pass, cache, observation)
    }

    /// Final norm and output head: `[batch, position, hidden]` to logits `[batch, position, vocab]`.
    pub fn read_out(&self, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
        self.unembed(x, observation)
    }

    /// The output head: `[out = vocab, in = hidden]`.
    pub fn output_head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// What the final norm multiplies a residual vector with once its scale is known: `[hidden]`.
    pub fn final_gain(&self) -> Tensor<1> {
        let ones = || Tensor::ones([self.spec.hidden], &self.device);
        self.final_norm.weight.clone().unwrap_or_else(ones)
    }

    /// What the final norm adds: `[hidden]`.
    pub fn final_bias(&self) -> Option<Tensor<1>> {
        self.final_norm.bias.clone()
    }

    /// What the final norm divides a residual vector by, after taking off its mean where the norm does:
    /// the root of the mean square plus epsilon.
    pub fn final_scale(&self, x: &[f32]) -> f32 {
        let size = x.len() as f64;
        let mean = match self.final_norm.kind {
            NormKind::Rms => 0.0,
            NormKind::Layer => x.iter().map(|v| f64::from(*v)).sum::<f64>() / size,
        };
        let square = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / size;
        (square + f64::from(self.final_norm.eps)).sqrt() as f32
    }

    /// What each head of a block writes: `z` `[head, head_dim]` of one position to `[head, hidden]`,
    /// without the output projection's bias.
    pub fn head_outputs(&self, block: usize, z: &[f32]) -> Tensor<2> {
        let (heads, width) = (self.spec.heads, self.spec.query_width());
        let size = self.spec.head_dim;
        // One row per head, zero but for its own slice: the projection's columns apart.
        let mut rows = vec![0.0; heads * width];
        for (head, values) in z.chunks_exact(size).take(heads).enumerate() {
            let from = head * width + head * size;
            rows[from..from + size].copy_from_slice(values);
        }
        let rows = Tensor::from_data(TensorData::new(rows, [heads, width]), &self.device);
        self.blocks[block].attention.o.weight.linear(rows)
    }

    /// The bias of a block's attention output: `[hidden]`.
    pub fn attention_bias(&self, block: usize) -> Option<Tensor<1>> {
        self.blocks[block].attention.o.bias.clone()
    }

    /// What neurons of a block write for the activations given: one row `[hidden]` each, without the
    /// projection's bias. None where the block's MLP is a mixture of experts, which has no such neurons.
    pub fn neuron_outputs(&self, block: usize, neurons: &[(usize, f32)]) -> Option<Tensor<2>> {
        let Mlp::Dense(mlp) = &self.blocks[block].mlp else { return None };
        let width = self.spec.intermediate;
        let mut rows = vec![0.0; neurons.len() * width];
        for (row, (index, activation)) in neurons.iter().enumerate() {
            rows[row * width + index] = *activation;
        }
        let rows = Tensor::from_data(TensorData::new(rows, [neurons.len(), width]), &self.device);
        Some(mlp.down.weight.linear(rows))
    }
}
