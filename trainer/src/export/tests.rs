//! The artefact against the run it came from: its scores must be those of the trainer's own scorer, which reads the stores.

use curec_shared_model::artefact::{MetricValue, ModelMetrics, PreviewRow};
use curec_shared_model::reward::RewardConfig;
use curec_shared_model::scorer::Scorer;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::data::{self, Event, Item, User, UserSplit};
use crate::evaluation::Example;
use crate::explain::{Question, dump_scores, explain};
use crate::reward::stores::{PatternEntry, ReasonEntry};
use crate::reward::{self, Features};

const ITEMS: u32 = 40;
const TEXT: usize = 6;

/// Twelve users, ten training events each at times below 1000; everything held out is later, so that the moment of the
/// evaluation and the moment of the page know the same.
fn dataset(rng: &mut ChaCha8Rng) -> Dataset {
    let mut histories = Vec::new();
    for user in 0..12i64 {
        let mut events: Vec<Event> = (0..10)
            .map(|_| Event {
                item: rng.random_range(0..ITEMS),
                time: rng.random_range(0..1000),
            })
            .collect();
        events.sort_by_key(|event| event.time);
        for time in [1000 + user, 2000 + user] {
            let item = rng.random_range(0..ITEMS);
            events.push(Event { item, time });
        }
        histories.push(events);
    }
    Dataset {
        name: "test".into(),
        items: (0..ITEMS)
            .map(|item| Item {
                key: format!("i{item}"),
                title: format!("Title {item}"),
                attributes: vec![data::Attribute {
                    kind: "genre".into(),
                    value: "noir".into(),
                }],
            })
            .collect(),
        users: (0..12)
            .map(|user| User {
                key: format!("u{user}"),
            })
            .collect(),
        split: vec![
            UserSplit {
                train: 10,
                valid: 1
            };
            12
        ],
        histories,
        causes: None,
    }
}

fn vector(rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..TEXT).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Reasons for most training events; two patterns each for all users but the last.
fn stores(data: &Dataset, rng: &mut ChaCha8Rng) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(TEXT), ReasonStore::new(TEXT));
    for user in 0..data.users.len() {
        for (position, event) in data.train_events(user).iter().enumerate() {
            if rng.random_bool(0.2) {
                continue;
            }
            let entry = ReasonEntry {
                item: event.item,
                user: user as u32,
                position: position as u32,
                time: event.time,
                text: format!("u{user} took i{} at {}", event.item, event.time),
                policy_version: 0,
            };
            reasons.insert(&timeline, entry, &vector(rng)).unwrap();
        }
        for upto in [4, 9] {
            if user + 1 == data.users.len() {
                continue;
            }
            let entry = PatternEntry {
                user: user as u32,
                upto,
                time: Some(data.histories[user][upto as usize - 1].time),
                text: format!("pattern of u{user} after {upto}"),
                policy_version: 0,
            };
            patterns.insert(&timeline, entry, &vector(rng)).unwrap();
        }
    }
    (patterns, reasons)
}

struct Run {
    data: Dataset,
    patterns: PatternStore,
    reasons: ReasonStore,
    model: RewardModel,
}

fn run() -> Run {
    run_with(|_| {})
}

fn run_with(change: impl FnOnce(&mut RewardConfig)) -> Run {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let data = dataset(&mut rng);
    let (patterns, reasons) = stores(&data, &mut rng);
    let device = Device::flex();
    device.seed(4);
    let mut config = RewardConfig {
        width: 8,
        reasons: 3,
        max_history: 7,
        ..RewardConfig::new(ITEMS as usize, TEXT)
    };
    change(&mut config);
    let model = config.init(&device).unwrap();
    Run {
        data,
        patterns,
        reasons,
        model,
    }
}

impl Run {
    fn input(&self) -> ExportInput<'_> {
        ExportInput {
            others: None,
            writer: None,
            data: &self.data,
            split: "leave-one-out".into(),
            patterns: &self.patterns,
            reasons: &self.reasons,
            model: &self.model,
            results: Results {
                models: vec![ModelMetrics {
                    name: "full".into(),
                    metrics: [("ndcg@10".to_owned(), MetricValue::Plain(0.5))].into(),
                }],
                ..Results::default()
            },
            run: RunSummary {
                seed: 11,
                hash: "d".into(),
                config_hash: "c".into(),
            },
            max_users: None,
        }
    }

    fn own_logits(&self, user: usize) -> Vec<f32> {
        let features = Features {
            timeline: Timeline::new(&self.data),
            patterns: &self.patterns,
            reasons: &self.reasons,
        };
        let scorer = reward::Scorer::new(self.model.clone(), features, &Device::flex()).unwrap();
        let position = self.data.test_position(user).unwrap();
        scorer.catalogue(Example { user, position }).unwrap()
    }
}

