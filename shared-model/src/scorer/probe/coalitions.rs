//! What pattern, reasons and history are worth to a score: the model asked with every subset of them.
//!
//! Added one after another, a part's worth depends on what was there before it: an interest is read from the history, so without a history
//! a model of this kind may say nothing at all, and whatever is added last gets everything. Shapley's value (1953; Lundberg & Lee 2017
//! for models) is the mean over all orders, and the only division that sums to the score, gives nothing to a part that never changes
//! it, and treats parts alike that always change it alike.

use serde::Serialize;

use super::{Moment, Part, ScoreError, Scorer, Taste, finite, pessimistic_rank};

/// Parts that may be there or not, in the order of their bits.
const PARTS: [Part; 3] = [Part::Pattern, Part::Reasons, Part::History];
const ALL: usize = (1 << PARTS.len()) - 1;

/// Logits of the whole catalogue for every subset of pattern, reasons of the candidates, and history.
#[derive(Debug, Clone, PartialEq)]
pub struct Coalitions {
    /// By the bits of what is there.
    logits: [Vec<f32>; ALL + 1],
}

/// What one part is worth to an item's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Which: first the item alone, then what was added.
    pub part: Part,
    /// Logits: of the item alone what it has without all else; of the others their Shapley value. The four sum to the score's logit.
    pub adds: f32,
    /// Where the item stands without this part and with all others; none for the item itself.
    pub rank_without: Option<u32>,
}

impl Coalitions {
    /// With everything: the score itself.
    pub fn whole(&self) -> &[f32] {
        &self.logits[ALL]
    }

    /// With some of the parts only.
    pub fn with(&self, pattern: bool, reasons: bool, history: bool) -> &[f32] {
        &self.logits[bits([pattern, reasons, history])]
    }

    /// What each part is worth to an item, ranked among what is not `hidden`.
    pub fn shares(&self, item: u32, hidden: &[bool]) -> [Share; 4] {
        let at = |there: usize| self.logits[there][item as usize];
        let alone = Share {
            part: Part::Identities,
            adds: at(0),
            rank_without: None,
        };
        let of = |place: usize| {
            let bit = 1 << place;
            let without = (0..=ALL).filter(|there| there & bit == 0);
            // |S|! (n − |S| − 1)! / n! for n = 3.
            let weighed = without.map(|there| {
                let weight = [1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0][there.count_ones() as usize];
                weight * (f64::from(at(there | bit)) - f64::from(at(there)))
            });
            Share {
                part: PARTS[place],
                adds: weighed.sum::<f64>() as f32,
                rank_without: Some(pessimistic_rank(
                    &self.logits[ALL & !bit],
                    hidden,
                    item as usize,
                )),
            }
        };
        [alone, of(0), of(1), of(2)]
    }
}

fn bits(there: [bool; 3]) -> usize {
    (0..)
        .zip(there)
        .map(|(at, there)| usize::from(there) << at)
        .sum()
}

impl Scorer {
    /// Scores the whole catalogue with every subset of a taste's pattern, the reasons of the candidates, and its history. A stored event is
    /// read with what was matched at its own moment, whatever the pattern.
    ///
    /// # Errors
    /// A taste that cannot be; a score that is no number.
    pub fn coalitions(&self, taste: &Taste) -> Result<Coalitions, ScoreError> {
        let side = self.side(taste)?;
        let nobody = self.side(&taste.without_pattern())?;
        let all = self.cpu.catalogue();
        let states = [&nobody, &side].map(|side| self.cpu.states(side));
        let mut logits: [Vec<f32>; ALL + 1] = Default::default();
        for (there, found) in logits.iter_mut().enumerate() {
            let [pattern, reasons, history] = [0, 1, 2].map(|place| there >> place & 1 == 1);
            let moment = Moment {
                states: if history {
                    &states[usize::from(pattern)]
                } else {
                    &[]
                },
                pattern: if pattern {
                    &side.pattern
                } else {
                    &nobody.pattern
                },
            };
            *found = self.cpu.logits(moment, &all, &side.muted, reasons);
            finite(found)?;
        }
        Ok(Coalitions { logits })
    }
}
