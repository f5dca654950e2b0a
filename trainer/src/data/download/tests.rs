//! Downloads against a small HTTP server on this machine: what the publishers' servers do, and what broken ones do.

mod server;

use std::io::{Cursor, Write};
use std::net::TcpListener;
use std::sync::Arc;

use md5::Md5;
use sha2::Digest;

use super::*;
use server::{Serve, Server};

/// A zip archive as GroupLens makes them: a folder with the files in it.
fn archive() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [
        ("tiny/movies.dat", "1::A (1999)::Drama\n"),
        ("tiny/ratings.dat", "1::1::5::7\n"),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.start_file("../escape.dat", options).unwrap();
    writer.write_all(b"never written").unwrap();
    writer.finish().unwrap().into_inner()
}

fn md5_of(bytes: &[u8]) -> String {
    format!("{:x}", Md5::digest(bytes))
}

fn zip_plan(server: &Server, pinned: Option<String>) -> Plan {
    Plan {
        files: vec![RemoteFile {
            name: "tiny.zip".to_owned(),
            addresses: vec![format!("{}tiny.zip", server.address)],
            check: Check::Md5Beside { pinned },
            unpack: vec!["movies.dat".to_owned(), "ratings.dat".to_owned()],
        }],
    }
}

fn gzip_plan(addresses: Vec<String>) -> Plan {
    Plan {
        files: vec![RemoteFile {
            name: "a.json.gz".to_owned(),
            addresses,
            check: Check::Gzip,
            unpack: Vec::new(),
        }],
    }
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Text that compresses badly, so that there is something to cut.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn run(plan: &Plan, out: &Path) -> Result<Vec<Fetched>, DownloadError> {
    fetch(&agent(true), plan, out, &ProgressBar::hidden())
}

#[test]
fn an_archive_is_fetched_checked_unpacked_and_not_fetched_again() {
    let zip = archive();
    let sums = format!("MD5 (tiny.zip) = {}\n", md5_of(&zip));
    let server = Server::start(vec![
        ("tiny.zip", Serve::Ranges(zip.clone())),
        ("tiny.zip.md5", Serve::Ranges(sums.into_bytes())),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("in/side");
    let fetched = run(&zip_plan(&server, None), &out).unwrap();
    assert_eq!(fetched[0].bytes, zip.len() as u64);
    assert_eq!(fetched[0].checked_by, "MD5 published beside the file");
    assert_eq!(
        std::fs::read_to_string(out.join("movies.dat")).unwrap(),
        "1::A (1999)::Drama\n"
    );
    assert_eq!(
        std::fs::read_to_string(out.join("ratings.dat")).unwrap(),
        "1::1::5::7\n"
    );
    assert!(!dir.path().join("in/escape.dat").exists() && !out.join("escape.dat").exists());
    assert!(out.join("download.json").is_file());
    assert!(!out.join("tiny.zip.part").exists());

    let again = run(&zip_plan(&server, None), &out).unwrap();
    assert_eq!(again[0].address, None);
    assert_eq!(
        server.requests(),
        ["tiny.zip.md5", "tiny.zip", "tiny.zip.md5"]
    );
}

#[test]
fn a_part_is_resumed_by_range() {
    let bytes = gzipped(&noise(5000));
    let server = Server::start(vec![("a.json.gz", Serve::Ranges(bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz.part"), &bytes[..1234]).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(server.requests(), ["a.json.gz bytes=1234-"]);
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
}

#[test]
fn a_complete_part_is_taken_as_it_is() {
    let bytes = gzipped(&noise(500));
    let server = Server::start(vec![("a.json.gz", Serve::Ranges(bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz.part"), &bytes).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
}

#[test]
fn a_part_longer_than_the_file_is_thrown_away() {
    let bytes = gzipped(&noise(500));
    let server = Server::start(vec![("a.json.gz", Serve::Ranges(bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz.part"), noise(bytes.len() + 5)).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let bytes = gzipped(&noise(5000));
    let server = Server::start(vec![("a.json.gz", Serve::NoRanges(bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz.part"), &bytes[..1234]).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
}

#[test]
fn a_connection_that_breaks_is_taken_up_again() {
    let bytes = gzipped(&noise(5000));
    let step = bytes.len().div_ceil(4);
    let server = Server::start(vec![("a.json.gz", Serve::HangUpAfter(step, bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn truncated() {
    let bytes = gzipped(&noise(5000));
    let server = Server::start(vec![("a.json.gz", Serve::HangUpAfter(0, bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz.part"), &bytes[..100]).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    match run(&plan, dir.path()) {
        Err(DownloadError::Truncated {
            have: 100,
            expected,
            ..
        }) => {
            assert_eq!(expected, bytes.len() as u64);
        }
        other => panic!("{other:?}"),
    }
    let part = std::fs::read(dir.path().join("a.json.gz.part")).unwrap();
    assert_eq!(part, bytes[..100], "what had come stays");
    assert!(!dir.path().join("a.json.gz").exists());
}

#[test]
fn wrong_hash() {
    let server = Server::start(vec![
        ("tiny.zip", Serve::Ranges(archive())),
        (
            "tiny.zip.md5",
            Serve::Ranges(md5_of(b"another file").into_bytes()),
        ),
    ]);
    let dir = tempfile::tempdir().unwrap();
    match run(&zip_plan(&server, None), dir.path()) {
        Err(DownloadError::WrongHash {
            expected, found, ..
        }) => {
            assert_eq!(expected, md5_of(b"another file"));
            assert_eq!(found, md5_of(&archive()));
        }
        other => panic!("{other:?}"),
    }
    assert!(!dir.path().join("tiny.zip").exists() && !dir.path().join("tiny.zip.part").exists());
    assert!(!dir.path().join("movies.dat").exists());
}

#[test]
fn a_file_that_is_there_and_wrong_is_replaced() {
    let bytes = gzipped(&noise(500));
    let server = Server::start(vec![("a.json.gz", Serve::Ranges(bytes.clone()))]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json.gz"), &bytes[..40]).unwrap();
    let plan = gzip_plan(vec![format!("{}a.json.gz", server.address)]);
    run(&plan, dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), bytes);
}

#[test]
fn a_file_that_is_there_with_a_pinned_hash_needs_no_server() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tiny.zip"), archive()).unwrap();
    let server = Server {
        address: "http://127.0.0.1:9/".to_owned(), // the discard port: nobody listens
        requests: Arc::default(),
    };
    let fetched = run(&zip_plan(&server, Some(md5_of(&archive()))), dir.path()).unwrap();
    assert_eq!(fetched[0].address, None);
    assert!(dir.path().join("movies.dat").is_file());
}

#[test]
fn no_hash() {
    let server = Server::start(vec![
        ("tiny.zip", Serve::Ranges(archive())),
        (
            "tiny.zip.md5",
            Serve::Ranges(b"<html>sorry</html>".to_vec()),
        ),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(&zip_plan(&server, None), dir.path());
    assert!(
        matches!(outcome, Err(DownloadError::NoHash { .. })),
        "{outcome:?}"
    );
}

#[test]
fn without_a_published_hash_the_pinned_one_or_the_archive_itself_is_compared() {
    let server = Server::start(vec![("tiny.zip", Serve::Ranges(archive()))]);
    let dir = tempfile::tempdir().unwrap();
    let pinned = run(&zip_plan(&server, Some(md5_of(&archive()))), dir.path()).unwrap();
    assert!(pinned[0].checked_by.contains("noted in this program"));
    std::fs::remove_file(dir.path().join("tiny.zip")).unwrap();
    let outcome = run(&zip_plan(&server, Some(md5_of(b"other"))), dir.path());
    assert!(matches!(outcome, Err(DownloadError::WrongHash { .. })));
    let own = run(&zip_plan(&server, None), dir.path()).unwrap();
    assert!(own[0].checked_by.contains("archive's own"));
}

#[test]
fn zip() {
    let mut broken = archive();
    broken.truncate(60);
    let server = Server::start(vec![("tiny.zip", Serve::Ranges(broken))]);
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(&zip_plan(&server, None), dir.path());
    assert!(
        matches!(outcome, Err(DownloadError::Zip { .. })),
        "{outcome:?}"
    );

    let server = Server::start(vec![("tiny.zip", Serve::Ranges(archive()))]);
    let mut plan = zip_plan(&server, None);
    plan.files[0].unpack.push("users.dat".to_owned());
    let outcome = run(&plan, dir.path()).unwrap_err().to_string();
    assert!(outcome.contains("has no users.dat"), "{outcome}");
}

#[test]
fn gzip_that_is_a_web_page_or_damaged_and_the_next_address_helps() {
    let good = gzipped(&noise(3000));
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let server = Server::start(vec![
        (
            "page",
            Serve::Ranges(b"<html>we have moved</html>".to_vec()),
        ),
        ("damaged", Serve::Ranges(damaged)),
        ("good", Serve::Ranges(good.clone())),
    ]);
    let at = |path: &str| format!("{}{path}", server.address);
    for bad in ["page", "damaged"] {
        let dir = tempfile::tempdir().unwrap();
        let outcome = run(&gzip_plan(vec![at(bad)]), dir.path());
        assert!(
            matches!(outcome, Err(DownloadError::Gzip { .. })),
            "{outcome:?}"
        );
        assert!(!dir.path().join("a.json.gz.part").exists());
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = gzip_plan(vec![at("page"), at("missing"), at("damaged"), at("good")]);
    let fetched = run(&plan, dir.path()).unwrap();
    assert_eq!(fetched[0].address, Some(at("good")));
    assert_eq!(std::fs::read(dir.path().join("a.json.gz")).unwrap(), good);
}

#[test]
fn status_and_unreachable_say_what_to_do() {
    let server = Server::start(vec![("a", Serve::Status(503))]);
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/a", listener.local_addr().unwrap()) // closed again: nobody listens
    };
    let dir = tempfile::tempdir().unwrap();
    let plan = gzip_plan(vec![format!("{}a", server.address), refused.clone()]);
    let message = run(&plan, dir.path()).unwrap_err().to_string();
    assert!(message.contains("answered 503"), "{message}");
    assert!(
        message.contains(&format!("cannot reach {refused}")),
        "{message}"
    );
    assert!(message.contains("needs the internet"), "{message}");
    assert!(
        message.contains(&dir.path().display().to_string()),
        "{message}"
    );
    let outcome = run(&gzip_plan(vec![refused]), dir.path());
    assert!(matches!(
        outcome,
        Err(DownloadError::NoAddressWorked { .. })
    ));
}

#[test]
fn io() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let outcome = run(&gzip_plan(Vec::new()), &file);
    assert!(matches!(outcome, Err(DownloadError::Io { .. })));
}

#[test]
fn every_source_has_addresses_terms_and_files_that_a_reader_knows() {
    use clap::ValueEnum;
    for source in Source::value_variants() {
        let plan = source.plan();
        assert!(source.terms().contains("research"));
        let names: Vec<&String> = plan
            .files
            .iter()
            .flat_map(|f| f.unpack.iter().chain([&f.name]))
            .collect();
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        crate::data::detect(dir.path()).unwrap();
        for file in plan.files {
            assert!(
                file.addresses
                    .iter()
                    .all(|a| a.starts_with("https://") && a.ends_with(&file.name))
            );
        }
        let value = source.to_possible_value().unwrap();
        assert_eq!(value.get_name(), source.name());
    }
}
