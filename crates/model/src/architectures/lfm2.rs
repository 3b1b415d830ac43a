//! LFM2 (Liquid AI, 2025): most blocks have a gated short convolution in the place of attention.
//!
//! Reference: HF transformers, `modeling_lfm2.py`; llama.cpp, `lfm2.cpp`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, ConvolutionSpec, DecoderSpec, ModelError, QkNorm, RopeDefaults, Source};

pub(super) const LFM2: Architecture = Architecture {
    name: "lfm2",
    models: "LFM2 350M, 700M, 1.2B and 2.6B",
    hub,
    hub_names,
    gguf: Some(Gguf {
        name: "lfm2",
        spec: gguf,
        // llama.cpp's name for LFM2's last norm.
        names: |_| Names { final_norm: "token_embd_norm", ..Names::gguf() },
    }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("lfm2", config)?;
    spec.norm.eps = config.f32_or("norm_eps", 1e-5)?;
    spec.tied_head = config.bool_or("tie_embedding", config.bool_or("tie_word_embeddings", true)?)?;
    spec.intermediate = intermediate(config)?;
    let theta = RopeDefaults { theta: 1_000_000.0, ..RopeDefaults::default() };
    let rotary = config.rotary_of(None, spec.head_dim, theta)?;
    let table = ConvolutionSpec {
        width: config.usize_or("conv_L_cache", 3)?,
        bias: config.bool_or("conv_bias", false)?,
    };
    let attends = config.attends(spec.layers)?;
    spec.attention.qk_norm = Some(QkNorm::Head);
    Ok(spec.with_rotary(rotary).with_convolutions(table, |block| !attends[block]))
}

/// Two thirds of the stated width, times a factor, rounded up to a multiple; or the stated width itself.
fn intermediate(config: &ConfigReader<'_>) -> Result<usize, ModelError> {
    let stated = config.usize_or("block_ff_dim", config.usize_or("intermediate_size", 12288)?)?;
    if !config.bool_or("block_auto_adjust_ff_dim", true)? {
        return Ok(stated);
    }
    let factor = f64::from(config.f32_or("block_ffn_dim_multiplier", 1.0)?);
    let width = (factor * (stated.saturating_mul(2) / 3) as f64) as usize;
    let multiple = config.usize_or("block_multiple_of", 256)?.max(1);
    Ok(width.div_ceil(multiple).saturating_mul(multiple))
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        final_norm: "model.embedding_norm",
        attn_norm: "model.layers.{i}.operator_norm",
        mlp_norm: "model.layers.{i}.ffn_norm",
        o: Source::plain("model.layers.{i}.self_attn.out_proj"),
        q_norm: "model.layers.{i}.self_attn.q_layernorm",
        k_norm: "model.layers.{i}.self_attn.k_layernorm",
        gate: Source::plain("model.layers.{i}.feed_forward.w1"),
        up: Source::plain("model.layers.{i}.feed_forward.w3"),
        down: Source::plain("model.layers.{i}.feed_forward.w2"),
        ..Names::hub()
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("lfm2", checkpoint)?;
    let table = ConvolutionSpec { width: config.usize("shortconv.l_cache")?, bias: false };
    let attends = config.gguf_attends(spec.layers)?;
    spec.attention.qk_norm = Some(QkNorm::Head);
    Ok(spec.with_convolutions(table, |block| !attends[block]))
}
