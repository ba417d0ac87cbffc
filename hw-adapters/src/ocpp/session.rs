//! What a charge point's own calls change in what is known of it, and how each is answered. Pure.

use super::clock::{Newness, StationClock};
use super::fields::timestamp;
use super::message::{ConnectorStatus, StationCall};
use super::meter::Reading;
use super::request::CONNECTOR;
use super::station::{StationState, Transaction, TransactionId};
use super::v201::{EventKind, TransactionEvent};
use super::version::Version;
use super::Now;
use market::units::{Millijoule, MILLIJOULE_PER_WH};
use serde_json::{json, Value};

/// Transaction ids stay below this: some charge points keep them in 31 bits.
const TRANSACTION_ID_MAX: i64 = 1_000_000_000;
/// A counter that has not moved while so much was charged by the power stated stands still. Some count in
/// whole kilowatt-hours.
const UNCOUNTED_MAX: Millijoule = Millijoule(2000 * MILLIJOULE_PER_WH);

/// A charge point's state with what is needed to keep it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) station: StationState,
    /// What the connector did before the connection was lost.
    pub(super) status_before: Option<ConnectorStatus>,
    pub(super) clock: StationClock,
    /// The start of the transaction last begun, by which its repetition is known.
    last_start: Option<(Option<i64>, Millijoule)>,
    /// The time of the newest reading, and what was charged since the counter last moved by the power stated.
    uncounted: Option<(i64, Millijoule)>,
    next_transaction: i64,
}

impl Session {
    /// Nothing known yet. `seed` keeps transaction ids apart from those of an earlier run; the
    /// time in seconds is good.
    pub(super) fn new(seed: i64) -> Self {
        Self {
            station: StationState::unknown(),
            status_before: None,
            clock: StationClock::default(),
            last_start: None,
            uncounted: None,
            next_transaction: seed.rem_euclid(TRANSACTION_ID_MAX) + 1,
        }
    }

    /// A connection stands anew: what the connector does must be said again.
    pub(super) fn connected(&mut self, version: Version) {
        if self.station.version != version {
            // Other firmware, which knows nothing of what the one before called its transaction.
            self.end();
        }
        self.station.connected = true;
        self.station.version = version;
        self.status_before = self.station.status.take().or(self.status_before);
    }

    /// Takes a call and gives the answer's payload.
    pub(super) fn take(&mut self, now: Now, heartbeat_s: u32, call: StationCall) -> Value {
        match call {
            StationCall::BootNotification { .. } => {
                self.clock.reset();
                let time = timestamp(now.utc_s);
                json!({ "status": "Accepted", "currentTime": time, "interval": heartbeat_s })
            }
            StationCall::Heartbeat => json!({ "currentTime": timestamp(now.utc_s) }),
            StationCall::StatusNotification { connector, status, at_ms } => {
                self.clock.hear(now, at_ms);
                if connector == CONNECTOR {
                    self.take_status(status);
                }
                json!({})
            }
            StationCall::Authorize => match self.station.version {
                Version::V16 => json!({ "idTagInfo": { "status": "Accepted" } }),
                Version::V201 => json!({ "idTokenInfo": { "status": "Accepted" } }),
            },
            StationCall::StartTransaction { connector, register, at_ms } => {
                self.clock.hear(now, at_ms);
                let transaction = self.start(connector, register, at_ms);
                json!({ "transactionId": transaction, "idTagInfo": { "status": "Accepted" } })
            }
            StationCall::StopTransaction { transaction, register, at_ms } => {
                self.clock.hear(now, at_ms);
                let id = TransactionId::Number(transaction);
                if self.station.transaction.as_ref().is_some_and(|current| current.id == id) {
                    self.station.register = Some(register);
                    self.end();
                }
                json!({ "idTagInfo": { "status": "Accepted" } })
            }
            StationCall::TransactionEvent(event) => {
                let accepted = json!({ "idTokenInfo": { "status": "Accepted" } });
                let answer = if event.asks_authorization { accepted } else { json!({}) };
                self.take_event(now, event);
                answer
            }
            StationCall::MeterValues { connector, transaction, reading } => {
                if connector == CONNECTOR {
                    self.take_over(transaction, reading);
                    self.take_reading(now, reading);
                }
                json!({})
            }
            StationCall::DataTransfer => json!({ "status": "UnknownVendorId" }),
            StationCall::Notice => json!({}),
        }
    }

    fn take_status(&mut self, status: ConnectorStatus) {
        // 2.0.1 knows only that the connector is in use; its transaction has said more.
        let known = self.station.status.or(self.status_before).filter(|known| known.plugged());
        let vague = self.station.version == Version::V201 && status == ConnectorStatus::Preparing;
        let status = if vague { known.unwrap_or(status) } else { status };
        self.station.status = Some(status);
        if !status.plugged() {
            self.station.power = None;
        }
        if status == ConnectorStatus::Available {
            self.end();
            self.station.register_at_start = None;
        }
    }

