//! DIN's data by hand, its weighing unit against the ranking model's, and a training that learns what there is to learn.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use curec_shared_model::reward::{ActivationKind, InterestUnit, RewardConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::data::{CtrData, Example, Part, UserFields};
use super::din::{Batch, interest};
use super::metrics::auc;
use super::train::{fit, mean_log_loss};
use super::{Clicks, DinConfig};
use crate::data::{Attribute, Demographics, Interaction, Item, Log, User};

fn log(items: usize, ratings: &[(u32, u32, f32)], users: usize) -> Log {
    let attribute = |kind: &str, value: String| Attribute {
        kind: kind.to_owned(),
        value,
    };
    Log {
        name: "toy".to_owned(),
        items: (0..items)
            .map(|item| Item {
                key: item.to_string(),
                title: format!("Item {item}"),
                attributes: vec![
                    attribute("year", format!("{}", 1990 + item / 2)),
                    attribute("genre", format!("g{}", item % 2)),
                    attribute("genre", "all".to_owned()),
                ],
            })
            .collect(),
        users: (0..users)
            .map(|user| User {
                key: format!("u{user}"),
            })
            .collect(),
        interactions: ratings
            .iter()
            .enumerate()
            .map(|(time, &(user, item, rating))| Interaction {
                user,
                item,
                time: time as i64,
                rating: Some(rating),
            })
            .collect(),
        ..Log::default()
    }
}

#[test]
fn undecided_ratings_are_gone_and_the_first_of_a_user_has_no_history() {
    let mut ratings = vec![(0, 0, 5.0), (0, 1, 3.0), (0, 2, 2.0), (0, 3, 4.0)];
    ratings.extend((0..10).map(|item| (1, item, 1.0)));
    let known = [Demographics {
        key: "u1".to_owned(),
        gender: "F".to_owned(),
        age: "25".to_owned(),
        occupation: "7".to_owned(),
    }];
    let data = CtrData::new(&log(10, &ratings, 2), &known, Clicks::Labeled, 3).unwrap();
    assert_eq!(data.items[0], [0, 2, 3]);
    let parts = [Part::Train, Part::Valid, Part::Test].map(|part| data.part(part).to_vec());
    // 2 + 9 examples: 8, 1, 2.
    assert_eq!(parts.each_ref().map(Vec::len), [8, 1, 2]);
    let mut all = parts.concat();
    all.sort_by_key(|example| (example.user, example.position));
    let of = |user, position, item, label| Example {
        user,
        position,
        item,
        label,
    };
    assert_eq!(all[..2], [of(0, 1, 2, false), of(0, 2, 3, true)]);
    assert!(
        all[2..]
            .iter()
            .all(|example| example.user == 1 && !example.label)
    );
    // Nothing is known of u0; years 1990 to 1994 and none; genres g0, all, g1.
    assert_eq!(data.users[0], UserFields::default());
    assert_eq!(data.users[1].gender, 1);
    assert_eq!(data.sizes, [2, 2, 2, 6, 3]);
    assert_eq!(data.years[..4], [1, 1, 2, 2]);
    assert_eq!(data.genres[..2], [vec![0, 1], vec![2, 1]]);
    let counts = data.counts();
    assert_eq!((counts.users, counts.items), (2, 10));
    assert!((counts.positive - 1.0 / 11.0).abs() < 1e-12);
    let again = |seed| CtrData::new(&log(10, &ratings, 2), &known, Clicks::Labeled, seed).unwrap();
    assert_eq!(again(3).content_hash(), data.content_hash());
    assert_ne!(again(4).content_hash(), data.content_hash());
}

