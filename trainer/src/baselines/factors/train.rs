//! The training loop of BPR-MF and LightGCN.

use std::sync::atomic::Ordering;
use std::time::Instant;

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::FactorConfig;
use super::graph::Graph;
use super::ranker::FactorRanker;
use super::sample::{Batch, Pairs};
use crate::baselines::error::BaselineError;
use crate::baselines::registry::FitContext;
use crate::baselines::validation::{Choice, Validation};
use crate::reward::{TrainingEvent, TrainingReport};

const STEPS_PER_EVENT: usize = 20;

/// The learned vectors: all users', then all items', `[users + items, width]`.
#[derive(Module, Debug)]
pub(super) struct Vectors {
    pub(super) table: Param<Tensor<2>>,
}

/// Trains until validation stops improving; the vectors of the best epoch.
pub(in crate::baselines) fn fit(
    config: &FactorConfig,
    context: FitContext,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(FactorRanker, TrainingReport, usize), BaselineError> {
    let data = context.data;
    let pairs = Pairs::new(data);
    if pairs.len() == 0 {
        return Err(BaselineError::NoTraining);
    }
    let nodes = data.users.len() + data.items.len();
    let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
    let training = context.device.clone().autodiff();
    let mut run = Run {
        config,
        context,
        graph: (config.layers > 0).then(|| Graph::new(data)),
        pairs,
        vectors: Vectors {
            table: Param::from_tensor(start(nodes, config.width, &mut rng, &training)),
        },
        optimizer: AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.0)
            .init(),
        rng,
    };
    observer(&TrainingEvent::Start {
        epochs: config.epochs,
        examples: run.pairs.len(),
        parameters: nodes * config.width,
        threads: 1,
    });
    let mut validation = Validation::new(&context, config.patience)?;
    for epoch in 1..=config.epochs {
        let started = Instant::now();
        let loss = run.epoch(epoch, observer)?;
        let ranker = run.ranker()?;
        let seconds = started.elapsed().as_secs_f64();
        let choice = validation.epoch((epoch, loss, run.pairs.len()), seconds, ranker, observer)?;
        if choice == Choice::Stop {
            break;
        }
    }
    let (ranker, report) = validation.finish()?;
    Ok((ranker, report, nodes * config.width))
}

/// Normal with deviation 0.1, as LightGCN's authors begin.
fn start(rows: usize, width: usize, rng: &mut ChaCha8Rng, device: &Device) -> Tensor<2> {
    let mut normal = || {
        // Box and Muller; 1 − u lies in (0, 1], so the logarithm is finite.
        let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
        let value = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        0.1 * value as f32
    };
    let values: Vec<f32> = (0..rows * width).map(|_| normal()).collect();
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

struct Run<'a> {
    config: &'a FactorConfig,
    context: FitContext<'a>,
    graph: Option<Graph>,
    pairs: Pairs,
    vectors: Vectors,
    optimizer: ModuleOptimizer,
    rng: ChaCha8Rng,
}

impl Run<'_> {
    /// One pass over all pairs; the mean loss.
    fn epoch(
        &mut self,
        epoch: usize,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<f32, BaselineError> {
        self.pairs.shuffle(&mut self.rng);
        let steps = self.pairs.len().div_ceil(self.config.batch);
        let (mut total, mut recent, mut recent_steps) = (0f64, 0f32, 0usize);
        for step in 0..steps {
            if self.context.stop.load(Ordering::Relaxed) {
                return Err(BaselineError::Interrupted);
            }
            let first = step * self.config.batch;
            let batch = self.pairs.batch(first, self.config.batch, &mut self.rng);
            let (gradient, loss) =
                gradient(&self.vectors, self.graph.as_ref(), &batch, self.config)?;
            if !loss.is_finite() {
                return Err(BaselineError::Diverged { epoch, loss });
            }
            let mut gradients = GradientsParams::new();
            gradients.register(self.vectors.table.id, gradient);
            let rate = self.config.learning_rate;
            self.vectors = self.optimizer.step(rate, self.vectors.clone(), gradients);
            total += f64::from(loss) * batch.users.len() as f64;
            recent += loss;
            recent_steps += 1;
            if recent_steps == STEPS_PER_EVENT || step + 1 == steps {
                observer(&TrainingEvent::Step {
                    epoch,
                    step: step + 1,
                    steps,
                    loss: recent / recent_steps as f32,
                    learning_rate: rate,
                });
                (recent, recent_steps) = (0.0, 0);
            }
        }
        Ok((total / self.pairs.len() as f64) as f32)
    }

    /// The model as it is now.
    fn ranker(&self) -> Result<FactorRanker, BaselineError> {
        let table = self.vectors.table.val().inner();
        let mut vectors = host(table)?;
        if let Some(graph) = &self.graph {
            vectors = graph.smooth(&vectors, self.config.width, self.config.layers);
        }
        let users = self.context.data.users.len();
        Ok(FactorRanker::new(
            &vectors,
            users,
            self.config.width,
            self.context.device,
        ))
    }
}

