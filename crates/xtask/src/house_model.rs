//! `cargo xtask train-house-model`: builds the trainer and makes the house model anew.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::Cmd;
use crate::project::Project;

/// What `cargo xtask train-house-model` may be told.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The stories.
    pub corpus: PathBuf,
    /// Folder for the model's files; `web/models/glassbox-stories` where none is given.
    pub out: Option<PathBuf>,
    /// Folder of the checkpoint and the log; `house-model` in cargo's target folder where none is given.
    pub work: Option<PathBuf>,
}

/// Trains the model, or goes on where an earlier call was interrupted, and writes its files.
///
/// # Errors
/// When there is no corpus, or the trainer does not build or fails.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let corpus = &options.corpus;
    ensure!(corpus.is_file(), "{} is no file: --corpus takes a text of stories", corpus.display());
    // The trainer runs in the root: paths are the caller's.
    let absolute = |path: PathBuf| std::path::absolute(&path).context("the current folder cannot be read");
    let out = absolute(options.out.clone().unwrap_or(project.root.join("web/models/glassbox-stories")))?;
    let work = absolute(options.work.clone().unwrap_or(project.target.join("house-model")))?;
    println!("training takes an hour or so; stop it at any time, the same command goes on from there");
    // All packages that use burn are built with the same features, so this compiles it once for all.
    Cmd::cargo()
        .args("run --quiet --package glassbox-train --")
        .arg("--corpus")
        .arg(absolute(corpus.clone())?)
        .arg("--out")
        .arg(&out)
        .arg("--work")
        .arg(&work)
        .env("CARGO_TARGET_DIR", &project.target)
        .within(&project.root)
        .run()?;
    println!("the model is in {}", out.display());
    Ok(())
}
