//! The subcommands against Hugging Face transformers' values in `../shared/fixtures/qwen2`.

use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    llm: LlmArgs,
}

fn parse(words: &[&str]) -> LlmCommand {
    let words = std::iter::once("llm").chain(words.iter().copied());
    Command::try_parse_from(words).unwrap().llm.command
}

/// What a command writes.
fn output(words: &[&str]) -> anyhow::Result<String> {
    let mut out = Vec::new();
    match parse(words) {
        LlmCommand::Score(args) => score_lines(&args, &mut out),
        LlmCommand::Generate(args) => generate_lines(&args, &mut out),
        LlmCommand::Info(args) => info::print(&args, &mut out),
        LlmCommand::Merge(args) => merge::run(&args),
    }?;
    Ok(String::from_utf8(out).unwrap())
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The folder of fixtures, or nothing on a machine that has none.
fn fixtures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/qwen2");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no ../shared");
    None
}

/// (model folder, adapter folder, folder of expected.json) of every fixture.
fn models(fixtures: &Path) -> Vec<(PathBuf, Option<PathBuf>, PathBuf)> {
    let tied = fixtures.join("tied-f32");
    let untied = fixtures.join("untied-bf16-sharded");
    let lora = fixtures.join("lora-on-tied-f32");
    vec![
        (tied.clone(), None, tied.clone()),
        (untied.clone(), None, untied),
        (tied, Some(lora.clone()), lora),
    ]
}

fn expected(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap()
}

/// The rows of `expected.json` without their padding.
fn rows(expected: &Value) -> Vec<Vec<u64>> {
    let ids = expected["input_ids"].as_array().unwrap();
    let masks = expected["attention_mask"].as_array().unwrap();
    let row = |(ids, mask): (&Value, &Value)| {
        let pairs = ids.as_array().unwrap().iter().zip(mask.as_array().unwrap());
        pairs
            .filter(|(_, open)| open.as_u64() == Some(1))
            .map(|(id, _)| id.as_u64().unwrap())
            .collect()
    };
    ids.iter().zip(masks).map(row).collect()
}

fn input_file(lines: &[Value]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file
}

fn text_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_model<'a>(
    command: &'a str,
    model: &'a Path,
    adapter: Option<&'a Path>,
    input: &'a Path,
) -> Vec<&'a str> {
    let mut words = vec![command, "--model", model.to_str().unwrap()];
    words.extend(["--device", "cpu", "--input", input.to_str().unwrap()]);
    if let Some(adapter) = adapter {
        words.extend(["--adapter", adapter.to_str().unwrap()]);
    }
    words
}

fn close(found: &Value, expected: &Value, tolerance: f64, what: &str) {
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}: {found} against {expected}"
        );
    }
}

#[test]
fn the_interface_is_consistent() {
    Command::command().debug_assert();
}

#[test]
fn impossible_settings_are_refused() {
    for words in [
        &["--greedy", "--temperature", "0.5"][..],
        &["--greedy", "--seed", "1"],
        &["--temperature", "-1"],
        &["--temperature", "nan"],
        &["--top-p", "0"],
        &["--top-p", "1.5"],
        &["--max-new-tokens", "0"],
        &["--device", "abacus"],
    ] {
        let all = ["llm", "generate", "--model", "m", "--input", "-"]
            .iter()
            .chain(words);
        assert!(Command::try_parse_from(all).is_err(), "{words:?}");
    }
}

#[test]
fn scores_equal_transformers() {
    let Some(fixtures) = fixtures() else { return };
    for (model, adapter, folder) in models(&fixtures) {
        let expected = expected(&folder);
        let rows = rows(&expected);
        let lines: Vec<Value> = rows.iter().map(|ids| json!({ "ids": ids })).collect();
        let input = input_file(&lines);
        let words = with_model("score", &model, adapter.as_deref(), input.path());
        let found = json_lines(&output(&words).unwrap());
        assert_eq!(found.len(), rows.len());
        for (index, (found, ids)) in found.iter().zip(&rows).enumerate() {
            assert_eq!(found["ids"], json!(ids));
            let logprobs = found["logprobs"].as_array().unwrap();
            assert!(logprobs[0].is_null());
            let known = expected["token_logprobs"][index].as_array().unwrap();
            let known: Vec<&Value> = known.iter().filter(|value| !value.is_null()).collect();
            close(&json!(logprobs[1..]), &json!(known), 1e-3, "logprobs");
            close(
                &found["mean_hidden"],
                &expected["mean_hidden"][index],
                1e-4,
                "mean_hidden",
            );
            assert_eq!(found["argmax"], expected["greedy"][index][0]);
        }
    }
}

