//! The training pass over one batch: states of all events, logits of all examples, and the losses.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use curec_shared_model::reward::RewardModel;

use super::batch::HostBatch;
use super::config::RewardLoss;
use super::features::{Features, bools, floats, ints};
use super::state_loss::{Identity, Texts, state_loss};
use crate::fitting::{Mask, softplus};

/// A batch's events after the encoder; `P` is one less than the batch's events.
pub(crate) struct Encoded {
    /// `x` of every candidate of every event, `[B, E, 1 + n, 2d]`.
    inputs: Tensor<4>,
    /// `e(P_u)` at each event, `[B · E, d]`, where something has read them by now. What is computed and then not part of a loss burn keeps
    /// for as long as a parameter in it lives, and goes through at every step: nothing is computed before it is wanted.
    patterns: Option<Tensor<2>>,
    /// `[B, P]`: 1 where the example exists.
    pub(crate) weight: Tensor<2>,
    /// `H`, `[B, P, 2d]`.
    pub(crate) states: Tensor<3>,
}

/// Runs the encoder over every position of every window at once (METHOD §2; it is causal).
pub(crate) fn encode(
    model: &RewardModel,
    features: &Features,
    batch: &HostBatch,
    dropout: f32,
    device: &Device,
) -> Encoded {
    let config = model.config();
    let (rows, events, width) = (batch.windows, batch.events, config.width);
    let candidates = batch.items.len() / (rows * events);
    let moments = events - 1;

    let patterns =
        (!batch.reason_rows.is_empty()).then(|| patterns(model, features, batch, device));
    let matched = if let Some(patterns) = &patterns {
        let vectors = features.reasons;
        let table = batch
            .reason_rows
            .vectors(vectors.width(), |row| vectors.vector(row), device);
        let table = model.project_reasons(table);
        let (index, mask) = batch.reasons.rectangle();
        let reasons = batch.reasons.width();
        let index = ints(index, [rows * events * candidates * reasons], device);
        let shape = [rows * events, candidates, reasons, width];
        let mask = bools(mask, [rows * events, candidates, reasons], device);
        let keys = table.keys.select(0, index.clone()).reshape(shape);
        let values = table.values.select(0, index).reshape(shape);
        model
            .match_reasons(patterns.clone(), keys, values, mask)
            .vector
    } else {
        model.no_match(rows * events, candidates)
    };
    let items = ints(batch.items.clone(), [rows * events, candidates], device);
    let mut identities = model.identities(items);
    if let Some(seen) = batch
        .hidden
        .seen(batch.items.iter().map(|&item| item as u64))
    {
        identities = identities * floats(seen, [rows * events, candidates, 1], device);
    }
    let inputs =
        Tensor::cat(vec![identities, matched], 2).reshape([rows, events, candidates, 2 * width]);

    let history =
        inputs
            .clone()
            .slice([0..rows, 0..moments, 0..1])
            .reshape([rows, moments, 2 * width]);
    let history = Mask::new(dropout, batch.dropout_seeds.clone()).apply(history);
    let present = bools(batch.present.clone(), [rows, events], device);
    Encoded {
        inputs,
        patterns,
        weight: present.narrow(1, 1, moments).float(),
        states: model.encode_history(history),
    }
}

impl Encoded {
    /// `e(P_u)` at each event, `[B · E, d]`.
    fn patterns(&self, model: &RewardModel, features: &Features, batch: &HostBatch) -> Tensor<2> {
        let device = &self.states.device();
        (self.patterns.clone()).unwrap_or_else(|| patterns(model, features, batch, device))
    }
}

