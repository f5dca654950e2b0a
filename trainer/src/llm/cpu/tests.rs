//! The kernels against burn's autodiff, and branching sequences against their branches.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use curec_shared_model::qwen2::{Qwen2, Qwen2Config, TokenBatch};

use super::{Network, Weights};
use crate::llm::Sequence;

/// A tiny model on the CPU, gradients on, every parameter random.
pub(crate) fn model(tied: bool) -> Qwen2 {
    let config = Qwen2Config {
        vocab_size: 23,
        hidden_size: 24,
        intermediate_size: 40,
        num_hidden_layers: 2,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        tie_word_embeddings: tied,
        max_position_embeddings: 64,
    };
    let device = Device::flex().autodiff();
    device.seed(11);
    let mut noisy = Noise;
    Qwen2::init(&config, &device).map(&mut noisy).train()
}

/// Adds noise to every parameter, so that unit norms and zero biases hide nothing.
struct Noise;

impl burn::module::ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|x| {
            let noise = x.random_like(burn::tensor::Distribution::Normal(0.0, 0.2));
            (x + noise).detach().require_grad()
        })
    }
}

struct Compare<'a> {
    burn: &'a GradientsParams,
    own: &'a GradientsParams,
    seen: usize,
}

impl ModuleVisitor for Compare<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (burn, own) = (
            self.burn.get::<D>(param.id).unwrap(),
            self.own.get::<D>(param.id).unwrap(),
        );
        let size = burn.clone().abs().max().into_scalar::<f32>();
        let gap = (burn - own).abs().max().into_scalar::<f32>();
        assert!(
            size > 0.0 && gap <= 2e-4 * size.max(1e-2),
            "gap {gap} of {size}"
        );
        self.seen += 1;
    }
}

#[test]
fn values_and_every_gradient_equal_burn_s_autodiff() {
    for tied in [true, false] {
        let model = model(tied);
        let sequences = [
            Sequence::plain(vec![3, 1, 4, 1, 5, 9, 2, 6, 5], vec![3, 5, 6, 7, 8]),
            Sequence::plain(vec![22, 7, 1, 8], vec![1, 3]),
            Sequence::plain(vec![2, 7, 1, 8, 2, 8], vec![5]),
        ];
        let outer = [
            vec![0.3f32, -1.0, 0.5, 2.0, -0.1],
            vec![1.5, -0.7],
            vec![0.9],
        ];
        let temperature = 0.8;
        // With logits of all wanted positions at once, and of two positions at a time.
        let vocabulary = model.config().vocab_size;
        let whole = Network::new(Weights::of(&model));
        let chunked = Network::new(Weights::of(&model)).with_logits(2 * vocabulary);
        let of = |network: &Network| {
            network.gradient(&sequences, temperature, |index, _| outer[index].clone())
        };
        let (values, gradient, _) = of(&whole);
        let (chunked_values, chunked_gradient, _) = of(&chunked);
        for (one, other) in values.iter().zip(&chunked_values) {
            assert_eq!(one.log_probs.len(), other.log_probs.len());
            for (one, other) in one.log_probs.iter().zip(&other.log_probs) {
                assert!((one - other).abs() < 1e-6, "{one} and {other}");
            }
            for (one, other) in one.entropies.iter().zip(&other.entropies) {
                assert!((one - other).abs() < 1e-6, "{one} and {other}");
            }
        }
        let mut loss: Option<Tensor<1>> = None;
        for ((sequence, outer), values) in sequences.iter().zip(&outer).zip(&values) {
            let hidden: Tensor<2> = model
                .hidden(&TokenBatch::left_padded(&[&sequence.ids]), true)
                .squeeze_dim(0);
            let rows: Vec<i64> = sequence.positions.iter().map(|t| *t as i64 - 1).collect();
            let targets: Vec<u32> = sequence
                .positions
                .iter()
                .map(|t| sequence.ids[*t])
                .collect();
            let rows = Tensor::from_data(TensorData::new(rows, [targets.len()]), &model.device());
            let log_probs =
                model.log_probs(hidden.select(0, rows), &targets, f64::from(temperature));
            let found = log_probs.clone().try_into_vec_as::<f32>().unwrap();
            for (own, burn) in values.log_probs.iter().zip(&found) {
                assert!((own - burn).abs() < 1e-5, "{own} against {burn}");
            }
            let outer = Tensor::<1>::from_floats(outer.as_slice(), &model.device());
            let part = (log_probs * outer).sum();
            loss = Some(match loss {
                Some(loss) => loss + part,
                None => part,
            });
        }
        let burn = GradientsParams::from_grads(loss.unwrap().backward(), &model);
        for gradient in [gradient, chunked_gradient] {
            let own = gradient.into_gradients(&model);
            let mut compare = Compare {
                burn: &burn,
                own: &own,
                seen: 0,
            };
            model.visit(&mut compare);
            assert_eq!(compare.seen, if tied { 26 } else { 27 });
        }
    }
}

#[test]
fn a_branching_sequence_is_its_branches_read_alone() {
    let model = model(true);
    let network = Network::new(Weights::of(&model));
    // Longer than a block of queries, so that blocks are crossed.
    let prompt: Vec<u32> = (0..70).map(|t| t * 7 % 23).collect();
    let branches: [&[u32]; 3] = [&[4, 1, 5, 9, 2], &[6], &[5, 3, 5]];
    let together = [Sequence::branching(&prompt, branches)];
    let alone = branches.map(|branch| {
        let ids = [prompt.as_slice(), branch].concat();
        Sequence::plain(ids, (70..70 + branch.len()).collect())
    });
    let outer = [0.3f32, -1.0, 0.5, 2.0, -0.1, 1.5, -0.7, 0.9, 0.2];
    let (found, gradient, _) = network.gradient(&together, 0.9, |_, _| outer.to_vec());
    let mut start = 0;
    let starts = branches.map(|branch| {
        start += branch.len();
        start - branch.len()
    });
    let (known, expected, _) = network.gradient(&alone, 0.9, |index, values| {
        outer[starts[index]..starts[index] + values.log_probs.len()].to_vec()
    });
    let known = known.iter().flat_map(|known| &known.log_probs);
    for (found, known) in found[0].log_probs.iter().zip(known) {
        assert!((found - known).abs() < 1e-5, "{found} against {known}");
    }
    let (own, burn) = (
        gradient.into_gradients(&model),
        expected.into_gradients(&model),
    );
    let mut compare = Compare {
        burn: &burn,
        own: &own,
        seen: 0,
    };
    model.visit(&mut compare);
    assert_eq!(compare.seen, 26);
}
