//! Forward with a tape, backward from per-token gradients, over many sequences on threads.

use std::time::Instant;

use rayon::prelude::*;

use super::attention::{Angles, Heads, attend, attend_backward};
use super::decode::Memory;
use super::layout::Layout;
use super::weights::{LayerWeights, Weights};
use crate::kernels::{
    Matrix, add, add_bias, bias_backward, log_softmax_backward, product, rms_norm,
    rms_norm_backward, softmax_with_entropy, swiglu, swiglu_backward,
};
use crate::llm::{Sequence, TokenScores};

struct LayerTape {
    input: Vec<f32>,
    inverse1: Vec<f32>,
    normed1: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// Attention weights by region and head.
    weights: Vec<Vec<f32>>,
    context: Vec<f32>,
    middle: Vec<f32>,
    inverse2: Vec<f32>,
    normed2: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    product: Vec<f32>,
}

/// What the backward pass of one sequence needs.
pub struct Tape {
    layers: Vec<LayerTape>,
    output: Vec<f32>,
    inverse: Vec<f32>,
    /// Final hidden states of the positions before the wanted ones, `[wanted, width]`.
    picked: Vec<f32>,
    /// Their softmax over the vocabulary, `[wanted, vocab]`; empty where it is too large to keep.
    probabilities: Vec<f32>,
}

/// Numbers over the vocabulary that a thread holds at once: 16 MiB. A sequence with more is scored in chunks of positions,
/// whose softmax is computed again in the backward pass.
const LOGITS: usize = 1 << 22;

/// What one thread hands back: scores by sequence, its share of the gradient, and its seconds forward and backward.
type Part = (Vec<(usize, TokenScores)>, Weights, [f64; 2]);

/// A model ready to be differentiated.
pub struct Network {
    weights: Weights,
    logits: usize,
}

impl Network {
    /// Takes a copy of the parameters.
    pub fn new(weights: Weights) -> Self {
        Self {
            weights,
            logits: LOGITS,
        }
    }

    /// Holds so many numbers over the vocabulary at once.
    #[cfg(test)]
    pub(super) fn with_logits(mut self, logits: usize) -> Self {
        self.logits = logits;
        self
    }

    /// Positions whose logits are held at once.
    fn positions_at_once(&self) -> usize {
        (self.logits / self.weights.config.vocab_size).max(1)
    }

    /// Logits of hidden states `[n, width]` at `temperature`, `[n, vocab]`.
    fn logits(&self, states: &[f32], temperature: f32) -> Vec<f32> {
        let (d, vocab) = (
            self.weights.config.hidden_size,
            self.weights.config.vocab_size,
        );
        let count = states.len() / d;
        let mut logits = vec![0.0; count * vocab];
        let head = Matrix::new(self.head(), vocab, d).t();
        let states = Matrix::new(states, count, d);
        product(&mut logits, vocab, states, head, 1.0 / temperature, false);
        logits
    }

    /// Scores of the wanted tokens of each sequence at `temperature`, and in the same sweep the gradient of
    /// `Σ d(sequence, scores) · log_probs`, where `d` turns a sequence's scores into the derivatives of its log-probabilities.
    ///
    /// Every sequence is forgotten after its backward pass, so memory grows with one sequence a thread. The seconds are the
    /// threads' mean.
    pub fn gradient(
        &self,
        sequences: &[Sequence],
        temperature: f32,
        d: impl Fn(usize, &TokenScores) -> Vec<f32> + Sync,
    ) -> (Vec<TokenScores>, Weights, [f64; 2]) {
        let threads = rayon::current_num_threads().min(sequences.len()).max(1);
        let parts = deal(sequences, threads);
        let done: Vec<Part> = parts
            .into_par_iter()
            .map(|part| {
                let mut gradient = self.weights.zeros_like();
                let mut values = Vec::with_capacity(part.len());
                let mut seconds = [0.0; 2];
                for index in part {
                    let start = Instant::now();
                    let (scores, tape) = self.forward(&sequences[index], temperature);
                    seconds[0] += start.elapsed().as_secs_f64();
                    let start = Instant::now();
                    let outer = d(index, &scores);
                    if outer.iter().any(|value| *value != 0.0) {
                        self.backward(&sequences[index], tape, &outer, temperature, &mut gradient);
                    }
                    seconds[1] += start.elapsed().as_secs_f64();
                    values.push((index, scores));
                }
                (values, gradient, seconds)
            })
            .collect();
        let mut scores = vec![TokenScores::default(); sequences.len()];
        let mut total: Option<Weights> = None;
        let mut mean = [0.0; 2];
        for (values, gradient, seconds) in done {
            mean[0] += seconds[0] / threads as f64;
            mean[1] += seconds[1] / threads as f64;
            values
                .into_iter()
                .for_each(|(index, values)| scores[index] = values);
            match &mut total {
                Some(total) => total.add(&gradient),
                None => total = Some(gradient),
            }
        }
        let total = total.unwrap_or_else(|| self.weights.zeros_like());
        (scores, total, mean)
    }

