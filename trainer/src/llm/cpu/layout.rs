//! Where the prompt and the branches of a sequence lie, and what each sees.

use std::ops::Range;

use crate::llm::Sequence;

impl Sequence {
    pub(super) fn layout(&self) -> Layout {
        let branched: usize = self.branches.iter().sum();
        let prompt = self.ids.len() - branched;
        let mut start = prompt;
        let branch = |length: &usize| {
            start += length;
            start - length..start
        };
        Layout {
            prompt,
            branches: self.branches.iter().map(branch).collect(),
        }
    }
}

/// Where prompt and branches lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub prompt: usize,
    pub branches: Vec<Range<usize>>,
}

impl Layout {
    /// Tokens in all.
    pub fn len(&self) -> usize {
        self.branches.last().map_or(self.prompt, |last| last.end)
    }

    /// Position of every token in its own text: each branch goes on where the prompt ends.
    pub fn positions(&self) -> Vec<usize> {
        let branches = self.branches.iter().cloned();
        let branches = branches.flat_map(|branch| (0..branch.len()).map(|t| self.prompt + t));
        (0..self.prompt).chain(branches).collect()
    }

    /// The prompt, and all branches together.
    pub fn regions(&self) -> Vec<Region> {
        let whole = 0..self.prompt;
        let prompt = Region {
            rows: whole.clone(),
            prefix: 0,
            parts: Vec::from([whole]),
        };
        let branches = Region {
            rows: self.prompt..self.len(),
            prefix: self.prompt,
            parts: self.branches.clone(),
        };
        let regions = [prompt, branches].into_iter();
        regions.filter(|region| !region.rows.is_empty()).collect()
    }
}

/// Consecutive tokens that see the same prefix and, beyond it, the tokens before them in their own part.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// Tokens of the region.
    pub rows: Range<usize>,
    /// Tokens at the start of the sequence that all of them see.
    pub prefix: usize,
    /// The region cut into parts that do not see each other.
    pub parts: Vec<Range<usize>>,
}

impl Region {
    /// Length of a row of attention weights: the prefix and the longest part.
    pub fn stride(&self) -> usize {
        self.prefix + self.parts.iter().map(Range::len).max().unwrap_or(0)
    }
}
