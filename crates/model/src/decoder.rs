//! The decoder: one forward pass for every architecture.

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use glassbox_kernels::Matrix;

use crate::{
    DecoderSpec, Hook, KvCache, ModelError, Observation, Positions, Site,
    layers::{Linear, Norm},
    rotary::Rotary,
};

/// Added to masked scores: finite, since shaders may assume that infinities do not occur, and far
/// below any score, so that its softmax weight is exactly 0.
const MASKED: f32 = -1e30;

/// A decoder-only transformer with its weights on a device.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// What it is made of.
    pub spec: DecoderSpec,
    pub(crate) embed: Matrix,
    pub(crate) pos_embed: Option<Matrix>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) final_norm: Norm,
    /// None where the embedding is the head.
    pub(crate) head: Option<Matrix>,
    pub(crate) device: Device,
}

/// A block's weights.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub attn_norm: Norm,
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
    pub mlp_norm: Norm,
    pub gate: Option<Linear>,
    pub up: Linear,
    pub down: Linear,
}

/// What all blocks of one pass share.
struct Pass {
    rotary: Option<Rotary>,
    /// `[1, 1, query, key]`, added to the scores; none where nothing is masked.
    mask: Option<Tensor<4>>,
    /// Keys that exist; the rest of the key axis is padding.
    keys: usize,
}

impl Decoder {
    /// The device the weights are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes of the weights in the form they are held in.
    pub fn weight_bytes(&self) -> u64 {
        let linear = |l: &Linear| l.weight.bytes();
        let blocks: u64 = self
            .blocks
            .iter()
            .map(|b| {
                [&b.q, &b.k, &b.v, &b.o, &b.up, &b.down].map(linear).iter().sum::<u64>()
                    + b.gate.as_ref().map_or(0, linear)
            })
            .sum();
        let matrices = [Some(&self.embed), self.pos_embed.as_ref(), self.head.as_ref()];
        blocks + matrices.into_iter().flatten().map(Matrix::bytes).sum::<u64>()
    }

