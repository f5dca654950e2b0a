//! Every error variant, by a file that has exactly that problem.

use super::*;

const MOVIES: (&str, &[u8]) = ("movies.dat", b"1::A (1990)::X\n2::B (1990)::X\n");

/// Reads MovieLens-1M with these ratings; the second line is the bad one.
fn rating_problem(line: &[u8]) -> LineProblem {
    let ratings = [b"1::1::5::7\n", line, b"\n1::2::5::8\n"].concat();
    let dir = folder(&[MOVIES, ("ratings.dat", &ratings)]);
    let problem = match strict(dir.path()) {
        Err(DataError::Line {
            file,
            line: 2,
            problem,
        }) => {
            assert!(file.ends_with("ratings.dat"));
            problem
        }
        other => panic!("{other:?}"),
    };
    let log = lenient(dir.path()).unwrap();
    assert_eq!(log.interactions.len(), 2);
    assert_eq!(log.skipped.get(problem.reason()), Some(&1));
    problem
}

#[test]
fn field_count() {
    let problem = rating_problem(b"1::2::5");
    assert_eq!(
        problem,
        LineProblem::FieldCount {
            expected: 4,
            found: 3
        }
    );
    let problem = rating_problem(b"1::2::5::7::9");
    assert_eq!(
        problem,
        LineProblem::FieldCount {
            expected: 4,
            found: 5
        }
    );
    assert_eq!(
        rating_problem(b""),
        LineProblem::FieldCount {
            expected: 4,
            found: 1
        }
    );
}

#[test]
fn empty_field() {
    assert_eq!(
        rating_problem(b"::2::5::7"),
        LineProblem::EmptyField { field: "UserID" }
    );
    assert_eq!(
        rating_problem(b"1::2::5::"),
        LineProblem::EmptyField { field: "Timestamp" }
    );
}

#[test]
fn invalid_utf8() {
    assert_eq!(
        rating_problem(b"1::2::\xff::7"),
        LineProblem::InvalidUtf8 { field: "Rating" }
    );
}

#[test]
fn not_a_number() {
    let value = "five".to_owned();
    assert_eq!(
        rating_problem(b"1::2::five::7"),
        LineProblem::NotANumber {
            field: "Rating",
            value
        }
    );
    let reason = rating_problem(b"bob::2::5::7").reason();
    assert_eq!(reason, "not a number");
}

#[test]
fn not_finite() {
    for line in [b"1::2::NaN::7".as_slice(), b"1::2::inf::7", b"1::2::5::nan"] {
        assert_eq!(rating_problem(line).reason(), "number not finite");
    }
}

#[test]
fn negative_time() {
    let value = "-7".to_owned();
    assert_eq!(
        rating_problem(b"1::2::5::-7"),
        LineProblem::NegativeTime { value }
    );
}

#[test]
fn time_out_of_range() {
    let problem = rating_problem(b"1::2::5::99999999999999999999");
    assert_eq!(problem.reason(), "time out of range");
}

#[test]
fn unknown_item() {
    let key = "3".to_owned();
    assert_eq!(
        rating_problem(b"1::3::5::7"),
        LineProblem::UnknownItem { key }
    );
}

