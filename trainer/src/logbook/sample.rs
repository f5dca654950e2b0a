//! Completions with what they earned.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::lines::{Lines, News};

/// A completion with what it earned.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The step it was sampled in; of a corrected interaction its place among them.
    pub step: u64,
    /// What was asked; empty where it was not written down.
    pub prompt: String,
    /// The answer.
    pub completion: String,
    /// What else is known of the question.
    pub about: String,
    /// Name and value of every reward, the sum and the advantage last.
    pub numbers: Vec<(String, f64)>,
}

/// Steps whose samples are kept: so many of the first and of the last.
const ENDS: usize = 2;

/// The samples of a stage's first and last steps.
#[derive(Debug, Default)]
pub struct Samples {
    lines: Lines,
    first: Vec<Vec<Sample>>,
    last: VecDeque<Vec<Sample>>,
}

impl Samples {
    /// Reads on in a stage's folder.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(&mut self, folder: &Path) -> Result<()> {
        let mut lines = std::mem::take(&mut self.lines);
        let read = lines.read(&folder.join("samples.jsonl"), |news| match news {
            News::Anew => *self = Self::default(),
            News::Line(line) => self.take(Sample::of(&line)),
        });
        self.lines = lines;
        read
    }

    /// All that are kept, oldest first.
    pub fn ends(&self) -> impl Iterator<Item = &Sample> {
        self.first.iter().chain(&self.last).flatten()
    }

    /// Those of the newest step.
    pub fn newest(&self) -> &[Sample] {
        let newest = self.last.back().or(self.first.last());
        newest.map_or(&[], Vec::as_slice)
    }

    fn take(&mut self, sample: Sample) {
        let more = self.first.len() < ENDS;
        let newest = self.last.back_mut().or(self.first.last_mut());
        match newest {
            Some(group) if group.last().is_some_and(|one| one.step == sample.step) => {
                group.push(sample);
            }
            _ if more => self.first.push(vec![sample]),
            _ => {
                self.last.push_back(vec![sample]);
                if self.last.len() > ENDS {
                    self.last.pop_front();
                }
            }
        }
    }
}

/// The corrected interactions of `correct`: how many, and the candidates of the newest.
#[derive(Debug, Default)]
pub struct Corrections {
    lines: Lines,
    count: u64,
    newest: Vec<Sample>,
}

impl Corrections {
    /// Reads on in a stage's folder.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(&mut self, folder: &Path) -> Result<()> {
        let (count, newest) = (&mut self.count, &mut self.newest);
        self.lines
            .read(&folder.join("events.jsonl"), |news| match news {
                News::Anew => {
                    *count = 0;
                    newest.clear();
                }
                News::Line(line) => {
                    *newest = candidates(&line, *count);
                    *count += 1;
                }
            })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The candidates of the newest.
    pub fn newest(&self) -> &[Sample] {
        &self.newest
    }
}

/// The candidates of a corrected interaction ([`crate::stages`] writes it).
fn candidates(event: &Map<String, Value>, place: u64) -> Vec<Sample> {
    let known = ["user", "position", "item"].iter().filter_map(|name| {
        let value = event.get(*name)?.as_u64()?;
        Some(format!("{name} {value}"))
    });
    let about = known.collect::<Vec<_>>().join(", ");
    let all = event.get("candidates").and_then(Value::as_array);
    let objects = all.into_iter().flatten().filter_map(Value::as_object);
    let sample = |one: &Map<String, Value>| Sample {
        step: place,
        prompt: String::new(),
        completion: text(one, "text"),
        about: about.clone(),
        numbers: earned(one),
    };
    objects.map(sample).collect()
}

fn text(line: &Map<String, Value>, name: &str) -> String {
    let text = line.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The sum of the rewards and the advantage.
fn earned(line: &Map<String, Value>) -> Vec<(String, f64)> {
    let number = |name: &str| Some((name.to_owned(), line.get(name)?.as_f64()?));
    ["reward", "advantage"]
        .into_iter()
        .filter_map(number)
        .collect()
}

impl Sample {
    /// A line of `samples.jsonl`.
    fn of(line: &Map<String, Value>) -> Self {
        let parts = line.get("rewards").and_then(Value::as_object);
        let mut numbers: Vec<(String, f64)> = parts
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
            .collect();
        numbers.extend(earned(line));
        let about = line.get("about").and_then(Value::as_object);
        let about: Vec<String> = about
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
            .collect();
        Self {
            step: line.get("step").and_then(Value::as_u64).unwrap_or_default(),
            prompt: text(line, "prompt"),
            completion: text(line, "completion"),
            about: about.join("; "),
            numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_steps_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let line = |step: u64, text: &str| {
            format!(
                "{{\"step\":{step},\"completion\":\"{text}\",\"rewards\":{{\"legal\":1}},\"reward\":2,\"advantage\":-0.5}}\n"
            )
        };
        let path = folder.path().join("samples.jsonl");
        let all: Vec<String> = (0..7)
            .flat_map(|step| [line(step, "a"), line(step, "b")])
            .collect();
        let mut samples = Samples::default();
        let mut steps = |length: usize| -> Vec<u64> {
            std::fs::write(&path, all[..length].concat()).unwrap();
            samples.read(folder.path()).unwrap();
            samples.ends().map(|one| one.step).collect()
        };
        assert_eq!(steps(1), [0]);
        assert_eq!(steps(3), [0, 0, 1]);
        assert_eq!(steps(8), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(steps(14), [0, 0, 1, 1, 5, 5, 6, 6]);
        let newest = samples.newest();
        assert_eq!(newest[1].completion, "b");
        let numbers = [("legal", 1.0), ("reward", 2.0), ("advantage", -0.5)];
        assert_eq!(
            newest[1].numbers,
            numbers.map(|(name, value)| (name.to_owned(), value))
        );
        // A run that went on from an earlier step.
        std::fs::write(&path, all[..6].concat()).unwrap();
        samples.read(folder.path()).unwrap();
        assert_eq!(samples.newest()[0].step, 2);
    }

    #[test]
    fn a_corrected_interaction_has_its_candidates() {
        let folder = tempfile::tempdir().unwrap();
        let event = "{\"time\":5,\"user\":3,\"position\":1,\"item\":9,\"candidates\":[{\"text\":\"For the cast.\",\"reward\":0.25,\"advantage\":1}]}\n";
        std::fs::write(folder.path().join("events.jsonl"), event.repeat(2)).unwrap();
        let mut corrections = Corrections::default();
        corrections.read(folder.path()).unwrap();
        assert_eq!(corrections.count(), 2);
        let newest = corrections.newest();
        assert_eq!(newest[0].completion, "For the cast.");
        assert_eq!(newest[0].about, "user 3, position 1, item 9");
        assert_eq!(newest[0].numbers[1], ("advantage".to_owned(), 1.0));
    }
}
