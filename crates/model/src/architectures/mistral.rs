//! Mistral (Jiang et al., 2023): Llama with a sliding window.
//!
//! Reference: HF transformers, `modeling_mistral.py`. In GGUF it is a Llama, without the window.

use super::{Architecture, Names, llama};
use crate::{ConfigReader, DecoderSpec, ModelError};

pub(super) const MISTRAL: Architecture = Architecture {
    name: "mistral",
    models: "Mistral 7B, Mistral Nemo, Zephyr",
    hub,
    hub_names: |_| Names::hub(),
    gguf: None,
};

fn hub(config: &ConfigReader<'_>) -> Result<DecoderSpec, ModelError> {
    let window = config.window("sliding_window", Some(4096))?;
    Ok(llama::base("mistral", config)?.with_window(window, |_| true))
}
