//! `curec report`: runs compared in one file that is safe to open and to pass on.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;

use curec_tests::{contents, refused, run_well, small_world, tiny};
use serde_json::Value;

fn results(run: &Path) -> Value {
    let text = std::fs::read_to_string(run.join("evaluate/results.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Mean over users of 1 / log₂(rank + 1) of the ranks up to 10.
fn ndcg(results: &Value, model: &str) -> f64 {
    let models = results["models"].as_array().unwrap();
    let model = models.iter().find(|one| one["name"] == model).unwrap();
    let ranks: Vec<f64> = model["ranks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rank| rank.as_f64().unwrap())
        .collect();
    let gain = |rank: &f64| {
        if *rank <= 10.0 {
            1.0 / (rank + 1.0).log2()
        } else {
            0.0
        }
    };
    ranks.iter().map(gain).sum::<f64>() / ranks.len() as f64
}

#[test]
fn two_runs_are_compared_user_by_user_and_a_third_protocol_is_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, kept] =
        ["first-run", "second-run", "kept-run"].map(|name| folder.path().join(name));
    tiny(&one, &[]);
    tiny(&other, &["--set", "seed=11"]);
    tiny(&kept, &["--set", "evaluate.seen_items=\"kept\""]);
    let before = [contents(&one), contents(&other)];
    let file = folder.path().join("two.html");
    let [a, b, c, out] = [&one, &other, &kept, &file].map(|path| path.to_str().unwrap());
    let said = run_well(&["report", a, b, "--out", out]);
    assert!(said.contains("two.html"), "{said}");
    assert!(
        before == [contents(&one), contents(&other)],
        "a report only reads"
    );

    let html = std::fs::read_to_string(&file).unwrap();
    let part = |start: &str, end: &str| -> String {
        let from = html.find(start).unwrap_or_else(|| panic!("{start}"));
        let rest = &html[from..];
        rest[..rest.find(end).unwrap_or(rest.len())].to_owned()
    };
    // Each model of the second run minus the same of the first.
    let between = part("id=\"c-between-1\"", "</table>");
    for model in ["full", "ids only"] {
        let gain = ndcg(&results(&other), model) - ndcg(&results(&one), model);
        let row = between
            .split("<tr>")
            .find(|row| row.contains(&format!(">{model}<")));
        assert!(
            row.unwrap().contains(&format!("{gain:+.4}")),
            "{model}: {between}"
        );
    }
    let settings = part("id=\"c-settings\"", "</table>");
    assert!(
        settings.contains(">seed<") && !settings.contains("works"),
        "{settings}"
    );
    assert!(html.contains("differ in nothing but the seed"));
    assert!(html.contains("Fewer than three seeds"));
    // Every section has something to say of both.
    for id in [
        "verdict",
        "identity",
        "ranking",
        "exam",
        "training",
        "drift",
        "attention",
        "texts",
        "samples",
        "cost",
    ] {
        let section = part(&format!("<section id=\"{id}\""), "</section>");
        assert!(
            section.contains("first-run") && section.contains("second-run"),
            "{id}"
        );
        assert!(!section.contains("has nothing of this yet"), "{id}");
    }
    assert!(part("id=\"texts\"", "</section>").contains("20 of "));
    assert!(part("id=\"drift\"", "</section>").contains("stroke-before1"));

    run_well(&["report", a, b, c, "--out", out]);
    let html = std::fs::read_to_string(&file).unwrap();
    assert!(html.contains("nothing is compared across groups"));
    assert_eq!(
        html.matches("c-between-").count(),
        2,
        "one table, named twice"
    );

    refused(&["report", a, a], 1, &["given twice"]);
    refused(&["report"], 2, &["RUN"]);
    std::fs::write(other.join("evaluate/results.json"), "{").unwrap();
    refused(
        &["report", a, b, "--out", out],
        1,
        &["results.json is damaged"],
    );
}

#[test]
fn hostile_titles_and_keys_stay_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_world(&data);
    let items = std::fs::read_to_string(data.join("items.csv")).unwrap();
    let hostile = |(index, line): (usize, &str)| match line.split_once(',') {
        Some((key, rest)) if index > 0 => {
            // Closed tags are taken out when data are read; one that is never closed stays.
            format!("{key},<img src=x onerror=alert({index}) {rest}\n")
        }
        _ => format!("{line}\n"),
    };
    let items: String = items.lines().enumerate().map(hostile).collect();
    std::fs::write(data.join("items.csv"), items).unwrap();
    let log = std::fs::read_to_string(data.join("interactions.csv")).unwrap();
    let mut lines = log.lines();
    let mut marked = lines.next().unwrap().to_owned() + "\n";
    for line in lines {
        marked += &format!("<b onclick=x>{line}\n");
    }
    std::fs::write(data.join("interactions.csv"), marked).unwrap();

    let out = folder.path().join("run");
    tiny(&out, &["--data", data.to_str().unwrap()]);
    run_well(&["report", "--run", out.to_str().unwrap()]);
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        html.contains("&lt;img src=x onerror=alert("),
        "the titles are there"
    );
    assert!(html.contains("&lt;b onclick=x&gt;"), "the keys are there");
    for markup in [
        "<script",
        "</script",
        "<img",
        "<b onclick",
        "javascript:",
        "://",
        "@import",
        "url(",
    ] {
        assert!(!html.contains(markup), "{markup}");
    }
    // No tag has an event handler.
    let tags = html
        .split('<')
        .skip(1)
        .map(|part| part.split('>').next().unwrap());
    let handles = |word: &str| word.starts_with("on") && word.contains('=');
    for tag in tags {
        assert!(!tag.split_whitespace().any(handles), "{tag}");
    }
}

