//! Random weights in the shape of Qwen2.5-0.5B: what loads, scores, generates and trains within twelve gigabytes.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Output;

use curec_tests::curec;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

const D: usize = 896;
const F: usize = 4864;
const KV: usize = 128;
const LAYERS: usize = 24;
const VOCABULARY: usize = 151_936;

/// Writes a bf16 checkpoint as Hugging Face stores it, a tensor at a time.
fn checkpoint(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": D,
        "intermediate_size": F, "num_hidden_layers": LAYERS, "num_attention_heads": 14, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": true, "vocab_size": VOCABULARY,
        "max_position_embeddings": 32768, "torch_dtype": "bfloat16", "eos_token_id": 151_645,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, D]),
        ("model.norm.weight".to_owned(), vec![D]),
    ];
    for layer in 0..LAYERS {
        let parts: [(&str, &[usize]); 12] = [
            ("input_layernorm.weight", &[D]),
            ("post_attention_layernorm.weight", &[D]),
            ("self_attn.q_proj.weight", &[D, D]),
            ("self_attn.q_proj.bias", &[D]),
            ("self_attn.k_proj.weight", &[KV, D]),
            ("self_attn.k_proj.bias", &[KV]),
            ("self_attn.v_proj.weight", &[KV, D]),
            ("self_attn.v_proj.bias", &[KV]),
            ("self_attn.o_proj.weight", &[D, D]),
            ("mlp.gate_proj.weight", &[F, D]),
            ("mlp.up_proj.weight", &[F, D]),
            ("mlp.down_proj.weight", &[D, F]),
        ];
        let named =
            parts.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape.to_vec()));
        shapes.extend(named);
    }
    let mut header = Map::new();
    let mut offset = 0;
    for (name, shape) in &shapes {
        let end = offset + 2 * shape.iter().product::<usize>();
        header.insert(
            name.clone(),
            json!({"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let header = Value::Object(header).to_string();
    let mut out = BufWriter::new(File::create(folder.join("model.safetensors")).unwrap());
    out.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    out.write_all(header.as_bytes()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (name, shape) in &shapes {
        let norm = name.ends_with("norm.weight");
        let mut bytes = vec![0; 2 * shape.iter().product::<usize>()];
        if !norm {
            rng.fill_bytes(&mut bytes);
        }
        for value in bytes.as_chunks_mut::<2>().0 {
            // 1 for norms; else a sign and a mantissa at random, between 1/128 and 1/64.
            let bits = if norm {
                0x3f80
            } else {
                u16::from_le_bytes(*value) & 0x807f | 0x3c00
            };
            *value = bits.to_le_bytes();
        }
        out.write_all(&bytes).unwrap();
    }
    out.flush().unwrap();
}

/// Runs `curec` in at most twelve gigabytes of address space.
fn within_twelve_gigabytes(arguments: &[&str]) -> Output {
    let program = curec().get_program().to_owned();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 12000000 && exec \"$0\" \"$@\""]);
    let output = command.arg(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output
}

#[test]
fn half_a_billion_parameters_load_score_generate_and_take_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("qwen");
    checkpoint(&model);
    let model = model.to_str().unwrap();
    let info = within_twelve_gigabytes(&["llm", "info", "--model", model, "--json"]);
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(info["parameters"], 494_032_768);

    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "{\"ids\": [1, 151000, 7, 99, 1234]}\n").unwrap();
    let input = input.to_str().unwrap();
    let scored = within_twelve_gigabytes(&["llm", "score", "--model", model, "--input", input]);
    let scored: Value = serde_json::from_slice(&scored.stdout).unwrap();
    let log_probs = scored["logprobs"].as_array().unwrap();
    assert_eq!(log_probs.len(), 5);
    assert!(
        log_probs[1..]
            .iter()
            .all(|value| value.as_f64().unwrap() < 0.0)
    );
    assert_eq!(scored["mean_hidden"].as_array().unwrap().len(), D);

    let generate = [
        "llm",
        "generate",
        "--greedy",
        "--ignore-eos",
        "--max-new-tokens",
        "3",
    ];
    let generate = [&generate[..], &["--model", model, "--input", input]].concat();
    let generated = within_twelve_gigabytes(&generate);
    let generated: Value = serde_json::from_slice(&generated.stdout).unwrap();
    let ids = generated["ids"].as_array().unwrap();
    assert_eq!((ids.len(), &ids[0]), (3, &scored["argmax"]));

    let step = [
        "bench",
        "grpo",
        "--model",
        model,
        "--lora-rank",
        "16",
        "--json",
    ];
    let sizes = [
        "--prompts",
        "1",
        "--completions",
        "4",
        "--prompt-tokens",
        "48",
        "--new-tokens",
        "8",
        "--steps",
        "1",
    ];
    let step = within_twelve_gigabytes(&[&step[..], &sizes[..]].concat());
    let step: Value = serde_json::from_slice(&step.stdout).unwrap();
    assert_eq!(step["parameters"], 494_032_768);
    let peak = step["peak_memory_mib"].as_u64().unwrap();
    eprintln!("{} s a step, {peak} MiB", step["step"]);
    assert!(peak < 12_000, "{peak} MiB");
}
