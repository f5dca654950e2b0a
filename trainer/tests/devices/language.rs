//! The language model: forward passes, gradients, optimiser steps, sampling, a GRPO step.

use burn::tensor::Device;
use curec::device::DeviceChoice;
use curec::grpo::{Group, GrpoConfig, KlPenalty, LossSettings, StepReport, grpo_step};
use curec::llm::{
    Completion, GradientSettings, SamplingConfig, Sequence, TextVector, Trainer, TrainerSettings,
    gradient, load_model, sample, score, text_vectors, token_scores,
};
use curec_shared_model::qwen2::{Precision, Qwen2};
use serde_json::Value;

use crate::{close, device, fixtures, model, numbers, on_devices, relative, weights};

on_devices!(
    a_checkpoint_says_what_transformers_says,
    gradients_are_those_of_flex,
    steps_of_the_optimiser_are_those_of_flex_and_learn,
    samples_are_those_of_flex_and_on_policy,
    a_grpo_step_is_that_of_flex,
    memory_that_no_device_has_is_an_error_with_advice,
);

const TEMPERATURE: f64 = 0.8;
const PROMPT: [u32; 6] = [3, 1, 4, 1, 5, 9];

fn a_checkpoint_says_what_transformers_says(choice: DeviceChoice) {
    let Some(fixtures) = fixtures() else { return };
    let adapter = fixtures.join("lora-on-tied-f32");
    for (folder, base, adapter) in [
        ("tied-f32", "tied-f32", None),
        ("untied-bf16-sharded", "untied-bf16-sharded", None),
        ("lora-on-tied-f32", "tied-f32", Some(adapter.as_path())),
    ] {
        let device = device(choice);
        let base = fixtures.join(base);
        let model = load_model(&base, adapter, Precision::Float32, &device).unwrap();
        let expected = std::fs::read(fixtures.join(folder).join("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let floats = |value: &Value| -> Vec<f32> {
            let values = value.as_array().unwrap().iter();
            values.filter_map(Value::as_f64).map(|x| x as f32).collect()
        };
        let integers = |value: &Value| -> Vec<u32> {
            let values = value.as_array().unwrap().iter();
            values.map(|x| x.as_u64().unwrap() as u32).collect()
        };
        let rows: Vec<Vec<u32>> = (0..3)
            .map(|row| {
                let (ids, mask) = (
                    &expected["input_ids"][row],
                    &expected["attention_mask"][row],
                );
                let pairs = integers(ids).into_iter().zip(integers(mask));
                pairs
                    .filter(|(_, open)| *open == 1)
                    .map(|(id, _)| id)
                    .collect()
            })
            .collect();
        for (row, ids) in rows.iter().enumerate() {
            let found = score(&model, ids);
            let log_probs: Vec<f32> = found.logprobs.into_iter().flatten().collect();
            close(
                &log_probs,
                &floats(&expected["token_logprobs"][row]),
                1e-3,
                folder,
            );
            close(
                &found.mean_hidden,
                &floats(&expected["mean_hidden"][row]),
                1e-4,
                folder,
            );
        }
        let slices: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let greedy = SamplingConfig {
            max_new_tokens: 16,
            temperature: 0.0,
            ..SamplingConfig::default()
        };
        let found = sample(&model, &slices, 1, &greedy, |_| true);
        for (row, found) in found.into_iter().enumerate() {
            assert_eq!(
                found.unwrap()[0].ids,
                integers(&expected["greedy"][row]),
                "{folder}"
            );
        }
    }
}

/// Branches of uneven lengths and a plain sequence.
fn sequences() -> Vec<Sequence> {
    let branches: [&[u32]; 3] = [&[4, 1, 5, 9, 2], &[6], &[5, 3, 5]];
    vec![
        Sequence::branching(&PROMPT, branches),
        Sequence::plain(vec![3, 1, 4, 1, 5, 9, 2, 6, 5], vec![3, 5, 6, 7, 8]),
    ]
}

fn slopes(index: usize, count: usize) -> Vec<f32> {
    (0..count)
        .map(|t| ((index * 7 + t) as f32 * 1.3).sin())
        .collect()
}

fn gradients_are_those_of_flex(choice: DeviceChoice) {
    for (lora, recompute) in [(false, false), (true, false), (true, true)] {
        let settings = GradientSettings {
            cpu_kernels: false,
            recompute,
        };
        let of = |device: &Device, settings| {
            let model = model(2, lora, &device.clone().autodiff());
            let found = gradient(
                &model,
                &sequences(),
                TEMPERATURE,
                settings,
                |index, found| slopes(index, found.log_probs.len()),
            );
            (found.scores, numbers(&model, &found.gradients))
        };
        let plain = GradientSettings {
            recompute: false,
            ..settings
        };
        let (known_scores, known) = of(&Device::flex(), plain);
        let (scores, found) = of(&device(choice), settings);
        let what = format!("lora {lora}, recompute {recompute}");
        for (found, known) in scores.iter().zip(&known_scores) {
            close(&found.log_probs, &known.log_probs, 1e-4, &what);
            close(&found.entropies, &known.entropies, 1e-4, &what);
        }
        assert_eq!(found.len(), known.len());
        for (index, pair) in found.iter().zip(&known).enumerate() {
            let (Some(found), Some(known)) = pair else {
                assert!(
                    pair.0.is_none() && pair.1.is_none(),
                    "{what}, parameter {index}"
                );
                continue;
            };
            assert!(
                known.iter().any(|one| *one != 0.0),
                "{what}, parameter {index}"
            );
            let gap = relative(found, known);
            assert!(gap < 1e-3, "{what}, parameter {index}: off by {gap}");
        }
    }
}

/// Supervised steps on a plain text: its mean log-probability before each, and the weights after all.
fn learn(device: &Device, lora: bool) -> (Vec<f64>, Vec<f32>, Vec<f32>) {
    let settings = TrainerSettings {
        cpu_kernels: false,
        ..TrainerSettings::default()
    };
    let model = model(2, lora, &device.clone().autodiff());
    let before = weights(&model);
    let mut trainer = Trainer::new(model, &settings);
    let sequences = sequences();
    let mut curve = Vec::new();
    for _ in 0..4 {
        let found = trainer.gradient(&sequences, 1.0, |_, found| {
            vec![-0.1; found.log_probs.len()]
        });
        let values: Vec<f32> = found
            .scores
            .iter()
            .flat_map(|one| one.log_probs.clone())
            .collect();
        curve.push(values.iter().map(|one| f64::from(*one)).sum::<f64>() / values.len() as f64);
        trainer.apply(found.gradients, 3e-3);
    }
    (curve, before, weights(trainer.model()))
}

fn steps_of_the_optimiser_are_those_of_flex_and_learn(choice: DeviceChoice) {
    for lora in [false, true] {
        let (known_curve, before, known) = learn(&Device::flex(), lora);
        let (curve, start, found) = learn(&device(choice), lora);
        assert_eq!(before, start, "both begin with the same numbers");
        assert!(curve[3] > curve[0] + 0.1, "nothing is learnt: {curve:?}");
        for (found, known) in curve.iter().zip(&known_curve) {
            assert!(
                (found - known).abs() < 1e-3,
                "{curve:?} against {known_curve:?}"
            );
        }
        // Adam's first steps are nearly the sign of the gradient: compare where they lead as a whole.
        let moved: Vec<f32> = known.iter().zip(&before).map(|(a, b)| a - b).collect();
        let gap: Vec<f32> = found.iter().zip(&before).map(|(a, b)| a - b).collect();
        let gap = relative(&gap, &moved);
        assert!(gap < 0.05, "lora {lora}: steps differ by {gap}");
    }
}

fn samples_are_those_of_flex_and_on_policy(choice: DeviceChoice) {
    // Adapters: no model with them is decoded by the CPU kernels.
    let draw = |model: &Qwen2, temperature: f64| -> Vec<Completion> {
        let config = SamplingConfig {
            max_new_tokens: 9,
            temperature,
            stop: vec![7],
            seed: 5,
            ..SamplingConfig::default()
        };
        let prompts: [&[u32]; 3] = [&PROMPT, &[9], &[30, 4]];
        let found = sample(model, &prompts, 3, &config, |_| true);
        found.into_iter().flat_map(Option::unwrap).collect()
    };
    let (known, model) = (
        model(2, true, &Device::flex()),
        model(2, true, &device(choice)),
    );
    for temperature in [0.0, TEMPERATURE] {
        for (found, known) in draw(&model, temperature)
            .iter()
            .zip(draw(&known, temperature))
        {
            assert_eq!(found.ids, known.ids);
            assert_eq!(found.truncated, known.truncated);
            close(
                &found.log_probs,
                &known.log_probs,
                1e-3,
                "log-probabilities",
            );
        }
    }
    // What was stored when sampling is what training computes.
    let drawn = draw(&model, TEMPERATURE);
    let ids = drawn[..3].iter().map(|one| one.ids.as_slice());
    let sequence = Sequence::branching(&PROMPT, ids);
    let scores = token_scores(&model, &[sequence], TEMPERATURE, true);
    let stored: Vec<f32> = drawn[..3]
        .iter()
        .flat_map(|one| one.log_probs.clone())
        .collect();
    close(&scores[0].log_probs, &stored, 1e-3, "sampled and scored");
    let vectors =
        |model| text_vectors(model, &[PROMPT.to_vec(), vec![2]], 2, TextVector::FirstLast);
    for (found, known) in vectors(&model).iter().zip(vectors(&known)) {
        close(found, &known, 1e-3, "text vectors");
    }
}

fn grpo(device: &Device) -> (StepReport, Vec<f32>) {
    let settings = TrainerSettings {
        cpu_kernels: false,
        ..TrainerSettings::default()
    };
    let mut trainer = Trainer::new(model(2, true, &device.clone().autodiff()), &settings);
    let completion = |ids: &[u32], log_probs: &[f32], truncated| Completion {
        ids: ids.to_vec(),
        log_probs: log_probs.to_vec(),
        truncated,
    };
    let groups = [Group {
        prompt: PROMPT.to_vec(),
        completions: vec![
            completion(&[4, 1, 5], &[-3.1, -2.9, -3.5], false),
            completion(&[2], &[-3.8], false),
            completion(&[5, 3, 5, 8], &[-2.5, -4.1, -3.3, -3.0], true),
        ],
        rewards: vec![1.0, 0.0, 0.5],
    }];
    let config = GrpoConfig {
        temperature: TEMPERATURE,
        max_new_tokens: 4,
        iterations: 2,
        loss: LossSettings {
            beta: 0.05,
            kl: KlPenalty::K3,
            ..LossSettings::default()
        },
        ..GrpoConfig::default()
    };
    let mut report = grpo_step(&mut trainer, &groups, &config, 1e-3);
    report.seconds = [0.0; 3];
    (report, weights(trainer.model()))
}

fn a_grpo_step_is_that_of_flex(choice: DeviceChoice) {
    let (known, known_weights) = grpo(&Device::flex());
    let (found, found_weights) = grpo(&device(choice));
    assert!(known.stepped && found.stepped && known.kl > 0.0);
    for (name, found, known) in [
        ("loss", found.loss, known.loss),
        ("kl", found.kl, known.kl),
        ("entropy", found.entropy, known.entropy),
        ("clip ratio", found.clip_ratio, known.clip_ratio),
        ("ratio gap", found.max_ratio_gap, known.max_ratio_gap),
        ("gradient norm", found.grad_norm, known.grad_norm),
    ] {
        let gap = (found - known).abs();
        assert!(
            gap <= 1e-3 * known.abs().max(0.1),
            "{name}: {found}, not {known}"
        );
    }
    let gap = relative(&found_weights, &known_weights);
    assert!(gap < 1e-3, "weights differ by {gap}");
}

/// A GPU that cannot hold a tensor says so in one message. The CPU's allocator ends the process: nothing to test there.
fn memory_that_no_device_has_is_an_error_with_advice(choice: DeviceChoice) {
    if !choice.is_gpu() {
        return;
    }
    let device = device(choice);
    let error = curec::device::guard(|| {
        // A terabyte.
        let large = burn::tensor::Tensor::<1>::zeros([1_usize << 38], &device);
        Ok(curec::device::read(large))
    });
    let text = format!("{:#}", error.unwrap_err());
    assert!(
        text.contains("tokens_at_once") && text.contains("llm.dtype"),
        "{text}"
    );
}
