//! Cross-entropy of states against item inputs `x = [e ; m]` of many items at once, each as the example's moment and pattern show it.
//!
//! A state `h` scores an item by `h · x`: the half that meets ID embeddings by a product with all of them, the half that meets `m` by
//! attention over the item's visible reasons, of which nothing but two products with *all* reasons is ever formed
//! ([`Probe`]): no `m`, no list per example. On a CPU value and gradients are computed by hand ([`by_hand`]).

mod by_hand;

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use curec_shared_model::reward::Probe;

use self::by_hand::Leaves;
use super::catalogue::Catalogue;
use super::features::{bools, ints};

/// Logit of what does not compete.
const ABSENT: f32 = -1e9;

/// The half of states that meets ID embeddings.
pub(crate) struct Identity {
    /// `[n, d]`
    pub(crate) states: Tensor<2>,
    /// Embeddings of the catalogue's items, `[C, d]`.
    pub(crate) items: Tensor<2>,
}

/// The half that meets reasons.
pub(crate) struct Texts {
    /// Of `n` states.
    pub(crate) probe: Probe,
    /// Of the catalogue's reasons, `[R, d]`.
    pub(crate) keys: Tensor<2>,
    /// `[R, d]`
    pub(crate) values: Tensor<2>,
    /// Attention heads.
    pub(crate) heads: usize,
}

/// `Σ weight · cross-entropy` of the item that each example took, with gradients to everything in `identity` and `texts`: `[1]`.
pub(crate) fn state_loss(
    identity: Option<Identity>,
    texts: Option<Texts>,
    catalogue: &Catalogue,
    weights: &[f32],
    device: &Device,
) -> Tensor<1> {
    let on_cpu = device.clone().inner() == Device::flex();
    match (on_cpu, Leaves::new(&identity, &texts)) {
        (true, Some(mut leaves)) => {
            let loss = leaves.differentiate(catalogue, weights);
            // What depends on the parameters is linear in all inputs with the gradients as coefficients: burn differentiates
            // that, and the value is put right by a constant.
            let linear = leaves.linear();
            let value = linear.clone().detach();
            linear - value + Tensor::from_floats([loss as f32], device)
        }
        _ => by_tensors(identity, texts, catalogue, weights, device),
    }
}

/// The same by burn, on any device; here the logits of all these examples exist at once.
fn by_tensors(
    identity: Option<Identity>,
    texts: Option<Texts>,
    catalogue: &Catalogue,
    weights: &[f32],
    device: &Device,
) -> Tensor<1> {
    let (count, shared) = (weights.len(), catalogue.shared);
    let taken = catalogue.taken.iter().map(|&own| own as i32).collect();
    let taken = ints::<1>(taken, [count], device);
    let mut logits = Tensor::zeros([count, shared], device);
    let mut own = Tensor::zeros([count, 1], device);
    if let Some(Identity { states, items }) = identity {
        own = own + (items.clone().select(0, taken.clone()) * states.clone()).sum_dim(1);
        logits = logits + states.matmul(items.narrow(0, 0, shared).transpose());
    }
    if let Some(texts) = texts {
        own = own + own_logits(&texts, catalogue, device);
        logits = logits + text_logits(&texts, catalogue, device);
    }
    // Who took a shared item has it among them.
    let outside = catalogue.taken.iter().map(|&own| own as usize >= shared);
    let inside = bools::<2>(outside.map(|out| !out).collect(), [count, 1], device);
    let logits = Tensor::cat(vec![logits, own.mask_fill(inside, ABSENT)], 1);
    let taken = taken.clamp_max(shared as i64).reshape([count, 1]);
    let weights = TensorData::new(weights.to_vec(), [count, 1]);
    let scores = log_softmax(logits, 1).gather(1, taken);
    (scores * Tensor::<2>::from_data(weights, device))
        .sum()
        .neg()
}

/// Lists of visible rows as a rectangle: indices, and whether they are there.
struct Rectangle {
    longest: usize,
    index: Vec<i32>,
    there: Vec<bool>,
}

impl Rectangle {
    fn new(ranges: &[(u32, u32)]) -> Self {
        let longest = (ranges.iter())
            .map(|(from, to)| (to - from) as usize)
            .max()
            .unwrap_or(0)
            .max(1);
        let slots = ranges.iter().flat_map(|&(from, to)| {
            (0..longest as u32).map(move |slot| (from + slot < to).then_some(from + slot))
        });
        let (index, there) = slots
            .map(|row| (row.unwrap_or(0) as i32, row.is_some()))
            .unzip();
        Self {
            longest,
            index,
            there,
        }
    }
}

