//! Every probe against scoring again.

use super::super::fixture::*;
use super::super::{Muted, Scorer, Taken, Taste};
use super::*;
use crate::artefact::tensors::REASON_COUNT;
use crate::artefact::{Artefact, HistoryEvent, sample};
use crate::explain::top;

#[test]
fn coalitions_are_the_taste_scored_with_less() {
    let scorer = Scorer::on_cpu(&artefact(7)).unwrap();
    let nothing = scorer.coalitions(&Taste::default()).unwrap();
    assert_eq!(
        nothing.with(true, false, true),
        nothing.with(false, false, false)
    );
    let (alone, reasons) = (
        nothing.with(false, false, false),
        nothing.with(false, true, false),
    );
    assert_eq!(reasons[..1], alone[..1], "item 0 has no reason");
    assert!(apart(reasons, alone));
    for user in 0..3 {
        let taste = scorer.taste(user).unwrap();
        let found = scorer.coalitions(&taste).unwrap();
        assert_eq!(found.with(false, false, false), alone);
        assert_eq!(found.whole(), logits(&scorer, &taste));
        let mut less = taste.clone();
        less.history.clear();
        assert_eq!(found.with(true, true, false), logits(&scorer, &less));
        let less = taste.without_pattern();
        assert_eq!(found.with(false, true, true), logits(&scorer, &less));
        let mut less = taste.clone();
        for item in 0..ITEMS as u32 {
            let reasons = scorer.cpu.reasons(item, &[]);
            less.muted
                .extend(reasons.iter().map(|&reason| Muted { item, reason }));
        }
        near(found.with(true, false, true), &logits(&scorer, &less));
    }
}

/// Shapley's value as it is defined: the mean over the six orders in which three parts can come.
#[test]
fn shares_are_means_over_all_orders_and_sum_to_the_score() {
    let scorer = Scorer::on_cpu(&artefact(7)).unwrap();
    let taste = scorer.taste(0).unwrap();
    let hidden = scorer.hidden(&taste);
    let found = scorer.coalitions(&taste).unwrap();
    let item = 23;
    let at = |there: [bool; 3]| found.with(there[0], there[1], there[2])[item];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let mut expected = [0.0f32; 3];
    for order in orders {
        let mut there = [false; 3];
        for part in order {
            let before = at(there);
            there[part] = true;
            expected[part] += (at(there) - before) / 6.0;
        }
    }
    let probe = scorer.probe(&taste, &found, item as u32).unwrap();
    let [alone, parts @ ..] = probe.shares;
    assert_eq!((alone.part, alone.rank_without), (Part::Identities, None));
    assert_eq!(alone.adds, at([false; 3]));
    near(&parts.map(|share| share.adds), &expected);
    assert!(
        expected.iter().all(|adds| adds.abs() > 1e-4),
        "{expected:?}"
    );
    near(
        &[probe.shares.iter().map(|share| share.adds).sum::<f32>()],
        &[probe.logit],
    );
    let without = [
        (Part::Pattern, [false, true, true]),
        (Part::Reasons, [true, false, true]),
        (Part::History, [true, true, false]),
    ];
    for (share, (part, there)) in parts.iter().zip(without) {
        let logits = found.with(there[0], there[1], there[2]);
        let rank = pessimistic_rank(logits, &hidden, item);
        assert_eq!((share.part, share.rank_without), (part, Some(rank)));
    }
    assert_eq!(probe.rank, pessimistic_rank(found.whole(), &hidden, item));
}

/// What is left of an item's logit where an event is exchanged.
fn exchanged(artefact: &Artefact, taste: &Taste, item: u32, event: u32) -> f32 {
    let scorer = Scorer::on_cpu(artefact).unwrap();
    let carriers = scorer.carriers(taste, &[item]).unwrap().remove(0);
    assert_eq!(carriers.len(), taste.history.len().min(WINDOW));
    assert!(carriers.is_sorted_by(|a, b| a.adds.abs() >= b.adds.abs()));
    for one in &carriers {
        assert_eq!(one.item, taste.history[one.event as usize].item);
    }
    let one = carriers.iter().find(|one| one.event == event).unwrap();
    logits(&scorer, taste)[item as usize] - one.adds
}

