//! Scores of the whole catalogue, and the reward of a reason (METHOD §3).

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use curec_shared_model::explain::UserScores;
use curec_shared_model::reward::{HistoryBatch, ItemBatch, ProjectedReasons, RewardModel};
use curec_shared_model::scorer::cpu::{CpuModel, Detail, Moment, ReasonTable};
use rayon::prelude::*;
use thiserror::Error;

use super::features::{Features, ReasonGrid, bools, floats, history_pasts, ints};
use crate::evaluation::{Example, RankError, Ranker};
use crate::fitting::resolve_threads;
use crate::past::{LeakError, Past};

/// Why scores could not be computed.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The model and the stores do not fit.
    #[error("the reward model was trained on {expected} {what}, but this run has {found}")]
    Mismatch {
        /// Items or text vector width.
        what: &'static str,
        /// In the model.
        expected: usize,
        /// In the run.
        found: usize,
    },
    /// An example that does not exist.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// A candidate reason's vector has the wrong length.
    #[error("a reason vector has {found} values; the model needs {expected}")]
    Width {
        /// In the model.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// The device did not hand over its results.
    #[error("cannot read scores from the device: {0}")]
    Device(String),
}

/// Rows of text vectors that are projected in one go.
const TABLE_CHUNK: usize = 8192;
/// Candidates scored in one go: small enough that the DIN's pairs stay in a core's cache.
const CANDIDATE_CHUNK: usize = 256;

/// A frozen reward model over a run's features.
#[derive(Debug)]
pub struct Scorer<'a> {
    model: RewardModel,
    features: Features<'a>,
    device: Device,
    reasons: Option<ProjectedReasons>,
    patterns: Option<Tensor<2>>,
    /// For whole catalogues on a CPU, made when it is first asked for.
    by_hand: OnceLock<(CpuModel, ReasonTable)>,
    threads: usize,
    chunk: usize,
    history: usize,
}

/// The reward of each candidate reason for one interaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ReasonRewards {
    /// Score of the interaction with the candidate as the item's newest reason.
    pub scores: Vec<f32>,
    /// Score without any candidate: the item's reasons as they were.
    pub baseline: f32,
}

impl<'a> Scorer<'a> {
    /// Projects all reasons and patterns once. `model` must be without gradients (as [`train`](super::train::train) returns it).
    pub fn new(
        model: RewardModel,
        features: Features<'a>,
        device: &Device,
    ) -> Result<Self, ScoreError> {
        let config = model.config();
        for (what, expected, found) in [
            ("items", config.items, features.timeline.data().items.len()),
            (
                "values per reason vector",
                config.text_width,
                features.reasons.width(),
            ),
            (
                "values per pattern vector",
                config.text_width,
                features.patterns.width(),
            ),
        ] {
            if expected != found {
                return Err(ScoreError::Mismatch {
                    what,
                    expected,
                    found,
                });
            }
        }
        let width = config.text_width;
        let chunks = |vectors: &[f32]| -> Vec<Tensor<2>> {
            vectors
                .chunks(TABLE_CHUNK * width)
                .map(|chunk| floats(chunk.to_vec(), [chunk.len() / width, width], device))
                .collect()
        };
        let reasons = (config.use_reasons && !features.reasons.is_empty()).then(|| {
            let parts: Vec<_> = chunks(features.reasons.vectors())
                .into_iter()
                .map(|part| model.project_reasons(part))
                .collect();
            ProjectedReasons {
                keys: Tensor::cat(parts.iter().map(|part| part.keys.clone()).collect(), 0),
                values: Tensor::cat(parts.into_iter().map(|part| part.values).collect(), 0),
            }
        });
        let patterns = (config.use_patterns && !features.patterns.is_empty()).then(|| {
            let parts = chunks(features.patterns.vectors())
                .into_iter()
                .map(|part| model.encode_text(part))
                .collect();
            Tensor::cat(parts, 0)
        });
        let threads = resolve_threads(0, device);
        Ok(Self {
            by_hand: OnceLock::new(),
            chunk: if threads > 1 { CANDIDATE_CHUNK } else { 2048 },
            history: config.max_history,
            model,
            features,
            device: device.clone(),
            reasons,
            patterns,
            threads,
        })
    }

