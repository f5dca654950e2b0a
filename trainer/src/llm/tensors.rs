//! Gradients by burn on any device, in three parts: the blocks with a tape, the vocabulary without one, the blocks back.
//!
//! - **The vocabulary never stands in memory for all tokens.** Log-probabilities and entropies come from chunks of wanted
//!   positions. Once the slopes of all of a sequence's log-probabilities are known, each chunk's logits are computed once
//!   more and turned into gradients of the hidden states (as Liger's fused losses do, arXiv 2410.10989; a loss like GSPO's,
//!   which needs all tokens before it has any slope, is served too).
//! - **The prompt is read once for all of its branches** ([`Branching`]).
//! - **Blocks can be recomputed** (Chen et al. 2016, arXiv 1604.06174): then the tape holds one block at a time.

use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use curec_shared_model::qwen2::{Branching, Pass, Precision, Qwen2};

use super::gradient::Gradient;
use super::sequence::{Sequence, TokenScores};
use crate::device::read;

/// Logits that exist at the same time: as many positions as fit into this many numbers (64 MiB of float32).
const LOGITS: usize = 1 << 24;

/// Slots are padded to multiples of this: 1 on the CPU, more where each shape is a kernel to be compiled and tuned.
pub(super) fn bucket(device: &Device) -> usize {
    if super::cpu::is_cpu(device) { 1 } else { 32 }
}

/// [`super::gradient()`] by burn.
pub(super) fn gradient(
    model: &Qwen2,
    sequences: &[Sequence],
    temperature: f64,
    recompute: bool,
    slope: impl Fn(usize, &TokenScores) -> Vec<f32>,
) -> Gradient {
    let frozen = model.valid();
    let mut total = Total::default();
    let mut scores = Vec::with_capacity(sequences.len());
    let mut seconds = [0.0; 2];
    for (index, sequence) in sequences.iter().enumerate() {
        let start = Instant::now();
        let plan = Plan::new(sequence, &frozen.device());
        let tape = if recompute {
            Tape::blocks(&frozen, &plan)
        } else {
            Tape::whole(model, &plan)
        };
        let states = plan.states(tape.hidden());
        let head = Head::new(&frozen, states, &plan.targets, temperature);
        let found = head.scores();
        seconds[0] += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let slopes = slope(index, &found);
        scores.push(found);
        if slopes.iter().all(|slope| *slope == 0.0) {
            continue;
        }
        let head_param = model.lm_head.as_ref().unwrap_or(&model.embed_tokens);
        let trains = head_param.is_require_grad();
        let (dstates, dweight) = head.backward(&slopes, trains);
        if let Some(dweight) = dweight {
            total.add_one(head_param, dweight);
        }
        let dhidden = plan.spread(dstates);
        if model.precision() == Precision::Float16 {
            // Gradients as small as these would be lost in float16: they pass through the blocks with 1 as the largest.
            let size = dhidden.clone().abs().max().clamp_min(f32::MIN_POSITIVE);
            let dhidden = dhidden / size.clone().unsqueeze();
            let mut part = Total::default();
            tape.backward(model, &plan, dhidden, &mut part);
            total.add_scaled(part, &size, model);
        } else {
            tape.backward(model, &plan, dhidden, &mut total);
        }
        seconds[1] += start.elapsed().as_secs_f64();
    }
    Gradient {
        scores,
        gradients: total.gradients,
        seconds,
    }
}

/// [`super::token_scores`] of one sequence; `model` without gradients.
pub(super) fn token_scores(
    model: &Qwen2,
    sequence: &Sequence,
    temperature: f64,
    adapters: bool,
) -> TokenScores {
    let plan = Plan::new(sequence, &model.device());
    let hidden = model.hidden_branching(&plan.layout, adapters);
    Head::new(model, plan.states(hidden), &plan.targets, temperature).scores()
}

/// A sequence laid out for a device.
struct Plan {
    layout: Branching,
    /// Slots whose hidden states predict the wanted tokens.
    picks: Tensor<1, Int>,
    targets: Vec<u32>,
}

impl Plan {
    fn new(sequence: &Sequence, device: &Device) -> Self {
        let layout = Branching::new(sequence.prompt(), &sequence.branch_ids(), bucket(device));
        let slots = layout.slots();
        let picks: Vec<i64> = sequence
            .predecessors()
            .into_iter()
            .map(|before| slots[before] as i64)
            .collect();
        let count = picks.len();
        Self {
            layout,
            picks: Tensor::from_data(TensorData::new(picks, [count]), device),
            targets: sequence
                .positions
                .iter()
                .map(|t| sequence.ids[*t])
                .collect(),
        }
    }