    fn start(&mut self, connector: i64, register: Millijoule, at_ms: Option<i64>) -> i64 {
        // A charge point repeats what it got no answer to; the same start keeps its id.
        let again = self.last_start == Some((at_ms, register));
        if let (Some(TransactionId::Number(id)), true) =
            (self.station.transaction.as_ref().map(|t| &t.id), again)
        {
            return *id;
        }
        let id = self.next_transaction;
        self.next_transaction = (id + 1) % TRANSACTION_ID_MAX + 1;
        if connector == CONNECTOR {
            self.last_start = Some((at_ms, register));
            self.begin(TransactionId::Number(id), at_ms);
            self.station.register = Some(register);
            self.station.register_at_start.get_or_insert(register);
        }
        id
    }

    fn begin(&mut self, id: TransactionId, began_ms: Option<i64>) {
        self.end();
        self.station.transaction = Some(Transaction { id, began_ms });
    }

    fn end(&mut self) {
        self.station.transaction = None;
        self.station.limit = None;
        self.station.disobeyed = None;
        self.station.frozen = false;
        self.uncounted = None;
    }

    fn take_event(&mut self, now: Now, event: TransactionEvent) {
        self.clock.hear(now, event.at_ms);
        let id = TransactionId::Name(event.transaction);
        let current = self.station.transaction.as_ref().is_some_and(|current| current.id == id);
        // Without a place it is taken for ours, unless another one is under way here.
        let astray = event.kind != EventKind::Started && !current && self.station.transaction.is_some();
        if event.evse.map_or(astray, |evse| evse != CONNECTOR) {
            return;
        }
        if !current && event.kind != EventKind::Ended {
            self.begin(id, event.at_ms.filter(|_| event.kind == EventKind::Started));
        }
        // Events that state no power say nothing that a reading is waited for.
        if !event.offline && event.reading.power.is_some() {
            self.take_reading(now, event.reading);
        }
        let station = &mut self.station;
        if event.offline || event.reading.power.is_none() {
            station.register = event.reading.register.max(station.register);
        }
        station.register_at_start = station.register_at_start.or(event.reading.register);
        if event.kind != EventKind::Ended {
            station.status = event.status.or(station.status).or(Some(ConnectorStatus::Preparing));
        } else if current {
            let left = event.status == Some(ConnectorStatus::Available);
            let status = if left { ConnectorStatus::Available } else { ConnectorStatus::Finishing };
            self.end();
            self.take_status(status);
        }
    }

    /// After we restarted, a transaction we never heard of may be under way.
    fn take_over(&mut self, transaction: Option<i64>, reading: Reading) {
        let station = &mut self.station;
        if let (Some(id), None) = (transaction.filter(|id| *id > 0), &station.transaction) {
            if station.status.is_none_or(ConnectorStatus::plugged) {
                station.transaction = Some(Transaction { id: TransactionId::Number(id), began_ms: None });
                station.status.get_or_insert(ConnectorStatus::Charging);
                station.register_at_start = station.register_at_start.or(reading.register);
            }
        }
    }

    fn take_reading(&mut self, now: Now, reading: Reading) {
        let newness = self.clock.judge(now, reading.taken_ms);
        if newness == Newness::Old {
            return;
        }
        self.count(now, reading);
        let station = &mut self.station;
        station.register = reading.register.or(station.register);
        station.power = reading.power.or(station.power);
        station.readings += 1;
        if newness == Newness::New && reading.power.is_some() {
            station.read_at_ms = now.real_ms;
        }
    }

    /// Holds the power stated against the counter.
    fn count(&mut self, now: Now, reading: Reading) {
        let at_ms = reading.taken_ms.unwrap_or_else(|| self.clock.now_ms(now));
        let moved = reading.register.is_none() || reading.register != self.station.register;
        let (since_ms, uncounted) = self.uncounted.filter(|_| !moved).unwrap_or((at_ms, Millijoule::ZERO));
        // Readings further apart say nothing of the power in between.
        let seconds = (at_ms.saturating_sub(since_ms) / 1000).clamp(0, 3600);
        let lasting = reading.power.zip(self.station.power).map(|(power, before)| power.min(before));
        let uncounted = uncounted + lasting.map_or(Millijoule::ZERO, |power| power.over_seconds(seconds));
        self.uncounted = Some((at_ms, uncounted));
        self.station.frozen = uncounted > UNCOUNTED_MAX;
    }
}
