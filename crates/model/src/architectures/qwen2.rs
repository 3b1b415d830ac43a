//! Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases on queries, keys and values.
//!
//! Reference: HF transformers, `modeling_qwen2.py`.

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError};

pub(super) const QWEN2: Architecture = Architecture {
    name: "qwen2",
    models: "Qwen2, Qwen2.5, DeepSeek R1 Distill Qwen",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf {
        name: "qwen2",
        spec: |config, checkpoint| config.gguf_spec("qwen2", checkpoint),
        names: |_| Names::gguf(),
    }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("qwen2", config)?;
    spec.attention.qkv_bias = true;
    windowed(spec, config)
}

/// A window in the upper blocks, where it is switched on at all.
pub(super) fn windowed(spec: DecoderSpec, config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    if !config.bool_or("use_sliding_window", false)? {
        return Ok(spec);
    }
    let window = config.window("sliding_window", Some(4096))?;
    let first = config.usize_or("max_window_layers", 28)?;
    let sliding = config.sliding(spec.layers, |block| block >= first)?;
    Ok(spec.with_window(window, |block| sliding[block]))
}
