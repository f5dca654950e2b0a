//! Baselines as Markdown: one table for each data set, protocol and treatment of seen items, with published numbers beside ours.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::record::Estimate;

/// One `curec baseline NAME --out FILE`; what is not shown is not read.
#[derive(Debug, Deserialize)]
struct Baseline {
    model: String,
    protocol: Protocol,
    seed: u64,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    chosen: Option<Chosen>,
    metrics: BTreeMap<String, Estimate>,
    #[serde(default)]
    against: Vec<Against>,
    seconds: Seconds,
}

/// The search that chose a model's settings.
#[derive(Debug, Clone, Deserialize)]
struct Chosen {
    trials: u64,
}

/// A model less another one, paired over users.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Against {
    model: String,
    #[serde(default)]
    chosen: Option<Chosen>,
    difference: BTreeMap<String, Estimate>,
    relative: BTreeMap<String, Option<Estimate>>,
}

#[derive(Debug, Deserialize)]
struct Protocol {
    name: String,
    data: String,
    seen_items: String,
    users: usize,
    items: usize,
    interactions: usize,
    data_sha256: String,
}

#[derive(Debug, Deserialize)]
struct Seconds {
    fit: f64,
}

/// Numbers from other people's pages, as they print them.
#[derive(Debug, Deserialize)]
struct Published {
    data: String,
    protocol: String,
    seen_items: String,
    models: BTreeMap<String, PublishedModel>,
}

#[derive(Debug, Deserialize)]
struct PublishedModel {
    #[serde(rename = "recall@10")]
    recall: String,
    #[serde(rename = "ndcg@10")]
    ndcg: String,
    source: String,
}

/// The same of click models; which protocol is said by how it divides (`split`).
#[derive(Debug, Deserialize)]
struct PublishedClicks {
    data: String,
    split: String,
    models: BTreeMap<String, PublishedClick>,
}

#[derive(Debug, Deserialize)]
struct PublishedClick {
    auc: String,
    log_loss: String,
    source: String,
}

/// What is in `results` (`benches/results/baselines`) beside what is in `published`; nothing where nothing was measured. `configs`: the
/// files with settings that come with the program.
pub fn section(results: &Path, published: &Path, configs: &Path) -> Result<String> {
    let values: Vec<Value> = read_all(results)?;
    let published_clicks: Vec<PublishedClicks> = read_all(&published.join("clicks"))?;
    let published: Vec<Published> = read_all(published)?;
    let mut tables: BTreeMap<[String; 4], Vec<Baseline>> = BTreeMap::new();
    let mut clicks = Vec::new();
    for value in values {
        if value["metrics"].get("auc").is_some() {
            clicks.push(value);
            continue;
        }
        let one: Baseline = serde_json::from_value(value).context("a baseline's result file")?;
        let protocol = &one.protocol;
        let key = [
            &protocol.data,
            &protocol.name,
            &protocol.seen_items,
            &protocol.data_sha256,
        ];
        let key = key.map(String::clone);
        tables.entry(key).or_default().push(one);
    }
    let mut text = String::new();
    for ([data, protocol, seen, _], rows) in tables {
        let beside = published
            .iter()
            .find(|one| one.data == data && one.protocol == protocol && one.seen_items == seen);
        text.push_str(&table(rows, beside, configs)?);
    }
    for value in &clicks {
        text.push_str(&click(value, &published_clicks));
    }
    Ok(text)
}

fn read_all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>> {
    let files = super::json_files(folder)?;
    files.iter().map(|file| super::read_json(file)).collect()
}

/// Best first.
fn table(mut rows: Vec<Baseline>, published: Option<&Published>, configs: &Path) -> Result<String> {
    let value = |row: &Baseline, name: &str| row.metrics.get(name).map_or(0.0, |one| one.mean);
    rows.sort_by(|a, b| value(b, "ndcg@10").total_cmp(&value(a, "ndcg@10")));
    let mut text = String::new();
    let Some(first) = rows.first() else {
        return Ok(text);
    };
    let protocol = &first.protocol;
    // Writing to a string cannot fail.
    let (title, source) = match protocol.name.as_str() {
        "run" => ("the data of a run".to_owned(), "--run RUN".to_owned()),
        name => (
            format!("protocol `{name}`"),
            format!("--data FOLDER --protocol {name}"),
        ),
    };
    let _ = writeln!(
        text,
        "\n### Baselines: {}, {title}, items taken before {}\n\n`curec baseline NAME {source} --seen {} --config SETTINGS --seed SEED`: \
         full ranking of {} items for {} users, {} interactions, data {}. In brackets: 95 % bootstrap intervals over users. Files with settings are in \
         `configs/baselines`; those under a data set's name hold what a search chose.\n",
        protocol.data,
        protocol.seen_items,
        protocol.seen_items,
        protocol.items,
        protocol.users,
        protocol.interactions,
        &protocol.data_sha256[..protocol.data_sha256.len().min(12)],
    );
    let _ = writeln!(
        text,
        "| model | settings | seed | HR@10 | NDCG@10 | HR@50 | training | made by | published HR@10 / NDCG@10 |\n|---|---|---:|---:|---:|---:|---:|---|---|"
    );
    for row in &rows {
        let shown = |name: &str| {
            let found = row.metrics.get(name);
            found.map_or("–".to_owned(), |one| one.level(4))
        };
        let beside = published.and_then(|all| all.models.get(&row.model));
        let beside = beside.map_or("–".to_owned(), |one| {
            format!("{} / {} ({})", one.recall, one.ndcg, one.source)
        });
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {}{} | {} | {beside} |",
            row.model,
            settings(row, configs)?,
            row.seed,
            shown("recall@10"),
            shown("ndcg@10"),
            shown("hr@50"),
            minutes(row.seconds.fit),
            threads(row.device.as_deref()),
            row.commit.as_deref().unwrap_or("–"),
        );
    }
    for row in &rows {
        text.push_str(&compared(&row.model, &row.against));
    }
    Ok(text)
}

