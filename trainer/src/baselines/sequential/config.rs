//! Settings of the sequential baselines.

use serde::{Deserialize, Serialize};

use crate::fitting::BETA_2;

/// What turns a history into states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// SASRec's causal Transformer (Kang & McAuley 2018), pre-norm as the reward model's encoder, which it is.
    #[default]
    Transformer,
    /// GRU4Rec's gated recurrent units (Hidasi et al. 2016).
    Gru,
}

/// What a state is trained to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "loss.kind = \"cross_entropy\", \"binary_cross_entropy\" or \"generalised\" (loss is a table)"
)]
pub enum SequentialLoss {
    /// The item taken from all items of the catalogue, by a softmax.
    CrossEntropy,
    /// The item taken from sampled ones, each by itself: SASRec's binary cross-entropy with `negatives` = 1.
    BinaryCrossEntropy {
        /// Items drawn per example, uniform over those the user has not taken in training.
        negatives: usize,
    },
    /// gSASRec's loss (Petrov & Macdonald 2023): binary cross-entropy with the positive's probability raised to
    /// `β = α (t (1 − 1/α) + 1/α)`, `α = negatives / (items − 1)`, against the overconfidence that sampling teaches.
    Generalised {
        /// Items drawn per example.
        negatives: usize,
        /// Calibration `t` in [0, 1]: 0 is plain binary cross-entropy, 1 corrects for the sampling rate in full.
        calibration: f32,
    },
}

impl SequentialLoss {
    /// Items drawn per example.
    pub fn negatives(self) -> usize {
        match self {
            Self::CrossEntropy => 0,
            Self::BinaryCrossEntropy { negatives } | Self::Generalised { negatives, .. } => {
                negatives
            }
        }
    }
}

/// A sequential recommender on ID embeddings and how it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialConfig {
    /// What turns a history into states.
    pub architecture: Architecture,
    /// The loss.
    pub loss: SequentialLoss,
    /// Width of embeddings and states.
    pub width: usize,
    /// Layers (of the Transformer, or recurrent ones).
    pub layers: usize,
    /// Attention heads (Transformer).
    pub heads: usize,
    /// Inner width of the feed-forward part (Transformer).
    pub feed_forward: usize,
    /// Embeddings drawn small (σ = 0.02) and multiplied by `√width` where they are inputs, as in SASRec's code; else drawn with
    /// σ = `1/√width` and used as they are.
    pub scaled_inputs: bool,
    /// Longest history, in events.
    pub max_history: usize,
    /// Dropout on the inputs and on what each half of a layer adds.
    pub dropout: f32,
    /// Epochs at most.
    pub epochs: usize,
    /// History windows per step; a window holds up to `max_history` examples.
    pub batch_windows: usize,
    /// Peak learning rate of AdamW; linear warm-up, then cosine down to a tenth.
    pub learning_rate: f64,
    /// Steps of warm-up.
    pub warmup_steps: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// AdamW's β₂. SASRec's code has 0.98: sums over many sampled items begin a hundred times as large as they end, and an optimiser
    /// that remembers 1,000 steps of them hardly moves for ten times as long.
    pub beta_2: f32,
    /// Users whose validation event is ranked after each epoch (a seeded sample; 0 = all).
    #[serde(skip)]
    pub validation_users: usize,
    /// Epochs without a better validation NDCG@10 before training stops.
    pub patience: usize,
    /// Seed of weights, order, negatives and dropout.
    #[serde(skip)]
    pub seed: u64,
    /// Threads that share a batch; 0 = one per core on a CPU, 1 on a GPU.
    #[serde(skip)]
    pub threads: usize,
}

impl Default for SequentialConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Transformer,
            loss: SequentialLoss::CrossEntropy,
            width: 64,
            layers: 2,
            heads: 2,
            feed_forward: 256,
            scaled_inputs: false,
            max_history: 200,
            dropout: 0.2,
            epochs: 40,
            batch_windows: 128,
            learning_rate: 2e-3,
            warmup_steps: 100,
            weight_decay: 1e-2,
            beta_2: BETA_2,
            validation_users: 0,
            patience: 5,
            seed: 42,
            threads: 0,
        }
    }
}

impl SequentialConfig {
    /// Refuses settings that cannot work whatever the data are.
    ///
    /// # Errors
    /// Names the field and the values that work.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value) in [
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("feed_forward", self.feed_forward),
            ("max_history", self.max_history),
            ("epochs", self.epochs),
            ("batch_windows", self.batch_windows),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0; it must be at least 1"));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(format!(
                "`width` ({}) is not a multiple of `heads` ({})",
                self.width, self.heads
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!(
                "`dropout` is {}; it must lie in [0, 1)",
                self.dropout
            ));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(format!(
                "`learning_rate` is {}; it must be above 0",
                self.learning_rate
            ));
        }
        if !(0.0..1.0).contains(&self.beta_2) {
            return Err(format!(
                "`beta_2` is {}; it must lie in [0, 1)",
                self.beta_2
            ));
        }
        match self.loss {
            SequentialLoss::CrossEntropy => Ok(()),
            loss if loss.negatives() == 0 => {
                Err("`loss.negatives` is 0; it must be at least 1".to_owned())
            }
            SequentialLoss::Generalised { calibration, .. }
                if !(0.0..=1.0).contains(&calibration) =>
            {
                Err(format!(
                    "`loss.calibration` is {calibration}; it must lie in [0, 1]"
                ))
            }
            _ => Ok(()),
        }
    }
}
