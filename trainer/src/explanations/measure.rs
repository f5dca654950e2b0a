//! Asks all metrics of a run: its reasons as `generate` wrote them and as `correct` left them, each with the ranking model that
//! was trained on them.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use thiserror::Error;

use super::causes::cause_counts;
use super::diversity::{diversity, lists};
use super::drift::{Rewritten, deciles};
use super::faithfulness::{faithfulness, permuted_spearman, spearman};
use super::grounding::ground;
use super::margin::margin;
use super::results::{Explanations, Scope, Tally, rows};
use crate::data::Item;
use crate::evaluation::{Example, Target, examples, top_items};
use crate::past::{LeakError, Timeline};
use crate::reward::stores::ReasonEntry;
use crate::reward::{Features, ScoreError, Scorer};
use crate::text::{Frequencies, RenderOptions, Vocabulary, claims, said, stutters};

/// Why explanations could not be measured.
#[derive(Debug, Error)]
pub enum ExplanationError {
    /// A ranking model could not score.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// An interaction that does not exist.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// The stop flag was raised.
    #[error("measuring the explanations was interrupted")]
    Interrupted,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The moment at which lists are looked at: before each person's held-out event.
    pub target: Target,
    /// Best unseen items a person whose lists are looked at (faithfulness).
    pub items: usize,
    /// Own reasons a person (personalisation margin) …
    pub reasons: usize,
    /// … each against this many others.
    pub others: usize,
    /// Permutations of attention behind each permuted ρ.
    pub permutations: usize,
    /// Resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
}

/// Texts and the model trained on them.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Stores.
    pub features: Features<'a>,
    /// Over the same stores.
    pub scorer: &'a Scorer<'a>,
}

/// Rows about texts, in the order in which they are shown.
const TEXTS: [&str; 12] = [
    "hallucination rate",
    "reasons that hallucinate",
    "unverifiable claims",
    "claims a reason",
    "tastes a reason",
    "tastes in the pattern",
    "tastes in the history",
    "unfounded tastes",
    "reasons that stutter",
    "cause precision",
    "cause precision by chance",
    "cause recall",
];
/// The last row about texts: of the causes those that an attribute can name.
const TASTE_RECALL: &str = "cause recall, tastes only";
/// Rows about lists, per item.
const LISTS: [&str; 2] = ["lists without repetition", "different reasons of a list"];
/// Rows about the ranking model.
const MODEL: [&str; 13] = [
    "comprehensiveness",
    "comprehensiveness, permuted",
    "comprehensiveness, gain",
    "sufficiency",
    "sufficiency, permuted",
    "sufficiency, gain",
    "signed change",
    "signed change, permuted",
    "signed change, gain",
    "attention ρ",
    "attention ρ, permuted",
    "attention ρ, gain",
    "personalisation margin",
];
/// Names of the scopes.
pub const ALL: &str = "all reasons";
/// The reasons that correction wrote anew.
pub const REWRITTEN: &str = "reasons written anew";
/// What the ranking model makes of them.
pub const RANKING: &str = "ranking model";

