//! Products of a matrix with a *panel*: [`VECTORS`] registers of candidates side by side, one row per input.
//!
//! A weight is loaded once for all candidates of a panel, and what follows a product (activations, sums) stays in registers. Every
//! candidate's sums run in the same order whatever the width of a register, so that processors differ only by fused roundings.

use pulp::Simd;

/// Registers of a panel's row.
pub(super) const VECTORS: usize = 3;
/// Rows of a matrix that are multiplied at once: with [`VECTORS`], what sixteen registers hold.
pub(super) const ROWS: usize = 4;

/// One row of a panel.
pub(super) type Row<S> = [<S as Simd>::f32s; VECTORS];
/// [`ROWS`] rows of a product.
pub(super) type Tile<S> = [Row<S>; ROWS];

/// Candidates of a panel.
pub(super) fn width<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// A matrix in the order in which [`product`] reads it: tiles of [`ROWS`] rows, the last one filled up with zeros, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Packed {
    depth: usize,
    values: Vec<f32>,
}

impl Packed {
    /// `[rows, depth]`, row-major.
    pub(super) fn new(matrix: &[f32], depth: usize) -> Self {
        let rows = matrix.len() / depth;
        let mut values = vec![0.0; rows.div_ceil(ROWS) * ROWS * depth];
        for (row, line) in matrix.chunks_exact(depth).enumerate() {
            let tile = &mut values[row / ROWS * ROWS * depth..][..ROWS * depth];
            for (column, &value) in line.iter().enumerate() {
                tile[column * ROWS + row % ROWS] = value;
            }
        }
        Self { depth, values }
    }

    /// `[depth, rows]`, row-major: the transpose of what is multiplied.
    pub(super) fn transposed(matrix: &[f32], rows: usize) -> Self {
        let depth = matrix.len() / rows;
        let mut straight = vec![0.0; matrix.len()];
        for (column, line) in matrix.chunks_exact(rows).enumerate() {
            for (row, &value) in line.iter().enumerate() {
                straight[row * depth + column] = value;
            }
        }
        Self::new(&straight, depth)
    }

    /// `self ⊙ scale + shift` for each of the `rows` of `scales`, one below the other: `scales` is `[rows, depth]`.
    pub(super) fn scaled(&self, scales: &[f32], shift: &Self) -> Self {
        let mut values = Vec::with_capacity(self.values.len() * scales.len() / self.depth.max(1));
        for scale in scales.chunks_exact(self.depth) {
            let entries = (self.values.chunks_exact(ROWS)).zip(shift.values.chunks_exact(ROWS));
            for ((own, shift), scale) in entries.zip(scale.iter().cycle()) {
                values.extend(
                    own.iter()
                        .zip(shift)
                        .map(|(own, shift)| own * scale + shift),
                );
            }
        }
        Self {
            depth: self.depth,
            values,
        }
    }

    /// Number of tiles.
    pub(super) fn tiles(&self) -> usize {
        self.values.len() / (ROWS * self.depth).max(1)
    }

    #[inline(always)]
    fn tile(&self, tile: usize) -> &[f32] {
        &self.values[tile * ROWS * self.depth..][..ROWS * self.depth]
    }
}

/// `start + matrix[tile] · panel`; the panel has a row per column of the matrix.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    matrix: &Packed,
    tile: usize,
    panel: &[Row<S>],
    start: Tile<S>,
) -> Tile<S> {
    let mut sums = start;
    for (weights, row) in matrix.tile(tile).chunks_exact(ROWS).zip(panel) {
        for (sum, &weight) in sums.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(weight);
            for (sum, &value) in sum.iter_mut().zip(row) {
                *sum = simd.mul_add_e_f32s(weight, value, *sum);
            }
        }
    }
    sums
}

/// A tile whose rows hold these values throughout; what is missing is 0.
#[inline(always)]
pub(super) fn constant<S: Simd>(simd: S, values: &[f32]) -> Tile<S> {
    std::array::from_fn(|row| splat(simd, values.get(row).copied().unwrap_or(0.0)))
}

/// A row that holds this value throughout.
#[inline(always)]
pub(super) fn splat<S: Simd>(simd: S, value: f32) -> Row<S> {
    [simd.splat_f32s(value); VECTORS]
}

/// `factor · row + sum`.
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, factor: f32, row: &Row<S>, sum: &mut Row<S>) {
    let factor = simd.splat_f32s(factor);
    for (sum, &value) in sum.iter_mut().zip(row) {
        *sum = simd.mul_add_e_f32s(factor, value, *sum);
    }
}

/// A panel's row as numbers, one per candidate.
#[inline(always)]
pub(super) fn numbers<S: Simd>(row: &Row<S>) -> &[f32] {
    bytemuck::cast_slice(row)
}

/// The same, to write to.
#[inline(always)]
pub(super) fn numbers_mut<S: Simd>(row: &mut Row<S>) -> &mut [f32] {
    bytemuck::cast_slice_mut(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Multiply<'a>(&'a Packed, &'a [f32]);

    impl WithSimd for Multiply<'_> {
        type Output = Vec<Vec<f32>>;

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            // Candidate c has the inputs times c + 1.
            let panel: Vec<Row<S>> = (self.1.iter())
                .map(|&value| {
                    let mut row = splat(simd, 0.0);
                    for (at, number) in numbers_mut::<S>(&mut row).iter_mut().enumerate() {
                        *number = value * (at + 1) as f32;
                    }
                    row
                })
                .collect();
            (0..self.0.tiles())
                .flat_map(|tile| product(simd, self.0, tile, &panel, constant(simd, &[10.0, 20.0])))
                .map(|row| numbers::<S>(&row).to_vec())
                .collect()
        }
    }

    #[test]
    fn a_product_by_hand() {
        // Five rows, two columns: two tiles, the second with one row.
        let matrix = [1.0, 2.0, 0.0, 1.0, -1.0, 1.0, 3.0, 0.0, 5.0, 5.0];
        let packed = Packed::new(&matrix, 2);
        let straight = [1.0, 0.0, -1.0, 3.0, 5.0, 2.0, 1.0, 1.0, 0.0, 5.0];
        assert_eq!(packed, Packed::transposed(&straight, 5));
        assert_eq!(packed.tiles(), 2);
        let found = Arch::new().dispatch(Multiply(&packed, &[1.0, 10.0]));
        let expected = [21.0, 10.0, 9.0, 3.0, 55.0, 0.0, 0.0, 0.0];
        let start = [10.0, 20.0, 0.0, 0.0, 10.0, 20.0, 0.0, 0.0];
        for (row, found) in found.iter().enumerate() {
            for (at, &value) in found.iter().enumerate() {
                assert_eq!(value, start[row] + expected[row] * (at + 1) as f32);
            }
        }
    }

    #[test]
    fn scaled_copies_lie_below_each_other() {
        let (own, shift) = (Packed::new(&[1.0, 2.0], 2), Packed::new(&[0.5, 0.5], 2));
        let both = own.scaled(&[1.0, 10.0, 2.0, 0.0], &shift);
        let mut expected = Packed::new(&[1.5, 20.5], 2);
        expected.values.extend(Packed::new(&[2.5, 0.5], 2).values);
        assert_eq!(both, expected);
    }
}
