//! What is measured of the ranking model: whether its attention is faithful, and for whom a reason speaks.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::super::faithfulness::{faithfulness, permuted_spearman, spearman};
use super::super::margin::margin;
use super::super::results::Tally;
use super::{ExplanationError, MODEL, Settings, Side};
use crate::evaluation::{Example, examples, top_items};
use crate::reward::ScoreError;

/// People between two looks at the stop flag.
const STRIDE: usize = 16;

/// Faithfulness and margin, per person.
pub(super) fn model_tally(
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

pub(super) fn push_list(
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