/// Measures both sides. `pass` is the correction in its own order, `options` what prompts show of items; `observer` is told how
/// many people of how many are done.
///
/// # Errors
/// A model that cannot score, a raised stop flag.
pub fn measure(
    sides: [Side; 2],
    pass: &[Rewritten],
    options: &RenderOptions,
    settings: &Settings,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(usize, usize),
) -> Result<Explanations, ExplanationError> {
    let data = sides[0].features.timeline.data();
    let people = data.users.len();
    let judge = Judge {
        vocabulary: Vocabulary::of(&data.items),
        shares: Frequencies::of(&data.items, options),
    };
    let [before, after] = sides.map(|side| side.features);
    let anew = |entry: &ReasonEntry| {
        let row = before.reasons.of_source(entry.user, entry.position);
        row.is_none_or(|row| {
            let old = before.reasons.entry(row);
            let new = after.reasons.of_source(entry.user, entry.position);
            new.is_some_and(|new| after.reasons.entry(new).policy_version != old.policy_version)
        })
    };
    let (samples, seed) = (settings.bootstrap_samples, settings.seed);
    let text_names: Vec<&str> = TEXTS.into_iter().chain([TASTE_RECALL]).collect();
    let text_scope = |name: &str, wanted: &dyn Fn(&ReasonEntry) -> bool| {
        let tallies = [before, after].map(|features| judge.texts(&features, wanted));
        let [one, other] = tallies.map(|tally| tally.map_err(ExplanationError::from));
        Ok::<_, ExplanationError>(Scope {
            name: name.to_owned(),
            rows: rows(&one?, &other?, &text_names, samples, seed),
            diversity: Some([before, after].map(|features| {
                let texts = texts(&features, wanted);
                diversity(&texts, &judge.vocabulary)
            })),
        })
    };
    let mut all = text_scope(ALL, &|_| true)?;
    let [one, other] = [before, after].map(|features| list_tally(&features));
    all.rows.extend(rows(&one, &other, &LISTS, samples, seed));
    let rewritten = after
        .reasons
        .entries()
        .iter()
        .filter(|entry| anew(entry))
        .count();
    let mut scopes = vec![all];
    if rewritten > 0 {
        scopes.push(text_scope(REWRITTEN, &anew)?);
    }
    if sides
        .iter()
        .all(|side| side.scorer.model().config().use_reasons)
    {
        let mut tallies = Vec::with_capacity(2);
        for (index, side) in sides.iter().enumerate() {
            let done = index * people;
            tallies.push(model_tally(side, settings, stop, &mut |more| {
                observer(done + more, 2 * people);
            })?);
        }
        scopes.push(Scope {
            name: RANKING.to_owned(),
            rows: rows(&tallies[0], &tallies[1], &MODEL, samples, seed),
            diversity: None,
        });
    }
    let mut found = Explanations {
        data: data.name.clone(),
        reasons: after.reasons.len(),
        rewritten,
        people,
        bootstrap_samples: samples,
        seed,
        warnings: Vec::new(),
        scopes,
        drift: deciles(pass, &judge.vocabulary),
    };
    found.warnings = warnings(&found);
    Ok(found)
}

/// What attention does not show, said first.
fn warnings(found: &Explanations) -> Vec<String> {
    let gains = ["comprehensiveness, gain", "attention ρ, gain"];
    let warning = |name: &&str| {
        let gain = found.row(RANKING, name)?.after;
        (gain.low <= 0.0).then(|| {
            format!(
                "attention does not tell better than chance which reasons moved a score ({name} {:+.4}, 95 % [{:+.4}, {:+.4}])",
                gain.mean, gain.low, gain.high
            )
        })
    };
    gains.iter().filter_map(warning).collect()
}

fn texts<'a>(features: &Features<'a>, wanted: &dyn Fn(&ReasonEntry) -> bool) -> Vec<&'a str> {
    let entries = features.reasons.entries().iter();
    entries
        .filter(|entry| wanted(entry))
        .map(|entry| entry.text.as_str())
        .collect()
}

/// What texts are judged by.
struct Judge {
    vocabulary: Vocabulary,
    shares: Frequencies,
}

impl Judge {
    /// Grounding and causes of the wanted reasons, per person.
    fn texts(
        &self,
        features: &Features,
        wanted: &dyn Fn(&ReasonEntry) -> bool,
    ) -> Result<Tally, LeakError> {
        let timeline = features.timeline;
        let mut tally = Tally::new(timeline.data().users.len());
        for entry in features
            .reasons
            .entries()
            .iter()
            .filter(|entry| wanted(entry))
        {
            self.reason(features, &timeline, entry, &mut tally)?;
        }
        Ok(tally)
    }

    fn reason(
        &self,
        features: &Features,
        timeline: &Timeline,
        entry: &ReasonEntry,
        tally: &mut Tally,
    ) -> Result<(), LeakError> {
        let data = timeline.data();
        let (user, position) = (entry.user as usize, entry.position as usize);
        let past = timeline.past(user, position)?;
        let pattern = past
            .pattern(features.patterns)
            .map(|row| claims(&features.patterns.entry(row).text, &self.vocabulary));
        let history: Vec<&Item> = past
            .history()
            .iter()
            .map(|event| &data.items[event.item as usize])
            .collect();
        let item = &data.items[entry.item as usize];
        let said = said(&entry.text, &self.vocabulary);
        let found = ground(
            &said,
            item,
            &pattern.unwrap_or_default(),
            &history,
            &self.shares,
        );
        let (of, taste) = (found.item, found.taste);
        let told = (of.verified + of.wrong) as f64;
        let claimed = told + of.unverifiable as f64;
        let mut add = |name, sum: usize, cases: f64| tally.add(name, user, sum as f64, cases);
        add("hallucination rate", of.wrong, told);
        add("reasons that hallucinate", usize::from(of.wrong > 0), 1.0);
        add("unverifiable claims", of.unverifiable, claimed);
        add("claims a reason", said.item.len(), 1.0);
        add("tastes a reason", taste.claimed, 1.0);
        add(
            "tastes in the pattern",
            taste.in_pattern,
            taste.claimed as f64,
        );
        add(
            "tastes in the history",
            taste.in_history,
            taste.claimed as f64,
        );
        add("unfounded tastes", taste.unfounded, taste.claimed as f64);
        add(
            "reasons that stutter",
            usize::from(stutters(&entry.text)),
            1.0,
        );
        if let Some(causes) = &data.causes {
            let found = cause_counts(&said, &causes[user][position], item);
            add("cause precision", found.right, found.claimed as f64);
            add(
                "cause precision by chance",
                found.tastes,
                found.attributes as f64,
            );
            add("cause recall", found.right, found.causes as f64);
            add(TASTE_RECALL, found.right, found.tastes as f64);
        }
        Ok(())
    }
}

