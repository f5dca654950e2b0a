//! Logs of any size without meaning, written as they are drawn: what the data path costs can be measured before such a log exists.
//!
//! Items are drawn by a Zipf law, lengths of histories exponentially above the least that a split needs. Nothing about one choice follows
//! from another: for a log that can be learned from, there is the built-in world.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::error::DataError;

/// Events of a user at least: training, validation, test.
const SHORTEST: usize = 3;
/// Genres, so that items have an attribute.
const GENRES: usize = 20;
/// 2020-01-01, the earliest time.
const START: i64 = 1_577_836_800;
const YEAR: i64 = 31_536_000;

/// Size and shape of a synthetic log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyntheticConfig {
    /// Users.
    pub users: usize,
    /// Items; with as many users or more, each is taken at least once.
    pub items: usize,
    /// Interactions on average: three a user, and an exponentially distributed rest.
    pub interactions: usize,
    /// Exponent of the Zipf law: the item of rank k is drawn about in proportion to 1/k to this power; 0 = all alike.
    pub exponent: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            users: 1_000_000,
            items: 1_000_000,
            interactions: 15_000_000,
            exponent: 1.0,
            seed: 1,
        }
    }
}

impl SyntheticConfig {
    /// Refuses sizes that no log can have.
    ///
    /// # Errors
    /// Names the setting and the values that work.
    pub fn validate(&self) -> Result<(), DataError> {
        let problem = |field, problem: String| Err(DataError::Setting { field, problem });
        if self.users == 0 {
            return problem("users", "is 0; it must be at least 1".to_owned());
        }
        if self.items == 0 {
            return problem("items", "is 0; it must be at least 1".to_owned());
        }
        if self.interactions < SHORTEST * self.users {
            let least = SHORTEST * self.users;
            return problem(
                "interactions",
                format!(
                    "must be at least {least}: {SHORTEST} a user, for training, validation and test"
                ),
            );
        }
        if !(0.0..=4.0).contains(&self.exponent) {
            return problem("exponent", "must lie between 0 and 4".to_owned());
        }
        Ok(())
    }
}

/// Writes `interactions.csv` and `items.csv` into `folder` line by line, whatever their size; returns the number of interactions.
///
/// # Errors
/// Sizes that cannot be; what the file system says.
pub fn write_synthetic(config: &SyntheticConfig, folder: &Path) -> Result<usize, DataError> {
    config.validate()?;
    std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let mut interactions = 0;
    write_file(&folder.join("interactions.csv"), |out| {
        writeln!(out, "user_id,item_id,timestamp")?;
        for (user, item, time) in events(config) {
            writeln!(out, "{user},{item},{time}")?;
            interactions += 1;
        }
        Ok(())
    })?;
    // Last: a folder without items is no log.
    write_file(&folder.join("items.csv"), |out| {
        writeln!(out, "item_id,title,genre")?;
        (0..config.items)
            .try_for_each(|item| writeln!(out, "{item},Work {item},genre {}", item % GENRES))
    })?;
    Ok(interactions)
}

fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), DataError> {
    let part = path.with_extension("part");
    let whole = || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&part)?);
        write(&mut file)?;
        file.into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()?;
        std::fs::rename(&part, path)
    };
    whole().map_err(DataError::io(path))
}

/// `(user, item, time)`, user by user, times rising.
fn events(config: &SyntheticConfig) -> impl Iterator<Item = (usize, usize, i64)> {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let (items, exponent) = (config.items, config.exponent);
    let more = config.interactions as f64 / config.users as f64 - SHORTEST as f64;
    (0..config.users).flat_map(move |user| {
        let rest = -(1.0 - rng.random::<f64>()).ln() * more;
        let mut time = START + rng.random_range(0..YEAR);
        let events: Vec<_> = (0..SHORTEST + rounded(rest, &mut rng))
            .map(|event| {
                // The first event of each user covers the catalogue; the others follow the law.
                let item = match event {
                    0 => user % items,
                    _ => zipf(rng.random(), items, exponent),
                };
                time += rng.random_range(0..86_400);
                (user, item, time)
            })
            .collect();
        events
    })
}

