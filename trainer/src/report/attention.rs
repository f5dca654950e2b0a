//! Some people with what they are recommended: every reason on the item's list with the attention of each head, and what
//! of the history carried the score (METHOD §2 and §4).

use anyhow::{Context as _, Result};
use curec_shared_model::artefact::{Artefact, ArtefactError};
use curec_shared_model::explain::{Recommendation, UserScores};
use curec_shared_model::scorer::Scorer;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::files::RunFiles;
use crate::device::{DeviceChoice, open};
use crate::export::{ExportError, read_folder};
use crate::run::Stage;

const USERS: usize = 3;
const ITEMS: usize = 2;
/// Events of the history with the largest shares.
const EVENTS: usize = 6;

/// The examples of one run.
#[derive(Debug, Serialize)]
pub(super) struct Attention {
    run: usize,
    people: Vec<Person>,
    missing: Option<String>,
}

/// Someone and what they are recommended.
#[derive(Debug, Serialize)]
struct Person {
    key: String,
    pattern: Option<String>,
    history: usize,
    /// Title and rank of the item that was held out.
    held_out: Option<(String, u32)>,
    items: Vec<Example>,
}

/// A recommended item.
#[derive(Debug, Serialize)]
struct Example {
    rank: u32,
    title: String,
    attributes: String,
    score: f32,
    heads: usize,
    reasons: Vec<Reason>,
    /// Title and signed share.
    events: Vec<(String, f32)>,
}

/// A reason with the attention on it.
#[derive(Debug, Serialize)]
struct Reason {
    text: String,
    mean: f32,
    heads: Vec<f32>,
}

pub(super) fn section(runs: &[RunFiles]) -> Result<Vec<Attention>> {
    runs.iter()
        .enumerate()
        .map(|(place, run)| of_run(place, run))
        .collect()
}

fn of_run(run: usize, files: &RunFiles) -> Result<Attention> {
    let without = |why: String| {
        Ok(Attention {
            run,
            people: Vec::new(),
            missing: Some(why),
        })
    };
    if !files.has(Stage::Export) {
        return without(files.lacks(Stage::Export));
    }
    let folder = files.directory.stage(Stage::Export).join("artefact");
    let artefact = match read_folder(&folder) {
        // Of an older release: whatever else the run holds is shown.
        Err(ExportError::Unusable(why @ ArtefactError::UnsupportedVersion { .. })) => {
            return without(format!("Not shown: {why}"));
        }
        read => read.with_context(|| format!("{} is not a usable artefact", folder.display()))?,
    };
    let scorer = Scorer::new(&artefact, &open(DeviceChoice::Cpu)?)?;
    let mut people = Vec::new();
    for user in chosen(&artefact) {
        let scores = pollster::block_on(scorer.score(user as u32))?;
        people.push(person(&artefact, user, &scores));
    }
    Ok(Attention {
        run,
        people,
        missing: None,
    })
}

/// The same people in every run that exported the same people.
fn chosen(artefact: &Artefact) -> Vec<usize> {
    let mut order: Vec<usize> = (0..artefact.users.len()).collect();
    order.sort_by_key(|user| &artefact.users[*user].key);
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(super::SEED));
    order.truncate(USERS);
    order
}

fn person(artefact: &Artefact, user: usize, scores: &UserScores) -> Person {
    let record = &artefact.users[user];
    let seen: Vec<u32> = record.history.iter().map(|event| event.item).collect();
    let shown = scores.recommend(&seen, record.held_out, ITEMS);
    let title = |item: u32| artefact.catalogue[item as usize].title.clone();
    Person {
        key: record.key.clone(),
        pattern: record.pattern.clone(),
        history: seen.len(),
        held_out: shown.held_out.map(|one| (title(one.item), one.rank)),
        items: shown
            .recommendations
            .iter()
            .map(|one| example(artefact, scores, one))
            .collect(),
    }
}

fn example(artefact: &Artefact, scores: &UserScores, shown: &Recommendation) -> Example {
    let item = shown.item as usize;
    let entry = &artefact.catalogue[item];
    let values: Vec<&str> = entry
        .attributes
        .iter()
        .map(|one| one.value.as_str())
        .collect();
    let on = |head: usize, index: u32| {
        let weights = scores.head_attention(item, head);
        weights.get(index as usize).copied().unwrap_or_default()
    };
    let reason = |index: u32, weight: f32| Reason {
        text: artefact.reasons[item][index as usize].text.clone(),
        mean: weight,
        heads: (0..scores.heads).map(|head| on(head, index)).collect(),
    };
    Example {
        rank: shown.rank,
        title: entry.title.clone(),
        attributes: values.join(", "),
        score: shown.score,
        heads: scores.heads,
        reasons: shown
            .reasons
            .iter()
            .map(|one| reason(one.index, one.weight))
            .collect(),
        events: shown
            .history
            .iter()
            .take(EVENTS)
            .map(|event| {
                let title = artefact.catalogue[event.item as usize].title.clone();
                (title, event.weight)
            })
            .collect(),
    }
}
