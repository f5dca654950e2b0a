//! Batches: what is in them, and that nothing later than the example is.

use super::*;

#[test]
fn every_training_event_but_the_first_is_a_target_once() {
    let data = data(30);
    for seed in 0..5 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut targets: Vec<(usize, usize)> = epoch_batches(&data, 6, 8, &mut rng)
            .into_iter()
            .flatten()
            .flat_map(|window| {
                assert!(window.end - window.start <= 7, "{window:?}");
                (window.start + 1..window.end).map(move |position| (window.user, position))
            })
            .collect();
        targets.sort_unstable();
        let expected: Vec<_> = (0..30)
            .flat_map(|user| (1..data.split[user].train).map(move |position| (user, position)))
            .collect();
        assert_eq!(targets, expected);
    }
}

#[test]
fn cross_entropy_meets_every_item_once() {
    let data = data(5);
    let stores = stores(&data);
    let whole = RewardTrainingConfig {
        loss: RewardLoss::CrossEntropy,
        ..config()
    };
    let sampler = Sampler::new(features(&data, &stores), &whole);
    let window = Window {
        user: 2,
        start: 0,
        end: 4,
    };
    let batch = sampler.gather(&[window], 0, 1).unwrap();
    let items = ITEMS as usize;
    for event in 1..4 {
        let mut candidates = batch.items[event * items..][..items].to_vec();
        assert_eq!(candidates[0] as u32, data.histories[2][event].item);
        candidates.sort_unstable();
        assert_eq!(candidates, (0..ITEMS as i32).collect::<Vec<_>>());
    }
}

/// The packed training pass and the scorer are two ways to one number.
#[test]
fn training_logits_equal_inference_logits() {
    let data = data(6);
    let stores = stores(&data);
    let features = features(&data, &stores);
    let model = untrained(&data);
    let scorer = Scorer::new(model.clone(), features, &Device::flex()).unwrap();
    let windows: Vec<_> = (0..6)
        .map(|user| Window {
            user,
            start: 0,
            end: 7.min(data.split[user].train),
        })
        .collect();
    let batch = Sampler::new(features, &config())
        .gather(&windows, 0, 1)
        .unwrap();
    let candidates = batch.items.len() / (batch.windows * batch.events);
    let encoded = encode(&model, &features, &batch, 0.0, &Device::flex());
    let logits = logits(&model, &features, &batch, &encoded);
    let logits = logits.into_data().try_to_vec::<f32>().unwrap();
    let mut compared = 0;
    for window in &windows {
        for position in 1..window.end {
            let scores = scorer
                .catalogue(Example {
                    user: window.user,
                    position,
                })
                .unwrap();
            for candidate in 0..candidates {
                let item =
                    batch.items[(window.user * batch.events + position) * candidates + candidate];
                let packed = logits
                    [(window.user * (batch.events - 1) + position - 1) * candidates + candidate];
                assert!(
                    (packed - scores[item as usize]).abs() < 1e-4,
                    "{packed} {}",
                    scores[item as usize]
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 60);
}

/// The same for a training batch, in which all moments of a history stand side by side: each sees the lists of its own time.
#[test]
fn training_batches_know_nothing_of_the_future() {
    let mut original = data(8);
    // Ties between users.
    for events in &mut original.histories {
        events
            .iter_mut()
            .for_each(|event| event.time = event.time / 10 * 10);
    }
    let model = untrained(&original);
    let end = 7.min(original.split[0].train);
    let logits = |data: &Dataset| {
        let stores = stores(data);
        let features = features(data, &stores);
        let window = Window {
            user: 0,
            start: 0,
            end,
        };
        let batch = Sampler::new(features, &config())
            .gather(&[window], 0, 9)
            .unwrap();
        let encoded = encode(&model, &features, &batch, 0.0, &Device::flex());
        let found = logits(&model, &features, &batch, &encoded);
        let [_, moments, candidates] = found.dims();
        let found = found.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(moments, end - 1);
        found
            .chunks(candidates)
            .map(<[f32]>::to_vec)
            .collect::<Vec<_>>()
    };
    let before = logits(&original);
    let mut moved = 0;
    for position in 1..end {
        let time = original.histories[0][position].time;
        let mut changed = original.clone();
        for events in &mut changed.histories[1..] {
            for event in events.iter_mut().filter(|event| event.time >= time) {
                event.item = (event.item + 5) % ITEMS;
            }
        }
        let after = logits(&changed);
        // Example p is the choice of event p + 1.
        assert_eq!(before[..position], after[..position], "event {position}");
        moved += usize::from(before != after);
    }
    assert!(moved > 2, "later moments do see it: {moved}");
}

/// Each item by itself, with the same chance, and every step others.
#[test]
fn items_are_hidden_with_their_chance() {
    assert_eq!(Hidden::new(0.0, 7).seen(0..4), None);
    let items = 20_000;
    let of = |seed: u64| Hidden::new(0.3, seed).seen(0..items).unwrap();
    for seed in 0..4 {
        let (one, other) = (of(seed), of(seed + 1));
        let hidden = one.iter().filter(|&&seen| seen == 0.0).count() as f64 / items as f64;
        assert!((hidden - 0.3).abs() < 0.015, "{hidden}"); // four and a half standard errors
        let both = (one.iter().zip(&other)).filter(|&(&a, &b)| a + b == 0.0);
        let both = both.count() as f64 / items as f64;
        assert!((both - 0.09).abs() < 0.01, "{both}");
        let pairs = one.windows(2).filter(|pair| pair[0] + pair[1] == 0.0);
        let pairs = pairs.count() as f64 / items as f64;
        assert!((pairs - 0.09).abs() < 0.01, "{pairs}");
        assert_eq!(
            Hidden::new(0.3, seed).seen([7, 5, 7].into_iter()).unwrap(),
            [one[7], one[5], one[7]]
        );
    }
}