    /// `[1, slots, hidden]` → `[wanted, hidden]`.
    fn states(&self, hidden: Tensor<3>) -> Tensor<2> {
        hidden.squeeze_dim::<2>(0).select(0, self.picks.clone())
    }

    /// The transpose of [`Plan::states`]: gradients of the picked states into their slots.
    fn spread(&self, dstates: Tensor<2>) -> Tensor<3> {
        let shape = [self.layout.ids().len(), dstates.dims()[1]];
        Tensor::<2>::zeros(shape, &dstates.device())
            .select_assign(0, self.picks.clone(), dstates, IndexingUpdateOp::Add)
            .unsqueeze()
    }
}

/// What the backward pass through the blocks needs.
enum Tape {
    /// The hidden states with burn's tape behind them.
    Whole(Tensor<3>),
    /// Each block's input, the last block's output, and the hidden states.
    Blocks {
        pass: Box<Pass>,
        inputs: Vec<Tensor<3>>,
        hidden: Tensor<3>,
    },
}

impl Tape {
    fn whole(model: &Qwen2, plan: &Plan) -> Self {
        Self::Whole(model.hidden_branching(&plan.layout, true))
    }

    fn blocks(frozen: &Qwen2, plan: &Plan) -> Self {
        let layout = &plan.layout;
        let pass = frozen.branching_pass(layout, true);
        let mut inputs = vec![frozen.embed(layout.ids(), [1, layout.ids().len()])];
        for layer in &frozen.layers {
            let next = layer.forward(inputs[inputs.len() - 1].clone(), &pass, None);
            inputs.push(next);
        }
        let hidden = frozen.norm.forward(inputs[inputs.len() - 1].clone());
        Self::Blocks {
            pass: Box::new(pass),
            inputs,
            hidden,
        }
    }

    /// Hidden states without a tape.
    fn hidden(&self) -> Tensor<3> {
        match self {
            Tape::Whole(hidden) => hidden.clone().inner(),
            Tape::Blocks { hidden, .. } => hidden.clone(),
        }
    }

    /// Adds the gradients of all parameters but the head's to `total`, from the gradient of the hidden states.
    fn backward(self, model: &Qwen2, plan: &Plan, dhidden: Tensor<3>, total: &mut Total) {
        let (pass, mut inputs) = match self {
            Tape::Whole(hidden) => {
                let loss = (hidden * Tensor::from_inner(dhidden)).sum();
                total.add(GradientsParams::from_grads(loss.backward(), model), model);
                return;
            }
            Tape::Blocks { pass, inputs, .. } => (pass, inputs),
        };
        let Some(last) = inputs.pop() else { return };
        let mut dx = through(last, dhidden, &model.norm, total, |x| model.norm.forward(x));
        for layer in model.layers.iter().rev() {
            let Some(input) = inputs.pop() else { return };
            dx = through(input, dx, layer, total, |x| layer.forward(x, &pass, None));
        }
        if model.embed_tokens.is_require_grad() {
            let ids: Vec<i64> = plan.layout.ids().iter().map(|id| i64::from(*id)).collect();
            let ids = TensorData::new(ids, [plan.layout.ids().len()]);
            let ids = Tensor::<1, Int>::from_data(ids, &dx.device());
            let table = model.embed_tokens.val().inner().zeros_like();
            let dtable = table.select_assign(0, ids, dx.squeeze_dim(0), IndexingUpdateOp::Add);
            total.add_one(&model.embed_tokens, dtable);
        }
    }
}

/// Runs one part of the model again with a tape; adds its gradients to `total` and returns that of its input.
fn through<M: Module>(
    input: Tensor<3>,
    doutput: Tensor<3>,
    part: &M,
    total: &mut Total,
    forward: impl Fn(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    let leaf = Tensor::from_inner(input).require_grad();
    let output = forward(leaf.clone());
    let mut found = (output * Tensor::from_inner(doutput)).sum().backward();
    let dinput = leaf.grad_remove(&mut found);
    total.add(GradientsParams::from_grads(found, part), part);
    dinput.unwrap_or_else(|| leaf.inner().zeros_like())
}

/// The output layer on picked states, a chunk of positions at a time; nothing here has a tape.
struct Head<'a> {
    /// `[vocab, hidden]`.
    weight: Tensor<2>,
    states: Tensor<2>,
    targets: &'a [u32],
    temperature: f64,
    /// Positions at a time.
    chunk: usize,
}

