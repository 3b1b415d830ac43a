//! The decoder: one forward pass for every architecture.

use burn::tensor::{Device, Tensor};
use glassbox_kernels::Matrix;

use crate::{
    DecoderSpec, Hook, KvCache, ModelError, Noise, Observation, Pass, Positions, Site,
    block::Block,
    layers::{Norm, scaled, soft_cap},
    parameters::bytes,
};

/// A decoder-only transformer with its weights on a device.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// What it is made of.
    pub spec: DecoderSpec,
    pub(crate) embed: Matrix,
    pub(crate) pos_embed: Option<Matrix>,
    pub(crate) embed_norm: Option<Norm>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) final_norm: Norm,
    /// None where the embedding is the head.
    pub(crate) head: Option<Matrix>,
    /// `[vocab]`
    pub(crate) head_bias: Option<Tensor<1>>,
    pub(crate) device: Device,
}

impl Decoder {
    /// The device the weights are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes of the weights in the form they are held in.
    pub fn weight_bytes(&self) -> u64 {
        bytes(self)
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
        let (past, count) = (cache.len(), tokens.len());
        let pass = self.pass_behind(cache, count);

        let x = self.embed(tokens, 1, past, observation);
        let x = self.through_blocks(x, &pass, Some(&mut *cache), observation);
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
    /// logits `[batch, position, vocab]`: the pass that training differentiates, with its noise.
    pub fn forward_batch(
        &self,
        tokens: &[u32],
        batch: usize,
        noise: Option<&mut (dyn Noise + 'static)>,
    ) -> Tensor<3> {
        let probe = crate::Probe::all_logits();
        let mut observation = Observation::new(&probe, &[], 0).with_noise(noise);
        let count = tokens.len() / batch;
        let pass = self.pass_alone(count);
        let x = self.embed(tokens, batch, 0, &mut observation);
        let x = self.through_blocks(x, &pass, None, &mut observation);
        self.unembed(x, &mut observation)
    }

    /// The residual stream `[batch, position, hidden]` through all blocks.
    pub(crate) fn through_blocks(
        &self,
        mut x: Tensor<3>,
        pass: &Pass,
        mut cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(&self.spec, index, x, pass, cache.as_deref_mut(), observation);
        }
        x
    }

    pub(crate) fn embed(
        &self,
        tokens: &[u32],
        batch: usize,
        past: usize,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let positions = |offset: usize| -> Vec<u32> {
            (offset + past..offset + past + tokens.len() / batch).map(|row| row as u32).collect()
        };
        let positions = self.learned_positions().map(|(table, offset)| table.gather(&positions(offset)));
        self.embedded(self.embed.gather(tokens), positions, batch, observation)
    }

    /// The table of learned positions, and the row of the first one.
    pub(crate) fn learned_positions(&self) -> Option<(&Matrix, usize)> {
        match (&self.pos_embed, &self.spec.positions) {
            (Some(table), Positions::Learned { offset }) => Some((table, *offset)),
            _ => None,
        }
    }

    /// The input of block 0 `[batch, position, hidden]` from rows of the embedding `[batch * position, hidden]` and of
    /// the table of positions `[position, hidden]`.
    pub(crate) fn embedded(
        &self,
        rows: Tensor<2>,
        positions: Option<Tensor<2>>,
        batch: usize,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let hidden = self.spec.hidden;
        let count = rows.dims()[0] / batch;
        let x = scaled(rows.reshape([batch, count, hidden]), self.spec.embed_scale);
        let x = match &self.embed_norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let x = observation.at3(Site::global(Hook::Embed), x);
        match positions {
            Some(rows) => x + observation.at3(Site::global(Hook::PosEmbed), rows.reshape([1, count, hidden])),
            None => x,
        }
    }

    pub(crate) fn unembed(&self, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
        let [batch, count, width] = x.dims();
        let normed = observation.at3(Site::global(Hook::LnFinal), self.final_norm.forward(x));
        let head = self.head.as_ref().unwrap_or(&self.embed);
        let logits = head.linear(normed.reshape([batch * count, width]));
        let logits = match &self.head_bias {
            Some(bias) => logits + bias.clone().unsqueeze(),
            None => logits,
        };
        let logits = scaled(logits, self.spec.logit_scale);
        let logits = match self.spec.logit_soft_cap {
            Some(cap) => soft_cap(logits, cap),
            None => logits,
        };
        logits.reshape([batch, count, self.spec.vocab])
    }
}
