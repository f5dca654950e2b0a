//! Frozen matrices in half the bits.

use burn::tensor::Device;
use curec::device::{DeviceChoice, DeviceError, open_for};
use curec::llm::{
    GradientSettings, SamplingConfig, Sequence, Trainer, TrainerSettings, gradient, sample,
    token_scores,
};
use curec_shared_model::qwen2::{Precision, Qwen2};

use crate::{device, model, numbers, on_devices, relative, weights};

on_devices!(
    half_the_bits_give_nearly_the_same_numbers,
    adapters_on_a_smaller_base_train_and_the_base_stays,
    only_gpus_are_asked_for_it,
);

/// How far log-probabilities and gradients may be off in a model of two blocks.
const HALVES: [(Precision, f32, f64); 2] = [
    (Precision::BFloat16, 0.1, 0.1),
    (Precision::Float16, 0.02, 0.02),
];

const PROMPT: [u32; 5] = [3, 1, 4, 1, 5];

fn sequence() -> Sequence {
    let branches: [&[u32]; 2] = [&[9, 2, 6], &[5, 3]];
    Sequence::branching(&PROMPT, branches)
}

fn halves(choice: DeviceChoice) -> Vec<(Precision, f32, f64)> {
    let device = device(choice);
    let runs = |half: &(Precision, f32, f64)| {
        let runs = half.0.runs_on(&device);
        if !runs {
            eprintln!("skipped: {choice} does not compute in {}", half.0);
        }
        runs
    };
    HALVES.into_iter().filter(runs).collect()
}

/// Scores and gradients of a loss whose slopes are as small as those of a large batch.
fn passes(model: &Qwen2, recompute: bool) -> (Vec<f32>, Vec<Option<Vec<f32>>>) {
    let settings = GradientSettings {
        cpu_kernels: false,
        recompute,
    };
    let found = gradient(model, &[sequence()], 1.0, settings, |_, found| {
        let slope = |t: usize| 1e-5 * (t as f32 * 1.3).cos();
        (0..found.log_probs.len()).map(slope).collect()
    });
    (
        found.scores[0].log_probs.clone(),
        numbers(model, &found.gradients),
    )
}

fn half_the_bits_give_nearly_the_same_numbers(choice: DeviceChoice) {
    let (known, known_gradients) = passes(&model(2, true, &Device::flex().autodiff()), false);
    for (precision, off, off_gradients) in halves(choice) {
        let model = model(2, true, &device(choice).autodiff()).with_precision(precision);
        assert_eq!(model.precision(), precision);
        for recompute in [false, true] {
            let (found, gradients) = passes(&model, recompute);
            let gap = found
                .iter()
                .zip(&known)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(gap > 1e-6, "{precision}: nothing was rounded");
            assert!(gap < off, "{precision}: log-probabilities are off by {gap}");
            for (found, known) in gradients.iter().zip(&known_gradients) {
                assert_eq!(found.is_some(), known.is_some());
                if let (Some(found), Some(known)) = (found, known) {
                    let gap = relative(found, known);
                    assert!(
                        gap < off_gradients,
                        "{precision}: gradients are off by {gap}"
                    );
                }
            }
        }
    }
}

fn adapters_on_a_smaller_base_train_and_the_base_stays(choice: DeviceChoice) {
    for (precision, off, _) in halves(choice) {
        let model = model(2, true, &device(choice).autodiff()).with_precision(precision);
        let (base, before) = (model.clone().to_safetensors().unwrap(), weights(&model));
        let mut trainer = Trainer::new(model, &TrainerSettings::default());
        let mut sums = Vec::new();
        for _ in 0..4 {
            let found = trainer.gradient(&[sequence()], 1.0, |_, found| {
                vec![-0.2; found.log_probs.len()]
            });
            sums.push(found.scores[0].log_probs.iter().sum::<f32>());
            trainer.apply(found.gradients, 3e-3);
        }
        assert!(
            sums[3] > sums[0] + 0.1,
            "{precision}: nothing is learnt: {sums:?}"
        );
        assert_ne!(before, weights(trainer.model()));
        let policy = trainer.policy();
        assert_eq!(policy.precision(), precision);
        assert_eq!(
            base,
            policy.to_safetensors().unwrap(),
            "{precision}: the base moved"
        );
        // Sampling and training agree within the precision; merging gives a model in float32.
        let config = SamplingConfig {
            max_new_tokens: 6,
            ..SamplingConfig::default()
        };
        let drawn = sample(&policy, &[&PROMPT], 2, &config, |_| true);
        let drawn = drawn[0].as_ref().unwrap();
        let sequence = Sequence::branching(&PROMPT, drawn.iter().map(|one| one.ids.as_slice()));
        let scores = token_scores(&policy, &[sequence], 1.0, true);
        let stored = drawn.iter().flat_map(|one| &one.log_probs);
        for (scored, stored) in scores[0].log_probs.iter().zip(stored) {
            assert!(
                (scored - stored).abs() < off,
                "{precision}: {scored} against {stored}"
            );
        }
        assert_eq!(policy.merged().precision(), Precision::Float32);
    }
}

fn only_gpus_are_asked_for_it(choice: DeviceChoice) {
    assert!(open_for(choice, Precision::Float32).is_ok());
    for precision in [Precision::BFloat16, Precision::Float16] {
        match open_for(choice, precision) {
            Ok(device) => assert!(choice.is_gpu() && precision.runs_on(&device)),
            Err(error @ DeviceError::Cpu { .. }) => {
                assert!(!choice.is_gpu());
                assert!(error.to_string().contains("llm.dtype"), "{error}");
            }
            Err(error @ DeviceError::Precision { .. }) => {
                assert!(choice.is_gpu());
                assert!(error.to_string().contains("float32"), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
