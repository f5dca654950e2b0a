//! `cargo xtask demo`: the whole method on the built-in world, then the page with its result.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::memory::run_watched;
use crate::workspace::{Workspace, command};
use crate::{dist, interrupt, serve, setup, size, step};

/// What the demo runs and where.
pub struct Options {
    /// The run directory.
    pub run: PathBuf,
    /// The folder of the built page.
    pub page: PathBuf,
    /// One of curec's presets.
    pub preset: String,
    /// Handed on to `curec run`.
    pub arguments: Vec<String>,
    /// Where to serve the page, if at all.
    pub port: Option<u16>,
}

/// Sets up, trains, builds the page, tells what it took, and serves.
pub fn demo(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(port) = options.port {
        // Better now than after ten minutes of work.
        serve::bind(port)?;
    }
    let start = Instant::now();
    setup::page(workspace)?;
    let set_up = start.elapsed();

    let mut cargo = workspace.cargo();
    let build = step::run(
        "build the trainer",
        cargo.args(["build", "--release", "--package", "curec", "--bin", "curec"]),
    )?;
    let (method, peak) = run_method(workspace, options)?;

    step::announce("the page");
    let start = Instant::now();
    dist::build(
        workspace,
        &dist::Options {
            artefact: options.run.join("export/artefact"),
            out: options.page.clone(),
            budget: dist::BUDGET,
        },
    )?;
    let page = start.elapsed();

    step::announce("what it took");
    println!("   setting up         {}", step::seconds(set_up));
    println!("   building curec     {}", step::seconds(build));
    println!("   the method         {}{peak}", step::seconds(method));
    println!("   building the page  {}", step::seconds(page));
    println!("\nThe run is in {}.", workspace.show(&options.run));
    match options.port {
        Some(port) => {
            let listener = serve::bind(port)?;
            interrupt::is_the_way_to_stop();
            serve::serve(&options.page, &listener)
        }
        None => {
            println!(
                "The page is in {}; `cargo xtask serve` shows it.",
                workspace.show(&options.page)
            );
            Ok(())
        }
    }
}

/// `curec run`; returns its time and a note on its memory. A finished run is recognised by curec itself.
fn run_method(workspace: &Workspace, options: &Options) -> Result<(Duration, String)> {
    step::announce("the method");
    let mut curec = command(workspace.curec());
    curec
        .args(["run", "--preset", &options.preset, "--out"])
        .arg(&options.run)
        .args(&options.arguments)
        .current_dir(&workspace.root);
    let watched = interrupt::leave_to_child(|| run_watched(&mut curec))?;
    if !watched.status.success() {
        bail!(
            "the method stopped ({}); what it finished is in {}, and the same command goes on from there",
            watched.status,
            workspace.show(&options.run)
        );
    }
    // A run that only finds itself finished says nothing about the method.
    let peak = watched
        .peak
        .filter(|_| watched.elapsed > Duration::from_secs(1))
        .map(|bytes| format!(", at most {} of memory", size::size(bytes)))
        .unwrap_or_default();
    Ok((watched.elapsed, peak))
}