/// What is different within each item's list, per item.
fn list_tally(features: &Features) -> Tally {
    let items = features.timeline.data().items.len();
    let mut texts: Vec<Vec<&str>> = vec![Vec::new(); items];
    for entry in features.reasons.entries() {
        texts[entry.item as usize].push(&entry.text);
    }
    let mut tally = Tally::new(items);
    for (item, list) in texts.into_iter().enumerate() {
        let found = lists([list]);
        let [all_different, counted] = [found.all_different, found.lists].map(|n| n as f64);
        let [different, reasons] = [found.different, found.reasons].map(|n| n as f64);
        tally.add(LISTS[0], item, all_different, counted);
        tally.add(LISTS[1], item, different, reasons);
    }
    tally
}

/// People between two looks at the stop flag.
const STRIDE: usize = 16;

/// Faithfulness and margin, per person.
fn model_tally(
    side: &Side,
    settings: &Settings,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(usize),
) -> Result<Tally, ExplanationError> {
    let data = side.features.timeline.data();
    let mut tally = Tally::new(data.users.len());
    let shown = examples(data, settings.target);
    let mut moments = vec![None; data.users.len()];
    for example in shown {
        moments[example.user] = Some(example);
    }
    let own = own_reasons(side, settings.reasons);
    let one = |user: usize| -> Result<Vec<(&'static str, f64)>, ExplanationError> {
        let mut found = match moments[user] {
            Some(example) => of_lists(side, example, settings)?,
            None => Vec::new(),
        };
        for &row in &own[user] {
            let margin = of_reason(side, row, settings)?;
            found.extend(margin.map(|margin| ("personalisation margin", margin)));
        }
        Ok(found)
    };
    let users: Vec<usize> = (0..data.users.len()).collect();
    for (chunk, users) in users.chunks(STRIDE).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(ExplanationError::Interrupted);
        }
        let found: Vec<Vec<(&'static str, f64)>> = if side.scorer.threads() > 1 {
            users
                .par_iter()
                .map(|&user| one(user))
                .collect::<Result<_, _>>()?
        } else {
            users
                .iter()
                .map(|&user| one(user))
                .collect::<Result<_, _>>()?
        };
        for (&user, values) in users.iter().zip(found) {
            for (name, value) in values {
                tally.add(name, user, value, 1.0);
            }
        }
        observer(chunk * STRIDE + users.len());
    }
    Ok(tally)
}

/// A person's best unseen items with two reasons or more: is the attention on them what moves their scores?
fn of_lists(
    side: &Side,
    example: Example,
    settings: &Settings,
) -> Result<Vec<(&'static str, f64)>, ExplanationError> {
    let Side { features, scorer } = side;
    let past = features.timeline.past(example.user, example.position)?;
    let seen = past.history().iter().map(|event| event.item).collect();
    let width = scorer.model().config().reasons;
    let catalogue = scorer.catalogue(example)?;
    let best = top_items(&catalogue, settings.items, &seen);
    let mut asked: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut lengths = Vec::new();
    for item in best {
        let list = past.reasons(features.reasons, item, width);
        if list.len() < 2 {
            continue;
        }
        lengths.push(list.len());
        asked.push((item, list.to_vec()));
        for index in 0..list.len() {
            let mut without = list.to_vec();
            without.remove(index);
            asked.push((item, without));
        }
        asked.extend(list.iter().map(|&row| (item, vec![row])));
    }
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let answer = scorer.with_lists(example, &asked)?;
    let logits: Vec<f64> = answer
        .logits
        .iter()
        .map(|&logit| f64::from(logit))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ ((example.user as u64) << 20));
    let mut found = Vec::new();
    let mut at = 0;
    for length in lengths {
        let attention = answer.reason_attention(at);
        let attention: Vec<f64> = attention[..length].iter().map(|&w| f64::from(w)).collect();
        let (full, rest) = (logits[at], &logits[at + 1..]);
        let (without, only) = (&rest[..length], &rest[length..2 * length]);
        push_list(
            &mut found,
            &attention,
            full,
            without,
            only,
            settings.permutations,
            &mut rng,
        );
        at += 1 + 2 * length;
    }
    Ok(found)
}

