//! What `cargo xtask bench scale --record` measured, as tables for docs/scale.md.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Opens the generated part of docs/scale.md.
pub const BEGIN: &str = "<!-- scale:begin -->";
/// Closes it.
pub const END: &str = "<!-- scale:end -->";

/// `benches/results/bench/scale.json`.
#[derive(Debug, Deserialize)]
pub struct Scale {
    machine: Machine,
    #[serde(default)]
    commit: Option<String>,
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct Machine {
    processor: Option<String>,
    threads: usize,
}

#[derive(Debug, Deserialize)]
struct Run {
    arguments: Arguments,
    name: String,
    users: usize,
    items: usize,
    interactions: usize,
    phases: Vec<Phase>,
    model: Model,
    whole: Whole,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    width: usize,
    ranked: usize,
}

#[derive(Debug, Deserialize)]
struct Phase {
    name: String,
    seconds: f64,
    peak_mib: Option<u64>,
    estimate_mib: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Model {
    parameters: usize,
    steps: usize,
    steps_per_epoch: usize,
    seconds_per_step: f64,
}

#[derive(Debug, Deserialize)]
struct Whole {
    epoch_hours: f64,
    ranking_hours: f64,
}

impl Scale {
    /// Reads the file if it was recorded.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let found = serde_json::from_str(&text);
        Ok(Some(found.with_context(|| {
            format!("{} is damaged", file.display())
        })?))
    }
}

/// The text between the markers.
pub fn block(found: Option<&Scale>) -> String {
    let mut text =
        "<!-- Written by `cargo xtask docs` from benches/results: changes made here are lost. -->\n"
            .to_owned();
    let Some(found) = found else {
        text.push_str(
            "\nNothing has been measured yet: `cargo xtask bench scale --log FOLDER --record`.\n",
        );
        return text;
    };
    let processor = found.machine.processor.as_deref();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\nMeasured on {} with {} threads{}.",
        processor.unwrap_or("this processor").trim(),
        found.machine.threads,
        (found.commit.as_ref()).map_or_else(String::new, |commit| format!(", commit {commit}"))
    );
    for run in &found.runs {
        text.push_str(&section(run));
    }
    text
}

fn section(run: &Run) -> String {
    let mut text = format!(
        "\n### {}: {} users, {} items, {} interactions\n\n\
         | phase | seconds | peak MiB | estimate MiB |\n|---|---:|---:|---:|\n",
        run.name,
        grouped(run.users),
        grouped(run.items),
        grouped(run.interactions)
    );
    let memory = |mib: Option<u64>| mib.map_or("–".to_owned(), |mib| mib.to_string());
    for phase in &run.phases {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {} | {} |",
            phase.name,
            phase.seconds,
            memory(phase.peak_mib),
            memory(phase.estimate_mib)
        );
    }
    let model = &run.model;
    let _ = writeln!(
        text,
        "\nA ranking model of width {} has {} parameters and took {:.3} s a step over {} steps; an epoch of {} steps would take \
         {}. {} users were ranked; all of them would take {}.",
        run.arguments.width,
        grouped(model.parameters),
        model.seconds_per_step,
        model.steps,
        grouped(model.steps_per_epoch),
        time(run.whole.epoch_hours),
        run.arguments.ranked.min(run.users),
        time(run.whole.ranking_hours)
    );
    text
}

/// `1,234,567`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(hours: f64) -> String {
    match hours {
        hours if hours >= 48.0 => format!("{:.0} days", hours / 24.0),
        hours if hours >= 1.0 => format!("{hours:.1} hours"),
        hours => format!("{:.0} minutes", hours * 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"machine": {"processor": " Z80 ", "threads": 1}, "runs": [{
      "arguments": {"width": 16, "ranked": 64}, "name": "toy", "users": 1234567, "items": 999, "interactions": 15000000,
      "phases": [{"name": "read", "seconds": 1.26, "peak_mib": 700, "after_mib": 1, "estimate_mib": 650},
                 {"name": "load", "seconds": 2.0, "peak_mib": null, "after_mib": 1, "estimate_mib": null}],
      "model": {"parameters": 16000, "steps": 20, "steps_per_epoch": 3600, "seconds_per_step": 0.5, "first_loss": 1.0, "last_loss": 1.0},
      "whole": {"epoch_hours": 0.5, "ranking_hours": 72.0}}]}"#;

    #[test]
    fn what_was_measured_is_shown_beside_the_estimate() {
        let found: Scale = serde_json::from_str(FILE).expect("JSON");
        let text = block(Some(&found));
        for words in [
            "Measured on Z80 with 1 threads.",
            "### toy: 1,234,567 users, 999 items, 15,000,000 interactions",
            "| read | 1.3 | 700 | 650 |",
            "| load | 2.0 | – | – |",
            "width 16 has 16,000 parameters and took 0.500 s a step over 20 steps; an epoch of 3,600 steps would take 30 minutes. 64 \
             users were ranked; all of them would take 3 days.",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(block(None).contains("Nothing has been measured yet"));
    }
}
