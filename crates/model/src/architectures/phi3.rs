//! Phi-3, Phi-3.5 and Phi-4 mini (Abdin et al., 2024): fused projections, LongRoPE.
//!
//! Reference: HF transformers, `modeling_phi3.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError, Source};

pub(super) const PHI3: Architecture = Architecture {
    name: "phi3",
    models: "Phi-3, Phi-3.5 mini, Phi-4, Phi-4 mini",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "phi3", spec: gguf, names: gguf_names }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let window = config.window("sliding_window", None)?;
    Ok(llama::base("phi3", config)?.with_window(window, |_| true))
}

fn hub_names(spec: &DecoderSpec) -> Names {
    Names::hub()
        .fused(spec, Source::plain("model.layers.{i}.self_attn.qkv_proj"))
        .fused_gate(spec, Source::plain("model.layers.{i}.mlp.gate_up_proj"))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("phi3", checkpoint)?;
    let rotary = config.gguf_longrope(&spec, checkpoint)?;
    let window = config.window("attention.sliding_window", None)?;
    Ok(spec.with_rotary(rotary).with_window(window, |_| true))
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf()
        .fused(spec, Source::plain("blk.{i}.attn_qkv"))
        .fused_gate(spec, Source::plain("blk.{i}.ffn_up"))
}
