//! From what the programs printed to medians, ratios and a table.

use serde_json::{Map, Value, json};

use crate::bench::{Program, machine, median, number};

/// What is kept of each program: the name of a number, and where it stands in what the program prints.
const NUMBERS: [(&str, &[&str]); 10] = [
    ("p50", &["/scores/in_worker/p50", "/scores/p50"]),
    ("p95", &["/scores/in_worker/p95", "/scores/p95"]),
    ("cpu_ms", &["/scores/cpu_ms"]),
    ("page_p50", &["/scores/for_page/p50"]),
    ("page_p95", &["/scores/for_page/p95"]),
    (
        "recommend_p50",
        &["/recommend/in_worker/p50", "/recommend/p50"],
    ),
    (
        "recommend_p95",
        &["/recommend/in_worker/p95", "/recommend/p95"],
    ),
    ("compile_ms", &["/times/0/compile_ms"]),
    ("load_ms", &["/times/0/load_ms", "/load_ms"]),
    ("ready_ms", &["/times/0/ready_ms"]),
];

/// Medians over the rounds, ratios of them, and all that was printed.
pub(super) fn of(programs: &[Program]) -> Value {
    let medians: Map<String, Value> = (programs.iter())
        .map(|program| (program.name.to_owned(), numbers(&program.found)))
        .collect();
    let ratio = |above: &str, below: &str, field: &str| {
        let median = |name: &str| medians.get(name)?[field].as_f64();
        Some(median(above)? / median(below)?)
    };
    let first = |field: &str| {
        let found = (programs.iter()).find_map(|program| program.found.first()?.get(field));
        found.cloned().unwrap_or_default()
    };
    json!({
        "machine": machine(),
        "browser": first("browser"),
        "team": team(programs),
        "webgpu_adapter": (programs.iter()).find_map(|program| program.found.first()?.pointer("/times/0/adapter").cloned()),
        "model": first("model"),
        "items": first("items"),
        "arguments": first("arguments"),
        "ratios": {
            "onnxruntime_web_over_wasm": ratio("onnxruntime_web", "wasm", "p50"),
            "onnxruntime_web_over_wasm_p95": ratio("onnxruntime_web", "wasm", "p95"),
            "onnxruntime_web_over_wasm_cpu": ratio("onnxruntime_web", "wasm", "cpu_ms"),
            "team_over_one": ratio("wasm_team", "wasm", "p50"),
            "team_over_one_p95": ratio("wasm_team", "wasm", "p95"),
            "onnxruntime_web_two_threads_over_team": ratio("onnxruntime_web_two_threads", "wasm_team", "p50"),
            "onnxruntime_web_two_threads_over_team_p95": ratio("onnxruntime_web_two_threads", "wasm_team", "p95"),
        },
        "differences": (programs.iter())
            .filter_map(|program| Some((program.name.to_owned(), largest(&program.found, "difference")?.into())))
            .collect::<Map<_, _>>(),
        "medians": medians,
        "rounds": programs.iter().map(|program| json!({"program": program.name, "found": program.found})).collect::<Vec<_>>(),
    })
}

/// How many workers shared the catalogue, the fewest of a round: helpers that do not pay are not kept.
fn team(programs: &[Program]) -> Option<u64> {
    let team = programs
        .iter()
        .find(|program| program.name == "wasm_team")?;
    let workers = |round: &Value| round.pointer("/times/0/workers")?.as_u64();
    team.found.iter().filter_map(workers).min()
}

/// The medians over the rounds of what stands in [`NUMBERS`].
fn numbers(found: &[Value]) -> Value {
    let one = |(name, places): (&str, &[&str])| {
        let of_round = |round: &Value| {
            let value = places.iter().find_map(|place| round.pointer(place));
            json!({"value": value})
        };
        let rounds: Vec<Value> = found.iter().map(of_round).collect();
        Some((name.to_owned(), median(&rounds, "value")?.into()))
    };
    Value::Object(NUMBERS.into_iter().filter_map(one).collect())
}

fn largest(found: &[Value], field: &str) -> Option<f64> {
    let values = found.iter().filter_map(|one| one[field].as_f64());
    values.max_by(f64::total_cmp)
}

