//! `cargo xtask test`: every check and every test, cheapest first.
//!
//! Everything is built in the release profile, as the demo is, so that one cache serves both: burn without optimisation is too
//! slow to test with, and building it twice takes longer than any test.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::checks::Checks;
use crate::setup::wasm::TARGET;
use crate::setup::{self, Browser, WasmToolchain};
use crate::summary::Runner;
use crate::workspace::{Workspace, command};
use crate::{dist, docs, screenshots, size};

/// With what the parity tests compare: the second CPU backend, and GPUs through wgpu.
const NATIVE: [&str; 12] = [
    "--release",
    "--workspace",
    "--exclude",
    "curec-web",
    "--exclude",
    "curec-web-bridge",
    "--exclude",
    "curec-web-gpu",
    "--exclude",
    "curec-web-writer",
    "--features",
    "curec/ndarray,curec/wgpu",
];
const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];
/// What stands in the names of tests that want a GPU (`trainer/tests/devices`).
const GPU_TESTS: &str = "::gpu";

/// Runs the tests; with `quick` only those that need neither a browser nor a second target. Returns whether all passed.
pub fn test(workspace: &Workspace, quick: bool) -> bool {
    let mut checks = Checks::default();
    let native_builds = native(workspace, &mut checks);
    if native_builds && !quick {
        gpu(workspace, &mut checks);
        browser(workspace, &mut checks);
        checks.one(
            "compile curec without GPUs",
            workspace
                .cargo()
                .args(["check", "--release", "--package", "curec"]),
        );
        checks.one(
            "compile the scorer without burn",
            workspace.cargo().args([
                "check",
                "--release",
                "--package",
                "curec-shared-model",
                "--no-default-features",
            ]),
        );
    }
    if quick {
        println!("\n   (quick: without GPU, WebAssembly and browser)");
    }
    checks.finish()
}

/// Format, lints, unit and integration tests; returns whether the code compiles at all.
fn native(workspace: &Workspace, checks: &mut Checks) -> bool {
    if checks
        .need("set up rustfmt and clippy", || setup::lints(workspace))
        .is_none()
    {
        return false;
    }
    checks.one(
        "format",
        workspace.cargo().args(["fmt", "--all", "--check"]),
    );
    checks.own("results in README.md", || docs::check(workspace));
    checks.one(
        "lints",
        workspace
            .cargo()
            .arg("clippy")
            .args(NATIVE)
            .arg("--all-targets")
            .args(DENY_WARNINGS),
    );
    // The pipeline tests call the program itself.
    let built = checks.one(
        "build",
        workspace
            .cargo()
            .arg("build")
            .args(NATIVE)
            .args(["--bins", "--lib"]),
    );
    if !built {
        return false;
    }
    let (runner, mut tests) = test_runner(workspace);
    checks.tests(
        "tests",
        runner,
        tests
            .args(NATIVE)
            .args(["--", "--skip", GPU_TESTS])
            .env("CUREC_BIN", workspace.curec()),
    );
    checks.tests(
        "examples in the documentation",
        Runner::CargoTest,
        workspace.cargo().args(["test", "--doc"]).args(NATIVE),
    );
    true
}

/// nextest where it is installed (each test in a process of its own), else cargo's own runner: both count alike.
fn test_runner(workspace: &Workspace) -> (Runner, Command) {
    let has_nextest = workspace
        .cargo()
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut cargo = workspace.cargo();
    if has_nextest {
        cargo.args(["nextest", "run", "--no-fail-fast"]);
        (Runner::Nextest, cargo)
    } else {
        cargo.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        (Runner::CargoTest, cargo)
    }
}

