//! The architectures: each file maps a configuration and tensor names to ours, and is no program.

mod gpt2;
mod llama;

use glassbox_formats::{Checkpoint, Config};

use crate::{ConfigReader, DecoderSpec, ModelError};

/// A known architecture.
pub struct Architecture {
    /// `model_type` in config.json and `general.architecture` in a GGUF.
    pub name: &'static str,
    /// Reads a hub folder's config.json.
    pub hub: fn(&ConfigReader<'_>) -> Result<DecoderSpec, ModelError>,
    /// Names of a hub folder's tensors.
    pub hub_names: fn(&DecoderSpec) -> Names,
    /// Reads a GGUF's metadata.
    pub gguf: fn(&ConfigReader<'_>, &Checkpoint) -> Result<DecoderSpec, ModelError>,
    /// Names of a GGUF's tensors.
    pub gguf_names: fn(&DecoderSpec) -> Names,
}

/// All known architectures.
pub const ARCHITECTURES: &[Architecture] = &[llama::LLAMA, gpt2::GPT2];

/// Where each of our weights lies in a file. `{i}` stands for the block's index; `.weight` and `.bias` are added.
#[derive(Debug, Clone)]
pub struct Names {
    /// What some files put before every name and others leave out.
    pub optional_prefix: &'static str,
    /// Token embedding `[vocab, hidden]`.
    pub embed: &'static str,
    /// Learned position embedding `[context, hidden]`.
    pub pos_embed: Option<&'static str>,
    /// Norm after the last block.
    pub final_norm: &'static str,
    /// Output head `[vocab, hidden]`; also where a tied head may be repeated.
    pub head: &'static str,
    /// Norm before attention.
    pub attn_norm: &'static str,
    /// Query projection.
    pub q: Source,
    /// Key projection.
    pub k: Source,
    /// Value projection.
    pub v: Source,
    /// Output projection of attention.
    pub o: Source,
    /// Norm before the MLP.
    pub mlp_norm: &'static str,
    /// Gate of a gated MLP.
    pub gate: Option<Source>,
    /// Up projection.
    pub up: Source,
    /// Down projection.
    pub down: Source,
    /// Ends of names that carry no weights (buffers such as masks).
    pub ignored: &'static [&'static str],
}

/// Where a projection lies in a file and how.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Name without `.weight`.
    pub name: &'static str,
    /// Which output rows of a fused tensor, or all.
    pub rows: Option<(usize, usize)>,
    /// Whether the file holds `[in, out]` (GPT-2's Conv1D).
    pub transposed: bool,
    /// Whether rows of each head are interleaved pairs (llama.cpp's order for Llama's Q and K) of heads of this size.
    pub interleaved: Option<usize>,
}

impl Source {
    /// A plain projection `[out, in]`.
    pub const fn plain(name: &'static str) -> Self {
        Self { name, rows: None, transposed: false, interleaved: None }
    }

    /// A projection stored as `[in, out]`.
    pub const fn conv1d(name: &'static str) -> Self {
        Self { transposed: true, ..Self::plain(name) }
    }

    /// Output rows `start..start + count` of a fused projection.
    pub const fn part(self, start: usize, count: usize) -> Self {
        Self { rows: Some((start, count)), ..self }
    }

    /// Rows in llama.cpp's order of rotary pairs.
    pub const fn interleaved(self, head_dim: usize) -> Self {
        Self { interleaved: Some(head_dim), ..self }
    }
}

/// Finds a checkpoint's architecture and reads what the decoder has to know.
pub fn identify(checkpoint: &Checkpoint) -> Result<(DecoderSpec, Names), ModelError> {
    let reader = ConfigReader::new(&checkpoint.config);
    let found = reader.architecture()?;
    let architecture = ARCHITECTURES.iter().find(|a| a.name == found).ok_or_else(|| {
        let known: Vec<_> = ARCHITECTURES.iter().map(|a| a.name).collect();
        ModelError::UnknownArchitecture { found, known: known.join(", ") }
    })?;
    let (spec, names) = match &checkpoint.config {
        Config::Hub(_) => {
            let spec = (architecture.hub)(&reader)?;
            let names = (architecture.hub_names)(&spec);
            (spec, names)
        }
        Config::Gguf(_) => {
            let spec = (architecture.gguf)(&reader, checkpoint)?;
            let names = (architecture.gguf_names)(&spec);
            (spec, names)
        }
    };
    validate(&spec)?;
    Ok((spec, names))
}

/// Refuses sizes that cannot be, before anything is allocated.
fn validate(spec: &DecoderSpec) -> Result<(), ModelError> {
    let wrong = |key: &str, problem: String| Err(ModelError::Config { key: key.to_owned(), problem });
    let sizes = [
        ("vocab_size", spec.vocab, 1 << 24),
        ("hidden_size", spec.hidden, 1 << 20),
        ("num_hidden_layers", spec.layers, 4096),
        ("num_attention_heads", spec.heads, 4096),
        ("num_key_value_heads", spec.kv_heads, 4096),
        ("head_dim", spec.head_dim, 1 << 16),
        ("intermediate_size", spec.intermediate, 1 << 22),
        ("max_position_embeddings", spec.context, 1 << 28),
    ];
    for (key, value, most) in sizes {
        if value == 0 || value > most {
            return wrong(key, format!("{value} is not between 1 and {most}"));
        }
    }
    if !spec.heads.is_multiple_of(spec.kv_heads) {
        return wrong(
            "num_key_value_heads",
            format!("{} does not divide {} heads", spec.kv_heads, spec.heads),
        );
    }
    if !(spec.norm_eps > 0.0 && spec.norm_eps < 1.0) {
        return wrong("norm eps", format!("{} is not between 0 and 1", spec.norm_eps));
    }
    if let crate::Positions::Rotary { theta, dims } = spec.positions {
        if !(theta.is_finite() && theta > 0.0) {
            return wrong("rope_theta", format!("{theta} is not a positive number"));
        }
        if dims == 0 || dims % 2 != 0 || dims > spec.head_dim {
            return wrong(
                "rotary dimensions",
                format!("{dims} of a head of {} is not possible", spec.head_dim),
            );
        }
    }
    Ok(())
}
