//! Changed tastes against artefacts that were made so, and every probe against scoring again.

use super::super::{Muted, ScoreError, Scorer, Taken, Taste};
use super::*;
use crate::artefact::tensors::{
    HISTORY_MATCHED, NO_PATTERN, PATTERNS, REASON_COUNT, REASON_KEYS, REASON_VALUES,
};
use crate::artefact::{Artefact, HistoryEvent, Preview, Reason, StoredTensor, UserRecord, sample};
use crate::explain::{UserScores, top};
use crate::reward::RewardConfig;
use burn::tensor::{Device, Distribution, Tensor};

const ITEMS: usize = 60;
const WIDTH: usize = 8;
const SLOTS: usize = 3;
const WINDOW: usize = 6;

fn config() -> RewardConfig {
    RewardConfig {
        width: WIDTH,
        heads: 2,
        layers: 1,
        feed_forward: 16,
        reasons: SLOTS,
        max_history: WINDOW,
        interest_hidden: 5,
        score_hidden: 7,
        ..RewardConfig::new(ITEMS, 4)
    }
}

/// Four viewers with histories of 9, 4, 6 and 0 events; item `n` has `n % 4` reasons; no network begins at nothing.
fn artefact(seed: u64) -> Artefact {
    let (config, device) = (config(), Device::flex());
    device.seed(seed);
    let mut model = config.init(&device).unwrap();
    let random = |size: usize| Tensor::random([size], Distribution::Normal(0.0, 1.0), &device);
    let hidden = config.interest_hidden;
    model.interest.output = model.interest.output.map(|_| random(hidden));
    model.interest.bias = model.interest.bias.map(|_| random(hidden));
    let mut artefact =
        sample::with_model(&sample::config(), &sample::config().init(&device).unwrap());
    artefact.tensors = crate::scorer::inference_parameters(&model).unwrap();
    artefact.model.reward = serde_json::to_value(&config).unwrap();
    (artefact.dataset.users, artefact.dataset.items) = (4, ITEMS);
    let item = artefact.catalogue[0].clone();
    artefact.catalogue = (0..ITEMS)
        .map(|index| crate::artefact::CatalogueItem {
            key: format!("i{index}"),
            ..item.clone()
        })
        .collect();
    let history = |viewer: usize, length: usize| {
        let event = |at: usize| HistoryEvent {
            item: ((at * 11 + viewer * 5) % ITEMS) as u32,
            time: at as i64,
        };
        (0..length).map(event).collect()
    };
    artefact.users = [9, 4, 6, 0]
        .into_iter()
        .enumerate()
        .map(|(viewer, length)| UserRecord {
            key: format!("u{viewer}"),
            history: history(viewer, length),
            held_out: None,
            pattern: Some("likes".to_owned()),
        })
        .collect();
    let reason = |time: usize| Reason {
        text: "for it".to_owned(),
        user: None,
        time: time as i64,
    };
    artefact.reasons = (0..ITEMS)
        .map(|item| (0..item % 4).map(reason).collect())
        .collect();
    let counts = (0..ITEMS).map(|item| (item % 4) as f32).collect();
    let noise = |count: usize, seed: u32| {
        let values = sample::noise(count, seed).into_iter();
        values.map(|value| 2.0 * value).collect::<Vec<f32>>()
    };
    let lists = [ITEMS, SLOTS, WIDTH];
    let size = ITEMS * SLOTS * WIDTH;
    let seen = WINDOW + 4 + 6;
    for (name, tensor) in [
        (REASON_KEYS, StoredTensor::f16(lists, noise(size, 1))),
        (REASON_VALUES, StoredTensor::f16(lists, noise(size, 2))),
        (REASON_COUNT, StoredTensor::f32([ITEMS], counts)),
        (PATTERNS, StoredTensor::f32([4, WIDTH], noise(4 * WIDTH, 3))),
        (NO_PATTERN, StoredTensor::f32([WIDTH], noise(WIDTH, 4))),
        (
            HISTORY_MATCHED,
            StoredTensor::f16([seen, WIDTH], noise(seen * WIDTH, 5)),
        ),
    ] {
        artefact.tensors.insert(name.to_owned(), tensor);
    }
    artefact.preview = Preview {
        key: "u0".to_owned(),
        ..Preview::default()
    };
    let head = artefact.tensors.get_mut("weights.head.output.weight");
    head.unwrap().values = noise(7, 6);
    artefact
}

