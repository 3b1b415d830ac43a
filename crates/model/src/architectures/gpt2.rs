//! GPT-2 (Radford et al., 2019).
//!
//! Reference: HF transformers, `modeling_gpt2.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const GPT2: Architecture = Architecture {
    name: "gpt2",
    models: "GPT-2, DistilGPT-2",
    hub,
    hub_names,
    gguf: Some(Gguf { name: "gpt2", spec: gguf, names: gguf_names }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless("scale_attn_weights", true, "unscaled attention is not known")?;
    config.refuse_unless(
        "scale_attn_by_inverse_layer_idx",
        false,
        "attention scaled by layer is not known",
    )?;
    let mut sizes = config.sizes_named(&SizeKeys::GPT2)?;
    sizes.context = config.usize_or("n_positions", 1024)?;
    let eps = config.f32_or("layer_norm_epsilon", 1e-5)?;
    let activation = config.activation("activation_function", Activation::GeluTanh)?;
    let mut spec = DecoderSpec::plain("gpt2", sizes).with_biases(eps, activation).with_learned_positions(0);
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
        o: Source::conv1d("transformer.h.{i}.attn.c_proj"),
        mlp_norm: "transformer.h.{i}.ln_2",
        up: Source::conv1d("transformer.h.{i}.mlp.c_fc"),
        down: Source::conv1d("transformer.h.{i}.mlp.c_proj"),
        ignored: &[".attn.bias", ".attn.masked_bias"],
        ..Names::hub().fused(spec, Source::conv1d("transformer.h.{i}.attn.c_attn"))
    }
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    let spec = config.gguf_spec("gpt2", checkpoint)?;
    let eps = spec.norm.eps;
    Ok(spec.with_biases(eps, Activation::GeluTanh).with_learned_positions(0))
}

fn gguf_names(spec: &DecoderSpec) -> Names {
    Names::gguf().fused(spec, Source::plain("blk.{i}.attn_qkv"))
}
