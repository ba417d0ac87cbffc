//! A charge point as the site controller sees it: the [`Charger`] trait over OCPP.

use super::driver::Command;
use super::judge::{judged, READING};
use super::profile::{
    feasible, held_limit, step, Held, DEFAULT_PROFILE_ID, SESSION_PROFILE_ID, STATION_MAX_PROFILE_ID,
};
use super::request::{StationRequest, Trigger};
use super::server::CentralSystem;
use super::station::{CallFailure, StationState};
use super::station_config::StationConfig;
use crate::device::{Aged, Charger, ChargerState, DeviceError};
use futures::future::BoxFuture;
use futures::FutureExt;
use market::units::Milliwatt;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

const SETTING_PROFILE: &str = "setting the charging profile";
/// For how long a charge point is asked what limits it. Our profile has one period that holds now.
const COMPOSITE_S: u32 = 60;
/// How long to wait, when a profile for a transaction is refused, for word that the transaction is over.
const WORD_OF_END: Duration = Duration::from_secs(2);

/// A charge point that connects to a [`CentralSystem`].
pub struct OcppCharger {
    system: CentralSystem,
    pub(super) config: StationConfig,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<StationState>,
    started: Instant,
}

impl OcppCharger {
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

    /// Milliseconds since its meter last stated power; none where it never has.
    pub fn reading_age_ms(&self) -> Option<u64> {
        let state = self.state.borrow();
        (state.readings > 0).then(|| self.now_ms().saturating_sub(state.read_at_ms))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes our charging profiles back, so that the charge point's own rules hold again. Profiles of others
    /// stay.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub async fn release(&self) -> Result<(), DeviceError> {
        let act = "clearing the charging profile";
        self.commands.try_send(Command::Release).map_err(|_| self.failed(act, CallFailure::Busy))?;
        for id in [SESSION_PROFILE_ID, DEFAULT_PROFILE_ID, STATION_MAX_PROFILE_ID] {
            // "Unknown" is as good as "Accepted": it holds none with this id.
            self.ask(act, StationRequest::ClearProfile(id)).await?;
        }
        Ok(())
    }

    pub(super) async fn call(&self, request: StationRequest) -> Result<Value, CallFailure> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(Command::Ask(request, answer)).map_err(|_| CallFailure::Busy)?;
        answered.await.unwrap_or(Err(CallFailure::ConnectionLost))
    }

    /// Limits charging from now on; gives what was answered.
    async fn hold(&self, power: Milliwatt) -> Result<Value, DeviceError> {
        let (answer, answered) = oneshot::channel();
        let told = self.commands.try_send(Command::Limit(power, answer)).map_err(|_| CallFailure::Busy);
        let outcome = match told {
            Ok(()) => answered.await.unwrap_or(Err(CallFailure::ConnectionLost)),
            Err(failure) => Err(failure),
        };
        outcome
            .map(|answer| answer["status"].clone())
            .map_err(|failure| self.failed(SETTING_PROFILE, failure))
    }

    pub(super) async fn ask(&self, act: &'static str, request: StationRequest) -> Result<Value, DeviceError> {
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
        let (before, _) = self.state.borrow().triggered;
        match self.call(StationRequest::Trigger(Trigger::Meter)).await {
            Ok(answer) if answer["status"] == "Accepted" => {
                let within = Duration::from_millis(self.config.answer_within_ms);
                let newer = timeout(
                    within,
                    self.state.wait_for(|state| {
                        let (triggered, readings) = state.triggered;
                        triggered > before && state.readings > readings
                    }),
                );
                let newer = newer.await.ok().and_then(Result::ok).map(|state| state.clone());
                newer.ok_or_else(|| {
                    self.silent(READING, "no new meter values followed within the time for an answer")
                })
            }
            Ok(_) | Err(CallFailure::Refused { .. }) => Ok(self.station()),
            Err(failure) => Err(self.failed(READING, failure)),
        }
    }

    async fn read_state(&mut self) -> Result<ChargerState, DeviceError> {
        let state = self.refresh().await?;
        judged(&self.config, &state, self.now_ms())
    }

    async fn write_limit(&mut self, power: Milliwatt) -> Result<Milliwatt, DeviceError> {
        let before = self.station().transaction;
        let mut status = self.hold(power).await?;
        if status == "Rejected" && before.is_some() {
            // Cars leave when intervals begin, which is when limits are written: the transaction may have
            // ended before the profile for it arrived, and word of that be on its way.
            let changed = self.state.wait_for(|now| now.transaction != before);
            let changed = timeout(WORD_OF_END, changed).await.is_ok_and(|changed| changed.is_ok());
            if changed {
                status = self.hold(power).await?;
            }
        }
        let state = self.station();
        let limit = feasible(power, self.config.bounded_max(), state.rate_unit, self.config.phases);
        match status.as_str() {
            Some("Accepted") => self.read_back(limit, &state).await,
            // Nothing to limit yet; it will be when there is.
            Some("Kept") => Ok(limit),
            _ => {
                let (device, reason) =
                    (self.config.name.clone(), format!("the charge point answered {status}"));
                Err(DeviceError::Refused { device, act: SETTING_PROFILE, reason })
            }
        }
    }

    /// Holding less than was asked is obeying (its own fuse may be smaller), holding more is not.
    async fn read_back(&self, limit: Milliwatt, state: &StationState) -> Result<Milliwatt, DeviceError> {
        let act = "reading the charging profile back";
        let request = StationRequest::GetCompositeSchedule { duration_s: COMPOSITE_S };
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
            // The transaction may be over by now, and with it its limit.
            _ if self.station().transaction != state.transaction => Ok(limit),
            Ok(Held::Limit(held)) => Err(disobeyed(held.to_string())),
            Ok(Held::NoLimit) if limit >= self.config.bounded_max() => Ok(limit),
            Ok(Held::NoLimit) => Err(disobeyed("no limit".to_owned())),
            Err(reason) => Err(DeviceError::BadAnswer { device: self.config.name.clone(), act, reason }),
        }
    }
}

impl Aged for OcppCharger {
    fn age(&self) -> Duration {
        Duration::from_millis(self.reading_age_ms().unwrap_or(0))
    }
}

impl Charger for OcppCharger {
    fn read(&mut self) -> BoxFuture<'_, Result<ChargerState, DeviceError>> {
        self.read_state().boxed()
    }

    fn limit(&mut self, power: Milliwatt) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
        self.write_limit(power).boxed()
    }
}
