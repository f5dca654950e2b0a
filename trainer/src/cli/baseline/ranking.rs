//! Models that rank items: trained, then every user's test event among the whole catalogue.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;

use super::BaselineArgs;
use super::told::Told;
use crate::baselines::{
    BaselineError, BaselineResult, FitContext, Fitted, Prepared, ProtocolKind, RankingSettings,
    Seconds, Settings, Setup, fit, validation_ndcg,
};
use crate::data::load;
use crate::device;
use crate::evaluation::{EvaluationConfig, Results, Target, evaluate, sample_examples};
use crate::run::{RunDirectory, Stage, stop_flag};

pub(super) fn run(args: &BaselineArgs, settings: RankingSettings) -> Result<()> {
    let prepared = prepared(args)?;
    let device = device::open(args.device)?;
    let (result, results) = evaluated(args, settings, &prepared, &device)?;
    args.show(&result, || {
        format!(
            "{}trained in {:.1} s, ranked in {:.1} s; protocol {}, {} interactions, data {}\n",
            results.table(),
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
    let context = context(args, &prepared, &device);
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

fn context<'a>(args: &BaselineArgs, prepared: &'a Prepared, device: &'a Device) -> FitContext<'a> {
    FitContext {
        data: &prepared.data,
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
    let started = Instant::now();
    let fitted = trained(args, &settings, context(args, prepared, device))?;
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
    let mut result = result.context("the evaluation ranked no model")?;
    if !args.ranks {
        result.ranks.clear();
    }
    Ok((result, results))
}
