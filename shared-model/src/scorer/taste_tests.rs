//! A changed taste is scored as if an artefact had been made of it.

use super::fixture::*;
use super::{Muted, ScoreError, Scorer, Taken, Taste};
use crate::artefact::HistoryEvent;
use crate::artefact::tensors::{
    HISTORY_MATCHED, NO_PATTERN, PATTERNS, REASON_COUNT, REASON_KEYS, REASON_VALUES,
};

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
fn a_reason_of_an_event_that_is_taken_out_does_not_count() {
    let mut artefact = artefact(3);
    let base = logits(
        &Scorer::on_cpu(&artefact).unwrap(),
        &Scorer::on_cpu(&artefact).unwrap().taste(1).unwrap(),
    );
    let history: Vec<u32> = (artefact.users[1].history.iter())
        .map(|event| event.item)
        .collect();
    let place = (history.iter())
        .position(|item| item % 4 > 1 && history.iter().filter(|one| *one == item).count() == 1)
        .unwrap();
    let item = history[place];
    let strange = without(&Scorer::on_cpu(&artefact).unwrap().taste(1).unwrap(), place);
    let before = logits(&Scorer::on_cpu(&artefact).unwrap(), &strange);
    artefact.reasons[item as usize][1].user = Some(1);
    for scorer in both(&artefact) {
        let taste = scorer.taste(1).unwrap();
        near(&logits(&scorer, &taste), &base);
        let gone = without(&taste, place);
        let muted = Taste {
            muted: vec![Muted { item, reason: 1 }],
            ..gone.clone()
        };
        let found = scores(&scorer, &gone);
        assert_eq!(found.logits, logits(&scorer, &muted));
        assert!(apart(&found.logits, &before), "it counted");
        assert_eq!(found.reason_attention(item as usize)[1], 0.0);
        // Taken out and put back it is read as it would be of anybody who took it today.
        let back = |taste: &Taste| {
            let mut taste = taste.clone();
            let position = None;
            taste.history.push(Taken { item, position });
            logits(&scorer, &taste)
        };
        assert_eq!(back(&gone), back(&muted));
        // What is asked of each title of the history says the same as taking it out.
        let side = scorer.side(&taste).unwrap();
        let rest = side.without(&[place]);
        let states = scorer.cpu.states(&rest);
        let all = scorer.cpu.catalogue();
        near(
            &(scorer.cpu).logits(rest.moment(&states), &all, &rest.muted, true),
            &found.logits,
        );
        assert_eq!(side.without(&[place, 0]).without(&[]).muted, rest.muted);
        // Somebody else's taste, of the same titles, reads it.
        let mut other = gone.clone();
        other.viewer = None;
        for taken in &mut other.history {
            taken.position = None;
        }
        assert!(scores(&scorer, &other).reason_attention(item as usize)[1] > 0.0);
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
            .probe(&own, &scorer.coalitions(&own).unwrap(), 60)
            .unwrap_err()
            .kind(),
        "bad-taste"
    );
}
