//! Scores the whole catalogue for a user from an [`Artefact`] (METHOD §4): the one scorer of the browser, of
//! `curec explain` and of the parity tests.
//!
//! On a CPU by hand ([`cpu`]); on a GPU by tensors (`tensors`, with the cargo feature of that name).

pub mod cpu;
mod on_cpu;
#[cfg(feature = "tensors")]
mod parameters;
#[cfg(feature = "tensors")]
mod tensors;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

#[cfg(feature = "tensors")]
pub use parameters::{UnreadableParameter, inference_parameters};

use self::on_cpu::OnCpu;
use crate::artefact::{Artefact, ArtefactError, tensors as stored};
use crate::explain::UserScores;
use crate::reward::RewardConfig;
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
            Self::NotFinite { .. } => "score-not-finite",
            Self::Device { .. } => "device",
        }
    }
}

/// A reward model with everything it needs to score.
#[derive(Debug)]
pub struct Scorer {
    engine: Engine,
    users: Vec<UserSide>,
}

#[derive(Debug)]
enum Engine {
    Cpu(Box<OnCpu>),
    #[cfg(feature = "tensors")]
    Tensors(Box<tensors::OnDevice>),
}

/// What is known of a user, on the host.
#[derive(Debug)]
struct UserSide {
    /// Position of the first event of the window in the whole history.
    start: usize,
    /// Items of the window.
    items: Vec<u32>,
    /// `m` of its events, `[T, d]`.
    matched: Vec<f32>,
    /// `e(P_u)`, `[d]`.
    pattern: Vec<f32>,
}

impl Scorer {
    /// Loads a checked artefact for a CPU.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn on_cpu(artefact: &Artefact) -> Result<Self, ArtefactError> {
        let config = artefact.reward_config()?;
        Ok(Self {
            engine: Engine::Cpu(Box::new(OnCpu::new(artefact, &config)?)),
            users: user_sides(artefact, &config),
        })
    }

    /// Loads a checked artefact onto `device`; the CPU is [`Scorer::on_cpu`].
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    #[cfg(feature = "tensors")]
    pub fn new(artefact: &Artefact, device: &Device) -> Result<Self, ArtefactError> {
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
            engine: Engine::Tensors(Box::new(engine)),
            users: user_sides(artefact, &config),
        })
    }

    /// Number of users that can be scored.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Scores every item of the catalogue for `user`.
    ///
    /// # Errors
    /// No such user, or a device that fails or computes nonsense.
    pub async fn score(&self, user: u32) -> Result<UserScores, ScoreError> {
        let Some(side) = self.users.get(user as usize) else {
            return Err(ScoreError::UserOutOfRange {
                user,
                users: self.users.len(),
            });
        };
        let scores = match &self.engine {
            Engine::Cpu(engine) => engine.score(user, side),
            #[cfg(feature = "tensors")]
            Engine::Tensors(engine) => engine.score(user, side).await?,
        };
        match scores.logits.iter().position(|value| !value.is_finite()) {
            Some(item) => Err(ScoreError::NotFinite { item }),
            None => Ok(scores),
        }
    }
}

impl UserSide {
    /// Positions in the whole history, and items.
    fn window(&self) -> Vec<(u32, u32)> {
        let positions = self.start as u32..;
        positions.zip(self.items.iter().copied()).collect()
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn user_sides(artefact: &Artefact, config: &RewardConfig) -> Vec<UserSide> {
    let patterns = &artefact.tensors[stored::PATTERNS].values;
    let matched = &artefact.tensors[stored::HISTORY_MATCHED].values;
    let mut offset = 0;
    artefact
        .users
        .iter()
        .zip(patterns.chunks_exact(config.width))
        .map(|(user, pattern)| {
            let start = user.history.len().saturating_sub(config.max_history);
            let items: Vec<u32> = user.history[start..].iter().map(|e| e.item).collect();
            let rows = offset * config.width..(offset + items.len()) * config.width;
            offset += items.len();
            UserSide {
                start,
                items,
                matched: matched[rows].to_vec(),
                pattern: pattern.to_vec(),
            }
        })
        .collect()
}
