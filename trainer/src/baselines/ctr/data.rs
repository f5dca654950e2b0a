//! From ratings to labelled examples (RecBole's protocol, see the room's header).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Clicks;
use crate::baselines::error::BaselineError;
use crate::data::{Demographics, Format, Log, Order, ReadOptions, demographics, detect, read};

/// Ratings that say neither yes nor no.
const UNDECIDED: f32 = 3.0;
/// The least rating of a positive.
const POSITIVE: f32 = 4.0;
/// Drawn items that stand beside each held-out one, where negatives are drawn.
const DRAWN: usize = 100;

/// Which third of the protocol an example belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Learned from.
    Train,
    /// Chooses the epoch.
    Valid,
    /// Measured once.
    Test,
}

/// A user's fields as indices; index 0 where nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserFields {
    /// Of [`CtrData::sizes`]' first.
    pub gender: u32,
    /// Of its second.
    pub age: u32,
    /// Of its third.
    pub occupation: u32,
}

/// One item put to one user at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Who.
    pub user: u32,
    /// Place in the user's [`CtrData::items`]: the history is everything before.
    pub position: u32,
    /// The item in question; what stands at `position`, or one that was drawn.
    pub item: u32,
    /// Liked, or taken.
    pub label: bool,
}

/// Examples of one data set, divided.
#[derive(Debug, Clone, PartialEq)]
pub struct CtrData {
    /// Short name.
    pub name: String,
    /// What is asked.
    pub clicks: Clicks,
    /// Per user the rated items in order of time.
    pub items: Vec<Vec<u32>>,
    /// Per user.
    pub users: Vec<UserFields>,
    /// Per item its year's index; 0 where unknown.
    pub years: Vec<u32>,
    /// Per item its genres' indices.
    pub genres: Vec<Vec<u32>>,
    /// Number of genders, ages, occupations, years, genres; the unknown is counted in all but the last.
    pub sizes: [usize; 5],
    /// In random order; where negatives are drawn, the positives only (see [`Self::training`]).
    pub train: Vec<Example>,
    /// In random order.
    pub valid: Vec<Example>,
    /// In random order.
    pub test: Vec<Example>,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counts {
    /// Users with an example.
    pub users: usize,
    /// Items that are rated.
    pub items: usize,
    /// Examples in training.
    pub training: usize,
    /// Examples in validation.
    pub validation: usize,
    /// Examples in test.
    pub test: usize,
    /// Share of positives among these; what is drawn in training is not counted.
    pub positive: f64,
}

/// Names of a field's values by index, in order of appearance after the unknown.
#[derive(Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn index(&mut self, name: &str, first: u32) -> u32 {
        let next = self.0.len() as u32 + first;
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

impl CtrData {
    /// Reads a folder; of MovieLens-1M also `users.dat`.
    ///
    /// # Errors
    /// What is wrong with the folder; a log without ratings; too few of them.
    pub fn read(
        dir: &Path,
        format: Option<Format>,
        clicks: Clicks,
        seed: u64,
    ) -> Result<Self, BaselineError> {
        let format = match format {
            Some(format) => format,
            None => detect(dir)?,
        };
        // As the file has equal times, which is what RecBole, whose protocols these are, would rank.
        let options = ReadOptions {
            order: Order::Source,
            ..ReadOptions::default()
        };
        let log = read(dir, Some(format), &options)?;
        let known = match format {
            Format::Ml1m => demographics(dir)?,
            _ => Vec::new(),
        };
        Self::new(&log, &known, clicks, seed)
    }

    /// Drops the undecided and makes examples of the rest. A user's first remaining rating has no history and is no example.
    ///
    /// # Errors
    /// Ratings are asked for and the log has none; too few of them.
    pub fn new(
        log: &Log,
        known: &[Demographics],
        clicks: Clicks,
        seed: u64,
    ) -> Result<Self, BaselineError> {
        let mut items: Vec<Vec<u32>> = vec![Vec::new(); log.users.len()];
        let mut examples = Vec::new();
        for interaction in &log.interactions {
            let label = match (clicks, interaction.rating) {
                (_, Some(UNDECIDED)) => continue,
                (Clicks::Uni100, _) => true,
                (Clicks::Labeled, Some(rating)) => rating >= POSITIVE,
                (Clicks::Labeled, None) => return Err(BaselineError::NoRatings),
            };
            let items = &mut items[interaction.user as usize];
            if !items.is_empty() {
                examples.push(Example {
                    user: interaction.user,
                    position: items.len() as u32,
                    item: interaction.item,
                    label,
                });
            }
            items.push(interaction.item);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        examples.shuffle(&mut rng);
        let mut data = Self {
            name: log.name.clone(),
            clicks,
            items,
            users: Vec::new(),
            years: Vec::new(),
            genres: Vec::new(),
            sizes: [0; 5],
            train: Vec::new(),
            valid: Vec::new(),
            test: Vec::new(),
        };
        data.name_fields(log, known);
        match clicks {
            Clicks::Labeled => data.divide(examples),
            Clicks::Uni100 => data.hold_out(examples, &mut rng),
        }
        if [Part::Train, Part::Valid, Part::Test]
            .iter()
            .any(|&part| data.part(part).is_empty())
        {
            return Err(BaselineError::NoTraining);
        }
        Ok(data)
    }

    /// 8 : 1 : 1 in the order given.
    fn divide(&mut self, mut examples: Vec<Example>) {
        let (eight, nine) = (examples.len() * 8 / 10, examples.len() * 9 / 10);
        self.test = examples.split_off(nine);
        self.valid = examples.split_off(eight);
        self.train = examples;
    }

    /// Each user's last example is the test, the one before it validation, each beside [`DRAWN`] items that the user had not taken.
    fn hold_out(&mut self, examples: Vec<Example>, rng: &mut ChaCha8Rng) {
        for example in examples {
            let after = self.items[example.user as usize].len() - 1 - example.position as usize;
            let beside = match after {
                0 | 1 => self.drawn(&example, DRAWN, rng),
                _ => Vec::new(),
            };
            let part = match after {
                0 => &mut self.test,
                1 => &mut self.valid,
                _ => &mut self.train,
            };
            part.push(example);
            part.extend(beside);
        }
    }

    /// `count` items, uniformly, that the user has not taken: in validation and test up to `example`, in training among what is
    /// trained on.
    fn drawn(&self, example: &Example, count: usize, rng: &mut ChaCha8Rng) -> Vec<Example> {
        let taken = &self.items[example.user as usize];
        let known = (example.position as usize + 1).max(taken.len().saturating_sub(2));
        let taken: HashSet<u32> = taken[..known].iter().copied().collect();
        let all = self.years.len();
        if taken.len() >= all {
            return Vec::new();
        }
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let item = rng.random_range(0..all as u32);
            if !taken.contains(&item) {
                let label = false;
                drawn.push(Example {
                    item,
                    label,
                    ..*example
                });
            }
        }
        drawn
    }

