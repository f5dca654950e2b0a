//! From numbers to explained recommendations: ranking with a fixed tie rule, and weights that a reader can compare
//! (METHOD §2 for what the numbers are, §4 for where they are shown). Pure functions, no device.

use serde::{Deserialize, Serialize};

/// One of the reasons on a recommended item's list, and how much the model looked at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReasonWeight {
    /// Position in the item's reason list.
    pub index: u32,
    /// Attention, mean over heads; the weights of one item sum to 1.
    pub weight: f32,
    /// Attention of each head, as the model computed it.
    pub heads: Vec<f32>,
}

/// One event of the user's history, and how much of the DIN unit's interest lies on the state after it. That state sums up all events
/// before it: what an event carries, `Scorer::carriers` says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HistoryWeight {
    /// Position in the user's whole history, 0 = oldest.
    pub position: u32,
    /// The item of the event.
    pub item: u32,
    /// Share of the interest vector, see [`contributions`]; negative where the event speaks against the item. The
    /// magnitudes of one item sum to 1.
    pub weight: f32,
}

/// One recommended item with what carried its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Index into the catalogue.
    pub item: u32,
    /// 1 = best.
    pub rank: u32,
    /// `ŷ = σ(logit)`.
    pub score: f32,
    /// Heaviest first; empty where the item has no reasons yet.
    pub reasons: Vec<ReasonWeight>,
    /// Heaviest (by magnitude) first; only the events the model saw.
    pub history: Vec<HistoryWeight>,
}

/// Where the held-out item stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Index into the catalogue.
    pub item: u32,
    /// Rank among the unseen items, ties counted against it (EVALUATION.md).
    pub rank: u32,
    /// `ŷ`.
    pub score: f32,
}

/// What one user is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendations {
    /// Index of the stored viewer, where there is one.
    pub user: Option<u32>,
    /// Number of items that were scored (all of the catalogue).
    pub scored: u32,
    /// The held-out item, if the user has one.
    pub held_out: Option<HeldOut>,
    /// Best first.
    pub recommendations: Vec<Recommendation>,
}

/// The model's output for one user and the whole catalogue, off the device.
#[derive(Debug, Clone, PartialEq)]
pub struct UserScores {
    /// Index of the stored viewer, where there is one.
    pub user: Option<u32>,
    /// Before the sigmoid, one per item: items are ranked by these, because `σ` saturates.
    pub logits: Vec<f32>,
    /// `σ(logits)`.
    pub scores: Vec<f32>,
    /// Attention `[items, heads, K]`; 0 where there is no reason.
    pub attention: Vec<f32>,
    /// Heads.
    pub heads: usize,
    /// `K`.
    pub slots: usize,
    /// The window of the history the model saw: position in the whole history and item.
    pub window: Vec<(u32, u32)>,
    /// DIN weight `a_j` of every event of the window, `[items, window]`.
    pub event_weights: Vec<f32>,
    /// `‖h_j‖` of every event's state, `[window]`.
    pub state_norms: Vec<f32>,
}

impl UserScores {
    /// Attention on the reasons of `item`, mean over heads, renormalised; empty where there are none.
    pub fn reason_attention(&self, item: usize) -> Vec<f32> {
        let size = self.heads * self.slots;
        let rows = &self.attention[item * size..(item + 1) * size];
        let mean = (0..self.slots)
            .map(|slot| (0..self.heads).map(|h| rows[h * self.slots + slot]).sum())
            .collect::<Vec<f32>>();
        normalise(&mean)
    }

    /// Attention of one head on the reasons of `item`, `[K]`, as the model computed it.
    pub fn head_attention(&self, item: usize, head: usize) -> &[f32] {
        let start = (item * self.heads + head) * self.slots;
        &self.attention[start..start + self.slots]
    }

    /// Signed share of every event of the window in the interest for `item`, see [`contributions`].
    pub fn event_shares(&self, item: usize) -> Vec<f32> {
        let length = self.window.len();
        contributions(
            &self.event_weights[item * length..(item + 1) * length],
            &self.state_norms,
        )
    }

    /// The `count` best items outside `seen`, explained, and the rank of `held_out` (never filtered itself).
    pub fn recommend(&self, seen: &[u32], held_out: Option<u32>, count: usize) -> Recommendations {
        let mut hidden = vec![false; self.logits.len()];
        for item in seen {
            hidden[*item as usize] = true;
        }
        let recommendations = top(&self.logits, &hidden, count)
            .into_iter()
            .zip(1..)
            .map(|(item, rank)| Recommendation {
                item: item as u32,
                rank,
                score: self.scores[item],
                reasons: self.ordered_reasons(item),
                history: self.ordered_history(item),
            })
            .collect();
        let held_out = held_out.map(|item| HeldOut {
            item,
            rank: pessimistic_rank(&self.logits, &hidden, item as usize),
            score: self.scores[item as usize],
        });
        Recommendations {
            user: self.user,
            scored: self.logits.len() as u32,
            held_out,
            recommendations,
        }
    }

    fn ordered_reasons(&self, item: usize) -> Vec<ReasonWeight> {
        let weights = self.reason_attention(item);
        heaviest_first(&weights)
            .into_iter()
            .filter(|index| weights[*index] > 0.0)
            .map(|index| ReasonWeight {
                index: index as u32,
                weight: weights[index],
                heads: (0..self.heads)
                    .map(|head| self.head_attention(item, head)[index])
                    .collect(),
            })
            .collect()
    }

    fn ordered_history(&self, item: usize) -> Vec<HistoryWeight> {
        let weights = self.event_shares(item);
        heaviest_first(&weights)
            .into_iter()
            .map(|index| {
                let (position, item) = self.window[index];
                HistoryWeight {
                    position,
                    item,
                    weight: weights[index],
                }
            })
            .collect()
    }
}

