//! `check study`: do raters prefer the run's reasons, and find them more relevant and more coherent than the baselines?

use std::collections::BTreeMap;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::agreement::{Scale, alpha};
use super::binomial::two_sided;
use super::content::Condition as Shown;
use super::ratings::{Judgement, Scores};
use crate::checks::{Condition, ENOUGH, Number, Outcome, Verdict};
use crate::evaluation::{Estimate, RESAMPLES, estimate};

/// Raters below which nothing is decided: one person's taste is no finding.
const RATERS: usize = 3;

/// One value with who gave it and to which pair.
type Rated = (usize, usize, f64);
/// Takes a scale out of the scores of one explanation.
type Part = fn(&Scores) -> Option<u8>;

const SCALES: [(&str, Part); 2] = [
    ("relevance", |scores| scores.relevance),
    ("coherence", |scores| scores.coherence),
];

/// What a reason is compared with, and its name in the verdict.
const BASELINES: [(&str, Shown); 2] = [
    ("metadata", Shown::Metadata),
    ("popularity", Shown::Popularity),
];

const PREFERENCE: &str = "share that prefers the reason";

/// The verdict on what all raters said: the reasons must be ahead of each baseline, in each respect.
pub fn analyse(judgements: &[Judgement], study: &str, seed: u64) -> Verdict {
    let raters = count(judgements.iter().map(|one| one.rater));
    let pairs = count(judgements.iter().map(|one| one.pair));
    let all: Vec<&Judgement> = judgements.iter().collect();
    let asked: Vec<Asked> = BASELINES
        .iter()
        .flat_map(|baseline| Asked::of(&all, baseline))
        .collect();
    let conditions: Vec<Condition> = asked.iter().map(|one| one.condition(seed)).collect();
    let mut numbers = preference_numbers(&all);
    numbers.extend(pooled(&all, seed));
    numbers.extend(means(&all, seed));
    numbers.extend(agreement(&all, seed));
    let outcome = Verdict::joint(&conditions);
    let mut notes = vec![
        "The reasons have to be ahead of each baseline by itself: a weak one in the mix would carry a strong one along.".to_owned(),
        "Intervals resample raters and pairs at once, each with its own draw (a rating counts as often as its rater was drawn \
         times as often as its pair was): other raters and other recommendations could have been asked."
            .to_owned(),
        "\"Cannot tell\" counts in no share and no mean. The exact test over all ratings takes them for independent, which \
         ratings by one person are not; the one over pairs takes each pair's majority once."
            .to_owned(),
    ];
    notes.push(format!(
        "A condition is decided from {ENOUGH} different pairs and {RATERS} raters on. However many people rate a pair, it is one \
         recommendation: n counts pairs."
    ));
    notes.extend(asked.iter().filter_map(Asked::too_few));
    Verdict {
        check: "study".into(),
        outcome,
        sentence: sentence(outcome, &asked, &conditions),
        compared: format!(
            "the run's reasons with baseline explanations of the same recommendations, blind and in random order: {} ratings of \
             {pairs} pairs by {raters} raters, study {study}",
            judgements.len()
        ),
        conditions,
        numbers,
        notes,
    }
}

fn count(values: impl Iterator<Item = usize>) -> usize {
    values.collect::<std::collections::BTreeSet<_>>().len()
}

/// Raters and different pairs behind some values.
fn units(values: &[Rated]) -> (usize, usize) {
    let raters = count(values.iter().map(|value| value.0));
    (raters, count(values.iter().map(|value| value.1)))
}

/// What is asked of the ratings against one baseline.
struct Asked {
    baseline: &'static str,
    measure: &'static str,
    values: Vec<Rated>,
    above: f64,
}

