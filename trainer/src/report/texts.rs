//! Explanations to be read: a seeded sample, and those whose reward the correction changed most, for better and for worse.

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::claims::{Judged, judge};
use super::files::RunFiles;
use crate::data::{Dataset, Item};
use crate::device::{DeviceChoice, open};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonEntry, ReasonStore};
use crate::reward::{Features, Scorer};
use crate::run::{Stage, interrupted};
use crate::stages::{
    CorrectionEvent, Interrupted, RANKING_MODEL, load_dataset, read_ranking_model,
};
use crate::text::Vocabulary;

/// Sampled explanations.
const SAMPLED: usize = 20;
/// Corrections shown at each end.
const ENDS: usize = 5;
/// Corrections that are scored at most, evenly over the pass.
const SCORED: usize = 400;

/// The explanations of one run.
#[derive(Debug, Serialize)]
pub(super) struct Texts {
    run: usize,
    sampled: Vec<Told>,
    /// How many explanations there are.
    of: usize,
    /// Best change first.
    best: Vec<Change>,
    /// Worst change first.
    worst: Vec<Change>,
    /// Corrections that were scored.
    scored: usize,
    missing: Option<String>,
    /// Why there are no changes.
    unchanged: Option<String>,
}

/// An explanation in use.
#[derive(Debug, Serialize)]
struct Told {
    title: String,
    attributes: String,
    user: String,
    judged: Judged,
}

/// What the correction made of an explanation.
#[derive(Debug, Serialize)]
struct Change {
    title: String,
    attributes: String,
    user: String,
    before: Judged,
    after: Judged,
    /// Rewards of both, as the score with this reason minus the score without it.
    rewards: [f64; 2],
}

pub(super) fn section(runs: &[RunFiles]) -> Result<Vec<Texts>> {
    runs.iter()
        .enumerate()
        .map(|(place, run)| of_run(place, run))
        .collect()
}

fn of_run(place: usize, run: &RunFiles) -> Result<Texts> {
    let mut texts = Texts {
        run: place,
        sampled: Vec::new(),
        of: 0,
        best: Vec::new(),
        worst: Vec::new(),
        scored: 0,
        missing: None,
        unchanged: None,
    };
    if !run.has(Stage::Generate) {
        texts.missing = Some(run.lacks(Stage::Generate));
        return Ok(texts);
    }
    let dataset = load_dataset(&run.directory)?;
    let reader = Reader::new(run, &dataset)?;
    texts.of = reader.in_use().len();
    texts.sampled = reader.sampled()?;
    match reader.changes()? {
        Ok(mut changes) => {
            texts.scored = changes.len();
            let gain = |change: &Change| change.rewards[1] - change.rewards[0];
            changes.sort_by(|one, other| gain(other).total_cmp(&gain(one)));
            let ends = ENDS.min(changes.len() / 2);
            texts.worst = changes.split_off(changes.len() - ends);
            texts.worst.reverse();
            changes.truncate(ends);
            texts.best = changes;
        }
        Err(why) => texts.unchanged = Some(why),
    }
    Ok(texts)
}

/// The texts of a run with what it takes to judge them.
struct Reader<'a> {
    run: &'a RunFiles,
    timeline: Timeline<'a>,
    vocabulary: Vocabulary,
    patterns: PatternStore,
    reasons: ReasonStore,
    /// The reasons after correction, if it has finished.
    corrected: Option<ReasonStore>,
}

impl<'a> Reader<'a> {
    fn new(run: &'a RunFiles, dataset: &'a Dataset) -> Result<Self> {
        let timeline = Timeline::new(dataset);
        let generated = run.directory.stage(Stage::Generate);
        let corrected = run.directory.stage(Stage::Correct);
        let finished = run.record(Stage::Correct).is_some();
        Ok(Self {
            run,
            timeline,
            vocabulary: Vocabulary::of(&dataset.items),
            patterns: PatternStore::load(&generated, &timeline)?,
            reasons: ReasonStore::load(&generated, &timeline)?,
            corrected: finished
                .then(|| ReasonStore::load(&corrected, &timeline))
                .transpose()?,
        })
    }

    /// The reasons that the newest ranking model reads.
    fn in_use(&self) -> &ReasonStore {
        self.corrected.as_ref().unwrap_or(&self.reasons)
    }

