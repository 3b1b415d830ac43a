//! GPT-Neo (Black et al., 2021), with local attention in every second block; the TinyStories models.
//!
//! Reference: HF transformers, `modeling_gpt_neo.py`. llama.cpp does not know it.

use super::{Architecture, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const GPT_NEO: Architecture =
    Architecture { name: "gpt_neo", models: "GPT-Neo, TinyStories", hub, hub_names, gguf: None };

const KEYS: SizeKeys =
    SizeKeys { layers: "num_layers", heads: "num_heads", kv_heads: "num_heads", ..SizeKeys::LLAMA };

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let sizes = config.sizes_named(&KEYS)?;
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let activation = config.activation("activation_function", Activation::GeluTanh)?;
    let mut spec =
        DecoderSpec::plain("gpt_neo", sizes).with_biases(eps, activation).with_learned_positions(0);
    spec.attention.qkv_bias = false;
    // Scores are used as they are, without 1 / sqrt(head_dim).
    spec.attention.scale = 1.0;
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    let local = config.attention_types(spec.layers)?;
    let window = config.window("window_size", Some(256))?;
    Ok(spec.with_window(window, |block| local.get(block).copied().unwrap_or(false)))
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.wte",
        pos_embed: "transformer.wpe",
        final_norm: "transformer.ln_f",
        attn_norm: "transformer.h.{i}.ln_1",
        q: Source::plain("transformer.h.{i}.attn.attention.q_proj"),
        k: Source::plain("transformer.h.{i}.attn.attention.k_proj"),
        v: Source::plain("transformer.h.{i}.attn.attention.v_proj"),
        o: Source::plain("transformer.h.{i}.attn.attention.out_proj"),
        mlp_norm: "transformer.h.{i}.ln_2",
        up: Source::plain("transformer.h.{i}.mlp.c_fc"),
        down: Source::plain("transformer.h.{i}.mlp.c_proj"),
        ignored: &[".attn.attention.bias", ".attn.attention.masked_bias"],
        ..Names::hub()
    }
}
