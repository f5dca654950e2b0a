//! The rows of the table: what is taken away from the method, and where the result comes from.

use anyhow::{Result, bail};

use crate::evaluation::{Control, FULL, IDS_ONLY, POPULARITY};
use crate::stages::BEFORE;

/// Settings without GRPO alignment.
pub const NO_PRETRAIN: &[&str] = &["pretrain.steps = 0"];
/// Settings without chronological correction.
pub const NO_CORRECTION: &[&str] = &["correct.interactions = 0"];
/// Settings under which correction trains the language model and writes nothing back.
pub const NO_UPDATE: &[&str] = &["correct.freeze_texts = true"];
/// Settings under which correction visits interactions in a random order.
pub const SHUFFLED: &[&str] = &["correct.shuffled = true"];
/// Settings under which the ranking model sees no reasons.
pub const NO_REASONS: &[&str] = &["reward.model.use_reasons = false"];
/// Settings under which it sees no patterns.
pub const NO_PATTERNS: &[&str] = &["reward.model.use_patterns = false"];
/// Settings under which it sees IDs only.
pub const ONLY_IDS: &[&str] = &[
    "reward.model.use_reasons = false",
    "reward.model.use_patterns = false",
];
/// Settings under which it sees texts only.
pub const TEXT_ONLY: &[&str] = &["reward.model.use_ids = false"];
/// Settings under which it is trained on texts dealt at random, which correction must not mend.
pub const RANDOM_TEXTS: &[&str] = &["reward.random_texts = true", "correct.interactions = 0"];

/// Where a row's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A run of its own with these settings over those of the full one: its model `full`.
    Run(&'static [&'static str]),
    /// A model that the full run's evaluation ranks anyway.
    Model(&'static str),
    /// A control in the full run's evaluation: the trained model reads something else.
    Control(Control),
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// For `--only`, and the name of its run's folder.
    pub name: &'static str,
    /// In tables.
    pub label: &'static str,
    /// Where from.
    pub source: Source,
}

/// Name of the row that all others are held against.
pub const REFERENCE: &str = "full";

const fn row(name: &'static str, label: &'static str, source: Source) -> Row {
    Row {
        name,
        label,
        source,
    }
}

/// All rows, in the order of the table.
///
/// "w/o correction" and "IDs only" need no run of their own: stage `reward` of the full run trains both models, and its evaluation ranks
/// them. Nor does "w/o update": where correction writes nothing back, the ranking model is trained on the same texts again and comes out
/// the same; what differs is the language model, which ranks nothing. A run with the flag gives the same numbers
/// (`tests/tests/ablate.rs`).
pub const ROWS: [Row; 16] = [
    row(REFERENCE, "full", Source::Run(&[])),
    row("no-pretrain", "w/o pretraining", Source::Run(NO_PRETRAIN)),
    row("no-correction", "w/o correction", Source::Model(BEFORE)),
    row("no-update", "w/o update", Source::Model(BEFORE)),
    row("shuffled", "shuffled order", Source::Run(SHUFFLED)),
    row("no-reasons", "w/o reasons", Source::Run(NO_REASONS)),
    row("no-patterns", "w/o patterns", Source::Run(NO_PATTERNS)),
    row("ids-only", "IDs only", Source::Model(IDS_ONLY)),
    row("text-only", "text only", Source::Run(TEXT_ONLY)),
    row(
        "random-texts-retrained",
        "random texts, retrained",
        Source::Run(RANDOM_TEXTS),
    ),
    row(
        "random-texts",
        "random texts",
        Source::Control(Control::RandomTexts),
    ),
    row(
        "random-reasons",
        "random reasons",
        Source::Control(Control::RandomReasons),
    ),
    row(
        "swapped-reasons",
        "reasons swapped between items",
        Source::Control(Control::SwappedReasons),
    ),
    row(
        "other-patterns",
        "another user's pattern",
        Source::Control(Control::OtherPatterns),
    ),
    row(
        "no-history",
        "no history",
        Source::Control(Control::NoHistory),
    ),
    row("popularity", "popularity", Source::Model(POPULARITY)),
];

impl Row {
    /// Name of its model in an evaluation's results.
    pub fn model(&self) -> &'static str {
        match self.source {
            Source::Run(_) => FULL,
            Source::Model(name) => name,
            Source::Control(control) => control.name(),
        }
    }

    /// The row whose run holds its results.
    pub fn run(&self) -> &'static str {
        match self.source {
            Source::Run(_) => self.name,
            Source::Model(_) | Source::Control(_) => REFERENCE,
        }
    }
}

/// The rows of these names in the order of the table, the full one always among them; no names are all rows.
///
/// # Errors
/// A name that no row has.
pub fn selected(names: &[String]) -> Result<Vec<Row>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| ROWS.iter().all(|row| row.name != name.as_str()))
    {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        bail!(
            "there is no ablation \"{unknown}\"; --only takes some of {}",
            known.join(", ")
        );
    }
    let wanted = |row: &&Row| {
        names.is_empty() || row.name == REFERENCE || names.iter().any(|name| name == row.name)
    };
    Ok(ROWS.iter().filter(wanted).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, PRESETS};

    #[test]
    fn every_row_changes_what_it_says_and_leaves_settings_that_work() {
        for preset in PRESETS {
            let base = Config::layered(Some(preset), None, &[]).unwrap();
            for row in ROWS {
                let Source::Run(settings) = row.source else {
                    continue;
                };
                let config = base.with(settings).unwrap();
                config.validate().unwrap();
                assert_eq!(config == base, row.name == REFERENCE, "{}", row.name);
            }
        }
    }

    #[test]
    fn names_and_labels_are_of_one_row_each() {
        for (at, one) in ROWS.iter().enumerate() {
            for other in &ROWS[..at] {
                assert!(one.name != other.name && one.label != other.label);
            }
        }
        for control in Control::ALL {
            let found = ROWS
                .iter()
                .filter(|row| row.source == Source::Control(control));
            assert_eq!(found.count(), 1, "{}", control.name());
        }
    }

    #[test]
    fn the_full_row_is_always_there_and_an_unknown_one_is_named() {
        let names = |rows: Vec<Row>| rows.iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(selected(&[]).unwrap().len(), ROWS.len());
        let some = ["ids-only".to_owned(), "no-reasons".to_owned()];
        assert_eq!(
            names(selected(&some).unwrap()),
            ["full", "no-reasons", "ids-only"]
        );
        let error = selected(&["no-such".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("\"no-such\"") && error.contains("text-only"),
            "{error}"
        );
    }
}
