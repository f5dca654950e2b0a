//! Items that a user has not taken, for losses that compare.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::data::Dataset;

/// Each user's training items. Held-out ones are not among them: to leave them out of the negatives would tell a model what they are.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// Sorted, each once.
    of_user: Vec<Vec<u32>>,
    items: u32,
}

impl Taken {
    /// Of the training events of `data`.
    pub(crate) fn new(data: &Dataset) -> Self {
        let of = |user: usize| {
            let events = data.train_events(user);
            let mut items: Vec<u32> = events.iter().map(|event| event.item).collect();
            items.sort_unstable();
            items.dedup();
            items
        };
        Self {
            of_user: (0..data.users.len()).map(of).collect(),
            items: data.items.len() as u32,
        }
    }

    /// What `user` has taken, sorted, each item once.
    pub(crate) fn of(&self, user: usize) -> &[u32] {
        &self.of_user[user]
    }

    /// An item that `user` has not taken, evenly. One who has taken everything gets any item; else a hundred tries are enough on any
    /// real catalogue.
    pub(crate) fn other(&self, user: usize, rng: &mut ChaCha8Rng) -> u32 {
        let taken = self.of(user);
        for _ in 0..100 {
            let item = rng.random_range(0..self.items);
            if taken.binary_search(&item).is_err() {
                return item;
            }
        }
        rng.random_range(0..self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_was_taken_in_training_is_never_drawn_and_all_else_is() {
        let data = crate::reward::toy_data(5);
        let taken = Taken::new(&data);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for user in 0..5 {
            let train: Vec<u32> = data.train_events(user).iter().map(|one| one.item).collect();
            let mut drawn: Vec<u32> = (0..2000).map(|_| taken.other(user, &mut rng)).collect();
            drawn.sort_unstable();
            drawn.dedup();
            let others: Vec<u32> = (0..20).filter(|item| !train.contains(item)).collect();
            assert_eq!(drawn, others);
        }
    }

    #[test]
    fn who_has_everything_gets_anything() {
        let mut data = crate::reward::toy_data(1);
        for (event, item) in data.histories[0].iter_mut().zip([0, 1].into_iter().cycle()) {
            event.item = item;
        }
        data.items.truncate(2);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!(Taken::new(&data).other(0, &mut rng) < 2);
    }
}
