//! Log-probabilities and text vectors of given tokens.

use burn::tensor::Tensor;
use curec_shared_model::qwen2::{Qwen2, TokenBatch};
use serde::Serialize;

/// What a model says about one sequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// The tokens.
    pub ids: Vec<u32>,
    /// `log p(ids[t] | ids[<t])`; nothing precedes the first.
    pub logprobs: Vec<Option<f32>>,
    /// The most probable next token.
    pub argmax: u32,
    /// Mean of the last hidden state over the tokens, `[hidden]`.
    pub mean_hidden: Vec<f32>,
}

/// Positions whose logits exist at the same time.
const POSITIONS: usize = 128;

/// Scores one non-empty sequence.
pub fn score(model: &Qwen2, ids: &[u32]) -> Scored {
    let states: Tensor<2> = model
        .hidden(&TokenBatch::left_padded(&[ids]), true)
        .squeeze_dim(0);
    let last = states.clone().narrow(0, ids.len() - 1, 1);
    let argmax = model.logits(last).argmax(1).into_scalar::<i64>() as u32;
    let mut logprobs = vec![None];
    // A large vocabulary makes logits the largest tensor by far: never those of all positions at once.
    for (index, targets) in ids[1..].chunks(POSITIONS).enumerate() {
        let before = states.clone().narrow(0, index * POSITIONS, targets.len());
        logprobs.extend(
            floats(model.log_probs(before, targets, 1.0))
                .into_iter()
                .map(Some),
        );
    }
    Scored {
        ids: ids.to_vec(),
        logprobs,
        argmax,
        mean_hidden: floats(states.mean_dim(0)),
    }
}

pub use curec_shared_model::text::TextVector;

/// Text vectors, `batch` texts at a time. An empty text has the zero vector.
pub fn text_vectors(
    model: &Qwen2,
    texts: &[Vec<u32>],
    batch: usize,
    kind: TextVector,
) -> Vec<Vec<f32>> {
    let hidden = model.config().hidden_size;
    let mut order: Vec<usize> = (0..texts.len())
        .filter(|index| !texts[*index].is_empty())
        .collect();
    order.sort_by_key(|index| texts[*index].len());
    let mut vectors = vec![vec![0.0; kind.width(hidden)]; texts.len()];
    for chunk in order.chunks(batch.max(1)) {
        let rows: Vec<&[u32]> = chunk.iter().map(|index| texts[*index].as_slice()).collect();
        let tokens = TokenBatch::right_padded(&rows, 0);
        let dims @ [_, width] = tokens.dims();
        let last = model.hidden(&tokens, true);
        let mut mask = Vec::with_capacity(rows.len() * width);
        for row in &rows {
            let share = 1.0 / row.len() as f32;
            mask.extend((0..width).map(|slot| if slot < row.len() { share } else { 0.0 }));
        }
        let mask = Tensor::<1>::from_floats(mask.as_slice(), &last.device()).reshape([
            rows.len(),
            1,
            width,
        ]);
        let mut states = vec![last];
        if kind == TextVector::FirstLast {
            states.insert(0, model.embed(tokens.ids(), dims));
        }
        for (part, states) in states.into_iter().enumerate() {
            let means = floats(mask.clone().matmul(states));
            for (index, mean) in chunk.iter().zip(means.chunks(hidden)) {
                vectors[*index][part * hidden..][..hidden].copy_from_slice(mean);
            }
        }
    }
    vectors
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    crate::device::read(tensor)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use burn::tensor::activation::log_softmax;
    use curec_shared_model::qwen2::Qwen2Config;

    use super::*;

    /// 50 tokens, states of 16.
    fn model() -> Qwen2 {
        let config = Qwen2Config {
            vocab_size: 50,
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
            max_position_embeddings: 512,
        };
        Qwen2::init(&config, &Device::flex())
    }

    #[test]
    fn a_sequence_of_several_chunks_has_the_log_probabilities_of_one() {
        let model = model();
        for length in [1, 2, POSITIONS, POSITIONS + 1, POSITIONS + 2, 3 * POSITIONS] {
            let ids: Vec<u32> = (0..length as u32).map(|index| index * 7 % 50).collect();
            let found = score(&model, &ids).logprobs;
            assert_eq!(found.len(), length);
            assert_eq!(found[0], None);
            let states: Tensor<2> = model
                .hidden(&TokenBatch::left_padded(&[&ids]), true)
                .squeeze_dim(0);
            let whole = floats(log_softmax(model.logits(states), 1));
            for (position, (found, id)) in found[1..].iter().zip(&ids[1..]).enumerate() {
                let known = whole[position * 50 + *id as usize];
                assert!((found.unwrap() - known).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn text_vectors_are_means_of_embeddings_and_states() {
        let model = model();
        let table = floats(model.embed_tokens.val());
        let texts = [vec![3, 7, 3], vec![], vec![11]];
        // Whatever else is in the batch.
        for batch in [1, 8] {
            let both = text_vectors(&model, &texts, batch, TextVector::FirstLast);
            let last = text_vectors(&model, &texts, batch, TextVector::Last);
            assert_eq!(both[1], vec![0.0; 32]);
            assert_eq!(last[1], vec![0.0; 16]);
            for (index, ids) in texts.iter().enumerate().filter(|(_, ids)| !ids.is_empty()) {
                for column in 0..16 {
                    let sum: f32 = ids.iter().map(|&id| table[id as usize * 16 + column]).sum();
                    let mean = sum / ids.len() as f32;
                    assert!((both[index][column] - mean).abs() < 1e-6);
                    let known = score(&model, ids).mean_hidden[column];
                    assert!((both[index][16 + column] - known).abs() < 1e-5);
                    assert!((last[index][column] - known).abs() < 1e-5);
                }
            }
        }
    }
}
