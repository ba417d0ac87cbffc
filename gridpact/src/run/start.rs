//! From one role's file to that role at work.

use super::party;
use super::process::ProcessMetrics;
use super::running::{RoleError, Started};
use super::{brokers, doors, measured_file, observation_file, price_file, wholesale_file};
use crate::api;
use crate::configuration::roles::{
    ApiKeys, ArchiveKeys, DsoFile, ForecasterFile, SiteFile, TimekeeperFile, TsoFile, ValidatorFile,
};
use crate::configuration::RoleFile;
use crate::console::routes::CONSOLE;
use actix::Arbiter;
use actix_web::dev::ServerHandle;
use agents::aggregator::archiver::ArchiveOptions;
use agents::aggregator::AggregatorOptions;
use agents::dso::balance::Measured;
use agents::dso::DsoOptions;
use agents::forecaster::{ForecasterOptions, Observations};
use agents::shell::{Common, RoleHandle, StartError};
use agents::timekeeper::{Pace, Progress, TimekeeperOptions};
use agents::tso::{ImportTerms, TsoOptions};
use ledger::archive::location::Place;
use ledger::archive::store::S3Settings;
use ledger::genesis::Genesis;
use ledger::validator::{Timeouts, ValidatorConfig, ValidatorHandle};
use market::balance::Accuracy;
use market::interval::{Interval, UnixSeconds};
use market::units::{MicrogramPerWh, Milliwatt, PicoEurPerWh};
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::sync::{oneshot, watch};
use wire::message::MAX_EMISSION;
use wire::party::Role;

/// What a simulation hangs onto the timekeeper. Without one, time passes and no world with it.
#[derive(Clone)]
pub struct Hooks {
    /// Lets simulated devices live up to a time.
    pub advance: Arc<dyn Fn(UnixSeconds) + Send + Sync>,
    /// Shows how far time has come.
    pub progress: watch::Sender<Progress>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { advance: Arc::new(|_| {}), progress: watch::Sender::new(Progress::default()) }
    }
}

/// Starts one role. What runs as an actor does so on `arbiter`; a validator makes a thread of its own.
pub(super) async fn role(
    role: RoleFile,
    hooks: &Hooks,
    metrics: &ProcessMetrics,
    arbiter: &Arbiter,
) -> Result<Started, RoleError> {
    let started = match role {
        RoleFile::Broker(file) => return Ok(Started::Broker(doors::broker(&file, metrics)?)),
        RoleFile::Validator(file) => return validator(&file, metrics).await,
        RoleFile::Site(file) => site(file, metrics, arbiter).await?,
        RoleFile::Aggregator(file) => {
            let common = party::open(Role::Aggregator, &file.party, metrics).await?;
            let archive = archive(&file.archive)?;
            let options = AggregatorOptions { readings_grace_ms: file.readings_grace_ms, archive };
            on(arbiter, move || async move { agents::aggregator::start(&common, options) }).await?
        }
        RoleFile::Dso(file) => {
            let common = party::open(Role::Dso, &file.party, metrics).await?;
            let options = DsoOptions { round_timeout_ms: file.round_timeout_ms };
            let measured = measured(&file, &common)?;
            let start = move || async move { agents::dso::start_measuring(&common, options, measured) };
            on(arbiter, start).await?
        }
        RoleFile::Tso(file) => {
            let common = party::open(Role::Tso, &file.party, metrics).await?;
            let (options, emission) =
                (import(&file, common.genesis.parameters.interval_s)?, emission(&file)?);
            on(arbiter, move || async move { agents::tso::start(&common, options, emission) }).await?
        }
        RoleFile::Forecaster(file) => {
            let common = party::open(Role::Forecaster, &file.party, metrics).await?;
            let options = forecaster(&file, &common)?;
            on(arbiter, move || async move { agents::forecaster::start(&common, options) }).await?
        }
        RoleFile::Timekeeper(file) => {
            let common = party::open(Role::Timekeeper, &file.party, metrics).await?;
            let (pace, hooks) = (pace(&file)?, hooks.clone());
            let options = TimekeeperOptions { pace, advance: hooks.advance, progress: hooks.progress };
            on(arbiter, move || async move { agents::timekeeper::start(&common, options) }).await?
        }
    };
    Ok(Started::Role(started))
}

