//! What candidates meet: computed once for a moment, however many they are and in however many parts they come.

use pulp::{Simd, WithSimd};

use super::panel::Packed;
use super::{CpuModel, Moment};

/// What a moment gives to all candidates.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) query: Vec<f32>,
    pub(super) events: usize,
    /// Multiplies candidates, event after event.
    pub(super) interest: Packed,
    /// Of the same hidden units whatever the candidate, `[T, hidden]`.
    pub(super) constants: Vec<f32>,
    /// Multiplies DIN weights: `[2d, T]`.
    pub(super) states: Packed,
    /// Scale and shift of each event's weight.
    pub(super) recency: Vec<(f32, f32)>,
    /// What the pattern adds to the score network's hidden layer.
    pub(super) pattern: Vec<f32>,
}

pub(super) struct Preparing<'a>(pub(super) &'a CpuModel, pub(super) Moment<'a>);

impl WithSimd for Preparing<'_> {
    type Output = Prepared;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Prepared {
        let Self(model, moment) = self;
        let (weights, both) = (&model.weights, model.config.input_width());
        let events = moment.states.len() / both;
        let recency = (0..events).map(|event| match &weights.interest.recency {
            Some((scale, shift)) => (scale[events - 1 - event], shift[events - 1 - event]),
            None => (1.0, 0.0),
        });
        Prepared {
            query: weights.query.of(moment.pattern),
            events,
            interest: weights.interest.of_events(moment.states),
            constants: (moment.states.chunks_exact(both))
                .flat_map(|state| weights.interest.constant(state))
                .collect(),
            states: match events {
                0 => Packed::default(),
                _ => Packed::transposed(moment.states, both),
            },
            recency: recency.collect(),
            pattern: weights.head.pattern.of(moment.pattern),
        }
    }
}
