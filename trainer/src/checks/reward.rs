//! `check reward`: does the reward model tell real reasons from random ones (METHOD §2)? Its weights stay; only the texts'
//! vectors are dealt anew, several times.

use anyhow::{Result, ensure};
use burn::tensor::Device;

use super::material::{Material, Texts};
use super::statistics::{mean, mean_of, paired};
use super::verdict::{Condition, Number, Outcome, Verdict};
use crate::evaluation::{Metric, Ranker, rank_of};
use crate::past::Timeline;
use crate::reward::{Features, Scorer};
use crate::run::{Progress, Stage};

/// What a user's held-out item got under one set of texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Discrimination {
    /// NDCG@10 of every user.
    pub ndcg: Vec<f64>,
    /// Logit of the held-out item minus the mean logit of all other items that compete, per user.
    pub margin: Vec<f64>,
    /// Share of the other items that score lower, per user (an AUC; ties count against it).
    pub below: Vec<f64>,
}

/// One of the three, of every user.
type Part = fn(&Discrimination) -> &Vec<f64>;

impl Discrimination {
    /// Adds a user from the scores of the catalogue.
    pub fn push(&mut self, item: u32, scores: &[f32], competes: impl Fn(u32) -> bool, rank: u32) {
        let others: Vec<f64> = (0..scores.len() as u32)
            .filter(|other| *other != item && competes(*other))
            .map(|other| f64::from(scores[other as usize]))
            .collect();
        self.ndcg.push(Metric::Ndcg(10).of_rank(rank));
        self.margin
            .push(f64::from(scores[item as usize]) - mean(&others));
        let count = others.len().max(1) as f64;
        self.below.push(1.0 - f64::from(rank - 1) / count);
    }

    /// Per user the mean over several.
    fn mean(all: &[Self]) -> Self {
        let average = |part: Part| {
            let users = all.first().map_or(0, |one| part(one).len());
            let of = |user: usize| mean(&all.iter().map(|one| part(one)[user]).collect::<Vec<_>>());
            (0..users).map(of).collect()
        };
        Self {
            ndcg: average(|one| &one.ndcg),
            margin: average(|one| &one.margin),
            below: average(|one| &one.below),
        }
    }
}

/// A control: a name and what it exchanges.
const CONTROLS: [(&str, bool, bool); 3] = [
    ("random reasons", true, false),
    ("other users' patterns", false, true),
    ("random texts (both)", true, true),
];

/// Ranks held-out items by the ranking model of `stage` with real and with exchanged texts.
///
/// # Errors
/// The run has no such stage, its model reads no texts, a file is damaged; Ctrl-C.
pub fn check(
    material: &Material,
    stage: Stage,
    shuffles: usize,
    device: &Device,
    progress: Progress,
) -> Result<Verdict> {
    let model = material.ranking_model(stage, device)?;
    let (uses_reasons, uses_patterns) = (model.config().use_reasons, model.config().use_patterns);
    ensure!(
        uses_reasons,
        "the ranking model of this run reads no reasons (reward.model.use_reasons = false): there is nothing to check"
    );
    let source = if stage == Stage::Reward {
        Stage::Generate
    } else {
        stage
    };
    let texts = material.texts(source)?;
    let measure = |title: &str, texts: &Texts| -> Result<Discrimination> {
        let features = Features {
            timeline: Timeline::new(&material.dataset),
            patterns: &texts.patterns,
            reasons: &texts.reasons,
        };
        let scorer = Scorer::new(model.clone(), features, device)?;
        discrimination(material, title, &scorer, progress)
    };
    let real = measure("real texts", &texts)?;
    let mut controls = Vec::new();
    for (name, reasons, patterns) in CONTROLS {
        if patterns && !uses_patterns {
            continue;
        }
        let mut found = Vec::new();
        for shuffle in 0..shuffles.max(1) {
            let seed = material.config.seed.wrapping_add(shuffle as u64);
            let exchanged = Texts {
                reasons: if reasons {
                    texts.reasons.with_shuffled_vectors(seed)
                } else {
                    texts.reasons.clone()
                },
                patterns: if patterns {
                    texts.patterns.with_swapped_users(seed)
                } else {
                    texts.patterns.clone()
                },
            };
            found.push(measure(&format!("{name} {}", shuffle + 1), &exchanged)?);
        }
        controls.push((name, found));
    }
    let mut verdict = judge(&real, &controls, material.config.seed);
    let which = if stage == Stage::Reward {
        "the reward model of stage `reward` on the texts of stage `generate`, which gives reasons their reward in the correction"
    } else {
        "the ranking model refitted in stage `correct` on the corrected texts, which is the recommender"
    };
    verdict.compared = format!(
        "{which}: the same weights with every text where it belongs and with the vectors dealt anew ({} times, other seeds \
         each time); rank of each user's held-out item ({:?}, never trained on) in the full catalogue of {} items; paired over \
         users",
        shuffles.max(1),
        material.config.evaluate.target,
        material.dataset.items.len()
    );
    Ok(verdict)
}

