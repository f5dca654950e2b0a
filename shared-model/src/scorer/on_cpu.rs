//! An artefact's catalogue on a CPU.

use super::cpu::{CpuModel, Detail, Moment, ReasonTable};
use super::{UserSide, sigmoid};
use crate::artefact::{Artefact, ArtefactError, tensors};
use crate::explain::UserScores;
use crate::reward::RewardConfig;

#[derive(Debug)]
pub(super) struct OnCpu {
    config: RewardConfig,
    model: CpuModel,
    /// `K` rows an item.
    table: ReasonTable,
    /// Reasons of each item.
    counts: Vec<u32>,
}

impl OnCpu {
    pub(super) fn new(artefact: &Artefact, config: &RewardConfig) -> Result<Self, ArtefactError> {
        let values = |name: &str| artefact.tensors[name].values.clone();
        Ok(Self {
            config: config.clone(),
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

    pub(super) fn score(&self, user: u32, side: &UserSide) -> UserScores {
        let states = self.model.encode(&side.items, &side.matched);
        let slots = self.config.reasons;
        let all: Vec<u32> = (0..self.config.items as u32).collect();
        let moment = Moment {
            states: &states,
            pattern: &side.pattern,
        };
        let rows = |item: usize, rows: &mut Vec<u32>| {
            let first = (item * slots) as u32;
            rows.extend(first..first + self.counts[item]);
        };
        let evidence = Detail::Evidence { slots };
        let found = (self.model).score(moment, &all, &self.table, rows, evidence);
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
}
