//! `--model hf:OWNER/NAME` against a server on this machine that speaks as the Hugging Face hub does.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use curec::llm::{LanguageModel, train_tokenizer};
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};
use curec_tests::curec;
use tiny_http::{Header, Request, Response, Server};

/// A model folder of a few thousand weights, with a template and the trap of a `generation_config.json`.
fn model_folder(folder: &Path) {
    let corpus = ["Heat (1995) is a film.", "Toy Story (1995) is another."];
    let corpus = corpus
        .iter()
        .cycle()
        .take(20)
        .map(|text| (*text).to_owned());
    let tokenizer = train_tokenizer(corpus, 320).unwrap();
    let config = Qwen2Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        tie_word_embeddings: true,
        max_position_embeddings: 256,
    };
    let device = Device::flex();
    device.seed(2);
    let model = Qwen2::init(&config, &device);
    LanguageModel { model, tokenizer }.save(folder).unwrap();
}

/// What a hub holds, and what it was asked for.
struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    /// Serves `tests/tiny` from a folder; the weights are cut off `cuts` times in the middle.
    fn start(folder: &Path, cuts: usize) -> Self {
        let server = Server::http("127.0.0.1:0").unwrap();
        let address = format!("http://{}", server.server_addr().to_ip().unwrap());
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut cuts = cuts;
            for request in server.incoming_requests() {
                answer(request, &files, &log, &mut cuts);
            }
        });
        Self { address, asked }
    }

    fn curec(&self, home: &Path, arguments: &[&str]) -> Output {
        ask(&self.address, home, arguments).output().unwrap()
    }
}

fn ask(address: &str, home: &Path, arguments: &[&str]) -> Command {
    let mut command = curec();
    command
        .args(arguments)
        .env("HF_ENDPOINT", address)
        .env("HF_HOME", home)
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_OFFLINE");
    command
}

fn answer(
    request: Request,
    files: &BTreeMap<String, Vec<u8>>,
    log: &Mutex<Vec<String>>,
    cuts: &mut usize,
) {
    let header = |name: &str| {
        let found = request
            .headers()
            .iter()
            .find(|one| one.field.equiv(name_of(name)));
        found.map(|one| one.value.to_string())
    };
    let range = header("range").unwrap_or_default();
    log.lock().unwrap().push(format!(
        "{} {range} {}",
        request.url(),
        header("authorization").unwrap_or_default()
    ));
    let name = request.url().strip_prefix("/tests/tiny/resolve/main/");
    let Some((name, bytes)) = name.and_then(|name| files.get_key_value(name)) else {
        let _ = request.respond(Response::from_string("not found").with_status_code(404));
        return;
    };
    let span = range.strip_prefix("bytes=").unwrap_or("0-");
    let (first, last) = span.split_once('-').unwrap();
    let first: usize = first.parse().unwrap();
    let last = last.parse().map_or(bytes.len(), |last: usize| last + 1);
    let mut part = bytes[first.min(last)..last].to_vec();
    let whole = part.len();
    if name == "model.safetensors" && whole > 1 && *cuts > 0 {
        *cuts -= 1;
        part.truncate(whole / 2);
    }
    let headers = [
        ("etag", format!("\"etag-of-{}\"", name.replace('.', "-"))),
        ("x-repo-commit", "c0ffee".to_owned()),
        (
            "content-range",
            format!("bytes {first}-{}/{}", last.saturating_sub(1), bytes.len()),
        ),
    ];
    // A length that promises more than comes: the connection breaks off.
    let mut response = Response::new(
        tiny_http::StatusCode(206),
        Vec::new(),
        std::io::Cursor::new(part),
        Some(whole),
        None,
    );
    for (name, value) in headers {
        response.add_header(Header::from_bytes(name, value).unwrap());
    }
    let _ = request.respond(response);
}

fn name_of(name: &str) -> &'static str {
    match name {
        "range" => "Range",
        _ => "Authorization",
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a model and room for a cache.
fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (model, home) = (folder.path().join("model"), folder.path().join("home"));
    model_folder(&model);
    (folder, model, home)
}

/// What was printed, without the memory that is free just now.
fn lasting(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("free here now"));
    lines.collect::<Vec<_>>().join("\n")
}

const INFO: [&str; 4] = ["llm", "info", "--model", "hf:tests/tiny"];

