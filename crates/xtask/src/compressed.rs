//! How large files are once a host has compressed them, and the compressed files themselves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Cmd;
use crate::project::Project;

/// Files that gain nothing: they are compressed already, or as random as weights are.
const AS_THEY_ARE: [&str; 8] = ["br", "png", "jpg", "jpeg", "webp", "woff2", "gguf", "safetensors"];

/// One file with brotli at its highest level.
#[derive(Clone, Debug)]
pub struct Compressed {
    /// Its size in bytes.
    pub raw: u64,
    /// What of it travels.
    pub brotli: u64,
    /// Where the compressed bytes are kept.
    kept: PathBuf,
}

/// Compresses files; what was compressed once is kept by its content, so that a second time is quick.
///
/// # Errors
/// When Node is missing or a file cannot be read.
pub fn compress(project: &Project, files: &[PathBuf]) -> Result<Vec<Compressed>> {
    let command = Cmd::new("node").arg(project.bench().join("src/brotli.mjs")).arg(project.brotli_cache());
    let output = files.iter().fold(command, Cmd::arg).capture()?;
    let found: Vec<serde_json::Value> =
        serde_json::from_str(&output).context("brotli.mjs printed no list")?;
    found.iter().map(|entry| read(entry).with_context(|| format!("brotli.mjs printed {entry}"))).collect()
}

fn read(entry: &serde_json::Value) -> Option<Compressed> {
    Some(Compressed {
        raw: entry["raw"].as_u64()?,
        brotli: entry["brotli"].as_u64()?,
        kept: entry["kept"].as_str()?.into(),
    })
}

/// Puts `NAME.br` beside every file of the site that becomes smaller, for hosts that send such files.
///
/// # Errors
/// When Node is missing or a file cannot be written.
pub fn beside(project: &Project) -> Result<()> {
    let files: Vec<PathBuf> = below(&project.dist())?.into_iter().filter(|file| compressible(file)).collect();
    for (file, Compressed { raw, brotli, kept }) in files.iter().zip(compress(project, &files)?) {
        if brotli < raw {
            fs::copy(&kept, with_br(file)).with_context(|| format!("{} cannot be copied", kept.display()))?;
        }
    }
    Ok(())
}

/// `app.js.br` for `app.js`.
pub fn with_br(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".br");
    name.into()
}

fn compressible(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| !AS_THEY_ARE.contains(&extension))
}

/// All files in `folder` and below it, in order.
///
/// # Errors
/// When a folder cannot be read.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gains_is_compressed() {
        assert!(compressible(Path::new("dist/app.js")) && compressible(Path::new("a_bg.wasm")));
        for file in ["dist/app.js.br", "house.gguf", "picture.png", "LICENSE"] {
            assert!(!compressible(Path::new(file)), "{file}");
        }
        assert_eq!(with_br(Path::new("dist/app.js")), Path::new("dist/app.js.br"));
    }

    #[test]
    fn files_below_are_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/c")).unwrap();
        for name in ["z", "b/c/y", "b/x"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let found = below(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, ["b/c/y", "b/x", "z"].map(Path::new));
        assert!(below(&folder.path().join("none")).is_err());
    }
}
