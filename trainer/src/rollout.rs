//! Where completions come from.
//!
//! GRPO needs to know four things of whatever samples for it: prompts, token ids, the log-probabilities with which they
//! were drawn, and the version of the policy that drew them. [`RolloutEngine`] says no more, so that an engine on another
//! machine can stand where [`LocalEngine`] stands.

use curec_shared_model::qwen2::Qwen2;

use crate::llm::{Completion, SamplingConfig, sample};

/// What is to be sampled.
#[derive(Debug, Clone, Copy)]
pub struct RolloutRequest<'a> {
    /// Token ids of each prompt.
    pub prompts: &'a [Vec<u32>],
    /// Completions of each.
    pub copies: usize,
    /// How they are drawn. The same request to the same policy has the same answer.
    pub sampling: &'a SamplingConfig,
}

/// What was sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Version of the policy that sampled: its log-probabilities are the behaviour policy's.
    pub policy_version: u64,
    /// `[prompt][copy]`.
    pub completions: Vec<Vec<Completion>>,
}

/// Why an engine has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// It was never given a policy.
    #[error("the rollout engine was asked before it was given a policy")]
    NoPolicy,
    /// It answered something that was not asked.
    #[error("the rollout engine {0}; it cannot be trained on")]
    Answer(String),
    /// It could not be reached, or failed; its own words.
    #[error("the rollout engine failed: {0}")]
    Engine(String),
}

/// Something that samples completions from the newest policy it was given.
pub trait RolloutEngine {
    /// Takes over a policy; `version` counts its optimiser steps.
    ///
    /// # Errors
    /// [`RolloutError`]: the engine keeps the policy it had.
    fn update(&mut self, policy: &Qwen2, version: u64) -> Result<(), RolloutError>;

    /// Samples.
    ///
    /// # Errors
    /// [`RolloutError`].
    fn sample(&mut self, request: RolloutRequest) -> Result<Rollout, RolloutError>;
}

/// Updates an engine to a policy, samples, and checks that the answer is of that policy and of the shape asked for.
///
/// # Errors
/// [`RolloutError`].
pub fn roll_out(
    engine: &mut dyn RolloutEngine,
    policy: &Qwen2,
    version: u64,
    request: RolloutRequest,
) -> Result<Vec<Vec<Completion>>, RolloutError> {
    engine.update(policy, version)?;
    let rollout = engine.sample(request)?;
    let refuse = |problem: String| Err(RolloutError::Answer(problem));
    let vocabulary = policy.config().vocab_size;
    if rollout.policy_version != version {
        return refuse(format!(
            "sampled with policy {} where policy {version} was asked for",
            rollout.policy_version
        ));
    }
    if rollout.completions.len() != request.prompts.len() {
        return refuse(format!(
            "answered {} of {} prompts",
            rollout.completions.len(),
            request.prompts.len()
        ));
    }
    for group in &rollout.completions {
        if group.len() != request.copies {
            return refuse(format!(
                "gave {} completions where {} were asked for",
                group.len(),
                request.copies
            ));
        }
        for completion in group {
            let (ids, log_probs) = (completion.ids.len(), completion.log_probs.len());
            let longest = request.sampling.max_new_tokens;
            if ids == 0 || ids > longest {
                return refuse(format!(
                    "gave {ids} tokens where 1 to {longest} were asked for"
                ));
            }
            if let Some(id) = completion.ids.iter().find(|id| **id as usize >= vocabulary) {
                return refuse(format!(
                    "gave token {id}, and the policy's vocabulary ends at {vocabulary}"
                ));
            }
            if ids != log_probs {
                return refuse(format!(
                    "gave {ids} tokens and {log_probs} log-probabilities"
                ));
            }
            // A certain token's may round to a little more than 0.
            let sane = |value: &f32| *value <= 1e-4 && value.is_finite();
            if !completion.log_probs.iter().all(sane) {
                return refuse(
                    "gave a log-probability above 0, infinite or not a number".to_owned(),
                );
            }
        }
    }
    Ok(rollout.completions)
}

