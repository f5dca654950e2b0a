//! Checks of meaning: everything that could later index out of range, divide the wrong vectors, or leak the test set.
//! Reader and writer share them, so nothing is written that would not be read.

use super::tensors::{
    HISTORY_MATCHED, NO_PATTERN, PATTERNS, REASON_COUNT, REASON_KEYS, REASON_VALUES, WEIGHTS,
    expect, expect_finite, expect_type,
};
use super::{Artefact, ArtefactError, FileRole, ModelConfigs, StoredType};
use crate::reward::RewardConfig;
use serde_json::Value;
use std::collections::HashMap;

/// No size of a model that fits a browser comes near this; a damaged number does.
const LARGEST_SIZE: usize = 1 << 20;
const LARGEST_LAYERS: usize = 256;

pub(super) fn check(artefact: &Artefact) -> Result<(), ArtefactError> {
    let (users, items) = (artefact.dataset.users, artefact.dataset.items);
    if users == 0 || items == 0 {
        return Err(ArtefactError::EmptyDataset { users, items });
    }
    let config = artefact.reward_config()?;
    length(FileRole::Catalogue, artefact.catalogue.len(), items)?;
    length(FileRole::Users, artefact.users.len(), users)?;
    length(FileRole::Reasons, artefact.reasons.len(), items)?;
    unique(
        FileRole::Catalogue,
        artefact.catalogue.iter().map(|item| item.key.as_str()),
    )?;
    unique(
        FileRole::Users,
        artefact.users.iter().map(|user| user.key.as_str()),
    )?;
    histories(artefact)?;
    reasons(artefact, &config)?;
    preview(artefact)?;
    tensors(artefact, &config)?;
    if let Some(comparison) = &artefact.comparison {
        comparison.check(items, &artefact.users, &artefact.reasons)?;
    }
    match &artefact.writer {
        Some(writer) => writer.check(&config),
        None => Ok(()),
    }
}

impl Artefact {
    /// The reward model's configuration, checked.
    ///
    /// # Errors
    /// As [`ModelConfigs::reward_config`].
    pub fn reward_config(&self) -> Result<RewardConfig, ArtefactError> {
        self.model.reward_config(self.dataset.items)
    }
}

impl ModelConfigs {
    /// The reward model's configuration, checked, for a data set of so many items.
    ///
    /// # Errors
    /// A configuration that cannot be, of another release, or for another number of items.
    pub fn reward_config(&self, items: usize) -> Result<RewardConfig, ArtefactError> {
        let bad = |message: String| ArtefactError::BadConfig { message };
        let config: RewardConfig =
            serde_json::from_value(self.reward.clone()).map_err(|e| bad(e.to_string()))?;
        // A missing field would silently take this program's default, and the model would compute something else.
        let complete = serde_json::to_value(&config).map_err(|e| bad(e.to_string()))?;
        if let Some(field) = first_difference(&complete, &self.reward) {
            return Err(bad(format!(
                "`{field}` is not given; it was written by another release, export it again with this one"
            )));
        }
        config.validate().map_err(|error| bad(error.to_string()))?;
        for (name, value, largest) in [
            ("items", config.items, usize::MAX),
            ("text_width", config.text_width, LARGEST_SIZE),
            ("width", config.width, LARGEST_SIZE),
            ("layers", config.layers, LARGEST_LAYERS),
            ("feed_forward", config.feed_forward, LARGEST_SIZE),
            ("reasons", config.reasons, LARGEST_SIZE),
            ("max_history", config.max_history, LARGEST_SIZE),
            ("interest_hidden", config.interest_hidden, LARGEST_SIZE),
            ("score_hidden", config.score_hidden, LARGEST_SIZE),
        ] {
            if value > largest {
                return Err(bad(format!("`{name}` is {value}, more than {largest}")));
            }
        }
        if config.items != items {
            return Err(bad(format!(
                "it is made for {} items, the dataset has {}",
                config.items, items
            )));
        }
        Ok(config)
    }
}

/// The first field of the object `complete` that `given` lacks or holds otherwise.
fn first_difference<'a>(complete: &'a Value, given: &Value) -> Option<&'a str> {
    complete
        .as_object()?
        .iter()
        .find(|(name, value)| given.get(name) != Some(value))
        .map(|(name, _)| name.as_str())
}

fn length(role: FileRole, found: usize, expected: usize) -> Result<(), ArtefactError> {
    if found == expected {
        return Ok(());
    }
    Err(ArtefactError::WrongLength {
        file: role.file_name().to_owned(),
        expected,
        found,
    })
}

fn unique<'a>(role: FileRole, keys: impl Iterator<Item = &'a str>) -> Result<(), ArtefactError> {
    let mut seen = HashMap::new();
    for (second, key) in keys.enumerate() {
        if let Some(first) = seen.insert(key, second) {
            return Err(ArtefactError::DuplicateKey {
                file: role.file_name().to_owned(),
                key: key.to_owned(),
                first,
                second,
            });
        }
    }
    Ok(())
}

fn histories(artefact: &Artefact) -> Result<(), ArtefactError> {
    let items = artefact.dataset.items;
    let file = || FileRole::Users.file_name().to_owned();
    let in_range = |item: u32, place: String| {
        if (item as usize) < items {
            return Ok(());
        }
        Err(ArtefactError::ItemOutOfRange {
            file: file(),
            place,
            item,
            items,
        })
    };
    for (index, user) in artefact.users.iter().enumerate() {
        for (position, event) in user.history.iter().enumerate() {
            in_range(event.item, format!("user {index}, history {position}"))?;
        }
        if let Some(item) = user.held_out {
            in_range(item, format!("user {index}, held_out"))?;
        }
        if !user.history.is_sorted_by_key(|event| event.time) {
            return Err(ArtefactError::NotChronological {
                file: file(),
                place: format!("user {index}"),
            });
        }
    }
    Ok(())
}

