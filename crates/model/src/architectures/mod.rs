//! The architectures: each file maps a configuration and tensor names to ours, and is no program.

mod gpt2;
mod llama;
mod names;

use glassbox_formats::{Checkpoint, Config};

use crate::{ConfigReader, DecoderSpec, ModelError};

pub use names::Names;

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
pub const ARCHITECTURES: &[Architecture] = &[llama::LLAMA, gpt2::GPT2];

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
    known.sort_unstable();
    let alike = |name: &&str| strsim::jaro_winkler(name, found);
    let nearest = known.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let nearest = nearest.filter(|name| alike(name) >= NEAR);
    ModelError::UnknownArchitecture {
        found: found.to_owned(),
        nearest: nearest.map_or(String::new(), |name| format!("the nearest is \"{name}\"; ")),
        known: known.join(", "),
    }
}
