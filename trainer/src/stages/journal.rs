//! What a stage that runs GRPO leaves to be seen while it runs and after: metrics under the field's names as JSON lines and
//! as TensorBoard events, times, and a table of samples.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::grpo::{Group, GrpoConfig, StepReport, moments};
use crate::run::{EventFile, JsonLines};

/// The open files of a stage.
pub(super) struct Journal {
    metrics: JsonLines,
    timing: JsonLines,
    samples: JsonLines,
    warnings: JsonLines,
    board: EventFile,
    tokens: u64,
}

/// How far they had come, to be saved with the stage.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Pages {
    metrics: u64,
    timing: u64,
    samples: u64,
    warnings: u64,
    /// Tokens read and written so far, prompts counted once for each of their completions.
    tokens: u64,
}

/// One step to be written down.
pub(super) struct Entry<'a> {
    pub(super) step: usize,
    pub(super) learning_rate: f64,
    pub(super) report: &'a StepReport,
    pub(super) groups: &'a [Group],
    /// Each reward function with its value for every completion, in the order of the groups.
    pub(super) rewards: &'a [(&'a str, Vec<f64>)],
    /// Seconds of the whole step and of its sampling.
    pub(super) seconds: [f64; 2],
    /// Memory in MiB that the device holds ([`crate::device::memory_mib`]).
    pub(super) memory: Option<u64>,
}

impl Journal {
    /// Opens the files in a stage's working folder, before the first step or where an interrupted attempt stood.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(out: &Path, step: usize, pages: Option<Pages>) -> Result<Self> {
        let lines = |name: &str, length: Option<u64>| JsonLines::at(&out.join(name), length);
        Ok(Self {
            metrics: lines("metrics.jsonl", pages.map(|pages| pages.metrics))?,
            timing: lines("timing.jsonl", pages.map(|pages| pages.timing))?,
            samples: lines("samples.jsonl", pages.map(|pages| pages.samples))?,
            warnings: lines("warnings.jsonl", pages.map(|pages| pages.warnings))?,
            board: EventFile::open(&out.join("tensorboard"), step as u64)?,
            tokens: pages.map_or(0, |pages| pages.tokens),
        })
    }

    /// How far the files have come.
    pub(super) fn pages(&self) -> Pages {
        Pages {
            metrics: self.metrics.length(),
            timing: self.timing.length(),
            samples: self.samples.length(),
            warnings: self.warnings.length(),
            tokens: self.tokens,
        }
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn step(&mut self, entry: &Entry) -> Result<()> {
        let tokens: usize = entry
            .groups
            .iter()
            .map(|group| {
                let new: usize = group.completions.iter().map(|one| one.ids.len()).sum();
                group.prompt.len() * group.completions.len() + new
            })
            .sum();
        self.tokens += tokens as u64;
        let metrics = metrics(entry, self.tokens);
        self.metrics.push(&metrics)?;
        let timing = timing(entry);
        self.timing.push(&timing)?;
        let both = metrics.iter().chain(&timing);
        let scalars = both.filter(|(name, _)| *name != "step");
        let scalars = scalars.filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)));
        self.board.push(entry.step as u64, scalars)
    }

    /// Writes down what the watch said.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn warn(&mut self, step: usize, warnings: &[String]) -> Result<()> {
        let mut lines = warnings.iter();
        lines.try_for_each(|warning| {
            self.warnings
                .push(&json!({"step": step, "warning": warning}))
        })
    }

    /// Writes a group's completions into the table of samples: prompt, texts, every reward and advantage, and what else
    /// `about` says of the question.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn sample(
        &mut self,
        entry: &Entry,
        index: usize,
        config: &GrpoConfig,
        text: impl Fn(&[u32]) -> String,
        about: &Value,
    ) -> Result<()> {
        let rewards: Vec<&[f64]> = entry
            .groups
            .iter()
            .map(|group| group.rewards.as_slice())
            .collect();
        let advantages = config.advantages(&rewards);
        let before = &entry.groups[..index];
        let first: usize = before.iter().map(|group| group.completions.len()).sum();
        let group = &entry.groups[index];
        let prompt = text(&group.prompt);
        for (place, completion) in group.completions.iter().enumerate() {
            let of = |(name, values): &(&str, Vec<f64>)| {
                ((*name).to_owned(), json!(values[first + place]))
            };
            let parts: Map<String, Value> = entry.rewards.iter().map(of).collect();
            self.samples.push(&json!({
                "step": entry.step, "prompt": prompt, "completion": text(&completion.ids), "about": about,
                "reward": group.rewards[place], "rewards": parts, "advantage": advantages[index].values[place],
                "tokens": completion.ids.len(), "truncated": completion.truncated,
            }))?;
        }
        Ok(())
    }
}

