//! What the central system asks, done or turned down.

use super::{Core, Say};
use crate::fault::Fault;
use crate::ocpp::metering::{status, timestamp};
use crate::ocpp::profiles::{composite, Profile};
use crate::ocpp::transactions::Happened;
use crate::physics::car::{ChargerSim, ConnectorStatus};
use serde_json::{json, Value};

impl Core {
    /// Does what a call asks, and gives the answer's payload or an error code and text.
    pub(super) fn obey(
        &mut self,
        real_ms: u64,
        sim: &ChargerSim,
        action: &str,
        request: &Value,
    ) -> Result<Value, (&'static str, &'static str)> {
        let status = match action {
            "SetChargingProfile" => self.set_profile(sim, request)?,
            "ClearChargingProfile" => {
                self.limits_from = None;
                if self.profiles.clear(request) {
                    "Accepted"
                } else {
                    "Unknown"
                }
            }
            "GetCompositeSchedule" => return self.composite_schedule(sim, request),
            "GetConfiguration" => return Ok(self.configuration.answer(request)),
            "ChangeConfiguration" => self.configuration.change(request),
            "TriggerMessage" => self.trigger(real_ms, sim, request),
            "RemoteStartTransaction" => self.remote_start(sim),
            "RemoteStopTransaction" => self.remote_stop(sim, request),
            _ => return Err(("NotImplemented", "")),
        };
        Ok(json!({ "status": status }))
    }

    fn set_profile(
        &mut self,
        sim: &ChargerSim,
        request: &Value,
    ) -> Result<&'static str, (&'static str, &'static str)> {
        let profile =
            Profile::parse(request, sim.phases()).map_err(|field| ("PropertyConstraintViolation", field))?;
        let current = self.transactions.current();
        // A transaction's own profile needs that transaction (section 5.16).
        let astray = profile.is_for_transaction()
            && (current.is_none()
                || profile.transaction.is_some_and(|id| current.and_then(|t| t.id) != Some(id)));
        if self.fault == Fault::Refusing || astray || !self.profiles.set(profile) {
            return Ok("Rejected");
        }
        self.limits_from = None;
        Ok("Accepted")
    }

    fn composite_schedule(
        &mut self,
        sim: &ChargerSim,
        request: &Value,
    ) -> Result<Value, (&'static str, &'static str)> {
        let duration_s = request["duration"].as_i64().filter(|duration| (1..=86_400).contains(duration));
        let duration_s = duration_s.ok_or(("PropertyConstraintViolation", "duration"))?;
        let unit = request["chargingRateUnit"].as_str().unwrap_or("W");
        let schedule = composite(sim.limits(), sim.now(), duration_s, unit, (sim.power_max(), sim.phases()));
        let start = timestamp(sim.now());
        Ok(
            json!({ "status": "Accepted", "connectorId": 1, "scheduleStart": start, "chargingSchedule": schedule }),
        )
    }

    fn trigger(&mut self, real_ms: u64, sim: &ChargerSim, request: &Value) -> &'static str {
        match request["requestedMessage"].as_str() {
            Some("MeterValues") => self.meter(real_ms, sim, "Trigger"),
            Some("StatusNotification") => {
                self.say(Say::Status(status(sim, self.transactions.current().is_some()), sim.now()));
            }
            Some("Heartbeat") => self.say(Say::Heartbeat),
            Some("BootNotification") => self.say(Say::Boot),
            _ => return "NotImplemented",
        }
        "Accepted"
    }

    fn remote_start(&mut self, sim: &ChargerSim) -> &'static str {
        if sim.status() == ConnectorStatus::Available || self.transactions.current().is_some() {
            return "Rejected";
        }
        if let Happened::Began(number) = self.transactions.begin(sim.now(), sim.register()) {
            self.say(Say::Start(number));
        }
        self.limits_from = None;
        "Accepted"
    }

    fn remote_stop(&mut self, sim: &ChargerSim, request: &Value) -> &'static str {
        let asked = request["transactionId"].as_i64();
        if asked.is_none() || self.transactions.current().and_then(|current| current.id) != asked {
            return "Rejected";
        }
        if let Some(Happened::Ended(number)) = self.transactions.end(sim.now(), sim.register(), "Remote") {
            self.say(Say::Stop(number));
        }
        self.profiles.end_transaction();
        self.limits_from = None;
        "Accepted"
    }
}
