//! A finished run as the checks read it: settings, data, stores and ranking models. Nothing of the run is changed.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;

use crate::config::Config;
use crate::data::Dataset;
use crate::evaluation::{Example, Metric, Ranker, SeenItems, Target, rank_of};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::run::{Progress, RunDirectory, Stage, interrupted};
use crate::stages::{IDS_ONLY_MODEL, Interrupted, RANKING_MODEL, load_dataset, read_ranking_model};

/// Users scored between two looks at the stop flag.
const CHUNK: usize = 64;

/// Receives a held-out item, the catalogue's scores, and the items that do not compete.
pub type Visit<'v> = &'v mut dyn FnMut(u32, &[f32], &HashSet<u32>);

/// A run whose stages up to some point are finished.
pub struct Material {
    /// Where it lies.
    pub run: RunDirectory,
    /// Its settings.
    pub config: Config,
    /// Its data.
    pub dataset: Dataset,
}

/// The texts of a stage.
pub struct Texts {
    /// Patterns with their vectors.
    pub patterns: PatternStore,
    /// Reasons with their vectors.
    pub reasons: ReasonStore,
}

impl Material {
    /// Opens a run in which `needed` stages are finished.
    ///
    /// # Errors
    /// There is no run, or a stage is missing: its name and what to do.
    pub fn open(folder: &Path, needed: &[Stage]) -> Result<Self> {
        let run = RunDirectory::open(folder)?;
        for stage in [Stage::Data].iter().chain(needed) {
            ensure!(
                run.record(*stage).is_some(),
                "{} has no finished `{}` stage, which this check reads; `curec run --out {0}` goes on with the run",
                folder.display(),
                stage.name()
            );
        }
        Ok(Self {
            config: Config::layered(None, Some(&folder.join("run.toml")), &[])?,
            dataset: load_dataset(&run)?,
            run,
        })
    }

    /// The texts that `stage` left; every entry passes the leak rule again.
    ///
    /// # Errors
    /// A file is damaged or its entries leak.
    pub fn texts(&self, stage: Stage) -> Result<Texts> {
        let (folder, timeline) = (self.run.stage(stage), Timeline::new(&self.dataset));
        Ok(Texts {
            patterns: PatternStore::load(&folder, &timeline)?,
            reasons: ReasonStore::load(&folder, &timeline)?,
        })
    }

    /// The ranking model of `reward` or `correct`.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn ranking_model(&self, stage: Stage, device: &Device) -> Result<RewardModel> {
        read_ranking_model(&self.run.stage(stage), RANKING_MODEL, device)
    }

    /// The same on IDs only, of `reward`.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn ids_only_model(&self, device: &Device) -> Result<RewardModel> {
        read_ranking_model(&self.run.stage(Stage::Reward), IDS_ONLY_MODEL, device)
    }

    /// Whose held-out event the evaluation ranks (`evaluate.max_users`), in its order.
    pub fn examples(&self, target: Target) -> Vec<Example> {
        self.config.evaluate.examples(&self.dataset, target)
    }

    /// Rank of the held-out item of each of [`Material::examples`] among the full catalogue, as in the evaluation.
    ///
    /// # Errors
    /// A ranker fails; Ctrl-C.
    pub fn ranks(
        &self,
        title: &str,
        target: Target,
        ranker: &dyn Ranker,
        progress: Progress,
    ) -> Result<Vec<u32>> {
        let mut ranks = Vec::new();
        let all = self.examples(target);
        self.visit(
            title,
            &all,
            ranker,
            progress,
            &mut |item, scores, excluded| {
                ranks.push(rank_of(scores, item, excluded));
            },
        )?;
        Ok(ranks)
    }

    /// Calls `visit` for each example in order.
    ///
    /// # Errors
    /// Those of [`Material::ranks`].
    pub fn visit(
        &self,
        title: &str,
        examples: &[Example],
        ranker: &dyn Ranker,
        progress: Progress,
        visit: Visit,
    ) -> Result<()> {
        let mut bar = progress.bar(title, examples.len() as u64);
        for (number, chunk) in examples.chunks(CHUNK).enumerate() {
            if interrupted() {
                return Err(Interrupted.into());
            }
            for (example, scores) in chunk.iter().zip(ranker.scores(chunk)?) {
                let events = &self.dataset.histories[example.user];
                let target = events[example.position].item;
                let mut excluded = HashSet::new();
                if self.config.evaluate.seen_items == SeenItems::Filtered {
                    excluded.extend(events[..example.position].iter().map(|event| event.item));
                    excluded.remove(&target);
                }
                visit(target, &scores, &excluded);
            }
            bar.set((number * CHUNK + chunk.len()) as u64, "");
        }
        bar.finish("");
        Ok(())
    }
}

/// A metric of every rank.
pub fn metric_of(metric: Metric, ranks: &[u32]) -> Vec<f64> {
    ranks.iter().map(|rank| metric.of_rank(*rank)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::data::{Event, Item, User, UserSplit};
    use crate::evaluation::{POPULARITY, Popularity, evaluate};

    /// 30 users who took five of twelve items each, the last two held out.
    fn dataset() -> Dataset {
        let event = |user: usize, place: usize| Event {
            item: ((user * user + place * (1 + user % 2)) % 12) as u32,
            time: place as i64,
        };
        Dataset {
            name: "toy".into(),
            items: (0..12)
                .map(|item: usize| Item {
                    key: item.to_string(),
                    title: String::new(),
                    attributes: vec![],
                })
                .collect(),
            users: (0..30)
                .map(|user: usize| User {
                    key: user.to_string(),
                })
                .collect(),
            split: vec![UserSplit { train: 3, valid: 1 }; 30],
            histories: (0..30)
                .map(|user| (0..5).map(|place| event(user, place)).collect())
                .collect(),
            causes: None,
        }
    }

    #[test]
    fn checks_rank_the_users_that_the_evaluation_ranks() {
        let folder = tempfile::tempdir().unwrap();
        let mut material = Material {
            run: RunDirectory::create(folder.path()).unwrap(),
            config: Config::default(),
            dataset: dataset(),
        };
        let popularity = Popularity::new(&material.dataset);
        let ranker: &dyn Ranker = &popularity;
        for most in [None, Some(7)] {
            material.config.evaluate.max_users = most;
            let results = evaluate(
                &material.dataset,
                &material.config.evaluate,
                &[(POPULARITY, ranker)],
                &AtomicBool::new(false),
                &mut |_| {},
            )
            .unwrap();
            let progress = Progress { quiet: true };
            let ranks = material.ranks("rank", Target::Test, ranker, progress);
            let evaluated = &results.model(POPULARITY).unwrap().ranks;
            assert_eq!(ranks.unwrap(), *evaluated);
            assert_eq!(evaluated.len(), most.unwrap_or(30));
        }
    }
}
