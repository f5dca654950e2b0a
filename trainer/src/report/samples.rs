//! What the language model wrote in the first and the last GRPO steps, with what it earned.

use serde::Serialize;

use super::files::RunFiles;
use crate::logbook::Sample;

/// Groups of one stage of one run.
#[derive(Debug, Serialize)]
pub(super) struct Sampled {
    run: usize,
    stage: &'static str,
    groups: Vec<Group>,
}

/// Completions of one prompt.
#[derive(Debug, Serialize)]
struct Group {
    step: u64,
    about: String,
    prompt: String,
    /// Names of the numbers.
    numbers: Vec<String>,
    completions: Vec<(String, Vec<f64>)>,
}

pub(super) fn section(runs: &[RunFiles]) -> Vec<Sampled> {
    let of_run = |(run, files): (usize, &RunFiles)| -> Vec<Sampled> {
        let stages = files.book.stages().iter();
        let of_stage = stages.map(|log| {
            let samples: Vec<&Sample> = log.samples.ends().collect();
            let same = |one: &&Sample, other: &&Sample| {
                (one.step, &one.prompt) == (other.step, &other.prompt)
            };
            Sampled {
                run,
                stage: log.stage.name(),
                groups: samples.chunk_by(same).map(group).collect(),
            }
        });
        of_stage.filter(|one| !one.groups.is_empty()).collect()
    };
    runs.iter().enumerate().flat_map(of_run).collect()
}

fn group(samples: &[&Sample]) -> Group {
    let first = samples[0];
    let numbers: Vec<String> = first.numbers.iter().map(|(name, _)| name.clone()).collect();
    let values = |sample: &Sample| -> Vec<f64> {
        numbers
            .iter()
            .map(|name| {
                let own = sample.numbers.iter().find(|(other, _)| other == name);
                own.map_or(f64::NAN, |(_, value)| *value)
            })
            .collect()
    };
    Group {
        step: first.step,
        about: first.about.clone(),
        prompt: first.prompt.clone(),
        completions: samples
            .iter()
            .map(|sample| (sample.completion.clone(), values(sample)))
            .collect(),
        numbers,
    }
}
