//! The ranking results: every model of every run, differences inside a run and between runs, and means over seeds.

use anyhow::Result;
use serde::Serialize;

use super::chart::{span, strip};
use super::compare::{COMPARED, Group, between, groups, mean};
use super::files::RunFiles;
use super::settings::only_seeds;
use crate::evaluation::{Estimate, FULL, Metric, ModelResult, Results, SeenItems, Target};
use crate::run::Stage;

/// The section.
#[derive(Debug, Serialize)]
pub(super) struct Ranking {
    groups: Vec<Compared>,
    /// Runs without results, and what makes them.
    missing: Vec<String>,
}

/// Runs that may be compared.
#[derive(Debug, Serialize)]
struct Compared {
    /// How they were measured, in words.
    protocol: String,
    sha256: String,
    metrics: Vec<String>,
    list_length: usize,
    models: Vec<Row>,
    compared: Vec<String>,
    /// Differences inside a run, with the full model on one side.
    inside: Vec<Difference>,
    /// The other differences inside a run.
    others: Vec<Difference>,
    /// Name of the run that the others are compared with.
    reference: Option<String>,
    between: Vec<Difference>,
    seeds: Vec<Seeds>,
}

/// A model of a run.
#[derive(Debug, Serialize)]
struct Row {
    model: String,
    run: usize,
    strip: String,
    values: Vec<Option<Estimate>>,
    coverage: f64,
    gini: f64,
}

/// `left − right`, in the metrics of [`COMPARED`].
#[derive(Debug, Serialize)]
struct Difference {
    left: String,
    right: String,
    run: usize,
    strip: String,
    values: Vec<Option<Estimate>>,
}

/// A model over runs that differ in nothing but the seed.
#[derive(Debug, Serialize)]
struct Seeds {
    model: String,
    count: usize,
    mean: f64,
    lowest: f64,
    highest: f64,
}

pub(super) fn section(runs: &[RunFiles]) -> Result<Ranking> {
    let compared = groups(runs);
    let missing = runs
        .iter()
        .filter(|run| run.results.is_none() || run.data.is_none());
    Ok(Ranking {
        missing: missing.map(|run| run.lacks(Stage::Evaluate)).collect(),
        groups: compared
            .iter()
            .map(|group| Compared::of(group, runs))
            .collect::<Result<_>>()?,
    })
}

impl Compared {
    fn of(group: &Group, runs: &[RunFiles]) -> Result<Self> {
        let results: Vec<(usize, &Results)> = group
            .runs
            .iter()
            .filter_map(|place| Some((*place, runs[*place].results.as_ref()?)))
            .collect();
        let inside = inside(&results);
        let (full, others) = inside
            .into_iter()
            .partition(|found| found.left == FULL || found.right == FULL);
        let reference = results.first().filter(|_| results.len() > 1);
        Ok(Self {
            protocol: in_words(group),
            sha256: group.sha256.clone(),
            metrics: Metric::ALL.map(Metric::name).to_vec(),
            list_length: group.protocol.list_length,
            models: models(&results)?,
            compared: COMPARED.map(Metric::name).to_vec(),
            inside: with_strips(full)?,
            others: with_strips(others)?,
            reference: reference.map(|(place, _)| runs[*place].name.clone()),
            between: with_strips(across(&results))?,
            seeds: seeds(&results, runs),
        })
    }
}

/// The protocol as a sentence.
fn in_words(group: &Group) -> String {
    let protocol = &group.protocol;
    format!(
        "{}: each of {} users' {} event among {} ({} items), items taken before {}, ties {}; {} training interactions",
        protocol.data,
        protocol.users,
        match protocol.target {
            Target::Validation => "first validation",
            Target::Test => "first test",
        },
        protocol.candidates,
        protocol.items,
        match protocol.seen_items {
            SeenItems::Filtered => "filtered out",
            SeenItems::Kept => "kept in",
        },
        protocol.ties,
        protocol.training_interactions,
    )
}

