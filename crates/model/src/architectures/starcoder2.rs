//! StarCoder2 (Lozhkov et al., 2024): layer norms, biases and a plain MLP, with rotary embedding and a window.
//!
//! Reference: HF transformers, `modeling_starcoder2.py`. GGUF files leave the window out.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, Source};

pub(super) const STARCODER2: Architecture = Architecture {
    name: "starcoder2",
    models: "StarCoder2 3B, 7B and 15B",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "starcoder2", spec: gguf, names: |_| Names::gguf() }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let activation = config.activation("hidden_act", Activation::GeluTanh)?;
    let eps = config.f32_or("norm_epsilon", 1e-5)?;
    let mut spec = DecoderSpec::plain("starcoder2", config.sizes()?).with_biases(eps, activation);
    let bias = config.bool_or("use_bias", true)?;
    (spec.attention.qkv_bias, spec.attention.output_bias, spec.mlp.bias) = (bias, bias, bias);
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    let rotary = config.rotary(spec.head_dim)?;
    let window = config.window("sliding_window", None)?;
    Ok(spec.with_rotary(rotary).with_window(window, |_| true))
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        up: Source::plain("model.layers.{i}.mlp.c_fc"),
        down: Source::plain("model.layers.{i}.mlp.c_proj"),
        ..Names::hub()
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("starcoder2", checkpoint)?;
    let eps = spec.norm.eps;
    Ok(spec.with_biases(eps, Activation::GeluTanh))
}
