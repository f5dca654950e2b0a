//! "Without X and Y the first would be Z."

use serde::Serialize;

use super::super::taste::{Side, Taste};
use super::super::{ScoreError, Scorer, finite};
use crate::explain::top;

/// Items that could become first: the best so many as it is. What is found among them is verified against all.
const RIVALS: usize = 64;
/// Events of which all pairs are tried.
const PAIRED: usize = 8;

/// An answer, or that there is none within the limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterfactual {
    /// The item that is first as it is.
    pub first: u32,
    /// Events without which it is not, as places in the taste's history, oldest first; each of them is needed. Empty: nothing was found.
    pub removed: Vec<u32>,
    /// The item that is first without them.
    pub then: Option<u32>,
    /// Most events that were taken away at once.
    pub limit: usize,
    /// Combinations that were tried.
    pub tried: usize,
}

/// Events as [`Side::seen`] numbers them, ascending, and how far the first item is ahead without them: below 0 it is overtaken.
#[derive(Debug, Clone)]
struct Trial {
    places: Vec<usize>,
    margin: f32,
}

struct Search<'a> {
    scorer: &'a Scorer,
    side: &'a Side,
    first: u32,
    /// The first item, then its rivals.
    items: Vec<u32>,
    hidden: Vec<bool>,
    tried: usize,
}

impl Scorer {
    /// Looks for few events, `limit` at most, without which another item comes first. Events that are taken away still count as taken: they do
    /// not come back as recommendations. All single events are tried, all pairs of the eight that matter most, and beyond that the best
    /// combination with each further event; an answer is verified by scoring the whole catalogue, and needs each of its events; another set that small may exist. None where the catalogue has
    /// no item to recommend.
    ///
    /// # Errors
    /// A taste that cannot be; a score that is no number.
    pub fn counterfactual(
        &self,
        taste: &Taste,
        limit: usize,
    ) -> Result<Option<Counterfactual>, ScoreError> {
        let side = self.side(taste)?;
        let hidden = self.hidden(taste);
        let logits = self.all(&side)?;
        let best = top(&logits, &hidden, RIVALS);
        let Some(&first) = best.first() else {
            return Ok(None);
        };
        let first = first as u32;
        let mut search = Search {
            scorer: self,
            side: &side,
            first,
            items: best.into_iter().map(|item| item as u32).collect(),
            hidden,
            tried: 0,
        };
        let found = search.run(limit)?;
        let (events, then) = match found {
            Some((events, then)) => (events, Some(then)),
            None => (Vec::new(), None),
        };
        Ok(Some(Counterfactual {
            first,
            removed: events
                .into_iter()
                .map(|event| side.position(event))
                .collect(),
            then,
            limit,
            tried: search.tried,
        }))
    }

    /// Logits of the whole catalogue.
    fn all(&self, side: &Side) -> Result<Vec<f32>, ScoreError> {
        let states = self.cpu.states(side);
        let moment = side.moment(&states);
        let logits = (self.cpu).logits(moment, &self.cpu.catalogue(), &side.muted, true);
        finite(&logits).map(|()| logits)
    }
}

type Answer = Option<(Vec<usize>, u32)>;

impl Search<'_> {
    fn run(&mut self, limit: usize) -> Result<Answer, ScoreError> {
        let seen = self.side.seen();
        let events = seen.len();
        if limit == 0 || events == 0 {
            return Ok(None);
        }
        let singles = seen.clone().map(|place| vec![place]).collect();
        let mut singles = self.trials(singles)?;
        if let Some(answer) = self.verified(&singles)? {
            return Ok(Some(answer));
        }
        if limit == 1 || events == 1 {
            return Ok(None);
        }
        singles.truncate(PAIRED);
        let mut pairs = Vec::new();
        for (at, one) in singles.iter().enumerate() {
            for other in &singles[at + 1..] {
                pairs.push(joined(&one.places, other.places[0]));
            }
        }
        let mut trials = self.trials(pairs)?;
        for size in 2..=limit.min(events) {
            if let Some((places, then)) = self.verified(&trials)? {
                return self.least(places, then).map(Some);
            }
            let Some(best) = trials.first().filter(|_| size < limit) else {
                break;
            };
            let rest = seen.clone().filter(|place| !best.places.contains(place));
            let next = rest.map(|place| joined(&best.places, place)).collect();
            trials = self.trials(next)?;
        }
        Ok(None)
    }

    /// The rivals' standing without each of these sets, nearest to a change first.
    fn trials(&mut self, sets: Vec<Vec<usize>>) -> Result<Vec<Trial>, ScoreError> {
        self.tried += sets.len();
        let mut trials = Vec::with_capacity(sets.len());
        for places in sets {
            let side = self.without(&places);
            let states = self.scorer.cpu.states(&side);
            let moment = side.moment(&states);
            let logits = (self.scorer.cpu).logits(moment, &self.items, &side.muted, true);
            finite(&logits).map_err(|_| ScoreError::NotFinite {
                item: self.first as usize,
            })?;
            let rival = logits[1..].iter().copied().fold(f32::MIN, f32::max);
            let margin = logits[0] - rival;
            trials.push(Trial { places, margin });
        }
        trials.sort_by(|a, b| (a.margin.total_cmp(&b.margin)).then(a.places.cmp(&b.places)));
        Ok(trials)
    }

    /// The first of these that holds for the whole catalogue.
    fn verified(&self, trials: &[Trial]) -> Result<Answer, ScoreError> {
        for trial in trials.iter().take_while(|trial| trial.margin < 0.0) {
            if let Some(then) = self.overtaken(&trial.places)? {
                return Ok(Some((trial.places.clone(), then)));
            }
        }
        Ok(None)
    }

    /// Who is first without these, if somebody else.
    fn overtaken(&self, places: &[usize]) -> Result<Option<u32>, ScoreError> {
        let logits = self.scorer.all(&self.without(places))?;
        let first = top(&logits, &self.hidden, 1);
        Ok(first
            .first()
            .map(|item| *item as u32)
            .filter(|item| *item != self.first))
    }

    /// Gives back every event that was not needed.
    fn least(&mut self, places: Vec<usize>, then: u32) -> Result<(Vec<usize>, u32), ScoreError> {
        let (mut places, mut then) = (places, then);
        let mut at = 0;
        while at < places.len() && places.len() > 1 {
            let mut fewer = places.clone();
            fewer.remove(at);
            self.tried += 1;
            match self.overtaken(&fewer)? {
                Some(other) => (places, then) = (fewer, other),
                None => at += 1,
            }
        }
        Ok((places, then))
    }

    fn without(&self, places: &[usize]) -> Side {
        self.side.without(places)
    }
}

fn joined(places: &[usize], place: usize) -> Vec<usize> {
    let mut places = places.to_vec();
    places.insert(places.partition_point(|other| *other < place), place);
    places
}