/// Last two of each user held out beside 100 items they had not taken by then; what is held out may be drawn in training, else its
/// absence would give it away.
#[test]
fn taken_items_stand_beside_drawn_ones() {
    let mut ratings: Vec<_> = (0..6).map(|item| (0, item, 5.0)).collect();
    ratings.extend((3..9).map(|item| (1, item, if item == 4 { 3.0 } else { 1.0 })));
    let mut toy = log(9, &ratings, 2);
    toy.interactions[0].rating = None; // what is asked needs no ratings
    let data = CtrData::new(&toy, &[], Clicks::Uni100, 3).unwrap();
    assert_eq!(data.items, [vec![0, 1, 2, 3, 4, 5], vec![3, 5, 6, 7, 8]]);
    assert_eq!(data.train.len(), 3 + 2);
    assert!(data.train.iter().all(|example| example.label));
    for (part, last) in [(&data.valid, 2), (&data.test, 1)] {
        assert_eq!(part.len(), 2 * 101);
        for examples in part.chunks(101) {
            let items = &data.items[examples[0].user as usize];
            let position = items.len() - last;
            assert!(examples[0].label && examples[0].item == items[position]);
            for drawn in &examples[1..] {
                assert_eq!(
                    (drawn.user, drawn.position as usize, drawn.label),
                    (examples[0].user, position, false)
                );
                assert!(!items[..=position].contains(&drawn.item), "{drawn:?}");
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let epochs: Vec<_> = (0..50).flat_map(|_| data.training(&mut rng)).collect();
    assert_eq!(epochs.len(), 50 * 2 * 5);
    let drawn: BTreeSet<_> = epochs
        .iter()
        .filter(|example| !example.label && example.user == 0)
        .map(|example| example.item)
        .collect();
    assert_eq!(drawn, BTreeSet::from([4, 5, 6, 7, 8]));
    let counts = data.counts();
    assert_eq!((counts.training, counts.test), (5, 202));
    let again = |seed| CtrData::new(&toy, &[], Clicks::Uni100, seed).unwrap();
    assert_eq!(again(3).content_hash(), data.content_hash());
    assert_ne!(again(4).content_hash(), data.content_hash());
}

#[test]
fn a_log_without_ratings_is_refused() {
    let mut log = log(3, &[(0, 0, 5.0), (0, 1, 1.0)], 1);
    log.interactions[1].rating = None;
    let message = CtrData::new(&log, &[], Clicks::Labeled, 1)
        .unwrap_err()
        .to_string();
    assert!(message.contains("needs ratings"), "{message}");
}

/// One candidate a history, computed by looking up, is what the ranking model's unit computes.
#[test]
fn the_weighing_unit_is_the_ranking_model_s() {
    let device = Device::flex();
    let config = RewardConfig {
        width: 3,
        interest_hidden: 5,
        activation: ActivationKind::Prelu,
        use_recency: false,
        ..RewardConfig::default()
    };
    let unit = InterestUnit::new(&config, &device);
    let ratings: Vec<_> = [
        (0, 4, 5.0),
        (0, 2, 1.0),
        (0, 0, 4.0),
        (0, 3, 2.0),
        (0, 1, 5.0),
    ]
    .into_iter()
    .chain([
        (1, 3, 5.0),
        (1, 2, 1.0),
        (1, 1, 5.0),
        (1, 0, 5.0),
        (1, 4, 5.0),
    ])
    .chain([
        (2, 3, 5.0),
        (2, 2, 1.0),
        (2, 1, 5.0),
        (2, 0, 5.0),
        (2, 4, 5.0),
    ])
    .collect();
    let data = CtrData::new(&log(5, &ratings, 3), &[], Clicks::Labeled, 1).unwrap();
    let example = |user, position| Example {
        user,
        position,
        item: data.items[user as usize][position as usize],
        label: true,
    };
    // Three of four past items, newest first; and one past item.
    let examples = [example(0, 4), example(1, 1)];
    let batch = Batch::new(&data, &examples, 3, &device);
    let values: Vec<f32> = (0..30).map(|at| (at as f32 * 1.3).sin()).collect();
    let row = |item: usize| values[item * 6..(item + 1) * 6].to_vec();
    let tensor = |rows: &[usize]| {
        let values: Vec<f32> = rows.iter().flat_map(|&item| row(item)).collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows.len(), 6]), &device)
    };
    let table = tensor(&[0, 1, 2, 3, 4]);
    let candidates = tensor(&[1, 2]);
    let found = interest(&unit, &table, candidates.clone(), &batch);
    let states = tensor(&[3, 0, 2, 3, 0, 0]).reshape([2, 3, 6]);
    let visible = Tensor::<3, Bool>::from_data(
        TensorData::new(vec![true, true, true, true, false, false], [2, 1, 3]),
        &device,
    );
    let ages = Tensor::<3, Int>::zeros([2, 1, 3], &device);
    let expected = unit.forward(states, candidates.reshape([2, 1, 1, 6]), visible, ages);
    let host = |values: TensorData| values.try_to_vec::<f32>().unwrap();
    let (found, expected) = (host(found.into_data()), host(expected.vector.into_data()));
    assert_eq!(found.len(), 12);
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn the_loss_by_hand() {
    let device = Device::flex();
    // −ln σ(2) = 0.126928, −ln(1 − σ(2)) = 2.126928
    let logits = Tensor::<1>::from_floats([2.0, 2.0], &device);
    let labels = Tensor::<1>::from_floats([1.0, 0.0], &device);
    let loss = mean_log_loss(logits, labels).into_scalar::<f32>();
    assert!((loss - 1.126_928).abs() < 1e-6, "{loss}");
}

/// Users like the items of the genre that they rated first, and all items are rated by both kinds: only user and history say
/// which. A user's own vector has few examples to learn from.
#[test]
fn it_learns_whom_what_pleases() {
    let mut ratings = Vec::new();
    for user in 0..60u32 {
        for step in 0..20u32 {
            let item = if step < 2 {
                2 * (user / 2 % 10) + user % 2
            } else {
                (step * 7 + user * 3) % 20
            };
            let liked = item % 2 == user % 2;
            ratings.push((user, item, if liked { 5.0 } else { 1.0 }));
        }
    }
    let data = CtrData::new(&log(20, &ratings, 60), &[], Clicks::Labeled, 1).unwrap();
    let config = DinConfig {
        embedding: 8,
        history: 10,
        interest_hidden: 8,
        hidden: vec![16],
        dropout: 0.1,
        learning_rate: 0.01,
        weight_decay: 0.0,
        batch: 64,
        epochs: 25,
        patience: 25,
    };
    config.validate().unwrap();
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let fitted = fit(&config, &data, &device, 1, &stop, &mut |_| {}).unwrap();
    let best = &fitted.epochs[fitted.best_epoch - 1];
    let chosen = fitted.score(Part::Valid, &stop).unwrap();
    assert_eq!(auc(&chosen), best.validation_auc);
    let scored = fitted.score(Part::Test, &stop).unwrap();
    assert!(auc(&scored) > 0.9, "{} {:?}", auc(&scored), fitted.epochs);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(fit(&config, &data, &device, 1, &stop, &mut |_| {}).is_err());
}
