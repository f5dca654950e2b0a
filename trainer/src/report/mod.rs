//! `curec report`: one HTML file about a run, without scripts and without anything from elsewhere.
//!
//! It shows what the stages wrote down and computes nothing new but axes.

mod chart;
mod page;

use anyhow::Result;

use crate::logbook::{Logbook, StageLog, State};
use crate::run::{RunDirectory, StageRecord};

/// What one run left to be looked at.
pub struct Report {
    book: Logbook,
}

impl Report {
    /// Reads a run, finished or under way.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(run: &RunDirectory) -> Result<Self> {
        let mut book = Logbook::new(run);
        book.read()?;
        Ok(Self { book })
    }

    /// The page.
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// The records of the finished stages.
    fn finished(&self) -> impl Iterator<Item = &StageRecord> {
        self.book
            .stages()
            .iter()
            .filter_map(|log| match &log.state {
                State::Done(record) => Some(record),
                State::Waiting | State::Working => None,
            })
    }

    /// The stages that wrote metrics.
    fn trained(&self) -> impl Iterator<Item = &StageLog> {
        let stages = self.book.stages().iter();
        stages.filter(|log| log.training.steps() > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::run::{write_atomic, write_json};

    fn run(folder: &Path) -> RunDirectory {
        let run = RunDirectory::create(folder).unwrap();
        write_json(&folder.join("run.json"), &serde_json::json!({"seed": 1})).unwrap();
        write_atomic(&folder.join("run.toml"), b"seed = 1\n").unwrap();
        let stage = folder.join(".work-pretrain");
        std::fs::create_dir(&stage).unwrap();
        let mut metrics = String::new();
        let mut samples = String::new();
        for step in 0..9 {
            metrics += &format!(
                "{{\"step\":{step},\"reward\":{},\"rewards/legal/mean\":0.5,\"entropy\":null,\"loss\":0.0}}\n",
                0.1 * f64::from(step)
            );
            samples += &format!(
                "{{\"step\":{step},\"prompt\":\"<p{step}>\",\"completion\":\"c{step}\",\"about\":{{\"truth\":\"<Heat>\"}},\"reward\":1.5,\"rewards\":{{\"legal\":1.0}},\"advantage\":-0.5}}\n"
            );
        }
        metrics += "{\"step\":9,\"rew";
        write_atomic(&stage.join("metrics.jsonl"), metrics.as_bytes()).unwrap();
        let warning = b"{\"step\":4,\"warning\":\"raise <this>\"}\n";
        write_atomic(&stage.join("warnings.jsonl"), warning).unwrap();
        write_atomic(&stage.join("samples.jsonl"), samples.as_bytes()).unwrap();
        run
    }

    #[test]
    fn a_run_under_way_is_shown_and_nothing_it_says_is_markup() {
        let folder = tempfile::tempdir().unwrap();
        let html = Report::read(&run(folder.path())).unwrap().html();
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(html.contains("rewards/<wbr>legal/<wbr>mean") && html.contains("<polyline"));
        // A metric without a value has no curve.
        assert!(!html.contains(">entropy<"), "{html}");
        for step in [0, 1, 7, 8] {
            assert!(html.contains(&format!("&lt;p{step}&gt;")), "step {step}");
        }
        assert!(!html.contains("&lt;p4&gt;"), "only both ends are shown");
        assert!(html.contains("truth: &lt;Heat&gt;") && !html.contains("<Heat>"));
        assert!(html.contains("From step 4: raise &lt;this&gt;"));
        assert!(!html.contains("<script") && !html.contains("http"));
    }

    #[test]
    fn a_run_that_has_done_nothing_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let html = Report::read(&run).unwrap().html();
        assert!(html.contains("No stage has finished"));
    }
}
