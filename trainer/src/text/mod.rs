//! Prompts, the output contract and the rationales that warm a model up (METHOD §1–§3).
//!
//! What the browser needs too (items as lines, prompts, what a text claims, the rules for texts) is
//! [`curec_shared_model::text`], all of which is named here as well. [`contract`] parses a completion and gives the rule rewards,
//! [`rationale`] writes what a good answer looks like from nothing but what the prompt shows, and [`corpus`] yields the texts a
//! tokenizer is trained on. Nothing here decides what may be known at a time: callers pass slices of items.

pub mod contract;
pub mod corpus;
pub mod patterns;
mod phrases;
pub mod rationale;
#[cfg(test)]
mod rationale_tests;
mod reasons;
pub mod sparse;
mod thinking;

pub use contract::{
    Completion, RewardWeights, Rewards, correct_reward, format_reward, legal_reward,
    parse_completion, rewards,
};
pub use corpus::corpus;
pub use curec_shared_model::text::*;
pub use rationale::{Known, Rationale, RationaleWriter};
pub use sparse::ItemText;

/// `title` and `kind=value` pairs as an item.
#[cfg(test)]
pub(crate) fn item(title: &str, attributes: &[(&str, &str)]) -> Item {
    let attribute = |&(kind, value): &(&str, &str)| Attribute {
        kind: kind.into(),
        value: value.into(),
    };
    Item {
        key: "k".into(),
        title: title.into(),
        attributes: attributes.iter().map(attribute).collect(),
    }
}
