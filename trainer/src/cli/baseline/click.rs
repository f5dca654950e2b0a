//! Click models: trained, then measured on the ratings that were put aside.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;

use super::BaselineArgs;
use super::told::Told;
use crate::baselines::ctr::{
    CtrData, CtrFitted, CtrProtocol, CtrResult, DinConfig, Part, estimates, fit,
};
use crate::baselines::{BaselineError, Chosen, Seconds, Settings, Setup};
use crate::device;
use crate::evaluation::EvaluationConfig;
use crate::run::stop_flag;

/// `chosen`: the search that found the settings.
pub(super) fn run(args: &BaselineArgs, settings: DinConfig, chosen: Option<Chosen>) -> Result<()> {
    let data = data(args)?;
    let started = Instant::now();
    let fitted = trained(args, &settings, &data)?;
    let fit_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let scored = fitted.score(Part::Test, stop_flag())?;
    let EvaluationConfig {
        bootstrap_samples,
        seed,
        ..
    } = EvaluationConfig::default();
    let [auc, log_loss] = estimates(&scored, data.users.len(), bootstrap_samples, seed);
    let result = CtrResult {
        format: 1,
        model: args.model.name().to_owned(),
        protocol: protocol(&data, bootstrap_samples),
        settings,
        chosen: chosen.and_then(|chosen| chosen.on(&data.content_hash())),
        seed: args.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: crate::machine::commit(),
        metrics: BTreeMap::from([("auc".to_owned(), auc), ("log_loss".to_owned(), log_loss)]),
        parameters: fitted.parameters,
        best_epoch: fitted.best_epoch,
        epochs: fitted.epochs.clone(),
        device: device::describe(&device::open(args.device)?),
        seconds: Seconds {
            fit: fit_seconds,
            rank: started.elapsed().as_secs_f64(),
        },
        peak_memory_mib: crate::machine::peak_memory_mib(),
    };
    args.show(&result, || {
        let counts = result.protocol.counts;
        format!(
            "{}: {} test examples of {} ({:.1} % positive); {}; {}\n\
             model    auc     95 %              log-loss  95 %\n\
             {}  {:.4}  [{:.4}, {:.4}]  {:.4}    [{:.4}, {:.4}]\n\
             trained in {:.1} s, epoch {} of {} kept; data {}\n",
            result.protocol.data,
            counts.test,
            counts.training + counts.validation + counts.test,
            100.0 * counts.positive,
            result.protocol.label,
            result.protocol.split,
            result.model,
            auc.mean,
            auc.low,
            auc.high,
            log_loss.mean,
            log_loss.low,
            log_loss.high,
            result.seconds.fit,
            result.best_epoch,
            result.epochs.len(),
            &result.protocol.data_sha256[..12],
        )
    })
}

pub(super) fn search(args: &BaselineArgs, setup: &Setup, trials: u64) -> Result<()> {
    let data = data(args)?;
    let what = (
        data.content_hash(),
        "validation AUC",
        data.counts().validation,
    );
    args.searched(setup, trials, what, &mut |setup| match &setup.settings {
        Settings::ClickThrough(settings) => {
            let fitted = trained(args, settings, &data)?;
            let best = fitted.best_epoch.saturating_sub(1);
            let best = fitted.epochs.get(best).ok_or(BaselineError::NoTraining)?;
            Ok(best.validation_auc)
        }
        Settings::Ranking(_) => Err(BaselineError::NoTraining),
    })
}

fn data(args: &BaselineArgs) -> Result<CtrData> {
    let folder = args.only_for_rankings()?;
    let clicks = args.clicks.unwrap_or_default();
    Ok(CtrData::read(folder, args.format, clicks, args.seed)?)
}

fn trained<'a>(
    args: &BaselineArgs,
    settings: &DinConfig,
    data: &'a CtrData,
) -> Result<CtrFitted<'a>, BaselineError> {
    let device = device::open(args.device)?;
    let mut told = Told::new(args.model.name(), settings.epochs, args.progress());
    let stop = stop_flag();
    fit(settings, data, &device, args.seed, stop, &mut |event| {
        told.click(event);
    })
}

fn protocol(data: &CtrData, bootstrap_samples: usize) -> CtrProtocol {
    CtrProtocol {
        name: "ctr".to_owned(),
        data: data.name.clone(),
        data_sha256: data.content_hash(),
        label: data.clicks.label().to_owned(),
        split: data.clicks.split().to_owned(),
        counts: data.counts(),
        bootstrap_samples,
    }
}
