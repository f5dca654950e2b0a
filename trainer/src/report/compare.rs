//! Which runs may be compared, and by how much they differ: never across data sets or protocols, always over the same users.

use crate::evaluation::{Estimate, Metric, Protocol, Results, estimate, resampled_means};

use super::files::RunFiles;

/// Metrics in which models are compared (those of `evaluate`).
pub(super) const COMPARED: [Metric; 3] =
    [Metric::Ndcg(10), Metric::Recall(10), Metric::HitRate(50)];

/// Runs whose rankings were measured on the same data in the same way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// SHA-256 of the data.
    pub sha256: String,
    /// How they were measured; the seed of the resamples is the first run's.
    pub protocol: Protocol,
    /// Places of the runs.
    pub runs: Vec<usize>,
}

/// The groups, in the order of their first runs. A run without results or data is in none.
pub(super) fn groups(runs: &[RunFiles]) -> Vec<Group> {
    let measured = runs.iter().enumerate().filter_map(|(place, run)| {
        let sha256 = run.data.as_ref()?.sha256.clone();
        Some((place, sha256, &run.results.as_ref()?.protocol))
    });
    let mut groups: Vec<Group> = Vec::new();
    for (place, sha256, protocol) in measured {
        let same = |group: &&mut Group| {
            group.sha256 == sha256 && measures(&group.protocol) == measures(protocol)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.runs.push(place),
            None => groups.push(Group {
                sha256,
                protocol: protocol.clone(),
                runs: vec![place],
            }),
        }
    }
    groups
}

/// The protocol without what only the intervals depend on.
fn measures(protocol: &Protocol) -> Protocol {
    Protocol {
        seed: 0,
        bootstrap_samples: 0,
        ..protocol.clone()
    }
}

/// `other − reference` for a model that both runs have, in the metrics of [`COMPARED`], paired over users. `None` where one
/// of them lacks the model or its ranks.
pub(super) fn between(
    reference: &Results,
    other: &Results,
    model: &str,
) -> Option<[Estimate; COMPARED.len()]> {
    let ranks = |results: &'_ Results| {
        let ranks = &results.model(model)?.ranks;
        (ranks.len() == results.protocol.users && !ranks.is_empty()).then(|| ranks.clone())
    };
    let (base, new) = (ranks(reference)?, ranks(other)?);
    if base.len() != new.len() {
        return None;
    }
    let gains: Vec<Vec<f64>> = COMPARED
        .iter()
        .map(|metric| {
            let pairs = new.iter().zip(&base);
            pairs
                .map(|(new, base)| metric.of_rank(*new) - metric.of_rank(*base))
                .collect()
        })
        .collect();
    let protocol = &reference.protocol;
    let resampled = resampled_means(&gains, protocol.bootstrap_samples, protocol.seed);
    Some(std::array::from_fn(|index| {
        estimate(mean(&gains[index]), &resampled[index])
    }))
}

/// Mean; 0 for nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::evaluation::{EvaluationConfig, Ranked, SeenItems, Target};

    pub(crate) fn results(ranks: &[(&str, &[u32])]) -> Results {
        let config = EvaluationConfig {
            bootstrap_samples: 200,
            ..EvaluationConfig::default()
        };
        let protocol = Protocol {
            data: "toy".into(),
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            candidates: "full catalogue".into(),
            ties: "pessimistic".into(),
            users: ranks[0].1.len(),
            items: 99,
            training_interactions: 9,
            list_length: 10,
            bootstrap_samples: 200,
            seed: 1,
        };
        let ranked = ranks.iter().map(|(name, ranks)| Ranked {
            name: (*name).into(),
            ranks: ranks.to_vec(),
            coverage: 0.5,
            gini: 0.25,
        });
        Results::new(protocol, ranked.collect(), &config)
    }

    #[test]
    fn runs_are_paired_user_by_user() {
        // Everybody's rank rises from 3 to 1: NDCG from 1/log₂4 = 0.5 to 1, and no resampling of users can move that.
        let before = results(&[("full", &[3, 3, 3, 3])]);
        let after = results(&[("full", &[1, 1, 1, 1])]);
        let [ndcg, recall, hit_rate] = between(&before, &after, "full").unwrap();
        assert_eq!((ndcg.mean, ndcg.low, ndcg.high), (0.5, 0.5, 0.5));
        assert_eq!((recall.mean, hit_rate.mean), (0.0, 0.0));
        // One user gains what another loses.
        let mixed = results(&[("full", &[1, 3])]);
        let other = results(&[("full", &[3, 1])]);
        let [ndcg, ..] = between(&mixed, &other, "full").unwrap();
        assert!(ndcg.mean == 0.0 && ndcg.low < 0.0 && ndcg.high > 0.0);
    }

    #[test]
    fn what_cannot_be_paired_is_not() {
        let one = results(&[("full", &[3, 3])]);
        assert!(between(&one, &results(&[("ids only", &[1, 1])]), "full").is_none());
        assert!(between(&one, &results(&[("full", &[1, 1, 1])]), "full").is_none());
        assert!(between(&one, &one.clone().without_ranks(), "full").is_none());
    }

    #[test]
    fn a_protocol_is_the_same_whatever_the_seed_of_its_intervals() {
        let one = results(&[("full", &[3, 3])]).protocol;
        let seed = Protocol {
            seed: 9,
            ..one.clone()
        };
        assert_eq!(measures(&one), measures(&seed));
        let kept = Protocol {
            seen_items: SeenItems::Kept,
            ..one.clone()
        };
        assert_ne!(measures(&one), measures(&kept));
    }
}
