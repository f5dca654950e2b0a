//! What is compared and what writes.

use curec_shared_model::artefact::{ArtefactError, FileRole, MANIFEST};
use curec_shared_model::qwen2::Qwen2Config;
use curec_shared_model::writer::Writer;

use super::*;
use crate::config::Config;
use crate::llm::{
    LanguageModel, SamplingConfig, TextVector, nano, sample, text_vectors, train_tokenizer,
};
use crate::reward::stores::PatternEntry;
use crate::text::{pattern_prompt, reason_prompt, tidy};

/// A nano model with a tokenizer of its own, whose texts become vectors of the run's width.
fn language() -> (LanguageModel, Config) {
    let corpus = [
        "noir, set in Oslo",
        "Likes noir.",
        "Title 7: noir",
        "History:",
    ];
    let tokenizer = train_tokenizer(corpus.iter().map(|text| (*text).to_owned()), 300).unwrap();
    let model = Qwen2Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        tie_word_embeddings: true,
        max_position_embeddings: 512,
    };
    let mut config = Config::layered(Some("tiny"), None, &[]).unwrap();
    config.generate.text_vector = TextVector::FirstLast;
    config.generate.max_new_tokens = 12;
    config.prompts.history = 3;
    let model = nano(&model, 5, &Device::flex());
    (LanguageModel { model, tokenizer }, config)
}

/// Reward models read vectors of 32 here.
fn reward() -> RewardModel {
    let config = RewardConfig {
        items: ITEMS as usize,
        text_width: 32,
        width: 8,
        heads: 2,
        layers: 1,
        feed_forward: 8,
        reasons: 3,
        max_history: 5,
        interest_hidden: 4,
        score_hidden: 4,
        ..RewardConfig::default()
    };
    Device::flex().seed(3);
    config.init(&Device::flex()).unwrap()
}

fn part() -> (LanguageModel, RewardModel, WriterPart) {
    let ((language, config), reward) = (language(), reward());
    let part = writer_part(&language, 9, &config, &reward)
        .unwrap()
        .unwrap();
    (language, reward, part)
}

/// The language model with the rounding that the artefact brings.
fn rounded(language: &LanguageModel, part: &WriterPart) -> LanguageModel {
    let mut model = language.model.clone();
    let put = |parameter: &mut burn::module::Param<Tensor<2>>, name: &str| {
        let stored = &part.tensors[name];
        let shape = [stored.shape[0], stored.shape[1]];
        let data = TensorData::new(stored.values.clone(), shape);
        let device = parameter.val().device();
        *parameter = burn::module::Param::from_tensor(Tensor::from_data(data, &device));
    };
    put(&mut model.embed_tokens, "embed");
    for (index, block) in model.layers.iter_mut().enumerate() {
        let name = |part: &str| format!("layers.{index}.{part}");
        put(&mut block.self_attn.q_proj.weight, &name("q"));
        put(&mut block.self_attn.k_proj.weight, &name("k"));
        put(&mut block.self_attn.v_proj.weight, &name("v"));
        put(&mut block.self_attn.o_proj.weight, &name("o"));
        put(&mut block.mlp.gate_proj.weight, &name("gate"));
        put(&mut block.mlp.up_proj.weight, &name("up"));
        put(&mut block.mlp.down_proj.weight, &name("down"));
    }
    LanguageModel {
        model,
        tokenizer: language.tokenizer.clone(),
    }
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 2e-4, "{found} {expected}");
    }
}

#[test]
fn the_browser_s_writer_computes_what_the_trainer_s_model_computes() {
    let (language, reward, part) = part();
    let run = run();
    let artefact = build(&run.input(), &Device::flex()).unwrap();
    let writer = Writer::new(&part, &artefact.catalogue).unwrap();
    let known = rounded(&language, &part);
    let items: Vec<&Item> = run.data.items[3..6].iter().collect();
    let options = &part.settings.render;
    for turns in [
        pattern_prompt(&items, options),
        pattern_prompt(&[], options),
        reason_prompt(Some("Likes noir. <|im_end|>"), items[1], options),
    ] {
        let ids = known.tokenizer.prompt(&turns).unwrap();
        let batch = curec_shared_model::qwen2::TokenBatch::right_padded(&[&ids], 0);
        let hidden = known.model.hidden(&batch, true);
        let [_, length, width] = hidden.dims();
        let last = hidden.slice([0..1, length - 1..length, 0..width]);
        let logits = known.model.logits(last.reshape([1, width]));
        near(
            &writer.next_logits(&turns).unwrap(),
            &super::super::read(logits).unwrap(),
        );
    }
    // A pattern's vector, as the reward model reads it.
    let text = "Likes noir, set in Oslo.";
    let ids = known.tokenizer.encode(text).unwrap();
    let vector = text_vectors(&known.model, &[ids], 8, TextVector::FirstLast);
    let vector =
        Tensor::<2>::from_data(TensorData::new(vector[0].clone(), [1, 32]), &Device::flex());
    let there = bools::<1>(vec![true], [1], &Device::flex());
    near(
        &writer.pattern_vector(text).unwrap(),
        &super::super::read(reward.pattern(vector, there)).unwrap(),
    );
}

