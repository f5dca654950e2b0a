//! What the JSON files of an artefact hold.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::text::Attribute;
use crate::text::Item;

/// One entry of `catalogue.json`; its position is the item's index everywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueItem {
    /// The data set's own identifier, unique.
    pub key: String,
    /// Title as shown.
    pub title: String,
    /// Metadata in the source's order.
    pub attributes: Vec<Attribute>,
    /// Training interactions with the item (its popularity).
    pub count: u32,
}

impl From<&CatalogueItem> for Item {
    fn from(item: &CatalogueItem) -> Self {
        Self {
            key: item.key.clone(),
            title: item.title.clone(),
            attributes: item.attributes.clone(),
        }
    }
}

/// One step of a user's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEvent {
    /// Index into the catalogue.
    pub item: u32,
    /// Time of the interaction, in the data set's unit.
    pub time: i64,
}

/// One entry of `users.json`; its position is the user's index everywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// The data set's own identifier, unique.
    pub key: String,
    /// Everything before the held-out test item, oldest first.
    pub history: Vec<HistoryEvent>,
    /// The test item, if the user has one.
    pub held_out: Option<u32>,
    /// The pattern `P_u` the LLM wrote, if it wrote one.
    pub pattern: Option<String>,
}

/// One entry of an item's list in `reasons.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The sentence.
    pub text: String,
    /// Index of the user whose interaction it explains; `null` where that user is not among the exported ones.
    pub user: Option<u32>,
    /// Time of that interaction.
    pub time: i64,
}

/// `preview.json`: one viewer's list as it was scored at export, small and complete in itself: what a page shows before it has
/// anything else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// Index of the viewer.
    pub user: u32,
    /// Their key.
    pub key: String,
    /// Their pattern, where the model reads it.
    pub pattern: Option<String>,
    /// The newest events of their history, newest first.
    pub history: Vec<PreviewItem>,
    /// The best items, best first.
    pub recommendations: Vec<PreviewRow>,
}

/// An item with what is needed to draw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewItem {
    /// Index into the catalogue.
    pub item: u32,
    /// As in the catalogue.
    pub key: String,
    /// As in the catalogue.
    pub title: String,
    /// As in the catalogue.
    pub attributes: Vec<Attribute>,
}

/// One recommendation with its leading reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRow {
    /// Which item.
    pub item: PreviewItem,
    /// `ŷ`
    pub score: f32,
    /// The reason with most attention, if there is one and the model reads it.
    pub reason: Option<String>,
    /// Titles of the two events that carried it most.
    pub carried_by: Vec<String>,
}

impl PreviewItem {
    /// Of the catalogue's item at this index.
    pub fn of(index: u32, item: &CatalogueItem) -> Self {
        Self {
            item: index,
            key: item.key.clone(),
            title: item.title.clone(),
            attributes: item.attributes.clone(),
        }
    }
}

/// `results.json`: the evaluation of the run, as the trainer measured it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// How the numbers were made: split, filter of seen items, catalogue size, seeds …
    pub protocol: serde_json::Map<String, serde_json::Value>,
    /// One row per model or control.
    pub models: Vec<ModelMetrics>,
    /// Later models against earlier ones, paired over users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Sentences a reader must see beside the numbers.
    pub notes: Vec<String>,
}

/// One row of the result table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelMetrics {
    /// Name of the model or control.
    pub name: String,
    /// Metric name → value.
    pub metrics: BTreeMap<String, MetricValue>,
}

/// A number, with its interval where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricValue {
    /// Of the lists as a whole: no mean over users.
    Plain(f64),
    /// A mean over users.
    Estimate(Estimate),
}

/// A mean over users and its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// `left − right` in one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which metric.
    pub metric: String,
    /// Name of the one model.
    pub left: String,
    /// Name of the other.
    pub right: String,
    /// The difference, paired over users.
    pub difference: Estimate,
}
