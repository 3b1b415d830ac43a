//! What can go wrong.

use std::path::PathBuf;

/// Why a model was not trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe's numbers contradict each other.
    #[error("the recipe does not hold: {problem}")]
    Recipe {
        /// What does not fit.
        problem: String,
    },
    /// There is too little text.
    #[error("the corpus has {found} stories, the recipe needs {needed} or more")]
    Corpus {
        /// Stories found.
        found: usize,
        /// Stories needed.
        needed: usize,
    },
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A checkpoint belongs to another run or is damaged.
    #[error("{} does not continue this run: {problem}", path.display())]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// The tokenizer could not be trained or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The loss is no number any more.
    #[error("the loss of step {step} is not finite")]
    Diverged {
        /// Step, counted from 0.
        step: u64,
    },
    /// The model's own files were refused.
    #[error(transparent)]
    Engine(#[from] glassbox_engine::EngineError),
}

impl TrainError {
    /// A stable identifier of the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Recipe { .. } => "recipe",
            Self::Corpus { .. } => "corpus",
            Self::File { .. } => "file",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Tokenizer(_) => "tokenizer",
            Self::Diverged { .. } => "diverged",
            Self::Engine(error) => error.code(),
        }
    }

    /// What can be done about it.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Recipe { .. } => "Change the recipe in crates/train/src/recipe.rs.",
            Self::Corpus { .. } => {
                "Give a text file of stories with a line <|endoftext|> between them, such as the sample the \
                 model card names."
            }
            Self::File { .. } => "Check that the path exists, is writable and has room.",
            Self::Checkpoint { .. } => "Give another folder with --work, or delete this one to start anew.",
            Self::Tokenizer(_) => "Check that the corpus is plain UTF-8 text.",
            Self::Diverged { .. } => "Lower the learning rate in the recipe.",
            Self::Engine(error) => return error.hint(),
        };
        hint.to_owned()
    }
}
