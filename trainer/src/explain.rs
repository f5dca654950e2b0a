//! Explained recommendations in the terminal, and score dumps for parity tests: the browser's scorer, run natively.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use curec_shared_model::artefact::{Artefact, CatalogueItem};
use curec_shared_model::explain::{Recommendation, Recommendations};
use curec_shared_model::reward::RewardConfig;
use curec_shared_model::scorer::probe::Carrier;
use curec_shared_model::scorer::{Muted, Scorer, Taken, Taste};
use curec_shared_model::writer::{Writer, Written};
use serde::Serialize;

use crate::export::read_folder;

/// Newest events of the history that the terminal shows.
const SHOWN_HISTORY: usize = 8;
/// Reasons and history items shown under each recommendation.
const SHOWN_CAUSES: usize = 3;

/// What a user is recommended, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The stored user's key in the data set.
    pub user: Option<String>,
    /// Name of the data set.
    pub dataset: String,
    /// The pattern that is read, if the model reads patterns.
    pub pattern: Option<String>,
    /// Key of the user of whom it was written, if of another one.
    pub pattern_of: Option<String>,
    /// The seed it was written with here and now, if it was.
    pub pattern_seed: Option<u64>,
    /// Whether the model was trained with patterns.
    pub uses_patterns: bool,
    /// Whether the model was trained with reasons.
    pub uses_reasons: bool,
    /// Number of events before the held-out item.
    pub history_length: usize,
    /// Titles of the newest events, newest first.
    pub recent: Vec<String>,
    /// The held-out item: title, rank among the items not taken before (ties against it), score.
    pub held_out: Option<RankedTitle>,
    /// Items that were scored.
    pub scored: u32,
    /// Best first.
    pub recommendations: Vec<ExplainedItem>,
}

/// A title with its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedTitle {
    /// Title.
    pub title: String,
    /// 1 = best.
    pub rank: u32,
    /// Of how many: the items not taken before.
    pub of: u32,
    /// `ŷ`.
    pub score: f32,
}

/// One recommendation in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedItem {
    /// 1 = best.
    pub rank: u32,
    /// The item's key in the data set.
    pub key: String,
    /// Title.
    pub title: String,
    /// Values of its attributes.
    pub attributes: Vec<String>,
    /// `ŷ`.
    pub score: f32,
    /// Reasons with their attention, heaviest first.
    pub reasons: Vec<WeightedText>,
    /// Titles of history events, those first in whose place an average title would change the score most.
    pub history: Vec<CarriedBy>,
}

/// An event of the history and what it is worth to a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CarriedBy {
    /// Its title.
    pub text: String,
    /// What the logit loses where an average title stands in its place; negative where it speaks against the recommendation.
    pub adds: f32,
}

/// A sentence or title and its weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightedText {
    /// Sentence or title.
    pub text: String,
    /// See [`Recommendation`].
    pub weight: f32,
}

/// An artefact without the user that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} has no user {user:?}; it has {users} users, among them {}", artefact.display(), some.join(", "))]
pub struct UnknownUser {
    /// The artefact's folder.
    pub artefact: PathBuf,
    /// The key asked for.
    pub user: String,
    /// Users that the artefact has.
    pub users: usize,
    /// Keys of the first few.
    pub some: Vec<String>,
}

/// Whose list is explained, by the keys of the data set. What is not said is the stored user's own; without a user, nobody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// A stored user.
    pub user: Option<String>,
    /// The history instead, oldest first: `KEY` of an item that is added, `KEY@POSITION` of an event of the stored user's history.
    pub history: Option<Vec<String>>,
    /// The stored user whose pattern is read; `none` for no pattern.
    pub pattern_of: Option<String>,
    /// Instead of a stored pattern one that the artefact's language model writes for the history, with this seed.
    pub written: Option<u64>,
    /// Reasons that do not count: `KEY@PLACE` on the item's list, counted from 0.
    pub muted: Vec<String>,
}

impl Question {
    /// What the scorer is asked.
    ///
    /// # Errors
    /// An unknown user ([`UnknownUser`]), item, position or place.
    pub fn taste(&self, artefact: &Artefact, folder: &Path) -> Result<Taste> {
        let user = |key: &str| user_index(artefact, folder, key);
        let viewer = self.user.as_deref().map(user).transpose()?;
        let history = match (&self.history, viewer) {
            (Some(entries), _) => (entries.iter())
                .map(|entry| {
                    let (item, position) = placed(artefact, entry)?;
                    Ok(Taken { item, position })
                })
                .collect::<Result<_>>()?,
            (None, Some(viewer)) => {
                let events = artefact.users[viewer as usize].history.iter().zip(0..);
                let taken = events.map(|(event, position)| Taken {
                    item: event.item,
                    position: Some(position),
                });
                taken.collect()
            }
            (None, None) => Vec::new(),
        };
        let pattern = match self.pattern_of.as_deref() {
            Some("none") => None,
            Some(key) => Some(user(key)?),
            None if self.written.is_some() => None,
            None => viewer,
        };
        let muted = (self.muted.iter())
            .map(|entry| match placed(artefact, entry)? {
                (item, Some(reason)) => Ok(Muted { item, reason }),
                _ => bail!("{entry:?} does not say which reason: KEY@PLACE, counted from 0"),
            })
            .collect::<Result<_>>()?;
        Ok(Taste {
            viewer,
            history,
            pattern,
            written: None,
            muted,
        })
    }
}

