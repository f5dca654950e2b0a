//! A catalogue scored in parts on a CPU, by several scorers of one artefact side by side; one of them joins what they found.
//!
//! A candidate's score depends on no other candidate, so the whole is the same to the last bit, however it was divided.

use std::ops::Range;

use super::cpu::{CandidateScores, Prepared};
use super::taste::Side;
use super::{ScoreError, Scorer, Taste, finite};
use crate::explain::UserScores;

/// A taste whose catalogue is being scored: what all parts have in common.
#[derive(Debug)]
pub struct InParts {
    taste: Taste,
    side: Side,
    /// `H`, `[T, 2d]`
    states: Vec<f32>,
    prepared: Prepared,
}

impl InParts {
    /// Whose parts these are.
    pub fn taste(&self) -> &Taste {
        &self.taste
    }
}

impl Scorer {
    /// Number of items of the catalogue.
    pub fn items(&self) -> u32 {
        self.cpu.catalogue().len() as u32
    }

    /// Begins scoring the catalogue in parts.
    ///
    /// # Errors
    /// A taste that cannot be.
    pub fn in_parts(&self, taste: &Taste) -> Result<InParts, ScoreError> {
        let side = self.side(taste)?;
        let states = self.cpu.states(&side);
        Ok(InParts {
            taste: taste.clone(),
            prepared: self.cpu.prepare(&states, &side),
            states,
            side,
        })
    }

    /// Scores of these items, by their index, for [`Scorer::joined`]: logits, then DIN weights `[n, T]`, then attention
    /// `[n, heads, K]`.
    ///
    /// # Errors
    /// Items that do not exist.
    pub fn part(&self, of: &InParts, items: Range<u32>) -> Result<Vec<f32>, ScoreError> {
        let all = self.items();
        if items.start > items.end || items.end > all {
            let message = format!("there are {all} items, and {items:?} was asked for");
            return Err(ScoreError::BadTaste { message });
        }
        let found = self.cpu.part(&of.prepared, &of.side, items);
        Ok([found.logits, found.event_weights, found.attention].concat())
    }

    /// The scores that [`Scorer::score_taste`] gives on a CPU, of all parts in the order of their items.
    ///
    /// # Errors
    /// Parts that are not the whole catalogue, or numbers that are not finite.
    pub fn joined(&self, of: &InParts, parts: &[Vec<f32>]) -> Result<UserScores, ScoreError> {
        let sizes = self.cpu.evidence(of.side.window().len());
        let each = 1 + sizes.iter().sum::<usize>();
        let mut found = CandidateScores::default();
        for part in parts {
            let count = part.len() / each;
            let (logits, rest) = part.split_at(count);
            let (weights, attention) = rest.split_at(count * sizes[0]);
            found.logits.extend_from_slice(logits);
            found.event_weights.extend_from_slice(weights);
            found.attention.extend_from_slice(attention);
        }
        let numbers: usize = parts.iter().map(Vec::len).sum();
        if numbers != self.items() as usize * each {
            let message = "its parts are not the whole catalogue".to_owned();
            return Err(ScoreError::BadTaste { message });
        }
        let scores = (self.cpu).whole(of.taste.viewer, &of.side, &of.states, found);
        finite(&scores.logits)?;
        Ok(scores)
    }
}

#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests {
    use super::super::Muted;
    use super::super::fixture::{ITEMS, artefact, scores};
    use super::*;

    #[test]
    fn parts_are_the_whole_to_the_last_bit() {
        let scorer = Scorer::on_cpu(&artefact(5)).unwrap();
        // Viewer 3 has no history; item 7 has three reasons.
        for viewer in 0..4 {
            let mut taste = scorer.taste(viewer).unwrap();
            taste.muted = vec![Muted { item: 7, reason: 1 }];
            let whole = scores(&scorer, &taste);
            let begun = scorer.in_parts(&taste).unwrap();
            for cuts in [vec![], vec![1], vec![17, 17, 59], vec![12, 24, 36]] {
                let ends = cuts.iter().copied().chain([ITEMS as u32]);
                let starts = [0].into_iter().chain(cuts.iter().copied());
                let parts: Vec<Vec<f32>> = (starts.zip(ends))
                    .map(|(start, end)| scorer.part(&begun, start..end).unwrap())
                    .collect();
                assert_eq!(scorer.joined(&begun, &parts).unwrap(), whole);
            }
        }
    }

    #[test]
    fn what_is_no_whole_is_refused() {
        let scorer = Scorer::on_cpu(&artefact(5)).unwrap();
        let begun = scorer.in_parts(&scorer.taste(0).unwrap()).unwrap();
        let all = ITEMS as u32;
        let part = |items: Range<u32>| scorer.part(&begun, items);
        assert!(part(0..all + 1).is_err());
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = part(3..2);
        assert!(reversed.is_err());
        let (first, second) = (part(0..20).unwrap(), part(20..all).unwrap());
        assert!(scorer.joined(&begun, std::slice::from_ref(&first)).is_err());
        assert!(
            scorer
                .joined(&begun, &[first.clone(), first, second])
                .is_err()
        );
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let scorer = Scorer::on_cpu(&artefact(5)).unwrap();
        let begun = scorer.in_parts(&scorer.taste(0).unwrap()).unwrap();
        let mut parts = vec![scorer.part(&begun, 0..ITEMS as u32).unwrap()];
        parts[0][4] = f32::NAN;
        let error = scorer.joined(&begun, &parts).unwrap_err();
        assert_eq!(error, ScoreError::NotFinite { item: 4 });
    }
}
