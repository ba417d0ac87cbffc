//! What an aggregator took, owes and is told, in files from the first bid to the last delivery: one that is killed in
//! between goes on from there, and no bid it acknowledged and no commitment is lost. Here is their form; the shell
//! writes and reads them.

use super::bids::StandingBid;
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
use wire::message::{Award, PriceQuestion, MAX_ENVELOPE_BYTES};
use wire::party::{Id, PartyId};

/// Largest file read back: some ten thousand sites' signed bids.
const MAX_FILE_BYTES: usize = 1 << 27;
/// Largest question read back: what one message may hold.
const MAX_QUESTION_BYTES: usize = MAX_ENVELOPE_BYTES;
/// Largest bid: its signed message, and what it says once more.
pub const MAX_BID_BYTES: usize = 2 * MAX_ENVELOPE_BYTES;
/// Largest reading, likewise.
pub const MAX_READING_BYTES: usize = 2 * MAX_ENVELOPE_BYTES;

/// Everything that a process before this one kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Bids, of intervals that may not be awarded yet.
    pub bids: Vec<TakenBid>,
    /// Questions answered, by interval.
    pub asked: BTreeMap<Interval, Vec<PriceQuestion>>,
    /// Intervals that were awarded and not delivered, with what was read of them.
    pub trading: Vec<(KeptTrading, Vec<KeptReading>)>,
}

/// A site's bid that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenBid {
    /// The site's account.
    pub account: Id,
    /// Its bid.
    pub bid: StandingBid,
}

impl TakenBid {
    /// The record's bytes.
    ///
    /// # Errors
    /// As [`cbor::to_vec`].
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A record read back.
    ///
    /// # Errors
    /// Where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_BID_BYTES)
    }
}

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
    /// The record's bytes.
    ///
    /// # Errors
    /// As [`cbor::to_vec`].
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A record read back.
    ///
    /// # Errors
    /// Where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_READING_BYTES)
    }
}

/// A question answered, as it is appended to its interval's file: its length and its encoding.
///
/// # Errors
/// As [`cbor::to_vec`].
pub fn question_frame(question: &PriceQuestion) -> Result<Vec<u8>, CborError> {
    let bytes = cbor::to_vec(question)?;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    Ok([&length.to_be_bytes()[..], &bytes].concat())
}

/// The questions of such a file. The last may have been cut off by whatever ended its writer.
pub fn read_questions(mut bytes: &[u8]) -> Vec<PriceQuestion> {
    let mut questions = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        let Ok(question) = cbor::from_slice(frame, MAX_QUESTION_BYTES) else { break };
        questions.push(question);
        bytes = rest;
    }
    questions
}

/// What is to become of the files of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A question of the DSO's is answered: a [`question_frame`].
    Question(Vec<u8>),
    /// It was awarded: a [`KeptTrading`]'s bytes.
    Trading(Vec<u8>),
    /// Its delivery is decided, or too old to be.
    Forget,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_back_and_a_torn_one_ends_them() {
        let question = |round| PriceQuestion {
            interval: Interval::default(),
            round,
            windows: Vec::new(),
            buses: Vec::new(),
        };
        let all = [question(1), question(2)];
        let bytes: Vec<u8> = all.iter().flat_map(|question| question_frame(question).unwrap()).collect();
        let check = |bytes: &[u8], expected: &[PriceQuestion]| assert_eq!(read_questions(bytes), expected);
        check(&bytes, &all);
        check(&bytes[..bytes.len() - 1], &all[..1]);
        check(&[], &[]);
        check(&[0xff; 9], &[]);
    }
}
