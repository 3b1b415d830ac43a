//! Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., 2023): parallel blocks with one norm, biases everywhere.
//!
//! Reference: HF transformers, `modeling_phi.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, QkNorm, RopeDefaults, Source, Wiring};

pub(super) const PHI: Architecture = Architecture {
    name: "phi",
    models: "Phi-1, Phi-1.5, Phi-2",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "phi2", spec: gguf, names: gguf_names }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let activation = config.activation("hidden_act", Activation::GeluTanh)?;
    let eps = config.f32_or("layer_norm_eps", 1e-5)?;
    let mut spec = DecoderSpec::plain("phi", config.sizes()?).with_biases(eps, activation);
    spec.wiring = Wiring::ParallelSharedNorm;
    if config.bool_or("qk_layernorm", false)? {
        (spec.attention.qk_norm, spec.attention.qk_norm_bias) = (Some(QkNorm::Head), true);
    }
    spec.tied_head = config.bool_or("tie_word_embeddings", false)?;
    spec.head_bias = true;
    let half = RopeDefaults { partial: 0.5, ..RopeDefaults::default() };
    let rotary = config.rotary_of(None, spec.head_dim, half)?;
    Ok(spec.with_rotary(rotary))
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        final_norm: "model.final_layernorm",
        o: Source::plain("model.layers.{i}.self_attn.dense"),
        q_norm: "model.layers.{i}.self_attn.q_layernorm",
        k_norm: "model.layers.{i}.self_attn.k_layernorm",
        up: Source::plain("model.layers.{i}.mlp.fc1"),
        down: Source::plain("model.layers.{i}.mlp.fc2"),
        ..Names::hub()
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    config.refuse_tensor(checkpoint, "blk.0.attn_qkv.weight", "an old conversion with fused projections")?;
    let spec = config.gguf_spec("phi", checkpoint)?;
    let eps = spec.norm.eps;
    Ok(DecoderSpec { wiring: Wiring::ParallelSharedNorm, ..spec.with_biases(eps, Activation::GeluTanh) })
}

fn gguf_names(_: &DecoderSpec) -> Names {
    Names::gguf()
}
