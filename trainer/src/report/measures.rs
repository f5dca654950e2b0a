//! What other commands measured of a run and left beside its stages: `explanations.json`, and the verdicts in `checks/`
//! (one `NAME.json` each). They are shown where they are there and of the models that are there now; a reader of such a file needs only
//! what is named here.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::chart::Line;
use super::curves::{Chart, chart};
use super::files::{RunFiles, present};
use crate::run::{Stage, read_json};

/// A mean with its interval; what could not be measured is `null` in the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Value {
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// `explanations.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Explanations {
    #[serde(default)]
    warnings: Vec<String>,
    scopes: Vec<Scope>,
    /// The pass in ten parts: numbers by name.
    #[serde(default, skip_serializing)]
    drift: Vec<BTreeMap<String, serde_json::Value>>,
    #[serde(default, skip_serializing)]
    runs: Vec<Of>,
}

/// What a file was measured on: fingerprints by stage.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Of {
    #[serde(default)]
    stages: BTreeMap<String, String>,
}

/// Numbers about the same texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Scope {
    name: String,
    rows: Vec<Row>,
}

/// One number before and after correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    before: Value,
    after: Value,
    difference: Value,
}

/// A verdict of `checks/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Check {
    check: String,
    outcome: String,
    sentence: String,
    #[serde(default)]
    numbers: Vec<Number>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default, skip_serializing)]
    runs: Vec<Of>,
}

/// A number of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Number {
    group: String,
    name: String,
    value: Value,
}

/// All of one run.
#[derive(Debug, Default)]
pub(super) struct Measures {
    explanations: Option<Explanations>,
    checks: Vec<Check>,
}

/// What there is of one run.
#[derive(Debug, Serialize)]
pub(super) struct Measured<'a> {
    run: usize,
    explanations: Option<&'a Explanations>,
    checks: &'a [Check],
}

impl Measures {
    /// Reads what is there; of what was measured before a stage that it rests on was run anew (`now`: its fingerprint) only that is left.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn read(root: &Path, now: impl Fn(Stage) -> Option<String>) -> Result<Self> {
        let folder = root.join("checks");
        let mut paths = Vec::new();
        if folder.is_dir() {
            let cannot = || format!("cannot open {}", folder.display());
            for entry in std::fs::read_dir(&folder).with_context(cannot)? {
                paths.push(entry.with_context(cannot)?.path());
            }
        }
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        paths.sort();
        let mut found = Self {
            explanations: present(&root.join("explanations.json"))?,
            checks: paths
                .iter()
                .map(|path| read_json(path))
                .collect::<Result<_>>()?,
        };
        if let Some(told) = &mut found.explanations
            && outdated(&told.runs, Stage::Correct, &now)
        {
            told.warnings = vec![format!(
                "they were measured before `{}` or what it rests on was run anew, so they are left out: `curec evaluate --reasons` measures \
                 them again",
                Stage::Correct.name()
            )];
            told.scopes.clear();
            told.drift.clear();
        }
        for check in &mut found.checks {
            let of = rests_on(&check.check);
            if outdated(&check.runs, of, &now) {
                "out of date".clone_into(&mut check.outcome);
                check.sentence = format!(
                    "It was asked before `{}` or what it rests on was run anew: `curec check {}` asks again.",
                    of.name(),
                    check.check
                );
                check.numbers.clear();
                check.notes.clear();
            }
        }
        Ok(found)
    }
}

/// The last stage that a check reads.
fn rests_on(check: &str) -> Stage {
    match check {
        "pretrain" => Stage::Pretrain,
        "reward" => Stage::Reward,
        "cold-start" => Stage::Evaluate,
        _ => Stage::Correct,
    }
}

/// Whether none of the runs that were measured is the one that is there; older files do not say.
fn outdated(of: &[Of], stage: Stage, now: impl Fn(Stage) -> Option<String>) -> bool {
    let same = |one: &Of| one.stages.get(stage.name()) == now(stage).as_ref();
    !of.is_empty() && !of.iter().any(same)
}

pub(super) fn section(runs: &[RunFiles]) -> Vec<Measured<'_>> {
    let all = runs.iter().enumerate();
    all.map(|(run, files)| Measured {
        run,
        explanations: files.measures.explanations.as_ref(),
        checks: &files.measures.checks,
    })
    .filter(|one| one.explanations.is_some() || !one.checks.is_empty())
    .collect()
}

