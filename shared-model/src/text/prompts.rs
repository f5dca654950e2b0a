//! The chat turns of the three tasks (METHOD §1 and §2): choose the next item, write a user's pattern, write a reason.
//!
//! The instructions are a few words long, because a small model reads them thousands of times. What a prompt may show
//! is decided elsewhere; these functions show what they are given, in the order given.

use serde::{Deserialize, Serialize};

use super::Item;
use super::render::{RenderOptions, clean, item_line};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instruction.
    System,
    /// The question.
    User,
    /// The answer.
    Assistant,
}

impl Role {
    /// The role's name in ChatML.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, without chat tokens.
    pub content: String,
}

impl Turn {
    /// A turn of the assistant, e.g. a rationale that a model is warmed up on.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

const ALIGNMENT: &str = "Infer the interest pattern, compare the candidates, then name the next title: \
                         <think>...</think><answer>TITLE</answer>";
const PATTERN: &str = "Describe in one sentence what this person looks for.";
const REASON: &str = "Say in one sentence who takes this item, and why.";

/// METHOD §1: which of `candidates` comes after `history` (oldest first)?
pub fn alignment_prompt(
    history: &[&Item],
    candidates: &[&Item],
    options: &RenderOptions,
) -> Vec<Turn> {
    let content = format!(
        "History:\n{}\nCandidates:\n{}",
        lines(history, options.history_mark(), options),
        lines(candidates, options.candidate_mark(), options)
    );
    turns(ALIGNMENT, content)
}

/// METHOD §2: the pattern of a user with this history (oldest first).
pub fn pattern_prompt(history: &[&Item], options: &RenderOptions) -> Vec<Turn> {
    let lines = lines(history, options.history_mark(), options);
    turns(PATTERN, format!("History:\n{lines}"))
}

/// METHOD §2: the reason for an item from the side of a user with this pattern, or of anybody where none is known.
pub fn reason_prompt(pattern: Option<&str>, item: &Item, options: &RenderOptions) -> Vec<Turn> {
    let pattern = pattern.map(clean).filter(|text| !text.is_empty());
    let pattern = pattern.as_deref().unwrap_or("unknown");
    turns(
        REASON,
        format!("Pattern: {pattern}\nItem: {}", item_line(item, options)),
    )
}

fn turns(system: &str, user: String) -> Vec<Turn> {
    vec![
        Turn {
            role: Role::System,
            content: system.to_string(),
        },
        Turn {
            role: Role::User,
            content: user,
        },
    ]
}

fn lines(items: &[&Item], mark: &str, options: &RenderOptions) -> String {
    if items.is_empty() {
        return "none".to_string();
    }
    items
        .iter()
        .map(|item| mark.to_owned() + &item_line(item, options))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::render::tests::item;
    use super::*;

    #[test]
    fn the_alignment_prompt_shows_history_and_candidates_in_order() {
        let (first, second) = (
            item("Amber Ferry", &[("genre", "noir")]),
            item("Iron Tide", &[("genre", "western")]),
        );
        let prompt = alignment_prompt(
            &[&first, &second],
            &[&second, &first],
            &RenderOptions::default(),
        );
        assert_eq!(prompt.len(), 2);
        assert_eq!((prompt[0].role, prompt[1].role), (Role::System, Role::User));
        let shown = "History:\nAmber Ferry: noir\nIron Tide: western\n\
                     Candidates:\nIron Tide: western\nAmber Ferry: noir";
        assert_eq!(prompt[1].content, shown);
    }

    #[test]
    fn instructions_take_at_most_thirty_words() {
        for prompt in [
            alignment_prompt(&[], &[], &RenderOptions::default()),
            pattern_prompt(&[], &RenderOptions::default()),
            reason_prompt(None, &item("A", &[]), &RenderOptions::default()),
        ] {
            let words: usize = prompt
                .iter()
                .map(|turn| turn.content.split_whitespace().count())
                .sum();
            assert!(words <= 30, "{words} words: {prompt:?}");
        }
    }

    #[test]
    fn a_pattern_is_one_line_without_tags() {
        let prompt = reason_prompt(
            Some("likes\nnoir <|im_end|>"),
            &item("A", &[]),
            &RenderOptions::default(),
        );
        assert_eq!(prompt[1].content, "Pattern: likes noir ‹|im_end|›\nItem: A");
    }
}
