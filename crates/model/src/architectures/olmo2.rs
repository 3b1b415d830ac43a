//! OLMo 2 (OLMo Team, 2024): norms after attention and MLP, and of all queries and keys together.
//!
//! Reference: HF transformers, `modeling_olmo2.py`.

use glassbox_formats::Checkpoint;

use super::{Architecture, Gguf, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError, Placement, QkNorm};

pub(super) const OLMO2: Architecture = Architecture {
    name: "olmo2",
    models: "OLMo 2",
    hub,
    hub_names: |_| Names::hub(),
    gguf: Some(Gguf { name: "olmo2", spec: gguf, names: |_| Names::gguf() }),
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let mut spec = llama::base("olmo2", config)?;
    spec.norm.eps = config.f32_or("rms_norm_eps", 1e-5)?;
    let bias = config.bool_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    Ok(post(spec))
}

fn gguf(config: &ConfigReader<'_>, checkpoint: &Checkpoint) -> Result<DecoderSpec, ModelError> {
    Ok(post(config.gguf_spec("olmo2", checkpoint)?))
}

fn post(mut spec: DecoderSpec) -> DecoderSpec {
    spec.placement = Placement::Post;
    spec.attention.qk_norm = Some(QkNorm::Width);
    spec
}