#[test]
fn an_exported_artefact_scores_as_the_run_does() {
    let (run, device) = (run(), Device::flex());
    let artefact = build(&run.input(), &device).unwrap();
    let scorer = Scorer::new(&artefact, &device).unwrap();
    let (first, second) = (run.own_logits(0), run.own_logits(1));
    let apart = first.iter().zip(&second).map(|(a, b)| (a - b).abs());
    assert!(
        apart.fold(0.0, f32::max) > 0.05,
        "users do differ by more than the tolerance"
    );
    for user in 0..run.data.users.len() {
        let expected = run.own_logits(user);
        let found = pollster::block_on(scorer.score(user as u32)).unwrap();
        for (item, (a, b)) in expected.iter().zip(&found.logits).enumerate() {
            // Keys, values and matches travel in half precision.
            assert!((a - b).abs() < 2e-3, "user {user}, item {item}: {a} {b}");
        }
    }
}

#[test]
fn histories_end_before_the_held_out_item_and_reasons_are_the_newest() {
    let run = run();
    let artefact = build(&run.input(), &Device::flex()).unwrap();
    assert_eq!(artefact.users[3].history.len(), 11);
    assert_eq!(
        artefact.users[3].held_out,
        Some(run.data.histories[3][11].item)
    );
    assert_eq!(
        artefact.users[3].pattern.as_deref(),
        Some("pattern of u3 after 9")
    );
    assert_eq!(artefact.users[11].pattern, None);
    for (item, list) in artefact.reasons.iter().enumerate() {
        let mut times: Vec<i64> = run
            .reasons
            .entries()
            .iter()
            .filter(|entry| entry.item as usize == item)
            .map(|entry| entry.time)
            .collect();
        times.sort_unstable();
        let newest = &times[times.len().saturating_sub(3)..];
        let found: Vec<i64> = list.iter().map(|reason| reason.time).collect();
        assert_eq!(found, newest, "item {item}");
    }
    let counted: u32 = artefact.catalogue.iter().map(|item| item.count).sum();
    assert_eq!(counted as usize, run.data.train_count());
}

