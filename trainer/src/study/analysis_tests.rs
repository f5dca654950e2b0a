//! Tests of `analysis`: what synthetic ratings, made here, must come to.

use super::super::ratings::join;
use super::super::ratings::tests::{key, rating, sheet};
use super::*;

/// Ratings made up here, for the test alone: `raters` people rate `pairs` pairs with these scores.
fn judged(raters: usize, pairs: usize, scores: impl Fn(usize, usize) -> (u8, u8)) -> Verdict {
    let sheets: Vec<_> = (0..raters)
        .map(|rater| {
            let ratings = (0..pairs).map(|pair| {
                let (reason, other) = scores(rater, pair);
                rating(pair, reason, other)
            });
            sheet(&format!("r{rater}"), ratings.collect())
        })
        .collect();
    analyse(&join(&sheets, &key(pairs)).unwrap(), "s", 1)
}

fn number(verdict: &Verdict, group: &str, name: &str) -> f64 {
    let found = verdict
        .numbers
        .iter()
        .find(|one| one.group == group && one.name == name);
    found
        .unwrap_or_else(|| panic!("no {group}, {name}: {verdict}"))
        .value
        .mean
}

#[test]
fn better_reasons_pass_and_worse_ones_fail() {
    let found = judged(4, 72, |_, pair| (4 + u8::from(pair % 3 == 0), 2));
    assert_eq!(found.outcome, Outcome::Pass, "{found}");
    let asked = ["metadata", "popularity"].map(|baseline| {
        [
            format!("{baseline}: share that prefers the reason"),
            format!("{baseline}: relevance, reason − baseline"),
            format!("{baseline}: coherence, reason − baseline"),
        ]
    });
    let names: Vec<&String> = found.conditions.iter().map(|one| &one.name).collect();
    assert_eq!(names, asked.iter().flatten().collect::<Vec<_>>());
    for baseline in 0..2 {
        let of = &found.conditions[3 * baseline..];
        assert_eq!(of[0].value.mean, 1.0);
        // (12 · 5 + 24 · 4) / 36 − 2
        assert!((of[1].value.mean - (156.0 / 36.0 - 2.0)).abs() < 1e-12);
        // Pairs, not their 144 ratings.
        assert_eq!(of[0].n, 36);
    }
    assert_eq!(
        number(&found, "preference", "ratings that prefer the reason"),
        288.0
    );
    // In these the reason always stands second.
    assert_eq!(
        number(
            &found,
            "preference",
            "share that prefers whichever stood first"
        ),
        0.0
    );
    // All raters agree, and the values differ.
    assert_eq!(
        number(&found, "Krippendorff's alpha", "relevance (interval)"),
        1.0
    );
    let p = number(&found, "preference", "exact two-sided p over pairs");
    assert!((p / 2f64.powi(-71) - 1.0).abs() < 1e-9, "{p}");
    assert_eq!(judged(4, 72, |_, _| (1, 4)).outcome, Outcome::Fail);
}

#[test]
fn a_baseline_that_is_ahead_is_not_made_up_for_by_a_weak_one() {
    // Pairs with even numbers have the metadata baseline: it wins two of three, the other one never.
    let found = judged(5, 80, |_, pair| match pair % 6 {
        0 | 2 => (2, 4),
        _ => (5, 1),
    });
    assert!(number(&found, "over all baselines", PREFERENCE) > 0.6);
    assert_eq!(found.outcome, Outcome::Fail, "{found}");
    let said = &found.sentence;
    assert!(said.contains("than the baseline of metadata:"), "{said}");
    assert!(!judged(5, 80, |_, _| (5, 1)).sentence.contains("not better"));
}

#[test]
fn many_ratings_of_few_pairs_are_few_recommendations() {
    // 30 and 120 ratings of ten pairs, everybody of one mind.
    for raters in [3, 12] {
        let found = judged(raters, 20, |_, _| (5, 1));
        assert_eq!(found.outcome, Outcome::NotDecidable, "{found}");
        assert_eq!(found.conditions[0].n, 10);
        let said = found.notes.join("\n");
        assert!(said.contains("30 different pairs and 3 raters"), "{said}");
        assert!(said.contains("10 different pairs"), "{said}");
    }
    let enough = judged(3, 60, |_, _| (5, 1));
    assert_eq!(enough.outcome, Outcome::Pass, "{enough}");
    assert!(!enough.notes.join("\n").contains("Too few"), "{enough}");
}

