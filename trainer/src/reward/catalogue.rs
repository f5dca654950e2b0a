//! What the state loss holds the examples of a batch against: items, and of each item the reasons that an example may see.
//!
//! No example has a list of its own: an item's reasons lie in a row, oldest first, and what is visible is a range of them.

use std::collections::HashMap;
use std::ops::Range;

use super::features::Features;
use crate::past::Past;

/// Items `C`, of which `S` are held against every example, rows of reasons `R`, examples `n` of a batch.
#[derive(Debug, Default, Clone)]
pub(crate) struct Catalogue {
    /// `[C]`: first the `S`, then those that were taken and are not among them.
    pub(crate) items: Vec<u32>,
    /// `S`
    pub(crate) shared: usize,
    /// `[R]`: rows of the reason store, item after item.
    pub(crate) rows: Vec<u32>,
    /// How many of them, from the first on, are of the `S`.
    pub(crate) shared_rows: usize,
    /// Which of `items` an example took, `[n]`.
    pub(crate) taken: Vec<u32>,
    /// Which of `rows` an example sees of a shared item, `[n, S]`; empty without reasons.
    pub(crate) visible: Vec<(u32, u32)>,
    /// Which it sees of the item that it took, `[n]`; empty without reasons.
    pub(crate) own: Vec<(u32, u32)>,
    column: HashMap<u32, u32>,
    /// Where each item's rows begin.
    begins: Vec<u32>,
}

impl Catalogue {
    /// Begins with the `shared` items.
    pub(crate) fn new(shared: Vec<u32>) -> Self {
        Self {
            shared: shared.len(),
            column: shared
                .iter()
                .zip(0..)
                .map(|(&item, at)| (item, at))
                .collect(),
            items: shared,
            ..Self::default()
        }
    }

    /// Adds an example that took `item`. All examples come before [`see`](Self::see).
    pub(crate) fn take(&mut self, item: u32) {
        let next = self.items.len() as u32;
        let column = *self.column.entry(item).or_insert(next);
        if column == next {
            self.items.push(item);
        }
        self.taken.push(column);
    }

    /// Notes what the examples see, whose pasts come in the order of [`take`](Self::take): the newest `count` reasons of every item.
    pub(crate) fn see<'a>(
        &mut self,
        features: &Features,
        pasts: impl Iterator<Item = Past<'a>>,
        count: usize,
    ) {
        for (at, &item) in self.items.iter().enumerate() {
            self.begins.push(self.rows.len() as u32);
            self.rows.extend_from_slice(features.reasons.of_item(item));
            if at < self.shared {
                self.shared_rows = self.rows.len();
            }
        }
        let range = |past: &Past, column: usize| {
            let (item, begin) = (self.items[column], self.begins[column]);
            let Range { start, end } = past.reason_range(features.reasons, item, count);
            (begin + start as u32, begin + end as u32)
        };
        for (past, &taken) in pasts.zip(&self.taken) {
            self.visible
                .extend((0..self.shared).map(|column| range(&past, column)));
            self.own.push(range(&past, taken as usize));
        }
    }
}
