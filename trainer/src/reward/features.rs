//! Which pattern and which reasons an `(user, moment, item)` sees, as indices on the host, and their tensors.
//!
//! Every index comes through [`Past`](crate::past::Past), so nothing here can look ahead.

use std::collections::HashMap;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::stores::{PatternStore, ReasonStore};
use crate::data::Event;
use crate::past::{Past, Timeline};

/// What the reward model may read besides IDs.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    /// Users' histories and the time rule.
    pub timeline: Timeline<'a>,
    /// Patterns of the run (empty = everyone has the learned "no pattern yet").
    pub patterns: &'a PatternStore,
    /// Reasons of the run (empty = every item has the learned "no reason yet").
    pub reasons: &'a ReasonStore,
}

/// Rows of a store, renumbered in order of first use: a batch carries only the vectors it needs.
#[derive(Debug, Default)]
pub(crate) struct RowSet {
    local: HashMap<u32, i32>,
    rows: Vec<u32>,
}

impl RowSet {
    /// The number under which `row` travels with this batch.
    pub(crate) fn local(&mut self, row: u32) -> i32 {
        *self.local.entry(row).or_insert_with(|| {
            self.rows.push(row);
            (self.rows.len() - 1) as i32
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows' vectors, padded with zeros to a multiple of 64 rows, so that a GPU sees few shapes: `[rows, width]`.
    pub(crate) fn vectors<'v>(
        &self,
        width: usize,
        vector: impl Fn(u32) -> &'v [f32],
        device: &Device,
    ) -> Tensor<2> {
        let padded = self.rows.len().max(1).next_multiple_of(64);
        let mut values = Vec::with_capacity(padded * width);
        for &row in &self.rows {
            values.extend_from_slice(vector(row));
        }
        values.resize(padded * width, 0.0);
        Tensor::from_data(TensorData::new(values, [padded, width]), device)
    }
}

/// Lists of reasons of different lengths as one rectangle.
#[derive(Debug, Default)]
pub(crate) struct ReasonGrid {
    lists: Vec<i32>,
    ends: Vec<usize>,
    longest: usize,
}

impl ReasonGrid {
    pub(crate) fn push(&mut self, rows: impl IntoIterator<Item = i32>) {
        let before = self.lists.len();
        self.lists.extend(rows);
        self.ends.push(self.lists.len());
        self.longest = self.longest.max(self.lists.len() - before);
    }

    /// Length of the longest list, at least 1.
    pub(crate) fn width(&self) -> usize {
        self.longest.max(1)
    }

    /// Index (0 where nothing is) and mask, each `lists × width` row by row.
    pub(crate) fn rectangle(&self) -> (Vec<i32>, Vec<bool>) {
        let width = self.width();
        let mut index = vec![0; self.ends.len() * width];
        let mut mask = vec![false; self.ends.len() * width];
        let mut start = 0;
        for (list, &end) in self.ends.iter().enumerate() {
            let count = end - start;
            index[list * width..][..count].copy_from_slice(&self.lists[start..end]);
            mask[list * width..][..count].fill(true);
            start = end;
        }
        (index, mask)
    }
}

/// The newest `count` events before a moment with the past of each: what the encoder reads.
pub(crate) fn history_pasts<'a>(
    timeline: &Timeline<'a>,
    past: &Past<'a>,
    count: usize,
) -> Vec<(Event, Past<'a>)> {
    let recent = past.recent(count);
    let first = past.position - recent.len();
    recent
        .iter()
        .enumerate()
        // Positions before one that exists exist.
        .filter_map(|(index, &event)| {
            timeline
                .past(past.user, first + index)
                .ok()
                .map(|past| (event, past))
        })
        .collect()
}

pub(crate) fn ints<const D: usize>(
    values: Vec<i32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) fn bools<const D: usize>(
    values: Vec<bool>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Bool> {
    Tensor::from_bool(TensorData::new(values, shape), device)
}

pub(crate) fn floats<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
