//! What sites hold day-ahead, kept in a file from the session's decision to its last delivery: an aggregator
//! that starts anew in between must still state all of it.

use market::interval::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::cbor::{self, CborError};
use wire::entry::SitePosition;

/// Largest file read back: a day of quarter hours of some ten thousand sites.
const MAX_FILE_BYTES: usize = 1 << 27;

/// The file of one session, in deterministic CBOR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionsFile {
    /// The session.
    pub session: Interval,
    /// Each interval's positions, in order of account.
    pub intervals: Vec<Vec<SitePosition>>,
}

impl PositionsFile {
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
}

/// The sessions held, by their first intervals.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(BTreeMap<Interval, PositionsFile>);

impl Held {
    /// Sessions as they were read back.
    pub fn new(files: Vec<PositionsFile>) -> Self {
        Self(files.into_iter().map(|file| (file.session, file)).collect())
    }

    /// Takes in a decided session; those long delivered are forgotten.
    pub fn put(&mut self, file: PositionsFile, most: usize) {
        self.0.insert(file.session, file);
        while self.0.len() > most {
            self.0.pop_first();
        }
    }

    /// What sites hold for an interval, in order of account; nothing where no session holds it.
    pub fn at(&self, interval: Interval, interval_s: i64) -> Vec<SitePosition> {
        let held = self.0.range(..=interval).next_back();
        let positions = held.and_then(|(session, file)| {
            let place = (interval.start().0 - session.start().0).checked_div(interval_s)?;
            file.intervals.get(usize::try_from(place).ok()?)
        });
        positions.cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::Milliwatt;
    use wire::hash::Hash32;

    fn file(session: i64, powers: [i64; 2]) -> PositionsFile {
        let position = |power| SitePosition {
            account: "acc".parse().unwrap(),
            bid_hash: Hash32::default(),
            position: Milliwatt(power),
        };
        let intervals = powers.map(|power| vec![position(power)]).to_vec();
        PositionsFile { session: Interval(UnixSeconds(session)), intervals }
    }

    #[test]
    fn an_interval_has_the_positions_of_the_session_that_holds_it() {
        let read = PositionsFile::decode(&file(1_800, [1, 2]).encode().unwrap()).unwrap();
        let mut held = Held::new(vec![read]);
        held.put(file(5_400, [3, 4]), 2);
        let check = |held: &Held, second: i64, expected: Option<i64>| {
            let at = held.at(Interval(UnixSeconds(second)), 900);
            assert_eq!(at.first().map(|site| site.position.0), expected, "at {second}");
        };
        for (second, expected) in [
            (900, None),
            (1_800, Some(1)),
            (2_700, Some(2)),
            (3_600, None),
            (5_400, Some(3)),
            (6_300, Some(4)),
        ] {
            check(&held, second, expected);
        }
        held.put(file(7_200, [5, 6]), 2);
        check(&held, 1_800, None);
        check(&held, 8_100, Some(6));
    }
}
