//! What would be without a part of a taste: every number here is the model's own, asked again.
//!
//! [`Scorer::steps`] builds a score up from nothing; [`Scorer::probe`] takes one part away at a time; [`Scorer::counterfactual`]
//! looks for the fewest past items without which another item would be first. An attention weight says where a model looked; only asking again says what it
//! would have done.

mod counterfactual;
mod nearest;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

pub use counterfactual::Counterfactual;
pub use nearest::Nearest;

use serde::Serialize;

use super::cpu::Moment;
use super::taste::{Muted, Side, Taste};
use super::{ScoreError, Scorer, finite, sigmoid};
use crate::explain::pessimistic_rank;

/// Events whose absence is also ranked against the whole catalogue.
const RANKED_EVENTS: usize = 5;

/// How a score comes about: logits of the whole catalogue, each with one part more than the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Neither pattern nor reasons nor history: what the model thinks of an item for anybody.
    pub identities: Vec<f32>,
    /// With the pattern.
    pub pattern: Vec<f32>,
    /// With the reasons of the candidates as well.
    pub reasons: Vec<f32>,
    /// With the history as well: the score.
    pub history: Vec<f32>,
}

/// One of the four steps for one item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// What was added.
    pub part: Part,
    /// Before the sigmoid.
    pub logit: f32,
    /// `ŷ`
    pub score: f32,
    /// Among the items not taken, ties against it.
    pub rank: u32,
}

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
    /// Among the items not taken, ties against it. Of events only known for those that change the score most.
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
    /// How it came about, see [`Steps`].
    pub steps: [Step; 4],
    /// Without the pattern; then without each reason that counts; then without each event that is seen, oldest first.
    pub without: Vec<Absence>,
}

impl Steps {
    /// The four steps of one item, ranked among what is not `hidden`.
    pub fn of(&self, item: u32, hidden: &[bool]) -> [Step; 4] {
        [
            (Part::Identities, &self.identities),
            (Part::Pattern, &self.pattern),
            (Part::Reasons, &self.reasons),
            (Part::History, &self.history),
        ]
        .map(|(part, logits)| {
            let logit = logits[item as usize];
            Step {
                part,
                logit,
                score: sigmoid(logit),
                rank: pessimistic_rank(logits, hidden, item as usize),
            }
        })
    }
}

impl Scorer {
    /// Scores the whole catalogue four times, each time with one part more.
    ///
    /// # Errors
    /// A taste that cannot be; a score that is no number.
    pub fn steps(&self, taste: &Taste) -> Result<Steps, ScoreError> {
        let side = self.side(taste)?;
        let states = self.cpu.states(&side);
        let all = self.cpu.catalogue();
        let logits = |states: &[f32], pattern: &[f32], reasons: bool| {
            let moment = Moment { states, pattern };
            let logits = self.cpu.logits(moment, &all, &side.muted, reasons);
            finite(&logits).map(|()| logits)
        };
        Ok(Steps {
            identities: logits(&[], &self.viewers.no_pattern, false)?,
            pattern: logits(&[], &side.pattern, false)?,
            reasons: logits(&[], &side.pattern, true)?,
            history: logits(&states, &side.pattern, true)?,
        })
    }

    /// Takes one item's score apart. `steps` are the same taste's.
    ///
    /// # Errors
    /// An item or a taste that cannot be; a score that is no number.
    pub fn probe(&self, taste: &Taste, steps: &Steps, item: u32) -> Result<Probe, ScoreError> {
        self.viewers.in_range(item)?;
        let hidden = self.hidden(taste);
        let without = self.without(taste, &steps.history, item, &hidden)?;
        let steps = steps.of(item, &hidden);
        let [.., now] = steps;
        Ok(Probe {
            item,
            logit: now.logit,
            score: now.score,
            rank: now.rank,
            steps,
            without,
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
            let pattern = &side.pattern;
            let moment = Moment { states, pattern };
            let logits = self.cpu.logits(moment, &all, &side.muted, true);
            finite(&logits).map(|()| logits)
        };
        let ranked = |part: Part, logits: &[f32]| Absence {
            part,
            logit: logits[item as usize],
            score: sigmoid(logits[item as usize]),
            rank: Some(pessimistic_rank(logits, hidden, item as usize)),
        };
        // Titles that were added are matched with the pattern too.
        let nobody = self.side(&Taste {
            pattern: None,
            written: None,
            ..taste.clone()
        })?;
        let without_pattern = whole(&nobody, &self.cpu.states(&nobody))?;
        let mut found = vec![ranked(Part::Pattern, &without_pattern)];
        // Other items do not change where one of this item's reasons is missing.
        let mut logits = logits.to_vec();
        for reason in self.cpu.reasons(item, &side.muted) {
            let mut muted = side.muted.clone();
            let one = Muted { item, reason };
            muted.insert(muted.partition_point(|other| *other < one), one);
            logits[item as usize] = self.one(&side.pattern, &states, item, &muted)?;
            found.push(ranked(Part::Reason(reason), &logits));
        }
        let seen: Vec<usize> = side.seen().collect();
        let mut events = Vec::with_capacity(seen.len());
        for &event in &seen {
            let rest = side.without(&[event]);
            let states = self.cpu.states(&rest);
            let logit = self.one(&side.pattern, &states, item, &side.muted)?;
            events.push(Absence {
                part: Part::Event(side.position(event)),
                logit,
                score: sigmoid(logit),
                rank: None,
            });
        }
        let mut order: Vec<usize> = (0..events.len()).collect();
        let change = |place: &usize| (events[*place].logit - now).abs();
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
    fn one(
        &self,
        pattern: &[f32],
        states: &[f32],
        item: u32,
        muted: &[Muted],
    ) -> Result<f32, ScoreError> {
        let moment = Moment { states, pattern };
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
