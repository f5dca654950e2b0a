//! One result less earlier ones of the same users, paired: whether a model is better, and by how much of the other's value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::registry::Chosen;
use super::result::{BaselineProtocol, BaselineResult};
use crate::evaluation::{
    Estimate, FULL, IDS_ONLY, Metric, Protocol, Results, SeenItems, Target, estimate,
    resampled_means,
};

/// What of a file of `--out --ranks` is needed to stand beside it.
#[derive(Debug, Clone, Deserialize)]
pub struct Earlier {
    model: String,
    protocol: BaselineProtocol,
    #[serde(default)]
    chosen: Option<Chosen>,
    seed: u64,
    #[serde(default)]
    ranks: Vec<u32>,
}

/// A result less another model's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// The other model.
    pub model: String,
    /// Its seed.
    pub seed: u64,
    /// The search that chose its settings, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// By [`Metric::name`]: difference of the means, with a 95 % interval of the paired bootstrap over users.
    pub difference: BTreeMap<String, Estimate>,
    /// The same as a share of the other's mean: `this / other − 1`. None where the other's is 0 in every user or resample.
    pub relative: BTreeMap<String, Option<Estimate>>,
}

impl Earlier {
    /// Reads one.
    ///
    /// # Errors
    /// Names the file where it is none or has no ranks.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let earlier: Self = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is no result of `curec baseline --out FILE --ranks`",
                file.display()
            )
        })?;
        ensure!(
            !earlier.ranks.is_empty(),
            "{} has no ranks, and only those of the same users can be paired: make it again with --ranks",
            file.display()
        );
        let items = earlier.protocol.ranking.items;
        ensure!(
            earlier
                .ranks
                .iter()
                .all(|&rank| (1..=items).contains(&(rank as usize))),
            "{} has ranks that are none among {items} items: it was changed or is damaged; make it again",
            file.display()
        );
        Ok(earlier)
    }

    /// Whether a result on these data, with seen items treated so, is about the same users, items and events.
    ///
    /// # Errors
    /// Says what differs.
    pub fn matches(&self, data_sha256: &str, seen: SeenItems) -> Result<()> {
        let theirs = &self.protocol;
        let differing = [
            ("on other data", theirs.data_sha256 == data_sha256),
            (
                "with seen items treated otherwise (--seen)",
                theirs.ranking.seen_items == seen,
            ),
        ];
        for (what, same) in differing {
            ensure!(
                same,
                "{} was ranked {what}; only the same can be paired",
                self.model
            );
        }
        Ok(())
    }

    /// The model of these `ranks`, in user order, less this one; the resamples are those of its `protocol`.
    ///
    /// # Errors
    /// Other users.
    fn less(&self, model: &str, ranks: &[u32], protocol: &Protocol) -> Result<Against> {
        let earlier = self;
        ensure!(
            earlier.ranks.len() == ranks.len(),
            "{} ranks {} users and {model} {}: they cannot be paired",
            earlier.model,
            earlier.ranks.len(),
            ranks.len()
        );
        let of = |ranks: &[u32], metric: Metric| -> Vec<f64> {
            ranks.iter().map(|&rank| metric.of_rank(rank)).collect()
        };
        let rows: Vec<Vec<f64>> = Metric::ALL
            .into_iter()
            .flat_map(|metric| [of(ranks, metric), of(&earlier.ranks, metric)])
            .collect();
        let resampled = resampled_means(&rows, protocol.bootstrap_samples, protocol.seed);
        let mut difference = BTreeMap::new();
        let mut relative = BTreeMap::new();
        for (metric, pair) in Metric::ALL.into_iter().zip(resampled.chunks_exact(2)) {
            let means = [ranks, &earlier.ranks].map(|ranks| metric.mean(ranks));
            let pairs = || pair[0].iter().zip(&pair[1]);
            let differences: Vec<f64> = pairs().map(|(this, other)| this - other).collect();
            difference.insert(metric.name(), estimate(means[0] - means[1], &differences));
            let nothing = means[1] == 0.0 || pair[1].contains(&0.0);
            let shares: Vec<f64> = pairs().map(|(this, other)| this / other - 1.0).collect();
            let share = (!nothing).then(|| estimate(means[0] / means[1] - 1.0, &shares));
            relative.insert(metric.name(), share);
        }
        Ok(Against {
            model: earlier.model.clone(),
            seed: earlier.seed,
            chosen: earlier.chosen.clone(),
            difference,
            relative,
        })
    }
}

