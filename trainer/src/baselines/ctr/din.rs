//! DIN (Zhou et al. 2018, §4): fields as vectors, past items weighed against the one at hand, a network with Dice on top.
//!
//! An item's vector is `[ID ; year ; mean of its genres]`. The weighing unit is the ranking model's
//! ([`InterestUnit`]: `a_j = MLP([h_j, x, h_j − x, h_j ⊙ x])`, without a softmax), computed in another order: here every history
//! meets one candidate only, so what depends on a past item alone is computed once per item of the catalogue and looked up.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use curec_shared_model::reward::{Activation, ActivationKind, InterestUnit, RewardConfig};

use super::DinConfig;
use super::data::{CtrData, Example};

/// DIN's parameters.
#[derive(Module, Debug)]
pub(super) struct Din {
    /// User ID, gender, age, occupation.
    user: Vec<Embedding>,
    item: Embedding,
    year: Embedding,
    /// `[genres, embedding]`
    genre: Param<Tensor<2>>,
    pub(super) interest: InterestUnit,
    layers: Vec<Linear>,
    activations: Vec<Activation>,
    output: Linear,
}

/// What is known of all items.
pub(super) struct Catalogue {
    /// `[items]`
    years: Tensor<1, Int>,
    /// A row's genres share 1, `[items, genres]`.
    genres: Tensor<2>,
}

/// Examples as tensors.
pub(super) struct Batch {
    /// User ID, gender, age, occupation, each `[B]`.
    user: [Tensor<1, Int>; 4],
    /// `[B]`
    candidate: Tensor<1, Int>,
    /// Newest first, padded with item 0, `[B · T]`.
    history: Tensor<1, Int>,
    /// 1 where the history has an item, `[B, T]`.
    mask: Tensor<2>,
    /// `[B]`
    pub(super) labels: Tensor<1>,
}

impl Din {
    pub(super) fn new(config: &DinConfig, data: &CtrData, device: &Device) -> Self {
        let width = config.embedding;
        let deviation = 0.05;
        let normal = || Initializer::Normal {
            mean: 0.0,
            std: deviation,
        };
        let embedding = |rows: usize| {
            EmbeddingConfig::new(rows, width)
                .with_initializer(normal())
                .init(device)
        };
        let [genders, ages, occupations, years, genres] = data.sizes;
        let interest = RewardConfig {
            width: 3 * width / 2, // the unit doubles it
            interest_hidden: config.interest_hidden,
            activation: ActivationKind::Prelu,
            use_recency: false,
            ..RewardConfig::default()
        };
        // User fields, candidate, interest, and their product.
        let mut before = 4 * width + 3 * (3 * width);
        let (mut layers, mut activations) = (Vec::new(), Vec::new());
        for &hidden in &config.hidden {
            layers.push(LinearConfig::new(before, hidden).init(device));
            activations.push(Activation::new(ActivationKind::Dice, hidden, device));
            before = hidden;
        }
        Self {
            user: [data.users.len(), genders, ages, occupations]
                .map(embedding)
                .into(),
            item: embedding(data.years.len()),
            year: embedding(years),
            genre: normal().init([genres.max(1), width], device),
            interest: InterestUnit::new(&interest, device),
            layers,
            activations,
            output: LinearConfig::new(before, 1).init(device),
        }
    }

    /// Values that go into the network, for one example.
    pub(super) fn inputs(config: &DinConfig) -> usize {
        13 * config.embedding
    }

    /// Logits, `[B]`. `kept`: what each of the network's inputs is multiplied with, `[B, inputs]`.
    pub(super) fn forward(
        &self,
        catalogue: &Catalogue,
        batch: &Batch,
        kept: Option<Tensor<2>>,
    ) -> Tensor<1> {
        let year = self.year.weight.val().select(0, catalogue.years.clone());
        let genre = catalogue.genres.clone().matmul(self.genre.val());
        let table = Tensor::cat(vec![self.item.weight.val(), year, genre], 1);
        let candidate = table.clone().select(0, batch.candidate.clone());
        let interest = interest(&self.interest, &table, candidate.clone(), batch);
        let mut inputs: Vec<Tensor<2>> = self
            .user
            .iter()
            .zip(&batch.user)
            .map(|(field, index)| field.weight.val().select(0, index.clone()))
            .collect();
        inputs.extend([candidate.clone(), interest.clone(), candidate * interest]);
        let mut state = Tensor::cat(inputs, 1);
        if let Some(kept) = kept {
            state = state * kept;
        }
        for (layer, activation) in self.layers.iter().zip(&self.activations) {
            state = activation.forward(layer.forward(state));
        }
        self.output.forward(state).squeeze_dim(1)
    }
}