/// The tests of devices on a GPU: the one that `CUREC_TEST_GPU` names, or else a software driver.
fn gpu(workspace: &Workspace, checks: &mut Checks) {
    let driver = checks.need("set up a GPU", || {
        if std::env::var_os("CUREC_TEST_GPU").is_some_and(|name| !name.is_empty()) {
            return Ok(Vec::new());
        }
        let browser = setup::browser::ensure(workspace)?;
        setup::vulkan::software(&browser, &workspace.target.join("xtask"))
    });
    if let Some(driver) = driver {
        // In one process, so that they share compiled kernels: compiling is most of their time.
        let mut tests = workspace.cargo();
        tests
            .args(["test", "--no-fail-fast", "--test", "devices"])
            .args(NATIVE)
            .args(["--", GPU_TESTS])
            .envs(driver);
        checks.tests("tests on a GPU", Runner::CargoTest, &mut tests);
    }
}

/// WebAssembly: lints, then the page with a small run's artefact in a real browser.
fn browser(workspace: &Workspace, checks: &mut Checks) {
    let Some(tools) = checks.need("set up WebAssembly", || setup::page(workspace)) else {
        return;
    };
    checks.one(
        "lints for WebAssembly",
        &mut wasm_lints(workspace, &tools.wasm),
    );
    let Some(browser) = checks.need("set up the browser", || setup::browser::ensure(workspace))
    else {
        return;
    };
    checks.one("types of the page's scripts", &mut page_types(workspace));
    let scratch = workspace.target.join("xtask");
    let (run, page) = (scratch.join("tiny-run"), scratch.join("tiny-page"));
    if !checks.one("a small run", &mut small_run(workspace, &run)) {
        return;
    }
    let built = checks.need("the page", || {
        dist::build(
            workspace,
            &dist::Options {
                artefact: run.join("export/artefact"),
                out: page.clone(),
                budget: dist::BUDGET,
            },
        )
    });
    if built.is_none() {
        return;
    }
    checks.own("sizes of the page’s code", || {
        size::check(workspace, &page)
    });
    let tests = checks.need("find the browser tests", || {
        browser_tests(&workspace.root.join("tests/browser"))
    });
    if let Some(files) = tests {
        let mut node = node_tests(&browser, &files, &page);
        node.current_dir(&workspace.root)
            .env("CUREC_RUN", &run)
            .env("CUREC_BIN", workspace.curec())
            .env("CUREC_XTASK", workspace.xtask())
            .env("CUREC_SCREENSHOTS", screenshots::folder(workspace));
        checks.tests("tests in the browser", Runner::Node, &mut node);
    }
}

fn wasm_lints(workspace: &Workspace, toolchain: &WasmToolchain) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .args([toolchain.check_command(), "--release", "--target", TARGET])
        .args([
            "--package",
            "curec-web",
            "--package",
            "curec-web-gpu",
            "--package",
            "curec-web-writer",
            "--package",
            "curec-web-bridge",
            "--package",
            "curec-shared-model",
            "--lib",
        ])
        .envs(toolchain.environment());
    if *toolchain == WasmToolchain::Rustup {
        cargo.args(DENY_WARNINGS);
    }
    cargo
}

fn page_types(workspace: &Workspace) -> Command {
    let mut npm = command("npm");
    npm.args(["run", "--silent", "types"])
        .current_dir(workspace.root.join("tests/browser"));
    npm
}

/// curec skips what it has done before with the same program and settings.
fn small_run(workspace: &Workspace, run: &Path) -> Command {
    let mut curec = command(workspace.curec());
    curec
        .args(["run", "--preset", "tiny", "--out"])
        .arg(run)
        .current_dir(&workspace.root);
    curec
}

/// The test files by name: what `node --test FOLDER` means has changed between versions of Node.js.
fn browser_tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".test.mjs") || name.ends_with(".test.js")
        })
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{} has no *.test.mjs", folder.display());
    }
    Ok(files)
}

/// Tests of the page in that folder.
pub fn node_tests(browser: &Browser, files: &[PathBuf], page: &Path) -> Command {
    let mut node = command(&browser.node);
    // One file at a time: each starts a browser, and this may be a small machine.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"])
        .args(files)
        .env("CUREC_DIST", page)
        .env("CHROMIUM", &browser.chromium);
    node
}