/// By hand, and by tensors on the same CPU.
fn both(artefact: &Artefact) -> [Scorer; 2] {
    [
        Scorer::on_cpu(artefact).unwrap(),
        Scorer::by_tensors(artefact, &Device::flex()).unwrap(),
    ]
}

fn scores(scorer: &Scorer, taste: &Taste) -> UserScores {
    pollster::block_on(scorer.score_taste(taste)).unwrap()
}

fn logits(scorer: &Scorer, taste: &Taste) -> Vec<f32> {
    scores(scorer, taste).logits
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let apart = (found - expected).abs();
        assert!(apart < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
    }
}

fn apart(found: &[f32], other: &[f32]) -> bool {
    found.iter().zip(other).any(|(a, b)| (a - b).abs() > 1e-3)
}

fn without(taste: &Taste, place: usize) -> Taste {
    let mut taste = taste.clone();
    taste.history.remove(place);
    taste
}

#[test]
fn an_event_that_is_removed_is_one_that_never_was() {
    let artefact = artefact(1);
    // Viewer 1's events are rows 6 to 9 of what was matched.
    let mut never = artefact.clone();
    never.users[1].history.remove(2);
    let matched = never.tensors.get_mut(HISTORY_MATCHED).unwrap();
    matched.values.drain(8 * WIDTH..9 * WIDTH);
    for (changed, made) in both(&artefact).iter().zip(both(&never)) {
        let taste = changed.taste(1).unwrap();
        let less = scores(changed, &without(&taste, 2));
        near(&less.logits, &logits(&made, &made.taste(1).unwrap()));
        assert!(apart(&less.logits, &logits(changed, &taste)));
        let places: Vec<u32> = less.window.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [0, 1, 2]);
        // Of nine events six are seen; the older ones do not come in when one of the six goes.
        let taste = changed.taste(0).unwrap();
        let less = scores(changed, &without(&taste, 8));
        let places: Vec<u32> = less.window.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [3, 4, 5, 6, 7]);
        assert_eq!(
            logits(changed, &without(&taste, 0)),
            logits(changed, &taste)
        );
    }
}

#[test]
fn an_event_that_is_added_is_matched_with_what_is_known_today() {
    let artefact = artefact(2);
    let [cpu, device] = both(&artefact);
    let mut taste = cpu.taste(1).unwrap();
    taste.history.push(Taken {
        item: 7,
        position: None,
    });
    let mut made = artefact.clone();
    let added = HistoryEvent { item: 7, time: 9 };
    made.users[1].history.push(added);
    let now = cpu.cpu.matched(
        &artefact.tensors[PATTERNS].values[WIDTH..2 * WIDTH],
        &[7],
        &[],
    );
    let matched = &mut made.tensors.get_mut(HISTORY_MATCHED).unwrap().values;
    matched.splice(10 * WIDTH..10 * WIDTH, now);
    let made = Scorer::on_cpu(&made).unwrap();
    let expected = logits(&made, &made.taste(1).unwrap());
    near(&logits(&cpu, &taste), &expected);
    near(&logits(&device, &taste), &expected);
    assert!(cpu.hidden(&taste)[7]);
}

