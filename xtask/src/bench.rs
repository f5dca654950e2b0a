//! `cargo xtask bench`: a GRPO step of curec on this machine, beside its peers where they are installed; and the data path at scale.
//!
//! Programs take turns, round by round, so that a slow minute of the machine hits all of them; what is shown and recorded are
//! medians over the rounds, and ratios of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::step;
use crate::workspace::{Workspace, command};

/// The yardstick's model and step: every program gets these, so that all do the same work.
const SIZES: [(&str, u32); 10] = [
    ("--vocabulary", 2048),
    ("--hidden", 192),
    ("--intermediate", 512),
    ("--layers", 4),
    ("--heads", 6),
    ("--kv-heads", 2),
    ("--prompt-tokens", 256),
    ("--new-tokens", 64),
    ("--steps", 7),
    ("--threads", 2),
];
const PROMPTS: u32 = 4;
const COMPLETIONS: u32 = 8;
/// As many sequences that share nothing.
const SEQUENCES: u32 = PROMPTS * COMPLETIONS;

/// What to measure.
pub struct Options {
    /// A Python that has the peers, if they are to be measured too.
    pub peer: Option<PathBuf>,
    /// How often each program runs.
    pub rounds: usize,
    /// Whether to write `benches/results/bench/grpo.json`.
    pub record: bool,
}

/// A program and the arguments that make it print one JSON object.
struct Program {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    found: Vec<Value>,
}

/// Measures, prints a table, and records it if asked to.
pub fn grpo(workspace: &Workspace, options: &Options) -> Result<()> {
    step::run(
        "build the trainer",
        workspace
            .cargo()
            .args(["build", "--release", "--package", "curec", "--bin", "curec"]),
    )?;
    let mut programs = programs(workspace, options.peer.as_deref());
    for round in 1..=options.rounds.max(1) {
        for program in &mut programs {
            step::announce(&format!("{}, round {round}", program.name));
            program.found.push(measure(&mut (program.command)())?);
        }
    }
    let result = summary(&programs);
    println!("\n{}", table(&result));
    if options.record {
        record(workspace, "grpo", &result)?;
    }
    Ok(())
}

/// Writes `benches/results/bench/NAME.json`.
fn record(workspace: &Workspace, name: &str, result: &Value) -> Result<()> {
    let folder = workspace.root.join("benches/results/bench");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    let mut text = serde_json::to_string_pretty(result)?;
    text.push('\n');
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", workspace.show(&file));
    Ok(())
}

/// Sizes for real logs; the synthetic one takes the command's own.
const REAL: [&str; 6] = ["--width", "64", "--steps", "200", "--ranked", "500"];

/// Measures `curec bench scale` on each log and on the synthetic one, each in a process of its own.
pub fn scale(workspace: &Workspace, logs: &[PathBuf], keep: bool) -> Result<()> {
    step::run(
        "build the trainer",
        workspace
            .cargo()
            .args(["build", "--release", "--package", "curec", "--bin", "curec"]),
    )?;
    let mut runs = Vec::new();
    for log in logs.iter().map(Some).chain([None]) {
        let mut run = command(&workspace.curec());
        run.args(["bench", "scale", "--json"]);
        step::announce(&log.map_or("synthetic".to_owned(), |log| workspace.show(log)));
        if let Some(log) = log {
            run.arg("--data").arg(log).args(REAL);
        }
        let found = measure(&mut run)?;
        println!("{}", serde_json::to_string_pretty(&found)?);
        runs.push(found);
    }
    let result = json!({"machine": machine(), "runs": runs});
    if keep {
        record(workspace, "scale", &result)?;
    }
    Ok(())
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu.map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
    json!({
        "processor": cpu,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
    })
}

fn programs(workspace: &Workspace, peer: Option<&Path>) -> Vec<Program> {
    let program = |name, program: PathBuf, before: &[&str], more: &[(&str, u32)]| {
        let mut arguments: Vec<String> = before.iter().map(|&one| one.to_owned()).collect();
        for (flag, value) in SIZES.iter().chain(more) {
            arguments.extend([(*flag).to_owned(), value.to_string()]);
        }
        Program {
            name,
            command: Box::new(move || {
                let mut run = command(&program);
                run.args(&arguments);
                run
            }),
            found: Vec::new(),
        }
    };
    let shared = [("--prompts", PROMPTS), ("--completions", COMPLETIONS)];
    let alone = [("--prompts", SEQUENCES), ("--completions", 1)];
    let own = ["bench", "grpo", "--json"];
    let mut programs = vec![
        program("curec, groups", workspace.curec(), &own, &shared),
        program("curec, nothing shared", workspace.curec(), &own, &alone),
    ];
    if let Some(python) = peer {
        let peers = workspace.root.join("benches/peers");
        let script = |name: &str| peers.join(name).display().to_string();
        let (trl, torch) = (script("trl_grpo.py"), script("torch_train.py"));
        programs.extend([
            program("TRL, groups", python.to_owned(), &[&trl], &shared),
            program(
                "PyTorch, nothing shared",
                python.to_owned(),
                &[&torch],
                &[("--sequences", SEQUENCES)],
            ),
        ]);
    }
    programs
}