/// Indices of the `count` largest values that are not hidden, best first; equal values in index order.
pub fn top(values: &[f32], hidden: &[bool], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).filter(|index| !hidden[*index]).collect();
    let best_first = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
    if count == 0 {
        return Vec::new();
    }
    if count < order.len() {
        order.select_nth_unstable_by(count - 1, best_first);
        order.truncate(count);
    }
    order.sort_unstable_by(best_first);
    order
}

/// 1 + the number of other items, not hidden, whose value is at least that of `item`: ties count against it.
pub fn pessimistic_rank(values: &[f32], hidden: &[bool], item: usize) -> u32 {
    let own = values[item];
    let ahead = (0..values.len())
        .filter(|other| *other != item && !hidden[*other] && values[*other] >= own)
        .count();
    ahead as u32 + 1
}

/// What each event puts into the interest vector `z = Σ_j a_j h_j` (METHOD §2): `a_j ‖h_j‖`, divided by the sum of the
/// magnitudes so that they sum to 1. The sign is kept: DIN has no softmax, and a negative weight pulls `z` away.
pub fn contributions(weights: &[f32], norms: &[f32]) -> Vec<f32> {
    let raw: Vec<f32> = weights.iter().zip(norms).map(|(a, n)| a * n).collect();
    normalise(&raw)
}

/// Divides by the sum of magnitudes; all zeros stay all zeros.
fn normalise(values: &[f32]) -> Vec<f32> {
    let total: f32 = values.iter().map(|value| value.abs()).sum();
    if total <= 0.0 {
        return vec![0.0; values.len()];
    }
    values.iter().map(|value| value / total).collect()
}

fn heaviest_first(weights: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].abs().total_cmp(&weights[*a].abs()));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four items, two heads, two reason slots, a window of two events (positions 3 and 4 of a longer history).
    fn scores() -> UserScores {
        UserScores {
            user: Some(7),
            logits: vec![0.0, 2.0, 2.0, -1.0],
            scores: vec![0.5, 0.88, 0.88, 0.27],
            #[rustfmt::skip]
            attention: vec![
                0.0, 0.0,  0.0, 0.0, // no reasons
                0.2, 0.8,  0.4, 0.6,
                1.0, 0.0,  1.0, 0.0,
                0.5, 0.5,  0.5, 0.5,
            ],
            heads: 2,
            slots: 2,
            window: vec![(3, 0), (4, 3)],
            event_weights: vec![1.0, 1.0, 1.0, -0.5, 0.0, 0.0, 3.0, 1.0],
            state_norms: vec![2.0, 4.0],
        }
    }

    #[test]
    fn equal_values_come_in_index_order() {
        assert_eq!(top(&[1.0, 3.0, 3.0, 2.0], &[false; 4], 3), [1, 2, 3]);
        assert_eq!(
            top(&[1.0, 3.0, 3.0, 2.0], &[false, true, false, false], 9),
            [2, 3, 0]
        );
        assert!(top(&[1.0], &[false], 0).is_empty());
    }

    #[test]
    fn ties_rank_pessimistically() {
        // 3 and 3 are both at least 3 → rank 2 for each; 2 has two ahead; a hidden item is not counted.
        let values = [1.0, 3.0, 3.0, 2.0];
        assert_eq!(pessimistic_rank(&values, &[false; 4], 1), 2);
        assert_eq!(pessimistic_rank(&values, &[false; 4], 2), 2);
        assert_eq!(pessimistic_rank(&values, &[false; 4], 3), 3);
        assert_eq!(
            pessimistic_rank(&values, &[false, true, false, false], 3),
            2
        );
    }

    #[test]
    fn contributions_keep_their_sign_and_sum_to_one_in_magnitude() {
        // 1·2 = 2 and −0.5·4 = −2 → 1/2 and −1/2; 3·2 = 6 and 1·4 = 4 → 3/5 and 2/5.
        let scores = scores();
        assert_eq!(scores.event_shares(1), [0.5, -0.5]);
        assert_eq!(scores.event_shares(3), [0.6, 0.4]);
        assert_eq!(
            scores.event_shares(2),
            [0.0, 0.0],
            "nothing carried it: no share"
        );
    }

    #[test]
    fn recommendations_are_ranked_filtered_and_explained() {
        let shown = scores().recommend(&[0], Some(2), 2);
        assert_eq!(shown.scored, 4);
        let held_out = shown.held_out.unwrap();
        assert_eq!((held_out.item, held_out.rank), (2, 2));
        let items: Vec<u32> = shown.recommendations.iter().map(|r| r.item).collect();
        assert_eq!(items, [1, 2]);
        let first = &shown.recommendations[0];
        // mean over heads: 0.3 and 0.7
        assert_eq!(first.reasons.len(), 2);
        assert_eq!(first.reasons[0].index, 1);
        assert!((first.reasons[0].weight - 0.7).abs() < 1e-6);
        let heads = |index: usize| [0, 1].map(|head| scores().head_attention(1, head)[index]);
        assert_eq!(first.reasons[0].heads, heads(1));
        assert_eq!(first.reasons[1].heads, heads(0));
        assert_eq!((first.history[0].position, first.history[0].item), (3, 0));
        let second = &shown.recommendations[1];
        assert_eq!(
            second.reasons.len(),
            1,
            "an empty slot is no reason: {:?}",
            second.reasons
        );
    }

    #[test]
    fn an_item_without_reasons_has_none() {
        let shown = scores().recommend(&[1, 2, 3], None, 5);
        assert_eq!(shown.recommendations.len(), 1);
        assert!(shown.recommendations[0].reasons.is_empty());
        assert!(shown.held_out.is_none());
    }
}
