//! What the built-in world looks like: every number of the simulator in one place.

use serde::{Deserialize, Serialize};

use super::words;

/// Settings of the built-in world. The defaults are calibrated (see `docs/world.md`): change one and the share of
/// choices that tastes explain changes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Seed of everything; equal configurations give equal logs.
    pub seed: u64,
    /// Works in the catalogue (at most the number of two-word titles, 3,000).
    pub works: usize,
    /// Viewers.
    pub viewers: usize,
    /// Shortest history, in events.
    pub shortest_history: usize,
    /// Median of the log-normal history length before both ends are cut, in events.
    pub median_history: f64,
    /// Longest history, in events; at most half of `works`.
    pub longest_history: usize,
    /// Standard deviation of the logarithm of the history length.
    pub history_spread: f64,
    /// Share of the works that follow another work up (same genre, person and second title word).
    pub sequel_share: f64,
    /// Probability that a work's place, mood, year or person is one its genre leans to; the rest is drawn at large.
    pub leaning: f64,
    /// Share of the works that enter the catalogue during the simulated time; the others are there from the start.
    pub late_share: f64,
    /// Hidden communities; each viewer belongs to one.
    pub communities: usize,
    /// Share of the catalogue each community takes to for no reason that metadata shows.
    pub community_share: f64,
    /// Utility of a work that a typical taste matches (nats of log-odds); single tastes vary by ±25 %.
    pub taste_strength: f64,
    /// Utility of a work that the viewer's community takes to; single works vary by ±40 %.
    pub community_strength: f64,
    /// Zipf exponent of popularity: utility `exponent · ln(works / rank)`.
    pub popularity_exponent: f64,
    /// Utility of a follow-up of a work taken recently.
    pub sequel_strength: f64,
    /// How many of the viewer's latest events count as "recently" for follow-ups.
    pub sequel_window: usize,
    /// Mean number of events between two changes of taste (each replaces one of the viewer's tastes).
    pub events_per_change: f64,
    /// A term is recorded as a cause when it holds at least this share of the chosen work's positive utility.
    pub cause_share: f64,
    /// First second of the simulated time (Unix time).
    pub start: i64,
    /// Length of the simulated time in days.
    pub days: u32,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            works: 640,
            viewers: 420,
            shortest_history: 32,
            median_history: 48.0,
            longest_history: 150,
            history_spread: 0.5,
            sequel_share: 0.12,
            leaning: 0.92,
            late_share: 0.15,
            communities: 8,
            community_share: 0.05,
            taste_strength: 5.5,
            community_strength: 3.0,
            popularity_exponent: 1.1,
            sequel_strength: 4.5,
            sequel_window: 10,
            events_per_change: 22.0,
            cause_share: 0.25,
            start: 1_609_459_200,
            days: 1_095,
        }
    }
}

/// A configuration that describes no world.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WorldError {
    /// A setting is out of its range.
    #[error("world setting `{field}` is {value}: {rule}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// Its value, as given.
        value: String,
        /// What would be right.
        rule: String,
    },
}

impl WorldConfig {
    /// Checks every range on which the simulator relies.
    ///
    /// # Errors
    /// [`WorldError::Setting`] names the first setting that is out of range.
    pub fn validate(&self) -> Result<(), WorldError> {
        let titles = words::FIRST.len() * words::SECOND.len();
        let works = self.works;
        need("works", works, (20..=titles).contains(&works), || {
            format!("choose 20 to {titles}")
        })?;
        need("viewers", self.viewers, self.viewers > 0, || {
            "choose at least 1".into()
        })?;
        let longest = self.longest_history;
        need(
            "longest_history",
            longest,
            (1..=works / 2).contains(&longest),
            || {
                format!(
                    "choose 1 to {} (half of `works`: nobody takes a work twice)",
                    works / 2
                )
            },
        )?;
        let shortest = self.shortest_history;
        need(
            "shortest_history",
            shortest,
            (1..=longest).contains(&shortest),
            || format!("choose 1 to {longest} (`longest_history`)"),
        )?;
        let median = self.median_history;
        let between = median >= shortest as f64 && median <= longest as f64;
        need("median_history", median, between, || {
            format!("choose {shortest} to {longest}")
        })?;
        need(
            "communities",
            self.communities,
            self.communities > 0,
            || "choose at least 1".into(),
        )?;
        need("days", self.days, self.days >= 30, || {
            "choose at least 30".into()
        })?;
        need(
            "events_per_change",
            self.events_per_change,
            self.events_per_change >= 1.0,
            || "choose at least 1".into(),
        )?;
        for (field, value) in [
            ("sequel_share", self.sequel_share),
            ("leaning", self.leaning),
            ("late_share", self.late_share),
            ("community_share", self.community_share),
            ("cause_share", self.cause_share),
        ] {
            need(field, value, (0.0..=1.0).contains(&value), || {
                "choose 0 to 1".into()
            })?;
        }
        need(
            "sequel_share",
            self.sequel_share,
            self.sequel_share <= 0.5,
            || "choose 0 to 0.5 (a follow-up needs a work to follow)".into(),
        )?;
        need(
            "late_share",
            self.late_share,
            self.late_share <= 0.5,
            || "choose 0 to 0.5 (the first viewers need works to choose from)".into(),
        )?;
        for (field, value) in [
            ("history_spread", self.history_spread),
            ("taste_strength", self.taste_strength),
            ("community_strength", self.community_strength),
            ("popularity_exponent", self.popularity_exponent),
            ("sequel_strength", self.sequel_strength),
        ] {
            let sound = value.is_finite() && (0.0..=20.0).contains(&value);
            need(field, value, sound, || "choose 0 to 20".into())?;
        }
        Ok(())
    }
}

fn need(
    field: &'static str,
    value: impl std::fmt::Display,
    sound: bool,
    rule: impl FnOnce() -> String,
) -> Result<(), WorldError> {
    if sound {
        return Ok(());
    }
    Err(WorldError::Setting {
        field,
        value: value.to_string(),
        rule: rule(),
    })
}