impl Asked {
    /// Preference and both scales against a baseline; nothing where none of it was shown.
    fn of(all: &[&Judgement], (baseline, shown): &(&'static str, Shown)) -> Vec<Self> {
        let some: Vec<&Judgement> = (all.iter().copied())
            .filter(|one| one.baseline == *shown)
            .collect();
        if some.is_empty() {
            return Vec::new();
        }
        let asked = |measure, values, above| Self {
            baseline,
            measure,
            values,
            above,
        };
        let mut found = vec![asked(PREFERENCE, preferences(&some), 0.5)];
        let scales = SCALES.map(|(name, part)| asked(name, differences(&some, part), 0.0));
        found.extend(scales);
        found
    }

    fn name(&self) -> String {
        match self.measure {
            PREFERENCE => format!("{}: {PREFERENCE}", self.baseline),
            scale => format!("{}: {scale}, reason − baseline", self.baseline),
        }
    }

    /// Its units are pairs: ten ratings of one pair say what people think of one recommendation.
    fn condition(&self, seed: u64) -> Condition {
        let (raters, pairs) = units(&self.values);
        let value = both_ways(&self.values, seed);
        let mut condition = Condition::above(&self.name(), value, pairs, self.above);
        if raters < RATERS {
            condition.outcome = Outcome::NotDecidable;
        }
        condition
    }

    /// What it lacks, if it lacks something.
    fn too_few(&self) -> Option<String> {
        let (raters, pairs) = units(&self.values);
        let name = self.name();
        (raters < RATERS || pairs < ENOUGH).then(|| {
            format!("Too few to decide \"{name}\": {pairs} different pairs, {raters} raters.")
        })
    }
}

/// 1 where the reason was preferred, 0 where the baseline was.
fn preferences(all: &[&Judgement]) -> Vec<Rated> {
    let value = |one: &&Judgement| {
        Some((
            one.rater,
            one.pair,
            f64::from(u8::from(one.reason_preferred?)),
        ))
    };
    all.iter().filter_map(value).collect()
}

/// Score of the reason minus that of the baseline, where both were given.
fn differences(all: &[&Judgement], part: Part) -> Vec<Rated> {
    let value = |one: &&Judgement| {
        let (reason, other) = (part(&one.reason)?, part(&one.other)?);
        Some((one.rater, one.pair, f64::from(reason) - f64::from(other)))
    };
    all.iter().filter_map(value).collect()
}

/// Mean with an interval over raters and pairs at once (A. Owen, *The pigeonhole bootstrap*, 2007): raters and pairs are
/// drawn anew independently, and a value weighs as often as its rater times as often as its pair.
fn both_ways(values: &[Rated], seed: u64) -> Estimate {
    let places = |of: fn(&Rated) -> usize| -> Vec<usize> {
        let mut known: Vec<usize> = values.iter().map(of).collect();
        known.sort_unstable();
        known.dedup();
        values
            .iter()
            .map(|value| known.partition_point(|one| *one < of(value)))
            .collect()
    };
    let (raters, pairs) = (places(|value| value.0), places(|value| value.1));
    let size = |places: &[usize]| places.iter().max().map_or(0, |last| last + 1);
    let sizes = [size(&raters), size(&pairs)];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |size: usize| {
        let mut times = vec![0.0; size];
        for _ in 0..size {
            times[rng.random_range(0..size)] += 1.0;
        }
        times
    };
    let mut resampled = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let (rater_times, pair_times) = (draw(sizes[0]), draw(sizes[1]));
        let (mut sum, mut weight) = (0.0, 0.0);
        for (value, (rater, pair)) in values.iter().zip(raters.iter().zip(&pairs)) {
            let times: f64 = rater_times[*rater] * pair_times[*pair];
            sum += times * value.2;
            weight += times;
        }
        // With few ratings a draw may hold none of them: it says nothing.
        if weight > 0.0 {
            resampled.push(sum / weight);
        }
    }
    let mean = values.iter().map(|value| value.2).sum::<f64>() / values.len().max(1) as f64;
    estimate(mean, &resampled)
}

fn preference_numbers(all: &[&Judgement]) -> Vec<Number> {
    let preferred = preferences(all);
    let wins = preferred.iter().filter(|one| one.2 > 0.5).count();
    let mut of_pair: BTreeMap<usize, f64> = BTreeMap::new();
    for (_, pair, value) in &preferred {
        *of_pair.entry(*pair).or_default() += value - 0.5;
    }
    let decided: Vec<f64> = of_pair
        .into_values()
        .filter(|votes| *votes != 0.0)
        .collect();
    let won = decided.iter().filter(|votes| **votes > 0.0).count();
    let first: Vec<bool> = all
        .iter()
        .filter_map(|one| Some(one.reason_preferred? == one.reason_first))
        .collect();
    let chose_first =
        first.iter().filter(|chosen| **chosen).count() as f64 / first.len().max(1) as f64;
    let group = "preference";
    vec![
        Number::exact(
            group,
            "ratings that prefer the reason",
            wins as f64,
            preferred.len(),
        ),
        Number::exact(
            group,
            "ratings that cannot tell",
            (all.len() - preferred.len()) as f64,
            all.len(),
        ),
        Number::exact(
            group,
            "exact two-sided p over ratings",
            two_sided(wins, preferred.len()),
            preferred.len(),
        ),
        Number::exact(
            group,
            "pairs whose majority prefers the reason",
            won as f64,
            decided.len(),
        ),
        Number::exact(
            group,
            "exact two-sided p over pairs",
            two_sided(won, decided.len()),
            decided.len(),
        ),
        Number::exact(
            group,
            "share that prefers whichever stood first",
            chose_first,
            first.len(),
        ),
    ]
}

/// Over all baselines together, for which nothing is decided.
fn pooled(all: &[&Judgement], seed: u64) -> Vec<Number> {
    let group = "over all baselines";
    let number = |name: &str, values: Vec<Rated>| {
        Number::measured(group, name, both_ways(&values, seed), values.len())
    };
    let mut numbers = vec![number(PREFERENCE, preferences(all))];
    for (scale, part) in SCALES {
        let name = format!("{scale}, reason − baseline");
        numbers.push(number(&name, differences(all, part)));
    }
    numbers
}