/// What depends on nothing but the run: the names are TRL's where TRL has one.
fn metrics(entry: &Entry, tokens: u64) -> Map<String, Value> {
    let StepReport {
        loss,
        reward,
        reward_std,
        frac_reward_zero_std,
        kl,
        entropy,
        clip_ratio,
        clip_ratio_low,
        clip_ratio_high,
        max_ratio_gap,
        grad_norm,
        completion_length,
        truncated,
        tokens: tokens_trained,
        ..
    } = entry.report;
    let completions = || entry.groups.iter().flat_map(|group| &group.completions);
    let lengths = || completions().map(|one| one.ids.len());
    let ended = completions().filter(|one| !one.truncated);
    let ended: Vec<f64> = ended.map(|one| one.ids.len() as f64).collect();
    let mut found = Map::new();
    let mut put = |name: &str, value: Value| found.insert(name.to_owned(), value);
    put("step", json!(entry.step));
    put("reward", json!(reward));
    put("reward_std", json!(reward_std));
    put("frac_reward_zero_std", json!(frac_reward_zero_std));
    for (name, values) in entry.rewards {
        let (mean, std) = moments(values);
        put(&format!("rewards/{name}/mean"), json!(mean));
        put(&format!("rewards/{name}/std"), json!(std));
    }
    for (name, value) in [
        ("loss", loss),
        ("kl", kl),
        ("entropy", entropy),
        ("clip_ratio/region_mean", clip_ratio),
        ("clip_ratio/low_mean", clip_ratio_low),
        ("clip_ratio/high_mean", clip_ratio_high),
        ("ratio_gap", max_ratio_gap),
        ("grad_norm", grad_norm),
    ] {
        put(name, json!((*tokens_trained > 0).then_some(value)));
    }
    put("learning_rate", json!(entry.learning_rate));
    put("completions/mean_length", json!(completion_length));
    put("completions/min_length", json!(lengths().min()));
    put("completions/max_length", json!(lengths().max()));
    put(
        "completions/mean_terminated_length",
        json!((!ended.is_empty()).then(|| moments(&ended).0)),
    );
    put("completions/clipped_ratio", json!(truncated));
    put("num_tokens", json!(tokens));
    found
}

/// What depends on the machine and its mood.
fn timing(entry: &Entry) -> Map<String, Value> {
    let [step, sampling] = entry.seconds;
    let [forward, backward, optimizer] = entry.report.seconds;
    let completions = entry.groups.iter().flat_map(|group| &group.completions);
    let new: usize = completions.map(|one| one.ids.len()).sum();
    let mut found = Map::new();
    let mut put = |name: &str, value: Value| found.insert(name.to_owned(), value);
    put("step", json!(entry.step));
    put("step_time", json!(step));
    put("profiling/sampling", json!(sampling));
    put("profiling/forward", json!(forward));
    put("profiling/backward", json!(backward));
    put("profiling/optimizer", json!(optimizer));
    put("tokens_per_second", json!(new as f64 / step.max(1e-9)));
    put("memory_mib", json!(entry.memory));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Completion;
    use crate::run::read_lines;

    fn groups() -> Vec<Group> {
        let completion = |tokens: usize, truncated| Completion {
            ids: vec![1; tokens],
            log_probs: vec![-1.0; tokens],
            truncated,
        };
        let group = |lengths: [usize; 2], rewards: [f64; 2]| Group {
            prompt: vec![7; 10],
            completions: lengths.map(|tokens| completion(tokens, tokens == 6)).into(),
            rewards: rewards.into(),
        };
        vec![group([2, 6], [0.0, 1.0]), group([4, 3], [1.0, 3.0])]
    }

    #[test]
    fn the_files_hold_what_happened_and_go_on_where_they_stood() {
        let folder = tempfile::tempdir().unwrap();
        let groups = groups();
        let report = StepReport {
            reward: 1.25,
            seconds: [0.25, 0.5, 0.125],
            entropy: 2.5,
            tokens: 15,
            ..StepReport::default()
        };
        let rewards = [("format", vec![0.0, 1.0, 1.0, 1.0])];
        let entry = |step| Entry {
            step,
            learning_rate: 1e-4,
            report: &report,
            groups: &groups,
            rewards: &rewards,
            seconds: [2.0, 1.0],
            memory: Some(99),
        };
        let text = |ids: &[u32]| format!("{} tokens", ids.len());
        let mut journal = Journal::open(folder.path(), 0, None).unwrap();
        journal.step(&entry(0)).unwrap();
        let config = GrpoConfig::default();
        journal
            .sample(&entry(0), 1, &config, text, &json!("Alien"))
            .unwrap();
        let pages = journal.pages();
        journal.step(&entry(1)).unwrap();
        drop(journal);
        let mut journal = Journal::open(folder.path(), 1, Some(pages)).unwrap();
        journal.step(&entry(1)).unwrap();

        let read = |name: &str| read_lines::<Value>(&folder.path().join(name)).unwrap();
        let metrics = read("metrics.jsonl");
        assert_eq!(metrics.len(), 2);
        assert_eq!(metrics[1]["step"], 1);
        assert_eq!(metrics[0]["entropy"], 2.5);
        assert_eq!(metrics[0]["rewards/format/mean"], 0.75);
        assert_eq!(metrics[0]["rewards/format/std"], 0.5);
        assert_eq!(metrics[0]["completions/min_length"], 2);
        assert_eq!(metrics[0]["completions/max_length"], 6);
        assert_eq!(metrics[0]["completions/mean_terminated_length"], 3.0);
        // Four prompts of ten tokens and fifteen new ones.
        assert_eq!(metrics[0]["num_tokens"], 55);
        assert_eq!(metrics[1]["num_tokens"], 110);
        assert_eq!(read("timing.jsonl")[1]["tokens_per_second"], 7.5);
        let samples = read("samples.jsonl");
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[1]["completion"], "3 tokens");
        assert_eq!(samples[1]["rewards"]["format"], 1.0);
        assert_eq!(samples[1]["about"], "Alien");
        // Rewards 1 and 3: mean 2, sample deviation √2.
        let advantage = samples[1]["advantage"].as_f64().unwrap();
        assert!((advantage - 1.0 / (2f64.sqrt() + 1e-4)).abs() < 1e-12);
    }
}
