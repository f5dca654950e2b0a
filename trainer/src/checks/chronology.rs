//! `check chronology`: is a correction in the order of time better than the same correction in a random order
//! (METHOD §3)? Two finished runs that differ in nothing else.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::material::metric_of;
use super::statistics::{mean_of, paired};
use super::verdict::{Condition, Number, Outcome, Verdict};
use crate::config::Config;
use crate::evaluation::{FULL, Metric, ModelResult, Results};
use crate::run::{RunDirectory, Stage, read_json};
use crate::stages::BEFORE_CORRECTION;

/// One of the two runs.
pub struct Side {
    /// Its name in messages.
    pub name: String,
    /// Its settings.
    pub config: Config,
    /// Fingerprints of the stages before the correction.
    pub before: BTreeMap<&'static str, String>,
    /// What its evaluation found.
    pub results: Results,
}

impl Side {
    /// Reads a finished run.
    ///
    /// # Errors
    /// A stage is missing or damaged.
    pub fn read(run: &RunDirectory) -> Result<Self> {
        let root = run.root();
        ensure!(
            run.record(Stage::Evaluate).is_some(),
            "{} has no finished `evaluate` stage; `curec run --out {0}` goes on with the run",
            root.display()
        );
        let before = Stage::ALL
            .into_iter()
            .filter(|stage| *stage < Stage::Correct);
        Ok(Self {
            name: root.display().to_string(),
            config: Config::layered(None, Some(&root.join("run.toml")), &[])?,
            before: before
                .filter_map(|stage| Some((stage.name(), run.record(stage)?.fingerprint)))
                .collect(),
            results: read_json(&run.stage(Stage::Evaluate).join("results.json"))?,
        })
    }

    fn model(&self, name: &str) -> Result<&ModelResult> {
        match self.results.model(name) {
            Some(model) if !model.ranks.is_empty() => Ok(model),
            _ => bail!(
                "the results of {} have no ranks of the model `{name}`; run its stage `evaluate` again",
                self.name
            ),
        }
    }
}

/// Compares the two runs user by user.
///
/// # Errors
/// They differ in more than the order of correction: everything in which they do is named.
pub fn check(chronological: &Side, shuffled: &Side) -> Result<Verdict> {
    comparable(chronological, shuffled)?;
    let seed = chronological.config.seed;
    let users = chronological.results.protocol.users;
    let (mut conditions, mut numbers) = (Vec::new(), Vec::new());
    let (left, right) = (chronological.model(FULL)?, shuffled.model(FULL)?);
    for metric in [Metric::Ndcg(10), Metric::Recall(10), Metric::HitRate(50)] {
        let name = metric.name();
        let (left, right) = (
            metric_of(metric, &left.ranks),
            metric_of(metric, &right.ranks),
        );
        for (group, values) in [("chronological", &left), ("shuffled", &right)] {
            numbers.push(Number::measured(group, &name, mean_of(values, seed), users));
        }
        let gain = paired(&left, &right, seed);
        if metric == Metric::Ndcg(10) {
            let name = format!("chronological − shuffled: {name}");
            conditions.push(Condition::above(&name, gain, users, 0.0));
        } else {
            numbers.push(Number::measured(
                "chronological − shuffled",
                &name,
                gain,
                users,
            ));
        }
    }
    let before = chronological.model(BEFORE_CORRECTION)?;
    let before = metric_of(Metric::Ndcg(10), &before.ranks);
    for (group, side) in [("chronological", left), ("shuffled", right)] {
        let gain = paired(&metric_of(Metric::Ndcg(10), &side.ranks), &before, seed);
        numbers.push(Number::measured(
            group,
            "ndcg@10 gained by the correction",
            gain,
            users,
        ));
    }
    numbers.sort_by_key(|one| {
        ["chronological", "shuffled"]
            .iter()
            .position(|group| *group == one.group)
            .unwrap_or(2)
    });
    let outcome = Verdict::joint(&conditions);
    let gain = conditions[0].value;
    let said = match outcome {
        Outcome::Pass => "The order of time is better",
        Outcome::Fail => "The order of time is not better",
        Outcome::NotDecidable => "These users do not tell whether the order of time is better",
    };
    Ok(Verdict {
        check: "chronology".into(),
        outcome,
        sentence: format!(
            "{said} than a random one: NDCG@10 {:+.4} [{:+.4}, {:+.4}].",
            gain.mean, gain.low, gain.high
        ),
        compared: format!(
            "{} with {}: the same data, settings, texts and reward model before the correction; {} interactions corrected in \
             both; ranks of the same {users} users' held-out items by the refitted model, paired over users",
            chronological.name, shuffled.name, chronological.config.correct.interactions
        ),
        conditions,
        numbers,
        notes: vec![
            "The interval covers other users, not another training: one seed each. For a claim, repeat with at least three \
             seeds."
                .into(),
        ],
    })
}

