//! The TypeScript types of the protocol, generated from `crates/protocol`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::Cmd;
use crate::project::Project;

/// Where the page's client expects the types.
const GENERATED: &str = "web/src/client/protocol.gen.ts";

/// The command that prints the types.
fn generator(project: &Project) -> Cmd {
    Cmd::cargo()
        .args("run --quiet --package glassbox-protocol --features ts --bin protocol-ts")
        .env("CARGO_TARGET_DIR", &project.target)
        .within(&project.root)
}

/// Writes the generated types into the page's sources.
///
/// # Errors
/// When the generator fails or the file cannot be written.
pub fn write(project: &Project) -> Result<()> {
    let path = file(project);
    let types = generator(project).capture()?;
    fs::write(&path, types).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Compares the committed types with what the generator says now.
///
/// # Errors
/// When the generator fails.
pub fn check(project: &Project) -> Result<Vec<String>> {
    let types = generator(project).capture()?;
    Ok(match fs::read_to_string(file(project)) {
        Ok(committed) if committed == types => Vec::new(),
        Ok(_) => vec![format!("{GENERATED}: older than crates/protocol; run `cargo xtask protocol`")],
        Err(error) => vec![format!("{GENERATED}: {error}; run `cargo xtask protocol`")],
    })
}

fn file(project: &Project) -> PathBuf {
    project.root.join(GENERATED)
}
