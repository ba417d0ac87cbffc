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
    /// What the central system calls it, once it has answered.
    pub(super) id: Option<i64>,
    pub(super) began: UnixSeconds,
    pub(super) register_at_start: Millijoule,
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) at: UnixSeconds,
    pub(super) register: Millijoule,
    pub(super) reason: &'static str,
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
    begun: u64,
    stays_seen: usize,
    stay_open: bool,
}

impl Transactions {
    /// The one under way.
    pub(super) fn current(&self) -> Option<&Transaction> {
        self.known.last().filter(|transaction| transaction.end.is_none())
    }

    pub(super) fn get(&self, number: u64) -> Option<&Transaction> {
        self.known.iter().find(|transaction| transaction.number == number)
    }

    pub(super) fn set_id(&mut self, number: u64, id: i64) {
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
        self.known.push(Transaction { number, id: None, began, register_at_start, end: None });
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
        transaction.end = Some(End { at, register, reason });
        Some(Happened::Ended(transaction.number))
    }
}
