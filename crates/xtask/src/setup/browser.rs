//! What tests need to draw and compute without a screen or a GPU: Chromium, and Mesa's software Vulkan.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt_install, may_use_apt, npm, on_path, say};
use crate::process::Cmd;
use crate::project::Project;

/// Names under which a Chromium may be on PATH, and where macOS keeps one.
const CHROMIUMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MACOS_CHROME: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
/// Folders where Vulkan's loader looks for drivers.
const VULKAN_DRIVERS: [&str; 3] =
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// A Chromium: the one in `CHROMIUM`, one that is installed, one from Debian's packages, or Playwright's own.
///
/// # Errors
/// When there is none and none can be installed; the message says what to do.
pub fn chromium(project: &Project) -> Result<PathBuf> {
    const WHAT: &str = "Chromium (tests the built site)";
    if let Some(path) = std::env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("CHROMIUM names {}, which is not there", path.display());
        }
        say(WHAT, &format!("{} (from CHROMIUM)", path.display()));
        return Ok(path);
    }
    if let Some(path) = installed_chromium() {
        say(WHAT, &path.display().to_string());
        return Ok(path);
    }
    if may_use_apt() {
        say(WHAT, "installing with apt-get");
        if let Err(error) = apt_install("chromium") {
            say(WHAT, &format!("apt-get failed ({error:#})"));
        } else if let Some(path) = installed_chromium() {
            return Ok(path);
        }
    }
    say(WHAT, "installing Playwright's own, for this user");
    playwright_chromium(project)
        .context("no Chromium: install it with your system's packages, or set CHROMIUM to its program")
}

fn installed_chromium() -> Option<PathBuf> {
    let known = Path::new(MACOS_CHROME);
    CHROMIUMS.iter().find_map(|name| on_path(name)).or_else(|| known.is_file().then(|| known.into()))
}

fn playwright_chromium(project: &Project) -> Result<PathBuf> {
    let folder = project.e2e();
    npm(&folder)?;
    Cmd::npx().args("playwright install chromium").within(&folder).run()?;
    let script = "console.log(require('@playwright/test').chromium.executablePath())";
    let path = Cmd::new("node").arg("-e").arg(script).within(&folder).capture()?;
    let path = PathBuf::from(path.trim());
    if !path.is_file() {
        bail!("Playwright says that it installed {}, which is not there", path.display());
    }
    Ok(path)
}

/// The driver file of lavapipe, Mesa's Vulkan on the CPU, for native tests of the GPU code.
///
/// # Errors
/// When it is not there and cannot be installed; the message says what to do.
pub fn software_vulkan() -> Result<PathBuf> {
    const WHAT: &str = "lavapipe (Vulkan on the CPU, for native tests of the GPU code)";
    if let Some(path) = lavapipe() {
        say(WHAT, &path.display().to_string());
        return Ok(path);
    }
    let packages = "mesa-vulkan-drivers libvulkan1";
    if may_use_apt() {
        say(WHAT, "installing with apt-get");
        apt_install(packages)?;
    }
    lavapipe().with_context(|| {
        format!("no lavapipe: install Mesa's software Vulkan (Debian: `sudo apt-get install {packages}`)")
    })
}

fn lavapipe() -> Option<PathBuf> {
    let files = VULKAN_DRIVERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    files.map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("lvp_icd") && name.ends_with(".json") && !name.contains("i686")
    })
}
