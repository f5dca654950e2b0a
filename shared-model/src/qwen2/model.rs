//! The Qwen2 decoder (Qwen2 technical report, arXiv 2407.10671): token ids in, hidden states and log-probabilities out.

use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};

use super::block::{Block, Pass, RmsNorm, Sight};
use super::branching::{Branches, Branching};
use super::cache::KvCache;
use super::config::Qwen2Config;
use super::precision::Precision;
use super::rope::Rotation;

/// Added to scores that may not be seen; finite, so that a fully masked row stays finite too.
pub(super) const MASKED: f32 = -1e9;

/// A decoder-only language model.
#[derive(Module, Debug)]
pub struct Qwen2 {
    /// `[vocab, hidden]`; also the output head when tied.
    pub embed_tokens: Param<Tensor<2>>,
    /// Decoder blocks, first to last.
    pub layers: Vec<Block>,
    /// Norm before the head.
    pub norm: RmsNorm,
    /// `[vocab, hidden]` when untied.
    pub lm_head: Option<Param<Tensor<2>>>,
    #[module(skip)]
    config: Qwen2Config,
}

/// Token ids of several sequences in one rectangle.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    ids: Vec<u32>,
    rows: usize,
    width: usize,
    /// Padding slots at the left of each row.
    pads: Vec<usize>,
}

impl TokenBatch {
    /// Pads on the left, so that all rows end together: for sampling.
    pub fn left_padded(sequences: &[&[u32]]) -> Self {
        Self::left_padded_to(sequences, 1)
    }

    /// The same, to a multiple of `bucket` slots.
    pub fn left_padded_to(sequences: &[&[u32]], bucket: usize) -> Self {
        let longest = sequences.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = longest.next_multiple_of(bucket.max(1));
        let pads: Vec<usize> = sequences.iter().map(|row| width - row.len()).collect();
        let mut ids = Vec::with_capacity(width * sequences.len());
        for (row, pad) in sequences.iter().zip(&pads) {
            ids.extend(std::iter::repeat_n(0, *pad));
            ids.extend_from_slice(row);
        }
        Self {
            ids,
            rows: sequences.len(),
            width,
            pads,
        }
    }

    /// Pads on the right to at least `width`: for training, where the causal mask alone hides the padding.
    pub fn right_padded(sequences: &[&[u32]], width: usize) -> Self {
        let longest = sequences.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = width.max(longest);
        let mut ids = Vec::with_capacity(width * sequences.len());
        for row in sequences {
            ids.extend_from_slice(row);
            ids.extend(std::iter::repeat_n(0, width - row.len()));
        }
        Self {
            ids,
            rows: sequences.len(),
            width,
            pads: vec![0; sequences.len()],
        }
    }

    /// The next token of each row, after everything that a cache holds.
    pub fn next_step(&self, ids: &[u32]) -> Self {
        Self {
            ids: ids.to_vec(),
            rows: ids.len(),
            width: 1,
            pads: self.pads.clone(),
        }
    }

    /// Keeps (or repeats) the given rows.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let ids = |row: &usize| {
            self.ids[row * self.width..(row + 1) * self.width]
                .iter()
                .copied()
        };
        Self {
            ids: rows.iter().flat_map(ids).collect(),
            rows: rows.len(),
            width: self.width,
            pads: rows.iter().map(|row| self.pads[*row]).collect(),
        }
    }

    /// Row by row, padding included.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// `[rows, width]`, padding included.
    pub fn dims(&self) -> [usize; 2] {
        [self.rows, self.width]
    }

    /// Padding slots at the left of each row.
    pub fn pads(&self) -> &[usize] {
        &self.pads
    }
}

impl Qwen2 {
    /// Random weights (normal, 0.02; residual outputs scaled down with depth).
    pub fn init(config: &Qwen2Config, device: &Device) -> Self {
        let std = 0.02;
        let table = || {
            let shape = [config.vocab_size, config.hidden_size];
            Param::from_tensor(Tensor::random(
                shape,
                Distribution::Normal(0.0, std),
                device,
            ))
        };
        Self {
            embed_tokens: table(),
            layers: (0..config.num_hidden_layers)
                .map(|_| Block::init(config, std, device))
                .collect(),
            norm: RmsNorm::init(config.hidden_size, config.rms_norm_eps, device),
            lm_head: (!config.tie_word_embeddings).then(table),
            config: config.clone(),
        }
    }

