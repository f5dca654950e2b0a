//! Sampling against plain forward passes: batches, seeds, truncation of the distribution, ends.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::sync::LazyLock;

use burn::tensor::{Device, Tensor};
use curec::llm::{Completion, SamplingConfig, cpu, sample};
use curec_shared_model::qwen2::{Qwen2, Qwen2Config, TokenBatch};

const VOCABULARY: usize = 40;
/// Lengths differ, so that batches are padded.
const PROMPTS: [&[u32]; 5] = [
    &[1, 2, 3, 4, 5, 6, 7],
    &[9],
    &[30, 4, 4],
    &[12, 13, 14, 15],
    &[7, 7],
];

static MODEL: LazyLock<Qwen2> = LazyLock::new(|| {
    let config = Qwen2Config {
        vocab_size: VOCABULARY,
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        tie_word_embeddings: false,
        max_position_embeddings: 128,
    };
    let device = Device::flex();
    device.seed(3);
    let mut model = Qwen2::init(&config, &device);
    // A sharper head than the initial one, so that tokens differ in probability by orders of magnitude.
    model.lm_head = model.lm_head.map(|head| head.map(|table| table * 20.0));
    model
});

/// Logits after `ids`, by a pass without cache or padding.
fn logits(ids: &[u32]) -> Vec<f32> {
    let hidden = MODEL.hidden(&TokenBatch::left_padded(&[ids]), true);
    let last: Tensor<2> = hidden.narrow(1, ids.len() - 1, 1).squeeze_dim(1);
    MODEL.logits(last).try_into_vec_as().unwrap()
}

/// Token ids from the most to the least probable.
fn ranked(ids: &[u32]) -> Vec<u32> {
    let logits = logits(ids);
    let mut order: Vec<u32> = (0..VOCABULARY as u32).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    order
}

/// `log softmax(logits / temperature)[id]` in float64.
fn log_prob(logits: &[f32], id: u32, temperature: f64) -> f64 {
    let scaled: Vec<f64> = logits
        .iter()
        .map(|logit| f64::from(*logit) / temperature)
        .collect();
    let top = scaled.iter().copied().fold(f64::MIN, f64::max);
    let total: f64 = scaled.iter().map(|logit| (logit - top).exp()).sum();
    scaled[id as usize] - top - total.ln()
}

/// The same model with adapters that change nothing: it is decoded by burn, not by the CPU kernels.
static ADAPTED: LazyLock<Qwen2> = LazyLock::new(|| {
    MODEL
        .clone()
        .with_lora(2, 2.0, false, &["q_proj".to_owned()])
});

/// Draws by the CPU kernels and by burn; both must say the same.
fn draw(copies: usize, config: &SamplingConfig) -> Vec<Vec<Completion>> {
    assert!(cpu::serves(&MODEL) && !cpu::serves(&ADAPTED));
    let all = |model: &Qwen2| -> Vec<Vec<Completion>> {
        let all = sample(model, &PROMPTS, copies, config, |_| true);
        all.into_iter().map(Option::unwrap).collect()
    };
    let (kernels, burn) = (all(&MODEL), all(&ADAPTED));
    for (kernels, burn) in kernels.iter().flatten().zip(burn.iter().flatten()) {
        assert_eq!(kernels.ids, burn.ids);
        assert_eq!(kernels.truncated, burn.truncated);
        for (a, b) in kernels.log_probs.iter().zip(&burn.log_probs) {
            assert!((a - b).abs() < 1e-4, "{a} by the kernels, {b} by burn");
        }
    }
    kernels
}

fn ids(completions: &[Vec<Completion>]) -> Vec<Vec<Vec<u32>>> {
    let row = |row: &Vec<Completion>| row.iter().map(|one| one.ids.clone()).collect();
    completions.iter().map(row).collect()
}

fn config() -> SamplingConfig {
    SamplingConfig {
        max_new_tokens: 12,
        seed: 1,
        ..SamplingConfig::default()
    }
}

#[test]
fn a_seed_gives_the_same_completions_whatever_the_batch() {
    let whole = draw(3, &config());
    for rows in [1, 3, 4, 7] {
        let other = draw(3, &SamplingConfig { rows, ..config() });
        assert_eq!(ids(&whole), ids(&other), "{rows} rows");
        for (a, b) in whole.iter().flatten().zip(other.iter().flatten()) {
            for (a, b) in a.log_probs.iter().zip(&b.log_probs) {
                assert!((a - b).abs() < 1e-4, "{rows} rows: {a} against {b}");
            }
        }
    }
    assert_ne!(
        ids(&whole),
        ids(&draw(
            3,
            &SamplingConfig {
                seed: 2,
                ..config()
            }
        ))
    );
    // Copies of one prompt have streams of their own.
    assert!(whole.iter().all(|row| row[0].ids != row[1].ids));
}

#[test]
fn stored_log_probabilities_are_those_of_a_fresh_forward_pass() {
    for temperature in [1.0, 0.6, 1.7] {
        let found = draw(
            2,
            &SamplingConfig {
                temperature,
                ..config()
            },
        );
        for (prompt, row) in PROMPTS.iter().zip(&found) {
            for completion in row {
                assert_eq!(completion.ids.len(), completion.log_probs.len());
                let mut context = prompt.to_vec();
                for (id, stored) in completion.ids.iter().zip(&completion.log_probs) {
                    let fresh = log_prob(&logits(&context), *id, temperature);
                    let gap = (f64::from(*stored) - fresh).abs();
                    assert!(gap < 1e-4, "T {temperature}: {stored} against {fresh}");
                    context.push(*id);
                }
            }
        }
    }
}

