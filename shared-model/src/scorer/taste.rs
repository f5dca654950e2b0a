//! Whose taste is scored: a stored viewer's, as it is or changed, or one that a visitor put together.

use super::ScoreError;
use super::cpu::Moment;
use crate::artefact::{Artefact, UserRecord, tensors as stored};
use crate::reward::RewardConfig;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Entries of a history, or muted reasons, that a taste may have: more than any person gives, and little enough that a hostile
/// address cannot occupy a browser.
const MOST: usize = 10_000;

/// A question to the scorer. As JSON it is what the page sends, keeps in its address, and hands to `curec explain`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Taste {
    /// The stored viewer whose events [`Taken::position`] counts.
    pub viewer: Option<u32>,
    /// Oldest first.
    pub history: Vec<Taken>,
    /// The stored viewer whose pattern is read; none is the learned "no pattern".
    pub pattern: Option<u32>,
    /// `e(P)`, `[d]`, of a pattern that was written for this taste: what is read instead of a stored viewer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Vec<f32>>,
    /// Reasons that are taken off their items' lists.
    pub muted: Vec<Muted>,
}

impl Taste {
    /// The same read without a pattern.
    pub fn without_pattern(&self) -> Self {
        Self {
            pattern: None,
            written: None,
            ..self.clone()
        }
    }
}

/// One event of a taste's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Index into the catalogue.
    pub item: u32,
    /// Where it stands in the stored viewer's history; none for an item that was added. A stored event is read with what was
    /// known when it happened, an added one with the taste's pattern and the item's reasons of today.
    #[serde(default)]
    pub position: Option<u32>,
}

/// One reason that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Muted {
    /// Index into the catalogue.
    pub item: u32,
    /// Place on the item's list.
    pub reason: u32,
}

/// What an artefact says of a viewer, on the host.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Items of the whole history, oldest first.
    pub(super) history: Vec<u32>,
    pub(super) held_out: Option<u32>,
    /// Position of the first event of the window.
    start: usize,
    /// `m` of the window's events, `[T, d]`.
    matched: Vec<f32>,
    /// `e(P_u)`, `[d]`.
    pattern: Vec<f32>,
    /// Reasons that were written of events of this history, in order.
    own: Vec<Muted>,
}

/// A taste as the model reads it.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// Positions in the taste's history, and items, of the events that could be seen, oldest first; the newest `limit` are.
    events: Vec<(u32, u32)>,
    /// `m` of these events, `[n, d]`.
    matched: Vec<f32>,
    /// Events the model sees at most.
    limit: usize,
    /// `e(P)`, `[d]`.
    pub(super) pattern: Vec<f32>,
    /// In order, without repetition.
    pub(super) muted: Vec<Muted>,
    /// Which of the events are the stored viewer's own.
    stored: Vec<bool>,
    /// Reasons that were written of the viewer's own events, and how many events of that item there are: they count as long as one is.
    own: Vec<(Muted, usize)>,
}

impl Side {
    /// Which of the events are seen.
    pub(super) fn seen(&self) -> Range<usize> {
        self.events.len().saturating_sub(self.limit)..self.events.len()
    }

    /// Positions in the taste's history, and items, of the events that are seen.
    pub(super) fn window(&self) -> &[(u32, u32)] {
        &self.events[self.seen()]
    }

    /// Position in the taste's history of one of the events.
    pub(super) fn position(&self, event: usize) -> u32 {
        self.events[event].0
    }

    /// `m` of the events that are seen, `[T, d]`.
    pub(super) fn matched(&self) -> &[f32] {
        &self.matched[self.seen().start * self.pattern.len()..]
    }

    pub(super) fn items(&self) -> Vec<u32> {
        self.window().iter().map(|(_, item)| *item).collect()
    }

    /// What the scorer reads, with the states of what is seen.
    pub(super) fn moment<'a>(&'a self, states: &'a [f32]) -> Moment<'a> {
        Moment {
            states,
            pattern: &self.pattern,
        }
    }

