//! The part of an artefact that compares: what other models of the same run would recommend to each viewer, and what the texts
//! said before the correction. Fetched only when somebody looks at it.

use super::{ArtefactError, FileRole, Reason, UserRecord};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// `comparison.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Other models, none twice.
    pub variants: Vec<Variant>,
    /// The texts before the correction; none where there was no correction.
    pub before: Option<Before>,
}

/// Another model of the run, or what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// In kebab case: `before-correction`, `no-reasons`, `ids-only`, `popularity`.
    pub name: String,
    /// What it is, in a sentence.
    pub what: String,
    /// One list per viewer, in their order.
    pub lists: Vec<VariantList>,
}

/// A viewer's list by a variant: their history as it is, scored at export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantList {
    /// Best first, without what was taken.
    pub items: Vec<u32>,
    /// Where the held-out item stands, from 1.
    pub held_out_rank: Option<u32>,
}

/// Texts as they were before the correction; none where they have not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Per item, in the order of its reasons.
    pub reasons: Vec<Vec<Option<String>>>,
    /// Per viewer.
    pub patterns: Vec<Option<String>>,
}

impl Comparison {
    /// Checks it against the artefact that it belongs to: indices, lengths, and that nothing taken is recommended.
    pub(super) fn check(
        &self,
        items: usize,
        users: &[UserRecord],
        reasons: &[Vec<Reason>],
    ) -> Result<(), ArtefactError> {
        let file = || FileRole::Comparison.file_name().to_owned();
        let length = |found: usize, expected: usize| {
            if found == expected {
                return Ok(());
            }
            Err(ArtefactError::WrongLength {
                file: file(),
                expected,
                found,
            })
        };
        let bad = |message: String| ArtefactError::BadShape {
            file: file(),
            message,
        };
        for (place, variant) in self.variants.iter().enumerate() {
            if self.variants[..place]
                .iter()
                .any(|one| one.name == variant.name)
            {
                return Err(bad(format!(
                    "the variant {:?} is there twice",
                    variant.name
                )));
            }
            length(variant.lists.len(), users.len())?;
            for (list, user) in variant.lists.iter().zip(users) {
                if let Some(&item) = list.items.iter().find(|item| **item as usize >= items) {
                    return Err(ArtefactError::ItemOutOfRange {
                        file: file(),
                        place: format!("variant {:?}, user {:?}", variant.name, user.key),
                        item,
                        items,
                    });
                }
                let taken: HashSet<u32> = user.history.iter().map(|event| event.item).collect();
                let mut seen = HashSet::new();
                if !list
                    .items
                    .iter()
                    .all(|item| !taken.contains(item) && seen.insert(*item))
                {
                    return Err(bad(format!(
                        "the variant {:?} recommends something to user {:?} twice, or what they have taken",
                        variant.name, user.key
                    )));
                }
            }
        }
        let Some(before) = &self.before else {
            return Ok(());
        };
        length(before.reasons.len(), items)?;
        length(before.patterns.len(), users.len())?;
        for (old, now) in before.reasons.iter().zip(reasons) {
            length(old.len(), now.len())?;
        }
        Ok(())
    }
}