#[test]
fn a_muted_reason_is_one_that_was_never_written() {
    let artefact = artefact(3);
    let mut never = artefact.clone();
    let item = 11; // three reasons; the second goes, the third moves up
    never.reasons[item].remove(1);
    never.tensors.get_mut(REASON_COUNT).unwrap().values[item] = 2.0;
    for name in [REASON_KEYS, REASON_VALUES] {
        let values = &mut never.tensors.get_mut(name).unwrap().values;
        let at = item * SLOTS * WIDTH;
        values.copy_within(at + 2 * WIDTH..at + 3 * WIDTH, at + WIDTH);
    }
    for (changed, made) in both(&artefact).iter().zip(both(&never)) {
        let mut taste = changed.taste(2).unwrap();
        let before = logits(changed, &taste);
        taste.muted = vec![Muted {
            item: item as u32,
            reason: 1,
        }];
        let found = scores(changed, &taste);
        let expected = scores(&made, &made.taste(2).unwrap());
        near(&found.logits, &expected.logits);
        assert!(apart(&found.logits[item..=item], &before[item..=item]));
        let moved = expected.reason_attention(item);
        near(&found.reason_attention(item), &[moved[0], 0.0, moved[1]]);
        near(
            found.head_attention(item, 1),
            &[
                expected.head_attention(item, 1)[0],
                0.0,
                expected.head_attention(item, 1)[1],
            ],
        );
        // All of them gone is an item without reasons.
        taste.muted = (0..3).map(|reason| Muted { item: 11, reason }).collect();
        assert!(found.recommend(&[], None, 1).user == Some(2));
        assert_eq!(scores(changed, &taste).reason_attention(item), [0.0; 3]);
    }
}

#[test]
fn a_pattern_is_somebody_s_or_nobody_s() {
    let artefact = artefact(4);
    let mut swapped = artefact.clone();
    let patterns = &mut swapped.tensors.get_mut(PATTERNS).unwrap().values;
    let (own, other) = patterns.split_at_mut(WIDTH);
    own.swap_with_slice(&mut other[..WIDTH]);
    // Written here and now, as it happens in the words of viewer 1.
    let words = artefact.tensors[PATTERNS].values[WIDTH..2 * WIDTH].to_vec();
    for (changed, made) in both(&artefact).iter().zip(both(&swapped)) {
        let mut taste = changed.taste(0).unwrap();
        taste.pattern = None;
        taste.written = Some(words.clone());
        near(
            &logits(changed, &taste),
            &logits(&made, &made.taste(0).unwrap()),
        );
    }
    let mut nobody = artefact.clone();
    let none = nobody.tensors[NO_PATTERN].values.clone();
    nobody.tensors.get_mut(PATTERNS).unwrap().values[..WIDTH].copy_from_slice(&none);
    for (pattern, made) in [(Some(1), swapped), (None, nobody)] {
        for (changed, made) in both(&artefact).iter().zip(both(&made)) {
            let mut taste = changed.taste(0).unwrap();
            taste.pattern = pattern;
            near(
                &logits(changed, &taste),
                &logits(&made, &made.taste(0).unwrap()),
            );
        }
    }
}

#[test]
fn order_counts_and_a_taste_of_one_s_own_needs_no_viewer() {
    let [cpu, device] = both(&artefact(5));
    let taken = |item| Taken {
        item,
        position: None,
    };
    let mut taste = Taste {
        history: vec![taken(3), taken(17), taken(40)],
        ..Taste::default()
    };
    let found = logits(&cpu, &taste);
    near(&logits(&device, &taste), &found);
    taste.history.reverse();
    assert!(apart(&logits(&cpu, &taste), &found));
    taste.history.clear();
    near(&logits(&cpu, &taste), &logits(&device, &taste));
    assert!(scores(&cpu, &taste).window.is_empty());
}

