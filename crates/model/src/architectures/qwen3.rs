//! Qwen3 (Yang et al., 2025), dense and as mixture of experts: norms of queries and keys by head.
//!
//! Reference: HF transformers, `modeling_qwen3.py` and `modeling_qwen3_moe.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama, qwen2};
use crate::{ConfigReader, DecoderSpec, ExpertsSpec, ModelError, QkNorm};

pub(super) const QWEN3: Architecture = Architecture {
    name: "qwen3",
    models: "Qwen3",
    hub: |config| hub("qwen3", config),
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf {
        name: "qwen3",
        spec: |config, checkpoint| gguf("qwen3", config, checkpoint),
        names: |_| Names::gguf(),
    }),
};

pub(super) const QWEN3_MOE: Architecture = Architecture {
    name: "qwen3_moe",
    models: "Qwen3 30B-A3B",
    hub: moe,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "qwen3moe", spec: gguf_moe, names: |_| Names::gguf() }),
};

fn hub(name: &'static str, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base(name, config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.attention.qk_norm = Some(QkNorm::Head);
    if name == "qwen3" { qwen2::windowed(spec, config) } else { Ok(spec) }
}

fn moe(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = hub("qwen3_moe", config)?;
    if config.bool_or("use_sliding_window", false)? {
        let window = config.window("sliding_window", Some(4096))?;
        spec = spec.with_window(window, |_| true);
    }
    let plain = config.numbers("mlp_only_layers")?.unwrap_or_default();
    let step = config.usize_or("decoder_sparse_step", 1)?.max(1);
    for (index, block) in spec.blocks.iter_mut().enumerate() {
        block.experts = (index + 1).is_multiple_of(step) && !plain.contains(&(index as f32));
    }
    spec.mlp.experts = Some(ExpertsSpec {
        // transformers 5 writes the second spelling.
        count: config.usize_or("num_experts", config.usize_or("num_local_experts", 128)?)?,
        active: config.usize_or("num_experts_per_tok", 8)?,
        intermediate: config.usize_or("moe_intermediate_size", 768)?,
        normalised: config.bool_or("norm_topk_prob", false)?,
    });
    Ok(spec)
}

fn gguf(
    name: &'static str,
    config: &ConfigReader<'_>,
    checkpoint: &Checkpoint,
) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec(name, checkpoint)?;
    spec.attention.qk_norm = Some(QkNorm::Head);
    Ok(spec)
}

fn gguf_moe(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    config.gguf_experts(gguf("qwen3_moe", config, checkpoint)?, checkpoint, true)
}