/// Names of all models, those of the first run first.
fn names(results: &[(usize, &Results)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for model in results.iter().flat_map(|(_, results)| &results.models) {
        if !names.contains(&model.name) {
            names.push(model.name.clone());
        }
    }
    names
}

fn models(results: &[(usize, &Results)]) -> Result<Vec<Row>> {
    let shown = Metric::Ndcg(10).name();
    let of_model = |name: &String| -> Vec<(usize, &ModelResult)> {
        results
            .iter()
            .filter_map(|(run, results)| Some((*run, results.model(name)?)))
            .collect()
    };
    let all: Vec<(usize, &ModelResult)> = names(results).iter().flat_map(of_model).collect();
    let shown = |model: &ModelResult| model.metrics.get(&shown).copied();
    let estimates: Vec<Estimate> = all.iter().filter_map(|(_, model)| shown(model)).collect();
    let range = span(estimates.iter());
    let row = |(run, model): &(usize, &ModelResult)| -> Result<Row> {
        Ok(Row {
            model: model.name.clone(),
            run: *run,
            strip: shown(model).map_or(Ok(String::new()), |one| strip(&one, *run, range))?,
            values: Metric::ALL
                .map(|metric| model.metrics.get(&metric.name()).copied())
                .to_vec(),
            coverage: model.coverage,
            gini: model.gini,
        })
    };
    all.iter().map(row).collect()
}

/// The differences that `evaluate` found, each pair of models once, the full model on the left where it takes part.
fn inside(results: &[(usize, &Results)]) -> Vec<Difference> {
    let names = names(results);
    let mut found = Vec::new();
    for (place, name) in names.iter().enumerate() {
        for earlier in &names[..place] {
            let turned = earlier == FULL;
            let (left, right) = if turned {
                (earlier, name)
            } else {
                (name, earlier)
            };
            for (run, results) in results {
                let of = |metric: Metric| results.difference(&metric.name(), left, right);
                let values = COMPARED.map(of).to_vec();
                if values.iter().any(Option::is_some) {
                    found.push(Difference {
                        left: left.clone(),
                        right: right.clone(),
                        run: *run,
                        strip: String::new(),
                        values,
                    });
                }
            }
        }
    }
    found
}

/// Every model of every other run against the same model of the first.
fn across(results: &[(usize, &Results)]) -> Vec<Difference> {
    let Some(((_, reference), others)) = results.split_first() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in names(results) {
        for (run, other) in others {
            if let Some(values) = between(reference, other, &name) {
                found.push(Difference {
                    left: name.clone(),
                    right: name.clone(),
                    run: *run,
                    strip: String::new(),
                    values: values.map(Some).to_vec(),
                });
            }
        }
    }
    found
}

/// The strips show the first of the compared metrics; 0 is always in their range.
fn with_strips(mut found: Vec<Difference>) -> Result<Vec<Difference>> {
    let first = |one: &Difference| one.values.first().copied().flatten();
    let estimates: Vec<Estimate> = found.iter().filter_map(first).collect();
    let (low, high) = span(estimates.iter());
    let range = (low.min(0.0), high.max(0.0));
    for one in &mut found {
        if let Some(estimate) = first(one) {
            one.strip = strip(&estimate, one.run, range)?;
        }
    }
    Ok(found)
}

/// Means over the runs, if they are the same but for the seed.
fn seeds(results: &[(usize, &Results)], runs: &[RunFiles]) -> Vec<Seeds> {
    let settings: Vec<_> = results
        .iter()
        .map(|(run, _)| &runs[*run].settings)
        .collect();
    if results.len() < 2 || !only_seeds(&settings) {
        return Vec::new();
    }
    let metric = Metric::Ndcg(10).name();
    let of = |model: String| {
        let values: Vec<f64> = results
            .iter()
            .filter_map(|(_, results)| Some(results.model(&model)?.metrics.get(&metric)?.mean))
            .collect();
        Seeds {
            count: values.len(),
            mean: mean(&values),
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            model,
        }
    };
    names(results).into_iter().map(of).collect()
}
