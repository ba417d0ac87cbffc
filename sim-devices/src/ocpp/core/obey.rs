//! What the central system asks, done or turned down.

use super::Core;
use crate::ocpp::fault::ChargerFault;
use crate::ocpp::metering::{status, timestamp};
use crate::ocpp::profiles::{composite, Profile};
use crate::ocpp::transactions::Happened;
use crate::ocpp::version::Version;
use crate::ocpp::words::Say;
use crate::physics::car::{ChargerSim, ConnectorStatus};
use serde_json::{json, Value};

/// An error code and text to answer with.
type Refusal = (&'static str, &'static str);

/// A field that can't be.
const VIOLATION: &str = "PropertyConstraintViolation";

impl Core {
    /// Does what a call asks, and gives the answer's payload or an error code and text.
    pub(super) fn obey(
        &mut self,
        real_ms: u64,
        sim: &ChargerSim,
        action: &str,
        request: &Value,
    ) -> Result<Value, Refusal> {
        let status = match (self.version, action) {
            (_, "SetChargingProfile") => self.set_profile(sim, request)?,
            (_, "ClearChargingProfile") => {
                self.limits_from = None;
                if self.profiles.clear(self.version, request) {
                    "Accepted"
                } else {
                    "Unknown"
                }
            }
            (_, "GetCompositeSchedule") => return self.composite_schedule(sim, request),
            (_, "TriggerMessage") => self.trigger(real_ms, sim, request),
            (_, "Reset") => self.reset(request)?,
            (_, "DataTransfer") => "UnknownVendorId",
            // It remembers nobody, and has no lock to open.
            (_, "ClearCache") => "Accepted",
            (Version::V16, "UnlockConnector") => "NotSupported",
            (Version::V201, "UnlockConnector") => "UnlockFailed",
            (Version::V16, "ChangeAvailability") if request["type"] == "Operative" => "Accepted",
            (Version::V201, "ChangeAvailability") if request["operationalStatus"] == "Operative" => {
                "Accepted"
            }
            (_, "ChangeAvailability") => "Rejected",
            (Version::V201, "GetChargingProfiles") => self.report_profiles(request)?,
            (Version::V16, "GetConfiguration") => return Ok(self.configuration.answer(request)),
            (Version::V16, "ChangeConfiguration") => self.configuration.change(request),
            (Version::V16, "RemoteStartTransaction") => self.remote_start(sim),
            (Version::V16, "RemoteStopTransaction") => {
                let id = request["transactionId"].as_i64().map(|id| id.to_string());
                self.remote_stop(sim, id)
            }
            (Version::V201, "GetVariables") => return self.configuration.variables(request),
            (Version::V201, "SetVariables") => return self.configuration.set_variables(request),
            (Version::V201, "RequestStartTransaction") => self.remote_start(sim),
            (Version::V201, "RequestStopTransaction") => {
                let id = request["transactionId"].as_str().map(str::to_owned);
                self.remote_stop(sim, id)
            }
            _ => return Err(("NotImplemented", "")),
        };
        Ok(json!({ "status": status }))
    }

    fn set_profile(&mut self, sim: &ChargerSim, request: &Value) -> Result<&'static str, Refusal> {
        let profile =
            Profile::parse(self.version, request, sim.phases()).map_err(|field| (VIOLATION, field))?;
        let current = self.transactions.current();
        // A transaction's own profile needs that transaction (1.6, section 5.16; 2.0.1, K01.FR.03).
        let astray = profile.is_for_transaction()
            && (current.is_none()
                || profile.transaction.is_some()
                    && current.and_then(|t| t.id.clone()) != profile.transaction);
        if self.fault == ChargerFault::Refusing || astray || !self.profiles.set(profile) {
            return Ok("Rejected");
        }
        self.limits_from = None;
        Ok("Accepted")
    }

    fn report_profiles(&mut self, request: &Value) -> Result<&'static str, Refusal> {
        let number = request["requestId"].as_i64().ok_or((VIOLATION, "requestId"))?;
        let found = self.profiles.asked_for(request);
        let last = found.len();
        for (index, (evse, profiles)) in found.into_iter().enumerate() {
            self.say(Say::Profiles { request: number, evse, profiles, more: index + 1 < last });
        }
        Ok(if last == 0 { "NoProfiles" } else { "Accepted" })
    }

    fn composite_schedule(&mut self, sim: &ChargerSim, request: &Value) -> Result<Value, Refusal> {
        let duration_s = request["duration"].as_i64().filter(|duration| (1..=86_400).contains(duration));
        let duration_s = duration_s.ok_or((VIOLATION, "duration"))?;
        let unit = request["chargingRateUnit"].as_str().unwrap_or("W");
        // Who lies says what was set, and who does not what is done.
        let began = self.transactions.current().map(|transaction| transaction.began);
        let claimed = self.profiles.limits(sim.now(), began);
        let limits = if self.fault == ChargerFault::Lying { &claimed[..] } else { sim.limits() };
        let mut schedule = composite(limits, sim.now(), duration_s, unit, (sim.power_max(), sim.phases()));
        let start = timestamp(sim.now());
        Ok(match self.version {
            Version::V16 => {
                json!({ "status": "Accepted", "connectorId": 1, "scheduleStart": start, "chargingSchedule": schedule })
            }
            Version::V201 => {
                schedule["evseId"] = json!(request["evseId"].as_i64().unwrap_or(1));
                schedule["scheduleStart"] = json!(start);
                json!({ "status": "Accepted", "schedule": schedule })
            }
        })
    }

    fn trigger(&mut self, real_ms: u64, sim: &ChargerSim, request: &Value) -> &'static str {
        match (self.version, request["requestedMessage"].as_str()) {
            (Version::V201, Some("TransactionEvent")) if self.transactions.current().is_none() => {
                return "Rejected"
            }
            (Version::V201, Some("TransactionEvent")) | (_, Some("MeterValues")) => {
                self.meter(real_ms, sim, "Trigger");
            }
            (_, Some("StatusNotification")) => {
                self.say(Say::Status(status(sim, self.transactions.current().is_some()), sim.now()));
            }
            (_, Some("Heartbeat")) => self.say(Say::Heartbeat),
            (_, Some("BootNotification")) => self.say(Say::Boot("Triggered")),
            _ => return "NotImplemented",
        }
        "Accepted"
    }

    fn reset(&mut self, request: &Value) -> Result<&'static str, Refusal> {
        match (self.version, request["type"].as_str()) {
            (Version::V16, Some("Soft" | "Hard")) | (Version::V201, Some("Immediate")) => {}
            (Version::V201, Some("OnIdle")) if self.transactions.current().is_some() => {
                return Ok("Rejected")
            }
            (Version::V201, Some("OnIdle")) => {}
            _ => return Err((VIOLATION, "type")),
        }
        self.restarts = true;
        Ok("Accepted")
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

    fn remote_stop(&mut self, sim: &ChargerSim, asked: Option<String>) -> &'static str {
        if asked.is_none() || self.transactions.current().and_then(|current| current.id.clone()) != asked {
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