/// Logits of a batch's examples, `[B, P, 1 + n]`; candidate 0 is the one taken.
pub(crate) fn logits(
    model: &RewardModel,
    features: &Features,
    batch: &HostBatch,
    encoded: &Encoded,
) -> Tensor<3> {
    let (rows, events, width) = (batch.windows, batch.events, model.config().width);
    let moments = events - 1;
    let device = &encoded.states.device();
    let past = bools(batch.present.clone(), [rows, events], device).narrow(1, 0, moments);

    // Example p is the choice of event p + 1; it sees events 0..=p.
    let future = Tensor::<2, burn::tensor::Bool>::tril_mask([moments, moments], 0, device);
    let visible = past
        .unsqueeze_dim::<3>(1)
        .expand([rows, moments, moments])
        .bool_and(
            future
                .bool_not()
                .unsqueeze::<3>()
                .expand([rows, moments, moments]),
        );
    let step = Tensor::<1, Int>::arange(0..moments as i64, device);
    let ages = (step.clone().unsqueeze_dim::<2>(1) - step.unsqueeze::<2>()).clamp_min(0);
    let targets = encoded.inputs.clone().narrow(1, 1, moments);
    let interest = model.interest(
        encoded.states.clone(),
        targets.clone(),
        visible,
        ages.unsqueeze::<3>(),
    );
    let patterns = encoded
        .patterns(model, features, batch)
        .reshape([rows, events, width])
        .narrow(1, 1, moments);
    model.logits(interest.vector, targets, patterns)
}

fn patterns(
    model: &RewardModel,
    features: &Features,
    batch: &HostBatch,
    device: &Device,
) -> Tensor<2> {
    let slots = batch.windows * batch.events;
    let none = model.no_pattern.val().unsqueeze::<2>();
    if batch.pattern_rows.is_empty() || !model.config().use_patterns {
        return none.expand([slots, model.config().width]);
    }
    let store = features.patterns;
    let vectors = batch
        .pattern_rows
        .vectors(store.width(), |row| store.vector(row), device);
    let encoded = model
        .encode_text(vectors)
        .select(0, ints(batch.patterns.clone(), [slots], device));
    let there = batch
        .pattern_present
        .iter()
        .map(|&present| f32::from(present))
        .collect();
    let there = floats(there, [slots, 1], device);
    encoded * there.clone() + none * there.neg().add_scalar(1.0)
}

/// Cross-entropy of each example's item by the dot product of its state with `x` against the batch's catalogue, summed over examples
/// and divided by `total`: what the model would be trained by if the newest state alone decided. Nothing where items have neither
/// embeddings nor reasons.
pub(crate) fn auxiliary_loss(
    model: &RewardModel,
    features: &Features,
    batch: &HostBatch,
    encoded: &Encoded,
    total: usize,
    device: &Device,
) -> Option<Tensor<1>> {
    let [rows, moments, both] = encoded.states.dims();
    let width = model.config().width;
    let catalogue = &batch.catalogue;
    // Padding meets nothing.
    let (mut states, mut slots) = (Vec::new(), Vec::new());
    for row in 0..rows {
        for moment in 0..moments {
            let slot = row * (moments + 1) + moment + 1;
            if batch.present[slot] {
                states.push((row * moments + moment) as i32);
                slots.push(slot as i32);
            }
        }
    }
    let count = states.len();
    let states = (encoded.states.clone())
        .reshape([rows * moments, both])
        .select(0, ints(states, [count], device));
    let identity = model.config().use_ids.then(|| {
        let count = catalogue.items.len();
        let items = catalogue.items.iter().map(|&item| item as i32).collect();
        let mut items = (model.item.weight.val()).select(0, ints(items, [count], device));
        let seen = (batch.hidden).seen(catalogue.items.iter().map(|&item| u64::from(item)));
        if let Some(seen) = seen {
            items = items * floats(seen, [count, 1], device);
        }
        Identity {
            states: states.clone().narrow(1, 0, width),
            items,
        }
    });
    let texts = (!catalogue.rows.is_empty()).then(|| {
        let store = features.reasons;
        let mut vectors = Vec::with_capacity(catalogue.rows.len() * store.width());
        for &row in &catalogue.rows {
            vectors.extend_from_slice(store.vector(row));
        }
        let table = model.project_reasons(floats(
            vectors,
            [catalogue.rows.len(), store.width()],
            device,
        ));
        let patterns = encoded
            .patterns(model, features, batch)
            .select(0, ints(slots, [count], device));
        Texts {
            probe: model.probe(states.narrow(1, width, width), patterns),
            keys: table.keys,
            values: table.values,
            heads: model.config().heads,
        }
    });
    if identity.is_none() && texts.is_none() {
        return None;
    }
    let weights = vec![1.0 / total as f32; count];
    Some(state_loss(identity, texts, catalogue, &weights, device))
}

