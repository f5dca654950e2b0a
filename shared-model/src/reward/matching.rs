//! Matches a user's pattern with an item's reasons (METHOD §2: `m = MHA(Q = W_q e(P), K = W_k e(R), V = W_v e(R))`).
//!
//! Keys and values depend on the reason alone, so they are projected once per reason table and an export can ship them
//! instead of the text vectors.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor};

use super::config::RewardConfig;

/// Logit of a masked reason: finite, so that an all-masked row stays defined, and low enough to weigh nothing.
const MASKED: f32 = -1e9;

/// Keys and values of a table of reasons.
#[derive(Debug, Clone)]
pub struct ProjectedReasons {
    /// `[reasons, d]`
    pub keys: Tensor<2>,
    /// `[reasons, d]`
    pub values: Tensor<2>,
}

/// A matched reason vector per item and what it was made of.
#[derive(Debug, Clone)]
pub struct Matched {
    /// `m`, `[B, N, d]`; the learned "no reason yet" vector where every reason is masked.
    pub vector: Tensor<3>,
    /// Attention per reason and head, `[B, N, heads, K]`; 0 on masked reasons.
    pub attention: Tensor<4>,
}

/// What the dot product of a vector `h` with `m` needs, without forming any `m`:
/// `h · m = Σ_heads Σ_k softmax_k(query · k) (gate · v) + some` where there are reasons, `none` where there are none.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Scaled by the root of a head's width, `[n, d]`.
    pub query: Tensor<2>,
    /// `[n, d]`
    pub gate: Tensor<2>,
    /// `[n, 1]`
    pub some: Tensor<2>,
    /// `[n, 1]`
    pub none: Tensor<2>,
}

/// Multi-head attention of one query per user over the reasons of each item.
#[derive(Module, Debug)]
pub struct ReasonMatch {
    /// `W_q`
    pub query: Linear,
    /// `W_k`
    pub key: Linear,
    /// `W_v`
    pub value: Linear,
    /// Joins the heads.
    pub output: Linear,
    /// Stands for an empty reason list, `[d]`.
    pub no_reason: Param<Tensor<1>>,
    #[module(skip)]
    heads: usize,
}

impl ReasonMatch {
    /// New weights for the sizes in `config`.
    pub fn new(config: &RewardConfig, device: &Device) -> Self {
        let linear = || LinearConfig::new(config.width, config.width).init(device);
        Self {
            query: linear(),
            key: linear(),
            value: linear(),
            output: linear(),
            no_reason: Initializer::Normal {
                mean: 0.0,
                std: 0.1,
            }
            .init([config.width], device),
            heads: config.heads,
        }
    }

    /// With an output that says "no reason yet" of every list; it learns to say more.
    pub(super) fn silent(mut self) -> Self {
        let none = self.no_reason.val();
        self.output.weight = self.output.weight.map(|weight| weight.zeros_like());
        self.output.bias = self.output.bias.map(|bias| bias.map(|_| none.clone()));
        self
    }

    /// Projects encoded reasons `e(R)`, `[reasons, d]`, once.
    pub fn project(&self, encoded: Tensor<2>) -> ProjectedReasons {
        ProjectedReasons {
            keys: self.key.forward(encoded.clone()),
            values: self.value.forward(encoded),
        }
    }

    /// The vector of an item without reasons, `[1, 1, d]`.
    pub fn empty(&self) -> Tensor<3> {
        self.no_reason.val().unsqueeze::<3>()
    }

    /// Of `n` vectors, each with the `e(P_u)` of its moment: both `[n, d]`.
    pub fn probe(&self, vectors: Tensor<2>, pattern: Tensor<2>) -> Probe {
        let weight = self.output.weight.val(); // m = joined · W + b, so h · m = joined · (W h) + b · h
        let some = match &self.output.bias {
            Some(bias) => (vectors.clone() * bias.val().unsqueeze::<2>()).sum_dim(1),
            None => Tensor::zeros([vectors.dims()[0], 1], &vectors.device()),
        };
        Probe {
            query: self.scaled_query(pattern),
            gate: vectors.clone().matmul(weight.transpose()),
            some,
            none: (vectors * self.no_reason.val().unsqueeze::<2>()).sum_dim(1),
        }
    }

    fn scaled_query(&self, pattern: Tensor<2>) -> Tensor<2> {
        let query = self.query.forward(pattern);
        let [_, width] = query.dims();
        query.mul_scalar(((width / self.heads) as f64).powf(-0.5))
    }

    /// Eq. 7. `pattern` is `e(P_u)`, one row per user (or per user and moment).
    ///
    /// # Shapes
    /// pattern `[B, d]`, keys and values `[B, N, K, d]`, mask `[B, N, K]` (true = a reason is there).
    pub fn forward(
        &self,
        pattern: Tensor<2>,
        keys: Tensor<4>,
        values: Tensor<4>,
        mask: Tensor<3, Bool>,
    ) -> Matched {
        let [batch, items, reasons, width] = keys.dims();
        let heads = self.heads;
        let device = keys.device();

        // The query as a block-diagonal matrix [d, heads]: one product gives all heads' logits without moving the keys.
        let blocks = head_blocks(width, heads, &device);
        let query = self.scaled_query(pattern);
        let query = query.unsqueeze_dim::<3>(2) * blocks.clone().unsqueeze::<3>();
        let logits = keys
            .reshape([batch, items * reasons, width])
            .matmul(query)
            .reshape([batch, items, reasons, heads])
            .swap_dims(2, 3);

        let there = mask.clone().unsqueeze_dim::<4>(2); // [B, N, 1, K]
        let absent = there
            .clone()
            .bool_not()
            .expand([batch, items, heads, reasons]);
        let attention = softmax(logits.mask_fill(absent, MASKED), 3) * there.float();

        // Each head's weights are spread over its own columns: [B, N, K, heads] x [heads, d].
        let spread = attention
            .clone()
            .swap_dims(2, 3)
            .reshape([batch * items * reasons, heads])
            .matmul(blocks.transpose())
            .reshape([batch, items, reasons, width]);
        let joined = (spread * values).sum_dim(2).reshape([batch, items, width]);

        let any = mask.any_dim(2).float(); // [B, N, 1]
        let vector =
            self.output.forward(joined) * any.clone() + self.empty() * any.neg().add_scalar(1.0);
        Matched { vector, attention }
    }
}

/// `[d, heads]`: 1 where column belongs to the head.
fn head_blocks(width: usize, heads: usize, device: &Device) -> Tensor<2> {
    let head_width = width / heads;
    let mut blocks = vec![0.0f32; width * heads];
    for column in 0..width {
        blocks[column * heads + column / head_width] = 1.0;
    }
    Tensor::<1>::from_floats(blocks.as_slice(), device).reshape([width, heads])
}
