//! An artefact's catalogue on a device, by tensors.
//!
//! The item side (keys and values of all reasons) goes to the device once; a user costs one encoder pass over the history
//! and one pass over the catalogue. All results come back in one asynchronous read: WebGPU knows no other.

use super::on_cpu::muted_of;
use super::taste::{Muted, Side};
use super::{ScoreError, parameters, sigmoid};
use crate::artefact::{Artefact, ArtefactError, tensors};
use crate::explain::UserScores;
use crate::reward::{RewardConfig, RewardModel, ages};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// Items scored at once: bounds memory (window × hidden × 4 bytes per item), and large enough for a GPU.
const CHUNK: usize = 1024;

#[derive(Debug)]
pub(super) struct OnDevice {
    model: RewardModel,
    config: RewardConfig,
    device: Device,
    chunks: Vec<Chunk>,
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
    /// Reasons of each item.
    counts: Vec<u32>,
}

impl OnDevice {
    pub(super) fn new(
        artefact: &Artefact,
        config: &RewardConfig,
        device: &Device,
    ) -> Result<Self, ArtefactError> {
        let model = config
            .init(device)
            .map_err(|error| ArtefactError::BadConfig {
                message: error.to_string(),
            })?;
        Ok(Self {
            model: parameters::restore(model, &artefact.tensors, device)?,
            chunks: chunks(artefact, config, device),
            config: config.clone(),
            device: device.clone(),
        })
    }

    pub(super) async fn score(
        &self,
        user: Option<u32>,
        side: &Side,
    ) -> Result<UserScores, ScoreError> {
        let flat = read(self.forward(side)).await?;
        Ok(self.unpack(user, side, flat))
    }

    /// Everything the host needs in one flat tensor: logits `[I]`, DIN weights `[I, T]`, attention `[I, heads, K]`,
    /// norms of the states `[T]`.
    fn forward(&self, side: &Side) -> Tensor<1> {
        let width = self.config.width;
        let pattern = float::<2>(side.pattern.clone(), [1, width], &self.device);
        let (states, present) = self.states(side);
        let ages = ages(present.clone());
        let visible = present.unsqueeze_dim::<3>(1);

        let (mut logits, mut weights, mut attention) = (Vec::new(), Vec::new(), Vec::new());
        for (chunk, first) in self.chunks.iter().zip((0..).step_by(CHUNK)) {
            let mask = self.mask(chunk, first, &side.muted);
            let matched = self.model.match_reasons(
                pattern.clone(),
                chunk.keys.clone(),
                chunk.values.clone(),
                mask,
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

    /// The chunk's lists without the reasons that are muted.
    fn mask(&self, chunk: &Chunk, first: u32, muted: &[Muted]) -> Tensor<3, Bool> {
        let slots = self.config.reasons;
        let items = first..first + chunk.counts.len() as u32;
        let touched = muted.iter().any(|one| items.contains(&one.item));
        if !touched {
            return chunk.mask.clone();
        }
        let mask = items.zip(&chunk.counts).flat_map(|(item, &count)| {
            let quiet = muted_of(item, muted);
            (0..slots as u32)
                .map(move |slot| slot < count && !quiet.iter().any(|one| one.reason == slot))
        });
        bools::<3>(mask.collect(), [1, chunk.counts.len(), slots], &self.device)
    }

    /// `H` of the user's window, `[1, T, 2d]`, and its mask `[1, T]`. An empty history is one absent event.
    fn states(&self, side: &Side) -> (Tensor<3>, Tensor<2, Bool>) {
        let (length, width) = (side.window().len().max(1), self.config.width);
        let mut items: Vec<i32> = side.window().iter().map(|(_, item)| *item as i32).collect();
        let mut matched = side.matched().to_vec();
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

    fn unpack(&self, user: Option<u32>, side: &Side, flat: Vec<f32>) -> UserScores {
        let (items, length) = (self.config.items, side.window().len().max(1));
        let (heads, slots) = (self.config.heads, self.config.reasons);
        let (logits, rest) = flat.split_at(items);
        let (event_weights, rest) = rest.split_at(items * length);
        let (attention, norms) = rest.split_at(items * heads * slots);
        let window = side.window().to_vec();
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
                counts: (artefact.reasons[start..end].iter())
                    .map(|list| list.len() as u32)
                    .collect(),
            }
        })
        .collect()
}

pub(super) fn float<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn bools<const D: usize>(
    values: Vec<bool>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn ints(values: Vec<i32>, device: &Device) -> Tensor<2, Int> {
    let shape = [1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.dims().iter().product::<usize>();
    tensor.reshape([count])
}
