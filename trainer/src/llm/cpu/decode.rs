//! Token by token with keys and values kept: the completions of a prompt share its keys and values, and the products of
//! all rows are done together.

use super::attention::{Angles, Heads};
use super::network::Network;
use crate::kernels::{
    Matrix, add, add_bias, product, rms_norm, row_products, softmax, swiglu, weighted_rows,
};
use crate::llm::Sequence;

/// Rotated keys, and values, of some tokens, one pair `[tokens, kv_heads · width]` a layer.
pub(super) type Memory = Vec<(Vec<f32>, Vec<f32>)>;

/// A prompt that has been read.
struct Prompt {
    memory: Memory,
    length: usize,
}

/// A completion under way.
struct Row {
    prompt: usize,
    memory: Memory,
    /// Final hidden state of its newest token, `[width]`.
    hidden: Vec<f32>,
    length: usize,
}

/// The rows of a batch, each continuing one of the prompts.
pub struct Decoder<'a> {
    network: &'a Network,
    prompts: Vec<Prompt>,
    rows: Vec<Row>,
}

impl<'a> Decoder<'a> {
    /// Reads the prompts; each gets `copies` rows, which stand next to each other.
    pub fn new(network: &'a Network, prompts: &[&[u32]], copies: usize) -> Self {
        let layers = network.weights().layers.len();
        let mut decoder = Self {
            network,
            prompts: Vec::with_capacity(prompts.len()),
            rows: Vec::with_capacity(prompts.len() * copies),
        };
        for (prompt, ids) in prompts.iter().enumerate() {
            let (memory, hidden) = network.read(&Sequence::plain(ids.to_vec(), Vec::new()));
            decoder.prompts.push(Prompt {
                memory,
                length: ids.len(),
            });
            decoder.rows.extend((0..copies).map(|_| Row {
                prompt,
                memory: vec![Default::default(); layers],
                hidden: hidden.clone(),
                length: 0,
            }));
        }
        decoder
    }

    /// `[rows, vocabulary]` of the next tokens.
    pub fn logits(&self) -> Vec<f32> {
        let weights = self.network.weights();
        let (count, d) = (self.rows.len(), weights.config.hidden_size);
        let vocab = weights.config.vocab_size;
        let hidden: Vec<f32> = self
            .rows
            .iter()
            .flat_map(|row| &row.hidden)
            .copied()
            .collect();
        let mut logits = vec![0.0; count * vocab];
        let head = Matrix::new(self.network.head(), vocab, d);
        let hidden = Matrix::new(&hidden, count, d);
        product(&mut logits, vocab, hidden, head.t(), 1.0, false);
        logits
    }

    /// Keeps the given rows, in ascending order.
    pub fn keep(&mut self, rows: &[usize]) {
        let mut index = 0;
        self.rows.retain(|_| {
            index += 1;
            rows.binary_search(&(index - 1)).is_ok()
        });
    }

