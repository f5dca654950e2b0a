//! What each reader makes of good files.

use super::*;

#[test]
fn ml_1m_with_latin_1_articles_years_and_tie_order() {
    let dir = folder(&[
        (
            "movies.dat",
            b"1::Toy Story (1995)::Animation|Comedy\n73::Mis\xe9rables, Les (1995)::Drama\n\
              9::Hamlet (1990)::Drama\n10::Hamlet (1996)::Drama\n",
        ),
        (
            "ratings.dat",
            b"7::73::5::100\n7::9::4::90\n2::1::3::5\n7::1::4::100\n7::10::1::100\n7::73::5::100\n",
        ),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        titles(&log),
        [
            "Toy Story",
            "Les Misérables",
            "Hamlet (1990)",
            "Hamlet (1996)"
        ]
    );
    assert_eq!(
        attributes(&log, 0),
        ["year: 1995", "genre: Animation", "genre: Comedy"]
    );
    assert_eq!(
        events(&log),
        [
            ("7", "9", 90),
            ("7", "73", 100),
            ("7", "1", 100),
            ("7", "10", 100),
            ("2", "1", 5)
        ]
    );
    assert_eq!(log.interactions[0].rating, Some(4.0));
    assert_eq!(log.skipped.get(crate::data::DUPLICATE), Some(&1));
}

#[test]
fn ml_1m_that_somebody_made_utf_8() {
    let dir = folder(&[
        (
            "movies.dat",
            "73::Misérables, Les (1995)::Drama\r\n".as_bytes(),
        ),
        ("ratings.dat", b"7::73::5::100\r\n"),
    ]);
    assert_eq!(titles(&strict(dir.path()).unwrap()), ["Les Misérables"]);
}

const SASREC: ReadOptions = ReadOptions {
    lenient: false,
    order: Order::Sasrec,
};

#[test]
fn ml_1m_in_sasrec_order_has_only_what_the_sequences_have() {
    let dir = folder(&[
        (
            "movies.dat",
            b"1::A (1990)::X\n2::B (1990)::X\n3::C (1990)::X\n",
        ),
        (
            "ratings.dat",
            b"5::1::1::10\n5::2::1::10\n5::3::1::9\n6::1::1::1\n6::2::1::2\n",
        ),
        ("sasrec_sequences.txt", b"6 2\n5 3 2 1\n"),
    ]);
    let log = read(dir.path(), None, &SASREC).unwrap();
    assert_eq!(
        events(&log),
        [("5", "3", 9), ("5", "2", 10), ("5", "1", 10), ("6", "2", 2)]
    );
    assert_eq!(log.skipped.get("not in sasrec_sequences.txt"), Some(&1));
}

#[test]
fn ml_latest_with_quotes_and_without_genres_or_tags() {
    let dir = folder(&[
        (
            "movies.csv",
            "movieId,title,genres\n11,\"American President, The (1995)\",Comedy|Drama\n\
             5,Babylon 5,(no genres listed)\n6,\"He said \"\"no\"\" (2001)\",\n"
                .as_bytes(),
        ),
        (
            "ratings.csv",
            b"userId,movieId,rating,timestamp\n1,11,4.5,9\n1,5,0.5,8\n",
        ),
        (
            "tags.csv",
            b"userId,movieId,tag,timestamp\n1,11,presidents,9\n",
        ),
        ("links.csv", b"movieId,imdbId,tmdbId\n"),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        titles(&log),
        ["The American President", "Babylon 5", "He said \"no\""]
    );
    assert_eq!(
        attributes(&log, 0),
        ["year: 1995", "genre: Comedy", "genre: Drama"]
    );
    assert!(attributes(&log, 1).is_empty());
    assert_eq!(events(&log), [("1", "5", 8), ("1", "11", 9)]);
    assert_eq!(log.interactions[1].rating, Some(4.5));
}

#[test]
fn plain_csv_with_columns_in_any_order_and_free_columns() {
    let dir = folder(&[
        (
            "items.csv",
            "\u{feff}title,genres,item_id,Studio Name\nCommand &amp; Conquer,strategy|war,a,Westwood\r\n\
             \"Sims, The\",,b,unknown\r\nCommand & Conquer,x,c,\r\n"
                .as_bytes(),
        ),
        (
            "interactions.csv",
            b"rating,timestamp,item_id,user_id\n5,20,a,u\n,10.0,b,u\n4,30,a,v\n",
        ),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        titles(&log),
        ["Command & Conquer #a", "The Sims", "Command & Conquer #c"]
    );
    assert_eq!(
        attributes(&log, 0),
        ["genre: strategy", "genre: war", "studio name: Westwood"]
    );
    assert!(attributes(&log, 1).is_empty());
    assert_eq!(
        events(&log),
        [("u", "b", 10), ("u", "a", 20), ("v", "a", 30)]
    );
    assert_eq!(log.interactions[0].rating, None);
    assert_eq!(log.interactions[1].rating, Some(5.0));
}

#[test]
fn amazon_2018() {
    let meta = br#"{"asin": "B1", "title": "Super Game &amp; Watch", "brand": "by\n    \n    Nintendo", "category": ["Video Games", "Game Boy", "Games", "</span></span>"], "rank": [], "price": "$5"}
{"asin": "B2", "title": "var aPageStart = (new Date()).getTime();\nvar x", "brand": [], "category": "Video Games"}
{"asin": "B1", "title": "Described again"}
{"asin": "B3", "title": ["Listed Title (1999)"], "brand": null, "main_cat": {"a": 1}}
"#;
    let reviews = br#"{"overall": 5.0, "verified": true, "reviewTime": "10 17, 2015", "reviewerID": "A1", "asin": "B1", "reviewText": "x", "unixReviewTime": 1445040000}
{"overall": 4.0, "reviewerID": "A1", "asin": "B2", "unixReviewTime": 1445000000}
{"overall": 1.0, "reviewerID": "A1", "asin": "B9", "unixReviewTime": 1445040000}
"#;
    let dir = folder(&[
        ("meta_Video_Games.json.gz", &gzipped(meta)),
        ("Video_Games_5.json", reviews),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        titles(&log),
        [
            "Super Game & Watch",
            "Untitled #B2",
            "Listed Title",
            "Untitled #B9"
        ]
    );
    assert_eq!(
        attributes(&log, 0),
        ["brand: Nintendo", "category: Game Boy", "category: Games"]
    );
    assert_eq!(attributes(&log, 2), ["year: 1999"]);
    assert_eq!(
        events(&log),
        [
            ("A1", "B2", 1_445_000_000),
            ("A1", "B1", 1_445_040_000),
            ("A1", "B9", 1_445_040_000)
        ]
    );
    assert_eq!(log.skipped.get(crate::data::DESCRIBED_TWICE), Some(&1));
}

#[test]
fn amazon_2023_is_ordered_by_milliseconds_and_dated_in_seconds() {
    let meta = br#"{"main_category": "Movies & TV", "title": "Alien", "parent_asin": "P1", "store": "Studio One", "categories": ["Movies & TV", "Genre for Featured Categories", "Horror"], "details": {"Director": "R. S."}}
{"main_category": null, "title": "Brazil", "parent_asin": "P2", "store": null, "categories": []}
"#;
    let reviews = br#"{"rating": 5.0, "title": "Great", "asin": "B1", "parent_asin": "P1", "user_id": "U", "timestamp": 1588687728923, "images": []}
{"rating": 4.0, "asin": "B2", "parent_asin": "P2", "user_id": "U", "timestamp": 1588687728001}
"#;
    let dir = folder(&[
        ("meta_Movies_and_TV.jsonl", meta),
        ("Movies_and_TV.jsonl.gz", &gzipped(reviews)),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        attributes(&log, 0),
        ["brand: Studio One", "category: Horror"]
    );
    assert_eq!(
        events(&log),
        [("U", "P2", 1_588_687_728), ("U", "P1", 1_588_687_728)]
    );
}

#[test]
fn recbole_films_and_products() {
    let dir = folder(&[
        (
            "ml.item",
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n\
             1\tToy \"Story\t1995\tAnimation Comedy\n2\tMatrix, The\t\t\n"
                .as_bytes(),
        ),
        (
            "ml.inter",
            b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n\
              u\t2\t4\t8.8e8\nu\t1\t\t879999999.0\nu\t3\t1\t880000001\n",
        ),
        ("ml.user", b"user_id:token\n"),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(titles(&log), ["Toy \"Story", "The Matrix", "Untitled #3"]);
    assert_eq!(
        attributes(&log, 0),
        ["year: 1995", "genre: Animation", "genre: Comedy"]
    );
    assert_eq!(
        events(&log),
        [
            ("u", "1", 879_999_999),
            ("u", "2", 880_000_000),
            ("u", "3", 880_000_001)
        ]
    );

    let dir = folder(&[
        (
            "a.item",
            b"item_id:token\ttitle:token\tprice:float\tbrand:token\tcategories:token_seq\n\
              B1\tGame One\t3.5\tSega\t'Video Games', 'PC', \n",
        ),
        (
            "a.inter",
            b"item_id:token\tuser_id:token\ttimestamp:float\nB1\tu\t1\n",
        ),
    ]);
    let log = strict(dir.path()).unwrap();
    assert_eq!(
        attributes(&log, 0),
        ["brand: Sega", "category: Video Games", "category: PC"]
    );
}

#[test]
fn detection_by_files() {
    let found = |names: &[&str]| {
        let files: Vec<(&str, &[u8])> = names.iter().map(|n| (*n, b"".as_slice())).collect();
        detect(folder(&files).path())
    };
    assert_eq!(
        found(&["movies.dat", "ratings.dat", "README"]).unwrap(),
        Format::Ml1m
    );
    assert_eq!(
        found(&["movies.csv", "ratings.csv"]).unwrap(),
        Format::MlLatest
    );
    assert_eq!(
        found(&["items.csv", "interactions.csv"]).unwrap(),
        Format::Csv
    );
    assert_eq!(found(&["x.inter", "x.item"]).unwrap(), Format::RecBole);
    for reviews in ["X_5.json.gz", "X.json", "X.jsonl.gz", "reviews_X_5.json.gz"] {
        assert_eq!(
            found(&["meta_X.json.gz", reviews]).unwrap(),
            Format::Amazon,
            "{reviews}"
        );
    }
    let pairs = amazon::pairs(&["X_5.json", "X_5.json.gz", "meta_X.json"].map(str::to_owned));
    assert_eq!(pairs, [("meta_X.json".to_owned(), "X_5.json".to_owned())]);
}
