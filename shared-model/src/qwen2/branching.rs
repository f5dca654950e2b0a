//! A prompt read once for all of its continuations: one flat row of tokens in which the continuations ("branches") see
//! the prompt and themselves, never each other.
//!
//! Everything but attention works on single tokens, so that one product serves the prompt and all branches. Attention
//! works on two rectangles: the prompt on itself, and every branch on the prompt and on itself.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::model::MASKED;

/// A prompt and its branches as one row of slots: prompt, padding, first branch, padding, second branch, padding, ….
///
/// Padding sees and is seen by nothing that counts; what a model says there is finite nonsense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branching {
    ids: Vec<u32>,
    positions: Vec<usize>,
    /// Tokens of the prompt, without padding.
    prompt: usize,
    /// Slots of the prompt.
    stem: usize,
    /// Tokens of the branches, without padding.
    lengths: Vec<usize>,
    /// Slots of each branch.
    width: usize,
}

impl Branching {
    /// Lays out a prompt (which may be empty) and its branches. Prompt and branches are padded to multiples of `bucket`
    /// slots: devices that compile a kernel for each shape then meet few shapes.
    pub fn new(prompt: &[u32], branches: &[&[u32]], bucket: usize) -> Self {
        let round = |tokens: usize| tokens.next_multiple_of(bucket.max(1));
        let longest = branches.iter().map(|branch| branch.len()).max();
        let (stem, width) = (round(prompt.len()), round(longest.unwrap_or(0)));
        let mut ids = prompt.to_vec();
        ids.resize(stem, 0);
        for branch in branches {
            ids.extend_from_slice(branch);
            ids.resize(ids.len() + width - branch.len(), 0);
        }
        // Behind the prompt's end stand both the branches and the padding that nobody looks at.
        let branch_positions = prompt.len()..prompt.len() + width;
        let positions = (0..stem)
            .chain(branches.iter().flat_map(|_| branch_positions.clone()))
            .collect();
        Self {
            ids,
            positions,
            prompt: prompt.len(),
            stem,
            lengths: branches.iter().map(|branch| branch.len()).collect(),
            width,
        }
    }

    /// Token ids of all slots.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Position of every slot in its own text.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The slots that hold tokens, in the order prompt, first branch, second branch, ….
    pub fn slots(&self) -> Vec<usize> {
        let branch = |(index, length): (usize, &usize)| {
            let start = self.stem + index * self.width;
            start..start + length
        };
        let branches = self.lengths.iter().enumerate().flat_map(branch);
        (0..self.prompt).chain(branches).collect()
    }
}

/// What attention needs to know about a [`Branching`] on a device.
#[derive(Debug, Clone)]
pub struct Branches {
    stem: Option<Stem>,
    count: usize,
    width: usize,
    /// `[1, 1, width, width]`: causal. None without branches.
    within_branch: Option<Tensor<4>>,
}

/// A prompt that is not empty.
#[derive(Debug, Clone)]
struct Stem {
    slots: usize,
    /// `[1, 1, 1, slots, slots]`: causal.
    within: Tensor<5>,
    /// `[1, 1, slots]`: hides the padding.
    seen: Tensor<3>,
}

/// `[width, width]`.
fn causal(width: usize, device: &Device) -> Tensor<1> {
    let open = |query: usize| (0..width).map(move |key| if key <= query { 0.0 } else { MASKED });
    let mask: Vec<f32> = (0..width).flat_map(open).collect();
    Tensor::from_floats(mask.as_slice(), device)
}

impl Branches {
    pub(super) fn new(layout: &Branching, device: &Device) -> Self {
        let (slots, width) = (layout.stem, layout.width);
        let stem = || {
            let seen: Vec<f32> = (0..slots)
                .map(|key| if key < layout.prompt { 0.0 } else { MASKED })
                .collect();
            Stem {
                slots,
                within: causal(slots, device).reshape([1, 1, 1, slots, slots]),
                seen: Tensor::<1>::from_floats(seen.as_slice(), device).reshape([1, 1, slots]),
            }
        };
        Self {
            stem: (slots > 0).then(stem),
            count: layout.lengths.len(),
            width,
            within_branch: (width > 0).then(|| causal(width, device).reshape([1, 1, width, width])),
        }
    }

