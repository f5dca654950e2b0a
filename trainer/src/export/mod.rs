//! Turns a finished run into the artefact that the page and `curec explain` load (METHOD §4).
//!
//! What depends on texts alone is computed here, once: keys and values of every item's reasons, every user's pattern vector,
//! and the matched vector `m` of every event of every user's window.
//!
//! **Which reasons, when?** The encoder reads each past event with the pattern and the reasons known *at that event*, as in
//! training, so `m` of events is computed through [`Past`](crate::past::Past). Candidates are scored at one common moment
//! instead: after all training data. Their lists hold the newest `K` training reasons, whoever told them. A ranking
//! evaluation asks for the reasons before each user's own test event, so the page's rank of a held-out item may differ from
//! the evaluation's; [`NOTE_MOMENT`] says so beside the results. Held-out interactions are never a source of a reason
//! ([`Timeline::check_source`](crate::past::Timeline::check_source)), and the artefact's reader checks it again.

mod comparison;
mod folder;
mod preview;
mod results;
#[cfg(test)]
mod tests;
mod writer;

pub use comparison::{Earlier, Others};
pub use folder::{Written, read_folder, write_folder};
pub use results::page_results;
pub use writer::{CannotWrite, may_travel, writer_part};

use std::path::PathBuf;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use curec_shared_model::artefact::{
    Artefact, ArtefactError, Attribute, CatalogueItem, DatasetSummary, HistoryEvent, ModelConfigs,
    Preview, Reason, Results, RunSummary, StoredTensor, UserRecord, WriterPart, tensors,
};
use curec_shared_model::reward::RewardModel;
use curec_shared_model::scorer::{ScoreError, UnreadableParameter, inference_parameters};
use thiserror::Error;

use crate::data::Dataset;
use crate::llm::TokenizerError;
use crate::past::{LeakError, Timeline};
use crate::reward::stores::{PatternStore, ReasonStore};

/// Said beside the results of every artefact.
pub const NOTE_MOMENT: &str = "Shown recommendations are scored at one moment after all training data, so an item's reasons \
may be newer than a user's held-out event (never from a held-out event); the evaluation uses only the reasons before each \
user's own event. The rank shown for a held-out item can therefore differ from the evaluation.";

/// Rows that pass through the model at once.
const ROWS: usize = 2048;

/// Everything an artefact is made of.
#[derive(Debug, Clone)]
pub struct ExportInput<'a> {
    /// The run's data.
    pub data: &'a Dataset,
    /// Name of the split, e.g. `leave-one-out`.
    pub split: String,
    /// Final patterns.
    pub patterns: &'a PatternStore,
    /// Final reasons.
    pub reasons: &'a ReasonStore,
    /// The final reward model, without gradients.
    pub model: &'a RewardModel,
    /// Evaluation of the run.
    pub results: Results,
    /// Identity of the run.
    pub run: RunSummary,
    /// What it is compared with; none leaves the comparison out.
    pub others: Option<Others<'a>>,
    /// What writes in the browser, if it can.
    pub writer: Option<WriterPart>,
    /// Export at most so many users, evenly spaced over all of them; `None` = all.
    pub max_users: Option<usize>,
}

/// Why an export failed, or could not be read back.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The pieces do not fit each other, or a value is not finite.
    #[error("the run cannot be exported: {0}")]
    Artefact(#[from] ArtefactError),
    /// A folder that is read back is no whole artefact.
    #[error(transparent)]
    Unusable(ArtefactError),
    /// The time rule was broken.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// The device did not hand its values over.
    #[error("cannot read from the device: {0}")]
    Device(String),
    /// The same, for a parameter of the model.
    #[error(transparent)]
    Parameter(#[from] UnreadableParameter),
    /// The list shown first could not be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The tokenizer cannot be written.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// Builds the artefact in memory. `device` must be the one that `model` lives on.
///
/// # Errors
/// Pieces that do not fit, texts that break the time rule, values that are not finite.
pub fn build(input: &ExportInput, device: &Device) -> Result<Artefact, ExportError> {
    let mut artefact = core(input, device)?;
    artefact.preview = preview::preview(&artefact)?;
    if let Some(others) = &input.others {
        artefact.comparison = Some(comparison::comparison(input, others, &artefact, device)?);
    }
    artefact.writer = input.writer.clone();
    Ok(artefact)
}

/// The users who are exported.
fn chosen(input: &ExportInput) -> Vec<usize> {
    spread(input.data.users.len(), input.max_users)
}

/// Per item the rows of its newest reasons, oldest first.
fn reason_lists<'a>(input: &ExportInput<'a>) -> Vec<&'a [u32]> {
    let reasons: &'a ReasonStore = input.reasons;
    let most = input.model.config().reasons;
    (0..input.data.items.len() as u32)
        .map(|item| {
            let rows = reasons.of_item(item);
            &rows[rows.len().saturating_sub(most)..]
        })
        .collect()
}

