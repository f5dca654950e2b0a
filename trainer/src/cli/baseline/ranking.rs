//! Models that rank items: trained, then every user's test event among the whole catalogue.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;

use super::BaselineArgs;
use super::told::Told;
use crate::baselines::{
    Against, BaselineError, BaselineResult, Chosen, Earlier, FitContext, Fitted, Prepared,
    ProtocolKind, RankingSettings, Seconds, Settings, Setup, Texts, fit, validation_ndcg,
};
use crate::data::{Dataset, load};
use crate::device;
use crate::evaluation::{EvaluationConfig, Results, Target, evaluate, sample_examples};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::run::{RunDirectory, Stage, stop_flag};

/// `chosen`: the search that found the settings.
pub(super) fn run(
    args: &BaselineArgs,
    settings: RankingSettings,
    chosen: Option<Chosen>,
) -> Result<()> {
    let prepared = prepared(args)?;
    // What cannot be compared is refused before hours of training.
    let mut earlier = Vec::with_capacity(args.against.len());
    for file in &args.against {
        let found = Earlier::read(file)?;
        found.matches(&prepared.sha256, args.seen.unwrap_or_default().into())?;
        earlier.push(found);
    }
    let device = device::open(args.device)?;
    let (mut result, results) = evaluated(args, settings, &prepared, &device)?;
    result.chosen = chosen.and_then(|chosen| chosen.on(&prepared.sha256));
    for found in &earlier {
        let less = result.less(found)?;
        result.against.push(less);
    }
    if !args.ranks {
        result.ranks.clear();
    }
    args.show(&result, || {
        format!(
            "{}{}trained in {:.1} s, ranked in {:.1} s; protocol {}, {} interactions, data {}\n",
            results.table(),
            result
                .against
                .iter()
                .map(Against::to_string)
                .collect::<String>(),
            result.seconds.fit,
            result.seconds.rank,
            result.protocol.name,
            result.protocol.interactions,
            &result.protocol.data_sha256[..12],
        )
    })
}

pub(super) fn search(args: &BaselineArgs, setup: &Setup, trials: u64) -> Result<()> {
    let prepared = prepared(args)?;
    let device = device::open(args.device)?;
    let stores = stores(args, &prepared.data)?;
    let context = context(args, &prepared, &stores, &device);
    let users = sample_examples(
        &prepared.data,
        Target::Validation,
        args.validation_users,
        args.seed,
    );
    let what = (prepared.sha256.clone(), "validation NDCG@10", users.len());
    args.searched(setup, trials, what, &mut |setup| match &setup.settings {
        Settings::Ranking(settings) => {
            let fitted = trained(args, settings, context)?;
            Ok(validation_ndcg(&*fitted.ranker, &context)?.0)
        }
        Settings::ClickThrough(_) => Err(BaselineError::NoTraining),
    })
}

fn prepared(args: &BaselineArgs) -> Result<Prepared> {
    match (&args.data, &args.run) {
        (Some(folder), _) => {
            let protocol = args.protocol.unwrap_or(ProtocolKind::Default);
            Ok(protocol.prepare(folder, args.format)?)
        }
        (None, Some(run)) => {
            let folder = RunDirectory::open(run)?.stage(Stage::Data);
            Ok(Prepared::of_run(load(&folder)?))
        }
        (None, None) => bail!("give --data FOLDER or --run RUN"),
    }
}

/// The texts of the run that was given, after correction where there was one.
fn stores(args: &BaselineArgs, data: &Dataset) -> Result<Option<(PatternStore, ReasonStore)>> {
    let Some(run) = &args.run else {
        return Ok(None);
    };
    let run = RunDirectory::open(run)?;
    let written = [Stage::Correct, Stage::Generate].map(|stage| run.stage(stage));
    let Some(folder) = written.iter().find(|folder| folder.exists()) else {
        return Ok(None);
    };
    let timeline = Timeline::new(data);
    let patterns = PatternStore::load(folder, &timeline)?;
    Ok(Some((patterns, ReasonStore::load(folder, &timeline)?)))
}

fn context<'a>(
    args: &BaselineArgs,
    prepared: &'a Prepared,
    stores: &'a Option<(PatternStore, ReasonStore)>,
    device: &'a Device,
) -> FitContext<'a> {
    FitContext {
        data: &prepared.data,
        texts: stores
            .as_ref()
            .map(|(patterns, reasons)| Texts { patterns, reasons }),
        device,
        seed: args.seed,
        validation_users: args.validation_users,
        stop: stop_flag(),
    }
}

fn trained<'a>(
    args: &BaselineArgs,
    settings: &RankingSettings,
    context: FitContext<'a>,
) -> Result<Fitted<'a>, BaselineError> {
    let mut told = Told::new(args.model.name(), 0, args.progress());
    fit(settings, context, &mut |event| told.training(event))
}

/// Trains, then ranks every user's test event.
fn evaluated(
    args: &BaselineArgs,
    settings: RankingSettings,
    prepared: &Prepared,
    device: &Device,
) -> Result<(BaselineResult, Results)> {
    let stores = stores(args, &prepared.data)?;
    let started = Instant::now();
    let fitted = trained(args, &settings, context(args, prepared, &stores, device))?;
    let fit_seconds = started.elapsed().as_secs_f64();
    let config = EvaluationConfig {
        seen_items: args.seen.unwrap_or_default().into(),
        ..EvaluationConfig::default()
    };
    let started = Instant::now();
    let mut bar = args
        .progress()
        .bar("ranking", prepared.data.users.len() as u64);
    let models = [(args.model.name(), &*fitted.ranker)];
    let results = evaluate(&prepared.data, &config, &models, stop_flag(), &mut |now| {
        bar.set(now.done as u64, "");
    })
    .map_err(BaselineError::from)?;
    bar.finish("");
    let seconds = Seconds {
        fit: fit_seconds,
        rank: started.elapsed().as_secs_f64(),
    };
    let result = BaselineResult::new(
        prepared,
        settings,
        args.seed,
        &fitted,
        results.clone(),
        (seconds, device::describe(device)),
    );
    Ok((result.context("the evaluation ranked no model")?, results))
}
