//! What one step trains on: sampled groups, their advantages, and which completions take part.

use burn::tensor::{Device, Tensor, TensorData};

use super::advantage::Advantages;
use super::loss::LossInputs;
use super::step::GrpoConfig;
use crate::llm::{Completion, Sequence};

/// The completions of one prompt with their rewards.
#[derive(Debug, Clone)]
pub struct Group {
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Its completions.
    pub completions: Vec<Completion>,
    /// One reward per completion.
    pub rewards: Vec<f64>,
}

/// A completion that takes part in the loss.
pub(super) struct Row<'a> {
    pub prompt: &'a [u32],
    pub completion: &'a Completion,
    pub advantage: f64,
    /// Of each of its tokens in the loss of the whole batch.
    pub weight: f64,
}

/// The rows of a batch: completions that can move something. Those left out (a zero advantage without a KL penalty, cut off
/// where `mask_truncated` says so) still count in what the loss divides by.
pub(super) fn rows<'a>(
    groups: &'a [Group],
    advantages: &[Advantages],
    config: &GrpoConfig,
) -> Vec<Row<'a>> {
    let seen = |completion: &Completion| !(config.mask_truncated && completion.truncated);
    let completions = groups.iter().flat_map(|group| &group.completions);
    let lengths: Vec<usize> = completions
        .map(|one| if seen(one) { one.ids.len() } else { 0 })
        .collect();
    let weights = config.loss.weights(&lengths, config.max_new_tokens);
    let pairs = groups.iter().zip(advantages).flat_map(|(group, found)| {
        let completions = group.completions.iter().zip(&found.values);
        completions.map(|(completion, advantage)| (&group.prompt, completion, *advantage))
    });
    let row = |((prompt, completion, advantage), weight): ((&'a Vec<u32>, _, f64), f64)| Row {
        prompt,
        completion,
        advantage,
        weight,
    };
    pairs
        .zip(weights)
        .map(row)
        .filter(|row| {
            (row.advantage != 0.0 || config.loss.beta != 0.0)
                && seen(row.completion)
                && !row.completion.ids.is_empty()
        })
        .collect()
}

/// Sorts the completions of each prompt by length, so that those that are padded to the longest of a part differ little.
pub(super) fn sort_by_length(rows: &mut [Row]) {
    for group in rows.chunk_by_mut(|one, other| std::ptr::eq(one.prompt, other.prompt)) {
        group.sort_by_key(|row| row.completion.ids.len());
    }
}

/// Cuts rows into parts of one prompt each and of at most `tokens` tokens of completions (at least one completion), and
/// into so many parts that none of `threads` is idle. Where completions are `padded`, each counts as the longest of its part.
pub(super) fn parts<'r, 'a>(
    rows: &'r [Row<'a>],
    tokens: usize,
    padded: bool,
    threads: usize,
) -> Vec<&'r [Row<'a>]> {
    let groups: Vec<&[Row]> = rows
        .chunk_by(|one, other| std::ptr::eq(one.prompt, other.prompt))
        .collect();
    let pieces = threads.div_ceil(groups.len().max(1));
    let mut parts = Vec::new();
    for group in groups {
        let most = group.len().div_ceil(pieces).max(1);
        let (mut start, mut held, mut longest) = (0, 0, 0);
        for (end, row) in group.iter().enumerate() {
            let length = row.completion.ids.len();
            let with = if padded {
                (end - start + 1) * longest.max(length)
            } else {
                held + length
            };
            if end > start && (end - start == most || with > tokens) {
                parts.push(&group[start..end]);
                (start, held, longest) = (end, 0, 0);
            }
            held += length;
            longest = longest.max(length);
        }
        parts.push(&group[start..]);
    }
    parts
}

/// A part as a sequence that branches.
pub(super) fn sequence(part: &[Row]) -> Sequence {
    let completions = part.iter().map(|row| row.completion.ids.as_slice());
    Sequence::branching(part[0].prompt, completions)
}

/// The completions of a part as rectangles `[rows, longest]`, on the CPU: a few thousand numbers.
pub(super) struct Table {
    lengths: Vec<usize>,
    longest: usize,
    device: Device,
    behaviour: Tensor<2>,
    advantages: Tensor<2>,
    weights: Tensor<2>,
    mask: Tensor<2>,
}