/// Sum of the examples' losses divided by `total` examples.
///
/// # Shapes
/// logits `[B, P, 1 + n]`, weight `[B, P]` (1 where the example exists) → `[1]`.
pub(crate) fn loss(
    logits: Tensor<3>,
    weight: Tensor<2>,
    kind: RewardLoss,
    total: usize,
) -> Tensor<1> {
    let [rows, moments, candidates] = logits.dims();
    let per_example = match kind {
        RewardLoss::BinaryCrossEntropy => {
            // −log σ(s) for the positive, −log σ(−s) for negatives: softplus(∓s), mean over the candidates.
            let mut sign = vec![1.0f32; candidates];
            sign[0] = -1.0;
            let sign = floats(sign, [1, 1, candidates], &weight.device());
            softplus(logits * sign).mean_dim(2).reshape([rows, moments])
        }
        RewardLoss::SampledSoftmax | RewardLoss::CrossEntropy => log_softmax(logits, 2)
            .narrow(2, 0, 1)
            .neg()
            .reshape([rows, moments]),
    };
    (per_example * weight).sum().div_scalar(total as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitting::epoch_batches;
    use crate::reward::batch::Sampler;
    use crate::reward::tests::{config, data, features, stores, untrained};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn mean(values: [[[f32; 3]; 2]; 1], kind: RewardLoss, total: usize) -> f32 {
        let device = Device::flex();
        let weight = Tensor::from_floats([[1.0, 0.0]], &device);
        loss(Tensor::from_floats(values, &device), weight, kind, total).into_scalar::<f32>()
    }

    #[test]
    fn losses_by_hand() {
        // BCE: (−ln σ(ln 3) − ln σ(0) − ln σ(ln 4)) / 3 = (ln 4/3 + ln 2 + ln 5/4) / 3 = ln(10/3) / 3
        let scores = [[[3f32.ln(), 0.0, -(4f32.ln())], [90.0, -90.0, 5.0]]];
        let bce = mean(scores, RewardLoss::BinaryCrossEntropy, 1);
        assert!((bce - (10f32 / 3.0).ln() / 3.0).abs() < 1e-6, "{bce}");
        // Softmax: −ln(3 / (3 + 1 + 1/4)) = ln(17/12); halved by a total of two examples
        let softmax = mean(scores, RewardLoss::SampledSoftmax, 2);
        assert!(
            (softmax - (17f32 / 12.0).ln() / 2.0).abs() < 1e-6,
            "{softmax}"
        );
    }

    /// burn keeps what is computed from a parameter and then read by no loss, and looks at all of it in every backward pass: an epoch of
    /// IDs took four times as long after ten thousand steps as at first.
    #[test]
    fn patterns_are_computed_where_something_reads_them() {
        let data = data(20);
        let stores = stores(&data);
        let features = features(&data, &stores);
        let model = untrained(&data);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let windows = epoch_batches(&data, 6, 8, &mut rng).remove(0);
        let sampler = Sampler::new(features, &config());
        for (sampler, read) in [(sampler.of_identities(0), false), (sampler, true)] {
            let batch = sampler.gather(&windows, 0, 9).unwrap();
            let encoded = encode(&model, &features, &batch, 0.0, &Device::flex());
            assert_eq!(encoded.patterns.is_some(), read);
        }
    }
}
