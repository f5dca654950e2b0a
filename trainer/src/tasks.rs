//! What the language model is asked (METHOD §1–§2): alignment questions, drawn from training events only.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Item};
use crate::text::{
    RenderOptions, Role, Turn, alignment_prompt, item_line, shown_attributes, shown_title,
};

/// Sizes of prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptConfig {
    /// Newest history items a prompt shows.
    pub history: usize,
    /// Candidates of an alignment question, the true one included.
    pub candidates: usize,
    /// Share of users whose events are never trained on, only asked about.
    pub held_out_users: f64,
    /// How items are shown.
    pub render: RenderOptions,
}

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            history: 6,
            candidates: 5,
            held_out_users: 0.15,
            render: RenderOptions::default(),
        }
    }
}

/// One alignment question: which of the candidates came next?
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Who.
    pub user: usize,
    /// The event asked about.
    pub position: usize,
    /// Shown history, oldest first (item indices).
    pub history: Vec<usize>,
    /// Shown candidates (item indices), the truth at a random place.
    pub candidates: Vec<usize>,
    /// The item really taken.
    pub truth: usize,
}

impl Question {
    /// Asks about event `position` of `user`; negatives are drawn uniformly from what the user never took before it.
    pub fn draw(
        dataset: &Dataset,
        user: usize,
        position: usize,
        config: &PromptConfig,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let events = &dataset.histories[user][..position];
        let truth = dataset.histories[user][position].item as usize;
        let mut candidates = vec![truth];
        // A catalogue smaller than the wanted number of candidates gives fewer of them.
        for _ in 0..config.candidates * 50 {
            if candidates.len() >= config.candidates {
                break;
            }
            let item = rng.random_range(0..dataset.items.len());
            let seen = events.iter().any(|event| event.item as usize == item);
            if !seen && !candidates.contains(&item) {
                candidates.push(item);
            }
        }
        candidates.shuffle(rng);
        let start = events.len().saturating_sub(config.history);
        Self {
            user,
            position,
            history: events[start..]
                .iter()
                .map(|event| event.item as usize)
                .collect(),
            candidates,
            truth,
        }
    }

    /// The shown history, oldest first.
    pub fn history_items<'a>(&self, dataset: &'a Dataset) -> Vec<&'a Item> {
        self.history
            .iter()
            .map(|index| &dataset.items[*index])
            .collect()
    }

    /// The shown candidates.
    pub fn candidate_items<'a>(&self, dataset: &'a Dataset) -> Vec<&'a Item> {
        self.candidates
            .iter()
            .map(|index| &dataset.items[*index])
            .collect()
    }

    /// The chat to be completed.
    pub fn turns(&self, dataset: &Dataset, render: &RenderOptions) -> Vec<Turn> {
        alignment_prompt(
            &self.history_items(dataset),
            &self.candidate_items(dataset),
            render,
        )
    }

    /// Titles as shown: what a legal answer may be, and the right one.
    pub fn titles(&self, dataset: &Dataset, render: &RenderOptions) -> (Vec<String>, String) {
        let title = |index: usize| shown_title(&dataset.items[index], render);
        (
            self.candidates.iter().map(|index| title(*index)).collect(),
            title(self.truth),
        )
    }
}

/// A look-up exercise over catalogue lines: a fresh nano model learns from it to copy from its context, which every other
/// task needs. Either the attributes of a title are asked for, or the title that alone has an attribute.
pub fn recall(
    items: &[Item],
    lines: usize,
    render: &RenderOptions,
    rng: &mut ChaCha8Rng,
) -> (Vec<Turn>, String) {
    let shown: Vec<&Item> = (0..lines.max(1))
        .map(|_| &items[rng.random_range(0..items.len())])
        .collect();
    let target = shown[rng.random_range(0..shown.len())];
    let alone = |value: &str| {
        let holders = shown
            .iter()
            .filter(|item| item.attributes.iter().any(|own| own.value == value));
        holders.count() == 1
    };
    let mut values: Vec<String> = shown_attributes(target, render)
        .into_iter()
        .map(|own| own.value)
        .collect();
    let title = shown_title(target, render);
    let all = values.join(&render.separator);
    values.retain(|value| alone(value));
    let (question, answer) = if values.is_empty() || rng.random::<f64>() < 0.4 {
        (title.clone(), if all.is_empty() { title } else { all })
    } else {
        (values.swap_remove(rng.random_range(0..values.len())), title)
    };
    let list: Vec<String> = shown.iter().map(|item| item_line(item, render)).collect();
    let turns = vec![
        Turn {
            role: Role::System,
            content: "Look it up.".to_owned(),
        },
        Turn {
            role: Role::User,
            content: format!("{}\n{question}?", list.join("\n")),
        },
    ];
    (turns, answer)
}

/// Users whose events the language model is trained on, and users it is only asked about.
///
/// The division depends on the position in the data set and the seed alone.
pub fn divide_users(users: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    use rand::SeedableRng;
    let mut order: Vec<usize> = (0..users).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ 0x75_73_65_72));
    let held_out = ((users as f64 * share).round() as usize).clamp(usize::from(users > 1), users);
    let mut train = order.split_off(held_out);
    order.sort_unstable();
    train.sort_unstable();
    (train, order)
}

/// A random training event of `user` that has some history before it.
pub fn random_position(
    dataset: &Dataset,
    user: usize,
    minimum_history: usize,
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let end = dataset.split[user].train;
    (end > minimum_history).then(|| rng.random_range(minimum_history..end))
}
