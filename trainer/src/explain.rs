//! Explained recommendations in the terminal, and score dumps for parity tests: the browser's scorer, run natively.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use curec_shared_model::artefact::{Artefact, CatalogueItem};
use curec_shared_model::explain::{Recommendation, UserScores};
use curec_shared_model::reward::RewardConfig;
use curec_shared_model::scorer::Scorer;
use serde::Serialize;

use crate::export::read_folder;

/// Newest events of the history that the terminal shows.
const SHOWN_HISTORY: usize = 8;
/// Reasons and history items shown under each recommendation.
const SHOWN_CAUSES: usize = 3;

/// What a user is recommended, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The user's key in the data set.
    pub user: String,
    /// Name of the data set.
    pub dataset: String,
    /// The pattern the LLM wrote of them, if the model reads patterns.
    pub pattern: Option<String>,
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
    /// Titles of history events with their signed share, heaviest first.
    pub history: Vec<WeightedText>,
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

/// Scores the whole catalogue for the user with key `user_key` and explains the `count` best unseen items.
///
/// # Errors
/// An artefact that cannot be read, an unknown user ([`UnknownUser`]), a device that fails.
pub fn explain(
    artefact_dir: &Path,
    user_key: &str,
    count: usize,
    device: &Device,
) -> Result<Explained> {
    let artefact = load(artefact_dir)?;
    let Some(index) = artefact.users.iter().position(|user| user.key == user_key) else {
        let some = artefact.users.iter().take(5);
        return Err(UnknownUser {
            artefact: artefact_dir.to_owned(),
            user: user_key.to_owned(),
            users: artefact.users.len(),
            some: some.map(|user| user.key.clone()).collect(),
        }
        .into());
    };
    let scorer = Scorer::new(&artefact, device)?;
    let scores = pollster::block_on(scorer.score(index as u32))?;
    let model = artefact.reward_config()?;
    Ok(in_words(&artefact, &model, index, &scores, count))
}

fn load(artefact_dir: &Path) -> Result<Artefact> {
    read_folder(artefact_dir)
        .with_context(|| format!("{} is not a usable artefact", artefact_dir.display()))
}

fn in_words(
    artefact: &Artefact,
    model: &RewardConfig,
    index: usize,
    scores: &UserScores,
    count: usize,
) -> Explained {
    let user = &artefact.users[index];
    let item = |index: u32| &artefact.catalogue[index as usize];
    let seen: Vec<u32> = user.history.iter().map(|event| event.item).collect();
    let shown = scores.recommend(&seen, user.held_out, count);
    let taken: BTreeSet<u32> = seen.iter().copied().collect();
    Explained {
        user: user.key.clone(),
        dataset: artefact.dataset.name.clone(),
        pattern: user.pattern.clone().filter(|_| model.use_patterns),
        uses_patterns: model.use_patterns,
        uses_reasons: model.use_reasons,
        history_length: seen.len(),
        recent: seen
            .iter()
            .rev()
            .take(SHOWN_HISTORY)
            .map(|index| item(*index).title.clone())
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
            .map(|one| explained_item(artefact, item(one.item), one))
            .collect(),
    }
}

fn explained_item(
    artefact: &Artefact,
    item: &CatalogueItem,
    shown: &Recommendation,
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
        history: shown
            .history
            .iter()
            .map(|event| WeightedText {
                text: artefact.catalogue[event.item as usize].title.clone(),
                weight: event.weight,
            })
            .collect(),
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "User {} of {}", self.user, self.dataset)?;
        match &self.pattern {
            Some(pattern) => writeln!(f, "  pattern: {pattern}")?,
            None if !self.uses_patterns => {
                writeln!(f, "  this model was trained without patterns")?;
            }
            None => writeln!(f, "  no pattern was written for this user")?,
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
                writeln!(f, "     no reason was told yet")?;
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
                .map(|event| format!("{} ({:+.0} %)", event.text, event.weight * 100.0))
                .collect();
            if !carried.is_empty() {
                writeln!(f, "     carried by {}", carried.join(", "))?;
            }
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
