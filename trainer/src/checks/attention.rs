//! `check attention`: do patterns attend to the reasons that name their tastes (METHOD §2, Eq. 7)? The mass of attention on
//! such reasons against the same weights permuted, and against the attention that another user's pattern pays.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::material::{Material, Texts};
use super::statistics::{clusters, mean};
use super::verdict::{Condition, Number, Outcome, Verdict};
use crate::data::Attribute;
use crate::evaluation::clustered;
use crate::past::Timeline;
use crate::reward::{Features, Scorer};
use crate::run::{Progress, Stage, interrupted};
use crate::stages::Interrupted;
use crate::text::{Vocabulary, claims};

/// Permutations behind the null distribution.
const PERMUTATIONS: usize = 1000;

/// One user looking at one item's reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The user.
    pub user: usize,
    /// Attention on each reason; sums to 1.
    pub weights: Vec<f64>,
    /// Attention that another user's pattern pays to the same reasons.
    pub others: Vec<f64>,
    /// Whether the reason names a taste that the user's pattern names.
    pub named: Vec<bool>,
}

impl Look {
    /// Whether attention has a choice: some reasons name a taste and some do not.
    fn decides(&self) -> bool {
        self.named.contains(&true) && self.named.contains(&false)
    }

    fn mass(&self, weights: &[f64]) -> f64 {
        let on = weights.iter().zip(&self.named).filter(|(_, named)| **named);
        on.map(|(weight, _)| weight).sum()
    }

    /// Mass on such reasons that permuted weights have on average: the share of such reasons.
    fn permuted(&self) -> f64 {
        let named = self.named.iter().filter(|named| **named).count();
        named as f64 / self.named.len() as f64
    }
}

/// Looks at every item of the catalogue as each user sees it before their held-out event.
///
/// # Errors
/// The model reads no reasons or no patterns; a file is damaged; Ctrl-C.
pub fn check(material: &Material, device: &Device, progress: Progress) -> Result<Verdict> {
    let texts = material.texts(Stage::Correct)?;
    let model = material.ranking_model(Stage::Correct, device)?;
    ensure!(
        model.config().use_reasons && model.config().use_patterns,
        "the ranking model of this run does not read both reasons and patterns: its attention has nothing to match"
    );
    let swapped = Texts {
        patterns: texts.patterns.with_swapped_users(material.config.seed),
        reasons: texts.reasons.clone(),
    };
    let scorer = |texts| Scorer::new(model.clone(), features(material, texts), device);
    let (own, other) = (scorer(&texts)?, scorer(&swapped)?);
    let vocabulary = Vocabulary::of(&material.dataset.items);
    let named =
        |text: &String| -> BTreeSet<Attribute> { claims(text, &vocabulary).into_iter().collect() };
    let tastes: Vec<_> = texts
        .patterns
        .entries()
        .iter()
        .map(|one| named(&one.text))
        .collect();
    let said: Vec<_> = texts
        .reasons
        .entries()
        .iter()
        .map(|one| named(&one.text))
        .collect();
    let items: Vec<u32> = (0..material.dataset.items.len() as u32).collect();
    let all = material.examples(material.config.evaluate.target);
    let mut bar = progress.bar("look at reasons", all.len() as u64);
    let mut looks = Vec::new();
    for (done, example) in all.iter().enumerate() {
        if interrupted() {
            return Err(Interrupted.into());
        }
        let past = Timeline::new(&material.dataset).past(example.user, example.position)?;
        let Some(pattern) = past.pattern(&texts.patterns) else {
            continue;
        };
        let tastes = &tastes[pattern as usize];
        let (mine, theirs) = (
            own.reason_attention(*example, &items)?,
            other.reason_attention(*example, &items)?,
        );
        for (mine, theirs) in mine
            .into_iter()
            .zip(theirs)
            .filter(|(mine, _)| mine.len() > 1)
        {
            looks.push(Look {
                user: example.user,
                named: mine
                    .iter()
                    .map(|(row, _)| !said[*row as usize].is_disjoint(tastes))
                    .collect(),
                weights: mine.iter().map(|(_, weight)| f64::from(*weight)).collect(),
                others: theirs
                    .iter()
                    .map(|(_, weight)| f64::from(*weight))
                    .collect(),
            });
        }
        bar.set(done as u64 + 1, "");
    }
    bar.finish("");
    Ok(judge(&looks, material.config.seed))
}