#[test]
fn an_artefact_of_an_older_release_takes_nothing_else_from_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_world(&data);
    let out = folder.path().join("run");
    tiny(&out, &["--data", data.to_str().unwrap()]);
    let manifest = out.join("export/artefact/manifest.json");
    let mut written: Value =
        serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap()).unwrap();
    written["version"] = 1.into();
    std::fs::write(&manifest, written.to_string()).unwrap();
    run_well(&["report", "--run", out.to_str().unwrap()]);
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("Not shown: artefact version 1 is not supported"));
    assert!(html.contains("curec export --run RUN"), "what to do");
    assert!(html.contains("ids only"), "the ranking is there");
    // One that is damaged is a fault all the same.
    std::fs::write(&manifest, "{").unwrap();
    refused(
        &["report", "--run", out.to_str().unwrap()],
        1,
        &["is not a usable artefact"],
    );
}

#[test]
fn a_run_is_paired_with_baselines_on_its_own_users() {
    let folder = tempfile::tempdir().unwrap();
    let [run, pop, bare] = ["run", "pop.json", "bare.json"].map(|name| folder.path().join(name));
    let path = run.to_str().unwrap();
    let files = [&pop, &bare].map(|file| file.to_str().unwrap());
    tiny(&run, &["--until", "export"]);
    run_well(&[
        "baseline", "pop", "--run", path, "-q", "--ranks", "--out", files[0],
    ]);
    run_well(&["baseline", "pop", "--run", path, "-q", "--out", files[1]]);
    let said = run_well(&["evaluate", "--run", path, "--against", files[0]]);
    assert!(said.contains("less pop"), "{said}");
    let text = std::fs::read_to_string(run.join("against.json")).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    let full = &found["models"][1];
    assert_eq!(full["model"], "full");
    let difference = full["against"][0]["difference"]["ndcg@10"]["mean"]
        .as_f64()
        .unwrap();
    let results = results(&run);
    let expected = ndcg(&results, "full") - ndcg(&results, "popularity");
    assert!(
        (difference - expected).abs() < 1e-9,
        "{difference} {expected}"
    );
    assert!(found["runs"][0]["stages"]["evaluate"].is_string());
    refused(
        &["evaluate", "--run", path, "--against", files[1]],
        1,
        &["bare.json", "--ranks"],
    );
    refused(
        &["evaluate", "--run", path, "--against", files[0], "--json"],
        2,
        &["--json", "--against"],
    );
    refused(
        &[
            "evaluate",
            "--run",
            path,
            "--against",
            files[0],
            "--set",
            "seed=9",
        ],
        1,
        &["nothing is set for it", "leave out"],
    );
}
