//! What we ask of a charge point by ourselves: what it can, what lies in it, how its connector is; and the
//! limit for its transaction, set again whenever that is due.

use super::{Asker, Core, Effect, Job, Now, Pending};
use crate::ocpp::message::ConnectorStatus;
use crate::ocpp::profile::Purpose;
use crate::ocpp::request::{StationRequest, Trigger};
use crate::ocpp::settings;
use crate::ocpp::station::CallFailure;
use crate::ocpp::steering::DAY_S;
use serde_json::Value;

/// After how long a set-up that got no answer is tried again.
const SET_UP_AGAIN_MS: u64 = 10_000;
/// How long a plugged-in car waits for its charge point to begin by itself before we tell it to,
/// and between such attempts.
pub(super) const REMOTE_START_MS: u64 = 10_000;
/// On whose account charging is started remotely.
pub(super) const ID_TAG: &str = "gridpact";
/// For how long a charge point is asked what limits it after its limit was renewed.
const COMPOSITE_S: u32 = 60;

impl Core {
    pub(super) fn set_up_when_due(&mut self, now: Now) {
        let due = self.set_up_due_ms.is_some_and(|due| due <= now.real_ms);
        let under_way = self.queue.iter().any(|(asker, _)| *asker == Asker::SetUp);
        if due && !under_way && self.session.station.connected {
            self.set_up_due_ms = None;
            self.push(settings::read_at_set_up(self.session.station.version));
            self.push(StationRequest::Trigger(Trigger::Status));
            self.push(StationRequest::GetCompositeSchedule { duration_s: DAY_S });
        }
    }

    fn push(&mut self, request: StationRequest) {
        self.queue.push_back((Asker::SetUp, Job::Request(request)));
    }

    pub(super) fn settle_set_up(
        &mut self,
        now: Now,
        request: &StationRequest,
        outcome: Result<Value, CallFailure>,
    ) {
        match (request, outcome) {
            // Without it nothing is read; the rest can wait until it connects or boots again.
            (StationRequest::Trigger(Trigger::Status), Err(CallFailure::TimedOut)) => {
                self.set_up_due_ms = Some(now.real_ms + SET_UP_AGAIN_MS);
            }
            (_, Err(CallFailure::TimedOut)) => {}
            (StationRequest::GetSettings(_), Ok(payload)) => {
                let station = &mut self.session.station;
                let changes = settings::keep(station, &settings::parse(station.version, &payload));
                // Written only where it must be: some charge points keep it in flash.
                if !changes.is_empty() && self.steering.may_change_settings(now) {
                    changes.into_iter().for_each(|change| self.push(change));
                }
            }
            (StationRequest::Trigger(_), outcome) => {
                let accepted = outcome.is_ok_and(|payload| payload["status"] == "Accepted");
                let station = &mut self.session.station;
                if !accepted && station.status.is_none() {
                    // It can't say; it would have said what changed. The best that is known stands.
                    station.status = self.session.status_before;
                }
            }
            (StationRequest::GetCompositeSchedule { .. }, outcome) => {
                let writes = self.steering.standing(now, &self.session.station, &outcome);
                writes.into_iter().for_each(|write| self.push(write));
            }
            _ => {}
        }
    }

    /// Marks from where on a reading is one that was asked for.
    pub(super) fn note_trigger(&mut self, request: &StationRequest, outcome: &Result<Value, CallFailure>) {
        let accepted = outcome.as_ref().is_ok_and(|payload| payload["status"] == "Accepted");
        if accepted && *request == StationRequest::Trigger(Trigger::Meter) {
            let station = &mut self.session.station;
            station.triggered = (station.triggered.0 + 1, station.readings);
        }
    }

    /// A profile was accepted or not, whoever set it.
    pub(super) fn settle_profile(
        &mut self,
        now: Now,
        pending: &Pending,
        outcome: &Result<Value, CallFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let StationRequest::SetProfile(profile) = &pending.request else { return };
        let accepted = outcome.as_ref().is_ok_and(|payload| payload["status"] == "Accepted");
        if !accepted {
            effects.push(Effect::Refused { reason: "profile_not_accepted" });
        }
        match profile.purpose {
            Purpose::Session { .. } => {
                self.steering.was_set(now, &mut self.session.station, profile, accepted);
            }
            Purpose::StationMax | Purpose::Default => self.steering.was_written(profile, accepted),
        }
    }

    /// Sets the transaction's limit when that is due and nobody else is about to.
    pub(super) fn steer_when_due(&mut self, now: Now) {
        let sets = |request: &StationRequest| matches!(request, StationRequest::SetProfile(profile) if !profile.purpose.stays());
        let under_way = self.queue.iter().any(|(_, job)| *job == Job::Session)
            || self.pending.as_ref().is_some_and(|pending| sets(&pending.request));
        // Unit and level must be known first.
        let known = self.set_up_due_ms.is_none();
        let connected = self.session.station.connected;
        if connected && known && !under_way && self.steering.is_due(now, &self.session.station) {
            self.queue.push_back((Asker::Steering, Job::Session));
        }
    }

    pub(super) fn settle_steering(&mut self, request: &StationRequest, outcome: &Result<Value, CallFailure>) {
        match request {
            StationRequest::GetCompositeSchedule { .. } => {
                self.steering.read_back(&mut self.session.station, outcome);
            }
            _ if outcome.as_ref().is_ok_and(|payload| payload["status"] == "Accepted") => {
                let read = StationRequest::GetCompositeSchedule { duration_s: COMPOSITE_S };
                self.queue.push_back((Asker::Steering, Job::Request(read)));
            }
            _ => {}
        }
    }

    pub(super) fn plan_remote_start(&mut self, now: Now) {
        let station = &self.session.station;
        let waits = station.status == Some(ConnectorStatus::Preparing) && station.transaction.is_none();
        self.remote_start_due_ms = match self.remote_start_due_ms {
            _ if !waits => None,
            None => Some(now.real_ms + REMOTE_START_MS),
            due => due,
        };
    }

    pub(super) fn start_when_due(&mut self, now: Now) {
        if self.remote_start_due_ms.is_some_and(|due| due <= now.real_ms) {
            self.remote_start_due_ms = Some(now.real_ms + REMOTE_START_MS);
            self.push(StationRequest::RemoteStart { id_tag: ID_TAG.to_owned() });
        }
    }
}
