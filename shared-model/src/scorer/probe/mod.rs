//! What would be without a part of a taste: every number here is the model's own, asked again.
//!
//! [`Scorer::coalitions`] asks with every subset of pattern, reasons and history, and [`Coalitions::shares`] says from that what each of
//! them is worth to a score; [`Scorer::probe`] takes one part away at a time; [`Scorer::carriers`] puts an average title in the place of each
//! event, for a whole list; [`Scorer::counterfactual`] looks for the fewest past items without which another item would be first. An attention weight says where a
//! model looked; only asking again says what it would have done.

mod carriers;
mod coalitions;
mod counterfactual;
mod nearest;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

pub use carriers::Carrier;
pub use coalitions::{Coalitions, Share};
pub use counterfactual::Counterfactual;
pub use nearest::Nearest;

use serde::Serialize;

use super::cpu::Moment;
use super::taste::{Muted, Side, Taste};
use super::{ScoreError, Scorer, finite, sigmoid};
use crate::explain::pessimistic_rank;

/// Events whose absence is also ranked against the whole catalogue.
const RANKED_EVENTS: usize = 5;

/// A part of what the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The item's own embedding.
    Identities,
    /// The taste's pattern.
    Pattern,
    /// All reasons of the candidates.
    Reasons,
    /// The whole history.
    History,
    /// One reason of the item's list.
    Reason(u32),
    /// One event: its place in the taste's history.
    Event(u32),
}

/// An item's score without one part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Absence {
    /// What is missing.
    pub part: Part,
    /// Before the sigmoid.
    pub logit: f32,
    /// `ŷ`
    pub score: f32,
    /// Among the items not taken, ties against it. Of events only known for those whose change is furthest from the events' median.
    pub rank: Option<u32>,
}

/// One item's score taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Index into the catalogue.
    pub item: u32,
    /// As it is: before the sigmoid.
    pub logit: f32,
    /// `ŷ`
    pub score: f32,
    /// Among the items not taken, ties against it.
    pub rank: u32,
    /// What each part is worth to it, see [`Coalitions::shares`].
    pub shares: [Share; 4],
    /// Without the pattern; then without each reason that counts; then without each event that is seen, oldest first.
    pub without: Vec<Absence>,
}

/// The lower of the two middle values of an even number; 0 of none.
fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_unstable_by(f32::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}

impl Scorer {
    /// Takes one item's score apart. `coalitions` are the same taste's.
    ///
    /// # Errors
    /// An item or a taste that cannot be; a score that is no number.
    pub fn probe(
        &self,
        taste: &Taste,
        coalitions: &Coalitions,
        item: u32,
    ) -> Result<Probe, ScoreError> {
        self.viewers.in_range(item)?;
        let hidden = self.hidden(taste);
        let whole = coalitions.whole();
        let logit = whole[item as usize];
        Ok(Probe {
            item,
            logit,
            score: sigmoid(logit),
            rank: pessimistic_rank(whole, &hidden, item as usize),
            shares: coalitions.shares(item, &hidden),
            without: self.without(taste, whole, item, &hidden)?,
        })
    }

    /// `logits`: the whole catalogue's as it is.
    fn without(
        &self,
        taste: &Taste,
        logits: &[f32],
        item: u32,
        hidden: &[bool],
    ) -> Result<Vec<Absence>, ScoreError> {
        let now = logits[item as usize];
        let side = self.side(taste)?;
        let states = self.cpu.states(&side);
        let all = self.cpu.catalogue();
        let whole = |side: &Side, states: &[f32]| {
            let logits = self
                .cpu
                .logits(side.moment(states), &all, &side.muted, true);
            finite(&logits).map(|()| logits)
        };
        let ranked = |part: Part, logits: &[f32]| Absence {
            part,
            logit: logits[item as usize],
            score: sigmoid(logits[item as usize]),
            rank: Some(pessimistic_rank(logits, hidden, item as usize)),
        };
        // Titles that were added are matched with the pattern too.
        let nobody = self.side(&taste.without_pattern())?;
        let without_pattern = whole(&nobody, &self.cpu.states(&nobody))?;
        let mut found = vec![ranked(Part::Pattern, &without_pattern)];
        // Other items do not change where one of this item's reasons is missing.
        let mut logits = logits.to_vec();
        for reason in self.cpu.reasons(item, &side.muted) {
            let mut muted = side.muted.clone();
            let one = Muted { item, reason };
            muted.insert(muted.partition_point(|other| *other < one), one);
            logits[item as usize] = self.one(side.moment(&states), item, &muted)?;
            found.push(ranked(Part::Reason(reason), &logits));
        }
        let seen: Vec<usize> = side.seen().collect();
        let mut events = Vec::with_capacity(seen.len());
        for &event in &seen {
            let rest = side.without(&[event]);
            let states = self.cpu.states(&rest);
            let logit = self.one(rest.moment(&states), item, &rest.muted)?;
            events.push(Absence {
                part: Part::Event(side.position(event)),
                logit,
                score: sigmoid(logit),
                rank: None,
            });
        }
        // Any event that goes leaves a shorter history, and what that does to a score is no event's own.
        let common = median(events.iter().map(|event| event.logit - now));
        let mut order: Vec<usize> = (0..events.len()).collect();
        let change = |place: &usize| (events[*place].logit - now - common).abs();
        order.sort_by(|a, b| change(b).total_cmp(&change(a)).then(a.cmp(b)));
        for place in order.into_iter().take(RANKED_EVENTS) {
            let rest = side.without(&[seen[place]]);
            let logits = whole(&rest, &self.cpu.states(&rest))?;
            events[place].rank = Some(pessimistic_rank(&logits, hidden, item as usize));
        }
        found.append(&mut events);
        Ok(found)
    }

    /// One item's logit.
    fn one(&self, moment: Moment, item: u32, muted: &[Muted]) -> Result<f32, ScoreError> {
        let logits = self.cpu.logits(moment, &[item], muted, true);
        match finite(&logits) {
            Ok(()) => Ok(logits[0]),
            Err(_) => Err(ScoreError::NotFinite {
                item: item as usize,
            }),
        }
    }

    /// Which items a taste has taken, the whole history counted.
    pub fn hidden(&self, taste: &Taste) -> Vec<bool> {
        let mut hidden = vec![false; self.cpu.catalogue().len()];
        for taken in &taste.history {
            if let Some(place) = hidden.get_mut(taken.item as usize) {
                *place = true;
            }
        }
        hidden
    }
}
