//! Result files as Markdown: what was run, what must be read first, then the table.

use std::fmt::Write;
use std::time::Duration;

use super::baselines::compared;
use super::record::{Alignment, Estimate, FULL, Model, RunResult, Stage};
use crate::step;

/// Name in files → heading of the column.
const COLUMNS: [(&str, &str); 3] = [
    ("recall@10", "Recall@10"),
    ("ndcg@10", "NDCG@10"),
    ("hr@50", "HR@50"),
];
/// The metric that differences are given in.
const COMPARED: &str = "ndcg@10";

/// What every generated block begins with.
pub const NOTE: &str =
    "<!-- Written by `cargo xtask docs` from benches/results: changes made here are lost. -->\n";

/// How models are called here → their names in files.
const OVERVIEW: [(&str, &str); 3] = [
    ("popularity", "popularity"),
    ("IDs only", "ids only"),
    ("full", FULL),
];

/// Every run in a line: how well it ranks.
pub fn overview(runs: &[RunResult]) -> String {
    if runs.is_empty() {
        return "\nNo results have been recorded yet. `cargo xtask docs --collect RUN_DIR NAME --command \"…\"` records a finished run.\n"
            .to_owned();
    }
    let mut text = "\n### Runs\n\nNDCG@10 on each user's held-out last item, ranked against the whole catalogue, one run with one seed each. In brackets: 95 % \
                    bootstrap intervals over users.\n\n| data | users × items | training interactions |"
        .to_owned();
    for (heading, _) in OVERVIEW {
        let _ = write!(text, " {heading} |");
    }
    text.push_str(" full − IDs only |\n|---|---:|---:|");
    text.push_str(&"---:|".repeat(OVERVIEW.len() + 1));
    for run in runs {
        let protocol = &run.results.protocol;
        let _ = write!(
            text,
            "\n| {} | {} × {} | {} |",
            run.name, protocol.users, protocol.items, protocol.training_interactions
        );
        for (_, name) in OVERVIEW {
            let model = run.results.models.iter().find(|model| model.name == name);
            let value = model.and_then(|model| model.metrics.get(COMPARED));
            let _ = write!(
                text,
                " {} |",
                value.map_or("–".to_owned(), |value| value.level(4))
            );
        }
        let gains = run.results.gains(COMPARED);
        let gain = gains.iter().find(|(other, _)| *other == "ids only");
        let _ = write!(
            text,
            " {} |",
            gain.map_or("–".to_owned(), |(_, gain)| gain.change(4))
        );
    }
    text.push('\n');
    text
}

/// Every run with its command, its cost and all of its models.
pub fn runs(runs: &[RunResult]) -> String {
    runs.iter()
        .map(|run| format!("\n{}", section(run)))
        .collect()
}

fn section(run: &RunResult) -> String {
    let protocol = &run.results.protocol;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "### {}\n", run.name);
    let _ = writeln!(text, "`{}`: {}.\n", run.command, cost(run));
    let gains = run.results.gains(COMPARED);
    let not_shown: Vec<String> = gains
        .iter()
        .filter(|(_, gain)| gain.low <= 0.0)
        .map(|(other, _)| format!("`{other}`"))
        .collect();
    if !not_shown.is_empty() {
        let _ = writeln!(
            text,
            "> **Note:** that `{FULL}` ranks better than {} is not shown.\n",
            not_shown.join(" or than ")
        );
    }
    let _ = writeln!(
        text,
        "Full ranking of {} items for {} users ({} event, items taken before are {}, ties count against the model); {} \
         training interactions; seed {}. In brackets: 95 % bootstrap intervals over users.\n",
        protocol.items,
        protocol.users,
        protocol.target,
        protocol.seen_items,
        protocol.training_interactions,
        protocol.seed
    );
    text.push_str(&table(&run.results.models));
    let differences: Vec<String> = gains
        .iter()
        .map(|(other, gain)| format!("{FULL} − {other} {}", gain.change(4)))
        .collect();
    if !differences.is_empty() {
        let differences = differences.join("; ");
        let _ = writeln!(text, "\nPaired differences in NDCG@10: {differences}.");
    }
    for one in &run.against {
        text.push_str(&compared(&one.model, &one.against));
    }
    if let Some(alignment) = &run.alignment {
        let _ = writeln!(text, "\n{}", alignment_line(alignment));
    }
    text
}

