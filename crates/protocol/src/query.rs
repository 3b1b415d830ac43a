//! What a page asks about a run.
//!
//! Each query names its [`Run`]. The worker keeps the residual streams of the last runs, so that several questions
//! about one run cost one forward pass, and an edited run starts at its first edited block. Nothing has to be opened or
//! closed: a run that was forgotten is computed again. Positions and layers count from 0.

use serde::{Deserialize, Serialize};

use crate::{Edit, Input, PartName, Sampler};

/// A prompt with what is changed on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What is run.
    pub input: Input,
    /// What is changed.
    pub edits: Vec<Edit>,
}

/// Logit lens (nostalgebraist, 2020): the final norm and the output head applied to the residual stream at each site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LensQuery {
    /// The run.
    pub run: Run,
    /// Residual sites in the order wanted: kinds for all layers (`resid_pre`, `resid_mid`, `resid_post`) or full names.
    pub sites: Vec<String>,
    /// Half-open range of positions, or all.
    pub positions: Option<[u32; 2]>,
    /// How many of the most probable tokens each cell reports.
    pub top: u32,
    /// Tokens to follow through all cells.
    pub pinned: Vec<u32>,
}

/// Direct logit attribution (Elhage et al., 2021): what each part of the model writes towards a token's logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AttributionQuery {
    /// The run.
    pub run: Run,
    /// The position whose next token is explained; the last one if none.
    pub position: Option<u32>,
    /// The token.
    pub token: u32,
    /// A token whose logit is subtracted.
    pub against: Option<u32>,
}

/// Which tokens parts of the model push up and down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PromotedQuery {
    /// The run.
    pub run: Run,
    /// The position whose next token is explained; the last one if none.
    pub position: Option<u32>,
    /// The parts.
    pub parts: Vec<PartName>,
    /// How many tokens in each list.
    pub top: u32,
}

/// One head at one query, down to its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HeadQuery {
    /// The run.
    pub run: Run,
    /// Layer.
    pub layer: u32,
    /// Query head.
    pub head: u32,
    /// Position of the query; the last one if none.
    pub query: Option<u32>,
}

/// The most active neurons of an MLP at a position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NeuronsQuery {
    /// The run.
    pub run: Run,
    /// Layer.
    pub layer: u32,
    /// Position; the last one if none.
    pub position: Option<u32>,
    /// How many neurons, by the size of their activation.
    pub top: u32,
    /// How many tokens each neuron reports in each list.
    pub tokens: u32,
}

/// What the heads do on this prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HeadsQuery {
    /// The run.
    pub run: Run,
    /// Longest side of each head's thumbnail in pixels; 0 for none.
    pub thumbnails: u32,
    /// Whether attention rollout is wanted.
    pub rollout: bool,
}

/// The next-token distribution after a position under a sampler, from cached logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BenchQuery {
    /// The run.
    pub run: Run,
    /// The position whose next token is drawn; the last one if none.
    pub position: Option<u32>,
    /// The sampler.
    pub sampler: Sampler,
    /// Which rows of the vocabulary to report.
    pub rows: BenchRows,
    /// Tokens reported besides, wherever they stand.
    pub pinned: Vec<u32>,
    /// How often to draw a token with the sampler's seed; 0 for not at all.
    pub draws: u32,
}

/// A page of the vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BenchRows {
    /// How many rows to skip.
    pub from: u32,
    /// How many rows to report.
    pub count: u32,
    /// Only tokens whose visible text contains this, upper and lower case alike; all if empty.
    pub search: String,
    /// Whether rows are ordered by the last stage instead of the model's own distribution.
    pub by_final: bool,
}

/// How edits change the next-token distributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CompareQuery {
    /// What is run.
    pub input: Input,
    /// Edits of the run before; usually none.
    pub before: Vec<Edit>,
    /// Edits of the run after.
    pub after: Vec<Edit>,
    /// The position whose next token is compared token by token; the last one if none.
    pub position: Option<u32>,
    /// Whether the divergence is wanted at every position, not only at `position`.
    pub every_position: bool,
    /// How many of the most changed tokens to report.
    pub top: u32,
}

/// How well the model expected each token of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SurprisalQuery {
    /// The run.
    pub run: Run,
    /// How many of the model's own choices to report before each token.
    pub top: u32,
}

/// Probabilities of forced continuations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ScoreQuery {
    /// The run that is continued.
    pub run: Run,
    /// Token ids of each continuation.
    pub continuations: Vec<Vec<u32>>,
}

/// Activation patching (Vig et al., 2020; Meng et al., 2022) at every layer and position: values of the source run are
/// put into the target run, one cell at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SweepQuery {
    /// The run values come from.
    pub source: Run,
    /// The run they are put into; must have as many tokens.
    pub target: Run,
    /// Kind of site: `resid_pre`, `resid_mid`, `attn_out`, `mlp_out`, `z`…
    pub kind: String,
    /// Head to patch alone, for kinds with heads.
    pub head: Option<u32>,
    /// Half-open range of layers, or all.
    pub layers: Option<[u32; 2]>,
    /// Half-open range of positions, or all.
    pub positions: Option<[u32; 2]>,
    /// The token whose logit is measured.
    pub token: u32,
    /// A token whose logit is subtracted.
    pub against: Option<u32>,
    /// Where the logit is read; the last position if none.
    pub measured_at: Option<u32>,
}

/// A trace as a safetensors file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ExportQuery {
    /// The run.
    pub run: Run,
    /// `logits`, kinds or full site names, as for a trace.
    pub capture: Vec<String>,
    /// What the page adds to the file's metadata, e.g. its seed. Keys of the engine's own win.
    #[cfg_attr(feature = "ts", ts(type = "Record<string, string>"))]
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or what else the model's template knows.
    pub role: String,
    /// Its text.
    pub content: String,
}
