//! What can go wrong in a session.

use glassbox_model::ModelError;
use glassbox_text::TextError;

/// Errors of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model or its files.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tokenizer.
    #[error(transparent)]
    Text(#[from] TextError),
    /// No usable GPU.
    #[error("there is no usable GPU: {0}")]
    NoGpu(String),
    /// This build has no GPU backend.
    #[error("this build has no GPU backend")]
    GpuNotBuilt,
    /// The model came without a tokenizer.
    #[error("the model came without a tokenizer, so text cannot be split into tokens")]
    NoTokenizer,
    /// The model came without a chat template.
    #[error("the model came without a chat template, so messages cannot be made a prompt")]
    NoChatTemplate,
    /// A sampler setting is out of its range.
    #[error("{0}")]
    Sampler(String),
    /// More would be captured than memory allows.
    #[error("the capture would take {needed} bytes; the limit is {limit}")]
    CaptureTooLarge {
        /// Bytes asked for.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// A position behind the end of the tokens.
    #[error("position {position} is not among the {count} tokens")]
    Position {
        /// As asked for.
        position: usize,
        /// Number of tokens.
        count: usize,
    },
    /// A layer, head or part that the model does not have.
    #[error("the model has no such layer, head or part")]
    NoSuchPart,
    /// A block whose MLP is a mixture of experts.
    #[error("layer {layer} is a mixture of experts, which has no neurons of its own")]
    NoNeurons {
        /// The layer.
        layer: usize,
    },
    /// A site that is not the residual stream.
    #[error("\"{0}\" is not the residual stream, and cannot be read out as tokens")]
    NotResidual(String),
    /// Two runs that must have equally many tokens.
    #[error("the prompts have {one} and {other} tokens, but must have equally many")]
    Lengths {
        /// Tokens of the one.
        one: usize,
        /// Tokens of the other.
        other: usize,
    },
    /// More tokens than an analysis takes.
    #[error("{count} tokens are too many for {what}; the limit is {limit}")]
    TooLong {
        /// The analysis.
        what: &'static str,
        /// Number of tokens.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The device computed something that is no number.
    #[error("the model's output holds values that are not finite numbers")]
    NotFinite,
}

impl From<glassbox_formats::FormatError> for EngineError {
    fn from(error: glassbox_formats::FormatError) -> Self {
        Self::Model(error.into())
    }
}

impl EngineError {
    /// Stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Model(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::NoGpu(_) => "no_gpu",
            Self::GpuNotBuilt => "gpu_not_built",
            Self::NoTokenizer => "no_tokenizer",
            Self::NoChatTemplate => "no_chat_template",
            Self::Sampler(_) => "bad_sampler",
            Self::CaptureTooLarge { .. } => "capture_too_large",
            Self::Position { .. } => "position_out_of_range",
            Self::NoSuchPart => "no_such_part",
            Self::NoNeurons { .. } => "no_neurons",
            Self::NotResidual(_) => "not_residual",
            Self::Lengths { .. } => "different_lengths",
            Self::TooLong { .. } => "prompt_too_long",
            Self::NotFinite => "not_finite",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Model(error) => error.hint(),
            Self::Text(error) => error.hint().to_string(),
            Self::NoGpu(_) => "Use the CPU, or a browser with WebGPU switched on.".into(),
            Self::GpuNotBuilt => "Use the CPU, or load the module with the GPU backend.".into(),
            Self::NoTokenizer => "Give token ids, or open the model together with its tokenizer.json.".into(),
            Self::NoChatTemplate => {
                "Write the prompt by hand, or open a model that was trained to chat.".into()
            }
            Self::Sampler(_) => "Change the setting and try again.".into(),
            Self::CaptureTooLarge { .. } => "Shorten the prompt or capture fewer kinds or layers.".into(),
            Self::Position { .. } => "Choose a position of the prompt, counted from 0.".into(),
            Self::NoSuchPart => "Choose a layer and head that the model has, counted from 0.".into(),
            Self::NoNeurons { .. } => "Look at the router's scores instead (mlp.hook_router_scores).".into(),
            Self::NotResidual(_) => "Use resid_pre, resid_mid or resid_post of a layer.".into(),
            Self::Lengths { .. } => "Word the prompts so that both have the same number of tokens.".into(),
            Self::TooLong { .. } => "Shorten the prompt.".into(),
            Self::NotFinite => {
                "The weights hold NaN or infinity, or the device computes wrongly: try the CPU.".into()
            }
        }
    }

    /// Whether the caller stopped the work.
    pub fn is_aborted(&self) -> bool {
        matches!(self, Self::Model(ModelError::Aborted))
    }
}