#[test]
fn greedy_is_the_most_probable_token_every_time() {
    let greedy = draw(
        1,
        &SamplingConfig {
            temperature: 0.0,
            ..config()
        },
    );
    for (prompt, row) in PROMPTS.iter().zip(&greedy) {
        let mut context = prompt.to_vec();
        for id in &row[0].ids {
            assert_eq!(*id, ranked(&context)[0]);
            context.push(*id);
        }
    }
    for one_candidate in [
        SamplingConfig {
            top_k: 1,
            ..config()
        },
        SamplingConfig {
            top_p: 1e-9,
            ..config()
        },
    ] {
        assert_eq!(
            ids(&greedy),
            ids(&draw(1, &one_candidate)),
            "{one_candidate:?}"
        );
    }
}

#[test]
fn top_k_and_top_p_draw_from_the_head_of_the_distribution_only() {
    let top_k = draw(
        3,
        &SamplingConfig {
            top_k: 3,
            ..config()
        },
    );
    let top_p = draw(
        3,
        &SamplingConfig {
            top_p: 0.6,
            ..config()
        },
    );
    let mut beyond_first = 0;
    for (row, prompt) in PROMPTS.iter().enumerate() {
        for completion in &top_k[row] {
            let mut context = prompt.to_vec();
            for id in &completion.ids {
                let rank = ranked(&context).iter().position(|one| one == id).unwrap();
                assert!(rank < 3, "rank {rank}");
                beyond_first += usize::from(rank > 0);
                context.push(*id);
            }
        }
        for completion in &top_p[row] {
            let mut context = prompt.to_vec();
            for id in &completion.ids {
                let logits = logits(&context);
                let order = ranked(&context);
                let above = order.iter().take_while(|one| *one != id);
                let mass: f64 = above.map(|one| log_prob(&logits, *one, 1.0).exp()).sum();
                assert!(mass < 0.6 + 1e-5, "drawn after {mass} of the mass");
                context.push(*id);
            }
        }
    }
    assert!(beyond_first > 0, "only ever the most probable token");
}

#[test]
fn draws_follow_the_softmax() {
    let count = 4000;
    for temperature in [1.0, 1.5] {
        let config = SamplingConfig {
            temperature,
            max_new_tokens: 1,
            rows: count,
            ..config()
        };
        let drawn = sample(&MODEL, &[PROMPTS[0]], count, &config, |_| true);
        let mut found = vec![0.0; VOCABULARY];
        for completion in drawn[0].as_ref().unwrap() {
            found[completion.ids[0] as usize] += 1.0 / count as f64;
        }
        let logits = logits(PROMPTS[0]);
        for (id, share) in found.iter().enumerate() {
            let p = log_prob(&logits, id as u32, temperature).exp();
            let deviation = (p * (1.0 - p) / count as f64).sqrt();
            // Five standard deviations, and one draw for the rarest tokens.
            let allowed = 5.0 * deviation + 1.0 / count as f64;
            assert!(
                (share - p).abs() < allowed,
                "token {id}: {share} against {p}"
            );
        }
    }
}

#[test]
fn a_stop_token_ends_a_completion_and_the_limit_truncates_it() {
    let free = draw(2, &config());
    for completion in free.iter().flatten() {
        assert_eq!(completion.ids.len(), 12);
        assert!(completion.truncated);
    }
    let stop = free[0][0].ids[3];
    let stopped = draw(
        2,
        &SamplingConfig {
            stop: vec![39, stop],
            ..config()
        },
    );
    let mut ended = 0;
    for (free, stopped) in free.iter().flatten().zip(stopped.iter().flatten()) {
        let end = free.ids.iter().position(|id| [39, stop].contains(id));
        let kept = end.map_or(12, |end| end + 1);
        assert_eq!(
            stopped.ids,
            free.ids[..kept],
            "the rest of a batch is not disturbed"
        );
        assert_eq!(stopped.log_probs.len(), kept);
        assert_eq!(stopped.truncated, end.is_none());
        ended += usize::from(end.is_some());
    }
    assert!(ended > 0);
}

#[test]
fn a_stop_token_in_the_last_place_is_an_end_and_no_truncation() {
    let free = draw(1, &config());
    let first = free[0][0].ids[0];
    let one = SamplingConfig {
        max_new_tokens: 1,
        stop: vec![first],
        ..config()
    };
    let found = &draw(1, &one)[0][0];
    assert_eq!(found.ids, [first]);
    assert!(!found.truncated);
}

#[test]
fn an_interruption_keeps_what_is_complete() {
    let config = SamplingConfig {
        rows: 2,
        ..config()
    };
    // Burn works through two rows at a time: the second batch is the last.
    let mut calls = 0;
    let found = sample(&ADAPTED, &PROMPTS, 1, &config, |done| {
        calls += 1;
        assert_eq!(done, 2 * calls);
        calls < 2
    });
    // Shortest prompts first: [9], [7, 7], then [30, 4, 4], [12, …].
    let complete: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(complete, [false, true, true, true, true]);

    // The kernels finish a batch on every thread at once, here of two rows or fewer.
    let threads = rayon::current_num_threads();
    let together = PROMPTS.len().div_ceil(threads).min(2);
    let mut finished = 0;
    let found = sample(&MODEL, &PROMPTS, 1, &config, |done| {
        finished = done;
        false
    });
    assert_eq!(finished, PROMPTS.len().min(together * threads));
    for (place, prompt) in [1, 4, 2, 3, 0].into_iter().enumerate() {
        assert_eq!(found[prompt].is_some(), place < finished);
    }
}
