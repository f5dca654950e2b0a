//! The parameters that scoring candidates needs, in the order in which products read them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::encoder::Encoder;
use super::panel::{Packed, Row, Tile, numbers, numbers_mut, splat};
use crate::artefact::{ArtefactError, FileRole, StoredTensor, tensors::WEIGHTS};
use crate::reward::{ActivationKind, RewardConfig};
use pulp::Simd;

/// `y = W x + b` of one vector.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    /// `[in, out]`, as burn keeps it.
    weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Affine {
    pub(super) fn of(&self, input: &[f32]) -> Vec<f32> {
        let mut output = self.bias.clone();
        for (row, &value) in self.weight.chunks_exact(output.len()).zip(input) {
            for (sum, &weight) in output.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        output
    }

    pub(super) fn packed(&self) -> Packed {
        Packed::transposed(&self.weight, self.bias.len())
    }
}

/// What follows a hidden layer: activation and the weights of its only output.
#[derive(Debug, Clone)]
pub(super) struct Bend {
    alpha: Vec<f32>,
    /// Mean and one over the standard deviation of each unit, of Dice.
    statistics: Option<(Vec<f32>, Vec<f32>)>,
    output: Vec<f32>,
    pub(super) output_bias: f32,
}

impl Bend {
    /// Adds what the hidden units `first..` of one tile give to the output.
    #[inline(always)]
    pub(super) fn add<S: Simd>(
        &self,
        simd: S,
        first: usize,
        hidden: &Tile<S>,
        output: &mut Row<S>,
    ) {
        for (unit, row) in (first..self.output.len()).zip(hidden) {
            let (alpha, weight) = (self.alpha[unit], self.output[unit]);
            match &self.statistics {
                None => {
                    // w prelu(s) = w α s + w (1 − α) max(s, 0)
                    let straight = simd.splat_f32s(weight * alpha);
                    let bent = simd.splat_f32s(weight * (1.0 - alpha));
                    let zero = simd.splat_f32s(0.0);
                    for (output, &value) in output.iter_mut().zip(row) {
                        let sum = simd.mul_add_e_f32s(straight, value, *output);
                        *output = simd.mul_add_e_f32s(bent, simd.max_f32s(value, zero), sum);
                    }
                }
                Some((mean, scale)) => {
                    let outputs = numbers_mut::<S>(output);
                    let values = numbers::<S>(row);
                    for (output, &value) in outputs.iter_mut().zip(values) {
                        let gate = 1.0 / (1.0 + (-(value - mean[unit]) * scale[unit]).exp());
                        *output += weight * value * (alpha + gate * (1.0 - alpha));
                    }
                }
            }
        }
    }

    /// Whether the output is its bias, whatever the hidden units are: so a model begins that is to score as a sequential recommender.
    pub(super) fn is_silent(&self) -> bool {
        self.output.iter().all(|&weight| weight == 0.0)
    }

    #[inline(always)]
    pub(super) fn start<S: Simd>(&self, simd: S) -> Row<S> {
        splat(simd, self.output_bias)
    }
}

/// The DIN unit (Eq. 10), decomposed: what multiplies a candidate `x` at event `t` is `w₄ ⊙ h_t + (w₂ − w₃)`, what does not is
/// `(w₁ + w₃) · h_t + b`.
#[derive(Debug, Clone)]
pub(super) struct Interest {
    /// `W₁ + W₃`, `[hidden, 2d]`.
    state: Vec<f32>,
    bias: Vec<f32>,
    product: Packed,
    candidate: Packed,
    pub(super) bend: Bend,
    /// Scale and shift by age.
    pub(super) recency: Option<(Vec<f32>, Vec<f32>)>,
}

impl Interest {
    /// What multiplies candidates, events below each other; each event takes [`Interest::tiles`] tiles.
    pub(super) fn of_events(&self, states: &[f32]) -> Packed {
        self.product.scaled(states, &self.candidate)
    }

    /// Tiles of one event.
    pub(super) fn tiles(&self) -> usize {
        self.product.tiles()
    }

    /// What one event adds to the hidden layer whatever the candidate: `[hidden]`.
    pub(super) fn constant(&self, state: &[f32]) -> Vec<f32> {
        (self.state.chunks_exact(state.len()).zip(&self.bias))
            .map(|(row, bias)| bias + row.iter().zip(state).map(|(w, h)| w * h).sum::<f32>())
            .collect()
    }
}

/// The score network (Eq. 11): hidden layer over interest, candidate and pattern.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) interest: Packed,
    pub(super) candidate: Packed,
    /// Pattern part, with the hidden layer's bias.
    pub(super) pattern: Affine,
    pub(super) bend: Bend,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// `[items, d]`, or one row where IDs are off.
    pub(super) item: Vec<f32>,
    /// `W_q`, scaled by one over the root of a head's width.
    pub(super) query: Affine,
    /// Joins the heads.
    pub(super) joined: Packed,
    pub(super) joined_bias: Vec<f32>,
    pub(super) no_reason: Vec<f32>,
    pub(super) encoder: Encoder,
    pub(super) interest: Interest,
    pub(super) head: Head,
}