/// Runs a program; the last line it prints that is a JSON object is its result.
fn measure(command: &mut Command) -> Result<Value> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", step::shown(command)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().rev().find_map(|line| {
        serde_json::from_str::<Value>(line)
            .ok()
            .filter(Value::is_object)
    });
    match found {
        Some(found) if output.status.success() => Ok(found),
        _ => bail!(
            "{} failed ({}):\n{}",
            step::shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// The median of a number over the rounds of a program.
fn median(found: &[Value], field: &str) -> Option<f64> {
    let mut values: Vec<f64> = found.iter().filter_map(|one| one[field].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn summary(programs: &[Program]) -> Value {
    let of = |index: usize, field: &str| {
        let program = programs.get(index)?;
        median(&program.found, field)
    };
    let ratio = |above: Option<f64>, below: Option<f64>| Some(above? / below?);
    let memory = "peak_memory_mib";
    json!({
        "machine": machine(),
        "medians": {
            "curec": {
                "step": of(0, "step"), "sampling": of(0, "sampling"), "forward": of(0, "forward"),
                "backward": of(0, "backward"), "optimizer": of(0, "optimizer"), memory: of(0, memory),
            },
            "curec_unshared": {"trained_per_second": of(1, "trained_per_second"), memory: of(1, memory)},
            "trl": {"step": of(2, "step"), memory: of(2, memory)},
            "pytorch": {"trained_per_second": of(3, "trained_per_second"), memory: of(3, memory)},
        },
        "ratios": {
            "step_trl_over_curec": ratio(of(2, "step"), of(0, "step")),
            "memory_curec_over_trl": ratio(of(0, memory), of(2, memory)),
            "unshared_training_curec_over_pytorch": ratio(of(1, "trained_per_second"), of(3, "trained_per_second")),
        },
        "rounds": programs.iter().map(|program| json!({"program": program.name, "found": program.found})).collect::<Vec<_>>(),
    })
}

fn table(result: &Value) -> String {
    let number = |value: &Value, digits: usize| match value.as_f64() {
        Some(value) => format!("{value:.digits$}"),
        None => "–".to_owned(),
    };
    let (medians, ratios) = (&result["medians"], &result["ratios"]);
    let own = &medians["curec"];
    let parts: Vec<String> = ["sampling", "forward", "backward", "optimizer"]
        .iter()
        .map(|part| format!("{part} {}", number(&own[*part], 3)))
        .collect();
    format!(
        "GRPO step, {PROMPTS} prompts × {COMPLETIONS} completions (seconds; MiB)\n\
         \x20 curec    {} s   {} MiB   ({})\n\
         \x20 TRL      {} s   {} MiB\n\
         \x20 TRL's time / curec's {}; curec's memory / TRL's {}\n\
         Training without sharing, completion tokens a second\n\
         \x20 curec    {}\n\
         \x20 PyTorch  {}\n\
         \x20 curec / PyTorch {}",
        number(&own["step"], 3),
        number(&own["peak_memory_mib"], 0),
        parts.join(", "),
        number(&medians["trl"]["step"], 3),
        number(&medians["trl"]["peak_memory_mib"], 0),
        number(&ratios["step_trl_over_curec"], 2),
        number(&ratios["memory_curec_over_trl"], 3),
        number(&medians["curec_unshared"]["trained_per_second"], 0),
        number(&medians["pytorch"]["trained_per_second"], 0),
        number(&ratios["unshared_training_curec_over_pytorch"], 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(found: Vec<Value>) -> Program {
        Program {
            name: "test",
            command: Box::new(|| Command::new("true")),
            found,
        }
    }

    #[test]
    fn ratios_are_of_medians_and_missing_peers_are_missing() {
        let step = |seconds: f64| json!({"step": seconds, "peak_memory_mib": 100});
        let own = program(vec![step(3.0), step(1.0), step(2.0)]);
        let alone = summary(&[own]);
        assert_eq!(alone["medians"]["curec"]["step"], 2.0);
        assert!(alone["ratios"]["step_trl_over_curec"].is_null());
        assert!(
            table(&alone).contains("curec    2.000 s   100 MiB"),
            "{}",
            table(&alone)
        );
        let trained = |speed: f64| json!({"trained_per_second": speed, "peak_memory_mib": 1});
        let programs = [
            program(vec![step(2.0)]),
            program(vec![trained(300.0)]),
            program(vec![step(5.0)]),
            program(vec![trained(200.0)]),
        ];
        let all = summary(&programs);
        assert_eq!(all["ratios"]["step_trl_over_curec"], 2.5);
        assert_eq!(all["ratios"]["memory_curec_over_trl"], 1.0);
        assert_eq!(all["ratios"]["unshared_training_curec_over_pytorch"], 1.5);
    }

    #[test]
    fn the_last_json_line_counts_and_a_failure_shows_what_was_said() {
        let mut say = Command::new("sh");
        say.args([
            "-c",
            "echo '{\"step\": 1}'; echo noise; echo '{\"step\": 2}'; echo done",
        ]);
        assert_eq!(measure(&mut say).expect("it runs")["step"], 2);
        let mut fail = Command::new("sh");
        fail.args(["-c", "echo '{\"step\": 1}'; echo no torch here >&2; exit 1"]);
        let error = measure(&mut fail).expect_err("it fails").to_string();
        assert!(error.contains("no torch here"), "{error}");
    }
}
