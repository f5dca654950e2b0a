//! The list that a page shows before it has loaded anything else: one viewer's, scored here by the scorer that the page will use.

use curec_shared_model::artefact::{Artefact, ArtefactError, Preview, PreviewItem, PreviewRow};
use curec_shared_model::scorer::Scorer;
use curec_shared_model::text::{Item, RenderOptions, Rules, misspeaks};

use super::ExportError;

/// Recommendations in it.
const ROWS: usize = 10;
/// Events of the history in it.
const EVENTS: usize = 6;
/// Events named beside a recommendation.
const CARRIED_BY: usize = 2;

/// Scores the list of the viewer chosen by [`typical`].
///
/// # Errors
/// Weights that do not fit, a score that is no number.
pub(super) fn preview(artefact: &Artefact) -> Result<Preview, ExportError> {
    let config = artefact.reward_config()?;
    let user = typical(artefact).ok_or(ArtefactError::EmptyDataset {
        users: 0,
        items: artefact.catalogue.len(),
    })?;
    let scorer = Scorer::on_cpu(artefact)?;
    let taste = scorer.taste(user)?;
    let shown = pollster::block_on(scorer.recommend(&taste, ROWS))?;
    let items: Vec<u32> = shown.recommendations.iter().map(|one| one.item).collect();
    let carriers = scorer.carriers(&taste, &items)?;
    let item = |index: u32| PreviewItem::of(index, &artefact.catalogue[index as usize]);
    let viewer = &artefact.users[user as usize];
    let events = viewer.history.iter().rev().take(EVENTS);
    Ok(Preview {
        user,
        key: viewer.key.clone(),
        pattern: viewer.pattern.clone().filter(|_| config.use_patterns),
        history: events.map(|event| item(event.item)).collect(),
        recommendations: (shown.recommendations.iter().zip(&carriers))
            .map(|(one, carriers)| {
                let list = &artefact.reasons[one.item as usize];
                let leading = one
                    .reasons
                    .first()
                    .map(|reason| &list[reason.index as usize]);
                let mut carried_by: Vec<String> = Vec::new();
                for event in carriers.iter().filter(|event| event.adds > 0.0) {
                    let title = &artefact.catalogue[event.item as usize].title;
                    if carried_by.len() < CARRIED_BY && !carried_by.contains(title) {
                        carried_by.push(title.clone());
                    }
                }
                PreviewRow {
                    item: item(one.item),
                    score: one.score,
                    reason: leading.map(|reason| reason.text.clone()),
                    carried_by,
                }
            })
            .collect(),
    })
}

/// A viewer with a pattern that says nothing twice, of them the one whose history is nearest to the middle in length, the first of several.
/// Whether their list is a hit plays no part.
fn typical(artefact: &Artefact) -> Option<u32> {
    let items: Vec<Item> = artefact.catalogue.iter().map(Item::from).collect();
    let rules = Rules::new(&items, &RenderOptions::default());
    let clean = |pattern: &String| !rules.repeats(pattern) && !misspeaks(pattern);
    let mut lengths: Vec<usize> = artefact
        .users
        .iter()
        .map(|user| user.history.len())
        .collect();
    lengths.sort_unstable();
    let middle = *lengths.get(lengths.len() / 2)?;
    let users = artefact.users.iter().enumerate();
    let best = users.min_by_key(|(index, user)| {
        let far = user.history.len().abs_diff(middle);
        (
            !user.pattern.as_ref().is_some_and(clean),
            user.pattern.is_none(),
            far,
            *index,
        )
    });
    best.map(|(index, _)| index as u32)
}