/// Runs `start` on the arbiter's own thread, for actors live where they are started.
async fn on<F, Fut>(arbiter: &Arbiter, start: F) -> Result<RoleHandle, RoleError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<RoleHandle, StartError>> + 'static,
{
    let (reply, answer) = oneshot::channel();
    arbiter.spawn_fn(move || {
        actix::spawn(async move {
            // Fails only where nobody waits any more.
            let _ = reply.send(start().await);
        });
    });
    Ok(answer.await.map_err(|_| RoleError::Thread)??)
}

/// Where an aggregator's batches go; none where its file leaves it at the default.
pub(crate) fn archive(keys: &ArchiveKeys) -> Result<Option<ArchiveOptions>, RoleError> {
    let ArchiveKeys { url, endpoint, region } = keys;
    let s3 = S3Settings { endpoint: endpoint.clone(), region: region.clone() };
    let wrong = |key, reason| RoleError::Value { key, reason };
    let Some(url) = url else {
        let set = s3 != S3Settings::default();
        let unused = || wrong("archive.url", "an endpoint or region is given, and no s3:// URL".to_owned());
        return if set { Err(unused()) } else { Ok(None) };
    };
    let place = url.parse::<Place>().map_err(|error| wrong("archive.url", error.to_string()))?;
    Ok(Some(ArchiveOptions { place, s3 }))
}

async fn site(file: SiteFile, metrics: &ProcessMetrics, arbiter: &Arbiter) -> Result<RoleHandle, RoleError> {
    let common = party::open(Role::Site, &file.party, metrics).await?;
    let devices = metrics.devices.clone();
    on(arbiter, move || async move { agents::site::shell::start(&common, file.site, &devices).await }).await
}

async fn validator(file: &ValidatorFile, metrics: &ProcessMetrics) -> Result<Started, RoleError> {
    let common = party::open(Role::Validator, &file.party, metrics).await?;
    let network = common.signer.network();
    let brokers = brokers::of_validator(file.mesh.as_ref(), common.broker_addresses, network, metrics)?;
    let config = ValidatorConfig {
        genesis: common.genesis,
        signer: common.signer,
        brokers,
        identity: common.identity,
        data_dir: common.data_dir,
        registry: common.registry,
        link_metrics: common.link_metrics,
        timeouts: Timeouts::default(),
        store: file.store.options(),
    };
    let (registry, genesis) = (config.registry.clone(), config.genesis.clone());
    let handle = ledger::validator::start(config)?;
    let api = file.api.as_ref().map(|keys| serve(keys, genesis, &handle, &registry)).transpose()?;
    Ok(Started::Validator(handle, api))
}

/// Serves a validator's ledger over HTTP.
fn serve(
    keys: &ApiKeys,
    genesis: Arc<Genesis>,
    validator: &ValidatorHandle,
    registry: &prometheus::Registry,
) -> Result<ServerHandle, RoleError> {
    let address = keys.listen;
    let wrong = |source| RoleError::Api { address, source };
    let listener = TcpListener::bind(address).map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    let party = validator.party();
    let source = api::Source { views: validator.views(), history: Arc::new(validator.history()), genesis };
    let server = api::server(listener, (source, keys.console), &party.id, registry).map_err(wrong)?;
    let handle = server.handle();
    actix::spawn(server);
    if !bound.ip().is_loopback() {
        tracing::warn!(%bound, "the ledger is served over plain HTTP beyond this machine: put TLS before it");
    }
    tracing::info!(%party, url = %format!("http://{bound}/openapi.json"), "the ledger can be read over HTTP");
    if keys.console {
        tracing::info!(%party, url = %format!("http://{bound}{CONSOLE}"), "the console is served");
    }
    Ok(handle)
}