/// Mean score per condition.
fn means(all: &[&Judgement], seed: u64) -> Vec<Number> {
    let mut numbers = Vec::new();
    for (scale, part) in SCALES {
        let group = format!("mean {scale} (1–5)");
        let mut add = |name: &str, values: Vec<Rated>| {
            if !values.is_empty() {
                numbers.push(Number::measured(
                    &group,
                    name,
                    both_ways(&values, seed),
                    values.len(),
                ));
            }
        };
        let value = |one: &Judgement, scores: &Scores| {
            Some((one.rater, one.pair, f64::from(part(scores)?)))
        };
        add(
            "the run's reason",
            all.iter()
                .filter_map(|one| value(one, &one.reason))
                .collect(),
        );
        for (name, baseline) in BASELINES {
            let some = all.iter().filter(|one| one.baseline == baseline);
            add(
                name,
                some.filter_map(|one| value(one, &one.other)).collect(),
            );
        }
    }
    numbers
}

/// Krippendorff's alpha: of preferences by pair, of scores by explanation.
fn agreement(all: &[&Judgement], seed: u64) -> Vec<Number> {
    let mut preferred: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (_, pair, value) in preferences(all) {
        preferred.entry(pair).or_default().push(value);
    }
    let mut numbers = Vec::new();
    let mut add = |name: &str, pairs: Vec<Vec<Vec<f64>>>, scale: Scale| {
        if let Some(found) = alpha_with_interval(&pairs, scale, seed) {
            let rated = pairs.iter().flatten().filter(|unit| unit.len() > 1).count();
            numbers.push(Number::measured("Krippendorff's alpha", name, found, rated));
        }
    };
    add(
        "preference (nominal)",
        preferred.into_values().map(|unit| vec![unit]).collect(),
        Scale::Nominal,
    );
    for (name, part) in SCALES {
        let mut rated: BTreeMap<usize, BTreeMap<bool, Vec<f64>>> = BTreeMap::new();
        for one in all {
            for (reason, scores) in [(true, &one.reason), (false, &one.other)] {
                if let Some(value) = part(scores) {
                    let pair = rated.entry(one.pair).or_default();
                    pair.entry(reason).or_default().push(f64::from(value));
                }
            }
        }
        let pairs: Vec<Vec<Vec<f64>>> = rated
            .into_values()
            .map(|sides| sides.into_values().collect())
            .collect();
        for (scale, kind) in [
            (Scale::Nominal, "nominal"),
            (Scale::Ordinal, "ordinal"),
            (Scale::Interval, "interval"),
        ] {
            add(&format!("{name} ({kind})"), pairs.clone(), scale);
        }
    }
    numbers
}

/// Alpha with the interval of resampled pairs, each with the units it has: both explanations of a pair are of one recommendation.
fn alpha_with_interval(pairs: &[Vec<Vec<f64>>], scale: Scale, seed: u64) -> Option<Estimate> {
    let found = alpha(&pairs.concat(), scale)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let resampled: Vec<f64> = (0..RESAMPLES / 2)
        .filter_map(|_| {
            let drawn: Vec<Vec<f64>> = (0..pairs.len())
                .flat_map(|_| pairs[rng.random_range(0..pairs.len())].clone())
                .collect();
            alpha(&drawn, scale)
        })
        .collect();
    Some(estimate(found, &resampled))
}

fn in_numbers(measure: &str, Estimate { mean, low, high }: Estimate) -> String {
    match measure {
        PREFERENCE => format!("preferred in {mean:.3} [{low:.3}, {high:.3}] of decided ratings"),
        scale => format!("{scale} {mean:+.2} [{low:+.2}, {high:+.2}]"),
    }
}

fn sentence(outcome: Outcome, asked: &[Asked], conditions: &[Condition]) -> String {
    let against = |baseline: &'static str| {
        let all = asked.iter().zip(conditions);
        all.filter(move |(one, _)| one.baseline == baseline)
    };
    let mut shown: Vec<&'static str> = asked.iter().map(|one| one.baseline).collect();
    shown.dedup();
    let said = |baseline: &&'static str| {
        let numbers: Vec<String> = against(baseline)
            .map(|(one, condition)| in_numbers(one.measure, condition.value))
            .collect();
        format!("against {baseline} {}", numbers.join(", "))
    };
    let numbers = shown.iter().map(said).collect::<Vec<_>>().join("; ");
    match outcome {
        Outcome::Pass => format!(
            "Raters prefer the run's reasons to each baseline and find them more relevant and coherent: {numbers}."
        ),
        Outcome::Fail => {
            shown.retain(|baseline| {
                against(baseline).any(|(_, condition)| condition.outcome == Outcome::Fail)
            });
            format!(
                "The run's reasons are not better in all three respects than the baseline of {}: {numbers}.",
                shown.join(" and that of ")
            )
        }
        Outcome::NotDecidable => format!(
            "These ratings do not tell whether the run's reasons are better than each baseline: {numbers}."
        ),
    }
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
