//! StableLM 2 and StableLM 3B (Stability AI, 2024): layer norms, part of each head rotated.
//!
//! Reference: HF transformers, `modeling_stablelm.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{
    Activation, ConfigReader, DecoderSpec, ModelError, NormKind, NormSpec, QkNorm, RopeDefaults, Wiring,
};

pub(super) const STABLELM: Architecture = Architecture {
    name: "stablelm",
    models: "StableLM 3B, StableLM 2 1.6B and 12B, Stable Code 3B",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "stablelm", spec: gguf, names: |_| Names::gguf() }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("stablelm", config)?;
    spec.norm = norm(config.f32_or("layer_norm_eps", 1e-5)?);
    spec.mlp.activation = config.activation("hidden_act", Activation::Silu)?;
    spec.attention.qkv_bias = config.bool_or("use_qkv_bias", false)?;
    spec.attention.qk_norm = config.bool_or("qk_layernorm", false)?.then_some(QkNorm::OwnHead);
    spec.wiring = wiring(config.bool_or("use_parallel_residual", false)?);
    let quarter = RopeDefaults { partial: 0.25, ..RopeDefaults::default() };
    let rotary = config.rotary_of(None, spec.head_dim, quarter)?;
    Ok(spec.with_rotary(rotary))
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        q_norm: "model.layers.{i}.self_attn.q_layernorm.norms.{h}",
        k_norm: "model.layers.{i}.self_attn.k_layernorm.norms.{h}",
        ..Names::hub()
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("stablelm", checkpoint)?;
    spec.norm = norm(spec.norm.eps);
    let normed = checkpoint.tensors.contains_key("blk.0.attn_q_norm.weight");
    spec.attention.qk_norm = normed.then_some(QkNorm::OwnHead);
    spec.wiring = wiring(config.bool_or("use_parallel_residual", false)?);
    Ok(spec)
}

fn norm(eps: f32) -> NormSpec {
    NormSpec { kind: NormKind::Layer, eps, weight: true, bias: true }
}

fn wiring(parallel: bool) -> Wiring {
    if parallel { Wiring::ParallelSharedNorm } else { Wiring::Sequential }
}