/// Reads and gives the one line problem with its file and line.
fn problem_in(files: &[(&str, &[u8])], options: &ReadOptions) -> (String, u64, LineProblem) {
    match read(folder(files).path(), None, options) {
        Err(DataError::Line {
            file,
            line,
            problem,
        }) => (
            file.file_name().unwrap().to_string_lossy().into_owned(),
            line,
            problem,
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn repeated_item() {
    let files: [(&str, &[u8]); 2] = [
        ("movies.dat", b"1::A (1990)::X\n1::B (1990)::X\n"),
        ("ratings.dat", b"1::1::5::7\n"),
    ];
    let (file, line, problem) = problem_in(&files, &ReadOptions::default());
    assert_eq!((file.as_str(), line), ("movies.dat", 2));
    assert_eq!(
        problem,
        LineProblem::RepeatedItem {
            key: "1".to_owned()
        }
    );
    let log = lenient(folder(&files).path()).unwrap();
    assert_eq!(log.skipped.get("item described twice"), Some(&1));
    assert_eq!(titles(&log), ["A"]);
}

fn sequence_problem(sequences: &[u8]) -> LineProblem {
    let ratings: &[u8] = b"5::1::1::10\n5::2::1::20\n";
    let files = [
        MOVIES,
        ("ratings.dat", ratings),
        ("sasrec_sequences.txt", sequences),
    ];
    let options = ReadOptions {
        lenient: false,
        order: Order::Sasrec,
    };
    let (file, _, problem) = problem_in(&files, &options);
    assert_eq!(file, "sasrec_sequences.txt");
    problem
}

#[test]
fn unknown_user() {
    let key = "6".to_owned();
    assert_eq!(sequence_problem(b"6 1\n"), LineProblem::UnknownUser { key });
}

#[test]
fn repeated_sequence() {
    assert_eq!(
        sequence_problem(b"5 1\n5 2\n").reason(),
        "second sequence of a user"
    );
}

#[test]
fn not_taken() {
    let key = "1".to_owned();
    assert_eq!(
        sequence_problem(b"5 1 2 1\n"),
        LineProblem::NotTaken { key }
    );
}

#[test]
fn back_in_time() {
    let key = "1".to_owned();
    assert_eq!(
        sequence_problem(b"5 2 1\n"),
        LineProblem::BackInTime { key }
    );
}

#[test]
fn json() {
    let meta = b"{\"asin\": \"B1\", \"title\": \"T\"}\n";
    let review =
        b"{\"reviewerID\": \"U\", \"asin\": \"B1\", \"unixReviewTime\": 1, \"overall\": 1}\n";
    let with = |line: &[u8]| {
        let reviews = [review.as_slice(), line].concat();
        let dir = folder(&[("meta_X.json", meta), ("X.json", &reviews)]);
        let reason = match strict(dir.path()) {
            Err(DataError::Line {
                line: 2, problem, ..
            }) => problem.reason(),
            other => panic!("{other:?}"),
        };
        assert_eq!(lenient(dir.path()).unwrap().skipped.get(reason), Some(&1));
        reason
    };
    assert_eq!(with(b"{'python': 'dict'}"), "not a usable JSON object");
    assert_eq!(with(b"[1]"), "not a usable JSON object");
    assert_eq!(with(b"{\"reviewerID\": 5}"), "not a usable JSON object");
    assert_eq!(with(b"{\"reviewerID\": \"\xff\"}"), "not valid UTF-8");
    assert_eq!(with(b"{\"asin\": \"B1\"}"), "empty or missing field");
    assert_eq!(
        with(b"{\"reviewerID\": \"U\", \"asin\": \" \"}"),
        "empty or missing field"
    );
    let ids = "{\"reviewerID\": \"U\", \"asin\": \"B1\", ";
    assert_eq!(
        with(format!("{ids}\"overall\": 1}}").as_bytes()),
        "empty or missing field"
    );
    assert_eq!(
        with(format!("{ids}\"unixReviewTime\": 1}}").as_bytes()),
        "empty or missing field"
    );
    let late = format!("{ids}\"overall\": 1, \"unixReviewTime\": 9223372036854775807}}");
    assert_eq!(with(late.as_bytes()), "time out of range");
    let early = format!("{ids}\"overall\": 1, \"unixReviewTime\": -5}}");
    assert_eq!(with(early.as_bytes()), "negative time");
    let rated = format!("{ids}\"overall\": 1e300, \"unixReviewTime\": 5}}");
    assert_eq!(with(rated.as_bytes()), "number not finite");
}

#[test]
fn too_long() {
    let long = vec![b'7'; crate::data::lines::LINE_LIMIT + 1];
    assert_eq!(rating_problem(&long).reason(), "line too long");
    let items = [b"item_id,title\na,A\nb,".as_slice(), &long, b"\n"].concat();
    let (_, line, problem) = problem_in(
        &[
            ("items.csv", &items),
            ("interactions.csv", b"user_id,item_id,timestamp\n"),
        ],
        &ReadOptions::default(),
    );
    assert_eq!((line, problem.reason()), (3, "line too long"));
}

const ITEMS: (&str, &[u8]) = ("items.csv", b"item_id,title\na,A\n");

#[test]
fn lines_of_a_table_are_numbered_with_the_header_and_quoted_line_breaks() {
    let interactions: &[u8] =
        b"user_id,item_id,timestamp\n\"a\nb\",a,1\nu,zzz,1\n\nu,a,1,1\nu,a,\n,a,1\n\xff,a,1\n";
    let files = [ITEMS, ("interactions.csv", interactions)];
    let (_, line, problem) = problem_in(&files, &ReadOptions::default());
    assert_eq!((line, problem.reason()), (4, "unknown item"));
    let log = lenient(folder(&files).path()).unwrap();
    assert_eq!(log.interactions.len(), 1);
    let skipped: Vec<(&str, usize)> = log.skipped.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(
        skipped,
        [
            ("empty or missing field", 2),
            ("not valid UTF-8", 1),
            ("unknown item", 1),
            ("wrong number of fields", 1)
        ]
    );
}

#[test]
fn missing_column() {
    let files = [
        ITEMS,
        ("interactions.csv", b"user_id,item,timestamp\n".as_slice()),
    ];
    match strict(folder(&files).path()) {
        Err(DataError::MissingColumn { column, found, .. }) => {
            assert_eq!(
                (column.as_str(), found.as_str()),
                ("item_id", "user_id, item, timestamp")
            );
        }
        other => panic!("{other:?}"),
    }
    let files: [(&str, &[u8]); 2] = [
        ("a.item", b"item_id:token\tprice:float\n"),
        ("a.inter", b""),
    ];
    let outcome = strict(folder(&files).path());
    assert!(
        matches!(outcome, Err(DataError::MissingColumn { .. })),
        "{outcome:?}"
    );
}

#[test]
fn repeated_column() {
    let repeated = |files: &[(&str, &[u8])]| {
        let dir = folder(files);
        let lenient = lenient(dir.path());
        assert!(
            matches!(lenient, Err(DataError::RepeatedColumn { .. })),
            "{lenient:?}"
        );
        match strict(dir.path()) {
            Err(DataError::RepeatedColumn { file, column }) => {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                (name, column)
            }
            other => panic!("{other:?}"),
        }
    };
    let log: &[u8] = b"user_id,item_id,timestamp\nu,a,1\n";
    for (items, column) in [
        (b"item_id,title,title\na,A,B\n".as_slice(), "title"),
        (b"item_id,title,genre,Genre\na,A,x,y\n", "Genre"),
    ] {
        let found = repeated(&[("items.csv", items), ("interactions.csv", log)]);
        assert_eq!(found, ("items.csv".to_owned(), column.to_owned()));
    }
    let twice: &[u8] = b"user_id,item_id,timestamp,timestamp\nu,a,1,2\n";
    let found = repeated(&[ITEMS, ("interactions.csv", twice)]);
    assert_eq!(
        found,
        ("interactions.csv".to_owned(), "timestamp".to_owned())
    );
    // One name with two types is one column of RecBole's twice.
    let found = repeated(&[
        ("a.item", b"item_id:token\tname:token\na\tA\n"),
        (
            "a.inter",
            b"user_id:token\titem_id:token\ttimestamp:token\ttimestamp:float\nu\ta\t1\t2\n",
        ),
    ]);
    assert_eq!(found, ("a.inter".to_owned(), "timestamp".to_owned()));
    // Columns without a name are not one column twice.
    let unnamed: &[u8] = b"item_id,title,,\na,A,,\n";
    let dir = folder(&[("items.csv", unnamed), ("interactions.csv", log)]);
    assert_eq!(titles(&strict(dir.path()).unwrap()), ["A"]);
}

#[test]
fn not_a_folder() {
    let dir = folder(&[ITEMS]);
    for path in [dir.path().join("items.csv"), dir.path().join("nowhere")] {
        assert!(matches!(strict(&path), Err(DataError::NotAFolder { .. })));
        let named = read(&path, Some(Format::Csv), &ReadOptions::default());
        assert!(matches!(named, Err(DataError::NotAFolder { .. })));
    }
}

#[test]
fn unknown_format() {
    let message = strict(folder(&[ITEMS]).path()).unwrap_err().to_string();
    assert!(message.contains("found: items.csv"), "{message}");
    for format in Format::ALL {
        assert!(message.contains(format.signature()), "{message}");
    }
}

#[test]
fn ambiguous_format() {
    let files: [(&str, &[u8]); 4] = [
        ("movies.dat", b""),
        ("ratings.dat", b""),
        ("movies.csv", b""),
        ("ratings.csv", b""),
    ];
    let message = strict(folder(&files).path()).unwrap_err().to_string();
    assert!(message.contains("ml-1m, ml-latest"), "{message}");
}

#[test]
fn missing_file() {
    for format in Format::ALL {
        let outcome = read(folder(&[]).path(), Some(format), &ReadOptions::default());
        assert!(
            matches!(outcome, Err(DataError::MissingFile { .. })),
            "{outcome:?}"
        );
    }
    let files = [MOVIES, ("ratings.dat", b"1::1::1::1\n".as_slice())];
    let options = ReadOptions {
        lenient: false,
        order: Order::Sasrec,
    };
    let message = read(folder(&files).path(), None, &options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("sasrec_sequences.txt"), "{message}");
}

#[test]
fn ambiguous_file() {
    let files: [(&str, &[u8]); 3] = [("a.item", b""), ("b.item", b""), ("a.inter", b"")];
    let outcome = strict(folder(&files).path());
    assert!(
        matches!(outcome, Err(DataError::AmbiguousFile { .. })),
        "{outcome:?}"
    );
    let files: [(&str, &[u8]); 3] = [("meta_X.json", b""), ("X.json", b""), ("X_5.json", b"")];
    let outcome = strict(folder(&files).path());
    assert!(
        matches!(outcome, Err(DataError::AmbiguousFile { .. })),
        "{outcome:?}"
    );
}

#[test]
fn order_not_available() {
    let files = [
        ITEMS,
        (
            "interactions.csv",
            b"user_id,item_id,timestamp\nu,a,1\n".as_slice(),
        ),
    ];
    let options = ReadOptions {
        lenient: false,
        order: Order::Sasrec,
    };
    let outcome = read(folder(&files).path(), None, &options);
    assert!(matches!(
        outcome,
        Err(DataError::OrderNotAvailable {
            format: Format::Csv
        })
    ));
}

#[test]
fn no_interactions() {
    let files = [
        ITEMS,
        (
            "interactions.csv",
            b"user_id,item_id,timestamp\nu,b,1\n".as_slice(),
        ),
    ];
    match lenient(folder(&files).path()) {
        Err(DataError::NoInteractions { skipped, .. }) => assert_eq!(skipped, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn io_a_gzip_file_that_ends_early() {
    let whole = gzipped(b"{\"asin\": \"B1\"}\n");
    let files: [(&str, &[u8]); 2] = [
        ("meta_X.json.gz", &whole[..whole.len() - 4]),
        ("X.json", b""),
    ];
    for outcome in [
        strict(folder(&files).path()),
        lenient(folder(&files).path()),
    ] {
        assert!(matches!(outcome, Err(DataError::Io { .. })), "{outcome:?}");
    }
    let whole = gzipped(b"user_id,item_id,timestamp\nu,a,1\n");
    let files = [ITEMS, ("interactions.csv", &whole[..whole.len() - 4])];
    for outcome in [
        strict(folder(&files).path()),
        lenient(folder(&files).path()),
    ] {
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains("interactions.csv: the file is cut short")
                && message.contains("fetch it again"),
            "{message}"
        );
    }
}

#[test]
fn a_line_error_names_file_line_problem_and_way_out() {
    let dir = folder(&[MOVIES, ("ratings.dat", b"1::1::5::7\n1::1::5::x\n")]);
    let message = strict(dir.path()).unwrap_err().to_string();
    for part in [
        "ratings.dat, line 2:",
        "Timestamp",
        "`x` is not a number",
        "--lenient",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
