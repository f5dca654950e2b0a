//! Scores candidates on a CPU without a tensor library between, natively and in the browser: the numbers of
//! `RewardModel::score_candidates` in a fraction of the time (benches/LOG.md).
//!
//! A general framework forms the DIN unit's hidden layer for every pair of event and candidate, writes it to memory, and
//! reads it again to activate and to sum it. Here candidates lie side by side in registers ([`panel`]), a pair's hidden layer is
//! forgotten as soon as its weight is known, and the first layers are decomposed so that all that depends on the history alone is
//! computed once ([`weights`]).

mod encoder;
mod panel;
mod prepared;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;
mod weights;

use std::collections::BTreeMap;

use pulp::{Arch, Simd, WithSimd};

use self::panel::{ROWS, Row, add_scaled, constant, numbers, numbers_mut, product, splat};
pub use self::prepared::Prepared;
use self::prepared::Preparing;
use self::weights::Weights;
#[cfg(feature = "tensors")]
use super::parameters::{UnreadableParameter, inference_parameters};
use crate::artefact::{ArtefactError, StoredTensor};
use crate::reward::RewardConfig;
#[cfg(feature = "tensors")]
use crate::reward::RewardModel;

/// The parameters of a reward model, ready to score candidates.
#[derive(Debug, Clone)]
pub struct CpuModel {
    config: RewardConfig,
    weights: Weights,
}

/// Projected reasons on the host, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReasonTable {
    /// `[reasons, d]`
    pub keys: Vec<f32>,
    /// `[reasons, d]`
    pub values: Vec<f32>,
}

/// A user at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// States of the history's events, oldest first, `[T, 2d]`; none of an empty history.
    pub states: &'a [f32],
    /// `e(P_u)`, `[d]`.
    pub pattern: &'a [f32],
}

/// What is to be known beside the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Scores,
    /// What carried them; attention is filled up to so many reasons an item.
    Evidence {
        /// `K`
        slots: usize,
    },
}

/// Scores of `n` candidates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CandidateScores {
    /// Before the sigmoid, `[n]`.
    pub logits: Vec<f32>,
    /// DIN weight of each past event, `[n, T]`; empty without [`Detail::Evidence`].
    pub event_weights: Vec<f32>,
    /// Attention on the reasons, `[n, heads, K]`, 0 after the last one; empty without [`Detail::Evidence`].
    pub attention: Vec<f32>,
}

impl CpuModel {
    /// From named parameters, as an artefact has them.
    ///
    /// # Errors
    /// A parameter that is missing, of another shape, or of no use to the model.
    pub fn new(
        config: &RewardConfig,
        parameters: &BTreeMap<String, StoredTensor>,
    ) -> Result<Self, ArtefactError> {
        Ok(Self {
            weights: Weights::read(config, parameters)?,
            config: config.clone(),
        })
    }

    /// From a model without gradients. Reads its device synchronously: for the trainer.
    ///
    /// # Errors
    /// A device that does not hand values over.
    #[cfg(feature = "tensors")]
    pub fn of(model: &RewardModel) -> Result<Self, UnreadableParameter> {
        let parameters = inference_parameters(model)?;
        Self::new(model.config(), &parameters).map_err(|error| UnreadableParameter {
            name: "weights".to_owned(),
            message: error.to_string(),
        })
    }

    /// States of a history, oldest event first, `[T, 2d]`, from its items and what was matched for each of them, `[T, d]`.
    ///
    /// # Panics
    /// Where an item does not exist, or there are more events than the model sees.
    pub fn encode(&self, items: &[u32], matched: &[f32]) -> Vec<f32> {
        self.weights.encoder.forward(&self.inputs(items, matched))
    }

    /// The same where the event at a place is exchanged for another input, `[2d]`.
    ///
    /// # Panics
    /// As [`CpuModel::encode`]; where there is no such place, or the input is not of the model's width.
    pub fn encode_with(
        &self,
        items: &[u32],
        matched: &[f32],
        place: usize,
        other: &[f32],
    ) -> Vec<f32> {
        let mut inputs = self.inputs(items, matched);
        let width = self.config.input_width();
        inputs[place * width..(place + 1) * width].copy_from_slice(other);
        self.weights.encoder.forward(&inputs)
    }

