//! The site's own shell: opens its devices and does what the core asks of them, each device in a task
//! of its own. Decides nothing.

use super::act::{SiteAction, SiteReport};
use super::core::{SiteConfig, SiteCore};
use super::day_ahead::Setting;
use super::keeping::Keeping;
use super::lane::Lane;
use super::metrics::SiteMetrics;
use super::options::{fits, SiteOptions};
use super::schedule::Setpoint;
use super::standing::Standing;
use crate::device::Reading;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use futures::future::{join_all, BoxFuture, FutureExt};
use hw_adapters::config::open_with;
use hw_adapters::device::{Device, MeterState};
use hw_adapters::metrics::DeviceMetrics;
use market::interval::Interval;
use market::units::Milliwatt;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::party::Role;

/// Messages waiting for answers, or to be taken.
const QUEUE: usize = 128;
/// Actions waiting to be begun in order: an interval has two.
const ACTIONS: usize = 8;

/// Where in its folder a site keeps its devices as they were found.
const DEVICES_DIR: &str = "devices";
/// File in its folder of readings that nobody has acknowledged yet.
const READINGS: &str = "readings.log";

/// Opens the devices and starts the site that `common.signer` signs for, on the current arbiter.
///
/// # Errors
/// Where the genesis has no such site, the options don't fit, a device can't be opened, or the link
/// can't be made. That a device doesn't answer is no error.
pub async fn start(
    common: &Common,
    options: SiteOptions,
    device_metrics: &DeviceMetrics,
) -> Result<RoleHandle, StartError> {
    let wrong = |reason: String| StartError::Options { reason };
    options.validate().map_err(wrong)?;
    let (genesis, terms) = (&common.genesis, common.terms());
    let answer_within = Duration::from_millis(options.answer_within_ms);
    let kept_in = common.data_dir.join(DEVICES_DIR);
    let catalogue = options.catalogue().map_err(wrong)?;
    let opened = |config| open_with(config, &catalogue, device_metrics, Some(&kept_in));
    let meter = opened(&options.meter).await.map_err(|e| wrong(e.to_string()))?;
    if !matches!(meter, Device::Meter(_)) {
        return Err(wrong(format!("{} is no meter", options.meter.name())));
    }
    let (mut lanes, mut devices, mut safe) = (Vec::new(), Vec::new(), Vec::new());
    for site_device in &options.devices {
        let name = site_device.config.name().to_owned();
        let device = opened(&site_device.config).await.map_err(|e| wrong(e.to_string()))?;
        if !fits(&device, &site_device.preferences) {
            return Err(wrong(format!("{name}: its preferences are for another kind of device")));
        }
        lanes.push(Lane::start(device, answer_within));
        devices.push((name, site_device.preferences.clone()));
        safe.push(site_device.safe_w.map(|watts| Milliwatt(watts.saturating_mul(1_000))));
    }
    let standing = Standing::of(&terms, common.signer.party())?;
    let made = std::fs::create_dir_all(&common.data_dir);
    made.map_err(|source| StartError::Directory { directory: common.data_dir.clone(), source })?;
    let (readings, id) = (common.data_dir.join(READINGS), common.signer.party().id.as_str());
    let opened = Keeping::open(&readings, id, &common.metrics);
    let (keeping, journal) = opened.map_err(|e| wrong(format!("its readings: {e}")))?;
    let mut core = SiteCore::new(SiteConfig {
        standing,
        parameters: terms.parameters,
        day_ahead: Setting::of(&terms)?,
        chain: common.chain.clone(),
        devices,
        safe,
        tariff: options.tariff,
        horizon: options.horizon,
        patience: options.patience,
    });
    core.restore(&journal);
    let (id, metrics) = (common.signer.party().id.to_string(), common.metrics.sites.clone());
    metrics.prepare(&id, options.devices.iter().map(|device| device.config.name()));
    let performer = SitePerformer {
        id,
        metrics,
        keeping,
        lanes: Lanes { meter: Lane::start(meter, answer_within), devices: lanes },
        ordered: None,
    };
    let forecasts = [(Role::Tso, "forecast"), (Role::Forecaster, "quantile-forecast")];
    let forecasts = forecasts.map(|(role, kind)| genesis.network.filter_broadcast(role, kind));
    let connection = Connection { subscriptions: forecasts.into(), queue: QUEUE };
    shell::start(common, core, performer, connection)
}

#[derive(Clone)]
struct Lanes {
    meter: Lane,
    devices: Vec<Lane>,
}

struct SitePerformer {
    id: String,
    metrics: SiteMetrics,
    keeping: Keeping,
    lanes: Lanes,
    /// Meter readings and writes, which keep their order.
    ordered: Option<mpsc::Sender<SiteAction>>,
}

