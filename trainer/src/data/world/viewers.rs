//! Gives each viewer what makes them choose: sparse tastes that are replaced one by one, a hidden community, a history
//! length and a calendar of sessions.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::catalogue::Work;
use super::config::WorldConfig;
use super::random::{below, between, chance, normal, shuffle, weighted};
use super::words::{self, KINDS};

/// A liking for one attribute value, held for a stretch of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Taste {
    /// Index into the kinds `genre, place, mood, year, person`.
    pub kind: usize,
    /// Index of the value within its kind.
    pub value: usize,
    /// Utility it adds to a matching work.
    pub strength: f64,
}

impl Taste {
    /// Name of the kind.
    pub fn kind_name(&self) -> &'static str {
        KINDS[self.kind]
    }

    /// The value as it is shown.
    pub fn value_name(&self) -> &'static str {
        words::values(self.kind)[self.value]
    }
}

/// What is true of a viewer and hidden from every model.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewerTruth {
    /// The viewer's community.
    pub community: usize,
    /// `(first event, tastes)`: the tastes that hold from that event on; starts with event 0.
    pub periods: Vec<(usize, Vec<Taste>)>,
}

impl ViewerTruth {
    /// The tastes that were in force when event `position` was chosen.
    pub fn tastes_at(&self, position: usize) -> &[Taste] {
        let period = self
            .periods
            .iter()
            .rev()
            .find(|(first, _)| *first <= position);
        period.map_or(&[], |(_, tastes)| tastes)
    }
}

/// A viewer before any choice.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Tastes and community.
    pub truth: ViewerTruth,
    /// Unix time of each event, strictly increasing; its length is the history length.
    pub times: Vec<i64>,
}

/// Draws one viewer.
pub fn draw(rng: &mut ChaCha8Rng, config: &WorldConfig, works: &[Work]) -> Viewer {
    let length = history_length(rng, config);
    let community = below(rng, config.communities);
    let mut tastes = Vec::new();
    let count = 2 + weighted(rng, &[0.45, 0.4, 0.15]).unwrap_or(0);
    while tastes.len() < count {
        let taste = next_taste(rng, config, works, &tastes, None);
        tastes.push(taste);
    }
    let mut periods = vec![(0, tastes.clone())];
    for position in change_points(rng, config, length) {
        let replaced = tastes.remove(below(rng, tastes.len()));
        let taste = next_taste(rng, config, works, &tastes, Some(&replaced));
        tastes.push(taste);
        periods.push((position, tastes.clone()));
    }
    Viewer {
        truth: ViewerTruth { community, periods },
        times: calendar(rng, config, length),
    }
}

/// Log-normal, redrawn until it lies between the shortest and the longest history.
fn history_length(rng: &mut ChaCha8Rng, config: &WorldConfig) -> usize {
    for _ in 0..1000 {
        let length = (config.median_history.ln() + config.history_spread * normal(rng))
            .exp()
            .round();
        if length >= config.shortest_history as f64 && length <= config.longest_history as f64 {
            return length as usize;
        }
    }
    config.shortest_history
}

/// A new taste of a kind that the viewer has none of, taken from a work that matches a taste they keep: people's
/// tastes hang together, and some works satisfy several at once.
fn next_taste(
    rng: &mut ChaCha8Rng,
    config: &WorldConfig,
    works: &[Work],
    kept: &[Taste],
    replaced: Option<&Taste>,
) -> Taste {
    // genre, place, mood, year, person: decades are rarely what a person follows.
    let mut weights = [1.0, 1.0, 0.8, 0.3, 0.8];
    for taste in kept {
        weights[taste.kind] = 0.0;
    }
    let anchor = kept.get(below(rng, kept.len()));
    let matching: Vec<&Work> = works
        .iter()
        .filter(|work| anchor.is_none_or(|taste| work.values[taste.kind] == taste.value))
        .collect();
    for _ in 0..100 {
        let kind = weighted(rng, &weights).unwrap_or(0);
        let Some(work) = matching.get(below(rng, matching.len())) else {
            break;
        };
        let value = work.values[kind];
        if replaced.is_none_or(|old| (old.kind, old.value) != (kind, value)) {
            return Taste {
                kind,
                value,
                strength: config.taste_strength * between(rng, 0.75, 1.25),
            };
        }
    }
    // Only tiny catalogues leave nothing else: any value of a kind without a taste.
    let kind = weighted(rng, &weights).unwrap_or(0);
    let value = below(rng, words::values(kind).len());
    Taste {
        kind,
        value,
        strength: config.taste_strength,
    }
}

/// Where tastes change: about one change per `events_per_change`, spread over the history.
fn change_points(rng: &mut ChaCha8Rng, config: &WorldConfig, length: usize) -> Vec<usize> {
    let expected = length as f64 / config.events_per_change;
    let count = expected.floor() as usize + usize::from(chance(rng, expected.fract()));
    let stretch = length as f64 / (count as f64 + 1.0);
    (1..=count)
        .map(|change| (stretch * (change as f64 + between(rng, -0.3, 0.3))).round() as usize)
        .collect()
}

/// Bursts of events, as in MovieLens: sessions of a few minutes to hours, weeks apart, from a join time of the
/// viewer's own until at most the end of the span.
fn calendar(rng: &mut ChaCha8Rng, config: &WorldConfig, length: usize) -> Vec<i64> {
    let span = f64::from(config.days) * 86_400.0;
    let joined = between(rng, 0.0, 0.85) * span;
    let active = (span - joined) * between(rng, 0.25, 1.0);
    let mut sizes = Vec::new();
    let mut left = length;
    while left > 0 {
        // Geometric with mean 12: a few long sessions hold most of the events.
        let size =
            (1 + ((1.0 - rng.random::<f64>()).ln() / (11.0_f64 / 12.0).ln()) as usize).min(left);
        sizes.push(size);
        left -= size;
    }
    shuffle(rng, &mut sizes);
    let mut starts: Vec<f64> = sizes
        .iter()
        .map(|_| joined + active * rng.random::<f64>())
        .collect();
    starts.sort_by(f64::total_cmp);
    let mut times = Vec::with_capacity(length);
    let mut clock = i64::MIN;
    for (start, size) in starts.into_iter().zip(sizes) {
        let mut moment = config.start + start as i64;
        for _ in 0..size {
            moment = moment.max(clock.saturating_add(1));
            times.push(moment);
            clock = moment;
            // Log-normal pauses within a session, median 40 seconds.
            moment += 1 + (40.0_f64.ln() + 1.2 * normal(rng)).exp() as i64;
        }
    }
    times
}
