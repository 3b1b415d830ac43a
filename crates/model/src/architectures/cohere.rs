//! Command R and Aya (Cohere, 2024): parallel blocks, layer norms without biases, neighbours rotated.
//!
//! Reference: HF transformers, `modeling_cohere.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{
    ConfigReader, DecoderSpec, ModelError, NormKind, NormSpec, Pairing, QkNorm, RopeDefaults, RotarySpec,
    Wiring,
};

pub(super) const COHERE: Architecture = Architecture {
    name: "cohere",
    models: "Command R, Aya 23, Aya Expanse",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "command-r", spec: gguf, names: |_| Names::gguf() }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("cohere", config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.attention.qk_norm = config.bool_or("use_qk_norm", false)?.then_some(QkNorm::OwnHead);
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    spec.logit_scale = config.f32_or("logit_scale", 0.0625)?;
    let theta = RopeDefaults { theta: 500_000.0, ..RopeDefaults::default() };
    let rotary = config.rotary_of(None, spec.head_dim, theta)?;
    Ok(parallel(spec, rotary, config.f32_or("layer_norm_eps", 1e-5)?))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("cohere", checkpoint)?;
    let normed = checkpoint.tensors.contains_key("blk.0.attn_q_norm.weight");
    spec.attention.qk_norm = normed.then_some(QkNorm::OwnHead);
    spec.logit_scale = config.f32_or("logit_scale", 1.0)?;
    let eps = spec.norm.eps;
    let Some(rotary) = spec.rotaries().first().cloned() else { return Ok(spec) };
    Ok(parallel(spec, rotary, eps))
}

fn parallel(mut spec: DecoderSpec, rotary: RotarySpec, eps: f32) -> DecoderSpec {
    spec.norm = NormSpec { kind: NormKind::Layer, eps, weight: true, bias: false };
    spec.wiring = Wiring::ParallelSharedNorm;
    spec.with_rotary(RotarySpec { pairing: Pairing::Neighbours, ..rotary })
}