impl Table {
    pub fn new(part: &[Row]) -> Self {
        let device = Device::flex().autodiff();
        let lengths: Vec<usize> = part.iter().map(|row| row.completion.ids.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let of = |values: Vec<f32>, width: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [part.len(), width]), &device)
        };
        let per_token = |value: &dyn Fn(&Row, usize) -> f32| {
            let row = |row| (0..longest).map(move |t| value(row, t));
            of(part.iter().flat_map(row).collect(), longest)
        };
        let per_row =
            |value: &dyn Fn(&Row) -> f64| of(part.iter().map(|row| value(row) as f32).collect(), 1);
        let behaviour = |row: &Row, t: usize| row.completion.log_probs.get(t).copied();
        Self {
            longest,
            behaviour: per_token(&|row, t| behaviour(row, t).unwrap_or(0.0)),
            mask: per_token(&|row, t| f32::from(u8::from(t < row.completion.ids.len()))),
            advantages: per_row(&|row| row.advantage),
            weights: per_row(&|row| row.weight),
            lengths,
            device,
        }
    }

    pub fn inputs(&self, log_probs: Tensor<2>, reference: Option<Tensor<2>>) -> LossInputs {
        LossInputs {
            log_probs,
            behaviour: self.behaviour.clone(),
            reference,
            advantages: self.advantages.clone(),
            weights: self.weights.clone(),
            mask: self.mask.clone(),
        }
    }

    /// Values of all tokens, row by row, as a rectangle with zeros behind short rows.
    pub fn spread(&self, values: &[f32]) -> Tensor<2> {
        let mut flat = Vec::with_capacity(self.lengths.len() * self.longest);
        let mut rest = values;
        for length in &self.lengths {
            let (row, behind) = rest.split_at(*length);
            flat.extend_from_slice(row);
            flat.extend(std::iter::repeat_n(0.0, self.longest - length));
            rest = behind;
        }
        let shape = [self.lengths.len(), self.longest];
        Tensor::from_data(TensorData::new(flat, shape), &self.device)
    }

    /// The inverse of [`Table::spread`]; nothing known is zero.
    pub fn gather(&self, flat: &[f32]) -> Vec<f32> {
        if flat.is_empty() {
            return vec![0.0; self.lengths.iter().sum()];
        }
        let rows = flat.chunks(self.longest).zip(&self.lengths);
        rows.flat_map(|(row, length)| &row[..*length])
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_one_prompt_and_no_more_tokens_than_allowed() {
        let completions: Vec<Completion> = [3, 3, 3, 9, 1, 1]
            .map(|length| Completion {
                ids: vec![0; length],
                ..Completion::default()
            })
            .into();
        let prompts = [vec![1], vec![2]];
        let rows: Vec<Row> = completions
            .iter()
            .enumerate()
            .map(|(index, completion)| Row {
                prompt: &prompts[index / 4],
                completion,
                advantage: 1.0,
                weight: 1.0,
            })
            .collect();
        let sizes = |tokens, padded, threads| -> Vec<usize> {
            let parts = parts(&rows, tokens, padded, threads);
            parts.iter().map(|part| part.len()).collect()
        };
        for padded in [false, true] {
            assert_eq!(sizes(usize::MAX, padded, 1), [4, 2]);
            assert_eq!(sizes(6, padded, 1), [2, 1, 1, 2]);
            assert_eq!(sizes(1, padded, 1), [1; 6]);
            // Four threads, two groups: each in two halves.
            assert_eq!(sizes(usize::MAX, padded, 4), [2, 2, 1, 1]);
            assert!(parts(&[], 6, padded, 4).is_empty());
        }
        // 3 + 3 + 3 + 9 tokens; padded they are 4 × 9.
        assert_eq!(sizes(18, false, 1), [4, 2]);
        assert_eq!(sizes(18, true, 1), [3, 1, 2]);
    }

    #[test]
    fn completions_are_sorted_within_their_prompt_only() {
        let completions: Vec<Completion> = [9, 2, 1, 4]
            .map(|length| Completion {
                ids: vec![0; length],
                ..Completion::default()
            })
            .into();
        let prompts = [vec![1], vec![2]];
        let row = |index: usize| Row {
            prompt: &prompts[index / 2],
            completion: &completions[index],
            advantage: 1.0,
            weight: 1.0,
        };
        let mut rows: Vec<Row> = (0..4).map(row).collect();
        sort_by_length(&mut rows);
        let lengths: Vec<usize> = rows.iter().map(|row| row.completion.ids.len()).collect();
        assert_eq!(lengths, [2, 9, 1, 4]);
    }
}