/// `, 2 threads` of `flex (CPU, 2 threads)`; empty where a result does not say.
fn threads(device: Option<&str>) -> String {
    let found = device.and_then(|device| {
        device
            .split(['(', ')', ','])
            .find(|part| part.contains("thread"))
    });
    found.map_or(String::new(), |found| match found.trim() {
        "1 threads" => ", 1 thread".to_owned(),
        found => format!(", {found}"),
    })
}

/// Which of the program's files holds a row's settings, and what that file has otherwise by now.
fn settings(row: &Baseline, configs: &Path) -> Result<String> {
    let name = format!("{}.toml", row.model);
    let mut nearest: Option<(String, Vec<String>)> = None;
    for file in [format!("{}/{name}", row.protocol.data), name] {
        let path = configs.join(&file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let held: Value =
            toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let mut others = Vec::new();
        differences(&held["settings"], &row.settings, "", &mut others);
        if nearest
            .as_ref()
            .is_none_or(|(_, found)| others.len() < found.len())
        {
            nearest = Some((file, others));
        }
    }
    let chosen = row.chosen.as_ref().map_or(String::new(), |chosen| {
        format!(", best of {}", chosen.trials)
    });
    Ok(match nearest {
        None => format!("no file{chosen}"),
        Some((file, others)) if others.is_empty() => format!("`{file}`{chosen}"),
        Some((file, others)) => format!("`{file}`{chosen}, but for {}", others.join(", ")),
    })
}

/// Where a result's settings are not those of a file, as `epochs = 60 (200)`: the file's in brackets.
fn differences(held: &Value, used: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(fields) = held else {
        let same = match (held.as_f64(), used.as_f64()) {
            (Some(held), Some(used)) => (held - used).abs() <= 1e-6 * held.abs().max(used.abs()),
            _ => held == used,
        };
        if !same {
            let used = if used.is_null() {
                "not there yet".to_owned()
            } else {
                used.to_string()
            };
            found.push(format!("`{path}` {used} ({held})"));
        }
        return;
    };
    for (name, value) in fields {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        differences(value, &used[name], &path, found);
    }
}

/// What a model is worth beside others, as a table; empty where it was not compared.
pub(super) fn compared(model: &str, others: &[Against]) -> String {
    const METRICS: [(&str, &str); 4] = [
        ("recall@5", "Recall@5"),
        ("recall@10", "Recall@10"),
        ("ndcg@10", "NDCG@10"),
        ("ndcg@20", "NDCG@20"),
    ];
    if others.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nPaired over users, `{model}` less another one, and in percent of that one:\n\n| less |"
    );
    for (_, heading) in METRICS {
        let _ = write!(text, " {heading} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(METRICS.len()));
    for against in others {
        let chosen = against.chosen.as_ref();
        let chosen = chosen.map_or_else(String::new, |one| format!(", best of {}", one.trials));
        let _ = write!(text, "\n| {}{chosen} |", against.model);
        for (name, _) in METRICS {
            let told = against.difference.get(name).map(|found| {
                let share = against.relative.get(name).copied().flatten();
                let share = share.map_or_else(String::new, |share| {
                    let [mean, low, high] =
                        [share.mean, share.low, share.high].map(|value| value * 100.0);
                    format!(" = {mean:+.1} % [{low:+.1}, {high:+.1}]")
                });
                found.change(4) + &share
            });
            let _ = write!(text, " {} |", told.unwrap_or_else(|| "–".to_owned()));
        }
    }
    text.push('\n');
    text
}

fn minutes(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.1} min", seconds / 60.0)
    }
}