    /// What an epoch trains on, in random order: the training part, where negatives are drawn with a fresh one beside each positive.
    pub(super) fn training(&self, rng: &mut ChaCha8Rng) -> Vec<Example> {
        let mut examples = self.train.clone();
        if self.clicks == Clicks::Uni100 {
            for example in &self.train {
                examples.extend(self.drawn(example, 1, rng));
            }
        }
        examples.shuffle(rng);
        examples
    }

    fn name_fields(&mut self, log: &Log, known: &[Demographics]) {
        let known: HashMap<&str, &Demographics> =
            known.iter().map(|user| (user.key.as_str(), user)).collect();
        let mut names: [Names; 5] = Default::default();
        let [genders, ages, occupations, years, genres] = &mut names;
        for user in &log.users {
            let fields = known.get(user.key.as_str()).map(|known| UserFields {
                gender: genders.index(&known.gender, 1),
                age: ages.index(&known.age, 1),
                occupation: occupations.index(&known.occupation, 1),
            });
            self.users.push(fields.unwrap_or_default());
        }
        for item in &log.items {
            let of = |kind: &'static str| {
                let same = move |attribute: &&crate::data::Attribute| attribute.kind == kind;
                item.attributes.iter().filter(same)
            };
            let year = of("year").next().map(|year| years.index(&year.value, 1));
            self.years.push(year.unwrap_or(0));
            let all = of("genre").map(|genre| genres.index(&genre.value, 0));
            self.genres.push(all.collect());
        }
        self.sizes = names.map(|names| names.0.len() + 1);
        self.sizes[4] -= 1;
    }

    /// Examples of a part.
    pub fn part(&self, part: Part) -> &[Example] {
        match part {
            Part::Train => &self.train,
            Part::Valid => &self.valid,
            Part::Test => &self.test,
        }
    }

    /// How many of what.
    pub fn counts(&self) -> Counts {
        let parts = [&self.train, &self.valid, &self.test];
        let all = parts.iter().map(|part| part.len()).sum::<usize>();
        let labels = parts.iter().flat_map(|part| part.iter());
        let mut rated = vec![false; self.years.len()];
        for &item in self.items.iter().flatten() {
            rated[item as usize] = true;
        }
        Counts {
            users: self.items.iter().filter(|items| items.len() > 1).count(),
            items: rated.iter().filter(|rated| **rated).count(),
            training: self.train.len(),
            validation: self.valid.len(),
            test: self.test.len(),
            positive: labels.filter(|example| example.label).count() as f64 / all as f64,
        }
    }

    /// SHA-256 (hexadecimal) of everything a click model can see, the division included.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        let number = |hash: &mut Sha256, value: u64| hash.update(value.to_le_bytes());
        for (items, user) in self.items.iter().zip(&self.users) {
            number(&mut hash, items.len() as u64);
            for &item in items {
                hash.update(item.to_le_bytes());
            }
            for field in [user.gender, user.age, user.occupation] {
                hash.update(field.to_le_bytes());
            }
        }
        for (year, genres) in self.years.iter().zip(&self.genres) {
            hash.update(year.to_le_bytes());
            number(&mut hash, genres.len() as u64);
            for genre in genres {
                hash.update(genre.to_le_bytes());
            }
        }
        for part in [&self.train, &self.valid, &self.test] {
            number(&mut hash, part.len() as u64);
            for example in part {
                hash.update(example.user.to_le_bytes());
                hash.update(example.position.to_le_bytes());
                hash.update([u8::from(example.label)]);
                if self.clicks == Clicks::Uni100 {
                    hash.update(example.item.to_le_bytes());
                }
            }
        }
        format!("{:x}", hash.finalize())
    }
}