    /// What the encoder reads of each event: its item's embedding and what was matched, `[T, 2d]`.
    fn inputs(&self, items: &[u32], matched: &[f32]) -> Vec<f32> {
        let width = self.config.width;
        assert_eq!(matched.len(), items.len() * width);
        assert!(items.len() <= self.config.max_history);
        let mut inputs = Vec::with_capacity(2 * matched.len());
        for (&item, matched) in items.iter().zip(matched.chunks_exact(width)) {
            inputs.extend_from_slice(self.identity(item));
            inputs.extend_from_slice(matched);
        }
        inputs
    }

    /// Mean of what the encoder would read of these items with what was matched for each of them, `[2d]`.
    ///
    /// # Panics
    /// Where an item does not exist, or there is none.
    pub fn average(&self, items: &[u32], matched: &[f32]) -> Vec<f32> {
        let width = self.config.width;
        assert!(!items.is_empty() && matched.len() == items.len() * width);
        let mut sums = vec![0.0f32; 2 * width];
        for (&item, matched) in items.iter().zip(matched.chunks_exact(width)) {
            let input = self.identity(item).iter().chain(matched);
            sums.iter_mut()
                .zip(input)
                .for_each(|(sum, value)| *sum += value);
        }
        sums.iter_mut().for_each(|sum| *sum /= items.len() as f32);
        sums
    }

    /// `m` (Eq. 7) of `count` lists of reasons for a pattern, `[count, d]`; `rows` appends the rows of `table` that are on the list at
    /// a place among them.
    ///
    /// # Panics
    /// Where a row does not exist, or the pattern is not of the model's width.
    pub fn matched(
        &self,
        pattern: &[f32],
        count: usize,
        table: &ReasonTable,
        rows: impl Fn(usize, &mut Vec<u32>),
    ) -> Vec<f32> {
        assert_eq!(pattern.len(), self.config.width);
        let candidates = Candidates {
            model: self,
            items: &vec![0; count],
            table,
            rows,
            detail: Detail::Scores,
        };
        Arch::new().dispatch(Matching {
            candidates,
            pattern,
        })
    }

    /// ID embedding of an item, `[d]`.
    fn identity(&self, item: u32) -> &[f32] {
        let row = if self.config.use_ids {
            item as usize
        } else {
            0
        };
        &self.weights.item[row * self.config.width..][..self.config.width]
    }

    /// What a moment gives to all candidates.
    ///
    /// # Panics
    /// Where states and pattern are not of the model's width.
    pub fn prepare(&self, moment: Moment) -> Prepared {
        assert_eq!(moment.pattern.len(), self.config.width);
        assert_eq!(moment.states.len() % self.config.input_width(), 0);
        Arch::new().dispatch(Preparing(self, moment))
    }

    /// Scores `items`; `rows` appends the rows of `table` that are the reasons of the candidate at a place among them.
    ///
    /// # Panics
    /// Where an item or a row does not exist.
    pub fn score(
        &self,
        prepared: &Prepared,
        items: &[u32],
        table: &ReasonTable,
        rows: impl Fn(usize, &mut Vec<u32>),
        detail: Detail,
    ) -> CandidateScores {
        let candidates = Candidates {
            model: self,
            items,
            table,
            rows,
            detail,
        };
        Arch::new().dispatch(Scoring {
            candidates,
            prepared,
        })
    }
}

struct Candidates<'a, R> {
    model: &'a CpuModel,
    items: &'a [u32],
    table: &'a ReasonTable,
    rows: R,
    detail: Detail,
}

struct Scoring<'a, R> {
    candidates: Candidates<'a, R>,
    prepared: &'a Prepared,
}

