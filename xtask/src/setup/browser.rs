//! What the browser tests need: Chromium, Node.js, and Playwright's driver from tests/browser's lock file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::setup::apt;
use crate::step;
use crate::workspace::{Workspace, command, on_path, version_line};

/// The oldest Node.js whose test runner has the reporter we read.
const NODE_MAJOR: u32 = 18;
const CHROMIUM_NAMES: [&str; 4] = [
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
];

/// The programs that run the browser tests.
pub struct Browser {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// Node.js.
    pub node: PathBuf,
}

/// Finds the programs or installs them, and installs the test driver below `tests/browser`.
pub fn ensure(workspace: &Workspace) -> Result<Browser> {
    let browser = Browser {
        chromium: chromium()?,
        node: node()?,
    };
    driver(&workspace.root.join("tests/browser"))?;
    Ok(browser)
}

fn chromium() -> Result<PathBuf> {
    if let Some(file) = std::env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        let file = PathBuf::from(file);
        if !file.is_file() {
            bail!(
                "CHROMIUM is set to {}, which is no file: unset it or correct it",
                file.display()
            );
        }
        return Ok(file);
    }
    let find = || CHROMIUM_NAMES.into_iter().find_map(on_path);
    if let Some(file) = find() {
        return Ok(file);
    }
    apt::install(&["chromium"], "the page is tested in a real browser")?;
    find().context("chromium was installed but is not on PATH: set CHROMIUM to its program")
}

fn node() -> Result<PathBuf> {
    let find = || {
        let file = on_path("node").filter(|_| on_path("npm").is_some())?;
        let major = major_version(&version_line(&file)?)?;
        (major >= NODE_MAJOR).then_some(file)
    };
    if let Some(file) = find() {
        return Ok(file);
    }
    apt::install(&["nodejs", "npm"], "Node.js drives the browser tests")?;
    find().with_context(|| {
        format!("node {NODE_MAJOR} or later and npm are needed for the browser tests: see https://nodejs.org")
    })
}

/// `v20.20.2` → 20.
fn major_version(line: &str) -> Option<u32> {
    line.trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn driver(folder: &Path) -> Result<()> {
    let modified = |file: PathBuf| std::fs::metadata(file)?.modified();
    let wanted = modified(folder.join("package-lock.json")).with_context(|| {
        format!(
            "{} has no package-lock.json: is this clone complete?",
            folder.display()
        )
    })?;
    // npm writes this file last, so it is newer than the lock file once all is installed.
    let installed = modified(folder.join("node_modules/.package-lock.json"));
    if installed.is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    println!("   installing playwright-core: it drives the browser in the tests");
    let mut npm = command("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder);
    // The system's browser is used: no download of another one.
    npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    step::run("npm ci", &mut npm)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn node_names_its_version_with_a_v() {
        assert_eq!(major_version("v20.20.2\n"), Some(20));
        assert_eq!(major_version("v8.0.0"), Some(8));
        assert_eq!(major_version("20.1"), None);
    }
}
