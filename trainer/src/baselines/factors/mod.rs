//! Users and items as vectors whose product is the score, learned by comparing pairs.
//!
//! - **BPR-MF** (Rendle et al. 2009, arXiv 1205.2618): the vectors themselves are learned.
//! - **LightGCN** (He et al. 2020, arXiv 2002.02126): learned vectors are smoothed over the graph of who took what, and the
//!   mean over the smoothings is the vector. With no layers it is BPR-MF, so both are one code.
//!
//! Both learn by the BPR loss of a taken item against one drawn evenly among those the user has not taken, with an L2 penalty
//! on the learned vectors of the three. A user's vector knows the training events only: at test it does not know the validation
//! event, as in RecBole.

mod graph;
mod ranker;
mod sample;
mod train;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::error::{BaselineError, at_least_one, within};
pub use graph::Graph;
pub use ranker::FactorRanker;
pub(super) use train::fit;

/// Settings of BPR-MF and LightGCN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorConfig {
    /// Smoothings over the graph; 0 for BPR-MF, which has none.
    #[serde(default)]
    pub layers: usize,
    /// Length of the vectors.
    pub width: usize,
    /// Of Adam.
    pub learning_rate: f64,
    /// Weight of the L2 penalty: `λ/2 (‖u‖² + ‖i‖² + ‖j‖²)`, mean over a batch.
    pub regularisation: f64,
    /// Pairs of a taken and a drawn item per step.
    pub batch: usize,
    /// Passes over the training interactions at most.
    pub epochs: usize,
    /// Epochs without a better validation NDCG@10 before training stops.
    pub patience: usize,
}

impl FactorConfig {
    pub(super) fn validate(&self, smoothed: bool) -> Result<(), BaselineError> {
        let layers = self.layers as f64;
        if smoothed {
            at_least_one("layers", self.layers)?;
        } else {
            within(
                "layers",
                layers,
                layers == 0.0,
                "be left out: layers make a light-gcn",
            )?;
        }
        for (field, value) in [
            ("width", self.width),
            ("batch", self.batch),
            ("epochs", self.epochs),
            ("patience", self.patience),
        ] {
            at_least_one(field, value)?;
        }
        let rate = self.learning_rate;
        within(
            "learning_rate",
            rate,
            rate > 0.0 && rate.is_finite(),
            "be above 0",
        )?;
        let penalty = self.regularisation;
        let inside = penalty >= 0.0 && penalty.is_finite();
        within("regularisation", penalty, inside, "not be negative")
    }
}
