//! The output contract `<think> … </think><answer>TITLE</answer>` and the rule rewards of METHOD §1.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// A completion taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Both parts, once each, in order, non-empty, with nothing but white space around them.
    pub format_ok: bool,
    /// Text between the think tags, trimmed; `None` unless that pair of tags occurs exactly once and in order.
    pub think: Option<String>,
    /// Text between the answer tags, trimmed; `None` unless that pair of tags occurs exactly once and in order.
    pub answer: Option<String>,
}

/// Takes a completion apart; never fails.
pub fn parse_completion(text: &str) -> Completion {
    let places: Vec<Vec<usize>> = TAGS
        .iter()
        .map(|tag| text.match_indices(tag).map(|(place, _)| place).collect())
        .collect();
    let think = between(text, &places[0], TAGS[0], &places[1]);
    let answer = between(text, &places[2], TAGS[2], &places[3]);
    Completion {
        format_ok: in_format(text, &places),
        think,
        answer,
    }
}

/// The text between an opening and a closing tag that occur once each, in that order.
fn between(text: &str, open: &[usize], tag: &str, close: &[usize]) -> Option<String> {
    match (open, close) {
        ([open], [close]) => text
            .get(open + tag.len()..*close)
            .map(|inner| inner.trim().to_string()),
        _ => None,
    }
}

fn in_format(text: &str, places: &[Vec<usize>]) -> bool {
    let [[think], [end_think], [answer], [end_answer]] = [
        &places[0][..],
        &places[1][..],
        &places[2][..],
        &places[3][..],
    ] else {
        return false;
    };
    let blank = |from: usize, to: usize| {
        text.get(from..to)
            .is_some_and(|part| part.trim().is_empty())
    };
    let filled = |from: usize, to: usize| {
        text.get(from..to)
            .is_some_and(|part| !part.trim().is_empty())
    };
    blank(0, *think)
        && filled(think + TAGS[0].len(), *end_think)
        && blank(end_think + TAGS[1].len(), *answer)
        && filled(answer + TAGS[2].len(), *end_answer)
        && blank(end_answer + TAGS[3].len(), text.len())
}

/// Unicode NFKC, trimmed: two titles are the same title when these are equal.
pub fn normalise(title: &str) -> String {
    title.nfkc().collect::<String>().trim().to_string()
}

/// 1 when both tags occur once each, in order, non-empty, with nothing after them; else 0.
pub fn format_reward(completion: &Completion) -> f32 {
    f32::from(u8::from(completion.format_ok))
}

/// 1 when the answer is one of the candidate titles *as shown in the prompt* (see [`normalise`]); else 0.
pub fn legal_reward<S: AsRef<str>>(completion: &Completion, candidates: &[S]) -> f32 {
    let legal = completion
        .answer
        .as_deref()
        .map(normalise)
        .is_some_and(|answer| {
            !answer.is_empty()
                && candidates
                    .iter()
                    .any(|title| normalise(title.as_ref()) == answer)
        });
    f32::from(u8::from(legal))
}

/// 1 when the answer is the title of the item really taken; else 0.
pub fn correct_reward(completion: &Completion, truth: &str) -> f32 {
    legal_reward(completion, &[truth])
}

/// The three parts of the rule reward, each 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rewards {
    /// [`format_reward`]
    pub format: f32,
    /// [`legal_reward`]
    pub legal: f32,
    /// [`correct_reward`], only for a legal answer
    pub correct: f32,
}

/// Takes one part out of [`Rewards`].
type Part = fn(&Rewards) -> f32;

impl Rewards {
    /// The parts by name.
    pub const PARTS: [(&'static str, Part); 3] = [
        ("format", |found| found.format),
        ("legal", |found| found.legal),
        ("correct", |found| found.correct),
    ];
}

/// All three parts for the text of a completion. An answer that is not legal is not correct either.
pub fn rewards<S: AsRef<str>>(text: &str, candidates: &[S], truth: &str) -> Rewards {
    let completion = parse_completion(text);
    let legal = legal_reward(&completion, candidates);
    Rewards {
        format: format_reward(&completion),
        legal,
        correct: legal * correct_reward(&completion, truth),
    }
}

/// Weights of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardWeights {
    /// Weight of [`Rewards::format`].
    pub format: f32,
    /// Weight of [`Rewards::legal`].
    pub legal: f32,
    /// Weight of [`Rewards::correct`].
    pub correct: f32,
}

impl Default for RewardWeights {
    fn default() -> Self {
        Self {
            format: 0.2,
            legal: 0.5,
            correct: 1.0,
        }
    }
}

