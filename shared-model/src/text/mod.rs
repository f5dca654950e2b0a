//! What a language model reads and writes here, as text: an item as a line ([`render`]), the chat turns of the three tasks
//! ([`prompts`]), which attributes a text claims ([`claims`]) and of whom ([`said`]), what runs through a history ([`strands`]),
//! and the rules that a written text is held to ([`rules`]).
//!
//! The trainer uses it in its stages, the [`writer`](crate::writer) in the browser. Nothing here decides what may be known at a
//! time: callers pass slices of items.

pub mod claims;
pub mod prompts;
pub mod render;
pub mod rules;
pub mod said;
pub mod strands;

pub use claims::{Hallucination, Mention, Vocabulary, claims, hallucination, holds, mentions};
pub use prompts::{Role, Turn, alignment_prompt, pattern_prompt, reason_prompt};
pub use render::{RenderOptions, item_line, shown_attributes, shown_title};
pub use rules::Rules;
pub use said::{Said, misspeaks, said, stutters};
pub use strands::{Frequencies, Strand, features, strands};

use serde::{Deserialize, Serialize};

/// One named property of an item that a sentence can mention, e.g. `genre: noir`, `year: 1974`, `person: Ada Quill`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Lower-case kind: `genre`, `year`, `person`, `place`, `mood`, `tag`, `brand`, `category`, …
    pub kind: String,
    /// The value as it is shown to a reader.
    pub value: String,
}

/// A catalogue entry as prompts know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The source's own identifier.
    pub key: String,
    /// Title as shown, without the year where the source appends one (the year is an attribute).
    pub title: String,
    /// Metadata in the source's order; may be empty.
    pub attributes: Vec<Attribute>,
}

/// Which of a language model's states make a text's vector, each averaged over the text's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextVector {
    /// The last hidden states (METHOD §2): what the model would say next.
    Last,
    /// Before them the token embeddings, which hold what the text *said* (the first-last average of Su et al. 2021,
    /// arXiv 2103.15316, with both kept apart): twice as wide.
    #[default]
    FirstLast,
}

impl TextVector {
    /// Width of a vector by a model with states of `hidden`.
    pub fn width(self, hidden: usize) -> usize {
        match self {
            Self::Last => hidden,
            Self::FirstLast => 2 * hidden,
        }
    }
}

/// Runs of letters and digits, in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// One line, no tags: what a reader sees.
pub fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
