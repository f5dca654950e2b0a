//! What `curec ablate` found: recorded as `benches/results/ablation-NAME.json`, shown as a table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::collect::committed;
use super::record::{Estimate, Protocol};
use crate::step;

/// How its result files begin.
pub const PREFIX: &str = "ablation-";
/// The table in an ablation's folder.
pub const TABLE: &str = "ablation.json";

/// Name in files → heading of the column.
const COLUMNS: [(&str, &str); 5] = [
    ("recall@5", "Recall@5"),
    ("recall@10", "Recall@10"),
    ("ndcg@10", "NDCG@10"),
    ("ndcg@20", "NDCG@20"),
    ("hr@50", "HR@50"),
];

/// A second look at the differences: whether what is taken comes into sight at all.
const BESIDE: (&str, &str) = ("hr@50", "HR@50");

/// A recorded ablation.
#[derive(Debug, Clone, Deserialize)]
pub struct AblationResult {
    /// Heading.
    pub name: String,
    /// The command that made it.
    pub command: String,
    /// Processor and number of cores.
    pub machine: String,
    /// The trainer's `ablation.json`, word for word.
    pub ablation: Ablation,
}

/// What of the table is shown.
#[derive(Debug, Clone, Deserialize)]
pub struct Ablation {
    protocol: Protocol,
    seeds: Vec<u64>,
    tested: String,
    method: String,
    verdict: Vec<String>,
    rows: Vec<Row>,
    cost: Cost,
    #[serde(default)]
    settings: Value,
}

/// Where models with reasons skip the phase that trains encoder and IDs alone (DEVIATIONS.md).
const SCHEDULES: &str = "Models without reasons have a phase more, of encoder and IDs alone by cross-entropy over the whole catalogue; \
    \"random texts, retrained\" has the full model's phases. So the rows \"IDs only\" and \"w/o reasons\" tell what somebody gains who takes \
    the texts, and that one, beside \"w/o correction\", what the texts themselves say.";

