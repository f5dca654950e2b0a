//! Explanations, measured (EVALUATION, *Explanations*): one file per metric, each a pure function, and what joins them.
//!
//! [`grounding`]: does a reason say of the item what its metadata holds, and of the person what their pattern and history
//! show? [`causes`]: are the causes it gives the true ones (built-in world)? [`faithfulness`]: does the attention that is
//! shown as an explanation tell which reasons moved the score? [`margin`]: does a reason speak for the one who gave it more
//! than for others? [`diversity`] and [`self_bleu`]: do reasons differ? [`drift`]: the same along the correction pass.
//! [`measure`] asks all of it of a run's texts before and after correction, [`results`] holds the answers with their
//! intervals, [`Rules`](crate::text::Rules) and [`novelty`] are what stages hold texts to because of them. Nothing here writes texts or trains: `stages` and `cli` call it.

pub mod causes;
pub mod diversity;
pub mod drift;
pub mod faithfulness;
pub mod grounding;
pub mod margin;
pub mod measure;
pub mod novelty;
pub mod results;
pub mod self_bleu;

pub use causes::{CauseCounts, cause_counts};
pub use diversity::{
    Diversity, Lists, distinct, diversity, lists, mean_words, repeated, split, unique, words,
};
pub use drift::{Decile, Rewritten, deciles};
pub use faithfulness::{Faithfulness, faithfulness, permuted_spearman, spearman};
pub use grounding::{Grounding, Tastes, ground};
pub use margin::margin;
pub use measure::{ExplanationError, Settings, Side, measure};
pub use novelty::novelty;
pub use results::{Explanations, Ratio, Row, Scope};
pub use self_bleu::self_bleu;
