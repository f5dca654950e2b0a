//! Scores the whole catalogue for a [`Taste`] from an [`Artefact`] (METHOD §4): the one scorer of the browser, of
//! `curec explain` and of the parity tests.
//!
//! On a CPU by hand ([`cpu`]); on a GPU by tensors (`tensors`, with the cargo feature of that name). What would be without a
//! part of a taste is asked on the CPU always ([`probe`]): few candidates, many histories.

pub mod cpu;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod fixture;
mod on_cpu;
#[cfg(feature = "tensors")]
mod parameters;
mod parts;
pub mod probe;
mod taste;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod taste_tests;
#[cfg(feature = "tensors")]
mod tensors;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

#[cfg(feature = "tensors")]
pub use parameters::{UnreadableParameter, inference_parameters};
pub use parts::InParts;
pub use taste::{Muted, Taken, Taste};

use self::on_cpu::OnCpu;
use self::taste::{Side, Viewers};
use crate::artefact::{Artefact, ArtefactError};
use crate::explain::{Recommendations, UserScores};
#[cfg(feature = "tensors")]
use burn::tensor::Device;
use thiserror::Error;

/// Why a user could not be scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// No such user.
    #[error("there is no user {user}: the artefact has {users} users")]
    UserOutOfRange {
        /// The index asked for.
        user: u32,
        /// Users in the artefact.
        users: usize,
    },
    /// A taste that cannot be: an item, event or reason that does not exist, or too many of them.
    #[error("this taste cannot be scored: {message}")]
    BadTaste {
        /// What is wrong with it.
        message: String,
    },
    /// The model gave NaN or an infinite number.
    #[error(
        "the score of item {item} is not a finite number; the device or its driver computes wrongly, try another backend"
    )]
    NotFinite {
        /// The first such item.
        item: usize,
    },
    /// The device failed.
    #[error("the device failed while scoring: {message}; try another backend")]
    Device {
        /// Its message.
        message: String,
    },
}

impl ScoreError {
    /// The variant's name in kebab case, stable for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UserOutOfRange { .. } => "no-such-user",
            Self::BadTaste { .. } => "bad-taste",
            Self::NotFinite { .. } => "score-not-finite",
            Self::Device { .. } => "device",
        }
    }
}

/// A reward model with everything it needs to score.
#[derive(Debug)]
pub struct Scorer {
    cpu: OnCpu,
    /// Scores whole catalogues instead, where there is one.
    #[cfg(feature = "tensors")]
    device: Option<Box<tensors::OnDevice>>,
    viewers: Viewers,
}

impl Scorer {
    /// Loads a checked artefact for a CPU.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn on_cpu(artefact: &Artefact) -> Result<Self, ArtefactError> {
        let config = artefact.reward_config()?;
        Ok(Self {
            cpu: OnCpu::new(artefact, &config)?,
            #[cfg(feature = "tensors")]
            device: None,
            viewers: Viewers::new(artefact, &config),
        })
    }

    /// Loads a checked artefact onto `device`; the CPU is [`Scorer::on_cpu`].
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    #[cfg(feature = "tensors")]
    pub fn new(artefact: &Artefact, device: &Device) -> Result<Self, ArtefactError> {
        // The page's module for GPUs has no tensors on the CPU: they made it a tenth larger.
        #[cfg(not(target_arch = "wasm32"))]
        if *device == Device::flex() {
            return Self::on_cpu(artefact);
        }
        Self::by_tensors(artefact, device)
    }

    /// By tensors, whatever the device.
    #[cfg(feature = "tensors")]
    fn by_tensors(artefact: &Artefact, device: &Device) -> Result<Self, ArtefactError> {
        let config = artefact.reward_config()?;
        let engine = tensors::OnDevice::new(artefact, &config, device)?;
        Ok(Self {
            device: Some(Box::new(engine)),
            ..Self::on_cpu(artefact)?
        })
    }

    /// Number of stored viewers.
    pub fn users(&self) -> usize {
        self.viewers.all.len()
    }

    /// A stored viewer's taste as it is.
    ///
    /// # Errors
    /// No such viewer.
    pub fn taste(&self, user: u32) -> Result<Taste, ScoreError> {
        self.viewers.taste(user)
    }

    /// Scores every item of the catalogue for a stored viewer.
    ///
    /// # Errors
    /// No such viewer, or a device that fails or computes nonsense.
    pub async fn score(&self, user: u32) -> Result<UserScores, ScoreError> {
        self.score_taste(&self.taste(user)?).await
    }

    /// Scores every item of the catalogue.
    ///
    /// # Errors
    /// A taste that cannot be, or a device that fails or computes nonsense.
    pub async fn score_taste(&self, taste: &Taste) -> Result<UserScores, ScoreError> {
        let side = self.side(taste)?;
        #[cfg(feature = "tensors")]
        let scores = match &self.device {
            Some(engine) => engine.score(taste.viewer, &side).await?,
            None => self.cpu.score(taste.viewer, &side),
        };
        #[cfg(not(feature = "tensors"))]
        let scores = self.cpu.score(taste.viewer, &side);
        finite(&scores.logits)?;
        Ok(scores)
    }

    /// The `count` best items that were not taken, explained, and where a stored viewer's held-out item stands.
    ///
    /// # Errors
    /// As [`Scorer::score_taste`].
    pub async fn recommend(
        &self,
        taste: &Taste,
        count: usize,
    ) -> Result<Recommendations, ScoreError> {
        let scores = self.score_taste(taste).await?;
        self.shown(taste, &scores, count)
    }

    /// The same from the taste's scores.
    ///
    /// # Errors
    /// No such viewer.
    pub fn shown(
        &self,
        taste: &Taste,
        scores: &UserScores,
        count: usize,
    ) -> Result<Recommendations, ScoreError> {
        let taken: Vec<u32> = taste.history.iter().map(|taken| taken.item).collect();
        let held_out = match taste.viewer {
            Some(user) => self.viewers.get(user)?.held_out,
            None => None,
        };
        Ok(scores.recommend(&taken, held_out, count))
    }

    fn side(&self, taste: &Taste) -> Result<Side, ScoreError> {
        (self.viewers).side(taste, |pattern, items, muted| {
            self.cpu.matched(pattern, items, muted)
        })
    }
}

fn finite(logits: &[f32]) -> Result<(), ScoreError> {
    match logits.iter().position(|value| !value.is_finite()) {
        Some(item) => Err(ScoreError::NotFinite { item }),
        None => Ok(()),
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
