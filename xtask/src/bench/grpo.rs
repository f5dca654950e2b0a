//! `cargo xtask bench grpo`: a GRPO step of curec on this machine, beside its peers where they are installed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::workspace::{Workspace, command};

use super::{Program, build, machine, median, number, record};

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

/// Measures, prints a table, and records it if asked to.
pub fn grpo(workspace: &Workspace, options: &Options) -> Result<()> {
    build(workspace)?;
    let mut programs = programs(workspace, options.peer.as_deref());
    super::in_turns(&mut programs, options.rounds)?;
    let result = summary(&programs);
    println!("\n{}", table(&result));
    if options.record {
        record(workspace, "grpo", &result)?;
    }
    Ok(())
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
    use std::process::Command;

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
}
