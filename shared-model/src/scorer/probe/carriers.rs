//! Which past events carry the items of a list: each event exchanged for an average title, and the list's items scored again.
//!
//! Exchanged, not taken out: without an event every later one moves up by a position, the newest too, on whose state most depends, and on
//! the built-in world that alone moved a logit by .6 whichever of fifty titles was gone (benches/LOG.md). Where the title is the
//! average of the catalogue's (mean ablation), everything but what it is stays as it was.

use serde::Serialize;

use super::{ScoreError, Scorer, Taste, finite};

/// One event's worth to one item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Carrier {
    /// Its place in the taste's history.
    pub event: u32,
    /// Its item.
    pub item: u32,
    /// What the logit loses where an average title stands in the event's place; negative where it speaks against the item.
    pub adds: f32,
}

impl Scorer {
    /// For each of `items` the events that are seen, those first that change its logit most.
    ///
    /// A weight of the DIN unit does not say this: it lies on the state after an event, which sums up all events before it.
    ///
    /// # Errors
    /// An item or a taste that cannot be; a score that is no number.
    pub fn carriers(&self, taste: &Taste, items: &[u32]) -> Result<Vec<Vec<Carrier>>, ScoreError> {
        for &item in items {
            self.viewers.in_range(item)?;
        }
        let side = self.side(taste)?;
        let logits = |states: &[f32]| {
            let logits = (self.cpu).logits(side.moment(states), items, &side.muted, true);
            match finite(&logits) {
                Err(ScoreError::NotFinite { item }) => Err(ScoreError::NotFinite {
                    item: items[item] as usize,
                }),
                checked => checked.map(|()| logits),
            }
        };
        let now = logits(&self.cpu.states(&side))?;
        let average = self.cpu.average(&side);
        let mut found: Vec<Vec<Carrier>> = vec![Vec::new(); items.len()];
        for (place, &(event, item)) in side.window().iter().enumerate() {
            let without = logits(&self.cpu.states_with(&side, place, &average))?;
            for (carriers, (now, without)) in found.iter_mut().zip(now.iter().zip(without)) {
                let adds = now - without;
                carriers.push(Carrier { event, item, adds });
            }
        }
        for carriers in &mut found {
            carriers.sort_by(|a, b| {
                let most = b.adds.abs().total_cmp(&a.adds.abs());
                most.then(b.event.cmp(&a.event))
            });
        }
        Ok(found)
    }
}