impl Performer<SiteCore> for SitePerformer {
    fn perform(&mut self, act: SiteAction, reports: &mpsc::Sender<SiteReport>) {
        let reports = reports.clone();
        let lanes = self.lanes.clone();
        match act {
            SiteAction::ReadAll { interval } => {
                tokio::spawn(async move { report(&reports, lanes.read_all(interval).await).await });
            }
            SiteAction::ReadAhead { session } => {
                tokio::spawn(async move { report(&reports, lanes.read_ahead(session).await).await });
            }
            SiteAction::Judge { interval } => {
                tokio::spawn(async move { report(&reports, lanes.judge(interval).await).await });
            }
            SiteAction::Show(figure) => self.metrics.show(&self.id, &figure),
            SiteAction::Keep { records } => {
                let kept = self.keeping.keep(records);
                tokio::spawn(async move {
                    // Ends without an answer where the site has ended.
                    let _ = kept.await;
                    report(&reports, SiteReport::Kept).await;
                });
            }
            SiteAction::ReadMeter { .. } | SiteAction::Write { .. } => {
                let ordered = self.ordered.get_or_insert_with(|| in_order(lanes, reports.clone()));
                if let Err(refused) = ordered.try_send(act) {
                    if let Some(undone) = undone(refused.into_inner()) {
                        tokio::spawn(async move { report(&reports, undone).await });
                    }
                }
            }
        }
    }

    fn end(&mut self) -> BoxFuture<'static, ()> {
        give_back(self.lanes.clone()).boxed()
    }
}

/// Every device is given back as it was found; one that can't be will be at the next start.
async fn give_back(lanes: Lanes) {
    let given = join_all(lanes.devices.iter().map(Lane::give_back)).await;
    for reason in given.into_iter().filter_map(Result::err) {
        tracing::warn!(reason, "a device was not given back as it was found");
    }
}

/// A task that begins each action once the meter reading before it is done.
fn in_order(lanes: Lanes, reports: mpsc::Sender<SiteReport>) -> mpsc::Sender<SiteAction> {
    let (actions, mut actions_out) = mpsc::channel(ACTIONS);
    tokio::spawn(async move {
        while let Some(action) = actions_out.recv().await {
            match action {
                SiteAction::ReadMeter { boundary } => {
                    let meter = lanes.meter.read_meter().await;
                    report(&reports, SiteReport::MeterRead { boundary, meter }).await;
                }
                SiteAction::Write { interval, setpoints, hold_s } => {
                    let (lanes, reports) = (lanes.clone(), reports.clone());
                    tokio::spawn(async move {
                        report(&reports, lanes.write(interval, setpoints, hold_s).await).await;
                    });
                }
                SiteAction::ReadAll { interval } => report(&reports, lanes.read_all(interval).await).await,
                SiteAction::ReadAhead { session } => {
                    report(&reports, lanes.read_ahead(session).await).await;
                }
                SiteAction::Judge { interval } => report(&reports, lanes.judge(interval).await).await,
                // Nothing that devices are asked for.
                SiteAction::Show(_) => {}
                // Kept elsewhere.
                SiteAction::Keep { .. } => {}
            }
        }
    });
    actions
}

impl Lanes {
    async fn read_all(&self, interval: Interval) -> SiteReport {
        let (meter, devices) = self.read().await;
        SiteReport::AllRead { interval, meter, devices }
    }

    async fn read_ahead(&self, session: Interval) -> SiteReport {
        let (meter, devices) = self.read().await;
        SiteReport::AheadRead { session, meter, devices }
    }

    async fn judge(&self, interval: Interval) -> SiteReport {
        let devices = join_all(self.devices.iter().map(Lane::read_settled));
        let (meter, devices) = futures::join!(self.meter.read_meter(), devices);
        SiteReport::Judged { interval, meter, devices }
    }

    async fn read(&self) -> (Result<MeterState, String>, Vec<Result<Reading, String>>) {
        let devices = join_all(self.devices.iter().map(Lane::read));
        futures::join!(self.meter.read_meter(), devices)
    }

    async fn write(&self, interval: Interval, setpoints: Vec<(usize, Setpoint)>, hold_s: u32) -> SiteReport {
        let outcomes = setpoints.into_iter().map(|(place, setpoint)| async move {
            let outcome = match self.devices.get(place) {
                Some(lane) => lane.write(setpoint, hold_s).await,
                None => Err("there is no such device".to_owned()),
            };
            (place, outcome)
        });
        SiteReport::Written { interval, outcomes: join_all(outcomes).await }
    }
}

/// What is reported of an action there was no room for.
fn undone(action: SiteAction) -> Option<SiteReport> {
    let reason = || "too many requests wait already".to_owned();
    Some(match action {
        SiteAction::Show(_) => return None,
        SiteAction::ReadAll { interval } => {
            SiteReport::AllRead { interval, meter: Err(reason()), devices: Vec::new() }
        }
        SiteAction::ReadAhead { session } => {
            SiteReport::AheadRead { session, meter: Err(reason()), devices: Vec::new() }
        }
        SiteAction::Judge { interval } => {
            SiteReport::Judged { interval, meter: Err(reason()), devices: Vec::new() }
        }
        SiteAction::ReadMeter { boundary } => SiteReport::MeterRead { boundary, meter: Err(reason()) },
        SiteAction::Keep { .. } => SiteReport::Kept,
        SiteAction::Write { interval, setpoints, .. } => {
            let outcomes = setpoints.into_iter().map(|(place, _)| (place, Err(reason()))).collect();
            SiteReport::Written { interval, outcomes }
        }
    })
}

async fn report(reports: &mpsc::Sender<SiteReport>, report: SiteReport) {
    // Fails only where the site has ended, and then nobody asks.
    let _ = reports.send(report).await;
}