/// What is shown in the terminal.
pub(super) fn table(result: &Value) -> String {
    let mut text = "The whole catalogue for one viewer, milliseconds\n".to_owned();
    text += &format!(
        "  {:<28} {:>8} {:>8} {:>8}   {:>8} {:>8}   {:>8} {:>8}   {:>8}\n",
        "", "median", "95 %", "cpu", "page", "95 %", "list", "95 %", "ready"
    );
    for round in result["rounds"].as_array().into_iter().flatten() {
        let name = round["program"].as_str().unwrap_or_default();
        let of = |field: &str| number(&result["medians"][name][field], 1);
        text += &format!(
            "  {name:<28} {:>8} {:>8} {:>8}   {:>8} {:>8}   {:>8} {:>8}   {:>8}   {}\n",
            of("p50"),
            of("p95"),
            of("cpu_ms"),
            of("page_p50"),
            of("page_p95"),
            of("recommend_p50"),
            of("recommend_p95"),
            of("ready_ms"),
            match result["differences"][name].as_f64() {
                Some(difference) => format!("within {difference:.1e} of the native scores"),
                None => String::new(),
            },
        );
    }
    let ratio = |name: &str| number(&result["ratios"][name], 2);
    text + &format!(
        "  onnxruntime-web / curec in WebAssembly {} (95 %: {}, of the processor: {}); several workers / one {} (95 %: {})",
        ratio("onnxruntime_web_over_wasm"),
        ratio("onnxruntime_web_over_wasm_p95"),
        ratio("onnxruntime_web_over_wasm_cpu"),
        ratio("team_over_one"),
        ratio("team_over_one_p95"),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn program(name: &'static str, found: Vec<Value>) -> Program {
        Program {
            name,
            command: Box::new(|| Command::new("true")),
            found,
        }
    }

    fn browser(p50: f64, p95: f64, difference: f64) -> Value {
        json!({
            "scores": {"in_worker": {"p50": p50, "p95": p95}, "for_page": {"p50": p50 + 1.0, "p95": p95 + 1.0}, "cpu_ms": p50 / 2.0},
            "times": [{"ready_ms": 10.0 * p50}], "difference": difference, "browser": "9",
        })
    }

    #[test]
    fn numbers_are_medians_wherever_a_program_keeps_them() {
        let own = json!({"scores": {"p50": 4.0, "p95": 6.0}, "load_ms": 9.0, "items": 12});
        let wasm = vec![
            browser(30.0, 50.0, 1e-5),
            browser(10.0, 40.0, 3e-5),
            browser(20.0, 90.0, 2e-5),
        ];
        let all = of(&[
            program("native", vec![own]),
            program("wasm", wasm),
            program("onnxruntime_web", vec![browser(50.0, 75.0, 1e-6)]),
        ]);
        assert_eq!(
            all["medians"]["native"],
            json!({"p50": 4.0, "p95": 6.0, "load_ms": 9.0})
        );
        assert_eq!(all["medians"]["wasm"]["p50"], 20.0);
        assert_eq!(all["medians"]["wasm"]["page_p95"], 51.0);
        assert_eq!(all["ratios"]["onnxruntime_web_over_wasm"], 2.5);
        assert_eq!(all["ratios"]["onnxruntime_web_over_wasm_p95"], 1.5);
        assert_eq!(all["ratios"]["onnxruntime_web_over_wasm_cpu"], 2.5);
        assert!(all["ratios"]["team_over_one"].is_null());
        assert_eq!(
            all["differences"],
            json!({"wasm": 3e-5, "onnxruntime_web": 1e-6})
        );
        assert_eq!((&all["browser"], &all["items"]), (&json!("9"), &json!(12)));
        assert!(table(&all).contains("within 3.0e-5"), "{}", table(&all));
    }

    #[test]
    fn without_peers_ours_is_measured_alone() {
        let all = of(&[program("wasm", vec![browser(30.0, 50.0, 0.0)])]);
        assert!(all["ratios"]["onnxruntime_web_over_wasm"].is_null());
        assert!(table(&all).contains("onnxruntime-web / curec in WebAssembly –"));
    }
}