/// Gradient of a batch's mean loss by the table (a plain tensor, `[nodes, width]`), and the BPR part of that loss.
pub(super) fn gradient(
    vectors: &Vectors,
    graph: Option<&Graph>,
    batch: &Batch,
    config: &FactorConfig,
) -> Result<(Tensor<2>, f32), BaselineError> {
    let table = vectors.table.val();
    let device = table.device();
    let smoothed = match graph {
        None => None,
        Some(graph) => {
            let vectors = host(table.clone().inner())?;
            let vectors = graph.smooth(&vectors, config.width, config.layers);
            let shape = [graph.nodes(), config.width];
            let vectors = Tensor::<2>::from_data(TensorData::new(vectors, shape), &device);
            Some(vectors.require_grad())
        }
    };
    let scoring = smoothed.clone().unwrap_or_else(|| table.clone());
    let bpr = bpr_loss(&scoring, batch);
    let loss = bpr.clone().into_scalar::<f32>();
    let penalty = penalty(&table, batch).mul_scalar(config.regularisation);
    let mut gradients = (bpr + penalty).backward();
    let missing = || BaselineError::Device("a gradient is missing".to_owned());
    let own = table.grad_remove(&mut gradients).ok_or_else(missing)?;
    let (Some(graph), Some(smoothed)) = (graph, smoothed) else {
        return Ok((own, loss));
    };
    // P is symmetric: the chain rule is the same product again.
    let outer = smoothed.grad_remove(&mut gradients).ok_or_else(missing)?;
    let shape = outer.dims();
    let outer = graph.smooth(&host(outer)?, config.width, config.layers);
    let outer = Tensor::<2>::from_data(TensorData::new(outer, shape), &own.device());
    Ok((own + outer, loss))
}

/// `mean −ln σ(u · i − u · j)`
pub(super) fn bpr_loss(vectors: &Tensor<2>, batch: &Batch) -> Tensor<1> {
    let device = vectors.device();
    let rows = |rows: &[i32]| vectors.clone().select(0, indices(rows, &device));
    let margin = rows(&batch.taken) - rows(&batch.drawn);
    let margin = (rows(&batch.users) * margin).sum_dim(1);
    softplus(margin.neg(), 1.0).mean()
}

/// `mean ½ (‖u‖² + ‖i‖² + ‖j‖²)` of the learned vectors.
pub(super) fn penalty(table: &Tensor<2>, batch: &Batch) -> Tensor<1> {
    let device = table.device();
    let all = [&batch.users, &batch.taken, &batch.drawn];
    let rows: Vec<i32> = all.into_iter().flatten().copied().collect();
    let rows = table.clone().select(0, indices(&rows, &device));
    let share = 0.5 / batch.users.len() as f64;
    rows.powi_scalar(2).sum().mul_scalar(share)
}

fn indices(rows: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(rows.to_vec(), [rows.len()]), device)
}

fn host(tensor: Tensor<2>) -> Result<Vec<f32>, BaselineError> {
    let values = tensor.into_data().try_to_vec::<f32>();
    values.map_err(|error| BaselineError::Device(format!("{error:?}")))
}
