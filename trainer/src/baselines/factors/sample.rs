//! Pairs to compare: what a user took against what the user did not take.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::Dataset;

/// Rows of the table of vectors (users first, then items) that one step looks at.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) users: Vec<i32>,
    pub(super) taken: Vec<i32>,
    pub(super) drawn: Vec<i32>,
}

/// All pairs of a user and a training item, each once.
pub(super) struct Pairs {
    /// Sorted items of each user.
    taken: Vec<Vec<u32>>,
    pairs: Vec<(u32, u32)>,
    items: u32,
}

impl Pairs {
    /// Users who have taken every item have nothing to compare with and are left out.
    pub(super) fn new(data: &Dataset) -> Self {
        let items = data.items.len();
        let sorted = |user: usize| {
            let mut taken: Vec<u32> = data
                .train_events(user)
                .iter()
                .map(|event| event.item)
                .collect();
            taken.sort_unstable();
            taken.dedup();
            taken
        };
        let taken: Vec<Vec<u32>> = (0..data.users.len()).map(sorted).collect();
        let pairs = taken
            .iter()
            .enumerate()
            .filter(|(_, taken)| taken.len() < items)
            .flat_map(|(user, taken)| taken.iter().map(move |&item| (user as u32, item)))
            .collect();
        Self {
            taken,
            pairs,
            items: items as u32,
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
        let users = self.taken.len() as u32;
        let mut batch = Batch::default();
        for &(user, item) in self.pairs.iter().skip(first).take(count) {
            batch.users.push(user as i32);
            batch.taken.push((users + item) as i32);
            batch.drawn.push((users + self.draw(user, rng)) as i32);
        }
        batch
    }

    fn draw(&self, user: u32, rng: &mut ChaCha8Rng) -> u32 {
        let taken = &self.taken[user as usize];
        loop {
            let item = rng.random_range(0..self.items);
            if taken.binary_search(&item).is_err() {
                return item;
            }
        }
    }
}
