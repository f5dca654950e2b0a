//! Tests of `ratings`: synthetic keys and ratings, made here, and what of them is refused.

use super::*;

/// A key of `pairs` pairs: the reason is `r0`, `r1`, …, the baseline `b0`, ….
pub(in crate::study) fn key(pairs: usize) -> Key {
    let pair = |index: usize| KeyPair {
        pair: format!("p{index}"),
        user: "u".into(),
        item: "i".into(),
        conditions: BTreeMap::from([
            (format!("r{index}"), Condition::Reason),
            (
                format!("b{index}"),
                [Condition::Metadata, Condition::Popularity][index % 2],
            ),
        ]),
    };
    Key {
        format: super::super::content::KEY_FORMAT.into(),
        version: 1,
        study: "s".into(),
        pairs: (0..pairs).map(pair).collect(),
    }
}

/// A synthetic rating: the reason scores `reason`, the baseline `other`, and the higher one is preferred.
pub(in crate::study) fn rating(index: usize, reason: u8, other: u8) -> Rating {
    let scores = |value| Scores {
        relevance: Some(value),
        coherence: Some(value),
    };
    let preferred = match reason.cmp(&other) {
        std::cmp::Ordering::Greater => format!("r{index}"),
        std::cmp::Ordering::Less => format!("b{index}"),
        std::cmp::Ordering::Equal => CANNOT_TELL.into(),
    };
    Rating {
        pair: format!("p{index}"),
        place: index,
        left: format!("b{index}"),
        right: format!("r{index}"),
        preferred,
        scores: BTreeMap::from([
            (format!("r{index}"), scores(reason)),
            (format!("b{index}"), scores(other)),
        ]),
        shown: "2026-01-01T00:00:00.000Z".into(),
        answered: "2026-01-01T00:00:09.000Z".into(),
    }
}

pub(in crate::study) fn sheet(rater: &str, ratings: Vec<Rating>) -> (String, Sheet) {
    let sheet = Sheet {
        format: FORMAT.into(),
        version: 1,
        study: "s".into(),
        rater: rater.into(),
        started: String::new(),
        exported: String::new(),
        ratings,
    };
    (format!("{rater}.json"), sheet)
}

#[test]
fn sides_are_uncovered_by_the_key() {
    let found = join(
        &[sheet("anna", vec![rating(0, 4, 2), rating(1, 3, 3)])],
        &key(2),
    )
    .unwrap();
    assert_eq!(found[0].reason_preferred, Some(true));
    assert_eq!(
        (found[0].reason.relevance, found[0].other.relevance),
        (Some(4), Some(2))
    );
    assert_eq!(
        (found[0].baseline, found[1].baseline),
        (Condition::Metadata, Condition::Popularity)
    );
    assert_eq!(found[1].reason_preferred, None);
    assert!(!found[0].reason_first);
}

#[test]
fn every_wrong_file_is_named() {
    let refused = |change: fn(&mut Sheet), words: &str| {
        let mut one = sheet("anna", vec![rating(0, 4, 2)]);
        change(&mut one.1);
        let said = join(&[one], &key(2)).unwrap_err().to_string();
        assert!(
            said.contains(words) && (said.contains("anna.json") || words == "no rating"),
            "{said}"
        );
    };
    refused(|one| one.study = "t".into(), "study t");
    refused(|one| one.ratings[0].pair = "p9".into(), "no such pair");
    refused(
        |one| one.ratings[0].left = "b1".into(),
        "other explanations",
    );
    refused(|one| one.ratings[0].preferred = "b1".into(), "not shown");
    refused(
        |one| {
            one.ratings[0].scores.remove("r0");
        },
        "other explanations",
    );
    refused(
        |one| {
            one.ratings[0].scores.insert(
                "r0".into(),
                Scores {
                    relevance: Some(6),
                    coherence: None,
                },
            );
        },
        "a relevance of 6",
    );
    refused(
        |one| {
            one.ratings[0].scores.insert(
                "b0".into(),
                Scores {
                    relevance: None,
                    coherence: Some(0),
                },
            );
        },
        "a coherence of 0",
    );
    refused(|one| one.ratings.push(rating(0, 1, 1)), "already");
    refused(|one| one.ratings.clear(), "no rating");
    let twice = [
        sheet("anna", vec![rating(0, 4, 2)]),
        sheet(" anna ", vec![rating(0, 4, 2)]),
    ];
    assert!(matches!(
        join(&twice, &key(2)),
        Err(RatingsError::Twice { .. })
    ));
}

#[test]
fn only_exports_are_read() {
    let text = serde_json::to_string(&sheet("anna", vec![rating(0, 1, 2)]).1).unwrap();
    assert_eq!(parse("f", &text).unwrap().ratings.len(), 1);
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        (FORMAT, "other"),
        ("\"rater\":\"anna\"", "\"rater\":\" \""),
        ("\"relevance\":1", "\"relevance\":-1"),
    ] {
        assert!(text.contains(from));
        let said = parse("f", &text.replace(from, to)).unwrap_err().to_string();
        assert!(said.starts_with("f is no ratings file"), "{said}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in proptest::prelude::any::<String>()) {
        let _ = parse("f", &text);
    }
}
