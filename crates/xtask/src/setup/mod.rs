//! Everything a build or a test needs beyond a clone, Rust and Node: found if it is there, else installed.
//!
//! Each function says what it looks for and why, is quick when nothing is missing, and checks exact versions,
//! so that a second run changes nothing.

mod browser;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub use browser::{chromium, software_vulkan};
pub use tools::{cargo_deny, path_with_tools, trunk, wasm_bindgen};

use crate::process::Cmd;

/// The oldest Node that the packages of `web/` run on.
const NODE_MAJOR: u32 = 20;
/// The target that the browser's modules are compiled for.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

fn say(what: &str, state: &str) {
    println!("set-up: {what}: {state}");
}

/// Checks that Node is there and new enough. Node is the one thing besides Rust that set-up does not install.
///
/// # Errors
/// When it is missing or too old.
pub fn node() -> Result<()> {
    let hint =
        format!("install Node {NODE_MAJOR} or newer, with npm, from your system's packages or nodejs.org");
    let version = Cmd::new("node").arg("--version").capture().with_context(|| hint.clone())?;
    let version = version.trim();
    match version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE_MAJOR => {
            say("Node (bundles and checks the page)", version);
            Ok(())
        }
        Some(_) => bail!("Node {version} is too old: {hint}"),
        None => bail!("`node --version` said {version:?}: {hint}"),
    }
}

/// Makes sure that rustfmt and clippy are there; rustup's minimal profile leaves them out.
///
/// # Errors
/// When a component is missing and rustup cannot add it.
pub fn rust_components() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        let program = if component == "rustfmt" { "fmt" } else { component };
        if Cmd::cargo().arg(program).arg("--version").capture().is_err() {
            say(component, "adding with rustup (checks the Rust code)");
            Cmd::new("rustup").args("component add").arg(component).run()?;
        }
    }
    Ok(())
}

/// Makes sure that Rust's standard library for wasm is there.
///
/// # Errors
/// When it is missing and rustup cannot add it.
pub fn wasm_target() -> Result<()> {
    let sysroot = Cmd::new("rustc").args("--print sysroot").capture()?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).join("lib");
    if library.is_dir() {
        say(WASM_TARGET, "present");
        return Ok(());
    }
    say(WASM_TARGET, "adding with rustup (Rust's standard library for the browser)");
    Cmd::new("rustup")
        .args("target add")
        .arg(WASM_TARGET)
        .run()
        .context("without rustup, install the standard library for wasm32-unknown-unknown yourself")
}

/// Installs the packages of `folder` as its lock file says, unless that very lock file was installed before.
/// No package's install script is run.
///
/// # Errors
/// When the lock file is missing or npm fails.
pub fn npm(folder: &Path) -> Result<()> {
    let lock_file = folder.join("package-lock.json");
    let lock = fs::read(&lock_file).with_context(|| format!("{} is needed", lock_file.display()))?;
    let stamp = folder.join("node_modules/.glassbox-installed");
    let name = format!("npm packages of {}", folder.display());
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        say(&name, "up to date");
        return Ok(());
    }
    say(&name, "installing as package-lock.json says");
    Cmd::npm().args("ci --ignore-scripts --no-audit --no-fund").within(folder).run()?;
    // npm makes no folder for a package that depends on nothing.
    fs::create_dir_all(folder.join("node_modules"))?;
    fs::write(&stamp, lock).with_context(|| format!("{} cannot be written", stamp.display()))
}

/// Finds `name` on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

/// Whether Debian's package manager can be called without a password.
fn may_use_apt() -> bool {
    let root = Cmd::new("id").arg("-u").capture().is_ok_and(|id| id.trim() == "0");
    root && on_path("apt-get").is_some()
}

/// Installs Debian packages, after refreshing the lists, without asking.
fn apt_install(packages: &str) -> Result<()> {
    let apt = || Cmd::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args("update --quiet").run()?;
    apt().args("install --quiet --yes --no-install-recommends").args(packages).run()
}