/// `z = Σ_j a_j h_j` for one candidate a history, `[B, C]`; `table` holds the vectors of all items, `[items, C]`.
pub(super) fn interest(
    unit: &InterestUnit,
    table: &Tensor<2>,
    candidate: Tensor<2>,
    batch: &Batch,
) -> Tensor<2> {
    let [rows, length] = batch.mask.dims();
    let [hidden, width] = unit.state.dims();
    let difference = unit.difference.val();
    // W [h, x, h − x, h ⊙ x] = (W₁ + W₃) h + (W₂ − W₃) x + W₄ (h ⊙ x)
    let of_state = table
        .clone()
        .matmul((unit.state.val() + difference.clone()).transpose())
        + unit.bias.val().unsqueeze::<2>();
    let of_candidate = candidate
        .clone()
        .matmul((unit.candidate.val() - difference).transpose());
    let states = table
        .clone()
        .select(0, batch.history.clone())
        .reshape([rows, length, width]);
    let product = (states.clone() * candidate.unsqueeze_dim::<3>(1))
        .reshape([rows * length, width])
        .matmul(unit.product.val().transpose());
    let before = (product + of_state.select(0, batch.history.clone()))
        .reshape([rows, length, hidden])
        + of_candidate.unsqueeze_dim::<3>(1);
    let weights = unit
        .activation
        .forward(before.reshape([rows * length, hidden]))
        .matmul(unit.output.val().unsqueeze_dim::<2>(1))
        + unit.output_bias.val().unsqueeze::<2>();
    let weights = weights.reshape([rows, length]) * batch.mask.clone();
    weights
        .unsqueeze_dim::<3>(1)
        .matmul(states)
        .reshape([rows, width])
}

impl Catalogue {
    pub(super) fn new(data: &CtrData, device: &Device) -> Self {
        let genres = data.sizes[4].max(1);
        let mut shares = vec![0.0f32; data.genres.len() * genres];
        for (item, own) in data.genres.iter().enumerate() {
            for &genre in own {
                shares[item * genres + genre as usize] += 1.0 / own.len() as f32;
            }
        }
        let shape = [data.genres.len(), genres];
        Self {
            years: indices(data.years.iter().map(|&year| year as i32), device),
            genres: Tensor::from_data(TensorData::new(shares, shape), device),
        }
    }
}

impl Batch {
    /// `length`: items of each history at most.
    pub(super) fn new(
        data: &CtrData,
        examples: &[Example],
        length: usize,
        device: &Device,
    ) -> Self {
        let rows = examples.len();
        let (mut history, mut mask) = (vec![0i32; rows * length], vec![0f32; rows * length]);
        for (row, example) in examples.iter().enumerate() {
            let past = &data.items[example.user as usize][..example.position as usize];
            for (place, &item) in past.iter().rev().take(length).enumerate() {
                history[row * length + place] = item as i32;
                mask[row * length + place] = 1.0;
            }
        }
        let field = |of: &dyn Fn(&Example) -> u32| {
            indices(examples.iter().map(|example| of(example) as i32), device)
        };
        let user = |example: &Example| data.users[example.user as usize];
        let labels = examples
            .iter()
            .map(|example| f32::from(u8::from(example.label)));
        let labels: Vec<f32> = labels.collect();
        Self {
            user: [
                field(&|example| example.user),
                field(&|example| user(example).gender),
                field(&|example| user(example).age),
                field(&|example| user(example).occupation),
            ],
            candidate: field(&|example| example.item),
            history: indices(history.into_iter(), device),
            mask: Tensor::from_data(TensorData::new(mask, [rows, length]), device),
            labels: Tensor::from_data(TensorData::new(labels, [rows]), device),
        }
    }
}

fn indices(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.collect();
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}