    /// Scores only.
    pub fn scores(&self, sequences: &[Sequence], temperature: f32) -> Vec<TokenScores> {
        sequences
            .par_iter()
            .map(|sequence| self.forward(sequence, temperature).0)
            .collect()
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Reads a prompt: rotated keys and values of every layer, and the final hidden state of the last token.
    pub(super) fn read(&self, prompt: &Sequence) -> (Memory, Vec<f32>) {
        let config = &self.weights.config;
        let d = config.hidden_size;
        let mut memory = Vec::with_capacity(self.weights.layers.len());
        let x = self.blocks(prompt, &prompt.layout(), |tape| {
            memory.push((tape.k, tape.v))
        });
        let last = &x[x.len() - d..];
        let mut hidden = vec![0.0; d];
        let epsilon = config.rms_norm_eps as f32;
        rms_norm(last, &self.weights.norm, epsilon, &mut hidden, &mut [0.0]);
        (memory, hidden)
    }

    /// Embedding and all blocks; `keep` gets what each block leaves behind. Returns the output of the last, `[time, width]`.
    fn blocks(
        &self,
        sequence: &Sequence,
        layout: &Layout,
        mut keep: impl FnMut(LayerTape),
    ) -> Vec<f32> {
        let config = &self.weights.config;
        let d = config.hidden_size;
        let angles = Angles::new(&layout.positions(), config.head_dim(), config.rope_theta);
        let row = |id: &u32| &self.weights.embed[*id as usize * d..][..d];
        let mut x: Vec<f32> = sequence.ids.iter().flat_map(row).copied().collect();
        for layer in &self.weights.layers {
            let (next, tape) = self.layer_forward(layer, x, layout, &angles);
            x = next;
            keep(tape);
        }
        x
    }

    pub(super) fn heads(&self) -> Heads {
        let config = &self.weights.config;
        Heads {
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            width: config.head_dim(),
        }
    }

    pub(super) fn head(&self) -> &[f32] {
        let Weights { head, embed, .. } = &self.weights;
        if head.is_empty() { embed } else { head }
    }

    /// One sequence forward.
    pub fn forward(&self, sequence: &Sequence, temperature: f32) -> (TokenScores, Tape) {
        let config = &self.weights.config;
        let (time, d) = (sequence.ids.len(), config.hidden_size);
        let layout = sequence.layout();
        let mut layers = Vec::with_capacity(self.weights.layers.len());
        let x = self.blocks(sequence, &layout, |tape| layers.push(tape));
        let epsilon = config.rms_norm_eps as f32;
        let (mut hidden, mut inverse) = (vec![0.0; time * d], vec![0.0; time]);
        rms_norm(&x, &self.weights.norm, epsilon, &mut hidden, &mut inverse);
        let wanted = sequence.positions.len();
        let mut picked = Vec::with_capacity(wanted * d);
        for before in sequence.predecessors() {
            picked.extend_from_slice(&hidden[before * d..][..d]);
        }
        let (vocab, at_once) = (config.vocab_size, self.positions_at_once());
        let mut probabilities = Vec::new();
        let mut scores = TokenScores::default();
        let chunks = picked.chunks(at_once * d);
        for (states, positions) in chunks.zip(sequence.positions.chunks(at_once)) {
            let mut logits = self.logits(states, temperature);
            for (row, position) in logits.chunks_exact_mut(vocab).zip(positions) {
                let target = row[sequence.ids[*position] as usize];
                let (log_sum, entropy) = softmax_with_entropy(row);
                scores.log_probs.push(target - log_sum);
                scores.entropies.push(entropy);
            }
            if wanted <= at_once {
                probabilities = logits;
            }
        }
        let tape = Tape {
            layers,
            output: x,
            inverse,
            picked,
            probabilities,
        };
        (scores, tape)
    }

    fn layer_forward(
        &self,
        layer: &LayerWeights,
        x: Vec<f32>,
        layout: &Layout,
        angles: &Angles,
    ) -> (Vec<f32>, LayerTape) {
        let time = layout.len();
        let config = &self.weights.config;
        let shape = self.heads();
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let kv = shape.kv_heads * shape.width;
        let epsilon = config.rms_norm_eps as f32;
        let (mut normed1, mut inverse1) = (vec![0.0; time * d], vec![0.0; time]);
        rms_norm(&x, &layer.norm1, epsilon, &mut normed1, &mut inverse1);
        let linear = |input: &[f32], width: usize, weight: &[f32], out: usize| {
            let mut result = vec![0.0; time * out];
            let (input, weight) = (
                Matrix::new(input, time, width),
                Matrix::new(weight, width, out),
            );
            product(&mut result, out, input, weight, 1.0, false);
            result
        };
        let biased = |weight: &[f32], bias: &[f32], out: usize| {
            let mut result = linear(&normed1, d, weight, out);
            add_bias(&mut result, bias);
            result
        };
        let mut q = biased(&layer.q, &layer.q_bias, d);
        let mut k = biased(&layer.k, &layer.k_bias, kv);
        let v = biased(&layer.v, &layer.v_bias, kv);
        angles.rotate(&mut q, d, 1.0);
        angles.rotate(&mut k, kv, 1.0);
        let mut context = vec![0.0; time * d];
        let weights = attend(shape, layout, &q, &k, &v, &mut context);
        let mut middle = linear(&context, d, &layer.o, d);
        add(&mut middle, &x);
        let (mut normed2, mut inverse2) = (vec![0.0; time * d], vec![0.0; time]);
        rms_norm(&middle, &layer.norm2, epsilon, &mut normed2, &mut inverse2);
        let gate = linear(&normed2, d, &layer.gate, f);
        let up = linear(&normed2, d, &layer.up, f);
        let mut act = vec![0.0; time * f];
        swiglu(&gate, &up, &mut act);
        let mut out = linear(&act, f, &layer.down, d);
        add(&mut out, &middle);
        let tape = LayerTape {
            input: x,
            inverse1,
            normed1,
            q,
            k,
            v,
            weights,
            context,
            middle,
            inverse2,
            normed2,
            gate,
            up,
            product: act,
        };
        (out, tape)
    }

    /// Adds `Σ dlog_probs · ∂log_probs/∂θ` of one sequence to `gradient`.
    fn backward(
        &self,
        sequence: &Sequence,
        tape: Tape,
        dlog_probs: &[f32],
        temperature: f32,
        gradient: &mut Weights,
    ) {
        let config = &self.weights.config;
        let (time, d, vocab) = (sequence.ids.len(), config.hidden_size, config.vocab_size);
        let wanted = dlog_probs.len();
        let mut dpicked = vec![0.0; wanted * d];
        let dhead = if self.weights.head.is_empty() {
            &mut gradient.embed
        } else {
            &mut gradient.head
        };
        let at_once = self.positions_at_once();
        let mut kept = Some(tape.probabilities).filter(|kept| !kept.is_empty());
        for (index, states) in tape.picked.chunks(at_once * d).enumerate() {
            let (start, count) = (index * at_once, states.len() / d);
            let mut dlogits = kept.take().unwrap_or_else(|| {
                let mut logits = self.logits(states, temperature);
                logits.chunks_exact_mut(vocab).for_each(|row| {
                    softmax_with_entropy(row);
                });
                logits
            });
            // ∂log p(target)/∂logits = (onehot − p) / temperature.
            let outer = &dlog_probs[start..start + count];
            let positions = &sequence.positions[start..start + count];
            for ((row, outer), position) in
                dlogits.chunks_exact_mut(vocab).zip(outer).zip(positions)
            {
                let target = sequence.ids[*position] as usize;
                log_softmax_backward(row, target, outer / temperature);
            }
            let dlogits = Matrix::new(&dlogits, count, vocab);
            let dstates = &mut dpicked[start * d..(start + count) * d];
            let head = Matrix::new(self.head(), vocab, d);
            product(dstates, d, dlogits, head, 1.0, false);
            product(
                dhead,
                d,
                dlogits.t(),
                Matrix::new(states, count, d),
                1.0,
                true,
            );
        }
        let mut dhidden = vec![0.0; time * d];
        let layout = sequence.layout();
        for (row, before) in dpicked.chunks_exact(d).zip(sequence.predecessors()) {
            add(&mut dhidden[before * d..][..d], row);
        }
        let mut dx = vec![0.0; time * d];
        rms_norm_backward(
            &tape.output,
            &self.weights.norm,
            &tape.inverse,
            &dhidden,
            &mut dx,
            &mut gradient.norm,
        );
        let angles = Angles::new(&layout.positions(), config.head_dim(), config.rope_theta);
        let layers = self
            .weights
            .layers
            .iter()
            .zip(gradient.layers.iter_mut())
            .zip(tape.layers);
        for ((layer, gradient), tape) in layers.rev() {
            self.layer_backward(layer, gradient, tape, &mut dx, &layout, &angles);
        }
        for (row, id) in dx.chunks_exact(d).zip(&sequence.ids) {
            add(&mut gradient.embed[*id as usize * d..][..d], row);
        }
    }

    /// Turns `dx`, the gradient of a layer's output, into that of its input.
    fn layer_backward(
        &self,
        layer: &LayerWeights,
        gradient: &mut LayerWeights,
        mut tape: LayerTape,
        dx: &mut [f32],
        layout: &Layout,
        angles: &Angles,
    ) {
        let time = layout.len();
        let config = &self.weights.config;
        let shape = self.heads();
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let kv = shape.kv_heads * shape.width;
        // Gradients of a linear map x·W: into W, and into x.
        let into_weight =
            |dweight: &mut [f32], x: &[f32], input: usize, dy: &[f32], output: usize| {
                let (x, dy) = (Matrix::new(x, time, input), Matrix::new(dy, time, output));
                product(dweight, output, x.t(), dy, 1.0, true);
            };
        let into_input = |dinput: &mut [f32],
                          weight: &[f32],
                          input: usize,
                          dy: &[f32],
                          output: usize,
                          add: bool| {
            let (weight, dy) = (
                Matrix::new(weight, input, output),
                Matrix::new(dy, time, output),
            );
            product(dinput, input, dy, weight.t(), 1.0, add);
        };
        let mut dact = vec![0.0; time * f];
        into_weight(&mut gradient.down, &tape.product, f, dx, d);
        into_input(&mut dact, &layer.down, f, dx, d, false);
        swiglu_backward(&mut tape.gate, &mut tape.up, &dact);
        let mut dnormed = vec![0.0; time * d];
        into_weight(&mut gradient.gate, &tape.normed2, d, &tape.gate, f);
        into_weight(&mut gradient.up, &tape.normed2, d, &tape.up, f);
        into_input(&mut dnormed, &layer.gate, d, &tape.gate, f, false);
        into_input(&mut dnormed, &layer.up, d, &tape.up, f, true);
        rms_norm_backward(
            &tape.middle,
            &layer.norm2,
            &tape.inverse2,
            &dnormed,
            dx,
            &mut gradient.norm2,
        );

        let mut dcontext = vec![0.0; time * d];
        into_weight(&mut gradient.o, &tape.context, d, dx, d);
        into_input(&mut dcontext, &layer.o, d, dx, d, false);
        let mut dqkv = attend_backward(
            shape,
            layout,
            (&tape.q, &tape.k, &tape.v),
            &tape.weights,
            &dcontext,
        );
        angles.rotate(&mut dqkv.q, d, -1.0);
        angles.rotate(&mut dqkv.k, kv, -1.0);
        let maps = [
            (&mut gradient.q, &mut gradient.q_bias, &layer.q, &dqkv.q, d),
            (&mut gradient.k, &mut gradient.k_bias, &layer.k, &dqkv.k, kv),
            (&mut gradient.v, &mut gradient.v_bias, &layer.v, &dqkv.v, kv),
        ];
        let mut first = true;
        for (dweight, dbias, weight, dy, out) in maps {
            into_weight(dweight, &tape.normed1, d, dy, out);
            bias_backward(dy, dbias);
            into_input(&mut dnormed, weight, d, dy, out, !first);
            first = false;
        }
        rms_norm_backward(
            &tape.input,
            &layer.norm1,
            &tape.inverse1,
            &dnormed,
            dx,
            &mut gradient.norm1,
        );
    }
}

/// Divides sequences into `parts` of about equal total length: longest first, each to the lightest part.
fn deal(sequences: &[Sequence], parts: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(sequences[*index].ids.len()), *index));
    let mut hands: Vec<(usize, Vec<usize>)> = vec![(0, Vec::new()); parts];
    for index in order {
        if let Some(lightest) = hands.iter_mut().min_by_key(|(load, _)| *load) {
            lightest.0 += sequences[index].ids.len();
            lightest.1.push(index);
        }
    }
    hands.into_iter().map(|(_, hand)| hand).collect()
}