fn features<'a>(material: &'a Material, texts: &'a Texts) -> Features<'a> {
    Features {
        timeline: Timeline::new(&material.dataset),
        patterns: &texts.patterns,
        reasons: &texts.reasons,
    }
}

/// The verdict on these looks.
pub fn judge(looks: &[Look], seed: u64) -> Verdict {
    let deciding: Vec<&Look> = looks.iter().filter(|look| look.decides()).collect();
    let per_look = |value: fn(&Look) -> f64| -> Vec<(usize, f64)> {
        deciding
            .iter()
            .map(|look| (look.user, value(look)))
            .collect()
    };
    let mass = per_look(|look| look.mass(&look.weights));
    let users = clusters(&mass);
    let against = [
        (
            "own − permuted attention",
            per_look(|look| look.mass(&look.weights) - look.permuted()),
        ),
        (
            "own − another user's pattern",
            per_look(|look| look.mass(&look.weights) - look.mass(&look.others)),
        ),
    ];
    let conditions: Vec<Condition> = against
        .iter()
        .map(|(name, values)| Condition::above(name, clustered(values, seed), users, 0.0))
        .collect();
    let group = "attention mass on reasons that name a taste of the pattern";
    let number = |name: &str, values: &[(usize, f64)]| {
        Number::measured(group, name, clustered(values, seed), values.len())
    };
    let mut numbers = vec![
        number("own pattern", &mass),
        number("permuted attention (exact mean)", &per_look(Look::permuted)),
        number(
            "another user's pattern",
            &per_look(|look| look.mass(&look.others)),
        ),
    ];
    let null = permutations(&deciding, seed);
    let found = mean(&mass.iter().map(|one| one.1).collect::<Vec<_>>());
    let reached = null.iter().filter(|mass| **mass >= found).count();
    let p = (reached + 1) as f64 / (null.len() + 1) as f64;
    numbers.push(Number::exact(
        "permutation test",
        "one-sided p",
        p,
        null.len(),
    ));
    let share = deciding.len() as f64 / looks.len().max(1) as f64;
    numbers.push(Number::exact(
        "looks",
        "share in which some reasons name a taste and some do not",
        share,
        looks.len(),
    ));
    let outcome = Verdict::joint(&conditions);
    Verdict {
        check: "attention".into(),
        outcome,
        sentence: sentence(outcome, &conditions, [0, 1, 2].map(|at| numbers[at].value.mean)),
        compared: format!(
            "{} of {} pairs of a user with a pattern and an item with two visible reasons or more, {users} users: those in \
             which some reasons name an attribute that the pattern names and others do not; attention of the refitted model, \
             mean over heads, at the moment before the held-out event; intervals resample whole users",
            deciding.len(),
            looks.len()
        ),
        conditions,
        numbers,
        notes: vec![
            "Permuted: the same weights in random places of the same list, so a model that looks at nothing in particular \
             scores alike. Another user's pattern: a model that likes some reasons whoever asks scores alike."
                .into(),
            "What a text names is found by the catalogue's attribute values as whole words; a taste said in other words is \
             missed on both sides."
                .into(),
            "A difference that is certain may still be small: look at its size before the weights are shown as an \
             explanation."
                .into(),
        ],
    }
}

