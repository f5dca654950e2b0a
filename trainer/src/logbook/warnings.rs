//! What a stage said was wrong with its training.

use std::path::Path;

use anyhow::Result;

use super::lines::{Lines, News};

/// The warnings of a stage, oldest first.
#[derive(Debug, Default)]
pub struct Warnings {
    lines: Lines,
    /// Step and text.
    all: Vec<(u64, String)>,
}

impl Warnings {
    /// Reads on in a stage's folder.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(&mut self, folder: &Path) -> Result<()> {
        let all = &mut self.all;
        self.lines
            .read(&folder.join("warnings.jsonl"), |news| match news {
                News::Anew => all.clear(),
                News::Line(line) => {
                    let text = line.get("warning").and_then(|text| text.as_str());
                    let step = line.get("step").and_then(|step| step.as_u64());
                    all.extend(text.map(|text| (step.unwrap_or(0), text.to_owned())));
                }
            })
    }

    /// Step and text of each.
    pub fn all(&self) -> &[(u64, String)] {
        &self.all
    }
}
