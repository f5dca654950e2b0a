//! How good the ranking is (EVALUATION.md): full-catalogue metrics, baselines and controls, bootstrap intervals, one result type.

mod ranking;

pub use ranking::{
    Example, RankError, Ranker, SeenItems, Target, examples, rank_examples, rank_of,
    sample_examples, top_items,
};
