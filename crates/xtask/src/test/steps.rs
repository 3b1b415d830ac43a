//! The steps of `cargo xtask test`, in order.
//!
//! All native steps select the same packages with the same features, so that burn is compiled once for checking and
//! once for running; so do all wasm steps that need burn.

use anyhow::{Result, bail};

use super::count::Printer;
use super::runner::{Session, Task};
use crate::process::Cmd;
use crate::project::Project;
use crate::serve::Server;
use crate::setup::{self, WASM_TARGET};
use crate::{budget, protocol, site, tidy};

/// The native selection: the worker compiles for the browser alone.
const NATIVE: &str = "--workspace --exclude glassbox-worker";
/// The clippy configuration for code in the browser, where nothing may block.
const CLIPPY_WASM: &str = ".config/clippy-wasm";

/// One step.
pub struct Step {
    /// As in `--only`, in the table, and of its log.
    pub name: &'static str,
    /// What it checks, in a few words.
    pub about: &'static str,
    /// Whether `--fast` runs it.
    pub fast: bool,
    /// What its output looks like.
    pub printer: Printer,
    /// After which it is taken to hang.
    pub minutes: u64,
    /// Whether the tasks that follow a failed one still make sense.
    pub independent: bool,
    /// Does the set-up and says what to run.
    pub tasks: fn(&Session) -> Result<Vec<Task>>,
}

const CHECK: Step = Step {
    name: "",
    about: "",
    fast: true,
    printer: Printer::Check,
    minutes: 10,
    independent: false,
    tasks: |_| Ok(Vec::new()),
};

/// All steps, quickest first.
pub const STEPS: [Step; 16] = [
    Step { name: "fmt", about: "the Rust code is formatted", tasks: fmt, ..CHECK },
    Step {
        name: "tidy",
        about: "dependency arrows, file sizes, committed data",
        tasks: |_| Ok(vec![Task::Check(tidy::check)]),
        ..CHECK
    },
    Step { name: "web-types", about: "the TypeScript is sound", tasks: |s| web(s, "run check"), ..CHECK },
    Step { name: "web-lint", about: "the TypeScript is clean", tasks: |s| web(s, "run lint"), ..CHECK },
    Step {
        name: "web-unit",
        about: "unit tests of the page's code, in Node",
        printer: Printer::Node,
        tasks: |s| web(s, "test"),
        ..CHECK
    },
    Step {
        name: "bench-unit",
        about: "the bench's arithmetic, in Node; nothing is measured",
        printer: Printer::Node,
        tasks: bench_unit,
        ..CHECK
    },
    Step {
        name: "protocol",
        about: "the TypeScript types of the protocol are those of the Rust code",
        tasks: |_| Ok(vec![Task::Check(protocol::check)]),
        ..CHECK
    },
    Step { name: "clippy", about: "the native Rust code is clean", minutes: 40, tasks: clippy, ..CHECK },
    Step {
        name: "native",
        about: "unit, integration and documentation tests, on the CPU and on lavapipe",
        printer: Printer::Cargo,
        minutes: 50,
        tasks: native,
        ..CHECK
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        minutes: 30,
        tasks: doc,
        ..CHECK
    },
    Step { name: "deny", about: "licences and sources of the dependencies", tasks: deny, ..CHECK },
    Step {
        name: "clippy-wasm",
        about: "the browser's Rust code is clean, documented, and never blocks",
        fast: false,
        minutes: 40,
        independent: true,
        tasks: clippy_wasm,
        ..CHECK
    },
    Step {
        name: "wasm",
        about: "tests of formats and text, as wasm in Node",
        fast: false,
        printer: Printer::Cargo,
        minutes: 20,
        tasks: wasm,
        ..CHECK
    },
    Step {
        name: "dist",
        about: "the site builds, and has what it promises",
        fast: false,
        minutes: 50,
        tasks: dist,
        ..CHECK
    },
    Step {
        name: "size",
        about: "what a visitor downloads is within the budgets",
        fast: false,
        tasks: size,
        ..CHECK
    },
    Step {
        name: "e2e",
        about: "the built site in headless Chromium",
        fast: false,
        printer: Printer::Playwright,
        minutes: 30,
        tasks: e2e,
        ..CHECK
    },
];

/// A cargo command for native code.
fn cargo(project: &Project) -> Cmd {
    Cmd::cargo()
        .env("CARGO_TARGET_DIR", &project.target)
        .env("CARGO_TERM_COLOR", "never")
        .within(&project.root)
}

/// A cargo command for code in the browser.
fn cargo_wasm(project: &Project) -> Cmd {
    site::for_the_browser(project, cargo(project))
}

fn fmt(session: &Session) -> Result<Vec<Task>> {
    setup::rust_components()?;
    Ok(vec![Task::Run(cargo(&session.project).args("fmt --all --check -- --color never"))])
}

/// A script of the page's npm package.
fn web(session: &Session, script: &str) -> Result<Vec<Task>> {
    let folder = session.project.web();
    setup::node()?;
    setup::npm(&folder)?;
    Ok(vec![Task::Run(Cmd::npm().args(script).env("NO_COLOR", "1").within(&folder))])
}

