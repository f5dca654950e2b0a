//! The native half of CURec (arXiv 2508.07595): trains a recommender that can say why.
//!
//! Rooms, in the order in which data flows through them:
//! [`data`] (logs → users, items, split) → [`text`] (prompts, output contract, rationales) → [`llm`] (Qwen2 checkpoints,
//! tokenizer, sampling, supervised training) → [`rollout`] (where completions come from) → [`grpo`] (advantages, losses,
//! steps) → [`past`] (the one place that decides
//! what may be known at a time) → [`reward`] (features, training, ranking) → [`stages`] (one file per stage of a run).
//! Stages never call each other: they meet in the run directory ([`run`]).

pub mod ablation;
pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod evaluation;
pub mod explain;
pub mod export;
pub mod grpo;
pub mod live;
pub mod llm;
pub mod logbook;
pub mod machine;
pub mod past;
pub mod report;
pub mod reward;
pub mod rollout;
pub mod run;
pub mod stages;
pub mod tasks;
pub mod text;
