//! The forward pass against Hugging Face transformers and peft (`../shared/fixtures/qwen2`, made by
//! `make_qwen2_fixtures.py` there): weights, log-probabilities, hidden states, greedy tokens, padding, cache, adapters.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use curec_shared_model::qwen2::{PeftConfig, Precision, Qwen2, Qwen2Config, Shards, TokenBatch};
use serde_json::Value;

fn fixtures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/qwen2");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no ../shared");
    None
}

fn load(folder: &Path) -> Qwen2 {
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config = Qwen2Config::from_json(&config).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    let shards = Shards::parse(
        files
            .iter()
            .map(|(name, bytes)| (name.clone(), bytes.as_slice())),
    )
    .unwrap();
    Qwen2::from_shards(&config, &shards, Precision::Float32, &Device::flex()).unwrap()
}

fn load_lora(fixtures: &Path) -> Qwen2 {
    let folder = fixtures.join("lora-on-tied-f32");
    let config = std::fs::read_to_string(folder.join("adapter_config.json")).unwrap();
    let bytes = std::fs::read(folder.join("adapter_model.safetensors")).unwrap();
    let shards =
        Shards::parse([("adapter_model.safetensors".to_owned(), bytes.as_slice())]).unwrap();
    load(&fixtures.join("tied-f32"))
        .with_peft_adapter(&PeftConfig::from_json(&config).unwrap(), &shards)
        .unwrap()
}

struct Expected {
    rows: Vec<Vec<u32>>,
    json: Value,
}

impl Expected {
    fn read(folder: &Path) -> Self {
        let json: Value =
            serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let ids = json["input_ids"].as_array().unwrap();
        let mask = json["attention_mask"].as_array().unwrap();
        let row = |(ids, mask): (&Value, &Value)| {
            let kept = ids.as_array().unwrap().iter().zip(mask.as_array().unwrap());
            kept.filter(|(_, open)| open.as_u64() == Some(1))
                .map(|(id, _)| id.as_u64().unwrap() as u32)
                .collect()
        };
        let rows = ids.iter().zip(mask).map(row).collect();
        Self { rows, json }
    }

    /// Values of one row of one field; nulls are dropped.
    fn values(&self, field: &str, row: usize) -> Vec<f64> {
        let values = self.json[field][row].as_array().unwrap();
        values.iter().filter_map(Value::as_f64).collect()
    }
}

fn close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let gap = (f64::from(*found) - expected).abs();
        assert!(gap <= tolerance, "{what}: {found} against {expected}");
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn row<const D: usize>(tensor: &Tensor<D>, index: usize) -> Tensor<D> {
    tensor.clone().narrow(0, index, 1)
}

fn check(model: &Qwen2, expected: &Expected) {
    let rows: Vec<&[u32]> = expected.rows.iter().map(Vec::as_slice).collect();
    let padded = TokenBatch::left_padded(&rows);
    let [_, width] = padded.dims();
    let hidden = model.hidden(&padded, true);
    for (index, ids) in rows.iter().enumerate() {
        let alone = model.hidden(&TokenBatch::left_padded(&[ids]), true);
        let in_batch = row(&hidden, index).narrow(1, width - ids.len(), ids.len());
        let gap = (alone.clone() - in_batch.clone())
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(gap < 1e-4, "row {index} alone and padded differ by {gap}");
        let right = TokenBatch::right_padded(&[ids], ids.len() + 7);
        let right = model.hidden(&right, true).narrow(1, 0, ids.len());
        let gap = (alone.clone() - right).abs().max().into_scalar::<f32>();
        assert!(
            gap < 1e-4,
            "row {index} alone and right-padded differ by {gap}"
        );

        let states: Tensor<2> = in_batch.squeeze_dim(0);
        let before = states.clone().narrow(0, 0, ids.len() - 1);
        let log_probs = floats(model.log_probs(before, &ids[1..], 1.0));
        close(
            &log_probs,
            &expected.values("token_logprobs", index),
            1e-3,
            "log-probabilities",
        );
        let last = states.clone().narrow(0, ids.len() - 1, 1);
        close(
            &floats(model.logits(last)),
            &expected.values("last_logits", index),
            1e-3,
            "logits",
        );
        let mean = floats(states.mean_dim(0));
        close(
            &mean,
            &expected.values("mean_hidden", index),
            1e-4,
            "mean hidden",
        );
    }
    check_greedy(model, expected, &padded);
}

