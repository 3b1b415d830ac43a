//! Gemma 2 (Gemma Team, 2024): norms before and after, soft-caps, a window in every second block.
//!
//! Reference: HF transformers, `modeling_gemma2.py`; llama.cpp's `gemma2` for the scale its files leave out.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, gemma};
use crate::{ConfigReader, DecoderSpec, ModelError, Placement, inverse_root};

pub(super) const GEMMA2: Architecture = Architecture {
    name: "gemma2",
    models: "Gemma 2",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "gemma2", spec: gguf, names: |_| Names::gguf() }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = gemma::base("gemma2", config)?;
    spec.placement = Placement::Both;
    spec.attention.scale = inverse_root(config.usize_or("query_pre_attn_scalar", 256)?);
    spec.attention.soft_cap = config.soft_cap("attn_logit_softcapping", Some(50.0))?;
    spec.logit_soft_cap = config.soft_cap("final_logit_softcapping", Some(30.0))?;
    let window = config.window("sliding_window", Some(4096))?;
    let sliding = config.sliding(spec.layers, |block| block % 2 == 0)?;
    Ok(spec.with_window(window, |block| sliding[block]))
}

/// Names of Gemma 2 and 3: four norms a block, stored less 1.
pub(super) fn hub_names(_: &DecoderSpec) -> Names {
    Names { norm_offset: 1.0, mlp_norm: "model.layers.{i}.pre_feedforward_layernorm", ..Names::hub() }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = gemma::gguf_base("gemma2", config, checkpoint)?;
    spec.placement = Placement::Both;
    spec.attention.scale = gguf_scale(&spec, 46);
    spec.attention.soft_cap = config.soft_cap("attn_logit_softcapping", Some(50.0))?;
    spec.logit_soft_cap = config.soft_cap("final_logit_softcapping", Some(30.0))?;
    let window = config.window("attention.sliding_window", Some(4096))?;
    Ok(spec.with_window(window, |block| block % 2 == 0))
}

/// The files do not say it: the 27B models, known by their number of layers, scale by `hidden / heads`.
pub(super) fn gguf_scale(spec: &DecoderSpec, layers_of_27b: usize) -> f32 {
    inverse_root(if spec.layers == layers_of_27b { spec.hidden / spec.heads.max(1) } else { spec.head_dim })
}
