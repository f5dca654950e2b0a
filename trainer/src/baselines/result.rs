//! What one baseline reached and how: one JSON object (`--json`, `--out`), or a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::against::Against;
use super::protocol::Prepared;
use super::registry::{Chosen, Fitted, RankingSettings};
use crate::data::{Order, SplitKind};
use crate::evaluation::{Estimate, Protocol, Results};
use crate::fitting::TrainingReport;

/// Rises when an old reader would misread a new file.
const FORMAT: u32 = 1;

/// How the numbers were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineProtocol {
    /// `sasrec`, `default`, `temporal`, or `run` for the data of a run.
    pub name: String,
    /// [`content_hash`](crate::data::content_hash) of the filtered and split data.
    pub data_sha256: String,
    /// All interactions: training, validation, test.
    pub interactions: usize,
    /// Order of interactions with equal times.
    pub order: Option<Order>,
    /// How histories were divided.
    pub split: Option<SplitKind>,
    /// Users with fewer interactions were dropped.
    pub min_history: Option<usize>,
    /// Items with fewer interactions were dropped.
    pub min_item_count: Option<usize>,
    /// What was ranked against what; `users` are those with such an event.
    #[serde(flatten)]
    pub ranking: Protocol,
}

/// Wall-clock seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Learning, validation included.
    pub fit: f64,
    /// Ranking all test events.
    pub rank: f64,
}

/// One baseline's numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineResult {
    /// Version of this format.
    pub format: u32,
    /// Name of the model.
    pub model: String,
    /// How.
    pub protocol: BaselineProtocol,
    /// The model's settings, every one.
    pub settings: RankingSettings,
    /// The search that chose them, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// Seed of everything random in the model.
    pub seed: u64,
    /// Version of this program.
    pub version: String,
    /// Commit of its sources, where they are in a repository.
    #[serde(default)]
    pub commit: Option<String>,
    /// By [`Metric::name`](crate::evaluation::Metric::name), with 95 % intervals over users.
    pub metrics: BTreeMap<String, Estimate>,
    /// Share of the catalogue in anybody's list.
    pub coverage: f64,
    /// Inequality of appearances in the lists.
    pub gini: f64,
    /// Learned values.
    pub parameters: usize,
    /// Every epoch and which one was kept; none for models without epochs.
    pub training: Option<TrainingReport>,
    /// The device in words.
    pub device: String,
    /// How long it took.
    pub seconds: Seconds,
    /// Largest resident memory of the process, in MiB.
    pub peak_memory_mib: Option<u64>,
    /// Less earlier results, paired over users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Against>,
    /// Rank of each user's test item, in user order: enough for a paired comparison with any other model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
}

impl BaselineResult {
    /// Puts together what an evaluation of one model found; none if it ranked no model.
    pub fn new(
        prepared: &Prepared,
        settings: RankingSettings,
        seed: u64,
        fitted: &Fitted,
        results: Results,
        (seconds, device): (Seconds, String),
    ) -> Option<Self> {
        let ranking = results.protocol;
        let model = results.models.into_iter().next()?;
        Some(Self {
            format: FORMAT,
            model: model.name,
            protocol: BaselineProtocol {
                name: prepared.protocol.clone(),
                data_sha256: prepared.sha256.clone(),
                interactions: prepared.interactions(),
                order: prepared.order,
                split: prepared.split,
                min_history: prepared.min_history,
                min_item_count: prepared.min_item_count,
                ranking,
            },
            settings,
            chosen: None,
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: crate::machine::commit(),
            metrics: model.metrics,
            coverage: model.coverage,
            gini: model.gini,
            parameters: fitted.parameters,
            training: fitted.report.clone(),
            device,
            seconds,
            peak_memory_mib: crate::machine::peak_memory_mib(),
            against: Vec::new(),
            ranks: model.ranks,
        })
    }
}