#[test]
fn a_taste_that_cannot_be_is_an_error_that_says_so() {
    let scorer = Scorer::on_cpu(&artefact(6)).unwrap();
    let own = scorer.taste(1).unwrap();
    let event = |item, position| Taken { item, position };
    let with = |history: Vec<Taken>| Taste {
        history,
        ..own.clone()
    };
    let muted = |item, reason| Taste {
        muted: vec![Muted { item, reason }],
        ..own.clone()
    };
    let written = |pattern| Taste {
        pattern: None,
        written: Some(pattern),
        ..own.clone()
    };
    let first = own.history[0];
    for (taste, says) in [
        (with(vec![event(60, None)]), "no item 60"),
        (with(vec![event(1, Some(0))]), "no such event"),
        (with(vec![event(1, Some(99))]), "no such event"),
        (with(vec![first, first]), "twice"),
        (with(vec![event(1, None); 10_001]), "10000 events at most"),
        (muted(60, 0), "no item 60"),
        (written(vec![0.5]), "this one has 1"),
        (written(vec![f32::NAN; WIDTH]), "finite numbers"),
        (
            Taste {
                written: Some(vec![0.5; WIDTH]),
                ..own.clone()
            },
            "a written pattern and a stored one",
        ),
        (muted(2, 2), "no reason 2: its list has 2"),
        (
            Taste {
                viewer: None,
                ..own.clone()
            },
            "no such event",
        ),
    ] {
        let error = pollster::block_on(scorer.score_taste(&taste)).unwrap_err();
        assert_eq!(error.kind(), "bad-taste");
        assert!(error.to_string().contains(says), "{error}");
    }
    for taste in [
        Taste {
            pattern: Some(4),
            ..own.clone()
        },
        Taste {
            viewer: Some(4),
            ..Taste::default()
        },
    ] {
        let error = pollster::block_on(scorer.score_taste(&taste)).unwrap_err();
        assert!(matches!(error, ScoreError::UserOutOfRange { user: 4, .. }));
    }
    let twice = [Muted { item: 3, reason: 1 }; 2].to_vec();
    let taste = Taste {
        muted: twice,
        ..own.clone()
    };
    let once = logits(&scorer, &muted(3, 1));
    assert_eq!(logits(&scorer, &taste), once);
    assert_eq!(
        scorer
            .probe(&own, &scorer.steps(&own).unwrap(), 60)
            .unwrap_err()
            .kind(),
        "bad-taste"
    );
}

#[test]
fn steps_go_from_nothing_to_the_score() {
    let scorer = Scorer::on_cpu(&artefact(7)).unwrap();
    let nothing = Taste::default();
    let base = scorer.steps(&nothing).unwrap();
    assert_eq!(base.pattern, base.identities);
    assert_eq!(base.history, base.reasons);
    assert_eq!(base.reasons[..1], base.pattern[..1], "item 0 has no reason");
    assert!(apart(&base.reasons, &base.pattern));
    for user in 0..3 {
        let taste = scorer.taste(user).unwrap();
        let steps = scorer.steps(&taste).unwrap();
        assert_eq!(steps.identities, base.identities);
        assert_eq!(steps.history, logits(&scorer, &taste));
        let mut less = taste.clone();
        less.history.clear();
        assert_eq!(steps.reasons, logits(&scorer, &less));
        let hidden = scorer.hidden(&taste);
        let probe = scorer.probe(&taste, &steps, 23).unwrap();
        for step in probe.steps {
            let logits = match step.part {
                Part::Identities => &steps.identities,
                Part::Pattern => &steps.pattern,
                Part::Reasons => &steps.reasons,
                _ => &steps.history,
            };
            assert_eq!(step.logit, logits[23]);
            assert_eq!(step.rank, pessimistic_rank(logits, &hidden, 23));
        }
        assert_eq!(
            (probe.logit, probe.rank),
            (probe.steps[3].logit, probe.steps[3].rank)
        );
    }
}