fn table(models: &[Model]) -> String {
    let mut text = "| model |".to_owned();
    for (_, heading) in COLUMNS {
        let _ = write!(text, " {heading} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(COLUMNS.len()));
    for model in models {
        let _ = write!(text, "\n| {} |", model.name.replace('|', "\\|"));
        for (name, _) in COLUMNS {
            let value = model
                .metrics
                .get(name)
                .map_or("–".to_owned(), |value| value.level(4));
            let _ = write!(text, " {value} |");
        }
    }
    text.push('\n');
    text
}

fn alignment_line(found: &Alignment) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let Estimate { mean, low, high } = found.gain;
    format!(
        "Alignment, {} questions with {} candidates about users the language model was never trained on, {} to each at \
         temperature 1: format {}, legal {}, correct {} (before GRPO {}, {} and {}; correct {} points [{}, {}]). By \
         the most probable tokens: legal {}, correct {} (before {} and {}).",
        found.questions,
        found.candidates,
        counted(found.samples, "answer"),
        percent(found.after.format),
        percent(found.after.legal),
        percent(found.after.correct),
        percent(found.before.format),
        percent(found.before.legal),
        percent(found.before.correct),
        points(mean),
        points(low),
        points(high),
        percent(found.after.legal_greedy),
        percent(found.after.correct_greedy),
        percent(found.before.legal_greedy),
        percent(found.before.correct_greedy),
    )
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `Some CPU, 2 cores; 9 min 12 s (data 1 s, …); at most 2100 MiB of memory`.
fn cost(run: &RunResult) -> String {
    let time = |seconds: f64| {
        step::seconds(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
    };
    let total: f64 = run.stages.iter().map(|stage| stage.seconds).sum();
    let each: Vec<String> = run
        .stages
        .iter()
        .map(|Stage { stage, seconds, .. }| format!("{stage} {}", time(*seconds)))
        .collect();
    let memory = run
        .stages
        .iter()
        .filter_map(|stage| stage.peak_memory_mib)
        .max()
        .map_or(String::new(), |mib| {
            format!("; at most {mib} MiB of memory")
        });
    format!(
        "{}; {} ({}){memory}",
        run.machine,
        time(total),
        each.join(", ")
    )
}

/// What a GRPO step costs, beside its peers where they were measured.
pub fn speed(bench: &serde_json::Value) -> String {
    let number =
        |path: &str, digits: usize| match bench.pointer(path).and_then(serde_json::Value::as_f64) {
            Some(value) => format!("{value:.digits$}"),
            None => "–".to_owned(),
        };
    let peer = |index: usize| {
        let found = bench.pointer(&format!("/rounds/{index}/found/0/peer"));
        found
            .and_then(serde_json::Value::as_str)
            .unwrap_or("not measured")
    };
    let size =
        |run: usize, name: &str| number(&format!("/rounds/{run}/found/0/arguments/{name}"), 0);
    let processor = bench["machine"]["processor"].as_str();
    format!(
        "\n### Speed of a GRPO step\n\n\
         `cargo xtask bench grpo --peer PYTHON --record` on {} with {} threads{}: Qwen2 with vocabulary {}, width {}, {} blocks, {}/{} heads, \
         feed-forward {}; {} prompts × {} completions, {} + {} tokens, one optimiser step on all weights, float32, {} threads. Medians of \
         programs run in turns.\n\n\
         | | seconds a step | MiB at most |\n|---|---|---|\n\
         | curec | {} | {} |\n| {} | {} | {} |\n\n\
         Of curec's step sampling is {} s, the forward pass {} s, the backward pass {} s, the optimiser {} s. Without shared prompts ({} of \
         one completion each) it trains {} completion tokens a second; {} {}.\n",
        processor.unwrap_or("this processor").trim(),
        number("/machine/threads", 0),
        sources(bench),
        size(0, "vocabulary"),
        size(0, "hidden"),
        size(0, "layers"),
        size(0, "heads"),
        size(0, "kv_heads"),
        size(0, "intermediate"),
        size(0, "prompts"),
        size(0, "completions"),
        size(0, "prompt_tokens"),
        size(0, "new_tokens"),
        size(0, "threads"),
        number("/medians/curec/step", 2),
        number("/medians/curec/peak_memory_mib", 0),
        peer(2),
        number("/medians/trl/step", 2),
        number("/medians/trl/peak_memory_mib", 0),
        number("/medians/curec/sampling", 2),
        number("/medians/curec/forward", 2),
        number("/medians/curec/backward", 2),
        number("/medians/curec/optimizer", 3),
        size(1, "prompts"),
        number("/medians/curec_unshared/trained_per_second", 0),
        peer(3),
        number("/medians/pytorch/trained_per_second", 0),
    )
}

/// Of which sources, and what else the machine was doing; nothing where an older file does not say.
fn sources(bench: &serde_json::Value) -> String {
    let commit = bench["commit"].as_str();
    let load = bench["load_average"].as_str();
    commit.map_or_else(String::new, |commit| {
        format!(", commit {commit}; load average {}", load.unwrap_or("–"))
    })
}

/// How fast a SASRec with cross-entropy over the whole catalogue trains, beside a plain PyTorch one.
pub fn sasrec_speed(bench: &serde_json::Value) -> String {
    let number =
        |path: &str, digits: usize| match bench.pointer(path).and_then(serde_json::Value::as_f64) {
            Some(value) => format!("{value:.digits$}"),
            None => "–".to_owned(),
        };
    let size = |name: &str| number(&format!("/rounds/0/found/0/arguments/{name}"), 0);
    let row = |name: &str, key: &str| {
        let of = |field: &str, digits: usize| number(&format!("/medians/{key}/{field}"), digits);
        format!(
            "| {name} | {} | {} | {} |\n",
            of("targets_per_second", 0),
            of("epoch_seconds", 1),
            of("peak_memory_mib", 0),
        )
    };
    let torch = bench.pointer("/rounds/1/found/0/torch");
    let torch = torch.and_then(serde_json::Value::as_str);
    let torch = torch.map_or("PyTorch".to_owned(), |version| format!("PyTorch {version}"));
    format!(
        "\n### Speed of training SASRec\n\n`cargo xtask bench sasrec --data FOLDER --peer PYTHON --record` on {} with {} threads{}: {} users, {} \
         items, cross-entropy over the whole catalogue, width {}, {} layers, {} heads, length {}, {} histories a step. Medians of programs run in \
         turns.\n\n| | targets a second | seconds an epoch | MiB at most |\n|---|---:|---:|---:|\n{}{}{}\nThat is {} times the speed of plain \
         PyTorch, and {} times that of PyTorch which forms no logits of padding.\n",
        bench["machine"]["processor"]
            .as_str()
            .unwrap_or("this processor")
            .trim(),
        number("/machine/threads", 0),
        sources(bench),
        number("/rounds/0/found/0/users", 0),
        number("/rounds/0/found/0/items", 0),
        size("width"),
        size("layers"),
        size("heads"),
        size("length"),
        size("batch"),
        row("curec", "curec"),
        row(&torch, "pytorch"),
        row(
            &format!("{torch}, logits of real positions only"),
            "pytorch_select"
        ),
        number("/ratios/curec_over_pytorch", 2),
        number("/ratios/curec_over_pytorch_select", 2),
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn run() -> RunResult {
        serde_json::from_str(sample::FILE).expect("the made-up file is whole")
    }

    #[test]
    fn a_run_reads_from_top_to_bottom() {
        assert_eq!(runs(&[run()]), sample::BLOCK);
    }

    #[test]
    fn a_run_is_a_line_of_the_overview() {
        let text = overview(&[run()]);
        let line =
            "| toy | 40 × 80 | 1200 | 0.0200 [0.0100, 0.0300] | – | 0.1200 [0.0600, 0.1800] | – |";
        assert!(text.contains(line), "{text}");
        assert!(overview(&[]).contains("No results have been recorded yet"));
    }

    #[test]
    fn the_speed_of_a_step_is_what_was_measured_at_the_sizes_it_was_measured_at() {
        let own = |prompts: u32| {
            let arguments = serde_json::json!({"prompts": prompts, "layers": 9, "threads": 3});
            serde_json::json!({"found": [{"arguments": arguments}]})
        };
        let mut bench = serde_json::json!({
            "machine": {"processor": " Z80 ", "threads": 1},
            "medians": {"curec": {"step": 1.234, "peak_memory_mib": 77}},
            "rounds": [own(5), own(40)],
        });
        assert!(!speed(&bench).contains("commit"));
        bench["commit"] = "abc".into();
        bench["load_average"] = "1 2 3".into();
        let alone = speed(&bench);
        for words in [
            "Z80 with 1 threads, commit abc; load average 1 2 3: Qwen2",
            "9 blocks",
            "5 prompts",
            "3 threads",
            "(40 of one",
        ] {
            assert!(alone.contains(words), "{words}: {alone}");
        }
        assert!(
            alone.contains("| curec | 1.23 | 77 |") && alone.contains("| not measured | – | – |")
        );
        bench["medians"]["trl"] = serde_json::json!({"step": 9.0, "peak_memory_mib": 500});
        let peers =
            serde_json::json!([{"found": [{"peer": "TRL 1"}]}, {"found": [{"peer": "PyTorch 2"}]}]);
        bench["rounds"] = serde_json::json!([own(5), own(40), peers[0], peers[1]]);
        let both = speed(&bench);
        assert!(
            both.contains("| TRL 1 | 9.00 | 500 |") && both.contains("PyTorch 2"),
            "{both}"
        );
    }

    #[test]
    fn without_alignment_or_memory_nothing_is_claimed() {
        let mut run = run();
        run.alignment = None;
        run.stages
            .iter_mut()
            .for_each(|stage| stage.peak_memory_mib = None);
        let text = runs(&[run]);
        assert!(
            !text.contains("Alignment") && !text.contains("memory"),
            "{text}"
        );
    }

    #[test]
    fn a_metric_that_was_not_measured_is_a_dash() {
        let mut run = run();
        run.results.models[0].metrics.remove("hr@50");
        let text = runs(&[run]);
        assert!(
            text.contains("| popularity | 0.0500 [0.0250, 0.0750] | 0.0200 [0.0100, 0.0300] | – |"),
            "{text}"
        );
    }
}