#[test]
fn a_folder_reads_back_equal_and_replaces_an_older_one() {
    let run = run();
    let artefact = build(&run.input(), &Device::flex()).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("artefact");
    let written = write_folder(&artefact, &folder).unwrap();
    assert_eq!(written.files.len(), 7);
    std::fs::write(folder.join("stale.txt"), "x").unwrap();
    assert!(
        read_folder(&folder)
            .unwrap_err()
            .to_string()
            .contains("stale.txt")
    );
    write_folder(&artefact, &folder).unwrap();
    assert_eq!(read_folder(&folder).unwrap(), artefact);
    // A page's folder holds compressed twins, but nothing else.
    std::fs::write(folder.join("users.json.br"), "x").unwrap();
    std::fs::write(folder.join("users.json.gz"), "x").unwrap();
    assert_eq!(read_folder(&folder).unwrap(), artefact);
    std::fs::write(folder.join("stale.json.br"), "x").unwrap();
    let error = read_folder(&folder).unwrap_err().to_string();
    assert!(error.contains("stale.json.br"), "{error}");
    let left: Vec<_> = std::fs::read_dir(parent.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no draft is left behind: {left:?}");
}

#[test]
fn fewer_users_can_be_exported() {
    let run = run();
    let all = build(&run.input(), &Device::flex()).unwrap();
    let input = ExportInput {
        max_users: Some(5),
        ..run.input()
    };
    let some = build(&input, &Device::flex()).unwrap();
    let keys: Vec<&str> = some.users.iter().map(|user| &*user.key).collect();
    assert_eq!(keys, ["u0", "u2", "u4", "u7", "u9"]);
    let told = |artefact: &Artefact| artefact.reasons.iter().flatten().count();
    assert_eq!(told(&some), told(&all), "reasons of others stay");
    assert!(some.reasons.iter().flatten().any(|r| r.user.is_none()));
    some.to_files().unwrap();
    let device = Device::flex();
    let score = |artefact: &Artefact, user| {
        let scorer = Scorer::new(artefact, &device).unwrap();
        pollster::block_on(scorer.score(user)).unwrap().logits
    };
    assert_eq!(score(&some, 3), score(&all, 7));
}

#[test]
fn what_is_shown_first_is_what_the_scorer_says() {
    let (run, device) = (run(), Device::flex());
    let artefact = build(&run.input(), &device).unwrap();
    let preview = &artefact.preview;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("artefact");
    write_folder(&artefact, &folder).unwrap();
    let explained = explain(&folder, &of(&preview.key), 10, &device).unwrap();
    assert_eq!(preview.pattern, explained.pattern);
    assert!(preview.pattern.is_some());
    assert_eq!(
        preview.recommendations.len(),
        explained.recommendations.len()
    );
    for (row, expected) in preview
        .recommendations
        .iter()
        .zip(&explained.recommendations)
    {
        assert_eq!((&row.item.key, row.score), (&expected.key, expected.score));
        let leading = expected.reasons.first().map(|reason| &reason.text);
        assert_eq!(row.reason.as_ref(), leading);
        let mut carrying: Vec<&String> = Vec::new();
        for event in expected.history.iter().filter(|event| event.adds > 0.0) {
            if !carrying.contains(&&event.text) {
                carrying.push(&event.text);
            }
        }
        carrying.truncate(2);
        assert_eq!(row.carried_by.iter().collect::<Vec<_>>(), carrying);
    }
    let carried = |row: &PreviewRow| !row.carried_by.is_empty();
    assert!(preview.recommendations.iter().any(carried));
    let titles: Vec<&String> = preview.history.iter().map(|item| &item.title).collect();
    assert_eq!(titles, explained.recent.iter().take(6).collect::<Vec<_>>());
}

/// Who is met first has a pattern that says nothing twice, whoever is nearest to the middle.
#[test]
fn the_preview_is_of_somebody_well_described() {
    let run = run();
    let mut artefact = build(&run.input(), &Device::flex()).unwrap();
    let chosen = artefact.users.len() - 1;
    for (index, user) in artefact.users.iter_mut().enumerate() {
        let pattern = match index == chosen {
            true => "Likes noir, often in Oslo.",
            false => "Likes noir and noir.",
        };
        user.pattern = Some(pattern.to_owned());
    }
    assert_eq!(preview::preview(&artefact).unwrap().user, chosen as u32);
}

fn of(user: &str) -> Question {
    Question {
        user: Some(user.to_owned()),
        ..Question::default()
    }
}

#[test]
fn other_histories_patterns_and_muted_reasons_can_be_asked_about() {
    let (run, device) = (run(), Device::flex());
    let artefact = build(&run.input(), &device).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("artefact");
    write_folder(&artefact, &folder).unwrap();
    let ask = |question: &Question| explain(&folder, question, 5, &device);
    let own = ask(&of("u5")).unwrap();
    let key = |item: u32| artefact.catalogue[item as usize].key.clone();
    // Said in full it is the same list.
    let events = artefact.users[5].history.iter().enumerate();
    let said: Vec<String> = events
        .map(|(position, event)| format!("{}@{position}", key(event.item)))
        .collect();
    let in_full = Question {
        history: Some(said.clone()),
        pattern_of: Some("u5".to_owned()),
        ..of("u5")
    };
    assert_eq!(ask(&in_full).unwrap(), own);
    // One event less is a shorter history, and another list of scores.
    let less = Question {
        history: Some(said[..said.len() - 1].to_vec()),
        ..of("u5")
    };
    let less = ask(&less).unwrap();
    assert_eq!(less.history_length, own.history_length - 1);
    assert_ne!(less.recommendations[0].score, own.recommendations[0].score);
    let borrowed = Question {
        pattern_of: Some("u2".to_owned()),
        ..of("u5")
    };
    let text = ask(&borrowed).unwrap().to_string();
    assert!(text.contains("pattern of u2: pattern of u2"), "{text}");
    // A reason that leads does so no longer.
    let first = (own.recommendations.iter())
        .find(|one| one.reasons.len() > 1)
        .unwrap();
    let item = artefact
        .catalogue
        .iter()
        .position(|item| item.key == first.key);
    let lists = &artefact.reasons[item.unwrap()];
    let place = lists
        .iter()
        .position(|one| one.text == first.reasons[0].text);
    let muted = Question {
        muted: vec![format!("{}@{}", first.key, place.unwrap())],
        ..of("u5")
    };
    let muted = ask(&muted).unwrap();
    let same = muted
        .recommendations
        .iter()
        .find(|one| one.key == first.key);
    if let Some(same) = same {
        assert_eq!(same.reasons.len(), first.reasons.len() - 1);
    }
    assert_ne!(muted.recommendations, own.recommendations);
    // A taste of nobody's.
    let picked = Question {
        history: Some(vec![key(3), key(7)]),
        ..Question::default()
    };
    let picked = ask(&picked).unwrap();
    assert_eq!((picked.user.as_deref(), picked.history_length), (None, 2));
    assert!(picked.held_out.is_none() && picked.pattern.is_none());
    assert!(picked.to_string().contains("A taste over"));
    for (question, says) in [
        (
            Question {
                history: Some(vec!["nothing".to_owned()]),
                ..of("u5")
            },
            "no item \"nothing\"",
        ),
        (
            Question {
                muted: vec![key(3)],
                ..of("u5")
            },
            "does not say which reason",
        ),
        (
            Question {
                history: Some(vec![format!("{}@99", key(3))]),
                ..of("u5")
            },
            "no such event",
        ),
        (
            Question {
                pattern_of: Some("nobody".to_owned()),
                ..of("u5")
            },
            "no user \"nobody\"",
        ),
    ] {
        let error = ask(&question).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn explanations_name_titles_reasons_and_history() {
    let (run, device) = (run(), Device::flex());
    let artefact = build(&run.input(), &device).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("artefact");
    write_folder(&artefact, &folder).unwrap();
    let explained = explain(&folder, &of("u5"), 3, &device).unwrap();
    assert_eq!(explained.recommendations.len(), 3);
    let seen: Vec<&str> = explained.recent.iter().map(|title| &**title).collect();
    for one in &explained.recommendations {
        assert!(
            !seen.contains(&&*one.title),
            "{} was taken before",
            one.title
        );
        assert_eq!(one.history.len(), 7, "the window");
    }
    let text = explained.to_string();
    assert!(text.contains("pattern of u5 after 9"), "{text}");
    assert!(text.contains("really taken next"), "{text}");

    let error = explain(&folder, &of("nobody"), 3, &device).unwrap_err();
    assert!(error.to_string().contains("u0, u1"), "{error}");
    let dump = dump_scores(&folder, 4, &device).unwrap();
    assert_eq!(dump.users.len(), 4);
    assert_eq!(dump.users[3].user, 9);
    assert_eq!(dump.users[0].scores.len(), ITEMS as usize);
}

#[test]
fn explanations_say_what_the_model_was_trained_without() {
    let device = Device::flex();
    let parent = tempfile::tempdir().unwrap();
    let explained = |name: &str, reasons: bool, patterns: bool| {
        let run = run_with(|config| {
            config.use_reasons = reasons;
            config.use_patterns = patterns;
        });
        let folder = parent.path().join(name);
        write_folder(&build(&run.input(), &device).unwrap(), &folder).unwrap();
        let explained = explain(&folder, &of("u5"), 30, &device).unwrap();
        assert_eq!(explained.uses_reasons, reasons);
        assert_eq!(explained.uses_patterns, patterns);
        explained
    };
    let [no_reasons, no_patterns, nothing_told, pattern] = [
        "trained without reasons",
        "trained without patterns",
        "no reason was told yet",
        "pattern of u5",
    ];
    let check = |text: String, there: &[&str], absent: &[&str]| {
        for part in there {
            assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
        }
        for part in absent {
            assert!(!text.contains(part), "{part}: {text}");
        }
    };
    let both = explained("both", true, true).to_string();
    check(both, &[pattern], &[no_reasons, no_patterns]);
    let text = explained("no-reasons", false, true).to_string();
    check(text, &[pattern, no_reasons], &[no_patterns, nothing_told]);
    let text = explained("no-patterns", true, false).to_string();
    check(text, &[no_patterns], &[pattern, no_reasons]);
    let ids = explained("ids-only", false, false);
    assert_eq!(ids.pattern, None);
    assert!(ids.recommendations.iter().all(|one| one.reasons.is_empty()));
    let absent = [pattern, nothing_told];
    check(ids.to_string(), &[no_reasons, no_patterns], &absent);
}

#[test]
fn a_damaged_folder_is_named_without_talk_of_exporting() {
    let (run, device) = (run(), Device::flex());
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("artefact");
    write_folder(&build(&run.input(), &device).unwrap(), &folder).unwrap();
    let model = folder.join("model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let error = format!("{:#}", explain(&folder, &of("u5"), 3, &device).unwrap_err());
    let words = "is not a usable artefact: model.safetensors does not match its SHA-256";
    assert!(error.contains(words), "{error}");
    std::fs::remove_file(folder.join("manifest.json")).unwrap();
    let error = read_folder(&folder).unwrap_err().to_string();
    assert!(error.starts_with("manifest.json is missing"), "{error}");
}

mod parts;