/// Mean mass when every list's weights are permuted, many times.
fn permutations(looks: &[&Look], seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut weights: Vec<Vec<f64>> = looks.iter().map(|look| look.weights.clone()).collect();
    // Enough draws for a p-value, and no more work than a few seconds where there are very many looks.
    let rounds = PERMUTATIONS.min(20_000_000 / looks.len().max(1)).max(50);
    (0..rounds)
        .map(|_| {
            let masses = looks.iter().zip(&mut weights).map(|(look, weights)| {
                weights.shuffle(&mut rng);
                look.mass(weights)
            });
            masses.sum::<f64>() / looks.len().max(1) as f64
        })
        .collect()
}

fn sentence(
    outcome: Outcome,
    conditions: &[Condition],
    [own, permuted, other]: [f64; 3],
) -> String {
    let numbers = format!(
        "{own:.4} of the attention lies on them, {permuted:.4} when permuted, {other:.4} with another user's pattern"
    );
    let attends = conditions[0].outcome == Outcome::Pass;
    match outcome {
        Outcome::Pass => {
            format!("Patterns attend to the reasons that name their tastes: {numbers}.")
        }
        Outcome::Fail if attends => format!(
            "Attention leans to reasons that name the pattern's tastes, but anybody's pattern would lean that way: \
             {numbers}."
        ),
        Outcome::Fail => {
            format!("Patterns do not attend to the reasons that name their tastes: {numbers}.")
        }
        Outcome::NotDecidable => format!(
            "These users do not tell whether patterns attend to the reasons that name their tastes: {numbers}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 users with two lists each; `own` and `others` on the reason that names a taste.
    fn looks(own: f64, others: f64) -> Vec<Look> {
        (0..80)
            .map(|index| Look {
                user: index / 2,
                weights: vec![own, (1.0 - own) / 3.0, (1.0 - own) / 3.0, (1.0 - own) / 3.0],
                others: vec![
                    others,
                    (1.0 - others) / 3.0,
                    (1.0 - others) / 3.0,
                    (1.0 - others) / 3.0,
                ],
                named: vec![true, false, false, false],
            })
            .collect()
    }

    #[test]
    fn mass_and_its_permuted_mean_by_hand() {
        let look = Look {
            user: 0,
            weights: vec![0.5, 0.3, 0.2],
            others: vec![0.1, 0.1, 0.8],
            named: vec![true, false, true],
        };
        assert!((look.mass(&look.weights) - 0.7).abs() < 1e-12);
        assert!((look.mass(&look.others) - 0.9).abs() < 1e-12);
        assert!((look.permuted() - 2.0 / 3.0).abs() < 1e-12);
        // The mean over all orders of the weights is the share of such reasons.
        let null = permutations(&[&look], 1);
        assert!(
            (mean(&null) - look.permuted()).abs() < 0.02,
            "{}",
            mean(&null)
        );
    }

    #[test]
    fn attention_to_named_tastes_passes_only_if_it_is_the_patterns_own() {
        let found = judge(&looks(0.7, 0.25), 1);
        assert_eq!(found.outcome, Outcome::Pass, "{found}");
        assert!((found.conditions[0].value.mean - 0.45).abs() < 1e-9);
        let p = found
            .numbers
            .iter()
            .find(|one| one.name == "one-sided p")
            .unwrap();
        assert!(p.value.mean < 0.01, "{found}");
        let found = judge(&looks(0.7, 0.7), 1);
        assert_eq!(found.outcome, Outcome::Fail);
        assert!(found.sentence.contains("anybody's pattern"), "{found}");
        assert_eq!(judge(&looks(0.25, 0.25), 1).outcome, Outcome::Fail);
    }

    #[test]
    fn lists_without_a_choice_do_not_count() {
        let mut all = looks(0.7, 0.25);
        for look in &mut all {
            look.named = vec![true; 4];
        }
        let found = judge(&all, 1);
        assert_eq!(found.outcome, Outcome::NotDecidable);
        assert_eq!(found.conditions[0].n, 0);
    }
}
