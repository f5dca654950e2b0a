//! One optimiser step on sampled groups against the same step spelled out: all completions in one loss, none dropped,
//! gradients by burn's autodiff. The step itself leaves out what cannot move anything and may use the CPU kernels.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use curec::grpo::{Group, GrpoConfig, LossInputs, LossKind, LossSettings, grpo_loss, grpo_step};
use curec::llm::{Completion, Trainer, TrainerSettings};
use curec_shared_model::qwen2::{PROJECTIONS, Qwen2, Qwen2Config, TokenBatch};

const LONGEST: usize = 6;

/// Adds noise, so that unit norms and zero biases hide nothing.
struct Noise;

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trains = param.is_require_grad();
        param.map(|x| {
            let noise = x.random_like(Distribution::Normal(0.0, 0.2));
            (x + noise).detach().set_require_grad(trains)
        })
    }
}

fn model(lora: bool) -> Qwen2 {
    let config = Qwen2Config {
        vocab_size: 19,
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        max_position_embeddings: 64,
    };
    let device = Device::flex().autodiff();
    device.seed(5);
    let model = Qwen2::init(&config, &device);
    if lora {
        // Adapters that move something, on weights that stay.
        let targets = PROJECTIONS.map(str::to_owned);
        return model.with_lora(3, 6.0, false, &targets).map(&mut Noise);
    }
    model.map(&mut Noise)
}

/// `log p` of a completion's tokens, `[1, tokens]`, by a pass over this sequence alone.
fn log_probs(model: &Qwen2, prompt: &[u32], ids: &[u32], temperature: f64) -> Tensor<2> {
    log_probs_by(model, prompt, ids, temperature, true)
}

/// The same with or without adapters.
fn log_probs_by(
    model: &Qwen2,
    prompt: &[u32],
    ids: &[u32],
    temperature: f64,
    adapters: bool,
) -> Tensor<2> {
    let sequence = [prompt, ids].concat();
    let hidden = model.hidden(&TokenBatch::right_padded(&[&sequence], 0), adapters);
    let states: Tensor<2> = hidden.squeeze_dim(0);
    let before = states.narrow(0, prompt.len() - 1, ids.len());
    model
        .log_probs(before, ids, temperature)
        .reshape([1, ids.len()])
}

