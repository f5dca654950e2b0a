//! How fast a catalogue is scored: what `cargo xtask bench scorer` measured, as Markdown.

use serde_json::Value;

/// Programs in the order of the table: their key in the file, and their name; `{}` takes what stands at that place of the file.
const ROWS: [(&str, &str, &str); 7] = [
    ("wasm", "curec, WebAssembly in Chromium, one worker", ""),
    (
        "wasm_team",
        "the same with {} workers sharing the catalogue, as the page does",
        "/team",
    ),
    (
        "onnxruntime_web",
        "onnxruntime-web {} there, WebAssembly with SIMD, one thread",
        "/peers/onnxruntime_web",
    ),
    (
        "onnxruntime_web_two_threads",
        "onnxruntime-web with two threads, which only a page isolated from all others may use",
        "",
    ),
    (
        "webgpu",
        "curec, WebGPU in Chromium ({})",
        "/webgpu_adapter",
    ),
    ("native", "curec, native, one thread", ""),
    (
        "onnxruntime_native",
        "onnxruntime {}, native, one thread",
        "/peers/onnxruntime",
    ),
];

/// The section of README.
pub fn section(bench: &Value) -> String {
    let number = |path: &str, digits: usize| match bench.pointer(path).and_then(Value::as_f64) {
        Some(value) => format!("{value:.digits$}"),
        None => "–".to_owned(),
    };
    let text = |path: &str| bench.pointer(path).and_then(Value::as_str);
    let row = |(key, name, place): (&str, &str, &str)| {
        bench.pointer(&format!("/medians/{key}"))?;
        // Where helpers did not pay there was one worker, and it has its row.
        if key == "wasm_team" && bench["team"].as_u64().is_none_or(|workers| workers < 2) {
            return None;
        }
        let of = |field: &str, digits| number(&format!("/medians/{key}/{field}"), digits);
        let known = match bench.pointer(place) {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(count)) => count.to_string(),
            _ => String::new(),
        };
        Some(format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            name.replace("{}", &known),
            of("p50", 1),
            of("p95", 1),
            of("cpu_ms", 1),
            of("recommend_p50", 1),
            of("recommend_p95", 1),
            of("ready_ms", 0),
        ))
    };
    let size = |name: &str| number(&format!("/model/{name}"), 0);
    let rows: String = ROWS.into_iter().filter_map(row).collect();
    format!(
        "\n### Speed of scoring a catalogue\n\n`cargo xtask bench scorer --peer PYTHON --record` on {} with {} threads, Chromium {}, commit {}; load \
         average {}: {} items with {} reasons each, histories of {} events, width {}, random weights; milliseconds for one viewer, {} of them \
         a round. Medians over {} rounds of programs run in turns; *of the processor* is what a busy machine changes least.{}\n\n\
         | | every score, median | 95 % within | of the processor | and the best {}, explained: median | 95 % within | ready after |\n\
         |---|---:|---:|---:|---:|---:|---:|\n{rows}{}",
        text("/machine/processor")
            .unwrap_or("this processor")
            .trim(),
        number("/machine/threads", 0),
        text("/browser").unwrap_or("–"),
        text("/commit").unwrap_or("–"),
        text("/load_average").unwrap_or("–"),
        number("/items", 0),
        size("reasons"),
        size("max_history"),
        size("width"),
        number("/arguments/calls", 0),
        bench
            .pointer("/rounds/0/found")
            .and_then(Value::as_array)
            .map_or(0, Vec::len),
        busy(bench),
        number("/arguments/count", 0),
        beside_peer(bench, &number),
    )
}

/// What has to be said where more programs wanted a processor than there are.
fn busy(bench: &Value) -> &'static str {
    let load = bench["load_average"].as_str();
    let load = load.and_then(|load| load.split_whitespace().next()?.parse::<f64>().ok());
    match load.zip(bench["machine"]["threads"].as_f64()) {
        Some((load, threads)) if load > 1.5 * threads => {
            " **The machine was busy with other work**: by the clock everything took longer than it does alone."
        }
        _ => "",
    }
}