/// What import emits: g/kWh are thousands of ug/Wh.
pub(crate) fn emission(file: &TsoFile) -> Result<MicrogramPerWh, RoleError> {
    let (key, value) = ("emission_g_per_kwh", file.emission_g_per_kwh);
    let within = (0.0..=MAX_EMISSION as f64 / 1e3).contains(&value);
    let out = || RoleError::Value { key, reason: format!("{value} g/kWh is out of bounds") };
    within.then(|| MicrogramPerWh((value * 1e3).round() as i64)).ok_or_else(out)
}

/// How exact meters are, and what comes to be measured.
type Measurements = (Accuracy, mpsc::Receiver<Vec<Measured>>);

/// What a DSO's customers are held against, where its feeder is measured.
fn measured(file: &DsoFile, common: &Common) -> Result<Option<Measurements>, RoleError> {
    let Some(path) = &file.measured else { return Ok(None) };
    let (key, percent) = ("meter_error_percent", file.meter_error_percent);
    if !(0.0..=100.0).contains(&percent) {
        return Err(RoleError::Value { key, reason: format!("{percent} is not within 0 to 100") });
    }
    let accuracy = Accuracy { permille: (percent * 10.0).round() as u32, ..Accuracy::default() };
    let feeder = &common.genesis.feeder;
    measured_file::read(path, common.genesis.parameters.interval_s, feeder).map_err(RoleError::Measured)?;
    let rows = measured_file::follow(path.clone(), common.genesis.parameters.interval_s, feeder.clone());
    Ok(Some((accuracy, rows)))
}

/// Where a TSO interface's import comes from: one of the two its file can name.
pub(crate) fn import(file: &TsoFile, interval_s: i64) -> Result<TsoOptions, RoleError> {
    let power = |key, power_kw: f64| {
        let power = Milliwatt::from_kw(power_kw).filter(|power| *power >= Milliwatt::ZERO);
        power.ok_or(RoleError::Value { key, reason: format!("{power_kw} kW is out of bounds") })
    };
    let import_min = -power("export_max_kw", file.export_max_kw)?;
    let import_max = power("import_max_kw", file.import_max_kw)?;
    let rise = file.price_rise_eur_per_mwh_per_mw;
    let rise = PicoEurPerWh::from_eur_per_mwh(rise).filter(|rise| *rise >= PicoEurPerWh::ZERO).ok_or(
        RoleError::Value { key: "price_rise_eur_per_mwh_per_mw", reason: format!("{rise} is out of bounds") },
    )?;
    match (&file.prices, &file.wholesale) {
        (Some(prices), None) => Ok(TsoOptions::Terms(ImportTerms {
            prices: price_file::read(prices, interval_s, file.repeat).map_err(RoleError::Prices)?,
            repeats: file.repeat == 0,
            import_min,
            import_max,
            slope_per_megawatt: (rise > PicoEurPerWh::ZERO).then_some(rise),
        })),
        (None, Some(wholesale)) => {
            Ok(TsoOptions::Wholesale(wholesale_file::read(wholesale, import_min, import_max)?))
        }
        _ => Err(RoleError::Value { key: "prices", reason: "give either prices or wholesale".to_owned() }),
    }
}

/// A file that can't be read now is an error; one that can't be read later is noted, and forecasts go on
/// from what is known.
fn forecaster(file: &ForecasterFile, common: &Common) -> Result<ForecasterOptions, RoleError> {
    let interval_s = common.genesis.parameters.interval_s;
    observation_file::read(&file.observations, interval_s).map_err(RoleError::Observations)?;
    let path = file.observations.clone();
    let read = move || observation_file::read(&path, interval_s).map_err(|error| error.to_string());
    Ok(ForecasterOptions { observations: Observations(Arc::new(read)), horizon: file.horizon })
}

pub(crate) fn pace(file: &TimekeeperFile) -> Result<Pace, RoleError> {
    let wrong = |reason| RoleError::Value { key: "first_interval", reason };
    let first = OffsetDateTime::parse(&file.first_interval, &Rfc3339)
        .map_err(|error| wrong(format!("{:?} is not RFC 3339: {error}", file.first_interval)))?;
    Ok(Pace {
        first: Interval(UnixSeconds(first.unix_timestamp())),
        count: file.intervals,
        speed: file.speed,
        phase_limit_ms: file.phase_limit_ms,
    })
}
