//! Items with poor text: what is left for prompts when titles are hidden or say nothing. For experiments (`check
//! sparse-text`); data, artefact and page keep their titles.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::data::Item;

/// How much of an item's own text prompts may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemText {
    /// Title and attributes.
    #[default]
    Full,
    /// Attributes only: every title is [`MASK`].
    Masked,
    /// Neither: a running number is the title, and there are no attributes.
    Generic,
}

/// Stands for every title under [`ItemText::Masked`].
pub const MASK: &str = "untitled";

impl ItemText {
    /// The item as prompts may know it; `number` is its place in the catalogue.
    pub fn of(self, item: &Item, number: usize) -> Cow<'_, Item> {
        match self {
            ItemText::Full => Cow::Borrowed(item),
            ItemText::Masked => Cow::Owned(Item {
                title: MASK.to_owned(),
                ..item.clone()
            }),
            ItemText::Generic => Cow::Owned(Item {
                key: item.key.clone(),
                title: format!("Item {number}"),
                attributes: Vec::new(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::item;
    use super::super::render::{RenderOptions, item_line};
    use super::*;

    #[test]
    fn hidden_titles_and_generic_titles() {
        let work = item("Amber Ferry", &[("genre", "noir"), ("place", "Lisbon")]);
        let line = |text: ItemText| item_line(&text.of(&work, 17), &RenderOptions::default());
        assert_eq!(line(ItemText::Full), "Amber Ferry: noir, Lisbon");
        assert_eq!(line(ItemText::Masked), "untitled: noir, Lisbon");
        assert_eq!(line(ItemText::Generic), "Item 17");
    }
}
