//! After an interval: its meter readings, the file they go to, and the entry that settles it.

use super::allocation::Allocated;
use super::rounds::FixedBids;
use crate::roster::SiteEntry;
use market::interval::Interval;
use market::units::Millijoule;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::entry::{DeliveryEntry, SignedEnvelope, SiteDelivery};
use wire::hash::Hash32;
use wire::message::MeterReading;
use wire::party::Id;

/// A reading may exceed what the connection allows by this factor (a fuse is slow), and not by more.
const OVERLOAD_FACTOR: i128 = 4;

/// The file of one interval's signed readings, in deterministic CBOR. Its SHA-256 is on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingsFile {
    /// Which interval.
    pub interval: Interval,
    /// Each site's signed [`MeterReading`], in order of account.
    pub readings: Vec<SignedEnvelope>,
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
    /// Takes a reading of `site`. The first one stands.
    ///
    /// # Errors
    /// Names what is wrong with it; then nothing changes.
    pub fn take(
        &mut self,
        site: &SiteEntry,
        interval_s: i64,
        reading: &MeterReading,
        raw: &SignedEnvelope,
    ) -> Result<(), ReadingError> {
        let most = OVERLOAD_FACTOR * site.connection.0 as i128 * interval_s as i128;
        if (reading.energy.0 as i128).abs() > most {
            return Err(ReadingError::Implausible { energy: reading.energy });
        }
        let (first, _) = self.0.entry(site.account.clone()).or_insert_with(|| (reading.energy, raw.clone()));
        if *first != reading.energy {
            return Err(ReadingError::Differs { first: *first });
        }
        Ok(())
    }

    /// Whether every site under the root has been read.
    pub fn complete(&self, fixed: &FixedBids) -> bool {
        fixed.bids.iter().all(|bid| self.0.contains_key(&bid.account))
    }

    /// The file of these readings, as far as their sites lie under the root.
    ///
    /// # Errors
    /// As [`cbor::to_vec`].
    pub fn file(&self, fixed: &FixedBids) -> Result<Vec<u8>, CborError> {
        let of_site = |account: &Id| self.0.get(account).map(|(_, raw)| raw.clone());
        let readings = fixed.bids.iter().filter_map(|bid| of_site(&bid.account)).collect();
        cbor::to_vec(&ReadingsFile { interval: fixed.interval, readings })
    }

    /// What is put on the ledger: every site under the root, and the hash of `file`.
    pub fn entry(&self, fixed: &FixedBids, allocated: &Allocated, file: &[u8]) -> DeliveryEntry {
        let given = fixed.bids.iter().zip(allocated.allocations());
        let sites = given.map(|(bid, (commitment, reactive))| SiteDelivery {
            account: bid.account.clone(),
            bid_hash: bid.bid_hash,
            commitment,
            reactive,
            energy: self.0.get(&bid.account).map(|(energy, _)| *energy),
        });
        DeliveryEntry {
            interval: fixed.interval,
            // The plain digest of the file, so that `sha256sum` gives the same.
            readings_sha256: Hash32(Sha256::digest(file).into()),
            sites: sites.collect(),
        }
    }
}
