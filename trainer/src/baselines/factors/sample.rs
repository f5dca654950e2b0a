//! Pairs to compare: what a user took against what the user did not take.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::Dataset;
use crate::fitting::Taken;

/// Rows of the table of vectors (users first, then items) that one step looks at.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) users: Vec<i32>,
    pub(super) taken: Vec<i32>,
    pub(super) drawn: Vec<i32>,
}

/// All pairs of a user and a training item, each once.
pub(super) struct Pairs {
    taken: Taken,
    pairs: Vec<(u32, u32)>,
    users: u32,
}

impl Pairs {
    /// Users who have taken every item have nothing to compare with and are left out.
    pub(super) fn new(data: &Dataset) -> Self {
        let items = data.items.len();
        let taken = Taken::new(data);
        let users = data.users.len();
        let pairs = (0..users)
            .filter(|&user| taken.of(user).len() < items)
            .flat_map(|user| taken.of(user).iter().map(move |&item| (user as u32, item)))
            .collect();
        Self {
            taken,
            pairs,
            users: users as u32,
        }
    }

    /// Pairs in an epoch.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// A new order.
    pub(super) fn shuffle(&mut self, rng: &mut ChaCha8Rng) {
        self.pairs.shuffle(rng);
    }

    /// Pairs `first..first + count` with an item drawn for each.
    pub(super) fn batch(&self, first: usize, count: usize, rng: &mut ChaCha8Rng) -> Batch {
        let users = self.users;
        let mut batch = Batch::default();
        for &(user, item) in self.pairs.iter().skip(first).take(count) {
            batch.users.push(user as i32);
            batch.taken.push((users + item) as i32);
            batch
                .drawn
                .push((users + self.taken.other(user as usize, rng)) as i32);
        }
        batch
    }
}
