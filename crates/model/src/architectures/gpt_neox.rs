//! GPT-NeoX (Black et al., 2022): parallel blocks, part of each head rotated; Pythia (Biderman et al., 2023).
//!
//! Reference: HF transformers, `modeling_gpt_neox.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, RopeDefaults, Source, Wiring};

pub(super) const GPT_NEOX: Architecture = Architecture {
    name: "gpt_neox",
    models: "Pythia, GPT-NeoX, RedPajama, Dolly",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "gptneox", spec: gguf, names: gguf_names }),
};

fn wiring(parallel: bool) -> Wiring {
    if parallel { Wiring::Parallel } else { Wiring::Sequential }
}

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let activation = config.activation("hidden_act", Activation::Gelu)?;
    let eps = config.f32_or("layer_norm_eps", 1e-5)?;
    let mut spec = DecoderSpec::plain("gpt_neox", config.sizes()?).with_biases(eps, activation);
    let bias = config.bool_or("attention_bias", true)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.wiring = wiring(config.bool_or("use_parallel_residual", true)?);
    spec.tied_head = config.bool_or("tie_word_embeddings", false)?;
    let old = RopeDefaults {
        partial: 0.25,
        theta_key: "rotary_emb_base",
        partial_key: "rotary_pct",
        ..RopeDefaults::default()
    };
    let rotary = config.rotary_of(None, spec.head_dim, old)?;
    Ok(spec.with_rotary(rotary))
}

fn hub_names(spec: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "gpt_neox.",
        embed: "gpt_neox.embed_in",
        final_norm: "gpt_neox.final_layer_norm",
        head: "embed_out",
        attn_norm: "gpt_neox.layers.{i}.input_layernorm",
        o: Source::plain("gpt_neox.layers.{i}.attention.dense"),
        mlp_norm: "gpt_neox.layers.{i}.post_attention_layernorm",
        up: Source::plain("gpt_neox.layers.{i}.mlp.dense_h_to_4h"),
        down: Source::plain("gpt_neox.layers.{i}.mlp.dense_4h_to_h"),
        ignored: &[".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"],
        ..Names::hub().fused_by_head(spec, Source::plain("gpt_neox.layers.{i}.attention.query_key_value"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("gpt_neox", checkpoint)?;
    let attention = spec.attention.clone();
    let eps = spec.norm.eps;
    spec = spec.with_biases(eps, Activation::Gelu);
    spec.attention = attention;
    spec.wiring = wiring(config.bool_or("use_parallel_residual", true)?);
    Ok(spec)
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"))
}
