//! `cargo xtask bench …`: curec on this machine, beside its peers where they are installed.
//!
//! Programs take turns, round by round, so that a slow minute of the machine hits all of them; what is shown and recorded are
//! medians over the rounds, and ratios of them.

pub mod grpo;
pub mod sasrec;
pub mod scale;
pub mod scorer;

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::step;
use crate::workspace::Workspace;

/// A program and the arguments that make it print one JSON object.
struct Program {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    found: Vec<Value>,
}

fn build(workspace: &Workspace) -> Result<()> {
    step::run(
        "build the trainer",
        workspace
            .cargo()
            .args(["build", "--release", "--package", "curec", "--bin", "curec"]),
    )?;
    Ok(())
}

fn in_turns(programs: &mut [Program], rounds: usize) -> Result<()> {
    for round in 1..=rounds.max(1) {
        for program in &mut *programs {
            step::announce(&format!("{}, round {round}", program.name));
            program.found.push(measure(&mut (program.command)())?);
        }
    }
    Ok(())
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

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu.map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
    json!({
        "processor": cpu,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
    })
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

/// Writes `benches/results/bench/NAME.json`: what was found, of which sources, and what else the machine was doing.
fn record(workspace: &Workspace, name: &str, found: &Value) -> Result<()> {
    let mut result = found.clone();
    result["commit"] = commit(workspace).into();
    result["load_average"] = load_average().into();
    let folder = workspace.root.join("benches/results/bench");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    let mut text = serde_json::to_string_pretty(&result)?;
    text.push('\n');
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", workspace.show(&file));
    Ok(())
}

fn number(value: &Value, digits: usize) -> String {
    match value.as_f64() {
        Some(value) => format!("{value:.digits$}"),
        None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