fn click(value: &Value, published: &[PublishedClicks]) -> String {
    let number = |path: &str| match value.pointer(path).and_then(Value::as_f64) {
        Some(number) => format!("{number:.4}"),
        None => "–".to_owned(),
    };
    // An estimate with an interval, or a bare number.
    let metric = |name: &str| match number(&format!("/metrics/{name}/mean")).as_str() {
        "–" => number(&format!("/metrics/{name}")),
        found => found.to_owned(),
    };
    let [data, split] = ["data", "split"].map(|name| value["protocol"][name].as_str());
    let published = published
        .iter()
        .filter(|one| data == Some(&one.data) && split == Some(&one.split))
        .find_map(|one| one.models.get(value["model"].as_str()?));
    let beside = published.map_or_else(String::new, |one| {
        format!(" ({}: {} and {})", one.source, one.auc, one.log_loss)
    });
    format!(
        "\n{} as a click model on {} (label: {}; {}): AUC {}, log-loss {}{beside}.\n",
        value["model"].as_str().unwrap_or("A model"),
        data.unwrap_or("its data"),
        value["protocol"]["label"].as_str().unwrap_or("–"),
        split.unwrap_or("–"),
        metric("auc"),
        metric("log_loss"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(folder: &Path, name: &str, value: &Value) {
        std::fs::write(folder.join(name), value.to_string()).expect("it can be written");
    }

    fn result(model: &str, ndcg: f64) -> Value {
        let estimate = json!({"mean": ndcg, "low": ndcg - 0.01, "high": ndcg + 0.01});
        json!({
            "model": model, "seed": 4, "settings": {"width": 16, "epochs": 9, "loss": {"kind": "bce"}}, "seconds": {"fit": 90.0, "rank": 1.0},
            "metrics": {"ndcg@10": estimate, "recall@10": estimate},
            "protocol": {"name": "p", "data": "d", "seen_items": "kept", "users": 3, "items": 5, "interactions": 7,
                         "data_sha256": "0123456789abcdef"},
        })
    }

    #[test]
    fn the_best_comes_first_with_what_others_published() {
        let (ours, theirs) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        write(ours.path(), "a.json", &result("weak", 0.1));
        let mut strong = result("strong", 0.2);
        strong["chosen"] = json!({"trials": 8});
        strong["device"] = json!("flex (CPU, 1 threads)");
        strong["commit"] = json!("abc");
        let gain =
            |mean: f64| json!({"ndcg@10": {"mean": mean, "low": mean / 2.0, "high": 2.0 * mean}});
        strong["against"] =
            json!([{"model": "weak", "difference": gain(0.1), "relative": gain(1.0)}]);
        write(ours.path(), "b.json", &strong);
        let published = json!({
            "data": "d", "protocol": "p", "seen_items": "kept",
            "models": {"strong": {"recall@10": "0.3", "ndcg@10": "0.25", "source": "a paper"}},
        });
        write(theirs.path(), "p.json", &published);
        let configs = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(configs.path().join("d")).expect("a folder");
        for (name, settings) in [
            ("strong.toml", "width = 8"),
            ("d/strong.toml", "width = 16\nloss = { kind = \"bce\" }"),
            ("weak.toml", "width = 32\nepochs = 9\ndropout = 0.2"),
        ] {
            std::fs::write(
                configs.path().join(name),
                format!("[settings]\n{settings}\n"),
            )
            .expect("written");
        }
        let text = section(ours.path(), theirs.path(), configs.path()).expect("it reads");
        let strong = "| strong | `d/strong.toml`, best of 8 | 4 | 0.2000 [0.1900, 0.2100] | 0.2000 [0.1900, 0.2100] | – | 1.5 min, 1 thread | abc | 0.3 / 0.25 (a paper) |";
        let weak = "| weak | `weak.toml`, but for `dropout` not there yet (0.2), `width` 16 (32) | 4 | 0.1000 [0.0900, 0.1100] | 0.1000 [0.0900, 0.1100] | – | 1.5 min | – | – |";
        let places = (text.find(strong), text.find(weak));
        assert!(
            matches!(places, (Some(first), Some(second)) if first < second),
            "{text}"
        );
        assert!(text.contains("data 0123456789ab."), "{text}");
        let compared =
            "| weak | – | – | +0.1000 [+0.0500, +0.2000] = +100.0 % [+50.0, +200.0] | – |";
        assert!(text.contains(compared), "{text}");
    }

    #[test]
    fn nothing_measured_is_nothing_said_and_damage_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(
            section(folder.path(), &folder.path().join("none"), folder.path()).expect("it reads"),
            ""
        );
        std::fs::write(folder.path().join("x.json"), "{").expect("it can be written");
        let error = section(folder.path(), folder.path(), folder.path())
            .expect_err("it is damaged")
            .to_string();
        assert!(error.contains("x.json"), "{error}");
    }
}
