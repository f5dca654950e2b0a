//! Lets the viewers choose and writes down why.
//!
//! Utility of a work the viewer has not taken and that is available:
//! `Σ tastes matched + community affinity + popularity_exponent · ln(works / rank) + follow-up`, all terms ≥ 0; the
//! choice is a softmax over it. Nobody takes a work twice (MovieLens has no repeats either).
//!
//! **The cause rule.** The total is the sum of the chosen work's terms. Every taste, community or follow-up term that
//! holds at least `cause_share` (a quarter) of the total is recorded. If none does, popularity is recorded, provided
//! that its term lies above the mean over the works then on offer; a choice that no term explains has no causes: it was
//! chance, and the log says so by an empty list.

use rand_chacha::ChaCha8Rng;

use super::catalogue::{self, Work};
use super::config::{WorldConfig, WorldError};
use super::random::{below, between, generator, shuffle, weighted};
use super::viewers::{self, Viewer, ViewerTruth};
use crate::data::{Cause, Interaction, Log, User};

/// A simulated log with all that is true of it and that no model may see.
#[derive(Debug, Clone)]
pub struct World {
    /// The log, with its causes.
    pub log: Log,
    /// Tastes and community per user of the log.
    pub viewers: Vec<ViewerTruth>,
    /// The work that each work follows up (indices into the log's items).
    pub follows: Vec<Option<usize>>,
    /// Popularity rank per work, 1 is the most popular.
    pub ranks: Vec<usize>,
    /// Utility each community adds to each work: `[community][work]`.
    pub affinities: Vec<Vec<f64>>,
}

/// The simulated log alone.
///
/// # Errors
/// [`WorldError`] when the configuration describes no world.
pub fn generate(config: &WorldConfig) -> Result<Log, WorldError> {
    simulate(config).map(|world| world.log)
}

/// Simulates the world of a configuration: equal configurations give equal worlds.
///
/// # Errors
/// [`WorldError`] when the configuration describes no world.
pub fn simulate(config: &WorldConfig) -> Result<World, WorldError> {
    config.validate()?;
    let works = catalogue::build(config);
    let affinities = affinities(config);
    let mut log = Log {
        name: "world".to_string(),
        items: works
            .iter()
            .enumerate()
            .map(|(index, work)| work.item(index))
            .collect(),
        causes: Some(Vec::new()),
        ..Log::default()
    };
    let mut viewers = Vec::with_capacity(config.viewers);
    let mut causes = Vec::new();
    for user in 0..config.viewers {
        // A stream per viewer: more viewers leave the first ones as they are.
        let mut rng = generator(config.seed, 1000 + user as u64);
        let viewer = viewers::draw(&mut rng, config, &works);
        let choices = Choices {
            config,
            works: &works,
            affinity: &affinities[viewer.truth.community],
        };
        for (position, (work, why)) in choices.run(&mut rng, &viewer).into_iter().enumerate() {
            log.interactions.push(Interaction {
                user: user as u32,
                item: work as u32,
                time: viewer.times[position],
                rating: None,
            });
            causes.push(why);
        }
        log.users.push(User {
            key: format!("v{:04}", user + 1),
        });
        viewers.push(viewer.truth);
    }
    log.causes = Some(causes);
    let follows = works.iter().map(|work| work.follows).collect();
    let ranks = works.iter().map(|work| work.rank).collect();
    Ok(World {
        log,
        viewers,
        follows,
        ranks,
        affinities,
    })
}

/// Each community takes to a random share of the catalogue, whatever the metadata says.
fn affinities(config: &WorldConfig) -> Vec<Vec<f64>> {
    let mut rng = generator(config.seed, 2);
    let liked = (config.works as f64 * config.community_share).round() as usize;
    let mut all = Vec::with_capacity(config.communities);
    for _ in 0..config.communities {
        let mut order: Vec<usize> = (0..config.works).collect();
        shuffle(&mut rng, &mut order);
        let mut affinity = vec![0.0; config.works];
        for &work in &order[..liked] {
            affinity[work] = config.community_strength * between(&mut rng, 0.6, 1.4);
        }
        all.push(affinity);
    }
    all
}

