//! LightGCN's graph: users and items are nodes, an edge is a training interaction, and a smoothing is the product with the
//! symmetrically normalised adjacency `A`, `A[u, i] = 1 / √(|N_u| |N_i|)` (LightGCN Eq. 3).
//!
//! The vectors that score are `P e` with `P = (1 + A + … + Aᴸ) / (L + 1)` (Eq. 4 and 8). `P` is linear and symmetric, so the
//! gradient by `e` is `P` times the gradient by `P e`: the product needs no automatic differentiation.

use rayon::prelude::*;

use crate::data::Dataset;

/// `A` by rows; users first, then items.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Where each row's edges start, and where the last ends.
    starts: Vec<usize>,
    /// The other end of each edge, and its weight.
    edges: Vec<(u32, f32)>,
}

/// Rows that one thread works through at a time.
const BLOCK: usize = 64;

impl Graph {
    /// The graph of all training events; an item taken twice is one edge.
    pub fn new(data: &Dataset) -> Self {
        let users = data.users.len();
        let mut near: Vec<Vec<u32>> = vec![Vec::new(); users + data.items.len()];
        for user in 0..users {
            let mut taken: Vec<u32> = data
                .train_events(user)
                .iter()
                .map(|event| event.item)
                .collect();
            taken.sort_unstable();
            taken.dedup();
            for item in taken {
                let item = users + item as usize;
                near[user].push(item as u32);
                near[item].push(user as u32);
            }
        }
        let mut starts = vec![0];
        let mut edges = Vec::new();
        for ends in &near {
            edges.extend(ends.iter().map(|&end| {
                let degrees = ends.len() * near[end as usize].len();
                (end, 1.0 / (degrees as f32).sqrt())
            }));
            starts.push(edges.len());
        }
        Self { starts, edges }
    }

    /// Users and items.
    pub fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// `P x` for `x` of `width` values a node. The order of additions does not depend on threads.
    pub fn smooth(&self, x: &[f32], width: usize, layers: usize) -> Vec<f32> {
        assert_eq!(x.len(), self.nodes() * width, "one row a node");
        // By Horner's rule: ((A x + x) A + x) A + x …
        let mut sum = x.to_vec();
        let mut next = vec![0.0; x.len()];
        for _ in 0..layers {
            next.copy_from_slice(x);
            self.add_product(&sum, width, &mut next);
            std::mem::swap(&mut sum, &mut next);
        }
        let share = 1.0 / (layers + 1) as f32;
        for value in &mut sum {
            *value *= share;
        }
        sum
    }

    /// `out += A x`
    fn add_product(&self, x: &[f32], width: usize, out: &mut [f32]) {
        out.par_chunks_mut(BLOCK * width)
            .enumerate()
            .for_each(|(block, out)| {
                // The processor at hand may know wider instructions than the program was compiled for.
                pulp::Arch::new().dispatch(|| self.add_rows(block * BLOCK, x, width, out));
            });
    }

    #[inline(always)]
    fn add_rows(&self, first: usize, x: &[f32], width: usize, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let row = first + row;
            for &(end, weight) in &self.edges[self.starts[row]..self.starts[row + 1]] {
                let from = &x[end as usize * width..][..width];
                for (out, from) in out.iter_mut().zip(from) {
                    *out += weight * from;
                }
            }
        }
    }

    /// `A` as a square matrix, by rows.
    #[cfg(test)]
    pub(super) fn dense(&self) -> Vec<f32> {
        let nodes = self.nodes();
        let mut dense = vec![0.0; nodes * nodes];
        for row in 0..nodes {
            for &(end, weight) in &self.edges[self.starts[row]..self.starts[row + 1]] {
                dense[row * nodes + end as usize] = weight;
            }
        }
        dense
    }
}