#[test]
fn greedy_continuations_equal_transformers() {
    let Some(fixtures) = fixtures() else { return };
    for (model, adapter, folder) in models(&fixtures) {
        let expected = expected(&folder);
        let lines: Vec<Value> = rows(&expected)
            .iter()
            .map(|ids| json!({ "ids": ids }))
            .collect();
        let input = input_file(&lines);
        for batch in ["1", "16"] {
            let mut words = with_model("generate", &model, adapter.as_deref(), input.path());
            words.extend([
                "--max-new-tokens",
                "16",
                "--greedy",
                "--ignore-eos",
                "--batch-size",
                batch,
            ]);
            let found = json_lines(&output(&words).unwrap());
            let ids: Vec<&Value> = found.iter().map(|line| &line["ids"]).collect();
            assert_eq!(json!(ids), expected["greedy"]);
            assert!(found.iter().all(|line| line["text"].is_null()));
        }
    }
}

#[test]
fn draws_depend_on_the_seed_and_stop_at_the_token_of_the_configuration() {
    let Some(fixtures) = fixtures() else { return };
    let model = fixtures.join("tied-f32");
    let lines: Vec<Value> = (0..8)
        .map(|first| json!({ "ids": [first + 3, 5] }))
        .collect();
    let input = input_file(&lines);
    let draw = |seed: &str, rest: &[&str]| {
        let mut words = with_model("generate", &model, None, input.path());
        words.extend([
            "--max-new-tokens",
            "400",
            "--temperature",
            "3",
            "--seed",
            seed,
        ]);
        words.extend(rest);
        json_lines(&output(&words).unwrap())
    };
    let first = draw("1", &[]);
    assert_eq!(first, draw("1", &["--batch-size", "3"]));
    assert_ne!(first, draw("2", &[]));
    // At this temperature the 512 tokens are near uniform: 8 · 400 draws meet eos_token_id 2 with probability 0.998.
    let ends = |line: &Value| line["ids"].as_array().unwrap().last() == Some(&json!(2));
    assert!(
        first.iter().any(ends),
        "no continuation reached the stop token"
    );
    for line in &first {
        let ids = line["ids"].as_array().unwrap();
        assert!(!ids[..ids.len() - 1].contains(&json!(2)));
        assert!(ends(line) || ids.len() == 400);
    }
}

#[test]
fn a_continuation_longer_than_the_model_can_read_is_refused() {
    let Some(fixtures) = fixtures() else { return };
    let model = fixtures.join("tied-f32"); // max_position_embeddings 512
    let refused = |lines: &str, new: &str| {
        let input = text_file(lines);
        let mut words = with_model("generate", &model, None, input.path());
        words.extend(["--greedy", "--max-new-tokens", new]);
        let error = format!("{:#}", output(&words).unwrap_err());
        let place = format!("{}:3: ", input.path().display());
        assert!(error.starts_with(&place), "{error}");
        error
    };
    let short = "{\"ids\": [3]}\n\n{\"ids\": [3, 4]}\n";
    let error = refused(short, "511");
    let words = "2 tokens and 511 new ones are more than the 512";
    assert!(error.contains(words), "{error}");
    assert!(error.contains("--max-new-tokens to 510"), "{error}");
    assert!(check_length(2, usize::MAX, 512).is_err(), "no overflow");
    let full = json!({ "ids": vec![3; 512] });
    let error = refused(&format!("{{\"ids\": [3]}}\n\n{full}\n"), "1");
    assert!(error.contains("shorten the line"), "{error}");

    let input = text_file(short);
    let mut words = with_model("generate", &model, None, input.path());
    words.extend(["--greedy", "--ignore-eos", "--max-new-tokens", "510"]);
    let found = json_lines(&output(&words).unwrap());
    assert_eq!(found[1]["ids"].as_array().unwrap().len(), 510);
}

