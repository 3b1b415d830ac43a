//! OPT (Zhang et al., 2022).
//!
//! Reference: HF transformers, `modeling_opt.py`. llama.cpp does not know it.

use super::{Architecture, Names};
use crate::{Activation, ConfigReader, DecoderSpec, ModelError, SizeKeys, Source};

pub(super) const OPT: Architecture =
    Architecture { name: "opt", models: "OPT, Galactica", hub, hub_names, gguf: None };

/// The position table begins with rows for padding.
const POSITION_OFFSET: usize = 2;

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    config.refuse_unless(
        "do_layer_norm_before",
        true,
        "norms after attention and MLP (OPT-350m) are not known",
    )?;
    config.refuse_unless(
        "layer_norm_elementwise_affine",
        true,
        "norms without weights are not known here",
    )?;
    config.refuse_unless("_remove_final_layer_norm", false, "a model without final norm is not known")?;
    let sizes = config.sizes_named(&SizeKeys { intermediate: "ffn_dim", ..SizeKeys::LLAMA })?;
    if config.usize_or("word_embed_proj_dim", sizes.hidden)? != sizes.hidden {
        let problem = "embeddings narrower than the residual stream (OPT-350m) are not known".to_owned();
        return Err(ModelError::Config { key: "word_embed_proj_dim".to_owned(), problem });
    }
    let activation = config.activation("activation_function", Activation::Relu)?;
    let mut spec = DecoderSpec::plain("opt", sizes)
        .with_biases(1e-5, activation)
        .with_learned_positions(POSITION_OFFSET);
    let bias = config.bool_or("enable_bias", true)?;
    (spec.attention.qkv_bias, spec.attention.output_bias, spec.mlp.bias) = (bias, bias, bias);
    spec.tied_head = config.bool_or("tie_word_embeddings", true)?;
    Ok(spec)
}

fn hub_names(_: &DecoderSpec) -> Names {
    Names {
        embed: "model.decoder.embed_tokens",
        pos_embed: "model.decoder.embed_positions",
        final_norm: "model.decoder.final_layer_norm",
        attn_norm: "model.decoder.layers.{i}.self_attn_layer_norm",
        q: Source::plain("model.decoder.layers.{i}.self_attn.q_proj"),
        k: Source::plain("model.decoder.layers.{i}.self_attn.k_proj"),
        v: Source::plain("model.decoder.layers.{i}.self_attn.v_proj"),
        o: Source::plain("model.decoder.layers.{i}.self_attn.out_proj"),
        mlp_norm: "model.decoder.layers.{i}.final_layer_norm",
        up: Source::plain("model.decoder.layers.{i}.fc1"),
        down: Source::plain("model.decoder.layers.{i}.fc2"),
        ..Names::hub()
    }
}