/// What every list needs: without preview, comparison and writer.
fn core(input: &ExportInput, device: &Device) -> Result<Artefact, ExportError> {
    let data = input.data;
    let config = input.model.config();
    let chosen = chosen(input);
    let mut index_of = vec![None; data.users.len()];
    for (index, user) in chosen.iter().enumerate() {
        index_of[*user] = Some(index as u32);
    }
    let lists = reason_lists(input);

    let side = Projected::new(input, device)?;
    let mut stored = inference_parameters(input.model)?;
    side.item_side(&lists, config.reasons, &mut stored);
    side.user_side(input, &chosen, device, &mut stored)?;

    let mut results = input.results.clone();
    results.notes.push(NOTE_MOMENT.to_owned());
    if chosen.len() < data.users.len() {
        results.notes.push(format!(
            "{} of {} users are included, evenly spaced; the model was trained on all of them.",
            chosen.len(),
            data.users.len()
        ));
    }
    Ok(Artefact {
        created_by: concat!("curec ", env!("CARGO_PKG_VERSION")).to_owned(),
        dataset: DatasetSummary {
            name: data.name.clone(),
            users: chosen.len(),
            items: data.items.len(),
            interactions: data.histories.iter().map(Vec::len).sum(),
            split: input.split.clone(),
        },
        run: input.run.clone(),
        model: ModelConfigs {
            reward: serde_json::to_value(config).map_err(|error| ArtefactError::BadConfig {
                message: error.to_string(),
            })?,
        },
        catalogue: catalogue(data),
        users: chosen
            .iter()
            .map(|user| user_record(input, *user))
            .collect::<Result<_, _>>()?,
        reasons: lists
            .iter()
            .map(|rows| {
                rows.iter()
                    .map(|row| {
                        let entry = input.reasons.entry(*row);
                        Reason {
                            text: entry.text.clone(),
                            user: index_of[entry.user as usize],
                            time: entry.time,
                        }
                    })
                    .collect()
            })
            .collect(),
        results,
        preview: Preview::default(),
        tensors: stored,
        comparison: None,
        writer: None,
    })
}

/// Number of events before the user's first test event: what is known when recommending to them.
fn known(data: &Dataset, user: usize) -> usize {
    data.test_position(user)
        .unwrap_or(data.histories[user].len())
}

/// `count` indices evenly spaced over `0..total`, all of them when there are no more.
fn spread(total: usize, count: Option<usize>) -> Vec<usize> {
    let count = count.unwrap_or(total).clamp(1, total.max(1)).min(total);
    (0..count).map(|index| index * total / count).collect()
}

fn catalogue(data: &Dataset) -> Vec<CatalogueItem> {
    let mut counts = vec![0u32; data.items.len()];
    for user in 0..data.users.len() {
        for event in data.train_events(user) {
            counts[event.item as usize] += 1;
        }
    }
    data.items
        .iter()
        .zip(counts)
        .map(|(item, count)| CatalogueItem {
            key: item.key.clone(),
            title: item.title.clone(),
            attributes: item
                .attributes
                .iter()
                .map(|attribute| Attribute {
                    kind: attribute.kind.clone(),
                    value: attribute.value.clone(),
                })
                .collect(),
            count,
        })
        .collect()
}

fn user_record(input: &ExportInput, user: usize) -> Result<UserRecord, ExportError> {
    let data = input.data;
    let past = Timeline::new(data).past(user, known(data, user))?;
    Ok(UserRecord {
        key: data.users[user].key.clone(),
        history: past
            .history()
            .iter()
            .map(|event| HistoryEvent {
                item: event.item,
                time: event.time,
            })
            .collect(),
        held_out: data
            .test_position(user)
            .map(|position| data.histories[user][position].item),
        pattern: past
            .pattern(input.patterns)
            .map(|row| input.patterns.entry(row).text.clone()),
    })
}

/// All texts of the run after the reward model's projections, on the host, row by row.
struct Projected<'a> {
    model: &'a RewardModel,
    width: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
    patterns: Vec<f32>,
    /// `e(P)` of a user who has no pattern.
    no_pattern: Vec<f32>,
}

impl<'a> Projected<'a> {
    fn new(input: &ExportInput<'a>, device: &Device) -> Result<Self, ExportError> {
        let model = input.model;
        let (mut keys, mut values, mut patterns) = (Vec::new(), Vec::new(), Vec::new());
        for vectors in row_chunks(input.reasons.vectors(), input.reasons.width(), device) {
            let projected = model.project_reasons(vectors);
            keys.extend(read(projected.keys)?);
            values.extend(read(projected.values)?);
        }
        for vectors in row_chunks(input.patterns.vectors(), input.patterns.width(), device) {
            let [rows, _] = vectors.dims();
            let there = bools::<1>(vec![true; rows], [rows], device);
            patterns.extend(read(model.pattern(vectors, there))?);
        }
        let nothing = Tensor::zeros([1, model.config().text_width], device);
        let absent = bools::<1>(vec![false], [1], device);
        Ok(Self {
            width: model.config().width,
            no_pattern: read(model.pattern(nothing, absent))?,
            model,
            keys,
            values,
            patterns,
        })
    }

