//! Answers that outlive a restart, as frames of a file: each says which message was answered, how, and until when it could be
//! played again. Pure; the file is [`crate::link`]'s.
//!
//! A frame is its length and its CRC-32, big-endian, and a record in deterministic CBOR. A file that was cut off ends with a frame
//! that is none; what comes before it holds.

use serde::{Deserialize, Serialize};
use wire::cbor::{self, CborError};
use wire::message::{MessageRef, Verdict};
use wire::Interval;

/// Longest record, in bytes: a refusal has 200 characters at most.
const MAX_RECORD_BYTES: usize = 2_048;
/// Bytes before a record.
const HEAD_BYTES: usize = 8;

/// An answer given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The message answered.
    pub of: MessageRef,
    /// Key epoch it was signed in.
    pub epoch: u32,
    /// The interval it was about.
    pub interval: Interval,
    /// When it expires, in milliseconds since 1970: afterwards it is refused for that.
    pub expires_ms: u64,
    /// What was said.
    pub verdict: Verdict,
}

impl Record {
    /// Its frame.
    ///
    /// # Errors
    /// Where it has no encoding.
    pub fn frame(&self) -> Result<Vec<u8>, CborError> {
        let record = cbor::to_vec(self)?;
        let mut frame = Vec::with_capacity(HEAD_BYTES + record.len());
        frame.extend((record.len() as u32).to_be_bytes());
        frame.extend(crc32fast::hash(&record).to_be_bytes());
        frame.extend(record);
        Ok(frame)
    }
}

/// Records of a file, up to the first frame that is none; and whether that is its end.
pub fn read(mut bytes: &[u8]) -> (Vec<Record>, bool) {
    let mut records = Vec::new();
    while let Some((record, rest)) = first(bytes) {
        records.push(record);
        bytes = rest;
    }
    (records, bytes.is_empty())
}

fn first(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let record = rest.get(..length).filter(|_| length <= MAX_RECORD_BYTES)?;
    if crc32fast::hash(record) != u32::from_be_bytes(*crc) {
        return None;
    }
    Some((cbor::from_slice(record, MAX_RECORD_BYTES).ok()?, &rest[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(sequence: u64) -> Record {
        Record {
            of: MessageRef { sender: "site/s1".parse().unwrap(), boot: 7, sequence },
            epoch: 0,
            interval: Interval::default(),
            expires_ms: 9,
            verdict: Verdict::Refused("too late".to_owned()),
        }
    }

    #[test]
    fn what_was_written_is_read_and_a_cut_off_end_is_left() {
        let whole: Vec<u8> = (0..3).flat_map(|n| record(n).frame().unwrap()).collect();
        assert_eq!(read(&whole), ((0..3).map(record).collect(), true));
        let each = whole.len() / 3;
        for cut in 1..each {
            assert_eq!(read(&whole[..whole.len() - cut]), ((0..2).map(record).collect(), false), "{cut}");
        }
        let mut flipped = whole.clone();
        flipped[each + HEAD_BYTES + 3] ^= 1;
        assert_eq!(read(&flipped), (vec![record(0)], false));
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }
    }
}