/// Every absence is the taste scored again without it; where it is ranked, it is ranked among the same items.
#[test]
fn what_is_missing_is_what_was_taken_away() {
    let scorer = Scorer::on_cpu(&artefact(8)).unwrap();
    let taste = scorer.taste(0).unwrap();
    let hidden = scorer.hidden(&taste);
    let item = 31; // three reasons
    let probe = scorer
        .probe(&taste, &scorer.steps(&taste).unwrap(), item)
        .unwrap();
    let (mut ranked, mut parts) = (0, Vec::new());
    for absence in &probe.without {
        let mut less = taste.clone();
        match absence.part {
            Part::Pattern => less.pattern = None,
            Part::Reason(reason) => less.muted = vec![Muted { item, reason }],
            Part::Event(place) => drop(less.history.remove(place as usize)),
            other => panic!("{other:?} is no part that goes alone"),
        }
        let found = logits(&scorer, &less);
        near(&[absence.logit], &[found[item as usize]]);
        if let Some(rank) = absence.rank {
            assert_eq!(rank, pessimistic_rank(&found, &hidden, item as usize));
            ranked += 1;
        }
        parts.push(absence.part);
    }
    assert_eq!(parts[0], Part::Pattern);
    assert_eq!(parts[1..4], [0, 1, 2].map(Part::Reason));
    assert_eq!(parts[4..], [3, 4, 5, 6, 7, 8].map(Part::Event));
    assert_eq!(ranked, 1 + 3 + 5);
    // The event that is not ranked changes least.
    let change = |absence: &Absence| (absence.logit - probe.logit).abs();
    let of = |ranked: bool| {
        let events = probe.without[4..].iter();
        events
            .filter(move |one| one.rank.is_some() == ranked)
            .map(change)
    };
    let unranked = of(false).fold(0.0, f32::max);
    assert!(of(true).all(|ranked| ranked >= unranked));
    let muted = Taste {
        muted: vec![Muted { item, reason: 1 }],
        ..taste
    };
    let probe = scorer
        .probe(&muted, &scorer.steps(&muted).unwrap(), item)
        .unwrap();
    let reasons: Vec<Part> = probe.without[1..3].iter().map(|one| one.part).collect();
    assert_eq!(reasons, [Part::Reason(0), Part::Reason(2)]);
}

/// The first item after some events were removed that still count as taken.
fn first_without(scorer: &Scorer, taste: &Taste, removed: &[u32]) -> u32 {
    let mut less = taste.clone();
    let mut place = 0;
    less.history.retain(|_| {
        place += 1;
        !removed.contains(&(place - 1))
    });
    top(&logits(scorer, &less), &scorer.hidden(taste), 1)[0] as u32
}

#[test]
fn a_counterfactual_holds_and_has_no_event_too_many() {
    let mut sizes = Vec::new();
    for seed in 0..40 {
        let scorer = Scorer::on_cpu(&artefact(100 + seed)).unwrap();
        for user in 0..3 {
            let taste = scorer.taste(user).unwrap();
            let first = first_without(&scorer, &taste, &[]);
            let found = scorer.counterfactual(&taste, 3).unwrap().unwrap();
            assert_eq!((found.first, found.limit), (first, 3));
            assert!(found.tried > 0 && found.removed.is_sorted());
            sizes.push(found.removed.len());
            let one = scorer.counterfactual(&taste, 1).unwrap().unwrap();
            match found.removed.len() {
                1 => assert_eq!(one.removed, found.removed),
                _ => assert!(one.removed.is_empty() && one.then.is_none()),
            }
            let events = scorer.side(&taste).unwrap();
            let events = events.window();
            let single = events
                .iter()
                .any(|(place, _)| first_without(&scorer, &taste, &[*place]) != first);
            assert_eq!(single, found.removed.len() == 1);
            let Some(then) = found.then else {
                assert!(found.removed.is_empty());
                continue;
            };
            assert_ne!(then, first);
            assert_eq!(first_without(&scorer, &taste, &found.removed), then);
            for left in &found.removed {
                let fewer: Vec<u32> = (found.removed.iter().copied())
                    .filter(|place| place != left)
                    .collect();
                assert_eq!(first_without(&scorer, &taste, &fewer), first);
            }
        }
    }
    for size in 1..=2 {
        assert!(sizes.contains(&size), "no answer of {size}: {sizes:?}");
    }
}