#[test]
fn a_model_that_a_reader_would_refuse_does_not_travel_and_says_why() {
    let ((language, config), reward) = (language(), reward());
    let why = |config: &Config, reward: &RewardModel| {
        let part = writer_part(&language, 9, config, reward).unwrap();
        part.unwrap_err().to_string()
    };
    let mut cold = config.clone();
    cold.generate.temperature = 0.0;
    assert!(why(&cold, &reward).contains("`temperature`"));
    let mut hidden = config.clone();
    hidden.generate.item_text = crate::text::ItemText::Masked;
    assert_eq!(may_travel(&hidden), Err(CannotWrite::ItemText));
    let mut given = config.clone();
    given.llm.model = Some("moved away since".into());
    assert_eq!(may_travel(&given), Err(CannotWrite::Checkpoint));
    assert_eq!(may_travel(&config), Ok(()));
    assert!(why(&config, &run().model).contains("another width"));
}

#[test]
fn cold_it_writes_what_the_trainer_samples_cold() {
    let (language, _, mut part) = part();
    part.settings.temperature = 0.001;
    part.settings.attempts = 1;
    let known = rounded(&language, &part);
    let run = run();
    let artefact = build(&run.input(), &Device::flex()).unwrap();
    let history = [4, 9, 2, 7, 31];
    // Three are shown, the newest.
    let shown: Vec<&Item> = [2, 7, 31].map(|item| &run.data.items[item]).to_vec();
    let turns = pattern_prompt(&shown, &part.settings.render);
    let ids = known.tokenizer.prompt(&turns).unwrap();
    let both = [0.0, 2.0].map(|presence_penalty| {
        part.settings.presence_penalty = presence_penalty;
        let config = SamplingConfig {
            max_new_tokens: part.settings.max_new_tokens,
            temperature: 0.0,
            presence_penalty,
            stop: known.tokenizer.stop_ids(),
            ..SamplingConfig::default()
        };
        let sampled = sample(&known.model, &[&ids], 1, &config, |_| true);
        let sampled = &sampled[0].as_ref().unwrap()[0];
        let writer = Writer::new(&part, &artefact.catalogue).unwrap();
        let mut draft = writer.pattern(&history, 1).unwrap();
        let mut texts = Vec::new();
        let written = loop {
            let standing = draft.advance().unwrap();
            texts.push(standing.text);
            if let Some(written) = standing.written {
                break written;
            }
        };
        assert_eq!(written.text, tidy(&known.tokenizer.decode(&sampled.ids)));
        assert_eq!(written.tokens, sampled.ids.len());
        assert_eq!(texts.len(), written.tokens, "one token at a time");
        assert_eq!(written.vector.map(|vector| vector.len()), Some(8));
        sampled.ids.clone()
    });
    let different = |ids: &[u32]| ids.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(different(&both[0]) < different(&both[1]), "{both:?}");
}

#[test]
fn a_flawed_text_is_written_again_and_a_seed_says_which() {
    let (_, _, part) = part();
    let run = run();
    let artefact = build(&run.input(), &Device::flex()).unwrap();
    let write = |attempts: usize, seed: u64| {
        let mut part = part.clone();
        part.settings.attempts = attempts;
        let writer = Writer::new(&part, &artefact.catalogue).unwrap();
        let mut draft = writer.reason(Some("Likes noir."), 4, vec![], seed).unwrap();
        draft.finish().unwrap()
    };
    // An untrained model says nothing that a rule accepts: all attempts are made, and the best one stays.
    let (once, often) = (write(1, 2), write(5, 2));
    assert_eq!((once.attempts, often.attempts), (1, 5));
    assert!(often.flaws <= once.flaws && often.flaws > 0);
    assert_eq!(write(5, 2), often);
    assert_ne!(write(1, 3).text, once.text);
    assert!(once.vector.is_none());
    let writer = Writer::new(&part, &artefact.catalogue).unwrap();
    let error = writer.reason(None, ITEMS, vec![], 1).unwrap_err();
    assert_eq!(error.kind(), "no-such-item");
}

