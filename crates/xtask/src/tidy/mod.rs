//! The layout that the design asks for, checked: who depends on whom, how long files are, what is committed.

mod arrows;
mod files;
mod modules;

use std::fs;

use anyhow::{Context, Result};

use crate::process::Cmd;
use crate::project::Project;

/// Everything in the clone that breaks a rule, one finding a line: `path: what is wrong`.
///
/// # Errors
/// When git or a file cannot be read.
pub fn check(project: &Project) -> Result<Vec<String>> {
    let files = committed(project)?;
    let mut findings = Vec::new();
    for path in &files {
        let Ok(bytes) = fs::read(project.root.join(path)) else {
            // Deleted in the working tree, but not yet in a commit.
            continue;
        };
        findings.extend(files::check(path, &bytes));
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        if let Some(name) = crate_of(path) {
            findings.extend(arrows::check(name, text).with_context(|| path.clone())?);
        }
        findings.extend(modules::check(path, text)?);
    }
    let sizes = files.iter().filter_map(|path| {
        let size = fs::metadata(project.root.join(path)).ok()?.len();
        Some((path.as_str(), size))
    });
    findings.extend(files::check_sum(sizes));
    if std::env::var_os("CI").is_some() {
        findings.extend(check_lock_file(project)?);
    }
    Ok(findings)
}

/// Files that are, or by a plain `git add` would be, in the repository.
fn committed(project: &Project) -> Result<Vec<String>> {
    let list = Cmd::new("git")
        .args("ls-files --cached --others --exclude-standard --deduplicate -z")
        .within(&project.root)
        .capture()?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// `formats` for `crates/formats/Cargo.toml`.
fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").filter(|name| !name.contains('/'))
}

/// Building this program brings `Cargo.lock` up to date; in CI that must not have changed it.
fn check_lock_file(project: &Project) -> Result<Option<String>> {
    let changed = Cmd::new("git").args("status --porcelain -- Cargo.lock").within(&project.root).capture()?;
    Ok((!changed.is_empty()).then(|| "Cargo.lock: older than the manifests; commit it with them".to_owned()))
}
