//! Ranks several models on the same users, and the standard set of them: popularity, IDs only, the full model, its controls.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;
use thiserror::Error;

use super::config::{Control, EvaluationConfig};
use super::metrics::{coverage, gini};
use super::popularity::Popularity;
use super::ranking::{Example, RankError, Ranker, examples, rank_of, top_items, visit_scores};
use super::results::{Protocol, Ranked, Results};
use crate::data::Dataset;
use crate::reward::{Features, ScoreError, Scorer};

/// Name of the popularity baseline in results.
pub const POPULARITY: &str = "popularity";
/// Name of the reward model without texts in results.
pub const IDS_ONLY: &str = "ids only";
/// Name of the model under test in results.
pub const FULL: &str = "full";

/// Why an evaluation failed.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// A model could not be ranked.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// A reward model does not fit the run.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Nobody has a held-out event.
    #[error("no user has a held-out event to rank; does the data have a split?")]
    NoExamples,
    /// The stop flag was raised.
    #[error("the evaluation was interrupted")]
    Interrupted,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationProgress<'a> {
    /// Model being ranked.
    pub model: &'a str,
    /// Users ranked so far.
    pub done: usize,
    /// Users in all.
    pub users: usize,
}

/// Ranks each of `models` and compares them.
pub fn evaluate(
    data: &Dataset,
    config: &EvaluationConfig,
    models: &[(&str, &dyn Ranker)],
    stop: &AtomicBool,
    observer: &mut dyn FnMut(EvaluationProgress),
) -> Result<Results, EvaluationError> {
    let examples = examples(data, config.target);
    if examples.is_empty() {
        return Err(EvaluationError::NoExamples);
    }
    let ranked = models
        .iter()
        .map(|&(name, ranker)| rank(data, config, &examples, name, ranker, stop, observer))
        .collect::<Result<Vec<_>, _>>()?;
    let protocol = Protocol {
        data: data.name.clone(),
        target: config.target,
        seen_items: config.seen_items,
        candidates: "full catalogue".to_owned(),
        ties: "pessimistic".to_owned(),
        users: examples.len(),
        items: data.items.len(),
        training_interactions: data.train_count(),
        list_length: config.list_length,
        bootstrap_samples: config.bootstrap_samples,
        seed: config.seed,
    };
    Ok(Results::new(protocol, ranked, config))
}

/// Examples between two looks at the stop flag.
const STRIDE: usize = 64;

fn rank(
    data: &Dataset,
    config: &EvaluationConfig,
    examples: &[Example],
    name: &str,
    ranker: &dyn Ranker,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(EvaluationProgress),
) -> Result<Ranked, EvaluationError> {
    let mut ranks = Vec::with_capacity(examples.len());
    let mut shown = vec![0u64; data.items.len()];
    for chunk in examples.chunks(STRIDE) {
        if stop.load(Ordering::Relaxed) {
            return Err(EvaluationError::Interrupted);
        }
        visit_scores(
            data,
            chunk,
            config.seen_items,
            ranker,
            &mut |target, scores, excluded| {
                ranks.push(rank_of(scores, target, excluded));
                for item in top_items(scores, config.list_length, excluded) {
                    shown[item as usize] += 1;
                }
            },
        )?;
        observer(EvaluationProgress {
            model: name,
            done: ranks.len(),
            users: examples.len(),
        });
    }
    Ok(Ranked {
        name: name.to_owned(),
        ranks,
        coverage: coverage(&shown),
        gini: gini(&shown),
    })
}

/// The reward models of a run that are ranked beside each other.
#[derive(Clone, Copy)]
pub struct Contenders<'a> {
    /// The model under test.
    pub full: &'a RewardModel,
    /// The same without texts.
    pub ids_only: Option<&'a RewardModel>,
    /// Anything else, by name, e.g. the model before correction.
    pub others: &'a [(&'a str, &'a dyn Ranker)],
}

/// Popularity, the ID-only model, the others, the full model and its controls, in this order.
///
/// Controls exchange texts: those whose texts the model does not see are left out. A rival that the full model does not beat
/// (the interval of the paired NDCG@10 difference reaches 0) becomes a warning.
pub fn evaluate_reward_models(
    features: Features,
    contenders: Contenders,
    config: &EvaluationConfig,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(EvaluationProgress),
) -> Result<Results, EvaluationError> {
    let Contenders {
        full,
        ids_only,
        others,
    } = contenders;
    let data = features.timeline.data();
    let popularity = Popularity::new(data);
    let ids_only = ids_only
        .map(|model| Scorer::new(model.clone(), features, device))
        .transpose()?;
    let real = Scorer::new(full.clone(), features, device)?;
    let random_reasons = features.reasons.with_shuffled_vectors(config.seed);
    let other_patterns = features.patterns.with_swapped_users(config.seed);
    let controls = config
        .controls
        .iter()
        .filter(|control| control.touches(full.config()))
        .map(|&control| {
            let (name, reasons, patterns) = match control {
                Control::RandomTexts => ("random texts", &random_reasons, &other_patterns),
                Control::RandomReasons => ("random reasons", &random_reasons, features.patterns),
                Control::OtherPatterns => ("other patterns", features.reasons, &other_patterns),
            };
            let features = Features {
                reasons,
                patterns,
                ..features
            };
            Ok((name, Scorer::new(full.clone(), features, device)?))
        })
        .collect::<Result<Vec<_>, ScoreError>>()?;

    let mut models: Vec<(&str, &dyn Ranker)> = vec![(POPULARITY, &popularity)];
    models.extend(
        ids_only
            .as_ref()
            .map(|scorer| (IDS_ONLY, scorer as &dyn Ranker)),
    );
    models.extend_from_slice(others);
    models.push((FULL, &real));
    models.extend(
        controls
            .iter()
            .map(|(name, scorer)| (*name, scorer as &dyn Ranker)),
    );
    let mut results = evaluate(data, config, &models, stop, observer)?;
    let uses_texts = full.config().use_reasons || full.config().use_patterns;
    let mut rivals = vec![(POPULARITY, "it ranks no better than counting who took what")];
    if uses_texts {
        let useless = "the texts a user and an item have do not matter to the ranking";
        rivals.extend(controls.iter().map(|(name, _)| (*name, useless)));
        rivals.push((IDS_ONLY, "texts do not improve the ranking"));
    }
    results.warnings = warnings(&results, &rivals);
    Ok(results)
}

/// One sentence for each rival, `(name, what it means)`, that the full model does not beat.
fn warnings(results: &Results, rivals: &[(&str, &str)]) -> Vec<String> {
    let warning = |(name, what): &(&str, &str)| {
        let gain = results.difference("ndcg@10", FULL, name)?;
        (gain.low <= 0.0).then(|| {
            format!(
                "`{FULL}` is not better than `{name}` (NDCG@10 {:+.4}, 95 % [{:+.4}, {:+.4}]): {what}",
                gain.mean, gain.low, gain.high
            )
        })
    };
    rivals.iter().filter_map(warning).collect()
}
