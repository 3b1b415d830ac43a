//! What a decoder is made of: the table that stands for an architecture.

use crate::{
    ModelError,
    alibi::AlibiSpec,
    convolution::ConvolutionSpec,
    rotary::{RotarySpec, Scaling},
};

/// How a vector is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square, no mean (Zhang & Sennrich, 2019).
    Rms,
    /// Layer norm (Ba et al., 2016).
    Layer,
}

/// The norms of a decoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSpec {
    /// How.
    pub kind: NormKind,
    /// Added to the variance.
    pub eps: f32,
    /// Whether each component is multiplied with a weight.
    pub weight: bool,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Where a block's norms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Before attention and MLP (GPT-2).
    Pre,
    /// After them, before their output is added to the residual stream (OLMo 2).
    Post,
    /// Before and after (Gemma 2).
    Both,
}

/// What the MLP reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// The residual stream with the attention's output in it.
    Sequential,
    /// The block's input, as attention does, each through its own norm (GPT-J's parallel form).
    Parallel,
    /// The same, through one norm for both.
    ParallelSharedNorm,
}

/// How positions enter.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Rotary embedding of queries and keys; each block names its variant in this list, or none.
    Rotary(Vec<RotarySpec>),
    /// A learned vector per position, added to the token embedding.
    Learned {
        /// Row of the table for the first position (2 in OPT).
        offset: usize,
    },
    /// A penalty on scores that grows with distance (Press et al., 2022).
    Alibi(AlibiSpec),
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

/// What queries and keys are normalised over before they are turned; with the decoder's kind of norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    /// Each head by itself, all with the same weights `[head_dim]`.
    Head,
    /// Each head by itself, with weights of its own `[head, head_dim]`.
    OwnHead,
    /// All heads together, weights `[heads * head_dim]`.
    Width,
}

/// Attention.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionSpec {
    /// What scores are multiplied by.
    pub scale: f32,
    /// Scores `s` become `cap * tanh(s / cap)`.
    pub soft_cap: Option<f32>,
    /// Queries, keys and values are clamped to this magnitude.
    pub clip: Option<f32>,
    /// Norm of queries and keys.
    pub qk_norm: Option<QkNorm>,
    /// Whether that norm adds biases.
    pub qk_norm_bias: bool,
    /// Whether the query, key and value projections add biases.
    pub qkv_bias: bool,
    /// Whether the output projection adds a bias.
    pub output_bias: bool,
}

/// The MLP.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpSpec {
    /// Its non-linearity.
    pub activation: Activation,
    /// Whether it multiplies the activated gate with a linear branch (GLU, Shazeer, 2020).
    pub gated: bool,
    /// Whether its projections add biases.
    pub bias: bool,
    /// The mixture of experts that stands in its place in blocks that say so.
    pub experts: Option<ExpertsSpec>,
}

/// A mixture of experts (Shazeer et al., 2017): a router gives each token to a few small MLPs.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertsSpec {
    /// How many there are.
    pub count: usize,
    /// How many a token goes to.
    pub active: usize,
    /// Width of each.
    pub intermediate: usize,
    /// Whether the weights of the chosen ones are made to sum to 1.
    pub normalised: bool,
}

/// How a block lets positions take from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mixer {
    /// Attention.
    #[default]
    Attention,
    /// A gated short convolution.
    Convolution,
}

/// What sets a block apart from the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockSpec {
    /// How it lets positions take from each other.
    pub mixer: Mixer,
    /// How many positions back a query sees, itself included; none for all (Beltagy et al., 2020).
    pub window: Option<usize>,
    /// Which of the rotary variants; none for no turn.
    pub rotary: Option<usize>,
    /// Whether its MLP is a mixture of experts.
    pub experts: bool,
}