impl RewardWeights {
    /// The weighted sum.
    pub fn total(&self, rewards: &Rewards) -> f32 {
        self.format * rewards.format + self.legal * rewards.legal + self.correct * rewards.correct
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "<think>noir again</think><answer>Amber Ferry</answer>";

    #[test]
    fn a_good_completion_earns_everything() {
        let parts = rewards(GOOD, &["Iron Tide", "Amber Ferry"], "Amber Ferry");
        assert_eq!(
            parts,
            Rewards {
                format: 1.0,
                legal: 1.0,
                correct: 1.0
            }
        );
        assert!((RewardWeights::default().total(&parts) - 1.7).abs() < 1e-6);
        assert_eq!(
            rewards(GOOD, &["Iron Tide", "Amber Ferry"], "Iron Tide").correct,
            0.0
        );
        assert_eq!(
            rewards(GOOD, &["Iron Tide"], "Amber Ferry"),
            Rewards {
                format: 1.0,
                legal: 0.0,
                correct: 0.0
            }
        );
        let spaced = parse_completion(" <think> a </think>\n<answer> Amber Ferry\n</answer> \n");
        assert!(spaced.format_ok);
        assert_eq!(spaced.answer.as_deref(), Some("Amber Ferry"));
        assert_eq!(spaced.think.as_deref(), Some("a"));
    }

    #[test]
    fn broken_formats_earn_no_format_reward() {
        for text in [
            "",
            "<think>a</think>",
            "<answer>b</answer>",
            "<think></think><answer>b</answer>",
            "<think>a</think><answer> </answer>",
            "<answer>b</answer><think>a</think>",
            "<think>a<answer>b</answer></think>",
            "<think><think>a</think></think><answer>b</answer>",
            "<think>a</think><think>c</think><answer>b</answer>",
            "<think>a</think><answer>b</answer><answer>b</answer>",
            "<think>a</think><answer>b</answer> and more",
            "Well: <think>a</think><answer>b</answer>",
            "<think>a</think> so <answer>b</answer>",
            "<think>a</think><answer>b",
            "<think>a<answer>b</answer>",
            "</think>a<think><answer>b</answer>",
            "<THINK>a</THINK><ANSWER>b</ANSWER>",
        ] {
            assert_eq!(format_reward(&parse_completion(text)), 0.0, "{text}");
        }
    }

    #[test]
    fn titles_equal_after_normalisation_are_legal() {
        // Decomposed against composed, full-width letters, the "fi" ligature.
        for (answer, title) in [
            ("Ame\u{301}lie", "Am\u{e9}lie"),
            ("Ｈｅａｔ", "Heat"),
            ("\u{fb01}re", "fire"),
        ] {
            let completion =
                parse_completion(&format!("<think>a</think><answer>{answer}</answer>"));
            assert_eq!(legal_reward(&completion, &[title]), 1.0, "{title}");
            assert_eq!(correct_reward(&completion, title), 1.0, "{title}");
        }
        let other = parse_completion("<think>a</think><answer>heat</answer>");
        assert_eq!(legal_reward(&other, &["Heat"]), 0.0);
    }

    #[test]
    fn two_answers_are_no_answer() {
        let text = "<think>a</think><answer>A</answer><answer>B</answer>";
        assert_eq!(
            rewards(text, &["A", "B"], "A"),
            Rewards {
                format: 0.0,
                legal: 0.0,
                correct: 0.0
            }
        );
    }

    /// Strings made of tags, fragments of tags and arbitrary text.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            proptest::sample::select(TAGS.to_vec()).prop_map(str::to_string),
            proptest::sample::select(vec!["<", ">", "</", "think>", " ", "\n", "é", "𝕏"])
                .prop_map(str::to_string),
            any::<String>(),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_string_makes_it_panic(text in any::<String>(), title in any::<String>()) {
            let parts = rewards(&text, &[title.as_str()], &title);
            prop_assert!(parts.correct <= parts.legal);
        }

        #[test]
        fn the_format_holds_exactly_for_the_four_tags_in_order(text in pieces()) {
            let completion = parse_completion(&text);
            // Said another way: splitting at every tag leaves blank, filled, blank, filled, blank, tags in order.
            let mut rest = text.as_str();
            let mut parts = Vec::new();
            let mut order = Vec::new();
            while let Some((place, tag)) =
                TAGS.iter().filter_map(|tag| rest.find(tag).map(|place| (place, *tag))).min()
            {
                parts.push(rest[..place].trim().is_empty());
                order.push(tag);
                rest = &rest[place + tag.len()..];
            }
            parts.push(rest.trim().is_empty());
            let expected = order == TAGS && parts == [true, false, true, false, true];
            prop_assert_eq!(completion.format_ok, expected);
            if expected {
                prop_assert!(completion.think.is_some() && completion.answer.is_some());
            }
        }

        #[test]
        fn nested_duplicated_and_reordered_tags_fail(inner in "[a-zA-Z ]{1,12}", order in Just(TAGS).prop_shuffle()) {
            let text = format!("{}a{inner}{}{}b{inner}{}", order[0], order[1], order[2], order[3]);
            prop_assert_eq!(parse_completion(&text).format_ok, order == TAGS);
            let twice = format!("{GOOD}{}", order[0]);
            prop_assert!(!parse_completion(&twice).format_ok);
        }
    }
}