fn reasons(artefact: &Artefact, config: &RewardConfig) -> Result<(), ArtefactError> {
    let file = || FileRole::Reasons.file_name().to_owned();
    for (item, list) in artefact.reasons.iter().enumerate() {
        if list.len() > config.reasons {
            return Err(ArtefactError::TooManyReasons {
                file: file(),
                item,
                found: list.len(),
                capacity: config.reasons,
            });
        }
        if !list.is_sorted_by_key(|reason| reason.time) {
            return Err(ArtefactError::NotChronological {
                file: file(),
                place: format!("item {item}"),
            });
        }
        for (position, reason) in list.iter().enumerate() {
            let Some(index) = reason.user else { continue };
            let Some(user) = artefact.users.get(index as usize) else {
                return Err(ArtefactError::UserOutOfRange {
                    file: file(),
                    place: format!("item {item}, reason {position}"),
                    user: index,
                    users: artefact.users.len(),
                });
            };
            let known = user
                .history
                .iter()
                .any(|event| event.item as usize == item && event.time == reason.time);
            if user.held_out == Some(item as u32) && !known {
                return Err(ArtefactError::HeldOutReason {
                    file: file(),
                    item,
                    user: index,
                });
            }
        }
    }
    Ok(())
}

/// What a page shows first must be what it finds later.
fn preview(artefact: &Artefact) -> Result<(), ArtefactError> {
    let preview = &artefact.preview;
    let file = FileRole::Preview.file_name().to_owned();
    let bad = |message: String| ArtefactError::BadShape {
        file: file.clone(),
        message,
    };
    let Some(user) = artefact.users.get(preview.user as usize) else {
        return Err(ArtefactError::UserOutOfRange {
            file,
            place: "user".to_owned(),
            user: preview.user,
            users: artefact.users.len(),
        });
    };
    if user.key != preview.key {
        return Err(bad(format!("user {} has another key", preview.user)));
    }
    if preview.pattern.is_some() && preview.pattern != user.pattern {
        return Err(bad(format!("user {} has another pattern", preview.user)));
    }
    let title = |event: &super::HistoryEvent| &artefact.catalogue[event.item as usize].title;
    let taken: Vec<&String> = user.history.iter().map(title).collect();
    let mut carried = preview
        .recommendations
        .iter()
        .flat_map(|row| &row.carried_by);
    if let Some(title) = carried.find(|title| !taken.contains(title)) {
        return Err(bad(format!("{title:?} is not in the history")));
    }
    let rows = preview.recommendations.iter();
    let items = preview
        .history
        .iter()
        .chain(rows.clone().map(|row| &row.item));
    for (place, shown) in items.enumerate() {
        let known = artefact.catalogue.get(shown.item as usize);
        if known.is_none_or(|item| *shown != super::PreviewItem::of(shown.item, item)) {
            return Err(bad(format!("item {place} is not the catalogue's")));
        }
    }
    for row in rows {
        if !row.score.is_finite() {
            return Err(bad(format!("the score of {:?} is no number", row.item.key)));
        }
        let list = &artefact.reasons[row.item.item as usize];
        let told = |text: &String| list.iter().any(|reason| reason.text == *text);
        if row.reason.as_ref().is_some_and(|text| !told(text)) {
            return Err(bad(format!(
                "the reason of {:?} is not on its list",
                row.item.key
            )));
        }
    }
    Ok(())
}

fn tensors(artefact: &Artefact, config: &RewardConfig) -> Result<(), ArtefactError> {
    let (items, users) = (artefact.dataset.items, artefact.dataset.users);
    let events = artefact
        .users
        .iter()
        .map(|user| user.history.len().min(config.max_history))
        .sum();
    let lists = vec![items, config.reasons, config.width];
    let fixed = [
        (REASON_KEYS, StoredType::F16, lists.clone()),
        (REASON_VALUES, StoredType::F16, lists),
        (REASON_COUNT, StoredType::F32, vec![items]),
        (PATTERNS, StoredType::F32, vec![users, config.width]),
        (NO_PATTERN, StoredType::F32, vec![config.width]),
        (HISTORY_MATCHED, StoredType::F16, vec![events, config.width]),
    ];
    let file = FileRole::Model.file_name();
    for (name, dtype, shape) in &fixed {
        expect(file, &artefact.tensors, name, *dtype, shape)?;
    }
    for (name, tensor) in &artefact.tensors {
        if name.starts_with(WEIGHTS) {
            expect_type(file, name, tensor, StoredType::F32)?;
        } else if !fixed.iter().any(|(known, ..)| known == name) {
            return Err(ArtefactError::UnexpectedTensor {
                file: file.to_owned(),
                tensor: name.clone(),
            });
        }
        // A reader has seen to this while decoding; a writer has not.
        expect_finite(file, name, &tensor.values)?;
    }
    let counts = &artefact.tensors[REASON_COUNT].values;
    for (item, (list, vectors)) in artefact.reasons.iter().zip(counts).enumerate() {
        if list.len() as f32 != *vectors {
            return Err(ArtefactError::ReasonCountMismatch {
                file: file.to_owned(),
                item,
                vectors: *vectors,
                texts: list.len(),
            });
        }
    }
    Ok(())
}
