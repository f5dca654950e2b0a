//! JSON lines of tokens or text. A bad line is an error with file and line number, never skipped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::llm::ChatTokenizer;

/// A folder's tokenizer, read when the first text needs it.
pub(super) struct LazyTokenizer {
    folder: PathBuf,
    loaded: Option<ChatTokenizer>,
}

impl LazyTokenizer {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            loaded: None,
        }
    }

    /// `None` where the folder has no tokenizer.
    pub(super) fn if_there(&mut self) -> anyhow::Result<Option<&ChatTokenizer>> {
        if self.loaded.is_none() && self.folder.join("tokenizer.json").exists() {
            self.loaded = Some(ChatTokenizer::from_folder(&self.folder)?);
        }
        Ok(self.loaded.as_ref())
    }

    fn encode(&mut self, text: &str) -> anyhow::Result<Vec<u32>> {
        let path = self.folder.join("tokenizer.json");
        match self.if_there()? {
            Some(tokenizer) => Ok(tokenizer.encode(text)?),
            None => bail!(
                "\"text\" needs {}, which is not there; give \"ids\" instead",
                path.display()
            ),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    ids: Option<Vec<u32>>,
    text: Option<String>,
}

/// Reads token ids line by line.
pub(super) struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: usize,
    vocabulary: usize,
}

impl Lines {
    /// Opens a file, or standard input for `-`; ids must be below `vocabulary`.
    pub(super) fn open(path: &Path, vocabulary: usize) -> anyhow::Result<Self> {
        let reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            let file =
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            Box::new(BufReader::new(file))
        };
        let name = if path == Path::new("-") {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        Ok(Self {
            name,
            reader,
            number: 0,
            vocabulary,
        })
    }

    /// File and number of the line that was read last.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// Tokens of the next line that is not blank; `None` at the end.
    pub(super) fn next(
        &mut self,
        tokenizer: &mut LazyTokenizer,
    ) -> anyhow::Result<Option<Vec<u32>>> {
        loop {
            self.number += 1;
            let place = self.place();
            let mut line = Vec::new();
            if self
                .reader
                .read_until(b'\n', &mut line)
                .context(place.clone())?
                == 0
            {
                return Ok(None);
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return self.tokens(&line, tokenizer).context(place).map(Some);
        }
    }

    fn tokens(&self, line: &[u8], tokenizer: &mut LazyTokenizer) -> anyhow::Result<Vec<u32>> {
        let line = serde_json::from_slice(line)
            .context("expected {\"ids\": [1, 2, …]} or {\"text\": \"…\"}")?;
        let ids = match line {
            Line {
                ids: Some(ids),
                text: None,
            } => ids,
            Line {
                ids: None,
                text: Some(text),
            } => tokenizer.encode(&text)?,
            Line { ids: Some(_), .. } => bail!("has both \"ids\" and \"text\"; give one of them"),
            Line { .. } => bail!("has neither \"ids\" nor \"text\""),
        };
        if ids.is_empty() {
            bail!("has no tokens; at least one is needed");
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            bail!(
                "token {id} is outside the model's vocabulary of {} (0 to {})",
                self.vocabulary,
                self.vocabulary - 1
            );
        }
        Ok(ids)
    }
}
