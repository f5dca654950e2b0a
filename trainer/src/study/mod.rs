//! A blind human study of a run's reasons (paper: do people find them relevant and coherent?): a self-contained page that
//! asks, and the analysis of what people answered.
//!
//! The page knows two explanations of each recommendation and not where they come from: that stands in a key file of its
//! own. Nothing here makes a rating up.

mod agreement;
mod analysis;
mod binomial;
mod content;
mod page;
mod ratings;

pub use agreement::{Scale, alpha};
pub use analysis::analyse;
pub use binomial::two_sided;
pub use content::{Condition, Explanation, Key, KeyPair, Pair, Settings, ShownItem, Study, build};
pub use page::html;
pub use ratings::{Judgement, RatingsError, Scores, Sheet, join, parse};