/// A prompt, the rewards of its completions, and the completions.
type Shape<'a> = (&'a [u32], &'a [f64], &'a [&'a [u32]]);

/// Two groups that teach, one whose rewards are equal, and one truncated completion. Slightly off policy.
fn groups(model: &Qwen2, temperature: f64) -> Vec<Group> {
    let shapes: [Shape; 3] = [
        (
            &[3, 1, 4],
            &[1.0, 0.0, 0.25],
            &[&[1, 5, 9], &[2, 6, 5, 3, 5], &[8]],
        ),
        (&[2, 7], &[0.5, 0.5], &[&[1, 8, 2, 8], &[1, 8, 2, 8, 4, 5]]),
        (
            &[9, 9, 8, 7],
            &[0.0, 1.0, 1.0],
            &[&[6, 2], &[6, 6, 4, 3], &[3, 3, 8, 3, 2, 7]],
        ),
    ];
    let mut shift = 0.0;
    let mut group = |(prompt, rewards, completions): (&[u32], &[f64], &[&[u32]])| {
        let completion = |ids: &&[u32]| {
            let values: Vec<f32> = log_probs(model, prompt, ids, temperature)
                .try_into_vec_as()
                .unwrap();
            let behaviour = values.iter().map(|value| {
                shift += 0.7_f32;
                value + 0.3 * shift.sin()
            });
            Completion {
                ids: ids.to_vec(),
                log_probs: behaviour.collect(),
                truncated: ids.len() == LONGEST,
            }
        };
        Group {
            prompt: prompt.to_vec(),
            completions: completions.iter().map(completion).collect(),
            rewards: rewards.to_vec(),
        }
    };
    shapes.into_iter().map(&mut group).collect()
}

/// Loss and gradients of everything at once.
fn spelled_out(model: &Qwen2, groups: &[Group], config: &GrpoConfig) -> (f64, GradientsParams) {
    let device = model.device();
    let (mut rows, mut behaviour, mut mask, mut advantages, mut lengths) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut reference = Vec::new();
    for group in groups {
        advantages.extend(config.advantages(&[&group.rewards]).remove(0).values);
        for completion in &group.completions {
            let length = completion.ids.len();
            let takes_part = !(config.mask_truncated && completion.truncated);
            let weight = if takes_part { 1.0 } else { 0.0 };
            lengths.push(if takes_part { length } else { 0 });
            let values = log_probs(model, &group.prompt, &completion.ids, config.temperature);
            let padding = Tensor::zeros([1, LONGEST - length], &device);
            rows.push(Tensor::cat(vec![values * weight, padding.clone()], 1));
            let (prompt, ids) = (&group.prompt, &completion.ids);
            let base = log_probs_by(model, prompt, ids, config.temperature, false);
            let base = base.detach() * weight;
            reference.push(Tensor::cat(vec![base, padding], 1));
            behaviour.extend(completion.log_probs.iter().map(|value| value * weight));
            mask.extend(std::iter::repeat_n(weight, length));
            behaviour.extend(std::iter::repeat_n(0.0, LONGEST - length));
            mask.extend(std::iter::repeat_n(0.0, LONGEST - length));
        }
    }
    let count = advantages.len();
    let advantages: Vec<f32> = advantages.iter().map(|value| *value as f32).collect();
    let weights = config.loss.weights(&lengths, LONGEST);
    let weights = weights.iter().map(|weight| *weight as f32).collect();
    let table = |values: Vec<f32>, width: usize| {
        Tensor::<2>::from_data(TensorData::new(values, [count, width]), &device)
    };
    let inputs = LossInputs {
        log_probs: Tensor::cat(rows, 0),
        behaviour: table(behaviour, LONGEST),
        reference: (config.loss.beta != 0.0).then(|| Tensor::cat(reference, 0)),
        advantages: table(advantages, 1),
        weights: table(weights, 1),
        mask: table(mask, LONGEST),
    };
    let loss = grpo_loss(inputs, &config.loss);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    (value, GradientsParams::from_grads(loss.backward(), model))
}

/// All float32 values of a model.
fn values(model: &Qwen2) -> Vec<f32> {
    let bytes = model.to_safetensors().unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let data = bytes[8 + header..].as_chunks::<4>().0;
    data.iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}

fn trainer(cpu_kernels: bool, lora: bool) -> Trainer {
    let settings = TrainerSettings {
        max_grad_norm: 1e9,
        cpu_kernels,
        ..TrainerSettings::default()
    };
    Trainer::new(model(lora), &settings)
}

#[test]
fn dropping_what_cannot_move_anything_changes_no_loss_and_no_gradient() {
    for kind in LossKind::ALL {
        for (mask_truncated, cpu_kernels) in
            [(false, true), (true, true), (false, false), (true, false)]
        {
            let what =
                format!("{kind:?}, mask_truncated {mask_truncated}, cpu_kernels {cpu_kernels}");
            let config = GrpoConfig {
                temperature: 0.8,
                max_new_tokens: LONGEST,
                mask_truncated,
                loss: LossSettings {
                    kind,
                    ..LossSettings::default()
                },
                ..GrpoConfig::default()
            };
            let mut known = trainer(false, false);
            let mut found = trainer(cpu_kernels, false);
            assert_eq!(found.cpu_kernels(), cpu_kernels);
            let before = values(known.model());
            assert_eq!(before, values(found.model()));
            let groups = groups(&known.policy(), config.temperature);

            let (loss, gradients) = spelled_out(known.model(), &groups, &config);
            let norm = known.apply(gradients, 1e-3);
            let report = grpo_step(&mut found, &groups, &config, 1e-3);

            assert!(report.stepped && norm > 0.0, "{what}");
            assert!((report.frac_reward_zero_std - 1.0 / 3.0).abs() < 1e-12);
            let gap = (report.loss - loss).abs();
            assert!(
                gap < 1e-5 * loss.abs().max(1.0),
                "{what}: loss {} against {loss}",
                report.loss
            );
            let gap = (report.grad_norm - norm).abs() / norm;
            assert!(
                gap < 1e-4,
                "{what}: gradient norm {} against {norm}",
                report.grad_norm
            );
            // Adam's first step is nearly the sign of the gradient: compare where the step goes as a whole.
            let (known, found) = (values(known.model()), values(found.model()));
            let size = distance(&known, &before);
            let gap = distance(&known, &found);
            assert!(gap < 0.02 * size, "{what}: steps differ by {gap} of {size}");
        }
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Several steps on one batch, a KL penalty towards the model without its adapters, and parts of any size.
#[test]
fn iterations_penalties_and_parts_are_the_steps_spelled_out() {
    for (lora, beta, iterations) in [
        (true, 0.3, 1),
        (true, 0.0, 3),
        (true, 0.1, 2),
        (false, 0.0, 2),
    ] {
        for tokens_at_once in [1, 7, 4096] {
            let what = format!("lora {lora}, β {beta}, μ {iterations}, {tokens_at_once} tokens");
            let config = GrpoConfig {
                temperature: 0.8,
                max_new_tokens: LONGEST,
                iterations,
                tokens_at_once,
                loss: LossSettings {
                    beta,
                    ..LossSettings::default()
                },
                ..GrpoConfig::default()
            };
            let mut known = trainer(false, lora);
            let mut found = trainer(!lora, lora);
            let groups = groups(&known.policy(), config.temperature);
            let (mut losses, mut norms) = (0.0, 0.0);
            for _ in 0..iterations {
                let (loss, gradients) = spelled_out(known.model(), &groups, &config);
                losses += loss / iterations as f64;
                norms += known.apply(gradients, 1e-3) / iterations as f64;
            }
            let report = grpo_step(&mut found, &groups, &config, 1e-3);
            let gap = (report.loss - losses).abs();
            assert!(
                gap < 1e-4 * losses.abs().max(1.0),
                "{what}: {} and {losses}",
                report.loss
            );
            let gap = (report.grad_norm - norms).abs() / norms;
            assert!(gap < 1e-2, "{what}: norms {} and {norms}", report.grad_norm);
            assert_eq!(report.kl > 0.0, beta > 0.0, "{what}");
            assert_eq!(found.taken(), iterations);
        }
    }
}

#[test]
fn flat_groups_alone_move_nothing_and_say_so() {
    let mut trainer = trainer(true, false);
    let config = GrpoConfig {
        max_new_tokens: LONGEST,
        ..GrpoConfig::default()
    };
    let groups = groups(&trainer.policy(), config.temperature);
    let before = values(trainer.model());
    let report = grpo_step(&mut trainer, &groups[1..2], &config, 1e-3);
    assert!(!report.stepped);
    assert_eq!(report.frac_reward_zero_std, 1.0);
    assert_eq!(report.reward, 0.5);
    assert_eq!(values(trainer.model()), before);
}