/// `h · m` of the shared items, `[n, S]`.
fn text_logits(texts: &Texts, catalogue: &Catalogue, device: &Device) -> Tensor<2> {
    let [count, all] = texts.probe.query.dims();
    let columns = catalogue.shared;
    let width = all / texts.heads;
    let Rectangle {
        longest,
        index,
        there,
    } = Rectangle::new(&catalogue.visible);
    let index: Tensor<2, Int> = ints(index, [count, columns * longest], device);
    let there: Tensor<3, Bool> = bools(there, [count, columns, longest], device);
    let any = there.clone().any_dim(2).float().reshape([count, columns]);
    let (some, none) = (texts.probe.some.clone(), texts.probe.none.clone());
    let mut logits = some * any.clone() + none * any.neg().add_scalar(1.0);
    for head in 0..texts.heads {
        let part = |tensor: &Tensor<2>| tensor.clone().narrow(1, head * width, width);
        let spread = |left: &Tensor<2>, right: &Tensor<2>| {
            part(left)
                .matmul(part(right).transpose())
                .gather(1, index.clone())
                .reshape([count, columns, longest])
        };
        let attention =
            spread(&texts.probe.query, &texts.keys).mask_fill(there.clone().bool_not(), ABSENT);
        let attention = softmax(attention, 2) * there.clone().float();
        let inner = spread(&texts.probe.gate, &texts.values);
        logits = logits + (attention * inner).sum_dim(2).reshape([count, columns]);
    }
    logits
}

/// `h · m` of each example's own item, `[n, 1]`.
fn own_logits(texts: &Texts, catalogue: &Catalogue, device: &Device) -> Tensor<2> {
    let [count, all] = texts.probe.query.dims();
    let (heads, width) = (texts.heads, all / texts.heads);
    let Rectangle {
        longest,
        index,
        there,
    } = Rectangle::new(&catalogue.own);
    let index: Tensor<1, Int> = ints(index, [count * longest], device);
    let there: Tensor<3, Bool> = bools(there, [count, longest, 1], device);
    // [n, K, heads]
    let meet = |left: &Tensor<2>, right: &Tensor<2>| {
        let right = right
            .clone()
            .select(0, index.clone())
            .reshape([count, longest, heads, width]);
        (left.clone().reshape([count, 1, heads, width]) * right)
            .sum_dim(3)
            .reshape([count, longest, heads])
    };
    let absent = there.clone().bool_not().expand([count, longest, heads]);
    let attention = meet(&texts.probe.query, &texts.keys).mask_fill(absent, ABSENT);
    let attention = softmax(attention, 1) * there.clone().float();
    let inner = meet(&texts.probe.gate, &texts.values);
    let any = there.any_dim(1).float().reshape([count, 1]);
    let (some, none) = (texts.probe.some.clone(), texts.probe.none.clone());
    (attention * inner)
        .sum_dim(2)
        .sum_dim(1)
        .reshape([count, 1])
        + some * any.clone()
        + none * any.neg().add_scalar(1.0)
}

#[cfg(test)]
mod tests {
    use super::by_hand::ROWS;
    use super::*;
    use burn::tensor::Distribution;

