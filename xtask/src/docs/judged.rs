//! Verdicts of `curec check` and what `curec evaluate --reasons` measured, as sections of README.md.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::record::Estimate;

/// What is shown of the many measures: scope, its name in the file, and what it is called here.
const SHOWN: [(&str, &str, &str); 12] = [
    (
        "all reasons",
        "hallucination rate",
        "claims that the metadata does not hold",
    ),
    (
        "all reasons",
        "claims a reason",
        "attributes of the title that a reason claims",
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
        "comprehensiveness, above permuted: how far the most attended reason moves a score (logits), up or down",
    ),
    (
        "ranking model",
        "signed change, gain",
        "… with its sign: above 0 where it speaks for the title",
    ),
    (
        "ranking model",
        "personalisation margin",
        "personalisation margin (logits)",
    ),
];

#[derive(Debug, Deserialize)]
struct Explanations {
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
    conditions: Vec<Condition>,
}

/// What a verdict hangs on.
#[derive(Debug, Deserialize)]
struct Condition {
    name: String,
    value: Estimate,
}

/// Sections on explanations and checks, those of one data set's seeds together; nothing where nothing was recorded.
pub fn sections(folder: &Path) -> Result<String> {
    let mut block = String::new();
    for (data, found) in by_data(&folder.join("explanations"), |stem, _| stem.to_owned())? {
        block += &explanations(&data, &found);
    }
    let checks = by_data(&folder.join("checks"), |stem, check: &Check| {
        let end = format!("-{}", check.check);
        stem.strip_suffix(&end).unwrap_or(stem).to_owned()
    })?;
    if checks.is_empty() {
        return Ok(block);
    }
    block += "\n### The paper's checks and its open questions\n\n`curec check NAME --run RUN` (docs/checks.md); each with its numbers and intervals \
              in `benches/results/checks`. Where several seeds were checked, what a verdict hangs on: its mean over them, and the lowest and highest.\n\n\
              | data | check | verdict | in words |\n|---|---|---|---|\n";
    for (data, found) in checks {
        let mut names: Vec<&str> = found.iter().map(|one| one.check.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let seeds: Vec<&Check> = found.iter().filter(|one| one.check == name).collect();
            let _ = writeln!(
                block,
                "| {data} | {name} | {} | {} |",
                verdict(&seeds),
                in_words(&seeds).replace('|', "\\|")
            );
        }
    }
    Ok(block)
}

/// What the files of a folder hold, those whose names differ only in a seed together, in the order of names.
fn by_data<T: DeserializeOwned>(
    folder: &Path,
    name: impl Fn(&str, &T) -> String,
) -> Result<Vec<(String, Vec<T>)>> {
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    for file in super::json_files(folder)? {
        let found: T = super::read_json(&file)?;
        let name = name(
            &file.file_stem().unwrap_or_default().to_string_lossy(),
            &found,
        );
        let data = match name.rsplit_once('-') {
            Some((data, seed)) if seed.parse::<u64>().is_ok_and(|seed| seed < 1000) => data,
            _ => &name,
        };
        match groups.iter_mut().find(|(known, _)| known == data) {
            Some((_, group)) => group.push(found),
            None => groups.push((data.to_owned(), vec![found])),
        }
    }
    Ok(groups)
}

