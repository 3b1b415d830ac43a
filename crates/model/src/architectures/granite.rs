//! Granite 3 (IBM, 2024): Llama with four multipliers, dense and as mixture of experts.
//!
//! Reference: HF transformers, `modeling_granite.py` and `modeling_granitemoe.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ExpertsSpec, ModelError, Source};

pub(super) const GRANITE: Architecture = Architecture {
    name: "granite",
    models: "Granite 3 2B and 8B",
    hub: |config| hub("granite", config),
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf {
        name: "granite",
        spec: |config, checkpoint| gguf("granite", config, checkpoint),
        names: |spec| Names::gguf().interleaved(spec),
    }),
};

pub(super) const GRANITEMOE: Architecture = Architecture {
    name: "granitemoe",
    models: "Granite 3 1B-A400M and 3B-A800M",
    hub: moe,
    hub_names: moe_names,
    gguf: Some(Gguf { name: "granitemoe", spec: gguf_moe, names: |spec| Names::gguf().interleaved(spec) }),
};

fn hub(name: &'static str, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base(name, config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.mlp.bias = config.bool_or("mlp_bias", false)?;
    spec.embed_scale = config.f32_or("embedding_multiplier", 1.0)?;
    spec.residual_scale = config.f32_or("residual_multiplier", 1.0)?;
    spec.attention.scale = config.f32_or("attention_multiplier", 1.0)?;
    spec.logit_scale = 1.0 / config.f32_or("logits_scaling", 1.0)?;
    Ok(spec)
}

fn moe(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = hub("granitemoe", config)?;
    spec.blocks.iter_mut().for_each(|block| block.experts = true);
    spec.mlp.experts = Some(ExpertsSpec {
        count: config.usize_or("num_local_experts", 8)?,
        active: config.usize_or("num_experts_per_tok", 2)?,
        intermediate: spec.intermediate,
        // A softmax over the chosen scores is one over all, made to sum to 1 again.
        normalised: true,
    });
    Ok(spec)
}

fn moe_names(spec: &DecoderSpec) -> Names {
    let names = Names::hub();
    let fused =
        names.fused_gate(spec, Source::plain("model.layers.{i}.block_sparse_moe.input_linear").stacked());
    Names {
        router: Source::plain("model.layers.{i}.block_sparse_moe.router.layer"),
        expert_gate: fused.gate,
        expert_up: fused.up,
        expert_down: Source::plain("model.layers.{i}.block_sparse_moe.output_linear").stacked(),
        ..fused
    }
}

fn gguf(
    name: &'static str,
    config: &ConfigReader<'_>,
    checkpoint: &Checkpoint,
) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec(name, checkpoint)?;
    spec.embed_scale = config.f32_or("embedding_scale", 1.0)?;
    spec.residual_scale = config.f32_or("residual_scale", 1.0)?;
    spec.attention.scale = config.f32_or("attention.scale", spec.attention.scale)?;
    spec.logit_scale = 1.0 / config.f32_or("logit_scale", 1.0)?;
    Ok(spec)
}

fn gguf_moe(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    config.gguf_experts(gguf("granitemoe", config, checkpoint)?, checkpoint, true)
}
