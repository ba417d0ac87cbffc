//! What a charge point's own calls change in what is known of it, and how each is answered. Pure.

use super::fields::timestamp;
use super::message::{ConnectorStatus, StationCall};
use super::meter::Reading;
use super::request::CONNECTOR;
use super::station::{StationState, Transaction};
use super::Now;
use market::units::Millijoule;
use serde_json::{json, Value};

/// Transaction ids stay below this: some charge points keep them in 31 bits.
const TRANSACTION_ID_MAX: i64 = 1_000_000_000;

/// A charge point's state with what is needed to keep it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) station: StationState,
    /// What the connector did before the connection was lost.
    pub(super) status_before: Option<ConnectorStatus>,
    /// The charge point's own time of the newest reading: what it stored up while it was away must
    /// not pass as new.
    newest_ms: Option<i64>,
    /// The start of the transaction last begun, by which its repetition is known.
    last_start: Option<(Option<i64>, Millijoule)>,
    next_transaction: i64,
}

impl Session {
    /// Nothing known yet. `seed` keeps transaction ids apart from those of an earlier run; the
    /// time in seconds is good.
    pub(super) fn new(seed: i64) -> Self {
        Self {
            station: StationState::unknown(),
            status_before: None,
            newest_ms: None,
            last_start: None,
            next_transaction: seed.rem_euclid(TRANSACTION_ID_MAX) + 1,
        }
    }

    /// A connection stands anew: what the connector does must be said again.
    pub(super) fn connected(&mut self) {
        self.station.connected = true;
        self.status_before = self.station.status.take().or(self.status_before);
    }

    /// Takes a call and gives the answer's payload.
    pub(super) fn take(&mut self, now: Now, heartbeat_s: u32, call: StationCall) -> Value {
        match call {
            StationCall::BootNotification { .. } => {
                self.newest_ms = None;
                let time = timestamp(now.utc_s);
                json!({ "status": "Accepted", "currentTime": time, "interval": heartbeat_s })
            }
            StationCall::Heartbeat => json!({ "currentTime": timestamp(now.utc_s) }),
            StationCall::StatusNotification { connector, status } => {
                if connector == CONNECTOR {
                    self.take_status(status);
                }
                json!({})
            }
            StationCall::Authorize => json!({ "idTagInfo": { "status": "Accepted" } }),
            StationCall::StartTransaction { connector, register, at_ms } => {
                let transaction = self.start(connector, register, at_ms);
                json!({ "transactionId": transaction, "idTagInfo": { "status": "Accepted" } })
            }
            StationCall::StopTransaction { transaction, register } => {
                if self.station.transaction.is_some_and(|current| current.id == transaction) {
                    self.station.transaction = None;
                    self.station.register = Some(register);
                }
                json!({ "idTagInfo": { "status": "Accepted" } })
            }
            StationCall::MeterValues { connector, transaction, reading } => {
                if connector == CONNECTOR {
                    self.take_reading(now, transaction, reading);
                }
                json!({})
            }
            StationCall::DataTransfer => json!({ "status": "UnknownVendorId" }),
            StationCall::Notice => json!({}),
        }
    }

    fn take_status(&mut self, status: ConnectorStatus) {
        self.station.status = Some(status);
        if !status.plugged() {
            self.station.power = None;
        }
        if status == ConnectorStatus::Available {
            self.station.transaction = None;
            self.station.register_at_start = None;
        }
    }

    fn start(&mut self, connector: i64, register: Millijoule, at_ms: Option<i64>) -> i64 {
        // A charge point repeats what it got no answer to; the same start keeps its id.
        if let (Some(current), true) = (self.station.transaction, self.last_start == Some((at_ms, register)))
        {
            return current.id;
        }
        let id = self.next_transaction;
        self.next_transaction = (id + 1) % TRANSACTION_ID_MAX + 1;
        if connector == CONNECTOR {
            self.last_start = Some((at_ms, register));
            self.station.transaction = Some(Transaction { id, began_ms: at_ms });
            self.station.register = Some(register);
            self.station.register_at_start.get_or_insert(register);
        }
        id
    }

    fn take_reading(&mut self, now: Now, transaction: Option<i64>, reading: Reading) {
        let station = &mut self.station;
        // After we restarted, a transaction we never heard of may be under way.
        if let (Some(id), None) = (transaction.filter(|id| *id > 0), station.transaction) {
            if station.status.is_none_or(ConnectorStatus::plugged) {
                station.transaction = Some(Transaction { id, began_ms: None });
                station.status.get_or_insert(ConnectorStatus::Charging);
                station.register_at_start = station.register_at_start.or(reading.register);
            }
        }
        if reading.taken_ms.is_some() && reading.taken_ms < self.newest_ms {
            return;
        }
        self.newest_ms = reading.taken_ms.or(self.newest_ms);
        station.register = reading.register.or(station.register);
        station.power = reading.power.or(station.power);
        station.readings += 1;
        station.read_at_ms = now.real_ms;
    }
}
