//! Scores: what they depend on, and what they know nothing of.

use super::*;

/// METHOD §2's rule seen from the end: scores at `t` do not move when everything at or after `t` does.
#[test]
fn scores_know_nothing_of_the_future() {
    let mut original = data(8);
    // Some ties between users.
    for (user, events) in original.histories.iter_mut().enumerate() {
        if user % 2 == 0 {
            events
                .iter_mut()
                .for_each(|event| event.time = event.time / 10 * 10);
        }
    }
    let model = untrained(&original);
    let scores = |data: &Dataset, example| {
        let (patterns, reasons) = stores(data);
        let features = Features {
            timeline: Timeline::new(data),
            patterns: &patterns,
            reasons: &reasons,
        };
        Scorer::new(model.clone(), features, &Device::flex())
            .unwrap()
            .catalogue(example)
            .unwrap()
    };
    for example in [
        Example {
            user: 0,
            position: 5,
        },
        Example {
            user: 3,
            position: 7,
        },
    ] {
        let time = original.histories[example.user][example.position].time;
        let mut changed = original.clone();
        for (user, events) in changed.histories.iter_mut().enumerate() {
            let own = user == example.user;
            for (position, event) in events.iter_mut().enumerate() {
                if if own {
                    position >= example.position
                } else {
                    event.time >= time
                } {
                    event.item = (event.item + 5) % ITEMS;
                }
            }
        }
        assert_ne!(original, changed);
        assert_eq!(scores(&original, example), scores(&changed, example));
        let mut past_changed = original.clone();
        past_changed.histories[example.user][example.position - 1].item += 1;
        past_changed.histories[example.user][example.position - 1].item %= ITEMS;
        assert_ne!(scores(&original, example), scores(&past_changed, example));
    }
}

#[test]
fn without_history_it_does_not_matter_what_was_taken() {
    let data = data(10);
    let stores = stores(&data);
    let here = Example {
        user: 4,
        position: 5,
    };
    let mut other = data.clone();
    for event in &mut other.histories[here.user][..here.position] {
        event.item = (event.item + 5) % ITEMS;
    }
    let scorer =
        |data| Scorer::new(untrained(data), features(data, &stores), &Device::flex()).unwrap();
    let with = |data| scorer(data).catalogue(here).unwrap();
    let without = |data| scorer(data).without_history().catalogue(here).unwrap();
    assert_ne!(with(&data), with(&other));
    assert_eq!(without(&data), without(&other));
    // What is left, pattern and reasons, still tells users and items apart.
    let someone_else = Example { user: 5, ..here };
    let theirs = scorer(&data).without_history().catalogue(someone_else);
    assert_ne!(without(&data), theirs.unwrap());
}

#[test]
fn the_reward_of_a_reason_is_the_score_with_it_on_the_list() {
    let data = data(10);
    let (patterns, reasons) = stores(&data);
    let timeline = Timeline::new(&data);
    let features = Features {
        timeline,
        patterns: &patterns,
        reasons: &reasons,
    };
    let scorer = Scorer::new(untrained(&data), features, &Device::flex()).unwrap();
    let probability = |scorer: &Scorer, item: u32| {
        let logits = scorer
            .catalogue(Example {
                user: 4,
                position: 5,
            })
            .unwrap();
        1.0 / (1.0 + (-logits[item as usize]).exp())
    };
    let past = timeline.past(4, 5).unwrap();
    // The history must not hold the item, or rewriting its list would change the states too.
    let full = (0..ITEMS)
        .find(|&item| {
            past.reasons(&reasons, item, 9).len() > 3
                && past.history().iter().all(|event| event.item != item)
        })
        .unwrap();
    let candidates = vec![vec![0.9, -0.9, 0.1, 0.5], vec![0.0; WIDTH]];
    let rewards = scorer.reason_rewards(4, 5, full, &candidates).unwrap();
    assert!((rewards.baseline - probability(&scorer, full)).abs() < 1e-6);
    assert_eq!(rewards.scores.len(), 2);

    // The same by rewriting the store: the list moves on by one, its newest place takes the candidate.
    let rows = past.reasons(&reasons, full, 3).to_vec();
    for (candidate, reward) in candidates.iter().zip(&rewards.scores) {
        let mut moved = reasons.clone();
        let vectors = [reasons.vector(rows[1]), reasons.vector(rows[2]), candidate];
        for (&row, vector) in rows.iter().zip(vectors) {
            moved
                .insert(&timeline, reasons.entry(row).clone(), vector)
                .unwrap();
        }
        let features = Features {
            reasons: &moved,
            ..features
        };
        let other = Scorer::new(scorer.model().clone(), features, &Device::flex()).unwrap();
        let expected = probability(&other, full);
        assert!((reward - expected).abs() < 1e-6, "{reward} {expected}");
        assert!((reward - rewards.baseline).abs() > 1e-6);
    }
    let none = scorer.reason_rewards(4, 5, full, &[]).unwrap();
    assert!(none.scores.is_empty());
    assert!(
        scorer
            .reason_rewards(4, 5, full, &[vec![0.0; WIDTH + 1]])
            .is_err()
    );

    let stored = patterns.vector(past.pattern(&patterns).unwrap());
    let given = scorer
        .reason_rewards_given_pattern(4, 5, full, &candidates, Some(stored))
        .unwrap();
    assert_eq!(given, rewards);
    let absent = scorer
        .reason_rewards_given_pattern(4, 5, full, &candidates, None)
        .unwrap();
    assert_ne!(absent.baseline, rewards.baseline);
}

