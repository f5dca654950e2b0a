//! `cargo xtask bench scorer`: a whole catalogue scored for one viewer, by the native program and by the page's scorer in Chromium, beside
//! the same model in onnxruntime-web.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::{Program, build, machine, measure, median, number, record};
use crate::setup::{self, Browser};
use crate::workspace::{Workspace, command};
use crate::{dist, step};

/// What is scored: MovieLens-1M's catalogue, and what the paper shows of it.
const ITEMS: usize = 3706;
const EVENTS: &str = "50";
const REASONS: &str = "8";
const VIEWERS: &str = "64";
/// Scorings a round.
const CALLS: &str = "64";
/// The same where WebGPU is emulated in software: each takes seconds.
const EMULATED_CALLS: &str = "3";
/// Recommendations of a list.
const COUNT: &str = "10";
/// Viewers whose scores are held against the native ones.
const CHECKED: &str = "8";

/// What is kept of each program: the name of a number, and where it stands in what the program prints.
const NUMBERS: [(&str, &[&str]); 9] = [
    ("p50", &["/scores/in_worker/p50", "/scores/p50"]),
    ("p95", &["/scores/in_worker/p95", "/scores/p95"]),
    ("page_p50", &["/scores/for_page/p50"]),
    ("page_p95", &["/scores/for_page/p95"]),
    (
        "recommend_p50",
        &["/recommend/in_worker/p50", "/recommend/p50"],
    ),
    (
        "recommend_p95",
        &["/recommend/in_worker/p95", "/recommend/p95"],
    ),
    ("compile_ms", &["/times/0/compile_ms"]),
    ("load_ms", &["/times/0/load_ms", "/load_ms"]),
    ("ready_ms", &["/times/0/ready_ms"]),
];

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
    /// The whole catalogue.
    artefact: PathBuf,
    /// Two of half its size: what each of two workers scores.
    halves: [PathBuf; 2],
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
    let mut programs = programs(workspace, &browser, &made, python, options.webgpu);
    super::in_turns(&mut programs, options.rounds)?;
    let mut result = summary(&programs);
    result["commit"] = commit(workspace).into();
    result["load_average"] = load_average().into();
    result["peers"] = peer.map_or(Value::Null, |(_, versions)| versions);
    println!("\n{}", table(&result));
    if options.record {
        record(workspace, "scorer", &result)?;
    }
    Ok(())
}