/// `KEY` or `KEY@NUMBER`. In a key `%2C`, `%40` and `%25` stand for a comma, an at and a percent sign, as in the page's addresses.
fn placed(artefact: &Artefact, entry: &str) -> Result<(u32, Option<u32>)> {
    let index = |key: &str| {
        let key = key
            .replace("%2C", ",")
            .replace("%40", "@")
            .replace("%25", "%");
        let at = artefact.catalogue.iter().position(|item| item.key == key);
        at.map(|index| index as u32)
    };
    let numbered = entry.rsplit_once('@').and_then(|(key, number)| {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits)?;
        Some((index(key)?, Some(number)))
    });
    match numbered.or_else(|| Some((index(entry)?, None))) {
        Some(found) => Ok(found),
        None => bail!("the catalogue has no item {entry:?}"),
    }
}

fn user_index(artefact: &Artefact, folder: &Path, key: &str) -> Result<u32> {
    match artefact.users.iter().position(|user| user.key == key) {
        Some(index) => Ok(index as u32),
        None => {
            let some = artefact.users.iter().take(5);
            Err(UnknownUser {
                artefact: folder.to_owned(),
                user: key.to_owned(),
                users: artefact.users.len(),
                some: some.map(|user| user.key.clone()).collect(),
            }
            .into())
        }
    }
}

/// Scores the whole catalogue for a taste and explains the `count` best items that were not taken.
///
/// # Errors
/// An artefact that cannot be read, a question about what it does not have, a device that fails.
pub fn explain(
    artefact_dir: &Path,
    question: &Question,
    count: usize,
    device: &Device,
) -> Result<Explained> {
    let artefact = load(artefact_dir)?;
    let mut taste = question.taste(&artefact, artefact_dir)?;
    let scorer = Scorer::new(&artefact, device)?;
    let mut text = None;
    if let Some(seed) = question.written {
        let written = write_pattern(&artefact, artefact_dir, &taste, seed)?;
        taste.written = written.vector;
        text = Some((written.text, seed));
    }
    let shown = pollster::block_on(scorer.recommend(&taste, count))?;
    let items: Vec<u32> = shown.recommendations.iter().map(|one| one.item).collect();
    let carriers = scorer.carriers(&taste, &items)?;
    let model = artefact.reward_config()?;
    Ok(in_words(&artefact, &model, &taste, text, &shown, &carriers))
}

/// A pattern for a history that nobody has written one for.
fn write_pattern(artefact: &Artefact, folder: &Path, taste: &Taste, seed: u64) -> Result<Written> {
    let Some(part) = &artefact.writer else {
        bail!(
            "{} carries no language model to write with: its own was too large for a page, or was exported without",
            folder.display()
        );
    };
    let items: Vec<u32> = taste.history.iter().map(|taken| taken.item).collect();
    let writer = Writer::new(part, &artefact.catalogue)?;
    Ok(writer.pattern(&items, seed)?.finish()?)
}

fn load(artefact_dir: &Path) -> Result<Artefact> {
    read_folder(artefact_dir)
        .with_context(|| format!("{} is not a usable artefact", artefact_dir.display()))
}

fn in_words(
    artefact: &Artefact,
    model: &RewardConfig,
    taste: &Taste,
    written: Option<(String, u64)>,
    shown: &Recommendations,
    carriers: &[Vec<Carrier>],
) -> Explained {
    let user = |index: u32| &artefact.users[index as usize];
    let item = |index: u32| &artefact.catalogue[index as usize];
    let taken: BTreeSet<u32> = taste.history.iter().map(|taken| taken.item).collect();
    let pattern = taste.pattern.filter(|_| model.use_patterns).map(user);
    let (text, seed) = written.filter(|_| model.use_patterns).unzip();
    Explained {
        user: taste.viewer.map(|viewer| user(viewer).key.clone()),
        dataset: artefact.dataset.name.clone(),
        pattern: text.or_else(|| pattern.and_then(|user| user.pattern.clone())),
        pattern_seed: seed,
        pattern_of: pattern
            .filter(|_| taste.pattern != taste.viewer)
            .map(|user| user.key.clone()),
        uses_patterns: model.use_patterns,
        uses_reasons: model.use_reasons,
        history_length: taste.history.len(),
        recent: (taste.history.iter().rev())
            .take(SHOWN_HISTORY)
            .map(|taken| item(taken.item).title.clone())
            .collect(),
        held_out: shown.held_out.map(|held_out| RankedTitle {
            title: item(held_out.item).title.clone(),
            rank: held_out.rank,
            of: shown.scored - taken.iter().filter(|item| **item != held_out.item).count() as u32,
            score: held_out.score,
        }),
        scored: shown.scored,
        recommendations: shown
            .recommendations
            .iter()
            .zip(carriers)
            .map(|(one, carriers)| explained_item(artefact, item(one.item), one, carriers))
            .collect(),
    }
}