    pub(super) fn with_config(mut self, config: &Qwen2Config) -> Self {
        self.config = config.clone();
        for block in &mut self.layers {
            block.self_attn.set_heads(config);
        }
        self
    }

    /// The shape of this model.
    pub fn config(&self) -> &Qwen2Config {
        &self.config
    }

    /// The device the weights live on.
    pub fn device(&self) -> Device {
        self.embed_tokens.val().device()
    }

    /// An empty cache for `capacity` tokens a row.
    pub fn cache(&self, capacity: usize) -> KvCache {
        KvCache::new(self.layers.len(), capacity)
    }

    /// Last hidden states after the final norm, without a cache.
    ///
    /// # Shapes
    /// - returns `[rows, width, hidden]`; padding positions hold finite nonsense
    pub fn hidden(&self, batch: &TokenBatch, adapters: bool) -> Tensor<3> {
        self.forward(batch, adapters, None)
    }

    /// As [`Qwen2::hidden`], for tokens that follow those in `cache`; `batch` must have the same rows as the cache.
    pub fn hidden_cached(
        &self,
        batch: &TokenBatch,
        adapters: bool,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        self.forward(batch, adapters, Some(cache))
    }

    fn forward(
        &self,
        batch: &TokenBatch,
        adapters: bool,
        mut cache: Option<&mut KvCache>,
    ) -> Tensor<3> {
        let device = self.device();
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let [rows, width] = batch.dims();
        let span = cache.as_ref().map_or(width, |cache| cache.span(width));
        let pass = Pass {
            rotation: self.rotation(&positions(batch, past)),
            sight: Sight::Rows(causal_mask(batch, past, span, &device)),
            adapters,
        };
        let mut x = self.embed(&batch.ids, [rows, width]);
        for (index, layer) in self.layers.iter().enumerate() {
            let cache = cache.as_deref_mut().map(|cache| (cache, index));
            x = layer.forward(x, &pass, cache);
        }
        if let Some(cache) = cache {
            cache.advance(width);
        }
        self.norm.forward(x)
    }

    /// What the blocks need to run over a prompt and its branches.
    pub fn branching_pass(&self, layout: &Branching, adapters: bool) -> Pass {
        Pass {
            rotation: self.rotation(&[layout.positions().to_vec()]),
            sight: Sight::Branches(Branches::new(layout, &self.device())),
            adapters,
        }
    }

    /// Last hidden states after the final norm of a prompt and its branches, the prompt read once.
    ///
    /// # Shapes
    /// - returns `[1, slots, hidden]`; padding slots hold finite nonsense
    pub fn hidden_branching(&self, layout: &Branching, adapters: bool) -> Tensor<3> {
        let pass = self.branching_pass(layout, adapters);
        let mut x = self.embed(layout.ids(), [1, layout.ids().len()]);
        for layer in &self.layers {
            x = layer.forward(x, &pass, None);
        }
        self.norm.forward(x)
    }

    /// Embeddings of `ids`, `[rows, width, hidden]`.
    pub fn embed(&self, ids: &[u32], [rows, width]: [usize; 2]) -> Tensor<3> {
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let ids = TensorData::new(ids, [rows * width]);
        let ids = Tensor::<1, Int>::from_data(ids, &self.device());
        let rows = [rows, width, self.config.hidden_size];
        self.embed_tokens.val().select(0, ids).reshape(rows)
    }

    fn rotation(&self, positions: &[Vec<usize>]) -> Rotation {
        let Qwen2Config { rope_theta, .. } = self.config;
        Rotation::new(
            positions,
            self.config.head_dim(),
            rope_theta,
            &self.device(),
        )
    }

