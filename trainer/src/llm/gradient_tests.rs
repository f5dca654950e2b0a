//! Every way to a gradient against burn's autodiff on sequences read one by one, which shares nothing with them.

use burn::module::{LoraAdapter, Module, ModuleVisitor, Param, Reparameterizer};
use burn::optim::GradientsParams;
use burn::tensor::{Distribution, Tensor, TensorData};
use curec_shared_model::qwen2::{PROJECTIONS, Qwen2, TokenBatch};

use super::cpu::tests::model;
use super::{GradientSettings, Sequence, gradient, token_scores};

const TEMPERATURE: f64 = 0.8;

const WAYS: [(&str, GradientSettings); 3] = [
    ("kernels", settings(true, false)),
    ("tensors", settings(false, false)),
    ("recomputed", settings(false, true)),
];

const fn settings(cpu_kernels: bool, recompute: bool) -> GradientSettings {
    GradientSettings {
        cpu_kernels,
        recompute,
    }
}

/// Branches of uneven lengths, one that is empty, a plain sequence, and branches without a prompt of their own.
fn sequences() -> Vec<Sequence> {
    let branches: [&[u32]; 4] = [&[4, 1, 5, 9, 2], &[6], &[], &[5, 3, 5]];
    let mut partly = Sequence::branching(&[20, 19], [&[3, 8, 1][..], &[2, 2]]);
    partly.positions = vec![3, 4, 6];
    let mut unshared = Sequence::branching(&[], [&[7, 1, 8][..], &[2, 8]]);
    unshared.positions = vec![2, 4];
    vec![
        Sequence::branching(&[3, 1, 4, 1, 5, 9], branches),
        Sequence::plain(vec![3, 1, 4, 1, 5, 9, 2, 6, 5], vec![3, 5, 6, 7, 8]),
        partly,
        unshared,
    ]
}

/// Some slope for every wanted token; the second sequence has none at all.
fn slopes(index: usize, count: usize) -> Vec<f32> {
    let one = |t: usize| {
        let value = ((index * 7 + t) as f32 * 1.3).sin();
        if index == 1 { 0.0 } else { value }
    };
    (0..count).map(one).collect()
}

/// `(log-probability, entropy)` tensors of each wanted token of one sequence, each text read alone.
fn alone(model: &Qwen2, sequence: &Sequence, adapters: bool) -> (Tensor<1>, Vec<f32>) {
    let (mut log_probs, mut entropies) = (Vec::new(), Vec::new());
    let prompt = sequence.prompt();
    let mut texts: Vec<(usize, Vec<u32>)> = vec![(0, prompt.to_vec())];
    let mut start = prompt.len();
    for branch in sequence.branch_ids() {
        texts.push((start, [prompt, branch].concat()));
        start += branch.len();
    }
    for (position, id) in sequence.positions.iter().map(|t| (*t, sequence.ids[*t])) {
        let text = texts.iter().rev();
        let mut text = text.filter(|(start, _)| *start <= position);
        let (start, text) = text
            .find(|(start, text)| *start == 0 || position < start + text.len() - prompt.len())
            .unwrap();
        let place = if *start == 0 {
            position
        } else {
            prompt.len() + position - start
        };
        assert_eq!(text[place], id);
        let hidden: Tensor<2> = model
            .hidden(&TokenBatch::left_padded(&[&text[..place]]), adapters)
            .squeeze_dim(0);
        let last = hidden.narrow(0, place - 1, 1);
        log_probs.push(model.log_probs(last.clone(), &[id], TEMPERATURE));
        let logits = model.logits(last).div_scalar(TEMPERATURE);
        let p = burn::tensor::activation::softmax(logits, 1);
        let p = p.try_into_vec_as::<f32>().unwrap();
        entropies.push(-p.iter().map(|p| p * p.ln()).sum::<f32>());
    }
    (Tensor::cat(log_probs, 0), entropies)
}

/// Compares two gradients parameter by parameter; what one lacks the other must lack too.
struct Compare<'a> {
    known: &'a GradientsParams,
    found: &'a GradientsParams,
    what: &'a str,
    seen: usize,
}

impl ModuleVisitor for Compare<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let what = self.what;
        let (known, found) = (self.known.get::<D>(param.id), self.found.get::<D>(param.id));
        assert_eq!(known.is_some(), found.is_some(), "{what}");
        let (Some(known), Some(found)) = (known, found) else {
            return;
        };
        let size = known.clone().abs().max().into_scalar::<f32>();
        let gap = (known - found).abs().max().into_scalar::<f32>();
        assert!(
            size > 0.0 && gap <= 2e-4 * size.max(1e-2),
            "{what}: gap {gap} of {size}"
        );
        self.seen += 1;
    }
}

fn compare(model: &Qwen2, ways: &[(&str, GradientSettings)], parameters: usize) {
    compare_with(model, model, ways, parameters);
}

