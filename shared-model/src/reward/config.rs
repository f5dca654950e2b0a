//! What a reward model is built from, stored beside its weights.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Added to a variance by Dice.
pub const DICE_EPSILON: f64 = 1e-8;

/// Activation of the DIN and score networks. Both learn a slope for negative inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivationKind {
    /// `max(s, 0) + α min(s, 0)` with one `α` per unit; has no statistics, hence the cheapest.
    #[default]
    Prelu,
    /// DIN's data-adaptive activation: `p(s) s + α (1 − p(s)) s`, `p = σ((s − E[s]) / √(Var[s] + ε))`. Batch statistics
    /// while training, running ones (frozen) at inference.
    Dice,
}

/// Sizes and switches of a [`RewardModel`](super::RewardModel) (METHOD §2, Eq. 5–11).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardConfig {
    /// Number of items in the catalogue.
    pub items: usize,
    /// Width of a text vector: the hidden size of the LLM that wrote it.
    pub text_width: usize,
    /// Width `d` of an ID embedding, of a matched reason vector and of a pattern.
    pub width: usize,
    /// Attention heads, in the reason match (over `d`) and in the encoder (over `2d`).
    pub heads: usize,
    /// Encoder layers over the history.
    pub layers: usize,
    /// Inner width of an encoder layer's feed-forward part.
    pub feed_forward: usize,
    /// Most reasons kept for an item: the newest `K`.
    pub reasons: usize,
    /// Most events of a history the encoder sees: the newest ones.
    pub max_history: usize,
    /// Hidden units of the DIN unit that weighs one past event against one candidate.
    pub interest_hidden: usize,
    /// Hidden units of the score network.
    pub score_hidden: usize,
    /// Activation of both.
    pub activation: ActivationKind,
    /// Let the DIN weights be scaled and shifted by a learned function of the event's age (0 = newest).
    pub use_recency: bool,
    /// Add `z · x` to the score network's output. **A departure** from `MLP([z ; x ; e(P)])` alone, which learns products of its inputs so
    /// slowly that it stays near popularity for a whole epoch of MovieLens-1M.
    pub use_product: bool,
    /// Item ID embeddings; off = *text only*.
    pub use_ids: bool,
    /// Reason vectors; off = *no reasons*. With `use_patterns` off too: *IDs only*.
    pub use_reasons: bool,
    /// User patterns; off = *no patterns*.
    pub use_patterns: bool,
}

impl Default for RewardConfig {
    fn default() -> Self {
        Self {
            items: 0,
            text_width: 0,
            width: 64,
            heads: 4,
            layers: 2,
            feed_forward: 256,
            reasons: 8,
            max_history: 50,
            interest_hidden: 16,
            score_hidden: 64,
            activation: ActivationKind::Prelu,
            use_recency: true,
            use_product: true,
            use_ids: true,
            use_reasons: true,
            use_patterns: true,
        }
    }
}

/// Why a configuration cannot become a model.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// A size that must be at least 1 is 0.
    #[error("reward model: `{0}` is 0; it must be at least 1")]
    Zero(&'static str),
    /// Attention heads must share the width evenly.
    #[error("reward model: `width` ({width}) is not a multiple of `heads` ({heads})")]
    Heads {
        /// The configured width.
        width: usize,
        /// The configured number of heads.
        heads: usize,
    },
    /// A size that no file of this length can hold.
    #[error("reward model: `{name}` is {value}, more than a file of {bytes} bytes can hold")]
    TooLarge {
        /// The field.
        name: &'static str,
        /// Its value.
        value: usize,
        /// Length of the file.
        bytes: usize,
    },
    /// Without IDs and without reasons all items look alike.
    #[error(
        "reward model: `use_ids` and `use_reasons` are both off, so no item differs from another; switch one on"
    )]
    NothingAboutItems,
}

impl RewardConfig {
    /// A default model for `items` items and text vectors of `text_width`.
    pub fn new(items: usize, text_width: usize) -> Self {
        Self {
            items,
            text_width,
            ..Self::default()
        }
    }

    /// Width of an item input `x = [ID ; m]` and of the encoder: `2d`.
    pub fn input_width(&self) -> usize {
        2 * self.width
    }

    /// Whether a fresh model scores with the dot product of newest state and candidate alone, as a sequential recommender does.
    #[cfg(feature = "tensors")]
    pub(super) fn begins_sequential(&self) -> bool {
        self.use_recency && self.use_product
    }

    fn sizes(&self) -> [(&'static str, usize); 9] {
        [
            ("items", self.items),
            ("text_width", self.text_width),
            ("width", self.width),
            ("heads", self.heads),
            ("feed_forward", self.feed_forward),
            ("reasons", self.reasons),
            ("max_history", self.max_history),
            ("interest_hidden", self.interest_hidden),
            ("score_hidden", self.score_hidden),
        ]
    }

    /// Refuses sizes that a file of `bytes` bytes cannot hold, before anything of that size is allocated.
    pub fn validate_for_file(&self, bytes: usize) -> Result<(), ConfigError> {
        let layers = ("layers", self.layers);
        for (name, value) in self.sizes().into_iter().chain([layers]) {
            // Without IDs the number of items appears in no tensor; all others are sides of one.
            let known = name == "items" && !self.use_ids || name == "reasons";
            if !known && value > bytes {
                return Err(ConfigError::TooLarge { name, value, bytes });
            }
        }
        self.validate()
    }

    /// Refuses sizes that cannot work, naming the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (name, value) in self.sizes() {
            if value == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(ConfigError::Heads {
                width: self.width,
                heads: self.heads,
            });
        }
        if !self.use_ids && !self.use_reasons {
            return Err(ConfigError::NothingAboutItems);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_sizes_are_named() {
        let good = RewardConfig::new(10, 6);
        assert_eq!(good.validate(), Ok(()));
        assert_eq!(
            RewardConfig::new(0, 6).validate(),
            Err(ConfigError::Zero("items"))
        );
        let heads = RewardConfig {
            heads: 5,
            ..good.clone()
        };
        assert_eq!(
            heads.validate(),
            Err(ConfigError::Heads {
                width: 64,
                heads: 5
            })
        );
        let blind = RewardConfig {
            use_ids: false,
            use_reasons: false,
            ..good
        };
        assert_eq!(blind.validate(), Err(ConfigError::NothingAboutItems));
    }
}
