//! From ratings to labelled examples (RecBole's protocol, see the room's header).

use std::collections::HashMap;
use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::baselines::error::BaselineError;
use crate::data::{Demographics, Format, Log, ReadOptions, demographics, detect, read};

/// Ratings that say neither yes nor no.
const UNDECIDED: f32 = 3.0;
/// The least rating of a positive.
const POSITIVE: f32 = 4.0;

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

/// One rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Who.
    pub user: u32,
    /// Place in the user's [`CtrData::items`]: the history is everything before.
    pub position: u32,
    /// Liked.
    pub label: bool,
}

/// Examples of one data set, divided.
#[derive(Debug, Clone, PartialEq)]
pub struct CtrData {
    /// Short name.
    pub name: String,
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
    /// In random order.
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
    /// Share of positives among all.
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
    pub fn read(dir: &Path, format: Option<Format>, seed: u64) -> Result<Self, BaselineError> {
        let format = match format {
            Some(format) => format,
            None => detect(dir)?,
        };
        let log = read(dir, Some(format), &ReadOptions::default())?;
        let known = match format {
            Format::Ml1m => demographics(dir)?,
            _ => Vec::new(),
        };
        Self::new(&log, &known, seed)
    }

    /// Drops the undecided, labels and divides the rest. A user's first remaining rating has no history and is no example.
    ///
    /// # Errors
    /// A log without ratings; too few of them.
    pub fn new(log: &Log, known: &[Demographics], seed: u64) -> Result<Self, BaselineError> {
        let mut items: Vec<Vec<u32>> = vec![Vec::new(); log.users.len()];
        let mut examples = Vec::new();
        for interaction in &log.interactions {
            let rating = interaction.rating.ok_or(BaselineError::NoRatings)?;
            if rating == UNDECIDED {
                continue;
            }
            let items = &mut items[interaction.user as usize];
            if !items.is_empty() {
                examples.push(Example {
                    user: interaction.user,
                    position: items.len() as u32,
                    label: rating >= POSITIVE,
                });
            }
            items.push(interaction.item);
        }
        examples.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (eight, nine) = (examples.len() * 8 / 10, examples.len() * 9 / 10);
        let test = examples.split_off(nine);
        let valid = examples.split_off(eight);
        if [&examples, &valid, &test]
            .iter()
            .any(|part| part.is_empty())
        {
            return Err(BaselineError::NoTraining);
        }
        let mut data = Self {
            name: log.name.clone(),
            items,
            users: Vec::new(),
            years: Vec::new(),
            genres: Vec::new(),
            sizes: [0; 5],
            train: examples,
            valid,
            test,
        };
        data.name_fields(log, known);
        Ok(data)
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
            }
        }
        let bytes = hash.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
