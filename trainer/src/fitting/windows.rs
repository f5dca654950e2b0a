//! Packs training interactions into batches of history windows.
//!
//! A window is a run of up to `max_history + 1` consecutive training events of one user. Its event `e ≥ 1` is an example whose history
//! are the window's events before `e`; so one encoder pass trains all positions. Windows tile each history from a random offset that
//! changes with the epoch; neighbours share their seam event, so every training event but a user's first is a target once per epoch.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::Dataset;

/// Events `start..end` of a user's training history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) user: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All windows of one epoch, of similar length side by side, cut into batches in random order.
pub(crate) fn epoch_batches(
    data: &Dataset,
    max_history: usize,
    batch: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<Vec<Window>> {
    let mut windows = Vec::new();
    for user in 0..data.users.len() {
        let events = data.train_events(user).len();
        let mut start = 0;
        let mut end = (1 + rng.random_range(1..=max_history)).min(events);
        while end - start >= 2 {
            windows.push(Window { user, start, end });
            start = end - 1;
            end = (start + max_history + 1).min(events);
        }
    }
    windows.shuffle(rng);
    // Sorted inside pools only: batches stay mixed, padding stays small.
    let mut batches: Vec<Vec<Window>> = Vec::new();
    for pool in windows.chunks_mut(batch * 32) {
        pool.sort_by_key(|window| window.end - window.start);
        batches.extend(pool.chunks(batch).map(<[Window]>::to_vec));
    }
    batches.shuffle(rng);
    batches
}

/// Examples in these windows: every event that has one before it.
pub(crate) fn example_count(windows: &[Window]) -> usize {
    windows
        .iter()
        .map(|window| window.end - window.start - 1)
        .sum()
}
