//! What raters see: people with their newest titles, a recommended title, and two explanations of it; and the key.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::Rng;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::data::{Dataset, Event, Item};
use crate::evaluation::{Example, Ranker, examples, top_items};
use crate::reward::Scorer;
use crate::reward::stores::ReasonStore;
use crate::run::{Progress, interrupted};
use crate::stages::Interrupted;
use crate::text::{Known, RationaleWriter, shown_attributes, shown_title};

/// What a key file calls itself.
pub const KEY_FORMAT: &str = "curec-study-key";
/// Recommendations among which one with a reason is looked for.
const LIST: usize = 10;

/// Where an explanation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The run's reason: of the item's visible reasons the one that the person's pattern attends to most.
    Reason,
    /// A sentence written by rule from the metadata of the item and of the shown history.
    Metadata,
    /// How many people took it.
    Popularity,
}

/// A title with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownItem {
    /// As prompts show it.
    pub title: String,
    /// Attribute values, joined; may be empty.
    pub details: String,
}

/// One of the two explanations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Says nothing of where it comes from.
    pub id: String,
    /// What is shown.
    pub text: String,
}

/// One screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Says nothing either.
    pub id: String,
    /// The person's newest titles, newest first.
    pub history: Vec<ShownItem>,
    /// What was recommended.
    pub item: ShownItem,
    /// In an order drawn when the study was made; each rater has their own sides.
    pub explanations: [Explanation; 2],
}

/// All that the page holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Study {
    /// Name of the data set.
    pub dataset: String,
    /// In the order of making; each rater has their own order.
    pub pairs: Vec<Pair>,
}

/// Which explanation was which: kept away from raters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// [`KEY_FORMAT`]
    pub format: String,
    /// 1
    pub version: u32,
    /// [`Study::id`] of the page it belongs to.
    pub study: String,
    /// One per pair.
    pub pairs: Vec<KeyPair>,
}

/// One pair uncovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Id of the pair.
    pub pair: String,
    /// Key of the user in the data.
    pub user: String,
    /// Key of the item in the data.
    pub item: String,
    /// Condition of each explanation, by its id.
    pub conditions: BTreeMap<String, Condition>,
}

/// How a study is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Pairs, each of another person.
    pub pairs: usize,
    /// Titles of the history shown.
    pub history: usize,
    /// Seed of the people, the baselines' wording and the ids.
    pub seed: u64,
}

impl Study {
    /// Hash of everything raters see: ratings and key name it, so that those of another study are noticed.
    pub fn id(&self) -> Result<String> {
        let digest = Sha256::digest(serde_json::to_vec(self)?);
        Ok(format!("{digest:x}")[..24].to_owned())
    }
}

/// A recommendation with the reason that the run gives for it.
struct Recommended {
    item: u32,
    reason: String,
}

