//! A toy run whose every claim was placed by hand.

use burn::tensor::Device;
use curec_shared_model::reward::RewardConfig;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::model::push_list;
use super::*;
use crate::data::{Attribute, Cause, Dataset, Event, Item, User, UserSplit};
use crate::past::Timeline;
use crate::reward::stores::{PatternEntry, PatternStore, ReasonStore};

const WIDTH: usize = 4;

fn item(title: &str, values: &[(&str, &str)]) -> Item {
    Item {
        key: title.into(),
        title: title.into(),
        attributes: values
            .iter()
            .map(|&(kind, value)| Attribute {
                kind: kind.into(),
                value: value.into(),
            })
            .collect(),
    }
}

/// Three people take the same four items one after another, a step apart; the last two events are held out.
fn data() -> Dataset {
    let items = vec![
        item("A", &[("genre", "noir"), ("place", "Oslo")]),
        item("B", &[("genre", "noir")]),
        item("C", &[("genre", "comedy"), ("place", "Lima")]),
        item("D", &[("genre", "western")]),
        item("E", &[("genre", "drama")]),
        item("F", &[("genre", "opera")]),
    ];
    let histories: Vec<Vec<Event>> = (0..3)
        .map(|user| {
            (0..6)
                .map(|position| Event {
                    item: position,
                    time: i64::from(10 * position + user),
                })
                .collect()
        })
        .collect();
    let taste = |value: &str| Cause::Taste {
        kind: "genre".into(),
        value: value.into(),
    };
    let causes = vec![
        vec![taste("noir")],
        vec![taste("noir"), Cause::Popularity],
        vec![Cause::Popularity],
        vec![],
        vec![],
        vec![],
    ];
    Dataset {
        name: "toy".into(),
        items,
        users: (0..3)
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        split: vec![UserSplit { train: 4, valid: 1 }; 3],
        causes: Some(vec![causes; 3]),
        histories,
    }
}

/// What everybody says of the first three items.
const TEXTS: [&str; 3] = [
    // No pattern yet: two tastes from nowhere, one of them shared with the item, and a wrong place.
    "For someone fond of noir and Lima: a noir set in Lima.",
    // The pattern names noir; place is not known of B.
    "With noir, it speaks to someone who likes noir: a noir in Oslo.",
    // Nothing shared; noir is in pattern and history (two of two events, a third of the catalogue).
    "A change of pace from noir: a comedy comedy.",
];

fn stores(data: &Dataset, texts: &[&str], version: u64) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    for user in 0..3u32 {
        let pattern = PatternEntry {
            user,
            upto: 1,
            time: Some(i64::from(user)),
            text: "Likes noir.".into(),
            policy_version: 0,
        };
        let own = f32::from(user as u8);
        patterns
            .insert(&timeline, pattern, &[own, 1.0, 0.5, -own])
            .unwrap();
        for (position, text) in texts.iter().enumerate() {
            let Event { item, time } = data.histories[user as usize][position];
            let reason = ReasonEntry {
                item,
                user,
                position: position as u32,
                time,
                text: (*text).to_owned(),
                policy_version: version,
            };
            let vector = [own, position as f32 - 1.0, 1.0 - own, 0.25];
            reasons.insert(&timeline, reason, &vector).unwrap();
        }
    }
    (patterns, reasons)
}

fn measured(old: &[&str], new: &[&str], use_reasons: bool) -> Explanations {
    let data = data();
    let device = Device::flex();
    device.seed(3);
    let model = RewardConfig {
        items: data.items.len(),
        text_width: WIDTH,
        width: 8,
        heads: 2,
        layers: 1,
        feed_forward: 16,
        reasons: 4,
        max_history: 4,
        interest_hidden: 4,
        score_hidden: 8,
        use_reasons,
        ..RewardConfig::default()
    }
    .init(&device)
    .unwrap();
    let (before, after) = (stores(&data, old, 0), stores(&data, new, 1));
    let features = [&before, &after].map(|(patterns, reasons)| Features {
        timeline: Timeline::new(&data),
        patterns,
        reasons,
    });
    let scorers = features.map(|features| Scorer::new(model.clone(), features, &device).unwrap());
    let side = |index: usize| Side {
        features: features[index],
        scorer: &scorers[index],
    };
    let settings = Settings {
        target: Target::Test,
        items: 6,
        reasons: 2,
        others: 2,
        permutations: 4,
        bootstrap_samples: 50,
        seed: 1,
    };
    let stop = AtomicBool::new(false);
    let options = RenderOptions::default();
    let mut last = (0, 0);
    let found = measure(
        [side(0), side(1)],
        &[],
        &options,
        &settings,
        &stop,
        &mut |done, all| {
            last = (done, all);
        },
    );
    assert_eq!(last, if use_reasons { (6, 6) } else { (0, 0) });
    found.unwrap()
}