/// The numbers every configuration states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented where they end up, in `DecoderSpec`")]
pub struct Sizes {
    pub vocab: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub intermediate: usize,
    pub context: usize,
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
    /// All norms.
    pub norm: NormSpec,
    /// Where a block's norms stand.
    pub placement: Placement,
    /// What the MLP reads.
    pub wiring: Wiring,
    /// How positions enter.
    pub positions: Positions,
    /// Attention.
    pub attention: AttentionSpec,
    /// The convolution of blocks that have one in the place of attention.
    pub convolution: Option<ConvolutionSpec>,
    /// The MLP.
    pub mlp: MlpSpec,
    /// What sets each block apart; as many as `layers`.
    pub blocks: Vec<BlockSpec>,
    /// What token embeddings are multiplied by.
    pub embed_scale: f32,
    /// Whether token embeddings are normalised.
    pub embed_norm: bool,
    /// What the outputs of attention and MLP are multiplied by before they are added to the residual stream.
    pub residual_scale: f32,
    /// Whether the token embedding is the output head too.
    pub tied_head: bool,
    /// Whether the head adds a bias.
    pub head_bias: bool,
    /// What logits are multiplied by.
    pub logit_scale: f32,
    /// Logits `l` become `cap * tanh(l / cap)`.
    pub logit_soft_cap: Option<f32>,
}

impl DecoderSpec {
    /// What most architectures are, so that a table says only where one differs: sequential blocks with
    /// RMSNorm before attention and MLP, rotary embedding of whole heads, SwiGLU, no biases.
    pub fn plain(architecture: &'static str, sizes: Sizes) -> Self {
        let Sizes { vocab, hidden, layers, heads, kv_heads, head_dim, intermediate, context } = sizes;
        Self {
            architecture,
            vocab,
            hidden,
            layers,
            heads,
            kv_heads,
            head_dim,
            intermediate,
            context,
            norm: NormSpec { kind: NormKind::Rms, eps: 1e-6, weight: true, bias: false },
            placement: Placement::Pre,
            wiring: Wiring::Sequential,
            positions: Positions::Rotary(vec![RotarySpec::plain(10_000.0, head_dim)]),
            attention: AttentionSpec {
                scale: inverse_root(head_dim),
                soft_cap: None,
                clip: None,
                qk_norm: None,
                qk_norm_bias: false,
                qkv_bias: false,
                output_bias: false,
            },
            convolution: None,
            mlp: MlpSpec { activation: Activation::Silu, gated: true, bias: false, experts: None },
            blocks: vec![BlockSpec { rotary: Some(0), ..BlockSpec::default() }; layers],
            embed_scale: 1.0,
            embed_norm: false,
            residual_scale: 1.0,
            tied_head: false,
            head_bias: false,
            logit_scale: 1.0,
            logit_soft_cap: None,
        }
    }

    /// The same with what GPT-2 and its kin share: layer norms with biases, a plain MLP, biases everywhere.
    pub fn with_biases(mut self, eps: f32, activation: Activation) -> Self {
        self.norm = NormSpec { kind: NormKind::Layer, eps, weight: true, bias: true };
        self.attention.qkv_bias = true;
        self.attention.output_bias = true;
        self.mlp = MlpSpec { activation, gated: false, bias: true, experts: None };
        self
    }

    /// The same with learned positions, whose table has `offset` rows before the first one.
    pub fn with_learned_positions(self, offset: usize) -> Self {
        self.unturned(Positions::Learned { offset })
    }

    /// The same with ALiBi.
    pub fn with_alibi(self, max_bias: f32) -> Self {
        let alibi = AlibiSpec::new(self.heads, max_bias);
        self.unturned(Positions::Alibi(alibi))
    }

    fn unturned(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self.blocks.iter_mut().for_each(|block| block.rotary = None);
        self
    }

    /// The same with one rotary variant in all blocks. Dynamic scaling is for sequences longer than the
    /// stated context, by its factor.
    pub fn with_rotary(mut self, rotary: RotarySpec) -> Self {
        if let Scaling::Dynamic { factor, original } = rotary.scaling {
            self.context = (original as f64 * f64::from(factor)) as usize;
        }
        self.positions = Positions::Rotary(vec![rotary]);
        self
    }