    /// Appends one token to every row.
    pub fn step(&mut self, ids: &[u32]) {
        let weights = self.network.weights();
        let config = &weights.config;
        let (count, d, f) = (
            self.rows.len(),
            config.hidden_size,
            config.intermediate_size,
        );
        let shape = self.network.heads();
        let kv = shape.kv_heads * shape.width;
        let epsilon = config.rms_norm_eps as f32;
        let position = |row: &Row| self.prompts[row.prompt].length + row.length;
        let positions: Vec<usize> = self.rows.iter().map(position).collect();
        let angles = Angles::new(&positions, shape.width, config.rope_theta);
        let linear = |input: &[f32], width: usize, weight: &[f32], out: usize| {
            let mut result = vec![0.0; count * out];
            let (input, weight) = (
                Matrix::new(input, count, width),
                Matrix::new(weight, width, out),
            );
            product(&mut result, out, input, weight, 1.0, false);
            result
        };
        let mut x = Vec::with_capacity(count * d);
        for id in ids {
            x.extend_from_slice(&weights.embed[*id as usize * d..][..d]);
        }
        let (mut normed, mut inverse) = (vec![0.0; count * d], vec![0.0; count]);
        for (index, layer) in weights.layers.iter().enumerate() {
            rms_norm(&x, &layer.norm1, epsilon, &mut normed, &mut inverse);
            let mut q = linear(&normed, d, &layer.q, d);
            let mut k = linear(&normed, d, &layer.k, kv);
            let mut v = linear(&normed, d, &layer.v, kv);
            add_bias(&mut q, &layer.q_bias);
            add_bias(&mut k, &layer.k_bias);
            add_bias(&mut v, &layer.v_bias);
            angles.rotate(&mut q, d, 1.0);
            angles.rotate(&mut k, kv, 1.0);
            for (row, (k, v)) in
                (self.rows.iter_mut()).zip(k.chunks_exact(kv).zip(v.chunks_exact(kv)))
            {
                row.memory[index].0.extend_from_slice(k);
                row.memory[index].1.extend_from_slice(v);
            }
            let context = self.attend(index, shape, &q);
            add(&mut x, &linear(&context, d, &layer.o, d));
            rms_norm(&x, &layer.norm2, epsilon, &mut normed, &mut inverse);
            let gate = linear(&normed, d, &layer.gate, f);
            let up = linear(&normed, d, &layer.up, f);
            let mut act = vec![0.0; count * f];
            swiglu(&gate, &up, &mut act);
            add(&mut x, &linear(&act, f, &layer.down, d));
        }
        rms_norm(&x, &weights.norm, epsilon, &mut normed, &mut inverse);
        for (row, hidden) in self.rows.iter_mut().zip(normed.chunks_exact(d)) {
            row.hidden.copy_from_slice(hidden);
            row.length += 1;
        }
    }

    /// Attention of every row's newest token over its prompt and itself, `[rows, heads · width]`.
    fn attend(&self, layer: usize, shape: Heads, q: &[f32]) -> Vec<f32> {
        let (width, d) = (shape.width, shape.heads * shape.width);
        let kv = shape.kv_heads * width;
        let group = shape.heads / shape.kv_heads;
        let mut context = vec![0.0; q.len()];
        let mut first = 0;
        for rows in self.rows.chunk_by(|one, other| one.prompt == other.prompt) {
            let Prompt { memory, length } = &self.prompts[rows[0].prompt];
            let (keys, values) = &memory[layer];
            let own = rows.iter().map(|row| row.length + 1).max().unwrap_or(0);
            let (count, stride) = (rows.len() * group, length + own);
            for head in 0..shape.kv_heads {
                // The queries of the rows' heads that share this key/value head, below each other.
                let from = |row: usize| (first + row) * d + head * group * width;
                let queries: Vec<f32> = (0..rows.len())
                    .flat_map(|row| &q[from(row)..from(row) + group * width])
                    .copied()
                    .collect();
                let mut weights = vec![0.0; count * stride];
                product(
                    &mut weights,
                    stride,
                    Matrix::new(&queries, count, width),
                    Matrix::strided(&keys[head * width..], *length, width, kv).t(),
                    shape.scale(),
                    false,
                );
                let at = |index: usize| &rows[index / group].memory[layer];
                for (index, scores) in weights.chunks_exact_mut(stride).enumerate() {
                    let (query, own) = (&queries[index * width..][..width], at(index));
                    let open = length + own.0.len() / kv;
                    let scores = &mut scores[..open];
                    row_products(
                        query,
                        &own.0[head * width..],
                        kv,
                        shape.scale(),
                        &mut scores[*length..],
                    );
                    softmax(scores, open);
                }
                let mut mixed = vec![0.0; count * width];
                product(
                    &mut mixed,
                    width,
                    Matrix::strided(&weights, count, *length, stride),
                    Matrix::strided(&values[head * width..], *length, width, kv),
                    1.0,
                    false,
                );
                for (index, mixed) in mixed.chunks_exact_mut(width).enumerate() {
                    let own = at(index);
                    let open = own.1.len() / kv;
                    let weights = &weights[index * stride + length..][..open];
                    weighted_rows(weights, &own.1[head * width..], kv, mixed);
                }
                for (row, mixed) in mixed.chunks_exact(group * width).enumerate() {
                    context[from(row)..from(row) + group * width].copy_from_slice(mixed);
                }
            }
            first += rows.len();
        }
        context
    }
}