fn explained_item(
    artefact: &Artefact,
    item: &CatalogueItem,
    shown: &Recommendation,
    carriers: &[Carrier],
) -> ExplainedItem {
    let texts = &artefact.reasons[shown.item as usize];
    ExplainedItem {
        rank: shown.rank,
        key: item.key.clone(),
        title: item.title.clone(),
        attributes: item.attributes.iter().map(|a| a.value.clone()).collect(),
        score: shown.score,
        reasons: shown
            .reasons
            .iter()
            .map(|reason| WeightedText {
                text: texts[reason.index as usize].text.clone(),
                weight: reason.weight,
            })
            .collect(),
        history: carriers
            .iter()
            .map(|event| CarriedBy {
                text: artefact.catalogue[event.item as usize].title.clone(),
                adds: event.adds,
            })
            .collect(),
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => writeln!(f, "User {user} of {}", self.dataset)?,
            None => writeln!(f, "A taste over {}", self.dataset)?,
        }
        match (&self.pattern, &self.pattern_of) {
            (Some(pattern), _) if self.pattern_seed.is_some() => {
                writeln!(f, "  pattern, written now: {pattern}")?;
            }
            (Some(pattern), None) => writeln!(f, "  pattern: {pattern}")?,
            (Some(pattern), Some(other)) => writeln!(f, "  pattern of {other}: {pattern}")?,
            (None, _) if !self.uses_patterns => {
                writeln!(f, "  this model was trained without patterns")?;
            }
            (None, _) if self.user.is_none() => writeln!(f, "  no pattern")?,
            (None, _) => writeln!(f, "  no pattern was written for this user, or none is read")?,
        }
        if !self.uses_reasons {
            writeln!(f, "  this model was trained without reasons")?;
        }
        if self.recent.is_empty() {
            writeln!(f, "  no history")?;
        } else {
            let more = self.history_length - self.recent.len();
            write!(f, "  last taken: {}", self.recent.join(" · "))?;
            if more > 0 {
                write!(f, " … and {more} before")?;
            }
            writeln!(f)?;
        }
        if let Some(held_out) = &self.held_out {
            writeln!(
                f,
                "  really taken next: {} (rank {} of {} not taken before, score {:.3})",
                held_out.title, held_out.rank, held_out.of, held_out.score
            )?;
        }
        for item in &self.recommendations {
            writeln!(f, "\n{:>3}. {}  [{:.3}]", item.rank, item.title, item.score)?;
            if !item.attributes.is_empty() {
                writeln!(f, "     {}", item.attributes.join(", "))?;
            }
            if item.reasons.is_empty() && self.uses_reasons {
                writeln!(f, "     no reason was told yet, or all are muted")?;
            }
            for reason in item.reasons.iter().take(SHOWN_CAUSES) {
                writeln!(
                    f,
                    "     {:>4.0} %  “{}”",
                    reason.weight * 100.0,
                    reason.text
                )?;
            }
            let carried: Vec<String> = item
                .history
                .iter()
                .take(SHOWN_CAUSES)
                .map(|event| format!("{} ({:+.2})", event.text, event.adds))
                .collect();
            if !carried.is_empty() {
                writeln!(f, "     carried by {}", carried.join(", "))?;
            }
        }
        if self.history_length > 0 && !self.recommendations.is_empty() {
            writeln!(
                f,
                "\nPer cent: attention on a reason. Carried by: what the score, before the sigmoid, loses where an average \
                 title stands in the place of that one."
            )?;
        }
        Ok(())
    }
}

/// Native scores of some users, to compare with another machine's or the browser's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreDump {
    /// The device that computed them, as text.
    pub device: String,
    /// One entry per user, evenly spaced over all users.
    pub users: Vec<DumpedUser>,
}

/// One user's scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DumpedUser {
    /// Index of the user in the artefact.
    pub user: u32,
    /// `ŷ` of every item.
    pub scores: Vec<f32>,
    /// The ten best unseen items, best first.
    pub top: Vec<u32>,
}

/// Scores at most `count` users, evenly spaced, for parity tests.
///
/// # Errors
/// As [`explain`].
pub fn dump_scores(artefact_dir: &Path, count: usize, device: &Device) -> Result<ScoreDump> {
    let artefact = load(artefact_dir)?;
    let scorer = Scorer::new(&artefact, device)?;
    let total = artefact.users.len();
    let count = count.clamp(1, total);
    let mut users = Vec::with_capacity(count);
    for index in (0..count).map(|step| step * total / count) {
        let user = &artefact.users[index];
        let seen: Vec<u32> = user.history.iter().map(|event| event.item).collect();
        let scores = pollster::block_on(scorer.score(index as u32))?;
        let shown = scores.recommend(&seen, None, 10);
        users.push(DumpedUser {
            user: index as u32,
            top: shown.recommendations.iter().map(|one| one.item).collect(),
            scores: scores.scores,
        });
    }
    Ok(ScoreDump {
        device: format!("{device:?}"),
        users,
    })
}
