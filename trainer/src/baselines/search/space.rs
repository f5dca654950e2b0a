//! What a search may draw, as a settings file declares it under `[search]`:
//!
//! ```toml
//! [search]
//! neighbours = { low = 5, high = 1000, log = true }   # whole numbers, both ends included; evenly in their logarithm
//! shrinkage = { low = 0.0, high = 500.0 }             # real numbers
//! width = [32, 64, 128]                               # one of these
//! ```

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use toml::{Table, Value};

use crate::baselines::error::BaselineError;

/// What one setting is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// One of these, evenly.
    OneOf(Vec<Value>),
    /// A whole number, both ends included.
    Whole {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// Evenly in the logarithm.
        log: bool,
    },
    /// A real number.
    Real {
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
        /// Evenly in the logarithm.
        log: bool,
    },
}

/// All settings that a search draws; `a.b` is field `b` of table `a`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Space(BTreeMap<String, Choice>);

impl Space {
    /// Reads `[search]`.
    ///
    /// # Errors
    /// Names the setting and what is wrong.
    pub fn parse(table: &Table) -> Result<Self, BaselineError> {
        let choices = table.iter().map(|(key, value)| {
            let choice = Choice::parse(value).map_err(|problem| BaselineError::Space {
                key: key.clone(),
                problem,
            })?;
            Ok((key.clone(), choice))
        });
        Ok(Self(choices.collect::<Result<_, BaselineError>>()?))
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The settings of trial `trial`: the same for the same seed, whatever other trials were drawn.
    pub fn draw(&self, seed: u64, trial: u64) -> Table {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(trial);
        let mut drawn = Table::new();
        for (key, choice) in &self.0 {
            let value = choice.draw(&mut rng);
            let mut place = &mut drawn;
            let mut names = key.split('.').peekable();
            while let Some(name) = names.next() {
                if names.peek().is_none() {
                    place.insert(name.to_owned(), value);
                    break;
                }
                let inner = place
                    .entry(name)
                    .or_insert_with(|| Value::Table(Table::new()));
                match inner {
                    Value::Table(inner) => place = inner,
                    _ => break, // `a` and `a.b` both declared: the settings' own check refuses it
                }
            }
        }
        drawn
    }
}

impl Choice {
    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(values) if values.is_empty() => {
                Err("is an empty list; list what to try".to_owned())
            }
            Value::Array(values) => Ok(Self::OneOf(values.clone())),
            Value::Table(range) => Self::range(range),
            _ => Err(
                "takes a list of values, or { low = …, high = … } with `log = true` if wanted"
                    .to_owned(),
            ),
        }
    }

    fn range(range: &Table) -> Result<Self, String> {
        if let Some(other) = range
            .keys()
            .find(|key| !["low", "high", "log"].contains(&key.as_str()))
        {
            return Err(format!("`{other}` is unknown; a range has low, high, log"));
        }
        let log = match range.get("log") {
            None => false,
            Some(Value::Boolean(log)) => *log,
            Some(_) => return Err("`log` is true or false".to_owned()),
        };
        let choice = match (range.get("low"), range.get("high")) {
            (Some(&Value::Integer(low)), Some(&Value::Integer(high))) => {
                Self::Whole { low, high, log }
            }
            (Some(low), Some(high)) => match (number(low), number(high)) {
                (Some(low), Some(high)) => Self::Real { low, high, log },
                _ => return Err("`low` and `high` must be numbers".to_owned()),
            },
            _ => return Err("a range needs `low` and `high`".to_owned()),
        };
        let (low, high) = match choice {
            Self::Whole { low, high, .. } => (low as f64, high as f64),
            Self::Real { low, high, .. } => (low, high),
            Self::OneOf(_) => return Ok(choice),
        };
        if !(low <= high && low.is_finite() && high.is_finite()) {
            return Err("`low` must not lie above `high`".to_owned());
        }
        if log && low <= 0.0 {
            return Err("with `log` all values must be above 0".to_owned());
        }
        Ok(choice)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Value {
        match *self {
            Self::OneOf(ref values) => values[rng.random_range(0..values.len())].clone(),
            Self::Whole { low, high, log } if log => {
                // Each whole number has the stretch of half a unit to both sides.
                let (least, most) = ((low as f64 - 0.5).max(0.5).ln(), (high as f64 + 0.5).ln());
                let drawn = (least + (most - least) * rng.random::<f64>()).exp().round() as i64;
                Value::Integer(drawn.clamp(low, high))
            }
            Self::Whole { low, high, .. } => Value::Integer(rng.random_range(low..=high)),
            Self::Real { low, high, log } => {
                let share = rng.random::<f64>();
                let drawn = if log {
                    (low.ln() + (high.ln() - low.ln()) * share).exp()
                } else {
                    low + (high - low) * share
                };
                Value::Float(rounded(drawn).clamp(low, high))
            }
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match *value {
        Value::Integer(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

/// Three significant digits: more would not be copied by anybody.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Result<Space, BaselineError> {
        Space::parse(&text.parse().unwrap())
    }

    #[test]
    fn draws_lie_inside_reach_both_ends_and_do_not_depend_on_each_other() {
        let space = space(
            "a = { low = 1, high = 4, log = true }\nb = [true, 'x']\n'c.d' = { low = 0.5, high = 2 }\ne = { low = -1, high = 1 }",
        )
        .unwrap();
        let draws: Vec<Table> = (0..200).map(|trial| space.draw(7, trial)).collect();
        let whole = |key: &str| -> Vec<i64> {
            draws
                .iter()
                .map(|draw| draw[key].as_integer().unwrap())
                .collect()
        };
        let (a, e) = (whole("a"), whole("e"));
        assert_eq!(a.iter().min().zip(a.iter().max()), Some((&1, &4)));
        assert_eq!(e.iter().min().zip(e.iter().max()), Some((&-1, &1)));
        for draw in &draws {
            let real = draw["c"]["d"].as_float().unwrap();
            assert!((0.5..=2.0).contains(&real));
            assert_eq!(real, rounded(real));
        }
        assert_eq!(draws[5], space.draw(7, 5));
        assert_ne!(draws[5], draws[6]);
        assert_ne!(draws[5], space.draw(8, 5));
        // In the logarithm 1 has ln(1.5 / 0.5) of ln(4.5 / 0.5), which is a half.
        let ones = a.iter().filter(|&&value| value == 1).count();
        assert!((80..=120).contains(&ones), "{ones}");
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        for (text, part) in [
            ("a = 3", "list of values"),
            ("a = []", "empty"),
            ("a = { low = 3 }", "needs `low` and `high`"),
            ("a = { low = 3, high = 1 }", "above"),
            ("a = { low = 0, high = 1, log = true }", "above 0"),
            ("a = { low = 0, high = 1, step = 1 }", "`step`"),
            ("a = { low = 'x', high = 1 }", "numbers"),
        ] {
            let message = space(text).unwrap_err().to_string();
            assert!(
                message.contains("[search] a") && message.contains(part),
                "{message}"
            );
        }
    }
}
