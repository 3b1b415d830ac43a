//! Falcon (Almazrouei et al., 2023): parallel blocks, few key and value heads, fused projections.
//!
//! Reference: HF transformers, `modeling_falcon.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, Positions, SizeKeys, Source, Wiring};

pub(super) const FALCON: Architecture = Architecture {
    name: "falcon",
    models: "Falcon 7B and 40B, Falcon-RW 1B, Falcon 2",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "falcon", spec: gguf, names: gguf_names }),
};

const KEYS: SizeKeys =
    SizeKeys { kv_heads: "num_kv_heads", intermediate: "ffn_hidden_size", ..SizeKeys::LLAMA };

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut sizes = config.sizes_named(&KEYS)?;
    let grouped = config.bool_or("new_decoder_architecture", false)?;
    if !grouped {
        sizes.kv_heads = if config.bool_or("multi_query", true)? { 1 } else { sizes.heads };
    }
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let activation = config.activation("activation", Activation::Gelu)?;
    let mut spec = DecoderSpec::plain("falcon", sizes).with_biases(eps, activation);
    let bias = config.bool_or("bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias, spec.mlp.bias) = (bias, bias, bias);
    let norms = config.usize_or("num_ln_in_parallel_attn", if grouped { 2 } else { 1 })?;
    spec.wiring = match (grouped || config.bool_or("parallel_attn", true)?, norms) {
        (true, 2) => Wiring::Parallel,
        (true, _) => Wiring::ParallelSharedNorm,
        (false, _) => Wiring::Sequential,
    };
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    if !config.bool_or("alibi", false)? {
        let rotary = config.rotary(spec.head_dim)?;
        return Ok(spec.with_rotary(rotary));
    }
    spec = spec.with_alibi(8.0);
    if let Positions::Alibi(alibi) = &mut spec.positions {
        // Penalties are rounded to BF16 and scaled like the scores, as in the reference.
        (alibi.factor, alibi.rounded) = (spec.attention.scale, true);
    }
    Ok(spec)
}

fn hub_names(spec: &DecoderSpec) -> Names {
    let norms = match spec.wiring {
        Wiring::Parallel => ["transformer.h.{i}.ln_attn", "transformer.h.{i}.ln_mlp"],
        _ => ["transformer.h.{i}.input_layernorm", "transformer.h.{i}.post_attention_layernorm"],
    };
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.word_embeddings",
        final_norm: "transformer.ln_f",
        attn_norm: norms[0],
        mlp_norm: norms[1],
        o: Source::plain("transformer.h.{i}.self_attention.dense"),
        up: Source::plain("transformer.h.{i}.mlp.dense_h_to_4h"),
        down: Source::plain("transformer.h.{i}.mlp.dense_4h_to_h"),
        ..Names::hub().fused_by_head(spec, Source::plain("transformer.h.{i}.self_attention.query_key_value"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let mut spec = config.gguf_spec("falcon", checkpoint)?;
    let (attention, bias, eps) = (spec.attention.clone(), spec.mlp.bias, spec.norm.eps);
    spec = spec.with_biases(eps, Activation::Gelu);
    (spec.attention, spec.mlp.bias) = (attention, bias);
    let two = checkpoint.tensors.contains_key("blk.0.attn_norm_2.weight");
    spec.wiring = if two { Wiring::Parallel } else { Wiring::ParallelSharedNorm };
    Ok(spec)
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    let names = Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"));
    match spec.wiring {
        Wiring::Parallel => {
            Names { attn_norm: "blk.{i}.attn_norm_2", mlp_norm: "blk.{i}.attn_norm", ..names }
        }
        _ => names,
    }
}
