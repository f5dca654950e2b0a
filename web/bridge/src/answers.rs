//! Lists for tastes, with the last few scorings kept: going back, showing more, and comparing with the list before cost nothing then.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use curec_shared_model::explain::{Recommendations, UserScores, pessimistic_rank};
use curec_shared_model::scorer::{ScoreError, Scorer, Taste};
use js_sys::Float32Array;
use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::{Failure, now, parsed, plain};

/// Scorings that are kept: some hundred kilobytes each.
const KEPT: usize = 6;

/// Answers about whole catalogues.
#[derive(Debug)]
pub struct Answers {
    model: Scorer,
    kept: RefCell<VecDeque<(Taste, Rc<UserScores>)>>,
}

/// A list, how long its scoring took, and where its items stood before.
#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    shown: Recommendations,
    milliseconds: f64,
    /// Per recommendation its rank for the taste before; none where it had been taken. Absent without such a taste.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<Option<u32>>>,
}

impl Answers {
    /// About this artefact.
    pub fn new(model: Scorer) -> Self {
        Self {
            model,
            kept: RefCell::default(),
        }
    }

    /// For what is asked of the scorer itself.
    pub fn model(&self) -> &Scorer {
        &self.model
    }

    async fn scored(&self, taste: &Taste) -> Result<Rc<UserScores>, ScoreError> {
        let known = |kept: &VecDeque<(Taste, Rc<UserScores>)>| {
            let found = kept.iter().find(|(known, _)| known == taste);
            found.map(|(_, scores)| scores.clone())
        };
        if let Some(scores) = known(&self.kept.borrow()) {
            return Ok(scores);
        }
        let scores = Rc::new(self.model.score_taste(taste).await?);
        let mut kept = self.kept.borrow_mut();
        kept.truncate(KEPT - 1);
        kept.push_front((taste.clone(), scores.clone()));
        Ok(scores)
    }

    /// The `count` best items that were not taken, explained; `before`: the taste they are compared with, or null.
    ///
    /// # Errors
    /// A taste that cannot be, a device that fails.
    pub async fn recommend(
        &self,
        taste: JsValue,
        count: u32,
        before: JsValue,
    ) -> Result<JsValue, Failure> {
        let taste: Taste = parsed(taste, "taste")?;
        let before: Option<Taste> = parsed(before, "taste")?;
        let start = now();
        let scores = self.scored(&taste).await?;
        let shown = self.model.shown(&taste, &scores, count as usize)?;
        let milliseconds = now() - start;
        let before = match before {
            Some(before) => {
                let scores = self.scored(&before).await?;
                let hidden = self.model.hidden(&before);
                let rank = |item: usize| {
                    (!hidden[item]).then(|| pessimistic_rank(&scores.logits, &hidden, item))
                };
                let items = shown.recommendations.iter();
                Some(items.map(|one| rank(one.item as usize)).collect())
            }
            None => None,
        };
        plain(&List {
            shown,
            milliseconds,
            before,
        })
    }

    /// The score of every item of the catalogue, taken ones included, as a `Float32Array`.
    ///
    /// # Errors
    /// A taste that cannot be, a device that fails.
    pub async fn scores(&self, taste: JsValue) -> Result<JsValue, Failure> {
        let taste = parsed(taste, "taste")?;
        let scores = self.scored(&taste).await?;
        Ok(Float32Array::from(scores.scores.as_slice()).into())
    }
}