#[test]
fn parts_travel_in_files_of_their_own_that_a_list_does_not_need() {
    let (_, _, mut part) = part();
    let run = run();
    // As wide as this run's texts.
    let text_width = run.model.config().text_width;
    part.settings.model.hidden_size = 16;
    let before = Earlier {
        model: &run.model,
        patterns: &run.patterns,
        reasons: &run.reasons,
    };
    let input = ExportInput {
        others: Some(Others {
            before: Some(before),
            ids_only: &run.model.clone().reading(false, false),
        }),
        ..run.input()
    };
    let artefact = build(&input, &Device::flex()).unwrap();
    let files = artefact.to_files().unwrap();
    let manifest = String::from_utf8(files[MANIFEST].clone()).unwrap();
    assert_eq!(Artefact::from_files(&manifest, &files).unwrap(), artefact);
    let comparison = artefact.comparison.clone().unwrap();
    let found = curec_shared_model::artefact::Comparison::from_files(&manifest, &files);
    assert_eq!(found.unwrap(), comparison);
    let names: Vec<&str> = comparison.variants.iter().map(|one| &*one.name).collect();
    assert_eq!(
        names,
        ["before-correction", "no-reasons", "ids-only", "popularity"]
    );
    // Nothing was corrected here: the model before is the model, and no text has changed.
    let scorer = Scorer::on_cpu(&artefact).unwrap();
    for user in 0..artefact.users.len() as u32 {
        let taste = scorer.taste(user).unwrap();
        let shown = pollster::block_on(scorer.recommend(&taste, 20)).unwrap();
        let own: Vec<u32> = shown.recommendations.iter().map(|one| one.item).collect();
        let list = &comparison.variants[0].lists[user as usize];
        assert_eq!(list.items, own);
        assert_eq!(
            list.held_out_rank,
            shown.held_out.map(|held_out| held_out.rank)
        );
    }
    let texts = comparison.before.unwrap();
    assert!(texts.reasons.iter().flatten().all(Option::is_none));
    assert!(texts.patterns.iter().all(Option::is_none));
    let differ = |one: usize, other: usize| {
        comparison.variants[one].lists != comparison.variants[other].lists
    };
    assert!(differ(0, 1) && differ(0, 2) && differ(0, 3));

    // The core alone is enough for a list, and the whole is not whole without its parts.
    let mut core = files.clone();
    core.remove("comparison.json");
    let read = Artefact::core_from_files(&manifest, &core).unwrap();
    assert_eq!((read.comparison, &read.users), (None, &artefact.users));
    assert!(matches!(
        Artefact::from_files(&manifest, &core),
        Err(ArtefactError::MissingFile { file }) if file == "comparison.json"
    ));
    // A writer for other vectors than the model's is refused.
    let mut odd = artefact.clone();
    odd.writer = Some(part);
    assert_ne!(text_width, 32);
    let error = odd.to_files().unwrap_err();
    assert!(error.to_string().contains("another width"), "{error}");
    assert_eq!(error.file(), Some(FileRole::Writer.file_name()));
}

#[test]
fn texts_before_the_correction_are_kept_where_they_changed() {
    let run = run();
    let timeline = Timeline::new(&run.data);
    let mut older = PatternStore::new(TEXT);
    for row in 0..run.patterns.len() as u32 {
        let mut entry: PatternEntry = run.patterns.entry(row).clone();
        if entry.user == 3 {
            entry.text = "Before.".to_owned();
        }
        older
            .insert(&timeline, entry, run.patterns.vector(row))
            .unwrap();
    }
    let input = ExportInput {
        others: Some(Others {
            before: Some(Earlier {
                model: &run.model,
                patterns: &older,
                reasons: &run.reasons,
            }),
            ids_only: &run.model,
        }),
        ..run.input()
    };
    let artefact = build(&input, &Device::flex()).unwrap();
    let before = artefact.comparison.unwrap().before.unwrap();
    for (user, text) in before.patterns.iter().enumerate() {
        assert_eq!(text.as_deref(), (user == 3).then_some("Before."));
    }
}
