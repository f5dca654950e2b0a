//! Verdicts of `curec check` and what `curec evaluate --reasons` measured, as sections of README.md.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use super::record::Estimate;

/// What is shown of the many measures: scope, its name in the file, and what it is called here.
const SHOWN: [(&str, &str, &str); 10] = [
    (
        "all reasons",
        "hallucination rate",
        "claims that the metadata does not hold",
    ),
    (
        "all reasons",
        "cause precision",
        "named causes that are true",
    ),
    (
        "all reasons",
        "cause precision by chance",
        "… of causes drawn at random",
    ),
    (
        "all reasons",
        "lists without repetition",
        "lists of three or more without repetition",
    ),
    (
        "reasons written anew",
        "hallucination rate",
        "of the reasons written anew: claims that the metadata does not hold",
    ),
    (
        "reasons written anew",
        "cause precision",
        "of these: named causes that are true",
    ),
    (
        "reasons written anew",
        "cause recall",
        "of these: true causes that are named",
    ),
    (
        "ranking model",
        "attention ρ, gain",
        "attention against leave-one-out change (Spearman), above permuted",
    ),
    (
        "ranking model",
        "comprehensiveness, gain",
        "comprehensiveness, above permuted",
    ),
    (
        "ranking model",
        "personalisation margin",
        "personalisation margin (logits)",
    ),
];

#[derive(Debug, Deserialize)]
struct Explanations {
    data: String,
    seed: u64,
    reasons: u64,
    rewritten: u64,
    scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
struct Scope {
    name: String,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    before: Option<Estimate>,
    after: Option<Estimate>,
    difference: Option<Estimate>,
}

#[derive(Debug, Deserialize)]
struct Check {
    check: String,
    outcome: String,
    sentence: String,
}

/// Sections on explanations and checks; nothing where nothing was recorded.
pub fn sections(folder: &Path) -> Result<String> {
    let mut block = String::new();
    for file in super::json_files(&folder.join("explanations"))? {
        block += &explanations(&super::read_json(&file)?);
    }
    let found = super::json_files(&folder.join("checks"))?;
    if found.is_empty() {
        return Ok(block);
    }
    block += "\n### The paper's checks and its open questions\n\n`curec check NAME --run RUN` (docs/checks.md), one run each.\n\n\
              | data, seed | check | verdict | in words |\n|---|---|---|---|\n";
    for file in found {
        let check: Check = super::read_json(&file)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem.strip_suffix(&format!("-{}", check.check));
        let _ = writeln!(
            block,
            "| {} | {} | {} | {} |",
            seeded(name.unwrap_or(&stem)),
            check.check,
            check.outcome.replace('_', " "),
            check.sentence.replace('|', "\\|"),
        );
    }
    Ok(block)
}

/// `ml-1m-7` → `ml-1m, 7`.
fn seeded(name: &str) -> String {
    match name.rsplit_once('-') {
        Some((data, seed)) if seed.parse::<u64>().is_ok() => format!("{data}, {seed}"),
        _ => name.to_owned(),
    }
}

fn explanations(found: &Explanations) -> String {
    let mut block = format!(
        "\n### Explanations, measured: {}\n\n`curec evaluate --run RUN --reasons`, seed {}: {} reasons, {} of them written anew in the \
         correction. In brackets: 95 % bootstrap intervals.\n\n| | before correction | after | after − before |\n|---|---:|---:|---:|\n",
        found.data, found.seed, found.reasons, found.rewritten
    );
    for (scope, name, words) in SHOWN {
        let rows = found.scopes.iter().filter(|one| one.name == scope);
        let row = rows.flat_map(|one| &one.rows).find(|row| row.name == name);
        if let Some(row) = row {
            let [before, after] = [&row.before, &row.after].map(|value| match value {
                Some(Estimate { mean, low, high }) => format!("{mean:.3} [{low:.3}, {high:.3}]"),
                None => "–".to_owned(),
            });
            let change = row.difference.as_ref().map_or("–".to_owned(), |change| {
                let Estimate { mean, low, high } = change;
                format!("{mean:+.3} [{low:+.3}, {high:+.3}]")
            });
            let _ = writeln!(block, "| {words} | {before} | {after} | {change} |");
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_shown_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sections(folder.path()).unwrap(), "");
        let [checks, explanations] =
            ["checks", "explanations"].map(|name| folder.path().join(name));
        std::fs::create_dir(&checks).unwrap();
        std::fs::create_dir(&explanations).unwrap();
        std::fs::write(
            checks.join("world-1-chronology.json"),
            r#"{"check": "chronology", "outcome": "not_decidable", "sentence": "Who | knows.", "commit": null}"#,
        )
        .unwrap();
        std::fs::write(
            explanations.join("world.json"),
            r#"{"data": "world", "seed": 7, "reasons": 10, "rewritten": 2, "scopes": [{"name": "all reasons", "rows": [
                {"name": "cause precision", "before": {"mean": 0.8, "low": 0.75, "high": 0.85}, "after": {"mean": 0.75, "low": 0.7, "high": 0.8},
                "difference": {"mean": -0.05, "low": -0.1, "high": 0.0}}, {"name": "not shown", "before": null, "after": null}]},
                {"name": "reasons written anew", "rows": [{"name": "cause precision", "before": {"mean": 0.8, "low": 0.75, "high": 0.85}, "after": null}]}]}"#,
        )
        .unwrap();
        let block = sections(folder.path()).unwrap();
        assert!(
            block.contains("| world, 1 | chronology | not decidable | Who \\| knows. |"),
            "{block}"
        );
        assert!(
            block.contains(
                "| named causes that are true | 0.800 [0.750, 0.850] | 0.750 [0.700, 0.800] | -0.050 [-0.100, +0.000] |\n\
                 | of these: named causes that are true | 0.800 [0.750, 0.850] | – | – |"
            ),
            "{block}"
        );
        assert!(!block.contains("not shown"));
        std::fs::write(checks.join("b.json"), "{").unwrap();
        let error = format!("{:#}", sections(folder.path()).unwrap_err());
        assert!(error.contains("b.json is damaged"), "{error}");
    }
}