impl Weights {
    pub(super) fn read(
        config: &RewardConfig,
        tensors: &BTreeMap<String, StoredTensor>,
    ) -> Result<Self, ArtefactError> {
        let (width, both) = (config.width, config.input_width());
        let (hidden, inner) = (config.interest_hidden, config.score_hidden);
        let items = if config.use_ids { config.items } else { 1 };
        let source = Source::new(tensors, config.activation);
        let sum = |left: Vec<f32>, right: &[f32], sign: f32| -> Vec<f32> {
            left.iter().zip(right).map(|(l, r)| l + sign * r).collect()
        };
        let din = |name: &str| source.take(&format!("interest.{name}"), &[hidden, both]);
        let difference = din("difference")?;
        let recency = match config.use_recency {
            true => Some((
                source.take("interest.recency_scale", &[config.max_history])?,
                source.take("interest.recency_shift", &[config.max_history])?,
            )),
            false => None,
        };
        let mut query = source.affine("matching.query", width, width)?;
        let scale = ((width / config.heads) as f32).powf(-0.5);
        for value in query.weight.iter_mut().chain(&mut query.bias) {
            *value *= scale;
        }
        let joined = source.affine("matching.output", width, width)?;
        let head = source.affine("head.interest", both, inner)?;
        let weights = Self {
            item: source.take("item.weight", &[items, width])?,
            query,
            joined: joined.packed(),
            joined_bias: joined.bias,
            no_reason: source.take("matching.no_reason", &[width])?,
            encoder: Encoder::read(config, &source)?,
            interest: Interest {
                state: sum(din("state")?, &difference, 1.0),
                bias: source.take("interest.bias", &[hidden])?,
                product: Packed::new(&din("product")?, both),
                candidate: Packed::new(&sum(din("candidate")?, &difference, -1.0), both),
                bend: source.bend(
                    "interest.activation",
                    source.take("interest.output", &[hidden])?,
                    source.take("interest.output_bias", &[1])?,
                )?,
                recency,
            },
            head: Head {
                interest: head.packed(),
                candidate: Packed::transposed(
                    &source.take("head.candidate.weight", &[both, inner])?,
                    inner,
                ),
                pattern: Affine {
                    weight: source.take("head.pattern.weight", &[width, inner])?,
                    bias: head.bias,
                },
                bend: source.bend(
                    "head.activation",
                    source.take("head.output.weight", &[inner, 1])?,
                    source.take("head.output.bias", &[1])?,
                )?,
            },
        };
        source.finish()?;
        Ok(weights)
    }
}

/// Named parameters.
pub(super) struct Source<'a> {
    tensors: &'a BTreeMap<String, StoredTensor>,
    kind: ActivationKind,
    unused: RefCell<BTreeSet<&'a str>>,
}

impl<'a> Source<'a> {
    fn new(tensors: &'a BTreeMap<String, StoredTensor>, kind: ActivationKind) -> Self {
        let weights = tensors.keys().filter(|name| name.starts_with(WEIGHTS));
        Self {
            tensors,
            kind,
            unused: RefCell::new(weights.map(String::as_str).collect()),
        }
    }

    /// Refuses parameters that nobody asked for.
    fn finish(self) -> Result<(), ArtefactError> {
        match self.unused.into_inner().pop_first() {
            Some(name) => Err(ArtefactError::UnexpectedTensor {
                file: FileRole::Model.file_name().to_owned(),
                tensor: name.to_owned(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn take(&self, path: &str, expected: &[usize]) -> Result<Vec<f32>, ArtefactError> {
        let (file, tensor) = (
            FileRole::Model.file_name().to_owned(),
            format!("{WEIGHTS}{path}"),
        );
        let Some(stored) = self.tensors.get(&tensor) else {
            return Err(ArtefactError::MissingTensor { file, tensor });
        };
        self.unused.borrow_mut().remove(tensor.as_str());
        if stored.shape != expected {
            return Err(ArtefactError::WrongShape {
                file,
                tensor,
                expected: expected.to_vec(),
                found: stored.shape.clone(),
            });
        }
        Ok(stored.values.clone())
    }

    pub(super) fn affine(
        &self,
        path: &str,
        from: usize,
        to: usize,
    ) -> Result<Affine, ArtefactError> {
        Ok(Affine {
            weight: self.take(&format!("{path}.weight"), &[from, to])?,
            bias: self.take(&format!("{path}.bias"), &[to])?,
        })
    }

    fn bend(
        &self,
        path: &str,
        output: Vec<f32>,
        output_bias: Vec<f32>,
    ) -> Result<Bend, ArtefactError> {
        let take = |name: &str| self.take(&format!("{path}.{name}"), &[output.len()]);
        let statistics = match self.kind {
            ActivationKind::Prelu => None,
            ActivationKind::Dice => {
                let scale =
                    |variance: f32| (variance + crate::reward::DICE_EPSILON as f32).powf(-0.5);
                Some((
                    take("mean")?,
                    take("variance")?.into_iter().map(scale).collect(),
                ))
            }
        };
        Ok(Bend {
            alpha: take("alpha")?,
            statistics,
            output_bias: output_bias[0],
            output,
        })
    }
}
