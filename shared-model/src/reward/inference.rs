//! Scoring users against candidates outside training, with everything an explanation needs.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, Int, Tensor};

use super::matching::ProjectedReasons;
use super::model::RewardModel;

/// `N` items per row with their reasons, as rows of a reason table.
#[derive(Debug, Clone)]
pub struct ItemBatch {
    /// Item indices, `[B, N]` (any valid index where absent).
    pub items: Tensor<2, Int>,
    /// Rows of the reason table, `[B, N, K]` (any valid row where masked); `K` may be smaller than the configured number.
    pub reasons: Tensor<3, Int>,
    /// True where a reason is there, `[B, N, K]`.
    pub reason_mask: Tensor<3, Bool>,
}

/// A batch of users as the encoder sees them.
#[derive(Debug, Clone)]
pub struct HistoryBatch {
    /// Past events, oldest first, right-padded, `T ≤ max_history`. Each with the reasons visible **at that event's own time**.
    pub events: ItemBatch,
    /// True where an event is there, `[B, T]`.
    pub present: Tensor<2, Bool>,
    /// `e(P_u)` as known at each event, `[B, T, d]`.
    pub patterns: Tensor<3>,
}

/// Scores and what carried them.
#[derive(Debug, Clone)]
pub struct Scored {
    /// Before the sigmoid, `[B, N]`: rank by these.
    pub logits: Tensor<2>,
    /// `σ(logits)`, `[B, N]`.
    pub scores: Tensor<2>,
    /// DIN weight of each past event, `[B, N, T]`; 0 where absent.
    pub event_weights: Tensor<3>,
    /// Attention on each candidate's reasons, `[B, N, heads, K]`; 0 where masked.
    pub reason_attention: Tensor<4>,
}

impl RewardModel {
    /// `x` of a batch of items. `patterns` has one row per item row (`[B, d]`).
    pub fn item_inputs(
        &self,
        batch: &ItemBatch,
        patterns: Tensor<2>,
        table: Option<&ProjectedReasons>,
    ) -> (Tensor<3>, Tensor<4>) {
        let [rows, count, reasons] = batch.reasons.dims();
        let (matched, attention) = match table {
            Some(table) if self.config().use_reasons => {
                let index = batch.reasons.clone().reshape([rows * count * reasons]);
                let shape = [rows, count, reasons, self.config().width];
                let matched = self.match_reasons(
                    patterns,
                    table.keys.clone().select(0, index.clone()).reshape(shape),
                    table.values.clone().select(0, index).reshape(shape),
                    batch.reason_mask.clone(),
                );
                (matched.vector, matched.attention)
            }
            _ => (
                self.no_match(rows, count),
                Tensor::zeros(
                    [rows, count, self.config().heads, reasons],
                    &batch.items.device(),
                ),
            ),
        };
        (self.item_input(batch.items.clone(), matched), attention)
    }

    /// States `H` of a batch of histories, `[B, T, 2d]`; reusable for any number of candidate batches.
    ///
    /// `table` is `None` when there is no reason at all.
    pub fn states(&self, history: &HistoryBatch, table: Option<&ProjectedReasons>) -> Tensor<3> {
        let [batch, length] = history.present.dims();
        let width = self.config().width;
        let [_, _, reasons] = history.events.reasons.dims();
        // Each event has a pattern of its own: events become rows of one item each.
        let single = ItemBatch {
            items: history.events.items.clone().reshape([batch * length, 1]),
            reasons: history
                .events
                .reasons
                .clone()
                .reshape([batch * length, 1, reasons]),
            reason_mask: history
                .events
                .reason_mask
                .clone()
                .reshape([batch * length, 1, reasons]),
        };
        let patterns = history.patterns.clone().reshape([batch * length, width]);
        let (inputs, _) = self.item_inputs(&single, patterns, table);
        let inputs = inputs.reshape([batch, length, 2 * width]);
        self.encode_history(inputs)
    }

    /// Scores `N` candidates per user.
    ///
    /// # Shapes
    /// states `[B, T, 2d]` and present `[B, T]` from the history, pattern `[B, d]` as known now.
    pub fn score_candidates(
        &self,
        states: Tensor<3>,
        present: Tensor<2, Bool>,
        pattern: Tensor<2>,
        candidates: &ItemBatch,
        table: Option<&ProjectedReasons>,
    ) -> Scored {
        let (inputs, reason_attention) = self.item_inputs(candidates, pattern.clone(), table);
        let inputs = inputs.unsqueeze_dim::<4>(1);
        let interest = self.interest(
            states,
            inputs.clone(),
            present.clone().unsqueeze_dim::<3>(1),
            ages(present),
        );
        let logits = self
            .logits(interest.vector, inputs, pattern.unsqueeze_dim::<3>(1))
            .squeeze_dim::<2>(1);
        Scored {
            scores: sigmoid(logits.clone()),
            logits,
            event_weights: interest.weights.squeeze_dim::<3>(1),
            reason_attention,
        }
    }
}

/// Age of each event of right-padded histories, 0 for the newest: present `[B, T]` → `[B, 1, T]`.
pub fn ages(present: Tensor<2, Bool>) -> Tensor<3, Int> {
    let [_, length] = present.dims();
    let device = present.device();
    let count = present.int().sum_dim(1); // [B, 1]
    let position = Tensor::<1, Int>::arange(0..length as i64, &device).unsqueeze::<2>();
    (count - position)
        .sub_scalar(1)
        .clamp_min(0)
        .unsqueeze_dim::<3>(1)
}
