//! Grouped-query attention of one sequence with half-split rotary positions, forward and backward.

use super::kernels::{Matrix, product, softmax};

/// Shape of the attention of one layer.
#[derive(Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub kv_heads: usize,
    pub width: usize,
}

impl Heads {
    fn scale(self) -> f32 {
        (self.width as f32).sqrt().recip()
    }

    fn kv_of(self, head: usize) -> usize {
        head / (self.heads / self.kv_heads)
    }
}

/// Cosines and sines `[time, head width / 2]` of positions 0, 1, ….
pub struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    pub fn new(time: usize, head_width: usize, theta: f64) -> Self {
        let half = head_width / 2;
        let angle = |position: usize, i: usize| {
            position as f64 * theta.powf(-2.0 * i as f64 / head_width as f64)
        };
        let table = |turn: fn(f64) -> f64| {
            let position = |t: usize| (0..half).map(move |i| turn(angle(t, i)) as f32);
            (0..time).flat_map(position).collect()
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

/// `context[time, heads · width]` from rotated queries and keys; keeps the attention weights `[heads, time, time]`.
pub fn attend(
    shape: Heads,
    time: usize,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    weights: &mut [f32],
    context: &mut [f32],
) {
    let Heads {
        heads,
        kv_heads,
        width,
    } = shape;
    let (q_stride, kv_stride) = (heads * width, kv_heads * width);
    for head in 0..heads {
        let kv = shape.kv_of(head) * width;
        let weights = &mut weights[head * time * time..][..time * time];
        let queries = Matrix::strided(&q[head * width..], time, width, q_stride);
        let keys = Matrix::strided(&k[kv..], time, width, kv_stride);
        product(weights, time, queries, keys.t(), shape.scale(), false);
        for (t, row) in weights.chunks_exact_mut(time).enumerate() {
            softmax(row, t + 1);
        }
        let values = Matrix::strided(&v[kv..], time, width, kv_stride);
        let weights = Matrix::new(weights, time, time);
        product(
            &mut context[head * width..],
            q_stride,
            weights,
            values,
            1.0,
            false,
        );
    }
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
    time: usize,
    (q, k, v): (&[f32], &[f32], &[f32]),
    weights: &[f32],
    dcontext: &[f32],
) -> QkvGradients {
    let Heads {
        heads,
        kv_heads,
        width,
    } = shape;
    let (q_stride, kv_stride) = (heads * width, kv_heads * width);
    let mut gradients = QkvGradients {
        q: vec![0.0; q.len()],
        k: vec![0.0; k.len()],
        v: vec![0.0; v.len()],
    };
    let mut dscores = vec![0.0; time * time];
    for head in 0..heads {
        let kv = shape.kv_of(head) * width;
        let weights = &weights[head * time * time..][..time * time];
        let dhead = Matrix::strided(&dcontext[head * width..], time, width, q_stride);
        let values = Matrix::strided(&v[kv..], time, width, kv_stride);
        product(&mut dscores, time, dhead, values.t(), 1.0, false);
        for ((t, dscore), weight) in dscores
            .chunks_exact_mut(time)
            .enumerate()
            .zip(weights.chunks_exact(time))
        {
            let (dscore, hidden) = dscore.split_at_mut(t + 1);
            let dot: f32 = dscore.iter().zip(weight).map(|(d, w)| d * w).sum();
            for (d, w) in dscore.iter_mut().zip(weight) {
                *d = w * (*d - dot);
            }
            hidden.fill(0.0);
        }
        let dscores = Matrix::new(&dscores, time, time);
        let queries = Matrix::strided(&q[head * width..], time, width, q_stride);
        let keys = Matrix::strided(&k[kv..], time, width, kv_stride);
        let scale = shape.scale();
        product(
            &mut gradients.q[head * width..],
            q_stride,
            dscores,
            keys,
            scale,
            false,
        );
        product(
            &mut gradients.k[kv..],
            kv_stride,
            dscores.t(),
            queries,
            scale,
            true,
        );
        let weights = Matrix::new(weights, time, time);
        product(
            &mut gradients.v[kv..],
            kv_stride,
            weights.t(),
            dhead,
            1.0,
            true,
        );
    }
    gradients
}
