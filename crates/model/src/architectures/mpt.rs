//! MPT (MosaicML, 2023): ALiBi, layer norms without biases, no biases at all.
//!
//! Reference: HF transformers, `modeling_mpt.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const MPT: Architecture = Architecture {
    name: "mpt",
    models: "MPT 7B and 30B",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "mpt", spec: gguf, names: gguf_names }),
};

const KEYS: SizeKeys = SizeKeys {
    hidden: "d_model",
    layers: "n_layers",
    heads: "n_heads",
    kv_heads: "n_heads",
    intermediate: "",
    context: "max_seq_len",
    ..SizeKeys::LLAMA
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless("attn_config.alibi", true, "positions that are not ALiBi are not known")?;
    config.refuse_unless("attn_config.qk_ln", false, "norms of queries and keys are not known here")?;
    let mut sizes = config.sizes_named(&KEYS)?;
    // The reference has this width whatever `expansion_ratio` says.
    sizes.intermediate = sizes.hidden.saturating_mul(4);
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let spec = unbiased(DecoderSpec::plain("mpt", sizes), eps);
    let mut spec = spec.with_alibi(config.f32_or("attn_config.alibi_bias_max", 8.0)?);
    spec.attention.clip = config.f32_unless_zero("attn_config.clip_qkv")?;
    spec.attention.scale = config.f32_or("attn_config.softmax_scale", spec.attention.scale)?;
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    Ok(spec)
}

fn hub_names(spec: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.wte",
        final_norm: "transformer.norm_f",
        attn_norm: "transformer.blocks.{i}.norm_1",
        o: Source::plain("transformer.blocks.{i}.attn.out_proj"),
        mlp_norm: "transformer.blocks.{i}.norm_2",
        up: Source::plain("transformer.blocks.{i}.ffn.up_proj"),
        down: Source::plain("transformer.blocks.{i}.ffn.down_proj"),
        ..Names::hub().fused(spec, Source::plain("transformer.blocks.{i}.attn.Wqkv"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("mpt", checkpoint)?;
    let eps = spec.norm.eps;
    let mut spec = unbiased(spec, eps).with_alibi(config.f32_or("attention.max_alibi_bias", 8.0)?);
    spec.attention.clip = config.f32_unless_zero("attention.clamp_kqv")?;
    Ok(spec)
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"))
}

fn unbiased(spec: DecoderSpec, eps: f32) -> DecoderSpec {
    let mut spec = spec.with_biases(eps, Activation::Gelu);
    spec.norm.bias = false;
    (spec.attention.qkv_bias, spec.attention.output_bias, spec.mlp.bias) = (false, false, false);
    spec
}
