//! What can go wrong with a model.

use glassbox_formats::FormatError;
use glassbox_kernels::KernelError;

/// Errors of opening and running a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file itself.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Memory or the device.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The architecture is none of ours.
    #[error("the architecture \"{found}\" is not known; {nearest}known ones are {known}")]
    UnknownArchitecture {
        /// As the file spells it.
        found: String,
        /// The known one whose name is nearest, as a clause, where one is near.
        nearest: String,
        /// All that are known.
        known: String,
    },
    /// The configuration lacks a value or has one that cannot be.
    #[error("the model's configuration is wrong at \"{key}\": {problem}")]
    Config {
        /// Key in `config.json` or the GGUF metadata.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor \"{name}\" has shape {found:?}, but the configuration asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<u64>,
        /// What it should be.
        expected: Vec<u64>,
    },
    /// Tensors the architecture has no use for: its numbers would be wrong without them.
    #[error("the file holds tensors that the architecture \"{architecture}\" does not use: {names}")]
    UnexpectedTensors {
        /// The architecture.
        architecture: &'static str,
        /// Some of their names.
        names: String,
    },
    /// A quantised tensor where only a float one can be used.
    #[error("tensor \"{name}\" is quantised ({dtype}), which is not possible for this tensor")]
    Quantised {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// No tensors at all.
    #[error("the file holds a vocabulary but no tensors")]
    NoTensors,
    /// A name that is no site.
    #[error("\"{site}\" is not a site of the forward pass")]
    UnknownSite {
        /// As given.
        site: String,
    },
    /// A site that other models have.
    #[error("this model ({architecture}) has no site \"{site}\"")]
    AbsentSite {
        /// As given.
        site: String,
        /// The model's architecture.
        architecture: &'static str,
    },
    /// An edit that does not fit its site.
    #[error("the edit at \"{site}\" does not fit: {problem}")]
    Edit {
        /// The site.
        site: String,
        /// What does not fit.
        problem: String,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocab} tokens")]
    TokenRange {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// More tokens than the model was made for.
    #[error("{tokens} tokens are more than the model's context of {context}")]
    Context {
        /// Tokens asked for.
        tokens: usize,
        /// The model's longest sequence.
        context: usize,
    },
    /// Nothing to run.
    #[error("there are no tokens to run the model on")]
    NoTokens,
    /// An adapter that is not for this model.
    #[error("the adapter does not fit the model: {problem}")]
    Adapter {
        /// What does not fit.
        problem: String,
    },
    /// The device could not give its numbers back.
    #[error("reading from the device failed: {0}")]
    Device(String),
    /// Stopped by the caller.
    #[error("stopped")]
    Aborted,
}

impl ModelError {
    /// Stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format(error) => error.code(),
            Self::Kernel(error) => error.code(),
            Self::UnknownArchitecture { .. } => "unknown_architecture",
            Self::Config { .. } => "bad_config",
            Self::Shape { .. } => "wrong_shape",
            Self::UnexpectedTensors { .. } => "unexpected_tensors",
            Self::Quantised { .. } => "quantised_tensor",
            Self::NoTensors => "no_tensors",
            Self::UnknownSite { .. } => "unknown_site",
            Self::AbsentSite { .. } => "absent_site",
            Self::Edit { .. } => "bad_edit",
            Self::TokenRange { .. } => "token_out_of_range",
            Self::Context { .. } => "context_full",
            Self::NoTokens => "no_tokens",
            Self::Adapter { .. } => "adapter_mismatch",
            Self::Device(_) => "device_read",
            Self::Aborted => "aborted",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Format(error) => error.hint().to_string(),
            Self::Kernel(error) => error.hint().to_string(),
            Self::UnknownArchitecture { .. } => {
                "Open a model of a known architecture, or one converted to it.".into()
            }
            Self::Config { .. } => "Take config.json (or the GGUF) anew from where the model came from.".into(),
            Self::Shape { .. } => "The weights and the configuration are of different models; open files that belong together.".into(),
            Self::UnexpectedTensors { .. } => {
                "This is a variant whose numbers would come out wrong; open the plain variant of the model.".into()
            }
            Self::Quantised { .. } => "Open a conversion that keeps this tensor in F32 or F16.".into(),
            Self::NoTensors => "Use it with `glassbox tokenize`; to run a model, open a file with weights.".into(),
            Self::UnknownSite { .. } => {
                "Use a TransformerLens name such as blocks.0.attn.hook_pattern, or a kind such as pattern or resid_post.".into()
            }
            Self::AbsentSite { .. } => {
                "Choose a block the model has, and a site its blocks have: `glassbox architectures` says how they are built.".into()
            }
            Self::Edit { .. } => "Correct the head, the positions or the shape of the values.".into(),
            Self::TokenRange { .. } => "Use ids from 0 to the size of the vocabulary less one.".into(),
            Self::Context { .. } => "Shorten the prompt or ask for fewer new tokens.".into(),
            Self::NoTokens => "Type a prompt or give at least one token id.".into(),
            Self::Adapter { .. } => "Open the model that the adapter was made for, or another adapter.".into(),
            Self::Device(_) => "Try again; if it fails again, use the CPU.".into(),
            Self::Aborted => "Run it again to go on.".into(),
        }
    }
}
