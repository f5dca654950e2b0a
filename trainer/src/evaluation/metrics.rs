//! Metrics of one held-out item per user, from its rank alone, and of the lists shown.

use serde::{Deserialize, Serialize};

/// A metric that is a mean over users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// 1 if the held-out item is among the best `k`. With one relevant item this is HR@k.
    Recall(u32),
    /// `1 / log₂(rank + 1)` if it is among the best `k`, else 0 (the ideal DCG of one relevant item is 1).
    Ndcg(u32),
    /// `1 / rank`.
    Mrr,
    /// As `Recall`, under the name the literature uses for long lists.
    HitRate(u32),
}

impl Metric {
    /// What every evaluation reports, in the order of its table.
    pub const ALL: [Metric; 8] = [
        Metric::Recall(5),
        Metric::Recall(10),
        Metric::Recall(20),
        Metric::Ndcg(5),
        Metric::Ndcg(10),
        Metric::Ndcg(20),
        Metric::Mrr,
        Metric::HitRate(50),
    ];

    /// Its value for a user whose held-out item has this rank (1 = best).
    pub fn of_rank(self, rank: u32) -> f64 {
        match self {
            Metric::Recall(k) | Metric::HitRate(k) => f64::from(u8::from(rank <= k)),
            Metric::Ndcg(k) if rank > k => 0.0,
            Metric::Ndcg(_) => 1.0 / f64::from(rank + 1).log2(),
            Metric::Mrr => 1.0 / f64::from(rank),
        }
    }

    /// Mean over users; 0 for no user.
    pub fn mean(self, ranks: &[u32]) -> f64 {
        ranks.iter().map(|&rank| self.of_rank(rank)).sum::<f64>() / ranks.len().max(1) as f64
    }

    /// Name in files and tables, e.g. `ndcg@10`.
    pub fn name(self) -> String {
        match self {
            Metric::Recall(k) => format!("recall@{k}"),
            Metric::Ndcg(k) => format!("ndcg@{k}"),
            Metric::Mrr => "mrr".to_owned(),
            Metric::HitRate(k) => format!("hr@{k}"),
        }
    }
}

/// Share of the catalogue that appears in any user's list; `shown` counts appearances per item.
pub fn coverage(shown: &[u64]) -> f64 {
    shown.iter().filter(|&&count| count > 0).count() as f64 / shown.len().max(1) as f64
}

/// Gini coefficient of appearances over the whole catalogue: 0 = all items equally often, towards 1 = all on one item.
pub fn gini(shown: &[u64]) -> f64 {
    let mut sorted = shown.to_vec();
    sorted.sort_unstable();
    let (count, total) = (sorted.len() as f64, sorted.iter().sum::<u64>() as f64);
    if total == 0.0 {
        return 0.0;
    }
    let weighted: f64 = sorted
        .iter()
        .enumerate()
        .map(|(index, &value)| (2.0 * (index + 1) as f64 - count - 1.0) * value as f64)
        .sum();
    weighted / (count * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_users_by_hand() {
        let ranks = [1, 3, 12];
        let close = |metric: Metric, expected: f64| {
            let value = metric.mean(&ranks);
            assert!(
                (value - expected).abs() < 1e-12,
                "{}: {value}",
                metric.name()
            );
        };
        close(Metric::Recall(5), 2.0 / 3.0);
        close(Metric::Recall(10), 2.0 / 3.0);
        close(Metric::Recall(20), 1.0);
        close(Metric::Ndcg(5), 0.5); // (1 + 1/2 + 0) / 3
        close(Metric::Ndcg(10), 0.5);
        close(Metric::Ndcg(20), (1.5 + 0.270_238_154_427_319_74) / 3.0); // 1 / log₂ 13
        close(Metric::Mrr, 17.0 / 36.0); // (1 + 1/3 + 1/12) / 3
        close(Metric::HitRate(50), 1.0);
    }

    #[test]
    fn the_cut_includes_its_own_rank() {
        assert_eq!(Metric::Recall(10).of_rank(10), 1.0);
        assert_eq!(Metric::Recall(10).of_rank(11), 0.0);
        assert_eq!(Metric::Ndcg(10).of_rank(11), 0.0);
    }

    #[test]
    fn gini_and_coverage_by_hand() {
        assert_eq!(gini(&[4, 0, 0, 0]), 0.75);
        assert_eq!(gini(&[2, 2, 2]), 0.0);
        assert!((gini(&[3, 1, 2]) - 2.0 / 9.0).abs() < 1e-15); // (−2·1 + 0·2 + 2·3) / (3·6)
        assert_eq!(gini(&[0, 0]), 0.0);
        assert_eq!(coverage(&[4, 0, 1, 0]), 0.5);
    }
}
