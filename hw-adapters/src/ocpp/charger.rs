//! A charge point as the site controller sees it: the [`Charger`] trait over OCPP.

use super::driver::Command;
use super::message::ConnectorStatus;
use super::profile::{
    charging_profile, feasible, held_limit, power_min, step, Held, DEFAULT_PROFILE_ID, TRANSACTION_PROFILE_ID,
};
use super::request::StationRequest;
use super::server::{CentralSystem, OcppError, StationConfig};
use super::station::{CallFailure, StationState};
use crate::device::{Aged, Charger, ChargerState, DeviceError};
use crate::metrics::DeviceMetrics;
use futures::future::BoxFuture;
use futures::FutureExt;
use market::units::Milliwatt;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

const SETTING_PROFILE: &str = "setting the charging profile";
/// For how long a charge point is asked what limits it. Our profile has one period without end.
const COMPOSITE_S: u32 = 60;
/// Where a charge point can't be asked for its meter, what it sent by itself counts for so long.
const PUSHED_FRESH_MS: u64 = 120_000;
/// How long to wait, when a profile for a transaction is refused, for word that the transaction is over.
const WORD_OF_END: Duration = Duration::from_secs(2);

/// A charge point with a listener of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcppChargerConfig {
    /// The device's name in errors and metrics.
    pub name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its identity: the last segment of the URL it connects to.
    pub identity: String,
    /// Phases it charges on, 1 to 3.
    pub phases: u8,
    /// Most power it charges at, at least 6 A on its phases.
    pub power_max: Milliwatt,
    /// A call not answered within so many milliseconds has failed; 100 to 60 000.
    pub answer_within_ms: u64,
}

/// A charge point that connects to a [`CentralSystem`].
pub struct OcppCharger {
    system: CentralSystem,
    config: StationConfig,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<StationState>,
    started: Instant,
}

impl OcppCharger {
    /// Listens for this one charge point.
    ///
    /// # Errors
    /// Where the address can't be bound, or the configuration can't be.
    pub async fn listen(config: OcppChargerConfig, metrics: DeviceMetrics) -> Result<Self, OcppError> {
        let system = CentralSystem::listen(config.listen, metrics).await?;
        system.charger(StationConfig {
            name: config.name,
            identity: config.identity,
            phases: config.phases,
            power_max: config.power_max,
            answer_within_ms: config.answer_within_ms,
        })
    }

    pub(super) fn new(
        system: CentralSystem,
        config: StationConfig,
        commands: mpsc::Sender<Command>,
        state: watch::Receiver<StationState>,
        started: Instant,
    ) -> Self {
        Self { system, config, commands, state, started }
    }

    /// Where its central system listens.
    pub fn address(&self) -> SocketAddr {
        self.system.address()
    }

    /// What is known of it, without asking.
    pub fn station(&self) -> StationState {
        self.state.borrow().clone()
    }

