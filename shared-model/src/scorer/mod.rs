//! Scores the whole catalogue for a user from an [`Artefact`] (METHOD §4): the one scorer of the browser, of
//! `curec explain` and of the parity tests.
//!
//! The item side (keys and values of all reasons) goes to the device once; a user costs one encoder pass over the history
//! and one pass over the catalogue: on a GPU by tensors, on a CPU by hand ([`cpu`]). Results come back in one asynchronous read: WebGPU
//! knows no other.

pub mod cpu;
mod parameters;
#[cfg(test)]
mod tests;

pub use parameters::{UnreadableParameter, inference_parameters};

use self::cpu::{CpuModel, Detail, Moment, ReasonTable};
use crate::artefact::{Artefact, ArtefactError, tensors};
use crate::explain::UserScores;
use crate::reward::{RewardConfig, RewardModel, ages};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use thiserror::Error;

/// Items scored at once: bounds memory (window × hidden × 4 bytes per item), and large enough for a GPU.
const CHUNK: usize = 1024;

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

/// A reward model on a device with everything it needs to score.
#[derive(Debug)]
pub struct Scorer {
    model: RewardModel,
    config: RewardConfig,
    device: Device,
    items: ItemSide,
    users: Vec<UserSide>,
}

/// The catalogue, where it is scored.
#[derive(Debug)]
enum ItemSide {
    /// On a device.
    Tensors(Vec<Chunk>),
    /// On the host.
    Cpu(Box<CpuItems>),
}

#[derive(Debug)]
struct CpuItems {
    model: CpuModel,
    /// `K` rows an item.
    table: ReasonTable,
    /// Reasons of each item.
    counts: Vec<u32>,
}