/// Sampling in this process.
#[derive(Debug, Default)]
pub struct LocalEngine {
    policy: Option<(Qwen2, u64)>,
}

impl RolloutEngine for LocalEngine {
    fn update(&mut self, policy: &Qwen2, version: u64) -> Result<(), RolloutError> {
        self.policy = Some((policy.clone(), version));
        Ok(())
    }

    fn sample(&mut self, request: RolloutRequest) -> Result<Rollout, RolloutError> {
        let (policy, version) = self.policy.as_ref().ok_or(RolloutError::NoPolicy)?;
        let rows: Vec<&[u32]> = request.prompts.iter().map(Vec::as_slice).collect();
        let sampled = sample(policy, &rows, request.copies, request.sampling, |_| true);
        Ok(Rollout {
            policy_version: *version,
            completions: sampled.into_iter().map(Option::unwrap_or_default).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;

    use super::*;
    use crate::llm::cpu::tests::model;

    /// An engine that answers whatever it was told to: what GRPO must not trust.
    struct Scripted(Rollout);

    impl RolloutEngine for Scripted {
        fn update(&mut self, _: &Qwen2, _: u64) -> Result<(), RolloutError> {
            Ok(())
        }

        fn sample(&mut self, _: RolloutRequest) -> Result<Rollout, RolloutError> {
            Ok(self.0.clone())
        }
    }

    fn ask(engine: &mut dyn RolloutEngine) -> Result<Vec<Vec<Completion>>, RolloutError> {
        let sampling = SamplingConfig {
            max_new_tokens: 5,
            seed: 3,
            ..SamplingConfig::default()
        };
        let request = RolloutRequest {
            prompts: &[vec![1, 2, 3], vec![4]],
            copies: 2,
            sampling: &sampling,
        };
        roll_out(engine, &model(true).valid(), 7, request)
    }

    #[test]
    fn the_local_engine_samples_from_what_it_was_given_and_again_alike() {
        let mut engine = LocalEngine::default();
        let sampling = SamplingConfig::default();
        let request = RolloutRequest {
            prompts: &[],
            copies: 1,
            sampling: &sampling,
        };
        assert!(matches!(
            engine.sample(request),
            Err(RolloutError::NoPolicy)
        ));
        let found = ask(&mut engine).unwrap();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(found, ask(&mut engine).unwrap());
    }

    #[test]
    fn an_answer_to_another_question_is_refused() {
        let honest = ask(&mut LocalEngine::default()).unwrap();
        let refused = |change: &dyn Fn(&mut Rollout), word: &str| {
            let mut rollout = Rollout {
                policy_version: 7,
                completions: honest.clone(),
            };
            change(&mut rollout);
            let error = ask(&mut Scripted(rollout)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(&|one| one.policy_version = 6, "policy 6");
        refused(&|one| drop(one.completions.pop()), "1 of 2 prompts");
        refused(&|one| drop(one.completions[1].pop()), "1 completions");
        refused(
            &|one| one.completions[0][1].log_probs.truncate(1),
            "log-probabilities",
        );
        refused(&|one| one.completions[0][1].ids.clear(), "0 tokens");
        refused(&|one| one.completions[0][1].ids = vec![1; 6], "6 tokens");
        refused(
            &|one| one.completions[1][0].ids[0] = 1 << 20,
            "token 1048576",
        );
        let minus = f32::NEG_INFINITY;
        refused(
            &|one| one.completions[0][0].log_probs[0] = minus,
            "infinite",
        );
        refused(&|one| one.completions[0][1].log_probs[0] = 0.5, "above 0");
        refused(
            &|one| one.completions[0][0].log_probs[0] = f32::NAN,
            "not a number",
        );
    }
}