fn make(workspace: &Workspace) -> Result<Made> {
    let folder = workspace.target.join("bench-scorer");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |name: &str, items: usize, seed: &str| -> Result<PathBuf> {
        let artefact = folder.join(name);
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
        .args(["--reasons", REASONS, "--viewers", VIEWERS, "--seed", seed])
        .args(["--items", &items.to_string(), "--write"])
        .arg(&artefact);
        measure(&mut run)?;
        Ok(artefact)
    };
    step::announce("make the catalogues");
    let made = Made {
        artefact: write("artefact", ITEMS, "7")?,
        halves: [
            write("first-half", ITEMS / 2, "8")?,
            write("second-half", ITEMS - ITEMS / 2, "9")?,
        ],
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

fn programs(
    workspace: &Workspace,
    browser: &Browser,
    made: &Made,
    python: Option<&Path>,
    webgpu: bool,
) -> Vec<Program> {
    let driver = workspace.root.join("benches/scorer/run.mjs");
    let in_chromium = |name, arguments: Vec<&std::ffi::OsStr>| {
        let (node, chromium) = (browser.node.clone(), browser.chromium.clone());
        let mut all: Vec<std::ffi::OsString> = vec![driver.clone().into()];
        all.extend(["--viewers", VIEWERS, "--count", COUNT].map(Into::into));
        all.extend(arguments.into_iter().map(ToOwned::to_owned));
        Program {
            name,
            command: Box::new(move || {
                let mut run = command(&node);
                run.args(&all).env("CHROMIUM", &chromium);
                run
            }),
            found: Vec::new(),
        }
    };
    let flags = |words: &[&'static str]| -> Vec<&std::ffi::OsStr> {
        words.iter().map(|word| (*word).as_ref()).collect()
    };
    let [artefact, page, native, onnx] =
        [&made.artefact, &made.page, &made.native, &made.onnx].map(|path| path.as_os_str());
    let own = |engine, calls| {
        let mut words = flags(&["--engine", engine, "--calls", calls]);
        words.extend(["--artefact".as_ref(), artefact, "--page".as_ref(), page]);
        words.extend(["--native".as_ref(), native]);
        words
    };
    let mut split = flags(&["--calls", CALLS, "--page"]);
    split.push(page);
    for half in &made.halves {
        split.extend(["--artefact".as_ref(), half.as_os_str()]);
    }
    let mut programs = vec![
        natively(workspace, made),
        in_chromium("wasm", own("curec", CALLS)),
        in_chromium("wasm_two_workers", split),
    ];
    if webgpu {
        let mut words = own("curec-gpu", EMULATED_CALLS);
        words.extend(flags(&["--warm-up", "1"]));
        programs.push(in_chromium("webgpu", words));
    }
    if let Some(python) = python {
        for (name, threads) in [
            ("onnxruntime_web", "1"),
            ("onnxruntime_web_two_threads", "2"),
        ] {
            let mut words = flags(&["--engine", "onnx", "--calls", CALLS, "--threads", threads]);
            words.extend(["--onnx".as_ref(), onnx, "--native".as_ref(), native]);
            programs.push(in_chromium(name, words));
        }
        if has_onnxruntime(python) {
            programs.push(onnxruntime(workspace, python, made));
        }
    }
    programs
}

fn natively(workspace: &Workspace, made: &Made) -> Program {
    let (curec, artefact) = (workspace.curec(), made.artefact.clone());
    Program {
        name: "native",
        command: Box::new(move || {
            let mut run = command(&curec);
            run.args([
                "bench", "scorer", "--json", "--calls", CALLS, "--count", COUNT,
            ]);
            run.arg("--artefact").arg(&artefact);
            run
        }),
        found: Vec::new(),
    }
}

fn onnxruntime(workspace: &Workspace, python: &Path, made: &Made) -> Program {
    let script = workspace.root.join("benches/peers/scorer/native.py");
    let (python, onnx, native) = (python.to_owned(), made.onnx.clone(), made.native.clone());
    Program {
        name: "onnxruntime_native",
        command: Box::new(move || {
            let mut run = command(&python);
            run.arg(&script).arg("--onnx").arg(&onnx);
            run.arg("--native").arg(&native).args(["--calls", CALLS]);
            run
        }),
        found: Vec::new(),
    }
}

/// The native runtime is no requirement.
fn has_onnxruntime(python: &Path) -> bool {
    let found = command(python).args(["-c", "import onnxruntime"]).output();
    found.is_ok_and(|output| output.status.success())
}

fn summary(programs: &[Program]) -> Value {
    let medians: Map<String, Value> = (programs.iter())
        .map(|program| (program.name.to_owned(), numbers(&program.found)))
        .collect();
    let ratio = |above: &str, below: &str, field: &str| {
        let of = |name: &str| medians.get(name)?[field].as_f64();
        Some(of(above)? / of(below)?)
    };
    let first = |field: &str| {
        let found = (programs.iter()).find_map(|program| program.found.first()?.get(field));
        found.cloned().unwrap_or_default()
    };
    json!({
        "machine": machine(),
        "browser": first("browser"),
        "webgpu_adapter": (programs.iter()).find_map(|program| program.found.first()?.pointer("/times/0/adapter").cloned()),
        "model": first("model"),
        "items": first("items"),
        "arguments": first("arguments"),
        "ratios": {
            "onnxruntime_web_over_wasm": ratio("onnxruntime_web", "wasm", "p50"),
            "onnxruntime_web_over_wasm_p95": ratio("onnxruntime_web", "wasm", "p95"),
            "two_workers_over_one": ratio("wasm_two_workers", "wasm", "page_p50"),
            "two_workers_over_one_p95": ratio("wasm_two_workers", "wasm", "page_p95"),
        },
        "differences": (programs.iter())
            .filter_map(|program| Some((program.name.to_owned(), largest(&program.found, "difference")?.into())))
            .collect::<Map<_, _>>(),
        "medians": medians,
        "rounds": programs.iter().map(|program| json!({"program": program.name, "found": program.found})).collect::<Vec<_>>(),
    })
}

/// The medians over the rounds of what stands in [`NUMBERS`].
fn numbers(found: &[Value]) -> Value {
    let one = |(name, places): (&str, &[&str])| {
        let of_round = |round: &Value| {
            let value = places.iter().find_map(|place| round.pointer(place));
            json!({"value": value})
        };
        let rounds: Vec<Value> = found.iter().map(of_round).collect();
        Some((name.to_owned(), median(&rounds, "value")?.into()))
    };
    Value::Object(NUMBERS.into_iter().filter_map(one).collect())
}

fn largest(found: &[Value], field: &str) -> Option<f64> {
    let values = found.iter().filter_map(|one| one[field].as_f64());
    values.max_by(f64::total_cmp)
}

fn commit(workspace: &Workspace) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(&workspace.root);
    let output = git.output().ok().filter(|found| found.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What else the machine was doing at the end, as its kernel counts it over the last minutes.
fn load_average() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    Some(
        text.split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

fn table(result: &Value) -> String {
    let mut text = "The whole catalogue for one viewer, milliseconds\n".to_owned();
    text += &format!(
        "  {:<28} {:>8} {:>8}   {:>8} {:>8}   {:>8} {:>8}   {:>8}\n",
        "", "median", "95 %", "page", "95 %", "list", "95 %", "ready"
    );
    for round in result["rounds"].as_array().into_iter().flatten() {
        let name = round["program"].as_str().unwrap_or_default();
        let of = |field: &str| number(&result["medians"][name][field], 1);
        text += &format!(
            "  {name:<28} {:>8} {:>8}   {:>8} {:>8}   {:>8} {:>8}   {:>8}   {}\n",
            of("p50"),
            of("p95"),
            of("page_p50"),
            of("page_p95"),
            of("recommend_p50"),
            of("recommend_p95"),
            of("ready_ms"),
            match result["differences"][name].as_f64() {
                Some(difference) => format!("within {difference:.1e} of the native scores"),
                None => String::new(),
            },
        );
    }
    let ratio = |name: &str| number(&result["ratios"][name], 2);
    text + &format!(
        "  onnxruntime-web / curec in WebAssembly {} (95 %: {}); two workers / one {} (95 %: {})",
        ratio("onnxruntime_web_over_wasm"),
        ratio("onnxruntime_web_over_wasm_p95"),
        ratio("two_workers_over_one"),
        ratio("two_workers_over_one_p95"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &'static str, found: Vec<Value>) -> Program {
        Program {
            name,
            command: Box::new(|| Command::new("true")),
            found,
        }
    }

    fn browser(p50: f64, p95: f64, difference: f64) -> Value {
        json!({
            "scores": {"in_worker": {"p50": p50, "p95": p95}, "for_page": {"p50": p50 + 1.0, "p95": p95 + 1.0}},
            "times": [{"ready_ms": 10.0 * p50}], "difference": difference, "browser": "9",
        })
    }

    #[test]
    fn numbers_are_medians_wherever_a_program_keeps_them() {
        let own = json!({"scores": {"p50": 4.0, "p95": 6.0}, "load_ms": 9.0, "items": 12});
        let wasm = vec![
            browser(30.0, 50.0, 1e-5),
            browser(10.0, 40.0, 3e-5),
            browser(20.0, 90.0, 2e-5),
        ];
        let all = summary(&[
            program("native", vec![own]),
            program("wasm", wasm),
            program("onnxruntime_web", vec![browser(50.0, 75.0, 1e-6)]),
        ]);
        assert_eq!(
            all["medians"]["native"],
            json!({"p50": 4.0, "p95": 6.0, "load_ms": 9.0})
        );
        assert_eq!(all["medians"]["wasm"]["p50"], 20.0);
        assert_eq!(all["medians"]["wasm"]["page_p95"], 51.0);
        assert_eq!(all["ratios"]["onnxruntime_web_over_wasm"], 2.5);
        assert_eq!(all["ratios"]["onnxruntime_web_over_wasm_p95"], 1.5);
        assert!(all["ratios"]["two_workers_over_one"].is_null());
        assert_eq!(
            all["differences"],
            json!({"wasm": 3e-5, "onnxruntime_web": 1e-6})
        );
        assert_eq!((&all["browser"], &all["items"]), (&json!("9"), &json!(12)));
        assert!(table(&all).contains("within 3.0e-5"), "{}", table(&all));
    }

    #[test]
    fn without_peers_ours_is_measured_alone() {
        let all = summary(&[program("wasm", vec![browser(30.0, 50.0, 0.0)])]);
        assert!(all["ratios"]["onnxruntime_web_over_wasm"].is_null());
        assert!(table(&all).contains("onnxruntime-web / curec in WebAssembly –"));
    }
}