impl BaselineResult {
    /// This less `earlier`; the resamples are those of this one's protocol.
    ///
    /// # Errors
    /// Another protocol, or other users.
    pub fn less(&self, earlier: &Earlier) -> Result<Against> {
        let protocol = &self.protocol;
        earlier.matches(&protocol.data_sha256, protocol.ranking.seen_items)?;
        earlier.less(&self.model, &self.ranks, &protocol.ranking)
    }
}

/// A model of a run less baselines on the same users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunAgainst {
    /// Its name in the run's results.
    pub model: String,
    /// In the order the baselines were given.
    pub against: Vec<Against>,
}

impl RunAgainst {
    /// The model with texts and the one on IDs only of a run's `results`, each less every one of `earlier`.
    ///
    /// # Errors
    /// Other data, another treatment of seen items, another event, other users; neither of the models, or no ranks of them.
    pub fn of(results: &Results, data_sha256: &str, earlier: &[Earlier]) -> Result<Vec<Self>> {
        let protocol = &results.protocol;
        for one in earlier {
            one.matches(data_sha256, protocol.seen_items)?;
            ensure!(
                one.protocol.ranking.target == protocol.target,
                "{} ranked {} events and the run {} events: only the same can be paired",
                one.model,
                event(one.protocol.ranking.target),
                event(protocol.target)
            );
        }
        let models = results.models.iter();
        let models: Vec<_> = models
            .filter(|model| [FULL, IDS_ONLY].contains(&model.name.as_str()))
            .collect();
        ensure!(
            !models.is_empty() && models.iter().all(|model| !model.ranks.is_empty()),
            "the run's evaluation has no ranks of `{FULL}` or `{IDS_ONLY}`: run the stage `evaluate` again"
        );
        models
            .into_iter()
            .map(|model| {
                let less = |one: &Earlier| one.less(&model.name, &model.ranks, protocol);
                Ok(Self {
                    model: model.name.clone(),
                    against: earlier.iter().map(less).collect::<Result<_>>()?,
                })
            })
            .collect()
    }
}

fn event(target: Target) -> &'static str {
    match target {
        Target::Validation => "validation",
        Target::Test => "test",
    }
}

impl fmt::Display for Against {
    /// One line: NDCG@10.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = "ndcg@10";
        let Some(Estimate { mean, low, high }) = self.difference.get(name) else {
            return Ok(());
        };
        write!(f, "{name}: less {} (seed {}", self.model, self.seed)?;
        if let Some(chosen) = &self.chosen {
            write!(f, ", best of {}", chosen.trials)?;
        }
        write!(f, "): {mean:+.4} [{low:+.4}, {high:+.4}]")?;
        if let Some(share) = self.relative.get(name).copied().flatten() {
            let [mean, low, high] = [share.mean, share.low, share.high].map(|value| value * 100.0);
            write!(f, " ({mean:+.1} % [{low:+.1}, {high:+.1}])")?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As a file: three users, ranks as given.
    fn file(name: &str, ranks: &[u32], sha256: &str) -> serde_json::Value {
        json!({
            "model": name, "seed": 3, "ranks": ranks,
            "protocol": {
                "name": "default", "data_sha256": sha256, "interactions": 30, "order": null, "split": null,
                "min_history": null, "min_item_count": null, "data": "toy", "target": "test", "seen_items": "filtered",
                "candidates": "full catalogue", "ties": "pessimistic", "users": 3, "items": 20,
                "training_interactions": 24, "list_length": 10, "bootstrap_samples": 500, "seed": 1,
            },
        })
    }

    #[test]
    fn ranks_that_cannot_be_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rival.json");
        for (ranks, fine) in [([1, 20, 3], true), ([1, 0, 3], false), ([1, 21, 3], false)] {
            std::fs::write(&path, file("rival", &ranks, "a").to_string()).unwrap();
            let found = Earlier::read(&path)
                .map(drop)
                .map_err(|error| error.to_string());
            match found {
                Ok(()) => assert!(fine, "{ranks:?}"),
                Err(said) => assert!(!fine && said.contains("none among 20 items"), "{said}"),
            }
        }
    }

    fn earlier(ranks: &[u32], sha256: &str) -> Earlier {
        serde_json::from_value(file("rival", ranks, sha256)).unwrap()
    }

