//! What the worker tells about a run.
//!
//! Large arrays travel as buffers beside the event, described by its `arrays` in the same order. Information is in
//! bits throughout.

use serde::{Deserialize, Serialize};

use crate::{Candidate, StageName, Token};

/// Name, type and shape of an array that travels as a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ArrayMeta {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub dtype: ArrayType,
    /// Its shape, outermost first.
    pub shape: Vec<u32>,
}

/// Type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ArrayType {
    /// 32-bit floats.
    F32,
    /// 32-bit unsigned integers: token ids, ranks, counts.
    U32,
    /// Bytes.
    U8,
}

/// Kind of a part of the model that writes to the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// The token embedding.
    Embed,
    /// The learned position embedding.
    PosEmbed,
    /// A head: its values through its slice of the output projection.
    Head,
    /// The convolution that a layer has in the place of attention.
    Convolution,
    /// What the attention adds besides its heads: biases.
    AttnBias,
    /// An MLP.
    Mlp,
    /// What edits put into the residual stream, or into the output of attention, themselves.
    Edits,
    /// What the final norm adds: its bias.
    NormBias,
    /// What the output head adds: its bias.
    HeadBias,
}

/// A part of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PartName {
    /// Its kind.
    pub kind: PartKind,
    /// Its layer, where it has one.
    pub layer: Option<u32>,
    /// Its head, where it is one.
    pub head: Option<u32>,
}

/// What a part contributes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The part.
    pub part: PartName,
    /// What it adds to the logit (or the difference of two).
    pub contribution: f32,
    /// Length of the vector it writes to the residual stream.
    pub norm: f32,
}

/// A token with what is added to its logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TokenEffect {
    /// The token.
    pub token: Token,
    /// What is added to its logit, less the mean over the vocabulary (which changes no probability).
    pub logit: f32,
}

/// What a part pushes up and down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// The part.
    pub part: PartName,
    /// Pushed up the most, strongest first.
    pub promoted: Vec<TokenEffect>,
    /// Pushed down the most, strongest first.
    pub suppressed: Vec<TokenEffect>,
}

/// A neuron at a position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Neuron {
    /// Its index.
    pub index: u32,
    /// What goes into the activation function (the gate's branch, where there is one).
    pub pre: f32,
    /// The linear branch it is multiplied with, in a gated MLP.
    pub linear: Option<f32>,
    /// What comes out, and multiplies the neuron's output direction.
    pub activation: f32,
    /// Length of what it writes to the residual stream.
    pub norm: f32,
    /// Tokens its output pushes up the most at this position.
    pub promoted: Vec<TokenEffect>,
    /// Tokens it pushes down the most.
    pub suppressed: Vec<TokenEffect>,
}

/// What a head was found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum HeadRole {
    /// Looks at the token before.
    PreviousToken,
    /// Rests on the first token.
    FirstToken,
    /// Looks at what came after an earlier occurrence of the same token.
    Induction,
    /// Looks at earlier occurrences of the same token.
    DuplicateToken,
}

/// A head whose score reaches the role's threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HeadLabel {
    /// Layer.
    pub layer: u32,
    /// Head.
    pub head: u32,
    /// What it does.
    pub role: HeadRole,
    /// Mean attention on the role's positions, from 0 to 1.
    pub score: f32,
}

/// A stage of the sampler over the full vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BenchStage {
    /// Which stage.
    pub name: StageName,
    /// How many tokens are left.
    pub kept: u32,
    /// How many this stage cut off.
    pub cut: u32,
    /// Probability, before this stage, of what it cut off.
    pub cut_mass: f32,
    /// Entropy in bits.
    pub entropy: f32,
}

/// A token in every stage of the sampler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BenchRow {
    /// The token.
    pub token: Token,
    /// Its rank in the model's own distribution; 1 is the most probable.
    pub rank: u32,
    /// Its logit as the model gave it.
    pub logit: f32,
    /// Its probability after each stage, in the order of the stages; 0 once it is cut off.
    pub probabilities: Vec<f32>,
    /// The stage that cut it off, as an index into the stages.
    pub cut_at: Option<u32>,
    /// How often it was drawn, where draws were asked for.
    pub drawn: Option<u32>,
}

/// How a token's probability changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The token.
    pub token: Token,
    /// Logit and probability before.
    pub before: Standing,
    /// Logit and probability after.
    pub after: Standing,
}

/// Where a token stands in a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Logit.
    pub logit: f32,
    /// Probability.
    pub probability: f32,
    /// Rank; 1 is the most probable.
    pub rank: u32,
}

/// How well a token of the prompt was expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Expectation {
    /// Probability the model gave it after the tokens before; none for the first token.
    pub probability: Option<f32>,
    /// Surprisal, -log2 of that probability, in bits.
    pub surprisal: Option<f32>,
    /// Its rank; 1 is the most probable.
    pub rank: Option<u32>,
    /// Entropy of the distribution it came from, in bits.
    pub entropy: Option<f32>,
    /// The model's own choices in its place, best first.
    pub top: Vec<Candidate>,
}

/// A forced continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Continuation {
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Natural logarithm of each token's probability after all before it.
    pub logprobs: Vec<f32>,
    /// Their sum.
    pub total: f32,
}
