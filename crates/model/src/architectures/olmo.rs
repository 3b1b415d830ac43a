//! OLMo (Groeneveld et al., 2024): layer norms without weights; OLMoE (Muennighoff et al., 2024), a mixture
//! of experts.
//!
//! Reference: HF transformers, `modeling_olmo.py` and `modeling_olmoe.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ExpertsSpec, ModelError, NormKind, NormSpec, QkNorm};

pub(super) const OLMO: Architecture = Architecture {
    name: "olmo",
    models: "OLMo 1B and 7B",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "olmo", spec: gguf, names: |spec| Names::gguf().interleaved(spec) }),
};

pub(super) const OLMOE: Architecture = Architecture {
    name: "olmoe",
    models: "OLMoE 1B-7B",
    hub: moe,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "olmoe", spec: gguf_moe, names: |_| Names::gguf() }),
};

const NORM: NormSpec = NormSpec { kind: NormKind::Layer, eps: 1e-5, weight: false, bias: false };

/// Llama's keys with the biases and the clamp of this family.
fn base(name: &'static str, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base(name, config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.attention.clip = config.f32_unless_zero("clip_qkv")?;
    Ok(spec)
}

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    Ok(DecoderSpec { norm: NORM, ..base("olmo", config)? })
}

fn moe(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = base("olmoe", config)?;
    spec.norm.eps = config.f32_or("rms_norm_eps", 1e-5)?;
    spec.attention.qk_norm = Some(QkNorm::Width);
    spec.blocks.iter_mut().for_each(|block| block.experts = true);
    spec.mlp.experts = Some(ExpertsSpec {
        count: config.usize_or("num_experts", 64)?,
        active: config.usize_or("num_experts_per_tok", 8)?,
        intermediate: spec.intermediate,
        normalised: config.bool_or("norm_topk_prob", false)?,
    });
    Ok(spec)
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("olmo", checkpoint)?;
    spec.attention.clip = config.f32_unless_zero("attention.clamp_kqv")?;
    Ok(DecoderSpec { norm: NORM, ..spec })
}

fn gguf_moe(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("olmoe", checkpoint)?;
    spec.attention.qk_norm = Some(QkNorm::Width);
    config.gguf_experts(spec, checkpoint, false)
}
