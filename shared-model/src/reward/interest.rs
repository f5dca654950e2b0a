//! The DIN unit: how much each past event speaks for a candidate (METHOD §2, DIN Eq. 3).
//!
//! `a_j = MLP([h_j, x, h_j − x, h_j ⊙ x])`, `z = Σ_j mask_j a_j h_j`, without a softmax over `j`.
//!
//! The first layer is decomposed, `W [h, x, h − x, h ⊙ x] = (W₁ + W₃) h + (W₂ − W₃) x + W₄ (h ⊙ x)`, and for one output unit `o`
//! the last two terms are a product of `x` with the vector `w₄ₒ ⊙ h + w₂ₒ − w₃ₒ`. So all candidates meet all events in one matrix
//! product and the concatenation `[B, N, T, 4 · 2d]` is never formed.
//!
//! **Choice:** a state does not know how old it is when a candidate looks at it, so `a_j` may be scaled and shifted by a
//! learned function of the age of `j` (0 = newest): `γ(age) a_j + β(age)`. It starts as plain DIN plus the newest state
//! (`γ = 1`, `β(0) = 1`, else 0), which is what a sequential recommender without DIN scores with.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Bool, Device, Int, Tensor};

use super::activation::Activation;
use super::config::RewardConfig;

/// `z` and the weights it was made with.
#[derive(Debug, Clone)]
pub struct Interest {
    /// `[B, P, N, 2d]`
    pub vector: Tensor<4>,
    /// `mask_j a_j`, `[B, P, N, T]`
    pub weights: Tensor<4>,
}

/// Weighs past events against candidates.
#[derive(Module, Debug)]
pub struct InterestUnit {
    /// `W₁`: state, `[hidden, 2d]`.
    pub state: Param<Tensor<2>>,
    /// `W₂`: candidate, `[hidden, 2d]`.
    pub candidate: Param<Tensor<2>>,
    /// `W₃`: difference, `[hidden, 2d]`.
    pub difference: Param<Tensor<2>>,
    /// `W₄`: product, `[hidden, 2d]`.
    pub product: Param<Tensor<2>>,
    /// Bias of the hidden layer, `[hidden]`.
    pub bias: Param<Tensor<1>>,
    /// Activation of the hidden layer.
    pub activation: Activation,
    /// Second layer, `[hidden]`.
    pub output: Param<Tensor<1>>,
    /// Its bias, `[1]`.
    pub output_bias: Param<Tensor<1>>,
    /// Scale of `a_j` by age, `[max_history]`.
    pub recency_scale: Option<Param<Tensor<1>>>,
    /// Shift of `a_j` by age, `[max_history]`.
    pub recency_shift: Option<Param<Tensor<1>>>,
}

impl InterestUnit {
    /// New weights for the sizes in `config`.
    pub fn new(config: &RewardConfig, device: &Device) -> Self {
        let (hidden, width) = (config.interest_hidden, config.input_width());
        let bound = (1.0 / width as f64).sqrt();
        let uniform = |bound: f64| Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        // With the newest state as `z` and `z · x` as the score, networks that begin at nothing leave what a sequential recommender
        // without DIN scores with; they learn what it lacks.
        let last = if config.begins_sequential() {
            Initializer::Zeros
        } else {
            uniform((1.0 / hidden as f64).sqrt())
        };
        let newest: Vec<f32> = (0..config.max_history)
            .map(|age| f32::from(u8::from(age == 0)))
            .collect();
        Self {
            state: uniform(bound).init([hidden, width], device),
            candidate: uniform(bound).init([hidden, width], device),
            difference: uniform(bound).init([hidden, width], device),
            product: uniform(bound).init([hidden, width], device),
            bias: Initializer::Zeros.init([hidden], device),
            activation: Activation::new(config.activation, hidden, device),
            output: last.init([hidden], device),
            output_bias: Initializer::Zeros.init([1], device),
            recency_scale: config
                .use_recency
                .then(|| Initializer::Ones.init([config.max_history], device)),
            recency_shift: config
                .use_recency
                .then(|| Param::from_data(newest.as_slice(), device)),
        }
    }

