//! Grouped-query attention of one branching sequence with half-split rotary positions, forward and backward.

use std::ops::Range;

use super::layout::{Layout, Region};
use crate::kernels::{Matrix, product, softmax, softmax_backward};

/// Shape of the attention of one layer.
#[derive(Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub kv_heads: usize,
    pub width: usize,
}

impl Heads {
    pub fn scale(self) -> f32 {
        (self.width as f32).sqrt().recip()
    }

    fn kv_of(self, head: usize) -> usize {
        head / (self.heads / self.kv_heads)
    }
}

/// Cosines and sines `[time, head width / 2]` of every token's position.
pub struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    pub fn new(positions: &[usize], head_width: usize, theta: f64) -> Self {
        let half = head_width / 2;
        let angle = |position: usize, i: usize| {
            position as f64 * theta.powf(-2.0 * i as f64 / head_width as f64)
        };
        let table = |turn: fn(f64) -> f64| {
            let position = |t: &usize| {
                let t = *t;
                (0..half).map(move |i| turn(angle(t, i)) as f32)
            };
            positions.iter().flat_map(position).collect()
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
            half,
        }
    }

    /// Rotates every head of `[time, heads · width]`; `sign` −1 turns back (the transpose, for gradients).
    pub fn rotate(&self, x: &mut [f32], row_width: usize, sign: f32) {
        let half = self.half;
        for (t, row) in x.chunks_exact_mut(row_width).enumerate() {
            let (cos, sin) = (&self.cos[t * half..][..half], &self.sin[t * half..][..half]);
            for head in row.chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for i in 0..half {
                    let (a, b, s) = (first[i], second[i], sign * sin[i]);
                    first[i] = a * cos[i] - b * s;
                    second[i] = b * cos[i] + a * s;
                }
            }
        }
    }
}

/// Queries handled at once: what lies behind a block's last query is never computed.
const BLOCK: usize = 64;

/// One head's slices of `[time, heads · width]` queries and `[time, kv_heads · width]` keys or values.
struct Rows<'a> {
    data: &'a [f32],
    width: usize,
    stride: usize,
}

impl Rows<'_> {
    fn of(&self, rows: Range<usize>) -> Matrix<'_> {
        let data = &self.data[rows.start * self.stride..];
        Matrix::strided(data, rows.len(), self.width, self.stride)
    }
}

impl Heads {
    fn queries<'a>(&self, data: &'a [f32], head: usize) -> Rows<'a> {
        Rows {
            data: &data[head * self.width..],
            width: self.width,
            stride: self.heads * self.width,
        }
    }

    fn keys<'a>(&self, data: &'a [f32], head: usize) -> Rows<'a> {
        Rows {
            data: &data[self.kv_of(head) * self.width..],
            width: self.width,
            stride: self.kv_heads * self.width,
        }
    }
}

/// Calls `work` with each block of a region's queries and the keys of their own part that the block may see.
fn blocks(region: &Region, mut work: impl FnMut(Range<usize>, Range<usize>)) {
    for part in &region.parts {
        for start in part.clone().step_by(BLOCK) {
            let end = (start + BLOCK).min(part.end);
            work(start..end, part.start..end);
        }
    }
}

/// `context[time, heads · width]` from rotated queries and keys. Returns the attention weights of every region and head,
/// `[rows of the region, stride of the region]`: the prefix first, then the row's own part.
pub fn attend(
    shape: Heads,
    layout: &Layout,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    context: &mut [f32],
) -> Vec<Vec<f32>> {
    let mut tape = Vec::new();
    let q_stride = shape.heads * shape.width;
    for region in layout.regions() {
        let (stride, prefix) = (region.stride(), 0..region.prefix);
        for head in 0..shape.heads {
            let mut weights = vec![0.0; region.rows.len() * stride];
            let (queries, keys, values) = (
                shape.queries(q, head),
                shape.keys(k, head),
                shape.keys(v, head),
            );
            if !prefix.is_empty() {
                let (all, seen) = (queries.of(region.rows.clone()), keys.of(prefix.clone()));
                product(&mut weights, stride, all, seen.t(), shape.scale(), false);
            }
            blocks(&region, |block, own| {
                let from = (block.start - region.rows.start) * stride;
                let rows = &mut weights[from..from + block.len() * stride];
                let (block_queries, own_keys) = (queries.of(block.clone()), keys.of(own.clone()));
                product(
                    &mut rows[prefix.end..],
                    stride,
                    block_queries,
                    own_keys.t(),
                    shape.scale(),
                    false,
                );
                for (t, row) in block.zip(rows.chunks_exact_mut(stride)) {
                    let row = &mut row[..prefix.end + own.len()];
                    softmax(row, prefix.end + t - own.start + 1);
                }
            });
            let out = &mut context[region.rows.start * q_stride + head * shape.width..];
            if !prefix.is_empty() {
                let seen = Matrix::strided(&weights, region.rows.len(), prefix.end, stride);
                product(out, q_stride, seen, values.of(prefix.clone()), 1.0, false);
            }
            blocks(&region, |block, own| {
                let from = block.start - region.rows.start;
                let seen = &weights[from * stride + prefix.end..];
                let seen = Matrix::strided(seen, block.len(), own.len(), stride);
                let out = &mut out[from * q_stride..];
                let add = !prefix.is_empty();
                product(out, q_stride, seen, values.of(own), 1.0, add);
            });
            tape.push(weights);
        }
    }
    tape
}

