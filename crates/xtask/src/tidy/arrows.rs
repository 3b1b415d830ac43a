//! The arrows between the crates, read from their manifests.

use anyhow::{Context, Result};

/// What each crate may depend on, of ours. A crate that is not listed is an error: its place is to be decided.
const ARROWS: [(&str, &[&str]); 10] = [
    ("formats", &[]),
    ("text", &["formats"]),
    ("kernels", &["formats"]),
    ("model", &["formats", "text", "kernels"]),
    ("engine", &["formats", "text", "kernels", "model"]),
    ("protocol", &[]),
    ("cli", &["formats", "text", "kernels", "model", "engine", "protocol"]),
    ("worker", &["formats", "text", "kernels", "model", "engine", "protocol"]),
    ("train", &["formats", "text", "kernels", "model", "engine"]),
    ("xtask", &[]),
];

/// Only the worker knows that there is a browser; tests may run in one.
const BROWSER: [&str; 6] =
    ["wasm-bindgen", "wasm-bindgen-futures", "web-sys", "js-sys", "serde-wasm-bindgen", "gloo"];
/// Crates without tensors: they start at once, and are tested without compiling burn.
const WITHOUT_BURN: [&str; 4] = ["formats", "text", "protocol", "xtask"];
const TENSORS: [&str; 4] = ["burn", "cubecl", "wgpu", "cubek"];

/// The findings in the manifest of the crate in `crates/<name>/`.
///
/// # Errors
/// When the manifest is not TOML.
pub fn check(name: &str, manifest: &str) -> Result<Vec<String>> {
    let path = format!("crates/{name}/Cargo.toml");
    let manifest: toml::Table = manifest.parse().context("not a manifest")?;
    let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| *of == name) else {
        return Ok(vec![format!("{path}: not in the table of arrows in crates/xtask/src/tidy/arrows.rs")]);
    };
    let mut findings = Vec::new();
    let package =
        manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    if package != Some(&format!("glassbox-{name}")) {
        findings.push(format!("{path}: the package is to be named glassbox-{name}"));
    }
    for (dependency, tests_only) in dependencies(&manifest) {
        if let Some(ours) = dependency.strip_prefix("glassbox-") {
            if !allowed.contains(&ours) {
                findings.push(format!("{path}: {name} may not depend on {ours}"));
            }
        } else if BROWSER.contains(&dependency) && name != "worker" && !tests_only {
            findings.push(format!("{path}: only worker may depend on {dependency}"));
        } else if WITHOUT_BURN.contains(&name) && TENSORS.iter().any(|tensor| dependency.starts_with(tensor))
        {
            findings.push(format!("{path}: {name} has no tensors, so it may not depend on {dependency}"));
        }
    }
    Ok(findings)
}

/// The names of all packages that a manifest depends on, for any target, with whether only its tests do.
fn dependencies(manifest: &toml::Table) -> Vec<(&str, bool)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let mut names = Vec::new();
    for table in std::iter::once(manifest).chain(targets) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let entries = table.get(kind).and_then(toml::Value::as_table);
            names.extend(entries.into_iter().flatten().map(|(name, value)| {
                // `name = { package = "other" }` depends on `other`.
                let package = value.get("package").and_then(toml::Value::as_str);
                (package.unwrap_or(name), kind == "dev-dependencies")
            }));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, dependencies: &str) -> Vec<String> {
        check(name, &format!("[package]\nname = \"glassbox-{name}\"\n{dependencies}")).unwrap()
    }

    #[test]
    fn arrows_that_the_design_has_pass() {
        let engine = "[dependencies]\nglassbox-model.workspace = true\nburn.workspace = true\n";
        assert_eq!(findings("engine", engine), Vec::<String>::new());
        let worker = "[dependencies]\nglassbox-protocol.workspace = true\nwasm-bindgen = \"1\"\n";
        assert_eq!(findings("worker", worker), Vec::<String>::new());
        let text = "[dev-dependencies]\nwasm-bindgen-test = \"1\"\njs-sys = \"0.3\"\n[dependencies]\nglassbox-formats = {}\n";
        assert_eq!(findings("text", text), Vec::<String>::new());
    }

    #[test]
    fn arrows_that_it_lacks_are_found_wherever_they_hide() {
        let wrong = "crates/model/Cargo.toml: model may not depend on engine";
        for table in [
            "[dependencies]\nglassbox-engine.workspace = true",
            "[dev-dependencies.glassbox-engine]\npath = \"../engine\"",
            "[target.'cfg(unix)'.dependencies]\nglassbox-engine = \"*\"",
            "[build-dependencies]\nother = { package = \"glassbox-engine\" }",
        ] {
            assert_eq!(findings("model", table), [wrong], "{table}");
        }
        assert_eq!(findings("protocol", "[dependencies]\nglassbox-formats = {}\n").len(), 1);
    }

    #[test]
    fn the_browser_and_tensors_stay_where_they_belong() {
        assert_eq!(
            findings("engine", "[dependencies]\nweb-sys = \"0.3\"\n"),
            ["crates/engine/Cargo.toml: only worker may depend on web-sys"]
        );
        assert_eq!(
            findings("formats", "[dev-dependencies]\nburn-flex = \"0.22\"\n"),
            ["crates/formats/Cargo.toml: formats has no tensors, so it may not depend on burn-flex"]
        );
    }

    #[test]
    fn unknown_and_misnamed_crates_are_found() {
        assert_eq!(findings("extra", "").len(), 1);
        assert_eq!(check("text", "[package]\nname = \"text\"\n").unwrap().len(), 1);
        assert!(check("text", "[[").is_err());
    }
}
