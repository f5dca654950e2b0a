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

/// RMSNorm of each row; `inverse[row] = 1 / sqrt(mean x² + ε)` is kept for the backward pass.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32], inverse: &mut [f32]) {
    let width = weight.len();
    for ((x, out), inverse) in x
        .chunks_exact(width)
        .zip(out.chunks_exact_mut(width))
        .zip(inverse)
    {
        let square = x.iter().map(|x| x * x).sum::<f32>() / width as f32;
        *inverse = 1.0 / (square + epsilon).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * *inverse * weight;
        }
    }
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
    let rows = x
        .chunks_exact(width)
        .zip(dy.chunks_exact(width))
        .zip(dx.chunks_exact_mut(width))
        .zip(inverse);
    for (((x, dy), dx), inverse) in rows {
        let mut dot = 0.0;
        for (((dweight, x), dy), weight) in dweight.iter_mut().zip(x).zip(dy).zip(weight) {
            *dweight += dy * x * inverse;
            dot += dy * weight * x;
        }
        let pull = inverse * inverse * inverse * dot / width as f32;
        for (((dx, x), dy), weight) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
            *dx += inverse * dy * weight - pull * x;
        }
    }
}

/// `out = silu(gate) · up`.
pub fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + exp(-gate)) * up;
    }
}

/// Turns `gate` and `up` into their gradients, given the gradient of `silu(gate) · up`.
pub fn swiglu_backward(gate: &mut [f32], up: &mut [f32], dout: &[f32]) {
    for ((gate, up), dout) in gate.iter_mut().zip(up).zip(dout) {
        let sigmoid = 1.0 / (1.0 + exp(-*gate));
        let silu = *gate * sigmoid;
        let dgate = dout * *up * sigmoid * (1.0 + *gate * (1.0 - sigmoid));
        *up = dout * silu;
        *gate = dgate;
    }
}

/// Adds the bias to every row.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    for row in x.chunks_exact_mut(bias.len()) {
        add(row, bias);
    }
}

/// Adds the column sums of `dy` to `dbias`.
pub fn bias_backward(dy: &[f32], dbias: &mut [f32]) {
    for row in dy.chunks_exact(dbias.len()) {
        add(dbias, row);
    }
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// Softmax of the first `open` entries of a row, zero behind them.
pub fn softmax(row: &mut [f32], open: usize) {
    let (seen, hidden) = row.split_at_mut(open);
    let top = seen.iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for value in seen.iter_mut() {
        *value = exp(*value - top);
        total += *value;
    }
    let scale = 1.0 / total;
    seen.iter_mut().for_each(|value| *value *= scale);
    hidden.fill(0.0);
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
