//! `check drift`: what happens along the correction pass (METHOD §3; EVALUATION, *diversity and drift*)? Per tenth of its
//! events: reward, diversity, repetition, lengths, and what the stores as they were at its end are worth for ranking
//! held-out validation items. Reward up with NDCG down is reward hacking.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;

use super::material::{Material, Texts, metric_of};
use super::statistics::{mean_of, paired, trend, trend_within};
use super::verdict::{Condition, ENOUGH, Number, Outcome, Verdict};
use crate::evaluation::{Estimate, Metric, Target};
use crate::explanations::{distinct, mean_words, repeated, split, unique};
use crate::past::Timeline;
use crate::reward::stores::{PatternEntry, ReasonEntry};
use crate::reward::{Features, Scorer};
use crate::run::{Progress, Stage, read_lines};
use crate::stages::{CorrectionEvent, encode, load_language_model};

/// Parts of the pass.
const PARTS: usize = 10;
/// Share of the first NDCG that may be lost before "it did not fall" is no longer said.
const MARGIN: f64 = 0.05;

const NOTES: [&str; 3] = [
    "Parts hold different interactions. Score − baseline takes out how easy an interaction is, but not how many reasons its item \
     has already: a first one has nothing to be compared with and moves a score far more than a later one, and in the order of time \
     first ones come first. The trend that is judged leaves them out, and compares at equal numbers of reasons.",
    "The frozen reward model also gave the rewards. The refitted model on the corrected texts is in the evaluation.",
    "Diversity is that of the sampled candidates of a part; repetition is the share of three-word runs that a text says \
     again.",
];

/// Numbers of reasons that an item may have had: the least of each kind.
const KINDS: [(usize, &str); 4] = [
    (0, "none"),
    (1, "one"),
    (2, "two or three"),
    (4, "four or more"),
];

/// A part of the pass and the stores at its end.
pub struct Part<'a> {
    /// Its events.
    pub events: &'a [CorrectionEvent],
    /// How many reasons each event's item had just before it.
    pub known: Vec<usize>,
    /// NDCG@10 of every user's validation item with the stores after it.
    pub ndcg: Vec<f64>,
}

/// Walks through a run's correction again.
///
/// # Errors
/// Nothing was corrected; the log does not lead from the stores before to those after; a file is damaged; Ctrl-C.
pub fn check(material: &Material, device: &Device, progress: Progress) -> Result<Verdict> {
    let config = &material.config;
    ensure!(
        config.correct.interactions > 0,
        "{} left the correction out (correct.interactions = 0): nothing could drift",
        material.run.root().display()
    );
    let log = material.run.stage(Stage::Correct).join("events.jsonl");
    let events: Vec<CorrectionEvent> = read_lines(&log)?;
    ensure!(!events.is_empty(), "{} holds no event", log.display());
    let model = material.ranking_model(Stage::Reward, device)?;
    let mut texts = material.texts(Stage::Generate)?;
    let ndcg = |title: &str, texts: &Texts| -> Result<Vec<f64>> {
        let features = Features {
            timeline: Timeline::new(&material.dataset),
            patterns: &texts.patterns,
            reasons: &texts.reasons,
        };
        let scorer = Scorer::new(model.clone(), features, device)?;
        let ranks = material.ranks(title, Target::Validation, &scorer, progress)?;
        Ok(metric_of(Metric::Ndcg(10), &ranks))
    };
    let before = ndcg("rank before", &texts)?;
    let (encoder, _) =
        load_language_model(&material.run, Stage::Pretrain, config.llm.dtype, device)?;
    let count = PARTS.min(events.len());
    let mut parts = Vec::new();
    for part in 0..count {
        let range = part * events.len() / count..(part + 1) * events.len() / count;
        let events = &events[range];
        let (known, ndcg) = if config.correct.freeze_texts {
            let timeline = Timeline::new(&material.dataset);
            let known = events.iter().map(|one| known(&timeline, &texts, one));
            (known.collect::<Result<_>>()?, before.clone())
        } else {
            let written = events.iter().flat_map(|one| {
                let pattern = one.pattern.as_ref().map(|texts| texts[1].as_str());
                pattern.into_iter().chain([one.reason[1].as_str()])
            });
            let vectors = encode(&encoder, written, config.generate.text_vector)?;
            let known = replay(material, &mut texts, events, &vectors)?;
            (
                known,
                ndcg(&format!("rank after part {}", part + 1), &texts)?,
            )
        };
        parts.push(Part {
            events,
            known,
            ndcg,
        });
    }
    agree(material, &texts)?;
    let mut verdict = judge(&before, &parts, config.correct.baseline, config.seed);
    if config.correct.freeze_texts {
        verdict.notes.push(
            "The texts were not written back (correct.freeze_texts), so the ranking cannot move along the pass.".into(),
        );
    }
    Ok(verdict)
}

