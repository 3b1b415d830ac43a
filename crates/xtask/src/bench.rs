//! `cargo xtask bench`: sets up what the bench needs and runs it.
//!
//! None of this is part of `cargo xtask test`: it downloads other engines and gigabytes of Python packages.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::Cmd;
use crate::project::Project;
use crate::{setup, site};

/// Names a Python that has the packages of `tests/bench/requirements.txt`, where none is to be set up.
const PYTHON: &str = "GLASSBOX_BENCH_PYTHON";

/// Runs `tests/bench/src/run.mjs` with the given arguments; its `--help` says which there are.
///
/// # Errors
/// When set-up fails, or a contestant computes something else than it should.
pub fn run(project: &Project, arguments: &[OsString]) -> Result<()> {
    let folder = project.bench();
    let given = |name: &str| arguments.iter().any(|argument| argument.to_string_lossy().starts_with(name));
    setup::node()?;
    setup::npm(&folder)?;
    let mut command = Cmd::new("node").arg(folder.join("src/run.mjs"));
    if !given("--help") && !given("--report") {
        command = command.env("CHROMIUM", setup::chromium(project)?);
        if !given("--dist") && !project.dist().join("index.html").is_file() {
            site::dist(project, &site::Options::default())?;
        }
        models(project)?;
        kernels(project)?;
        if !given("--no-report") {
            native(project)?;
        }
    }
    let here = env::current_dir().context("the current folder cannot be read")?;
    let command = command.env("GLASSBOX_BENCH_CACHE", project.bench_cache()).env("GLASSBOX_BENCH_HERE", here);
    arguments.iter().fold(command, Cmd::arg).within(&folder).run()
}

/// Times every product natively, for the report: seconds, besides the build that the tests share.
fn kernels(project: &Project) -> Result<()> {
    let build = Cmd::cargo().args("build --locked --workspace --exclude glassbox-worker --example products");
    build.env("CARGO_TARGET_DIR", &project.target).within(&project.root).run()?;
    let printed = Cmd::new(project.target.join("debug/examples/products")).arg("json").capture()?;
    let path = project.bench().join("results/kernels.json");
    fs::write(&path, printed).with_context(|| format!("{} cannot be written", path.display()))
}

/// Times this project and llama.cpp without a browser, for the report: a minute.
fn native(project: &Project) -> Result<()> {
    let build = Cmd::cargo().args("build --locked --workspace --exclude glassbox-worker");
    build.env("CARGO_TARGET_DIR", &project.target).within(&project.root).run()?;
    Cmd::new(python(project)?)
        .arg(project.bench().join("native.py"))
        .arg(project.target.join("debug/glassbox"))
        .arg(project.bench_cache().join("models/smollm2-135m"))
        .arg(project.bench().join("results/native.json"))
        .within(&project.bench())
        .run()
}

/// Makes the models that are not there yet: 3 GB, in some minutes.
fn models(project: &Project) -> Result<()> {
    let script = project.bench().join("make-models.py");
    let models = project.bench_cache().join("models");
    Cmd::new(python(project)?).arg(script).arg(models).within(&project.bench()).run()
}

/// A Python with the packages that make the models: the one in `GLASSBOX_BENCH_PYTHON`, or a virtual environment.
fn python(project: &Project) -> Result<PathBuf> {
    if let Some(path) = env::var_os(PYTHON).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("{PYTHON} names {}, which is not there", path.display());
        }
        return Ok(path);
    }
    let requirements = project.bench().join("requirements.txt");
    let wanted = fs::read(&requirements).with_context(|| format!("{} is needed", requirements.display()))?;
    let folder = project.bench_cache().join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("glassbox-installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) && python.is_file() {
        return Ok(python);
    }
    println!("set-up: Python packages of tests/bench: installing into {}", folder.display());
    let system = if cfg!(windows) { "python" } else { "python3" };
    Cmd::new(system)
        .args("-m venv")
        .arg(&folder)
        .run()
        .context("Python 3.11 or newer is needed, with venv")?;
    Cmd::new(&python).args("-m pip install --quiet --requirement").arg(&requirements).run()?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))?;
    Ok(python)
}