fn discrimination(
    material: &Material,
    title: &str,
    ranker: &dyn Ranker,
    progress: Progress,
) -> Result<Discrimination> {
    let all = material.examples(material.config.evaluate.target);
    let mut found = Discrimination::default();
    material.visit(
        title,
        &all,
        ranker,
        progress,
        &mut |item, scores, excluded| {
            let rank = rank_of(scores, item, excluded);
            found.push(item, scores, |other| !excluded.contains(&other), rank);
        },
    )?;
    Ok(found)
}

/// Real against each control, averaged over its shuffles; the conditions rest on random reasons.
pub fn judge(
    real: &Discrimination,
    controls: &[(&str, Vec<Discrimination>)],
    seed: u64,
) -> Verdict {
    let users = real.ndcg.len();
    let (mut conditions, mut numbers) = (Vec::new(), Vec::new());
    let parts: [(&str, Part); 3] = [
        ("NDCG@10", |one| &one.ndcg),
        ("margin of the held-out item (logits)", |one| &one.margin),
        ("share of other items below it", |one| &one.below),
    ];
    for (name, part) in parts {
        numbers.push(Number::measured(
            "real texts",
            name,
            mean_of(part(real), seed),
            users,
        ));
    }
    for (control, shuffles) in controls {
        let average = Discrimination::mean(shuffles);
        for (name, part) in parts {
            numbers.push(Number::measured(
                control,
                name,
                mean_of(part(&average), seed),
                users,
            ));
            let gain = paired(part(real), part(&average), seed);
            let name = format!("real − {control}: {name}");
            if *control == CONTROLS[0].0 && conditions.len() < 2 {
                conditions.push(Condition::above(&name, gain, users, 0.0));
            } else {
                numbers.push(Number::measured(control, &name, gain, users));
            }
        }
        let of_shuffles: Vec<f64> = shuffles.iter().map(|one| mean(&one.ndcg)).collect();
        let ends = of_shuffles
            .iter()
            .copied()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, value| {
                (ends.0.min(value), ends.1.max(value))
            });
        for (name, value) in [
            ("lowest NDCG@10 of a shuffle", ends.0),
            ("highest NDCG@10 of a shuffle", ends.1),
        ] {
            numbers.push(Number::exact(control, name, value, shuffles.len()));
        }
    }
    let outcome = Verdict::joint(&conditions);
    Verdict {
        check: "reward".into(),
        outcome,
        sentence: sentence(outcome, &conditions),
        compared: String::new(),
        conditions,
        numbers,
        notes: vec![
            "A model trained with texts may lean on them without being better for it: whether texts help at all is \
             `full` against `ids only` in the evaluation."
                .into(),
        ],
    }
}

fn sentence(outcome: Outcome, conditions: &[Condition]) -> String {
    let gain = |at: usize| conditions.get(at).map_or(f64::NAN, |one| one.value.mean);
    let numbers = format!("NDCG@10 {:+.4}, margin {:+.3} logits", gain(0), gain(1));
    match outcome {
        Outcome::Pass => format!(
            "Held-out items stand higher with their real reasons than with random ones ({numbers})."
        ),
        Outcome::Fail => format!(
            "Random reasons serve held-out items as well as their real ones, or better, in rank or margin ({numbers}): what a \
             reason says does not matter enough to the reward."
        ),
        Outcome::NotDecidable => format!(
            "These users do not tell whether real reasons serve held-out items better than random ones ({numbers})."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_and_share_below_by_hand() {
        let mut found = Discrimination::default();
        // Item 1 with 2.0; items 0 and 3 compete with 1.0 and 4.0, item 2 was seen. Mean of the others 2.5, one of two below.
        found.push(1, &[1.0, 2.0, 9.0, 4.0], |other| other != 2, 2);
        assert_eq!(found.margin, [-0.5]);
        assert_eq!(found.below, [0.5]);
        assert!((found.ndcg[0] - 1.0 / 3f64.log2()).abs() < 1e-12);
    }

    fn users(ndcg: f64, margin: f64) -> Discrimination {
        let spread = |value: f64| {
            (0..60)
                .map(|user| value + f64::from(user % 5) * 0.01)
                .collect()
        };
        Discrimination {
            ndcg: spread(ndcg),
            margin: spread(margin),
            below: spread(0.8),
        }
    }

    #[test]
    fn reasons_that_matter_pass_and_reasons_that_do_not_fail() {
        let control = |ndcg, margin| {
            vec![(
                "random reasons",
                vec![users(ndcg, margin), users(ndcg - 0.02, margin)],
            )]
        };
        let verdict = judge(&users(0.3, 2.0), &control(0.2, 1.0), 1);
        assert_eq!(verdict.outcome, Outcome::Pass, "{verdict}");
        // 0.3 − (0.2 + 0.18) / 2
        assert!((verdict.conditions[0].value.mean - 0.11).abs() < 1e-12);
        assert_eq!(
            judge(&users(0.2, 1.0), &control(0.3, 1.5), 1).outcome,
            Outcome::Fail
        );
    }
}
