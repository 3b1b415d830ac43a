//! EXAONE 4 (LG AI Research, 2025): norms after attention and MLP, by head on queries and keys; the larger
//! models turn nothing in the blocks that see everything.
//!
//! Reference: HF transformers, `modeling_exaone4.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError, Placement, QkNorm};

pub(super) const EXAONE4: Architecture = Architecture {
    name: "exaone4",
    models: "EXAONE 4.0",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "exaone4", spec: gguf, names: |_| Names::gguf() }),
};

const PATTERN: usize = 4;

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("exaone4", config)?;
    spec.norm.eps = config.f32_or("rms_norm_eps", 1e-5)?;
    let window = config.window("sliding_window", Some(4096))?;
    let pattern = config.pattern("sliding_window_pattern", PATTERN)?;
    let sliding = config.sliding(spec.layers, |block| !(block + 1).is_multiple_of(pattern))?;
    Ok(layered(spec, window, |block| sliding[block]))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("exaone4", checkpoint)?;
    let window = config.window("attention.sliding_window", None)?;
    Ok(layered(spec, window, |block| !(block + 1).is_multiple_of(PATTERN)))
}

fn layered(mut spec: DecoderSpec, window: Option<usize>, sliding: impl Fn(usize) -> bool) -> DecoderSpec {
    spec.placement = Placement::Post;
    spec.attention.qk_norm = Some(QkNorm::Head);
    if window.is_some() {
        for (index, block) in spec.blocks.iter_mut().enumerate() {
            block.rotary = block.rotary.filter(|_| sliding(index));
        }
    }
    spec.with_window(window, sliding)
}
