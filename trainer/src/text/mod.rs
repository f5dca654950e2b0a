//! Prompts, the output contract and the rationales that warm a model up (METHOD §1–§3).
//!
//! [`render`] shows an item as a line, [`prompts`] builds the chat turns of the three tasks, [`contract`] parses a
//! completion and gives the rule rewards, [`rationale`] writes what a good answer looks like from nothing but what the
//! prompt shows, [`claims`] finds which attributes a text claims and [`said`] of whom, and [`corpus`] yields the texts a tokenizer is
//! trained on. Nothing here decides what may be known at a time: callers pass slices of items.

pub mod claims;
pub mod contract;
pub mod corpus;
pub mod patterns;
mod phrases;
pub mod prompts;
pub mod rationale;
#[cfg(test)]
mod rationale_tests;
mod reasons;
pub mod render;
pub mod said;
pub mod sparse;
pub mod strands;
mod thinking;

pub use claims::{Hallucination, Mention, Vocabulary, claims, hallucination, holds, mentions};
pub use contract::{
    Completion, RewardWeights, Rewards, correct_reward, format_reward, legal_reward,
    parse_completion, rewards,
};
pub use corpus::corpus;
pub use prompts::{Role, Turn, alignment_prompt, pattern_prompt, reason_prompt};
pub use rationale::{Known, Rationale, RationaleWriter};
pub use render::{RenderOptions, item_line, shown_attributes, shown_title};
pub use said::{Said, said, stutters};
pub use sparse::ItemText;
pub use strands::{Frequencies, Strand, features, strands};