#[test]
fn a_model_of_the_hub_is_fetched_once_and_then_needs_no_hub() {
    let (_folder, model, home) = place();
    std::fs::write(model.join("generation_config.json"), r#"{"top_k": 1}"#).unwrap();
    let hub = Hub::start(&model, 0);
    let first = hub.curec(&home, &INFO);
    assert!(first.status.success(), "{}", said(&first));
    assert!(String::from_utf8_lossy(&first.stdout).contains("Qwen2ForCausalLM"));
    let asked = hub.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|one| one.contains("tokenizer.json")));
    assert!(
        !asked.iter().any(|one| one.contains("generation_config")),
        "{asked:?}"
    );

    let again = hub.curec(&home, &INFO);
    assert_eq!(lasting(&first), lasting(&again));
    // Only what the model does not have is looked for again.
    let more = hub.asked.lock().unwrap()[asked.len()..].to_vec();
    assert!(
        !more.iter().any(|one| one.contains("model.safetensors ")),
        "{more:?}"
    );

    let offline = ask("http://127.0.0.1:9", &home, &INFO)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert_eq!(lasting(&offline), lasting(&first), "{}", said(&offline));
    // Nor does a hub that cannot be reached matter.
    let alone = ask("http://127.0.0.1:9", &home, &INFO).output().unwrap();
    assert_eq!(lasting(&alone), lasting(&first), "{}", said(&alone));
}

#[test]
fn a_broken_download_is_told_and_goes_on_where_it_stopped() {
    let (_folder, model, home) = place();
    let hub = Hub::start(&model, 1);
    let broken = hub.curec(&home, &INFO);
    assert_eq!(broken.status.code(), Some(1), "{}", said(&broken));
    assert!(
        said(&broken).contains("cannot fetch model.safetensors"),
        "{}",
        said(&broken)
    );
    assert!(said(&broken).contains("goes on from there"));
    let mended = hub.curec(&home, &INFO);
    assert!(mended.status.success(), "{}", said(&mended));
    let size = std::fs::metadata(model.join("model.safetensors"))
        .unwrap()
        .len();
    let half = format!("bytes={}-", size / 2);
    let asked = hub.asked.lock().unwrap();
    assert!(
        asked.iter().any(|one| one.contains(&half)),
        "{half} of {asked:?}"
    );
}

#[test]
fn what_cannot_be_fetched_is_said_in_one_message() {
    let (_folder, model, home) = place();
    let hub = Hub::start(&model, 0);
    let refused = |output: Output, words: &[&str]| {
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!text.contains("panicked"), "{text}");
    };
    let other = hub.curec(&home, &["llm", "info", "--model", "hf:tests/other"]);
    refused(other, &["no config.json in hf:tests/other", "HF_TOKEN"]);
    let nowhere = ask("http://127.0.0.1:9", &home, &INFO).output().unwrap();
    refused(nowhere, &["cannot fetch config.json", "--model DIR"]);
    let offline = ask(&hub.address, &home, &INFO)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    refused(offline, &["not in the cache", "HF_HUB_OFFLINE"]);
    let named = hub.curec(&home, &["llm", "info", "--model", "hf:tiny"]);
    refused(named, &["hf:Qwen/Qwen2.5-0.5B-Instruct"]);
}

#[test]
fn a_token_goes_to_the_hub() {
    let (_folder, model, home) = place();
    let hub = Hub::start(&model, 0);
    let output = ask(&hub.address, &home, &INFO)
        .env("HF_TOKEN", "hf_secret")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let asked = hub.asked.lock().unwrap();
    assert!(
        asked.iter().all(|one| one.ends_with("Bearer hf_secret")),
        "{asked:?}"
    );
}

/// A checkpoint's `generation_config.json` would change the policy that is trained: sampling must not look at it.
#[test]
fn sampling_never_reads_generation_config() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    model_folder(&model);
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "{\"text\": \"Heat\"}\n").unwrap();
    let generate = || {
        let mut command = curec();
        command.args([
            "llm",
            "generate",
            "--max-new-tokens",
            "20",
            "--ignore-eos",
            "--seed",
            "5",
        ]);
        command
            .arg("--model")
            .arg(&model)
            .arg("--input")
            .arg(&input);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        output.stdout
    };
    let plain = generate();
    let trap = r#"{"do_sample": true, "temperature": 0.01, "top_k": 1, "top_p": 0.1, "repetition_penalty": 9.0}"#;
    std::fs::write(model.join("generation_config.json"), trap).unwrap();
    assert_eq!(generate(), plain);
}
