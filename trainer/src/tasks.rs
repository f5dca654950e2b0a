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

/// Look-up exercises over the same catalogue lines: a fresh nano model learns from them to copy from its context, which
/// every other task needs. Either the attributes of a title are asked for, or the title that alone has an attribute.
pub fn recall(
    items: &[Item],
    lines: usize,
    questions: usize,
    render: &RenderOptions,
    rng: &mut ChaCha8Rng,
) -> Vec<(Vec<Turn>, String)> {
    let shown: Vec<&Item> = (0..lines.max(1))
        .map(|_| &items[rng.random_range(0..items.len())])
        .collect();
    let lead = render.lead();
    let mark = if rng.random() {
        render.history_mark()
    } else {
        render.candidate_mark()
    };
    let line = |item: &&Item| mark.to_owned() + &item_line(item, render);
    let list: Vec<String> = shown.iter().map(line).collect();
    let list = list.join("\n");
    let exercise = |_| {
        let (question, answer) = look_up(&shown, render, rng);
        let turn = |role, content| Turn { role, content };
        let turns = vec![
            turn(Role::System, "Look it up.".to_owned()),
            turn(Role::User, format!("{list}\n{lead}{question}?")),
        ];
        (turns, lead.to_owned() + &answer)
    };
    (0..questions).map(exercise).collect()
}

/// A question about the lines, and its answer: what repeats; the attributes of a title; the title with one or two
/// attributes that no other line has (together).
fn look_up(shown: &[&Item], render: &RenderOptions, rng: &mut ChaCha8Rng) -> (String, String) {
    let kind = rng.random_range(0..10);
    if kind < 3 {
        return ("What repeats".to_owned(), repeats(shown, render));
    }
    let target = shown[rng.random_range(0..shown.len())];
    let mut values = values(target, render);
    let title = shown_title(target, render);
    if kind < 5 && !values.is_empty() {
        return (title, values.join(&render.separator));
    }
    let all = values.join(&render.separator);
    values.shuffle(rng);
    let wanted = (1 + usize::from(kind < 8)).min(values.len().max(1));
    for count in wanted..=values.len() {
        let asked = &values[..count];
        let holders = shown.iter().filter(|item| {
            let own = self::values(item, render);
            asked.iter().all(|value| own.contains(value))
        });
        if holders.count() == 1 {
            return (asked.join(&render.separator), title);
        }
    }
    // No attributes tell it from the others.
    let answer = if all.is_empty() { title.clone() } else { all };
    (title, answer)
}

fn values(item: &Item, render: &RenderOptions) -> Vec<String> {
    let shown = shown_attributes(item, render).into_iter();
    shown.map(|own| own.value).collect()
}

/// Attribute values that stand in at least two lines: the most frequent first, of equals the one seen last.
fn repeats(shown: &[&Item], render: &RenderOptions) -> String {
    let mut seen: Vec<(usize, usize, String)> = Vec::new();
    for (line, item) in shown.iter().enumerate() {
        for value in values(item, render) {
            match seen.iter_mut().find(|(_, _, other)| *other == value) {
                // The same value under two kinds of one item is no repetition.
                Some(known) if known.1 == line => {}
                Some(known) => (known.0, known.1) = (known.0 + 1, line),
                None => seen.push((1, line, value)),
            }
        }
    }
    seen.retain(|(count, _, _)| *count > 1);
    seen.sort_by_key(|(count, line, _)| std::cmp::Reverse((*count, *line)));
    let found: Vec<String> = seen.into_iter().map(|(_, _, value)| value).collect();
    if found.is_empty() {
        return "nothing".to_owned();
    }
    found.join(&render.separator)
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
