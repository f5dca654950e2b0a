//! Gathers what a batch of history windows ([`crate::fitting`]) needs: candidates, and the texts visible at each event's time.

use std::sync::Arc;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::RewardLoss;
use super::features::{Features, ReasonGrid, RowSet};
use crate::fitting::{Taken, Window};

/// A batch of windows on the host. `B` windows of `E` events (right-padded); event `e` has candidate 0, itself, and `n` negatives.
#[derive(Debug, Default)]
pub(crate) struct HostBatch {
    pub(crate) windows: usize,
    pub(crate) events: usize,
    /// `[B, E, 1 + n]`
    pub(crate) items: Vec<i32>,
    /// `[B, E]`: an event is there.
    pub(crate) present: Vec<bool>,
    /// Reasons of each of `items` as visible at the event's time.
    pub(crate) reasons: ReasonGrid,
    pub(crate) reason_rows: RowSet,
    /// `[B, E]`: local row of the pattern known at the event; anything where absent.
    pub(crate) patterns: Vec<i32>,
    /// `[B, E]`
    pub(crate) pattern_present: Vec<bool>,
    pub(crate) pattern_rows: RowSet,
    /// Items every example is held against by the auxiliary loss; may be empty.
    pub(crate) shared: Vec<i32>,
    /// Number of examples: present events that have one before them.
    pub(crate) examples: usize,
    /// Seeds the dropout of each window.
    pub(crate) dropout_seeds: Vec<u64>,
}

/// What stays the same over all batches.
#[derive(Debug, Clone)]
pub(crate) struct Sampler<'a> {
    features: Features<'a>,
    taken: Arc<Taken>,
    items: usize,
    negatives: usize,
    /// The negatives are all other items, in their order.
    all: bool,
    shared: usize,
    reasons: usize,
    use_reasons: bool,
    use_patterns: bool,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(features: Features<'a>, config: &super::RewardTrainingConfig) -> Self {
        let data = features.timeline.data();
        Self {
            features,
            taken: Arc::new(Taken::new(data)),
            items: data.items.len(),
            negatives: match config.loss {
                RewardLoss::CrossEntropy => data.items.len().saturating_sub(1),
                _ => config.negatives,
            },
            all: config.loss == RewardLoss::CrossEntropy,
            shared: if config.has_auxiliary() {
                config.auxiliary_negatives
            } else {
                0
            },
            reasons: config.model.reasons,
            use_reasons: config.model.use_reasons,
            use_patterns: config.model.use_patterns,
        }
    }

    /// The same without negatives: for what is trained on histories alone.
    pub(crate) fn without_negatives(&self) -> Self {
        Self {
            negatives: 0,
            ..self.clone()
        }
    }

    /// Gathers `windows`, which are a batch from its window `first` on. What is drawn depends on the batch's seed and a window's place in
    /// the batch alone, so that dividing a batch among threads changes nothing.
    pub(crate) fn gather(
        &self,
        windows: &[Window],
        first: usize,
        seed: u64,
    ) -> Result<HostBatch, crate::past::LeakError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let events = windows
            .iter()
            .map(|window| window.end - window.start)
            .max()
            .unwrap_or(0);
        let slots = windows.len() * events;
        let mut batch = HostBatch {
            windows: windows.len(),
            events,
            items: Vec::with_capacity(slots * (1 + self.negatives)),
            present: Vec::with_capacity(slots),
            reasons: ReasonGrid::default(),
            reason_rows: RowSet::default(),
            patterns: Vec::with_capacity(slots),
            pattern_present: Vec::with_capacity(slots),
            pattern_rows: RowSet::default(),
            shared: self.shared_items(&mut rng),
            examples: 0,
            dropout_seeds: Vec::with_capacity(windows.len()),
        };
        for (index, window) in windows.iter().enumerate() {
            rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((1 + first + index) as u64);
            batch.dropout_seeds.push(rng.random());
            for event in 0..events {
                if window.start + event < window.end {
                    self.add_event(&mut batch, window, event, &mut rng)?;
                } else {
                    self.add_padding(&mut batch);
                }
            }
            batch.examples += window.end - window.start - 1;
        }
        Ok(batch)
    }

    fn add_event(
        &self,
        batch: &mut HostBatch,
        window: &Window,
        event: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), crate::past::LeakError> {
        let Features {
            timeline,
            patterns,
            reasons,
        } = self.features;
        let position = window.start + event;
        let past = timeline.past(window.user, position)?;
        let item = timeline.data().histories[window.user][position].item;
        for candidate in 0..=self.negatives {
            // The window's first event is no target: it needs no negatives.
            let item = if candidate == 0 || event == 0 {
                item
            } else if self.all {
                let other = candidate as u32 - 1;
                other + u32::from(other >= item)
            } else {
                self.taken.other(window.user, rng)
            };
            batch.items.push(item as i32);
            let visible: &[u32] = if self.use_reasons && (candidate == 0 || event > 0) {
                past.reasons(reasons, item, self.reasons)
            } else {
                &[]
            };
            let rows = &mut batch.reason_rows;
            batch
                .reasons
                .push(visible.iter().map(|&row| rows.local(row)));
        }
        batch.present.push(true);
        let pattern = if self.use_patterns {
            past.pattern(patterns)
        } else {
            None
        };
        batch
            .patterns
            .push(pattern.map_or(0, |row| batch.pattern_rows.local(row)));
        batch.pattern_present.push(pattern.is_some());
        Ok(())
    }

    /// Distinct items, or the whole catalogue where it is no larger than the sample; none where nothing is to be drawn.
    fn shared_items(&self, rng: &mut ChaCha8Rng) -> Vec<i32> {
        if self.shared >= self.items {
            return (0..self.items as i32).collect();
        }
        rand::seq::index::sample(rng, self.items, self.shared)
            .into_iter()
            .map(|item| item as i32)
            .collect()
    }

    fn add_padding(&self, batch: &mut HostBatch) {
        for _ in 0..=self.negatives {
            batch.items.push(0);
            batch.reasons.push([]);
        }
        batch.present.push(false);
        batch.patterns.push(0);
        batch.pattern_present.push(false);
    }
}
