//! Gemma 3, its text part (Gemma Team, 2025): norms of queries and keys, five blocks with a window for
//! each without, two rotary bases.
//!
//! Reference: HF transformers, `modeling_gemma3.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, gemma, gemma2};
use crate::{
    ConfigReader, DecoderSpec, ModelError, Placement, Positions, QkNorm, RopeDefaults, RotarySpec,
    inverse_root,
};

pub(super) const GEMMA3_TEXT: Architecture = Architecture {
    name: "gemma3_text",
    models: "Gemma 3 270M and 1B",
    hub,
    hub_names: gemma2::hub_names,
    gguf: Some(Gguf { name: "gemma3", spec: gguf, names: |_| Names::gguf() }),
};

const WINDOW: usize = 4096;
const PATTERN: usize = 6;

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless("use_bidirectional_attention", false, "a model that looks ahead is no decoder")?;
    let mut spec = gemma::base("gemma3_text", config)?;
    spec.attention.scale = inverse_root(config.usize_or("query_pre_attn_scalar", 256)?);
    spec.attention.soft_cap = config.soft_cap("attn_logit_softcapping", None)?;
    spec.logit_soft_cap = config.soft_cap("final_logit_softcapping", None)?;
    let window = config.window("sliding_window", Some(WINDOW))?;
    let pattern = config.usize_or("sliding_window_pattern", PATTERN)?.max(1);
    let sliding = config.sliding(spec.layers, |block| !(block + 1).is_multiple_of(pattern))?;
    let defaults = |theta| RopeDefaults { theta, ..RopeDefaults::default() };
    let full = config.rotary_of(Some("full_attention"), spec.head_dim, defaults(1_000_000.0))?;
    let local = match config.has_rope_of("sliding_attention") {
        true => config.rotary_of(Some("sliding_attention"), spec.head_dim, defaults(10_000.0))?,
        false => RotarySpec::plain(config.f32_or("rope_local_base_freq", 10_000.0)?, spec.head_dim),
    };
    Ok(layered(spec, [full, local], window, |block| sliding[block]))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = gemma::gguf_base("gemma3_text", config, checkpoint)?;
    spec.attention.scale = gemma2::gguf_scale(&spec, 62);
    spec.logit_soft_cap = config.soft_cap("final_logit_softcapping", None)?;
    let window = config.window("attention.sliding_window", None)?;
    let local = RotarySpec::plain(config.f32_or("rope.freq_base_swa", 10_000.0)?, spec.head_dim);
    let Some(full) = spec.rotaries().first().cloned() else { return Ok(spec) };
    Ok(layered(spec, [full, local], window, |block| !(block + 1).is_multiple_of(PATTERN)))
}

/// Full blocks turn by the first rotary variant, sliding ones by the second.
fn layered(
    mut spec: DecoderSpec,
    rotaries: [RotarySpec; 2],
    window: Option<usize>,
    sliding: impl Fn(usize) -> bool,
) -> DecoderSpec {
    spec.placement = Placement::Both;
    spec.attention.qk_norm = Some(QkNorm::Head);
    spec.positions = Positions::Rotary(rotaries.to_vec());
    for (index, block) in spec.blocks.iter_mut().enumerate() {
        block.rotary = Some(usize::from(sliding(index)));
    }
    spec.with_window(window, sliding)
}
