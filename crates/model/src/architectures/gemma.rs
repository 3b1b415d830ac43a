//! Gemma (Gemma Team, 2024): wide heads, scaled embeddings, norms whose weights are stored less 1.
//!
//! Reference: HF transformers, `modeling_gemma.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError};

pub(super) const GEMMA: Architecture = Architecture {
    name: "gemma",
    models: "Gemma",
    hub: |config| base("gemma", config),
    hub_names,
    gguf: Some(Gguf {
        name: "gemma",
        spec: |config, checkpoint| gguf_base("gemma", config, checkpoint),
        names: |_| Names::gguf(),
    }),
};

/// What all Gemma models share.
pub(super) fn base(name: &'static str, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base(name, config)?;
    // Where config.json says "gelu" in `hidden_act`, the models were trained with the approximation.
    spec.mlp.activation = config.activation("hidden_activation", Activation::GeluTanh)?;
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.embed_scale = (spec.hidden as f32).sqrt();
    Ok(spec)
}

/// The same of a GGUF, whose converter has added the 1 to the norms.
pub(super) fn gguf_base(
    name: &'static str,
    config: &ConfigReader<'_>,
    checkpoint: &Checkpoint,
) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec(name, checkpoint)?;
    spec.mlp.activation = Activation::GeluTanh;
    spec.embed_scale = (spec.hidden as f32).sqrt();
    Ok(spec)
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names { norm_offset: 1.0, ..Names::hub() }
}