fn push_list(
    found: &mut Vec<(&'static str, f64)>,
    attention: &[f64],
    full: f64,
    without: &[f64],
    only: &[f64],
    permutations: usize,
    rng: &mut ChaCha8Rng,
) {
    let Some(list) = faithfulness(attention, full, without, only) else {
        return;
    };
    let [top, random] = list.comprehensiveness;
    found.extend([
        (MODEL[0], top),
        (MODEL[1], random),
        (MODEL[2], top - random),
    ]);
    let [top, random] = list.sufficiency;
    // Smaller is more faithful.
    found.extend([
        (MODEL[3], top),
        (MODEL[4], random),
        (MODEL[5], random - top),
    ]);
    let [top, random] = list.signed;
    found.extend([
        (MODEL[6], top),
        (MODEL[7], random),
        (MODEL[8], top - random),
    ]);
    let changes: Vec<f64> = without.iter().map(|score| (full - score).abs()).collect();
    let rho = spearman(attention, &changes);
    let permuted = permuted_spearman(attention, &changes, permutations, rng);
    if let (Some(rho), Some(permuted)) = (rho, permuted) {
        found.extend([
            (MODEL[9], rho),
            (MODEL[10], permuted),
            (MODEL[11], rho - permuted),
        ]);
    }
}

/// Per person the rows of at most `count` reasons they gave, evenly spaced in time.
fn own_reasons(side: &Side, count: usize) -> Vec<Vec<u32>> {
    let reasons = side.features.reasons;
    let mut own: Vec<Vec<(u32, u32)>> = vec![Vec::new(); side.features.timeline.data().users.len()];
    for (row, entry) in reasons.entries().iter().enumerate() {
        own[entry.user as usize].push((entry.position, row as u32));
    }
    own.into_iter()
        .map(|mut rows| {
            rows.sort_unstable();
            let wanted = count.min(rows.len());
            (0..wanted)
                .map(|part| rows[part * rows.len() / wanted].1)
                .collect()
        })
        .collect()
}

/// The personalisation margin of one reason.
fn of_reason(side: &Side, row: u32, settings: &Settings) -> Result<Option<f64>, ExplanationError> {
    let Side { features, scorer } = side;
    let entry = features.reasons.entry(row);
    let (user, position) = (entry.user as usize, entry.position as usize);
    let data = features.timeline.data();
    let past = features.timeline.past(user, position)?;
    let width = scorer.model().config().reasons;
    let list = past.reasons(features.reasons, entry.item, width);
    let kept = &list[(list.len() + 1).saturating_sub(width).min(list.len())..];
    let with = kept.iter().copied().chain([row]).collect();
    let asked = [(entry.item, list.to_vec()), (entry.item, with)];
    let gain = |example: Example| -> Result<f64, ScoreError> {
        let answer = scorer.with_lists(example, &asked)?;
        Ok(f64::from(answer.logits[1]) - f64::from(answer.logits[0]))
    };
    // Others at the latest of their own events before this one.
    let mut rng = ChaCha8Rng::seed_from_u64(
        settings.seed ^ u64::from(entry.user) << 32 ^ u64::from(entry.position),
    );
    let people = data.users.len();
    let others: Vec<Example> = sample(&mut rng, people, people)
        .into_iter()
        .filter(|&other| other != user)
        .filter_map(|other| {
            let before = data.histories[other].partition_point(|event| event.time < entry.time);
            let position = before.checked_sub(1)?;
            Some(Example {
                user: other,
                position,
            })
        })
        .take(settings.others)
        .collect();
    let theirs = others
        .into_iter()
        .map(gain)
        .collect::<Result<Vec<f64>, _>>()?;
    Ok(margin(gain(Example { user, position })?, &theirs))
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
