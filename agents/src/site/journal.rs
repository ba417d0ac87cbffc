//! What a site keeps of its meter on disk, as records that are appended one after the other, and what they come to. Pure; the
//! file is [`super::keeping`]'s.

use super::metering::MAX_UNCONFIRMED;
use hw_adapters::device::MeterState;
use market::interval::Interval;
use market::units::{Millijoule, Milliwatt};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use wire::cbor::{self, CborError};
use wire::message::MeterReading;

/// Longest record, in bytes.
pub const MAX_RECORD_BYTES: usize = 256;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Kept {
    /// The meter's counters at an interval's start.
    Counters {
        /// The interval.
        boundary: Interval,
        /// Energy imported.
        imported: Millijoule,
        /// Energy exported.
        exported: Millijoule,
    },
    /// A reading that is to be acknowledged.
    Reading {
        /// Its interval.
        interval: Interval,
        /// Its energy.
        energy: Millijoule,
    },
    /// The interval's reading was answered for.
    Answered {
        /// The interval.
        interval: Interval,
    },
    /// The interval's reading was dropped, as too many waited.
    Dropped {
        /// The interval.
        interval: Interval,
    },
}

impl Kept {
    /// Whether nothing may be said before it is on the disk. The others, where they are lost, cost a repetition.
    pub fn must_last(&self) -> bool {
        matches!(self, Self::Counters { .. } | Self::Reading { .. })
    }

    /// In deterministic CBOR.
    ///
    /// # Errors
    /// Where it has no encoding, which ours have.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// From its bytes.
    ///
    /// # Errors
    /// Where they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_RECORD_BYTES)
    }
}

/// What records come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    counters: Option<(Interval, MeterState)>,
    waiting: VecDeque<MeterReading>,
}

impl Journal {
    /// Takes one more record. However many there are, no more is kept than may wait.
    pub fn take(&mut self, record: &Kept) {
        match *record {
            Kept::Counters { boundary, imported, exported } => {
                self.counters = Some((boundary, MeterState { power: Milliwatt::ZERO, imported, exported }));
            }
            Kept::Reading { interval, energy } => {
                self.waiting.retain(|waiting| waiting.interval != interval);
                self.waiting.push_back(MeterReading { interval, energy });
                if self.waiting.len() > MAX_UNCONFIRMED {
                    self.waiting.pop_front();
                }
            }
            Kept::Answered { interval } | Kept::Dropped { interval } => {
                self.waiting.retain(|waiting| waiting.interval != interval);
            }
        }
    }

    /// The last counters.
    pub fn counters(&self) -> Option<(Interval, MeterState)> {
        self.counters
    }

    /// Readings that nobody has answered for, in the order they were made.
    pub fn waiting(&self) -> &VecDeque<MeterReading> {
        &self.waiting
    }

    /// As few records as come to the same.
    pub fn records(&self) -> Vec<Kept> {
        let counters = self.counters.map(|(boundary, MeterState { imported, exported, .. })| {
            Kept::Counters { boundary, imported, exported }
        });
        let waiting = self
            .waiting
            .iter()
            .map(|MeterReading { interval, energy }| Kept::Reading { interval: *interval, energy: *energy });
        counters.into_iter().chain(waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = Kept> {
        let interval = (0i64..20).prop_map(|n| Interval(UnixSeconds(900 * n)));
        let energy = any::<i64>().prop_map(Millijoule);
        prop_oneof![
            (interval.clone(), energy.clone(), energy.clone())
                .prop_map(|(boundary, imported, exported)| Kept::Counters { boundary, imported, exported }),
            (interval.clone(), energy).prop_map(|(interval, energy)| Kept::Reading { interval, energy }),
            interval.clone().prop_map(|interval| Kept::Answered { interval }),
            interval.prop_map(|interval| Kept::Dropped { interval }),
        ]
    }

    fn after(records: &[Kept]) -> Journal {
        let mut journal = Journal::default();
        records.iter().for_each(|record| journal.take(record));
        journal
    }

    proptest! {
        #[test]
        fn fewer_records_come_to_the_same(records in prop::collection::vec(record(), 0..60)) {
            let journal = after(&records);
            prop_assert_eq!(after(&journal.records()), journal);
        }

        #[test]
        fn a_record_survives_its_bytes(record in record()) {
            let bytes = record.encode().unwrap();
            prop_assert!(bytes.len() <= MAX_RECORD_BYTES);
            prop_assert_eq!(Kept::decode(&bytes).unwrap(), record);
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Kept::decode(&bytes);
        }
    }

    #[test]
    fn no_more_is_kept_than_may_wait() {
        let reading =
            |n: i64| Kept::Reading { interval: Interval(UnixSeconds(900 * n)), energy: Millijoule(n) };
        let all: Vec<Kept> = (0..2 * MAX_UNCONFIRMED as i64).map(reading).collect();
        let journal = after(&all);
        assert_eq!(journal.waiting().len(), MAX_UNCONFIRMED);
        assert_eq!(journal.waiting()[0].energy, Millijoule(MAX_UNCONFIRMED as i64));
    }
}
