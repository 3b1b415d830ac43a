//! Llama (Touvron et al., 2023) and what shares its layout: SmolLM, TinyLlama and others.
//!
//! Reference: HF transformers, `modeling_llama.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Names, Source};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, NormKind, Positions};

pub(super) const LLAMA: Architecture = Architecture { name: "llama", hub, hub_names, gguf, gguf_names };

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let (hidden, heads) = (config.usize("hidden_size")?, config.usize("num_attention_heads")?);
    let head_dim = config.usize_or("head_dim", hidden / heads.max(1))?;
    Ok(DecoderSpec {
        architecture: "llama",
        vocab: config.usize("vocab_size")?,
        hidden,
        layers: config.usize("num_hidden_layers")?,
        heads,
        kv_heads: config.usize_or("num_key_value_heads", heads)?,
        head_dim,
        intermediate: config.usize("intermediate_size")?,
        context: config.usize_or("max_position_embeddings", 2048)?,
        norm: NormKind::Rms,
        norm_eps: config.f32_or("rms_norm_eps", 1e-6)?,
        positions: Positions::Rotary { theta: config.rope_theta()?, dims: head_dim },
        activation: config.activation("hidden_act", Activation::Silu)?,
        gated_mlp: true,
        attention_bias: config.bool_or("attention_bias", false)?,
        mlp_bias: config.bool_or("mlp_bias", false)?,
        tied_head: config.bool_or("tie_word_embeddings", false)?,
    })
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "model.",
        embed: "model.embed_tokens",
        pos_embed: None,
        final_norm: "model.norm",
        head: "lm_head",
        attn_norm: "model.layers.{i}.input_layernorm",
        q: Source::plain("model.layers.{i}.self_attn.q_proj"),
        k: Source::plain("model.layers.{i}.self_attn.k_proj"),
        v: Source::plain("model.layers.{i}.self_attn.v_proj"),
        o: Source::plain("model.layers.{i}.self_attn.o_proj"),
        mlp_norm: "model.layers.{i}.post_attention_layernorm",
        gate: Some(Source::plain("model.layers.{i}.mlp.gate_proj")),
        up: Source::plain("model.layers.{i}.mlp.up_proj"),
        down: Source::plain("model.layers.{i}.mlp.down_proj"),
        ignored: &["rotary_emb.inv_freq"],
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let (hidden, heads) = (config.usize("embedding_length")?, config.usize("attention.head_count")?);
    let head_dim = config.usize_or("attention.key_length", hidden / heads.max(1))?;
    let has = |name: &str| checkpoint.tensors.contains_key(name);
    config.refuse("expert_count", "mixtures of experts are not known")?;
    config.refuse("rope.scaling.type", "scaled rotary embeddings are not known")?;
    Ok(DecoderSpec {
        architecture: "llama",
        vocab: config.gguf_vocab(checkpoint)?,
        hidden,
        layers: config.usize("block_count")?,
        heads,
        kv_heads: config.usize_or("attention.head_count_kv", heads)?,
        head_dim,
        intermediate: config.usize("feed_forward_length")?,
        context: config.usize("context_length")?,
        norm: NormKind::Rms,
        norm_eps: config.f32("attention.layer_norm_rms_epsilon")?,
        positions: Positions::Rotary {
            theta: config.f32_or("rope.freq_base", 10_000.0)?,
            dims: config.usize_or("rope.dimension_count", head_dim)?,
        },
        activation: Activation::Silu,
        gated_mlp: true,
        attention_bias: has("blk.0.attn_q.bias"),
        mlp_bias: has("blk.0.ffn_up.bias"),
        tied_head: !has("output.weight"),
    })
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names {
        optional_prefix: "",
        embed: "token_embd",
        pos_embed: None,
        final_norm: "output_norm",
        head: "output",
        attn_norm: "blk.{i}.attn_norm",
        q: Source::plain("blk.{i}.attn_q").interleaved(spec.head_dim),
        k: Source::plain("blk.{i}.attn_k").interleaved(spec.head_dim),
        v: Source::plain("blk.{i}.attn_v"),
        o: Source::plain("blk.{i}.attn_output"),
        mlp_norm: "blk.{i}.ffn_norm",
        gate: Some(Source::plain("blk.{i}.ffn_gate")),
        up: Source::plain("blk.{i}.ffn_up"),
        down: Source::plain("blk.{i}.ffn_down"),
        ignored: &[],
    }
}
