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
use super::random::{between, generator, shuffle, weighted};
use super::viewers::{self, Taste, Viewer, ViewerTruth};
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
        let community = viewer.truth.community;
        let affinity = &affinities[community];
        let choices = Choices {
            config,
            works: &works,
            community,
            affinity,
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

/// What one viewer's choices depend on besides the viewer.
struct Choices<'a> {
    config: &'a WorldConfig,
    works: &'a [Work],
    /// The viewer's community.
    community: usize,
    /// What that community adds to each work.
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
            let tastes = viewer.truth.tastes_at(position);
            let offered: Vec<usize> = (0..self.works.len())
                .filter(|&work| !taken[work] && self.works[work].available <= time)
                .collect();
            let weights: Vec<f64> = offered
                .iter()
                .map(|&work| self.utility(tastes, recent, work).exp())
                .collect();
            // Nothing on offer ends the history early; only settings at their limits come here.
            let Some(&chosen) = weighted(rng, &weights).and_then(|place| offered.get(place)) else {
                break;
            };
            let popularity = offered
                .iter()
                .map(|&work| self.popularity(work))
                .sum::<f64>();
            let mean = popularity / offered.len() as f64;
            choices.push((
                chosen,
                self.causes(chosen, self.terms(tastes, recent, chosen), mean),
            ));
            taken[chosen] = true;
            history.push(chosen);
        }
        choices
    }

    fn popularity(&self, work: usize) -> f64 {
        let ratio = self.works.len() as f64 / self.works[work].rank as f64;
        self.config.popularity_exponent * ratio.ln()
    }

    /// The recently taken work that this one follows up.
    fn continues(&self, recent: &[usize], work: usize) -> Option<usize> {
        self.works[work]
            .follows
            .filter(|original| recent.contains(original))
    }

    /// The sum of all terms.
    fn utility(&self, tastes: &[Taste], recent: &[usize], work: usize) -> f64 {
        let personal = self
            .matched(tastes, work)
            .map(|taste| taste.strength)
            .sum::<f64>();
        let follow_up = match self.continues(recent, work) {
            Some(_) => self.config.sequel_strength,
            None => 0.0,
        };
        personal + self.affinity[work] + follow_up + self.popularity(work)
    }

    fn matched<'a>(&self, tastes: &'a [Taste], work: usize) -> impl Iterator<Item = &'a Taste> {
        let values = self.works[work].values;
        tastes
            .iter()
            .filter(move |taste| values[taste.kind] == taste.value)
    }

    /// The terms other than popularity, each with the cause it stands for.
    fn terms(&self, tastes: &[Taste], recent: &[usize], work: usize) -> Vec<(Cause, f64)> {
        let mut terms: Vec<(Cause, f64)> = self
            .matched(tastes, work)
            .map(|taste| {
                let (kind, value) = (
                    taste.kind_name().to_string(),
                    taste.value_name().to_string(),
                );
                (Cause::Taste { kind, value }, taste.strength)
            })
            .collect();
        terms.push((
            Cause::Community {
                id: self.community as u32,
            },
            self.affinity[work],
        ));
        if let Some(original) = self.continues(recent, work) {
            terms.push((
                Cause::Sequel {
                    item: original as u32,
                },
                self.config.sequel_strength,
            ));
        }
        terms
    }

    /// The cause rule of this module's header.
    fn causes(&self, work: usize, terms: Vec<(Cause, f64)>, mean_popularity: f64) -> Vec<Cause> {
        let popularity = self.popularity(work);
        let total = terms.iter().map(|(_, utility)| utility).sum::<f64>() + popularity;
        let material = |utility: f64| utility > 0.0 && utility >= self.config.cause_share * total;
        let causes: Vec<Cause> = terms
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    fn small(seed: u64) -> WorldConfig {
        WorldConfig {
            seed,
            works: 320,
            viewers: 60,
            ..WorldConfig::default()
        }
    }

    /// Item indices per user, in order.
    fn sequences(log: &Log) -> Vec<Vec<usize>> {
        let mut sequences = vec![Vec::new(); log.users.len()];
        for event in &log.interactions {
            sequences[event.user as usize].push(event.item as usize);
        }
        sequences
    }

    #[test]
    fn equal_seeds_give_equal_logs_and_other_seeds_others() {
        let [one, same, other] = [3, 3, 4].map(|seed| generate(&small(seed)).unwrap());
        assert_eq!(one.items, same.items);
        assert_eq!(one.interactions, same.interactions);
        assert_eq!(one.causes, same.causes);
        assert_ne!(one.interactions, other.interactions);
    }

    #[test]
    fn more_viewers_leave_the_first_ones_as_they_are() {
        let one = generate(&small(3)).unwrap();
        let more = generate(&WorldConfig {
            viewers: 61,
            ..small(3)
        })
        .unwrap();
        assert_eq!(
            one.interactions[..],
            more.interactions[..one.interactions.len()]
        );
    }

    #[test]
    fn the_default_world_has_the_promised_size_and_order() {
        let config = WorldConfig::default();
        let log = generate(&config).unwrap();
        assert_eq!((log.items.len(), log.users.len()), (640, 420));
        let titles: BTreeSet<&str> = log.items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(titles.len(), 640, "titles are unique");
        for item in &log.items {
            assert_eq!(
                (item.attributes.len(), item.title.split(' ').count()),
                (5, 2)
            );
        }
        assert_eq!(
            log.causes.as_ref().map(Vec::len),
            Some(log.interactions.len())
        );
        let ordered = log.interactions.windows(2).all(|pair| {
            let same = pair[0].user == pair[1].user && pair[0].time < pair[1].time;
            same || pair[0].user < pair[1].user
        });
        assert!(ordered, "sorted by user, then strictly by time");
        for items in sequences(&log) {
            let range = config.shortest_history..=config.longest_history;
            assert!(range.contains(&items.len()));
            let different = items.iter().collect::<HashSet<_>>().len();
            assert_eq!(different, items.len(), "nobody takes a work twice");
        }
    }

    /// The recorded causes against the world's own truth, recomputed from its published parts.
    #[test]
    fn causes_are_true_and_none_is_left_out() {
        let config = small(3);
        let world = simulate(&config).unwrap();
        let causes = world.log.causes.as_ref().unwrap();
        let mut at = 0;
        for (user, items) in sequences(&world.log).iter().enumerate() {
            let truth = &world.viewers[user];
            for (position, &item) in items.iter().enumerate() {
                let own = &world.log.items[item].attributes;
                let mut terms: Vec<(Cause, f64)> = Vec::new();
                for taste in truth.tastes_at(position) {
                    let (kind, value) = (taste.kind_name(), taste.value_name());
                    if own.iter().any(|one| one.kind == kind && one.value == value) {
                        let (kind, value) = (kind.to_string(), value.to_string());
                        terms.push((Cause::Taste { kind, value }, taste.strength));
                    }
                }
                let community = Cause::Community {
                    id: truth.community as u32,
                };
                terms.push((community, world.affinities[truth.community][item]));
                let recent = &items[position.saturating_sub(config.sequel_window)..position];
                if let Some(original) = world.follows[item].filter(|one| recent.contains(one)) {
                    let cause = Cause::Sequel {
                        item: original as u32,
                    };
                    terms.push((cause, config.sequel_strength));
                }
                let popular = config.popularity_exponent * (320.0 / world.ranks[item] as f64).ln();
                let total = popular + terms.iter().map(|(_, utility)| utility).sum::<f64>();
                terms.retain(|(_, utility)| *utility > 0.0 && utility / total >= 0.25);
                let expected: Vec<Cause> = terms.into_iter().map(|(cause, _)| cause).collect();
                if expected.is_empty() {
                    assert!(causes[at].is_empty() || causes[at] == [Cause::Popularity]);
                } else {
                    assert_eq!(causes[at], expected, "user {user}, position {position}");
                }
                at += 1;
            }
        }
        assert_eq!(at, causes.len());
    }

    #[test]
    fn a_follow_up_shares_genre_person_and_second_word() {
        let world = simulate(&small(5)).unwrap();
        let mut pairs = 0;
        for (item, original) in world.follows.iter().enumerate() {
            let Some(original) = *original else { continue };
            let (item, original) = (&world.log.items[item], &world.log.items[original]);
            assert_eq!(
                item.title.split(' ').nth(1),
                original.title.split(' ').nth(1)
            );
            for kind in [0, 4] {
                assert_eq!(item.attributes[kind], original.attributes[kind]);
            }
            pairs += 1;
        }
        assert_eq!(pairs, 38, "12 % of 320");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let message = |config: WorldConfig| generate(&config).map(|_| ()).unwrap_err().to_string();
        let world = WorldConfig::default;
        assert!(
            message(WorldConfig {
                works: 5,
                ..world()
            })
            .contains("`works` is 5")
        );
        let long = WorldConfig {
            longest_history: 400,
            ..world()
        };
        assert!(message(long).contains("`longest_history` is 400"));
        let strange = WorldConfig {
            taste_strength: f64::NAN,
            ..world()
        };
        assert!(message(strange).contains("`taste_strength`"));
        let typo: Result<WorldConfig, _> = serde_json::from_str(r#"{"viewer": 3}"#);
        assert!(typo.unwrap_err().to_string().contains("viewer"));
        let part: WorldConfig = serde_json::from_str(r#"{"viewers": 3}"#).unwrap();
        assert_eq!(
            part,
            WorldConfig {
                viewers: 3,
                ..world()
            }
        );
    }
}
