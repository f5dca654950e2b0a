//! Lists for tastes, with the last few scorings kept: going back, showing more, and comparing with the list before cost nothing then.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use curec_shared_model::explain::{Recommendations, UserScores};
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
    kept: RefCell<VecDeque<(Taste, Rc<Scored>)>>,
}

/// Scores, and how long they took.
#[derive(Debug)]
struct Scored {
    scores: UserScores,
    milliseconds: f64,
    /// Whether they have answered a question.
    asked: Cell<bool>,
}

/// A list, how long its scoring took, and where its items stood before.
#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    shown: Recommendations,
    milliseconds: f64,
    /// Whether it was scored for this question, and not kept from an earlier one.
    fresh: bool,
    /// Per recommendation what it was for the taste before; none where it had been taken. Absent without such a taste.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<Option<Was>>>,
}

/// What an item was for another taste.
#[derive(Serialize)]
struct Was {
    rank: u32,
    score: f32,
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

    /// Whether this taste's scores are kept.
    pub fn knows(&self, taste: &Taste) -> bool {
        self.known(taste).is_some()
    }

    /// Keeps scores that were put together elsewhere, in so many milliseconds, for the question that they are for.
    pub fn keep(&self, taste: Taste, scores: UserScores, milliseconds: f64) {
        let asked = Cell::new(false);
        let scored = Scored {
            scores,
            milliseconds,
            asked,
        };
        self.remember(taste, Rc::new(scored));
    }

    fn known(&self, taste: &Taste) -> Option<Rc<Scored>> {
        let kept = self.kept.borrow();
        let found = kept.iter().find(|(known, _)| known == taste);
        found.map(|(_, scored)| scored.clone())
    }

    fn remember(&self, taste: Taste, scored: Rc<Scored>) {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|(known, _)| *known != taste);
        kept.truncate(KEPT - 1);
        kept.push_front((taste, scored));
    }

    /// The scores, and whether they were computed for this question.
    async fn scored(&self, taste: &Taste) -> Result<(Rc<Scored>, bool), ScoreError> {
        if let Some(scored) = self.known(taste) {
            let fresh = !scored.asked.replace(true);
            return Ok((scored, fresh));
        }
        let scored = Rc::new(self.timed(taste).await?);
        self.remember(taste.clone(), scored.clone());
        Ok((scored, true))
    }

    async fn timed(&self, taste: &Taste) -> Result<Scored, ScoreError> {
        let start = now();
        let scores = self.model.score_taste(taste).await?;
        Ok(Scored {
            scores,
            milliseconds: now() - start,
            asked: Cell::new(true),
        })
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
        let (scored, fresh) = self.scored(&taste).await?;
        let shown = self.model.shown(&taste, &scored.scores, count as usize)?;
        let before = match before {
            Some(before) => {
                let (scored, _) = self.scored(&before).await?;
                let logits = &scored.scores.logits;
                let hidden = self.model.hidden(&before);
                // As a list orders them: of equal ones the lower index first.
                let ahead = |item: usize| {
                    let own = logits[item];
                    let others = (0..logits.len()).filter(|other| !hidden[*other]);
                    let better = |other: &usize| {
                        logits[*other] > own || (logits[*other] == own && *other < item)
                    };
                    others.filter(better).count() as u32
                };
                let was = |item: usize| {
                    (!hidden[item]).then(|| Was {
                        rank: ahead(item) + 1,
                        score: scored.scores.scores[item],
                    })
                };
                let items = shown.recommendations.iter();
                Some(items.map(|one| was(one.item as usize)).collect())
            }
            None => None,
        };
        plain(&List {
            shown,
            milliseconds: scored.milliseconds,
            fresh,
            before,
        })
    }

    /// The score of every item of the catalogue, taken ones included, as a `Float32Array`.
    ///
    /// # Errors
    /// A taste that cannot be, a device that fails.
    pub async fn scores(&self, taste: JsValue) -> Result<JsValue, Failure> {
        let taste = parsed(taste, "taste")?;
        let (scored, _) = self.scored(&taste).await?;
        Ok(Float32Array::from(scored.scores.scores.as_slice()).into())
    }

    /// How many milliseconds scoring the whole catalogue takes now: nothing kept answers it, and nothing of it is kept.
    ///
    /// # Errors
    /// A taste that cannot be, a device that fails.
    pub async fn measure(&self, taste: JsValue) -> Result<JsValue, Failure> {
        let taste = parsed(taste, "taste")?;
        Ok(self.timed(&taste).await?.milliseconds.into())
    }
}
