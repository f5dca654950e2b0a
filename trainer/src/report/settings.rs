//! The settings of runs beside each other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;
use toml::{Table, Value};

/// Every setting by its full name, e.g. `pretrain.grpo.loss.kind`, with its value as it is written.
pub(super) type Settings = BTreeMap<String, String>;

/// A setting in which runs differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    pub name: String,
    /// Per run; `None` where it is not set.
    pub values: Vec<Option<String>>,
}

/// The settings of `run.toml`.
///
/// # Errors
/// It is no TOML.
pub(super) fn flattened(text: &str) -> Result<Settings> {
    let mut found = Settings::new();
    collect("", &text.parse::<Table>()?, &mut found);
    Ok(found)
}

fn collect(prefix: &str, table: &Table, found: &mut Settings) {
    for (name, value) in table {
        let name = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) => collect(&name, inner, found),
            other => {
                found.insert(name, other.to_string());
            }
        }
    }
}

/// What is not the same in all of them, by name.
pub(super) fn differences(all: &[&Settings]) -> Vec<Difference> {
    let names: BTreeSet<&String> = all.iter().flat_map(|settings| settings.keys()).collect();
    let of = |name: &String| Difference {
        name: name.clone(),
        values: all.iter().map(|one| one.get(name).cloned()).collect(),
    };
    let differs = |found: &Difference| found.values.iter().any(|one| *one != found.values[0]);
    names.into_iter().map(of).filter(differs).collect()
}

/// Whether nothing but the seed differs, and each has another.
pub(super) fn only_seeds(all: &[&Settings]) -> bool {
    match differences(all).as_slice() {
        [found] if found.name == "seed" => {
            let distinct: BTreeSet<&Option<String>> = found.values.iter().collect();
            distinct.len() == all.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_goes_by_its_full_name() {
        let found = flattened("seed = 7\n[a.b]\nc = [1, 2]\nd = \"x\"\n[a]\ne = 0.5\n").unwrap();
        let expected = [
            ("a.b.c", "[1, 2]"),
            ("a.b.d", "\"x\""),
            ("a.e", "0.5"),
            ("seed", "7"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, Settings::from(expected));
        assert!(flattened("seed = ").is_err());
    }

    #[test]
    fn only_what_differs_is_told() {
        let read = |text: &str| flattened(text).unwrap();
        let (one, other) = (
            read("seed = 7\nk = 1\n[a]\nb = true\n"),
            read("seed = 8\nk = 1\n"),
        );
        let found = differences(&[&one, &other]);
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            Difference {
                name: "a.b".to_owned(),
                values: vec![text("true"), None],
            },
            Difference {
                name: "seed".to_owned(),
                values: vec![text("7"), text("8")],
            },
        ];
        assert_eq!(found, expected);
        assert!(differences(&[&one]).is_empty() && differences(&[]).is_empty());
        assert!(!only_seeds(&[&one, &other]));
        let third = read("seed = 9\nk = 1\n");
        assert!(only_seeds(&[&other, &third]));
        assert!(!only_seeds(&[&other, &third, &third]) && !only_seeds(&[&other, &other]));
    }
}