/// Without the bench's npm packages, which are other engines: its tests need none.
fn bench_unit(session: &Session) -> Result<Vec<Task>> {
    setup::node()?;
    let command = Cmd::new("node").args("--test src/bench.test.mjs src/server.test.mjs");
    Ok(vec![Task::Run(command.env("NO_COLOR", "1").within(&session.project.bench()))])
}

fn clippy(session: &Session) -> Result<Vec<Task>> {
    setup::rust_components()?;
    let command = cargo(&session.project).args("clippy --locked --all-targets").args(NATIVE);
    Ok(vec![Task::Run(command.args("-- -D warnings"))])
}

fn native(session: &Session) -> Result<Vec<Task>> {
    let command = cargo(&session.project).args("test --locked --no-fail-fast").args(NATIVE);
    Ok(vec![Task::Run(with_software_vulkan(command)?)])
}

/// Lets the code under test see lavapipe as the only GPU.
fn with_software_vulkan(command: Cmd) -> Result<Cmd> {
    let driver = setup::software_vulkan()?;
    Ok(command
        .env("VK_DRIVER_FILES", &driver)
        // The name that loaders before 1.3.207 know.
        .env("VK_ICD_FILENAMES", &driver))
}

fn doc(session: &Session) -> Result<Vec<Task>> {
    let command = cargo(&session.project).args("doc --locked --no-deps").args(NATIVE);
    Ok(vec![Task::Run(command.env("RUSTDOCFLAGS", "-D warnings"))])
}

/// Without the advisories, whose database is on the network.
fn deny(session: &Session) -> Result<Vec<Task>> {
    let program = setup::cargo_deny(&session.project)?.path;
    let command = Cmd::new(program).args("check bans licenses sources").within(&session.project.root);
    Ok(vec![Task::Run(command)])
}

fn clippy_wasm(session: &Session) -> Result<Vec<Task>> {
    setup::rust_components()?;
    setup::wasm_target()?;
    let project = &session.project;
    let command = |features: &str| {
        // The profile of the site shares its build scripts and macros.
        let command = cargo_wasm(project).args("clippy --locked --profile site --package glassbox-worker");
        let command = command.args("--target").arg(WASM_TARGET).args(features);
        let command = command.env("CLIPPY_CONF_DIR", project.root.join(CLIPPY_WASM));
        Task::Run(command.args("-- -D warnings"))
    };
    let doc = cargo_wasm(project).args("doc --locked --no-deps --profile site --package glassbox-worker");
    let doc = doc.args("--features gpu --target").arg(WASM_TARGET).env("RUSTDOCFLAGS", "-D warnings");
    Ok(vec![command(""), command("--features relaxed-simd"), command("--features gpu"), Task::Run(doc)])
}

fn wasm(session: &Session) -> Result<Vec<Task>> {
    let project = &session.project;
    setup::node()?;
    setup::wasm_target()?;
    setup::wasm_bindgen(project)?;
    let command = cargo_wasm(project)
        .args("test --locked --no-fail-fast --lib --tests --package glassbox-formats --package glassbox-text")
        .args("--target")
        .arg(WASM_TARGET)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
        .env("PATH", setup::path_with_tools(project));
    Ok(vec![Task::Run(command)])
}

fn dist(session: &Session) -> Result<Vec<Task>> {
    site::set_up(&session.project)?;
    Ok(vec![
        Task::Run(site::trunk(&session.project)?.env("CARGO_TERM_COLOR", "never")),
        Task::Check(|project| site::check(&project.dist())),
    ])
}

fn size(session: &Session) -> Result<Vec<Task>> {
    setup::node()?;
    let mut tasks = built(session)?;
    tasks.push(Task::Check(budget::check));
    Ok(tasks)
}

/// What builds the site, where no step has done so.
fn built(session: &Session) -> Result<Vec<Task>> {
    match session.went_well("dist") {
        Some(true) => Ok(Vec::new()),
        Some(false) => bail!("there is no site to test, because the step dist failed"),
        None => dist(session),
    }
}

/// Serves `dist/` to Playwright. The tests find the page at `GLASSBOX_URL`, its files in `GLASSBOX_DIST`, and the
/// browser at `CHROMIUM`.
fn e2e(session: &Session) -> Result<Vec<Task>> {
    let project = &session.project;
    let folder = project.e2e();
    let mut tasks = built(session)?;
    setup::node()?;
    setup::npm(&folder)?;
    let chromium = setup::chromium(project)?;
    let server = Server::bind(&project.dist(), 0)?;
    server.spawn();
    let command = Cmd::npx()
        .args("playwright test --reporter list")
        .env("GLASSBOX_URL", format!("http://{}/", server.address()))
        .env("GLASSBOX_DIST", project.dist())
        .env("CHROMIUM", chromium)
        .env("NO_COLOR", "1")
        .within(&folder);
    tasks.push(Task::Run(command));
    Ok(tasks)
}