/// What explanations are measured with gives the same numbers as what ranks and what rewards.
#[test]
fn lists_given_by_hand_score_like_those_of_the_store() {
    let data = data(10);
    let (patterns, reasons) = stores(&data);
    let timeline = Timeline::new(&data);
    let features = Features {
        timeline,
        patterns: &patterns,
        reasons: &reasons,
    };
    let scorer = Scorer::new(untrained(&data), features, &Device::flex()).unwrap();
    let example = Example {
        user: 4,
        position: 5,
    };
    let past = timeline.past(4, 5).unwrap();
    let list = |item: u32| past.reasons(&reasons, item, 3).to_vec();
    let full = (0..ITEMS).find(|&item| list(item).len() == 3).unwrap();
    let few = (0..ITEMS).find(|&item| list(item).len() < 3).unwrap();
    let catalogue = scorer.catalogue(example).unwrap();
    let asked = [(full, list(full)), (few, list(few)), (full, vec![])];
    let found = scorer.with_lists(example, &asked).unwrap();
    for (logit, item) in found.logits.iter().zip([full, few]) {
        let expected = catalogue[item as usize];
        assert!((logit - expected).abs() < 1e-5, "{logit} {expected}");
    }
    assert!((found.logits[2] - found.logits[0]).abs() > 1e-5);
    let sum: f32 = found.reason_attention(0).iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");

    // The newest two and another reason: the list that `reason_rewards` makes.
    let other = (0..reasons.len() as u32)
        .find(|row| !list(full).contains(row))
        .unwrap();
    let with = [&list(full)[1..], &[other]].concat();
    let found = scorer.with_lists(example, &[(full, with)]).unwrap();
    let vector = reasons.vector(other).to_vec();
    let rewards = scorer.reason_rewards(4, 5, full, &[vector]).unwrap();
    assert!((found.scores[0] - rewards.scores[0]).abs() < 1e-6);
}

/// An item nobody took before: the candidate is its only reason, the baseline is the learned "no reason yet".
#[test]
fn a_reason_for_an_item_without_any() {
    let data = data(10);
    let (patterns, reasons) = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    let features = Features {
        timeline: Timeline::new(&data),
        patterns: &patterns,
        reasons: &reasons,
    };
    let scorer = Scorer::new(untrained(&data), features, &Device::flex()).unwrap();
    let rewards = scorer.reason_rewards(1, 2, 3, &[vec![1.0; WIDTH]]).unwrap();
    assert!(rewards.baseline.is_finite() && rewards.scores[0].is_finite());
    assert_ne!(rewards.baseline, rewards.scores[0]);
}

#[test]
fn a_shortened_history_knows_nothing_of_older_events() {
    let before = data(30);
    let mut after = before.clone();
    let position = before.histories[0].len() - 1;
    for event in &mut after.histories[0][..position - 2] {
        event.item = (event.item + 5) % ITEMS;
    }
    let texts = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    let (model, _) = run(features(&before, &texts), &config());
    let at = Example { user: 0, position };
    let scores = |data: &Dataset, events: usize| {
        let features = features(data, &texts);
        let scorer = Scorer::new(model.clone(), features, &Device::flex()).unwrap();
        scorer.with_history(events).catalogue(at).unwrap()
    };
    assert_eq!(scores(&before, 2), scores(&after, 2));
    assert_ne!(scores(&before, 3), scores(&after, 3));
    assert_ne!(scores(&before, 2), scores(&before, 3));
    // The model's own limit stays.
    assert_eq!(scores(&before, 99), scores(&before, 6));
}

#[test]
fn attention_is_on_the_visible_reasons_and_follows_the_pattern() {
    let data = data(30);
    let texts = stores(&data);
    let (model, _) = run(features(&data, &texts), &config());
    let attention = |patterns: PatternStore, at: Example| {
        let texts = (patterns, texts.1.clone());
        let features = features(&data, &texts);
        let scorer = Scorer::new(model.clone(), features, &Device::flex()).unwrap();
        let items: Vec<u32> = (0..ITEMS).collect();
        scorer.reason_attention(at, &items).unwrap()
    };
    let position = data.histories[0].len() - 1;
    let found = attention(texts.0.clone(), Example { user: 0, position });
    let past = Timeline::new(&data).past(0, position).unwrap();
    for (item, weights) in found.iter().enumerate() {
        let rows: Vec<u32> = weights.iter().map(|one| one.0).collect();
        assert_eq!(rows, past.reasons(&texts.1, item as u32, 3));
        let sum: f32 = weights.iter().map(|one| one.1).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{item}: {weights:?}");
    }
    assert_ne!(
        found,
        attention(texts.0.with_swapped_users(1), Example { user: 0, position })
    );
    // Before anything was taken nothing was written.
    let first = attention(
        texts.0.clone(),
        Example {
            user: 0,
            position: 0,
        },
    );
    let seen = Timeline::new(&data).past(0, 0).unwrap();
    for (item, weights) in first.iter().enumerate() {
        assert_eq!(weights.len(), seen.reasons(&texts.1, item as u32, 3).len());
        if let [only] = weights.as_slice() {
            assert!((only.1 - 1.0).abs() < 1e-6);
        }
    }
}
