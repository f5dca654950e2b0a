//! One test per error variant, named after it; then: no damage panics.

use super::sample::artefact;
use super::tensors::{HISTORY_MATCHED, PATTERNS, REASON_COUNT, REASON_KEYS};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

type Files = BTreeMap<String, Vec<u8>>;

fn files() -> Files {
    artefact().to_files().unwrap()
}

fn manifest_of(files: &Files) -> Value {
    serde_json::from_slice(&files[MANIFEST]).unwrap()
}

fn read(files: &Files) -> Result<Artefact, ArtefactError> {
    Artefact::from_files(std::str::from_utf8(&files[MANIFEST]).unwrap(), files)
}

/// What reading says after the manifest was changed.
fn with_manifest(change: impl FnOnce(&mut Value)) -> ArtefactError {
    let mut files = files();
    let mut manifest = manifest_of(&files);
    change(&mut manifest);
    files.insert(MANIFEST.into(), manifest.to_string().into_bytes());
    read(&files).unwrap_err()
}

/// What reading says after a file was replaced and its size and hash in the manifest brought up to date.
fn with_file(name: &str, content: Vec<u8>) -> ArtefactError {
    let mut files = files();
    let mut manifest = manifest_of(&files);
    for entry in manifest["files"].as_array_mut().unwrap() {
        if entry["name"] == name {
            entry["bytes"] = json!(content.len());
            entry["sha256"] = json!(super::write::sha256(&content));
        }
    }
    files.insert(name.into(), content);
    files.insert(MANIFEST.into(), manifest.to_string().into_bytes());
    read(&files).unwrap_err()
}

fn with_json(name: &str, change: impl FnOnce(&mut Value)) -> ArtefactError {
    let mut value: Value = serde_json::from_slice(&files()[name]).unwrap();
    change(&mut value);
    with_file(name, value.to_string().into_bytes())
}

/// What reading says of a `model.safetensors` with one tensor changed.
fn with_tensors(change: impl FnOnce(&mut BTreeMap<String, StoredTensor>)) -> ArtefactError {
    let mut tensors = artefact().tensors;
    change(&mut tensors);
    with_file(
        "model.safetensors",
        super::tensors::encode("model.safetensors", &tensors).unwrap(),
    )
}

fn kind_and_file(error: &ArtefactError) -> (&str, Option<&str>) {
    (error.kind(), error.file())
}

#[test]
fn a_written_artefact_reads_back_equal() {
    let artefact = artefact();
    let files = artefact.to_files().unwrap();
    assert_eq!(files.len(), 7);
    assert_eq!(read(&files).unwrap(), artefact);
    assert_eq!(artefact.to_files().unwrap(), files, "same bytes again");
}