/// Six events are seen at most: with one more the oldest waits, and comes in again where another goes. What was added is matched
/// with the pattern, so without a pattern it is another event.
#[test]
fn an_event_that_waits_takes_the_place_of_one_that_goes() {
    for seed in 0..20 {
        let scorer = Scorer::on_cpu(&artefact(200 + seed)).unwrap();
        let mut taste = scorer.taste(2).unwrap();
        for item in [50, 13] {
            taste.history.push(Taken {
                item,
                position: None,
            });
        }
        let side = scorer.side(&taste).unwrap();
        assert_eq!((side.seen(), side.window().len()), (2..8, WINDOW));
        let item = 31;
        let probe = scorer
            .probe(&taste, &scorer.steps(&taste).unwrap(), item)
            .unwrap();
        for absence in &probe.without {
            let mut less = taste.clone();
            match absence.part {
                Part::Pattern => less.pattern = None,
                Part::Event(place) => drop(less.history.remove(place as usize)),
                _ => continue,
            }
            near(&[absence.logit], &[logits(&scorer, &less)[item as usize]]);
        }
        let found = scorer.counterfactual(&taste, 2).unwrap().unwrap();
        if let Some(then) = found.then {
            assert_eq!(first_without(&scorer, &taste, &found.removed), then);
        }
    }
}

#[test]
fn where_nothing_can_be_taken_away_nothing_is_found() {
    let scorer = Scorer::on_cpu(&artefact(9)).unwrap();
    let nobody = scorer.taste(3).unwrap();
    let found = scorer.counterfactual(&nobody, 3).unwrap().unwrap();
    assert_eq!((found.then, found.tried), (None, 0));
    let some = scorer.taste(0).unwrap();
    let found = scorer.counterfactual(&some, 0).unwrap().unwrap();
    assert_eq!((found.then, found.tried, found.limit), (None, 0, 0));
    let all = Taste {
        history: (0..ITEMS as u32)
            .map(|item| Taken {
                item,
                position: None,
            })
            .collect(),
        ..Taste::default()
    };
    assert_eq!(scorer.counterfactual(&all, 3).unwrap(), None);
}

#[test]
fn the_nearest_viewer_by_hand() {
    let mut artefact = artefact(10);
    let histories = [vec![0, 1, 2, 3], vec![0, 1], vec![0, 0, 5], vec![]];
    for (user, items) in artefact.users.iter_mut().zip(&histories) {
        let event = |(time, &item): (i64, &u32)| HistoryEvent { item, time };
        user.history = (0..).zip(items).map(event).collect();
    }
    let scorer = Scorer::on_cpu(&artefact).unwrap();
    // Weights: item 0 ln(1 + 4/3), item 1 ln(1 + 4/2), items 2, 3 and 5 ln(1 + 4/1).
    let weight = |takers: f64| (1.0 + 4.0 / takers).ln();
    let (zero, one, rare) = (weight(3.0), weight(2.0), weight(1.0));
    let found = scorer.nearest(&[1, 0, 0]).unwrap().unwrap();
    assert_eq!((found.viewer, &found.shared[..]), (1, &[1, 0][..]));
    assert!((found.similarity - 1.0).abs() < 1e-6);
    let found = scorer.nearest(&[5, 9]).unwrap().unwrap();
    assert_eq!((found.viewer, &found.shared[..]), (2, &[5][..]));
    // Item 9 was taken by nobody and weighs as one that one took.
    let norm = ((2.0 * rare * rare) * (zero * zero + rare * rare)).sqrt();
    assert!((f64::from(found.similarity) - rare * rare / norm).abs() < 1e-6);
    let found = scorer.nearest(&[0, 2]).unwrap().unwrap();
    assert_eq!(found.viewer, 0, "{found:?} {one}");
    assert_eq!(scorer.nearest(&[9]).unwrap(), None);
    assert_eq!(scorer.nearest(&[]).unwrap(), None);
    assert_eq!(scorer.nearest(&[60]).unwrap_err().kind(), "bad-taste");
}