    /// Two examples; items 5 and 6 for both, item 7 for the one that took it.
    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::new(vec![5, 6]);
        catalogue.take(6);
        catalogue.take(7);
        catalogue
    }

    #[test]
    fn ids_by_hand() {
        // States (1, 0) and (0, 2) against (1, 0), (0, 1), (1, 1): logits 1, 0 and 0, 2, 2. The first took the second of two
        // (log(1 + e)), weight ½; the second the third of three: log(2 + e⁻²), weight 2.
        let device = Device::flex();
        let loss = state_loss(
            Some(Identity {
                states: Tensor::from_floats([[1.0, 0.0], [0.0, 2.0]], &device),
                items: Tensor::from_floats([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], &device),
            }),
            None,
            &catalogue(),
            &[0.5, 2.0],
            &device,
        );
        let e = std::f32::consts::E;
        let expected = 0.5 * (1.0 + e).ln() + 2.0 * (2.0 + (-2f32).exp()).ln();
        assert!((loss.into_scalar::<f32>() - expected).abs() < 1e-5);
    }

    #[test]
    fn reasons_by_hand() {
        // Item 5 has reasons 0 and 1, item 6 none, item 7 reason 2. One head, d = 1. The first example sees both reasons of item 5:
        // attention softmax(ln 3, 0) = (¾, ¼), values 1 and 5, gate 2, some 1: 2 (¾ + 5/4) + 1 = 5; item 6 has none = 4, and was
        // taken: log(1 + e). The second sees reason 1 alone, and reason 2: item 5 gets 5 · 1, item 6 0, item 7 (taken) 7 · 1.
        let device = Device::flex();
        let column =
            |values: &[f32]| Tensor::<1>::from_floats(values, &device).reshape([values.len(), 1]);
        let mut catalogue = catalogue();
        catalogue.rows = vec![10, 11, 12];
        catalogue.shared_rows = 2;
        catalogue.visible = vec![(0, 2), (2, 2), (1, 2), (2, 2)];
        catalogue.own = vec![(2, 2), (2, 3)];
        let loss = state_loss(
            None,
            Some(Texts {
                probe: Probe {
                    query: column(&[1.0, 1.0]),
                    gate: column(&[2.0, 1.0]),
                    some: column(&[1.0, 0.0]),
                    none: column(&[4.0, 0.0]),
                },
                keys: column(&[3f32.ln(), 0.0, 0.0]),
                values: column(&[1.0, 5.0, 7.0]),
                heads: 1,
            }),
            &catalogue,
            &[1.0, 1.0],
            &device,
        );
        let e = std::f32::consts::E;
        let expected = (1.0 + e).ln() + (1.0 + (-2f32).exp() + (-7f32).exp()).ln();
        let found = loss.into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    /// Of 17 items 9 are shared. An item's two rows are seen, or one of them, or none.
    fn drawn(count: u32) -> Catalogue {
        let mut catalogue = Catalogue::new((0..9).collect());
        (0..count).for_each(|example| catalogue.take(example * 5 % 17));
        catalogue.shared_rows = 18;
        let see = |example: u32, column: u32| {
            let first = 2 * column;
            match (example + column) % 4 {
                0 => (first, first),
                1 => (first, first + 1),
                2 => (first + 1, first + 2),
                _ => (first, first + 2),
            }
        };
        for (example, &taken) in (0..count).zip(&catalogue.taken) {
            catalogue
                .visible
                .extend((0..9).map(|column| see(example, column)));
            catalogue.own.push(see(example, taken));
        }
        catalogue.rows = (0..2 * catalogue.items.len() as u32).collect();
        catalogue
    }

    #[test]
    fn values_and_gradients_are_those_of_autodiff() {
        let device = Device::flex().autodiff();
        device.seed(3);
        let (width, heads) = (6, 2);
        for count in [1, ROWS, 2 * ROWS + 7] {
            let catalogue = drawn(count as u32);
            let weights: Vec<f32> = (0..count).map(|row| (1 + row % 3) as f32 * 0.1).collect();
            let sizes = [
                [count, width],
                [catalogue.items.len(), width],
                [count, width],
                [count, width],
                [count, 1],
                [count, 1],
                [catalogue.rows.len(), width],
                [catalogue.rows.len(), width],
            ];
            let inputs = sizes
                .map(|size| Tensor::<2>::random(size, Distribution::Normal(0.0, 1.0), &device));
            for (ids, read) in [(true, true), (true, false), (false, true)] {
                let run = |hand: bool| {
                    let leaves = inputs.clone().map(|tensor| tensor.detach().require_grad());
                    let [states, items, query, gate, some, none, keys, values] =
                        leaves.clone().map(|leaf| leaf.mul_scalar(1.5));
                    let identity = ids.then_some(Identity { states, items });
                    let texts = read.then_some(Texts {
                        probe: Probe {
                            query,
                            gate,
                            some,
                            none,
                        },
                        keys,
                        values,
                        heads,
                    });
                    let loss = if hand {
                        state_loss(identity, texts, &catalogue, &weights, &device)
                    } else {
                        by_tensors(identity, texts, &catalogue, &weights, &device)
                    };
                    let gradients = loss.clone().backward();
                    let slopes = leaves.map(|leaf| {
                        leaf.grad(&gradients)
                            .map(|slope| slope.try_into_vec_as::<f32>().unwrap())
                    });
                    (loss.into_scalar::<f32>(), slopes)
                };
                let (by_hand, by_burn) = (run(true), run(false));
                assert!((by_hand.0 - by_burn.0).abs() < 1e-4 * (1.0 + by_burn.0.abs()));
                for (hand, burn) in by_hand.1.iter().zip(&by_burn.1) {
                    assert_eq!(hand.is_some(), burn.is_some());
                    for (hand, burn) in hand.iter().flatten().zip(burn.iter().flatten()) {
                        assert!((hand - burn).abs() < 1e-4, "{count}: {hand} {burn}");
                    }
                }
                let used = by_burn.1.iter().flatten().flatten();
                assert!(used.into_iter().any(|slope| slope.abs() > 1e-3));
            }
        }
    }
}
