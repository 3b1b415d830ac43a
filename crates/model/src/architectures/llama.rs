//! Llama (Touvron et al., 2023; Llama 3, Dubey et al., 2024) and what shares its layout.
//!
//! Reference: HF transformers, `modeling_llama.py`; llama.cpp's converter for the order of Q and K.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError};

pub(super) const LLAMA: Architecture = Architecture {
    name: "llama",
    models: "Llama, SmolLM, TinyLlama, Yi, DeepSeek LLM",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "llama", spec: gguf, names: |spec| Names::gguf().interleaved(spec) }),
};

/// Llama's keys and defaults, which later architectures start from.
pub(super) fn base(name: &'static str, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = DecoderSpec::plain(name, config.sizes()?);
    spec.norm.eps = config.f32_or("rms_norm_eps", 1e-6)?;
    spec.mlp.activation = config.activation("hidden_act", Activation::Silu)?;
    spec.tied_head = config.bool_or("tie_word_embeddings", false)?;
    let rotary = config.rotary(spec.head_dim)?;
    Ok(spec.with_rotary(rotary))
}

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = base("llama", config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.mlp.bias = config.bool_or("mlp_bias", false)?;
    Ok(spec)
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    config.refuse("expert_count", "mixtures of experts in Llama's layout (Mixtral) are not known")?;
    config.gguf_spec("llama", checkpoint)
}