/// A whole number whose mean is `value`.
fn rounded(value: f64, rng: &mut ChaCha8Rng) -> usize {
    value as usize + usize::from(rng.random::<f64>() < value.fract())
}

/// The item, from 0, whose share of a unit interval `u` lies in: item k has the share that ∫ x⁻ˢ dx from k + 1 to k + 2 has of the whole up
/// to `items` + 1, which is near 1/(k + 1)ˢ and can be inverted.
fn zipf(u: f64, items: usize, exponent: f64) -> usize {
    let end = (items + 1) as f64;
    let power = 1.0 - exponent;
    let x = if power.abs() < 1e-9 {
        end.powf(u)
    } else {
        (1.0 + u * (end.powf(power) - 1.0)).powf(1.0 / power)
    };
    (x as usize).clamp(1, items) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ReadOptions, SplitOptions, prepare, read};

    #[test]
    fn shares_of_items_by_hand() {
        // Exponent 1, three items: item k has ln((k + 2) / (k + 1)) / ln 4: it begins at ln(k + 1) / ln 4, i.e. 0, 0.5, 0.7925.
        let at = |u| zipf(u, 3, 1.0);
        assert_eq!([at(0.0), at(0.499), at(0.501)], [0, 0, 1]);
        assert_eq!([at(0.792), at(0.793), at(0.999_999)], [1, 2, 2]);
        // Exponent 0: all alike. Exponent 2: ∫ x⁻² from 1 to 2 is ½ of the ¾ up to 4: item 0 has 2/3, item 1 (1/2 − 1/3) / ¾ = 2/9.
        assert_eq!([zipf(0.33, 3, 0.0), zipf(0.34, 3, 0.0)], [0, 1]);
        assert_eq!([zipf(0.666, 3, 2.0), zipf(0.667, 3, 2.0)], [0, 1]);
        assert_eq!([zipf(0.888, 3, 2.0), zipf(0.889, 3, 2.0)], [1, 2]);
    }

    #[test]
    fn a_log_has_the_size_asked_for_and_every_item() {
        let folder = tempfile::tempdir().unwrap();
        let config = SyntheticConfig {
            users: 2_000,
            items: 500,
            interactions: 20_000,
            ..SyntheticConfig::default()
        };
        let written = write_synthetic(&config, folder.path()).unwrap();
        // 2,000 exponential lengths of mean 7: standard error of the sum 7·√2,000 = 313
        assert!((18_700..21_300).contains(&written), "{written}");
        let log = read(folder.path(), None, &ReadOptions::default()).unwrap();
        let skipped: usize = log.skipped.values().sum();
        assert_eq!(log.interactions.len() + skipped, written);
        let (data, _) = prepare(
            &log,
            &SplitOptions {
                min_history: 3,
                ..SplitOptions::default()
            },
        )
        .unwrap();
        assert_eq!(
            (data.items.len(), data.items[7].title.as_str()),
            (500, "Work 7")
        );
        assert!(data.users.len() > 1_990, "{}", data.users.len());
        // The same again, byte for byte.
        let other = tempfile::tempdir().unwrap();
        write_synthetic(&config, other.path()).unwrap();
        let bytes = |folder: &Path| std::fs::read(folder.join("interactions.csv")).unwrap();
        assert_eq!(bytes(folder.path()), bytes(other.path()));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused_by_name() {
        let refused = |config: SyntheticConfig| config.validate().unwrap_err().to_string();
        let default = SyntheticConfig::default;
        assert!(
            refused(SyntheticConfig {
                users: 0,
                ..default()
            })
            .contains("users")
        );
        assert!(
            refused(SyntheticConfig {
                items: 0,
                ..default()
            })
            .contains("items")
        );
        let few = SyntheticConfig {
            interactions: 2_999_999,
            ..default()
        };
        assert!(refused(few).contains("at least 3000000"));
        let steep = SyntheticConfig {
            exponent: f64::NAN,
            ..default()
        };
        assert!(refused(steep).contains("exponent"));
    }
}