    /// Sets how many users are scored at once; the default is one per core on the CPU, one elsewhere.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// How many users are scored at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Shows the encoder at most the newest `events` of every history, as if there were no others; patterns are as they are.
    pub fn with_history(mut self, events: usize) -> Self {
        self.history = events.min(self.model.config().max_history);
        self
    }

    /// The control *no history*: whoever asks has taken nothing yet. Patterns and reasons stay as they are at that moment.
    pub fn without_history(self) -> Self {
        self.with_history(0)
    }

    /// The model behind it.
    pub fn model(&self) -> &RewardModel {
        &self.model
    }

    /// Logits of every item for one user at one moment.
    pub fn catalogue(&self, example: Example) -> Result<Vec<f32>, ScoreError> {
        let items: Vec<u32> = (0..self.model.config().items as u32).collect();
        self.items(example, &items)
    }

    /// Logits of `items` for one user at one moment.
    pub fn items(&self, example: Example, items: &[u32]) -> Result<Vec<f32>, ScoreError> {
        let past = self
            .features
            .timeline
            .past(example.user, example.position)?;
        let history = self.history(&past);
        let states = self.model.states(&history, self.reasons.as_ref());
        let pattern = self.pattern_rows(&[past]);
        if let Some((model, table)) = self.by_hand()? {
            let seen = history_pasts(&self.features.timeline, &past, self.history).len();
            let [_, _, width] = states.dims();
            let states = match seen {
                0 => Vec::new(),
                _ => read(states.slice([0..1, 0..seen]).reshape([seen, width]))?,
            };
            let moment = Moment {
                states: &states,
                pattern: &read(pattern)?,
            };
            let rows = |at: usize, rows: &mut Vec<u32>| {
                if self.reasons.is_some() {
                    rows.extend_from_slice(self.visible(&past, items[at]));
                }
            };
            let prepared = model.prepare(moment);
            return Ok(model
                .score(&prepared, items, table, rows, Detail::Scores)
                .logits);
        }
        let mut scores = Vec::with_capacity(items.len());
        for chunk in items.chunks(self.chunk) {
            let batch = self.item_batch(chunk.iter().map(|&item| (item, past)));
            let scored = self.model.score_candidates(
                states.clone(),
                history.present.clone(),
                pattern.clone(),
                &batch,
                self.reasons.as_ref(),
            );
            scores.extend(read(scored.logits)?);
        }
        Ok(scores)
    }

    /// Logits and attention of items with the reason lists given, for one user at one moment: what is measured of explanations.
    ///
    /// `lists` holds items with rows of the reason store. They are the caller's: which may be seen when is not asked here, so
    /// take them from a [`Past`]. Item `n` of the answer is list `n`; the answer tells nothing of the history.
    pub fn with_lists(
        &self,
        example: Example,
        lists: &[(u32, Vec<u32>)],
    ) -> Result<UserScores, ScoreError> {
        let past = self
            .features
            .timeline
            .past(example.user, example.position)?;
        let history = self.history(&past);
        let mut grid = ReasonGrid::default();
        for (_, rows) in lists {
            grid.push(rows.iter().map(|&row| row as i32));
        }
        let slots = grid.width();
        let items = lists.iter().map(|(item, _)| *item as i32).collect();
        let scored = self.model.score_candidates(
            self.model.states(&history, self.reasons.as_ref()),
            history.present.clone(),
            self.pattern_rows(&[past]),
            &self.grid_batch(items, grid),
            self.reasons.as_ref(),
        );
        let heads = self.model.config().heads;
        let attention = scored
            .reason_attention
            .reshape([1, lists.len() * heads * slots]);
        Ok(UserScores {
            user: Some(example.user as u32),
            logits: read(scored.logits)?,
            scores: read(scored.scores)?,
            attention: read(attention)?,
            heads,
            slots,
            window: Vec::new(),
            event_weights: Vec::new(),
            state_norms: Vec::new(),
        })
    }

