//! The part of the artefact that compares: the same viewers by the run's other models, and the texts before the correction.

use burn::tensor::Device;
use curec_shared_model::artefact::{
    Artefact, Before, CatalogueItem, Comparison, UserRecord, Variant, VariantList,
};
use curec_shared_model::reward::RewardModel;
use curec_shared_model::scorer::Scorer;

use super::{ExportError, ExportInput, core, known};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};

/// Items of a variant's list.
const LIST: usize = 20;

/// What the run had before the correction, and beside it.
#[derive(Debug, Clone, Copy)]
pub struct Others<'a> {
    /// The ranking model before the correction with the texts it read; none where nothing was corrected.
    pub before: Option<Earlier<'a>>,
    /// The model that knows no texts.
    pub ids_only: &'a RewardModel,
}

/// A ranking model and its texts.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// The ranking model.
    pub model: &'a RewardModel,
    /// What it read of users.
    pub patterns: &'a PatternStore,
    /// What it read of items.
    pub reasons: &'a ReasonStore,
}

/// Every variant's lists for the viewers of `artefact`, which was made of `input`.
pub(super) fn comparison(
    input: &ExportInput,
    others: &Others,
    artefact: &Artefact,
    device: &Device,
) -> Result<Comparison, ExportError> {
    let scored = |name: &str, what: &str, changed: ExportInput| {
        Ok::<_, ExportError>(Variant {
            name: name.to_owned(),
            what: what.to_owned(),
            lists: lists(&core(&changed, device)?)?,
        })
    };
    let mut variants = Vec::new();
    if let Some(Earlier {
        model,
        patterns,
        reasons,
    }) = others.before
    {
        variants.push(scored(
            "before-correction",
            "The model as it was trained on the texts before the correction, reading those texts.",
            ExportInput {
                model,
                patterns,
                reasons,
                ..input.clone()
            },
        )?);
    }
    let config = input.model.config();
    // Without IDs and reasons no item would differ from another.
    if config.use_reasons && config.use_ids {
        let patterns = config.use_patterns;
        variants.push(scored(
            "no-reasons",
            "The full model, not trained anew, with every reason taken away from it: those that the history was read with as well, which muting leaves there.",
            ExportInput {
                model: &input.model.clone().reading(false, patterns),
                ..input.clone()
            },
        )?);
    }
    variants.push(scored(
        "ids-only",
        "A model of the same shape, trained without any text.",
        ExportInput {
            model: others.ids_only,
            ..input.clone()
        },
    )?);
    variants.push(Variant {
        name: "popularity".to_owned(),
        what: "What most people took, the same for everybody but for what they have taken."
            .to_owned(),
        lists: popular(&artefact.catalogue, &artefact.users),
    });
    let before = match others.before {
        Some(earlier) => Some(texts_before(input, &earlier)?),
        None => None,
    };
    Ok(Comparison { variants, before })
}

fn lists(artefact: &Artefact) -> Result<Vec<VariantList>, ExportError> {
    let scorer = Scorer::on_cpu(artefact)?;
    (0..artefact.users.len() as u32)
        .map(|user| {
            let taste = scorer.taste(user)?;
            let shown = pollster::block_on(scorer.recommend(&taste, LIST))?;
            Ok(VariantList {
                items: shown.recommendations.iter().map(|one| one.item).collect(),
                held_out_rank: shown.held_out.map(|held_out| held_out.rank),
            })
        })
        .collect()
}

/// By training interactions; of equally popular items the lower index first, and the held-out one last, as everywhere in the evaluation.
fn popular(catalogue: &[CatalogueItem], users: &[UserRecord]) -> Vec<VariantList> {
    let count = |item: u32| catalogue[item as usize].count;
    let mut order: Vec<u32> = (0..catalogue.len() as u32).collect();
    order.sort_by_key(|item| std::cmp::Reverse(count(*item)));
    let of_user = |user: &UserRecord| {
        let taken: std::collections::HashSet<u32> =
            user.history.iter().map(|event| event.item).collect();
        let open = || order.iter().copied().filter(|item| !taken.contains(item));
        // As elsewhere: the held-out item is in the race though it was taken before.
        let rank = |held_out: u32| {
            let race = open().chain(taken.contains(&held_out).then_some(held_out));
            race.filter(|item| count(*item) >= count(held_out)).count()
        };
        let held_out_rank = user.held_out.map(rank);
        let others = open().filter(|item| Some(*item) != user.held_out);
        let mut items: Vec<u32> = others.take(LIST).collect();
        let shown = user.held_out.zip(held_out_rank);
        let shown = shown.filter(|(item, rank)| !taken.contains(item) && *rank <= items.len() + 1);
        if let Some((item, rank)) = shown {
            items.insert(rank - 1, item);
            items.truncate(LIST);
        }
        VariantList {
            items,
            held_out_rank: held_out_rank.map(|rank| rank as u32),
        }
    };
    users.iter().map(of_user).collect()
}

/// What the texts said before, where they say something else now.
fn texts_before(input: &ExportInput, earlier: &Earlier) -> Result<Before, ExportError> {
    let lists = super::reason_lists(input);
    let changed = |old: &str, new: &str| (old != new).then(|| old.to_owned());
    let reasons = lists.iter().map(|rows| {
        let old = |row: &u32| {
            let now = input.reasons.entry(*row);
            let then = earlier.reasons.of_source(now.user, now.position)?;
            changed(&earlier.reasons.entry(then).text, &now.text)
        };
        rows.iter().map(old).collect()
    });
    let timeline = Timeline::new(input.data);
    let pattern = |user: &usize| {
        let past = timeline.past(*user, known(input.data, *user))?;
        let now = past.pattern(input.patterns);
        let then = past.pattern(earlier.patterns);
        Ok(match (now, then) {
            (Some(now), Some(then)) => changed(
                &earlier.patterns.entry(then).text,
                &input.patterns.entry(now).text,
            ),
            _ => None,
        })
    };
    Ok(Before {
        reasons: reasons.collect(),
        patterns: super::chosen(input)
            .iter()
            .map(pattern)
            .collect::<Result<_, ExportError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use curec_shared_model::artefact::HistoryEvent;

    use super::*;

    #[test]
    fn of_equally_popular_titles_the_held_out_one_is_last() {
        let item = |count| CatalogueItem {
            key: String::new(),
            title: String::new(),
            attributes: Vec::new(),
            count,
        };
        let user = |history: &[u32], held_out| UserRecord {
            key: String::new(),
            history: (history.iter())
                .map(|item| HistoryEvent {
                    item: *item,
                    time: 0,
                })
                .collect(),
            held_out,
            pattern: None,
        };
        let users = [
            user(&[], Some(1)),
            user(&[0, 2], Some(1)),
            user(&[0, 1], Some(1)),
            user(&[4], None),
        ];
        let found = popular(&[5, 3, 3, 3, 1].map(item), &users);
        let told: Vec<_> = (found.iter())
            .map(|list| (list.items.as_slice(), list.held_out_rank))
            .collect();
        assert_eq!(
            told,
            [
                (&[0, 2, 3, 1, 4][..], Some(4)),
                (&[3, 1, 4], Some(2)),
                // Taken before: in the race, and not on the list.
                (&[2, 3, 4], Some(3)),
                (&[0, 1, 2, 3], None),
            ]
        );
    }
}
