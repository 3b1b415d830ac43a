//! Where things are: the clone, its build folders, and the cache of tools outside the clone.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folders that every command works with. All paths are absolute.
#[derive(Clone, Debug)]
pub struct Project {
    /// The root of the clone, where the workspace's `Cargo.toml` lies.
    pub root: PathBuf,
    /// Cargo's folder for native builds: `CARGO_TARGET_DIR`, or `target` in the clone.
    pub target: PathBuf,
    /// Holds what set-up installs; shared by all clones of this user.
    pub cache: PathBuf,
}

impl Project {
    /// Finds the clone that `cargo xtask` was called in.
    ///
    /// # Errors
    /// When no parent folder holds a workspace, or the user has no home folder.
    pub fn locate() -> Result<Self> {
        let here = env::current_dir().context("the current folder cannot be read")?;
        // Asked at run time: clones may share one target folder, and with it this program.
        let start = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| here.clone(), PathBuf::from);
        let root = start
            .ancestors()
            .find(|folder| is_workspace(folder))
            .with_context(|| format!("no Cargo workspace in {} or above it", start.display()))?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
            Some(path) => here.join(path),
            None => root.join("target"),
        };
        Ok(Self { root, target, cache: cache_folder()? })
    }

    /// Cargo's folder for wasm builds. Separate from [`Self::target`]: two builds in one folder wait for each other.
    pub fn site_target(&self) -> PathBuf {
        self.target.join("site")
    }

    /// Where the built site goes.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The npm package of the page.
    pub fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// The npm package of the tests in a browser.
    pub fn e2e(&self) -> PathBuf {
        self.root.join("tests/e2e")
    }

    /// The npm package, and the Python programs, of the bench.
    pub fn bench(&self) -> PathBuf {
        self.root.join("tests/bench")
    }

    /// Models and tools of the bench.
    pub fn bench_cache(&self) -> PathBuf {
        self.cache.join("bench")
    }

    /// Compressed files, by the content they were made of.
    pub fn brotli_cache(&self) -> PathBuf {
        self.bench_cache().join("brotli")
    }

    /// Where the output of each test step is kept.
    pub fn logs(&self) -> PathBuf {
        self.target.join("xtask-logs")
    }

    /// `cargo install --root` for the tools that set-up installs.
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }
}

fn is_workspace(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
}

fn cache_folder() -> Result<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(base) = variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA")) {
        return Ok(base.join("glassbox"));
    }
    match variable("HOME") {
        Some(home) => Ok(home.join(".cache/glassbox")),
        None => bail!("HOME is not set, so there is no folder to install the build tools in"),
    }
}
