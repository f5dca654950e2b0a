//! Ranks several models on the same users, and the standard set of them: popularity, IDs only, the full model, its controls.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;
use thiserror::Error;

use super::config::{Control, EvaluationConfig};
use super::metrics::{coverage, gini};
use super::popularity::Popularity;
use super::ranking::{Example, RankError, Ranker, rank_of, top_items, visit_scores};
use super::results::{Protocol, Ranked, Results};
use crate::data::Dataset;
use crate::reward::stores::{PatternStore, ReasonStore};
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
    let examples = config.examples(data, config.target);
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
/// Controls exchange what the model reads: those whose texts it does not see are left out. A rival that the full model does not beat
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
    let exchanged = Exchanged::new(features, config);
    let controls = config
        .controls
        .iter()
        .filter(|control| control.touches(full.config()))
        .map(|&control| {
            let scorer = Scorer::new(full.clone(), exchanged.features(control, features), device)?;
            let scorer = match control {
                Control::NoHistory => scorer.without_history(),
                _ => scorer,
            };
            Ok((control, scorer))
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
            .map(|(control, scorer)| (control.name(), scorer as &dyn Ranker)),
    );
    let mut results = evaluate(data, config, &models, stop, observer)?;
    let mut rivals = vec![(
        POPULARITY,
        "that it ranks better than counting who took what is not shown",
    )];
    rivals.extend(
        controls
            .iter()
            .map(|(control, _)| (control.name(), control.meaning())),
    );
    if full.config().use_reasons || full.config().use_patterns {
        rivals.push((IDS_ONLY, "that texts improve the ranking is not shown"));
    }
    results.warnings = warnings(&results, &rivals);
    Ok(results)
}

/// The stores that controls read instead of a run's own; those that none of them asks for are not made.
struct Exchanged {
    random_reasons: Option<ReasonStore>,
    swapped_reasons: Option<ReasonStore>,
    other_patterns: Option<PatternStore>,
}

impl Exchanged {
    fn new(features: Features, config: &EvaluationConfig) -> Self {
        let asked = |controls: &[Control]| {
            let among = |control: &Control| config.controls.contains(control);
            controls.iter().any(among).then_some(config.seed)
        };
        let Features {
            reasons, patterns, ..
        } = features;
        Self {
            random_reasons: asked(&[Control::RandomTexts, Control::RandomReasons])
                .map(|seed| reasons.with_shuffled_vectors(seed)),
            swapped_reasons: asked(&[Control::SwappedReasons])
                .map(|seed| reasons.with_swapped_items(seed)),
            other_patterns: asked(&[Control::RandomTexts, Control::OtherPatterns])
                .map(|seed| patterns.with_swapped_users(seed)),
        }
    }

    /// What the model reads under a control.
    fn features<'a>(&'a self, control: Control, own: Features<'a>) -> Features<'a> {
        let reasons = match control {
            Control::RandomTexts | Control::RandomReasons => self.random_reasons.as_ref(),
            Control::SwappedReasons => self.swapped_reasons.as_ref(),
            Control::OtherPatterns | Control::NoHistory => None,
        };
        let patterns = match control {
            Control::RandomTexts | Control::OtherPatterns => self.other_patterns.as_ref(),
            Control::RandomReasons | Control::SwappedReasons | Control::NoHistory => None,
        };
        Features {
            reasons: reasons.unwrap_or(own.reasons),
            patterns: patterns.unwrap_or(own.patterns),
            ..own
        }
    }
}

/// One sentence for each rival, `(name, what it means)`, that the full model does not beat.
fn warnings(results: &Results, rivals: &[(&str, &str)]) -> Vec<String> {
    let warning = |(name, what): &(&str, &str)| {
        let gain = results.difference("ndcg@10", FULL, name)?;
        (gain.low <= 0.0).then(|| {
            let is = match gain.high < 0.0 {
                true => "worse",
                false => "not shown to be better",
            };
            format!(
                "`{FULL}` is {is} than `{name}` (NDCG@10 {:+.4}, 95 % [{:+.4}, {:+.4}]): {what}",
                gain.mean, gain.low, gain.high
            )
        })
    };
    rivals.iter().filter_map(warning).collect()
}
