//! GPT-2 (Radford et al., 2019).
//!
//! Reference: HF transformers, `modeling_gpt2.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Names, Source};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, NormKind, Positions};

pub(super) const GPT2: Architecture = Architecture { name: "gpt2", hub, hub_names, gguf, gguf_names };

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless("scale_attn_weights", true, "unscaled attention is not known")?;
    config.refuse_unless(
        "scale_attn_by_inverse_layer_idx",
        false,
        "attention scaled by layer is not known",
    )?;
    let (hidden, heads) = (config.usize("n_embd")?, config.usize("n_head")?);
    Ok(DecoderSpec {
        architecture: "gpt2",
        vocab: config.usize("vocab_size")?,
        hidden,
        layers: config.usize("n_layer")?,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads.max(1),
        intermediate: config.usize_or("n_inner", 4 * hidden)?,
        context: config.usize_or("n_positions", 1024)?,
        norm: NormKind::Layer,
        norm_eps: config.f32_or("layer_norm_epsilon", 1e-5)?,
        positions: Positions::Learned,
        activation: config.activation("activation_function", Activation::GeluTanh)?,
        gated_mlp: false,
        attention_bias: true,
        mlp_bias: true,
        tied_head: config.bool_or("tie_word_embeddings", true)?,
    })
}

fn hub_names(spec: &DecoderSpec) -> Names {
    let fused = Source::conv1d("transformer.h.{i}.attn.c_attn");
    Names {
        optional_prefix: "transformer.",
        embed: "transformer.wte",
        pos_embed: Some("transformer.wpe"),
        final_norm: "transformer.ln_f",
        head: "lm_head",
        attn_norm: "transformer.h.{i}.ln_1",
        q: fused.part(0, spec.hidden),
        k: fused.part(spec.hidden, spec.hidden),
        v: fused.part(2 * spec.hidden, spec.hidden),
        o: Source::conv1d("transformer.h.{i}.attn.c_proj"),
        mlp_norm: "transformer.h.{i}.ln_2",
        gate: None,
        up: Source::conv1d("transformer.h.{i}.mlp.c_fc"),
        down: Source::conv1d("transformer.h.{i}.mlp.c_proj"),
        ignored: &[".attn.bias", ".attn.masked_bias"],
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let (hidden, heads) = (config.usize("embedding_length")?, config.usize("attention.head_count")?);
    Ok(DecoderSpec {
        architecture: "gpt2",
        vocab: config.gguf_vocab(checkpoint)?,
        hidden,
        layers: config.usize("block_count")?,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads.max(1),
        intermediate: config.usize("feed_forward_length")?,
        context: config.usize("context_length")?,
        norm: NormKind::Layer,
        norm_eps: config.f32("attention.layer_norm_epsilon")?,
        positions: Positions::Learned,
        activation: Activation::GeluTanh,
        gated_mlp: false,
        attention_bias: true,
        mlp_bias: true,
        tied_head: !checkpoint.tensors.contains_key("output.weight"),
    })
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    let fused = Source::plain("blk.{i}.attn_qkv");
    Names {
        optional_prefix: "",
        embed: "token_embd",
        pos_embed: Some("position_embd"),
        final_norm: "output_norm",
        head: "output",
        attn_norm: "blk.{i}.attn_norm",
        q: fused.part(0, spec.hidden),
        k: fused.part(spec.hidden, spec.hidden),
        v: fused.part(2 * spec.hidden, spec.hidden),
        o: Source::plain("blk.{i}.attn_output"),
        mlp_norm: "blk.{i}.ffn_norm",
        gate: None,
        up: Source::plain("blk.{i}.ffn_up"),
        down: Source::plain("blk.{i}.ffn_down"),
        ignored: &[],
    }
}