    /// The same without some events, which are numbered as in [`Side::seen`]; older ones that could be seen take their place.
    pub(super) fn without(&self, gone: &[usize]) -> Self {
        let width = self.pattern.len();
        let kept = |event: &usize| !gone.contains(event);
        let all = 0..self.events.len();
        let (mut muted, mut own) = (self.muted.clone(), self.own.clone());
        for &event in gone.iter().filter(|event| self.stored[**event]) {
            for (reason, events) in &mut own {
                *events -= usize::from(reason.item == self.events[event].1);
            }
        }
        muted.extend(
            own.extract_if(.., |(_, events)| *events == 0)
                .map(|(reason, _)| reason),
        );
        ordered(&mut muted);
        Self {
            events: all
                .clone()
                .filter(kept)
                .map(|event| self.events[event])
                .collect(),
            matched: (all.clone().filter(kept))
                .flat_map(|event| &self.matched[event * width..(event + 1) * width])
                .copied()
                .collect(),
            limit: self.limit,
            pattern: self.pattern.clone(),
            muted,
            stored: all.filter(kept).map(|event| self.stored[event]).collect(),
            own,
        }
    }
}

/// All viewers of an artefact, and what stands for none.
#[derive(Debug)]
pub(super) struct Viewers {
    pub(super) all: Vec<Viewer>,
    /// Reasons on each item's list.
    counts: Vec<u32>,
    pub(super) no_pattern: Vec<f32>,
    width: usize,
    max_history: usize,
}

impl Viewers {
    pub(super) fn new(artefact: &Artefact, config: &RewardConfig) -> Self {
        let values = |name: &str| &artefact.tensors[name].values;
        let patterns = values(stored::PATTERNS);
        let matched = values(stored::HISTORY_MATCHED);
        let mut offset = 0;
        let viewer = |((user, pattern), own): ((&UserRecord, &[f32]), Vec<Muted>)| {
            let history: Vec<u32> = user.history.iter().map(|event| event.item).collect();
            let start = history.len().saturating_sub(config.max_history);
            let rows = offset..offset + (history.len() - start) * config.width;
            offset = rows.end;
            Viewer {
                history,
                held_out: user.held_out,
                start,
                matched: matched[rows].to_vec(),
                pattern: pattern.to_vec(),
                own,
            }
        };
        let sides = (artefact.users.iter()).zip(patterns.chunks_exact(config.width));
        let sides = sides.zip(own_reasons(artefact));
        Self {
            all: sides.map(viewer).collect(),
            counts: (artefact.reasons.iter())
                .map(|list| list.len() as u32)
                .collect(),
            no_pattern: values(stored::NO_PATTERN).clone(),
            width: config.width,
            max_history: config.max_history,
        }
    }

    pub(super) fn get(&self, user: u32) -> Result<&Viewer, ScoreError> {
        let users = self.all.len();
        (self.all.get(user as usize)).ok_or(ScoreError::UserOutOfRange { user, users })
    }

    /// A stored viewer's own taste.
    pub(super) fn taste(&self, user: u32) -> Result<Taste, ScoreError> {
        let items = self.get(user)?.history.iter();
        let taken = |(position, &item): (u32, &u32)| Taken {
            item,
            position: Some(position),
        };
        Ok(Taste {
            viewer: Some(user),
            history: (0..).zip(items).map(taken).collect(),
            pattern: Some(user),
            written: None,
            muted: Vec::new(),
        })
    }