    /// Attention of a user's pattern at one moment on the reasons of `items` that are visible then (Eq. 7): per item the rows of
    /// its reasons in the store, oldest first, each with its weight, the mean over heads; an item's weights sum to 1. Empty for
    /// items without reasons and for models without them.
    pub fn reason_attention(
        &self,
        example: Example,
        items: &[u32],
    ) -> Result<Vec<Vec<(u32, f32)>>, ScoreError> {
        let past = self
            .features
            .timeline
            .past(example.user, example.position)?;
        if self.reasons.is_none() {
            return Ok(vec![Vec::new(); items.len()]);
        }
        let mut found = Vec::with_capacity(items.len());
        for chunk in items.chunks(self.chunk) {
            let batch = self.item_batch(chunk.iter().map(|&item| (item, past)));
            let pattern = self.pattern_rows(&[past]);
            let (_, attention) = self
                .model
                .item_inputs(&batch, pattern, self.reasons.as_ref());
            let [_, _, _, width] = attention.dims();
            let mean = attention.mean_dim(2).reshape([chunk.len(), width]);
            let values = read(mean)?;
            for (&item, weights) in chunk.iter().zip(values.chunks(width)) {
                let rows = past.reasons(self.features.reasons, item, self.model.config().reasons);
                found.push(rows.iter().copied().zip(weights.iter().copied()).collect());
            }
        }
        Ok(found)
    }

    /// METHOD §3: each candidate reason is put on `R_i` in turn (the oldest leaves when the list is full) and `(u, i)` is scored.
    ///
    /// `candidates` are text vectors `[G][text_width]`; scores are probabilities. Nothing is written to the store.
    pub fn reason_rewards(
        &self,
        user: usize,
        position: usize,
        item: u32,
        candidates: &[Vec<f32>],
    ) -> Result<ReasonRewards, ScoreError> {
        let past = self.features.timeline.past(user, position)?;
        let pattern = self.pattern_rows(&[past]);
        self.reason_rewards_with_pattern(&past, pattern, item, candidates)
    }

    /// As [`Scorer::reason_rewards`], with a pattern's text vector given instead of the stored one (`None`: no pattern yet).
    pub fn reason_rewards_given_pattern(
        &self,
        user: usize,
        position: usize,
        item: u32,
        candidates: &[Vec<f32>],
        pattern: Option<&[f32]>,
    ) -> Result<ReasonRewards, ScoreError> {
        let past = self.features.timeline.past(user, position)?;
        let width = self.model.config().text_width;
        let vector = pattern.map_or_else(|| vec![0.0; width], <[f32]>::to_vec);
        check_width(width, &vector)?;
        let pattern = self.model.pattern(
            floats(vector, [1, width], &self.device),
            bools(vec![pattern.is_some()], [1], &self.device),
        );
        self.reason_rewards_with_pattern(&past, pattern, item, candidates)
    }

    fn reason_rewards_with_pattern(
        &self,
        past: &Past,
        pattern: Tensor<2>,
        item: u32,
        candidates: &[Vec<f32>],
    ) -> Result<ReasonRewards, ScoreError> {
        let config = self.model.config();
        let mut vectors = Vec::with_capacity(candidates.len() * config.text_width);
        for candidate in candidates {
            check_width(config.text_width, candidate)?;
            vectors.extend_from_slice(candidate);
        }
        let old = past.reasons(self.features.reasons, item, config.reasons);
        let kept = &old[(old.len() + 1)
            .saturating_sub(config.reasons)
            .min(old.len())..];
        // A small table of its own: the item's reasons, then the candidates.
        for &row in old {
            vectors.extend_from_slice(self.features.reasons.vector(row));
        }
        let rows = vectors.len() / config.text_width;
        let table = (config.use_reasons && rows > 0).then(|| {
            self.model
                .project_reasons(floats(vectors, [rows, config.text_width], &self.device))
        });
        let first_old = candidates.len() as i32;
        let dropped = (old.len() - kept.len()) as i32;
        let mut grid = ReasonGrid::default();
        grid.push(first_old..first_old + old.len() as i32);
        for candidate in 0..candidates.len() as i32 {
            grid.push((first_old + dropped..first_old + old.len() as i32).chain([candidate]));
        }
        let count = 1 + candidates.len();
        let batch = self.grid_batch(vec![item as i32; count], grid);
        let history = self.history(past);
        let scored = self.model.score_candidates(
            self.model.states(&history, self.reasons.as_ref()),
            history.present.clone(),
            pattern,
            &batch,
            table.as_ref(),
        );
        let mut scores = read(scored.scores)?;
        let baseline = scores.remove(0);
        Ok(ReasonRewards { scores, baseline })
    }