/// Refuses runs that differ in more than `correct.shuffled`.
fn comparable(chronological: &Side, shuffled: &Side) -> Result<()> {
    let [one, other] = [chronological, shuffled];
    for (side, wanted, flag) in [(one, false, "false"), (other, true, "true")] {
        ensure!(
            side.config.correct.shuffled == wanted,
            "{} has correct.shuffled = {}, and {flag} is expected of it: give the chronological run first and then the one \
             made with --shuffled",
            side.name,
            side.config.correct.shuffled
        );
        ensure!(
            side.config.correct.interactions > 0,
            "{} corrected nothing (correct.interactions = 0), so it has no order to compare",
            side.name
        );
    }
    let differing = differences(&settings(&one.config)?, &settings(&other.config)?);
    ensure!(
        differing.is_empty(),
        "{} and {} differ in more than the order of correction: {}; make the second with the settings of the first and \
         --shuffled",
        one.name,
        other.name,
        differing.join(", ")
    );
    for (stage, fingerprint) in &one.before {
        ensure!(
            other.before.get(stage) == Some(fingerprint),
            "the stage `{stage}` of {} is not that of {} (another version of curec, or other source files); run both anew",
            other.name,
            one.name
        );
    }
    ensure!(
        one.results.protocol == other.results.protocol,
        "{} and {} were evaluated by different protocols; run the stage `evaluate` of both again",
        one.name,
        other.name
    );
    Ok(())
}

/// What decides a result, but for the order of correction.
fn settings(config: &Config) -> Result<Value> {
    let mut config = config.deciding();
    config.correct.shuffled = false;
    // Which controls are ranked beside it changes no rank of the model; an ablation has them in its full run only.
    config.evaluate.controls = Vec::new();
    config.export = Default::default();
    config.run = Default::default();
    Ok(serde_json::to_value(config)?)
}

/// The settings that differ, as `a.b = 1 and 2`, in alphabetical order.
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    flatten("", left, &mut one);
    flatten("", right, &mut other);
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let show = |found: Option<&String>| found.cloned().unwrap_or_else(|| "nothing".into());
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| {
            format!(
                "{name} = {} and {}",
                show(one.get(name)),
                show(other.get(name))
            )
        })
        .collect()
}

fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() {
                    field.clone()
                } else {
                    format!("{name}.{field}")
                };
                flatten(&name, value, into);
            }
        }
        Value::Null => {}
        value => {
            into.insert(name.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Control, EvaluationConfig, Protocol, Ranked, SeenItems, Target};

    fn side(name: &str, shuffled: bool, rank: impl Fn(u32) -> u32) -> Side {
        let ranks: Vec<u32> = (0..80).map(rank).collect();
        let protocol = Protocol {
            data: "toy".into(),
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            candidates: "full catalogue".into(),
            ties: "pessimistic".into(),
            users: 80,
            items: 100,
            training_interactions: 800,
            list_length: 10,
            bootstrap_samples: 100,
            seed: 1,
        };
        let model = |name: &str, ranks: Vec<u32>| Ranked {
            name: name.into(),
            ranks,
            coverage: 0.5,
            gini: 0.5,
        };
        let models = vec![model(BEFORE_CORRECTION, vec![9; 80]), model(FULL, ranks)];
        let mut config = Config::default();
        config.correct.shuffled = shuffled;
        Side {
            name: name.into(),
            config,
            before: BTreeMap::from([("data", "d".to_owned())]),
            results: Results::new(protocol, models, &EvaluationConfig::default()),
        }
    }

    #[test]
    fn the_better_order_passes_and_the_worse_one_fails() {
        let good = |user: u32| 1 + user % 3;
        let bad = |user: u32| 3 + user % 3;
        let found = check(&side("a", false, good), &side("b", true, bad)).unwrap();
        assert_eq!(found.outcome, Outcome::Pass, "{found}");
        let found = check(&side("a", false, bad), &side("b", true, good)).unwrap();
        assert_eq!(found.outcome, Outcome::Fail, "{found}");
        let found = check(&side("a", false, good), &side("b", true, good)).unwrap();
        assert_eq!(
            (found.outcome, found.conditions[0].value.mean),
            (Outcome::Fail, 0.0)
        );
    }

    #[test]
    fn runs_that_differ_in_anything_else_are_refused_by_name() {
        let first = side("a", false, |_| 1);
        let refused = |change: fn(&mut Side), words: &str| {
            let mut second = side("b", true, |_| 1);
            change(&mut second);
            let error = check(&first, &second).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(
            |one| one.config.correct.window = 9,
            "correct.window = 4 and 9",
        );
        refused(|one| one.config.seed = 3, "seed = 0 and 3");
        refused(|one| one.config.correct.shuffled = false, "--shuffled");
        refused(
            |one| one.config.correct.interactions = 0,
            "corrected nothing",
        );
        refused(
            |one| one.before = BTreeMap::from([("data", "x".to_owned())]),
            "stage `data`",
        );
        refused(|one| one.results.protocol.seed = 5, "protocols");
        // What only says how the work is done may differ.
        let mut second = side("b", true, |_| 1);
        second.config.run.checkpoint_seconds = 1.0;
        second.config.llm.rows = 3;
        assert!(check(&first, &second).is_ok());
        // So may the controls beside what is compared: the rows of an ablation are two such runs.
        second.config.evaluate.controls = Control::ALL.to_vec();
        assert_ne!(
            second.config.evaluate.controls,
            first.config.evaluate.controls
        );
        assert!(check(&first, &second).is_ok());
    }

    #[test]
    fn differences_name_every_field() {
        let (one, other) = (
            serde_json::json!({"a": {"b": 1, "c": [1, 2]}, "d": null, "e": "x"}),
            serde_json::json!({"a": {"b": 2, "c": [1, 2]}, "d": 5, "e": "x"}),
        );
        assert_eq!(
            differences(&one, &other),
            ["a.b = 1 and 2", "d = nothing and 5"]
        );
    }
}
