//! Invents the catalogue: works with one value of each attribute kind, follow-ups, popularity ranks and the day on
//! which a work becomes available.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::config::WorldConfig;
use super::random::{below, between, chance, generator, shuffle, weighted};
use super::words::{self, GENRE, KINDS, MOOD, PERSON, PLACE, YEAR};
use crate::data::{Attribute, Item};

/// A work as the simulator sees it.
#[derive(Debug, Clone)]
pub struct Work {
    /// Indices into [`words::FIRST`] and [`words::SECOND`].
    pub title: (usize, usize),
    /// One value index per kind of [`KINDS`].
    pub values: [usize; KINDS.len()],
    /// The work that this one follows up.
    pub follows: Option<usize>,
    /// Popularity rank, 1 is the most popular.
    pub rank: usize,
    /// Unix time from which the work can be chosen.
    pub available: i64,
}

impl Work {
    /// The work as a catalogue entry; attributes in the order of [`KINDS`].
    pub fn item(&self, index: usize) -> Item {
        let attributes = KINDS.iter().enumerate().map(|(kind, name)| Attribute {
            kind: (*name).to_string(),
            value: words::values(kind)[self.values[kind]].to_string(),
        });
        Item {
            key: format!("w{:04}", index + 1),
            title: format!(
                "{} {}",
                words::FIRST[self.title.0],
                words::SECOND[self.title.1]
            ),
            attributes: attributes.collect(),
        }
    }
}

/// What a genre leans to: most of its works share a few places, moods and years, as real genres do.
struct Leaning {
    places: Vec<usize>,
    moods: Vec<usize>,
    years: Vec<usize>,
}

/// Builds the catalogue: a function of the configuration alone.
pub fn build(config: &WorldConfig) -> Vec<Work> {
    let mut rng = generator(config.seed, 1);
    let leanings: Vec<Leaning> = words::GENRES
        .iter()
        .map(|_| Leaning {
            places: sample(&mut rng, words::PLACES.len(), 3),
            moods: sample(&mut rng, words::MOODS.len(), 2),
            years: sample(&mut rng, words::YEARS.len(), 2),
        })
        .collect();
    // Three people are at home in each genre; half of them also work in a second one.
    let second_genre: Vec<Option<usize>> = words::PEOPLE
        .iter()
        .map(|_| chance(&mut rng, 0.5).then(|| below(&mut rng, words::GENRES.len())))
        .collect();
    let mut titles = BTreeSet::new();
    let mut works: Vec<Work> = Vec::with_capacity(config.works);
    let originals = config.works - (config.works as f64 * config.sequel_share).round() as usize;
    for index in 0..config.works {
        let follows = (index >= originals).then(|| below(&mut rng, originals));
        let work = match follows {
            Some(original) => follow_up(&mut rng, config, &works, original, &leanings, &titles),
            None => original_work(&mut rng, config, &leanings, &second_genre, &titles),
        };
        titles.insert(work.title);
        works.push(work);
    }
    // Popularity is independent of the metadata: ranks are shuffled.
    let mut ranks: Vec<usize> = (1..=config.works).collect();
    shuffle(&mut rng, &mut ranks);
    for (work, rank) in works.iter_mut().zip(ranks) {
        work.rank = rank;
    }
    works
}

fn original_work(
    rng: &mut ChaCha8Rng,
    config: &WorldConfig,
    leanings: &[Leaning],
    second_genre: &[Option<usize>],
    titles: &BTreeSet<(usize, usize)>,
) -> Work {
    // Genres differ in size by about two to one.
    let sizes: Vec<f64> = (0..words::GENRES.len())
        .map(|genre| 1.0 / (genre as f64 + 10.0))
        .collect();
    let genre = weighted(rng, &sizes).unwrap_or(0);
    let mut values = [0; KINDS.len()];
    values[GENRE] = genre;
    fill_setting(rng, config, &leanings[genre], &mut values);
    let affinity: Vec<f64> = (0..words::PEOPLE.len())
        .map(|person| {
            match (
                person % words::GENRES.len() == genre,
                second_genre[person] == Some(genre),
            ) {
                (true, _) => 1.0,
                (_, true) => 0.6,
                _ => 0.012,
            }
        })
        .collect();
    values[PERSON] = weighted(rng, &affinity).unwrap_or(0);
    let title = loop {
        let title = (
            below(rng, words::FIRST.len()),
            below(rng, words::SECOND.len()),
        );
        if !titles.contains(&title) {
            break title;
        }
    };
    Work {
        title,
        values,
        follows: None,
        rank: 0,
        available: available(rng, config, config.start),
    }
}

/// Same genre, person and second title word; place and mood stay half of the time, the year is drawn anew.
fn follow_up(
    rng: &mut ChaCha8Rng,
    config: &WorldConfig,
    works: &[Work],
    original: usize,
    leanings: &[Leaning],
    titles: &BTreeSet<(usize, usize)>,
) -> Work {
    let source = &works[original];
    let mut values = source.values;
    fill_setting(rng, config, &leanings[values[GENRE]], &mut values);
    for kind in [PLACE, MOOD] {
        if chance(rng, 0.5) {
            values[kind] = source.values[kind];
        }
    }
    let free: Vec<usize> = (0..words::FIRST.len())
        .filter(|&first| !titles.contains(&(first, source.title.1)))
        .collect();
    let mut title = (
        free.get(below(rng, free.len())).copied().unwrap_or(0),
        source.title.1,
    );
    while titles.contains(&title) {
        // Every first word is taken for this second word: only very large catalogues come here.
        title = (
            below(rng, words::FIRST.len()),
            below(rng, words::SECOND.len()),
        );
    }
    let available = available(rng, config, source.available);
    Work {
        title,
        values,
        follows: Some(original),
        rank: 0,
        available,
    }
}

fn fill_setting(
    rng: &mut ChaCha8Rng,
    config: &WorldConfig,
    leaning: &Leaning,
    values: &mut [usize; KINDS.len()],
) {
    values[PLACE] = lean(rng, config.leaning, &leaning.places, words::PLACES.len());
    values[MOOD] = lean(rng, config.leaning, &leaning.moods, words::MOODS.len());
    values[YEAR] = lean(rng, config.leaning, &leaning.years, words::YEARS.len());
}

/// A preferred value with the given probability, any value otherwise.
fn lean(rng: &mut ChaCha8Rng, leaning: f64, preferred: &[usize], count: usize) -> usize {
    if chance(rng, leaning) {
        preferred[below(rng, preferred.len())]
    } else {
        below(rng, count)
    }
}

/// The start for most works, a uniform time in the first nine tenths of the span for the late ones.
fn available(rng: &mut ChaCha8Rng, config: &WorldConfig, earliest: i64) -> i64 {
    let late = chance(rng, config.late_share);
    let moment = between(rng, 0.0, 0.9 * f64::from(config.days) * 86_400.0) as i64;
    if late {
        earliest.max(config.start + moment)
    } else {
        earliest
    }
}

/// `count` different indices below `limit`.
fn sample(rng: &mut ChaCha8Rng, limit: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..limit).collect();
    shuffle(rng, &mut all);
    all.truncate(count);
    all
}