    /// Unnormalised log-probabilities over the vocabulary.
    ///
    /// # Shapes
    /// - `hidden`: `[n, hidden]` → `[n, vocab]`
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let head = self.lm_head.as_ref().unwrap_or(&self.embed_tokens);
        hidden.matmul(head.val().transpose())
    }

    /// `log p(targets[i] | …)` at temperature `temperature`, from the hidden state before each target.
    ///
    /// # Shapes
    /// - `hidden`: `[n, hidden]`, `targets`: `n` token ids → `[n]`
    pub fn log_probs(&self, hidden: Tensor<2>, targets: &[u32], temperature: f64) -> Tensor<1> {
        let device = hidden.device();
        let count = targets.len();
        let targets: Vec<i64> = targets.iter().map(|id| i64::from(*id)).collect();
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [count, 1]), &device);
        let mut logits = self.logits(hidden);
        if temperature != 1.0 {
            logits = logits.div_scalar(temperature);
        }
        log_softmax(logits, 1).gather(1, targets).reshape([count])
    }

    /// Attaches a LoRA adapter to every projection whose name is in `targets` and freezes everything else.
    pub fn with_lora(self, rank: usize, alpha: f64, rslora: bool, targets: &[String]) -> Self {
        let divisor = if rslora {
            (rank as f64).sqrt()
        } else {
            rank as f64
        };
        let scale = alpha / divisor;
        let mut model = self.no_grad();
        let wanted = |name: &str| targets.iter().any(|target| target == name);
        model.layers = model
            .layers
            .into_iter()
            .map(|mut block| {
                for (name, projection) in block.projections_mut() {
                    if wanted(name) {
                        *projection = projection.clone().with_lora(rank, scale);
                    }
                }
                block
            })
            .collect();
        model
    }

    /// The same model with the matrices of its blocks kept in `precision`, for good; they are frozen then, or must be before
    /// anything trains.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        for block in &mut self.layers {
            for (_, projection) in block.projections_mut() {
                *projection = projection.clone().with_precision(precision);
            }
        }
        self
    }

    /// In what the matrices of the blocks are kept.
    pub fn precision(&self) -> Precision {
        let first = self
            .layers
            .first()
            .map(|block| block.mlp.up_proj.weight.val().dtype());
        let same = |one: &Precision| Some(DType::from(one.dtype())) == first;
        Precision::ALL.into_iter().find(same).unwrap_or_default()
    }

    /// Whether any adapter is attached.
    pub fn has_lora(&self) -> bool {
        self.layers
            .iter()
            .any(|block| block.projections().iter().any(|(_, p)| p.lora.is_some()))
    }

    /// Adapters folded into the weights they adapt.
    pub fn merged(mut self) -> Self {
        self.layers = self
            .layers
            .into_iter()
            .map(|mut block| {
                for (_, projection) in block.projections_mut() {
                    *projection = projection.clone().merged();
                }
                block
            })
            .collect();
        self
    }
}

/// The names PEFT targets, in the order of the forward pass.
pub const PROJECTIONS: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

impl Block {
    /// Every projection under its Hugging Face name.
    pub fn projections(&self) -> [(&'static str, &super::projection::Projection); 7] {
        let (attention, mlp) = (&self.self_attn, &self.mlp);
        [
            ("q_proj", &attention.q_proj),
            ("k_proj", &attention.k_proj),
            ("v_proj", &attention.v_proj),
            ("o_proj", &attention.o_proj),
            ("gate_proj", &mlp.gate_proj),
            ("up_proj", &mlp.up_proj),
            ("down_proj", &mlp.down_proj),
        ]
    }

    /// Every projection under its Hugging Face name, to be replaced.
    pub fn projections_mut(&mut self) -> [(&'static str, &mut super::projection::Projection); 7] {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        [
            ("q_proj", &mut attention.q_proj),
            ("k_proj", &mut attention.k_proj),
            ("v_proj", &mut attention.v_proj),
            ("o_proj", &mut attention.o_proj),
            ("gate_proj", &mut mlp.gate_proj),
            ("up_proj", &mut mlp.up_proj),
            ("down_proj", &mut mlp.down_proj),
        ]
    }
}

/// Positions count real tokens only: padding never shifts a row.
fn positions(batch: &TokenBatch, past: usize) -> Vec<Vec<usize>> {
    let [_, width] = batch.dims();
    batch
        .pads
        .iter()
        .map(|pad| {
            (past..past + width)
                .map(|slot| slot.saturating_sub(*pad))
                .collect()
        })
        .collect()
}

/// Causal mask over `all` slots that also hides left padding; one shared plane when no row is padded.
fn causal_mask(batch: &TokenBatch, past: usize, all: usize, device: &Device) -> Tensor<5> {
    let [_, width] = batch.dims();
    let shared = [0];
    let pads = if batch.pads.iter().all(|pad| *pad == 0) {
        &shared[..]
    } else {
        &batch.pads[..]
    };
    let mut mask = Vec::with_capacity(pads.len() * width * all);
    for pad in pads {
        for query in past..past + width {
            let open = |key: usize| key <= query && (key >= *pad || key == query);
            mask.extend((0..all).map(|key| if open(key) { 0.0 } else { MASKED }));
        }
    }
    Tensor::<1>::from_floats(mask.as_slice(), device).reshape([pads.len(), 1, 1, width, all])
}
