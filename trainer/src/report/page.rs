//! The page around the curves.

use std::fmt::Write as _;

use html_escape::encode_text;

use super::chart::{chart, number};
use super::{Report, Training};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#2563a8;--soft:#8886}\
@media(prefers-color-scheme:dark){:root{--line:#7db3f0}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem}\
h1,h2{line-height:1.2}\
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}\
figure{margin:0;border:1px solid var(--soft);border-radius:.4rem;padding:.5rem .7rem}\
figcaption{display:flex;justify-content:space-between;gap:1rem;font-size:.9rem}\
figcaption b{white-space:nowrap}\
svg{width:100%;height:auto}\
polyline{fill:none;stroke:var(--line);stroke-width:2;vector-effect:non-scaling-stroke}\
.axis{display:flex;justify-content:space-between;font-size:.8rem;opacity:.75}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--soft);vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.wide{overflow-x:auto}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:.85rem}";

/// Metrics that lead; the others follow by name.
const FIRST: [&str; 8] = [
    "reward",
    "rewards/",
    "reward_std",
    "frac_reward_zero_std",
    "loss",
    "entropy",
    "kl",
    "completions/",
];

pub(super) fn html(report: &Report) -> String {
    let title = encode_text(&report.title);
    let mut body = String::new();
    for part in [
        stages(report),
        curves(report),
        samples(report),
        settings(report),
    ] {
        body += &part;
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · curec</title><style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{body}</body></html>\n"
    )
}

fn stages(report: &Report) -> String {
    if report.stages.is_empty() {
        return "<p>No stage has finished yet.</p>\n".to_owned();
    }
    let mut rows = String::new();
    for record in &report.stages {
        let memory = record
            .peak_memory_mib
            .map_or("–".to_owned(), |mib| mib.to_string());
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td class=\"n\">{:.1}</td><td class=\"n\">{memory}</td></tr>",
            record.stage.name(),
            record.seconds
        );
    }
    format!(
        "<h2>Stages</h2>\n<table><tr><th>stage</th><th class=\"n\">seconds</th><th class=\"n\">MiB at most so far</th></tr>\n{rows}</table>\n"
    )
}

fn curves(report: &Report) -> String {
    let mut text = String::new();
    for training in &report.training {
        let drawn: Vec<String> = names(training)
            .iter()
            .filter_map(|name| chart(name, &values(training, name)))
            .collect();
        let note = if training
            .steps
            .iter()
            .any(|step| step.contains_key("reward"))
        {
            "<p>The loss of GRPO is near 0 while samples are fresh, by construction: look at the reward.</p>\n"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "<h2>Training: {}</h2>\n{note}<div class=\"curves\">\n{}</div>",
            training.stage.name(),
            drawn.concat()
        );
    }
    text
}

/// Names of all metrics but the step, the most telling first.
fn names(training: &Training) -> Vec<String> {
    let mut names: Vec<String> = training
        .steps
        .iter()
        .flat_map(|step| step.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| name != "step");
    let rank = |name: &String| {
        let leads = |first: &&str| name == first || first.ends_with('/') && name.starts_with(first);
        FIRST.iter().position(leads).unwrap_or(FIRST.len())
    };
    names.sort_by_key(|name| (rank(name), name.clone()));
    names
}

fn values(training: &Training, name: &str) -> Vec<(f64, f64)> {
    let point = |step: &serde_json::Map<String, serde_json::Value>| {
        Some((step.get("step")?.as_f64()?, step.get(name)?.as_f64()?))
    };
    training.steps.iter().filter_map(point).collect()
}

fn samples(report: &Report) -> String {
    if report.samples.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Samples of the first and the last steps</h2>\n".to_owned();
    let groups = report
        .samples
        .chunk_by(|one, other| (one.step, &one.prompt) == (other.step, &other.prompt));
    for group in groups {
        let head: Vec<String> = group[0]
            .numbers
            .iter()
            .map(|(name, _)| format!("<th class=\"n\">{}</th>", encode_text(name)))
            .collect();
        let mut rows = String::new();
        for sample in group {
            let cells: Vec<String> = sample
                .numbers
                .iter()
                .map(|(_, value)| format!("<td class=\"n\">{}</td>", number(*value)))
                .collect();
            let _ = writeln!(
                rows,
                "<tr><td><pre>{}</pre></td>{}</tr>",
                encode_text(&sample.completion),
                cells.concat()
            );
        }
        let _ = writeln!(
            text,
            "<h3>Step {}</h3>\n<p>{}</p>\n<details><summary>Prompt</summary><pre>{}</pre></details>\n\
             <div class=\"wide\"><table><tr><th>completion</th>{}</tr>\n{rows}</table></div>",
            group[0].step,
            encode_text(&group[0].about),
            encode_text(&group[0].prompt),
            head.concat()
        );
    }
    text
}

fn settings(report: &Report) -> String {
    format!(
        "<h2>Settings</h2>\n<details><summary>run.toml</summary><pre>{}</pre></details>\n",
        encode_text(&report.settings)
    )
}
