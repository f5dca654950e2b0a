//! Gathers what a batch of history windows ([`crate::fitting`]) needs: candidates, and the texts visible at each event's time.

use std::sync::Arc;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::catalogue::Catalogue;
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
    /// Which items this step knows by their texts alone.
    pub(crate) hidden: Hidden,
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
    /// What the state loss holds every example against; empty without it.
    pub(crate) catalogue: Catalogue,
    /// Number of examples: present events that have one before them.
    pub(crate) examples: usize,
    /// Seeds the dropout of each window.
    pub(crate) dropout_seeds: Vec<u64>,
}

/// Items whose ID embedding a step does not see, each with the same chance and without a look at any other.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Hidden {
    chance: f32,
    seed: u64,
}

impl Hidden {
    /// What a step of this seed does not see; the same in each of its parts.
    pub(crate) fn new(chance: f32, seed: u64) -> Self {
        // A stream of its own: nothing else is drawn differently for it.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::MAX);
        let seed = rng.random();
        Self { chance, seed }
    }

    /// 1 for items that are seen, 0 for hidden ones; nothing where none ever is.
    pub(crate) fn seen(self, items: impl Iterator<Item = u64>) -> Option<Vec<f32>> {
        let seen = |item: u64| {
            // SplitMix64 (Steele et al. 2014): neighbours have nothing in common.
            let mut z = (self.seed ^ item).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let drawn = (z ^ (z >> 31)) >> 40; // 24 bits
            f32::from(u8::from(drawn as f32 >= self.chance * (1u32 << 24) as f32))
        };
        (self.chance > 0.0).then(|| items.map(seen).collect())
    }
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
    /// Items that the state loss holds every example against, if there is one.
    shared: Option<usize>,
    reasons: usize,
    use_reasons: bool,
    use_patterns: bool,
    /// Chance of an item to be hidden.
    hidden: f32,
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
            shared: config
                .has_auxiliary()
                .then_some(match config.auxiliary_negatives {
                    0 => data.items.len(),
                    drawn => drawn,
                }),
            reasons: config.model.reasons,
            use_reasons: config.model.use_reasons,
            use_patterns: config.model.use_patterns,
            hidden: match config.model.use_ids {
                true => config.identity_dropout,
                false => 0.0,
            },
        }
    }

    /// For states that know items by their IDs alone, held against `shared` items.
    pub(crate) fn of_identities(&self, shared: usize) -> Self {
        Self {
            shared: Some(match shared {
                0 => self.items,
                drawn => drawn,
            }),
            use_reasons: false,
            use_patterns: false,
            hidden: 0.0,
            ..self.without_negatives()
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
            hidden: Hidden::new(self.hidden, seed),
            present: Vec::with_capacity(slots),
            reasons: ReasonGrid::default(),
            reason_rows: RowSet::default(),
            patterns: Vec::with_capacity(slots),
            pattern_present: Vec::with_capacity(slots),
            pattern_rows: RowSet::default(),
            catalogue: Catalogue::default(),
            examples: 0,
            dropout_seeds: Vec::with_capacity(windows.len()),
        };
        if let Some(shared) = self.shared {
            batch.catalogue = self.catalogue(windows, shared, &mut rng)?;
        }
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

    /// `shared` distinct items, or all where there are no more, and what the windows' examples took; with the reasons that each
    /// example may see of them.
    fn catalogue(
        &self,
        windows: &[Window],
        shared: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Catalogue, crate::past::LeakError> {
        let Features {
            timeline, reasons, ..
        } = self.features;
        let mut catalogue = Catalogue::new(if shared >= self.items {
            (0..self.items as u32).collect()
        } else {
            rand::seq::index::sample(rng, self.items, shared)
                .into_iter()
                .map(|item| item as u32)
                .collect()
        });
        let mut pasts = Vec::new();
        for window in windows {
            for position in window.start + 1..window.end {
                catalogue.take(timeline.data().histories[window.user][position].item);
                pasts.push(timeline.past(window.user, position)?);
            }
        }
        if self.use_reasons && !reasons.is_empty() {
            catalogue.see(&self.features, pasts.into_iter(), self.reasons);
        }
        Ok(catalogue)
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