#[test]
fn a_bad_line_is_named_with_file_and_number() {
    let Some(fixtures) = fixtures() else { return };
    let model = fixtures.join("tied-f32");
    for (line, words) in [
        ("{\"ids\": [1, 2", "expected {\"ids\""),
        ("{\"ids\": [1, -2]}", "expected {\"ids\""),
        ("{\"ids\": []}", "has no tokens"),
        (
            "{\"ids\": [512]}",
            "token 512 is outside the model's vocabulary of 512",
        ),
        ("{\"ids\": [1], \"text\": \"a\"}", "both"),
        ("{\"txt\": \"a\"}", "neither"),
        ("{\"text\": \"a\"}", "tokenizer.json, which is not there"),
        ("\"a\"", "expected"),
    ] {
        let input = text_file(&format!("{{\"ids\": [1]}}\n\n{line}\n"));
        for command in ["score", "generate"] {
            let words_ = with_model(command, &model, None, input.path());
            let error = format!("{:#}", output(&words_).unwrap_err());
            let place = format!("{}:3: ", input.path().display());
            assert!(error.starts_with(&place), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
    let missing = with_model("score", &model, None, Path::new("no/such.jsonl"));
    let error = format!("{:#}", output(&missing).unwrap_err());
    assert!(error.contains("no/such.jsonl"), "{error}");
}

#[test]
fn info_counts_what_the_files_hold() {
    let Some(fixtures) = fixtures() else { return };
    for (name, dtype, tied, files) in [
        ("tied-f32", "F32", true, 1),
        ("untied-bf16-sharded", "BF16", false, 6),
    ] {
        let folder = fixtures.join(name);
        let words = ["info", "--json", "--model", folder.to_str().unwrap()];
        let info: Value = serde_json::from_str(&output(&words).unwrap()).unwrap();
        assert_eq!(info["tied"], tied);
        assert_eq!(info["files"].as_object().unwrap().len(), files);
        assert_eq!(info["eos"], json!([2]));
        assert_eq!(info["note"], Value::Null);
        // Counted from the files, independently of the formula behind `parameters`.
        assert_eq!(info["dtypes"][dtype], info["parameters"]);
        let table = output(
            &words[..1]
                .iter()
                .chain(&words[2..])
                .copied()
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let rank = crate::config::LlmConfig::default().lora_rank;
        let lora = format!("LoRA rank {rank} ");
        assert!(table.contains(dtype) && table.contains(&lora), "{table}");
    }
    let folder = fixtures.join("tied-f32");
    let words = ["info", "--json", "--model", folder.to_str().unwrap()];
    let info: Value = serde_json::from_str(&output(&words).unwrap()).unwrap();
    // Width 64, 2 of 4 heads of 16 for keys and values: 32; 3 layers; 4 bytes.
    assert_eq!(
        info["memory"]["kv_cache_per_1000_tokens"],
        1000 * 3 * 2 * 32 * 4
    );
    // rank · 3 · (q 128 + k 96 + v 96 + o 128 + gate 224 + up 224 + down 224).
    let rank = crate::config::LlmConfig::default().lora_rank;
    assert_eq!(info["memory"]["lora_rank"], rank);
    assert_eq!(info["memory"]["lora_parameters"], rank * 3 * 1120);
    let asked = output(&[&words[..], &["--lora-rank", "8"]].concat()).unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["memory"]["lora_parameters"], 8 * 3 * 1120);
    for rank in ["0", "-1", "99999999999"] {
        let words = ["llm", "info", "--model", "m", "--lora-rank", rank];
        assert!(Command::try_parse_from(words).is_err(), "{rank}");
    }
}

#[test]
fn a_cut_file_is_recognised_by_its_header() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = fixtures.join("tied-f32");
    std::fs::copy(
        source.join("config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    let bytes = std::fs::read(source.join("model.safetensors")).unwrap();
    for (kept, words) in [
        (bytes.len() - 4, "incomplete"),
        (100, "header"),
        (3, "too short"),
    ] {
        std::fs::write(folder.path().join("model.safetensors"), &bytes[..kept]).unwrap();
        let words_ = ["info", "--model", folder.path().to_str().unwrap()];
        let error = format!("{:#}", output(&words_).unwrap_err());
        assert!(
            error.contains("model.safetensors") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn a_merged_folder_says_what_base_and_adapter_say() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (base, adapter) = (fixtures.join("tied-f32"), fixtures.join("lora-on-tied-f32"));
    let out = folder.path().join("merged");
    let [base, adapter, out] = [&base, &adapter, &out].map(|path| path.to_str().unwrap());
    output(&["merge", "--model", base, "--adapter", adapter, "--out", out]).unwrap();
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "{\"ids\": [3, 1, 4, 1, 5, 9, 2, 6]}\n").unwrap();
    let score = |more: &[&str]| {
        let words = [&["score", "--input", input.to_str().unwrap()], more].concat();
        json_lines(&output(&words).unwrap()).remove(0)
    };
    let merged = score(&["--model", out]);
    let apart = score(&["--model", base, "--adapter", adapter]);
    let plain = score(&["--model", base]);
    let values = |line: &Value| -> Vec<f64> {
        let values = line["logprobs"].as_array().unwrap();
        values[1..]
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect()
    };
    let gap = |one: &Value, other: &Value| {
        let pairs = values(one).into_iter().zip(values(other));
        pairs
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f64::max)
    };
    assert!(gap(&merged, &apart) < 1e-4, "{}", gap(&merged, &apart));
    assert!(
        gap(&plain, &apart) > 1e-2,
        "the adapter of the fixture does something"
    );
    let again = output(&["merge", "--model", base, "--adapter", adapter, "--out", out]);
    assert!(again.unwrap_err().to_string().contains("not empty"));
}