#[derive(Debug, Clone, Deserialize)]
struct Cost {
    seconds: f64,
    seconds_unshared: f64,
    peak_memory_mib: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Row {
    name: String,
    label: String,
    kind: String,
    metrics: BTreeMap<String, Spread>,
    differences: BTreeMap<String, Difference>,
    test: Option<Test>,
}

#[derive(Debug, Clone, Deserialize)]
struct Spread {
    mean: f64,
    deviation: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Difference {
    users: Estimate,
    /// The same where seeds are drawn as well as users.
    #[serde(default)]
    users_and_seeds: Option<Estimate>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Test {
    p_holm: f64,
}

impl AblationResult {
    /// Reads a result file; the error names it and what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not an ablation's result file", path.display()))
    }

    /// How many seeds its numbers are averages of.
    pub fn seeds(&self) -> usize {
        self.ablation.seeds.len()
    }

    /// What the full model gains over the row of a name, in a metric; nothing where that was left out.
    pub fn gain(&self, row: &str, metric: &str) -> Option<Estimate> {
        let row = self.ablation.rows.iter().find(|found| found.name == row)?;
        Some(row.differences.get(metric)?.users)
    }

    /// The same gain with the interval where seeds are drawn as well as users.
    pub fn gain_of_any_seeds(&self, row: &str, metric: &str) -> Option<Estimate> {
        let row = self.ablation.rows.iter().find(|found| found.name == row)?;
        row.differences.get(metric)?.users_and_seeds
    }
}

/// Writes `folder/ablation-NAME.json` from the folder of an ablation and returns its path.
pub fn collect(
    from: &Path,
    name: &str,
    command: &str,
    machine: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let file = from.join(TABLE);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let table: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    let commits = table["commits"].as_array().into_iter().flatten();
    committed(commits.filter_map(Value::as_str))?;
    let record = json!({"name": name, "command": command, "machine": machine, "ablation": table});
    // What could not be shown must not be recorded.
    serde_json::from_value::<AblationResult>(record.clone())
        .with_context(|| format!("{} holds a table of another form", file.display()))?;
    let path = folder.join(format!("{PREFIX}{name}.json"));
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The table as Markdown, what it means before it.
pub fn section(result: &AblationResult) -> String {
    let found = &result.ablation;
    let protocol = &found.protocol;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n### What each part is worth: {}\n", result.name);
    let _ = writeln!(
        text,
        "`{}`: {}; {}.\n",
        result.command,
        result.machine,
        cost(&found.cost)
    );
    for line in &found.verdict {
        let _ = writeln!(text, "> {line}\n>");
    }
    let _ = writeln!(
        text,
        "\nFull ranking of {} items for {} users ({} event, items taken before are {}); {}. ± standard deviation over seeds.\n",
        protocol.items,
        protocol.users,
        protocol.target,
        protocol.seen_items,
        seeds(&found.seeds)
    );
    text.push_str("| |");
    for (_, heading) in COLUMNS {
        let _ = write!(text, " {heading} |");
    }
    let tested = COLUMNS.iter().find(|(name, _)| *name == found.tested);
    let heading = tested.map_or(found.tested.as_str(), |(_, heading)| heading);
    let (_, second) = BESIDE;
    let _ = write!(
        text,
        " full − row, {heading} | p (Holm) | full − row, {second} |\n|---|"
    );
    text.push_str(&"---:|".repeat(COLUMNS.len() + 3));
    for row in &found.rows {
        text.push_str(&line(row, &found.tested));
    }
    let _ = writeln!(
        text,
        "\n\n\\* The trained full model is given something else to read. In brackets and for p: {}. Differences in {second} are a second look, \
         for which nothing is corrected.",
        found.method
    );
    if found.settings["reward"]["text_start"] == "scratch" {
        let _ = writeln!(text, "\n{SCHEDULES}");
    }
    text
}

fn line(row: &Row, tested: &str) -> String {
    let mark = if row.kind == "control" { " \\*" } else { "" };
    let mut text = format!("\n| {}{mark} |", row.label);
    for (name, _) in COLUMNS {
        let value = row.metrics.get(name).map_or("–".to_owned(), spread);
        let _ = write!(text, " {value} |");
    }
    let difference = |metric: &str| {
        let found = row.differences.get(metric);
        found.map(|found| found.users.change(4))
    };
    let p = row.test.map(|test| match test.p_holm {
        p if p < 0.001 => "< 0.001".to_owned(),
        p => format!("{p:.3}"),
    });
    let _ = write!(
        text,
        " {} | {} | {} |",
        difference(tested).unwrap_or_default(),
        p.unwrap_or_default(),
        difference(BESIDE.0).unwrap_or_default()
    );
    text
}

fn spread(value: &Spread) -> String {
    match value.deviation {
        Some(deviation) => format!("{:.4} ± {deviation:.4}", value.mean),
        None => format!("{:.4}", value.mean),
    }
}

fn seeds(seeds: &[u64]) -> String {
    let names: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let plural = if seeds.len() == 1 { "" } else { "s" };
    format!("seed{plural} {}", names.join(", "))
}

/// `92 min 10 s, 150 min 00 s if no stage were shared; at most 300 MiB of memory`.
fn cost(cost: &Cost) -> String {
    let time = |seconds: f64| {
        step::seconds(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
    };
    let memory = cost.peak_memory_mib.map_or(String::new(), |mib| {
        format!("; at most {mib} MiB of memory")
    });
    format!(
        "{}, {} if no stage were shared{memory}",
        time(cost.seconds),
        time(cost.seconds_unshared)
    )
}

/// An ablation of two seeds in which the full model gains so much over other rows.
#[cfg(test)]
pub fn toy(gains: &[(&str, Estimate, Option<Estimate>)]) -> AblationResult {
    let interval = |of: &Estimate| json!({"mean": of.mean, "low": of.low, "high": of.high});
    let row = |(name, gain, both): &(&str, Estimate, Option<Estimate>)| {
        let difference =
            json!({"users": interval(gain), "users_and_seeds": both.as_ref().map(interval)});
        json!({"name": name, "label": name, "kind": "trained", "metrics": {}, "differences": {"ndcg@10": difference}})
    };
    let protocol = json!({"data": "toy", "target": "test", "seen_items": "filtered", "users": 40, "items": 80, "training_interactions": 1200, "seed": 1});
    let ablation = json!({"protocol": protocol, "seeds": [1, 2], "tested": "ndcg@10", "method": "by hand", "verdict": [], "cost": {"seconds": 1.0, "seconds_unshared": 1.0},
        "rows": gains.iter().map(row).collect::<Vec<_>>()});
    let ablation = serde_json::from_value(ablation).expect("it is whole");
    let (name, command, machine) = ("toy".into(), String::new(), String::new());
    AblationResult {
        name,
        command,
        machine,
        ablation,
    }
}

/// An ablation's file, of two seeds.
#[cfg(test)]
pub const FILE: &str = r#"{
      "version": "0", "commit": null, "data_sha256": "f", "settings": {},
      "protocol": {"data": "toy", "target": "test", "seen_items": "filtered", "users": 40, "items": 80,
        "training_interactions": 1200, "seed": 1},
      "seeds": [1, 2], "tested": "ndcg@10", "method": "differences by hand",
      "verdict": ["2 seeds: too few."],
      "rows": [
        {"name": "full", "label": "full", "kind": "trained", "settings": [], "differences": {}, "test": null, "metrics": {
          "recall@5": {"mean": 0.5, "deviation": 0.25, "seeds": [0.25, 0.75]},
          "recall@10": {"mean": 0.6, "deviation": 0.0, "seeds": []},
          "ndcg@10": {"mean": 0.4, "deviation": 0.1, "seeds": []},
          "ndcg@20": {"mean": 0.45, "deviation": 0.1, "seeds": []},
          "hr@50": {"mean": 0.9, "deviation": null, "seeds": []}}},
        {"name": "no-history", "label": "no history", "kind": "control", "settings": [],
          "differences": {"hr@50": {"users": {"mean": 0.2, "low": 0.15, "high": 0.25}}, "ndcg@10": {"users": {"mean": 0.1, "low": 0.05, "high": 0.15},
            "users_and_seeds": {"mean": 0.1, "low": 0.0, "high": 0.2}, "seeds": {"mean": 0.1, "deviation": 0.0, "seeds": []}}},
          "test": {"p": 0.0002, "p_holm": 0.0004}, "metrics": {"ndcg@10": {"mean": 0.3, "deviation": 0.1, "seeds": []}}}
      ],
      "cost": {"seconds": 185.0, "seconds_unshared": 305.0, "peak_memory_mib": 77}
    }"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand from [`FILE`].
    const SECTION: &str = "
### What each part is worth: toy

`curec ablate`: Some CPU, 2 cores; 3 min 05 s, 5 min 05 s if no stage were shared; at most 77 MiB of memory.

> 2 seeds: too few.
>

Full ranking of 80 items for 40 users (test event, items taken before are filtered); seeds 1, 2. ± standard deviation over seeds.

| | Recall@5 | Recall@10 | NDCG@10 | NDCG@20 | HR@50 | full − row, NDCG@10 | p (Holm) | full − row, HR@50 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
| full | 0.5000 ± 0.2500 | 0.6000 ± 0.0000 | 0.4000 ± 0.1000 | 0.4500 ± 0.1000 | 0.9000 |  |  |  |
| no history \\* | – | – | 0.3000 ± 0.1000 | – | – | +0.1000 [+0.0500, +0.1500] | < 0.001 | +0.2000 [+0.1500, +0.2500] |

\\* The trained full model is given something else to read. In brackets and for p: differences by hand. Differences in HR@50 are a second look, for which nothing is corrected.
";

    #[test]
    fn an_ablation_is_recorded_whole_and_shown() {
        let root = std::env::temp_dir().join(format!("curec-ablation-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).expect("a folder");
        std::fs::write(root.join(TABLE), FILE).expect("a file");
        let path = collect(&root, "toy", "curec ablate", "Some CPU, 2 cores", &root);
        let path = path.expect("recorded");
        assert!(path.ends_with("ablation-toy.json"), "{}", path.display());
        let stored: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let original: Value = serde_json::from_str(FILE).expect("JSON");
        assert_eq!(stored["ablation"], original);
        let read = AblationResult::read(&path).expect("readable");
        assert_eq!(section(&read), SECTION);
        let scratch = FILE.replace(
            r#""settings": {},"#,
            r#""settings": {"reward": {"text_start": "scratch"}},"#,
        );
        let ablation = serde_json::from_str(&scratch).expect("it is whole");
        let told = AblationResult { ablation, ..read };
        assert_eq!(section(&told), format!("{SECTION}\n{SCHEDULES}\n"));
        let gain = told.gain("no-history", "ndcg@10").expect("it has that row");
        assert_eq!((gain.low, gain.mean, gain.high), (0.05, 0.1, 0.15));
        assert!(told.gain("ids-only", "ndcg@10").is_none());
        assert_eq!(told.seeds(), 2);
        std::fs::write(root.join(TABLE), "{}").expect("a file");
        let error = collect(&root, "toy", "", "", &root).expect_err("another form");
        assert!(format!("{error:#}").contains("another form"), "{error:#}");
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
