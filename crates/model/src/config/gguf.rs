//! What GGUF files of all architectures state in the same keys.

use glassbox_formats::{Checkpoint, Config, gguf};

use super::{ConfigReader, SizeKeys, wrong};
use crate::{DecoderSpec, ExpertsSpec, ModelError, Positions};

impl ConfigReader<'_> {
    /// What all GGUF files of one architecture state in the same keys: sizes, the norms' eps, rotary embedding,
    /// and, by the tensors that are there, biases and an untied head.
    pub fn gguf_spec(
        &self,
        architecture: &'static str,
        checkpoint: &Checkpoint,
    ) -> Result<DecoderSpec, ModelError> {
        let has = |name: &str| checkpoint.tensors.contains_key(name);
        let mut sizes = self.sizes()?;
        sizes.vocab = self.gguf_vocab(checkpoint)?;
        let mut spec = DecoderSpec::plain(architecture, sizes);
        spec.norm.eps = match self.number("attention.layer_norm_rms_epsilon")? {
            Some(eps) => eps,
            None => self.f32("attention.layer_norm_epsilon")?,
        };
        spec.norm.bias = has("output_norm.bias");
        spec.positions = Positions::Rotary(vec![self.gguf_rotary(spec.head_dim, spec.context)?]);
        spec.attention.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
        spec.attention.output_bias = has("blk.0.attn_output.bias");
        spec.mlp.bias = has("blk.0.ffn_up.bias");
        spec.tied_head = !has("output.weight");
        spec.head_bias = has("output.bias");
        Ok(spec)
    }

    /// Which blocks of a hybrid attend: those with key heads, where their number is stated for each.
    pub fn gguf_attends(&self, layers: usize) -> Result<Vec<bool>, ModelError> {
        let key = self.full(SizeKeys::GGUF.kv_heads);
        let Config::Gguf(metadata) = self.config else { return Ok(vec![true; layers]) };
        match metadata.get::<Vec<u64>>(&key)?.unwrap_or_default() {
            heads if heads.len() <= 1 => Ok(vec![true; layers]),
            heads if heads.len() == layers => Ok(heads.iter().map(|heads| *heads > 0).collect()),
            heads => Err(wrong(&key, &format!("{} numbers of heads for {layers} layers", heads.len()))),
        }
    }

    /// The vocabulary's size in a GGUF: rows of the embedding, which are what the model computes with.
    pub fn gguf_vocab(&self, checkpoint: &Checkpoint) -> Result<usize, ModelError> {
        let tensor = checkpoint.tensor("token_embd.weight")?;
        Ok(tensor.shape.first().copied().and_then(|rows| usize::try_from(rows).ok()).unwrap_or(0))
    }

    /// Refuses a GGUF that sets a key to anything but `none` or 0.
    pub fn refuse(&self, key: &str, problem: &str) -> Result<(), ModelError> {
        let Config::Gguf(metadata) = self.config else { return Ok(()) };
        let full = self.full(key);
        match metadata.value(&full) {
            None => Ok(()),
            Some(gguf::Value::String(value)) if value == "none" => Ok(()),
            Some(value) if value.as_integer() == Some(0) => Ok(()),
            Some(_) => Err(wrong(&full, problem)),
        }
    }

    /// The same of a GGUF whose MLPs are mixtures of experts; `normalised` as the architecture has it.
    pub fn gguf_experts(
        &self,
        mut spec: DecoderSpec,
        checkpoint: &Checkpoint,
        normalised: bool,
    ) -> Result<DecoderSpec, ModelError> {
        for (index, block) in spec.blocks.iter_mut().enumerate() {
            block.experts = checkpoint.tensors.contains_key(&format!("blk.{index}.ffn_gate_inp.weight"));
        }
        spec.mlp.experts = Some(ExpertsSpec {
            count: self.usize("expert_count")?,
            active: self.usize("expert_used_count")?,
            intermediate: self.usize_or("expert_feed_forward_length", spec.intermediate)?,
            normalised,
        });
        Ok(spec)
    }

    /// Refuses a GGUF that holds a tensor.
    pub fn refuse_tensor(
        &self,
        checkpoint: &Checkpoint,
        name: &str,
        problem: &str,
    ) -> Result<(), ModelError> {
        match checkpoint.tensors.contains_key(name) {
            true => Err(wrong(name, problem)),
            false => Ok(()),
        }
    }
}