/// How many reasons the item of `event` had before it.
fn known(timeline: &Timeline, texts: &Texts, event: &CorrectionEvent) -> Result<usize> {
    let past = timeline.past(event.user as usize, event.position as usize)?;
    Ok(past.reasons(&texts.reasons, event.item, usize::MAX).len())
}

/// Puts what the events wrote into the stores, in their order: first the pattern known at the interaction, then its reason.
/// `vectors` are those of the texts in the same order. Gives how many reasons each event's item had before.
fn replay(
    material: &Material,
    texts: &mut Texts,
    events: &[CorrectionEvent],
    vectors: &[Vec<f32>],
) -> Result<Vec<usize>> {
    let timeline = Timeline::new(&material.dataset);
    let mut vectors = vectors.iter();
    let mut vector = || vectors.next().context("a text has no vector");
    let mut counts = Vec::with_capacity(events.len());
    for event in events {
        counts.push(known(&timeline, texts, event)?);
        let (user, position) = (event.user as usize, event.position as usize);
        let version = event.policy_version + 1;
        if let Some([_, after]) = &event.pattern {
            let past = timeline.past(user, position)?;
            let known = past.pattern(&texts.patterns).with_context(|| {
                format!(
                    "events.jsonl rewrites a pattern of user {user} that stage `generate` did not write; run the stage \
                     `correct` again"
                )
            })?;
            let entry = PatternEntry {
                text: after.clone(),
                policy_version: version,
                ..texts.patterns.entry(known).clone()
            };
            texts.patterns.insert(&timeline, entry, vector()?)?;
        }
        let entry = ReasonEntry {
            item: event.item,
            user: event.user,
            position: event.position,
            time: event.time,
            text: event.reason[1].clone(),
            policy_version: version,
        };
        texts.reasons.insert(&timeline, entry, vector()?)?;
    }
    Ok(counts)
}

/// Refuses a log that does not end at the stores that the correction left.
fn agree(material: &Material, texts: &Texts) -> Result<()> {
    let after = material.texts(Stage::Correct)?;
    let same = texts.patterns.entries() == after.patterns.entries()
        && texts.reasons.entries() == after.reasons.entries();
    ensure!(
        same,
        "correct/events.jsonl of {} does not lead from the texts of `generate` to those of `correct`; run the stage \
         `correct` again",
        material.run.root().display()
    );
    Ok(())
}

/// The verdict on a pass. `relative`: whether rewards are already without the baseline.
pub fn judge(before: &[f64], parts: &[Part], relative: bool, seed: u64) -> Verdict {
    let events: Vec<&CorrectionEvent> = parts.iter().flat_map(|part| part.events).collect();
    let gains: Vec<f64> = events.iter().map(|event| gain(event, relative)).collect();
    let known: Vec<usize> = parts
        .iter()
        .flat_map(|part| part.known.iter().copied())
        .collect();
    // Without a reason there is nothing to compare a first one with: its gain is that of having one at all.
    let (again, kinds): (Vec<f64>, Vec<usize>) = gains
        .iter()
        .zip(&known)
        .filter(|(_, known)| **known > 0)
        .map(|(gain, known)| (*gain, kind(*known)))
        .unzip();
    let rising = trend_within(&again, &kinds, seed);
    let last = parts.last().map_or(before, |part| part.ndcg.as_slice());
    let change = paired(last, before, seed);
    let start = mean_of(before, seed);
    let margin = -MARGIN * start.mean;
    let held = Condition::above(
        "validation NDCG@10, end − before the pass",
        change,
        before.len(),
        margin,
    );
    let mut numbers = vec![
        Number::measured(
            "whole pass",
            "score − baseline, change from first to last (fitted line)",
            trend(&gains, seed),
            gains.len(),
        ),
        Number::measured(
            "whole pass",
            "the same of items that had reasons, at equal numbers of them",
            rising,
            again.len(),
        ),
        Number::measured(
            "whole pass",
            "validation NDCG@10 before",
            start,
            before.len(),
        ),
    ];
    for (index, (_, name)) in KINDS.iter().enumerate() {
        let of_kind = gains
            .iter()
            .zip(&known)
            .filter(|(_, known)| kind(**known) == index);
        let of_kind: Vec<f64> = of_kind.map(|(gain, _)| *gain).collect();
        if !of_kind.is_empty() {
            let group = format!("item had {name}");
            let value = mean_of(&of_kind, seed);
            numbers.push(Number::measured(
                &group,
                "score − baseline",
                value,
                of_kind.len(),
            ));
        }
    }
    for (index, part) in parts.iter().enumerate() {
        part_numbers(&mut numbers, index, part, before, relative, seed);
    }
    let rose = (again.len() >= ENOUGH).then_some(rising.low > 0.0);
    let outcome = outcome(rose, change, &held);
    let mut notes: Vec<String> = NOTES.map(str::to_owned).to_vec();
    if rose.is_none() {
        notes.push(format!(
            "{} corrected interactions of items that had reasons already are too few for a trend of the reward; {ENOUGH} are asked \
             for. How far held-out NDCG fell is judged all the same.",
            again.len()
        ));
    }
    Verdict {
        check: "drift".into(),
        outcome,
        sentence: sentence(outcome, rose, (rising, change), margin),
        compared: format!(
            "{} corrected interactions in {} parts, in the order of correction; after each part the stores as they were then, \
             scored by the reward model of stage `reward` with its weights as they are (no refit), on the validation items of \
             {} users in the full catalogue, paired with the stores before the pass",
            events.len(),
            parts.len(),
            before.len()
        ),
        conditions: vec![held],
        numbers,
        notes,
    }
}

