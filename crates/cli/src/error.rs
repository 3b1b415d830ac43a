//! Errors of the command line.

use std::{io, path::PathBuf};

use glassbox_engine::EngineError;
use glassbox_formats::FormatError;
use glassbox_text::TextError;

/// What can go wrong with a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file or folder could not be read.
    #[error("{path} could not be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{path} could not be written: {reason}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Standard input or output.
    #[error("standard input or output failed: {0}")]
    Stream(#[from] io::Error),
    /// The arguments.
    #[error("{0}")]
    Usage(String),
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<TextError> for CliError {
    fn from(error: TextError) -> Self {
        Self::Engine(error.into())
    }
}

impl CliError {
    /// The first line of what clap says.
    pub fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let lines: Vec<&str> =
            text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage")).collect();
        let joined = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        Self::Usage(joined.trim_start_matches("error: ").to_owned())
    }

    /// Stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Stream(_) => "stream",
            Self::Usage(_) => "usage",
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Read { .. } => "Check the path and its permissions.".into(),
            Self::Write { .. } => "Check that the folder exists, can be written to and has room.".into(),
            Self::Stream(_) => "Check what the command is connected to.".into(),
            Self::Usage(_) => "See `glassbox --help`.".into(),
        }
    }
}
