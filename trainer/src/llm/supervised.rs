//! Supervised training on (prompt, answer) pairs: the warm-up that teaches a fresh nano model language and contract.

use burn::tensor::{Int, Tensor, TensorData};
use curec_shared_model::qwen2::{Qwen2, TokenBatch};
use serde::{Deserialize, Serialize};

use super::sequence::Sequence;
use super::trainer::{Trainer, TrainerSettings};

/// Settings of supervised training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Prompts per step; each brings `warmup.answers` or `warmup.questions` examples.
    pub batch_size: usize,
    /// The optimiser.
    pub trainer: TrainerSettings,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-3,
            batch_size: 16,
            trainer: TrainerSettings {
                muon: true,
                ..TrainerSettings::default()
            },
        }
    }
}

/// A prompt and the answer it should get, as token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Up to and including the assistant's header.
    pub prompt: Vec<u32>,
    /// The answer with its stop token.
    pub answer: Vec<u32>,
}

/// Mean cross-entropy in nats per answer token, by burn's autodiff.
///
/// A batch is a list of families: examples whose prompts begin alike. The loss knows nothing of families.
pub fn supervised_loss(model: &Qwen2, batch: &[Vec<Example>]) -> Tensor<1> {
    let device = model.device();
    let examples: Vec<&Example> = batch.iter().flatten().collect();
    let sequences: Vec<Vec<u32>> = examples
        .iter()
        .map(|example| [example.prompt.as_slice(), &example.answer].concat())
        .collect();
    let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let tokens = TokenBatch::right_padded(&slices, 0);
    let [rows, width] = tokens.dims();
    let mut picks: Vec<i64> = Vec::new();
    let mut targets: Vec<u32> = Vec::new();
    for (row, example) in examples.iter().enumerate() {
        let first = row * width + example.prompt.len() - 1;
        picks.extend((first..first + example.answer.len()).map(|pick| pick as i64));
        targets.extend_from_slice(&example.answer);
    }
    let count = targets.len();
    let hidden = model.hidden(&tokens, true);
    let d = hidden.dims()[2];
    let picks = Tensor::<1, Int>::from_data(TensorData::new(picks, [count]), &device);
    let states = hidden.reshape([rows * width, d]).select(0, picks);
    model.log_probs(states, &targets, 1.0).mean().neg()
}

/// One optimiser step on families of examples, whose common beginnings are read once; returns (mean loss per answer token,
/// gradient norm). The loss is [`supervised_loss`].
pub fn supervised_step(trainer: &mut Trainer, batch: &[Vec<Example>], rate: f64) -> (f64, f64) {
    let sequences: Vec<Sequence> = batch.iter().map(|family| branching(family)).collect();
    let tokens: usize = sequences.iter().map(|one| one.positions.len()).sum();
    let share = -1.0 / tokens.max(1) as f32;
    let found = trainer.gradient(&sequences, 1.0, |_, scores| {
        vec![share; scores.log_probs.len()]
    });
    let values = found.scores.iter().flat_map(|scores| &scores.log_probs);
    let total: f64 = values.map(|value| f64::from(*value)).sum();
    let norm = trainer.apply(found.gradients, rate);
    (-total / tokens.max(1) as f64, norm)
}

/// A family as one branching sequence: the common beginning of its prompts, then each prompt's rest with its answer.
fn branching(family: &[Example]) -> Sequence {
    let shared = common_beginning(family);
    let Some(first) = family.first() else {
        return Sequence::plain(Vec::new(), Vec::new());
    };
    let branches: Vec<Vec<u32>> = family
        .iter()
        .map(|example| [&example.prompt[shared..], &example.answer].concat())
        .collect();
    let mut sequence =
        Sequence::branching(&first.prompt[..shared], branches.iter().map(Vec::as_slice));
    let mut end = shared;
    sequence.positions = Vec::new();
    for (example, branch) in family.iter().zip(&branches) {
        end += branch.len();
        sequence.positions.extend(end - example.answer.len()..end);
    }
    sequence
}

/// Tokens with which all prompts of a family begin.
fn common_beginning(family: &[Example]) -> usize {
    let Some((first, others)) = family.split_first() else {
        return 0;
    };
    let same = |other: &Example| {
        let pairs = first.prompt.iter().zip(&other.prompt);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let shared = others.iter().map(same).min();
    shared.unwrap_or(first.prompt.len())
}

#[cfg(test)]
mod tests {
    use super::super::cpu::tests::model;
    use super::*;

    fn example(prompt: &[u32], answer: &[u32]) -> Example {
        Example {
            prompt: prompt.to_vec(),
            answer: answer.to_vec(),
        }
    }

    #[test]
    fn a_family_shares_what_its_prompts_begin_with() {
        let family = [
            example(&[1, 2, 3, 4], &[7, 8]),
            example(&[1, 2, 5], &[9]),
            example(&[1, 2], &[6, 6, 6]),
        ];
        let sequence = branching(&family);
        assert_eq!(sequence.ids, [1, 2, 3, 4, 7, 8, 5, 9, 6, 6, 6]);
        assert_eq!(sequence.branches, [4, 2, 3]);
        assert_eq!(sequence.positions, [4, 5, 7, 8, 9, 10]);
        let alone = branching(&family[1..2]);
        assert_eq!((alone.ids, alone.branches), (vec![1, 2, 5, 9], vec![1]));
    }

    #[test]
    fn the_kernels_and_autodiff_agree_on_families() {
        let model = model(true);
        let batch = [
            vec![
                example(&[1, 2, 3, 4, 9], &[7, 8]),
                example(&[1, 2, 5], &[9]),
                example(&[1, 2, 5], &[11, 3, 3]),
            ],
            vec![example(&[20, 19, 18], &[17, 16])],
        ];
        let step = |cpu_kernels: bool| {
            let settings = TrainerSettings {
                cpu_kernels,
                ..TrainerSettings::default()
            };
            let mut trainer = Trainer::new(model.clone(), &settings);
            assert_eq!(trainer.cpu_kernels(), cpu_kernels);
            supervised_step(&mut trainer, &batch, 1e-3)
        };
        let (own, burn) = (step(true), step(false));
        assert!((own.0 - burn.0).abs() < 1e-5, "losses {own:?} {burn:?}");
        assert!(
            burn.1 > 0.0 && (own.1 / burn.1 - 1.0).abs() < 1e-4,
            "norms {own:?} {burn:?}"
        );
    }
}