    /// Takes our charging profiles back, so that the charge point's own rules hold again.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub async fn release(&self) -> Result<(), DeviceError> {
        for id in [DEFAULT_PROFILE_ID, TRANSACTION_PROFILE_ID] {
            // "Unknown" is as good as "Accepted": it holds none with this id.
            self.ask("clearing the charging profile", StationRequest::ClearChargingProfile(id)).await?;
        }
        Ok(())
    }

    async fn call(&self, request: StationRequest) -> Result<Value, CallFailure> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(Command::Ask(request, answer)).map_err(|_| CallFailure::Busy)?;
        answered.await.unwrap_or(Err(CallFailure::ConnectionLost))
    }

    async fn ask(&self, act: &'static str, request: StationRequest) -> Result<Value, DeviceError> {
        self.call(request).await.map_err(|failure| self.failed(act, failure))
    }

    fn failed(&self, act: &'static str, failure: CallFailure) -> DeviceError {
        let device = self.config.name.clone();
        match failure {
            CallFailure::Refused { .. } => DeviceError::Refused { device, act, reason: failure.to_string() },
            _ => DeviceError::Silent { device, act, reason: failure.to_string() },
        }
    }

    fn silent(&self, act: &'static str, reason: &str) -> DeviceError {
        DeviceError::Silent { device: self.config.name.clone(), act, reason: reason.to_owned() }
    }

    /// Has the charge point meter itself now. Where it can't be asked, what it sent lately counts.
    async fn refresh(&mut self) -> Result<StationState, DeviceError> {
        let act = "reading the meter";
        let before = self.state.borrow().readings;
        match self.call(StationRequest::TriggerMessage("MeterValues")).await {
            Ok(answer) if answer["status"] == "Accepted" => {
                let within = Duration::from_millis(self.config.answer_within_ms);
                let newer = timeout(within, self.state.wait_for(|state| state.readings > before));
                let newer = newer.await.ok().and_then(Result::ok).map(|state| state.clone());
                newer
                    .ok_or_else(|| self.silent(act, "no meter values followed within the time for an answer"))
            }
            Ok(_) | Err(CallFailure::Refused { .. }) => {
                let state = self.station();
                let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let fresh = state.readings > 0 && now_ms.saturating_sub(state.read_at_ms) <= PUSHED_FRESH_MS;
                // A connector without a car takes nothing; no meter is needed to know that.
                if fresh || state.status.is_some_and(|status| !status.plugged()) {
                    Ok(state)
                } else {
                    Err(self.silent(act, "it can't be asked, and sent nothing lately"))
                }
            }
            Err(failure) => Err(self.failed(act, failure)),
        }
    }

    async fn read_state(&mut self) -> Result<ChargerState, DeviceError> {
        let act = "reading the meter";
        let state = self.refresh().await?;
        let Some(status) = state.status else {
            return Err(self.silent(act, "it has not said yet whether a car is there"));
        };
        let bad = |reason: String| DeviceError::BadAnswer { device: self.config.name.clone(), act, reason };
        let power = match (status, state.power) {
            (_, _) if !status.plugged() => Milliwatt::ZERO,
            (ConnectorStatus::Charging, None) => {
                return Err(bad("it charges and states no power".to_owned()))
            }
            (_, power) => power.unwrap_or(Milliwatt::ZERO),
        };
        // A tenth of tolerance for voltage, another for the meter.
        if power.0 > self.config.power_max.0 / 5 * 6 {
            return Err(bad(format!("power of {power} with a maximum of {}", self.config.power_max)));
        }
        Ok(ChargerState {
            plugged: status.plugged(),
            power,
            session: state.session(),
            power_min: power_min(self.config.phases),
            power_max: self.config.power_max,
        })
    }

    async fn write_limit(&mut self, power: Milliwatt) -> Result<Milliwatt, DeviceError> {
        let mut state = self.station();
        let mut status = self.set_profile(power, &state).await?;
        if status == "Rejected" && state.transaction.is_some() {
            // Cars leave when intervals begin, which is when limits are written: the transaction may have
            // ended before the profile for it arrived, and word of that be on its way.
            let changed = self.state.wait_for(|now| now.transaction != state.transaction);
            let changed =
                timeout(WORD_OF_END, changed).await.ok().and_then(Result::ok).map(|now| now.clone());
            if let Some(now) = changed {
                state = now;
                status = self.set_profile(power, &state).await?;
            }
        }
        if status != "Accepted" {
            let (device, reason) = (self.config.name.clone(), format!("the charge point answered {status}"));
            return Err(DeviceError::Refused { device, act: SETTING_PROFILE, reason });
        }
        let limit = feasible(power, self.config.power_max, state.rate_unit, self.config.phases);
        self.read_back(limit, &state).await
    }

    /// Sends the profile that limits charging to `power`, given what is known; gives what was answered.
    async fn set_profile(&self, power: Milliwatt, state: &StationState) -> Result<Value, DeviceError> {
        if !state.connected {
            return Err(self.failed(SETTING_PROFILE, CallFailure::NotConnected));
        }
        let phases = self.config.phases;
        let limit = feasible(power, self.config.power_max, state.rate_unit, phases);
        let profile = charging_profile(limit, state, phases);
        let answer = self.ask(SETTING_PROFILE, StationRequest::SetChargingProfile(profile)).await?;
        Ok(answer["status"].clone())
    }

    /// Holding less than was asked is obeying (its own fuse may be smaller), holding more is not.
    async fn read_back(&self, limit: Milliwatt, state: &StationState) -> Result<Milliwatt, DeviceError> {
        let act = "reading the charging profile back";
        let unit = state.rate_unit.letter();
        let request = StationRequest::GetCompositeSchedule { duration_s: COMPOSITE_S, unit };
        let answer = match self.call(request).await {
            Ok(answer) => answer,
            // It has accepted and can't be asked: its meter must show the rest.
            Err(CallFailure::Refused { .. }) => return Ok(limit),
            Err(failure) => return Err(self.failed(act, failure)),
        };
        let disobeyed = |read: String| DeviceError::Disobeyed {
            device: self.config.name.clone(),
            what: "charging profile",
            written: limit.to_string(),
            read,
        };
        match held_limit(&answer, self.config.phases) {
            Ok(Held::Limit(held)) if held <= limit + step(state.rate_unit, self.config.phases) => Ok(held),
            Ok(Held::Limit(held)) => Err(disobeyed(held.to_string())),
            // Without a transaction, some charge points have no schedule to tell.
            Ok(Held::NoLimit) if state.transaction.is_none() => Ok(limit),
            Ok(Held::NoLimit) if limit >= self.config.power_max => Ok(limit),
            Ok(Held::NoLimit) => Err(disobeyed("no limit".to_owned())),
            Err(reason) => Err(DeviceError::BadAnswer { device: self.config.name.clone(), act, reason }),
        }
    }
}

impl Aged for OcppCharger {}

impl Charger for OcppCharger {
    fn read(&mut self) -> BoxFuture<'_, Result<ChargerState, DeviceError>> {
        self.read_state().boxed()
    }

    fn limit(&mut self, power: Milliwatt) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
        self.write_limit(power).boxed()
    }
}
