//! BLOOM (BigScience, 2022): ALiBi, normalised embeddings.
//!
//! Reference: HF transformers, `modeling_bloom.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const BLOOM: Architecture = Architecture {
    name: "bloom",
    models: "BLOOM, BLOOMZ",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "bloom", spec: gguf, names: gguf_names }),
};

const MAX_BIAS: f32 = 8.0;

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless(
        "apply_residual_connection_post_layernorm",
        false,
        "a residual stream of normalised values is not known",
    )?;
    // The first checkpoints say `n_embed`; BLOOM has no longest sequence, the trained one is stated.
    let hidden = if config.has("hidden_size") { "hidden_size" } else { "n_embed" };
    let keys = SizeKeys { hidden, context: "seq_length", intermediate: "n_inner", ..SizeKeys::GPT2 };
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let spec = DecoderSpec::plain("bloom", config.sizes_named(&keys)?);
    let mut spec = spec.with_biases(eps, Activation::GeluTanh).with_alibi(MAX_BIAS);
    spec.embed_norm = true;
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    Ok(spec)
}

fn hub_names(spec: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.word_embeddings",
        embed_norm: "transformer.word_embeddings_layernorm",
        final_norm: "transformer.ln_f",
        attn_norm: "transformer.h.{i}.input_layernorm",
        o: Source::plain("transformer.h.{i}.self_attention.dense"),
        mlp_norm: "transformer.h.{i}.post_attention_layernorm",
        up: Source::plain("transformer.h.{i}.mlp.dense_h_to_4h"),
        down: Source::plain("transformer.h.{i}.mlp.dense_4h_to_h"),
        ..Names::hub().fused_by_head(spec, Source::plain("transformer.h.{i}.self_attention.query_key_value"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("bloom", checkpoint)?;
    let eps = spec.norm.eps;
    Ok(DecoderSpec { embed_norm: true, ..spec.with_biases(eps, Activation::GeluTanh).with_alibi(MAX_BIAS) })
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"))
}
