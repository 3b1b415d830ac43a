//! The forward pass step by step, and its parts: what analyses are made of.
//!
//! The steps are those of [`Decoder::forward`], in the same code: whoever keeps the residual stream
//! between them can start again at any block.

use burn::tensor::{Tensor, TensorData};
use glassbox_kernels::Matrix;

use crate::{
    Decoder, KvCache, ModelError, NormKind, Observation, Pass,
    block::Mixing,
    layers::{Norm, scaled},
    mlp::Mlp,
};

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

    /// The final norm alone: `[batch, position, hidden]` to the same.
    pub fn final_normed(&self, x: Tensor<3>) -> Tensor<3> {
        self.final_norm.forward(x)
    }

    /// Whether the final norm takes off the mean.
    pub fn final_norm_centres(&self) -> bool {
        self.final_norm.kind == NormKind::Layer
    }

    /// Biases that the output head adds, `[vocab]`, before logits are scaled.
    pub fn head_bias(&self) -> Option<Tensor<1>> {
        self.head_bias.clone()
    }

    /// What a block's attention adds to the residual stream at one position, in parts `[heads + 1, hidden]`: a
    /// row for each head's `z` (of `[head, head_dim]`), and one for biases. Their sum is `hook_attn_out`.
    ///
    /// Where a norm follows the attention, its scale is held at what the whole output gives it. None where the block
    /// has a convolution in its place.
    pub fn attention_parts(&self, block: usize, z: &[f32]) -> Option<Tensor<2>> {
        let (heads, width, size) = (self.spec.heads, self.spec.query_width(), self.spec.head_dim);
        let block = &self.blocks[block];
        let Mixing::Attention(attention) = &block.mixer else { return None };
        // One row per head, zero but for its own slice; the last one all zero, so that it gives the biases.
        let mut rows = vec![0.0; (heads + 1) * width];
        for (head, values) in z.chunks_exact(size).take(heads).enumerate() {
            let from = head * width + head * size;
            rows[from..from + size].copy_from_slice(values);
        }
        let rows = Tensor::from_data(TensorData::new(rows, [heads + 1, width]), &self.device);
        let parts = without_bias(attention.o.forward_rows(rows));
        let total = parts.clone().sum_dim(0);
        let parts = through_norm(block.post_attn_norm.as_ref(), parts, total);
        Some(scaled(parts, self.spec.residual_scale))
    }

    /// What neurons of a block add to the residual stream, one row `[hidden]` each, for the activations
    /// `[intermediate]` of one position; a norm's scale is held as in [`Self::attention_parts`]. None where
    /// the block's MLP is a mixture of experts, which has no such neurons.
    pub fn neuron_outputs(&self, block: usize, activations: &[f32], neurons: &[usize]) -> Option<Tensor<2>> {
        let block = &self.blocks[block];
        let Mlp::Dense(mlp) = &block.mlp else { return None };
        let (count, width) = (neurons.len(), self.spec.intermediate);
        let mut rows = vec![0.0; (count + 2) * width];
        for (row, index) in neurons.iter().enumerate() {
            rows[row * width + index] = activations[*index];
        }
        rows[count * width..(count + 1) * width].copy_from_slice(activations);
        let rows = Tensor::from_data(TensorData::new(rows, [count + 2, width]), &self.device);
        let parts = without_bias(mlp.down.forward_rows(rows));
        let hidden = self.spec.hidden;
        let total = parts.clone().slice([count..count + 2, 0..hidden]).sum_dim(0);
        // The last row, of biases, goes through the norm as well, which adds its own bias there.
        let parts = through_norm(block.post_mlp_norm.as_ref(), parts, total);
        Some(scaled(parts.slice([0..count, 0..hidden]), self.spec.residual_scale))
    }
}

/// Takes the last row, what the biases alone give, off all others.
fn without_bias(rows: Tensor<2>) -> Tensor<2> {
    let [count, width] = rows.dims();
    let bias = rows.clone().slice([count - 1..count, 0..width]);
    Tensor::cat(vec![rows.slice([0..count - 1, 0..width]) - bias.clone(), bias], 0)
}

/// Parts `[part, hidden]` of a vector `total` `[1, hidden]` as a norm of the whole passes them on; what the
/// norm adds itself is in the last one.
fn through_norm(norm: Option<&Norm>, parts: Tensor<2>, total: Tensor<2>) -> Tensor<2> {
    let Some(norm) = norm else { return parts };
    let centred = |x: Tensor<2>| match norm.kind {
        NormKind::Rms => x,
        NormKind::Layer => {
            let mean = x.clone().mean_dim(1);
            x - mean
        }
    };
    let [count, width] = parts.dims();
    let scale = (centred(total).square().mean_dim(1) + norm.eps).sqrt();
    let parts = centred(parts) / scale;
    let parts = match &norm.weight {
        Some(weight) => parts * weight.clone().unsqueeze(),
        None => parts,
    };
    match &norm.bias {
        Some(bias) => {
            let last = parts.clone().slice([count - 1..count, 0..width]) + bias.clone().unsqueeze();
            parts.slice_assign([count - 1..count, 0..width], last)
        }
        None => parts,
    }
}
