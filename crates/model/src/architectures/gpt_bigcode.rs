//! SantaCoder and StarCoder (Li et al., 2023): GPT-2 with one key and value head.
//!
//! Reference: HF transformers, `modeling_gpt_bigcode.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const GPT_BIGCODE: Architecture = Architecture {
    name: "gpt_bigcode",
    models: "StarCoder, StarCoderBase 1B, SantaCoder",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "starcoder", spec: gguf, names: gguf_names }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless("scale_attn_weights", true, "unscaled attention is not known")?;
    let mut sizes = config.sizes_named(&SizeKeys::GPT2)?;
    sizes.context = config.usize_or("n_positions", 1024)?;
    sizes.kv_heads = if config.bool_or("multi_query", true)? { 1 } else { sizes.heads };
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let activation = config.activation("activation_function", Activation::GeluTanh)?;
    let spec = DecoderSpec::plain("gpt_bigcode", sizes).with_biases(eps, activation);
    let mut spec = spec.with_learned_positions(0);
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    Ok(spec)
}

fn hub_names(spec: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.wte",
        pos_embed: "transformer.wpe",
        final_norm: "transformer.ln_f",
        attn_norm: "transformer.h.{i}.ln_1",
        o: Source::plain("transformer.h.{i}.attn.c_proj"),
        mlp_norm: "transformer.h.{i}.ln_2",
        up: Source::plain("transformer.h.{i}.mlp.c_fc"),
        down: Source::plain("transformer.h.{i}.mlp.c_proj"),
        ignored: &[".attn.bias", ".attn.masked_bias"],
        ..Names::hub().fused_by_head(spec, Source::plain("transformer.h.{i}.attn.c_attn"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("gpt_bigcode", checkpoint)?;
    let eps = spec.norm.eps;
    Ok(spec.with_biases(eps, Activation::GeluTanh).with_learned_positions(0))
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"))
}