    /// The same with a window in the blocks that `sliding` picks; none leaves all blocks as they are.
    pub fn with_window(mut self, window: Option<usize>, sliding: impl Fn(usize) -> bool) -> Self {
        for (index, block) in self.blocks.iter_mut().enumerate() {
            block.window = window.filter(|_| sliding(index));
        }
        self
    }

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

    /// The rotary variants; none where positions enter otherwise.
    pub fn rotaries(&self) -> &[RotarySpec] {
        match &self.positions {
            Positions::Rotary(variants) => variants,
            _ => &[],
        }
    }

    /// Whether a sequence that grows from `from` to `to` tokens turns the ones it has by other angles, so
    /// that its cache no longer holds (dynamic scaling, LongRoPE).
    pub fn turns_anew(&self, from: usize, to: usize) -> bool {
        self.rotaries().iter().any(|rotary| rotary.stage(from) != rotary.stage(to))
    }

    /// Refuses sizes that cannot be, before anything is allocated.
    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        let wrong = |key: &str, problem: String| Err(ModelError::Config { key: key.to_owned(), problem });
        let experts = self.mlp.experts.as_ref();
        let sizes = [
            ("vocab_size", self.vocab, 1 << 24),
            ("hidden_size", self.hidden, 1 << 20),
            ("num_hidden_layers", self.layers, MAX_LAYERS),
            ("num_attention_heads", self.heads, 4096),
            ("num_key_value_heads", self.kv_heads, 4096),
            ("head_dim", self.head_dim, 1 << 16),
            ("intermediate_size", self.intermediate, 1 << 22),
            ("max_position_embeddings", self.context, 1 << 28),
            ("num_experts", experts.map_or(1, |e| e.count), 4096),
            ("num_experts_per_tok", experts.map_or(1, |e| e.active), experts.map_or(1, |e| e.count)),
            ("moe_intermediate_size", experts.map_or(1, |e| e.intermediate), 1 << 22),
        ];
        for (key, value, most) in sizes {
            if value == 0 || value > most {
                return wrong(key, format!("{value} is not between 1 and {most}"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let problem = format!("{} does not divide {} heads", self.kv_heads, self.heads);
            return wrong("num_key_value_heads", problem);
        }
        if !(self.norm.eps > 0.0 && self.norm.eps < 1.0) {
            return wrong("norm eps", format!("{} is not between 0 and 1", self.norm.eps));
        }
        if self.blocks.len() != self.layers {
            let problem = format!("{} kinds of layers for {} layers", self.blocks.len(), self.layers);
            return wrong("layer_types", problem);
        }
        if self.blocks.iter().any(|block| block.window == Some(0)) {
            return wrong("sliding_window", "a window of 0 shows nothing".to_owned());
        }
        let factors = [
            ("attention scale", self.attention.scale),
            ("attention soft cap", self.attention.soft_cap.unwrap_or(1.0)),
            ("final soft cap", self.logit_soft_cap.unwrap_or(1.0)),
            ("clip_qkv", self.attention.clip.unwrap_or(1.0)),
        ];
        for (key, value) in factors {
            if !(value.is_finite() && value > 0.0) {
                return wrong(key, format!("{value} is not a positive number"));
            }
        }
        self.convolution.iter().try_for_each(|table| table.validate())?;
        self.rotaries().iter().try_for_each(|rotary| rotary.validate(self.head_dim))
    }
}

/// Blocks a configuration may state.
pub(crate) const MAX_LAYERS: usize = 4096;

/// `1 / sqrt(n)`: the usual scale of scores.
pub fn inverse_root(n: usize) -> f32 {
    (1.0 / (n.max(1) as f64).sqrt()) as f32
}