impl<'a> Head<'a> {
    fn new(frozen: &Qwen2, states: Tensor<2>, targets: &'a [u32], temperature: f64) -> Self {
        let weight = frozen.lm_head.as_ref().unwrap_or(&frozen.embed_tokens);
        Self {
            weight: weight.val(),
            states,
            targets,
            temperature,
            chunk: (LOGITS / frozen.config().vocab_size).max(1),
        }
    }

    /// Starts of the chunks with their targets, `[positions, 1]`.
    fn chunks(&self) -> impl Iterator<Item = (Tensor<2>, Tensor<2, Int>)> + '_ {
        let device = self.states.device();
        let chunks = self.targets.chunks(self.chunk).enumerate();
        chunks.map(move |(index, targets)| {
            let states = self
                .states
                .clone()
                .narrow(0, index * self.chunk, targets.len());
            let targets: Vec<i64> = targets.iter().map(|id| i64::from(*id)).collect();
            let shape = [targets.len(), 1];
            let targets = Tensor::from_data(TensorData::new(targets, shape), &device);
            (states, targets)
        })
    }

    /// `[positions, vocab]` at the temperature, in float32.
    fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        let logits = states.matmul(self.weight.clone().transpose());
        if self.temperature == 1.0 {
            logits
        } else {
            logits.div_scalar(self.temperature)
        }
    }

    fn scores(&self) -> TokenScores {
        let mut scores = TokenScores::default();
        for (states, targets) in self.chunks() {
            let logits = self.logits(states);
            let shifted = logits.clone() - logits.max_dim(1);
            let weights = shifted.clone().exp();
            let total = weights.clone().sum_dim(1);
            let log_total = total.clone().log();
            let log_probs = shifted.clone().gather(1, targets) - log_total.clone();
            let entropies = log_total - (weights * shifted).sum_dim(1) / total;
            let both = read(Tensor::cat(vec![log_probs, entropies], 1));
            let pairs = both.chunks_exact(2);
            for pair in pairs {
                scores.log_probs.push(pair[0]);
                scores.entropies.push(pair[1]);
            }
        }
        scores
    }

    /// Gradients of `Σ slopes · log_probs` by the states and, where it `trains`, by the weight.
    fn backward(&self, slopes: &[f32], trains: bool) -> (Tensor<2>, Option<Tensor<2>>) {
        let device = self.states.device();
        let mut dstates = Vec::new();
        let mut dweight: Option<Tensor<2>> = None;
        for ((states, targets), slopes) in self.chunks().zip(slopes.chunks(self.chunk)) {
            // ∂log p(target)/∂logits = (one-hot − p) / temperature.
            let scale: Vec<f32> = slopes
                .iter()
                .map(|slope| slope / self.temperature as f32)
                .collect();
            let scale = TensorData::new(scale, [slopes.len(), 1]);
            let scale = Tensor::<2>::from_data(scale, &device);
            let logits = self.logits(states.clone());
            let p = burn::tensor::activation::softmax(logits, 1);
            let dlogits =
                (p * scale.clone().neg()).scatter(1, targets, scale, IndexingUpdateOp::Add);
            dstates.push(dlogits.clone().matmul(self.weight.clone()));
            if trains {
                let part = dlogits.transpose().matmul(states);
                dweight = Some(match dweight {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        (Tensor::cat(dstates, 0), dweight)
    }
}

/// A growing sum of gradients.
#[derive(Default)]
struct Total {
    gradients: GradientsParams,
}

impl Total {
    /// Adds the gradients of all parameters of `module`.
    fn add<M: Module>(&mut self, part: GradientsParams, module: &M) {
        struct Add<'a> {
            total: &'a mut Total,
            part: GradientsParams,
        }
        impl ModuleVisitor for Add<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.part.remove::<D>(param.id) {
                    self.total.add_one(param, gradient);
                }
            }
        }
        module.visit(&mut Add { total: self, part });
    }

    /// Adds another sum times `size`, `[1]`.
    fn add_scaled<M: Module>(&mut self, part: Self, size: &Tensor<1>, module: &M) {
        struct Add<'a> {
            total: &'a mut Total,
            part: GradientsParams,
            size: &'a Tensor<1>,
        }
        impl ModuleVisitor for Add<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.part.remove::<D>(param.id) {
                    let size = self.size.clone().reshape([1; D]);
                    self.total.add_one(param, gradient * size);
                }
            }
        }
        module.visit(&mut Add {
            total: self,
            part: part.gradients,
            size,
        });
    }

    fn add_one<const D: usize>(&mut self, param: &Param<Tensor<D>>, gradient: Tensor<D>) {
        let sum = match self.gradients.remove::<D>(param.id) {
            Some(sum) => sum + gradient,
            None => gradient,
        };
        self.gradients.register(param.id, sum);
    }
}