/// `pass`, or `pass on 3 seeds, not decidable on 2`.
fn verdict(seeds: &[&Check]) -> String {
    if let [one] = seeds {
        return one.outcome.replace('_', " ");
    }
    let on = |outcome: &str| seeds.iter().filter(|one| one.outcome == outcome).count();
    let mut outcomes: Vec<&str> = seeds.iter().map(|one| one.outcome.as_str()).collect();
    outcomes.sort_unstable();
    outcomes.dedup();
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(on(outcome)));
    let parts = outcomes.iter().enumerate().map(|(at, outcome)| {
        let seeds = if at == 0 { " seeds" } else { "" };
        format!("{} on {}{seeds}", outcome.replace('_', " "), on(outcome))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// One seed's sentence, or of several the numbers that their verdicts hang on.
fn in_words(seeds: &[&Check]) -> String {
    let [first, _, ..] = seeds else {
        return (seeds.iter().map(|one| one.sentence.clone())).collect();
    };
    let parts = first.conditions.iter().map(|condition| {
        let name = &condition.name;
        let of = (seeds.iter().flat_map(|one| &one.conditions))
            .filter(|one| &one.name == name)
            .map(|one| one.value.mean);
        let Estimate { mean, low, high } = spread(of);
        format!("{name} {mean:.4} ({low:.4} to {high:.4})")
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// The mean, between the lowest and the highest.
fn spread(values: impl Iterator<Item = f64>) -> Estimate {
    let (mut low, mut sum, mut high, mut count) = (f64::INFINITY, 0.0, f64::NEG_INFINITY, 0.0);
    for value in values {
        low = value.min(low);
        high = value.max(high);
        sum += value;
        count += 1.0;
    }
    Estimate {
        mean: sum / count,
        low,
        high,
    }
}

fn explanations(data: &str, seeds: &[Explanations]) -> String {
    let mut numbers: Vec<u64> = seeds.iter().map(|one| one.seed).collect();
    numbers.sort_unstable();
    let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let range = |of: fn(&Explanations) -> u64| {
        let (low, high) = (seeds.iter().map(of).min(), seeds.iter().map(of).max());
        match (low, high) {
            (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
            (low, _) => low.unwrap_or(0).to_string(),
        }
    };
    let brackets = match seeds.len() {
        1 => "In brackets: 95 % bootstrap intervals.",
        _ => {
            "Means over the seeds; in brackets the lowest and the highest of them. The last column says on how many seeds the change is up or down \
             beyond its 95 % bootstrap interval; the intervals are in `benches/results/explanations`."
        }
    };
    let mut block = format!(
        "\n### Explanations, measured: {data}\n\n`curec evaluate --run RUN --reasons`, seed{} {}: {} reasons, {} of them written anew in the \
         correction. {brackets}\n\n| | before correction | after | after − before |\n|---|---:|---:|---:|\n",
        if seeds.len() == 1 { "" } else { "s" },
        listed.join(", "),
        range(|one| one.reasons),
        range(|one| one.rewritten),
    );
    for (scope, name, words) in SHOWN {
        let rows: Vec<&Row> = (seeds.iter().flat_map(|one| &one.scopes))
            .filter(|one| one.name == scope)
            .flat_map(|one| &one.rows)
            .filter(|row| row.name == name)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let of = |part: fn(&Row) -> &Option<Estimate>| -> Vec<&Estimate> {
            rows.iter().filter_map(|row| part(row).as_ref()).collect()
        };
        let [before, after] =
            [of(|row| &row.before), of(|row| &row.after)].map(|found| level(&found));
        let change = change(&of(|row| &row.difference));
        let _ = writeln!(block, "| {words} | {before} | {after} | {change} |");
    }
    block
}

fn level(seeds: &[&Estimate]) -> String {
    match seeds {
        [] => "–".to_owned(),
        [one] => one.level(3),
        _ => spread(seeds.iter().map(|one| one.mean)).level(3),
    }
}

fn change(seeds: &[&Estimate]) -> String {
    match seeds {
        [] => "–".to_owned(),
        [one] => one.change(3),
        _ => {
            let over_seeds = spread(seeds.iter().map(|one| one.mean)).change(3);
            let up = seeds.iter().filter(|one| one.low > 0.0).count();
            let down = seeds.iter().filter(|one| one.high < 0.0).count();
            let certain = match (up, down) {
                (0, 0) => "certain on none".to_owned(),
                _ => format!("up on {up}, down on {down} of {}", seeds.len()),
            };
            format!("{over_seeds}; {certain}")
        }
    }
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
            r#"{"check": "chronology", "outcome": "not_decidable", "sentence": "Who | knows.", "conditions": [], "commit": null}"#,
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
            block.contains("| world | chronology | not decidable | Who \\| knows. |"),
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

    #[test]
    fn seeds_of_one_data_set_share_a_row() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["checks", "explanations"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (seed, outcome, mean, change) in [
            (
                1,
                "pass",
                0.25,
                "{\"mean\": 0.1, \"low\": 0.05, \"high\": 0.15}",
            ),
            (
                2,
                "not_decidable",
                0.75,
                "{\"mean\": -0.2, \"low\": -0.4, \"high\": 0.1}",
            ),
            (
                3,
                "pass",
                0.5,
                "{\"mean\": -0.2, \"low\": -0.4, \"high\": -0.1}",
            ),
        ] {
            let check = format!(
                r#"{{"check": "drift", "outcome": "{outcome}", "sentence": "", "conditions": [{{"name": "end", "value": {{"mean": {mean}, "low": 0, "high": 1}}}}]}}"#
            );
            std::fs::write(
                folder
                    .path()
                    .join(format!("checks/ml-1m-{seed}-drift.json")),
                check,
            )
            .unwrap();
            let explained = format!(
                r#"{{"data": "ml-1m", "seed": {seed}, "reasons": 1{seed}, "rewritten": 2, "scopes": [{{"name": "all reasons", "rows": [
                {{"name": "cause precision", "before": {{"mean": {mean}, "low": 0, "high": 1}}, "after": null, "difference": {change}}}]}}]}}"#
            );
            std::fs::write(
                folder
                    .path()
                    .join(format!("explanations/ml-1m-{seed}.json")),
                explained,
            )
            .unwrap();
        }
        let block = sections(folder.path()).unwrap();
        for expected in [
            "| ml-1m | drift | pass on 2 seeds, not decidable on 1 | end 0.5000 (0.2500 to 0.7500) |",
            "### Explanations, measured: ml-1m",
            "seeds 1, 2, 3: 11 to 13 reasons, 2 of them",
            "| named causes that are true | 0.500 [0.250, 0.750] | – | -0.100 [-0.200, +0.100]; up on 1, down on 1 of 3 |",
        ] {
            assert!(block.contains(expected), "{expected}\n{block}");
        }
    }
}
