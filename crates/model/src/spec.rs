//! What a decoder is made of: the table that stands for an architecture.

/// How a vector is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square, no mean and no bias (Zhang & Sennrich, 2019).
    Rms,
    /// Layer norm with bias (Ba et al., 2016).
    Layer,
}

/// How positions enter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// Rotary embedding of queries and keys over the first `dims` of a head, halves paired (Su et al., 2021).
    Rotary {
        /// Base of the wavelengths.
        theta: f32,
        /// How many components of a head turn.
        dims: usize,
    },
    /// A learned vector per position, added to the token embedding.
    Learned,
}

/// The MLP's non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// GELU by its tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// Exact GELU.
    Gelu,
    /// `max(x, 0)`.
    Relu,
}

/// Everything the one decoder has to know about an architecture and its sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    /// Architecture as the hub spells it (`llama`, `gpt2`).
    pub architecture: &'static str,
    /// Number of tokens in the vocabulary.
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads per block.
    pub heads: usize,
    /// Key and value heads per block; divides `heads` (grouped-query attention, Ainslie et al., 2023).
    pub kv_heads: usize,
    /// Size of a head.
    pub head_dim: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Longest sequence, in tokens.
    pub context: usize,
    /// Kind of all norms.
    pub norm: NormKind,
    /// Added to the variance.
    pub norm_eps: f32,
    /// How positions enter.
    pub positions: Positions,
    /// The MLP's non-linearity.
    pub activation: Activation,
    /// Whether the MLP multiplies the activated gate with a linear branch (GLU, Shazeer, 2020).
    pub gated_mlp: bool,
    /// Whether the query, key, value and output projections add biases.
    pub attention_bias: bool,
    /// Whether the MLP's projections add biases.
    pub mlp_bias: bool,
    /// Whether the token embedding is the output head too.
    pub tied_head: bool,
}

impl DecoderSpec {
    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Query heads that share a key and value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}