/// One viewer's choices.
struct Choices<'a> {
    config: &'a WorldConfig,
    works: &'a [Work],
    /// What the viewer's community adds to each work.
    affinity: &'a [f64],
}

impl Choices<'_> {
    /// The works taken, in order, each with its causes.
    fn run(&self, rng: &mut ChaCha8Rng, viewer: &Viewer) -> Vec<(usize, Vec<Cause>)> {
        let mut taken = vec![false; self.works.len()];
        let mut history: Vec<usize> = Vec::with_capacity(viewer.times.len());
        let mut choices = Vec::with_capacity(viewer.times.len());
        for (position, &time) in viewer.times.iter().enumerate() {
            let recent = &history[history.len().saturating_sub(self.config.sequel_window)..];
            let terms = |work: usize| self.terms(viewer, position, recent, work);
            let weights: Vec<f64> = (0..self.works.len())
                .map(|work| {
                    if taken[work] || self.works[work].available > time {
                        return 0.0;
                    }
                    let (personal, popularity) = terms(work);
                    (personal.iter().map(|(_, utility)| utility).sum::<f64>() + popularity).exp()
                })
                .collect();
            // At least half of the catalogue is neither taken nor late, so something is always on offer.
            let chosen = weighted(rng, &weights).unwrap_or_else(|| below(rng, self.works.len()));
            let offered: Vec<usize> = (0..weights.len())
                .filter(|&work| weights[work] > 0.0)
                .collect();
            let mean = offered
                .iter()
                .map(|&work| self.popularity(work))
                .sum::<f64>()
                / offered.len().max(1) as f64;
            choices.push((chosen, self.causes(terms(chosen), mean)));
            taken[chosen] = true;
            history.push(chosen);
        }
        choices
    }

    fn popularity(&self, work: usize) -> f64 {
        self.config.popularity_exponent
            * (self.works.len() as f64 / self.works[work].rank as f64).ln()
    }

    /// The personal terms of a work's utility, each with the cause it stands for, and the popularity term.
    fn terms(
        &self,
        viewer: &Viewer,
        position: usize,
        recent: &[usize],
        work: usize,
    ) -> (Vec<(Cause, f64)>, f64) {
        let mut personal = Vec::new();
        for taste in viewer.truth.tastes_at(position) {
            if self.works[work].values[taste.kind] == taste.value {
                let cause = Cause::Taste {
                    kind: taste.kind_name().into(),
                    value: taste.value_name().into(),
                };
                personal.push((cause, taste.strength));
            }
        }
        if self.affinity[work] > 0.0 {
            personal.push((
                Cause::Community {
                    id: viewer.truth.community as u32,
                },
                self.affinity[work],
            ));
        }
        if let Some(original) = self.works[work]
            .follows
            .filter(|original| recent.contains(original))
        {
            personal.push((
                Cause::Sequel {
                    item: original as u32,
                },
                self.config.sequel_strength,
            ));
        }
        (personal, self.popularity(work))
    }

    /// The cause rule of this module's header.
    fn causes(
        &self,
        (personal, popularity): (Vec<(Cause, f64)>, f64),
        mean_popularity: f64,
    ) -> Vec<Cause> {
        let total = personal.iter().map(|(_, utility)| utility).sum::<f64>() + popularity;
        let material = |utility: f64| utility > 0.0 && utility >= self.config.cause_share * total;
        let causes: Vec<Cause> = personal
            .into_iter()
            .filter(|(_, utility)| material(*utility))
            .map(|(cause, _)| cause)
            .collect();
        if causes.is_empty() && popularity > mean_popularity {
            return vec![Cause::Popularity];
        }
        causes
    }
}