    /// Checks that tokens can follow what a cache of `past` positions holds.
    pub fn check_tokens(&self, tokens: &[u32], past: usize) -> Result<(), ModelError> {
        if tokens.is_empty() {
            return Err(ModelError::NoTokens);
        }
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.spec.vocab) {
            return Err(ModelError::TokenRange { id: *id, vocab: self.spec.vocab });
        }
        let total = past + tokens.len();
        if total > self.spec.context {
            return Err(ModelError::Context { tokens: total, context: self.spec.context });
        }
        Ok(())
    }

    /// Runs `tokens` behind what the cache holds and returns logits `[position, vocab]`: of all
    /// positions if the observation needs them, else of the last one.
    ///
    /// Nothing is read back here: the result and what `observation` captured stay on the device.
    pub fn forward(
        &self,
        tokens: &[u32],
        cache: &mut KvCache,
        observation: &mut Observation<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        self.check_tokens(tokens, cache.len())?;
        let count = tokens.len();
        cache.reserve(count, self.spec.context);
        let pass = self.pass(cache.len(), count, cache.capacity());

        let mut x = self.embed(tokens, 1, cache.len(), observation);
        for (index, block) in self.blocks.iter().enumerate() {
            x = self.block(index, block, x, &pass, Some(&mut *cache), observation);
        }
        cache.advance(count);
        let x = if observation.all_logits() || observation.touches(Site::global(Hook::LnFinal)) {
            x
        } else {
            // The rest of the pass is per position: only the last one's is asked for.
            x.slice([0..1, count - 1..count, 0..self.spec.hidden])
        };
        Ok(self.unembed(x, observation).squeeze_dim(0))
    }

    /// Runs `batch` sequences of equal length (concatenated in `tokens`) without a cache and returns
    /// logits `[batch, position, vocab]`: the pass that training differentiates.
    pub fn forward_batch(&self, tokens: &[u32], batch: usize) -> Tensor<3> {
        let probe = crate::Probe::all_logits();
        let mut observation = Observation::new(&probe, &[], 0);
        let count = tokens.len() / batch;
        let pass = self.pass(0, count, count);
        let mut x = self.embed(tokens, batch, 0, &mut observation);
        for (index, block) in self.blocks.iter().enumerate() {
            x = self.block(index, block, x, &pass, None, &mut observation);
        }
        self.unembed(x, &mut observation)
    }

    fn pass(&self, past: usize, count: usize, capacity: usize) -> Pass {
        let rotary = match self.spec.positions {
            Positions::Rotary { theta, dims } => Some(Rotary::new(theta, dims, past, count, &self.device)),
            Positions::Learned => None,
        };
        let masked = count > 1 || past + count < capacity;
        let mask = masked.then(|| {
            let values: Vec<f32> = (past..past + count)
                .flat_map(|query| (0..capacity).map(move |key| if key <= query { 0.0 } else { MASKED }))
                .collect();
            Tensor::from_data(TensorData::new(values, [1, 1, count, capacity]), &self.device)
        });
        Pass { rotary, mask, keys: past + count }
    }

    fn embed(
        &self,
        tokens: &[u32],
        batch: usize,
        past: usize,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let count = tokens.len() / batch;
        let shape = [batch, count, self.spec.hidden];
        let x = observation.at3(Site::global(Hook::Embed), self.embed.gather(tokens).reshape(shape));
        match &self.pos_embed {
            Some(table) => {
                let rows: Vec<u32> = (past as u32..(past + count) as u32).collect();
                let positions = table.gather(&rows).reshape([1, count, self.spec.hidden]);
                x + observation.at3(Site::global(Hook::PosEmbed), positions)
            }
            None => x,
        }
    }

    fn block(
        &self,
        index: usize,
        block: &Block,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let site = |hook| Site::block(index, hook);
        let x = observation.at3(site(Hook::ResidPre), x);
        let normed = observation.at3(site(Hook::Ln1), block.attn_norm.forward(x.clone()));
        let attn = self.attention(index, block, normed, pass, cache, observation);
        let attn = observation.at3(site(Hook::AttnOut), attn);
        let x = observation.at3(site(Hook::ResidMid), x + attn);
        let normed = observation.at3(site(Hook::Ln2), block.mlp_norm.forward(x.clone()));
        let mlp = self.mlp(index, block, normed, observation);
        let mlp = observation.at3(site(Hook::MlpOut), mlp);
        observation.at3(site(Hook::ResidPost), x + mlp)
    }

    fn attention(
        &self,
        index: usize,
        block: &Block,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let DecoderSpec { heads, kv_heads, head_dim, .. } = self.spec;
        let [batch, count, _] = x.dims();
        let site = |hook| Site::block(index, hook);

        // 1. Project: [batch, position, head, head_dim].
        let q = block.q.forward(x.clone()).reshape([batch, count, heads, head_dim]);
        let k = block.k.forward(x.clone()).reshape([batch, count, kv_heads, head_dim]);
        let v = block.v.forward(x).reshape([batch, count, kv_heads, head_dim]);
        let (mut q, mut k) = (observation.at4(site(Hook::Q), q), observation.at4(site(Hook::K), k));
        let v = observation.at4(site(Hook::V), v);

        // 2. Turn by position.
        if let Some(rotary) = &pass.rotary {
            q = observation.at4(site(Hook::RotQ), rotary.apply(q));
            k = observation.at4(site(Hook::RotK), rotary.apply(k));
        }

        // 3. Heads outermost; keys and values of all positions so far.
        let (q, k, v) = (q.swap_dims(1, 2), k.swap_dims(1, 2), v.swap_dims(1, 2));
        let (k, v) = match cache {
            Some(cache) => cache.write(index, k, v),
            None => (k, v),
        };
        let keys = k.dims()[2];

        // 4. Scores [batch, head, query, key]. Query heads that share a key head are rows of one product.
        let grouped = [batch, kv_heads, self.spec.group() * count, head_dim];
        let scores = q.reshape(grouped).matmul(k.swap_dims(2, 3)).reshape([batch, heads, count, keys]);
        let scores = scores.mul_scalar(1.0 / (head_dim as f64).sqrt());
        let scores = match &pass.mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let scores = self.at_keys(site(Hook::AttnScores), scores, pass, observation);

        // 5. Each row sums to 1.
        let pattern = self.at_keys(site(Hook::Pattern), softmax(scores, 3), pass, observation);

        // 6. Weighted sum of values, back to [batch, position, head, head_dim].
        let rows = pattern.reshape([batch, kv_heads, self.spec.group() * count, keys]);
        let z = rows.matmul(v).reshape([batch, heads, count, head_dim]).swap_dims(1, 2);
        let z = observation.at4(site(Hook::Z), z);
        block.o.forward(z.reshape([batch, count, heads * head_dim]))
    }

    /// Observes a `[batch, head, query, key]` tensor without the padding of its key axis.
    fn at_keys(
        &self,
        site: Site,
        tensor: Tensor<4>,
        pass: &Pass,
        observation: &mut Observation<'_>,
    ) -> Tensor<4> {
        let [batch, heads, count, capacity] = tensor.dims();
        if !observation.touches(site) {
            return tensor;
        }
        let used = [0..batch, 0..heads, 0..count, 0..pass.keys];
        let seen = observation.at4(site, tensor.clone().slice(used.clone()));
        if pass.keys == capacity { seen } else { tensor.slice_assign(used, seen) }
    }

    fn mlp(&self, index: usize, block: &Block, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
        let site = |hook| Site::block(index, hook);
        let activation = self.spec.activation;
        let hidden = match &block.gate {
            Some(gate) => {
                let pre = observation.at3(site(Hook::MlpPre), gate.forward(x.clone()));
                let linear = observation.at3(site(Hook::MlpPreLinear), block.up.forward(x));
                activation.forward(pre) * linear
            }
            None => activation.forward(observation.at3(site(Hook::MlpPre), block.up.forward(x))),
        };
        block.down.forward(observation.at3(site(Hook::MlpPost), hidden))
    }

    fn unembed(&self, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
        let [batch, count, width] = x.dims();
        let normed = observation.at3(Site::global(Hook::LnFinal), self.final_norm.forward(x));
        let head = self.head.as_ref().unwrap_or(&self.embed);
        head.linear(normed.reshape([batch * count, width])).reshape([batch, count, self.spec.vocab])
    }
}
