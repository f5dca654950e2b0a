//! A token sequence that branches: one prompt, then continuations that each follow it and do not see each other.
//!
//! The prompt's activations are computed once for all of its continuations, forward and backward.

use std::ops::Range;

/// A token sequence and the positions whose log-probability is wanted.
///
/// `ids` holds the prompt and then the branches one after the other. A plain sequence has no branches.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// Token ids: prompt, first branch, second branch, ….
    pub ids: Vec<u32>,
    /// Lengths of the branches; what they leave of `ids` at the front is the prompt.
    pub branches: Vec<usize>,
    /// Wanted: `log p(ids[t] | what stands before it)` for each `t` in here, `t ≥ 1`.
    pub positions: Vec<usize>,
}

impl Sequence {
    /// A sequence that does not branch.
    pub fn plain(ids: Vec<u32>, positions: Vec<usize>) -> Self {
        Self {
            ids,
            branches: Vec::new(),
            positions,
        }
    }

    /// A prompt with its continuations; every token of them is wanted.
    pub fn branching<'a>(prompt: &[u32], branches: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut sequence = Self::plain(prompt.to_vec(), Vec::new());
        for branch in branches {
            sequence.ids.extend_from_slice(branch);
            sequence.branches.push(branch.len());
        }
        sequence.positions = (prompt.len()..sequence.ids.len()).collect();
        sequence
    }

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

    /// The token that stands before token `t` in its text.
    pub fn before(&self, t: usize) -> usize {
        if self.branches.iter().any(|branch| branch.start == t) {
            self.prompt - 1
        } else {
            t - 1
        }
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
