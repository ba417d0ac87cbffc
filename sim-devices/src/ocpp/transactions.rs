//! Charging sessions as the protocol sees them: begun, ended, told to the central system in order
//! and again until it has answered, also what happened while there was no connection.

use crate::physics::car::ChargerSim;
use market::interval::UnixSeconds;
use market::units::Millijoule;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    /// Its place among those of this charge point, from 0.
    pub(super) number: u64,
    /// What it is called: in 1.6 by the central system, once it has answered, in 2.0.1 by us.
    pub(super) id: Option<String>,
    pub(super) began: UnixSeconds,
    /// It began while there was no connection.
    pub(super) offline: bool,
    /// How many events were made of it (2.0.1).
    pub(super) events: u64,
    pub(super) register_at_start: Millijoule,
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) at: UnixSeconds,
    pub(super) register: Millijoule,
    pub(super) reason: &'static str,
    /// It ended while there was no connection.
    pub(super) offline: bool,
    /// The number of the event that tells of it (2.0.1).
    pub(super) event: u64,
}

/// What came of looking at the physics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The transaction with this number began.
    Began(u64),
    /// The transaction with this number ended.
    Ended(u64),
    /// The car left.
    Left,
}

/// The transactions not yet told in full, the one under way among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    known: Vec<Transaction>,
    /// What our own names for transactions begin with; none where the central system names them.
    prefix: Option<String>,
    /// There is no connection.
    pub(super) offline: bool,
    begun: u64,
    stays_seen: usize,
    stay_open: bool,
}

impl Transactions {
    /// Named by us, beginning with `prefix`, or where there is none by the central system.
    pub(super) fn named(prefix: Option<String>) -> Self {
        Self { prefix, offline: true, ..Self::default() }
    }

    /// The number of the next event of this one.
    pub(super) fn next_event(&mut self, number: u64) -> u64 {
        let Some(transaction) = self.known.iter_mut().find(|transaction| transaction.number == number) else {
            return 0;
        };
        transaction.events += 1;
        transaction.events - 1
    }

    /// The one under way.
    pub(super) fn current(&self) -> Option<&Transaction> {
        self.known.last().filter(|transaction| transaction.end.is_none())
    }

    pub(super) fn get(&self, number: u64) -> Option<&Transaction> {
        self.known.iter().find(|transaction| transaction.number == number)
    }

    pub(super) fn set_id(&mut self, number: u64, id: String) {
        if let Some(transaction) = self.known.iter_mut().find(|transaction| transaction.number == number) {
            transaction.id = Some(id);
        }
    }

    /// The end of this one was told; nothing more is to be said of it.
    pub(super) fn forget(&mut self, number: u64) {
        self.known.retain(|transaction| transaction.number != number);
    }

    /// Follows cars that came and went since last looked. A car that is plugged in begins to
    /// charge by itself.
    pub(super) fn follow(&mut self, sim: &ChargerSim) -> Vec<Happened> {
        let mut happened = Vec::new();
        loop {
            let open = self.stays_seen.checked_sub(1).filter(|_| self.stay_open);
            if let Some(record) = open.and_then(|index| sim.stays().get(index)) {
                let Some(register) = record.register_at_end else { break };
                self.stay_open = false;
                happened.extend(self.end(record.stay.departure, register, "EVDisconnected"));
                happened.push(Happened::Left);
            }
            let Some(record) = sim.stays().get(self.stays_seen) else { break };
            self.stays_seen += 1;
            self.stay_open = true;
            happened.push(self.begin(record.stay.arrival.max(UnixSeconds(0)), record.register_at_start));
        }
        happened
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, began: UnixSeconds, register_at_start: Millijoule) -> Happened {
        let number = self.begun;
        self.begun += 1;
        let id = self.prefix.as_ref().map(|prefix| format!("{prefix}-{number}"));
        let (offline, events) = (self.offline, 1);
        self.known.push(Transaction { number, id, began, offline, events, register_at_start, end: None });
        Happened::Began(number)
    }

    /// Ends the one under way, if any.
    pub(super) fn end(
        &mut self,
        at: UnixSeconds,
        register: Millijoule,
        reason: &'static str,
    ) -> Option<Happened> {
        let transaction = self.known.last_mut().filter(|transaction| transaction.end.is_none())?;
        let (offline, event) = (self.offline, transaction.events);
        transaction.events += 1;
        transaction.end = Some(End { at, register, reason, offline, event });
        Some(Happened::Ended(transaction.number))
    }
}
