//! `check cold-start`: do texts help where interactions are few? Users by the length of their history, held-out items by
//! how often they were taken in training, and the same users with most of their history hidden.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;

use super::bins::{Bin, bins};
use super::material::{Material, Texts, metric_of};
use super::statistics::{mean_of, paired};
use super::verdict::{Condition, Number, Outcome, Verdict};
use crate::data::Dataset;
use crate::evaluation::{Estimate, FULL, IDS_ONLY, Metric, POPULARITY, Results};
use crate::past::Timeline;
use crate::reward::stores::PatternStore;
use crate::reward::{Features, Scorer};
use crate::run::{Progress, Stage, read_json};

/// Bins of about as many users each.
const BINS: usize = 4;
/// Newest events that a shortened history keeps.
const KEPT: [usize; 3] = [3, 5, 10];

/// Ranks of the three models for the same users, and what the users are binned by.
pub struct Ranks {
    /// Events before the held-out one.
    pub histories: Vec<usize>,
    /// Training interactions of the held-out item.
    pub items: Vec<usize>,
    /// By the full model, by IDs only, by popularity.
    pub models: [Vec<u32>; 3],
}

/// The models with everybody's history cut to its newest events.
pub struct Shortened {
    /// Events kept.
    pub kept: usize,
    /// Full model with the pattern as it was written from the whole history; full model without a pattern; IDs only.
    pub ranks: [Vec<u32>; 3],
}

/// Reads the evaluation's ranks and ranks again with shortened histories.
///
/// # Errors
/// The run has no evaluation, its model reads no texts, a file is damaged; Ctrl-C.
pub fn check(material: &Material, device: &Device, progress: Progress) -> Result<Verdict> {
    let results: Results = read_json(&material.run.stage(Stage::Evaluate).join("results.json"))?;
    let all = material.examples(results.protocol.target);
    let ranks_of = |name: &str| -> Result<Vec<u32>> {
        let ranks = results
            .model(name)
            .map(|model| model.ranks.clone())
            .unwrap_or_default();
        ensure!(
            ranks.len() == all.len(),
            "evaluate/results.json holds {} ranks of `{name}` for {} users; run the stage `evaluate` again",
            ranks.len(),
            all.len()
        );
        Ok(ranks)
    };
    let taken = counts(&material.dataset);
    let ranks = Ranks {
        histories: all.iter().map(|one| one.position).collect(),
        items: all
            .iter()
            .map(|one| taken[material.dataset.histories[one.user][one.position].item as usize])
            .collect(),
        models: [ranks_of(FULL)?, ranks_of(IDS_ONLY)?, ranks_of(POPULARITY)?],
    };
    let shortened = shorten(material, device, progress)?;
    let mut verdict = judge(&ranks, &shortened, material.config.seed);
    verdict.compared = format!(
        "the refitted model with texts (`{FULL}`) against the same architecture on IDs only and against popularity; ranks of \
         {} users' held-out items in the full catalogue; bins of about equally many users; paired over users",
        all.len()
    );
    Ok(verdict)
}

/// Training interactions of every item.
fn counts(dataset: &Dataset) -> Vec<usize> {
    let mut counts = vec![0; dataset.items.len()];
    for event in (0..dataset.users.len()).flat_map(|user| dataset.train_events(user)) {
        counts[event.item as usize] += 1;
    }
    counts
}

