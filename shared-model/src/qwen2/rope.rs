//! Rotary position embedding (Su et al. 2021) in Qwen2's half-split layout: dimension `i` turns with dimension `i + d/2`.

use burn::tensor::{Device, Int, Tensor};

/// Cosines and sines of the positions of one batch.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// `[batch, 1, time, head_dim / 2]`.
    cos: Tensor<4>,
    /// `[batch, 1, time, head_dim / 2]`.
    sin: Tensor<4>,
}

impl Rotation {
    /// Angles `position · theta^(−2i / head_dim)`, computed on the host in f64 so that late positions stay exact.
    ///
    /// `positions[row][time]` are per row, since left padding shifts each row differently.
    pub fn new(positions: &[Vec<usize>], head_dim: usize, theta: f64, device: &Device) -> Self {
        let half = head_dim / 2;
        let (batch, time) = (positions.len(), positions.first().map_or(0, Vec::len));
        let frequencies: Vec<f64> = (0..half)
            .map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64))
            .collect();
        let angles = || {
            positions
                .iter()
                .flatten()
                .flat_map(|position| frequencies.iter().map(move |f| *position as f64 * f))
        };
        let cos: Vec<f32> = angles().map(|angle| angle.cos() as f32).collect();
        let sin: Vec<f32> = angles().map(|angle| angle.sin() as f32).collect();
        let shape = [batch, 1, time, half];
        Self {
            cos: Tensor::<1>::from_floats(cos.as_slice(), device).reshape(shape),
            sin: Tensor::<1>::from_floats(sin.as_slice(), device).reshape(shape),
        }
    }

    /// Rotates queries or keys.
    ///
    /// # Shapes
    /// - `x`: `[batch, heads, time, head_dim]` → the same
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let first = x.clone().narrow(3, 0, half);
        let second = x.narrow(3, half, half);
        let turned_first = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let turned_second = second * self.cos.clone() + first * self.sin.clone();
        Tensor::cat(vec![turned_first, turned_second], 3)
    }

    /// The rotation of the given rows only.
    pub fn select_rows(&self, rows: Tensor<1, Int>) -> Self {
        Self {
            cos: self.cos.clone().select(0, rows.clone()),
            sin: self.sin.clone().select(0, rows),
        }
    }
}
