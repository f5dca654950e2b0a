//! How good the ranking is (EVALUATION.md): full-catalogue metrics, baselines and controls, bootstrap intervals, one result type.

mod bootstrap;
mod config;
mod metrics;
mod popularity;
mod ranking;
mod results;
mod suite;

pub use bootstrap::{Estimate, RESAMPLES, clustered, estimate, resampled_means};
pub use config::{Control, EvaluationConfig};
pub use metrics::{Metric, coverage, gini};
pub use popularity::Popularity;
pub(crate) use ranking::rows_at_once;
pub use ranking::{
    Example, RankError, Ranker, SeenItems, Target, examples, rank_examples, rank_of,
    sample_examples, top_items,
};
pub use results::{Comparison, ModelResult, Protocol, Ranked, Results, Table};
pub use suite::{
    Contenders, EvaluationError, EvaluationProgress, FULL, IDS_ONLY, POPULARITY, evaluate,
    evaluate_reward_models,
};