    fn result(ranks: &[u32]) -> BaselineResult {
        let own = earlier(ranks, "a");
        BaselineResult {
            format: 1,
            model: "own".to_owned(),
            protocol: own.protocol,
            settings: crate::baselines::RankingSettings::Pop(crate::baselines::PopConfig {}),
            chosen: None,
            seed: 3,
            version: String::new(),
            commit: None,
            metrics: BTreeMap::new(),
            coverage: 0.0,
            gini: 0.0,
            parameters: 0,
            training: None,
            device: String::new(),
            seconds: crate::baselines::Seconds {
                fit: 0.0,
                rank: 0.0,
            },
            peak_memory_mib: None,
            against: Vec::new(),
            ranks: own.ranks,
        }
    }

    #[test]
    fn the_difference_and_its_share_are_those_worked_by_hand() {
        // MRR: (1 + 1/2 + 1/4) / 3 = 7/12 less (1/2 + 1/4 + 1/8) / 3 = 7/24: twice as much in every resample.
        let less = result(&[1, 2, 4]).less(&earlier(&[2, 4, 8], "a")).unwrap();
        let difference = less.difference["mrr"];
        assert!((difference.mean - 7.0 / 24.0).abs() < 1e-12);
        assert!(difference.low < difference.mean && difference.mean < difference.high);
        let share = less.relative["mrr"].unwrap();
        for value in [share.mean, share.low, share.high] {
            assert!((value - 1.0).abs() < 1e-12, "{share:?}");
        }
        // Recall@5: 3/3 less 2/3.
        assert!((less.difference["recall@5"].mean - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(less.difference.len(), Metric::ALL.len());
    }

    #[test]
    fn the_models_of_a_run_stand_beside_baselines_on_its_users() {
        let rival = earlier(&[2, 4, 8], "a");
        let model = |name: &str, ranks: [u32; 3]| json!({"name": name, "metrics": {}, "coverage": 0.0, "gini": 0.0, "ranks": ranks});
        let results = json!({
            "protocol": file("", &[], "a")["protocol"], "warnings": [], "comparisons": [],
            "models": [model("popularity", [9, 9, 9]), model(IDS_ONLY, [2, 4, 8]), model(FULL, [1, 2, 4])],
        });
        let results: Results = serde_json::from_value(results).unwrap();
        let rivals = [rival];
        let found = RunAgainst::of(&results, "a", &rivals).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.model.as_str()).collect();
        assert_eq!(names, [IDS_ONLY, FULL]);
        let [ids, full] = [0, 1].map(|at| found[at].against[0].difference["mrr"].mean);
        assert_eq!(ids, 0.0);
        assert!((full - 7.0 / 24.0).abs() < 1e-12);
        let line = found[1].against[0].to_string();
        assert!(line.contains("less rival (seed 3): +"), "{line}");
        let refused = |results: &Results, data: &str| {
            let problem = RunAgainst::of(results, data, &rivals).unwrap_err();
            problem.to_string()
        };
        assert!(refused(&results, "b").contains("other data"));
        let mut other = results.clone();
        other.protocol.target = Target::Validation;
        assert!(refused(&other, "a").contains("validation events"));
        let mut none = results.clone();
        none.models.truncate(1);
        assert!(refused(&none, "a").contains("no ranks"));
        let mut bare = results;
        bare.models[2].ranks.clear();
        assert!(refused(&bare, "a").contains("no ranks"));
    }

    #[test]
    fn nothing_has_no_share() {
        let less = result(&[1, 2, 4])
            .less(&earlier(&[90, 90, 90], "a"))
            .unwrap();
        assert_eq!(less.relative["recall@10"], None);
        assert_eq!(less.difference["recall@10"].mean, 1.0);
    }

    #[test]
    fn only_the_same_users_are_paired() {
        let own = result(&[1, 2, 4]);
        let message = own.less(&earlier(&[1, 2, 4], "b")).unwrap_err().to_string();
        assert!(message.contains("other data"), "{message}");
        let message = own.less(&earlier(&[1, 2], "a")).unwrap_err().to_string();
        assert!(message.contains("2 users"), "{message}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for (text, part) in [
            ("{", "no result"),
            (&*file("x", &[], "a").to_string(), "--ranks"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = format!("{:#}", Earlier::read(&path).unwrap_err());
            assert!(
                message.contains(part) && message.contains("x.json"),
                "{message}"
            );
        }
    }
}