fn shorten(material: &Material, device: &Device, progress: Progress) -> Result<Vec<Shortened>> {
    let texts = material.texts(Stage::Correct)?;
    let full = material.ranking_model(Stage::Correct, device)?;
    let ids_only = material.ids_only_model(device)?;
    ensure!(
        full.config().use_reasons || full.config().use_patterns,
        "the ranking model of this run reads no texts: there is nothing that could help"
    );
    let unknown = Texts {
        patterns: PatternStore::new(texts.patterns.width()),
        reasons: texts.reasons.clone(),
    };
    let mut found = Vec::new();
    for kept in KEPT {
        let rank = |title: &str, model: &RewardModel, texts: &Texts| -> Result<Vec<u32>> {
            let features = Features {
                timeline: Timeline::new(&material.dataset),
                patterns: &texts.patterns,
                reasons: &texts.reasons,
            };
            let scorer = Scorer::new(model.clone(), features, device)?.with_history(kept);
            let title = format!("last {kept}, {title}");
            material.ranks(&title, material.config.evaluate.target, &scorer, progress)
        };
        found.push(Shortened {
            kept,
            ranks: [
                rank("with texts", &full, &texts)?,
                rank("no pattern", &full, &unknown)?,
                rank("IDs only", &ids_only, &texts)?,
            ],
        });
    }
    Ok(found)
}

