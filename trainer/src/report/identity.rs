//! What the runs are: versions, seeds, data and their hashes, fingerprints of the stages, settings, and what they cost.

use serde::Serialize;
use serde_json::Value;

use super::files::RunFiles;
use super::settings::{Difference, differences};
use crate::run::{Stage, StageRecord};

/// The section.
#[derive(Debug, Serialize)]
pub(super) struct Identity {
    /// One value per run.
    facts: Vec<Fact>,
    /// Hashes are long: they are folded away.
    hashes: Vec<Fact>,
    differences: Vec<Difference>,
    settings: Vec<String>,
}

/// A line with a value per run; `None` where a run does not say.
#[derive(Debug, PartialEq, Serialize)]
struct Fact {
    name: String,
    values: Vec<Option<String>>,
}

/// What every stage cost.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    stages: Vec<StageCost>,
    /// Seconds of all finished stages, and the most memory, per run.
    total: Vec<(f64, Option<u64>)>,
    /// Whether any run says on what machine it was made.
    machine: bool,
}

#[derive(Debug, Serialize)]
struct StageCost {
    name: &'static str,
    /// Seconds and MiB per run.
    runs: Vec<Option<(f64, Option<u64>)>>,
}

/// What `run.json` says under this name.
const MACHINE: &str = "machine";

pub(super) fn section(runs: &[RunFiles]) -> Identity {
    let fact = |name: &str, of: &dyn Fn(&RunFiles) -> Option<String>| Fact {
        name: name.to_owned(),
        values: runs.iter().map(of).collect(),
    };
    let text = |run: &RunFiles, name: &str| {
        let value = run.settings.get(name)?;
        Some(value.trim_matches('"').to_owned())
    };
    let mut facts = vec![
        fact("made by", &|run| said(run.about.get("created_by"))),
        fact("versions that ran the stages", &versions),
        fact("built from commit", &commits),
        fact("seed", &|run| said(run.about.get("seed"))),
        fact("language model", &|run| {
            text(run, "llm.model").or_else(|| Some("nano, trained from scratch".to_owned()))
        }),
        fact("data", &|run| Some(run.data.as_ref()?.name.clone())),
        fact("users, items, interactions", &|run| {
            let data = run.data.as_ref()?;
            Some(format!(
                "{}, {}, {}",
                data.users, data.items, data.interactions
            ))
        }),
        fact("split", &|run| text(run, "data.split")),
        fact("ranked event", &|run| text(run, "evaluate.target")),
        fact("items taken before", &|run| {
            text(run, "evaluate.seen_items")
        }),
        fact("ties", &|run| {
            Some(run.results.as_ref()?.protocol.ties.clone())
        }),
        fact("ranked among", &|run| {
            Some(run.results.as_ref()?.protocol.candidates.clone())
        }),
        fact("resamples behind an interval", &|run| {
            let protocol = &run.results.as_ref()?.protocol;
            Some(protocol.bootstrap_samples.to_string())
        }),
    ];
    // What else a run says of itself, such as the machine.
    let mut more: Vec<&String> = runs.iter().flat_map(|run| run.about.keys()).collect();
    more.sort_unstable();
    more.dedup();
    for name in more {
        if !["created_by", "seed"].contains(&name.as_str()) {
            facts.push(fact(name, &|run| said(run.about.get(name))));
        }
    }
    let mut hashes = vec![fact("data (SHA-256)", &|run| {
        Some(run.data.as_ref()?.sha256.clone())
    })];
    for stage in Stage::ALL {
        hashes.push(fact(&format!("fingerprint of {}", stage.name()), &|run| {
            Some(run.directory.record(stage)?.fingerprint)
        }));
    }
    let settings: Vec<_> = runs.iter().map(|run| &run.settings).collect();
    Identity {
        facts,
        hashes,
        differences: differences(&settings),
        settings: runs
            .iter()
            .map(|run| run.book.settings().to_owned())
            .collect(),
    }
}

/// A value of `run.json` as text.
fn said(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn versions(run: &RunFiles) -> Option<String> {
    of_the_stages(run, |record| Some(record.version))
}

fn commits(run: &RunFiles) -> Option<String> {
    of_the_stages(run, |record| record.commit)
}

/// The different values in the stages' records.
fn of_the_stages(run: &RunFiles, of: impl Fn(StageRecord) -> Option<String>) -> Option<String> {
    let records = Stage::ALL
        .into_iter()
        .filter_map(|stage| run.directory.record(stage));
    let mut values: Vec<String> = records.filter_map(of).collect();
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then(|| values.join(", "))
}

pub(super) fn cost(runs: &[RunFiles]) -> Cost {
    let of = |run: &RunFiles, stage| {
        let record = run.record(stage)?;
        Some((record.seconds, record.peak_memory_mib))
    };
    let stages = Stage::ALL.map(|stage| StageCost {
        name: stage.name(),
        runs: runs.iter().map(|run| of(run, stage)).collect(),
    });
    let total = |run: &RunFiles| {
        let all = || Stage::ALL.into_iter().filter_map(|stage| of(run, stage));
        (
            all().map(|(seconds, _)| seconds).sum(),
            all().filter_map(|(_, memory)| memory).max(),
        )
    };
    Cost {
        stages: stages.into(),
        total: runs.iter().map(total).collect(),
        machine: runs.iter().any(|run| run.about.contains_key(MACHINE)),
    }
}