/// Makes a study of a run's recommendations before each person's held-out event.
///
/// # Errors
/// Too few people have a recommendation with a reason; a scorer fails; Ctrl-C.
pub fn build(
    dataset: &Dataset,
    config: &Config,
    scorer: &Scorer,
    reasons: &ReasonStore,
    settings: Settings,
    progress: Progress,
) -> Result<(Study, Key)> {
    ensure!(
        settings.pairs > 0,
        "a study needs at least one pair; raise --pairs"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut people = examples(dataset, config.evaluate.target);
    people.shuffle(&mut rng);
    let maker = Maker {
        dataset,
        config,
        writer: RationaleWriter::new(&dataset.items, config.prompts.render.clone()),
        takers: takers(dataset),
        settings,
    };
    let mut bar = progress.bar("choose pairs", settings.pairs as u64);
    let mut study = Study {
        dataset: dataset.name.clone(),
        pairs: Vec::new(),
    };
    let mut key_pairs = Vec::new();
    for person in &people {
        if study.pairs.len() == settings.pairs {
            break;
        }
        if interrupted() {
            return Err(Interrupted.into());
        }
        let Some(found) = recommend(dataset, scorer, reasons, *person)? else {
            continue;
        };
        // Both baselines equally often.
        let baseline = [Condition::Metadata, Condition::Popularity][study.pairs.len() % 2];
        if let Some((pair, uncovered)) = maker.pair(*person, &found, baseline, &mut rng) {
            study.pairs.push(pair);
            key_pairs.push(uncovered);
            bar.set(study.pairs.len() as u64, "");
        }
    }
    bar.finish("");
    ensure!(
        study.pairs.len() == settings.pairs,
        "only {} of {} people have one of their {LIST} best recommendations with a reason that differs from the baseline; \
         lower --pairs",
        study.pairs.len(),
        people.len()
    );
    let key = Key {
        format: KEY_FORMAT.to_owned(),
        version: 1,
        study: study.id()?,
        pairs: key_pairs,
    };
    Ok((study, key))
}

/// The best unseen item that has a reason, with the reason attended to most.
fn recommend(
    dataset: &Dataset,
    scorer: &Scorer,
    reasons: &ReasonStore,
    person: Example,
) -> Result<Option<Recommended>> {
    let history = &dataset.histories[person.user][..person.position];
    let seen = history.iter().map(|event| event.item).collect();
    let scores = scorer.scores(&[person])?;
    let Some(scores) = scores.first() else {
        return Ok(None);
    };
    let list = top_items(scores, LIST, &seen);
    let attention = scorer.reason_attention(person, &list)?;
    let best = |weights: &Vec<(u32, f32)>| {
        weights
            .iter()
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map(|one| one.0)
    };
    Ok(list.iter().zip(&attention).find_map(|(item, weights)| {
        let reason = reasons.entry(best(weights)?).text.trim();
        (!reason.is_empty()).then(|| Recommended {
            item: *item,
            reason: reason.to_owned(),
        })
    }))
}

/// How many people took each item in training.
fn takers(dataset: &Dataset) -> Vec<usize> {
    let mut takers = vec![0; dataset.items.len()];
    for user in 0..dataset.users.len() {
        let mut items: Vec<u32> = dataset
            .train_events(user)
            .iter()
            .map(|event| event.item)
            .collect();
        items.sort_unstable();
        items.dedup();
        for item in items {
            takers[item as usize] += 1;
        }
    }
    takers
}

struct Maker<'a> {
    dataset: &'a Dataset,
    config: &'a Config,
    writer: RationaleWriter,
    takers: Vec<usize>,
    settings: Settings,
}

impl Maker<'_> {
    /// `None` where reason and baseline say the same.
    fn pair(
        &self,
        person: Example,
        found: &Recommended,
        baseline: Condition,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Pair, KeyPair)> {
        let events = &self.dataset.histories[person.user][..person.position];
        let events = &events[events.len().saturating_sub(self.settings.history)..];
        let other = match baseline {
            Condition::Popularity => self.by_popularity(found.item),
            _ => self.by_metadata(events, found.item, rng),
        };
        if other == found.reason {
            return None;
        }
        let mut sides = [(Condition::Reason, found.reason.clone()), (baseline, other)];
        sides.shuffle(rng);
        let pair = format!("{:08x}", rng.random::<u32>());
        let conditions = sides
            .each_ref()
            .map(|side| (format!("{:08x}", rng.random::<u32>()), side.0));
        let explanations = [0, 1].map(|at| Explanation {
            id: conditions[at].0.clone(),
            text: sides[at].1.clone(),
        });
        let uncovered = KeyPair {
            pair: pair.clone(),
            user: self.dataset.users[person.user].key.clone(),
            item: self.dataset.items[found.item as usize].key.clone(),
            conditions: BTreeMap::from(conditions),
        };
        let history = events
            .iter()
            .rev()
            .map(|event| self.shown(self.item(event.item)))
            .collect();
        let item = self.shown(self.item(found.item));
        Some((
            Pair {
                id: pair,
                history,
                item,
                explanations,
            },
            uncovered,
        ))
    }

    fn item(&self, item: u32) -> &Item {
        &self.dataset.items[item as usize]
    }

    fn shown(&self, item: &Item) -> ShownItem {
        let render = &self.config.prompts.render;
        let details = shown_attributes(item, render)
            .into_iter()
            .map(|attribute| attribute.value);
        ShownItem {
            title: shown_title(item, render),
            details: details.collect::<Vec<_>>().join(", "),
        }
    }

    /// By rule from what raters see too, without a language model and without other people's behaviour.
    fn by_metadata(&self, events: &[Event], item: u32, rng: &mut ChaCha8Rng) -> String {
        let history: Vec<&Item> = events.iter().map(|event| self.item(event.item)).collect();
        self.writer
            .reason(Known::History(&history), self.item(item), rng)
            .text
    }

    fn by_popularity(&self, item: u32) -> String {
        let taken = self.takers[item as usize];
        let before = self.takers.iter().filter(|other| **other > taken).count();
        format!(
            "{taken} of {} people took this: number {} of {} titles by how many took them.",
            self.dataset.users.len(),
            before + 1,
            self.takers.len()
        )
    }
}