/// A run of items with their projected reasons, on the device.
#[derive(Debug)]
struct Chunk {
    /// `[1, n]`
    items: Tensor<2, Int>,
    /// `[1, n, K, d]`
    keys: Tensor<4>,
    /// `[1, n, K, d]`
    values: Tensor<4>,
    /// `[1, n, K]`
    mask: Tensor<3, Bool>,
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
    /// Loads a checked artefact onto `device`.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(artefact: &Artefact, device: &Device) -> Result<Self, ArtefactError> {
        let config = artefact.reward_config()?;
        let model = config
            .init(device)
            .map_err(|error| ArtefactError::BadConfig {
                message: error.to_string(),
            })?;
        let model = parameters::restore(model, &artefact.tensors, device)?;
        let items = match *device == Device::flex() {
            true => ItemSide::Cpu(Box::new(CpuItems::new(artefact, &config)?)),
            false => ItemSide::Tensors(chunks(artefact, &config, device)),
        };
        Ok(Self {
            items,
            users: user_sides(artefact, &config),
            model,
            config,
            device: device.clone(),
        })
    }

    /// Number of users that can be scored.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Number of items in the catalogue.
    pub fn items(&self) -> usize {
        self.config.items
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
        let scores = match &self.items {
            ItemSide::Tensors(chunks) => {
                let flat = read(self.forward(side, chunks)).await?;
                self.unpack(user, side, flat)
            }
            ItemSide::Cpu(items) => self.by_hand(user, side, items),
        };
        match scores.logits.iter().position(|value| !value.is_finite()) {
            Some(item) => Err(ScoreError::NotFinite { item }),
            None => Ok(scores),
        }
    }

    /// Everything the host needs in one flat tensor: logits `[I]`, DIN weights `[I, T]`, attention `[I, heads, K]`,
    /// norms of the states `[T]`.
    fn forward(&self, side: &UserSide, chunks: &[Chunk]) -> Tensor<1> {
        let width = self.config.width;
        let pattern = float::<2>(side.pattern.clone(), [1, width], &self.device);
        let (states, present) = self.states(side);
        let ages = ages(present.clone());
        let visible = present.unsqueeze_dim::<3>(1);

        let (mut logits, mut weights, mut attention) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            let matched = self.model.match_reasons(
                pattern.clone(),
                chunk.keys.clone(),
                chunk.values.clone(),
                chunk.mask.clone(),
            );
            let inputs = self
                .model
                .item_input(chunk.items.clone(), matched.vector)
                .unsqueeze_dim::<4>(1);
            let interest = self.model.interest(
                states.clone(),
                inputs.clone(),
                visible.clone(),
                ages.clone(),
            );
            logits.push(flatten(self.model.logits(
                interest.vector,
                inputs,
                pattern.clone().unsqueeze_dim::<3>(1),
            )));
            weights.push(flatten(interest.weights));
            attention.push(flatten(matched.attention));
        }
        let norms = flatten(states.powf_scalar(2.0).sum_dim(2).sqrt());
        logits.append(&mut weights);
        logits.append(&mut attention);
        logits.push(norms);
        Tensor::cat(logits, 0)
    }

    /// All of it by hand.
    fn by_hand(&self, user: u32, side: &UserSide, items: &CpuItems) -> UserScores {
        let states = items.model.encode(&side.items, &side.matched);
        let slots = self.config.reasons;
        let all: Vec<u32> = (0..self.config.items as u32).collect();
        let moment = Moment {
            states: &states,
            pattern: &side.pattern,
        };
        let rows = |item: usize, rows: &mut Vec<u32>| {
            let first = (item * slots) as u32;
            rows.extend(first..first + items.counts[item]);
        };
        let evidence = Detail::Evidence { slots };
        let found = (items.model).score(moment, &all, &items.table, rows, evidence);
        let norm = |state: &[f32]| state.iter().map(|h| h * h).sum::<f32>().sqrt();
        UserScores {
            user,
            scores: found.logits.iter().map(|&logit| sigmoid(logit)).collect(),
            logits: found.logits,
            attention: found.attention,
            heads: self.config.heads,
            slots,
            event_weights: found.event_weights,
            state_norms: (states.chunks_exact(self.config.input_width()))
                .map(norm)
                .collect(),
            window: side.window(),
        }
    }

    /// `H` of the user's window, `[1, T, 2d]`, and its mask `[1, T]`. An empty history is one absent event.
    fn states(&self, side: &UserSide) -> (Tensor<3>, Tensor<2, Bool>) {
        let (length, width) = (side.items.len().max(1), self.config.width);
        let mut items: Vec<i32> = side.items.iter().map(|item| *item as i32).collect();
        let mut matched = side.matched.clone();
        let present = !items.is_empty();
        items.resize(length, 0);
        matched.resize(length * width, 0.0);
        let present = bools::<2>(vec![present; length], [1, length], &self.device);
        let inputs = self.model.item_input(
            ints(items, &self.device),
            float::<3>(matched, [1, length, width], &self.device),
        );
        (self.model.encode_history(inputs), present)
    }

    fn unpack(&self, user: u32, side: &UserSide, flat: Vec<f32>) -> UserScores {
        let (items, length) = (self.config.items, side.items.len().max(1));
        let (heads, slots) = (self.config.heads, self.config.reasons);
        let (logits, rest) = flat.split_at(items);
        let (event_weights, rest) = rest.split_at(items * length);
        let (attention, norms) = rest.split_at(items * heads * slots);
        let window = side.window();
        let empty = window.is_empty();
        UserScores {
            user,
            logits: logits.to_vec(),
            scores: logits.iter().map(|&logit| sigmoid(logit)).collect(),
            attention: attention.to_vec(),
            heads,
            slots,
            event_weights: if empty {
                Vec::new()
            } else {
                event_weights.to_vec()
            },
            state_norms: if empty { Vec::new() } else { norms.to_vec() },
            window,
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

impl CpuItems {
    fn new(artefact: &Artefact, config: &RewardConfig) -> Result<Self, ArtefactError> {
        let values = |name: &str| artefact.tensors[name].values.clone();
        Ok(Self {
            model: CpuModel::new(config, &artefact.tensors)?,
            table: ReasonTable {
                keys: values(tensors::REASON_KEYS),
                values: values(tensors::REASON_VALUES),
            },
            counts: (artefact.reasons.iter())
                .map(|list| list.len() as u32)
                .collect(),
        })
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, ScoreError> {
    let device = |message: String| ScoreError::Device { message };
    let data = tensor.into_data_async().await;
    (data.map_err(|error| device(error.to_string()))?)
        .convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| device(error.to_string()))
}

fn chunks(artefact: &Artefact, config: &RewardConfig, device: &Device) -> Vec<Chunk> {
    let (slots, width) = (config.reasons, config.width);
    let keys = &artefact.tensors[tensors::REASON_KEYS].values;
    let values = &artefact.tensors[tensors::REASON_VALUES].values;
    (0..config.items)
        .step_by(CHUNK)
        .map(|start| {
            let end = (start + CHUNK).min(config.items);
            let count = end - start;
            let shape = [1, count, slots, width];
            let rows = start * slots * width..end * slots * width;
            let mask = artefact.reasons[start..end]
                .iter()
                .flat_map(|list| (0..slots).map(|slot| slot < list.len()))
                .collect();
            Chunk {
                items: ints((start as i32..end as i32).collect(), device),
                keys: float::<4>(keys[rows.clone()].to_vec(), shape, device),
                values: float::<4>(values[rows].to_vec(), shape, device),
                mask: bools::<3>(mask, [1, count, slots], device),
            }
        })
        .collect()
}

fn user_sides(artefact: &Artefact, config: &RewardConfig) -> Vec<UserSide> {
    let patterns = &artefact.tensors[tensors::PATTERNS].values;
    let matched = &artefact.tensors[tensors::HISTORY_MATCHED].values;
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

fn float<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn bools<const D: usize>(values: Vec<bool>, shape: [usize; D], device: &Device) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn ints(values: Vec<i32>, device: &Device) -> Tensor<2, Int> {
    let shape = [1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.dims().iter().product::<usize>();
    tensor.reshape([count])
}
