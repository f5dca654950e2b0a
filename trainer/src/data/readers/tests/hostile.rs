//! Arbitrary bytes and damaged good files never panic a reader, and what is read keeps the log's promises.

use proptest::prelude::*;

use super::*;

/// Small good files of every format.
fn good(format: Format) -> Vec<(&'static str, &'static [u8])> {
    match format {
        Format::Ml1m => vec![
            ("movies.dat", b"1::A, The (1990)::X|Y\n2::B (1991)::Z\n"),
            ("ratings.dat", b"1::1::5::7\n1::2::4::8\n2::2::3::9\n"),
            ("sasrec_sequences.txt", b"1 1 2\n2 2\n"),
        ],
        Format::MlLatest => vec![
            (
                "movies.csv",
                b"movieId,title,genres\n1,\"A, The (1990)\",X|Y\n2,B,Z\n",
            ),
            (
                "ratings.csv",
                b"userId,movieId,rating,timestamp\n1,1,5.0,7\n1,2,4.0,8\n",
            ),
        ],
        Format::Amazon => vec![
            (
                "meta_X.json",
                b"{\"asin\":\"B1\",\"title\":\"T &amp; U\",\"category\":[\"a\",\"b\"]}\n",
            ),
            (
                "X.json",
                b"{\"reviewerID\":\"U\",\"asin\":\"B1\",\"unixReviewTime\":5,\"overall\":4.0}\n\
                  {\"user_id\":\"U\",\"parent_asin\":\"B2\",\"timestamp\":5000,\"rating\":4.0}\n",
            ),
        ],
        Format::Csv => vec![
            (
                "items.csv",
                b"item_id,title,genres\na,\"A, The\",x|y\nb,B,\n",
            ),
            (
                "interactions.csv",
                b"user_id,item_id,timestamp,rating\nu,a,1,5\nu,b,2,\n",
            ),
        ],
        Format::RecBole => vec![
            (
                "x.item",
                b"item_id:token\ttitle:token_seq\tgenre:token_seq\na\tA, The\tx y\nb\tB\t\n",
            ),
            (
                "x.inter",
                b"user_id:token\titem_id:token\ttimestamp:float\nu\ta\t1\nu\tb\t2.5\n",
            ),
        ],
    }
}

fn check(format: Format, files: &[(&str, &[u8])]) {
    let dir = folder(files);
    for lenient in [false, true] {
        for order in [Order::Drawn, Order::Source, Order::Sasrec] {
            let options = ReadOptions { lenient, order };
            match read(dir.path(), Some(format), &options) {
                Ok(log) => keeps_its_promises(&log),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

fn keeps_its_promises(log: &Log) {
    assert!(!log.interactions.is_empty());
    for i in &log.interactions {
        assert!((i.user as usize) < log.users.len() && (i.item as usize) < log.items.len());
        assert!(i.time >= 0);
        assert!(i.rating.is_none_or(f32::is_finite));
    }
    let pairs = log.interactions.windows(2);
    assert!(
        pairs
            .clone()
            .all(|w| (w[0].user, w[0].time) <= (w[1].user, w[1].time))
    );
    let mut titles: Vec<String> = log.items.iter().map(|i| i.title.to_lowercase()).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), log.items.len());
    assert!(
        log.items
            .iter()
            .all(|item| !item.title.is_empty() && !item.key.is_empty())
    );
}

#[test]
fn the_good_files_are_good() {
    for format in Format::ALL {
        let log = read(folder(&good(format)).path(), None, &ReadOptions::default()).unwrap();
        assert!(
            log.interactions.len() >= 2 && log.skipped.is_empty(),
            "{format}"
        );
        keeps_its_promises(&log);
    }
}

fn formats() -> impl Strategy<Value = Format> {
    prop::sample::select(Format::ALL.to_vec())
}

/// Bytes that look like the formats' own more often than chance would have it.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..4),
        6 => prop::sample::select(vec![
            "::", "\n", "\r\n", ",", "\t", "\"", "1", "2", "-1", "NaN", "1e999", "9223372036854775807", "(1995)", ", The",
            "user_id,item_id,timestamp\n", "item_id,title\n", "{\"asin\":\"B1\"}", "{", "}", "[", "null", "&amp;", "&#", "<",
            "é", "|", " ", "\u{feff}", "item_id:token\ttitle:token\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes(format in formats(), all in prop::collection::vec(bytes(), 3)) {
        let names = good(format);
        let files: Vec<(&str, &[u8])> =
            names.iter().zip(&all).map(|((name, _), bytes)| (*name, bytes.as_slice())).collect();
        check(format, &files);
    }

    #[test]
    fn damaged_good_files(
        format in formats(),
        file in any::<prop::sample::Index>(),
        start in any::<prop::sample::Index>(),
        length in 0..6_usize,
        splice in bytes(),
    ) {
        let mut files = good(format);
        let file = file.index(files.len());
        let mut damaged = files[file].1.to_vec();
        let start = start.index(damaged.len());
        let end = (start + length).min(damaged.len());
        damaged.splice(start..end, splice);
        files[file].1 = &[];
        let mut files: Vec<(&str, &[u8])> = files;
        files[file].1 = &damaged;
        check(format, &files);
    }

    #[test]
    fn any_title_becomes_short_and_clean(raw in any::<String>()) {
        let clean = titles::clean_title(&raw);
        prop_assert!(clean.title.chars().count() <= titles::TITLE_LIMIT);
        prop_assert!(!clean.title.contains(char::is_control));
        prop_assert!(clean.year.is_none_or(|year| titles::is_year(&year)));
    }
}
