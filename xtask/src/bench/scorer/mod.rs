//! `cargo xtask bench scorer`: a whole catalogue scored for one viewer, by the native program and by the page's scorer in Chromium, beside
//! the same model in onnxruntime-web.

mod programs;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{build, in_turns, measure, record};
use crate::setup;
use crate::workspace::{Workspace, command};
use crate::{dist, step};

/// What is scored: MovieLens-1M's catalogue, and what the paper shows of it.
const ITEMS: &str = "3706";
const EVENTS: &str = "50";
const REASONS: &str = "8";
const VIEWERS: &str = "64";
const SEED: &str = "7";
/// Scorings a round.
const CALLS: &str = "64";
/// The same where WebGPU is emulated in software: each takes seconds.
const EMULATED_CALLS: &str = "3";
/// Recommendations of a list.
const COUNT: &str = "10";
/// Viewers whose scores are held against the native ones.
const CHECKED: &str = "8";

/// What to measure.
pub struct Options {
    /// A Python that has `benches/peers/scorer/requirements.txt`, if the peers are to be measured too.
    pub peer: Option<PathBuf>,
    /// Whether WebGPU is measured as well, in whatever adapter Chromium has here.
    pub webgpu: bool,
    /// How often each program runs.
    pub rounds: usize,
    /// Whether to write `benches/results/bench/scorer.json`.
    pub record: bool,
}

/// Everything that the programs read.
struct Made {
    artefact: PathBuf,
    /// Native scores of some viewers.
    native: PathBuf,
    page: PathBuf,
    onnx: PathBuf,
}

/// Measures, prints a table, and records it if asked to.
pub fn scorer(workspace: &Workspace, options: &Options) -> Result<()> {
    let browser = setup::browser::ensure(workspace)?;
    build(workspace)?;
    let made = make(workspace)?;
    let peer = match &options.peer {
        Some(python) => Some((python.as_path(), export(workspace, python, &made)?)),
        None => {
            println!(
                "   without peers: --peer PYTHON measures onnxruntime-web too (`npm ci` in benches/peers/scorer, and a Python with its requirements.txt)"
            );
            None
        }
    };
    let python = peer.as_ref().map(|(python, _)| *python);
    let mut programs = programs::all(workspace, &browser, &made, python, options.webgpu);
    in_turns(&mut programs, options.rounds)?;
    let mut result = summary::of(&programs);
    result["peers"] = peer.map_or(Value::Null, |(_, versions)| versions);
    println!("\n{}", summary::table(&result));
    if options.record {
        record(workspace, "scorer", &result)?;
    }
    Ok(())
}

fn make(workspace: &Workspace) -> Result<Made> {
    let folder = workspace.target.join("bench-scorer");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let write = || -> Result<PathBuf> {
        let artefact = folder.join("artefact");
        let mut run = command(workspace.curec());
        run.args([
            "bench",
            "scorer",
            "--json",
            "--calls",
            "1",
            "--warm-up",
            "0",
            "--events",
            EVENTS,
        ])
        .args(["--reasons", REASONS, "--viewers", VIEWERS, "--seed", SEED])
        .args(["--items", ITEMS, "--write"])
        .arg(&artefact);
        measure(&mut run)?;
        Ok(artefact)
    };
    step::announce("make the catalogue");
    let made = Made {
        artefact: write()?,
        native: folder.join("native.json"),
        page: folder.join("page"),
        onnx: folder.join("onnx"),
    };
    let mut explain = command(workspace.curec());
    (explain.args(["explain", "--scores", CHECKED, "--artefact"])).arg(&made.artefact);
    std::fs::write(&made.native, measure(&mut explain)?.to_string())
        .with_context(|| format!("cannot write {}", made.native.display()))?;
    dist::build(
        workspace,
        &dist::Options {
            artefact: made.artefact.clone(),
            out: made.page.clone(),
            // Random numbers do not compress: nobody downloads this one.
            budget: u64::MAX,
        },
    )?;
    Ok(made)
}

/// Writes the ONNX graph; the versions of the peers.
fn export(workspace: &Workspace, python: &Path, made: &Made) -> Result<Value> {
    let folder = workspace.root.join("benches/peers/scorer");
    let package = folder.join("node_modules/onnxruntime-web/package.json");
    ensure!(
        package.is_file(),
        "onnxruntime-web is not installed: run `npm ci` in {}, or measure without --peer",
        workspace.show(&folder)
    );
    step::announce("write the same model as an ONNX graph");
    let mut export = command(python);
    export.arg(folder.join("export.py"));
    export.arg("--artefact").arg(&made.artefact);
    let mut versions = measure(export.arg("--out").arg(&made.onnx))?;
    let package: Value = serde_json::from_str(&std::fs::read_to_string(package)?)?;
    versions["onnxruntime_web"] = package["version"].clone();
    Ok(versions)
}
