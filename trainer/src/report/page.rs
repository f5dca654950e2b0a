//! The page around the curves.

use std::fmt::Write as _;

use html_escape::encode_text;

use super::Report;
use super::chart::chart;
use crate::grpo::LOSS_NEAR_ZERO;
use crate::logbook::{Sample, number};

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

pub(super) fn html(report: &Report) -> String {
    let title = report.book.name();
    let title = encode_text(&title);
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
    let mut rows = String::new();
    for record in report.finished() {
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
    if rows.is_empty() {
        return "<p>No stage has finished yet.</p>\n".to_owned();
    }
    format!(
        "<h2>Stages</h2>\n<table><tr><th>stage</th><th class=\"n\">seconds</th><th class=\"n\">MiB at most so far</th></tr>\n{rows}</table>\n"
    )
}

fn curves(report: &Report) -> String {
    let mut text = String::new();
    for log in report.trained() {
        let training = &log.training;
        let names = training.names().into_iter();
        let drawn: Vec<String> = names
            .filter_map(|name| chart(name, training.values(name)))
            .collect();
        let note = if training.by_rewards() {
            format!("<p>{LOSS_NEAR_ZERO}</p>\n")
        } else {
            String::new()
        };
        let warnings: String = log
            .warnings
            .all()
            .iter()
            .map(|(step, text)| {
                format!(
                    "<p class=\"warning\">From step {step}: {}</p>\n",
                    encode_text(text)
                )
            })
            .collect();
        let _ = writeln!(
            text,
            "<h2>Training: {}</h2>\n{warnings}{note}<div class=\"curves\">\n{}</div>",
            log.stage.name(),
            drawn.concat()
        );
    }
    text
}

fn samples(report: &Report) -> String {
    let stages = report.book.stages().iter();
    let samples: Vec<&Sample> = stages.flat_map(|log| log.samples.ends()).collect();
    if samples.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Samples of the first and the last steps</h2>\n".to_owned();
    let groups =
        samples.chunk_by(|one, other| (one.step, &one.prompt) == (other.step, &other.prompt));
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
        encode_text(report.book.settings())
    )
}
