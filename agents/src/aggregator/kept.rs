//! What an aggregator owes and is told, in files from the award to the last delivery: one that is killed in between
//! goes on from there, and no commitment is lost. Here is their form; the shell writes and reads them.

use super::rounds::FixedBids;
use market::curve::FlexCurve;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{Millijoule, Millivar, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::cbor::{self, CborError};
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::message::Award;
use wire::party::{Id, PartyId};

/// Largest file read back: some ten thousand sites' signed bids.
const MAX_FILE_BYTES: usize = 1 << 27;
/// Largest reading read back.
const MAX_READING_BYTES: usize = 1 << 12;

/// One bid of an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptBid {
    /// Whose.
    pub site: PartyId,
    /// The site's account.
    pub account: Id,
    /// Its curve.
    pub curve: FlexCurve,
    /// Reactive power on offer.
    pub reactive_range: Millivar,
    /// Salt of its hash.
    pub salt: Hash32,
    /// The signed bid.
    pub raw: SignedEnvelope,
}

/// One interval that was awarded, in deterministic CBOR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTrading {
    /// Which.
    pub interval: Interval,
    /// The figures under which its gate closed.
    pub parameters: MarketParameters,
    /// How far from its price demand may reach.
    pub tolerance: PicoEurPerWh,
    /// The last round in which it was asked.
    pub rounds: u32,
    /// What it was awarded.
    pub award: Award,
    /// Its bids, in order of account.
    pub bids: Vec<KeptBid>,
    /// By bus, the places of its sites' bids.
    pub places: BTreeMap<String, Vec<u32>>,
}

impl KeptTrading {
    /// The file's bytes.
    ///
    /// # Errors
    /// As [`cbor::to_vec`].
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A file read back.
    ///
    /// # Errors
    /// Where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_FILE_BYTES)
    }

    /// What was fixed, kept.
    pub(super) fn of(
        fixed: &FixedBids,
        (parameters, tolerance): (MarketParameters, PicoEurPerWh),
        (rounds, award): (u32, &Award),
    ) -> Self {
        let bids = fixed.bids.iter().map(|bid| KeptBid {
            site: bid.site.clone(),
            account: bid.account.clone(),
            curve: bid.curve.clone(),
            reactive_range: bid.reactive_range,
            salt: bid.salt,
            raw: bid.raw.clone(),
        });
        let places = fixed.places.iter().map(|(bus, places)| {
            let places = places.iter().map(|place| u32::try_from(*place).unwrap_or(u32::MAX)).collect();
            (bus.clone(), places)
        });
        let (bids, places) = (bids.collect(), places.collect());
        Self { interval: fixed.interval, parameters, tolerance, rounds, award: award.clone(), bids, places }
    }
}

/// One site's reading of an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptReading {
    /// The site's account.
    pub account: Id,
    /// What its meter counted.
    pub energy: Millijoule,
    /// The signed reading.
    pub raw: SignedEnvelope,
}

impl KeptReading {
    /// As it is appended to its interval's file: its length and its encoding.
    ///
    /// # Errors
    /// As [`cbor::to_vec`].
    pub fn frame(&self) -> Result<Vec<u8>, CborError> {
        let bytes = cbor::to_vec(self)?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Ok([&length.to_be_bytes()[..], &bytes].concat())
    }

    /// The readings of a file. The last may have been cut off by whatever ended its writer.
    pub fn read(mut bytes: &[u8]) -> Vec<Self> {
        let mut readings = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some((frame, rest)) = rest.split_at_checked(length) else { break };
            let Ok(reading) = cbor::from_slice(frame, MAX_READING_BYTES) else { break };
            readings.push(reading);
            bytes = rest;
        }
        readings
    }
}

/// What is to become of the files of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It was awarded: a [`KeptTrading`]'s bytes.
    Trading(Vec<u8>),
    /// A site was read: a [`KeptReading`]'s frame.
    Reading(Vec<u8>),
    /// Its delivery is decided, or too old to be.
    Forget,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_come_back_and_a_torn_one_ends_them() {
        let reading = |account: &str| KeptReading {
            account: account.parse().unwrap(),
            energy: Millijoule(-5),
            raw: SignedEnvelope { topic: "t".to_owned(), bytes: vec![1, 2].into() },
        };
        let all = [reading("a"), reading("b")];
        let bytes: Vec<u8> = all.iter().flat_map(|reading| reading.frame().unwrap()).collect();
        assert_eq!(KeptReading::read(&bytes), all);
        assert_eq!(KeptReading::read(&bytes[..bytes.len() - 1]), all[..1]);
        assert_eq!(KeptReading::read(&[]), []);
        assert_eq!(KeptReading::read(&[0xff; 9]), []);
    }
}
