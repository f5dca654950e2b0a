use std::path::Path;

use super::*;
use crate::run::{write_atomic, write_json};

fn run(folder: &Path) -> RunDirectory {
    let run = RunDirectory::create(folder).unwrap();
    write_json(&folder.join("run.json"), &serde_json::json!({"seed": 1})).unwrap();
    write_atomic(&folder.join("run.toml"), b"seed = 1\n").unwrap();
    run
}

fn under_way(folder: &Path) -> RunDirectory {
    let run = run(folder);
    let stage = folder.join(".work-pretrain");
    std::fs::create_dir(&stage).unwrap();
    let mut metrics = String::new();
    let mut samples = String::new();
    for step in 0..9 {
        metrics += &format!(
            "{{\"step\":{step},\"reward\":{},\"rewards/legal/mean\":0.5,\"entropy\":null,\"loss\":0.0}}\n",
            0.1 * f64::from(step)
        );
        samples += &format!(
            "{{\"step\":{step},\"prompt\":\"<p{step}>\",\"completion\":\"c{step}</script><img src=x onerror=alert(1)>\",\"about\":{{\"truth\":\"<Heat>\"}},\"reward\":1.5,\"rewards\":{{\"legal\":1.0}},\"advantage\":-0.5}}\n"
        );
    }
    metrics += "{\"step\":9,\"rew";
    write_atomic(&stage.join("metrics.jsonl"), metrics.as_bytes()).unwrap();
    let warning = b"{\"step\":4,\"warning\":\"raise <this>\"}\n";
    write_atomic(&stage.join("warnings.jsonl"), warning).unwrap();
    write_atomic(&stage.join("samples.jsonl"), samples.as_bytes()).unwrap();
    run
}

fn html(runs: &[RunDirectory]) -> String {
    Report::read(runs).unwrap().html().unwrap()
}

#[test]
fn a_run_under_way_is_shown_and_nothing_it_says_is_markup() {
    let folder = tempfile::tempdir().unwrap();
    let html = html(&[under_way(&folder.path().join("<b>"))]);
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("rewards&#x2f;legal&#x2f;mean") && html.contains("<polyline"));
    // A metric without a value has no curve.
    assert!(!html.contains("<b>entropy</b>"), "{html}");
    for step in [0, 1, 7, 8] {
        assert!(html.contains(&format!("&lt;p{step}&gt;")), "step {step}");
    }
    assert!(!html.contains("&lt;p4&gt;"), "only both ends are shown");
    assert!(html.contains("truth: &lt;Heat&gt;") && !html.contains("<Heat>"));
    assert!(html.contains("pretrain, from step 4: raise &lt;this&gt;"));
    assert!(html.contains("c8&lt;&#x2f;script&gt;&lt;img src=x onerror"));
    assert!(
        html.contains("<h1>&lt;b&gt;</h1>"),
        "the name of the folder"
    );
    for markup in ["<script", "</script", "<img", "://"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(
        html.contains("curec evaluate --run"),
        "what is missing says what makes it"
    );
}

#[test]
fn a_run_that_has_done_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let html = html(&[run(folder.path())]);
    for words in ["Nothing has been ranked yet", "No stage has sampled"] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn runs_stand_beside_each_other_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let one = under_way(&folder.path().join("one"));
    let other = under_way(&folder.path().join("other"));
    write_atomic(&folder.path().join("other/run.toml"), b"seed = 2\n").unwrap();
    let html = html(&[one, other]);
    assert!(html.contains("Settings that differ"));
    let reward = html
        .split("<figure>")
        .find(|part| part.contains("<b>reward</b>"));
    let reward = reward.unwrap();
    for class in ["stroke-run0", "stroke-run1"] {
        assert!(reward.contains(class), "{class}");
    }
}
