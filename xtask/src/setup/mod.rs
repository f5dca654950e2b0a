//! Sets up what a machine lacks; says what it does and why, and is done at once when nothing is missing.

pub mod apt;
pub mod browser;
pub mod lockfile;
pub mod tools;
pub mod vulkan;
pub mod wasm;

use anyhow::Result;

use crate::step;
use crate::workspace::{Workspace, command};

pub use browser::Browser;
pub use wasm::WasmToolchain;

/// What building the page takes.
pub struct PageTools {
    /// The compiler for wasm32.
    pub wasm: WasmToolchain,
    /// The programs trunk and wasm-bindgen.
    pub bin: tools::Bin,
}

/// The compiler and the programs that build the page.
pub fn page(workspace: &Workspace) -> Result<PageTools> {
    Ok(PageTools {
        wasm: wasm::ensure()?,
        bin: tools::ensure(workspace)?,
    })
}

/// rustfmt and clippy: part of rustup's default profile, not of its minimal one.
pub fn lints(workspace: &Workspace) -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let runs = workspace.cargo().args([tool, "--version"]).output();
        if runs.is_ok_and(|output| output.status.success()) {
            continue;
        }
        println!("   adding {component}: the tests check style and lints");
        step::run(
            &format!("rustup component add {component}"),
            command("rustup").args(["component", "add", component]),
        )?;
    }
    Ok(())
}

/// `cargo xtask setup`: all of it.
pub fn all(workspace: &Workspace) -> Result<()> {
    let page = page(workspace)?;
    lints(workspace)?;
    let browser = browser::ensure(workspace)?;
    let compiler = match &page.wasm {
        WasmToolchain::Rustup => "rustup's target",
        WasmToolchain::Debian { .. } => "Debian's rustc-web and rust-web-src",
    };
    println!("ready");
    println!("  wasm32        {compiler}");
    println!("  trunk         {}", page.bin.trunk.display());
    println!("  wasm-bindgen  {}", page.bin.wasm_bindgen.display());
    println!("  browser       {}", browser.chromium.display());
    println!("  node          {}", browser.node.display());
    Ok(())
}