fn beside_peer(bench: &Value, number: &dyn Fn(&str, usize) -> String) -> String {
    if bench.pointer("/medians/onnxruntime_web").is_none() {
        return "\nonnxruntime-web was not measured.\n".to_owned();
    }
    let differences = bench["differences"].as_object();
    let most = (differences.into_iter().flatten())
        .filter_map(|(_, difference)| difference.as_f64())
        .fold(0.0, f64::max);
    format!(
        "\nWith one thread each, onnxruntime-web takes {} times as long as curec's WebAssembly (95 %: {}, of the processor: {}), for the scores alone; curec's keep what carried each of them.{} \
         It gets the same model as a graph written for it (`benches/peers/scorer/export.py`). The largest difference of any program's \
         scores from the native ones is {most:.1e}.\n",
        number("/ratios/onnxruntime_web_over_wasm", 2),
        number("/ratios/onnxruntime_web_over_wasm_p95", 2),
        number("/ratios/onnxruntime_web_over_wasm_cpu", 2),
        with_two_threads(bench),
    )
}

/// curec's workers share no memory, so any page may have them.
fn with_two_threads(bench: &Value) -> String {
    let median =
        |key: &str, field: &str| bench.pointer(&format!("/medians/{key}/{field}"))?.as_f64();
    let workers = bench["team"].as_u64().filter(|workers| *workers > 1);
    let ours =
        |field| Some(median("onnxruntime_web_two_threads", field)? / median("wasm_team", field)?);
    match (workers, ours("p50"), ours("p95")) {
        (Some(workers), Some(usual), Some(slow)) => format!(
            " With two threads it takes {usual:.2} times as long as curec's {workers} workers (95 %: {slow:.2}).",
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn alone() -> Value {
        json!({
            "machine": {"processor": " Z80 ", "threads": 1}, "browser": "9.1", "commit": "abc", "load_average": "0.1 0.2 0.3",
            "items": 12, "model": {"reasons": 3, "max_history": 5, "width": 4}, "arguments": {"calls": 60, "count": 10},
            "peers": null, "ratios": {}, "differences": {"wasm": 4e-7},
            "medians": {"wasm": {"p50": 41.26, "p95": 44.0, "cpu_ms": 40.0, "recommend_p50": 43.0, "recommend_p95": 46.0, "ready_ms": 321.4},
                        "native": {"p50": 12.0, "p95": 13.0}},
            "rounds": [{"program": "native", "found": [{}, {}]}],
        })
    }

    #[test]
    fn without_peers_no_ratio_is_claimed() {
        let text = section(&alone());
        for words in [
            "Z80 with 1 threads, Chromium 9.1, commit abc",
            "12 items with 3 reasons each, histories of 5 events, width 4",
            "60 of them",
            "Medians over 2 rounds",
            "| curec, WebAssembly in Chromium, one worker | 41.3 | 44.0 | 40.0 | 43.0 | 46.0 | 321 |",
            "| curec, native, one thread | 12.0 | 13.0 | – | – | – | – |",
            "onnxruntime-web was not measured",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        for words in ["times as long", "sharing", "busy with"] {
            assert!(!text.contains(words), "{words}: {text}");
        }
        let mut busy = alone();
        busy["load_average"] = "9.5 1.0 1.0".into();
        assert!(section(&busy).contains("busy with other work"));
    }

    #[test]
    fn peers_stand_beside_with_their_versions() {
        let mut bench = alone();
        bench["peers"] = json!({"onnxruntime_web": "1.2.3"});
        bench["medians"]["onnxruntime_web"] = json!({"p50": 82.5, "p95": 99.0, "ready_ms": 900});
        bench["medians"]["wasm"]["page_p50"] = 42.0.into();
        bench["medians"]["onnxruntime_web_two_threads"] = json!({"p50": 30.945});
        bench["medians"]["wasm_team"] = json!({"p50": 20.63, "p95": 25.0});
        bench["medians"]["onnxruntime_web_two_threads"]["p95"] = 30.0.into();
        bench["team"] = 2.into();
        bench["ratios"] = json!({"onnxruntime_web_over_wasm": 2.0, "onnxruntime_web_over_wasm_p95": 2.25, "onnxruntime_web_over_wasm_cpu": 2.5});
        let text = section(&bench);
        for words in [
            "| onnxruntime-web 1.2.3 there, WebAssembly with SIMD, one thread | 82.5 | 99.0 | – | – | – | 900 |",
            "With one thread each, onnxruntime-web takes 2.00 times as long as curec's WebAssembly (95 %: 2.25, of the processor: 2.50)",
            "| the same with 2 workers sharing the catalogue, as the page does | 20.6 | 25.0 |",
            "With two threads it takes 1.50 times as long as curec's 2 workers (95 %: 1.20)",
            "from the native ones is 4.0e-7",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