/// `oracle` computes by burn's autodiff what `model` is to compute; its trainable parameters are the same.
fn compare_with(
    model: &Qwen2,
    oracle: &Qwen2,
    ways: &[(&str, GradientSettings)],
    parameters: usize,
) {
    let sequences = sequences();
    let mut loss = Tensor::<1>::zeros([1], &model.device());
    let mut known_scores = Vec::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let (log_probs, entropies) = alone(oracle, sequence, true);
        let values = log_probs.clone().try_into_vec_as::<f32>().unwrap();
        let slopes = slopes(index, values.len());
        let slopes = TensorData::new(slopes, [values.len()]);
        loss = loss + (log_probs * Tensor::from_data(slopes, &model.device())).sum();
        known_scores.push((values, entropies));
    }
    let known = GradientsParams::from_grads(loss.backward(), oracle);
    for (what, settings) in ways {
        let found = gradient(model, &sequences, TEMPERATURE, *settings, |index, found| {
            slopes(index, found.log_probs.len())
        });
        for (found, (log_probs, entropies)) in found.scores.iter().zip(&known_scores) {
            assert_eq!(found.log_probs.len(), log_probs.len());
            for (found, known) in found.log_probs.iter().zip(log_probs) {
                assert!((found - known).abs() < 1e-5, "{what}: {found} {known}");
            }
            for (found, known) in found.entropies.iter().zip(entropies) {
                assert!((found - known).abs() < 1e-5, "{what}: {found} {known}");
            }
        }
        let mut compare = Compare {
            known: &known,
            found: &found.gradients,
            what,
            seen: 0,
        };
        model.visit(&mut compare);
        assert_eq!(compare.seen, parameters, "{what}");
    }
}

#[test]
fn every_way_has_the_scores_and_gradients_of_texts_read_alone() {
    compare(&model(true), &WAYS, 26);
    compare(&model(false), &WAYS, 27);
}

/// A model whose adapters move something.
fn with_adapters(targets: &[&str]) -> Qwen2 {
    struct Wake;
    impl burn::module::ModuleMapper for Wake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.is_require_grad() {
                return param;
            }
            param.map(|x| {
                let noise = x.random_like(Distribution::Normal(0.0, 0.3));
                (x + noise).detach().require_grad()
            })
        }
    }
    let targets: Vec<String> = targets.iter().map(|name| (*name).to_owned()).collect();
    let model = model(true).with_lora(3, 6.0, false, &targets);
    model.map(&mut Wake)
}

#[test]
fn adapters_alone_have_gradients_wherever_they_sit() {
    compare(&with_adapters(&PROJECTIONS), &WAYS[1..], 2 * 2 * 7);
    compare(&with_adapters(&["q_proj", "v_proj"]), &WAYS[1..], 2 * 2 * 2);
}

/// Gives weights burn's own adapters, which add a dense `s·A·B` to `W`, with the factors of ours.
struct BurnLora<'a>(&'a Qwen2);

impl Reparameterizer for BurnLora<'_> {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let blocks = self.0.layers.iter().enumerate();
        let named = blocks.flat_map(|(index, block)| {
            let projections = block.projections().into_iter();
            projections.map(move |(name, one)| (format!("layers.{index}."), name, one))
        });
        let ours = named
            .filter(|(block, name, _)| {
                path.starts_with(block) && path.ends_with(&format!(".{name}.weight"))
            })
            .find_map(|(_, _, one)| one.lora.clone());
        let adapter = ours.map(|lora| LoraAdapter {
            a: lora.a,
            b: lora.b,
            scale: lora.scale,
        });
        (param.set_require_grad(false), adapter)
    }
}

#[test]
fn adapters_are_what_burns_own_are() {
    for targets in [&PROJECTIONS[..], &["o_proj", "down_proj"]] {
        let model = with_adapters(targets);
        let mut oracle = model.clone();
        for block in &mut oracle.layers {
            for (_, projection) in block.projections_mut() {
                projection.lora = None;
            }
        }
        let oracle = oracle.apply_reparameterization(BurnLora(&model));
        assert!(!oracle.has_lora());
        compare_with(&model, &oracle, &WAYS[1..], 2 * 2 * targets.len());
    }
}

#[test]
fn scores_without_adapters_are_those_of_the_base() {
    let model = with_adapters(&PROJECTIONS);
    for adapters in [true, false] {
        let scores = token_scores(&model, &sequences(), TEMPERATURE, adapters);
        for (found, sequence) in scores.iter().zip(sequences()) {
            let (known, _) = alone(&model, &sequence, adapters);
            let known = known.try_into_vec_as::<f32>().unwrap();
            for (found, known) in found.log_probs.iter().zip(&known) {
                assert!((found - known).abs() < 1e-5, "{adapters}: {found} {known}");
            }
        }
    }
}