    fn row<'v>(&self, table: &'v [f32], row: u32) -> &'v [f32] {
        &table[row as usize * self.width..][..self.width]
    }

    fn pattern(&self, row: Option<u32>) -> &[f32] {
        row.map_or(&self.no_pattern, |row| self.row(&self.patterns, row))
    }

    fn item_side(&self, lists: &[&[u32]], slots: usize, stored: &mut Stored) {
        let shape = [lists.len(), slots, self.width];
        let gather = |table: &[f32]| {
            let mut values = Vec::with_capacity(shape.iter().product());
            for rows in lists {
                for row in *rows {
                    values.extend_from_slice(self.row(table, *row));
                }
                values.resize(values.len() + (slots - rows.len()) * self.width, 0.0);
            }
            StoredTensor::f16(shape, values)
        };
        stored.insert(tensors::REASON_KEYS.to_owned(), gather(&self.keys));
        stored.insert(tensors::REASON_VALUES.to_owned(), gather(&self.values));
        let counts = lists.iter().map(|rows| rows.len() as f32).collect();
        stored.insert(
            tensors::REASON_COUNT.to_owned(),
            StoredTensor::f32([lists.len()], counts),
        );
    }

    fn user_side(
        &self,
        input: &ExportInput,
        chosen: &[usize],
        device: &Device,
        stored: &mut Stored,
    ) -> Result<(), ExportError> {
        let config = self.model.config();
        let timeline = Timeline::new(input.data);
        let mut patterns = Vec::with_capacity(chosen.len() * self.width);
        let mut seen = Vec::new();
        for user in chosen {
            let end = known(input.data, *user);
            let now = timeline.past(*user, end)?;
            patterns.extend_from_slice(self.pattern(now.pattern(input.patterns)));
            for position in end.saturating_sub(config.max_history)..end {
                let then = timeline.past(*user, position)?;
                let item = input.data.histories[*user][position].item;
                seen.push(EventTexts {
                    pattern: then.pattern(input.patterns),
                    reasons: then.reasons(input.reasons, item, config.reasons),
                });
            }
        }
        let mut matched = Vec::with_capacity(seen.len() * self.width);
        for chunk in seen.chunks(ROWS) {
            matched.extend(self.matched(chunk, device)?);
        }
        stored.insert(
            tensors::PATTERNS.to_owned(),
            StoredTensor::f32([chosen.len(), self.width], patterns),
        );
        stored.insert(
            tensors::NO_PATTERN.to_owned(),
            StoredTensor::f32([self.width], self.no_pattern.clone()),
        );
        stored.insert(
            tensors::HISTORY_MATCHED.to_owned(),
            StoredTensor::f16([seen.len(), self.width], matched),
        );
        Ok(())
    }

    /// `m` of some events, row by row.
    fn matched(&self, events: &[EventTexts], device: &Device) -> Result<Vec<f32>, ExportError> {
        let slots = self.model.config().reasons;
        let shape = [events.len(), 1, slots, self.width];
        let gather = |table: &[f32]| {
            let mut values = Vec::with_capacity(shape.iter().product());
            for event in events {
                for row in event.reasons {
                    values.extend_from_slice(self.row(table, *row));
                }
                values.resize(
                    values.len() + (slots - event.reasons.len()) * self.width,
                    0.0,
                );
            }
            Tensor::<4>::from_data(TensorData::new(values, shape), device)
        };
        let patterns: Vec<f32> = events
            .iter()
            .flat_map(|event| self.pattern(event.pattern))
            .copied()
            .collect();
        let mask = events
            .iter()
            .flat_map(|event| (0..slots).map(|slot| slot < event.reasons.len()))
            .collect();
        let matched = self.model.match_reasons(
            Tensor::from_data(
                TensorData::new(patterns, [events.len(), self.width]),
                device,
            ),
            gather(&self.keys),
            gather(&self.values),
            bools::<3>(mask, [events.len(), 1, slots], device),
        );
        read(matched.vector)
    }
}

type Stored = std::collections::BTreeMap<String, StoredTensor>;

/// What was known at one event of a history: rows of the stores.
struct EventTexts<'s> {
    pattern: Option<u32>,
    reasons: &'s [u32],
}

fn row_chunks<'v>(
    vectors: &'v [f32],
    width: usize,
    device: &'v Device,
) -> impl Iterator<Item = Tensor<2>> + 'v {
    vectors.chunks(ROWS * width.max(1)).map(move |chunk| {
        let rows = chunk.len() / width;
        Tensor::from_data(TensorData::new(chunk.to_vec(), [rows, width]), device)
    })
}

fn bools<const D: usize>(values: Vec<bool>, shape: [usize; D], device: &Device) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ExportError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| ExportError::Device(error.to_string()))
}
