//! The reward model: its parts joined (METHOD §2, Eq. 5–11).

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, Device, Int, Tensor};

use super::activation::Activation;
use super::config::{ConfigError, RewardConfig};
use super::encoder::{EncoderConfig, HistoryEncoder};
use super::interest::{Interest, InterestUnit};
use super::matching::{Matched, Probe, ProjectedReasons, ReasonMatch};

/// Scores `(user, item)` from the user's history and pattern and the item's reasons.
#[derive(Module, Debug)]
pub struct RewardModel {
    /// Mean of the training texts' vectors, `[text_width]`; a constant.
    pub text_centre: Param<Tensor<1>>,
    /// One over their standard deviation, `[text_width]`; a constant.
    pub text_scale: Param<Tensor<1>>,
    /// `e(·)`: text vector → `d`.
    pub text: Linear,
    /// Stands for the pattern of a user who has none yet, `[d]`.
    pub no_pattern: Param<Tensor<1>>,
    /// ID embeddings, `[items, d]` (one shared row when IDs are off).
    pub item: Embedding,
    /// Pattern against reasons.
    pub matching: ReasonMatch,
    /// Item inputs → states.
    pub encoder: HistoryEncoder,
    /// States against candidates.
    pub interest: InterestUnit,
    /// Interest, candidate and pattern → score.
    pub head: ScoreHead,
    #[module(skip)]
    config: RewardConfig,
}

/// `MLP([z ; x ; e(P)])`, plus `z · x` where the configuration asks for it. Its first layer is kept as three so that nothing is concatenated.
#[derive(Module, Debug)]
pub struct ScoreHead {
    interest: Linear,
    candidate: Linear,
    pattern: Linear,
    activation: Activation,
    output: Linear,
    #[module(skip)]
    product: bool,
}

impl RewardConfig {
    /// A model with fresh weights on `device`.
    pub fn init(&self, device: &Device) -> Result<RewardModel, ConfigError> {
        self.validate()?;
        let normal = |std: f64| Initializer::Normal { mean: 0.0, std };
        let width = self.input_width();
        let items = if self.use_ids { self.items } else { 1 };
        let linear = |from: usize, bias: bool| {
            LinearConfig::new(from, self.score_hidden)
                .with_bias(bias)
                .init(device)
        };
        Ok(RewardModel {
            text_centre: Initializer::Zeros
                .init([self.text_width], device)
                .set_require_grad(false),
            text_scale: Initializer::Ones
                .init([self.text_width], device)
                .set_require_grad(false),
            text: LinearConfig::new(self.text_width, self.width).init(device),
            no_pattern: normal(0.1).init([self.width], device),
            item: EmbeddingConfig::new(items, self.width)
                .with_initializer(normal((1.0 / self.width as f64).sqrt()))
                .init(device),
            matching: ReasonMatch::new(self, device),
            encoder: EncoderConfig::from(self).init(device),
            interest: InterestUnit::new(self, device),
            head: ScoreHead {
                interest: linear(width, true),
                candidate: linear(width, false),
                pattern: linear(self.width, false),
                activation: Activation::new(self.activation, self.score_hidden, device),
                output: if self.begins_sequential() {
                    LinearConfig::new(self.score_hidden, 1)
                        .with_initializer(Initializer::Zeros)
                        .init(device)
                } else {
                    LinearConfig::new(self.score_hidden, 1).init(device)
                },
                product: self.use_product,
            },
            config: self.clone(),
        })
    }
}

impl RewardModel {
    /// What the model was built from.
    pub fn config(&self) -> &RewardConfig {
        &self.config
    }

    /// Sets the constants that centre and scale text vectors. Mean hidden states of an LLM share one large common component;
    /// without this the linear map would have to unlearn it. It stays one affine map of the text vector.
    ///
    /// # Shapes
    /// both `[text_width]`; `deviation` is bounded from below by 1e-6.
    pub fn with_text_statistics(mut self, mean: Tensor<1>, deviation: Tensor<1>) -> Self {
        let scale = deviation.clamp_min(1e-6).recip();
        self.text_centre = self.text_centre.map(|_| mean).set_require_grad(false);
        self.text_scale = self.text_scale.map(|_| scale).set_require_grad(false);
        self
    }

    /// The same weights, with or without reasons and patterns.
    pub fn reading(mut self, reasons: bool, patterns: bool) -> Self {
        self.config.use_reasons = reasons;
        self.config.use_patterns = patterns;
        self
    }

    /// The same weights with a match that gives every item the vector of one without reasons, whatever its reasons are: where a model
    /// that knows no texts begins to read them.
    pub fn with_silent_reasons(mut self) -> Self {
        self.matching = self.matching.silent();
        self
    }

    /// `e(·)`: encodes text vectors, `[rows, text_width]` → `[rows, d]`.
    pub fn encode_text(&self, vectors: Tensor<2>) -> Tensor<2> {
        let centred = (vectors - self.text_centre.val().unsqueeze::<2>())
            * self.text_scale.val().unsqueeze::<2>();
        self.text.forward(centred)
    }

