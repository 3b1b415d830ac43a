//! Errors of the browser's edge, and what a page is told.

use glassbox_engine::EngineError;
use glassbox_protocol::Failure;

/// Errors of the worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A message that is none of the protocol's.
    #[error("the message is not understood: {0}")]
    Message(String),
    /// Nothing was started yet.
    #[error("the device is not open yet")]
    NotStarted,
    /// No model is open.
    #[error("no model is open")]
    NoModel,
    /// The model is at work.
    #[error("the model is at work")]
    Busy,
    /// An id that none of the model's adapters has.
    #[error("the model has no adapter {0}")]
    NoAdapter(u32),
    /// An address that could not be fetched at all.
    #[error("{url} could not be fetched: {reason}")]
    Fetch {
        /// The address.
        url: String,
        /// What the browser says.
        reason: String,
    },
    /// An answer that is no success.
    #[error("{url} answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// A server without range requests and a file too large to hold.
    #[error(
        "the server of {url} gives no byte ranges, and the file's {bytes} bytes are too many to hold at once"
    )]
    NoRanges {
        /// The address.
        url: String,
        /// Size of the file.
        bytes: u64,
    },
    /// The request was stopped.
    #[error("stopped")]
    Aborted,
}

impl From<glassbox_formats::FormatError> for WorkerError {
    fn from(error: glassbox_formats::FormatError) -> Self {
        Self::Engine(error.into())
    }
}

impl WorkerError {
    /// The error as a page shows it.
    pub fn failure(&self) -> Failure {
        let (code, hint) = match self {
            Self::Engine(error) => (error.code(), error.hint()),
            Self::Message(_) => {
                ("bad_message", "Reload the page: its parts may be of different versions.".to_owned())
            }
            Self::NotStarted => ("not_started", "Start the device first.".to_owned()),
            Self::NoModel => ("no_model", "Open a model first.".to_owned()),
            Self::Busy => ("busy", "Wait until it has finished, or stop it.".to_owned()),
            Self::NoAdapter(_) => ("no_such_adapter", "Look at the list of adapters again.".to_owned()),
            Self::Fetch { .. } => (
                "fetch_failed",
                "Check the address and the connection; the server must also allow other sites to read it (CORS). Or download the file and drop it here."
                    .to_owned(),
            ),
            Self::Status { status: 401 | 403, .. } => {
                ("http_status", "The file is not public: download it and drop it here.".to_owned())
            }
            Self::Status { .. } => ("http_status", "Check the address.".to_owned()),
            Self::NoRanges { .. } => ("no_ranges", "Download the file and drop it here.".to_owned()),
            Self::Aborted => ("aborted", "Run it again to go on.".to_owned()),
        };
        Failure { code: code.to_owned(), message: self.to_string(), hint }
    }
}