/// Gradients of the three inputs of [`attend`].
pub struct QkvGradients {
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

/// The derivative of [`attend`]; the gradients are of the rotated queries and keys.
pub fn attend_backward(
    shape: Heads,
    layout: &Layout,
    (q, k, v): (&[f32], &[f32], &[f32]),
    tape: &[Vec<f32>],
    dcontext: &[f32],
) -> QkvGradients {
    let (q_stride, kv_stride) = (shape.heads * shape.width, shape.kv_heads * shape.width);
    let mut gradients = QkvGradients {
        q: vec![0.0; q.len()],
        k: vec![0.0; k.len()],
        v: vec![0.0; v.len()],
    };
    let mut tape = tape.iter();
    for region in layout.regions() {
        let (stride, prefix) = (region.stride(), 0..region.prefix);
        let shared = !prefix.is_empty();
        let rows = region.rows.clone();
        let mut dscores = vec![0.0; rows.len() * stride];
        for (head, weights) in (0..shape.heads).zip(&mut tape) {
            let (queries, keys, values) = (
                shape.queries(q, head),
                shape.keys(k, head),
                shape.keys(v, head),
            );
            let dhead = shape.queries(dcontext, head);
            let (q_from, kv_from) = (head * shape.width, shape.kv_of(head) * shape.width);
            if shared {
                let seen = values.of(prefix.clone());
                let all = dhead.of(rows.clone());
                product(&mut dscores, stride, all, seen.t(), 1.0, false);
            }
            blocks(&region, |block, own| {
                let from = (block.start - rows.start) * stride;
                let to = from + block.len() * stride;
                let (drows, weights) = (&mut dscores[from..to], &weights[from..to]);
                product(
                    &mut drows[prefix.end..],
                    stride,
                    dhead.of(block.clone()),
                    values.of(own.clone()).t(),
                    1.0,
                    false,
                );
                let pairs = drows
                    .chunks_exact_mut(stride)
                    .zip(weights.chunks_exact(stride));
                for (t, (drow, weights)) in block.clone().zip(pairs) {
                    let open = prefix.end + t - own.start + 1;
                    softmax_backward(&mut drow[..prefix.end + own.len()], weights, open);
                }
                let count = block.len();
                let down = Matrix::strided(&drows[prefix.end..], count, own.len(), stride);
                let seen = Matrix::strided(&weights[prefix.end..], count, own.len(), stride);
                let dq = &mut gradients.q[block.start * q_stride + q_from..];
                product(
                    dq,
                    q_stride,
                    down,
                    keys.of(own.clone()),
                    shape.scale(),
                    false,
                );
                let dk = &mut gradients.k[own.start * kv_stride + kv_from..];
                let block_queries = queries.of(block.clone());
                product(dk, kv_stride, down.t(), block_queries, shape.scale(), true);
                let dv = &mut gradients.v[own.start * kv_stride + kv_from..];
                product(dv, kv_stride, seen.t(), dhead.of(block), 1.0, true);
            });
            if shared {
                let dseen = Matrix::strided(&dscores, rows.len(), prefix.end, stride);
                let seen = Matrix::strided(weights, rows.len(), prefix.end, stride);
                let dq = &mut gradients.q[rows.start * q_stride + q_from..];
                product(
                    dq,
                    q_stride,
                    dseen,
                    keys.of(prefix.clone()),
                    shape.scale(),
                    true,
                );
                let (dk, dv) = (&mut gradients.k[kv_from..], &mut gradients.v[kv_from..]);
                let all = queries.of(rows.clone());
                product(dk, kv_stride, dseen.t(), all, shape.scale(), true);
                product(dv, kv_stride, seen.t(), dhead.of(rows.clone()), 1.0, true);
            }
        }
    }
    gradients
}