    /// Interest of `P` moments of a history in `N` candidates each (`P = 1` outside training).
    ///
    /// # Shapes
    /// states `[B, T, 2d]`, candidates `[B, P, N, 2d]`, visible `[B, P, T]` (true = event `j` is present and before the moment),
    /// ages `[B or 1, P, T]` (0 = newest visible event; any value in `0..max_history` where not visible).
    pub fn forward(
        &self,
        states: Tensor<3>,
        candidates: Tensor<4>,
        visible: Tensor<3, Bool>,
        ages: Tensor<3, Int>,
    ) -> Interest {
        let [batch, length, width] = states.dims();
        let [_, moments, count, _] = candidates.dims();
        let flat = candidates.reshape([batch, moments * count, width]);
        let weights = self
            .raw_weights(states.clone(), flat)
            .reshape([batch, moments, count, length]);

        let weights = self.apply_recency(weights, ages) * visible.unsqueeze_dim::<4>(2).float();
        let vector = weights
            .clone()
            .reshape([batch, moments * count, length])
            .matmul(states)
            .reshape([batch, moments, count, width]);
        Interest { vector, weights }
    }

    /// `MLP([h, x, h − x, h ⊙ x])` for every pair: states `[B, T, C]`, candidates `[B, M, C]` → `[B, M, T]`.
    fn raw_weights(&self, states: Tensor<3>, candidates: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = states.dims();
        let [_, count, _] = candidates.dims();
        let [hidden] = self.bias.dims();
        let device = states.device();

        let difference = self.difference.val();
        // What multiplies x: w₄ₒ ⊙ h_t + (w₂ₒ − w₃ₒ), row (t, o).
        let of_candidate = (self.candidate.val() - difference.clone())
            .reshape([1, 1, hidden, width])
            + states.clone().unsqueeze_dim::<4>(2)
                * self.product.val().reshape([1, 1, hidden, width]);
        // What does not depend on x: (w₁ₒ + w₃ₒ) · h_t + bₒ. It rides along as the weight of a constant input 1.
        let constant = states.matmul((self.state.val() + difference).transpose().unsqueeze::<3>())
            + self.bias.val().unsqueeze::<3>();
        let rows = Tensor::cat(vec![of_candidate, constant.unsqueeze_dim::<4>(3)], 3);
        let inputs = Tensor::cat(
            vec![candidates, Tensor::ones([batch, count, 1], &device)],
            2,
        );

        let before = inputs.clone().matmul(
            rows.clone()
                .reshape([batch, length * hidden, width + 1])
                .swap_dims(1, 2),
        );
        let before = before.reshape([batch * count * length, hidden]);
        let output = self.output.val();
        let weights = if self.activation.is_prelu() {
            // Σₒ wₒ prelu(sₒ) = Σₒ wₒ (1 − αₒ) max(sₒ, 0) + Σₒ wₒ αₒ sₒ, and the second sum is linear in x: it needs no [M, T, hidden].
            let alpha = self.activation.alpha.val();
            let bent = output.clone() * alpha.clone().neg().add_scalar(1.0);
            let straight = (output * alpha).reshape([1, 1, 1, hidden]);
            let straight = straight
                .expand([batch, length, 1, hidden])
                .matmul(rows)
                .reshape([batch, length, width + 1]);
            relu(before)
                .matmul(bent.unsqueeze_dim::<2>(1))
                .reshape([batch, count, length])
                + inputs.matmul(straight.swap_dims(1, 2))
        } else {
            self.activation
                .forward(before)
                .matmul(output.unsqueeze_dim::<2>(1))
                .reshape([batch, count, length])
        };
        weights + self.output_bias.val().unsqueeze::<3>()
    }

    fn apply_recency(&self, weights: Tensor<4>, ages: Tensor<3, Int>) -> Tensor<4> {
        let (Some(scale), Some(shift)) = (&self.recency_scale, &self.recency_shift) else {
            return weights;
        };
        let [batch, moments, length] = ages.dims();
        let index = ages.reshape([batch * moments * length]);
        let look_up = |table: Tensor<1>| {
            table
                .select(0, index.clone())
                .reshape([batch, moments, 1, length])
        };
        weights * look_up(scale.val()) + look_up(shift.val())
    }
}