/// The verdict: the coldest bin of users and the coldest bin of items decide.
pub fn judge(ranks: &Ranks, shortened: &[Shortened], seed: u64) -> Verdict {
    let (mut conditions, mut numbers, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (what, values) in [("history", &ranks.histories), ("item count", &ranks.items)] {
        for (index, bin) in bins(values, BINS).into_iter().enumerate() {
            let (gain, n) = binned(&mut numbers, what, &bin, values, ranks, seed);
            let name = format!("{what} {bin}: full − ids only, NDCG@10");
            told.push((format!("{what} {bin}"), gain));
            if index == 0 {
                conditions.push(Condition::above(&name, gain, n, 0.0));
            }
            let group = format!("{what} {bin}");
            numbers.push(Number::measured(
                &group,
                "ndcg@10: full − ids only",
                gain,
                n,
            ));
        }
    }
    for one in shortened {
        shortened_numbers(&mut numbers, one, seed);
    }
    let outcome = Verdict::joint(&conditions);
    Verdict {
        check: "cold-start".into(),
        outcome,
        sentence: sentence(outcome, &conditions, &told),
        compared: String::new(),
        conditions,
        numbers,
        notes: vec![
            "The outcome rests on the shortest histories and the rarest items; every other bin is there to be read, and of \
             many intervals one in twenty misses."
                .into(),
            "Last N events: the model sees only those, what was taken before stays out of the ranking all the same. The \
             pattern is either the stored one, written from more than these events, or none: a pattern from so few events \
             lies between."
                .into(),
        ],
    }
}

/// Adds a bin's numbers; returns the paired gain of texts and the users in it.
fn binned(
    numbers: &mut Vec<Number>,
    what: &str,
    bin: &Bin,
    values: &[usize],
    ranks: &Ranks,
    seed: u64,
) -> (Estimate, usize) {
    let inside: Vec<usize> = (0..values.len())
        .filter(|user| bin.holds(values[*user]))
        .collect();
    let of = |model: usize, metric: Metric| -> Vec<f64> {
        let chosen: Vec<u32> = inside
            .iter()
            .map(|user| ranks.models[model][*user])
            .collect();
        metric_of(metric, &chosen)
    };
    let group = format!("{what} {bin}");
    for metric in [Metric::Ndcg(10), Metric::Recall(10)] {
        for (model, name) in [FULL, IDS_ONLY, POPULARITY].into_iter().enumerate() {
            let name = format!("{}: {name}", shown(metric));
            let value = mean_of(&of(model, metric), seed);
            numbers.push(Number::measured(&group, &name, value, inside.len()));
        }
    }
    let gain = paired(&of(0, Metric::Ndcg(10)), &of(1, Metric::Ndcg(10)), seed);
    (gain, inside.len())
}

fn shortened_numbers(numbers: &mut Vec<Number>, one: &Shortened, seed: u64) {
    let group = format!("everybody with their last {} events", one.kept);
    let names = ["full, pattern kept", "full, no pattern", IDS_ONLY];
    for metric in [Metric::Ndcg(10), Metric::Recall(10)] {
        let values = one.ranks.each_ref().map(|ranks| metric_of(metric, ranks));
        for (name, values) in names.into_iter().zip(&values) {
            let name = format!("{}: {name}", shown(metric));
            numbers.push(Number::measured(
                &group,
                &name,
                mean_of(values, seed),
                values.len(),
            ));
        }
        for (name, left) in names.into_iter().zip(&values).take(2) {
            let name = format!("{}: {name} − ids only", shown(metric));
            let gain = paired(left, &values[2], seed);
            numbers.push(Number::measured(&group, &name, gain, left.len()));
        }
    }
}

/// With one relevant item Recall@10 is HR@10, as the literature on cold start calls it.
fn shown(metric: Metric) -> String {
    match metric {
        Metric::Recall(k) => format!("hr@{k}"),
        metric => metric.name(),
    }
}

/// `conditions`: of the shortest histories, of the rarest items.
fn sentence(outcome: Outcome, conditions: &[Condition], told: &[(String, Estimate)]) -> String {
    let names = |holds: fn(&Estimate) -> bool| {
        let names: Vec<&str> = told
            .iter()
            .filter(|one| holds(&one.1))
            .map(|one| one.0.as_str())
            .collect();
        if names.is_empty() {
            "in no bin".to_owned()
        } else {
            format!("with {}", names.join(", "))
        }
    };
    let said = match outcome {
        Outcome::Pass => "Texts help where interactions are fewest, both of users and of items",
        Outcome::Fail => {
            let failed = |at: usize| conditions[at].outcome == Outcome::Fail;
            match (failed(0), failed(1)) {
                (true, true) => {
                    "Texts do not help where interactions are fewest, neither of users nor of items"
                }
                (true, false) => "Texts do not help where users have the fewest interactions",
                _ => "Texts do not help where items have the fewest interactions",
            }
        }
        Outcome::NotDecidable => {
            "Whether texts help where interactions are fewest cannot be told from these users"
        }
    };
    format!(
        "{said}. By the interval of NDCG@10, `full` is better than `ids only` {}; worse {}.",
        names(|gain| gain.low > 0.0),
        names(|gain| gain.high < 0.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 160 users with histories 1..=160 and items taken as often; `rank` by the full model, 5 by the others.
    fn ranks(rank: impl Fn(usize) -> u32) -> Ranks {
        Ranks {
            histories: (1..=160).collect(),
            items: (1..=160).rev().collect(),
            models: [(1..=160).map(rank).collect(), vec![5; 160], vec![50; 160]],
        }
    }

    #[test]
    fn the_coldest_bins_decide() {
        let found = judge(&ranks(|_| 1), &[], 1);
        assert_eq!(found.outcome, Outcome::Pass, "{found}");
        assert!(found.conditions[0].name.contains("history 1–40"), "{found}");
        assert_eq!(found.conditions[0].n, 40);
        // 1 − 1 / log₂ 6
        let gain = found.conditions[0].value.mean;
        assert!((gain - (1.0 - 1.0 / 6f64.log2())).abs() < 1e-12);
        // Good for long histories only: worse where they are short (and these users' items are the popular ones).
        let found = judge(&ranks(|history| if history <= 40 { 9 } else { 1 }), &[], 1);
        assert_eq!(found.outcome, Outcome::Fail, "{found}");
        assert!(
            found.sentence.contains("worse with history 1–40"),
            "{found}"
        );
        // These users' items are the popular ones: of rare items nothing bad is told.
        let only = "Texts do not help where users have the fewest interactions.";
        assert!(found.sentence.starts_with(only), "{found}");
    }

    #[test]
    fn shortened_histories_are_told_beside() {
        let shortened = Shortened {
            kept: 3,
            ranks: [vec![1; 40], vec![2; 40], vec![5; 40]],
        };
        let found = judge(&ranks(|_| 1), &[shortened], 1);
        let number = |name: &str| {
            found
                .numbers
                .iter()
                .find(|one| one.name == name)
                .unwrap()
                .value
                .mean
        };
        assert!((number("ndcg@10: full, no pattern") - 1.0 / 3f64.log2()).abs() < 1e-12);
        assert_eq!(number("hr@10: full, pattern kept − ids only"), 0.0);
    }
}