#[test]
fn who_gave_no_value_is_no_rater_of_a_condition() {
    // The third one cannot tell which is better: two people's preferences are left.
    let found = judged(3, 80, |rater, _| if rater == 2 { (3, 3) } else { (5, 1) });
    assert_eq!(found.conditions[0].outcome, Outcome::NotDecidable);
    let said = found.notes.join("\n");
    assert!(said.contains("40 different pairs, 2 raters"), "{said}");
}

#[test]
fn few_raters_or_ratings_decide_nothing() {
    assert_eq!(judged(2, 80, |_, _| (5, 1)).outcome, Outcome::NotDecidable);
    assert_eq!(judged(4, 5, |_, _| (5, 1)).outcome, Outcome::NotDecidable);
    let split = judged(
        4,
        72,
        |rater, _| if rater % 2 == 0 { (5, 1) } else { (1, 5) },
    );
    assert_eq!(split.outcome, Outcome::NotDecidable, "{split}");
    assert_eq!(
        number(&split, "preference", "exact two-sided p over ratings"),
        1.0
    );
    // Systematic disagreement within every pair.
    assert!(number(&split, "Krippendorff's alpha", "preference (nominal)") < 0.0);
}

#[test]
fn who_cannot_tell_counts_in_no_share() {
    let found = judged(3, 20, |_, pair| if pair % 2 == 0 { (3, 3) } else { (4, 2) });
    // Three people preferred the reason in ten of the twenty pairs.
    // Pairs with odd numbers have the popularity baseline.
    let (metadata, popularity) = found.conditions.split_at(3);
    assert_eq!((metadata[0].n, popularity[0].n), (0, 10));
    assert_eq!(popularity[0].value.mean, 1.0);
    assert_eq!(metadata[1].value.mean, 0.0);
    assert_eq!(number(&found, "over all baselines", PREFERENCE), 1.0);
    assert_eq!(
        number(&found, "preference", "ratings that cannot tell"),
        30.0
    );
}

#[test]
fn the_interval_covers_raters_and_pairs() {
    // 10 raters with tastes of their own (half always 1, half always 0), 100 pairs: raters are what varies, and the
    // interval is that of 10 coins, 0.5 ± 1.96 √(0.25/10) = ± 0.31, not of 1000 ratings (± 0.03).
    let values: Vec<Rated> = (0..1000)
        .map(|at| (at / 100, at % 100, f64::from(at < 500)))
        .collect();
    let found = both_ways(&values, 1);
    assert_eq!(found.mean, 0.5);
    assert!(
        (found.low - 0.2).abs() < 0.05 && (found.high - 0.8).abs() < 0.05,
        "{found:?}"
    );
    // The same with raters and pairs exchanged.
    let turned: Vec<Rated> = values
        .iter()
        .map(|(rater, pair, value)| (*pair, *rater, *value))
        .collect();
    let found = both_ways(&turned, 1);
    assert!((found.low - 0.2).abs() < 0.05, "{found:?}");
}

#[test]
fn agreement_resamples_pairs_with_both_their_explanations() {
    // Raters agree on one half of the pairs and not on the other; each pair once, and with the same said of both explanations, which
    // tells nothing more.
    let unit = |pair: usize| match pair % 4 {
        0 => vec![1.0, 1.0],
        2 => vec![5.0, 5.0],
        _ => vec![1.0, 5.0],
    };
    let interval = |explanations: usize| {
        let pairs: Vec<Vec<Vec<f64>>> =
            (0..24).map(|pair| vec![unit(pair); explanations]).collect();
        alpha_with_interval(&pairs, Scale::Nominal, 1).unwrap()
    };
    let (once, twice) = (interval(1), interval(2));
    assert!((once.low - twice.low).abs() < 0.03, "{once:?} {twice:?}");
    assert!((once.high - twice.high).abs() < 0.03, "{once:?} {twice:?}");
}
