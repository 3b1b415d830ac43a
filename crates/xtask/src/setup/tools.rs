//! The build tools that come from cargo: Trunk, and wasm-bindgen's command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{on_path, say};
use crate::process::Cmd;
use crate::project::Project;

/// The version of Trunk that `Trunk.toml` asks for too.
const TRUNK_VERSION: &str = "0.21.14";
const CARGO_DENY_VERSION: &str = "0.20.2";

/// A program at one exact version.
#[derive(Debug)]
pub struct Tool {
    /// Where the program is.
    pub path: PathBuf,
}

/// A crate that installs programs, and what is wanted of it.
struct Wanted<'a> {
    package: &'a str,
    /// Every program that must be there in this version; the first is the one returned.
    programs: &'a [&'a str],
    version: &'a str,
    why: &'a str,
}

/// Trunk, which assembles the site.
///
/// # Errors
/// When it is not there and cargo cannot install it.
pub fn trunk(project: &Project) -> Result<Tool> {
    Wanted { package: "trunk", programs: &["trunk"], version: TRUNK_VERSION, why: "assembles the site" }
        .find_or_install(project)
}

/// wasm-bindgen's command line and test runner, at the version of the library in `Cargo.lock`: they refuse any other.
///
/// # Errors
/// When `Cargo.lock` does not hold wasm-bindgen, or the tool is not there and cargo cannot install it.
pub fn wasm_bindgen(project: &Project) -> Result<Tool> {
    let path = project.root.join("Cargo.lock");
    let lock = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let version = locked_version(&lock, "wasm-bindgen")
        .with_context(|| format!("{} does not hold wasm-bindgen", path.display()))?;
    Wanted {
        package: "wasm-bindgen-cli",
        programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
        version: &version,
        why: "joins wasm and JavaScript, and runs the wasm tests",
    }
    .find_or_install(project)
}

/// cargo-deny, which checks licences and sources.
///
/// # Errors
/// When it is not there and cargo cannot install it.
pub fn cargo_deny(project: &Project) -> Result<Tool> {
    let programs = &["cargo-deny"];
    Wanted {
        package: "cargo-deny",
        programs,
        version: CARGO_DENY_VERSION,
        why: "checks licences and sources",
    }
    .find_or_install(project)
}

/// PATH with the tools that set-up installed, and the programs of `web/`'s packages, before everything else.
pub fn path_with_tools(project: &Project) -> OsString {
    let own = [project.tools().join("bin"), project.web().join("node_modules/.bin")];
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&inherited));
    // Joining fails only for a folder with the separator in its name: then PATH as it was is the best there is.
    std::env::join_paths(all).unwrap_or(inherited)
}

impl Wanted<'_> {
    /// Prefers our own folder, which comes first on PATH and so must never hold another version.
    fn find_or_install(&self, project: &Project) -> Result<Tool> {
        let own = project.tools().join("bin");
        let in_own = |name: &str| Some(own.join(name)).filter(|path| path.is_file());
        let what = format!("{} {} ({})", self.package, self.version, self.why);
        let found = if in_own(self.programs[0]).is_some() {
            self.all_in_version(&in_own)
        } else {
            self.all_in_version(&|name| on_path(name))
        };
        if let Some(path) = found {
            say(&what, &path.display().to_string());
            return Ok(Tool { path });
        }
        say(&what, "installing with cargo; takes some minutes, once");
        self.install(project)?;
        let path = self.all_in_version(&in_own).with_context(|| {
            format!("cargo installed {}, but {} holds another version", self.package, own.display())
        })?;
        Ok(Tool { path })
    }

    fn all_in_version(&self, find: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
        let right = |path: &Path| {
            Cmd::new(path).arg("--version").capture().is_ok_and(|text| says_version(&text, self.version))
        };
        let paths: Option<Vec<_>> = self.programs.iter().map(|name| find(name)).collect();
        let paths = paths?;
        paths.iter().all(|path| right(path)).then(|| paths.into_iter().next())?
    }

    fn install(&self, project: &Project) -> Result<()> {
        let build = project.cache.join("tools-build");
        fs::create_dir_all(&build).with_context(|| format!("{} cannot be made", build.display()))?;
        Cmd::cargo()
            .args("install --locked --force --quiet --version")
            .arg(self.version)
            .arg("--root")
            .arg(project.tools())
            .arg(self.package)
            // These tools run for seconds: a quick build is worth more than a fast program.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_TARGET_DIR", &build)
            .within(&build)
            .run()?;
        // Kept until here, so that an interrupted installation resumes.
        fs::remove_dir_all(&build).with_context(|| format!("{} cannot be removed", build.display()))
    }
}

/// Whether the output of `--version`, "name 1.2.3 (…)", names exactly `version`.
fn says_version(output: &str, version: &str) -> bool {
    output.split_whitespace().nth(1) == Some(version)
}

/// The version of `package` in the text of a `Cargo.lock`.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let entry =
        packages.iter().find(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))?;
    Some(entry.get("version")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_exactly() {
        assert!(says_version("trunk 0.21.14\n", "0.21.14"));
        assert!(says_version("wasm-bindgen 0.2.129 (abcdef)", "0.2.129"));
        assert!(!says_version("wasm-bindgen 0.2.1290", "0.2.129"));
        assert!(!says_version("0.2.129", "0.2.129"));
        assert!(!says_version("", "0.2.129"));
    }

    #[test]
    fn the_locked_version_is_found() {
        let lock = "version = 4\n[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.79\"\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.129\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.129"));
        assert_eq!(locked_version(lock, "trunk"), None);
        assert_eq!(locked_version("not toml [", "trunk"), None);
    }

    #[test]
    fn trunk_toml_asks_for_the_version_that_set_up_installs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Trunk.toml");
        let text = fs::read_to_string(path).unwrap();
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["trunk-version"].as_str(), Some(format!("={TRUNK_VERSION}").as_str()));
    }
}
