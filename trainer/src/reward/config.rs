//! Settings of reward training.

use curec_shared_model::reward::RewardConfig;
use serde::{Deserialize, Serialize};

use super::train::RewardTrainingError;

/// Loss over a positive and its sampled negatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardLoss {
    /// Binary cross-entropy, every candidate by itself (METHOD §2's default; scores are probabilities of taking against sampled items).
    #[default]
    BinaryCrossEntropy,
    /// Softmax over the positive and its negatives.
    SampledSoftmax,
    /// Softmax over the whole catalogue. The DIN unit looks at every past event once per candidate: this costs as many negatives
    /// as there are items, and is for small catalogues.
    CrossEntropy,
}

/// What a model that reads reasons is trained from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextStart {
    /// From encoder and IDs as `identity_epochs` left them: the cheaper way, for large logs. What IDs already know is not learnt from
    /// texts again.
    #[default]
    Identities,
    /// From nothing: IDs and texts learn side by side.
    Scratch,
}

/// Which weights of a training are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Of each phase those that rank validation events best, what the phase began with among them. A phase in which texts are first read
    /// keeps one of its later epochs.
    #[default]
    Best,
    /// Those after the last epoch: nothing that is held out decides anything.
    Last,
}

impl Keep {
    fn is_best(&self) -> bool {
        *self == Self::Best
    }
}

/// How the reward model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardTrainingConfig {
    /// Sizes and switches of the model; `items` and `text_width` of 0 are taken from the data.
    pub model: RewardConfig,
    /// Epochs at most: passes over the training interactions, validated after each.
    pub epochs: usize,
    /// Optimiser steps at least, of `epochs` and of `warm_epochs`: where data are few, an epoch is as many passes as all of them
    /// need for that.
    pub min_steps: usize,
    /// History windows per step; a window holds up to `model.max_history` examples.
    pub batch_windows: usize,
    /// Sampled negatives per example, uniform over the items the user has not taken in training. `cross_entropy` takes all items.
    pub negatives: usize,
    /// Which loss.
    pub loss: RewardLoss,
    /// Control "random texts, retrained": the vectors of all reasons are dealt anew and every user gets another user's patterns before
    /// training, and they stay so when it is evaluated. Needs `correct.interactions = 0`: correction would write real texts among them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub random_texts: bool,
    /// Weight of an auxiliary loss: the state after each event predicts the next item by its dot product with `x = [e ; m]`, in a
    /// softmax over that item and `auxiliary_negatives` items drawn once per step, each with the reasons visible at the moment. DIEN
    /// (Zhou et al. 2019, §4.2) supervises its states this way; the reward alone gives embeddings, texts and encoder little to
    /// learn from per step. 0 = off.
    pub auxiliary_weight: f32,
    /// Items drawn for it; 0 = none: the softmax runs over the whole catalogue.
    pub auxiliary_negatives: usize,
    /// Epochs at most that come before all others and know no texts: encoder and ID embeddings alone, by cross-entropy of the next item,
    /// which is what a sequential recommender is. None without IDs.
    pub identity_epochs: usize,
    /// Whether models that read reasons go on from there.
    pub text_start: TextStart,
    /// Chance of every item, anew in each step after `identity_epochs`, that its ID embedding is hidden (zero) wherever it stands: what IDs
    /// know already is learnt from texts too (DropoutNet, Volkovs et al. 2017). A model on IDs only is trained the same way. 0 = never.
    pub identity_dropout: f32,
    /// Items drawn per step for it; 0 = none: the softmax runs over the whole catalogue.
    pub identity_negatives: usize,
    /// Their peak learning rate.
    pub identity_learning_rate: f64,
    /// Epochs at most that train encoder, ID embeddings and the match of reasons alone, by the auxiliary loss, before everything is
    /// trained: cheaper than epochs of the whole, and a sequential recommender learns most of what it will know from them.
    pub warm_epochs: usize,
    /// Their peak learning rate.
    pub warm_learning_rate: f64,
    /// Peak learning rate of AdamW; linear warm-up, then cosine down to a tenth.
    pub learning_rate: f64,
    /// Steps of warm-up.
    pub warmup_steps: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Dropout on the history's item inputs.
    pub dropout: f32,
    /// Users whose validation event is ranked after each epoch (a seeded sample; 0 = all).
    pub validation_users: usize,
    /// Epochs without a better validation NDCG@10 before training stops.
    pub patience: usize,
    /// Which weights are kept.
    #[serde(skip_serializing_if = "Keep::is_best")]
    pub keep: Keep,
    /// Seed of weights, order, negatives and dropout. No setting: stages and baselines put theirs here. Stored settings say 42, and
    /// anything else is refused.
    pub seed: u64,
    /// Parts a batch is divided into, each on its own thread; 0 = one per core on a CPU, 1 on a GPU. The division changes
    /// results only by rounding: what is drawn at random does not depend on it.
    pub threads: usize,
}

impl Default for RewardTrainingConfig {
    fn default() -> Self {
        Self {
            model: RewardConfig::default(),
            epochs: 4,
            min_steps: 0,
            batch_windows: 16,
            negatives: 2,
            loss: RewardLoss::default(),
            random_texts: false,
            auxiliary_weight: 1.0,
            auxiliary_negatives: 128,
            identity_epochs: 8,
            text_start: TextStart::default(),
            identity_dropout: 0.0,
            identity_negatives: 0,
            identity_learning_rate: 2e-3,
            warm_epochs: 8,
            warm_learning_rate: 1e-3,
            learning_rate: 1e-3,
            warmup_steps: 100,
            weight_decay: 1e-2,
            dropout: 0.1,
            validation_users: 1000,
            patience: 4,
            keep: Keep::default(),
            seed: 42,
            threads: 0,
        }
    }
}

impl RewardTrainingConfig {
    /// Whether the auxiliary loss is part of training.
    pub(crate) fn has_auxiliary(&self) -> bool {
        self.auxiliary_weight > 0.0 && (self.model.use_ids || self.model.use_reasons)
    }

    /// Whether this model is trained from encoder and IDs that were trained alone.
    pub(crate) fn begins_with_identities(&self) -> bool {
        let reads_from_scratch = self.model.use_reasons && self.text_start == TextStart::Scratch;
        self.model.use_ids && self.identity_epochs > 0 && !reads_from_scratch
    }

    /// Refuses settings that cannot work whatever the data are.
    ///
    /// # Errors
    /// Names the field and the values that work.
    pub fn validate(&self) -> Result<(), RewardTrainingError> {
        for (name, value) in [
            ("epochs", self.epochs),
            ("batch_windows", self.batch_windows),
            ("negatives", self.negatives),
        ] {
            if value == 0 {
                return Err(RewardTrainingError::Setting(format!(
                    "`{name}` is 0; it must be at least 1"
                )));
            }
        }
        for (name, value) in [
            ("dropout", self.dropout),
            ("identity_dropout", self.identity_dropout),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(RewardTrainingError::Setting(format!(
                    "`{name}` is {value}; it must lie in [0, 1)"
                )));
            }
        }
        let mut model = self.model.clone();
        // 0 stands for what the data say.
        model.items = model.items.max(1);
        model.text_width = model.text_width.max(1);
        Ok(model.validate()?)
    }
}