    fn item(&self, item: u32) -> &'a Item {
        &self.timeline.data().items[item as usize]
    }

    fn user(&self, user: u32) -> String {
        self.timeline.data().users[user as usize].key.clone()
    }

    /// Runs whose reasons are of the same interactions show the same.
    fn sampled(&self) -> Result<Vec<Told>> {
        let mut entries: Vec<&ReasonEntry> = self.in_use().entries().iter().collect();
        entries.sort_by_key(|entry| (entry.user, entry.position));
        entries.shuffle(&mut ChaCha8Rng::seed_from_u64(super::SEED));
        entries.truncate(SAMPLED);
        entries
            .into_iter()
            .map(|entry| {
                let item = self.item(entry.item);
                let pattern = self.pattern_behind(entry)?;
                Ok(Told {
                    title: item.title.clone(),
                    attributes: attributes(item),
                    user: self.user(entry.user),
                    judged: judge(&entry.text, item, pattern.as_deref(), &self.vocabulary),
                })
            })
            .collect()
    }

    /// The pattern that a reason was written with: of a corrected one the new pattern, else the one `generate` had.
    fn pattern_behind(&self, entry: &ReasonEntry) -> Result<Option<String>> {
        let corrected = self.run.events.iter().find(|event| {
            (event.user, event.position) == (entry.user, entry.position)
                && event.reason[1] == entry.text
        });
        if let Some(event) = corrected {
            return Ok(event.pattern.as_ref().map(|[_, after]| after.clone()));
        }
        let past = self
            .timeline
            .past(entry.user as usize, entry.position as usize)?;
        let row = past.pattern(&self.patterns);
        Ok(row.map(|row| self.patterns.entry(row).text.clone()))
    }

    /// Rewards of the texts before and after, by the ranking model that gave the rewards of the correction, with every other
    /// text as `generate` left it. Without them, why.
    fn changes(&self) -> Result<Result<Vec<Change>, String>> {
        let Some(corrected) = &self.corrected else {
            return Ok(Err(self.run.lacks(Stage::Correct)));
        };
        if self.run.events.is_empty() {
            return Ok(Err(format!(
                "{} corrected nothing, by its settings",
                self.run.name
            )));
        }
        let device = open(DeviceChoice::Cpu)?;
        let rewarded = self.run.directory.stage(Stage::Reward);
        let features = Features {
            timeline: self.timeline,
            patterns: &self.patterns,
            reasons: &self.reasons,
        };
        let model = read_ranking_model(&rewarded, RANKING_MODEL, &device)?;
        let scorer = Scorer::new(model, features, &device)?;
        let mut changes = Vec::new();
        for event in thinned(&self.run.events) {
            if interrupted() {
                bail!(Interrupted);
            }
            let vector = |store: &ReasonStore, text: &String| {
                let row = store.of_source(event.user, event.position)?;
                (store.entry(row).text == *text).then(|| store.vector(row).to_vec())
            };
            let before = vector(&self.reasons, &event.reason[0]);
            let after = vector(corrected, &event.reason[1]);
            let Some(vectors) = before.zip(after).map(|(before, after)| [before, after]) else {
                continue;
            };
            let (user, position) = (event.user as usize, event.position as usize);
            let found = scorer.reason_rewards(user, position, event.item, &vectors)?;
            let reward = |score: f32| f64::from(score) - f64::from(found.baseline);
            changes.push(self.change(event, [reward(found.scores[0]), reward(found.scores[1])]));
        }
        if changes.is_empty() {
            return Ok(Err(format!(
                "{} kept its texts as they were: no new text has a stored vector that could be scored",
                self.run.name
            )));
        }
        Ok(Ok(changes))
    }

    fn change(&self, event: &CorrectionEvent, rewards: [f64; 2]) -> Change {
        let item = self.item(event.item);
        let judged = |when: usize| {
            let pattern = event.pattern.as_ref().map(|pair| pair[when].as_str());
            judge(&event.reason[when], item, pattern, &self.vocabulary)
        };
        Change {
            title: item.title.clone(),
            attributes: attributes(item),
            user: self.user(event.user),
            before: judged(0),
            after: judged(1),
            rewards,
        }
    }
}

fn attributes(item: &Item) -> String {
    let values: Vec<&str> = item
        .attributes
        .iter()
        .map(|one| one.value.as_str())
        .collect();
    values.join(", ")
}

/// At most [`SCORED`] of them, evenly.
fn thinned(events: &[CorrectionEvent]) -> impl Iterator<Item = &CorrectionEvent> {
    let count = SCORED.min(events.len());
    (0..count).map(move |part| &events[part * events.len() / count])
}
