//! Building the site into `dist/`, and checking what came out.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::compressed;
use crate::process::Cmd;
use crate::project::Project;
use crate::setup;

/// Files that pages and other people's pages rely on, with the most bytes each may have.
/// The budgets of the modules are what they measure, uncompressed, and a third more.
const PROMISED: [(&str, u64); 12] = [
    ("index.html", 64 << 10),
    ("app.js", 512 << 10),
    ("worker.js", 64 << 10),
    ("helper.js", 64 << 10),
    ("glassbox.js", 128 << 10),
    ("glassbox.d.ts", 128 << 10),
    ("glassbox-worker-cpu.js", 256 << 10),
    ("glassbox-worker-cpu_bg.wasm", 6 << 20),
    ("glassbox-worker-cpu-relaxed.js", 256 << 10),
    ("glassbox-worker-cpu-relaxed_bg.wasm", 6 << 20),
    ("glassbox-worker-gpu.js", 512 << 10),
    ("glassbox-worker-gpu_bg.wasm", 20 << 20),
];

/// What rustc is told beyond `Cargo.toml` about code for the browser: no names of files and lines where it may panic, and
/// of what derives `Debug` only the name. That is 40 kB of each module for the CPU with brotli, and 100 kB of that for a GPU.
const LEAN: &str = "-Zlocation-detail=none -Zfmt-debug=shallow";

/// A cargo command for code in the browser: with a target folder of its own, and [`LEAN`].
///
/// The flags are not stable yet. A compiler that does not know them, or not any more, builds without: then the modules are
/// larger, and the size budget says so.
pub fn for_the_browser(project: &Project, command: Cmd) -> Cmd {
    let command = command.env("CARGO_TARGET_DIR", project.site_target());
    let known =
        Cmd::new("rustc").args(LEAN).args("--print cfg").env("RUSTC_BOOTSTRAP", "1").capture().is_ok();
    if !known {
        return command;
    }
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", LEAN)
}

/// What `cargo xtask dist` may be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Run `wasm-opt` over the modules. Off by default: it makes them smaller but their compressed form,
    /// which is what is sent, larger (burn 0.22: 12.2 to 9.5 MB, but 1.47 to 1.56 MB with brotli).
    pub wasm_opt: Option<WasmOptLevel>,
}

/// A level of `wasm-opt -O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasmOptLevel(char);

impl FromStr for WasmOptLevel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.as_bytes() {
            [level] if b"1234sz".contains(level) => Ok(Self(char::from(*level))),
            _ => bail!("--wasm-opt takes 1, 2, 3, 4, s or z, not '{text}'"),
        }
    }
}

/// Sets up and builds, with the output on the terminal.
///
/// # Errors
/// When set-up or the build fails, or the site lacks a promised file.
pub fn dist(project: &Project, options: &Options) -> Result<()> {
    set_up(project)?;
    println!("build: assembling the site with Trunk; the first time compiles burn for the browser");
    trunk(project)?.run()?;
    if let Some(level) = options.wasm_opt {
        wasm_opt(project, level)?;
    }
    compressed::beside(project)?;
    let findings = check(&project.dist())?;
    if !findings.is_empty() {
        bail!("the site is not as promised:\n  {}", findings.join("\n  "));
    }
    for (name, size) in sizes(&project.dist())? {
        println!("build: {:>10.1} kB  {name}", size as f64 / 1e3);
    }
    println!("build: the site is in {}", project.dist().display());
    Ok(())
}

/// Bundles the TypeScript alone, for work on the page; [`dist`] does so by a hook in `Trunk.toml`.
///
/// # Errors
/// When set-up or the bundler fails.
pub fn web(project: &Project) -> Result<()> {
    setup::node()?;
    setup::npm(&project.web())?;
    Cmd::npm().args("run build").env("GLASSBOX_BUILD", build_name(project)).within(&project.web()).run()
}

/// Everything that [`trunk`] needs.
///
/// # Errors
/// When something is missing that cannot be installed.
pub fn set_up(project: &Project) -> Result<()> {
    setup::node()?;
    setup::wasm_target()?;
    setup::wasm_bindgen(project)?;
    setup::trunk(project)?;
    setup::npm(&project.web())
}

/// The command that builds the site into `dist/`.
///
/// # Errors
/// When Trunk is not there and cannot be installed.
pub fn trunk(project: &Project) -> Result<Cmd> {
    let trunk = Cmd::new(setup::trunk(project)?.path).arg("build");
    Ok(for_the_browser(project, trunk)
        .env("PATH", setup::path_with_tools(project))
        .env("GLASSBOX_BUILD", build_name(project))
        // Trunk would ask the registry for a newer Trunk.
        .env("TRUNK_SKIP_VERSION_CHECK", "true")
        // Trunk takes only `true` or `false` where the convention is any value.
        .without_env("NO_COLOR")
        .within(&project.root))
}

