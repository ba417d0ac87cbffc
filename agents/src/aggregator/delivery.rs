//! After an interval: its meter readings, the batches that are archived, and the entry that settles it.

use super::allocation::Allocated;
use super::kept::KeptReading;
use super::rounds::{FixedBid, FixedBids};
use crate::roster::SiteEntry;
use ledger::archive::bids::{BidRow, BidsBatch};
use ledger::archive::location::{path_of, BatchKind, Place};
use ledger::archive::readings::{ReadingRow, ReadingsBatch};
use ledger::archive::TableError;
use market::units::Millijoule;
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::{BatchReference, DeliveryEntry, SignedEnvelope, SiteDelivery};
use wire::hash::Hash32;
use wire::message::MeterReading;
use wire::party::Id;

/// A reading may exceed what the connection allows by this factor (a fuse is slow), and not by more.
const OVERLOAD_FACTOR: i128 = 4;

/// What the names of batches are made of.
#[derive(Clone, Copy, Debug)]
pub struct Filing<'a> {
    /// Whose they are.
    pub aggregator: &'a Id,
    /// Where they will lie.
    pub place: &'a Place,
    /// Length of an interval in seconds.
    pub interval_s: i64,
}

/// A batch's file, and its path in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Where it goes.
    pub path: String,
    /// SHA-256 of its content.
    pub sha256: Hash32,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Why a reading is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadingError {
    /// Another reading of the same interval was taken before.
    #[error("another reading for this interval, {first}, was taken before")]
    Differs {
        /// The reading that stands.
        first: Millijoule,
    },
    /// More energy than the connection could carry.
    #[error("{energy} in one interval is more than {OVERLOAD_FACTOR} times what the connection allows")]
    Implausible {
        /// The energy read.
        energy: Millijoule,
    },
}

/// One interval's readings as they come in.
#[derive(Clone, Debug, Default)]
pub struct Readings(BTreeMap<Id, (Millijoule, SignedEnvelope)>);

impl Readings {
    /// Takes a reading of `site`, and says whether it is the first, which stands.
    ///
    /// # Errors
    /// Names what is wrong with it; then nothing changes.
    pub fn take(
        &mut self,
        site: &SiteEntry,
        interval_s: i64,
        reading: &MeterReading,
        raw: &SignedEnvelope,
    ) -> Result<bool, ReadingError> {
        let most = OVERLOAD_FACTOR * site.connection.0 as i128 * interval_s as i128;
        if (reading.energy.0 as i128).abs() > most {
            return Err(ReadingError::Implausible { energy: reading.energy });
        }
        match self.0.entry(site.account.clone()) {
            Entry::Vacant(place) => {
                place.insert((reading.energy, raw.clone()));
                Ok(true)
            }
            Entry::Occupied(taken) if taken.get().0 == reading.energy => Ok(false),
            Entry::Occupied(taken) => Err(ReadingError::Differs { first: taken.get().0 }),
        }
    }

    /// Whether this very reading of `site` was taken.
    pub fn has(&self, site: &SiteEntry, reading: &MeterReading) -> bool {
        self.0.get(&site.account).is_some_and(|(energy, _)| *energy == reading.energy)
    }

    /// Takes what was kept.
    pub fn restore(&mut self, kept: Vec<KeptReading>) {
        for KeptReading { account, energy, raw } in kept {
            self.0.entry(account).or_insert((energy, raw));
        }
    }

    /// Whether every site under the root has been read.
    pub fn complete(&self, fixed: &FixedBids) -> bool {
        fixed.bids.iter().all(|bid| self.0.contains_key(&bid.account))
    }

    /// The batches of an interval: its readings, as far as their sites lie under the root, and the bids it was
    /// cleared on.
    ///
    /// # Errors
    /// Where they have no encoding.
    pub fn batches(
        &self,
        filing: &Filing<'_>,
        fixed: &FixedBids,
        allocated: &Allocated,
    ) -> Result<[StoredBatch; 2], TableError> {
        let (interval, interval_s) = (fixed.interval, filing.interval_s);
        let given = fixed.bids.iter().zip(fixed.buses()).zip(allocated.allocations());
        let read = given.filter_map(|((bid, bus), (commitment, reactive))| {
            let (energy, envelope) = self.0.get(&bid.account)?.clone();
            let (account, bus) = (bid.account.clone(), bus.to_owned());
            Some(ReadingRow { account, bus, commitment, reactive, energy, envelope })
        });
        let readings = ReadingsBatch { interval, interval_s, rows: read.collect() }.encode()?;
        let bids = BidsBatch { interval, interval_s, rows: bid_rows(fixed) }.encode()?;
        let stored = |kind, bytes: Vec<u8>| {
            let sha256 = Hash32::plain(&bytes);
            StoredBatch { path: path_of(kind, filing.aggregator, interval, &sha256), sha256, bytes }
        };
        Ok([stored(BatchKind::Readings, readings), stored(BatchKind::Bids, bids)])
    }

    /// What is put on the ledger: every site under the root, and where the two batches will lie in an archive at
    /// `place`.
    pub fn entry(
        &self,
        fixed: &FixedBids,
        allocated: &Allocated,
        place: &Place,
        batches: &[StoredBatch; 2],
    ) -> DeliveryEntry {
        let given = fixed.bids.iter().zip(allocated.allocations());
        let sites = given.map(|(bid, (commitment, reactive))| SiteDelivery {
            account: bid.account.clone(),
            bid_hash: bid.bid_hash,
            commitment,
            reactive,
            energy: self.0.get(&bid.account).map(|(energy, _)| *energy),
        });
        let reference = |batch: &StoredBatch| {
            let location = place.location(&batch.path);
            Box::new(BatchReference { sha256: batch.sha256, location })
        };
        let [readings, bids] = batches;
        DeliveryEntry {
            interval: fixed.interval,
            readings: reference(readings),
            bids: reference(bids),
            sites: sites.collect(),
            positions: Vec::new(),
        }
    }
}

fn bid_rows(fixed: &FixedBids) -> Vec<BidRow> {
    let row = |(bid, bus): (&FixedBid, &str)| BidRow {
        account: bid.account.clone(),
        bus: bus.to_owned(),
        curve: bid.curve.clone(),
        reactive_range: bid.reactive_range,
        salt: bid.salt,
        bid_hash: bid.bid_hash,
        envelope: bid.raw.clone(),
    };
    fixed.bids.iter().zip(fixed.buses()).map(row).collect()
}