/// Greedy continuation of the whole padded batch through the cache.
fn check_greedy(model: &Qwen2, expected: &Expected, padded: &TokenBatch) {
    let [count, width] = padded.dims();
    let mut cache = model.cache(width + 16);
    let mut hidden = model.hidden_cached(padded, true, &mut cache);
    let mut found: Vec<Vec<u32>> = vec![Vec::new(); count];
    for _ in 0..16 {
        let time = hidden.dims()[1];
        let last: Tensor<2> = hidden.narrow(1, time - 1, 1).squeeze_dim(1);
        let next = model.logits(last).argmax(1).into_data().convert::<i64>();
        let next: Vec<u32> = next
            .try_to_vec::<i64>()
            .unwrap()
            .iter()
            .map(|id| *id as u32)
            .collect();
        for (row, id) in found.iter_mut().zip(&next) {
            row.push(*id);
        }
        let step = padded.next_step(&next);
        hidden = model.hidden_cached(&step, true, &mut cache);
    }
    for (index, row) in found.iter().enumerate() {
        let row: Vec<f64> = row.iter().map(|id| f64::from(*id)).collect();
        assert_eq!(
            row,
            expected.values("greedy", index),
            "greedy tokens of row {index}"
        );
    }
}

#[test]
fn tied_float32_model_equals_transformers() {
    let Some(fixtures) = fixtures() else { return };
    let folder = fixtures.join("tied-f32");
    check(&load(&folder), &Expected::read(&folder));
}

#[test]
fn untied_sharded_bfloat16_model_equals_transformers() {
    let Some(fixtures) = fixtures() else { return };
    let folder = fixtures.join("untied-bf16-sharded");
    check(&load(&folder), &Expected::read(&folder));
}

#[test]
fn lora_adapter_equals_peft_attached_and_merged() {
    let Some(fixtures) = fixtures() else { return };
    let expected = Expected::read(&fixtures.join("lora-on-tied-f32"));
    let model = load_lora(&fixtures);
    check(&model, &expected);
    check(&model.merged(), &expected);
}

#[test]
fn adapters_off_is_the_base_model() {
    let Some(fixtures) = fixtures() else { return };
    let ids: &[u32] = &[3, 1, 4, 1, 5];
    let batch = TokenBatch::left_padded(&[ids]);
    let base = load(&fixtures.join("tied-f32")).hidden(&batch, true);
    let off = load_lora(&fixtures).hidden(&batch, false);
    assert_eq!(floats(base), floats(off));
}

#[test]
fn written_weights_and_adapters_read_back_equal() {
    let Some(fixtures) = fixtures() else { return };
    let model = load_lora(&fixtures);
    let (base, lora) = (
        model.to_safetensors().unwrap(),
        model.lora_to_safetensors().unwrap(),
    );
    let base = Shards::parse([("base".to_owned(), base.as_slice())]).unwrap();
    let lora = Shards::parse([("lora".to_owned(), lora.as_slice())]).unwrap();
    let json =
        std::fs::read_to_string(fixtures.join("lora-on-tied-f32/adapter_config.json")).unwrap();
    let peft = PeftConfig::from_json(&json).unwrap();
    let again = PeftConfig::from_json(&peft.to_json("tied-f32").to_string()).unwrap();
    assert_eq!(peft, again);
    let again = Qwen2::from_shards(model.config(), &base, Precision::Float32, &Device::flex())
        .unwrap()
        .with_peft_adapter(&again, &lora)
        .unwrap();
    check(&again, &Expected::read(&fixtures.join("lora-on-tied-f32")));
}