/// Where all titles are alike an average one is as good as any, and nothing carries anything.
#[test]
fn what_an_average_title_would_do_as_well_carries_nothing() {
    let mut alike = artefact(8);
    let items = &mut alike.tensors.get_mut("weights.item.weight").unwrap().values;
    let first = items[..WIDTH].to_vec();
    (items.chunks_exact_mut(WIDTH)).for_each(|item| item.copy_from_slice(&first));
    alike.reasons.iter_mut().for_each(Vec::clear);
    alike
        .tensors
        .get_mut(REASON_COUNT)
        .unwrap()
        .values
        .fill(0.0);
    let scorer = Scorer::on_cpu(&alike).unwrap();
    let taken = |item| Taken {
        item,
        position: None,
    };
    let taste = Taste {
        history: [3, 30, 41].map(taken).to_vec(),
        ..Taste::default()
    };
    for one in &scorer.carriers(&taste, &[31]).unwrap()[0] {
        assert!(one.adds.abs() < 1e-5, "{one:?}");
    }
    let plain = artefact(8);
    for event in 0..3 {
        let whole = logits(&Scorer::on_cpu(&plain).unwrap(), &taste)[31];
        assert!((whole - exchanged(&plain, &taste, 31, event)).abs() > 1e-4);
    }
}

/// All else stays as it is, the places of the others as well: what the exchanged title was makes no difference.
#[test]
fn an_exchanged_title_is_not_read() {
    let plain = artefact(8);
    let scorer = Scorer::on_cpu(&plain).unwrap();
    let taste = scorer.taste(2).unwrap();
    let events = taste.history.len() as u32;
    for event in [0, 2, events - 1] {
        let left = exchanged(&plain, &taste, 31, event);
        // Another title there, and with it another row of what was matched.
        let mut other = taste.clone();
        let place = event as usize;
        other.history[place] = Taken {
            item: 50,
            position: None,
        };
        near(&[left], &[exchanged(&plain, &other, 31, event)]);
        let changed = logits(&scorer, &other)[31];
        assert!(
            (changed - logits(&scorer, &taste)[31]).abs() > 1e-4,
            "it is read where it stands"
        );
        // Taken out it is another question: the later ones move up.
        other.history.remove(place);
        assert!((left - logits(&scorer, &other)[31]).abs() > 1e-4);
    }
    assert!(scorer.carriers(&Taste::default(), &[1]).unwrap()[0].is_empty());
    let out = scorer.carriers(&taste, &[ITEMS as u32]);
    assert!(matches!(
        out,
        Err(crate::scorer::ScoreError::BadTaste { .. })
    ));
}

/// Every absence is the taste scored again without it; where it is ranked, it is ranked among the same items.
#[test]
fn what_is_missing_is_what_was_taken_away() {
    let scorer = Scorer::on_cpu(&artefact(8)).unwrap();
    let taste = scorer.taste(0).unwrap();
    let hidden = scorer.hidden(&taste);
    let item = 31; // three reasons
    let probe = scorer
        .probe(&taste, &scorer.coalitions(&taste).unwrap(), item)
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
    // The event that is not ranked changes least beside what any one changes.
    let mut changes: Vec<f32> = probe.without[4..]
        .iter()
        .map(|one| one.logit - probe.logit)
        .collect();
    changes.sort_by(f32::total_cmp);
    let common = changes[2];
    let change = |absence: &Absence| (absence.logit - probe.logit - common).abs();
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
        .probe(&muted, &scorer.coalitions(&muted).unwrap(), item)
        .unwrap();
    let reasons: Vec<Part> = probe.without[1..3].iter().map(|one| one.part).collect();
    assert_eq!(reasons, [Part::Reason(0), Part::Reason(2)]);
}

#[test]
fn a_written_pattern_is_missing_as_a_stored_one_is() {
    let scorer = Scorer::on_cpu(&artefact(8)).unwrap();
    let mut taste = scorer.taste(0).unwrap();
    taste.pattern = None;
    taste.written = Some(sample::noise(WIDTH, 77));
    // A title that was added is matched with the pattern too.
    taste.history.push(Taken {
        item: 40,
        position: None,
    });
    let item = 31;
    let probe = scorer
        .probe(&taste, &scorer.coalitions(&taste).unwrap(), item)
        .unwrap();
    let absence = probe.without[0];
    assert_eq!(absence.part, Part::Pattern);
    taste.written = None;
    let found = logits(&scorer, &taste);
    near(&[absence.logit], &[found[item as usize]]);
    assert!((absence.logit - probe.logit).abs() > 1e-3, "it is missed");
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
            .probe(&taste, &scorer.coalitions(&taste).unwrap(), item)
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
