//! The architectures: each file maps a configuration and tensor names to ours, and is no program.

mod bloom;
mod cohere;
mod exaone4;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_bigcode;
mod gpt_neo;
mod gpt_neox;
mod granite;
mod lfm2;
mod llama;
mod mistral;
mod mpt;
mod olmo;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod smollm3;
mod stablelm;
mod starcoder2;

use glassbox_formats::{Checkpoint, Config, order};

use crate::{ConfigReader, DecoderSpec, ModelError};

pub use crate::names::Names;

/// A known architecture.
pub struct Architecture {
    /// `model_type` in config.json.
    pub name: &'static str,
    /// Models that have it, for people.
    pub models: &'static str,
    /// Reads a hub folder's config.json.
    pub hub: fn(&ConfigReader<'_>) -> Result<DecoderSpec, ModelError>,
    /// Names of a hub folder's tensors.
    pub hub_names: fn(&DecoderSpec) -> Names,
    /// Its GGUF form, where llama.cpp has one of its own.
    pub gguf: Option<Gguf>,
}

/// An architecture in llama.cpp's files.
pub struct Gguf {
    /// `general.architecture`.
    pub name: &'static str,
    /// Reads a GGUF's metadata.
    pub spec: fn(&ConfigReader<'_>, &Checkpoint) -> Result<DecoderSpec, ModelError>,
    /// Names of a GGUF's tensors.
    pub names: fn(&DecoderSpec) -> Names,
}

/// All known architectures.
pub const ARCHITECTURES: &[Architecture] = &[
    llama::LLAMA,
    mistral::MISTRAL,
    smollm3::SMOLLM3,
    granite::GRANITE,
    granite::GRANITEMOE,
    qwen2::QWEN2,
    qwen3::QWEN3,
    qwen3::QWEN3_MOE,
    gemma::GEMMA,
    gemma2::GEMMA2,
    gemma3::GEMMA3_TEXT,
    olmo::OLMO,
    olmo::OLMOE,
    olmo2::OLMO2,
    exaone4::EXAONE4,
    phi::PHI,
    phi3::PHI3,
    lfm2::LFM2,
    stablelm::STABLELM,
    starcoder2::STARCODER2,
    cohere::COHERE,
    falcon::FALCON,
    gpt2::GPT2,
    gpt_bigcode::GPT_BIGCODE,
    gpt_neo::GPT_NEO,
    gpt_neox::GPT_NEOX,
    opt::OPT,
    bloom::BLOOM,
    mpt::MPT,
];

/// How alike two names must be (1 for the same) to be called near.
const NEAR: f64 = 0.8;

/// Finds a checkpoint's architecture and reads what the decoder has to know.
///
/// # Errors
/// [`ModelError::UnknownArchitecture`], or what is wrong with the configuration.
pub fn identify(checkpoint: &Checkpoint) -> Result<(DecoderSpec, Names), ModelError> {
    let reader = ConfigReader::new(&checkpoint.config);
    let found = reader.architecture()?;
    let (spec, names) = match &checkpoint.config {
        Config::Hub(_) => {
            let known = ARCHITECTURES
                .iter()
                .find(|a| a.name == found)
                .ok_or_else(|| unknown(&found, |a| Some(a.name)))?;
            let spec = (known.hub)(&reader)?;
            let names = (known.hub_names)(&spec);
            (spec, names)
        }
        Config::Gguf(_) => {
            let mut forms = ARCHITECTURES.iter().filter_map(|a| a.gguf.as_ref());
            let name = |a: &'static Architecture| a.gguf.as_ref().map(|form| form.name);
            let known = forms.find(|form| form.name == found).ok_or_else(|| unknown(&found, name))?;
            let spec = (known.spec)(&reader, checkpoint)?;
            let names = (known.names)(&spec);
            (spec, names)
        }
    };
    spec.validate()?;
    Ok((spec, names))
}

fn unknown(found: &str, name: fn(&'static Architecture) -> Option<&'static str>) -> ModelError {
    let mut known: Vec<_> = ARCHITECTURES.iter().filter_map(name).collect();
    order::sort_by(&mut known, Ord::cmp);
    let alike = |name: &&str| strsim::jaro_winkler(name, found);
    let nearest = known.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let nearest = nearest.filter(|name| alike(name) >= NEAR);
    ModelError::UnknownArchitecture {
        found: found.to_owned(),
        nearest: nearest.map_or(String::new(), |name| format!("the nearest is \"{name}\"; ")),
        known: known.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_architecture_is_told_what_is_near() {
        let message = |name: &str| unknown(name, |a| Some(a.name)).to_string();
        assert!(message("qwen2_vl").contains("the nearest is \"qwen2\""), "{}", message("qwen2_vl"));
        assert!(message("llamma").contains("the nearest is \"llama\""));
        assert!(!message("t5").contains("nearest"));
        assert!(ARCHITECTURES.iter().all(|known| message("t5").contains(known.name)));
    }
}