/// Names this build, so that a page never joins the modules of another one from its cache.
fn build_name(project: &Project) -> String {
    let git = |args: &str| Cmd::new("git").args(args).within(&project.root).capture();
    let commit =
        git("rev-parse --short=12 HEAD").map_or_else(|_| "unknown".into(), |text| text.trim().to_owned());
    let clean = git("status --porcelain").is_ok_and(|changes| changes.is_empty());
    if clean {
        return commit;
    }
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{commit}-{}", since_epoch.map_or(0, |time| time.as_secs()))
}

fn wasm_opt(project: &Project, level: WasmOptLevel) -> Result<()> {
    let program = project.web().join("node_modules/.bin/wasm-opt");
    for (name, _) in sizes(&project.dist())?.iter().filter(|(name, _)| name.ends_with(".wasm")) {
        let module = project.dist().join(name);
        Cmd::new(&program)
            .arg(format!("-O{}", level.0))
            .args("--enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext")
            .arg(&module)
            .arg("-o")
            .arg(&module)
            .run()?;
    }
    Ok(())
}

/// The files at the top of the site with their sizes in bytes, by name.
fn sizes(dist: &Path) -> Result<Vec<(String, u64)>> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(dist).with_context(|| format!("{} cannot be read", dist.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            sizes.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
        }
    }
    sizes.sort();
    Ok(sizes)
}

/// Says what of the site is not as promised: missing or oversized files, URLs that work under one path only.
///
/// # Errors
/// When `dist` cannot be read.
pub fn check(dist: &Path) -> Result<Vec<String>> {
    let sizes = sizes(dist)?;
    let mut findings = Vec::new();
    for (name, budget) in PROMISED {
        match sizes.iter().find(|(found, _)| found == name) {
            None => findings.push(format!("{name}: missing")),
            Some((_, 0)) => findings.push(format!("{name}: empty")),
            Some((_, size)) if *size > budget => {
                findings.push(format!("{name}: {size} bytes, over its budget of {budget}"));
            }
            Some(_) => {}
        }
    }
    for (name, _) in sizes.iter().filter(|(name, _)| name.ends_with(".html")) {
        let page = fs::read_to_string(dist.join(name))?;
        findings.extend(absolute_urls(&page).map(|url| format!("{name}: {url} works under one path only")));
        let lost = |file: &&str| !dist.join(file).exists();
        findings.extend(local_files(&page).filter(lost).map(|file| format!("{name}: {file} is not there")));
    }
    Ok(findings)
}

/// The attributes of `page` that name a path from the host's root.
fn absolute_urls(page: &str) -> impl Iterator<Item = String> {
    urls(page)
        .filter(|(_, url)| url.starts_with('/'))
        .map(|(attribute, url)| format!("{attribute}=\"{url}\""))
}

/// The files of the site that `page` refers to, without queries.
fn local_files(page: &str) -> impl Iterator<Item = &str> {
    urls(page).filter_map(|(_, url)| url.strip_prefix("./")?.split(['?', '#']).next())
}

/// Every `href` and `src` of `page`, with its value.
fn urls(page: &str) -> impl Iterator<Item = (&'static str, &str)> {
    ["href", "src"].into_iter().flat_map(move |attribute| {
        page.match_indices(attribute).filter_map(move |(at, _)| {
            let value = page[at + attribute.len()..].strip_prefix("=\"")?;
            Some((attribute, value.split('"').next()?))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, _) in PROMISED {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        folder
    }

    #[test]
    fn a_complete_site_passes() {
        assert_eq!(check(complete().path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn missing_empty_and_oversized_files_are_found() {
        let site = complete();
        fs::remove_file(site.path().join("glassbox.js")).unwrap();
        fs::write(site.path().join("glassbox.d.ts"), "").unwrap();
        fs::write(site.path().join("index.html"), vec![b'x'; (64 << 10) + 1]).unwrap();
        let findings = check(site.path()).unwrap();
        assert_eq!(findings[0], "index.html: 65537 bytes, over its budget of 65536");
        assert_eq!(findings[1..], ["glassbox.js: missing", "glassbox.d.ts: empty"]);
    }

    #[test]
    fn urls_that_lead_nowhere_are_found_in_every_page() {
        let site = complete();
        let page = "<a href=\"./app.js?v=1\"><script src=\"/app.js\"></script><a href=\"https://example.org/\">\
                    <link href=\"./page.css\">";
        fs::write(site.path().join("embed.html"), page).unwrap();
        let expected =
            ["embed.html: src=\"/app.js\" works under one path only", "embed.html: page.css is not there"];
        assert_eq!(check(site.path()).unwrap(), expected);
    }

    #[test]
    fn wasm_opt_levels_are_checked() {
        assert_eq!("z".parse::<WasmOptLevel>().unwrap(), WasmOptLevel('z'));
        for wrong in ["", "0", "5", "zz", "Z", "--all"] {
            assert!(wrong.parse::<WasmOptLevel>().is_err(), "{wrong}");
        }
    }
}