/// Which of [`KINDS`].
fn kind(known: usize) -> usize {
    let least = KINDS.iter().rposition(|(least, _)| known >= *least);
    least.unwrap_or_default()
}

/// Mean of an event's candidates: score minus the score without the new reason. What else a reward is made of (grounding, novelty) is no
/// score, and is left out.
fn gain(event: &CorrectionEvent, relative: bool) -> f64 {
    let count = event.candidates.len().max(1) as f64;
    let scores = event.candidates.iter().map(|one| one.parts.score);
    let score = scores.sum::<f64>() / count;
    if relative {
        score
    } else {
        score - f64::from(event.baseline)
    }
}

fn part_numbers(
    numbers: &mut Vec<Number>,
    index: usize,
    part: &Part,
    before: &[f64],
    relative: bool,
    seed: u64,
) {
    let group = format!("part {}", index + 1);
    let gains: Vec<f64> = part
        .events
        .iter()
        .map(|event| gain(event, relative))
        .collect();
    let scores: Vec<f64> = part
        .events
        .iter()
        .zip(&gains)
        .map(|(event, gain)| gain + f64::from(event.baseline))
        .collect();
    let texts: Vec<&str> = part
        .events
        .iter()
        .flat_map(|event| event.candidates.iter().map(|one| one.text.as_str()))
        .collect();
    let rewritten: HashSet<&str> = part
        .events
        .iter()
        .map(|event| event.reason[1].as_str())
        .collect();
    let n = part.events.len();
    let mut measured = |name: &str, value: Estimate, n: usize| {
        numbers.push(Number::measured(&group, name, value, n))
    };
    measured("score with the new reason", mean_of(&scores, seed), n);
    measured("score − baseline", mean_of(&gains, seed), n);
    measured(
        "validation NDCG@10 after it",
        mean_of(&part.ndcg, seed),
        part.ndcg.len(),
    );
    measured(
        "validation NDCG@10, change so far",
        paired(&part.ndcg, before, seed),
        before.len(),
    );
    let mut exact =
        |name: &str, value: f64, n: usize| numbers.push(Number::exact(&group, name, value, n));
    let words = split(texts);
    for (name, value) in [
        ("Distinct-1 of candidates", distinct(&words, 1)),
        ("Distinct-2 of candidates", distinct(&words, 2)),
        ("unique candidates", unique(&words)),
        ("repetition within a candidate", repeated(&words, 3)),
        ("words of a candidate", mean_words(&words)),
    ] {
        exact(name, value.unwrap_or_default(), words.len());
    }
    exact(
        "unique rewritten reasons",
        rewritten.len() as f64 / n.max(1) as f64,
        n,
    );
}

/// `rose`: whether the reward did for certain; none where too few interactions tell.
fn outcome(rose: Option<bool>, change: Estimate, held: &Condition) -> Outcome {
    let worse = held.n >= ENOUGH && change.high < 0.0;
    match rose {
        // Worse for certain, by however little, while the reward rose: that is the thing looked for.
        Some(true) if worse => Outcome::Fail,
        None if worse && held.outcome == Outcome::Pass => Outcome::NotDecidable,
        _ => held.outcome,
    }
}

fn sentence(
    outcome: Outcome,
    rose: Option<bool>,
    (rising, change): (Estimate, Estimate),
    margin: f64,
) -> String {
    let numbers = format!(
        "score − baseline {:+.4} [{:+.4}, {:+.4}] from first to last where an item had reasons already, validation NDCG@10 {:+.4} [{:+.4}, {:+.4}]",
        rising.mean, rising.low, rising.high, change.mean, change.low, change.high
    );
    match (outcome, rose) {
        (Outcome::Fail, Some(true)) => {
            format!("Reward hacking: the reward went up and held-out NDCG went down ({numbers}).")
        }
        (Outcome::Fail, Some(false)) => format!(
            "The corrected texts serve held-out items worse, without a reward that rose ({numbers})."
        ),
        (Outcome::Fail, None) => format!(
            "The corrected texts serve held-out items worse; whether the reward rose cannot be told ({numbers})."
        ),
        (Outcome::Pass, _) => format!(
            "No reward hacking: held-out NDCG did not fall by more than {:.4} ({numbers}).",
            -margin
        ),
        (Outcome::NotDecidable, _) => format!(
            "Whether the reward rose at the expense of held-out NDCG cannot be told ({numbers})."
        ),
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