impl<R: Fn(usize, &mut Vec<u32>)> WithSimd for Scoring<'_, R> {
    type Output = CandidateScores;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> CandidateScores {
        let Self {
            candidates,
            prepared,
        } = self;
        let width = candidates.model.config.width;
        let silent = candidates.model.weights.interest.bend.is_silent();
        let zero = splat(simd, 0.0);
        let panel = panel::width::<S>();
        let mut inputs: Vec<Row<S>> = vec![zero; 2 * width];
        let mut joined: Vec<Row<S>> = vec![zero; width];
        let mut weights: Vec<Row<S>> = vec![zero; prepared.events];
        let mut interest: Vec<Row<S>> = vec![zero; (2 * width).next_multiple_of(ROWS)];
        let mut scratch = Attention::default();
        let mut found = CandidateScores::default();
        for (first, items) in (0..).step_by(panel).zip(candidates.items.chunks(panel)) {
            candidates.identities::<S>(items, &mut inputs[..width]);
            let some =
                candidates.join::<S>(first, items, &prepared.query, &mut joined, &mut scratch);
            if let Detail::Evidence { .. } = candidates.detail {
                found.attention.append(&mut scratch.kept);
            }
            candidates.matched(simd, &joined, &some, &mut inputs[width..]);

            // Of a silent unit all candidates have the same interest.
            if first == 0 || !silent {
                candidates.weigh(simd, prepared, &inputs, &mut weights);
                for tile in 0..prepared.states.tiles() {
                    let rows = &mut interest[tile * ROWS..][..ROWS];
                    let start = constant(simd, &[]);
                    rows.copy_from_slice(&product(simd, &prepared.states, tile, &weights, start));
                }
            }
            let logits = candidates.logits(simd, prepared, &inputs, &interest);
            (found.logits).extend_from_slice(&numbers::<S>(&logits)[..items.len()]);
            if let Detail::Evidence { .. } = candidates.detail {
                for at in 0..items.len() {
                    let of_event = |row: &Row<S>| numbers::<S>(row)[at];
                    found.event_weights.extend(weights.iter().map(of_event));
                }
            }
        }
        found
    }
}

/// Only `m` of what is scored.
struct Matching<'a, R> {
    candidates: Candidates<'a, R>,
    pattern: &'a [f32],
}

impl<R: Fn(usize, &mut Vec<u32>)> WithSimd for Matching<'_, R> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self {
            candidates,
            pattern,
        } = self;
        let width = candidates.model.config.width;
        let query = candidates.model.weights.query.of(pattern);
        let panel = panel::width::<S>();
        let mut joined: Vec<Row<S>> = vec![splat(simd, 0.0); width];
        let mut matched = joined.clone();
        let mut scratch = Attention::default();
        let mut found = Vec::with_capacity(candidates.items.len() * width);
        for (first, items) in (0..).step_by(panel).zip(candidates.items.chunks(panel)) {
            let some = candidates.join::<S>(first, items, &query, &mut joined, &mut scratch);
            candidates.matched(simd, &joined, &some, &mut matched);
            for at in 0..items.len() {
                found.extend(matched.iter().map(|row| numbers::<S>(row)[at]));
            }
        }
        found
    }
}

/// Scratch of one candidate's attention.
#[derive(Default)]
struct Attention {
    rows: Vec<u32>,
    logits: Vec<f32>,
    /// `[n, heads, K]` of a panel's candidates.
    kept: Vec<f32>,
}

