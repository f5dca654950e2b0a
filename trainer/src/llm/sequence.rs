//! A token sequence that branches: one prompt, then continuations that each follow it and do not see each other.

/// A token sequence and the positions whose log-probability is wanted.
///
/// `ids` holds the prompt and then the branches one after the other. A plain sequence has no branches.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Tokens that all branches share.
    pub fn prompt(&self) -> &[u32] {
        let branched: usize = self.branches.iter().sum();
        &self.ids[..self.ids.len() - branched]
    }

    /// The tokens of each branch.
    pub fn branch_ids(&self) -> Vec<&[u32]> {
        let mut start = self.prompt().len();
        let branch = |length: &usize| {
            start += length;
            &self.ids[start - length..start]
        };
        self.branches.iter().map(branch).collect()
    }

    /// For every wanted token the place in `ids` of the token before it in its text: where its branch begins, the prompt's
    /// last.
    pub fn predecessors(&self) -> Vec<usize> {
        let prompt = self.prompt().len();
        let mut starts = vec![prompt];
        for length in &self.branches {
            starts.push(starts[starts.len() - 1] + length);
        }
        let before = |t: &usize| {
            let begins = *t >= prompt && starts.binary_search(t).is_ok();
            if begins { prompt - 1 } else { t - 1 }
        };
        self.positions.iter().map(before).collect()
    }
}

/// What a model says about the wanted tokens of one sequence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenScores {
    /// `log p` of each at the temperature asked for.
    pub log_probs: Vec<f32>,
    /// Entropy in nats of the distribution each was drawn from, at the same temperature.
    pub entropies: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_of_every_branch_follows_the_prompt() {
        let sequence = Sequence::branching(&[1, 2, 3], [&[4, 5][..], &[6], &[7, 8]]);
        assert_eq!(sequence.prompt(), [1, 2, 3]);
        assert_eq!(sequence.branch_ids(), [&[4, 5][..], &[6], &[7, 8]]);
        assert_eq!(sequence.predecessors(), [2, 3, 2, 2, 6]);
        let plain = Sequence::plain(vec![1, 2, 3], vec![1, 2]);
        assert_eq!(plain.predecessors(), [0, 1]);
        assert!(plain.branch_ids().is_empty() && plain.prompt().len() == 3);
    }
}