#[test]
fn the_manifest_hashes_are_sha256() {
    // FIPS 180-4's example.
    assert_eq!(
        super::write::sha256(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn bad_manifest() {
    let files = files();
    let error = Artefact::from_files("{", &files).unwrap_err();
    assert_eq!(kind_and_file(&error), ("bad-manifest", Some(MANIFEST)));
    let error = with_manifest(|m| m["dataset"]["users"] = json!("three"));
    assert_eq!(error.kind(), "bad-manifest");
    let error = with_manifest(|m| m["extra"] = json!(1));
    assert_eq!(error.kind(), "bad-manifest");
}

#[test]
fn wrong_format() {
    let error = with_manifest(|m| m["format"] = json!("other"));
    assert_eq!(
        error,
        ArtefactError::WrongFormat {
            found: "other".into()
        }
    );
}

#[test]
fn unsupported_version() {
    let error = with_manifest(|m| {
        m["version"] = json!(VERSION + 1);
        m["something_new"] = json!(true);
    });
    let found = VERSION + 1;
    assert_eq!(error, ArtefactError::UnsupportedVersion { found });
}

#[test]
fn bad_file_name() {
    let error = with_manifest(|m| m["files"][0]["name"] = json!("../catalogue.json"));
    assert_eq!(error.kind(), "bad-file-name");
}

#[test]
fn duplicate_role() {
    let error = with_manifest(|m| m["files"][1]["role"] = json!("catalogue"));
    assert_eq!(
        error,
        ArtefactError::DuplicateRole {
            role: FileRole::Catalogue
        }
    );
}

#[test]
fn missing_role() {
    let error = with_manifest(|m| {
        m["files"].as_array_mut().unwrap().remove(1);
    });
    assert_eq!(
        error,
        ArtefactError::MissingRole {
            role: FileRole::Users
        }
    );
}

#[test]
fn bad_hash() {
    let error = with_manifest(|m| m["files"][4]["sha256"] = json!("ABC"));
    assert_eq!(
        kind_and_file(&error),
        ("bad-hash", Some(MANIFEST)),
        "{error}"
    );
}

#[test]
fn missing_file() {
    let mut files = files();
    files.remove("reasons.json");
    let error = read(&files).unwrap_err();
    assert_eq!(
        kind_and_file(&error),
        ("missing-file", Some("reasons.json"))
    );
}

#[test]
fn unlisted_file() {
    let mut files = files();
    files.insert("notes.txt".into(), vec![]);
    let error = read(&files).unwrap_err();
    assert_eq!(kind_and_file(&error), ("unlisted-file", Some("notes.txt")));
}

#[test]
fn wrong_size() {
    let mut files = files();
    files.get_mut("users.json").unwrap().pop();
    let error = read(&files).unwrap_err();
    assert_eq!(kind_and_file(&error), ("wrong-size", Some("users.json")));
}

#[test]
fn wrong_hash() {
    let mut files = files();
    files.get_mut("model.safetensors").unwrap()[400] ^= 1;
    let error = read(&files).unwrap_err();
    assert_eq!(
        kind_and_file(&error),
        ("wrong-hash", Some("model.safetensors"))
    );
}

#[test]
fn bad_json() {
    let error = with_file("results.json", b"{\"protocol\":".to_vec());
    assert_eq!(kind_and_file(&error), ("bad-json", Some("results.json")));
}

#[test]
fn bad_shape() {
    let error = with_json("catalogue.json", |c| c[0]["title"] = json!(5));
    assert_eq!(kind_and_file(&error), ("bad-shape", Some("catalogue.json")));
    let error = with_json("users.json", |u| u[0]["history"][0]["item"] = json!(-1));
    assert_eq!(error.kind(), "bad-shape");
    let error = with_json("users.json", |u| u[0]["age"] = json!(1));
    assert_eq!(error.kind(), "bad-shape");
}

#[test]
fn wrong_length() {
    let error = with_json("reasons.json", |r| {
        r.as_array_mut().unwrap().pop();
    });
    assert_eq!(
        error,
        ArtefactError::WrongLength {
            file: "reasons.json".into(),
            expected: 5,
            found: 4
        }
    );
}

#[test]
fn empty_dataset() {
    let error = with_manifest(|m| m["dataset"]["users"] = json!(0));
    assert_eq!(error, ArtefactError::EmptyDataset { users: 0, items: 5 });
}

#[test]
fn duplicate_key() {
    let error = with_json("users.json", |u| u[2]["key"] = json!("u0"));
    assert!(
        matches!(
            error,
            ArtefactError::DuplicateKey {
                first: 0,
                second: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn item_out_of_range() {
    let error = with_json("users.json", |u| u[0]["history"][1]["item"] = json!(5));
    assert_eq!(error.kind(), "item-out-of-range");
    assert!(error.to_string().contains("user 0, history 1"), "{error}");
    let error = with_json("users.json", |u| u[1]["held_out"] = json!(99));
    assert_eq!(error.kind(), "item-out-of-range");
}

#[test]
fn user_out_of_range() {
    let error = with_json("reasons.json", |r| r[3][0]["user"] = json!(3));
    assert_eq!(
        kind_and_file(&error),
        ("user-out-of-range", Some("reasons.json"))
    );
}

#[test]
fn not_chronological() {
    let error = with_json("users.json", |u| u[0]["history"][0]["time"] = json!(21));
    assert_eq!(error.kind(), "not-chronological");
    let error = with_json("reasons.json", |r| {
        let first = r[0][0].clone();
        r[0].as_array_mut().unwrap().push(first);
        r[0][1]["time"] = json!(9);
    });
    assert_eq!(
        kind_and_file(&error),
        ("not-chronological", Some("reasons.json"))
    );
}

#[test]
fn held_out_reason() {
    // User 1's held-out item is 0: a reason of item 0 told by user 1 is a leak.
    let error = with_json("reasons.json", |r| r[0][0]["user"] = json!(1));
    assert_eq!(
        error,
        ArtefactError::HeldOutReason {
            file: "reasons.json".into(),
            item: 0,
            user: 1
        }
    );
}

#[test]
fn too_many_reasons() {
    let error = with_json("reasons.json", |r| {
        let list = r[0].as_array_mut().unwrap();
        list.extend([list[0].clone(), list[0].clone(), list[0].clone()]);
    });
    assert!(
        matches!(
            error,
            ArtefactError::TooManyReasons {
                found: 4,
                capacity: 3,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn bad_config() {
    for (field, value) in [
        ("heads", json!(3)),
        ("width", json!(0)),
        ("layers", json!(1_000_000_000)),
        ("items", json!(6)),
        ("surprise", json!(1)),
    ] {
        let error = with_manifest(|m| m["model"]["reward"][field] = value);
        assert_eq!(error.kind(), "bad-config", "{field}: {error}");
    }
    // A field that this program would have to guess.
    let error = with_manifest(|m| {
        let config = m["model"]["reward"].as_object_mut().unwrap();
        config.remove("use_product").unwrap();
    });
    assert_eq!(error.kind(), "bad-config");
    assert!(error.to_string().contains("`use_product`"), "{error}");
}

#[test]
fn bad_tensor_file() {
    let error = with_file("model.safetensors", vec![255; 64]);
    assert_eq!(
        kind_and_file(&error),
        ("bad-tensor-file", Some("model.safetensors"))
    );
}

#[test]
fn missing_tensor() {
    let error = with_tensors(|t| {
        t.remove(PATTERNS);
    });
    assert!(
        matches!(&error, ArtefactError::MissingTensor { tensor, .. } if tensor == PATTERNS),
        "{error}"
    );
}

#[test]
fn unexpected_tensor() {
    let error = with_tensors(|t| {
        t.insert("extra".into(), StoredTensor::f32([1], vec![0.0]));
    });
    assert_eq!(error.kind(), "unexpected-tensor");
}

#[test]
fn wrong_type() {
    let error = with_tensors(|t| {
        let tensor = t.get_mut(REASON_KEYS).unwrap();
        tensor.dtype = StoredType::F32;
    });
    assert!(error.to_string().contains("type F32, expected F16"));
    assert_eq!(error.kind(), "wrong-type");
}

#[test]
fn wrong_shape() {
    let error = with_tensors(|t| {
        let tensor = t.get_mut(HISTORY_MATCHED).unwrap();
        tensor.shape = vec![4, 3];
    });
    assert!(
        matches!(&error, ArtefactError::WrongShape { expected, .. } if *expected == [3, 4]),
        "{error}"
    );
}

#[test]
fn not_finite() {
    for value in [f32::NAN, f32::INFINITY] {
        let error = with_tensors(|t| t.get_mut(PATTERNS).unwrap().values[5] = value);
        assert!(
            matches!(error, ArtefactError::NotFinite { position: 5, .. }),
            "{error}"
        );
    }
    // Too large for half precision: the writer refuses what would become infinite.
    let mut artefact = artefact();
    let shape = artefact.tensors[HISTORY_MATCHED].shape.clone();
    artefact.tensors.insert(
        HISTORY_MATCHED.into(),
        StoredTensor::f16(shape, vec![1e6; 12]),
    );
    assert_eq!(artefact.to_files().unwrap_err().kind(), "not-finite");
}

#[test]
fn reason_count_mismatch() {
    let error = with_tensors(|t| t.get_mut(REASON_COUNT).unwrap().values[4] = 1.0);
    assert!(
        matches!(
            error,
            ArtefactError::ReasonCountMismatch {
                item: 4,
                texts: 0,
                ..
            }
        ),
        "{error}"
    );
}

/// Sizes and hashes made right again, so that the parsers behind them meet the damage.
fn rehash(files: &mut Files) {
    let mut manifest = manifest_of(files);
    for entry in manifest["files"].as_array_mut().unwrap() {
        let content = &files[entry["name"].as_str().unwrap()];
        entry["bytes"] = json!(content.len());
        entry["sha256"] = json!(super::write::sha256(content));
    }
    files.insert(MANIFEST.into(), manifest.to_string().into_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_truncated_or_flipped_file_never_panics(
        which in 0usize..5, at in 0.0f64..1.0, bit in 0u8..8, truncate: bool, mended: bool,
    ) {
        static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
        let mut files = FILES.get_or_init(files).clone();
        let content = files.get_mut(FileRole::ALL[which].file_name()).unwrap();
        let index = (at * content.len() as f64) as usize;
        if truncate { content.truncate(index) } else { content[index] ^= 1 << bit }
        if mended { rehash(&mut files) }
        let result = read(&files);
        // Unmended damage is always noticed; mended damage may by chance be another valid artefact.
        prop_assert!(mended || result.is_err());
        if let Ok(artefact) = result {
            let _ = crate::scorer::Scorer::new(&artefact, &burn::tensor::Device::flex());
        }
    }

    #[test]
    fn a_truncated_or_flipped_manifest_never_panics(at in 0.0f64..1.0, bit in 0u8..8, truncate: bool) {
        static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
        let files = FILES.get_or_init(files);
        let mut manifest = files[MANIFEST].clone();
        let index = (at * manifest.len() as f64) as usize;
        if truncate { manifest.truncate(index) } else { manifest[index] ^= 1 << bit }
        if let Ok(text) = std::str::from_utf8(&manifest) {
            let _ = Artefact::from_files(text, files);
        }
    }
}

#[test]
fn a_preview_that_is_not_of_this_artefact() {
    type Change = fn(&mut Preview);
    let changes: [(Change, &str); 7] = [
        (|preview| preview.user = 3, "user-out-of-range"),
        (|preview| preview.key = "u0".to_owned(), "bad-shape"),
        (
            |preview| preview.pattern = Some("another's".to_owned()),
            "bad-shape",
        ),
        (
            |preview| preview.recommendations[0].carried_by[0].push('!'),
            "bad-shape",
        ),
        (|preview| preview.history[0].title.push('!'), "bad-shape"),
        (
            |preview| preview.recommendations[0].item.item = 99,
            "bad-shape",
        ),
        (
            |preview| preview.recommendations[0].reason = Some("nobody told this".to_owned()),
            "bad-shape",
        ),
    ];
    for (change, kind) in changes {
        let mut artefact = sample::artefact();
        change(&mut artefact.preview);
        let error = artefact.to_files().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.file(), Some("preview.json"));
    }
}
