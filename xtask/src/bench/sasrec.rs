//! `cargo xtask bench sasrec`: training SASRec with cross-entropy over the whole catalogue, beside a plain PyTorch one.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Program, build, machine, median, number, record};
use crate::workspace::{Workspace, command};

/// The yardstick's model: every program gets these, so that all do the same work.
const SIZES: [(&str, u32); 7] = [
    ("--width", 64),
    ("--layers", 2),
    ("--heads", 2),
    ("--feed-forward", 64),
    ("--length", 200),
    ("--batch", 128),
    ("--threads", 2),
];

/// What to measure.
pub struct Options {
    /// MovieLens-1M with `sasrec_sequences.txt`.
    pub data: PathBuf,
    /// A Python that has PyTorch, if it is to be measured too.
    pub peer: Option<PathBuf>,
    /// How often each program runs.
    pub rounds: usize,
    /// Whether to write `benches/results/bench/sasrec.json`.
    pub record: bool,
}

/// Measures, prints a table, and records it if asked to.
pub fn sasrec(workspace: &Workspace, options: &Options) -> Result<()> {
    let sequences = options.data.join("sasrec_sequences.txt");
    ensure!(
        sequences.exists(),
        "{} is not there: --data takes a folder with MovieLens-1M in SASRec's order",
        sequences.display()
    );
    build(workspace)?;
    let mut programs = programs(workspace, options);
    super::in_turns(&mut programs, options.rounds)?;
    let result = summary(&programs);
    println!("\n{}", table(&result));
    if options.record {
        record(workspace, "sasrec", &result)?;
    }
    Ok(())
}

fn programs(workspace: &Workspace, options: &Options) -> Vec<Program> {
    let program = |name, program: PathBuf, before: &[&str], after: &[&str]| {
        let mut arguments: Vec<String> = before.iter().map(|&one| one.to_owned()).collect();
        arguments.extend(["--data".to_owned(), options.data.display().to_string()]);
        for (flag, value) in SIZES {
            arguments.extend([flag.to_owned(), value.to_string()]);
        }
        arguments.extend(after.iter().map(|&one| one.to_owned()));
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
    let own = ["bench", "sasrec", "--json"];
    let mut programs = vec![program("curec", workspace.curec(), &own, &[])];
    if let Some(python) = &options.peer {
        let script = workspace.root.join("benches/peers/torch_sasrec.py");
        let script = script.display().to_string();
        programs.push(program("PyTorch", python.clone(), &[&script], &[]));
        let name = "PyTorch, logits of real positions only";
        programs.push(program(name, python.clone(), &[&script], &["--select"]));
    }
    programs
}

fn summary(programs: &[Program]) -> Value {
    let of = |index: usize, field: &str| {
        let program = programs.get(index)?;
        median(&program.found, field)
    };
    let ratio = |above: Option<f64>, below: Option<f64>| Some(above? / below?);
    let one = |index: usize| {
        json!({
            "targets_per_second": of(index, "targets_per_second"),
            "epoch_seconds": of(index, "epoch_seconds"),
            "peak_memory_mib": of(index, "peak_memory_mib"),
        })
    };
    let speed = "targets_per_second";
    json!({
        "machine": machine(),
        "medians": {"curec": one(0), "pytorch": one(1), "pytorch_select": one(2)},
        "ratios": {
            "curec_over_pytorch": ratio(of(0, speed), of(1, speed)),
            "curec_over_pytorch_select": ratio(of(0, speed), of(2, speed)),
        },
        "rounds": programs.iter().map(|program| json!({"program": program.name, "found": program.found})).collect::<Vec<_>>(),
    })
}

fn table(result: &Value) -> String {
    let line = |name: &str, key: &str| {
        let found = &result["medians"][key];
        format!(
            "  {name:<40} {} targets a second   {} s an epoch   {} MiB",
            number(&found["targets_per_second"], 0),
            number(&found["epoch_seconds"], 1),
            number(&found["peak_memory_mib"], 0),
        )
    };
    let ratios = &result["ratios"];
    format!(
        "SASRec, cross-entropy over the whole catalogue\n{}\n{}\n{}\n  curec / PyTorch {}, with logits of real positions only {}",
        line("curec", "curec"),
        line("PyTorch", "pytorch"),
        line("PyTorch, logits of real positions only", "pytorch_select"),
        number(&ratios["curec_over_pytorch"], 2),
        number(&ratios["curec_over_pytorch_select"], 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn ratios_are_of_medians() {
        let program = |speeds: &[f64]| Program {
            name: "test",
            command: Box::new(|| Command::new("true")),
            found: speeds
                .iter()
                .map(|speed| json!({"targets_per_second": speed}))
                .collect(),
        };
        let all = summary(&[program(&[9.0, 30.0, 31.0]), program(&[10.0])]);
        assert_eq!(all["ratios"]["curec_over_pytorch"], 3.0);
        assert!(all["ratios"]["curec_over_pytorch_select"].is_null());
    }
}
