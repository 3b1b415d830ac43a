//! Arguments of the analyses: lens, attribution, patching. All print JSON.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::args::{Backend, Prompt};

/// A model, a prompt and what is switched off.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    #[command(flatten)]
    pub prompt: Prompt,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
    /// Heads to switch off, as LAYER.HEAD.
    #[arg(long, value_delimiter = ',')]
    pub ablate: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Lens {
    #[command(flatten)]
    pub run: RunArgs,
    /// `resid_pre`, `resid_mid`, `resid_post` or full site names.
    #[arg(long, value_delimiter = ',', default_value = "resid_post")]
    pub sites: Vec<String>,
    /// Most probable tokens of each cell.
    #[arg(long, default_value_t = 5)]
    pub top: usize,
    /// Token ids to follow through all cells.
    #[arg(long, value_delimiter = ',')]
    pub pin: Vec<u32>,
}

#[derive(Debug, ClapArgs)]
pub struct Attribute {
    #[command(flatten)]
    pub run: RunArgs,
    /// Id of the token whose logit is explained; the most probable one if left out.
    #[arg(long)]
    pub token: Option<u32>,
    /// Id of a token whose logit is subtracted.
    #[arg(long)]
    pub against: Option<u32>,
    /// The position whose next token is explained; the last one if left out.
    #[arg(long)]
    pub position: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub struct Patch {
    #[command(flatten)]
    pub run: RunArgs,
    /// Token ids of the prompt whose values are put in; as many as the prompt has.
    #[arg(long, value_delimiter = ',', required = true)]
    pub source: Vec<u32>,
    /// Kind of site: `resid_pre`, `attn_out`, `mlp_out`, `z`…
    #[arg(long, default_value = "resid_pre")]
    pub kind: String,
    /// Head to patch alone, for kinds with heads.
    #[arg(long)]
    pub head: Option<usize>,
    /// Id of the token whose logit is measured.
    #[arg(long)]
    pub token: u32,
    /// Id of a token whose logit is subtracted.
    #[arg(long)]
    pub against: Option<u32>,
}