    /// Checks a taste and gathers what is stored of it; `match_now` computes `m` of an item that was added, for a pattern.
    ///
    /// Of a stored viewer's events only those are read that the model saw of them; older ones only count as taken, also where
    /// removals would make room: what was known at them is not stored.
    ///
    /// A reason that was written of one of the viewer's events does not count where that event was taken out: it would not have been
    /// written.
    pub(super) fn side(
        &self,
        taste: &Taste,
        match_now: impl FnOnce(&[f32], &[u32], &[Muted]) -> Vec<f32>,
    ) -> Result<Side, ScoreError> {
        let pattern = match (&taste.written, taste.pattern) {
            (Some(_), Some(_)) => {
                return Err(bad("it reads a written pattern and a stored one".to_owned()));
            }
            (Some(written), None) => self.written(written)?,
            (None, Some(user)) => self.get(user)?.pattern.clone(),
            (None, None) => self.no_pattern.clone(),
        };
        let viewer = taste.viewer.map(|user| self.get(user)).transpose()?;
        let mut muted = self.muted(&taste.muted)?;
        if taste.history.len() > MOST {
            return Err(bad(format!("a history has {MOST} events at most")));
        }
        let mut seen = Vec::new();
        let mut used = vec![false; viewer.map_or(0, |viewer| viewer.history.len())];
        for (place, taken) in taste.history.iter().enumerate() {
            self.in_range(taken.item)?;
            let stored = taken.position.map(|position| {
                let known = viewer.filter(|viewer| {
                    viewer.history.get(position as usize) == Some(&taken.item)
                        && !std::mem::replace(&mut used[position as usize], true)
                });
                known.map(|viewer| (viewer, position as usize)).ok_or_else(|| {
                    bad(format!(
                        "event {place} of the history is item {} at position {position}, and the viewer has no such event, or it comes twice",
                        taken.item
                    ))
                })
            });
            let stored = stored.transpose()?;
            if stored.is_none_or(|(viewer, position)| position >= viewer.start) {
                seen.push((place as u32, taken.item, stored));
            }
        }
        let own = viewer.map_or(&[][..], |viewer| &viewer.own);
        let own = own.iter().map(|reason| {
            let stored = taste.history.iter().filter(|one| one.position.is_some());
            (
                *reason,
                stored.filter(|one| one.item == reason.item).count(),
            )
        });
        let (own, gone): (Vec<_>, Vec<_>) = own.partition(|(_, events)| *events > 0);
        muted.extend(gone.into_iter().map(|(reason, _)| reason));
        ordered(&mut muted);
        let added: Vec<u32> = (seen.iter())
            .filter(|(.., stored)| stored.is_none())
            .map(|(_, item, _)| *item)
            .collect();
        let now = match added.is_empty() {
            true => Vec::new(),
            false => match_now(&pattern, &added, &muted),
        };
        let mut now = now.chunks_exact(self.width);
        let mut matched = Vec::with_capacity(seen.len() * self.width);
        for (.., stored) in &seen {
            matched.extend_from_slice(match stored {
                Some((viewer, position)) => {
                    &viewer.matched[(position - viewer.start) * self.width..][..self.width]
                }
                None => now.next().unwrap_or_default(),
            });
        }
        Ok(Side {
            events: (seen.iter())
                .map(|(place, item, _)| (*place, *item))
                .collect(),
            matched,
            limit: self.max_history,
            pattern,
            muted,
            stored: (seen.iter()).map(|(.., stored)| stored.is_some()).collect(),
            own,
        })
    }

    fn written(&self, pattern: &[f32]) -> Result<Vec<f32>, ScoreError> {
        if pattern.len() != self.width || !pattern.iter().all(|value| value.is_finite()) {
            return Err(bad(format!(
                "a written pattern is {} finite numbers, this one has {}",
                self.width,
                pattern.len()
            )));
        }
        Ok(pattern.to_vec())
    }

    pub(super) fn in_range(&self, item: u32) -> Result<(), ScoreError> {
        match self.counts.len() {
            items if (item as usize) < items => Ok(()),
            items => Err(bad(format!(
                "there is no item {item}: the catalogue has {items}"
            ))),
        }
    }

    fn muted(&self, muted: &[Muted]) -> Result<Vec<Muted>, ScoreError> {
        if muted.len() > MOST {
            return Err(bad(format!("{MOST} reasons can be muted at most")));
        }
        for one in muted {
            self.in_range(one.item)?;
            let count = self.counts[one.item as usize];
            if one.reason >= count {
                return Err(bad(format!(
                    "item {} has no reason {}: its list has {count}",
                    one.item, one.reason
                )));
            }
        }
        let mut muted = muted.to_vec();
        ordered(&mut muted);
        Ok(muted)
    }
}

fn ordered(muted: &mut Vec<Muted>) {
    muted.sort_unstable();
    muted.dedup();
}

/// For each viewer the reasons that were written of their events.
fn own_reasons(artefact: &Artefact) -> Vec<Vec<Muted>> {
    let mut own = vec![Vec::new(); artefact.users.len()];
    for (item, list) in (0..).zip(&artefact.reasons) {
        for (reason, written) in (0..).zip(list) {
            if let Some(of) = written.user.and_then(|user| own.get_mut(user as usize)) {
                of.push(Muted { item, reason });
            }
        }
    }
    own
}

fn bad(message: String) -> ScoreError {
    ScoreError::BadTaste { message }
}
