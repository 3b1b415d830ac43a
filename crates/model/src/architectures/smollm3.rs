//! SmolLM3 (Hugging Face, 2025): Llama with every fourth block unturned.
//!
//! Reference: HF transformers, `modeling_smollm3.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError, RopeDefaults};

pub(super) const SMOLLM3: Architecture = Architecture {
    name: "smollm3",
    models: "SmolLM3 3B",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "smollm3", spec: gguf, names: |spec| Names::gguf().interleaved(spec) }),
};

const INTERVAL: usize = 4;

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("smollm3", config)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.mlp.bias = config.bool_or("mlp_bias", false)?;
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    let theta = RopeDefaults { theta: 2_000_000.0, ..RopeDefaults::default() };
    let rotary = config.rotary_of(None, spec.head_dim, theta)?;
    spec = spec.with_rotary(rotary);
    let interval = config.usize_or("no_rope_layer_interval", INTERVAL)?.max(1);
    // A list of 1 for blocks that turn and 0 for those that do not.
    let turned = config.numbers("no_rope_layers")?;
    let turns = |block: usize| match &turned {
        Some(list) => list.get(block).is_none_or(|turn| *turn != 0.0),
        None => !(block + 1).is_multiple_of(interval),
    };
    spec = unturned(spec, turns);
    if !config.bool_or("use_sliding_window", false)? {
        return Ok(spec);
    }
    let window = config.window("sliding_window", None)?;
    let sliding = config.sliding(spec.layers, |block| !turns(block))?;
    Ok(spec.with_window(window, |block| sliding[block]))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("smollm3", checkpoint)?;
    Ok(unturned(spec, |block| !(block + 1).is_multiple_of(INTERVAL)))
}

fn unturned(mut spec: DecoderSpec, turns: impl Fn(usize) -> bool) -> DecoderSpec {
    for (index, block) in spec.blocks.iter_mut().enumerate() {
        block.rotary = block.rotary.filter(|_| turns(index));
    }
    spec
}
