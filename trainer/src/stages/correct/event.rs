//! What the correction's event log says of an interaction, and what a reason's reward is made of.

use serde::{Deserialize, Serialize};

use crate::config::CorrectConfig;

/// One corrected interaction, as the append-only event log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectionEvent {
    /// When the interaction happened.
    pub time: i64,
    /// Who.
    pub user: u32,
    /// Event of the user.
    pub position: u32,
    /// What.
    pub item: u32,
    /// GRPO and warm-up steps behind the policy that sampled the candidates.
    pub policy_version: u64,
    /// Score of the interaction with the item's reasons as they were.
    pub baseline: f32,
    /// The G sampled reasons.
    pub candidates: Vec<Candidate>,
    /// The reason before and after.
    pub reason: [String; 2],
    /// The user's pattern before and after, where one is known at that moment.
    pub pattern: Option<[String; 2]>,
}

/// A sampled reason and what it earned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenCandidate")]
pub struct Candidate {
    /// What the LLM wrote.
    pub text: String,
    /// Its reward: the weighted sum of the parts.
    pub reward: f64,
    /// What it is made of.
    #[serde(flatten)]
    pub parts: Parts,
    /// Its advantage in the group.
    pub advantage: f64,
}

/// A candidate as an event log may have it: in the logs of older programs the score is all there is to a reward.
#[derive(Deserialize)]
struct WrittenCandidate {
    text: String,
    reward: f64,
    score: Option<f64>,
    #[serde(default)]
    grounding: f64,
    #[serde(default)]
    novelty: f64,
    advantage: f64,
}

impl From<WrittenCandidate> for Candidate {
    fn from(written: WrittenCandidate) -> Self {
        Self {
            text: written.text,
            reward: written.reward,
            parts: Parts {
                score: written.score.unwrap_or(written.reward),
                grounding: written.grounding,
                novelty: written.novelty,
            },
            advantage: written.advantage,
        }
    }
}

/// The parts of a reason's reward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Parts {
    /// METHOD §3: the score of the interaction with the reason on the item's list, less the score without it (`correct.baseline`).
    pub score: f64,
    /// Share of its claims that the prompt holds ([`Rules::grounding`](crate::text::Rules::grounding)).
    pub grounding: f64,
    /// How new it is ([`novelty`](crate::explanations::novelty)).
    pub novelty: f64,
}

impl CorrectConfig {
    /// The reward with these parts.
    pub fn reward(&self, parts: &Parts) -> f64 {
        parts.score + self.grounding_weight * parts.grounding + self.novelty_weight * parts.novelty
    }
}

impl CorrectionEvent {
    /// Mean reward of its candidates.
    pub fn reward(&self) -> f64 {
        let sum: f64 = self.candidates.iter().map(|one| one.reward).sum();
        sum / self.candidates.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_comes_back_and_an_older_one_is_all_score() {
        let parts = Parts {
            score: 0.2,
            grounding: 1.0,
            novelty: 0.5,
        };
        let candidate = Candidate {
            text: "a".into(),
            reward: 0.325,
            parts,
            advantage: 1.0,
        };
        let line = serde_json::to_string(&candidate).unwrap();
        assert_eq!(serde_json::from_str::<Candidate>(&line).unwrap(), candidate);
        let older = r#"{"text": "a", "reward": 0.3, "advantage": 1.0}"#;
        let older: Candidate = serde_json::from_str(older).unwrap();
        assert_eq!((older.reward, older.parts.score), (0.3, 0.3));
    }
}