#[test]
fn every_claim_is_counted_where_it_was_placed() {
    let found = measured(&TEXTS, &TEXTS, true);
    let mean = |name: &str| found.row(ALL, name).unwrap().before.mean;
    // A: noir holds, Lima does not; B: noir holds, Oslo cannot be told; C: comedy holds.
    assert_eq!(mean("hallucination rate"), 1.0 / 4.0);
    assert_eq!(mean("reasons that hallucinate"), 1.0 / 3.0);
    assert_eq!(mean("unverifiable claims"), 1.0 / 5.0);
    assert_eq!(mean("claims a reason"), 5.0 / 3.0);
    // Noir and Lima, noir, noir: the second and third stand in the pattern. In the history noir is shown once before B, twice
    // before C.
    assert_eq!(mean("tastes a reason"), 4.0 / 3.0);
    assert_eq!(mean("tastes in the pattern"), 2.0 / 4.0);
    assert_eq!(mean("tastes in the history"), 1.0 / 4.0);
    assert_eq!(mean("unfounded tastes"), 2.0 / 4.0);
    assert_eq!(mean("reasons that stutter"), 1.0 / 3.0);
    // Said of both: noir and Lima of A, noir of B. Noir is true of both; Lima is not. Causes: 1, 2, 1; tastes 1, 1, 0.
    assert_eq!(mean("cause precision"), 2.0 / 3.0);
    assert_eq!(mean("cause recall"), 2.0 / 4.0);
    assert_eq!(mean("cause recall, tastes only"), 1.0);
    assert_eq!(mean("cause precision by chance"), 2.0 / 5.0);
    // Everybody said the same: one reason of three differs in each list.
    assert_eq!(mean("lists without repetition"), 0.0);
    assert_eq!(mean("different reasons of a list"), 1.0 / 3.0);
    let row = found.row(ALL, "hallucination rate").unwrap();
    assert_eq!((row.difference.mean, row.difference.low), (0.0, 0.0));
    assert_eq!(row.cases, [12.0, 12.0]);
    assert_eq!((found.reasons, found.rewritten), (9, 9));
}

#[test]
fn attention_and_margin_are_asked_of_lists_with_a_choice() {
    let found = measured(&TEXTS, &TEXTS, true);
    // Three people see D, E and F anew (at the test event all but F were taken: one unseen item, without reasons).
    assert!(found.row(RANKING, "comprehensiveness").is_none());
    let margin = found.row(RANKING, "personalisation margin").unwrap();
    // Two reasons each; at time 0 nobody else has a past, so person 0's first reason has no margin.
    assert_eq!(margin.cases[0], 5.0);
    assert!(margin.before.mean.is_finite());
    let without = measured(&TEXTS, &TEXTS, false);
    assert_eq!(without.scopes.len(), 2, "no model that reads reasons");
}

#[test]
fn better_texts_are_better_by_a_paired_difference() {
    let new = ["For anyone: a noir in Oslo.", TEXTS[1], "A comedy."];
    let found = measured(&TEXTS, &new, false);
    let row = found.row(REWRITTEN, "hallucination rate").unwrap();
    assert_eq!((row.before.mean, row.after.mean), (0.25, 0.0));
    // Everybody alike: no resample differs.
    assert_eq!((row.difference.low, row.difference.high), (-0.25, -0.25));
    let stutter = found.row(ALL, "reasons that stutter").unwrap();
    assert!(stutter.difference.mean < 0.0);
    let sets = found.scopes[0].diversity.as_ref().unwrap();
    assert_eq!(sets[0].usr, Some(1.0 / 3.0));
    // Noir, Oslo, Lima, comedy of noir, Oslo, comedy, Lima, western, drama, opera.
    assert_eq!(sets[0].fcr, Some(4.0 / 7.0));
}

#[test]
fn attention_gain_is_that_of_the_lists_scores() {
    let mut found = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // s(R) = 2; without 1.5, 2.25, 2; alone 1, 0, 2.5 (faithfulness.rs has the arithmetic).
    let (without, only) = ([1.5, 2.25, 2.0], [1.0, 0.0, 2.5]);
    push_list(
        &mut found,
        &[0.5, 0.3, 0.2],
        2.0,
        &without,
        &only,
        4,
        &mut rng,
    );
    let value = |name: &str| found.iter().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!(value("comprehensiveness, gain"), 0.25);
    assert!((value("sufficiency, gain") - (3.5 / 3.0 - 1.0)).abs() < 1e-12);
    assert!((value("signed change, gain") - (0.5 - 0.25 / 3.0)).abs() < 1e-12);
    // Attention and changes 0.5, 0.25, 0 fall together.
    assert_eq!(value("attention ρ"), 1.0);
    let gain = value("attention ρ") - value("attention ρ, permuted");
    assert_eq!(value("attention ρ, gain"), gain);
    push_list(&mut found, &[1.0], 1.0, &[0.0], &[1.0], 4, &mut rng);
    assert_eq!(found.len(), 12, "one reason is no choice");
}