    /// `e(P_u)`, with the learned "no pattern yet" vector where there is none (everywhere when patterns are off).
    ///
    /// # Shapes
    /// vectors `[B, text_width]` (any finite values where absent), present `[B]` → `[B, d]`.
    pub fn pattern(&self, vectors: Tensor<2>, present: Tensor<1, Bool>) -> Tensor<2> {
        let [batch, _] = vectors.dims();
        let none = self.no_pattern.val().unsqueeze::<2>();
        if !self.config.use_patterns {
            return none.expand([batch, self.config.width]);
        }
        let there = present.float().unsqueeze_dim::<2>(1);
        self.encode_text(vectors) * there.clone() + none * there.neg().add_scalar(1.0)
    }

    /// Keys and values of a table of reasons, `[reasons, text_width]`.
    pub fn project_reasons(&self, vectors: Tensor<2>) -> ProjectedReasons {
        self.matching.project(self.encode_text(vectors))
    }

    /// `m` for `N` items per row (Eq. 7); see [`ReasonMatch::forward`] for shapes. With reasons off every row is the
    /// "no reason yet" vector.
    pub fn match_reasons(
        &self,
        pattern: Tensor<2>,
        keys: Tensor<4>,
        values: Tensor<4>,
        mask: Tensor<3, Bool>,
    ) -> Matched {
        if self.config.use_reasons {
            return self.matching.forward(pattern, keys, values, mask);
        }
        let [batch, items, reasons] = mask.dims();
        Matched {
            vector: self.no_match(batch, items),
            attention: Tensor::zeros([batch, items, self.config.heads, reasons], &mask.device()),
        }
    }

    /// What `n` vectors need to meet `m` by [`Probe`]: vectors and patterns `[n, d]`.
    pub fn probe(&self, vectors: Tensor<2>, patterns: Tensor<2>) -> Probe {
        self.matching.probe(vectors, patterns)
    }

    /// `m` of items without reasons, `[B, N, d]`.
    pub fn no_match(&self, batch: usize, items: usize) -> Tensor<3> {
        self.matching
            .empty()
            .expand([batch, items, self.config.width])
    }

    /// ID embeddings of items `[B, N]` → `[B, N, d]`; without IDs one row for all.
    pub fn identities(&self, items: Tensor<2, Int>) -> Tensor<3> {
        if self.config.use_ids {
            return self.item.forward(items);
        }
        let [rows, count] = items.dims();
        let shape = [rows, count, self.config.width];
        self.item.weight.val().unsqueeze::<3>().expand(shape)
    }

    /// `x = [ID embedding ; m]` (Eq. 8): items `[B, N]`, matched `[B, N, d]` → `[B, N, 2d]`.
    pub fn item_input(&self, items: Tensor<2, Int>, matched: Tensor<3>) -> Tensor<3> {
        Tensor::cat(vec![self.identities(items), matched], 2)
    }

    /// `H` (Eq. 9); see [`HistoryEncoder::forward`].
    pub fn encode_history(&self, inputs: Tensor<3>) -> Tensor<3> {
        self.encoder.forward(inputs)
    }

    /// `z` (Eq. 10); see [`InterestUnit::forward`].
    pub fn interest(
        &self,
        states: Tensor<3>,
        candidates: Tensor<4>,
        visible: Tensor<3, Bool>,
        ages: Tensor<3, Int>,
    ) -> Interest {
        self.interest.forward(states, candidates, visible, ages)
    }

    /// Score before the sigmoid (Eq. 11).
    ///
    /// # Shapes
    /// interest and candidates `[B, P, N, 2d]`, pattern `[B, P, d]` → `[B, P, N]`.
    pub fn logits(
        &self,
        interest: Tensor<4>,
        candidates: Tensor<4>,
        pattern: Tensor<3>,
    ) -> Tensor<3> {
        self.head.forward(interest, candidates, pattern)
    }

    /// `ŷ = σ(logit)`.
    pub fn score<const D: usize>(&self, logits: Tensor<D>) -> Tensor<D> {
        sigmoid(logits)
    }
}

impl ScoreHead {
    fn forward(&self, interest: Tensor<4>, candidates: Tensor<4>, pattern: Tensor<3>) -> Tensor<3> {
        let [batch, moments, count, _] = interest.dims();
        let inner = self.interest.forward(interest.clone())
            + self.candidate.forward(candidates.clone())
            + self.pattern.forward(pattern).unsqueeze_dim::<4>(2);
        let [_, _, _, hidden] = inner.dims();
        let inner = inner.reshape([batch * moments * count, hidden]);
        let logits = self
            .output
            .forward(self.activation.forward(inner))
            .reshape([batch, moments, count]);
        if !self.product {
            return logits;
        }
        logits
            + (interest * candidates)
                .sum_dim(3)
                .reshape([batch, moments, count])
    }
}