    /// Attention of all slots.
    ///
    /// # Shapes
    /// - `q`: `[1, heads, slots, head_dim]`, rotated and scaled; `k`, `v`: `[1, kv_heads, slots, head_dim]`
    /// - returns `[1, heads, slots, head_dim]`
    pub(super) fn attend(&self, q: Tensor<4>, k: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
        let slots = self.count * self.width;
        match (&self.stem, &self.within_branch) {
            (None, None) => q,
            (Some(stem), None) => rectangle(q, k, v, &stem.within),
            (None, Some(mask)) => self.attend_branches(q, k, v, mask, None),
            (Some(stem), Some(mask)) => {
                let above = |x: &Tensor<4>| x.clone().narrow(2, 0, stem.slots);
                let below = |x: Tensor<4>| x.narrow(2, stem.slots, slots);
                let (stem_k, stem_v) = (above(&k), above(&v));
                let first = rectangle(above(&q), stem_k.clone(), stem_v.clone(), &stem.within);
                let prompt = Some((stem, stem_k, stem_v));
                let rest = self.attend_branches(below(q), below(k), below(v), mask, prompt);
                Tensor::cat(vec![first, rest], 2)
            }
        }
    }

    fn attend_branches(
        &self,
        q: Tensor<4>,
        k: Tensor<4>,
        v: Tensor<4>,
        mask: &Tensor<4>,
        prompt: Option<(&Stem, Tensor<4>, Tensor<4>)>,
    ) -> Tensor<4> {
        let ([_, heads, slots, head_dim], kv_heads) = (q.dims(), k.dims()[1]);
        let (count, width, group) = (self.count, self.width, heads / kv_heads);
        let rows = count * group * width;
        // Queries of one branch that share a key/value head stand below each other: [kv, branch, group, width].
        let q = q
            .reshape([kv_heads, group, count, width, head_dim])
            .swap_dims(1, 2);
        let by_branch = |x: Tensor<4>| x.reshape([kv_heads * count, width, head_dim]);
        let (own_k, own_v) = (by_branch(k), by_branch(v));
        let own = q
            .clone()
            .reshape([kv_heads * count, group * width, head_dim])
            .matmul(own_k.swap_dims(1, 2))
            .reshape([kv_heads * count, group, width, width])
            + mask.clone();
        let own = own.reshape([kv_heads, rows, width]);
        let all_q = q.reshape([kv_heads, rows, head_dim]);
        let apart = |weights: Tensor<3>| weights.reshape([kv_heads * count, group * width, width]);
        let mixed = match prompt {
            None => apart(softmax(own, 2))
                .matmul(own_v)
                .reshape([kv_heads, rows, head_dim]),
            Some((stem, stem_k, stem_v)) => {
                let of = |x: Tensor<4>| x.reshape([kv_heads, stem.slots, head_dim]);
                let above = all_q.matmul(of(stem_k).swap_dims(1, 2)) + stem.seen.clone();
                let weights = softmax(Tensor::cat(vec![above, own], 2), 2);
                let above = weights.clone().narrow(2, 0, stem.slots);
                let own = apart(weights.narrow(2, stem.slots, width)).matmul(own_v);
                above.matmul(of(stem_v)) + own.reshape([kv_heads, rows, head_dim])
            }
        };
        mixed
            .reshape([kv_heads, count, group, width, head_dim])
            .swap_dims(1, 2)
            .reshape([1, heads, slots, head_dim])
    }
}

/// Attention within rectangles of rows that end together.
///
/// # Shapes
/// - `q`: `[batch, heads, time, head_dim]`; `k`, `v`: `[batch, kv_heads, all, head_dim]`; `mask`: `[batch or 1, 1, 1, time, all]`
/// - returns `[batch, heads, time, head_dim]`
pub(super) fn rectangle(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: &Tensor<5>) -> Tensor<4> {
    let ([batch, heads, time, head_dim], [_, kv_heads, all, _]) = (q.dims(), k.dims());
    let group = heads / kv_heads;
    // The queries that share a key/value head stand below each other, so that keys and values are never repeated.
    let q = q.reshape([batch, kv_heads, group * time, head_dim]);
    let scores = q.matmul(k.swap_dims(2, 3));
    let scores = scores.reshape([batch, kv_heads, group, time, all]) + mask.clone();
    let weights = softmax(scores, 4).reshape([batch, kv_heads, group * time, all]);
    weights.matmul(v).reshape([batch, heads, time, head_dim])
}