/// What is known of every part of the correction pass besides what its own files say, e.g. the held-out NDCG.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn along_the_pass(runs: &[RunFiles]) -> Result<Vec<Chart>> {
    let mut curves: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for (run, files) in runs.iter().enumerate() {
        for (name, points) in files.measures.curves() {
            curves.entry(name).or_default().push(Line {
                run,
                before: false,
                points,
            });
        }
    }
    let drawn = curves
        .iter()
        .map(|(name, lines)| chart(name, "part of the pass", lines, None));
    let drawn: Vec<Option<Chart>> = drawn.collect::<Result<_>>()?;
    Ok(drawn.into_iter().flatten().collect())
}

/// Step and value by name.
type Curves = BTreeMap<String, Vec<(f64, f64)>>;

impl Measures {
    /// Numbers of `explanations.json` per part of the pass, and those that a check has of `part 1`, `part 2`, …
    fn curves(&self) -> Curves {
        let mut curves = Curves::new();
        let parts = self.explanations.iter().flat_map(|found| &found.drift);
        for (index, part) in parts.enumerate() {
            for (name, value) in part {
                if let Some(value) = value.as_f64() {
                    let name = format!("{} (explanations.json)", name.replace('_', " "));
                    curves
                        .entry(name)
                        .or_default()
                        .push(((index + 1) as f64, value));
                }
            }
        }
        for check in &self.checks {
            for number in &check.numbers {
                let part = number.group.strip_prefix("part ");
                let part = part.and_then(|part| part.parse::<u32>().ok());
                if let Some((part, value)) = part.zip(number.value.mean) {
                    let name = format!("{} (check {})", number.name, check.check);
                    curves
                        .entry(name)
                        .or_default()
                        .push((f64::from(part), value));
                }
            }
        }
        curves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_per_part_become_curves() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("checks")).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write(
            "explanations.json",
            "{\"scopes\":[],\"more\":1,\"drift\":[{\"events\":3,\"self_bleu\":null},{\"events\":4,\"self_bleu\":0.5}]}",
        );
        write(
            "checks/drift.json",
            "{\"check\":\"drift\",\"outcome\":\"pass\",\"sentence\":\"It holds.\",\"numbers\":[\
             {\"group\":\"part 2\",\"name\":\"NDCG\",\"value\":{\"mean\":0.25,\"low\":0,\"high\":1}},\
             {\"group\":\"all\",\"name\":\"NDCG\",\"value\":{\"mean\":null,\"low\":null,\"high\":null}}]}",
        );
        write("checks/notes.txt", "mine");
        let curves = Measures::read(folder.path(), |_| None).unwrap().curves();
        let expected = [
            ("NDCG (check drift)", vec![(2.0, 0.25)]),
            ("events (explanations.json)", vec![(1.0, 3.0), (2.0, 4.0)]),
            ("self bleu (explanations.json)", vec![(2.0, 0.5)]),
        ];
        let expected = expected.map(|(name, points)| (name.to_owned(), points));
        assert_eq!(curves, Curves::from(expected));
        write("checks/drift.json", "{}");
        let said = format!("{:#}", Measures::read(folder.path(), |_| None).unwrap_err());
        assert!(said.contains("drift.json is damaged"), "{said}");
    }

    #[test]
    fn what_was_measured_of_older_models_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("checks")).unwrap();
        let of = "\"runs\":[{\"stages\":{\"pretrain\":\"a\",\"correct\":\"b\"}}]";
        let check = |name: &str| {
            let text = format!(
                "{{\"check\":\"{name}\",\"outcome\":\"pass\",\"sentence\":\"It holds.\",\"notes\":[\"So it is.\"],{of}}}"
            );
            std::fs::write(folder.path().join(format!("checks/{name}.json")), text).unwrap();
        };
        check("attention");
        check("pretrain");
        std::fs::write(
            folder.path().join("explanations.json"),
            format!("{{\"scopes\":[{{\"name\":\"all\",\"rows\":[]}}],{of}}}"),
        )
        .unwrap();
        let read = |pretrain: &str, correct: &str| {
            let now = |stage| match stage {
                Stage::Pretrain => Some(pretrain.to_owned()),
                Stage::Correct => Some(correct.to_owned()),
                _ => None,
            };
            let found = Measures::read(folder.path(), now).unwrap();
            let outcomes: Vec<String> =
                found.checks.iter().map(|one| one.outcome.clone()).collect();
            let told = found.explanations.unwrap();
            (outcomes, told.scopes.len(), told.warnings.len())
        };
        let pass = || "pass".to_owned();
        let old = || "out of date".to_owned();
        assert_eq!(read("a", "b"), (vec![pass(), pass()], 1, 0));
        assert_eq!(read("a", "c"), (vec![old(), pass()], 0, 1));
        assert_eq!(read("c", "c"), (vec![old(), old()], 0, 1));
    }
}
