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
            Self::NoChatTemplate => "Write the prompt by hand, or open a model that was trained to chat.".into(),
            Self::Sampler(_) => "Change the setting and try again.".into(),
            Self::CaptureTooLarge { .. } => "Shorten the prompt or capture fewer kinds or layers.".into(),
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
