//! An artefact's catalogue on a CPU.

use std::ops::Range;

use super::cpu::{CandidateScores, CpuModel, Detail, Moment, Prepared, ReasonTable};
use super::sigmoid;
use super::taste::{Muted, Side};
use crate::artefact::{Artefact, ArtefactError, tensors};
use crate::explain::UserScores;
use crate::reward::RewardConfig;

#[derive(Debug)]
pub(super) struct OnCpu {
    config: RewardConfig,
    model: CpuModel,
    /// `K` rows an item.
    table: ReasonTable,
    /// Reasons of each item.
    counts: Vec<u32>,
}

impl OnCpu {
    pub(super) fn new(artefact: &Artefact, config: &RewardConfig) -> Result<Self, ArtefactError> {
        let values = |name: &str| artefact.tensors[name].values.clone();
        Ok(Self {
            config: config.clone(),
            model: CpuModel::new(config, &artefact.tensors)?,
            table: ReasonTable {
                keys: values(tensors::REASON_KEYS),
                values: values(tensors::REASON_VALUES),
            },
            counts: (artefact.reasons.iter())
                .map(|list| list.len() as u32)
                .collect(),
        })
    }

    /// All items of the catalogue.
    pub(super) fn catalogue(&self) -> Vec<u32> {
        (0..self.config.items as u32).collect()
    }

    /// Rows of an item's reasons that count.
    fn rows(&self, item: u32, muted: &[Muted], rows: &mut Vec<u32>) {
        let first = item * self.config.reasons as u32;
        let quiet = muted_of(item, muted);
        rows.extend(
            (0..self.counts[item as usize])
                .filter(|reason| !quiet.iter().any(|muted| muted.reason == *reason))
                .map(|reason| first + reason),
        );
    }

    /// Places on an item's list of the reasons that count.
    pub(super) fn reasons(&self, item: u32, muted: &[Muted]) -> Vec<u32> {
        let mut rows = Vec::new();
        if self.config.use_reasons {
            self.rows(item, muted, &mut rows);
        }
        let slots = self.config.reasons as u32;
        rows.into_iter().map(|row| row % slots).collect()
    }

    /// `m` of items for a pattern, with the reasons of today, `[n, d]`.
    pub(super) fn matched(&self, pattern: &[f32], items: &[u32], muted: &[Muted]) -> Vec<f32> {
        let rows = |at: usize, rows: &mut Vec<u32>| self.rows(items[at], muted, rows);
        (self.model).matched(pattern, items.len(), &self.table, rows)
    }

    /// `H` of a taste's window, `[T, 2d]`.
    pub(super) fn states(&self, side: &Side) -> Vec<f32> {
        self.model.encode(&side.items(), side.matched())
    }

    /// The same where one of the events that are seen is exchanged for another input.
    pub(super) fn states_with(&self, side: &Side, place: usize, other: &[f32]) -> Vec<f32> {
        (self.model).encode_with(&side.items(), side.matched(), place, other)
    }

    /// What the encoder would read of the average title of the catalogue, matched with a taste's pattern.
    pub(super) fn average(&self, side: &Side) -> Vec<f32> {
        let all = self.catalogue();
        let matched = self.matched(&side.pattern, &all, &side.muted);
        self.model.average(&all, &matched)
    }

    /// Logits of some items; without `reasons` as if none had a list.
    pub(super) fn logits(
        &self,
        moment: Moment,
        items: &[u32],
        muted: &[Muted],
        reasons: bool,
    ) -> Vec<f32> {
        let rows = |at: usize, rows: &mut Vec<u32>| {
            if reasons {
                self.rows(items[at], muted, rows);
            }
        };
        let prepared = self.model.prepare(moment);
        (self.model)
            .score(&prepared, items, &self.table, rows, Detail::Scores)
            .logits
    }

    pub(super) fn score(&self, user: Option<u32>, side: &Side) -> UserScores {
        let states = self.states(side);
        let prepared = self.prepare(&states, side);
        let found = self.part(&prepared, side, 0..self.config.items as u32);
        self.whole(user, side, &states, found)
    }

    /// What a taste's states give to all items.
    pub(super) fn prepare(&self, states: &[f32], side: &Side) -> Prepared {
        self.model.prepare(side.moment(states))
    }

    /// Some items of the catalogue with what carried their scores, one after another.
    pub(super) fn part(
        &self,
        prepared: &Prepared,
        side: &Side,
        items: Range<u32>,
    ) -> CandidateScores {
        let items: Vec<u32> = items.collect();
        let rows = |at: usize, rows: &mut Vec<u32>| self.rows(items[at], &side.muted, rows);
        let slots = self.config.reasons;
        let evidence = Detail::Evidence { slots };
        (self.model).score(prepared, &items, &self.table, rows, evidence)
    }

    /// The catalogue's scores, of all of its parts.
    pub(super) fn whole(
        &self,
        user: Option<u32>,
        side: &Side,
        states: &[f32],
        mut found: CandidateScores,
    ) -> UserScores {
        self.put_back(&mut found.attention, &side.muted);
        let norm = |state: &[f32]| state.iter().map(|h| h * h).sum::<f32>().sqrt();
        UserScores {
            user,
            scores: found.logits.iter().map(|&logit| sigmoid(logit)).collect(),
            logits: found.logits,
            attention: found.attention,
            heads: self.config.heads,
            slots: self.config.reasons,
            event_weights: found.event_weights,
            state_norms: (states.chunks_exact(self.config.input_width()))
                .map(norm)
                .collect(),
            window: side.window().to_vec(),
        }
    }

    /// Numbers that an item of a part has beside its logit, for a history of so many events: DIN weights, attention.
    pub(super) fn evidence(&self, events: usize) -> [usize; 2] {
        [events, self.config.heads * self.config.reasons]
    }

    /// Attention comes side by side; where reasons were left out it goes back to the places of those that count.
    fn put_back(&self, attention: &mut [f32], muted: &[Muted]) {
        let (heads, slots) = (self.config.heads, self.config.reasons);
        for of_item in muted.chunk_by(|a, b| a.item == b.item) {
            let item = of_item[0].item;
            let mut rows = Vec::new();
            self.rows(item, muted, &mut rows);
            let lists = &mut attention[item as usize * heads * slots..][..heads * slots];
            for list in lists.chunks_exact_mut(slots) {
                let packed = list.to_vec();
                list.fill(0.0);
                for (weight, row) in packed.into_iter().zip(&rows) {
                    list[*row as usize % slots] = weight;
                }
            }
        }
    }
}

/// Of ordered muted reasons those of one item.
pub(super) fn muted_of(item: u32, muted: &[Muted]) -> &[Muted] {
    let start = muted.partition_point(|one| one.item < item);
    let end = muted.partition_point(|one| one.item <= item);
    &muted[start..end]
}
