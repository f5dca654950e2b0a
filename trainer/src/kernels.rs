//! Matrix product and the element-wise kernels, with their derivatives.

use gemm::Parallelism;

/// A borrowed matrix with strides, so that transposes cost nothing.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major `[rows, columns]`.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows that start `stride` apart.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || columns == 0 || data.len() >= (rows - 1) * stride + columns);
        Self {
            data,
            rows,
            columns,
            row_stride: stride,
            column_stride: 1,
        }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = alpha·a·b` (`add` false) or `out += alpha·a·b`, single-threaded; rows of `out` start `stride` apart.
pub fn product(out: &mut [f32], stride: usize, a: Matrix, b: Matrix, alpha: f32, add: bool) {
    assert_eq!(a.columns, b.rows);
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= stride || m == 1);
    assert!(out.len() >= (m - 1) * stride + n);
    // SAFETY: every matrix was checked on construction to hold its last element, `out` just above; `out` is borrowed
    // mutably and so overlaps neither operand.
    #[allow(unsafe_code, reason = "the gemm crate has no safe interface")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// `e^x` to 1e-7 relative, branch-free so that the compiler vectorises it (range reduction by 2^n, Taylor to x^6).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding and taking away 1.5 · 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.0
        + r * (1.0
            + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r / 720.0)))));
    f32::from_bits(((n as i32 + 127) << 23) as u32) * p
}

/// Runs `work` compiled for the widest vector instructions that this processor has.
#[inline(always)]
fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Partial sums that the compiler can keep in one vector register.
const LANES: usize = 16;

/// `Σ f(x[i], y[i])` in [`LANES`] partial sums: the order of additions is fixed, whatever the processor.
#[inline(always)]
fn sum2(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f32 = (xs.remainder().iter().zip(ys.remainder()))
        .map(|(x, y)| f(*x, *y))
        .sum();
    for (x, y) in xs.zip(ys) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::MIN; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] {
                chunk[lane]
            } else {
                lanes[lane]
            };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::MIN, f32::max)
}

/// RMSNorm of each row; `inverse[row] = 1 / sqrt(mean x² + ε)` is kept for the backward pass.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32], inverse: &mut [f32]) {
    let width = weight.len();
    vectorised(|| {
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for ((x, out), inverse) in rows.zip(inverse) {
            let square = sum2(x, x, |x, y| x * y) / width as f32;
            *inverse = 1.0 / (square + epsilon).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * *inverse * weight;
            }
        }
    });
}

/// Adds the gradient of RMSNorm to `dx` and `dweight`.
pub fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let width = weight.len();
    let mut scaled = vec![0.0; width];
    vectorised(|| {
        let rows = x
            .chunks_exact(width)
            .zip(dy.chunks_exact(width))
            .zip(dx.chunks_exact_mut(width))
            .zip(inverse);
        for (((x, dy), dx), inverse) in rows {
            for (((dweight, x), dy), (scaled, weight)) in dweight
                .iter_mut()
                .zip(x)
                .zip(dy)
                .zip(scaled.iter_mut().zip(weight))
            {
                *dweight += dy * x * inverse;
                *scaled = dy * weight;
            }
            let dot = sum2(&scaled, x, |scaled, x| scaled * x);
            let pull = inverse * inverse * inverse * dot / width as f32;
            for ((dx, x), scaled) in dx.iter_mut().zip(x).zip(&scaled) {
                *dx += inverse * scaled - pull * x;
            }
        }
    });
}

/// `out = silu(gate) · up`.
pub fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    vectorised(|| {
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate / (1.0 + exp(-gate)) * up;
        }
    });
}

/// Turns `gate` and `up` into their gradients, given the gradient of `silu(gate) · up`.
pub fn swiglu_backward(gate: &mut [f32], up: &mut [f32], dout: &[f32]) {
    vectorised(|| {
        for ((gate, up), dout) in gate.iter_mut().zip(up).zip(dout) {
            let sigmoid = 1.0 / (1.0 + exp(-*gate));
            let silu = *gate * sigmoid;
            let dgate = dout * *up * sigmoid * (1.0 + *gate * (1.0 - sigmoid));
            *up = dout * silu;
            *gate = dgate;
        }
    });
}

/// Adds the bias to every row.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    vectorised(|| {
        for row in x.chunks_exact_mut(bias.len()) {
            plus(row, bias);
        }
    });
}

/// Adds the column sums of `dy` to `dbias`.
pub fn bias_backward(dy: &[f32], dbias: &mut [f32]) {
    vectorised(|| {
        for row in dy.chunks_exact(dbias.len()) {
            plus(dbias, row);
        }
    });
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) {
    vectorised(|| plus(x, y));
}

#[inline(always)]
fn plus(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// Softmax of the first `open` entries of a row, zero behind them. Returns the logarithm of the sum of exponentials.
pub fn softmax(row: &mut [f32], open: usize) -> f32 {
    vectorised(|| {
        let (seen, hidden) = row.split_at_mut(open);
        let top = largest(seen);
        for value in seen.iter_mut() {
            *value = exp(*value - top);
        }
        let total = sum2(seen, seen, |value, _| value);
        let scale = 1.0 / total;
        for value in seen.iter_mut() {
            *value *= scale;
        }
        hidden.fill(0.0);
        top + total.ln()
    })
}

/// `e^x` of every entry, which is bounded to `±bound` first.
pub fn exponentials(row: &mut [f32], bound: f32) {
    vectorised(|| {
        for value in row.iter_mut() {
            *value = exp(value.clamp(-bound, bound));
        }
    });
}

/// Softmax of a row. Returns the logarithm of the sum of exponentials, and the entropy of the row in nats.
pub fn softmax_with_entropy(row: &mut [f32]) -> (f32, f32) {
    vectorised(|| {
        let top = largest(row);
        // Σ e^(z−top) · (z − top), in the lanes of `sum2`.
        let mut weighted = [0.0f32; LANES];
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for lane in 0..LANES {
                let gap = chunk[lane] - top;
                chunk[lane] = exp(gap);
                weighted[lane] += chunk[lane] * gap;
            }
        }
        let mut rest = 0.0;
        for value in chunks.into_remainder() {
            let gap = *value - top;
            *value = exp(gap);
            rest += *value * gap;
        }
        let weighted = weighted.iter().sum::<f32>() + rest;
        let total = sum2(row, row, |value, _| value);
        let scale = 1.0 / total;
        for value in row.iter_mut() {
            *value *= scale;
        }
        (top + total.ln(), total.ln() - weighted * scale)
    })
}

/// Turns the gradient of a softmax row into that of its scores; `open` as in [`softmax`].
pub fn softmax_backward(drow: &mut [f32], weights: &[f32], open: usize) {
    vectorised(|| {
        let (seen, hidden) = drow.split_at_mut(open);
        let weights = &weights[..open];
        let dot = sum2(seen, weights, |d, w| d * w);
        for (d, w) in seen.iter_mut().zip(weights) {
            *d = w * (*d - dot);
        }
        hidden.fill(0.0);
    });
}

/// `(one-hot(target) − p) · scale`, in place of the probabilities `p`: the gradient of `scale · log p(target)`.
pub fn log_softmax_backward(row: &mut [f32], target: usize, scale: f32) {
    vectorised(|| {
        for p in row.iter_mut() {
            *p *= -scale;
        }
    });
    row[target] += scale;
}

/// `out[t] = scale · query · rows[t]`; rows start `stride` apart.
pub fn row_products(query: &[f32], rows: &[f32], stride: usize, scale: f32, out: &mut [f32]) {
    vectorised(|| {
        for (out, row) in out.iter_mut().zip(rows.chunks(stride)) {
            *out = scale * sum2(query, &row[..query.len()], |q, k| q * k);
        }
    });
}

/// `out += Σ weights[t] · rows[t]`; rows start `stride` apart.
pub fn weighted_rows(weights: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
    vectorised(|| {
        for (weight, row) in weights.iter().zip(rows.chunks(stride)) {
            for (out, value) in out.iter_mut().zip(row) {
                *out += weight * value;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_the_standard_library_s_to_two_parts_in_ten_million() {
        for step in -8000..8000 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "{x}");
        }
    }

    #[test]
    fn entropy_is_that_of_the_softmax() {
        // Quarter, quarter, half: 2 · ¼ ln 4 + ½ ln 2 = 1.5 ln 2. Even rows: the logarithm of their length.
        let mut row = [0.0, 0.0, 2f32.ln()].map(|z| z + 50.0);
        let (log_sum, entropy) = softmax_with_entropy(&mut row);
        assert!((log_sum - 50.0 - 4f32.ln()).abs() < 1e-5);
        assert!((entropy - 1.5 * 2f32.ln()).abs() < 1e-6);
        assert!((row[2] - 0.5).abs() < 1e-6);
        for length in [1, 15, 16, 17, 100] {
            let (_, entropy) = softmax_with_entropy(&mut vec![-3.0; length]);
            assert!((entropy - (length as f32).ln()).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn a_product_with_strides_and_transposes_is_the_hand_worked_one() {
        // [1 2; 3 4] · [5 6; 7 8]ᵀ = [17 23; 39 53]
        let (a, b) = ([1.0, 2.0, 9.0, 3.0, 4.0, 9.0], [5.0, 6.0, 7.0, 8.0]);
        let mut out = [1.0; 4];
        product(
            &mut out,
            2,
            Matrix::strided(&a, 2, 2, 3),
            Matrix::new(&b, 2, 2).t(),
            1.0,
            true,
        );
        assert_eq!(out, [18.0, 24.0, 40.0, 54.0]);
    }
}