    /// What the encoder sees at `past`: the newest events, each with the reasons and the pattern of its own time.
    pub fn history(&self, past: &Past) -> HistoryBatch {
        let events = history_pasts(&self.features.timeline, past, self.history);
        let length = events.len().max(1); // an empty history is one absent event
        let mut present = vec![true; events.len()];
        present.resize(length, false);
        let patterns = if events.is_empty() {
            self.model.no_pattern.val().unsqueeze::<2>()
        } else {
            let pasts: Vec<Past> = events.iter().map(|&(_, past)| past).collect();
            self.pattern_rows(&pasts)
        };
        let batch = if events.is_empty() {
            let mut grid = ReasonGrid::default();
            grid.push([]);
            self.grid_batch(vec![0], grid)
        } else {
            self.item_batch(events.iter().map(|&(event, past)| (event.item, past)))
        };
        HistoryBatch {
            events: batch,
            present: bools(present, [1, length], &self.device),
            patterns: patterns.unsqueeze::<3>(),
        }
    }

    fn pattern_rows(&self, pasts: &[Past]) -> Tensor<2> {
        let none = self.model.no_pattern.val().unsqueeze::<2>();
        let rows: Vec<Option<u32>> = pasts
            .iter()
            .map(|past| past.pattern(self.features.patterns))
            .collect();
        let Some(table) = self
            .patterns
            .as_ref()
            .filter(|_| rows.iter().any(Option::is_some))
        else {
            return none.expand([pasts.len(), self.model.config().width]);
        };
        let index = rows
            .iter()
            .map(|row| row.map_or(0, |row| row as i32))
            .collect();
        let there = rows.iter().map(|row| f32::from(row.is_some())).collect();
        let there = floats(there, [pasts.len(), 1], &self.device);
        let known = table
            .clone()
            .select(0, ints(index, [pasts.len()], &self.device));
        known * there.clone() + none * there.neg().add_scalar(1.0)
    }

    /// Model and reasons on the host; nothing where they live on another device.
    fn by_hand(&self) -> Result<Option<&(CpuModel, ReasonTable)>, ScoreError> {
        if self.device != Device::flex() || self.by_hand.get().is_some() {
            return Ok(self.by_hand.get());
        }
        let table = match &self.reasons {
            Some(reasons) => ReasonTable {
                keys: read(reasons.keys.clone())?,
                values: read(reasons.values.clone())?,
            },
            None => ReasonTable::default(),
        };
        let model = CpuModel::of(&self.model);
        let model = model.map_err(|error| ScoreError::Device(error.to_string()))?;
        Ok(Some(self.by_hand.get_or_init(|| (model, table))))
    }

    /// Rows of the reasons of `item` that are visible at `past`.
    fn visible<'p>(&'p self, past: &Past, item: u32) -> &'p [u32] {
        past.reasons(self.features.reasons, item, self.model.config().reasons)
    }

    fn item_batch<'p>(&self, items: impl Iterator<Item = (u32, Past<'p>)>) -> ItemBatch {
        let mut grid = ReasonGrid::default();
        let items = items
            .map(|(item, past)| {
                let rows: &[u32] = if self.reasons.is_some() {
                    self.visible(&past, item)
                } else {
                    &[]
                };
                grid.push(rows.iter().map(|&row| row as i32));
                item as i32
            })
            .collect();
        self.grid_batch(items, grid)
    }

    fn grid_batch(&self, items: Vec<i32>, grid: ReasonGrid) -> ItemBatch {
        let (count, width) = (items.len(), grid.width());
        let (index, mask) = grid.rectangle();
        ItemBatch {
            items: ints(items, [1, count], &self.device),
            reasons: ints(index, [1, count, width], &self.device),
            reason_mask: bools(mask, [1, count, width], &self.device),
        }
    }
}

impl Ranker for Scorer<'_> {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        let score = |&example: &Example| {
            self.catalogue(example).map_err(|error| RankError::Scores {
                user: example.user,
                message: error.to_string(),
            })
        };
        if self.threads == 1 {
            return examples.iter().map(score).collect();
        }
        examples.par_iter().map(score).collect()
    }
}

fn check_width(expected: usize, vector: &[f32]) -> Result<(), ScoreError> {
    if vector.len() == expected {
        return Ok(());
    }
    Err(ScoreError::Width {
        expected,
        found: vector.len(),
    })
}

fn read(scores: Tensor<2>) -> Result<Vec<f32>, ScoreError> {
    scores
        .try_into_vec_as::<f32>()
        .map_err(|error| ScoreError::Device(error.to_string()))
}