impl<R: Fn(usize, &mut Vec<u32>)> Candidates<'_, R> {
    /// ID embeddings of a panel.
    #[inline(always)]
    fn identities<S: Simd>(&self, items: &[u32], inputs: &mut [Row<S>]) {
        for (at, &item) in items.iter().enumerate() {
            for (input, &value) in inputs.iter_mut().zip(self.model.identity(item)) {
                numbers_mut::<S>(input)[at] = value;
            }
        }
    }

    /// Values of the reasons, weighed by each head's attention (Eq. 7), and whether a candidate has reasons at all.
    #[inline(always)]
    fn join<S: Simd>(
        &self,
        first: usize,
        items: &[u32],
        query: &[f32],
        joined: &mut [Row<S>],
        scratch: &mut Attention,
    ) -> Vec<bool> {
        let config = &self.model.config;
        let (width, heads) = (config.width, config.heads);
        let head_width = width / heads;
        let mut sums = vec![0.0f32; width];
        let mut some = Vec::with_capacity(items.len());
        for at in 0..items.len() {
            scratch.rows.clear();
            if config.use_reasons {
                (self.rows)(first + at, &mut scratch.rows);
            }
            let rows = &scratch.rows;
            some.push(!rows.is_empty());
            sums.fill(0.0);
            for head in 0..heads {
                let part = head * head_width..(head + 1) * head_width;
                scratch.logits.clear();
                for &row in rows {
                    let key = &self.table.keys[row as usize * width..][..width];
                    scratch
                        .logits
                        .push(dot(&query[part.clone()], &key[part.clone()]));
                }
                softmax(&mut scratch.logits);
                for (&row, &weight) in rows.iter().zip(&scratch.logits) {
                    let value = &self.table.values[row as usize * width..][..width];
                    let value = &value[part.clone()];
                    for (sum, value) in sums[part.clone()].iter_mut().zip(value) {
                        *sum += weight * value;
                    }
                }
                if let Detail::Evidence { slots } = self.detail {
                    let end = scratch.kept.len() + slots;
                    scratch.kept.extend_from_slice(&scratch.logits);
                    scratch.kept.resize(end, 0.0);
                }
            }
            for (row, &sum) in joined.iter_mut().zip(&sums) {
                numbers_mut::<S>(row)[at] = sum;
            }
        }
        some
    }

    /// `m` of a panel.
    #[inline(always)]
    fn matched<S: Simd>(&self, simd: S, joined: &[Row<S>], some: &[bool], matched: &mut [Row<S>]) {
        let weights = &self.model.weights;
        if some.contains(&true) {
            for (tile, rows) in matched.chunks_mut(ROWS).enumerate() {
                let start = constant(simd, &weights.joined_bias[tile * ROWS..]);
                let found = product(simd, &weights.joined, tile, joined, start);
                rows.copy_from_slice(&found[..rows.len()]);
            }
        }
        for (row, &none) in matched.iter_mut().zip(&weights.no_reason) {
            let absent = some.iter().enumerate().filter(|(_, there)| !**there);
            for (at, _) in absent {
                numbers_mut::<S>(row)[at] = none;
            }
        }
    }

    /// DIN weights of all events for a panel (Eq. 10).
    #[inline(always)]
    fn weigh<S: Simd>(
        &self,
        simd: S,
        prepared: &Prepared,
        inputs: &[Row<S>],
        weights: &mut [Row<S>],
    ) {
        let (unit, hidden) = (
            &self.model.weights.interest,
            self.model.config.interest_hidden,
        );
        let tiles = match unit.bend.is_silent() {
            true => 0,
            false => unit.tiles(),
        };
        for (event, weight) in weights.iter_mut().enumerate() {
            let constants = &prepared.constants[event * hidden..][..hidden];
            let mut sum = unit.bend.start(simd);
            for tile in 0..tiles {
                let start = constant(simd, &constants[tile * ROWS..]);
                let at = event * unit.tiles() + tile;
                let sums = product(simd, &prepared.interest, at, inputs, start);
                unit.bend.add(simd, tile * ROWS, &sums, &mut sum);
            }
            let (scale, shift) = prepared.recency[event];
            *weight = splat(simd, shift);
            add_scaled(simd, scale, &sum, weight);
        }
    }

    /// The score network (Eq. 11), and `z · x` where the model has it.
    #[inline(always)]
    fn logits<S: Simd>(
        &self,
        simd: S,
        prepared: &Prepared,
        inputs: &[Row<S>],
        interest: &[Row<S>],
    ) -> Row<S> {
        let head = &self.model.weights.head;
        let mut logits = head.bend.start(simd);
        let tiles = match head.bend.is_silent() {
            true => 0,
            false => head.candidate.tiles(),
        };
        for tile in 0..tiles {
            let start = constant(simd, &prepared.pattern[tile * ROWS..]);
            let sums = product(simd, &head.candidate, tile, inputs, start);
            let sums = product(simd, &head.interest, tile, interest, sums);
            head.bend.add(simd, tile * ROWS, &sums, &mut logits);
        }
        if self.model.config.use_product {
            for (input, interest) in inputs.iter().zip(interest) {
                for (at, logit) in logits.iter_mut().enumerate() {
                    *logit = simd.mul_add_e_f32s(input[at], interest[at], *logit);
                }
            }
        }
        logits
    }
}

/// Partial sums that the compiler can keep in a register.
const LANES: usize = 4;

#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (lefts, rights) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest: f32 = (lefts.remainder().iter().zip(rights.remainder()))
        .map(|(left, right)| left * right)
        .sum();
    let mut sums = [0.0f32; LANES];
    for (left, right) in lefts.zip(rights) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[inline(always)]
fn softmax(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - most).exp();
        sum += *logit;
    }
    for logit in logits {
        *logit /= sum;
    }
}
